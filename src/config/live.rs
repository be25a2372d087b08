//! Settings of the live store, and which part of the program this process is.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::{ConfigError, file::File};

/// Which part of the program a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything in one process.
    #[default]
    All,
    /// Pages, API and push; asks the collector for what it wants changed.
    Web,
    /// Rooms, and the way into Redis.
    Collector,
    /// From Redis into SQLite.
    Sync,
}

impl Role {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::All => "all",
            Role::Web => "web",
            Role::Collector => "collector",
            Role::Sync => "sync",
        }
    }
}

/// Their options.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct LiveArgs {
    /// Which part of the program to be; all but `all` meet in Redis and share the data folder
    #[arg(long, env = "BLM_ROLE", value_enum)]
    pub(super) role: Option<Role>,
    /// Only collect; the same as --role collector
    #[arg(long, conflicts_with_all = ["role", "web_only", "django_only"])]
    pub(super) collector_only: bool,
    /// Only serve pages; the same as --role web
    #[arg(long, conflicts_with_all = ["role", "django_only"])]
    pub(super) web_only: bool,
    /// As --web-only was called in the original
    #[arg(long, hide = true, conflicts_with = "role")]
    pub(super) django_only: bool,
    /// With Redis: what is on the way to it, or not stored in SQLite yet, is kept durable here up to so many bytes
    #[arg(long, env = "BLM_OUTBOX_BYTES", value_name = "BYTES")]
    pub(super) outbox_bytes: Option<u64>,
    /// Chat lines kept per room in Redis
    #[arg(long, env = "BLM_REDIS_DANMAKU_KEPT", value_name = "N")]
    pub(super) redis_danmaku_kept: Option<usize>,
    /// Gifts kept per room in Redis
    #[arg(long, env = "BLM_REDIS_GIFTS_KEPT", value_name = "N")]
    pub(super) redis_gifts_kept: Option<usize>,
    /// A room's lists in Redis disappear after so many hours without an event
    #[arg(long, env = "BLM_REDIS_LIST_HOURS", value_name = "HOURS")]
    pub(super) redis_list_hours: Option<u64>,
}

/// Settled settings of the live store.
#[derive(Clone, Copy, Debug)]
pub struct LiveSettings {
    /// Which part of the program this process is.
    pub role: Role,
    /// Bytes that the outbox in front of Redis may hold.
    pub outbox_bytes: u64,
    /// Chat lines kept per room in Redis.
    pub danmaku_kept: usize,
    /// Gifts kept per room in Redis.
    pub gifts_kept: usize,
    /// A room's lists in Redis disappear after so long without an event.
    pub list_expiry: Duration,
}

/// About three million events.
const OUTBOX_BYTES: u64 = 1 << 30;
/// What a room's page shows at first, and some scrolling.
const DANMAKU_KEPT: usize = 500;
/// They come a tenth as often.
const GIFTS_KEPT: usize = 200;
/// A week: longer than most rooms stay silent.
const LIST_HOURS: u64 = 168;

pub(super) fn settle(args: &LiveArgs, file: &File, redis: bool, demo: bool) -> Result<LiveSettings, ConfigError> {
    let in_range = |key, value: u64, range: std::ops::RangeInclusive<u64>, accepted| {
        if range.contains(&value) {
            return Ok(value);
        }
        Err(ConfigError::Value { key, value: value.to_string(), accepted })
    };
    let role = match () {
        () if args.collector_only => Role::Collector,
        () if args.web_only || args.django_only => Role::Web,
        () => args.role.or(file.role).unwrap_or_default(),
    };
    if role != Role::All && demo {
        return Err(ConfigError::Value {
            key: "role",
            value: role.as_str().to_owned(),
            accepted: "only all, with --demo: its data is thrown away, so no other process can share it",
        });
    }
    if role != Role::All && !redis {
        return Err(ConfigError::Value {
            key: "role",
            value: role.as_str().to_owned(),
            accepted: "only with a Redis server, in which the processes meet: give one with --redis redis://HOST:PORT \
                       (the embedded live store is within one process), or run everything in one with --role all",
        });
    }
    let kept = |args: Option<usize>, file: Option<usize>, default: usize| args.or(file).unwrap_or(default) as u64;
    let danmaku = kept(args.redis_danmaku_kept, file.redis_danmaku_kept, DANMAKU_KEPT);
    let gifts = kept(args.redis_gifts_kept, file.redis_gifts_kept, GIFTS_KEPT);
    let hours = args.redis_list_hours.or(file.redis_list_hours).unwrap_or(LIST_HOURS);
    Ok(LiveSettings {
        role,
        outbox_bytes: in_range(
            "outbox_bytes",
            args.outbox_bytes.or(file.outbox_bytes).unwrap_or(OUTBOX_BYTES),
            1 << 20..=1 << 50,
            "1048576 (1 MiB) or more",
        )?,
        danmaku_kept: in_range("redis_danmaku_kept", danmaku, 1..=100_000, "1 to 100000")? as usize,
        gifts_kept: in_range("redis_gifts_kept", gifts, 1..=100_000, "1 to 100000")? as usize,
        list_expiry: Duration::from_secs(3600 * in_range("redis_list_hours", hours, 1..=87_600, "1 to 87600")?),
    })
}
