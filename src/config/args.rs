//! The command line, and the environment variable behind each option.
//!
//! Options of `run` are all optional here: what is absent may stand in the file, and the defaults are
//! settled in the folder's `mod.rs`.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use url::Url;

use super::{DEFAULT_LOG, networks::Networks};
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
    /// New connections to Bilibili per second
    #[arg(long, env = "BLM_CONNECTS_PER_SECOND", value_name = "N")]
    pub(super) connects_per_second: Option<f64>,
    /// Events are stored in SQLite at most this often, ms
    #[arg(long, env = "BLM_SYNC_INTERVAL_MS", value_name = "MS")]
    pub(super) sync_interval_ms: Option<u64>,
    /// After SIGTERM everything is stored within this, s
    #[arg(long, env = "BLM_SHUTDOWN_SECONDS", value_name = "S")]
    pub(super) shutdown_seconds: Option<u64>,
    /// What is logged, as a tracing filter
    #[arg(long, env = "BLM_LOG", value_name = "FILTER")]
    pub(super) log: Option<String>,
    /// How the log is written
    #[arg(long, env = "BLM_LOG_FORMAT", value_enum)]
    pub(super) log_format: Option<LogFormat>,
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

/// How the log is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}
