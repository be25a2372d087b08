//! The parts of the program, and which of them a process of each role has.
//!
//! ```text
//! all        rooms → writer → live store → sync → SQLite ← pages;  broadcast → ring → browsers
//! collector  rooms → writer → outbox → Redis;  broadcast → ring → relay → Redis
//! sync       Redis → sync → SQLite
//! web        Redis → follower → ring, wall, books → browsers;  SQLite ← pages
//! ```

use std::sync::{Arc, Mutex as StdMutex, atomic::AtomicU64};

use actix::{Arbiter, ArbiterHandle};
use tokio::sync::{Mutex, Notify, mpsc, watch};

use super::{
    RECORD_LANE, RECORD_POLICY, StartError, VIEW_LANE, archiving,
    stores::{LiveStores, Opened},
};
use crate::{
    actors::{
        air::Airs,
        broadcast::BroadcastSpec,
        follower::FollowerSpec,
        graves::Graves,
        ledger::Ledger,
        placement::Placement,
        redis_writer::WriterSpec,
        relay::{RelaySpec, RelayedRooms},
        report::{COLLECTOR, Reports, SYNC},
        ring::Ring,
        room::RoomShared,
        root::{self, Singleton},
        scribe::ScribeSpec,
        status::StatusSpec,
        supervisor::{Desired, SupervisorSpec},
        sync::SyncSpec,
        sync_request::SyncRequest,
        wall::Wall,
    },
    config::{Connect, OpenLiveSettings, Role, Settings},
    domain::{Event, RoomId},
    protocol::openlive::AppKey,
    store::{redis::RedisStore, sqlite::Database},
    supervise::{
        board::Board,
        inbox::Inbox,
        lane::{LaneGauge, WhenFull, lane},
        pulse::Pulse,
        vitals::{Vitals, unix_ms},
    },
    upstream::{Bilibili, Gate, OpenLive, OpenLiveApp, tls},
};

/// What the parts of a process share.
pub(super) struct Shared {
    pub(super) role: Role,
    pub(super) database: Database,
    pub(super) stores: LiveStores,
    pub(super) board: Arc<Board>,
    pub(super) wall: Arc<Wall>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) ring: Arc<Ring>,
    /// The limit on new connections.
    pub(super) gate: Arc<Gate>,
    /// What other processes say of themselves.
    pub(super) reports: Arc<Reports>,
    /// Rung when something was appended to the live store.
    appended: Arc<Notify>,
    pub(super) seed: u64,
}

/// The ends of a process, in the order in which they are told.
pub(super) struct Finish {
    pub(super) sync: watch::Sender<bool>,
    pub(super) scribe: watch::Sender<bool>,
    /// Of the relay and the follower.
    pub(super) crossing: watch::Sender<bool>,
}

impl Default for Finish {
    fn default() -> Finish {
        let sender = || watch::channel(false).0;
        Finish { sync: sender(), scribe: sender(), crossing: sender() }
    }
}

/// The rooms, and what only they use.
pub(super) struct Collecting {
    pub(super) supervisor: (SupervisorSpec, Arc<Vitals>),
    /// Events that rooms have in hand, and those in the lane to the writer.
    pub(super) in_hand: Arc<AtomicU64>,
    pub(super) record: Arc<LaneGauge>,
    /// Turns true when the raw archive is written, if there is one.
    pub(super) archived: watch::Receiver<bool>,
    /// Ends whoever asks who is on air.
    pub(super) status_leash: watch::Sender<bool>,
}

impl Shared {
    /// Of a process that has just opened its stores.
    pub(super) fn new(settings: &Settings, opened: Opened) -> Shared {
        let role = settings.role;
        let Opened { database, stores } = opened;
        // A process that collects has the books and the ring; another has copies, if any.
        let boot = if role.collects() { unix_ms().unsigned_abs() } else { 0 };
        let expected: &[&str] = if role == Role::Web { &[COLLECTOR, SYNC] } else { &[] };
        Shared {
            role,
            database,
            stores,
            board: Arc::default(),
            wall: Arc::default(),
            ledger: Arc::default(),
            ring: Arc::new(Ring::new(boot)),
            gate: Arc::new(Gate::new(settings.connects_per_second)),
            reports: Arc::new(Reports::of(expected)),
            appended: Arc::default(),
            seed: rand::random(),
        }
    }

    /// A thread for the singletons, with its pulse on the board beside that of this one.
    pub(super) fn io(&self) -> ArbiterHandle {
        let io = Arbiter::new().handle();
        self.feel("main", &Arbiter::current());
        self.feel("io", &io);
        io
    }

    fn feel(&self, name: &str, thread: &ArbiterHandle) {
        let pulse = Pulse::new(name);
        self.board.add_pulse(pulse.clone());
        thread.spawn(pulse.tick());
    }

    fn vitals(&self, name: &'static str, inbox: Option<&Arc<LaneGauge>>) -> Arc<Vitals> {
        let kind = if name == root::ROOMS { "supervisor" } else { name };
        Vitals::new(name.to_owned(), kind, "root", inbox.cloned())
    }

    /// The rooms, and the singletons that they need.
    pub(super) fn collecting(
        &self,
        settings: &Settings,
        upstream: &Arc<Bilibili>,
        finish: &Finish,
    ) -> Result<(Collecting, Vec<Singleton>), StartError> {
        let open_live = settings.open_live.as_ref().map(|keys| open_live_of(keys, settings)).transpose()?;
        let (record, record_inbox) = lane::<Arc<Event>>("rooms → live store", RECORD_LANE, RECORD_POLICY);
        let (view, view_inbox) = lane::<Arc<Event>>("rooms → browsers", VIEW_LANE, WhenFull::ShedNewest);
        self.board.add_lane(record.gauge().clone());
        self.board.add_lane(view.gauge().clone());
        let (airs, in_hand) = (Arc::<Airs>::default(), Arc::<AtomicU64>::default());
        let (status_leash, leash) = watch::channel(false);
        let record_gauge = record.gauge().clone();
        let (raw, archived) = archiving::start(settings, &self.board);
        let singletons =
            vec![self.writer(record_inbox), self.broadcast(view_inbox), self.scribe(finish, &record_gauge), {
                let vitals = self.vitals(root::STATUS, None);
                let work = StatusSpec {
                    upstream: upstream.clone(),
                    airs: airs.clone(),
                    wall: self.wall.clone(),
                    interval: settings.status_interval,
                    leash,
                    vitals: vitals.clone(),
                };
                Singleton::new(root::STATUS, vitals, work)
            }];
        let supervisor = SupervisorSpec {
            desired: Desired::default(),
            shared: Arc::new(RoomShared {
                raw,
                upstream: upstream.clone(),
                gate: self.gate.clone(),
                record,
                view,
                ledger: self.ledger.clone(),
                wall: self.wall.clone(),
                airs,
                open_live: open_live.map(Arc::new),
                only_when_live: settings.connect == Connect::WhenLive,
                thinned: settings.thinned,
                in_hand: in_hand.clone(),
            }),
            board: self.board.clone(),
            seed: self.seed,
            placement: Arc::new(StdMutex::new(Placement::on_threads(self.board.clone()))),
        };
        let supervisor = (supervisor, self.vitals(root::ROOMS, None));
        Ok((Collecting { supervisor, in_hand, record: record_gauge, archived, status_leash }, singletons))
    }

    fn writer(&self, inbox: Inbox<Arc<Event>>) -> Singleton {
        let vitals = self.vitals(root::WRITER, Some(inbox.gauge()));
        let work = WriterSpec {
            vitals: vitals.clone(),
            inbox: Arc::new(Mutex::new(inbox)),
            live: self.stores.for_actors.clone(),
            wall: self.wall.clone(),
            appended: self.appended.clone(),
            graves: Graves::new(self.database.clone(), self.ledger.clone()),
        };
        Singleton::new(root::WRITER, vitals, work)
    }

    fn broadcast(&self, inbox: Inbox<Arc<Event>>) -> Singleton {
        let vitals = self.vitals(root::BROADCAST, Some(inbox.gauge()));
        let work = BroadcastSpec {
            vitals: vitals.clone(),
            inbox: Arc::new(Mutex::new(inbox)),
            ring: self.ring.clone(),
            wall: self.wall.clone(),
        };
        Singleton::new(root::BROADCAST, vitals, work)
    }

    fn scribe(&self, finish: &Finish, lane: &Arc<LaneGauge>) -> Singleton {
        let vitals = self.vitals(root::SCRIBE, None);
        let work = ScribeSpec {
            database: self.database.clone(),
            wall: self.wall.clone(),
            ledger: self.ledger.clone(),
            lane: lane.clone(),
            learns: !self.role.syncs(),
            finish: finish.scribe.subscribe(),
            vitals: vitals.clone(),
        };
        Singleton::new(root::SCRIBE, vitals, work)
    }

    /// The sync, which reads these requests.
    pub(super) fn sync(
        &self,
        settings: &Settings,
        requests: mpsc::Receiver<SyncRequest>,
        finish: &Finish,
    ) -> Singleton {
        let vitals = self.vitals(root::SYNC, None);
        let work = SyncSpec {
            live: self.stores.for_actors.clone(),
            database: self.database.clone(),
            interval: settings.sync_interval,
            appended: self.appended.clone(),
            requests: Arc::new(Mutex::new(requests)),
            finish: finish.sync.subscribe(),
            to_the_end: self.role.collects(),
            ledger: self.ledger.clone(),
            suspicion: Arc::default(),
            wall: self.wall.clone(),
            vitals: vitals.clone(),
        };
        Singleton::new(root::SYNC, vitals, work)
    }

    /// What brings this process's news to the one with the pages, or the others' to this one; nothing where all are
    /// one process.
    pub(super) fn crossing(&self, finish: &Finish) -> Option<Singleton> {
        let redis = self.stores.crossing.clone()?;
        Some(if self.role == Role::Web { self.follower(redis, finish) } else { self.relay(redis, finish) })
    }

    fn relay(&self, redis: RedisStore, finish: &Finish) -> Singleton {
        let vitals = self.vitals(root::RELAY, None);
        let rooms = RelayedRooms { ring: self.ring.clone(), ledger: self.ledger.clone() };
        let work = RelaySpec {
            role: self.role.as_str(),
            redis,
            rooms: self.role.collects().then_some(rooms),
            board: self.board.clone(),
            wall: self.wall.clone(),
            live: self.stores.for_actors.clone(),
            finish: finish.crossing.subscribe(),
            vitals: vitals.clone(),
        };
        Singleton::new(root::RELAY, vitals, work)
    }

    fn follower(&self, redis: RedisStore, finish: &Finish) -> Singleton {
        let vitals = self.vitals(root::FOLLOWER, None);
        let work = FollowerSpec {
            redis,
            database: self.database.clone(),
            ring: self.ring.clone(),
            wall: self.wall.clone(),
            ledger: self.ledger.clone(),
            reports: self.reports.clone(),
            place: Arc::default(),
            finish: finish.crossing.subscribe(),
            vitals: vitals.clone(),
        };
        Singleton::new(root::FOLLOWER, vitals, work)
    }
}

/// The way to the Open Live platform, by the keys of its file.
fn open_live_of(keys: &OpenLiveSettings, settings: &Settings) -> Result<OpenLive, StartError> {
    let key = AppKey { id: keys.access_key_id.clone(), secret: keys.access_key_secret.0.clone() };
    let codes = keys.codes.iter().map(|(room, code)| (RoomId(*room), code.0.clone())).collect();
    let tls = tls::client_config(&settings.extra_roots.anchors);
    Ok(OpenLive::new(OpenLiveApp { app_id: keys.app_id, key, codes }, settings.upstream.as_ref(), tls)?)
}
