//! `--connect when_live`: a room that is off air holds no connection.
//!
//! It waits until anything says that a broadcast began (a poll, the stream of an earlier connection), and its
//! connection ends some time after the broadcast did. Not here: finding that out (`actors::on_air`).

use tokio::time::{Duration, Instant};

use super::Room;
use crate::{
    actors::air::Air,
    supervise::vitals::{Doing, State},
};

/// After the end of a broadcast people still say goodbye and thanks, and purchases come late.
const GRACE: Duration = Duration::from_secs(30);

/// Waits until the room is on air; does not, where it is.
pub async fn for_broadcast(room: &Room) {
    let air = room.shared.airs.of(room.id);
    if air.is_on.is_up() {
        return;
    }
    room.enter(State::Waiting, Doing::WaitingForBroadcast);
    room.shared.wall.set_waiting(room.id, true);
    air.is_on.raised().await;
    room.shared.wall.set_waiting(room.id, false);
}

/// When a connection that is wanted only during broadcasts is to end.
#[derive(Default)]
pub struct Grace(Option<Instant>);

impl Grace {
    /// The end, if the room is off air.
    pub fn ends(&mut self, air: &Air) -> Option<Instant> {
        if air.is_on.is_up() {
            self.0 = None;
        } else {
            self.0.get_or_insert_with(|| Instant::now() + GRACE);
        }
        self.0
    }
}
