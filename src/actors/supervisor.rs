//! RoomSupervisor: the rooms that should run against those that do.
//!
//! What should run is data ([`Desired`], which outlives this actor); what does run is derived from it. A
//! death comes in as an `Exited`, goes through [`policy::decide`], and the verdict is carried out: a
//! new life now or later, or none. All deadlines stand in one heap behind one timer. A wave of deaths is
//! the upstream's or our network's doing and spends nobody's budget. A life that no longer moves is ended.
//!
//! Rooms live on when their supervisor dies: its next life takes them over.
//!
//! Invariant: an entry has at most one life at a time, and a report of an older life changes nothing.

mod deadlines;
mod desired;
mod messages;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::SeqCst},
    time::Duration,
};

use actix::{Actor, ActorContext, AsyncContext, Context, SpawnHandle};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{sync::oneshot, time::Instant};
use tracing::{error, info, warn};

use self::{
    deadlines::{Deadline, Deadlines, Due},
    desired::{Living, Wish},
};
pub use self::{
    desired::Desired,
    messages::{Drain, ReconnectAll, Restart, Unwatch, Watch},
};
use super::{
    memory::RoomMemory,
    placement::Placement,
    room::{Leash, Room, RoomActor, RoomLife, RoomShared},
};
use crate::{
    domain::RoomId,
    supervise::{
        board::{Board, Death},
        exit::Exit,
        faults::{self, Point},
        life::Kill,
        obituary::Obituary,
        policy::{self, History, Limits, Verdict},
        storm::{StormGuard, Weather},
        vitals::{State, Vitals},
        watchdog::Watchdog,
    },
};

/// What a supervisor needs to start rooms.
#[derive(Clone)]
pub struct SupervisorSpec {
    /// Which rooms should run.
    pub desired: Desired,
    /// What all rooms share.
    pub shared: Arc<RoomShared>,
    /// Where health is shown.
    pub board: Arc<Board>,
    /// Seed of the dice that spread retries.
    pub seed: u64,
    /// Where rooms live.
    pub placement: Arc<Mutex<Placement>>,
}

/// The actor.
pub struct RoomSupervisor {
    spec: SupervisorSpec,
    vitals: Arc<Vitals>,
    children: BTreeMap<RoomId, Child>,
    deadlines: Deadlines,
    timer: Option<(Instant, SpawnHandle)>,
    storms: StormGuard,
    dice: SmallRng,
    drained: Option<oneshot::Sender<()>>,
    draining: bool,
    /// Last field: dropped last.
    obituary: Obituary<&'static str>,
}

struct Child {
    history: History,
    memory: Arc<RoomMemory>,
    life: u32,
    begun: Instant,
    /// Present while a life is under way.
    living: Option<Living>,
    watchdog: Watchdog,
    /// The life was ended for not moving; what it was doing.
    stuck: Option<String>,
    /// A life was ended on purpose; the next one begins at once.
    restarting: bool,
    /// Dropped with the child, which tells them.
    waiting_for_end: Vec<oneshot::Sender<()>>,
}

/// How often what should run is compared with what does.
const RECONCILE: Duration = Duration::from_secs(30);
/// A life that was let go and has not ended by then is ended.
const LET_GO: Duration = Duration::from_secs(5);
/// A life that is stuck is ended so much later; until then it is only shown.
const STUCK: Duration = Duration::from_secs(30);

impl RoomSupervisor {
    /// A supervisor that has not started.
    pub fn new(spec: SupervisorSpec, vitals: Arc<Vitals>, obituary: Obituary<&'static str>) -> RoomSupervisor {
        RoomSupervisor {
            dice: SmallRng::seed_from_u64(spec.seed),
            spec,
            vitals,
            children: BTreeMap::new(),
            deadlines: Deadlines::default(),
            timer: None,
            storms: StormGuard::default(),
            drained: None,
            draining: false,
            obituary,
        }
    }

    /// Compares what should run with what does.
    fn reconcile(&mut self, ctx: &mut Context<Self>) {
        let mut rooms: BTreeSet<RoomId> = self.spec.desired.rooms().keys().copied().collect();
        rooms.extend(self.children.keys());
        for room in rooms {
            self.reconcile_room(room, ctx);
        }
        self.check_drained(ctx);
    }

    /// The same for one room.
    fn reconcile_room(&mut self, room: RoomId, ctx: &mut Context<Self>) {
        let wish = self.spec.desired.get(room);
        match (wish, self.children.contains_key(&room)) {
            (Some(wish), false) if !wish.paused && !self.draining => self.begin(room, &wish),
            (Some(_), false) => {}
            (Some(wish), true) => {
                if wish.paused || self.draining {
                    self.let_go(room, ctx);
                }
            }
            (None, true) if self.lives(room) => self.let_go(room, ctx),
            (None, _) => self.forget(room),
        }
    }

    /// Whether a life of this room is under way.
    fn lives(&self, room: RoomId) -> bool {
        self.children.get(&room).is_some_and(|child| child.living.is_some())
    }

    /// Begins the next life of a room.
    fn begin(&mut self, room: RoomId, wish: &Wish) {
        let (life, now) = (wish.vitals.begin_life(), Instant::now());
        let leash = Leash::default();
        let place = self.spec.placement.lock().unwrap_or_else(PoisonError::into_inner).place(
            room,
            &wish.vitals,
            now,
            &mut self.dice,
        );
        wish.vitals.lives_on(place.thread);
        let obituary = Obituary::new(self.spec.desired.mourner.clone(), room, life);
        let own = Room {
            id: room,
            memory: wish.memory.clone(),
            vitals: wish.vitals.clone(),
            shared: self.spec.shared.clone(),
        };
        let (work, turn) = (RoomLife { room: own, leash: leash.clone() }, wish.turn.clone());
        let actor = RoomActor::start_in_arbiter(&place.arbiter, move |_| RoomActor::in_turn(work, turn, obituary));
        let living = Living { life, begun: now, leash, actor };
        self.spec.desired.lives(room, Some(living.clone()));
        self.has_begun(room, wish, living);
    }

    /// A life is under way, begun by this supervisor or by the one before.
    fn has_begun(&mut self, room: RoomId, wish: &Wish, living: Living) {
        let child = self.children.entry(room).or_insert_with(|| Child {
            history: History::default(),
            memory: wish.memory.clone(),
            life: living.life,
            begun: living.begun,
            living: None,
            watchdog: Watchdog::new(&wish.vitals, living.begun),
            stuck: None,
            restarting: false,
            waiting_for_end: Vec::new(),
        });
        child.life = living.life;
        child.begun = living.begun;
        child.watchdog = Watchdog::new(&wish.vitals, Instant::now());
        child.living = Some(living);
        child.restarting = false;
    }

    /// Takes over the lives that the supervisor before has begun, if they are still under way.
    fn adopt(&mut self) {
        let wishes = self.spec.desired.rooms().clone();
        for (room, wish) in wishes {
            match &wish.living {
                Some(living) if living.actor.connected() => self.has_begun(room, &wish, living.clone()),
                // Its death was reported to nobody; the next life begins without being blamed for it.
                _ => self.spec.desired.lives(room, None),
            }
        }
    }

    /// Ends the present life of a room, which says goodbye first, if it still can.
    fn let_go(&mut self, room: RoomId, ctx: &mut Context<Self>) {
        let Some(child) = self.children.get(&room) else { return };
        if let Some(living) = &child.living
            && !living.leash.set(true)
        {
            self.deadlines.push(Instant::now() + LET_GO, room, child.life, Due::Kill);
            self.set_timer(ctx);
        }
    }

    /// Ends the present life of a room and begins a new one; a failed room is revived.
    fn restart(&mut self, room: RoomId, ctx: &mut Context<Self>) {
        let Some(wish) = self.spec.desired.get(room) else { return };
        if wish.paused || self.draining {
            return;
        }
        if let Some(child) = self.children.get_mut(&room) {
            child.history = History::default();
            if child.living.is_some() {
                child.restarting = true;
                self.let_go(room, ctx);
                return;
            }
        }
        self.begin(room, &wish);
    }

    /// Ends lives that no longer move.
    fn end_the_stuck(&mut self) {
        let now = Instant::now();
        for (room, child) in &mut self.children {
            let Some(wish) = self.spec.desired.get(*room) else { continue };
            if child.living.is_none() {
                continue;
            }
            if let Some((doing, silent)) = child.watchdog.stuck(&wish.vitals, STUCK, now) {
                child.stuck = Some(format!("{} for {} s without a sign of life", doing.as_str(), silent.as_secs()));
                child.kill();
            }
        }
    }

    /// Carries out what the policy says about a death.
    fn bury(&mut self, room: RoomId, exit: Exit, ctx: &mut Context<Self>) {
        let now = Instant::now();
        if let Err(fault) = faults::reach(Point::RoomsVerdict, room.0) {
            self.obituary.because(Exit::Lost(fault.to_string()));
            ctx.stop();
            return;
        }
        let storm = self.is_storm(&exit, now);
        let wish = self.spec.desired.get(room);
        let Some(child) = self.children.get_mut(&room) else { return };
        child.living = None;
        self.spec.desired.lives(room, None);
        let exit = match (exit, child.stuck.take()) {
            (Exit::Vanished, Some(why)) => Exit::Stuck(why),
            (exit, _) => exit,
        };
        let lived = now.duration_since(child.begun);
        let Some(wish) = wish else {
            let memory = child.memory.clone();
            self.give_up(room, &memory);
            self.forget(room);
            return;
        };
        if wish.paused || self.draining {
            let state = if wish.paused { State::Paused } else { State::Stopped };
            self.children.remove(&room);
            self.show(room, &wish.vitals, state, None);
            return;
        }
        // One that was let go and would not end was ended.
        // One whose broadcast is over begins anew at once, by waiting for the next.
        if exit == Exit::Ended || (child.restarting && matches!(exit, Exit::Done | Exit::Vanished)) {
            self.begin(room, &wish);
            return;
        }
        let dice = self.dice.random::<f64>();
        // Whatever fells many at once is not this room's fault.
        let blamed = if storm && matches!(exit, Exit::Refused(_)) { &Exit::Lost(exit.to_string()) } else { &exit };
        // A connection that was let in and never brought anything proves nothing: it forgives no streak.
        let proven = if child.memory.past.was_heard() { lived } else { Duration::ZERO };
        let verdict = policy::decide(&Limits::ROOM, &mut child.history, blamed, proven, now, dice);
        let life = child.life;
        let (after, state, text) = match verdict {
            // Its work ended although the room is wanted, as when a supervisor died in between.
            Verdict::Forget => (Duration::from_secs(1), State::Backoff, "restart in 1.0 s".to_owned()),
            Verdict::Restart { after } => (after, State::Backoff, format!("restart in {:.1} s", after.as_secs_f64())),
            Verdict::Park { probe, why } => (probe, State::Failed, format!("failed: {}", why.as_str())),
        };
        if state == State::Failed || matches!(exit, Exit::Panicked(_) | Exit::Stuck(_) | Exit::Vanished) {
            error!(room.id = %room, life, place = exit.place(), "room {room}, life {life}: {exit} -> {text}");
        } else {
            info!(room.id = %room, life, "room {room}, life {life}: {exit} -> {text}");
        }
        if exit == Exit::Vanished {
            // Perhaps it was the thread.
            self.spec.placement.lock().unwrap_or_else(PoisonError::into_inner).move_away(room, now, &mut self.dice);
        }
        wish.vitals.ended(&exit);
        self.show(room, &wish.vitals, state, Some(exit.to_string()));
        self.spec.board.bury(Death::of(wish.vitals.name(), life, &exit, lived, text));
        self.deadlines.push(now + after, room, life, Due::Begin);
        self.set_timer(ctx);
    }

    /// No life comes any more that could hand on what the last one had in hand.
    fn give_up(&self, room: RoomId, memory: &RoomMemory) {
        let events = memory.give_up_in_hand();
        if events > 0 {
            self.spec.shared.ledger.dropped(room, "stopped", events);
            self.spec.shared.in_hand.fetch_sub(events, SeqCst);
            error!(room.id = %room, events, "room {room}: {events} events in hand were lost when it ended");
        }
    }

    fn show(&self, room: RoomId, vitals: &Vitals, state: State, error: Option<String>) {
        vitals.enter(state);
        self.spec.shared.wall.set_state(room, state, error);
    }

    /// Whether this death is one of a wave.
    fn is_storm(&mut self, exit: &Exit, now: Instant) -> bool {
        if !matches!(exit, Exit::Lost(_) | Exit::Refused(_)) {
            return false;
        }
        match self.storms.fell(self.children.len(), now) {
            Weather::Calm => return false,
            Weather::StormBegins { deaths } => warn!(
                deaths,
                "{deaths} rooms fell within 10 s: the cause is the upstream's or our network's; no room is blamed"
            ),
            Weather::Storm => {}
        }
        self.spec.board.storm();
        true
    }

    fn forget(&mut self, room: RoomId) {
        self.children.remove(&room);
        self.placement().forget(room);
        self.spec.board.remove(&name_of(room));
        self.spec.shared.wall.remove(room);
    }

    /// Does what is due.
    fn due(&mut self, ctx: &mut Context<Self>) {
        self.timer = None;
        let now = Instant::now();
        while let Some(Deadline { room, life, due, .. }) = self.deadlines.take_due(now) {
            let Some(child) = self.children.get(&room).filter(|child| child.life == life) else { continue };
            match (due, child.living.is_some(), self.spec.desired.get(room)) {
                (Due::Begin, false, Some(wish)) if !wish.paused && !self.draining => self.begin(room, &wish),
                (Due::Kill, true, _) => child.kill(),
                (Due::Reconnect, true, _) => self.restart(room, ctx),
                _ => {}
            }
        }
        self.set_timer(ctx);
    }

    /// Keeps the one timer at the first deadline.
    fn set_timer(&mut self, ctx: &mut Context<Self>) {
        let Some(first) = self.deadlines.first() else { return };
        if let Some((at, handle)) = self.timer {
            if at <= first {
                return;
            }
            ctx.cancel_future(handle);
        }
        let handle = ctx.run_later(first.saturating_duration_since(Instant::now()), Self::due);
        self.timer = Some((first, handle));
    }

    fn placement(&self) -> MutexGuard<'_, Placement> {
        self.spec.placement.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the last room has ended this actor has nothing left to do.
    fn check_drained(&mut self, ctx: &mut Context<Self>) {
        if self.draining && self.children.values().all(|child| child.living.is_none()) {
            let wishes = self.spec.desired.rooms().clone();
            for (room, wish) in &wishes {
                self.give_up(*room, &wish.memory);
            }
            self.placement().close();
            self.obituary.because(Exit::Done);
            if let Some(drained) = self.drained.take() {
                // Nobody waits any more when the deadline has passed.
                let _ = drained.send(());
            }
            ctx.stop();
        }
    }
}

impl Child {
    #[expect(clippy::disallowed_methods, reason = "at most one for a life, and it must not wait for a stuck one")]
    fn kill(&self) {
        if let Some(living) = &self.living {
            living.actor.do_send(Kill);
        }
    }
}

fn name_of(room: RoomId) -> String {
    format!("room {room}")
}

impl Actor for RoomSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.vitals.enter(State::Running);
        self.spec.desired.mourner.is_now(ctx.address().recipient());
        self.adopt();
        self.reconcile(ctx);
        ctx.run_interval(RECONCILE, |supervisor, ctx| {
            supervisor.end_the_stuck();
            supervisor.reconcile(ctx);
        });
        ctx.run_interval(Duration::from_secs(1), |supervisor, _| supervisor.vitals.beat());
    }
}
