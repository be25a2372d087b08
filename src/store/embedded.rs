//! The live store for those who install nothing: hot state in this process, batches in a spool file.
//!
//! What [`LiveStore::append`] accepted lies in the spool (`spool.rs`) until it is in the history.
//! The newest batches stay in memory as well, so a sync that keeps up reads neither the disk nor JSON.
//! Lists of recent events begin, after a start, with what is not in the history yet; older events are
//! read from the history anyway.
//!
//! Order of locks: spool, then hot. Both are held only for plain work, never across an await.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{
    Batch, Batching, DANMAKU_KEPT, GIFTS_KEPT, LiveStore, LiveStoreStatus, Position, RecentList, RoomTotals,
    StoreError, StoreKind,
    spool::{Spool, SpoolError, Spooled},
};
use crate::{
    domain::{Event, Kind, RoomId, RoomInfo},
    supervise::blocking,
};

/// Name of the file within the data folder.
const FILE: &str = "spool.db";

/// Batches stay in memory up to so many events: some ten seconds of a very busy evening ...
const EVENTS_IN_MEMORY: usize = 20_000;

/// ... and so many bytes of JSON, should the events be long.
const BYTES_IN_MEMORY: usize = 16 << 20;

/// One commit costs 0.2 to 2 ms, whatever is in it (measured), so gather; what waits longer than the
/// linger could be lost with the process.
const BATCHING: Batching = Batching { max_events: 500, linger: Duration::from_millis(200) };

/// The embedded live store. Cheap to clone.
#[derive(Clone)]
pub struct EmbeddedStore {
    inner: Arc<Inner>,
}

struct Inner {
    spool: Mutex<Spool>,
    hot: Mutex<Hot>,
}

/// What is held in memory.
#[derive(Default)]
struct Hot {
    /// Oldest first. Holds every batch after `floor`.
    batches: VecDeque<HotBatch>,
    floor: i64,
    /// There may be batches in the file at or before `floor`.
    older_in_file: bool,
    events: usize,
    bytes: usize,
    recent: HashMap<RoomId, Recent>,
    infos: HashMap<RoomId, RoomInfo>,
    totals: HashMap<RoomId, RoomTotals>,
    active: Vec<RoomId>,
}

struct HotBatch {
    seq: i64,
    bytes: usize,
    events: Vec<Arc<Event>>,
}

/// Newest last.
#[derive(Default)]
struct Recent {
    danmaku: VecDeque<Arc<Event>>,
    gifts: VecDeque<Arc<Event>>,
}

impl Hot {
    fn push(&mut self, seq: i64, bytes: usize, events: Vec<Arc<Event>>) {
        for event in &events {
            let recent = self.recent.entry(event.room_id).or_default();
            let (list, cap) = match event.kind() {
                Kind::Danmaku => (&mut recent.danmaku, DANMAKU_KEPT),
                Kind::Gift => (&mut recent.gifts, GIFTS_KEPT),
                _ => continue,
            };
            if list.len() == cap {
                list.pop_front();
            }
            list.push_back(event.clone());
        }
        self.events += events.len();
        self.bytes += bytes;
        self.batches.push_back(HotBatch { seq, bytes, events });
        while self.events > EVENTS_IN_MEMORY || self.bytes > BYTES_IN_MEMORY {
            self.older_in_file = true;
            if self.pop_front().is_none() {
                break;
            }
        }
    }

    fn pop_front(&mut self) -> Option<i64> {
        let batch = self.batches.pop_front()?;
        self.events -= batch.events.len();
        self.bytes -= batch.bytes;
        self.floor = batch.seq;
        Some(batch.seq)
    }

    fn forget_through(&mut self, seq: i64) {
        while self.batches.front().is_some_and(|batch| batch.seq <= seq) {
            self.pop_front();
        }
        if seq >= self.floor {
            self.floor = seq;
            self.older_in_file = false;
        }
    }

    /// The batches after `seq`; none if the file must be asked.
    fn read_after(&self, seq: i64, max_events: usize) -> Option<Vec<Batch>> {
        if self.older_in_file && seq < self.floor {
            return None;
        }
        let start = self.batches.partition_point(|batch| batch.seq <= seq);
        let (mut batches, mut events) = (Vec::new(), 0);
        for batch in self.batches.range(start..) {
            events += batch.events.len();
            let copies = batch.events.iter().map(|event| Event::clone(event)).collect();
            batches.push(Batch { position: Position(batch.seq.to_string()), events: copies });
            if events >= max_events {
                break;
            }
        }
        Some(batches)
    }
}

impl Inner {
    fn spool(&self) -> MutexGuard<'_, Spool> {
        // Every call is one statement, so a panic in between leaves nothing half done.
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hot(&self) -> MutexGuard<'_, Hot> {
        self.hot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EmbeddedStore {
    /// Opens the store in `dir`, making the folder and the file where they are missing. Blocks.
    pub fn open(dir: &Path) -> Result<EmbeddedStore, SpoolError> {
        std::fs::create_dir_all(dir).map_err(|source| SpoolError::Folder { path: dir.to_path_buf(), source })?;
        let mut spool = Spool::open(&dir.join(FILE))?;
        let (newest, older_in_file) = spool.newest(EVENTS_IN_MEMORY)?;
        // An unreadable batch may be the newest of all: then every one of them is left to the file.
        let newest_in_file = if older_in_file { i64::MAX } else { 0 };
        let floor = newest.last().map_or(newest_in_file, |oldest| oldest.seq - 1);
        let mut hot = Hot { floor, older_in_file, ..Hot::default() };
        for Spooled { seq, bytes, events } in newest.into_iter().rev() {
            hot.push(seq, bytes, events.into_iter().map(Arc::new).collect());
        }
        Ok(EmbeddedStore { inner: Arc::new(Inner { spool: Mutex::new(spool), hot: Mutex::new(hot) }) })
    }

    /// What was last published about a room.
    pub fn published_room(&self, room: RoomId) -> Option<RoomInfo> {
        self.inner.hot().infos.get(&room).cloned()
    }

    /// The totals last published for a room.
    pub fn published_totals(&self, room: RoomId) -> Option<RoomTotals> {
        self.inner.hot().totals.get(&room).copied()
    }

    /// The rooms last published as monitored.
    pub fn published_active(&self) -> Vec<RoomId> {
        self.inner.hot().active.clone()
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        blocking::run(move || work(&inner))
            .await
            .unwrap_or_else(|stopping| Err(StoreError::Unreachable(stopping.to_string())))
    }
}

/// The number in a position; everything, for none.
fn seq_of(position: Option<&Position>) -> Result<i64, StoreError> {
    let Some(Position(text)) = position else { return Ok(0) };
    text.parse().map_err(|_| StoreError::Refused {
        what: "a position",
        why: format!("{text:?} is not one of the embedded store"),
    })
}

#[async_trait]
impl LiveStore for EmbeddedStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Embedded
    }

    fn batching(&self) -> Batching {
        BATCHING
    }

    async fn append(&self, events: &[Arc<Event>]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let events = events.to_vec();
        self.blocking(move |inner| {
            let mut spool = inner.spool();
            let (seq, bytes) = spool.append(&events)?;
            // Before the spool is let go: batches come into memory in the order of their numbers.
            inner.hot().push(seq, bytes, events);
            Ok(())
        })
        .await
    }

    async fn read_after(&self, position: Option<&Position>, max_events: usize) -> Result<Vec<Batch>, StoreError> {
        let seq = seq_of(position)?;
        let in_memory = self.inner.hot().read_after(seq, max_events);
        if let Some(batches) = in_memory {
            return Ok(batches);
        }
        let spooled = self.blocking(move |inner| inner.spool().read_after(seq, max_events)).await?;
        Ok(spooled
            .into_iter()
            .map(|batch| Batch { position: Position(batch.seq.to_string()), events: batch.events })
            .collect())
    }

    async fn forget_through(&self, position: &Position) -> Result<(), StoreError> {
        let seq = seq_of(Some(position))?;
        self.blocking(move |inner| {
            let mut spool = inner.spool();
            spool.forget_through(seq)?;
            inner.hot().forget_through(seq);
            Ok(())
        })
        .await
    }

    async fn backlog(&self, position: Option<&Position>) -> Result<u64, StoreError> {
        let seq = seq_of(position)?;
        self.blocking(move |inner| inner.spool().backlog(seq)).await
    }

    async fn recent(&self, room: RoomId, list: RecentList, limit: usize) -> Result<Vec<Event>, StoreError> {
        let hot = self.inner.hot();
        let Some(recent) = hot.recent.get(&room) else { return Ok(Vec::new()) };
        let events = match list {
            RecentList::Danmaku => &recent.danmaku,
            RecentList::Gifts => &recent.gifts,
        };
        Ok(events.iter().rev().take(limit).map(|event| Event::clone(event)).collect())
    }

    async fn put_room(&self, info: &RoomInfo) -> Result<(), StoreError> {
        self.inner.hot().infos.insert(info.room_id, info.clone());
        Ok(())
    }

    async fn put_totals(&self, room: RoomId, totals: &RoomTotals) -> Result<(), StoreError> {
        self.inner.hot().totals.insert(room, *totals);
        Ok(())
    }

    async fn put_active(&self, rooms: &[RoomId]) -> Result<(), StoreError> {
        self.inner.hot().active = rooms.to_vec();
        Ok(())
    }

    async fn status(&self) -> Result<LiveStoreStatus, StoreError> {
        let before = Instant::now();
        let backlog = self.backlog(None).await?;
        let ping_ms = before.elapsed().as_secs_f64() * 1000.0;
        let memory_bytes = Some(self.inner.hot().bytes as u64);
        Ok(LiveStoreStatus { kind: StoreKind::Embedded, ping_ms, memory_bytes, version: None, backlog })
    }
}
