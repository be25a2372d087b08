//! What survives the lives of a room.
//!
//! Kept beside the supervisor's entry and lent to each life: the events lately seen, to drop what the
//! upstream repeats after a reconnect; events received and not handed on yet; guard purchases whose messages are still coming together; which
//! host to try next. Only values that are replaced whole or stay valid at every step, so that a panic
//! cannot leave half a change; never a socket, a parser or a buffer.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    domain::{Event, EventId},
    protocol::GuardMerge,
};

/// Events remembered per room: more than the upstream repeats, which is what was on display.
const EVENTS_KEPT: usize = 512;

/// The memory of one room.
pub struct RoomMemory {
    epoch: Instant,
    seen: Mutex<Seen>,
    in_hand: Mutex<VecDeque<Arc<Event>>>,
    guards: Mutex<GuardMerge>,
    hosts_tried: AtomicUsize,
    asked: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Seen {
    order: VecDeque<EventId>,
    ids: HashSet<EventId>,
}

impl Default for RoomMemory {
    fn default() -> RoomMemory {
        RoomMemory {
            epoch: Instant::now(),
            seen: Mutex::default(),
            in_hand: Mutex::default(),
            guards: Mutex::default(),
            hosts_tried: AtomicUsize::new(0),
            asked: Mutex::default(),
        }
    }
}

impl RoomMemory {
    /// Time on the clock that the protocol's state machines are given.
    pub fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// The moment at which [`RoomMemory::now`] will be `at`.
    pub fn instant(&self, at: Duration) -> Instant {
        self.epoch + at
    }

    /// Remembers an event; false when it was known already.
    pub fn is_new(&self, id: EventId) -> bool {
        let mut seen = lock(&self.seen);
        if !seen.ids.insert(id) {
            return false;
        }
        seen.order.push_back(id);
        if seen.order.len() > EVENTS_KEPT
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.ids.remove(&oldest);
        }
        true
    }

    /// Keeps events until they are handed on, also if the life that received them does not get that far.
    pub fn keep(&self, events: Vec<Event>) {
        lock(&self.in_hand).extend(events.into_iter().map(Arc::new));
    }

    /// The event to hand on next.
    pub fn next_in_hand(&self) -> Option<Arc<Event>> {
        lock(&self.in_hand).front().cloned()
    }

    /// That event has been handed on.
    pub fn handed_on(&self) {
        lock(&self.in_hand).pop_front();
    }

    /// Lets go of the events that are kept; says how many.
    pub fn give_up_in_hand(&self) -> u64 {
        std::mem::take(&mut *lock(&self.in_hand)).len() as u64
    }

    /// Guard purchases coming together.
    pub fn guards(&self) -> MutexGuard<'_, GuardMerge> {
        lock(&self.guards)
    }

    /// Which of `hosts` hosts to try, another each time.
    pub fn next_host(&self, hosts: usize) -> usize {
        self.hosts_tried.fetch_add(1, Relaxed) % hosts.max(1)
    }

    /// Whether the upstream should be asked about the room again, `every` so often; notes that it is.
    pub fn should_ask(&self, every: Duration) -> bool {
        let mut asked = lock(&self.asked);
        let due = asked.is_none_or(|asked| asked.elapsed() >= every);
        if due {
            *asked = Some(Instant::now());
        }
        due
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
