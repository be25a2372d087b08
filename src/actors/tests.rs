//! The whole supervision tree on paused time, against a scripted upstream.
//!
//! What is compared is text: the deaths and what was made of them, so that a change of policy is read as a
//! changed log. Every test ends with the ledger's balance and the rows that are really there.

use std::{
    sync::{
        Arc, Mutex as StdMutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use actix::{Addr, Arbiter, System};
use async_trait::async_trait;
use tempfile::TempDir;
use tokio::{
    sync::{Mutex, Notify, watch},
    time::sleep,
};

use super::{
    air::Airs,
    broadcast::BroadcastSpec,
    handles::Rooms,
    ledger::Ledger,
    placement::Placement,
    redis_writer::WriterSpec,
    ring::Ring,
    room::RoomShared,
    root::{self, EndRooms, Ended, Root, RootSpec},
    script::{Act, Script, chat},
    status::StatusSpec,
    supervisor::{Desired, SupervisorSpec},
    sync::SyncSpec,
    sync_request::SyncHandle,
    wall::Wall,
};
use crate::{
    domain::{Event, RoomId, RoomInfo, RoomRef},
    store::{
        Batch, Batching, LiveStore, LiveStoreStatus, Position, RecentList, RoomTotals, StoreError, StoreKind,
        embedded::EmbeddedStore, sqlite::Database,
    },
    supervise::{
        lane::{WhenFull, lane},
        obituary,
        vitals::{Board, State, Vitals},
    },
    upstream::Gate,
};

mod gaps_tests;

/// Everything but the web, on one thread whose time is paused.
struct World {
    script: Arc<Script>,
    rooms: Rooms,
    root: Addr<Root>,
    ended: watch::Receiver<Ended>,
    finish_sync: watch::Sender<bool>,
    board: Arc<Board>,
    ledger: Arc<Ledger>,
    wall: Arc<Wall>,
    ring: Arc<Ring>,
    database: Database,
    _folder: TempDir,
}

/// Runs a test on a paused system.
fn on_paused_time(test: impl Future<Output = ()>) {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    System::with_tokio_rt(runtime).block_on(test);
}

impl World {
    fn new() -> World {
        World::with_store(|store| Arc::new(store))
    }

    fn with_store(wrap: impl FnOnce(EmbeddedStore) -> Arc<dyn LiveStore>) -> World {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = Database::open(&folder.path().join("live.db")).expect("a database");
        let live = wrap(EmbeddedStore::open(folder.path()).expect("a store"));
        let script = Arc::new(Script::default());
        let (board, wall, ledger) = (Arc::<Board>::default(), Arc::<Wall>::default(), Arc::<Ledger>::default());
        let ring = Arc::new(Ring::new(1));
        let policy = WhenFull::KeepDurable { reserve: 1024, patience: Duration::from_secs(2) };
        let (record, record_inbox) = lane::<Arc<Event>>("record", 4096, policy);
        let (view, view_inbox) = lane::<Arc<Event>>("view", 4096, WhenFull::ShedNewest);
        let (_, requests) = SyncHandle::new();
        let (finish_sync, finish) = watch::channel(false);
        let (status_leash, leash) = watch::channel(false);
        let airs = Arc::<Airs>::default();
        let appended = Arc::new(Notify::new());
        let vitals = |name: &str| Vitals::new(name.to_owned(), "test", "root", None);
        let spec = RootSpec {
            sync: SyncSpec {
                live: live.clone(),
                database: database.clone(),
                interval: Duration::from_millis(500),
                appended: appended.clone(),
                requests: Arc::new(Mutex::new(requests)),
                finish,
                ledger: ledger.clone(),
                wall: wall.clone(),
                vitals: vitals("sync"),
            },
            writer: WriterSpec {
                inbox: Arc::new(Mutex::new(record_inbox)),
                live,
                wall: wall.clone(),
                appended,
                vitals: vitals("redis_writer"),
            },
            broadcast: BroadcastSpec {
                inbox: Arc::new(Mutex::new(view_inbox)),
                ring: ring.clone(),
                wall: wall.clone(),
                vitals: vitals("broadcast"),
            },
            status: StatusSpec {
                upstream: script.clone(),
                airs: airs.clone(),
                wall: wall.clone(),
                interval: Duration::from_secs(30),
                leash,
                vitals: vitals("status"),
            },
            status_leash,
            rooms: Some(SupervisorSpec {
                desired: Desired::default(),
                shared: RoomShared {
                    upstream: script.clone(),
                    gate: Arc::new(Gate::new(50.0)),
                    record,
                    view,
                    ledger: ledger.clone(),
                    wall: wall.clone(),
                    airs,
                    in_hand: Arc::default(),
                },
                board: board.clone(),
                seed: 7,
                placement: Arc::new(StdMutex::new(Placement::inline())),
            }),
            rooms_vitals: vitals("rooms"),
            board: board.clone(),
            io: Arbiter::current(),
            seed: 7,
        };
        let (root, ended) = Root::start_all(spec);
        let rooms = Rooms::new(root.clone(), script.clone(), database.clone(), wall.clone(), ledger.clone());
        World { script, rooms, root, ended, finish_sync, board, ledger, wall, ring, database, _folder: folder }
    }

    async fn watch(&self, room: u64) {
        self.rooms.add(RoomRef(room)).await.expect("added");
    }

    /// The deaths so far, oldest first, a line each.
    fn log(&self) -> Vec<String> {
        let mut deaths = self.board.deaths();
        deaths.reverse();
        deaths
            .iter()
            .map(|death| format!("{} life {} {} -> {}", death.name, death.life, death.text, death.verdict))
            .collect()
    }

    fn state(&self, room: u64) -> State {
        self.wall.summary(RoomId(room)).expect("on the wall").state
    }

    /// Stops as the app does, and checks that nothing was lost on the way; returns what is stored per room.
    async fn stop(mut self, rooms: &[u64]) -> Vec<i64> {
        self.root.send(EndRooms).await.expect("Root lives");
        for name in [root::WRITER, root::BROADCAST] {
            self.ended.wait_for(|ended| ended.done.contains(&name)).await.expect("it ends");
        }
        self.finish_sync.send_replace(true);
        self.ended.wait_for(|ended| ended.done.contains(&root::SYNC)).await.expect("the sync ends");
        let ledger = self.ledger.reading();
        assert!(ledger.balanced, "{ledger:?}");
        assert_eq!(ledger.total.pending, 0, "{ledger:?}");
        let stored: i64 = rooms.iter().map(|room| self.stored(*room)).sum();
        assert_eq!(ledger.total.stored, stored.unsigned_abs(), "the books and the rows say the same");
        rooms.iter().map(|room| self.stored(*room)).collect()
    }

    fn stored(&self, room: u64) -> i64 {
        self.database.totals(RoomId(room)).expect("readable").danmaku
    }
}

#[test]
fn every_death_goes_through_the_policy_and_what_was_received_is_stored() {
    on_paused_time(async {
        let world = World::new();
        let minute = Duration::from_secs(60);
        world.script.life(1, vec![Act::Say(chat(1)), Act::Say(chat(2)), Act::Wait(minute), Act::Close]);
        world.script.life(1, vec![Act::Away]);
        world.script.life(1, vec![Act::Say(chat(2)), Act::Say(chat(3)), Act::Close]);
        world.script.life(1, vec![Act::Refuse]);
        world.script.life(1, vec![Act::Refuse]);
        world.script.life(1, vec![Act::Refuse]);
        world.watch(1).await;
        sleep(Duration::from_secs(600)).await;
        assert_eq!(
            world.log(),
            [
                "room 1 life 1 lost: the upstream said goodbye -> restart in 0.5 s",
                "room 1 life 2 lost: Bilibili was not reached for getDanmuInfo: refused -> restart in 1.2 s",
                "room 1 life 3 lost: the upstream said goodbye -> restart in 3.4 s",
                "room 1 life 4 refused: Bilibili refused getDanmuInfo: 65530 -> restart in 21.4 s",
                "room 1 life 5 refused: Bilibili refused getDanmuInfo: 65530 -> restart in 58.9 s",
                "room 1 life 6 refused: Bilibili refused getDanmuInfo: 65530 -> failed: refused",
            ]
        );
        assert_eq!(world.state(1), State::Failed);
        sleep(Duration::from_secs(900)).await;
        assert_eq!(world.state(1), State::Live, "a failed room is probed");
        assert_eq!(world.ledger.reading().total.duplicate, 1, "what the upstream repeats after a reconnect");
        assert_eq!(world.ring.events_so_far(None), 3);
        assert_eq!(world.stop(&[1]).await, [3]);
    });
}

#[test]
fn a_panicking_room_does_not_disturb_its_neighbours() {
    obituary::remember_panics();
    on_paused_time(async {
        let world = World::new();
        for _ in 0..5 {
            world.script.life(1, vec![Act::Say(chat(1)), Act::PanicThem]);
        }
        world.script.life(2, (0..50).flat_map(|n| [Act::Say(chat(n)), Act::Wait(Duration::from_secs(1))]).collect());
        world.watch(1).await;
        world.watch(2).await;
        sleep(Duration::from_secs(120)).await;
        let log = world.log();
        assert_eq!(log.len(), 5, "{log:?}");
        assert!(log.iter().all(|line| line.starts_with("room 1") && line.contains("panicked: scripted")), "{log:?}");
        assert!(log[4].ends_with("failed: crashing"), "{log:?}");
        assert!(world.board.deaths()[0].place.as_deref().is_some_and(|place| place.contains("script.rs:")));
        assert_eq!(world.state(2), State::Live);
        assert_eq!(world.stop(&[1, 2]).await, [1, 50]);
    });
}

#[test]
fn an_upstream_that_falls_silent_or_sends_garbage_is_noticed() {
    on_paused_time(async {
        let world = World::new();
        world.script.life(1, vec![Act::Garbage, Act::Say(chat(1)), Act::FallSilent]);
        world.watch(1).await;
        sleep(Duration::from_secs(34)).await;
        assert!(world.log().is_empty() || world.log()[0].contains("heartbeat"), "{:?}", world.log());
        sleep(Duration::from_secs(30)).await;
        assert!(world.log()[0].contains("a heartbeat was not answered in 5 s"), "{:?}", world.log());
        assert_eq!(world.state(1), State::Live);
        assert_eq!(world.ledger.reading().total.unreadable, 1);
        assert_eq!(world.stop(&[1]).await, [1]);
    });
}

#[test]
fn a_wave_of_refusals_fails_no_room() {
    on_paused_time(async {
        let world = World::new();
        for room in 1..=40 {
            for _ in 0..3 {
                world.script.life(room, vec![Act::Refuse]);
            }
            world.watch(room).await;
        }
        sleep(Duration::from_secs(600)).await;
        let failed = (1..=40).filter(|room| world.state(*room) == State::Failed).count();
        assert!(failed <= 10, "only those that fell before the wave was seen may have spent their budget: {failed}");
        world.stop(&[]).await;
    });
}

#[test]
fn a_paused_room_stays_disconnected_and_a_removed_one_is_gone() {
    on_paused_time(async {
        let world = World::new();
        world.watch(1).await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.state(1), State::Live);
        world.rooms.pause(RoomId(1)).await.expect("paused");
        sleep(Duration::from_secs(120)).await;
        assert_eq!(world.state(1), State::Paused);
        world.rooms.resume(RoomId(1)).await.expect("resumed");
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.state(1), State::Live);
        world.rooms.restart(RoomId(1)).await.expect("restarted");
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.state(1), State::Live);
        assert_eq!(world.board.actors().iter().find(|actor| actor.name == "room 1").map(|actor| actor.life), Some(3));
        world.rooms.remove(RoomId(1), false).await.expect("removed");
        sleep(Duration::from_secs(5)).await;
        assert!(world.wall.summary(RoomId(1)).is_none());
        assert!(world.board.actors().iter().all(|actor| actor.kind != "room"));
        assert!(world.log().is_empty(), "{:?}", world.log());
        world.stop(&[]).await;
    });
}

/// A store that fails, or makes its caller panic, at chosen appends.
struct Faulty {
    store: EmbeddedStore,
    appends: AtomicU32,
    fault: fn(u32) -> Fault,
}

enum Fault {
    None,
    Error,
    Panic,
}

#[async_trait]
impl LiveStore for Faulty {
    fn kind(&self) -> StoreKind {
        self.store.kind()
    }
    fn batching(&self) -> Batching {
        Batching { max_events: 10, linger: Duration::from_millis(20) }
    }
    async fn append(&self, events: &[Arc<Event>]) -> Result<(), StoreError> {
        match (self.fault)(self.appends.fetch_add(1, Relaxed)) {
            Fault::None => self.store.append(events).await,
            Fault::Error => Err(StoreError::Unreachable("scripted".into())),
            Fault::Panic => panic!("scripted"),
        }
    }
    async fn read_after(&self, position: Option<&Position>, max_events: usize) -> Result<Vec<Batch>, StoreError> {
        self.store.read_after(position, max_events).await
    }
    async fn forget_through(&self, position: &Position) -> Result<(), StoreError> {
        self.store.forget_through(position).await
    }
    async fn backlog(&self, position: Option<&Position>) -> Result<u64, StoreError> {
        self.store.backlog(position).await
    }
    async fn recent(&self, room: RoomId, list: RecentList, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.store.recent(room, list, limit).await
    }
    async fn put_room(&self, info: &RoomInfo) -> Result<(), StoreError> {
        self.store.put_room(info).await
    }
    async fn put_totals(&self, room: RoomId, totals: &RoomTotals) -> Result<(), StoreError> {
        self.store.put_totals(room, totals).await
    }
    async fn put_active(&self, rooms: &[RoomId]) -> Result<(), StoreError> {
        self.store.put_active(rooms).await
    }
    async fn status(&self) -> Result<LiveStoreStatus, StoreError> {
        self.store.status().await
    }
}

fn busy_room(world: &World, room: u64, lines: u64) {
    let acts = (0..lines).flat_map(|n| [Act::Say(chat(n)), Act::Wait(Duration::from_millis(100))]);
    world.script.life(room, acts.collect());
}

#[test]
fn a_live_store_that_comes_and_goes_loses_nothing() {
    on_paused_time(async {
        let world = World::with_store(|store| {
            let fault = |nth| if nth % 7 < 4 { Fault::Error } else { Fault::None };
            Arc::new(Faulty { store, appends: AtomicU32::new(0), fault })
        });
        busy_room(&world, 1, 300);
        world.watch(1).await;
        sleep(Duration::from_secs(120)).await;
        assert!(world.log().is_empty(), "a store that is away is nobody's death: {:?}", world.log());
        assert_eq!(world.stop(&[1]).await, [300]);
    });
}

#[test]
fn a_writer_that_panics_leaves_its_batch_to_its_next_life() {
    obituary::remember_panics();
    on_paused_time(async {
        let world = World::with_store(|store| {
            let fault = |nth| if nth == 3 || nth == 9 { Fault::Panic } else { Fault::None };
            Arc::new(Faulty { store, appends: AtomicU32::new(0), fault })
        });
        busy_room(&world, 1, 300);
        world.watch(1).await;
        sleep(Duration::from_secs(120)).await;
        let log = world.log();
        assert_eq!(log.len(), 2, "{log:?}");
        assert!(log.iter().all(|line| line.starts_with("redis_writer life") && line.contains("scripted")), "{log:?}");
        assert_eq!(world.stop(&[1]).await, [300]);
    });
}

#[test]
fn two_thousand_rooms_live_through_ten_minutes() {
    on_paused_time(async {
        let world = World::new();
        for room in 1..=2000 {
            let acts = (0..6).flat_map(|n| [Act::Say(chat(n)), Act::Wait(Duration::from_secs(60 + room % 40))]);
            world.script.life(room, acts.chain([Act::Close]).collect());
            world.wall.put(RoomInfo::unknown(RoomId(room)));
            world.rooms.watch(RoomInfo::unknown(RoomId(room)), false, RoomTotals::default()).await.expect("watched");
        }
        sleep(Duration::from_secs(600)).await;
        let rooms: Vec<u64> = (1..=2000).collect();
        let stored = world.stop(&rooms).await;
        assert!(stored.iter().all(|lines| *lines >= 5), "{stored:?}");
    });
}
