//! Reads the settings, runs the program, and turns its outcome into an exit status.

use std::process::ExitCode;

use bilibili_live_monitor::{
    app::{self, Outcome, StartError},
    commands,
    config::{self, ConfigError, Plan, Role},
    telemetry,
};

/// Wrong usage, by the contract.
const USAGE: u8 = 2;
/// What a command that talks to a person logs.
const QUIET: &str = "warn";
/// Could not start, by the contract.
const NOT_STARTED: u8 = 1;

fn main() -> ExitCode {
    let plan = match config::plan() {
        Ok(plan) => plan,
        Err(ConfigError::Usage(error)) => error.exit(),
        Err(error) => return failed(USAGE, &error.to_string()),
    };
    match run(plan) {
        Ok(outcome) => ExitCode::from(outcome.status()),
        Err(error) => {
            let mend = error.downcast_ref::<StartError>().and_then(StartError::mend);
            failed(NOT_STARTED, &format!("{error:#}{}", mend.map_or_else(String::new, |mend| format!("\n{mend}"))))
        }
    }
}

fn run(plan: Plan) -> anyhow::Result<Outcome> {
    // Plain connections never need it, so a missing provider would show only at the first TLS one.
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let system = actix::System::new();
    Ok(match plan {
        Plan::Simulate(args) => {
            telemetry::init(&args.log, None, None, true)?;
            system.block_on(commands::simulate(args))?
        }
        Plan::Login(settings) => {
            telemetry::init(QUIET, settings.log_format, None, true)?;
            system.block_on(commands::login(*settings))?
        }
        Plan::Export(args) => return commands::export(&args),
        Plan::Run(settings) => {
            // Processes of several roles have one data folder, and each its own log.
            let logs =
                if settings.role == Role::All { "logs".into() } else { format!("logs/{}", settings.role.as_str()) };
            let folder = (!settings.demo).then(|| settings.data_dir.join(logs));
            // The table has the terminal for itself.
            let terminal = !(settings.status_display && app::display::is_drawn());
            telemetry::init(&settings.log, settings.log_format, folder.as_deref(), terminal)?;
            system.block_on(app::run(*settings))?
        }
        Plan::Check { settings, json } => system.block_on(commands::check(*settings, json))?,
        Plan::Import { settings, file } => system.block_on(commands::import(&settings, &file))?,
        Plan::ImportDjango { settings, file, monitor } => commands::import_django(&settings, &file, monitor)?,
        Plan::Replay { settings, file } => commands::replay(&settings, &file)?,
        Plan::Backup { settings, file, force } => commands::back_up(&settings, &file, force)?,
        Plan::Restore { settings, file } => commands::restore(&settings, &file)?,
    })
}

#[expect(clippy::print_stderr, reason = "whoever started the program sees why it did not")]
fn failed(status: u8, why: &str) -> ExitCode {
    eprintln!("bilibili-live-monitor: {why}");
    ExitCode::from(status)
}
