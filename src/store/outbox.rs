//! The outbox: events on the way to Redis, durable in this process's data folder until they are in the history.
//!
//! Every batch is written into a queue (`queue.rs`, the mechanism of the embedded store) before it goes to
//! Redis, and let go of only when the sync has stored it. So it does not matter whether Redis is away,
//! restarted empty, fell back to an older snapshot, or is killed together with this program: what it
//! does not have is brought again, in order. Refused: trusting Redis with what it acknowledged (one without
//! a log forgets it), and waiting for the sync (a room would wait for SQLite). Cost, measured at 256
//! events a batch: one commit of 0.2 to 2 ms, whatever is in it, and the outbox is nearly empty while the
//! sync keeps up.
//!
//! A batch's number becomes its id in the stream, so what arrived is known by the newest id alone and
//! nothing is added twice, also after a lost answer or a restart in the middle.
//!
//! It is bounded. When it is full, batches that Redis has are let go of first; when none is left, it
//! refuses, and the lane in front of it sheds by its policy. When its own disk is full and nothing waits
//! in it, events go to Redis directly.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tracing::warn;

use super::{
    Batch, Batching, LiveStore, LiveStoreStatus, Position, RecentList, RoomTotals, SpoolError, StoreError, StoreKind,
    queue::{Numbered, Queue},
    redis::{RedisStore, Standing, number_of},
};
use crate::domain::{Event, EventId, RoomId, RoomInfo};

/// Name of the file within the data folder.
const FILE: &str = "outbox.db";

/// Events in one round trip to Redis: near its best speed, and some 300 KB.
const EVENTS_A_TRIP: usize = 1000;

/// How often the outbox asks Redis how things stand while nothing is on the way, and says that it lives.
const LOOK: Duration = Duration::from_secs(1);

/// Batches are let go of at most this often: deleting costs a commit.
const FORGET: Duration = Duration::from_millis(500);

/// The outbox. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Outbox {
    inner: Arc<Inner>,
}

struct Inner {
    queue: Queue,
    books: Mutex<Books>,
    /// Bytes of JSON that it may hold.
    cap: u64,
    /// Who fills the stream: this installation.
    who: String,
    /// Rung when something was put in.
    arrived: Notify,
}

/// What is in the queue, and how far it has come.
struct Books {
    batches: VecDeque<Size>,
    bytes: u64,
    events: u64,
    /// Redis has the batches through this number.
    forwarded: i64,
    /// Those of them that are here: events.
    forwarded_events: u64,
    /// The first number that this process gave.
    first_own: i64,
    /// Whether the numbers of this process were compared with those in Redis.
    met: bool,
    /// The mark that Redis bore then.
    mark: Option<String>,
    /// Why Redis does not take anything, since it does not.
    away: Option<(Instant, String)>,
}

#[derive(Clone, Copy)]
struct Size {
    seq: i64,
    events: u64,
    bytes: u64,
}

/// How the outbox is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboxReading {
    /// Events that Redis does not have yet.
    pub waiting: u64,
    /// Events held, those included that Redis has and the history has not.
    pub held: u64,
    /// Bytes held.
    pub bytes: u64,
    /// Bytes that it may hold.
    pub capacity: u64,
    /// For how long Redis has not taken anything, ms; none while it does.
    pub away_ms: Option<u64>,
    /// Why not.
    pub error: Option<String>,
}

impl Books {
    fn add(&mut self, size: Size) {
        self.batches.push_back(size);
        self.events += size.events;
        self.bytes += size.bytes;
    }

    /// Lets go of batches through `seq`.
    fn forget_through(&mut self, seq: i64) {
        while let Some(size) = self.batches.front().copied().filter(|size| size.seq <= seq) {
            self.batches.pop_front();
            self.events -= size.events;
            self.bytes -= size.bytes;
            if size.seq <= self.forwarded {
                self.forwarded_events -= size.events;
            }
        }
    }

    fn forwarded_through(&mut self, seq: i64) {
        self.forwarded = seq;
        self.forwarded_events = self.batches.iter().take_while(|size| size.seq <= seq).map(|size| size.events).sum();
    }

    fn waiting(&self) -> u64 {
        self.events - self.forwarded_events
    }

    /// The number through which batches must go so that `more` bytes have room within `cap`; none if only
    /// batches that Redis does not have could make it.
    fn makes_room(&self, more: u64, cap: u64) -> Option<i64> {
        let mut bytes = self.bytes + more;
        let mut through = 0;
        for size in self.batches.iter().take_while(|size| size.seq <= self.forwarded) {
            if bytes <= cap {
                break;
            }
            bytes -= size.bytes;
            through = size.seq;
        }
        (bytes <= cap).then_some(through)
    }
}

impl Outbox {
    /// Opens the outbox in `dir`, holding at most `cap` bytes for the installation `who`. Blocks.
    pub fn open(dir: &Path, cap: u64, who: String) -> Result<Outbox, SpoolError> {
        let queue = Queue::open(&dir.join(FILE))?;
        let sizes = queue.sizes()?;
        let first_own = queue.next_number();
        let mut books = Books {
            batches: VecDeque::new(),
            bytes: 0,
            events: 0,
            forwarded: 0,
            forwarded_events: 0,
            first_own,
            met: false,
            mark: None,
            away: None,
        };
        for (seq, events, bytes) in sizes {
            books.add(Size { seq, events, bytes });
        }
        Ok(Outbox { inner: Arc::new(Inner { queue, books: Mutex::new(books), cap, who, arrived: Notify::new() }) })
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.inner.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is.
    pub fn reading(&self) -> OutboxReading {
        let books = self.books();
        OutboxReading {
            waiting: books.waiting(),
            held: books.events,
            bytes: books.bytes,
            capacity: self.inner.cap,
            away_ms: books
                .away
                .as_ref()
                .map(|(since, _)| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)),
            error: books.away.as_ref().map(|(_, why)| why.clone()),
        }
    }

    /// The ids of the events held after `position`, with their rooms. What cannot be read is passed over; it is
    /// said when it should be forwarded.
    async fn held_after(&self, position: Option<&Position>) -> Result<HashMap<EventId, RoomId>, StoreError> {
        let mut seq = position.and_then(|position| number_of(&position.0)).unwrap_or(0);
        let mut events = HashMap::new();
        loop {
            let batches = match self.inner.queue.read_after(seq, EVENTS_A_TRIP).await {
                Err(StoreError::Unreadable { position, .. }) => {
                    seq = position.parse().unwrap_or(i64::MAX);
                    continue;
                }
                read => read?,
            };
            let Some(last) = batches.last() else { return Ok(events) };
            seq = last.seq;
            events.extend(batches.iter().flat_map(|batch| &batch.events).map(|event| (event.id, event.room_id)));
        }
    }

    /// Writes a batch down. Durable when it returns.
    async fn put(&self, events: &[Arc<Event>]) -> Result<(), StoreError> {
        // A rough guess is enough: the bound is there to save a disk, not to fill it.
        let guess = events.len() as u64 * 300;
        let room = self.books().makes_room(guess, self.inner.cap);
        match room {
            None => {
                let held = self.books().bytes;
                return Err(StoreError::Refused {
                    what: "a batch",
                    why: format!(
                        "the outbox is full: {held} of {} bytes wait for Redis (BLM_OUTBOX_BYTES)",
                        self.inner.cap
                    ),
                });
            }
            Some(0) => {}
            Some(through) => {
                warn!("the outbox is full: events that Redis has and the history has not are held by Redis alone now");
                self.forget_through(through).await?;
            }
        }
        let (seq, bytes) = self.inner.queue.append(events).await?;
        self.books().add(Size { seq, events: events.len() as u64, bytes: bytes as u64 });
        self.inner.arrived.notify_one();
        Ok(())
    }

    async fn forget_through(&self, seq: i64) -> Result<(), StoreError> {
        self.inner.queue.forget_through(seq).await?;
        self.books().forget_through(seq);
        Ok(())
    }

    /// Takes what Redis says into the books: what it has, and what it lost.
    async fn take_in(&self, standing: &Standing) -> Result<(), StoreError> {
        let last = standing.last.unwrap_or(0);
        let (lost, new_from) = {
            let books = self.books();
            let lost = books.mark.is_some() && books.mark != standing.mark;
            let oldest = books.batches.front().map_or(i64::MAX, |size| size.seq);
            // The numbers of what is new to this Redis must be above all that it has. They are, unless it was
            // emptied and got something since, or the clock was set back and our file is new.
            (lost, if lost { oldest } else { books.first_own })
        };
        if (lost || !self.books().met) && last >= new_from {
            let grown = self.inner.queue.renumber(new_from, last).await?;
            let mut books = self.books();
            books.batches.iter_mut().filter(|size| size.seq >= new_from).for_each(|size| size.seq += grown);
        }
        let mut books = self.books();
        if lost || last < books.forwarded {
            warn!("Redis came back without what it had: {} events are brought again", books.events);
        }
        books.met = true;
        books.mark.clone_from(&standing.mark);
        books.forwarded_through(if lost { 0 } else { last });
        Ok(())
    }

    /// Brings what is in the outbox to Redis, in order, and lets go of what is in the history. Rings `bell`
    /// when Redis has taken something. Ends only when told to finish and nothing is left to be done now: what
    /// Redis does not take then stays, and follows at the next start.
    pub async fn forward(&self, redis: &RedisStore, bell: &Notify, mut finish: impl FnMut() -> bool) {
        let mut pause = Duration::from_millis(100);
        let mut known = false;
        let mut claimed: Option<Instant> = None;
        let mut forgot = Instant::now();
        loop {
            let begun = Instant::now();
            match self.step(redis, &mut known, &mut claimed, &mut forgot).await {
                Ok(Step::Moved) => {
                    self.books().away = None;
                    pause = Duration::from_millis(100);
                    bell.notify_one();
                }
                Ok(Step::Nothing) => {
                    self.books().away = None;
                    if finish() {
                        return;
                    }
                    // Either is a reason to look again.
                    let _ = timeout(LOOK, self.inner.arrived.notified()).await;
                }
                Err(error) => {
                    (known, claimed) = (false, None);
                    if self.books().away.is_none() {
                        warn!(%error, "Redis takes no events; they wait in the outbox: {error}");
                    }
                    self.books().away.get_or_insert_with(|| (begun, String::new())).1 = error.to_string();
                    if finish() {
                        return;
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }

    async fn step(
        &self,
        redis: &RedisStore,
        known: &mut bool,
        claimed: &mut Option<Instant>,
        forgot: &mut Instant,
    ) -> Result<Step, StoreError> {
        if claimed.is_none_or(|at| at.elapsed() >= LOOK * 3) {
            let Some(mark) = redis.claim(&self.inner.who).await? else {
                return Err(StoreError::Refused {
                    what: "events",
                    why: "another installation of this program fills its stream: give each a Redis database of its \
                          own (redis://…/1), or stop one"
                        .to_owned(),
                });
            };
            *claimed = Some(Instant::now());
            *known &= self.books().mark.as_ref() == Some(&mark);
        }
        let mut synced = None;
        if !*known || self.books().waiting() == 0 && self.books().events > 0 {
            let standing = redis.standing().await?;
            self.take_in(&standing).await?;
            *known = true;
            synced = standing.synced;
        }
        let from = self.books().forwarded;
        let batches = if self.books().waiting() > 0 { self.next_after(from).await? } else { Vec::new() };
        let moved = !batches.is_empty();
        if let Some(last) = batches.last().map(|batch| batch.seq) {
            let events: Vec<Arc<Event>> = batches.into_iter().flat_map(|batch| batch.events).collect();
            let standing = redis.append_as(last, &events).await?;
            if self.books().mark != standing.mark {
                *claimed = None;
                self.take_in(&standing).await?;
                return Ok(Step::Moved);
            }
            self.books().forwarded_through(last);
            synced = standing.synced;
        }
        if let Some(through) = synced
            && forgot.elapsed() >= FORGET
            && self.books().batches.front().is_some_and(|size| size.seq <= through)
        {
            self.forget_through(through).await?;
            *forgot = Instant::now();
        }
        Ok(if moved { Step::Moved } else { Step::Nothing })
    }

    /// The batches after `seq`; an unreadable one is passed over, and said.
    async fn next_after(&self, mut seq: i64) -> Result<Vec<Numbered>, StoreError> {
        loop {
            match self.inner.queue.read_after(seq, EVENTS_A_TRIP).await {
                Err(StoreError::Unreadable { position, why }) => {
                    tracing::error!(position, "a batch of the outbox is passed over, it cannot be read: {why}");
                    seq = position.parse().unwrap_or(i64::MAX);
                }
                read => return read,
            }
        }
    }
}

enum Step {
    Moved,
    Nothing,
}

/// Redis as live store, with an outbox in front of it.
#[derive(Clone)]
pub struct OutboxedRedis {
    outbox: Outbox,
    redis: RedisStore,
}

impl OutboxedRedis {
    /// Puts `outbox` in front of `redis`.
    pub fn new(outbox: Outbox, redis: RedisStore) -> OutboxedRedis {
        OutboxedRedis { outbox, redis }
    }
}

#[async_trait]
impl LiveStore for OutboxedRedis {
    fn kind(&self) -> StoreKind {
        StoreKind::Redis
    }

    fn batching(&self) -> Batching {
        self.redis.batching()
    }

    fn outbox(&self) -> Option<&Outbox> {
        Some(&self.outbox)
    }

    async fn forward(&self, bell: &Notify, finish: &(dyn Fn() -> bool + Sync)) {
        self.outbox.forward(&self.redis, bell, finish).await;
    }

    async fn append(&self, events: &[Arc<Event>]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let Err(error) = self.outbox.put(events).await else { return Ok(()) };
        // Its disk is full, or gone. Nothing may overtake what waits.
        let (waiting, met) = {
            let books = self.outbox.books();
            (books.waiting(), books.met)
        };
        if waiting > 0 || !met {
            return Err(error);
        }
        let number = self.outbox.inner.queue.next_number();
        self.redis.append_as(number, events).await?;
        self.outbox.books().forwarded_through(number);
        Ok(())
    }

    async fn read_after(&self, position: Option<&Position>, max_events: usize) -> Result<Vec<Batch>, StoreError> {
        self.redis.read_after(position, max_events).await
    }

    async fn forget_through(&self, position: &Position) -> Result<(), StoreError> {
        self.redis.forget_through(position).await
    }

    async fn left(&self, position: Option<&Position>) -> Result<BTreeMap<RoomId, u64>, StoreError> {
        // Nearly everything is in both; a Redis that is away has nothing that the outbox has not, unless that was
        // full.
        let mut events = self.outbox.held_after(position).await?;
        let mut position = position.cloned();
        while let Ok(batches) = self.redis.read_after(position.as_ref(), EVENTS_A_TRIP).await {
            let Some(last) = batches.last() else { break };
            position = Some(last.position.clone());
            events.extend(batches.iter().flat_map(|batch| &batch.events).map(|event| (event.id, event.room_id)));
        }
        let mut rooms = BTreeMap::new();
        events.values().for_each(|room| *rooms.entry(*room).or_default() += 1);
        Ok(rooms)
    }

    async fn backlog(&self, position: Option<&Position>) -> Result<u64, StoreError> {
        self.redis.backlog(position).await
    }

    async fn recent(&self, room: RoomId, list: RecentList, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.redis.recent(room, list, limit).await
    }

    async fn put_room(&self, info: &RoomInfo) -> Result<(), StoreError> {
        self.redis.put_room(info).await
    }

    async fn put_totals(&self, room: RoomId, totals: &RoomTotals) -> Result<(), StoreError> {
        self.redis.put_totals(room, totals).await
    }

    async fn put_active(&self, rooms: &[RoomId]) -> Result<(), StoreError> {
        self.redis.put_active(rooms).await
    }

    async fn status(&self) -> Result<LiveStoreStatus, StoreError> {
        self.redis.status().await
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
