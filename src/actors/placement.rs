//! Which arbiter a room lives on.
//!
//! One thread fewer than there are cores, because SQLite, Redis and browsers want one too. Of two arbiters
//! drawn at random the room goes to the one with fewer events a second, and stays there: a herd of new
//! rooms that all chose the quietest would make it the busiest. A room that vanished without a reason goes
//! to another one. A dead arbiter is replaced, and its rooms come back through their obituaries. Tests
//! place rooms on the thread of the supervisor, where time can be paused.

use std::{collections::HashMap, sync::Arc, thread, time::Duration};

use actix::{Arbiter, ArbiterHandle};
use rand::{Rng, RngExt};
use tokio::time::Instant;
use tracing::error;

use crate::{
    domain::RoomId,
    supervise::{board::Board, pulse::Pulse, vitals::Vitals},
};

/// Where lives are led.
pub struct Placement {
    homes: Vec<Home>,
    rooms: HashMap<RoomId, Dweller>,
    weighed: Option<Instant>,
    board: Arc<Board>,
}

/// One arbiter.
struct Home {
    arbiter: Arbiter,
    name: Arc<str>,
    rooms: usize,
    /// Events a second, when they were last counted.
    pace: f64,
}

/// A room, and what it had received when that was last counted.
struct Dweller {
    home: usize,
    vitals: Arc<Vitals>,
    events: u64,
}

/// Where a life is to be led.
pub struct Place {
    /// On this thread ...
    pub arbiter: ArbiterHandle,
    /// ... which is called so.
    pub thread: Arc<str>,
}

/// Most room threads; decoding rarely needs more.
const MOST: usize = 8;
/// Events are counted at most this often.
const WEIGH_EVERY: Duration = Duration::from_secs(5);

impl Placement {
    /// On threads of their own, as many as fit this machine.
    pub fn on_threads(board: Arc<Board>) -> Placement {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Placement::on(cores.saturating_sub(1).clamp(1, MOST), board)
    }

    /// On so many threads of their own; on that of the supervisor for none.
    pub fn on(threads: usize, board: Arc<Board>) -> Placement {
        let homes =
            (0..threads).map(|n| Home { arbiter: arbiter(&board, n), name: name_of(n).into(), rooms: 0, pace: 0.0 });
        Placement { homes: homes.collect(), rooms: HashMap::new(), weighed: None, board }
    }

    /// The place of a new life of `room`.
    pub fn place(&mut self, room: RoomId, vitals: &Arc<Vitals>, now: Instant, dice: &mut impl Rng) -> Place {
        if self.homes.is_empty() {
            return Place { arbiter: Arbiter::current(), thread: "main".into() };
        }
        let home = match self.rooms.get(&room) {
            Some(dweller) => dweller.home,
            None => self.move_in(room, vitals, None, now, dice),
        };
        let board = &self.board;
        let at = &mut self.homes[home];
        if !at.arbiter.alive() {
            error!(thread = %at.name, "the thread {} is dead and replaced; its rooms come back one by one", at.name);
            at.arbiter = arbiter(board, home);
        }
        Place { arbiter: at.arbiter.handle(), thread: at.name.clone() }
    }

    /// The next life of the room is led elsewhere, if there is an elsewhere.
    pub fn move_away(&mut self, room: RoomId, now: Instant, dice: &mut impl Rng) {
        if let Some(Dweller { home, vitals, .. }) = self.leave(room) {
            self.move_in(room, &vitals, Some(home), now, dice);
        }
    }

    fn move_in(
        &mut self,
        room: RoomId,
        vitals: &Arc<Vitals>,
        not: Option<usize>,
        now: Instant,
        dice: &mut impl Rng,
    ) -> usize {
        self.weigh(now);
        let mut open: Vec<usize> = (0..self.homes.len()).filter(|home| Some(*home) != not).collect();
        if open.is_empty() {
            open = vec![0];
        }
        let (one, other) = (open[dice.random_range(0..open.len())], open[dice.random_range(0..open.len())]);
        let home = quieter((one, self.homes[one].load()), (other, self.homes[other].load()));
        self.homes[home].rooms += 1;
        self.rooms.insert(room, Dweller { home, vitals: vitals.clone(), events: vitals.events_in() });
        home
    }

    /// The room lives nowhere any more.
    pub fn forget(&mut self, room: RoomId) {
        self.leave(room);
    }

    fn leave(&mut self, room: RoomId) -> Option<Dweller> {
        let dweller = self.rooms.remove(&room)?;
        self.homes[dweller.home].rooms -= 1;
        Some(dweller)
    }

    /// Counts what came since the last time, now and then.
    fn weigh(&mut self, now: Instant) {
        let since = *self.weighed.get_or_insert(now);
        let passed = now.duration_since(since);
        if passed < WEIGH_EVERY {
            return;
        }
        self.weighed = Some(now);
        let mut events = vec![0; self.homes.len()];
        for dweller in self.rooms.values_mut() {
            let so_far = dweller.vitals.events_in();
            events[dweller.home] += so_far.saturating_sub(std::mem::replace(&mut dweller.events, so_far));
        }
        for (home, events) in self.homes.iter_mut().zip(events) {
            home.pace = events as f64 / passed.as_secs_f64();
        }
    }

    /// Ends one thread with all its lives, as if it had died.
    #[cfg(test)]
    pub fn stop_thread(&self, home: usize) {
        self.homes[home].arbiter.stop();
    }

    /// Ends all threads; to be called when no room lives.
    pub fn close(&mut self) {
        for home in self.homes.drain(..) {
            home.arbiter.stop();
        }
    }
}

impl Home {
    /// A room that has just moved in has no pace yet, so each counts a little by being there.
    fn load(&self) -> f64 {
        self.pace + self.rooms as f64
    }
}

/// Of two, the one with less to do; the first if both have the same.
fn quieter(one: (usize, f64), other: (usize, f64)) -> usize {
    if other.1 < one.1 { other.0 } else { one.0 }
}

fn name_of(home: usize) -> String {
    format!("rooms {}", home + 1)
}

fn arbiter(board: &Board, home: usize) -> Arbiter {
    let arbiter = Arbiter::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // DNS look-ups are all that blocks here.
            .max_blocking_threads(4)
            .build()
            .expect("a runtime can be made while the system has a thread and a descriptor left")
    });
    let pulse = Pulse::new(name_of(home));
    board.add_pulse(pulse.clone());
    arbiter.spawn(pulse.tick());
    arbiter
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    #[actix::test]
    async fn new_rooms_go_where_fewer_events_come() {
        let mut placement = Placement::on(2, Arc::default());
        let mut dice = SmallRng::seed_from_u64(1);
        let start = Instant::now();
        let vitals = |room: u64| Vitals::new(format!("room {room}"), "room", "rooms", None);
        let busy = vitals(1);
        let loud = placement.place(RoomId(1), &busy, start, &mut dice).thread;
        busy.took_in(50_000, 0);
        let later = start + WEIGH_EVERY;
        let homes: Vec<Arc<str>> =
            (2..102).map(|room| placement.place(RoomId(room), &vitals(room), later, &mut dice).thread).collect();
        // Two draws of two find the loud one only when both do.
        let with_it = homes.iter().filter(|home| **home == loud).count();
        assert!((10..40).contains(&with_it), "{with_it} of 100");
        assert_eq!(placement.place(RoomId(1), &busy, later, &mut dice).thread, loud, "who lives there stays");
        placement.move_away(RoomId(1), later, &mut dice);
        assert_ne!(placement.place(RoomId(1), &busy, later, &mut dice).thread, loud);
        placement.close();
    }
}
