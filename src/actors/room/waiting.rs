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
    let mut on_air = room.shared.airs.of(room.id).watch();
    if *on_air.borrow_and_update() {
        return;
    }
    room.enter(State::Waiting, Doing::WaitingForBroadcast);
    room.shared.wall.set_waiting(room.id, true);
    // The sender is kept as long as the room is.
    let _ = on_air.wait_for(|on_air| *on_air).await;
    room.shared.wall.set_waiting(room.id, false);
}

/// When a connection that is wanted only during broadcasts is to end.
#[derive(Default)]
pub struct Grace(Option<Instant>);

impl Grace {
    /// The end, if the room is off air.
    pub fn ends(&mut self, air: &Air) -> Option<Instant> {
        if air.is_on() {
            self.0 = None;
        } else {
            self.0.get_or_insert_with(|| Instant::now() + GRACE);
        }
        self.0
    }
}
