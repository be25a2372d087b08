//! `--demo`: the simulator in this process, and data that is thrown away.

use tempfile::TempDir;

use super::{outcome::StartError, say};
use crate::{
    config::Settings,
    domain::RoomRef,
    simulator::{Simulator, SimulatorOptions},
};

/// The simulator in this process, and data that is thrown away.
pub(super) struct Demo {
    pub(super) simulator: Simulator,
    _data: Option<TempDir>,
}

impl Demo {
    /// Starts it, and turns the settings towards it.
    pub(super) async fn start(settings: &mut Settings) -> Result<Demo, StartError> {
        let simulator = Simulator::start(SimulatorOptions::default()).await.map_err(StartError::Simulator)?;
        let data = tempfile::Builder::new()
            .prefix("bilibili-live-monitor-demo-")
            .tempdir()
            .map_err(|source| StartError::System { what: "a temporary folder cannot be made", source })?;
        settings.upstream = simulator.base_url().parse().ok();
        settings.data_dir = data.path().to_owned();
        settings.database = data.path().join("live.db");
        if settings.rooms.is_empty() {
            settings.rooms = simulator.rooms().iter().map(|room| RoomRef(room.room_id)).collect();
        }
        say("demo: a simulated Bilibili, data is thrown away at the end");
        say(&format!("make things happen on {}", simulator.control_url()));
        Ok(Demo { simulator, _data: Some(data) })
    }
}
