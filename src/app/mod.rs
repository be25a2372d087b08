//! The only file that knows everybody: starts in order, stops in reverse.
//!
//! Sinks before sources: history, live store, the singletons, the web server, and then the rooms. Stopping
//! is the flow running dry: the rooms say goodbye, the lanes end, the writer and the broadcaster see the
//! end of theirs, the sync empties the live store, and the browsers, who have seen all of it, are let go
//! last. Every stage has a deadline and says what it left behind.

mod archiving;
mod audit;
mod demo;
pub mod display;
mod housekeeping;
mod orders;
mod outcome;
mod parts;
mod rooms;
mod signals;
mod stores;

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix::Addr;
use tokio::{
    select,
    sync::watch,
    time::{Instant, timeout_at},
};
use tracing::{error, info, warn};

use self::{
    audit::{OnTheWay, audit},
    demo::Demo,
    display::Display,
    parts::{Finish, Shared},
    rooms::{begin_run, watch_rooms},
    stores::{open_auth, open_books},
};
pub use self::{
    outcome::{Outcome, StartError},
    signals::{Signals, signals},
};
use crate::{
    actors::{
        follower::rooms_as_stored,
        handles::Rooms,
        ledger::Ledger,
        remote::{RemoteRooms, pass_on_syncs},
        root::{self, EndRooms, Ended, Root, RootSpec},
        sync_request::SyncHandle,
    },
    config::{Role, Settings},
    domain::RoomRef,
    store::{housekeeper::Housekeeper, lock::DatabaseLock, sqlite::Database},
    supervise::lane::WhenFull,
    upstream::{Bilibili, Manners, accounts::Accounts},
    web,
};

/// Places in the lane to the live store: five seconds of 20,000 events a second, and a disk that is busy takes some of
/// them to say that it has written. Memory only while they are taken.
const RECORD_LANE: usize = 131_072;
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
    let app = App::start(settings, descriptors).await?;
    let display = match &app.web {
        Some((web, address)) if with_display => Some(Display::start(web.health_source(), format!("http://{address}"))),
        _ => None,
    };
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

/// Everything that runs in this process.
struct App {
    role: Role,
    shutdown: Duration,
    root: Addr<Root>,
    ended: watch::Receiver<Ended>,
    finish: Finish,
    web: Option<(web::Server, SocketAddr)>,
    ledger: Arc<Ledger>,
    /// The places where events can be, if they are received here.
    on_the_way: Option<OnTheWay>,
    archived: Option<watch::Receiver<bool>>,
    database: Database,
    housekeeper: Arc<Housekeeper>,
    signals: Signals,
    /// Last field: held until everything has ended.
    _only_sync: Option<DatabaseLock>,
}

/// What ended the run.
enum Told {
    ToStop,
    GaveUp(&'static str),
}

impl App {
    async fn start(settings: Settings, descriptors: u64) -> Result<App, StartError> {
        let signals = signals()?;
        let role = settings.role;
        let listener = role.serves().then(|| listen(settings.listen)).transpose()?;
        std::fs::create_dir_all(&settings.data_dir)
            .map_err(|source| StartError::DataDir { path: settings.data_dir.clone(), source })?;
        let shared = Shared::new(&settings, stores::open(&settings).await?);
        let database = shared.database.clone();
        let only_sync = role.syncs().then(|| database.lock_for_sync()).transpose()?;
        let upstream = Arc::new(Bilibili::new(settings.upstream.as_ref(), &manners(&settings))?);
        let (sync, requests) = SyncHandle::new();
        let mut requests = Some(requests);
        let finish = Finish::default();

        let mut singletons = Vec::new();
        if role.syncs()
            && let Some(requests) = requests.take()
        {
            singletons.push(shared.sync(&settings, requests, &finish));
        }
        singletons.extend(shared.crossing(&finish));
        let mut collecting = None;
        if role.collects() {
            open_books(&database, shared.stores.for_actors.as_ref(), &shared.ledger).await?;
            database.run(begin_run).await?;
            let (rooms, theirs) = shared.collecting(&settings, &upstream, &finish)?;
            singletons.extend(theirs);
            collecting = Some(rooms);
        } else if role.serves() {
            let wall = shared.wall.clone();
            database.run(move |database| rooms_as_stored(database, &wall)).await?;
        }
        let on_the_way = collecting.as_ref().map(|rooms| OnTheWay {
            in_hand: rooms.in_hand.clone(),
            lane: rooms.record.clone(),
            live: shared.stores.for_actors.clone(),
        });
        let archived = collecting.as_ref().map(|rooms| rooms.archived.clone());
        let (status_leash, supervisor) = match collecting {
            Some(rooms) => (rooms.status_leash, Some(rooms.supervisor)),
            None => (watch::channel(false).0, None),
        };
        let spec = RootSpec {
            singletons,
            status_leash,
            rooms: supervisor,
            board: shared.board.clone(),
            io: shared.io(),
            seed: shared.seed,
        };
        let (root, ended) = Root::start_all(spec);
        let accounts = upstream.accounts();
        let (wall, ledger) = (shared.wall.clone(), shared.ledger.clone());
        let rooms = role.collects().then(|| {
            actix::spawn(accounts.clone().keep());
            Rooms::new(root.clone(), upstream.clone(), database.clone(), wall.clone(), ledger.clone())
                .holding_at_most(rooms_within(descriptors))
        });
        let housekeeper = housekeeping::start(database.clone(), &settings);

        let web = if let Some(listener) = listener {
            let desk: Arc<dyn web::Desk> = match &rooms {
                Some(rooms) => Arc::new(rooms.clone()),
                None => {
                    actix::spawn(accounts.clone().read_on());
                    Arc::new(RemoteRooms {
                        upstream: upstream.clone(),
                        database: database.clone(),
                        wall: wall.clone(),
                        live: shared.stores.for_pages.clone(),
                    })
                }
            };
            if let Some(requests) = requests.take() {
                actix::spawn(pass_on_syncs(requests, database.clone(), shared.reports.clone()));
            }
            Some(serve(listener, &shared, &settings, desk, accounts, sync.clone(), housekeeper.clone()).await?)
        } else {
            say(&format!("running as {}", role.as_str()));
            None
        };

        if let Some(rooms) = rooms {
            let mut named = settings.rooms;
            named.extend(settings.open_live.iter().flat_map(|open| open.codes.keys().copied().map(RoomRef)));
            watch_rooms(&rooms, &database, wall, named, settings.calls_per_second).await?;
            if role == Role::Collector {
                actix::spawn(orders::change_rooms(rooms, database.clone()));
            }
        }
        if role == Role::Sync {
            actix::spawn(orders::run_syncs(sync, database.clone()));
        }
        if let Some(on_the_way) = &on_the_way {
            actix::spawn(audit(ledger.clone(), on_the_way.clone()));
        }
        Ok(App {
            role,
            shutdown: settings.shutdown,
            root,
            ended,
            finish,
            web,
            ledger,
            on_the_way,
            archived,
            database,
            housekeeper,
            signals,
            _only_sync: only_sync,
        })
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

    async fn drain(&self, told: &Told) -> Outcome {
        info!("stopping: everything received is stored first");
        if let Some((web, _)) = &self.web {
            web.refuse_new();
        }
        self.housekeeper.stop();
        let begun = Instant::now();
        // Shares of the whole, but for a twentieth to say the rest: rooms 2, lanes 3, record 3, browsers 1.
        let by = |ninths: u32| begun + self.shutdown * ninths / 9 * 19 / 20;
        let mut left = Vec::new();

        if timeout_at(by(2), self.root.send(EndRooms)).await.is_err() {
            left.push("some rooms did not say goodbye in time".to_owned());
        }
        if self.role.collects() {
            if !self.finished(root::WRITER, by(5)).await {
                left.push("the writer did not bring everything into the live store in time".to_owned());
            }
            if !self.finished(root::BROADCAST, by(5)).await {
                left.push("browsers did not get the last events in time".to_owned());
            }
        }
        self.finish.sync.send_replace(true);
        if self.role.syncs() && !self.finished(root::SYNC, by(8)).await {
            left.push(
                "not everything was stored in SQLite in time; what is in the live store follows at the next start"
                    .to_owned(),
            );
        }
        self.finish.scribe.send_replace(true);
        if self.role.collects() {
            if !self.finished(root::SCRIBE, by(8)).await {
                left.push("when rooms were not received is not written down".to_owned());
            }
            if let Some(mut archived) = self.archived.clone()
                && timeout_at(by(8), archived.wait_for(|done| *done)).await.is_err()
            {
                left.push("the last seconds of the raw archive were not written in time".to_owned());
            }
            let last_words = left.first().cloned();
            if let Err(error) = self.database.run(move |database| database.finish_task(last_words.as_deref())).await {
                left.push(format!("the end of this run is not written down: {error}"));
            }
        }
        self.finish.crossing.send_replace(true);
        match self.role {
            Role::All | Role::Web => {}
            // What the pages are not told now they learn from the next run.
            Role::Collector | Role::Sync => drop(self.finished(root::RELAY, by(9)).await),
        }
        if let Some((web, _)) = &self.web {
            web.stop(by(9)).await;
        }
        left.extend(self.lost().await);
        for line in &left {
            error!("stopped: {line}");
        }
        if self.role.syncs() {
            let finished = timeout_at(begun + self.shutdown, self.database.run(|database| database.finish_log()));
            if !matches!(finished.await, Ok(Ok(true))) {
                warn!("stopped: the log of the history, live.db-wal, stays beside it and belongs to it");
            }
        }
        if left.is_empty() {
            if let Told::ToStop = told
                && self.ledger.pending() == 0
            {
                info!("stopped: nothing is left behind, after {} ms", begun.elapsed().as_millis());
            }
            Outcome::Clean
        } else {
            Outcome::LeftSomething
        }
    }

    /// Whether a singleton has done its work by then.
    async fn finished(&self, name: &'static str, deadline: Instant) -> bool {
        let mut ended = self.ended.clone();
        timeout_at(deadline, ended.wait_for(|ended| ended.done.contains(&name))).await.is_ok()
    }

    /// Events that were received, are not stored, and do not lie safe on their way.
    async fn lost(&self) -> Option<String> {
        let pending = self.ledger.pending();
        let safe = self.on_the_way.as_ref()?.safe().await;
        if pending > safe {
            return Some(format!("{} events were received and are not stored", pending - safe));
        }
        if pending > 0 {
            warn!("stopped: {pending} events wait in the outbox or in Redis; they follow when they can");
        }
        None
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|source| StartError::Listen { listen: address, source })
}

/// Opens the door for browsers, and says where it is.
async fn serve(
    listener: TcpListener,
    shared: &Shared,
    settings: &Settings,
    rooms: Arc<dyn web::Desk>,
    accounts: Arc<Accounts>,
    sync: SyncHandle,
    housekeeper: Arc<Housekeeper>,
) -> Result<(web::Server, SocketAddr), StartError> {
    let address = listener
        .local_addr()
        .map_err(|source| StartError::System { what: "the address of the pages cannot be read", source })?;
    let auth = open_auth(settings, &shared.database).await?;
    let web = web::Web {
        rooms,
        accounts,
        gate: shared.gate.clone(),
        sync,
        database: shared.database.clone(),
        housekeeper,
        live: shared.stores.for_pages.clone(),
        wall: shared.wall.clone(),
        ring: shared.ring.clone(),
        board: shared.board.clone(),
        ledger: shared.ledger.clone(),
        reports: shared.reports.clone(),
        auth: Arc::new(auth),
        options: web::WebOptions {
            settings: settings.shown(),
            demo: settings.demo,
            public: settings.public,
            upstream_origin: settings.upstream.clone(),
            base_path: settings.base_path.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
        },
    };
    let server = web::serve(listener, web)
        .map_err(|source| StartError::System { what: "the web server cannot be started", source })?;
    say(&format!("listening on http://{address}"));
    let monitored = shared.database.run(|database| database.monitored()).await;
    if settings.rooms.is_empty() && monitored.is_ok_and(|rooms| rooms.is_empty()) {
        say(&format!(
            "no room is monitored yet: sign in and add one on http://{address}{}/live/admin/",
            settings.base_path
        ));
    }
    Ok((server, address))
}

/// How we behave towards Bilibili.
pub fn manners(settings: &Settings) -> Manners {
    Manners {
        folder: settings.data_dir.clone(),
        calls_per_second: settings.calls_per_second,
        tickets_per_second: settings.connects_per_second,
        rooms_per_account: settings.rooms_per_account,
        extra_roots: settings.extra_roots.anchors.clone(),
    }
}

/// How many rooms fit within a limit of open files: a quarter is for browsers, some for the files themselves.
fn rooms_within(descriptors: u64) -> usize {
    usize::try_from((descriptors - descriptors / 4).saturating_sub(64)).unwrap_or(usize::MAX)
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StartError::System { what: "a task did not end", source: io::Error::other(error) })
}
