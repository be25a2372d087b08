//! What is to be done when: one heap, so that one timer is enough for any number of rooms.
//!
//! (Ten thousand timers of an actor cost 290 us at each of its turns.)

use std::{cmp::Reverse, collections::BinaryHeap};

use tokio::time::Instant;

use crate::domain::RoomId;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// The next life.
    Begin,
    /// The end of a life that was let go and has not ended.
    Kill,
    /// The end of a life that was well, for a new one.
    Reconnect,
}

/// A room, the life that this is about, and what is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// Whose.
    pub room: RoomId,
    /// It means nothing to another life.
    pub life: u32,
    /// What.
    pub due: Due,
}

/// All deadlines.
#[derive(Default)]
pub struct Deadlines(BinaryHeap<Reverse<Deadline>>);

impl Deadlines {
    /// One more.
    pub fn push(&mut self, at: Instant, room: RoomId, life: u32, due: Due) {
        self.0.push(Reverse(Deadline { at, room, life, due }));
    }

    /// When the first is due.
    pub fn first(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse(deadline)| deadline.at)
    }

    /// Takes the first that is due.
    pub fn take_due(&mut self, now: Instant) -> Option<Deadline> {
        self.0.peek().filter(|Reverse(deadline)| deadline.at <= now)?;
        self.0.pop().map(|Reverse(deadline)| deadline)
    }
}
