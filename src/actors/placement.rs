//! Which arbiter a room lives on.
//!
//! One thread fewer than there are cores, because SQLite, Redis and browsers want one too. A room goes to
//! the arbiter with the fewest rooms; a dead arbiter is replaced, and its rooms come back through their
//! obituaries. Tests place rooms on the thread of the supervisor, where time can be paused.

use std::{collections::HashMap, thread};

use actix::{Arbiter, ArbiterHandle};

use crate::domain::RoomId;

/// Where lives are led.
pub struct Placement {
    arbiters: Vec<Arbiter>,
    /// How many rooms live on each.
    rooms: Vec<usize>,
    homes: HashMap<RoomId, usize>,
}

/// Most room threads; decoding rarely needs more.
const MOST: usize = 8;

impl Placement {
    /// On threads of their own.
    pub fn on_threads() -> Placement {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.saturating_sub(1).clamp(1, MOST);
        Placement {
            arbiters: (0..threads).map(|_| arbiter()).collect(),
            rooms: vec![0; threads],
            homes: HashMap::new(),
        }
    }

    /// On the thread of the supervisor.
    pub fn inline() -> Placement {
        Placement { arbiters: Vec::new(), rooms: Vec::new(), homes: HashMap::new() }
    }

    /// The home of a new life of `room`.
    pub fn home(&mut self, room: RoomId) -> ArbiterHandle {
        let Some(quietest) = (0..self.rooms.len()).min_by_key(|home| self.rooms[*home]) else {
            return Arbiter::current();
        };
        let home = *self.homes.entry(room).or_insert_with(|| {
            self.rooms[quietest] += 1;
            quietest
        });
        if !self.arbiters[home].alive() {
            self.arbiters[home] = arbiter();
        }
        self.arbiters[home].handle()
    }

    /// The room lives nowhere any more.
    pub fn leave(&mut self, room: RoomId) {
        if let Some(home) = self.homes.remove(&room) {
            self.rooms[home] -= 1;
        }
    }

    /// Ends all threads; to be called when no room lives.
    pub fn close(&mut self) {
        for arbiter in self.arbiters.drain(..) {
            arbiter.stop();
        }
    }
}

fn arbiter() -> Arbiter {
    Arbiter::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // DNS look-ups are all that blocks here.
            .max_blocking_threads(4)
            .build()
            .expect("a runtime can be made while the system has a thread and a descriptor left")
    })
}
