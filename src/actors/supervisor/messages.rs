//! What the room supervisor is told, and what it does about it. Every command may be repeated.

use std::{sync::Arc, time::Duration};

use actix::{Context, Handler, Message, ResponseFuture};
use tokio::{sync::oneshot, time::Instant};
use tracing::info;

use super::{Due, RoomSupervisor, Wish, name_of};
use crate::{
    domain::RoomId,
    supervise::{
        life::Turn,
        obituary::Exited,
        vitals::{State, Vitals},
    },
};

/// Watch this room from now on; a paused one is resumed.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Watch {
    /// Which.
    pub room: RoomId,
    /// Known, but not to be connected.
    pub paused: bool,
    /// Bilibili has just said what it knows of it, and need not be asked when it is connected.
    pub asked: bool,
}

impl Handler<Watch> for RoomSupervisor {
    type Result = ();

    fn handle(&mut self, watch: Watch, ctx: &mut Context<Self>) {
        let Watch { room, paused, asked } = watch;
        let wish = {
            let mut rooms = self.spec.desired.rooms();
            let wish = rooms.entry(room).or_insert_with(|| Wish {
                paused,
                memory: Arc::default(),
                vitals: Vitals::new(name_of(room), "room", "rooms", None),
                turn: Turn::default(),
                living: None,
            });
            wish.paused = paused;
            if asked {
                wish.memory.has_been_told();
            }
            wish.clone()
        };
        self.spec.board.add(wish.vitals.clone());
        if paused && self.children.get(&room).is_none_or(|child| child.living.is_none()) {
            self.children.remove(&room);
            self.show(room, &wish.vitals, State::Paused, None);
        }
        self.reconcile_room(room, ctx);
    }
}

/// Watch this room no longer. Answered when its life has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Unwatch(pub RoomId);

impl Handler<Unwatch> for RoomSupervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Unwatch(room): Unwatch, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        self.spec.desired.rooms().remove(&room);
        let (ended, end) = oneshot::channel();
        if let Some(child) = self.children.get_mut(&room) {
            child.waiting_for_end.push(ended);
        }
        self.reconcile_room(room, ctx);
        Box::pin(async move {
            // The sender goes with the child, unless there is none.
            let _: Result<(), _> = end.await;
        })
    }
}

/// End the present life of this room and begin a new one at once; a failed room is revived.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Restart(pub RoomId);

impl Handler<Restart> for RoomSupervisor {
    type Result = ();

    fn handle(&mut self, Restart(room): Restart, ctx: &mut Context<Self>) {
        self.restart(room, ctx);
    }
}

/// End the present lives of all rooms one after another, as fast as the gate lets the new ones in: so no
/// room waits long without a connection. Answers how many.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct ReconnectAll;

impl Handler<ReconnectAll> for RoomSupervisor {
    type Result = usize;

    fn handle(&mut self, _: ReconnectAll, ctx: &mut Context<Self>) -> usize {
        let spacing = self.spec.shared.gate.spacing();
        let mut at = Instant::now();
        let rooms: Vec<RoomId> = self.children.keys().copied().collect();
        for room in &rooms {
            let Some(child) = self.children.get(room) else { continue };
            self.deadlines.push(at, *room, child.life, Due::Reconnect);
            at += spacing;
        }
        info!("{} rooms are reconnected, one every {} ms", rooms.len(), spacing.as_millis());
        self.set_timer(ctx);
        rooms.len()
    }
}

/// End all rooms; answered when the last one has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain;

/// A room that does not say goodbye is ended after so long: it would keep the lanes open.
const GOODBYE: Duration = Duration::from_millis(1700);

impl Handler<Drain> for RoomSupervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        let (to, done) = oneshot::channel();
        self.draining = true;
        self.drained = Some(to);
        self.vitals.enter(State::Draining);
        let at = Instant::now() + GOODBYE;
        for (room, child) in &self.children {
            self.deadlines.push(at, *room, child.life, Due::Kill);
        }
        self.reconcile(ctx);
        self.set_timer(ctx);
        Box::pin(async move {
            // The sender is kept until the last room has ended.
            let _ = done.await;
        })
    }
}

impl Handler<Exited<RoomId>> for RoomSupervisor {
    type Result = ();

    fn handle(&mut self, exited: Exited<RoomId>, ctx: &mut Context<Self>) {
        let Exited { child: room, life, exit } = exited;
        if self.children.get(&room).is_some_and(|child| child.life == life) {
            self.bury(room, exit, ctx);
            self.reconcile_room(room, ctx);
            self.check_drained(ctx);
        }
    }
}
