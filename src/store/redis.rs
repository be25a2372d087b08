//! The live store in a Redis server, in the original system's keys. The only file that spells a Redis command.
//!
//! Events lie twice: in the stream `blm:stream`, one entry a batch (`n` events, `e` their JSON list),
//! until they are in the history, and in the capped lists of their rooms, for other programs and the
//! pages. Both are written in one MULTI, so a batch is there or it is not. A lost answer may have been a
//! success: the batch comes again, the history knows its events, and [`LiveStore::recent`] shows each once.
//!
//! The server may be shared. Nothing is deleted that was not written here, and a list may hold lines of
//! others: what cannot be read as an event is passed over.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use chrono::Utc;
use deadpool_redis::{
    Connection, Manager, Pool, PoolError, Runtime,
    redis::{
        AsyncConnectionConfig, ErrorKind, Pipeline, RedisError, Script, ServerErrorKind, cmd, pipe,
        streams::{StreamId, StreamRangeReply},
    },
};
use serde::Serialize;
use thiserror::Error;
use tokio::time::Instant;

use super::{
    Batch, Batching, DANMAKU_KEPT, GIFTS_KEPT, LiveStore, LiveStoreStatus, Position, RecentList, RoomTotals,
    StoreError, StoreKind,
};
use crate::domain::{Event, Kept, Kind, RoomId, RoomInfo};

/// The stream of batches.
const STREAM: &str = "blm:stream";

/// The set of monitored rooms.
const ACTIVE: &str = "rooms:active";
/// Those of them that we put there.
const ACTIVE_OURS: &str = "blm:active";
/// Those that we want there; exists within a transaction only.
const ACTIVE_NOW: &str = "blm:active:now";

/// A round trip costs 0.1 ms on the same machine, so batches can be small and fresh (measured: 71,000
/// events/s at 100 a batch).
const BATCHING: Batching = Batching { max_events: 256, linger: Duration::from_millis(20) };

/// Connections at the same time: a writer, a reader, a status and one to spare.
const CONNECTIONS: usize = 4;

/// The longest wait for an answer or a connection. The redis crate's own 500 ms is too short for a
/// server that is rewriting its log.
const PATIENCE: Duration = Duration::from_secs(2);

/// Entries of the stream in the first read; doubled from read to read, up to [`MOST_ENTRIES`].
const FIRST_ENTRIES: usize = 8;

/// Entries of the stream in one read, and counted in one call: some 10 MB.
const MOST_ENTRIES: usize = 128;

/// Adds up `n` over so many entries (second argument) from an id on (first). Counting in the server saves moving
/// every event of a backlog only to count it.
static COUNT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
         local events, last = 0, ''
         for _, entry in ipairs(entries) do
             last = entry[1]
             for i = 1, #entry[2], 2 do
                 if entry[2][i] == 'n' then events = events + tonumber(entry[2][i + 1]) end
             end
         end
         return {events, #entries, last}",
    )
});

/// How the server is used.
#[derive(Clone, Copy, Debug)]
pub struct RedisOptions {
    /// A room's lists disappear when nothing was added for so long. A week: longer than most rooms stay
    /// silent, and short enough that a room that is no longer watched does not stay for ever.
    pub list_expiry: Duration,
}

impl Default for RedisOptions {
    fn default() -> RedisOptions {
        RedisOptions { list_expiry: Duration::from_secs(7 * 24 * 3600) }
    }
}

/// The address cannot be used. Shown without its password.
#[derive(Debug, Error)]
#[error(
    "{address:?} is not the address of a Redis server ({why}): give one such as redis://:password@localhost:6379/0"
)]
pub struct RedisAddressError {
    address: String,
    why: String,
}

/// A Redis server as live store. Cheap to clone.
#[derive(Clone)]
pub struct RedisStore {
    pool: Pool,
    options: RedisOptions,
}

impl RedisStore {
    /// Prepares the use of the server at `url` (`redis://` or `rediss://`). Connects only when something is
    /// asked of it, so the server may come later.
    pub fn connect(url: &str, options: RedisOptions) -> Result<RedisStore, RedisAddressError> {
        let unusable = |why: String| RedisAddressError { address: without_password(url), why };
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let manager = Manager::new_with_config(url, config).map_err(|error| unusable(error.category().to_owned()))?;
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .recycle_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        Ok(RedisStore { pool, options })
    }

    async fn connection(&self) -> Result<Connection, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => classify("the connection")(error),
            PoolError::Timeout(_) => StoreError::Unreachable(format!("Redis gives no connection within {PATIENCE:?}")),
            error => StoreError::Unreachable(format!("Redis: {error}")),
        })
    }

    async fn run(&self, what: &'static str, pipeline: &Pipeline) -> Result<(), StoreError> {
        pipeline.exec_async(&mut self.connection().await?).await.map_err(classify(what))
    }

    async fn entries(&self, from: &str, count: usize) -> Result<Vec<StreamId>, StoreError> {
        let reply: StreamRangeReply = cmd("XRANGE")
            .arg(STREAM)
            .arg(from)
            .arg("+")
            .arg("COUNT")
            .arg(count)
            .query_async(&mut self.connection().await?)
            .await
            .map_err(classify("to read the stream"))?;
        Ok(reply.ids)
    }
}

/// `url` as it may be shown: without what stands before an @, and without parameters.
fn without_password(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let rest = rest.split('?').next().unwrap_or_default();
    match rest.rfind('@') {
        Some(at) => format!("{scheme}***{}", &rest[at..]),
        // A password whose @ was forgotten.
        None if rest.starts_with(':') => format!("{scheme}***"),
        None => format!("{scheme}{rest}"),
    }
}

/// Sorts errors into those of the way to the server and those of the server.
fn classify(what: &'static str) -> impl Fn(RedisError) -> StoreError {
    move |error| {
        let starting = matches!(error.kind(), ErrorKind::Server(ServerErrorKind::BusyLoading));
        if starting || error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
            StoreError::Unreachable(format!("Redis: {error}"))
        } else {
            StoreError::Refused { what, why: error.to_string() }
        }
    }
}

/// The first id after a position: ids are `<ms>-<number>`.
fn id_after(position: Option<&Position>) -> Result<String, StoreError> {
    let Some(Position(text)) = position else { return Ok("-".to_owned()) };
    let next = text.split_once('-').and_then(|(ms, number)| {
        let (ms, number) = (ms.parse::<u64>().ok()?, number.parse::<u64>().ok()?);
        Some(match number.checked_add(1) {
            Some(number) => format!("{ms}-{number}"),
            None => format!("{}-0", ms.checked_add(1)?),
        })
    });
    next.ok_or_else(|| StoreError::Refused { what: "a position", why: format!("{text:?} is not one of Redis") })
}

fn batch_of(entry: &StreamId) -> Result<Batch, StoreError> {
    let unreadable = |why: String| StoreError::Unreadable { position: entry.id.clone(), why };
    let text: String = entry.get("e").ok_or_else(|| unreadable("it has no field e".to_owned()))?;
    let events: Vec<Event> = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    Ok(Batch { position: Position(entry.id.clone()), events })
}

fn json_of(event: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(event)
        .map_err(|error| StoreError::Refused { what: "to write an event", why: error.to_string() })
}

fn list_key(room: RoomId, list: RecentList) -> String {
    match list {
        RecentList::Danmaku => format!("room:{room}:danmaku"),
        RecentList::Gifts => format!("room:{room}:gifts"),
    }
}

#[async_trait]
impl LiveStore for RedisStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Redis
    }

    fn batching(&self) -> Batching {
        BATCHING
    }

    async fn append(&self, events: &[Arc<Event>]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut texts = Vec::with_capacity(events.len());
        let mut told = Vec::with_capacity(events.len());
        let mut lists: BTreeMap<String, (usize, Vec<usize>)> = BTreeMap::new();
        for (at, event) in events.iter().enumerate() {
            texts.push(json_of(&Kept(event))?);
            // The lists are for everybody, the stream is for us: what stands for a masked user is not for everybody.
            told.push(event.user.hash().map(|_| json_of(event.as_ref())).transpose()?);
            let (list, cap) = match event.kind() {
                Kind::Danmaku => (RecentList::Danmaku, DANMAKU_KEPT),
                Kind::Gift => (RecentList::Gifts, GIFTS_KEPT),
                _ => continue,
            };
            lists.entry(list_key(event.room_id, list)).or_insert((cap, Vec::new())).1.push(at);
        }
        // MULTI does not undo: when the XADD worked, the batch is in the stream, whatever became of the lists.
        // Calling that a failure would bring it again and again for as long as somebody else's key of
        // another type stands where a list should be.
        let mut pipeline = pipe();
        pipeline.atomic().ignore_errors();
        let batch = format!("[{}]", texts.join(","));
        pipeline.cmd("XADD").arg(STREAM).arg("*").arg("n").arg(events.len()).arg("e").arg(batch);
        for (key, (cap, members)) in lists {
            let newest = &members[members.len().saturating_sub(cap)..];
            let push = pipeline.cmd("LPUSH").arg(&key);
            for at in newest {
                push.arg(told[*at].as_ref().unwrap_or(&texts[*at]));
            }
            push.ignore();
            pipeline.cmd("LTRIM").arg(&key).arg(0).arg(cap - 1).ignore();
            pipeline.cmd("EXPIRE").arg(&key).arg(self.options.list_expiry.as_secs()).ignore();
        }
        let (added,): (Result<String, RedisError>,) =
            pipeline.query_async(&mut self.connection().await?).await.map_err(classify("to append"))?;
        added.map(drop).map_err(classify("to append"))
    }

    async fn read_after(&self, position: Option<&Position>, max_events: usize) -> Result<Vec<Batch>, StoreError> {
        let mut from = id_after(position)?;
        let (mut batches, mut events, mut count) = (Vec::new(), 0, FIRST_ENTRIES);
        loop {
            let entries = self.entries(&from, count).await?;
            for entry in &entries {
                let batch = match batch_of(entry) {
                    Ok(batch) => batch,
                    // Those before it are given first; the next read begins with it.
                    Err(_) if !batches.is_empty() => return Ok(batches),
                    Err(error) => return Err(error),
                };
                from = id_after(Some(&batch.position))?;
                events += batch.events.len();
                batches.push(batch);
                if events >= max_events {
                    return Ok(batches);
                }
            }
            if entries.len() < count {
                return Ok(batches);
            }
            count = (count * 2).min(MOST_ENTRIES);
        }
    }

    async fn forget_through(&self, position: &Position) -> Result<(), StoreError> {
        let mut pipeline = pipe();
        pipeline.cmd("XTRIM").arg(STREAM).arg("MINID").arg(id_after(Some(position))?).ignore();
        self.run("to trim the stream", &pipeline).await
    }

    async fn backlog(&self, position: Option<&Position>) -> Result<u64, StoreError> {
        let mut from = id_after(position)?;
        let mut connection = self.connection().await?;
        let mut sum = 0;
        loop {
            let (events, entries, last): (u64, usize, String) = COUNT
                .key(STREAM)
                .arg(&from)
                .arg(MOST_ENTRIES)
                .invoke_async(&mut connection)
                .await
                .map_err(classify("to count the stream"))?;
            sum += events;
            if entries < MOST_ENTRIES {
                return Ok(sum);
            }
            from = id_after(Some(&Position(last)))?;
        }
    }

    async fn recent(&self, room: RoomId, list: RecentList, limit: usize) -> Result<Vec<Event>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let texts: Vec<String> = cmd("LRANGE")
            .arg(list_key(room, list))
            .arg(0)
            .arg(limit.min(DANMAKU_KEPT.max(GIFTS_KEPT)) - 1)
            .query_async(&mut self.connection().await?)
            .await
            .map_err(classify("to read a list"))?;
        let mut seen = HashSet::new();
        Ok(texts
            .iter()
            .filter_map(|text| serde_json::from_str::<Event>(text).ok())
            .filter(|event| seen.insert(event.id))
            .collect())
    }

    async fn put_room(&self, info: &RoomInfo) -> Result<(), StoreError> {
        let key = format!("room:{}:info", info.room_id);
        let mut pipeline = pipe();
        pipeline.atomic();
        pipeline
            .cmd("HSET")
            .arg(&key)
            .arg(&[("title", &info.title), ("uname", &info.uname), ("face", &info.face), ("cover", &info.cover)])
            .arg(&[("area_name", &info.area_name), ("parent_area_name", &info.parent_area_name)])
            .arg(&[("room_id", info.room_id.0), ("short_id", info.short_id), ("uid", info.uid.0)])
            .arg(&[("status", i64::from(info.status)), ("online", info.online), ("followers", info.followers)])
            .ignore();
        match info.live_since_ms {
            Some(since) => pipeline.cmd("HSET").arg(&key).arg("live_since_ms").arg(since).ignore(),
            None => pipeline.cmd("HDEL").arg(&key).arg("live_since_ms").ignore(),
        };
        self.run("to publish a room", &pipeline).await
    }

    async fn put_totals(&self, room: RoomId, totals: &RoomTotals) -> Result<(), StoreError> {
        let mut pipeline = pipe();
        pipeline
            .cmd("HSET")
            .arg(format!("room:{room}:stats"))
            .arg(&[("total_danmaku", totals.danmaku), ("total_gifts", totals.gifts), ("total_users", totals.users)])
            .arg(&[("total_super_chats", totals.super_chats), ("total_guards", totals.guards)])
            .arg(&[("total_masked", totals.masked), ("income_gold", totals.income().0)])
            .arg(&[("gift_gold", totals.gift_gold.0), ("super_chat_gold", totals.super_chat_gold.0)])
            .arg(&[("guard_gold", totals.guard_gold.0), ("last_event_ms", totals.last_event_ms)])
            .arg(&[("last_update", Utc::now().timestamp())])
            .ignore();
        self.run("to publish totals", &pipeline).await
    }

    async fn put_active(&self, rooms: &[RoomId]) -> Result<(), StoreError> {
        // Others may have put rooms there as well: only those are taken out that we put in.
        let mut pipeline = pipe();
        pipeline.atomic();
        pipeline.cmd("DEL").arg(ACTIVE_NOW).ignore();
        if !rooms.is_empty() {
            let rooms: Vec<u64> = rooms.iter().map(|room| room.0).collect();
            pipeline.cmd("SADD").arg(ACTIVE_NOW).arg(rooms).ignore();
        }
        pipeline.cmd("SDIFFSTORE").arg(ACTIVE_OURS).arg(ACTIVE_OURS).arg(ACTIVE_NOW).ignore();
        pipeline.cmd("SDIFFSTORE").arg(ACTIVE).arg(ACTIVE).arg(ACTIVE_OURS).ignore();
        pipeline.cmd("SUNIONSTORE").arg(ACTIVE).arg(ACTIVE).arg(ACTIVE_NOW).ignore();
        pipeline.cmd("SUNIONSTORE").arg(ACTIVE_OURS).arg(ACTIVE_NOW).ignore();
        pipeline.cmd("DEL").arg(ACTIVE_NOW).ignore();
        self.run("to publish the monitored rooms", &pipeline).await
    }

    async fn status(&self) -> Result<LiveStoreStatus, StoreError> {
        let mut connection = self.connection().await?;
        let before = Instant::now();
        cmd("PING").exec_async(&mut connection).await.map_err(classify("a ping"))?;
        let ping_ms = before.elapsed().as_secs_f64() * 1000.0;
        // Some hosted servers do not say; that is no reason to call them ill.
        let figures: String = cmd("INFO").query_async(&mut connection).await.unwrap_or_default();
        let figure = |name: &str| {
            figures
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(|value| value.trim().to_owned())
        };
        drop(connection);
        Ok(LiveStoreStatus {
            kind: StoreKind::Redis,
            ping_ms,
            memory_bytes: figure("used_memory").and_then(|bytes| bytes.parse().ok()),
            version: figure("redis_version"),
            backlog: self.backlog(None).await?,
        })
    }
}
