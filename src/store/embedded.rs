//! The live store for those who install nothing: hot state in this process, batches in a spool file.
//!
//! What [`LiveStore::append`] accepted lies in the queue (`queue.rs`) until it is in the history.
//! Lists of recent events begin, after a start, with what is not in the history yet; older events are
//! read from the history anyway.

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
    queue::{Numbered, Queue},
    spool::SpoolError,
};
use crate::domain::{Event, Kind, RoomId, RoomInfo};

/// Name of the file within the data folder.
const FILE: &str = "spool.db";

/// One commit costs 0.2 to 2 ms, whatever is in it (measured), so gather; what waits longer than the
/// linger could be lost with the process.
const BATCHING: Batching = Batching { max_events: 500, linger: Duration::from_millis(200) };

/// The embedded live store. Cheap to clone.
#[derive(Clone)]
pub struct EmbeddedStore {
    queue: Queue,
    hot: Arc<Mutex<Hot>>,
}

/// The recent events of each room.
#[derive(Default)]
struct Hot {
    recent: HashMap<RoomId, Recent>,
}

/// Newest last.
#[derive(Default)]
struct Recent {
    danmaku: VecDeque<Arc<Event>>,
    gifts: VecDeque<Arc<Event>>,
}

impl Hot {
    fn list(&mut self, events: &[Arc<Event>]) {
        for event in events {
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
    }
}

impl EmbeddedStore {
    /// Opens the store in `dir`, making the folder and the file where they are missing. Blocks.
    pub fn open(dir: &Path) -> Result<EmbeddedStore, SpoolError> {
        let queue = Queue::open(&dir.join(FILE))?;
        let mut hot = Hot::default();
        for batch in queue.in_memory() {
            hot.list(&batch.events);
        }
        Ok(EmbeddedStore { queue, hot: Arc::new(Mutex::new(hot)) })
    }

    fn hot(&self) -> MutexGuard<'_, Hot> {
        self.hot.lock().unwrap_or_else(PoisonError::into_inner)
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

fn batch_of(Numbered { seq, events, .. }: Numbered) -> Batch {
    Batch { position: Position(seq.to_string()), events: events.iter().map(|event| Event::clone(event)).collect() }
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
        self.queue.append(events).await?;
        self.hot().list(events);
        Ok(())
    }

    async fn read_after(&self, position: Option<&Position>, max_events: usize) -> Result<Vec<Batch>, StoreError> {
        let batches = self.queue.read_after(seq_of(position)?, max_events).await?;
        Ok(batches.into_iter().map(batch_of).collect())
    }

    async fn forget_through(&self, position: &Position) -> Result<(), StoreError> {
        self.queue.forget_through(seq_of(Some(position))?).await
    }

    async fn backlog(&self, position: Option<&Position>) -> Result<u64, StoreError> {
        self.queue.backlog(seq_of(position)?).await
    }

    async fn recent(&self, room: RoomId, list: RecentList, limit: usize) -> Result<Vec<Event>, StoreError> {
        let hot = self.hot();
        let Some(recent) = hot.recent.get(&room) else { return Ok(Vec::new()) };
        let events = match list {
            RecentList::Danmaku => &recent.danmaku,
            RecentList::Gifts => &recent.gifts,
        };
        Ok(events.iter().rev().take(limit).map(|event| Event::clone(event)).collect())
    }

    // What is published is for other programs; this store has none, and pages ask the wall.

    async fn put_room(&self, _: &RoomInfo) -> Result<(), StoreError> {
        Ok(())
    }

    async fn put_totals(&self, _: RoomId, _: &RoomTotals) -> Result<(), StoreError> {
        Ok(())
    }

    async fn put_active(&self, _: &[RoomId]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn status(&self) -> Result<LiveStoreStatus, StoreError> {
        let before = Instant::now();
        let backlog = self.backlog(None).await?;
        let ping_ms = before.elapsed().as_secs_f64() * 1000.0;
        let memory_bytes = Some(self.queue.bytes_in_memory());
        Ok(LiveStoreStatus { kind: StoreKind::Embedded, ping_ms, memory_bytes, version: None, backlog })
    }
}
