//! Everything but the web, on one thread whose time is paused, and how a test ends: with the books.

use std::{
    sync::{Arc, Mutex as StdMutex, MutexGuard},
    time::Duration,
};

use actix::{Addr, Arbiter, System};
use tempfile::TempDir;
use tokio::sync::{Mutex, Notify, watch};

use super::super::{
    air::Airs,
    broadcast::BroadcastSpec,
    graves::Graves,
    handles::Rooms,
    ledger::Ledger,
    placement::Placement,
    redis_writer::WriterSpec,
    ring::Ring,
    room::RoomShared,
    root::{self, EndRooms, Ended, Root, RootSpec, Singleton},
    scribe::ScribeSpec,
    script::Script,
    status::StatusSpec,
    supervisor::{Desired, SupervisorSpec},
    sync::SyncSpec,
    sync_request::SyncHandle,
    wall::Wall,
};
use crate::{
    domain::{Event, RoomId, RoomRef},
    store::{LiveStore, embedded::EmbeddedStore, sqlite::Database},
    supervise::{
        board::Board,
        lane::{WhenFull, lane},
        life::Work,
        vitals::{State, Vitals},
    },
    upstream::Gate,
};

/// Everything but the web, on one thread whose time is paused.
pub struct World {
    pub script: Arc<Script>,
    pub rooms: Rooms,
    pub root: Addr<Root>,
    pub ended: watch::Receiver<Ended>,
    pub finish_sync: watch::Sender<bool>,
    pub finish_scribe: watch::Sender<bool>,
    pub board: Arc<Board>,
    pub ledger: Arc<Ledger>,
    pub wall: Arc<Wall>,
    pub ring: Arc<Ring>,
    pub database: Database,
    _folder: TempDir,
    pub placement: Arc<StdMutex<Placement>>,
}

fn singleton<W>(name: &'static str, work: impl FnOnce(Arc<Vitals>) -> W) -> Singleton
where
    W: Work<Name = &'static str> + Clone + Send,
{
    let vitals = Vitals::new(name.to_owned(), "test", "root", None);
    Singleton::new(name, vitals.clone(), work(vitals))
}

/// In what a world differs from the next.
struct Plan {
    threads: usize,
    only_when_live: bool,
    connects_per_second: f64,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { threads: 0, only_when_live: false, connects_per_second: 50.0 }
    }
}

/// Runs a test on a paused system.
pub fn on_paused_time(test: impl Future<Output = ()>) {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    System::with_tokio_rt(runtime).block_on(test);
}

impl World {
    /// With the embedded live store.
    pub fn new() -> World {
        World::with_store(|store| Arc::new(store))
    }

    /// With another live store.
    pub fn with_store(wrap: impl FnOnce(EmbeddedStore) -> Arc<dyn LiveStore>) -> World {
        World::made(wrap, Plan::default())
    }

    /// With rooms on threads of their own, where time cannot be paused.
    pub fn on_threads(threads: usize) -> World {
        World::made(|store| Arc::new(store), Plan { threads, ..Plan::default() })
    }

    /// With rooms that hold a connection only while they are on air.
    pub fn when_live() -> World {
        World::made(|store| Arc::new(store), Plan { only_when_live: true, ..Plan::default() })
    }

    /// With a gate that lets so many connects through.
    pub fn at_pace(connects_per_second: f64) -> World {
        World::made(|store| Arc::new(store), Plan { connects_per_second, ..Plan::default() })
    }

    fn made(wrap: impl FnOnce(EmbeddedStore) -> Arc<dyn LiveStore>, plan: Plan) -> World {
        let Plan { threads, only_when_live, connects_per_second } = plan;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = Database::open(&folder.path().join("live.db")).expect("a database");
        let live = wrap(EmbeddedStore::open(folder.path()).expect("a store"));
        let script = Arc::new(Script::default());
        let (board, wall, ledger) = (Arc::<Board>::default(), Arc::<Wall>::default(), Arc::<Ledger>::default());
        let ring = Arc::new(Ring::new(1));
        let policy = WhenFull::KeepDurable { reserve: 1024, patience: Duration::from_secs(2) };
        let (record, record_inbox) = lane::<Arc<Event>>("record", 4096, policy);
        let (view, view_inbox) = lane::<Arc<Event>>("view", 4096, WhenFull::ShedNewest);
        let placement = Arc::new(StdMutex::new(Placement::on(threads, board.clone())));
        let (_, requests) = SyncHandle::new();
        let (finish_sync, finish) = watch::channel(false);
        let (status_leash, leash) = watch::channel(false);
        let airs = Arc::<Airs>::default();
        let appended = Arc::new(Notify::new());
        let (finish_scribe, finish_writing) = watch::channel(false);
        let singletons = vec![
            singleton(root::SYNC, |vitals| SyncSpec {
                live: live.clone(),
                database: database.clone(),
                interval: Duration::from_millis(500),
                appended: appended.clone(),
                requests: Arc::new(Mutex::new(requests)),
                finish,
                to_the_end: true,
                ledger: ledger.clone(),
                suspicion: Arc::default(),
                wall: wall.clone(),
                vitals,
            }),
            singleton(root::WRITER, |vitals| WriterSpec {
                inbox: Arc::new(Mutex::new(record_inbox)),
                live,
                wall: wall.clone(),
                appended,
                graves: Graves::new(database.clone(), ledger.clone()),
                vitals,
            }),
            singleton(root::BROADCAST, |vitals| BroadcastSpec {
                inbox: Arc::new(Mutex::new(view_inbox)),
                ring: ring.clone(),
                wall: wall.clone(),
                vitals,
            }),
            singleton(root::SCRIBE, |vitals| ScribeSpec {
                database: database.clone(),
                wall: wall.clone(),
                ledger: ledger.clone(),
                lane: record.gauge().clone(),
                learns: false,
                finish: finish_writing,
                vitals,
            }),
            singleton(root::STATUS, |vitals| StatusSpec {
                upstream: script.clone(),
                airs: airs.clone(),
                wall: wall.clone(),
                interval: Duration::from_secs(30),
                leash,
                vitals,
            }),
        ];
        let supervisor = SupervisorSpec {
            desired: Desired::default(),
            shared: Arc::new(RoomShared {
                raw: None,
                upstream: script.clone(),
                gate: Arc::new(Gate::new(connects_per_second)),
                record,
                view,
                ledger: ledger.clone(),
                wall: wall.clone(),
                airs,
                open_live: None,
                only_when_live,
                thinned: Duration::from_secs(180),
                in_hand: Arc::default(),
            }),
            board: board.clone(),
            seed: 7,
            placement: placement.clone(),
        };
        let spec = RootSpec {
            singletons,
            status_leash,
            rooms: Some((supervisor, Vitals::new("rooms".to_owned(), "test", "root", None))),
            board: board.clone(),
            io: Arbiter::current(),
            seed: 7,
        };
        let (root, ended) = Root::start_all(spec);
        let rooms = Rooms::new(root.clone(), script.clone(), database.clone(), wall.clone(), ledger.clone());
        World {
            script,
            rooms,
            root,
            ended,
            finish_sync,
            finish_scribe,
            board,
            ledger,
            wall,
            ring,
            database,
            placement,
            _folder: folder,
        }
    }

    pub async fn watch(&self, room: u64) {
        self.rooms.add(RoomRef(room)).await.expect("added");
    }

    /// Where the rooms live.
    pub fn placement(&self) -> MutexGuard<'_, Placement> {
        self.placement.lock().expect("no test panics while it holds this")
    }

    /// The deaths so far, oldest first, a line each.
    pub fn log(&self) -> Vec<String> {
        let mut deaths = self.board.deaths();
        deaths.reverse();
        deaths
            .iter()
            .map(|death| format!("{} life {} {} -> {}", death.name, death.life, death.text, death.verdict))
            .collect()
    }

    pub fn state(&self, room: u64) -> State {
        self.wall.summary(RoomId(room)).expect("on the wall").state
    }

    /// Stops as the app does, and checks that nothing was lost on the way; returns what is stored per room.
    pub async fn stop(mut self, rooms: &[u64]) -> Vec<i64> {
        self.root.send(EndRooms).await.expect("Root lives");
        for name in [root::WRITER, root::BROADCAST] {
            self.ended.wait_for(|ended| ended.done.contains(&name)).await.expect("it ends");
        }
        self.finish_sync.send_replace(true);
        self.ended.wait_for(|ended| ended.done.contains(&root::SYNC)).await.expect("the sync ends");
        self.finish_scribe.send_replace(true);
        self.ended.wait_for(|ended| ended.done.contains(&root::SCRIBE)).await.expect("the scribe ends");
        let ledger = self.ledger.reading();
        assert!(ledger.balanced, "{ledger:?}");
        assert_eq!(ledger.total.pending, 0, "{ledger:?}");
        let stored: i64 = rooms.iter().map(|room| self.stored(*room)).sum();
        assert_eq!(ledger.total.stored, stored.unsigned_abs(), "the books and the rows say the same");
        rooms.iter().map(|room| self.stored(*room)).collect()
    }

    pub fn stored(&self, room: u64) -> i64 {
        self.database.totals(RoomId(room)).expect("readable").danmaku
    }
}
