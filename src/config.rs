//! Every setting with its default, unit and reason.
//!
//! Command line over environment over file over default. An unknown key or a bad value stops the start
//! with the key, the value and what is accepted, because a setting that is silently ignored is a lie.
//! Secrets come from the environment only, never from the command line, where others can read them.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use thiserror::Error;
use url::Url;

use crate::domain::{RoomRef, RoomRefError};

/// Watches many Bilibili live rooms at once.
#[derive(Debug, Parser)]
#[command(name = "bilibili-live-monitor", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Collect, store and serve (the default)
    Run(Box<RunArgs>),
    /// Serve only the simulator: a fake Bilibili (HTTP and stream) on a local port
    Simulate(SimulateArgs),
}

/// Options of `run`; what is absent may come from the file.
#[derive(Args, Clone, Debug, Default)]
struct RunArgs {
    /// Rooms to monitor beside those already stored: long id, short id or link each
    #[arg(long, env = "BLM_ROOM_IDS", value_delimiter = ',', value_name = "1,2,3")]
    rooms: Option<Vec<RoomRef>>,
    /// Settings, TOML or JSON by ending; config.toml is read if it is there
    #[arg(long, env = "BLM_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the pages are served; port 0 picks a free one
    #[arg(long, env = "BLM_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Everything the program writes is under it
    #[arg(long, env = "BLM_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The history
    #[arg(long, env = "BLM_DATABASE_URL", value_name = "sqlite://PATH")]
    database: Option<String>,
    /// A Redis server as live store instead of the embedded one
    #[arg(long, env = "BLM_REDIS_URL", value_name = "redis://…", hide_env_values = true)]
    redis: Option<String>,
    /// One base address for every Bilibili HTTP host: a simulator, a test rig, a proxy
    #[arg(long, env = "BLM_UPSTREAM", value_name = "http://…")]
    upstream: Option<Url>,
    /// New connections to Bilibili per second
    #[arg(long, env = "BLM_CONNECTS_PER_SECOND", value_name = "N")]
    connects_per_second: Option<f64>,
    /// Events are stored in SQLite at most this often, ms
    #[arg(long, env = "BLM_SYNC_INTERVAL_MS", value_name = "MS")]
    sync_interval_ms: Option<u64>,
    /// After SIGTERM everything is stored within this, s
    #[arg(long, env = "BLM_SHUTDOWN_SECONDS", value_name = "S")]
    shutdown_seconds: Option<u64>,
    /// What is logged, as a tracing filter
    #[arg(long, env = "BLM_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How the log is written
    #[arg(long, env = "BLM_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    /// Run against the built-in simulator: no network, no account, throw-away data
    #[arg(long)]
    demo: bool,
}

/// Options of `simulate`.
#[derive(Args, Clone, Debug)]
pub struct SimulateArgs {
    /// Where it is served; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// Rooms that are on air
    #[arg(long, default_value_t = 6, value_name = "N")]
    pub rooms: usize,
    /// Seed of everything that happens by chance
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// How lively the rooms are; 0: nothing happens but what is asked for
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub pace: f64,
    /// What is logged, as a tracing filter
    #[arg(long, env = "BLM_LOG", default_value = DEFAULT_LOG, value_name = "FILTER")]
    pub log: String,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The file: the same names with underscores. Every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rooms: Option<Vec<RoomName>>,
    listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    database: Option<String>,
    redis: Option<String>,
    upstream: Option<Url>,
    connects_per_second: Option<f64>,
    sync_interval_ms: Option<u64>,
    shutdown_seconds: Option<u64>,
    log: Option<String>,
    log_format: Option<LogFormat>,
}

/// The original's file: `{"room_ids": […], "settings": {…}}`. Its settings speak of its own processes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginalFile {
    room_ids: Vec<RoomName>,
    #[serde(default)]
    #[expect(dead_code, reason = "accepted, but about processes that do not exist here")]
    settings: serde_json::Map<String, serde_json::Value>,
}

/// A room in a file: a number, or text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RoomName {
    Number(u64),
    Text(String),
}

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

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The command line or an environment variable behind it; clap says it well.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The file is not there, or not readable.
    #[error("the settings file {} cannot be read ({source}): give a file that is there with --config FILE", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that is not understood.
    #[error("the settings file {} is wrong: {why}", path.display())]
    Wrong {
        /// Which.
        path: PathBuf,
        /// Key, value, and what is accepted.
        why: String,
    },
    /// A value that cannot be meant.
    #[error("{key} = {value:?} cannot be used: {accepted}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// An environment variable of ours that does not exist.
    #[error("the environment variable {name} is not a setting; there are: {known}")]
    UnknownVariable {
        /// Which.
        name: String,
        /// Those there are.
        known: String,
    },
}

impl From<RoomRefError> for ConfigError {
    fn from(error: RoomRefError) -> ConfigError {
        ConfigError::Wrong { path: PathBuf::from("rooms"), why: error.to_string() }
    }
}

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

fn read_file(path: &Path) -> Result<File, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let wrong = |why: String| ConfigError::Wrong { path: path.to_owned(), why };
    if path.extension() == Some(OsStr::new("json")) {
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if value.get("room_ids").is_some() {
            let original: OriginalFile = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
            return Ok(File { rooms: Some(original.room_ids), ..File::default() });
        }
        serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
    } else {
        toml::from_str(&text).map_err(|error| wrong(error.to_string()))
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
mod tests {
    use super::*;

    fn settings(args: &[&str], file: Option<(&str, &str)>) -> Result<Settings, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut line = vec!["bilibili-live-monitor".to_owned()];
        line.extend(args.iter().map(|arg| (*arg).to_owned()));
        if let Some((name, text)) = file {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            line.extend(["--config".to_owned(), path.to_string_lossy().into_owned()]);
        }
        let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
        match plan_from(cli, &folder.path().join("absent.toml")).map_err(|error| error.to_string())? {
            Plan::Run(settings) => Ok(*settings),
            Plan::Simulate(_) => Err("not a run".into()),
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = settings(&[], None).expect("settles");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(settings.database, Path::new("data/live.db"));
        assert!(settings.redis.is_none() && settings.rooms.is_empty());
    }

    #[test]
    fn the_command_line_beats_the_file_and_the_file_the_default() {
        let file = "listen = \"127.0.0.1:1\"\ndata_dir = \"d\"\nrooms = [76, \"https://live.bilibili.com/21452505\"]\n";
        let settings = settings(&["--listen", "127.0.0.1:2"], Some(("c.toml", file))).expect("settles");
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.database, Path::new("d/live.db"));
        assert_eq!(settings.rooms, [RoomRef(76), RoomRef(21452505)]);
    }

    #[test]
    fn the_original_json_is_accepted() {
        let file = r#"{"room_ids": [1962481108, 1982728080], "settings": {"collect_interval": 5}}"#;
        let settings = settings(&[], Some(("custom_config.json", file))).expect("settles");
        assert_eq!(settings.rooms, [RoomRef(1962481108), RoomRef(1982728080)]);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_accepted() {
        type Case<'a> = (&'a [&'a str], Option<(&'a str, &'a str)>, &'a [&'a str]);
        let cases: [Case; 9] = [
            (&[], Some(("c.toml", "lisen = \"x\"")), &["lisen", "listen"]),
            (&[], Some(("c.json", r#"{"lisen": "x"}"#)), &["lisen", "listen"]),
            (&[], Some(("c.toml", "listen = \"nowhere\"")), &["listen"]),
            (&[], Some(("c.toml", "rooms = [\"abc\"]")), &["abc", "live.bilibili.com"]),
            (&["--rooms", "76,abc"], None, &["abc", "--rooms"]),
            (&["--redis", "http://localhost"], None, &["redis", "rediss://"]),
            (&["--database", "mysql://x"], None, &["mysql://x", "sqlite://"]),
            (&["--upstream", "ftp://x"], None, &["ftp://x", "http://"]),
            (&["--connects-per-second", "0"], None, &["connects_per_second", "0.01"]),
        ];
        for (args, file, expected) in cases {
            let error = settings(args, file).expect_err("refused");
            for part in expected {
                assert!(error.contains(part), "{args:?} {file:?}: {error:?} does not name {part}");
            }
        }
    }

    #[test]
    fn a_misspelt_variable_is_refused() {
        let refused = |name: &str| refuse_unknown_variables([name.to_owned()].into_iter()).is_err();
        assert!(refused("BLM_LISTNE"));
        assert!(!refused("BLM_LISTEN") && !refused("BLM_ADMIN_PASSWORD") && !refused("HOME"));
    }
}
