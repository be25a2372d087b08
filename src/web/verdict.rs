//! From figures to a judgement: what is not as it should be, how grave that is, and one sentence for a person.
//!
//! Pure, so that every finding is a row of a test. Grave is what loses figures, or keeps them from being
//! made; the rest is worth a look by daylight.

use serde::Serialize;

use super::{
    health::{Rooms, Thread},
    i18n::Lang,
    machine::Disk,
};
use crate::{
    actors::ledger::LedgerReading,
    domain::Kind,
    store::outbox::OutboxReading,
    supervise::{
        board::Storm,
        lane::LaneReading,
        vitals::{Reading, State},
    },
};

/// A lane fuller than this is a reason to look.
const LANE_FULL: f64 = 0.75;
/// An outbox fuller than this loses events soon.
const OUTBOX_FULL: f64 = 0.9;
/// A thread this late makes everybody on it late, ms.
const THREAD_LATE_MS: f64 = 1000.0;
/// A disk that is full within so many days.
const DAYS_LEFT: f64 = 7.0;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Such as `room_failed`.
    pub code: &'static str,
    /// How many.
    pub n: u64,
    /// Whether figures are being lost or cannot be made.
    pub grave: bool,
}

/// What is judged.
pub struct Figures<'a> {
    /// Rooms by state.
    pub rooms: &'a Rooms,
    /// All actors.
    pub actors: &'a [Reading],
    /// All lanes; the first is the record's.
    pub lanes: &'a [LaneReading],
    /// All threads.
    pub threads: &'a [Thread],
    /// The books.
    pub ledger: &'a LedgerReading,
    /// Many fell together.
    pub storm: Option<Storm>,
    /// The disk under the history.
    pub disk: &'a Disk,
    /// Whether the live store does not answer, and nothing stands in for it.
    pub live_store_silent: bool,
    /// What stands in for a Redis that is away.
    pub outbox: Option<&'a OutboxReading>,
    /// Whether the history does not answer.
    pub history_silent: bool,
    /// Rooms that were asked for and are not monitored.
    pub unresolved: usize,
    /// Processes of other roles of which nothing is heard.
    pub silent: usize,
}

/// Whether the program cannot do its work without an actor of this kind.
pub fn is_core(kind: &str) -> bool {
    kind != "room" && kind != "session"
}

/// Everything that is not as it should be, the gravest first.
pub fn findings(figures: &Figures<'_>) -> Vec<Finding> {
    let Figures { rooms, actors, lanes, threads, ledger, .. } = figures;
    let count = |holds: &dyn Fn(&Reading) -> bool| actors.iter().filter(|actor| holds(actor)).count() as u64;
    let waiting = rooms.monitored - rooms.receiving - rooms.paused - rooms.failed - rooms.off_air;
    let durable_shed = lanes.first().map_or(0, |record| {
        let durable = |kind: &str| Kind::from_name(kind).is_some_and(Kind::is_durable);
        record.shed_by_kind.iter().filter(|(kind, _)| durable(kind)).map(|(_, n)| n).sum()
    });
    let full = lanes.iter().filter(|lane| lane.depth as f64 > lane.capacity as f64 * LANE_FULL).count();
    let late = threads.iter().filter(|thread| thread.pulse.lag_worst_ms > THREAD_LATE_MS).count();
    let away = figures.outbox.filter(|outbox| outbox.away_ms.is_some());
    // What rests it is no death: Redis, which has nothing for it to read, or else SQLite.
    let sync_rests = count(&|actor| actor.kind == "sync" && actor.state == State::Backoff) > 0;
    let history_waits = sync_rests && away.is_none();
    let is_restarting = |actor: &Reading| is_core(&actor.kind) && actor.kind != "sync" && actor.state == State::Backoff;
    let nearly_full = away.filter(|outbox| outbox.bytes as f64 > outbox.capacity as f64 * OUTBOX_FULL);
    let all = [
        ("live_store_silent", u64::from(figures.live_store_silent), true),
        ("outbox_full", nearly_full.map_or(0, |outbox| outbox.bytes), true),
        ("history_silent", u64::from(figures.history_silent), true),
        ("process_silent", figures.silent as u64, true),
        (
            "core_actor_down",
            count(&|actor| is_core(&actor.kind) && matches!(actor.state, State::Failed | State::Stopped)),
            true,
        ),
        ("core_actor_stuck", count(&|actor| is_core(&actor.kind) && actor.stuck), true),
        ("thread_silent", threads.iter().filter(|thread| !thread.pulse.is_alive).count() as u64, true),
        ("ledger_unbalanced", u64::from(!ledger.balanced), true),
        ("durable_dropped", durable_shed, true),
        ("core_actor_restarting", count(&is_restarting), false),
        ("redis_away", away.map_or(0, |outbox| outbox.waiting.max(1)), false),
        ("history_waits", if history_waits { ledger.total.pending.max(1) } else { 0 }, false),
        ("storm", figures.storm.map_or(0, |storm| storm.deaths), false),
        ("room_stuck", count(&|actor| actor.kind == "room" && actor.stuck), false),
        ("room_failed", rooms.failed as u64, false),
        ("room_not_received", waiting as u64, false),
        ("room_thinned", rooms.thinned as u64, false),
        ("room_unresolved", figures.unresolved as u64, false),
        ("lane_full", full as u64, false),
        ("thread_late", late as u64, false),
        ("event_dropped", ledger.total.dropped.values().sum(), false),
        ("dead_letter", ledger.total.dead_letter, false),
        ("disk_full_soon", u64::from(figures.disk.days_left.is_some_and(|days| days < DAYS_LEFT)), false),
    ];
    all.into_iter().filter(|(_, n, _)| *n > 0).map(|(code, n, grave)| Finding { code, n, grave }).collect()
}

/// `ok`, `degraded` or `failing`.
pub fn verdict(findings: &[Finding]) -> &'static str {
    match findings {
        [] => "ok",
        findings if findings.iter().any(|finding| finding.grave) => "failing",
        _ => "degraded",
    }
}

/// The verdict for a person.
pub fn sentence(lang: Lang, rooms: &Rooms, findings: &[Finding]) -> String {
    let rooms = [("receiving", rooms.receiving.to_string()), ("monitored", rooms.monitored.to_string())];
    let mut parts = vec![lang.say("verdict-rooms", &rooms)];
    parts.extend(
        findings.iter().map(|finding| lang.say(&format!("finding-{}", finding.code), &[("n", finding.n.to_string())])),
    );
    parts.join(lang.say("verdict-and", &[]).as_str())
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, collections::BTreeMap};

    use super::*;
    use crate::supervise::{
        exit::Exit,
        pulse::PulseReading,
        vitals::{Doing, Vitals, unix_ms},
    };

    fn actor(kind: &'static str, state: State, doing: Doing, silent_ms: i64) -> Reading {
        let vitals = Vitals::new(kind.to_owned(), kind, "", None);
        vitals.begin_life();
        vitals.enter(state);
        vitals.doing(doing);
        if state == State::Failed {
            vitals.ended(&Exit::Vanished);
        }
        vitals.reading(unix_ms() + silent_ms)
    }

    fn thread(is_alive: bool, lag_worst_ms: f64) -> Thread {
        let pulse = PulseReading { name: "rooms 1".into(), beat: 0, is_alive, lag_ms: 0.0, lag_worst_ms };
        Thread { pulse, actors: 1 }
    }

    fn lane(depth: u64, shed: &[(&'static str, u64)]) -> LaneReading {
        let shed_by_kind: BTreeMap<_, _> = shed.iter().map(|(kind, n)| (Cow::Borrowed(*kind), *n)).collect();
        let shed = shed_by_kind.values().sum();
        LaneReading { name: "record".into(), depth, capacity: 100, high_water: 0, taken: 0, shed, shed_by_kind }
    }

    #[test]
    fn every_finding_is_told_as_grave_as_it_is() {
        let good = Rooms { monitored: 9, receiving: 9, paused: 0, failed: 0, off_air: 0, thinned: 0 };
        let disk = |days_left| Disk {
            database_bytes: 1,
            wal_bytes: 1,
            free_bytes: Some(1),
            growth_bytes_per_day: Some(1),
            days_left,
        };
        let (roomy, tight) = (disk(None), disk(Some(3.0)));
        let ledger = crate::actors::ledger::Ledger::default().reading();
        let unbalanced = LedgerReading { balanced: false, ..ledger.clone() };
        let base = || Figures {
            rooms: &good,
            actors: &[],
            lanes: &[],
            threads: &[],
            ledger: &ledger,
            storm: None,
            disk: &roomy,
            live_store_silent: false,
            outbox: None,
            history_silent: false,
            unresolved: 0,
            silent: 0,
        };
        let told = |figures: &Figures<'_>| {
            let found = findings(figures);
            let codes: Vec<_> = found.iter().map(|finding| finding.code).collect();
            format!("{} {}", verdict(&found), codes.join(" "))
        };
        let some_failed = Rooms { receiving: 6, paused: 1, failed: 1, ..good };
        let some_thinned = Rooms { receiving: 7, off_air: 2, thinned: 1, ..good };
        let stuck = [actor("room", State::Live, Doing::Decoding, 9000), actor("sync", State::Running, Doing::Idle, 0)];
        let core_stuck = [actor("sync", State::Running, Doing::WaitingForSqlite, 20_000)];
        let core_restarting = [actor("broadcast", State::Backoff, Doing::Idle, 0)];
        let sync_rests = [actor("sync", State::Backoff, Doing::Idle, 0)];
        let core_down = [actor("sync", State::Failed, Doing::Idle, 0)];
        let away = OutboxReading {
            waiting: 5,
            held: 5,
            bytes: 10,
            capacity: 100,
            away_ms: Some(1),
            error: Some("refused".into()),
        };
        let full = OutboxReading { bytes: 95, ..away.clone() };
        let storm = Some(Storm { since: 0, last: 0, deaths: 40 });
        for (figures, expected) in [
            (base(), "ok "),
            (Figures { rooms: &some_failed, ..base() }, "degraded room_failed room_not_received"),
            (Figures { rooms: &some_thinned, ..base() }, "degraded room_thinned"),
            (Figures { actors: &stuck, ..base() }, "degraded room_stuck"),
            (Figures { actors: &core_stuck, ..base() }, "failing core_actor_stuck"),
            (Figures { actors: &core_down, ..base() }, "failing core_actor_down"),
            (Figures { actors: &core_restarting, ..base() }, "degraded core_actor_restarting"),
            (Figures { actors: &sync_rests, ..base() }, "degraded history_waits"),
            (Figures { actors: &sync_rests, outbox: Some(&away), ..base() }, "degraded redis_away"),
            (Figures { threads: &[thread(false, 0.0)], ..base() }, "failing thread_silent"),
            (Figures { threads: &[thread(true, 1500.0)], ..base() }, "degraded thread_late"),
            (Figures { lanes: &[lane(76, &[("danmaku", 3)])], ..base() }, "degraded lane_full"),
            (Figures { lanes: &[lane(0, &[("gift", 1)])], ..base() }, "failing durable_dropped"),
            (Figures { ledger: &unbalanced, ..base() }, "failing ledger_unbalanced"),
            (Figures { live_store_silent: true, ..base() }, "failing live_store_silent"),
            (Figures { outbox: Some(&away), ..base() }, "degraded redis_away"),
            (Figures { outbox: Some(&full), ..base() }, "failing outbox_full redis_away"),
            (Figures { storm, ..base() }, "degraded storm"),
            (Figures { disk: &tight, ..base() }, "degraded disk_full_soon"),
            (Figures { unresolved: 2, ..base() }, "degraded room_unresolved"),
            (Figures { silent: 1, ..base() }, "failing process_silent"),
        ] {
            assert_eq!(told(&figures), expected);
            for lang in [Lang::En, Lang::ZhCn] {
                let sentence = sentence(lang, figures.rooms, &findings(&figures));
                assert!(!sentence.contains("finding-") && !sentence.contains("Unknown"), "{sentence}");
            }
        }
    }
}
