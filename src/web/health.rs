//! The health of the program, as one reading that the page, the API, the push and the terminal share.
//!
//! A reading asks no actor: it takes what the board, the ledger and the system's own files say, so a
//! stuck actor is shown and not waited for. Only the stores are asked, with a limit. One reading is made
//! at most once a second however many look, and at once when something died.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{
    Site, Web,
    i18n::Lang,
    machine::{Disk, Process},
    standing::{self, Upstream},
    verdict::{Figures, Finding, findings, sentence, verdict},
};
use crate::{
    actors::{ledger::LedgerReading, report::Report},
    store::{LiveStoreStatus, outbox::OutboxReading},
    supervise::{
        board::{Death, Storm},
        lane::LaneReading,
        pulse::PulseReading,
        vitals::{Reading, State, unix_ms},
        warnings::{self, Warning},
    },
};

/// The stores are asked for so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// A reading is good for so long.
const FRESH: Duration = Duration::from_millis(900);

/// The contract's answer.
#[derive(Serialize)]
pub struct Health {
    /// `ok`, `degraded` or `failing`.
    pub verdict: &'static str,
    /// Why, for a person; in English, pages build their own from `findings`.
    pub sentence: String,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// Many fell together, lately.
    pub storm: Option<Storm>,
    /// Rooms by state.
    pub rooms: Rooms,
    /// Rooms that were asked for at the start and are not monitored, by the number given, with the reason.
    pub unresolved: BTreeMap<String, String>,
    /// All actors.
    pub actors: Vec<Reading>,
    /// The threads they live on.
    pub arbiters: Vec<Thread>,
    /// All lanes.
    pub lanes: Vec<LaneReading>,
    /// The last deaths, newest first.
    pub deaths: Vec<Death>,
    /// The last warnings and errors of the log, newest first.
    pub warnings: Vec<Warning>,
    /// This process.
    pub process: Process,
    /// The live store; none when it does not answer.
    pub live_store: Option<LiveStoreStatus>,
    /// Why it does not.
    pub live_store_error: Option<String>,
    /// What is on the way to Redis; none with the embedded store.
    pub outbox: Option<OutboxReading>,
    /// The history.
    pub history: History,
    /// Bytes of the history on disk, its write-ahead log included.
    pub database_bytes: u64,
    /// Live connections.
    pub sessions: usize,
    /// Roles whose process is not heard of; in one process none.
    pub processes_silent: Vec<&'static str>,
    /// How we stand with Bilibili: the gate, accounts, and who is left alone until when.
    pub upstream: Upstream,
    /// The books.
    pub ledger: LedgerReading,
    /// When this was read, unix ms.
    pub at: i64,
}

/// Watched rooms by how they are.
#[derive(Serialize)]
pub struct Rooms {
    /// All.
    pub monitored: usize,
    /// Received.
    pub receiving: usize,
    /// Paused by a person.
    pub paused: usize,
    /// Given up for now.
    pub failed: usize,
    /// Off air, and waiting for a broadcast without a connection.
    pub off_air: usize,
    /// Received, but with far less chat than before.
    pub thinned: usize,
}

/// A thread and how many actors live on it.
#[derive(Serialize)]
pub struct Thread {
    /// How late it is.
    #[serde(flatten)]
    pub pulse: PulseReading,
    /// Actors whose present life is led on it.
    pub actors: usize,
}

/// How the history is.
#[derive(Serialize)]
pub struct History {
    /// Time of one question, ms; none when it was not answered within a second.
    pub read_ms: Option<f64>,
    /// Its files.
    #[serde(flatten)]
    pub disk: Disk,
}

/// The last reading, for a second or until something dies.
#[derive(Default)]
pub struct Memo(Mutex<Option<Made>>);

struct Made {
    at: Instant,
    news: u64,
    text: Arc<str>,
}

impl Memo {
    /// A reading that is at most a second old, as JSON.
    pub async fn json(&self, site: &Site) -> Arc<str> {
        let mut last = self.0.lock().await;
        let news = *site.web.board.news().borrow();
        if let Some(made) = &*last
            && made.at.elapsed() < FRESH
            && made.news == news
        {
            return made.text.clone();
        }
        let text: Arc<str> = serde_json::to_string(&read(site).await).unwrap_or_else(|_| "null".into()).into();
        *last = Some(Made { at: Instant::now(), news, text: text.clone() });
        text
    }
}

/// Reads everything.
pub async fn read(site: &Site) -> Health {
    let web = &site.web;
    let (live_store, read_ms) = tokio::join!(timeout(PATIENCE, web.live.status()), ask_history(web));
    let (live_store, live_store_error) = match live_store {
        Ok(Ok(status)) => (Some(status), None),
        Ok(Err(error)) => (None, Some(error.to_string())),
        Err(_) => (None, Some("no answer within a second".to_owned())),
    };
    let (rooms, ledger, disk) = (rooms(web), web.ledger.reading(), site.disk.now());
    let own = Report::now(&web.board, &web.wall, web.live.as_ref(), None);
    let silent = web.reports.silent(own.at);
    let Report { actors, lanes, threads, mut deaths, storm, outbox, unresolved, .. } =
        web.reports.all().into_iter().fold(own, |all, (role, report)| all.and(role, report, silent.contains(&role)));
    deaths.sort_by_key(|death| std::cmp::Reverse(death.at));
    let arbiters = with_actors(threads, &actors);
    let findings = findings(&Figures {
        rooms: &rooms,
        actors: &actors,
        lanes: &lanes,
        threads: &arbiters,
        ledger: &ledger,
        storm,
        disk: &disk,
        live_store_silent: live_store.is_none() && outbox.is_none(),
        outbox: outbox.as_ref(),
        history_silent: read_ms.is_none(),
        unresolved: unresolved.len(),
        silent: silent.len(),
    });
    Health {
        verdict: verdict(&findings),
        sentence: sentence(Lang::En, &rooms, &findings),
        findings,
        storm,
        rooms,
        unresolved,
        actors,
        arbiters,
        lanes,
        deaths,
        warnings: warnings::last(),
        process: Process::now(site.started_ms, site.web.options.demo),
        live_store,
        live_store_error,
        outbox,
        database_bytes: disk.database_bytes + disk.wal_bytes,
        history: History { read_ms, disk },
        sessions: site.sessions.count(),
        upstream: standing::read(web),
        ledger,
        processes_silent: silent,
        at: unix_ms(),
    }
}

/// How long the history takes for a small question, ms.
async fn ask_history(web: &Web) -> Option<f64> {
    let before = Instant::now();
    let answer = timeout(PATIENCE, web.database.run(|database| database.task())).await;
    matches!(answer, Ok(Ok(_))).then(|| before.elapsed().as_secs_f64() * 1000.0)
}

fn rooms(web: &Web) -> Rooms {
    let rooms = web.wall.summaries();
    let count = |state| rooms.iter().filter(|room| room.state == state).count();
    Rooms {
        monitored: rooms.len(),
        receiving: count(State::Live),
        paused: count(State::Paused),
        failed: count(State::Failed),
        off_air: rooms.iter().filter(|room| room.reception.waits_for_broadcast && room.state == State::Waiting).count(),
        thinned: rooms.iter().filter(|room| room.reception.thinned_since_ms.is_some()).count(),
    }
}

fn with_actors(threads: Vec<PulseReading>, actors: &[Reading]) -> Vec<Thread> {
    let lives_there = |name: &str| actors.iter().filter(|actor| actor.thread.as_deref() == Some(name)).count();
    threads.into_iter().map(|pulse| Thread { actors: lives_there(&pulse.name), pulse }).collect()
}
