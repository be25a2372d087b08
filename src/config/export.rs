//! The command line of `export`.
//!
//! Of the settings of a run it takes only where the history is; that the file of settings says so is not read.

use std::path::PathBuf;

use clap::Args;

use super::{ConfigError, sqlite_path};
use crate::{domain, export::Format};

/// Options of `export`.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Only this room; long id
    #[arg(long, value_name = "ID")]
    pub room: Option<u64>,
    /// Which events: danmaku, gift, super_chat, guard
    #[arg(long, default_value = "all", value_name = "KINDS")]
    pub kinds: String,
    /// From this moment: unix ms or ISO 8601, China's time where no zone is given
    #[arg(long, value_parser = moment, value_name = "MOMENT")]
    pub from: Option<i64>,
    /// To before this moment
    #[arg(long, value_parser = moment, value_name = "MOMENT")]
    pub to: Option<i64>,
    /// Only with this text in the message, the gift's name or the user's name
    #[arg(long, value_name = "TEXT")]
    pub q: Option<String>,
    /// csv, ndjson, xlsx or xml; else the ending of FILE says it, else csv
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// CSV begins with a byte order mark, by which Excel knows that it is UTF-8
    #[arg(long)]
    pub bom: bool,
    /// Where the history is, if not at --database
    #[arg(long, env = "BLM_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// The history
    #[arg(long, env = "BLM_DATABASE_URL", value_name = "sqlite://PATH")]
    pub database: Option<String>,
    /// Where to write; standard output for none
    #[arg(value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl ExportArgs {
    /// The SQLite file that is meant.
    pub fn database_path(&self) -> Result<PathBuf, ConfigError> {
        match &self.database {
            Some(url) => sqlite_path(url),
            None => Ok(self.data_dir.join("live.db")),
        }
    }
}

fn moment(text: &str) -> Result<i64, String> {
    domain::moment::parse(text).ok_or_else(|| "neither unix ms nor ISO 8601 such as 2026-01-31T20:00:00+08:00".into())
}
