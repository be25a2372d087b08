//! The health of the program: as JSON, as a page, and once a second to whoever watches it.
//!
//! A reading asks no actor: it takes what the board, the ledger and the system's own files say, so a
//! stuck actor is shown and not waited for. Only the live store is asked, with a limit. One reading is
//! made at most once a second, however many look.

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{Site, Web, error::Refusal, pages};
use crate::{
    actors::ledger::LedgerReading,
    store::LiveStoreStatus,
    supervise::{
        board::Death,
        lane::LaneReading,
        vitals::{Reading, State, unix_ms},
    },
};

/// The live store is asked for so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// A lane fuller than this is a reason to look.
const LANE_FULL: f64 = 0.75;

/// The contract's answer.
#[derive(Serialize)]
pub struct Health {
    /// `ok`, `degraded` or `failing`.
    pub verdict: &'static str,
    /// Why, for a person; in English, pages build their own from `findings`.
    pub sentence: String,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// Rooms by state.
    pub rooms: Rooms,
    /// Rooms that were asked for at the start and are not monitored, by the number given, with the reason.
    pub unresolved: BTreeMap<String, String>,
    /// All actors.
    pub actors: Vec<Reading>,
    /// All lanes.
    pub lanes: Vec<LaneReading>,
    /// The last deaths, newest first.
    pub deaths: Vec<Death>,
    /// This process.
    pub process: Process,
    /// The live store; none when it does not answer.
    pub live_store: Option<LiveStoreStatus>,
    /// Why it does not.
    pub live_store_error: Option<String>,
    /// Bytes of the history on disk.
    pub database_bytes: u64,
    /// Live connections.
    pub sessions: usize,
    /// The books.
    pub ledger: LedgerReading,
    /// When this was read, unix ms.
    pub at: i64,
}

/// Something that is not as it should be.
#[derive(Serialize)]
pub struct Finding {
    /// Such as `room_failed`.
    pub code: &'static str,
    /// How many.
    pub n: u64,
    /// Whether figures are being lost or cannot be made.
    pub grave: bool,
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
}

/// The process against its limits. What the system does not say is null.
#[derive(Serialize)]
pub struct Process {
    version: &'static str,
    pid: u32,
    started_ms: i64,
    uptime_ms: i64,
    rss_bytes: Option<u64>,
    descriptors: Option<u64>,
    descriptors_limit: Option<u64>,
    threads: Option<u64>,
    threads_limit: Option<u64>,
    demo: bool,
}

/// The last reading, for a second.
#[derive(Default)]
pub struct Memo(Mutex<Option<(Instant, Arc<str>)>>);

impl Memo {
    /// A reading that is at most a second old, as JSON.
    pub async fn json(&self, site: &Site) -> Arc<str> {
        let mut last = self.0.lock().await;
        if let Some((made, text)) = &*last
            && made.elapsed() < Duration::from_millis(900)
        {
            return text.clone();
        }
        let text: Arc<str> = serde_json::to_string(&read(site).await).unwrap_or_else(|_| "null".into()).into();
        *last = Some((Instant::now(), text.clone()));
        text
    }
}

/// Reads everything.
pub async fn read(site: &Site) -> Health {
    let web = &site.web;
    let (live_store, live_store_error) = match timeout(PATIENCE, web.live.status()).await {
        Ok(Ok(status)) => (Some(status), None),
        Ok(Err(error)) => (None, Some(error.to_string())),
        Err(_) => (None, Some("no answer within a second".to_owned())),
    };
    let rooms = rooms(web);
    let (actors, lanes, ledger) = (web.board.actors(), web.board.lanes(), web.ledger.reading());
    let unresolved: BTreeMap<String, String> =
        web.wall.unresolved().into_iter().map(|(room, why)| (room.to_string(), why)).collect();
    let mut findings = findings(&rooms, &actors, &lanes, &ledger, live_store.is_none());
    if !unresolved.is_empty() {
        findings.push(Finding { code: "room_unresolved", n: unresolved.len() as u64, grave: false });
    }
    let verdict = match () {
        () if findings.iter().any(|finding| finding.grave) => "failing",
        () if !findings.is_empty() => "degraded",
        () => "ok",
    };
    let trouble: Vec<String> = findings.iter().map(|finding| format!("{} {}", finding.n, finding.code)).collect();
    let sentence = format!(
        "{} of {} rooms received{}{}",
        rooms.receiving,
        rooms.monitored,
        if trouble.is_empty() { "" } else { "; " },
        trouble.join(", ").replace('_', " ")
    );
    Health {
        verdict,
        sentence,
        findings,
        rooms,
        unresolved,
        actors,
        lanes,
        deaths: web.board.deaths(),
        process: process(site),
        live_store,
        live_store_error,
        database_bytes: web.database.size_bytes(),
        sessions: site.sessions.count(),
        ledger,
        at: unix_ms(),
    }
}

fn rooms(web: &Web) -> Rooms {
    let rooms = web.wall.summaries();
    let count = |state| rooms.iter().filter(|room| room.state == state).count();
    Rooms {
        monitored: rooms.len(),
        receiving: count(State::Live),
        paused: count(State::Paused),
        failed: count(State::Failed),
    }
}

fn findings(
    rooms: &Rooms,
    actors: &[Reading],
    lanes: &[LaneReading],
    ledger: &LedgerReading,
    live_store_silent: bool,
) -> Vec<Finding> {
    let core = |kind: &str| kind != "room" && kind != "session";
    let core_down =
        actors.iter().filter(|actor| core(actor.kind) && matches!(actor.state, State::Failed | State::Stopped)).count();
    let core_restarting = actors.iter().filter(|actor| core(actor.kind) && actor.state == State::Backoff).count();
    let full = lanes.iter().filter(|lane| lane.depth as f64 > lane.capacity as f64 * LANE_FULL).count();
    let waiting = rooms.monitored - rooms.receiving - rooms.paused - rooms.failed;
    let dropped: u64 = ledger.total.dropped.values().sum();
    let all = [
        ("live_store_silent", u64::from(live_store_silent), true),
        ("core_actor_down", core_down as u64, true),
        ("ledger_unbalanced", u64::from(!ledger.balanced), true),
        ("core_actor_restarting", core_restarting as u64, false),
        ("event_dropped", dropped, false),
        ("dead_letter", ledger.total.dead_letter, false),
        ("lane_full", full as u64, false),
        ("room_failed", rooms.failed as u64, false),
        ("room_not_received", waiting as u64, false),
    ];
    all.into_iter().filter(|(_, n, _)| *n > 0).map(|(code, n, grave)| Finding { code, n, grave }).collect()
}

fn process(site: &Site) -> Process {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let number = |text: &str, name: &str, word: usize| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line[name.len()..].split_whitespace().nth(word)?.parse::<u64>().ok()
    };
    Process {
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        started_ms: site.started_ms,
        uptime_ms: unix_ms() - site.started_ms,
        rss_bytes: number(&status, "VmRSS:", 0).map(|kb| kb * 1024),
        descriptors: fs::read_dir("/proc/self/fd").ok().map(|open| open.count() as u64),
        descriptors_limit: number(&limits, "Max open files", 0),
        threads: number(&status, "Threads:", 0),
        threads_limit: number(&limits, "Max processes", 0),
        demo: site.web.options.demo,
    }
}

/// `/live/debug/`.
pub async fn page(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    pages::answer(&request, &site, "debug.html", values(&site)).await
}

async fn values(site: &Site) -> Result<Value, Refusal> {
    let health: Value = serde_json::from_str(&site.health_json().await).map_err(|e| Refusal::inside("reading", e))?;
    let unknown = site.ask("listing unknown commands", |database| database.unknown_commands()).await?;
    let stored = site.ask("reading the ledger", |database| database.ledger()).await?;
    let all_time = json!({
        "stored": stored.values().map(|room| room.stored).sum::<u64>(),
        "duplicate": stored.values().map(|room| room.duplicate).sum::<u64>(),
        "dead_letter": stored.values().map(|room| room.dead_letter).sum::<u64>(),
    });
    Ok(json!({"section": "debug", "health": health, "unknown": unknown, "all_time": all_time}))
}

/// `/healthz`: the process answers and no part of the core has given up.
pub async fn healthz(site: web::Data<Site>) -> HttpResponse {
    let down = site.web.board.actors().into_iter().find(|actor| {
        actor.kind != "room" && actor.kind != "session" && matches!(actor.state, State::Failed | State::Stopped)
    });
    match down {
        None => plain(true, "ok"),
        Some(actor) => plain(false, &format!("{} is {}", actor.name, actor.state.as_str())),
    }
}

/// `/readyz`: the history can be read, the live store answers and the program is not on its way out.
pub async fn readyz(site: web::Data<Site>) -> HttpResponse {
    if site.sessions.is_closing() {
        return plain(false, "stopping");
    }
    if let Err(refusal) = site.ask("reading the history", |database| database.task()).await {
        return plain(false, &refusal.text);
    }
    match timeout(Duration::from_secs(5), site.web.live.status()).await {
        Ok(Ok(_)) => plain(true, "ready"),
        Ok(Err(error)) => plain(false, &error.to_string()),
        Err(_) => plain(false, "the live store does not answer"),
    }
}

fn plain(good: bool, text: &str) -> HttpResponse {
    let mut answer = if good { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.content_type("text/plain; charset=utf-8").body(format!("{text}\n"))
}
