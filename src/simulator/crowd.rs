//! Who is connected to the stream at the moment, and how they are sent away.
//!
//! Here is decided who has to go when an account holds too many connections; the connections themselves are in
//! `stream`, each holds a [`Seat`] for as long as it is there. Who is sent away counts no longer, even before the
//! socket is closed: whoever waits for everybody to be back must not see those who are about to go.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::world::lock;

/// What happens when an account holds more connections than it may.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OverCap {
    /// The connection it holds longest is cut.
    #[default]
    KickOldest,
    /// The one that just came is cut.
    KickNewest,
    /// The one that just came gets little chat.
    ThinNewest,
}

/// Everybody who was let in.
#[derive(Default)]
pub(super) struct Crowd {
    present: Mutex<BTreeMap<u64, Present>>,
    next: Mutex<u64>,
}

struct Present {
    room: u64,
    uid: u64,
    go: Arc<Notify>,
}

/// A place in the crowd; leaving it is dropping it.
pub(super) struct Seat<'a> {
    crowd: &'a Crowd,
    number: u64,
    /// Rung when it has to go.
    pub go: Arc<Notify>,
    /// It is one too many, and pays with its chat.
    pub thinned: bool,
}

impl Crowd {
    /// Somebody was let in. `cap` is how many connections an account may hold, and what happens beyond; visitors
    /// may hold any number.
    pub fn enter(&self, room: u64, uid: u64, cap: Option<(usize, OverCap)>) -> Seat<'_> {
        let number = {
            let mut next = lock(&self.next);
            *next += 1;
            *next
        };
        let go = Arc::new(Notify::new());
        let mut present = lock(&self.present);
        present.insert(number, Present { room, uid, go: go.clone() });
        let of_account: Vec<u64> =
            present.iter().filter(|(_, other)| other.uid == uid).map(|(number, _)| *number).collect();
        let over = cap.filter(|(most, _)| uid != 0 && of_account.len() > *most).map(|(_, over)| over);
        match over {
            Some(OverCap::KickOldest) => send_away(&mut present, &of_account[..1]),
            Some(OverCap::KickNewest) => send_away(&mut present, &[number]),
            Some(OverCap::ThinNewest) | None => {}
        }
        Seat { crowd: self, number, go, thinned: over == Some(OverCap::ThinNewest) }
    }

    /// Sends away up to `count` connections, those of one room or all, the longest there first. How many it were.
    pub fn cut(&self, room: Option<u64>, count: usize) -> usize {
        let mut present = lock(&self.present);
        let of_room = present.iter().filter(|(_, other)| room.is_none_or(|room| room == other.room));
        let chosen: Vec<u64> = of_room.map(|(number, _)| *number).take(count).collect();
        send_away(&mut present, &chosen);
        chosen.len()
    }

    /// How many connections there are for each room and account.
    pub fn census(&self) -> Vec<Census> {
        let mut counts: BTreeMap<(u64, u64), usize> = BTreeMap::new();
        for other in lock(&self.present).values() {
            *counts.entry((other.room, other.uid)).or_default() += 1;
        }
        counts.into_iter().map(|((room_id, uid), connections)| Census { room_id, uid, connections }).collect()
    }
}

fn send_away(present: &mut BTreeMap<u64, Present>, numbers: &[u64]) {
    for number in numbers {
        if let Some(other) = present.remove(number) {
            other.go.notify_one();
        }
    }
}

/// The connections of one account to one room.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Census {
    pub room_id: u64,
    /// 0 for visitors.
    pub uid: u64,
    pub connections: usize,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        lock(&self.crowd.present).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_sent_away(seat: &Seat) -> bool {
        seat.go.notified().now_or_never().is_some()
    }

    #[test]
    fn an_account_with_too_many_connections_pays_as_it_is_told() {
        for (over, oldest, newest, thinned) in [
            (OverCap::KickOldest, true, false, false),
            (OverCap::KickNewest, false, true, false),
            (OverCap::ThinNewest, false, false, true),
        ] {
            let crowd = Crowd::default();
            let cap = Some((1, over));
            let other = crowd.enter(1, 8, cap);
            let first = crowd.enter(1, 7, cap);
            let second = crowd.enter(2, 7, cap);
            assert_eq!((is_sent_away(&first), is_sent_away(&second), second.thinned), (oldest, newest, thinned));
            assert!(!is_sent_away(&other));
        }
    }

    #[test]
    fn a_wave_takes_those_who_are_there_longest() {
        let crowd = Crowd::default();
        let seats: Vec<Seat> = [1, 1, 2].map(|room| crowd.enter(room, 0, Some((0, OverCap::KickNewest)))).into();
        assert_eq!(crowd.cut(None, 2), 2);
        assert_eq!(seats.iter().map(is_sent_away).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(crowd.census(), [Census { room_id: 2, uid: 0, connections: 1 }], "who has to go counts no longer");
        assert_eq!(crowd.cut(Some(2), 9), 1);
        drop(seats);
        assert_eq!((crowd.cut(None, 9), crowd.census()), (0, Vec::new()));
    }
}
