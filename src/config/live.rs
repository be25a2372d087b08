//! Settings of the live store in Redis.

use std::time::Duration;

use clap::Args;

use super::{ConfigError, file::File};

/// Their options.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct LiveArgs {
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

pub(super) fn settle(args: &LiveArgs, file: &File) -> Result<LiveSettings, ConfigError> {
    let in_range = |key, value: u64, range: std::ops::RangeInclusive<u64>, accepted| {
        if range.contains(&value) {
            return Ok(value);
        }
        Err(ConfigError::Value { key, value: value.to_string(), accepted })
    };
    let kept = |args: Option<usize>, file: Option<usize>, default: usize| args.or(file).unwrap_or(default) as u64;
    let danmaku = kept(args.redis_danmaku_kept, file.redis_danmaku_kept, DANMAKU_KEPT);
    let gifts = kept(args.redis_gifts_kept, file.redis_gifts_kept, GIFTS_KEPT);
    let hours = args.redis_list_hours.or(file.redis_list_hours).unwrap_or(LIST_HOURS);
    Ok(LiveSettings {
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
