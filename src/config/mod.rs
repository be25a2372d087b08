//! Every setting with its default, unit and reason.
//!
//! Command line over environment over file over default. An unknown key or a bad value stops the start
//! with the key, the value and what is accepted, because a setting that is silently ignored is a lie.
//! Secrets come from the environment only, never from the command line, where others can read them.

mod args;
mod error;
mod file;
mod networks;

use std::{
    collections::BTreeSet,
    env,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{CommandFactory, Parser};
use ipnet::IpNet;
use url::Url;

pub use self::{
    args::{Cli, LogFormat, SimulateArgs},
    error::ConfigError,
};
use self::{
    args::{Command, RunArgs},
    file::{File, RoomName, read_file},
};
use crate::domain::RoomRef;

/// What the program is to do.
#[derive(Debug)]
pub enum Plan {
    /// Collect, store and serve.
    Run(Box<Settings>),
    /// Serve only the simulator.
    Simulate(SimulateArgs),
}

/// Settled settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Rooms named by the user, beside those stored.
    pub rooms: Vec<RoomRef>,
    /// Where the pages are served.
    pub listen: SocketAddr,
    /// Everything the program writes is under it.
    pub data_dir: PathBuf,
    /// The SQLite file.
    pub database: PathBuf,
    /// The Redis server, if it is the live store.
    pub redis: Option<String>,
    /// Visitors who are not signed in see neither money nor viewers.
    pub public: bool,
    /// The path below which a reverse proxy shows the pages; empty for none.
    pub base_path: String,
    /// Proxies that are believed about who asks.
    pub trusted_proxies: Vec<IpNet>,
    /// Instead of Bilibili.
    pub upstream: Option<Url>,
    /// New connections to the upstream per second.
    pub connects_per_second: f64,
    /// Events are stored at most this often.
    pub sync_interval: Duration,
    /// After SIGTERM everything is stored within this.
    pub shutdown: Duration,
    /// What is logged.
    pub log: String,
    /// How.
    pub log_format: Option<LogFormat>,
    /// Against the simulator, with throw-away data.
    pub demo: bool,
    /// Password of the admin page, from the environment.
    pub admin_password: Option<Secret>,
    /// Token of programs that administrate, from the environment.
    pub admin_token: Option<Secret>,
}

/// A value that is never shown.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Bilibili answers -352 to those who come faster than about one ticket a second.
const CONNECTS_PER_SECOND_BILIBILI: f64 = 1.0;
/// A rig of one's own takes what the gate is built for.
const CONNECTS_PER_SECOND_RIG: f64 = 50.0;

/// What the web server says of itself at every start is of no use to anybody.
const DEFAULT_LOG: &str = "info,actix_server=warn";

/// Secrets, read from the environment only.
const SECRETS: [&str; 2] = ["BLM_ADMIN_PASSWORD", "BLM_ADMIN_TOKEN"];

/// Reads command line, environment and file.
pub fn plan() -> Result<Plan, ConfigError> {
    refuse_unknown_variables(env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
    plan_from(Cli::try_parse()?, Path::new("config.toml"))
}

fn plan_from(cli: Cli, default_file: &Path) -> Result<Plan, ConfigError> {
    let args = match cli.command {
        Some(Command::Simulate(args)) => return Ok(Plan::Simulate(args)),
        Some(Command::Run(args)) => *args,
        None => cli.run,
    };
    let file = match &args.config {
        Some(path) => read_file(path)?,
        None if default_file.exists() => read_file(default_file)?,
        None => File::default(),
    };
    settle(args, file).map(|settings| Plan::Run(Box::new(settings)))
}

fn settle(args: RunArgs, file: File) -> Result<Settings, ConfigError> {
    let in_file = file.rooms.unwrap_or_default().into_iter().map(|name| match name {
        RoomName::Number(number) => number.to_string().parse::<RoomRef>(),
        RoomName::Text(text) => text.parse(),
    });
    let rooms = match args.rooms {
        Some(rooms) => rooms,
        None => in_file.collect::<Result<_, _>>()?,
    };
    let data_dir = args.data_dir.or(file.data_dir).unwrap_or_else(|| PathBuf::from("data"));
    let database = match args.database.or(file.database) {
        None => data_dir.join("live.db"),
        Some(url) => sqlite_path(&url)?,
    };
    let redis = args.redis.or(file.redis);
    if let Some(url) = &redis
        && !["redis://", "rediss://"].iter().any(|scheme| url.starts_with(scheme))
    {
        // The address may hold a password: it is not repeated.
        return Err(ConfigError::Value { key: "redis", value: "…".into(), accepted: "redis://… or rediss://…" });
    }
    let base_path = args.base_path.or(file.base_path).unwrap_or_default().trim_end_matches('/').to_owned();
    if !networks::is_base_path(&base_path) {
        return Err(ConfigError::Value {
            key: "base_path",
            value: base_path,
            accepted: "a path such as /bili: begins with / and holds letters, digits, - _ . ~ and /",
        });
    }
    let trusted_proxies = args.trusted_proxies.or(file.trusted_proxies).unwrap_or_default().0;
    let upstream = args.upstream.or(file.upstream);
    if let Some(url) = &upstream
        && !(matches!(url.scheme(), "http" | "https") && url.has_host())
    {
        return Err(ConfigError::Value {
            key: "upstream",
            value: url.to_string(),
            accepted: "http://HOST:PORT or https://HOST:PORT",
        });
    }
    let default_pace =
        if upstream.is_some() || args.demo { CONNECTS_PER_SECOND_RIG } else { CONNECTS_PER_SECOND_BILIBILI };
    let connects_per_second = args.connects_per_second.or(file.connects_per_second).unwrap_or(default_pace);
    if !(0.01..=1000.0).contains(&connects_per_second) {
        return Err(ConfigError::Value {
            key: "connects_per_second",
            value: connects_per_second.to_string(),
            accepted: "a number from 0.01 to 1000",
        });
    }
    let sync_interval_ms = args.sync_interval_ms.or(file.sync_interval_ms).unwrap_or(500);
    if !(10..=3_600_000).contains(&sync_interval_ms) {
        return Err(ConfigError::Value {
            key: "sync_interval_ms",
            value: sync_interval_ms.to_string(),
            accepted: "10 to 3600000",
        });
    }
    let shutdown_seconds = args.shutdown_seconds.or(file.shutdown_seconds).unwrap_or(9);
    if !(1..=600).contains(&shutdown_seconds) {
        return Err(ConfigError::Value {
            key: "shutdown_seconds",
            value: shutdown_seconds.to_string(),
            accepted: "1 to 600",
        });
    }
    let secret = |name| env::var(name).ok().filter(|value| !value.is_empty()).map(Secret);
    Ok(Settings {
        rooms,
        listen: args.listen.or(file.listen).unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8000))),
        database,
        data_dir,
        redis,
        public: args.public.or(file.public).unwrap_or(false),
        base_path,
        trusted_proxies,
        upstream,
        connects_per_second,
        sync_interval: Duration::from_millis(sync_interval_ms),
        shutdown: Duration::from_secs(shutdown_seconds),
        log: args.log.or(file.log).unwrap_or_else(|| DEFAULT_LOG.into()),
        log_format: args.log_format.or(file.log_format),
        demo: args.demo,
        admin_password: secret(SECRETS[0]),
        admin_token: secret(SECRETS[1]),
    })
}

fn sqlite_path(url: &str) -> Result<PathBuf, ConfigError> {
    match url.strip_prefix("sqlite://") {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(ConfigError::Value { key: "database", value: url.to_owned(), accepted: "sqlite://PATH" }),
    }
}

/// A misspelt variable would be ignored in silence.
fn refuse_unknown_variables(names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    let mut known: BTreeSet<String> = SECRETS.map(str::to_owned).into();
    for command in std::iter::once(Cli::command()).chain(Cli::command().get_subcommands().cloned()) {
        known.extend(command.get_arguments().filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned)));
    }
    match names.into_iter().find(|name| name.starts_with("BLM_") && !known.contains(name)) {
        None => Ok(()),
        Some(name) => {
            Err(ConfigError::UnknownVariable { name, known: known.into_iter().collect::<Vec<_>>().join(", ") })
        }
    }
}

#[cfg(test)]
mod tests;
