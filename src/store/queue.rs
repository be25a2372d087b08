//! Batches in the order they came: durable in a spool file, the newest in memory as well.
//!
//! The one mechanism under the embedded live store and under the outbox in front of Redis. What
//! [`Queue::append`] accepted lies in the spool until it is forgotten; a reader that keeps up reads
//! neither the disk nor JSON.
//!
//! Order of locks: spool, then hot. Both are held only for plain work, never across an await.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    StoreError,
    spool::{Spool, SpoolError, Spooled},
};
use crate::{domain::Event, supervise::blocking};

/// Batches stay in memory up to so many events: some ten seconds of a very busy evening ...
const EVENTS_IN_MEMORY: usize = 20_000;

/// ... and so many bytes of JSON, should the events be long.
const BYTES_IN_MEMORY: usize = 16 << 20;

/// A batch and its number.
#[derive(Clone)]
pub(super) struct Numbered {
    pub(super) seq: i64,
    /// Bytes of its JSON.
    pub(super) bytes: usize,
    pub(super) events: Vec<Arc<Event>>,
}

impl From<Spooled> for Numbered {
    fn from(Spooled { seq, bytes, events }: Spooled) -> Numbered {
        Numbered { seq, bytes, events: events.into_iter().map(Arc::new).collect() }
    }
}

/// The queue. Cheap to clone.
#[derive(Clone)]
pub(super) struct Queue {
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
    batches: VecDeque<Numbered>,
    floor: i64,
    /// There may be batches in the file at or before `floor`.
    older_in_file: bool,
    events: usize,
    bytes: usize,
}

impl Hot {
    fn push(&mut self, batch: Numbered) {
        self.events += batch.events.len();
        self.bytes += batch.bytes;
        self.batches.push_back(batch);
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
    fn read_after(&self, seq: i64, max_events: usize) -> Option<Vec<Numbered>> {
        if self.older_in_file && seq < self.floor {
            return None;
        }
        let start = self.batches.partition_point(|batch| batch.seq <= seq);
        let (mut batches, mut events) = (Vec::new(), 0);
        for batch in self.batches.range(start..) {
            events += batch.events.len();
            batches.push(batch.clone());
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

impl Queue {
    /// Opens the queue in the file at `path`, making folder and file where they are missing. Blocks.
    pub(super) fn open(path: &Path) -> Result<Queue, SpoolError> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|source| SpoolError::Folder { path: dir.to_path_buf(), source })?;
        }
        let mut spool = Spool::open(path)?;
        let (newest, older_in_file) = spool.newest(EVENTS_IN_MEMORY)?;
        // An unreadable batch may be the newest of all: then every one of them is left to the file.
        let newest_in_file = if older_in_file { i64::MAX } else { 0 };
        let floor = newest.last().map_or(newest_in_file, |oldest| oldest.seq - 1);
        let mut hot = Hot { floor, older_in_file, ..Hot::default() };
        for spooled in newest.into_iter().rev() {
            hot.push(spooled.into());
        }
        Ok(Queue { inner: Arc::new(Inner { spool: Mutex::new(spool), hot: Mutex::new(hot) }) })
    }

    /// Writes a batch down; its number, and the bytes of its JSON. Durable when it returns.
    pub(super) async fn append(&self, events: &[Arc<Event>]) -> Result<(i64, usize), StoreError> {
        let events = events.to_vec();
        self.blocking(move |inner| {
            let mut spool = inner.spool();
            let (seq, bytes) = spool.append(&events)?;
            // Before the spool is let go: batches come into memory in the order of their numbers.
            inner.hot().push(Numbered { seq, bytes, events });
            Ok((seq, bytes))
        })
        .await
    }

    /// The batches after `seq`, oldest first, until they hold `max_events`; at least one when there is one.
    pub(super) async fn read_after(&self, seq: i64, max_events: usize) -> Result<Vec<Numbered>, StoreError> {
        let in_memory = self.inner.hot().read_after(seq, max_events);
        if let Some(batches) = in_memory {
            return Ok(batches);
        }
        let spooled = self.blocking(move |inner| inner.spool().read_after(seq, max_events)).await?;
        Ok(spooled.into_iter().map(Numbered::from).collect())
    }

    /// Deletes the batches up to and including `seq`.
    pub(super) async fn forget_through(&self, seq: i64) -> Result<(), StoreError> {
        self.blocking(move |inner| {
            let mut spool = inner.spool();
            spool.forget_through(seq)?;
            inner.hot().forget_through(seq);
            Ok(())
        })
        .await
    }

    /// How many events stand after `seq`.
    pub(super) async fn backlog(&self, seq: i64) -> Result<u64, StoreError> {
        self.blocking(move |inner| inner.spool().backlog(seq)).await
    }

    /// Number, events and bytes of every batch, oldest first. Blocks.
    pub(super) fn sizes(&self) -> Result<Vec<(i64, u64, u64)>, StoreError> {
        self.inner.spool().sizes()
    }

    /// Takes the next number without writing a batch.
    pub(super) fn next_number(&self) -> i64 {
        self.inner.spool().next_number()
    }

    /// Gives the batches from `first` on new numbers, all above `above`, in the same order; says by how much
    /// they grew.
    pub(super) async fn renumber(&self, first: i64, above: i64) -> Result<i64, StoreError> {
        self.blocking(move |inner| {
            let mut spool = inner.spool();
            let grown = spool.renumber(first, above)?;
            for batch in &mut inner.hot().batches {
                if batch.seq >= first {
                    batch.seq += grown;
                }
            }
            Ok(grown)
        })
        .await
    }

    /// Bytes of the batches in memory.
    pub(super) fn bytes_in_memory(&self) -> u64 {
        self.inner.hot().bytes as u64
    }

    /// The batches in memory, oldest first.
    pub(super) fn in_memory(&self) -> Vec<Numbered> {
        self.inner.hot().batches.iter().cloned().collect()
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
