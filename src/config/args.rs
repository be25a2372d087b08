//! The command line, and the environment variable behind each option.
//!
//! Options of `run` are all optional here: what is absent may stand in the file, and the defaults are
//! settled in the folder's `mod.rs`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use url::Url;

use super::{DEFAULT_LOG, export::ExportArgs, live::LiveArgs, networks::Networks, role::RoleArgs};
use crate::domain::RoomRef;

/// Watches many Bilibili live rooms at once.
#[derive(Debug, Parser)]
#[command(name = "bilibili-live-monitor", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Collect, store and serve (the default)
    Run(Box<RunArgs>),
    /// Try configuration, Redis, database, disk, clock and Bilibili, and say how to mend what is wrong
    Check {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Box<RunArgs>,
    },
    /// Monitor a list of rooms from the next start on; the program must not run (its page takes lists, too)
    Import {
        /// CSV with a column room_id, ndjson, JSON, or numbers and links; - for the standard input
        file: PathBuf,
        #[command(flatten)]
        settings: Box<RunArgs>,
    },
    /// Take over the database of the original Django system; the program must not run
    ImportDjango {
        /// Its db.sqlite3
        file: PathBuf,
        /// Monitor its rooms from now on
        #[arg(long)]
        monitor: bool,
        #[command(flatten)]
        settings: Box<RunArgs>,
    },
    /// Write the history to a file: CSV, ndjson, XLSX or Bilibili danmaku XML
    Export(ExportArgs),
    /// Copy the history to FILE, also while it is in use, and check the copy
    Backup {
        /// Where the copy goes
        file: PathBuf,
        /// Replace FILE if it is there
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        settings: Box<RunArgs>,
    },
    /// Check FILE and put it in the place of the history, which is kept beside; the program must not run
    Restore {
        /// A copy that `backup` made
        file: PathBuf,
        #[command(flatten)]
        settings: Box<RunArgs>,
    },
    /// Read the raw archive once more, with today's decoders, into a database of its own
    Replay {
        /// The database: new, or one that a replay made
        file: PathBuf,
        #[command(flatten)]
        settings: Box<RunArgs>,
    },
    /// Log in to Bilibili by QR code; the running program finds the account by itself
    Login(Box<RunArgs>),
    /// Serve only the simulator: a fake Bilibili (HTTP and stream) on a local port
    Simulate(SimulateArgs),
}

/// Options of `run`; what is absent may come from the file.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct RunArgs {
    /// Rooms to monitor beside those already stored: long id, short id or link each
    #[arg(long, env = "BLM_ROOM_IDS", value_delimiter = ',', value_name = "1,2,3")]
    pub(super) rooms: Option<Vec<RoomRef>>,
    /// Settings, TOML or JSON by ending; config.toml is read if it is there
    #[arg(long, env = "BLM_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where the pages are served; port 0 picks a free one
    #[arg(long, env = "BLM_LISTEN", value_name = "ADDR:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// Everything the program writes is under it
    #[arg(long, env = "BLM_DATA_DIR", value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// The history
    #[arg(long, env = "BLM_DATABASE_URL", value_name = "sqlite://PATH")]
    pub(super) database: Option<String>,
    /// A Redis server as live store instead of the embedded one
    #[arg(long, env = "BLM_REDIS_URL", value_name = "redis://…", hide_env_values = true)]
    pub(super) redis: Option<String>,
    #[command(flatten)]
    pub(super) role: RoleArgs,
    #[command(flatten)]
    pub(super) live: LiveArgs,
    /// Visitors who are not signed in see neither money nor viewers
    #[arg(long, env = "BLM_PUBLIC", num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub(super) public: Option<bool>,
    /// The path below which a reverse proxy shows the pages, such as /bili
    #[arg(long, env = "BLM_BASE_PATH", value_name = "/PATH")]
    pub(super) base_path: Option<String>,
    /// Proxies that are believed about who asks: addresses or networks, or none
    #[arg(long, env = "BLM_TRUSTED_PROXIES", value_name = "10.0.0.0/8,…")]
    pub(super) trusted_proxies: Option<Networks>,
    /// One base address for every Bilibili HTTP host: a simulator, a test rig, a proxy
    #[arg(long, env = "BLM_UPSTREAM", value_name = "http://…")]
    pub(super) upstream: Option<Url>,
    /// Authorities trusted on the way to Bilibili beside the built-in ones, PEM: behind a proxy that opens TLS
    #[arg(long, env = "BLM_EXTRA_ROOTS", value_name = "FILE")]
    pub(super) extra_roots: Option<PathBuf>,
    /// New connections to Bilibili per second
    #[arg(long, env = "BLM_CONNECTS_PER_SECOND", value_name = "N")]
    pub(super) connects_per_second: Option<f64>,
    /// Calls to Bilibili's API per second, all together
    #[arg(long, env = "BLM_CALLS_PER_SECOND", value_name = "N")]
    pub(super) calls_per_second: Option<f64>,
    /// Rooms that each Bilibili account watches; the others are watched by a visitor
    #[arg(long, env = "BLM_ROOMS_PER_ACCOUNT", value_name = "N")]
    pub(super) rooms_per_account: Option<usize>,
    /// Whether a room that is off air holds a connection
    #[arg(long, env = "BLM_CONNECT", value_enum)]
    pub(super) connect: Option<Connect>,
    /// Who is on air is asked for all rooms this often, s
    #[arg(long, env = "BLM_STATUS_SECONDS", value_name = "S")]
    pub(super) status_seconds: Option<u64>,
    /// Chat far below a room's own rate for that long, while its viewers go on, is called thinned, s
    #[arg(long, env = "BLM_THINNED_SECONDS", value_name = "S")]
    pub(super) thinned_seconds: Option<u64>,
    /// Events are stored in SQLite at most this often, ms
    #[arg(long, env = "BLM_SYNC_INTERVAL_MS", value_name = "MS")]
    pub(super) sync_interval_ms: Option<u64>,
    /// Keep what Bilibili sends as it came, compressed, under DATA_DIR/raw
    #[arg(long, env = "BLM_ARCHIVE", num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub(super) archive: Option<bool>,
    /// Chat is kept so many days; 0: for ever
    #[arg(long, env = "BLM_KEEP_CHAT_DAYS", value_name = "DAYS")]
    pub(super) keep_chat_days: Option<u32>,
    /// Entries, follows, shares and likes are kept so many days; 0: for ever
    #[arg(long, env = "BLM_KEEP_ENTRIES_DAYS", value_name = "DAYS")]
    pub(super) keep_entries_days: Option<u32>,
    /// Gauges, such as viewers by the minute, are kept so many days; 0: for ever
    #[arg(long, env = "BLM_KEEP_GAUGES_DAYS", value_name = "DAYS")]
    pub(super) keep_gauges_days: Option<u32>,
    /// Gifts, super chats and guards are kept so many days; 0: for ever
    #[arg(long, env = "BLM_KEEP_MONEY_DAYS", value_name = "DAYS")]
    pub(super) keep_money_days: Option<u32>,
    /// Events that could not be stored, and the raw archive, are kept so many days; 0: for ever
    #[arg(long, env = "BLM_KEEP_RAW_DAYS", value_name = "DAYS")]
    pub(super) keep_raw_days: Option<u32>,
    /// After SIGTERM everything is stored within this, s
    #[arg(long, env = "BLM_SHUTDOWN_SECONDS", value_name = "S")]
    pub(super) shutdown_seconds: Option<u64>,
    /// What is logged, as a tracing filter
    #[arg(long, env = "BLM_LOG", value_name = "FILTER")]
    pub(super) log: Option<String>,
    /// How the log is written
    #[arg(long, env = "BLM_LOG_FORMAT", value_enum)]
    pub(super) log_format: Option<LogFormat>,
    /// A live table of rooms and actors in the terminal; the log goes to its file only
    #[arg(long)]
    pub(super) status_display: bool,
    /// Run against the built-in simulator: no network, no account, throw-away data
    #[arg(long)]
    pub(super) demo: bool,
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

/// When rooms hold a connection.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Connect {
    /// Also while they are off air: chat before a broadcast is received, and its beginning told at once.
    Always,
    /// Only while they are on air.
    WhenLive,
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
