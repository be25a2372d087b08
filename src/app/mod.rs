//! The only file that knows everybody: starts in order, stops in reverse.
//!
//! Sinks before sources: history, live store, the singletons, the web server, and then the rooms. Stopping
//! is the flow running dry: the rooms say goodbye, the lanes end, the writer and the broadcaster see the
//! end of theirs, the sync empties the live store, and the browsers, who have seen all of it, are let go
//! last. Every stage has a deadline and says what it left behind.

mod audit;
mod demo;
pub mod display;
mod housekeeping;
mod outcome;
mod rooms;
mod signals;
mod stores;

use std::{
    io::{self, Write},
    net::TcpListener,
    sync::{Arc, Mutex as StdMutex},
    time::Duration,
};

use actix::{Addr, Arbiter, ArbiterHandle};
use rand::RngExt;
use tokio::{
    select,
    sync::{Mutex, Notify, watch},
    time::{Instant, timeout_at},
};
use tracing::{error, info, warn};

use self::{
    audit::{OnTheWay, audit},
    demo::Demo,
    display::Display,
    rooms::{begin_run, watch_rooms},
    stores::{open_auth, open_books, open_live_store},
};
pub use self::{
    outcome::{Outcome, StartError},
    signals::{Signals, signals},
};
use crate::{
    actors::{
        air::Airs,
        broadcast::BroadcastSpec,
        graves::Graves,
        handles::Rooms,
        ledger::Ledger,
        placement::Placement,
        redis_writer::WriterSpec,
        ring::Ring,
        room::RoomShared,
        root::{self, EndRooms, Ended, Root, RootSpec},
        status::StatusSpec,
        supervisor::{Desired, SupervisorSpec},
        sync::SyncSpec,
        sync_request::SyncHandle,
        wall::Wall,
    },
    config::{Connect, OpenLiveSettings, Settings},
    domain::{Event, RoomId, RoomRef},
    protocol::openlive::AppKey,
    store::{LiveStore, housekeeper::Housekeeper, sqlite::Database},
    supervise::{
        board::Board,
        lane::{WhenFull, lane},
        pulse::Pulse,
        vitals::{Vitals, unix_ms},
    },
    upstream::{Bilibili, Gate, Manners, OpenLive, OpenLiveApp},
    web,
};

/// Places in the lane to the live store: a second and more of 20,000 events a second, which is how long a disk may
/// take to say that it has written. Memory only while they are taken.
const RECORD_LANE: usize = 32_768;
/// Places of it that only money and membership may use, and how long these wait for one.
const RECORD_POLICY: WhenFull = WhenFull::KeepDurable { reserve: RECORD_LANE / 4, patience: Duration::from_secs(2) };
/// Places in the lane to browsers.
const VIEW_LANE: usize = 4096;
/// Collects, stores and serves until told to stop.
pub async fn run(mut settings: Settings) -> Result<Outcome, StartError> {
    // Without a descriptor per room and browser the limit would be met as failing connections.
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        warn!(%error, "the limit of open files stays as it is: {error}");
        rlimit::Resource::NOFILE.get().map_or(u64::MAX, |(soft, _)| soft)
    });
    let demo = if settings.demo { Some(Demo::start(&mut settings).await?) } else { None };
    let with_display = settings.status_display;
    let (app, address) = App::start(settings, descriptors).await?;
    let display = with_display.then(|| Display::start(app.web.health_source(), address));
    let told = app.until_told().await;
    let outcome = app.stop(told).await;
    drop(display);
    if let Some(demo) = demo {
        demo.simulator.stop().await;
    }
    Ok(outcome)
}

/// A line for whoever started the program, or reads its output.
#[expect(
    clippy::print_stdout,
    reason = "the address, and a password made at the first start, are the program's output"
)]
pub fn say(line: &str) {
    println!("{line}");
    // A closed output is no reason to stop.
    let _ = io::stdout().flush();
}

/// Everything that runs.
struct App {
    shutdown: Duration,
    root: Addr<Root>,
    ended: watch::Receiver<Ended>,
    finish_sync: watch::Sender<bool>,
    web: web::Server,
    ledger: Arc<Ledger>,
    live: Arc<dyn LiveStore>,
    database: Database,
    housekeeper: Arc<Housekeeper>,
    signals: Signals,
}

/// What ended the run.
enum Told {
    ToStop,
    GaveUp(&'static str),
}

impl App {
    async fn start(settings: Settings, descriptors: u64) -> Result<(App, String), StartError> {
        let signals = signals()?;
        let listener = TcpListener::bind(settings.listen)
            .map_err(|source| StartError::Listen { listen: settings.listen, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| StartError::System { what: "the address of the pages cannot be read", source })?;
        std::fs::create_dir_all(&settings.data_dir)
            .map_err(|source| StartError::DataDir { path: settings.data_dir.clone(), source })?;
        let path = settings.database.clone();
        let database = blocking(move || Database::open(&path)).await??;
        let (live, live_for_web) = open_live_store(&settings, &database).await?;

        let (board, wall, ledger) =
            (Arc::new(Board::default()), Arc::new(Wall::default()), Arc::new(Ledger::default()));
        open_books(&database, live.as_ref(), &ledger).await?;
        database.run(begin_run).await?;
        let ring = Arc::new(Ring::new(unix_ms().unsigned_abs()));
        let upstream = Arc::new(Bilibili::new(settings.upstream.as_ref(), &manners(&settings))?);
        let open_live =
            settings.open_live.as_ref().map(|open| open_live_of(open, &settings)).transpose()?.map(Arc::new);
        let (record, record_inbox) = lane::<Arc<Event>>("rooms → live store", RECORD_LANE, RECORD_POLICY);
        let (view, view_inbox) = lane::<Arc<Event>>("rooms → browsers", VIEW_LANE, WhenFull::ShedNewest);
        board.add_lane(record.gauge().clone());
        board.add_lane(view.gauge().clone());
        let on_the_way = OnTheWay { in_hand: Arc::default(), lane: record.gauge().clone(), live: live.clone() };
        let in_hand = on_the_way.in_hand.clone();
        let (sync, sync_requests) = SyncHandle::new();
        let (finish_sync, finish) = watch::channel(false);
        let (status_leash, leash) = watch::channel(false);
        let airs = Arc::new(Airs::default());
        let gate = Arc::new(Gate::new(settings.connects_per_second));
        let appended = Arc::new(Notify::new());
        let seed = rand::rng().random();

        let vitals = |name: &str, inbox| Vitals::new(name.to_owned(), kind_of(name), "root", inbox);
        let spec = RootSpec {
            sync: SyncSpec {
                live: live.clone(),
                database: database.clone(),
                interval: settings.sync_interval,
                appended: appended.clone(),
                requests: Arc::new(Mutex::new(sync_requests)),
                finish,
                ledger: ledger.clone(),
                suspicion: Arc::default(),
                wall: wall.clone(),
                vitals: vitals(root::SYNC, None),
            },
            writer: WriterSpec {
                vitals: vitals(root::WRITER, Some(record_inbox.gauge().clone())),
                inbox: Arc::new(Mutex::new(record_inbox)),
                live: live.clone(),
                wall: wall.clone(),
                appended,
                graves: Graves::new(database.clone(), ledger.clone()),
            },
            broadcast: BroadcastSpec {
                vitals: vitals(root::BROADCAST, Some(view_inbox.gauge().clone())),
                inbox: Arc::new(Mutex::new(view_inbox)),
                ring: ring.clone(),
                wall: wall.clone(),
            },
            status: StatusSpec {
                upstream: upstream.clone(),
                airs: airs.clone(),
                wall: wall.clone(),
                interval: settings.status_interval,
                leash,
                vitals: vitals(root::STATUS, None),
            },
            status_leash,
            rooms: Some(SupervisorSpec {
                desired: Desired::default(),
                shared: RoomShared {
                    upstream: upstream.clone(),
                    gate: gate.clone(),
                    record,
                    view,
                    ledger: ledger.clone(),
                    wall: wall.clone(),
                    airs,
                    open_live,
                    only_when_live: settings.connect == Connect::WhenLive,
                    in_hand: in_hand.clone(),
                },
                board: board.clone(),
                seed,
                placement: Arc::new(StdMutex::new(Placement::on_threads(board.clone()))),
            }),
            rooms_vitals: vitals(root::ROOMS, None),
            board: board.clone(),
            io: {
                let io = Arbiter::new().handle();
                feel(&board, "main", &Arbiter::current());
                feel(&board, "io", &io);
                io
            },
            seed,
        };
        let (root, ended) = Root::start_all(spec);
        let accounts = upstream.accounts();
        actix::spawn(accounts.clone().keep());
        let rooms = Rooms::new(root.clone(), upstream, database.clone(), wall.clone(), ledger.clone())
            .holding_at_most(rooms_within(descriptors));

        let wall_of_named = wall.clone();
        let auth = open_auth(&settings, &database).await?;
        let housekeeper = housekeeping::start(database.clone(), &settings);
        let web = web::serve(
            listener,
            web::Web {
                rooms: Arc::new(rooms.clone()),
                accounts,
                gate,
                sync,
                database: database.clone(),
                housekeeper: housekeeper.clone(),
                live: live_for_web.clone(),
                wall,
                ring,
                board,
                ledger: ledger.clone(),
                auth: Arc::new(auth),
                options: web::WebOptions {
                    settings: settings.shown(),
                    demo: settings.demo,
                    public: settings.public,
                    upstream_origin: settings.upstream.clone(),
                    base_path: settings.base_path.clone(),
                    trusted_proxies: settings.trusted_proxies.clone(),
                },
            },
        )
        .map_err(|source| StartError::System { what: "the web server cannot be started", source })?;
        let address = format!("http://{address}");
        say(&format!("listening on {address}"));

        let mut named = settings.rooms;
        named.extend(settings.open_live.iter().flat_map(|open| open.codes.keys().copied().map(RoomRef)));
        watch_rooms(&rooms, &database, wall_of_named, named).await?;
        actix::spawn(audit(ledger.clone(), on_the_way));
        let shutdown = settings.shutdown;
        let app = App { shutdown, root, ended, finish_sync, web, ledger, live, database, housekeeper, signals };
        Ok((app, address))
    }

    /// Waits for a signal, or for an actor that cannot be kept alive.
    async fn until_told(&self) -> Told {
        let (mut signals, mut ended) = (self.signals.clone(), self.ended.clone());
        select! {
            () = signals.first() => Told::ToStop,
            ended = ended.wait_for(|ended| ended.given_up.is_some()) => {
                // Without Root there is nobody left who would tell.
                Told::GaveUp(ended.ok().and_then(|ended| ended.given_up).unwrap_or("root"))
            }
        }
    }

    /// Lets the flow run dry; a second signal ends it at once.
    async fn stop(self, told: Told) -> Outcome {
        let mut signals = self.signals.clone();
        select! {
            outcome = self.drain(&told) => match told {
                Told::GaveUp(name) => {
                    error!("{name} could not be kept alive; see its deaths above");
                    Outcome::GaveUp
                }
                Told::ToStop => outcome,
            },
            () = signals.second() => Outcome::Interrupted,
        }
    }

    /// Events that lie safe in the outbox.
    fn held(&self) -> u64 {
        self.live.outbox().map_or(0, |outbox| outbox.reading().held)
    }

    async fn drain(&self, told: &Told) -> Outcome {
        info!("stopping: everything received is stored first");
        self.web.refuse_new();
        self.housekeeper.stop();
        let begun = Instant::now();
        // Shares of the whole, but for a twentieth to say the rest: rooms 2, lanes 3, record 3, browsers 1.
        let by = |ninths: u32| begun + self.shutdown * ninths / 9 * 19 / 20;
        let mut left = Vec::new();

        if timeout_at(by(2), self.root.send(EndRooms)).await.is_err() {
            left.push("some rooms did not say goodbye in time".to_owned());
        }
        let mut ended = self.ended.clone();
        let mut finished = async |name, deadline| {
            timeout_at(deadline, ended.wait_for(|ended| ended.done.contains(&name))).await.is_ok()
        };
        if !finished(root::WRITER, by(5)).await {
            left.push("the writer did not bring everything into the live store in time".to_owned());
        }
        if !finished(root::BROADCAST, by(5)).await {
            left.push("browsers did not get the last events in time".to_owned());
        }
        self.finish_sync.send_replace(true);
        if !finished(root::SYNC, by(8)).await {
            left.push(
                "not everything was stored in SQLite in time; what is in the live store follows at the next start"
                    .to_owned(),
            );
        }
        let last_words = left.first().cloned();
        if let Err(error) = self.database.run(move |database| database.finish_task(last_words.as_deref())).await {
            left.push(format!("the end of this run is not written down: {error}"));
        }
        self.web.stop(by(9)).await;

        let (pending, held) = (self.ledger.pending(), self.held());
        if pending > held {
            left.push(format!("{} events were received and are not stored", pending - held));
        } else if pending > 0 {
            warn!("stopped: {pending} events wait in the outbox; they follow at the next start");
        }
        for line in &left {
            error!("stopped: {line}");
        }
        if left.is_empty() {
            if let Told::ToStop = told {
                info!("stopped: everything received is stored, after {} ms", begun.elapsed().as_millis());
            }
            Outcome::Clean
        } else {
            Outcome::LeftSomething
        }
    }
}

/// How we behave towards Bilibili.
pub fn manners(settings: &Settings) -> Manners {
    Manners {
        folder: settings.data_dir.clone(),
        calls_per_second: settings.calls_per_second,
        tickets_per_second: settings.connects_per_second,
        rooms_per_account: settings.rooms_per_account,
    }
}

/// How many rooms fit within a limit of open files: a quarter is for browsers, some for the files themselves.
fn rooms_within(descriptors: u64) -> usize {
    usize::try_from((descriptors - descriptors / 4).saturating_sub(64)).unwrap_or(usize::MAX)
}

/// Puts the pulse of a thread on the board.
fn feel(board: &Board, name: &'static str, thread: &ArbiterHandle) {
    let pulse = Pulse::new(name);
    board.add_pulse(pulse.clone());
    thread.spawn(pulse.tick());
}

/// The way to the Open Live platform, by the keys of its file.
fn open_live_of(keys: &OpenLiveSettings, settings: &Settings) -> Result<OpenLive, StartError> {
    let key = AppKey { id: keys.access_key_id.clone(), secret: keys.access_key_secret.0.clone() };
    let codes = keys.codes.iter().map(|(room, code)| (RoomId(*room), code.0.clone())).collect();
    Ok(OpenLive::new(OpenLiveApp { app_id: keys.app_id, key, codes }, settings.upstream.as_ref())?)
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StartError::System { what: "a task did not end", source: io::Error::other(error) })
}

fn kind_of(name: &str) -> &'static str {
    match name {
        root::SYNC => "sync",
        root::WRITER => "redis_writer",
        root::BROADCAST => "broadcast",
        root::STATUS => "status",
        _ => "supervisor",
    }
}
