//! `simulate`: the simulator alone, until told to stop.

use crate::{
    app::{Outcome, StartError, say, signals},
    config::SimulateArgs,
    simulator::{Simulator, SimulatorOptions},
};

/// Serves the simulator until told to stop.
pub async fn simulate(args: SimulateArgs) -> Result<Outcome, StartError> {
    let options = SimulatorOptions {
        listen: args.listen,
        rooms: args.rooms,
        seed: args.seed,
        pace: args.pace,
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await.map_err(StartError::Simulator)?;
    say(&format!("simulator on {}", simulator.base_url()));
    say(&format!("make things happen on {}", simulator.control_url()));
    say(&format!("watch it with: bilibili-live-monitor --upstream {}", simulator.base_url()));
    signals()?.first().await;
    simulator.stop().await;
    Ok(Outcome::Clean)
}
