//! Every setting with its default, unit and reason.
//!
//! Command line over environment over file over default. An unknown key or a bad value stops the start
//! with the key, the value and what is accepted, because a setting that is silently ignored is a lie.
//! Secrets come from the environment only, never from the command line, where others can read them.

mod args;
mod error;
mod export;
mod file;
mod live;
mod networks;
mod open_live;
mod role;
mod roots;
mod shown;

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
    args::{Cli, Connect, LogFormat, SimulateArgs},
    error::ConfigError,
    export::ExportArgs,
    live::LiveSettings,
    open_live::OpenLiveSettings,
    role::Role,
    roots::ExtraRoots,
};
use self::{
    args::{Command, RunArgs},
    file::{File, RoomName, read_file},
};
use crate::{domain::RoomRef, supervise::faults};

/// What the program is to do.
#[derive(Debug)]
pub enum Plan {
    /// Collect, store and serve.
    Run(Box<Settings>),
    /// Try everything.
    Check {
        /// With these.
        settings: Box<Settings>,
        /// For a program.
        json: bool,
    },
    /// Monitor a list of rooms.
    Import {
        /// Into which.
        settings: Box<Settings>,
        /// The list.
        file: PathBuf,
    },
    /// Take over the original's database.
    ImportDjango {
        /// Into which.
        settings: Box<Settings>,
        /// The original's.
        file: PathBuf,
        /// And monitor its rooms.
        monitor: bool,
    },
    /// Write the history to a file.
    Export(ExportArgs),
    /// Copy the history.
    Backup {
        /// Which.
        settings: Box<Settings>,
        /// Where to.
        file: PathBuf,
        /// Also over a file that is there.
        force: bool,
    },
    /// Read the raw archive once more.
    Replay {
        /// Whose.
        settings: Box<Settings>,
        /// Into which database.
        file: PathBuf,
    },
    /// Put a copy in the place of the history.
    Restore {
        /// Which.
        settings: Box<Settings>,
        /// Which copy.
        file: PathBuf,
    },
    /// Log in to Bilibili in the terminal.
    Login(Box<Settings>),
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
    /// What this process does.
    pub role: Role,
    /// The Redis server, if it is the live store.
    pub redis: Option<String>,
    /// How Redis is used.
    pub live: LiveSettings,
    /// Visitors who are not signed in see neither money nor viewers.
    pub public: bool,
    /// The path below which a reverse proxy shows the pages; empty for none.
    pub base_path: String,
    /// Proxies that are believed about who asks.
    pub trusted_proxies: Vec<IpNet>,
    /// Instead of Bilibili.
    pub upstream: Option<Url>,
    /// Authorities trusted on the way to the upstream, beside the built-in ones: a PEM file.
    pub extra_roots: ExtraRoots,
    /// New connections to the upstream per second.
    pub connects_per_second: f64,
    /// Calls to the upstream's API per second, all together.
    pub calls_per_second: f64,
    /// Rooms that each account watches.
    pub rooms_per_account: usize,
    /// The Open Live platform, if there are keys for it.
    pub open_live: Option<OpenLiveSettings>,
    /// When rooms hold a connection.
    pub connect: Connect,
    /// Who is on air is asked for all rooms this often.
    pub status_interval: Duration,
    /// Chat far below its own rate for that long is thinned.
    pub thinned: Duration,
    /// Events are stored at most this often.
    pub sync_interval: Duration,
    /// Frames are kept as they came.
    pub archive: bool,
    /// How long what is stored.
    pub keep: Keep,
    /// After SIGTERM everything is stored within this.
    pub shutdown: Duration,
    /// What is logged.
    pub log: String,
    /// How.
    pub log_format: Option<LogFormat>,
    /// A live table in the terminal.
    pub status_display: bool,
    /// Against the simulator, with throw-away data.
    pub demo: bool,
    /// Password of the admin page, from the environment.
    pub admin_password: Option<Secret>,
    /// Token of programs that administrate, from the environment.
    pub admin_token: Option<Secret>,
}

/// Days that each class of the history is kept; 0 is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Chat. For ever: nobody expects it to vanish.
    pub chat_days: u32,
    /// Entries, follows, shares, likes. Most rows of a busy room; their sums stay.
    pub entries_days: u32,
    /// Gauges. For ever: a row a minute and room.
    pub gauges_days: u32,
    /// Gifts, super chats, guards. For ever: somebody's books.
    pub money_days: u32,
    /// What could not be stored, as it came: of use until somebody has looked at it.
    pub raw_days: u32,
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

/// Enough for the four calls that a room needs before it is received, at one room a second.
const CALLS_PER_SECOND_BILIBILI: f64 = 4.0;
/// The same, at the pace of a rig.
const CALLS_PER_SECOND_RIG: f64 = 200.0;
/// More connections of one account than five or six are cut again and again, or given only a part.
const ROOMS_PER_ACCOUNT: usize = 6;
/// One batch call every 30 to 60 s has long been tolerated; every 10 s is blocked soon.
const STATUS_SECONDS: u64 = 30;
/// Long enough for a pause between two songs, short enough to find it within one.
const THINNED_SECONDS: u64 = 180;

/// What the web server says of itself at every start is of no use to anybody.
const DEFAULT_LOG: &str = "info,actix_server=warn";

/// Secrets, read from the environment only.
const SECRETS: [&str; 2] = ["BLM_ADMIN_PASSWORD", "BLM_ADMIN_TOKEN"];

/// Reads command line, environment and file.
pub fn plan() -> Result<Plan, ConfigError> {
    arm_faults(env::var(faults::VARIABLE).ok())?;
    refuse_unknown_variables(env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
    plan_from(Cli::try_parse()?, Path::new("config.toml"))
}

fn plan_from(cli: Cli, default_file: &Path) -> Result<Plan, ConfigError> {
    let settled = |args| settle_with_file(args, default_file);
    Ok(match cli.command {
        None => Plan::Run(settled(cli.run)?),
        Some(Command::Run(args)) => Plan::Run(settled(*args)?),
        Some(Command::Check { json, settings }) => Plan::Check { settings: settled(*settings)?, json },
        Some(Command::Import { file, settings }) => Plan::Import { settings: settled(*settings)?, file },
        Some(Command::ImportDjango { file, monitor, settings }) => {
            Plan::ImportDjango { settings: settled(*settings)?, file, monitor }
        }
        Some(Command::Backup { file, force, settings }) => Plan::Backup { settings: settled(*settings)?, file, force },
        Some(Command::Restore { file, settings }) => Plan::Restore { settings: settled(*settings)?, file },
        Some(Command::Replay { file, settings }) => Plan::Replay { settings: settled(*settings)?, file },
        Some(Command::Login(args)) => Plan::Login(settled(*args)?),
        Some(Command::Export(args)) => Plan::Export(args),
        Some(Command::Simulate(args)) => Plan::Simulate(args),
    })
}

fn settle_with_file(args: RunArgs, default_file: &Path) -> Result<Box<Settings>, ConfigError> {
    let file = match &args.config {
        Some(path) => read_file(path)?,
        None if default_file.exists() => read_file(default_file)?,
        None => File::default(),
    };
    settle(args, file).map(Box::new)
}

fn settle(args: RunArgs, file: File) -> Result<Settings, ConfigError> {
    let live = live::settle(&args.live, &file)?;
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
    let role = role::settle(args.role, file.role, redis.is_some(), args.demo, args.status_display)?;
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
    let (default_pace, default_calls) = if upstream.is_some() || args.demo {
        (CONNECTS_PER_SECOND_RIG, CALLS_PER_SECOND_RIG)
    } else {
        (CONNECTS_PER_SECOND_BILIBILI, CALLS_PER_SECOND_BILIBILI)
    };
    let connects_per_second = args.connects_per_second.or(file.connects_per_second).unwrap_or(default_pace);
    if !(0.01..=1000.0).contains(&connects_per_second) {
        return Err(ConfigError::Value {
            key: "connects_per_second",
            value: connects_per_second.to_string(),
            accepted: "a number from 0.01 to 1000",
        });
    }
    let calls_per_second = args.calls_per_second.or(file.calls_per_second).unwrap_or(default_calls);
    if !(0.01..=10_000.0).contains(&calls_per_second) {
        return Err(ConfigError::Value {
            key: "calls_per_second",
            value: calls_per_second.to_string(),
            accepted: "a number from 0.01 to 10000",
        });
    }
    let rooms_per_account = args.rooms_per_account.or(file.rooms_per_account).unwrap_or(ROOMS_PER_ACCOUNT);
    if rooms_per_account > 1000 {
        return Err(ConfigError::Value {
            key: "rooms_per_account",
            value: rooms_per_account.to_string(),
            accepted: "0 to 1000",
        });
    }
    let status_seconds = args.status_seconds.or(file.status_seconds).unwrap_or(STATUS_SECONDS);
    if !(1..=3600).contains(&status_seconds) {
        return Err(ConfigError::Value {
            key: "status_seconds",
            value: status_seconds.to_string(),
            accepted: "1 to 3600",
        });
    }
    let thinned_seconds = args.thinned_seconds.or(file.thinned_seconds).unwrap_or(THINNED_SECONDS);
    if !(6..=3600).contains(&thinned_seconds) {
        return Err(ConfigError::Value {
            key: "thinned_seconds",
            value: thinned_seconds.to_string(),
            accepted: "6 to 3600",
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
    let open_live = open_live::read(&data_dir)?;
    let secret = |name| env::var(name).ok().filter(|value| !value.is_empty()).map(Secret);
    Ok(Settings {
        rooms,
        listen: args.listen.or(file.listen).unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8000))),
        database,
        data_dir,
        role,
        redis,
        live,
        public: args.public.or(file.public).unwrap_or(false),
        base_path,
        trusted_proxies,
        upstream,
        extra_roots: args.extra_roots.or(file.extra_roots).map(roots::read).transpose()?.unwrap_or_default(),
        connects_per_second,
        calls_per_second,
        rooms_per_account,
        open_live,
        connect: args.connect.or(file.connect).unwrap_or(Connect::Always),
        status_interval: Duration::from_secs(status_seconds),
        thinned: Duration::from_secs(thinned_seconds),
        sync_interval: Duration::from_millis(sync_interval_ms),
        archive: args.archive.or(file.archive).unwrap_or(false),
        keep: Keep {
            chat_days: args.keep_chat_days.or(file.keep_chat_days).unwrap_or(0),
            entries_days: args.keep_entries_days.or(file.keep_entries_days).unwrap_or(90),
            gauges_days: args.keep_gauges_days.or(file.keep_gauges_days).unwrap_or(0),
            money_days: args.keep_money_days.or(file.keep_money_days).unwrap_or(0),
            raw_days: args.keep_raw_days.or(file.keep_raw_days).unwrap_or(30),
        },
        shutdown: Duration::from_secs(shutdown_seconds),
        log: args.log.or(file.log).unwrap_or_else(|| DEFAULT_LOG.into()),
        log_format: args.log_format.or(file.log_format),
        status_display: args.status_display,
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

/// Faults put in place by a test of the real program; never in a release build.
fn arm_faults(plan: Option<String>) -> Result<(), ConfigError> {
    let Some(plan) = plan else { return Ok(()) };
    #[cfg(debug_assertions)]
    let armed = faults::arm(&plan);
    #[cfg(not(debug_assertions))]
    let armed: Result<(), String> = Err("it is for tests, and for debug builds only: unset it".to_owned());
    armed.map_err(|why| ConfigError::Faults { plan, why })
}

/// A misspelt variable would be ignored in silence.
fn refuse_unknown_variables(names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    let mut known: BTreeSet<String> = SECRETS.map(str::to_owned).into();
    if faults::ENABLED {
        known.insert(faults::VARIABLE.to_owned());
    }
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
