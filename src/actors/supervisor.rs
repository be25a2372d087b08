//! RoomSupervisor: the rooms that should run against those that do.
//!
//! What should run is data ([`Desired`], which outlives this actor); what does run is derived from it. A
//! death comes in as an [`Exited`], goes through [`policy::decide`], and the verdict is carried out: a
//! new life now or later, or none. All deadlines stand in one heap behind one timer. A wave of deaths is
//! the upstream's or our network's doing and spends nobody's budget.
//!
//! Invariant: an entry has at most one life at a time, and a report of an older life changes nothing.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::SeqCst},
    time::Duration,
};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseFuture, SpawnHandle};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};
use tracing::{error, info, warn};

use super::{
    memory::RoomMemory,
    placement::Placement,
    room::{Room, RoomActor, RoomLife, RoomShared},
};
use crate::{
    domain::RoomId,
    supervise::{
        exit::Exit,
        obituary::{Exited, Obituary},
        policy::{self, History, Limits, Verdict},
        vitals::{Board, Death, State, Vitals},
    },
};

/// Which rooms should run, with what survives their lives. Shared by all lives of the supervisor.
#[derive(Clone, Default)]
pub struct Desired(Arc<Mutex<BTreeMap<RoomId, Wish>>>);

#[derive(Clone)]
struct Wish {
    paused: bool,
    memory: Arc<RoomMemory>,
    vitals: Arc<Vitals>,
}

impl Desired {
    fn rooms(&self) -> MutexGuard<'_, BTreeMap<RoomId, Wish>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a supervisor needs to start rooms.
#[derive(Clone)]
pub struct SupervisorSpec {
    /// Which rooms should run.
    pub desired: Desired,
    /// What all rooms share.
    pub shared: RoomShared,
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
    deadlines: BinaryHeap<Reverse<(Instant, RoomId, u32)>>,
    timer: Option<(Instant, SpawnHandle)>,
    deaths: VecDeque<Instant>,
    storm: bool,
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
    /// Present while a life is under way; letting go ends it.
    leash: Option<watch::Sender<bool>>,
    /// A life was ended on purpose; the next one begins at once.
    restarting: bool,
    /// Dropped with the child, which tells them.
    waiting_for_end: Vec<oneshot::Sender<()>>,
}

/// A wave of deaths is this many ...
const STORM_DEATHS: usize = 10;
/// ... or this part of all rooms, whichever is more, ...
const STORM_SHARE: f64 = 0.2;
/// ... within this.
const STORM_WINDOW: Duration = Duration::from_secs(10);
/// How often what should run is compared with what does.
const RECONCILE: Duration = Duration::from_secs(30);

impl RoomSupervisor {
    /// A supervisor that has not started.
    pub fn new(spec: SupervisorSpec, vitals: Arc<Vitals>, obituary: Obituary<&'static str>) -> RoomSupervisor {
        RoomSupervisor {
            dice: SmallRng::seed_from_u64(spec.seed),
            spec,
            vitals,
            children: BTreeMap::new(),
            deadlines: BinaryHeap::new(),
            timer: None,
            deaths: VecDeque::new(),
            storm: false,
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
        let wish = self.spec.desired.rooms().get(&room).cloned();
        match (wish, self.children.get(&room)) {
            (Some(wish), None) if !wish.paused && !self.draining => self.begin(room, wish, ctx),
            (Some(_), None) => {}
            (Some(wish), Some(child)) => {
                if wish.paused || self.draining {
                    child.let_go();
                }
            }
            (None, Some(child)) if child.leash.is_some() => child.let_go(),
            (None, _) => self.forget(room),
        }
    }

    /// Begins the next life of a room.
    fn begin(&mut self, room: RoomId, wish: Wish, ctx: &mut Context<Self>) {
        let life = wish.vitals.begin_life();
        let (leash, held) = watch::channel(false);
        let child = self.children.entry(room).or_insert_with(|| Child {
            history: History::default(),
            memory: wish.memory.clone(),
            life,
            begun: Instant::now(),
            leash: None,
            restarting: false,
            waiting_for_end: Vec::new(),
        });
        child.life = life;
        child.begun = Instant::now();
        child.leash = Some(leash);
        child.restarting = false;
        let obituary = Obituary::new(ctx.address().recipient(), room, life);
        let own = Room { id: room, memory: wish.memory, vitals: wish.vitals, shared: self.spec.shared.clone() };
        let life = RoomLife { room: own, leash: held };
        let home = self.placement().home(room);
        RoomActor::start_in_arbiter(&home, move |_| RoomActor::new(life, obituary));
    }

    /// Carries out what the policy says about a death.
    fn bury(&mut self, room: RoomId, exit: &Exit, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let storm = self.is_storm(exit, now);
        let wish = self.spec.desired.rooms().get(&room).cloned();
        let Some(child) = self.children.get_mut(&room) else { return };
        child.leash = None;
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
        if child.restarting && *exit == Exit::Done {
            self.begin(room, wish, ctx);
            return;
        }
        let dice = self.dice.random::<f64>();
        // Whatever fells many at once is not this room's fault.
        let blamed = if storm && matches!(exit, Exit::Refused(_)) { &Exit::Lost(exit.to_string()) } else { exit };
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
        if state == State::Failed || matches!(exit, Exit::Panicked(_) | Exit::Vanished) {
            error!(room.id = %room, life, place = exit.place(), "room {room}, life {life}: {exit} -> {text}");
        } else {
            info!(room.id = %room, life, "room {room}, life {life}: {exit} -> {text}");
        }
        wish.vitals.failed_with(exit.to_string(), exit.place().map(str::to_owned));
        self.show(room, &wish.vitals, state, Some(exit.to_string()));
        self.spec.board.bury(Death::of(wish.vitals.name(), life, exit, lived, text));
        self.deadlines.push(Reverse((now + after, room, life)));
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
        self.deaths.push_back(now);
        while self.deaths.front().is_some_and(|then| now.duration_since(*then) > STORM_WINDOW) {
            self.deaths.pop_front();
        }
        let many = STORM_DEATHS.max((self.children.len() as f64 * STORM_SHARE) as usize);
        let storm = self.deaths.len() > many;
        if storm && !self.storm {
            let deaths = self.deaths.len();
            warn!(
                deaths,
                "{deaths} rooms fell within 10 s: the cause is the upstream's or our network's; no room is blamed"
            );
        }
        self.storm = storm;
        storm
    }

    fn forget(&mut self, room: RoomId) {
        self.children.remove(&room);
        self.placement().leave(room);
        self.spec.board.remove(&name_of(room));
        self.spec.shared.wall.remove(room);
    }

    /// Begins the lives that are due.
    fn due(&mut self, ctx: &mut Context<Self>) {
        self.timer = None;
        let now = Instant::now();
        while let Some(Reverse((at, room, life))) = self.deadlines.peek().copied() {
            if at > now {
                break;
            }
            self.deadlines.pop();
            let waits = self.children.get(&room).is_some_and(|child| child.life == life && child.leash.is_none());
            let wish = self.spec.desired.rooms().get(&room).cloned();
            if let Some(wish) = wish
                && waits
                && !wish.paused
                && !self.draining
            {
                self.begin(room, wish, ctx);
            }
        }
        self.set_timer(ctx);
    }

    /// Keeps the one timer at the first deadline.
    fn set_timer(&mut self, ctx: &mut Context<Self>) {
        let Some(Reverse((first, _, _))) = self.deadlines.peek().copied() else { return };
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
        if self.draining && self.children.values().all(|child| child.leash.is_none()) {
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
    fn let_go(&self) {
        if let Some(leash) = &self.leash {
            leash.send_replace(true);
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
        self.reconcile(ctx);
        ctx.run_interval(RECONCILE, |supervisor, ctx| supervisor.reconcile(ctx));
        ctx.run_interval(Duration::from_secs(1), |supervisor, _| supervisor.vitals.beat());
    }
}

/// Watch this room from now on; a paused one is resumed. Idempotent.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Watch {
    /// Which.
    pub room: RoomId,
    /// Known, but not to be connected.
    pub paused: bool,
}

impl Handler<Watch> for RoomSupervisor {
    type Result = ();

    fn handle(&mut self, watch: Watch, ctx: &mut Context<Self>) {
        let Watch { room, paused } = watch;
        let wish = {
            let mut rooms = self.spec.desired.rooms();
            let wish = rooms.entry(room).or_insert_with(|| Wish {
                paused,
                memory: Arc::default(),
                vitals: Vitals::new(name_of(room), "room", "rooms", None),
            });
            wish.paused = paused;
            wish.clone()
        };
        self.spec.board.add(wish.vitals.clone());
        if paused && self.children.get(&room).is_none_or(|child| child.leash.is_none()) {
            self.children.remove(&room);
            self.show(room, &wish.vitals, State::Paused, None);
        }
        self.reconcile_room(room, ctx);
    }
}

/// Watch this room no longer. Answered when its life has ended. Idempotent.
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
        let Some(wish) = self.spec.desired.rooms().get(&room).cloned() else { return };
        if wish.paused || self.draining {
            return;
        }
        if let Some(child) = self.children.get_mut(&room) {
            child.history = History::default();
            if child.leash.is_some() {
                child.restarting = true;
                child.let_go();
                return;
            }
        }
        self.begin(room, wish, ctx);
    }
}

/// End all rooms; answered when the last one has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Drain;

impl Handler<Drain> for RoomSupervisor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, ctx: &mut Context<Self>) -> ResponseFuture<()> {
        let (to, done) = oneshot::channel();
        self.draining = true;
        self.drained = Some(to);
        self.vitals.enter(State::Draining);
        self.reconcile(ctx);
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
            self.bury(room, &exit, ctx);
            self.reconcile_room(room, ctx);
            self.check_drained(ctx);
        }
    }
}
