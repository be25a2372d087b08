//! The settings file: ours as TOML or JSON, and the original's JSON.
//!
//! An unknown key is an error that names it, because a setting that is silently ignored is a lie.

use std::{
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use url::Url;

use super::{ConfigError, LogFormat, Role, args::Connect, networks::Networks};

/// The file: the same names with underscores. Every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) rooms: Option<Vec<RoomName>>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) database: Option<String>,
    pub(super) redis: Option<String>,
    pub(super) role: Option<Role>,
    pub(super) outbox_bytes: Option<u64>,
    pub(super) redis_danmaku_kept: Option<usize>,
    pub(super) redis_gifts_kept: Option<usize>,
    pub(super) redis_list_hours: Option<u64>,
    pub(super) public: Option<bool>,
    pub(super) base_path: Option<String>,
    pub(super) trusted_proxies: Option<Networks>,
    pub(super) upstream: Option<Url>,
    pub(super) extra_roots: Option<PathBuf>,
    pub(super) connects_per_second: Option<f64>,
    pub(super) calls_per_second: Option<f64>,
    pub(super) rooms_per_account: Option<usize>,
    pub(super) connect: Option<Connect>,
    pub(super) status_seconds: Option<u64>,
    pub(super) thinned_seconds: Option<u64>,
    pub(super) sync_interval_ms: Option<u64>,
    pub(super) archive: Option<bool>,
    pub(super) keep_chat_days: Option<u32>,
    pub(super) keep_entries_days: Option<u32>,
    pub(super) keep_gauges_days: Option<u32>,
    pub(super) keep_money_days: Option<u32>,
    pub(super) keep_raw_days: Option<u32>,
    pub(super) shutdown_seconds: Option<u64>,
    pub(super) log: Option<String>,
    pub(super) log_format: Option<LogFormat>,
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
pub(super) enum RoomName {
    Number(u64),
    Text(String),
}

/// Reads a settings file, TOML or JSON by its ending.
pub(super) fn read_file(path: &Path) -> Result<File, ConfigError> {
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
