//! What survives the lives of a room.
//!
//! Kept beside the supervisor's entry and lent to each life: the events lately seen, to drop what the
//! upstream repeats after a reconnect; the frame in hand; events received and not handed on yet; guard
//! purchases whose messages are still coming together; which host to try next. Only values that are replaced whole or stay valid at every step, so that a panic
//! cannot leave half a change; never a socket, a parser or a buffer.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::past::Past;
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
    in_hand: Mutex<VecDeque<InHand>>,
    frame: Mutex<Option<Frame>>,
    guards: Mutex<GuardMerge>,
    hosts_tried: AtomicUsize,
    told: Mutex<Told>,
    /// What it received before.
    pub past: Past,
}

/// When the upstream last told about the room.
#[derive(Default)]
struct Told {
    at: Option<Instant>,
    missed: bool,
}

/// An event received and not handed on yet.
#[derive(Clone)]
pub struct InHand {
    /// The event.
    pub event: Arc<Event>,
    /// Whether browsers are to see it now.
    pub shown: bool,
}

/// A frame that is being read.
struct Frame {
    bytes: Bytes,
    /// Lives that ended over it.
    ended: u32,
}

/// What to do with a frame that the life before left unread.
#[derive(Debug, PartialEq, Eq)]
pub enum LeftFrame {
    /// Read it.
    Again(Bytes),
    /// So many bytes that nobody can read; they are forgotten.
    GivenUp(usize),
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
            frame: Mutex::default(),
            guards: Mutex::default(),
            hosts_tried: AtomicUsize::new(0),
            told: Mutex::default(),
            past: Past::default(),
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

    /// Whether this event was handed on lately.
    pub fn knows(&self, id: EventId) -> bool {
        lock(&self.seen).ids.contains(&id)
    }

    /// Keeps events until they are handed on, also if the life that received them does not get that far.
    pub fn keep(&self, events: Vec<InHand>) {
        lock(&self.in_hand).extend(events);
    }

    /// The event to hand on next.
    pub fn next_in_hand(&self) -> Option<InHand> {
        lock(&self.in_hand).front().cloned()
    }

    /// That event has been handed on; it is remembered from now on.
    pub fn handed_on(&self) {
        let Some(InHand { event, .. }) = lock(&self.in_hand).pop_front() else { return };
        let mut seen = lock(&self.seen);
        if !seen.ids.insert(event.id) {
            return;
        }
        seen.order.push_back(event.id);
        if seen.order.len() > EVENTS_KEPT
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.ids.remove(&oldest);
        }
    }

    /// Lets go of the events that are kept; says how many.
    pub fn give_up_in_hand(&self) -> u64 {
        std::mem::take(&mut *lock(&self.in_hand)).len() as u64
    }

    /// A frame came; kept until it is read, also if the life that took it does not get that far.
    pub fn frame_came(&self, bytes: Bytes) {
        *lock(&self.frame) = Some(Frame { bytes, ended: 0 });
    }

    /// What was in the frame stands among the events that are kept.
    pub fn frame_is_read(&self) {
        *lock(&self.frame) = None;
    }

    /// The frame that the life before left. After two lives it is given up, because it would end every life.
    pub fn left_frame(&self) -> Option<LeftFrame> {
        let mut left = lock(&self.frame);
        let frame = left.as_mut()?;
        frame.ended += 1;
        if frame.ended >= 2 {
            return left.take().map(|frame| LeftFrame::GivenUp(frame.bytes.len()));
        }
        Some(LeftFrame::Again(frame.bytes.clone()))
    }

    /// Guard purchases coming together.
    pub fn guards(&self) -> MutexGuard<'_, GuardMerge> {
        lock(&self.guards)
    }

    /// Which of `hosts` hosts to try, another each time.
    pub fn next_host(&self, hosts: usize) -> usize {
        self.hosts_tried.fetch_add(1, Relaxed) % hosts.max(1)
    }

    /// Whether the upstream should be asked about the room again: nothing was asked for `rarely`, or for
    /// `often` and something may have been missed.
    pub fn should_ask(&self, rarely: Duration, often: Duration) -> bool {
        let told = lock(&self.told);
        told.at.is_none_or(|at| at.elapsed() >= if told.missed { often } else { rarely })
    }

    /// The upstream has told what it knows about the room.
    pub fn has_been_told(&self) {
        *lock(&self.told) = Told { at: Some(Instant::now()), missed: false };
    }

    /// The connection was lost: what it would have told about the room must be asked for.
    pub fn may_have_missed_something(&self) {
        lock(&self.told).missed = true;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_ended_two_lives_is_given_up() {
        let memory = RoomMemory::default();
        assert_eq!(memory.left_frame(), None);
        memory.frame_came(Bytes::from_static(b"poison"));
        assert_eq!(memory.left_frame(), Some(LeftFrame::Again(Bytes::from_static(b"poison"))));
        assert_eq!(memory.left_frame(), Some(LeftFrame::GivenUp(6)));
        assert_eq!(memory.left_frame(), None);
        memory.frame_came(Bytes::from_static(b"good"));
        memory.frame_is_read();
        assert_eq!(memory.left_frame(), None);
    }
}
