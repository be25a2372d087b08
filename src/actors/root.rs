//! Root: starts the singletons, restarts them when they die, and gives up when one keeps dying.
//!
//! One for one: lanes and inboxes outlive their readers, so the siblings of a dead actor need no restart.
//! An actor that spends its budget ends the program with exit status 70; above us is the process manager,
//! and it is a supervisor too.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{
    Actor, ActorFutureExt, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message, Recipient, ResponseActFuture,
    ResponseFuture, WrapFuture,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::{sync::watch, time::Instant};
use tracing::error;

use super::supervisor::{Drain, ReconnectAll, Restart, RoomSupervisor, SupervisorSpec, Unwatch, Watch};
use crate::supervise::{
    board::{Board, Death},
    exit::Exit,
    life::{Kill, Life, Work},
    obituary::{Exited, Obituary},
    policy::{self, History, Limits, Verdict},
    vitals::{State, Vitals},
    watchdog::Watchdog,
};

/// Names of the singletons.
pub const SYNC: &str = "sync";
/// The writer into the live store.
pub const WRITER: &str = "redis_writer";
/// The way to browsers.
pub const BROADCAST: &str = "broadcast";
/// Whoever asks who is on air.
pub const STATUS: &str = "status";
/// Whoever writes down what is no event.
pub const SCRIBE: &str = "scribe";
/// Whoever shows what this process knows to the one with the pages.
pub const RELAY: &str = "relay";
/// Whoever copies what that shows.
pub const FOLLOWER: &str = "follower";
/// The supervisor of the rooms.
pub const ROOMS: &str = "rooms";

/// An actor of which there is one: how it is called, what it publishes, and how a life of it begins.
pub struct Singleton {
    name: &'static str,
    vitals: Arc<Vitals>,
    begin: Begin,
}

type Begin = Box<dyn Fn(&ArbiterHandle, Obituary<&'static str>) -> Recipient<Kill>>;

impl Singleton {
    /// One that does `work`, which outlives all its lives.
    pub fn new<W>(name: &'static str, vitals: Arc<Vitals>, work: W) -> Singleton
    where
        W: Work<Name = &'static str> + Clone + Send,
    {
        let begin = move |io: &ArbiterHandle, obituary| {
            let work = work.clone();
            Life::start_in_arbiter(io, move |_| Life::new(work, obituary)).recipient()
        };
        Singleton { name, vitals, begin: Box::new(begin) }
    }
}

/// Everything that Root starts.
pub struct RootSpec {
    /// In the order in which they are started: sinks before sources.
    pub singletons: Vec<Singleton>,
    /// Ends whoever asks who is on air, when let go.
    pub status_leash: watch::Sender<bool>,
    /// The rooms, and what their supervisor publishes; let go of, with the lanes' writing ends in it, when they
    /// have ended.
    pub rooms: Option<(SupervisorSpec, Arc<Vitals>)>,
    /// Where health is shown.
    pub board: Arc<Board>,
    /// Where the singletons live.
    pub io: ArbiterHandle,
    /// Seed of the dice that spread retries.
    pub seed: u64,
}

/// How the singletons are, for whoever stops the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Singletons whose work is over.
    pub done: Vec<&'static str>,
    /// The one that spent its budget.
    pub given_up: Option<&'static str>,
}

/// The actor.
pub struct Root {
    spec: RootSpec,
    children: BTreeMap<&'static str, Child>,
    rooms: Option<Addr<RoomSupervisor>>,
    dice: SmallRng,
    ended: watch::Sender<Ended>,
}

struct Child {
    vitals: Arc<Vitals>,
    history: History,
    life: u32,
    begun: Instant,
    watchdog: Watchdog,
    /// How the present life is ended from outside; the room supervisor cannot get stuck on a wait.
    kill: Option<Recipient<Kill>>,
    /// The life was ended for not moving; what it was doing.
    stuck: Option<String>,
}

/// How often lives that no longer move are looked for.
const WATCH: Duration = Duration::from_secs(10);
/// A singleton that is stuck is ended so much later: a history that is being vacuumed is only slow.
const STUCK: Duration = Duration::from_secs(120);

impl Root {
    /// Starts Root and, sinks before sources, the singletons. The receiver tells which have ended.
    pub fn start_all(spec: RootSpec) -> (Addr<Root>, watch::Receiver<Ended>) {
        let (ended, receiver) = watch::channel(Ended::default());
        let mut children = BTreeMap::new();
        let singletons = spec.singletons.iter().map(|singleton| (singleton.name, &singleton.vitals));
        for (name, vitals) in singletons.chain(spec.rooms.iter().map(|(_, vitals)| (ROOMS, vitals))) {
            spec.board.add(vitals.clone());
            let now = Instant::now();
            let child = Child {
                vitals: vitals.clone(),
                history: History::default(),
                life: 0,
                begun: now,
                watchdog: Watchdog::new(vitals, now),
                kill: None,
                stuck: None,
            };
            children.insert(name, child);
        }
        let dice = SmallRng::seed_from_u64(spec.seed);
        (Root { spec, children, rooms: None, dice, ended }.start(), receiver)
    }

    fn begin(&mut self, name: &'static str, ctx: &mut Context<Self>) {
        let Some(child) = self.children.get_mut(name) else { return };
        child.life = child.vitals.begin_life();
        child.begun = Instant::now();
        child.watchdog = Watchdog::new(&child.vitals, child.begun);
        child.vitals.lives_on(if name == ROOMS { "main" } else { "io" }.into());
        let obituary = Obituary::new(ctx.address().recipient(), name, child.life);
        if let Some(singleton) = self.spec.singletons.iter().find(|singleton| singleton.name == name) {
            child.kill = Some((singleton.begin)(&self.spec.io, obituary));
        } else if let Some((spec, vitals)) = self.spec.rooms.clone() {
            self.rooms = Some(RoomSupervisor::new(spec, vitals, obituary).start());
        }
    }
}

impl Root {
    #[expect(clippy::disallowed_methods, reason = "at most one for a life, and it must not wait for a stuck one")]
    fn end_the_stuck(&mut self) {
        for child in self.children.values_mut() {
            let moves = matches!(child.vitals.state(), State::Running | State::Draining);
            let stuck = child.watchdog.stuck(&child.vitals, STUCK, Instant::now()).filter(|_| moves);
            if let (Some((doing, silent)), Some(kill)) = (stuck, &child.kill) {
                child.stuck = Some(format!("{} for {} s without a sign of life", doing.as_str(), silent.as_secs()));
                kill.do_send(Kill);
            }
        }
    }
}

impl Actor for Root {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let singletons = self.spec.singletons.iter().map(|singleton| singleton.name);
        let rooms = self.spec.rooms.iter().map(|_| ROOMS);
        for name in singletons.chain(rooms).collect::<Vec<_>>() {
            self.begin(name, ctx);
        }
        ctx.run_interval(WATCH, |root, _| root.end_the_stuck());
    }
}

impl Handler<Exited<&'static str>> for Root {
    type Result = ();

    fn handle(&mut self, exited: Exited<&'static str>, ctx: &mut Context<Self>) {
        let Exited { child: name, life, exit } = exited;
        let Some(child) = self.children.get_mut(name).filter(|child| child.life == life) else { return };
        if exit == Exit::Done {
            child.vitals.enter(State::Stopped);
            self.ended.send_modify(|ended| ended.done.push(name));
            return;
        }
        let exit = match (exit, child.stuck.take()) {
            (Exit::Vanished, Some(why)) => Exit::Stuck(why),
            (exit, _) => exit,
        };
        child.kill = None;
        let (now, dice) = (Instant::now(), self.dice.random::<f64>());
        let lived = now.duration_since(child.begun);
        let verdict = policy::decide(&Limits::SINGLETON, &mut child.history, &exit, lived, now, dice);
        child.vitals.ended(&exit);
        let text = match verdict {
            Verdict::Restart { after } => {
                child.vitals.enter(State::Backoff);
                ctx.run_later(after, move |root, ctx| root.begin(name, ctx));
                format!("restart in {:.1} s", after.as_secs_f64())
            }
            Verdict::Park { .. } | Verdict::Forget => {
                child.vitals.enter(State::Failed);
                self.ended.send_modify(|ended| ended.given_up = Some(name));
                "given up: the program stops".to_owned()
            }
        };
        error!(life, place = exit.place(), "{name}, life {life}: {exit} -> {text}");
        self.spec.board.bury(Death::of(name, life, &exit, lived, text));
    }
}

/// A command for the room supervisor, whichever life it is in. Answers whether it was taken.
#[derive(Message)]
#[rtype(result = "bool")]
pub enum ToRooms {
    /// See [`Watch`].
    Watch(Watch),
    /// See [`Unwatch`].
    Unwatch(Unwatch),
    /// See [`Restart`].
    Restart(Restart),
    /// See [`ReconnectAll`].
    ReconnectAll(ReconnectAll),
}

impl Handler<ToRooms> for Root {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, command: ToRooms, _: &mut Context<Self>) -> ResponseFuture<bool> {
        let rooms = self.rooms.clone();
        Box::pin(async move {
            let Some(rooms) = rooms else { return false };
            match command {
                ToRooms::Watch(watch) => rooms.send(watch).await.is_ok(),
                ToRooms::Unwatch(unwatch) => rooms.send(unwatch).await.is_ok(),
                ToRooms::Restart(restart) => rooms.send(restart).await.is_ok(),
                ToRooms::ReconnectAll(all) => rooms.send(all).await.is_ok(),
            }
        })
    }
}

/// End all rooms and let go of the lanes, so that their readers see the end. Answered when no room lives.
#[derive(Message)]
#[rtype(result = "()")]
pub struct EndRooms;

impl Handler<EndRooms> for Root {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: EndRooms, _: &mut Context<Self>) -> ResponseActFuture<Self, ()> {
        // What a poll told of now nobody would hand on.
        self.spec.status_leash.send_replace(true);
        let rooms = self.rooms.clone();
        let drained = async move {
            if let Some(rooms) = rooms {
                // A supervisor that died has no rooms.
                let _ = rooms.send(Drain).await;
            }
        };
        Box::pin(drained.into_actor(self).map(|(), root, _| {
            root.rooms = None;
            root.spec.rooms = None;
        }))
    }
}
