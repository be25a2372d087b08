//! What a process says of itself to the one that has the pages: the same that its own pages would show.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::{
    ledger::{Ledger, LedgerReading},
    root::RELAY,
    wall::Wall,
};
use crate::{
    store::{
        LiveStore,
        outbox::{Outbox, OutboxReading},
    },
    supervise::{
        board::{Board, Death, Storm},
        lane::LaneReading,
        pulse::PulseReading,
        vitals::{Reading, unix_ms},
    },
};

/// The role whose process has the rooms.
pub const COLLECTOR: &str = "collector";
/// The role whose process syncs.
pub const SYNC: &str = "sync";

/// A process that has not reported for so long is taken for ended, ms.
pub const SILENT_MS: i64 = 5_000;

/// The report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// When it was made, unix ms.
    pub at: i64,
    /// Its actors.
    pub actors: Vec<Reading>,
    /// Its lanes.
    pub lanes: Vec<LaneReading>,
    /// Its threads.
    pub threads: Vec<PulseReading>,
    /// Its last deaths, newest first.
    pub deaths: Vec<Death>,
    /// Many of its rooms fell together, lately.
    pub storm: Option<Storm>,
    /// What is on its way to Redis.
    pub outbox: Option<OutboxReading>,
    /// Rooms that were asked for and are not monitored, with the reason.
    pub unresolved: BTreeMap<String, String>,
    /// The books of its run and of all time, from the one who receives.
    pub ledger: Option<(LedgerReading, LedgerReading)>,
}

impl Report {
    /// What stands there now. `ledger` is given by the one who keeps the books.
    pub fn now(board: &Board, wall: &Wall, live: &dyn LiveStore, ledger: Option<&Ledger>) -> Report {
        Report {
            at: unix_ms(),
            actors: board.actors(),
            lanes: board.lanes(),
            threads: board.pulses(),
            deaths: board.deaths(),
            storm: board.present_storm(),
            outbox: live.outbox().map(Outbox::reading),
            unresolved: wall.unresolved().into_iter().map(|(room, why)| (room.to_string(), why)).collect(),
            ledger: ledger.map(|ledger| (ledger.reading(), ledger.all_time())),
        }
    }

    /// Together with that of the process of another role. How that is now is not known if it is `silent`.
    pub fn and(mut self, role: &str, other: Report, silent: bool) -> Report {
        self.deaths.extend(other.deaths);
        if silent {
            return self;
        }
        self.actors.extend(other.actors.into_iter().map(|actor| Reading {
            // Each has a relay, and threads of its own.
            name: if actor.kind == RELAY { format!("{role} {}", actor.name) } else { actor.name },
            thread: actor.thread.map(|thread| format!("{role} {thread}")),
            ..actor
        }));
        let named = |thread: PulseReading| PulseReading { name: format!("{role} {}", thread.name), ..thread };
        self.threads.extend(other.threads.into_iter().map(named));
        self.lanes.extend(other.lanes);
        self.unresolved.extend(other.unresolved);
        self.storm = self.storm.or(other.storm);
        self.outbox = self.outbox.or(other.outbox);
        self
    }
}

/// What the other processes of this installation report.
#[derive(Default)]
pub struct Reports {
    expected: &'static [&'static str],
    last: Mutex<BTreeMap<&'static str, Report>>,
}

impl Reports {
    /// From processes of these roles; none of them has reported yet.
    pub fn of(expected: &'static [&'static str]) -> Reports {
        Reports { expected, last: Mutex::default() }
    }

    /// Whose reports are expected.
    pub fn expected(&self) -> &'static [&'static str] {
        self.expected
    }

    /// A report came.
    pub fn put(&self, role: &'static str, report: Report) {
        self.last().insert(role, report);
    }

    /// The last report of each process, by its role.
    pub fn all(&self) -> BTreeMap<&'static str, Report> {
        self.last().clone()
    }

    /// Of whom nothing is heard at `now_ms`.
    pub fn silent(&self, now_ms: i64) -> Vec<&'static str> {
        let last = self.last();
        let is_silent = |role: &&&'static str| last.get(*role).is_none_or(|report| now_ms - report.at > SILENT_MS);
        self.expected.iter().filter(is_silent).copied().collect()
    }

    fn last(&self) -> MutexGuard<'_, BTreeMap<&'static str, Report>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
