//! RoomActor: one life, one connection.
//!
//! [`live`] is the whole life: wait for a broadcast if told so (`waiting`), get in (`connect`), read until the connection ends (`reading`), hand every
//! event on (`hand_on`), and say why it ended. Here: what a room holds, and the order of these steps.

mod backfill;
mod connect;
mod game;
mod hand_on;
mod reading;
mod waiting;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::select;

use super::{air::Airs, ledger::Ledger, memory::RoomMemory, raw::RawFrame, wall::Wall};
use crate::{
    domain::{Event, RoomId},
    supervise::{
        exit::Exit,
        flag::Flag,
        lane::Lane,
        life::{Life, Work},
        vitals::{Doing, State, Vitals},
    },
    upstream::{AskError, Gate, OpenLive, Permit, Upstream},
};

/// What all rooms share.
pub struct RoomShared {
    /// Bilibili.
    pub upstream: Arc<dyn Upstream>,
    /// Limits new connections.
    pub gate: Arc<Gate>,
    /// The way to the live store.
    pub record: Lane<Arc<Event>>,
    /// The way to the raw archive, if there is one.
    pub raw: Option<Lane<RawFrame>>,
    /// The way to browsers.
    pub view: Lane<Arc<Event>>,
    /// Where every event went.
    pub ledger: Arc<Ledger>,
    /// The present picture.
    pub wall: Arc<Wall>,
    /// What is known of the rooms beside their connections.
    pub airs: Arc<Airs>,
    /// The Open Live platform, for the rooms that are watched over it.
    pub open_live: Option<Arc<OpenLive>>,
    /// A room holds a connection only while something is on air.
    pub only_when_live: bool,
    /// Chat far below its own rate for that long is thinned.
    pub thinned: Duration,
    /// Events that all rooms together have booked and not handed on yet.
    pub in_hand: Arc<AtomicU64>,
}

/// One room's own things.
#[derive(Clone)]
pub struct Room {
    /// Which room.
    pub id: RoomId,
    /// What survives this life.
    pub memory: Arc<RoomMemory>,
    /// What it publishes.
    pub vitals: Arc<Vitals>,
    /// What all rooms share; in one place, because a life holds this several times.
    pub shared: Arc<RoomShared>,
}

/// Raised when the life should end.
pub type Leash = Arc<Flag>;

/// One life of a room, to be lived.
pub struct RoomLife {
    /// Whose.
    pub room: Room,
    /// Ends it.
    pub leash: Leash,
}

/// The actor: mailbox and lifecycle of one life.
pub type RoomActor = Life<RoomLife>;

impl Work for RoomLife {
    type Name = RoomId;

    fn work(self) -> impl Future<Output = Exit> {
        live(self.room, self.leash)
    }
}

/// The whole life of a connection; ends with the reason.
pub async fn live(room: Room, leash: Leash) -> Exit {
    // What each step needs is let go of when it is over: thousands of rooms may wait for their turn, and a quiet room
    // holds little but its connection.
    let Some(permit) = Box::pin(turn(&room, &leash)).await else { return Exit::Done };
    match Box::pin(get_in(room, permit, &leash)).await {
        Ok(reading) => reading.run(leash).await,
        Err(exit) => exit,
    }
}

/// Waits until the room may connect; none if it is let go before.
async fn turn(room: &Room, leash: &Leash) -> Option<Permit> {
    if let Some(info) = room.shared.wall.info(room.id) {
        room.shared.airs.of(room.id).recall(&info);
    }
    room.memory.past.set_heard(false);
    let turn = async {
        if room.shared.only_when_live {
            waiting::for_broadcast(room).await;
        }
        room.enter(State::Waiting, Doing::WaitingForGate);
        room.shared.gate.enter().await
    };
    select! {
        biased;
        () = leash.raised() => None,
        permit = turn => Some(permit),
    }
}

async fn get_in(room: Room, permit: Permit, leash: &Leash) -> Result<Box<reading::Reading>, Exit> {
    let mut game = None;
    let connected = select! {
        biased;
        () = leash.raised() => None,
        connected = connect::connect(&room, permit, &mut game) => Some(connected),
    };
    let exit = match connected {
        Some(Ok(connected)) => return Ok(Box::new(reading::Reading::new(room, connected, game))),
        None => Exit::Done,
        Some(Err(error)) => {
            if let AskError::Throttled { pause, everybody: true, .. } = &error {
                room.shared.gate.close_for(*pause);
            }
            error.into()
        }
    };
    if let Some(game) = game {
        game.end().await;
    }
    Err(exit)
}

impl Room {
    fn enter(&self, state: State, doing: Doing) {
        self.vitals.enter(state);
        self.vitals.doing(doing);
        self.shared.wall.set_state(self.id, state, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, F: Future>(_: fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_connecting_needs_lies_in_no_task() {
        // Ten thousand quiet rooms hold as many; to connect takes ten times that.
        let task = size_of_future(live);
        assert!(task <= 1024, "{task} bytes");
    }
}
