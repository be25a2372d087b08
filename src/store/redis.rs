//! The live store in a Redis server, in the original system's keys. The only file that spells a Redis command.
//!
//! Events lie twice: in the stream `blm:stream`, one entry a batch (`n` events, `e` their JSON list),
//! until they are in the history, and in the capped lists of their rooms, for other programs and the
//! pages. Both are written in one MULTI, so a batch is there or it is not. A lost answer may have been a
//! success: what comes through the outbox (`outbox.rs`) has a number that becomes the entry's id, so it is
//! known then; otherwise the history knows the events, and [`LiveStore::recent`] shows each once.
//!
//! The server may be shared. Nothing is deleted that was not written here, and a list may hold lines of
//! others: what cannot be read as an event is passed over. A key of ours that somebody else made, with
//! another type, is left as it is: every command used here refuses it.

mod connect;
pub mod crossing;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use chrono::Utc;
use deadpool_redis::{
    Connection, Pool, PoolError,
    redis::{
        ErrorKind, Pipeline, RedisError, Script, ServerErrorKind, Value, cmd, from_redis_value_ref, pipe,
        streams::{StreamId, StreamRangeReply},
    },
};
use rand::RngExt;
use serde::Serialize;
use tokio::time::Instant;

use self::connect::{PATIENCE, classify, pool};
pub use self::connect::{RedisAddressError, RedisOptions};
use super::{Batch, Batching, LiveStore, LiveStoreStatus, Position, RecentList, RoomTotals, StoreError, StoreKind};
use crate::domain::{Event, Kept, Kind, RoomId, RoomInfo};

/// The stream of batches.
const STREAM: &str = "blm:stream";

/// The set of monitored rooms.
const ACTIVE: &str = "rooms:active";
/// Those of them that we put there.
const ACTIVE_OURS: &str = "blm:active";
/// How far the sync has come: a hash, because HSET, unlike SET, leaves somebody else's key of that name alone.
const SYNC: &str = "blm:sync";
/// Which installation fills the stream.
const OWNER: &str = "blm:owner";
/// Another installation may take over when this one has not been heard of for so long, ms.
const OWNER_GONE_MS: u64 = 15_000;

/// A round trip costs 0.1 ms on the same machine, so batches can be small and fresh (measured: 71,000
/// events/s at 100 a batch).
const BATCHING: Batching = Batching { max_events: 256, linger: Duration::from_millis(20) };

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

/// Takes or keeps the place of the one who fills the stream (arguments: who, ms until it is free, a mark). The
/// mark stays until the server forgets: finding another means that everything else is gone as well.
static CLAIM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local owner = redis.call('GET', KEYS[1])
         if owner and owner ~= ARGV[1] then return false end
         redis.call('HSETNX', KEYS[2], 'mark', ARGV[3])
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
         return redis.call('HGET', KEYS[2], 'mark')",
    )
});

/// `through` and `mark` of [`SYNC`].
type SyncFields = (Option<String>, Option<String>);

/// What the server knows of the stream. Numbers are those of the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The newest batch that was ever added; none for an empty server.
    pub(super) last: Option<i64>,
    /// Everything up to this one is in the history.
    pub(super) synced: Option<i64>,
    /// Changes when the server has forgotten everything.
    pub(super) mark: Option<String>,
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
        let pool = pool(url)?;
        Ok(RedisStore { pool, options })
    }

    async fn connection(&self) -> Result<Connection, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => classify("the connection")(error),
            PoolError::Timeout(_) => StoreError::Unreachable(format!("Redis gives no connection within {PATIENCE:?}")),
            error => StoreError::Unreachable(format!("Redis: {error}")),
        })
    }

    /// Adds a batch with a number of its own, which must be above all before it. Answers how the stream
    /// stands then, which costs no further round trip.
    pub(super) async fn append_as(&self, number: i64, events: &[Arc<Event>]) -> Result<Standing, StoreError> {
        self.add(&id_of(number), events).await
    }

    /// How the stream stands.
    pub(super) async fn standing(&self) -> Result<Standing, StoreError> {
        let mut pipeline = pipe();
        pipeline.ignore_errors();
        pipeline.cmd("XINFO").arg("STREAM").arg(STREAM);
        pipeline.cmd("HMGET").arg(SYNC).arg("through").arg("mark");
        let mut connection = self.connection().await?;
        let (stream, sync): (Result<HashMap<String, Value>, RedisError>, Result<SyncFields, RedisError>) =
            pipeline.query_async(&mut connection).await.map_err(classify("to ask how the stream stands"))?;
        let last = match stream {
            Ok(stream) => stream.get("last-generated-id").and_then(|id| from_redis_value_ref::<String>(id).ok()),
            // There is none.
            Err(error) if error.detail().is_some_and(|detail| detail.contains("no such key")) => None,
            Err(error) => return Err(classify("to ask how the stream stands")(error)),
        };
        let (synced, mark) = sync.map_err(classify("to ask how far the sync has come"))?;
        let number = |id: Option<String>| id.as_deref().and_then(number_of);
        Ok(Standing { last: number(last), synced: number(synced), mark })
    }

    /// Becomes, or stays, the one who fills the stream; the server's mark. None while somebody else does.
    pub(super) async fn claim(&self, who: &str) -> Result<Option<String>, StoreError> {
        CLAIM
            .key(OWNER)
            .key(SYNC)
            .arg(who)
            .arg(OWNER_GONE_MS)
            .arg(format!("{:016x}", rand::rng().random::<u64>()))
            .invoke_async(&mut self.connection().await?)
            .await
            .map_err(classify("to say who fills the stream"))
    }

    async fn add(&self, id: &str, events: &[Arc<Event>]) -> Result<Standing, StoreError> {
        let mut texts = Vec::with_capacity(events.len());
        let mut told = Vec::with_capacity(events.len());
        let mut lists: BTreeMap<String, (usize, Vec<usize>)> = BTreeMap::new();
        for (at, event) in events.iter().enumerate() {
            texts.push(json_of(&Kept(event))?);
            // The lists are for everybody, the stream is for us: what stands for a masked user is not for everybody.
            told.push(event.user.hash().map(|_| json_of(event.as_ref())).transpose()?);
            let (list, cap) = match event.kind() {
                Kind::Danmaku => (RecentList::Danmaku, self.options.danmaku_kept),
                Kind::Gift => (RecentList::Gifts, self.options.gifts_kept),
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
        pipeline.cmd("XADD").arg(STREAM).arg(id).arg("n").arg(events.len()).arg("e").arg(batch);
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
        pipeline.cmd("HMGET").arg(SYNC).arg("through").arg("mark");
        let (added, sync): (Result<String, RedisError>, Result<SyncFields, RedisError>) =
            pipeline.query_async(&mut self.connection().await?).await.map_err(|error| self.demoted(error))?;
        let last = number_of(&added.map_err(|error| self.demoted(error))?);
        let (synced, mark) = sync.unwrap_or_default();
        Ok(Standing { last, synced: synced.as_deref().and_then(number_of), mark })
    }

    /// A server that has become a replica keeps its connections open: they lead to the wrong one now.
    fn demoted(&self, error: RedisError) -> StoreError {
        if matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly)) {
            self.pool.retain(|_, _| false);
        }
        classify("to append")(error)
    }

    async fn run(&self, what: &'static str, pipeline: &Pipeline) -> Result<(), StoreError> {
        pipeline.exec_async(&mut self.connection().await?).await.map_err(classify(what))
    }

    /// Whether the stream stands before `position`: the server came back with less than it had, or with
    /// nothing. What the outbox brings again must be read then, although its numbers are not new.
    async fn went_back(&self, position: Option<&Position>) -> Result<bool, StoreError> {
        let Some(position) = position.and_then(|position| number_of(&position.0)) else { return Ok(false) };
        Ok(self.standing().await?.last.is_some_and(|last| last < position))
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

/// A batch's number as an id of the stream. Numbers are us, so ids look like those that Redis makes.
fn id_of(number: i64) -> String {
    format!("{}-{}", number / 1000, number % 1000)
}

/// The number of an id; one that Redis made itself stands for the last number of its ms that is not above it.
pub(super) fn number_of(id: &str) -> Option<i64> {
    let (ms, number) = id.split_once('-')?;
    let (ms, number) = (ms.parse::<i64>().ok()?, number.parse::<i64>().ok()?);
    ms.checked_mul(1000)?.checked_add(number.min(999))
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
        self.add("*", events).await.map(drop)
    }

    async fn read_after(&self, position: Option<&Position>, max_events: usize) -> Result<Vec<Batch>, StoreError> {
        let mut from = id_after(position)?;
        let (mut batches, mut events, mut count) = (Vec::new(), 0, FIRST_ENTRIES);
        loop {
            let mut entries = self.entries(&from, count).await?;
            if entries.is_empty() && batches.is_empty() && self.went_back(position).await? {
                from = "-".to_owned();
                entries = self.entries(&from, count).await?;
            }
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
        // Not in one MULTI: a full server takes no HSET, and must be given room all the same.
        let mut pipeline = pipe();
        pipeline.ignore_errors();
        pipeline.cmd("XTRIM").arg(STREAM).arg("MINID").arg(id_after(Some(position))?);
        pipeline.cmd("HSET").arg(SYNC).arg("through").arg(&position.0);
        let (trimmed, told): (Result<u64, RedisError>, Result<u64, RedisError>) =
            pipeline.query_async(&mut self.connection().await?).await.map_err(classify("to trim the stream"))?;
        trimmed.map_err(classify("to trim the stream"))?;
        told.map(drop).map_err(classify("to say how far the history has come"))
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
            .arg(limit.min(self.options.danmaku_kept.max(self.options.gifts_kept)) - 1)
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
        let ours: BTreeSet<u64> = cmd("SMEMBERS")
            .arg(ACTIVE_OURS)
            .query_async(&mut self.connection().await?)
            .await
            .map_err(classify("to publish the monitored rooms"))?;
        let wanted: BTreeSet<u64> = rooms.iter().map(|room| room.0).collect();
        let gone: Vec<u64> = ours.difference(&wanted).copied().collect();
        let mut pipeline = pipe();
        pipeline.atomic();
        for key in [ACTIVE, ACTIVE_OURS] {
            if !gone.is_empty() {
                pipeline.cmd("SREM").arg(key).arg(&gone).ignore();
            }
            if !wanted.is_empty() {
                pipeline.cmd("SADD").arg(key).arg(&wanted).ignore();
            }
        }
        if pipeline.is_empty() {
            return Ok(());
        }
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
