//! What every life publishes about itself, and the board that collects it.
//!
//! Writing is a relaxed atomic store, reading takes no lock that a working actor holds: a stuck actor is
//! shown, not waited for. Only counters are published; rates are made by whoever compares two readings.
//! The board also keeps the last deaths and knows every lane.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use serde::Serialize;

use super::{
    exit::Exit,
    lane::{LaneGauge, LaneReading},
};

/// Wall-clock time, unix ms. For showing and storing only; waiting uses tokio's clock.
pub fn unix_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

macro_rules! closed_words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// Its name outside.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            fn from_number(number: u8) -> $name {
                $name::ALL[usize::from(number).min($name::ALL.len() - 1)]
            }
        }
    };
}

closed_words! {
    /// Which state a life is in. Rooms use the contract's states, the others `running` and `draining`.
    State {
        /// For a connect permit.
        Waiting = "waiting",
        /// Asking for a token and dialling.
        Connecting = "connecting",
        /// Connected, not yet let in.
        Authenticating = "authenticating",
        /// Receiving.
        Live = "live",
        /// Ended; a new life comes.
        Backoff = "backoff",
        /// A person paused it.
        Paused = "paused",
        /// Given up for now; probed now and then.
        Failed = "failed",
        /// At work (actors that are not rooms).
        Running = "running",
        /// Finishing what is there.
        Draining = "draining",
        /// Over.
        Stopped = "stopped",
    }
}

closed_words! {
    /// What a life is doing right now; a long one says what it waits for.
    Doing {
        /// Waiting for something to do.
        Idle = "idle",
        /// Waiting for the gate.
        WaitingForGate = "waiting-for-gate",
        /// Asking the upstream over HTTP.
        Asking = "asking",
        /// Opening a connection.
        Dialing = "dialing",
        /// Reading its connection.
        Reading = "reading",
        /// Waiting for room in a lane.
        WaitingForLane = "waiting-for-lane",
        /// Waiting for the live store.
        WaitingForLiveStore = "waiting-for-live-store",
        /// Waiting for SQLite.
        WaitingForSqlite = "waiting-for-sqlite",
    }
}

/// What one actor publishes, over all its lives.
pub struct Vitals {
    name: String,
    kind: &'static str,
    parent: &'static str,
    state: AtomicU8,
    since_ms: AtomicI64,
    doing: AtomicU8,
    doing_since_ms: AtomicI64,
    beat_ms: AtomicI64,
    life: AtomicU32,
    events_in: AtomicU64,
    events_out: AtomicU64,
    bytes_in: AtomicU64,
    lag_ms: AtomicI64,
    inbox: Option<Arc<LaneGauge>>,
    last_error: Mutex<Option<LastError>>,
}

/// The last thing that went wrong.
#[derive(Clone, Debug, Serialize)]
pub struct LastError {
    /// In words.
    pub text: String,
    /// `file:line`, for a panic.
    pub place: Option<String>,
    /// When, unix ms.
    pub at: i64,
}

impl Vitals {
    /// The vitals of an actor that has not lived yet. `inbox` is the lane it reads.
    pub fn new(name: String, kind: &'static str, parent: &'static str, inbox: Option<Arc<LaneGauge>>) -> Arc<Vitals> {
        let now = unix_ms();
        Arc::new(Vitals {
            name,
            kind,
            parent,
            state: AtomicU8::new(State::Waiting as u8),
            since_ms: AtomicI64::new(now),
            doing: AtomicU8::new(Doing::Idle as u8),
            doing_since_ms: AtomicI64::new(now),
            beat_ms: AtomicI64::new(now),
            life: AtomicU32::new(0),
            events_in: AtomicU64::new(0),
            events_out: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            lag_ms: AtomicI64::new(0),
            inbox,
            last_error: Mutex::new(None),
        })
    }

    /// Its name on the board.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A new life begins; returns its number, from 1.
    pub fn begin_life(&self) -> u32 {
        self.beat();
        self.life.fetch_add(1, Relaxed) + 1
    }

    /// Enters a state; the time of entry changes only when the state does.
    pub fn enter(&self, state: State) {
        if self.state.swap(state as u8, Relaxed) != state as u8 {
            self.since_ms.store(unix_ms(), Relaxed);
        }
        self.beat();
    }

    /// The state it is in.
    pub fn state(&self) -> State {
        State::from_number(self.state.load(Relaxed))
    }

    /// When it entered that state, unix ms.
    pub fn since_ms(&self) -> i64 {
        self.since_ms.load(Relaxed)
    }

    /// Says what it does now.
    pub fn doing(&self, doing: Doing) {
        let now = unix_ms();
        self.beat_ms.store(now, Relaxed);
        if self.doing.swap(doing as u8, Relaxed) != doing as u8 {
            self.doing_since_ms.store(now, Relaxed);
        }
    }

    /// It moves.
    pub fn beat(&self) {
        self.beat_ms.store(unix_ms(), Relaxed);
    }

    /// `events` came in, in `bytes`.
    pub fn took_in(&self, events: u64, bytes: u64) {
        self.events_in.fetch_add(events, Relaxed);
        self.bytes_in.fetch_add(bytes, Relaxed);
    }

    /// `events` were handed on; the newest of them happened at `timestamp_ms`.
    pub fn handed_on(&self, events: u64, timestamp_ms: Option<i64>) {
        self.events_out.fetch_add(events, Relaxed);
        if let Some(timestamp_ms) = timestamp_ms {
            self.lag_ms.store(unix_ms() - timestamp_ms, Relaxed);
        }
    }

    /// Remembers what went wrong.
    pub fn failed_with(&self, text: String, place: Option<String>) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(LastError { text, place, at: unix_ms() });
    }

    /// What stands there now.
    pub fn reading(&self) -> Reading {
        let life = self.life.load(Relaxed);
        Reading {
            name: self.name.clone(),
            kind: self.kind,
            parent: self.parent,
            state: self.state(),
            since: self.since_ms(),
            doing: Doing::from_number(self.doing.load(Relaxed)),
            doing_since: self.doing_since_ms.load(Relaxed),
            beat: self.beat_ms.load(Relaxed),
            life,
            restarts: life.saturating_sub(1),
            mailbox: self.inbox.as_ref().map(|gauge| gauge.reading()),
            events_in: self.events_in.load(Relaxed),
            events_out: self.events_out.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            lag_ms: self.lag_ms.load(Relaxed),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// One reading of an actor's vitals, in the contract's shape. Times are unix ms.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// Such as `room 21452505`.
    pub name: String,
    /// Such as `room`.
    pub kind: &'static str,
    /// Name of the actor above it; empty for the root.
    pub parent: &'static str,
    /// The state it is in.
    pub state: State,
    /// Since when.
    pub since: i64,
    /// What it does.
    pub doing: Doing,
    /// Since when.
    pub doing_since: i64,
    /// When it last moved.
    pub beat: i64,
    /// Number of the current life, from 1; 0 before the first.
    pub life: u32,
    /// Lives after the first.
    pub restarts: u32,
    /// The lane it reads; none for those that read none.
    pub mailbox: Option<LaneReading>,
    /// Events that came in.
    pub events_in: u64,
    /// Events handed on.
    pub events_out: u64,
    /// Bytes that came in.
    pub bytes_in: u64,
    /// How late the last event handed on was, ms.
    pub lag_ms: i64,
    /// The last thing that went wrong.
    pub last_error: Option<LastError>,
}

/// How one life ended and what was made of it.
#[derive(Clone, Debug, Serialize)]
pub struct Death {
    /// Who.
    pub name: String,
    /// Which life.
    pub life: u32,
    /// One word, such as `panicked`.
    pub exit: &'static str,
    /// In words.
    pub text: String,
    /// `file:line` of a panic.
    pub place: Option<String>,
    /// How long the life was, ms.
    pub lived_ms: u64,
    /// When it ended, unix ms.
    pub at: i64,
    /// What the policy decided.
    pub verdict: String,
}

impl Death {
    /// The record of `exit`, now.
    pub fn of(name: &str, life: u32, exit: &Exit, lived: std::time::Duration, verdict: String) -> Death {
        Death {
            name: name.to_owned(),
            life,
            exit: exit.word(),
            text: exit.to_string(),
            place: exit.place().map(str::to_owned),
            lived_ms: u64::try_from(lived.as_millis()).unwrap_or(u64::MAX),
            at: unix_ms(),
            verdict,
        }
    }
}

/// How many deaths are remembered.
const DEATHS_KEPT: usize = 100;

/// All vitals, all lanes, and the last deaths.
#[derive(Default)]
pub struct Board {
    vitals: Mutex<BTreeMap<String, Arc<Vitals>>>,
    lanes: Mutex<Vec<Arc<LaneGauge>>>,
    deaths: Mutex<VecDeque<Death>>,
}

impl Board {
    /// Puts an actor on the board, in place of an older one of that name.
    pub fn add(&self, vitals: Arc<Vitals>) {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner).insert(vitals.name.clone(), vitals);
    }

    /// Takes an actor off the board.
    pub fn remove(&self, name: &str) {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Puts a lane on the board.
    pub fn add_lane(&self, gauge: Arc<LaneGauge>) {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).push(gauge);
    }

    /// Remembers a death.
    pub fn bury(&self, death: Death) {
        let mut deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        if deaths.len() == DEATHS_KEPT {
            deaths.pop_back();
        }
        deaths.push_front(death);
    }

    /// All actors, by name.
    pub fn actors(&self) -> Vec<Reading> {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner).values().map(|vitals| vitals.reading()).collect()
    }

    /// All lanes, in the order they were made.
    pub fn lanes(&self) -> Vec<LaneReading> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|gauge| gauge.reading()).collect()
    }

    /// The last deaths, newest first.
    pub fn deaths(&self) -> Vec<Death> {
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
