//! What every life publishes about itself.
//!
//! Writing is a relaxed atomic store, reading takes no lock that a working actor holds: a stuck actor is
//! shown, not waited for. Only counters are published; rates are made by whoever compares two readings.
//!
//! An actor is **stuck** when it has not moved for longer than what it is doing ever takes.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    exit::Exit,
    lane::{LaneGauge, LaneReading},
    worst::WorstOfMinute,
};

/// Wall-clock time, unix ms. For showing and storing only; waiting uses tokio's clock.
pub fn unix_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

macro_rules! closed_words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
        /// Waiting for something on the other side to begin.
        WaitingForBroadcast = "waiting-for-broadcast",
        /// Asking the upstream over HTTP.
        Asking = "asking",
        /// Opening a connection.
        Dialing = "dialing",
        /// Reading its connection.
        Reading = "reading",
        /// Making something of what it has read.
        Decoding = "decoding",
        /// Sending to a browser.
        Sending = "sending",
        /// Waiting for room in a lane.
        WaitingForLane = "waiting-for-lane",
        /// Waiting for the live store.
        WaitingForLiveStore = "waiting-for-live-store",
        /// Waiting for SQLite.
        WaitingForSqlite = "waiting-for-sqlite",
    }
}

impl Doing {
    /// How long it may go without a sign of life while it does this; none for what may take for ever.
    pub fn patience(self) -> Option<Duration> {
        let seconds = match self {
            Doing::WaitingForGate | Doing::WaitingForBroadcast | Doing::Idle => return None,
            // A heartbeat goes out every 30 s, and its answer is waited for.
            Doing::Reading => 45,
            // A browser that reads is sent a sign of life every 5 s.
            Doing::Sending => 12,
            // The limits of the calls themselves, and some.
            Doing::Asking => 60,
            Doing::Dialing => 15,
            Doing::Decoding => 3,
            Doing::WaitingForLane | Doing::WaitingForLiveStore | Doing::WaitingForSqlite => 10,
        };
        Some(Duration::from_secs(seconds))
    }

    /// Whom it waits for, by doing this.
    pub fn waits_for(self) -> Option<&'static str> {
        match self {
            Doing::Idle | Doing::Decoding => None,
            Doing::WaitingForGate => Some("gate"),
            Doing::WaitingForBroadcast => Some("broadcast"),
            Doing::Sending => Some("browser"),
            Doing::Asking | Doing::Dialing | Doing::Reading => Some("upstream"),
            Doing::WaitingForLane => Some("lane"),
            Doing::WaitingForLiveStore => Some("live_store"),
            Doing::WaitingForSqlite => Some("sqlite"),
        }
    }
}

impl State {
    /// Whether a life is under way, and should move.
    fn should_move(self) -> bool {
        !matches!(self, State::Backoff | State::Paused | State::Failed | State::Stopped)
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
    beats: AtomicU64,
    life: AtomicU32,
    events_in: AtomicU64,
    events_out: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    behind: AtomicU64,
    lag_ms: AtomicI64,
    worst_lag_ms: WorstOfMinute,
    inbox: Option<Arc<LaneGauge>>,
    thread: Mutex<Option<Arc<str>>>,
    exits: Mutex<BTreeMap<&'static str, u32>>,
    last_error: Mutex<Option<LastError>>,
}

/// The last thing that went wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
            beats: AtomicU64::new(0),
            life: AtomicU32::new(0),
            events_in: AtomicU64::new(0),
            events_out: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            behind: AtomicU64::new(0),
            lag_ms: AtomicI64::new(0),
            worst_lag_ms: WorstOfMinute::default(),
            inbox,
            thread: Mutex::default(),
            exits: Mutex::default(),
            last_error: Mutex::default(),
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
        let now = self.moved();
        if self.doing.swap(doing as u8, Relaxed) != doing as u8 {
            self.doing_since_ms.store(now, Relaxed);
        }
    }

    /// What it does now.
    pub fn does(&self) -> Doing {
        Doing::from_number(self.doing.load(Relaxed))
    }

    /// It moves.
    pub fn beat(&self) {
        self.moved();
    }

    fn moved(&self) -> i64 {
        let now = unix_ms();
        self.beat_ms.store(now, Relaxed);
        self.beats.fetch_add(1, Relaxed);
        now
    }

    /// How often it has moved.
    pub fn beats(&self) -> u64 {
        self.beats.load(Relaxed)
    }

    /// The thread that the present life is led on.
    pub fn lives_on(&self, thread: Arc<str>) {
        *locked(&self.thread) = Some(thread);
    }

    /// A life ended this way.
    pub fn ended(&self, exit: &Exit) {
        *locked(&self.exits).entry(exit.word()).or_default() += 1;
        self.failed_with(exit.to_string(), exit.place().map(str::to_owned));
    }

    /// Events that came in so far.
    pub fn events_in(&self) -> u64 {
        self.events_in.load(Relaxed)
    }

    /// `bytes` went out, and so many frames wait to follow them.
    pub fn sent(&self, bytes: u64, behind: u64) {
        self.bytes_out.fetch_add(bytes, Relaxed);
        self.behind.store(behind, Relaxed);
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
            let now = unix_ms();
            let lag = now - timestamp_ms;
            self.lag_ms.store(lag, Relaxed);
            self.worst_lag_ms.note(lag, now);
        }
    }

    /// Remembers what went wrong.
    pub fn failed_with(&self, text: String, place: Option<String>) {
        *locked(&self.last_error) = Some(LastError { text, place, at: unix_ms() });
    }

    /// What stands there at `now_ms`.
    pub fn reading(&self, now_ms: i64) -> Reading {
        let life = self.life.load(Relaxed);
        let (state, doing, beat) = (self.state(), self.does(), self.beat_ms.load(Relaxed));
        let silent = Duration::from_millis(now_ms.saturating_sub(beat).max(0).unsigned_abs());
        Reading {
            name: self.name.clone(),
            kind: self.kind.into(),
            parent: self.parent.into(),
            thread: locked(&self.thread).as_deref().map(str::to_owned),
            state,
            since: self.since_ms(),
            doing,
            doing_since: self.doing_since_ms.load(Relaxed),
            waits_for: doing.waits_for().filter(|_| state.should_move()).map(Cow::Borrowed),
            beat,
            stuck: state.should_move() && doing.patience().is_some_and(|patience| silent > patience),
            life,
            restarts: life.saturating_sub(1),
            exits: locked(&self.exits).iter().map(|(word, n)| (Cow::Borrowed(*word), *n)).collect(),
            mailbox: self.inbox.as_ref().map(|gauge| gauge.reading()),
            events_in: self.events_in.load(Relaxed),
            events_out: self.events_out.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            behind: self.behind.load(Relaxed),
            lag_ms: self.lag_ms.load(Relaxed),
            lag_worst_ms: self.worst_lag_ms.at(now_ms),
            last_error: locked(&self.last_error).clone(),
        }
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One reading of an actor's vitals, in the contract's shape. Times are unix ms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reading {
    /// Such as `room 21452505`.
    pub name: String,
    /// Such as `room`.
    pub kind: Cow<'static, str>,
    /// Name of the actor above it; empty for the root.
    pub parent: Cow<'static, str>,
    /// The thread it lives on, as far as it is an actor of ours.
    pub thread: Option<String>,
    /// The state it is in.
    pub state: State,
    /// Since when.
    pub since: i64,
    /// What it does.
    pub doing: Doing,
    /// Since when.
    pub doing_since: i64,
    /// Whom it waits for by that.
    pub waits_for: Option<Cow<'static, str>>,
    /// When it last moved.
    pub beat: i64,
    /// Whether that is longer ago than what it does ever takes.
    pub stuck: bool,
    /// Number of the current life, from 1; 0 before the first.
    pub life: u32,
    /// Lives after the first.
    pub restarts: u32,
    /// Ended lives, by how they ended.
    pub exits: BTreeMap<Cow<'static, str>, u32>,
    /// The lane it reads; none for those that read none.
    pub mailbox: Option<LaneReading>,
    /// Events that came in.
    pub events_in: u64,
    /// Events handed on.
    pub events_out: u64,
    /// Bytes that came in.
    pub bytes_in: u64,
    /// Bytes sent, by browser sessions.
    pub bytes_out: u64,
    /// Frames that a browser session has still to send.
    pub behind: u64,
    /// How late the last event handed on was, ms.
    pub lag_ms: i64,
    /// The same, the worst of the last minute.
    pub lag_worst_ms: i64,
    /// The last thing that went wrong.
    pub last_error: Option<LastError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_moved_for_longer_than_its_work_takes_is_stuck() {
        let vitals = Vitals::new("room 1".into(), "room", "rooms", None);
        vitals.begin_life();
        for (state, doing, seconds, expected) in [
            (State::Live, Doing::Reading, 40, false),
            (State::Live, Doing::Reading, 50, true),
            (State::Live, Doing::Decoding, 4, true),
            (State::Waiting, Doing::WaitingForGate, 9999, false),
            (State::Backoff, Doing::Reading, 50, false),
            (State::Failed, Doing::Decoding, 50, false),
            (State::Running, Doing::WaitingForSqlite, 11, true),
        ] {
            vitals.enter(state);
            vitals.doing(doing);
            let reading = vitals.reading(unix_ms() + seconds * 1000);
            assert_eq!(reading.stuck, expected, "{state:?} {doing:?} {seconds}");
        }
    }

    #[test]
    fn deaths_are_counted_by_how_they_happened() {
        let vitals = Vitals::new("room 1".into(), "room", "rooms", None);
        for exit in [Exit::Lost("x".into()), Exit::Vanished, Exit::Lost("y".into())] {
            vitals.ended(&exit);
        }
        let reading = vitals.reading(unix_ms());
        assert_eq!(reading.exits, BTreeMap::from([("lost".into(), 2), ("vanished".into(), 1)]));
        assert_eq!(reading.last_error.map(|error| error.text), Some("lost: y".to_owned()));
    }
}
