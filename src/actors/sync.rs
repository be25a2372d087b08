//! SyncActor: from the live store into SQLite.
//!
//! Reads batches after the position that SQLite has committed, records them (rows, sums and position in
//! one transaction), and only then lets the live store forget them. So a crash anywhere loses nothing and
//! stores nothing twice. Runs when something was appended, at most once per interval, and on demand. When
//! SQLite or the live store fails it waits and tries again; events wait in the live store.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    select,
    sync::{Mutex, Notify, mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tracing::{error, info, warn};

use super::{
    graves,
    ledger::Ledger,
    sync_request::{SyncError, SyncRequest, SyncRun},
    wall::Wall,
};
use crate::{
    domain::{Event, RoomId},
    store::{
        Batch, LiveStore, Position, RoomTotals, StoreError, StoreKind,
        record::{RecordError, Recorded},
        sqlite::Database,
    },
    supervise::{
        exit::Exit,
        faults::{self, Point},
        inbox::{Suspicion, sift},
        life::Work,
        vitals::{Doing, State, Vitals, unix_ms},
    },
};

/// What the sync works with; outlives its lives.
#[derive(Clone)]
pub struct SyncSpec {
    /// From here ...
    pub live: Arc<dyn LiveStore>,
    /// ... to here.
    pub database: Database,
    /// At most one run per interval.
    pub interval: Duration,
    /// Rung after each append.
    pub appended: Arc<Notify>,
    /// Runs on demand.
    pub requests: Arc<Mutex<mpsc::Receiver<SyncRequest>>>,
    /// Turns true when this is to end.
    pub finish: watch::Receiver<bool>,
    /// What is there then is finished first, because no more is appended; otherwise another process goes on
    /// appending, and it stays for the next run of this one.
    pub to_the_end: bool,
    /// Where every event went.
    pub ledger: Arc<Ledger>,
    /// How many lives ended over the batches in hand.
    pub suspicion: Arc<Suspicion>,
    /// The present picture.
    pub wall: Arc<Wall>,
    /// What it publishes.
    pub vitals: Arc<Vitals>,
}

impl Work for SyncSpec {
    type Name = &'static str;

    fn work(self) -> impl Future<Output = Exit> {
        sync(self)
    }
}

/// Events moved per transaction, when so many wait: large enough to be cheap (what they have in common is written once),
/// small enough to keep another writer waiting only for a fraction of a second.
const EVENTS_PER_RUN: usize = 5000;
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often the sync looks without having been rung for.
const LOOK: Duration = Duration::from_secs(1);

async fn sync(spec: SyncSpec) -> Exit {
    let requests = spec.requests.clone();
    let mut requests = requests.lock().await;
    let mut finish = spec.finish.clone();
    let mut state = Progress { careful: spec.suspicion.begin_life(), ..Progress::default() };
    let mut pause = Duration::from_millis(200);
    let mut untold = None;
    spec.vitals.enter(State::Running);
    loop {
        let finishing = *finish.borrow_and_update();
        let begun = Instant::now();
        let run = match run(&spec, &mut state).await {
            Ok(run) => run,
            Err(error) => {
                // Nothing is left, or Redis is away and the outbox holds what is: it follows at the next start.
                let safe = matches!(error, SyncError::LiveStore(_)) && spec.live.outbox().is_some();
                if finishing && (spec.ledger.pending() == 0 || safe) {
                    return Exit::Done;
                }
                if spec.vitals.state() != State::Backoff {
                    error!(%error, "events are not stored; they wait in the live store: {error}");
                    // Told to whoever reads the task's row as soon as it can be written.
                    untold = Some(error.to_string());
                }
                spec.vitals.enter(State::Backoff);
                spec.vitals.failed_with(error.to_string(), None);
                while let Ok(request) = requests.try_recv() {
                    // Whoever asked may have gone.
                    let _ = request.send(Err(error.clone()));
                }
                spec.vitals.doing(Doing::Idle);
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        if spec.vitals.state() == State::Backoff {
            info!("events are stored again");
        }
        if let Some(error) = untold.take() {
            let told = error.clone();
            if spec.database.run(move |database| database.note_task_error(&told)).await.is_err() {
                untold = Some(error);
            }
        }
        pause = Duration::from_millis(200);
        spec.vitals.enter(if finishing { State::Draining } else { State::Running });
        let more = run.total > 0 && (finishing || run.total >= EVENTS_PER_RUN as u64);
        if more && (spec.to_the_end || !finishing) {
            continue;
        }
        if finishing {
            return Exit::Done;
        }
        spec.vitals.doing(Doing::Idle);
        select! {
            Some(request) = requests.recv() => {
                let run = self::run(&spec, &mut state).await;
                // Whoever asked may have gone.
                let _ = request.send(run);
            }
            () = async {
                spec.appended.notified().await;
                sleep_until(begun + spec.interval).await;
            } => {}
            _ = finish.changed() => {}
            // Whatever was appended without a bell, by an earlier run or another process, is found as well.
            () = sleep(LOOK.max(spec.interval)) => {}
        }
    }
}

/// How far this life has come.
#[derive(Default)]
struct Progress {
    /// Of the live store's stream; none until SQLite was asked, or while it has none.
    position: Option<Position>,
    /// Lives have ended over the batches in hand: take them apart where they fail.
    careful: bool,
}

/// One run: at most [`EVENTS_PER_RUN`] events, one transaction.
async fn run(spec: &SyncSpec, progress: &mut Progress) -> Result<SyncRun, SyncError> {
    let start_ms = unix_ms();
    spec.vitals.doing(Doing::WaitingForSqlite);
    let kind = spec.live.kind();
    if progress.position.is_none() {
        progress.position = spec.database.run(move |database| database.cursor(kind)).await?;
    }
    spec.vitals.doing(Doing::WaitingForLiveStore);
    faults::at(Point::SyncRead, 0).await.map_err(|fault| StoreError::Unreachable(fault.to_string()))?;
    let batches = match spec.live.read_after(progress.position.as_ref(), EVENTS_PER_RUN).await {
        // It would stand in the way for ever. What it held shows as unaccounted for in the ledger.
        Err(StoreError::Unreadable { position, why }) => {
            error!(position, "a batch of the live store is passed over, it cannot be read: {why}");
            vec![Batch { position: Position(position), events: Vec::new() }]
        }
        read => read?,
    };
    let Some(last) = batches.last().map(|batch| batch.position.clone()) else {
        return Ok(SyncRun { start_ms, end_ms: unix_ms(), ..SyncRun::default() });
    };
    let events: u64 = batches.iter().map(|batch| batch.events.len() as u64).sum();
    let newest = batches.last().and_then(|batch| batch.events.last()).map(|event| event.timestamp_ms);
    spec.vitals.took_in(events, 0);
    spec.vitals.doing(Doing::WaitingForSqlite);
    spec.suspicion.begin_work();
    let recorded = if progress.careful {
        record_what_can_be(spec, kind, batches).await?
    } else {
        spec.database.run(move |database| database.record(kind, &batches)).await?
    };
    spec.suspicion.finish_work();
    progress.position = Some(last.clone());
    let mut run = SyncRun { start_ms, total: events, ..SyncRun::default() };
    for (room, outcome) in &recorded.rooms {
        spec.ledger.recorded(*room, outcome.stored, outcome.duplicate, outcome.dead_letter);
        run.stored += outcome.stored;
        run.duplicate += outcome.duplicate;
        run.dead_letter += outcome.dead_letter;
    }
    spec.vitals.handed_on(events, newest);
    for (room, totals) in &recorded.totals {
        spec.wall.set_totals(*room, *totals);
    }
    spec.vitals.doing(Doing::WaitingForLiveStore);
    // Everything is stored: what the live store does not take now it is told again by the next run.
    if let Err(error) = tell_live_store(spec, &last, &recorded.totals).await {
        warn!(%error, "the live store does not take what is stored: {error}");
        spec.vitals.failed_with(error.to_string(), None);
    }
    run.end_ms = unix_ms();
    Ok(run)
}

/// Records batches, and events in them over which that panics as dead letters.
async fn record_what_can_be(spec: &SyncSpec, kind: StoreKind, batches: Vec<Batch>) -> Result<Recorded, RecordError> {
    let batches = Arc::new(batches);
    let all = batches.clone();
    let recording = spec.database.run(move |database| database.record(kind, &all));
    if let Ok(recorded) = AssertUnwindSafe(recording).catch_unwind().await {
        return recorded;
    }
    let events: Vec<Event> = batches.iter().flat_map(|batch| &batch.events).cloned().collect();
    let bad = sift(&events, async |run| {
        let run = run.to_vec();
        // What fails without a panic fails again below, where it is reported.
        let _ = spec.database.run(move |database| database.rehearse(&run)).await;
    });
    let mut aside = HashMap::new();
    for (at, panic) in bad.await {
        let (event, why) = (&events[at], graves::why("the sync", &panic));
        error!(room.id = %event.room_id, event.id = %event.id, "an event is set aside as a dead letter: {why}");
        aside.insert(event.id, why);
    }
    spec.database.run(move |database| database.record_but(kind, &batches, &aside)).await
}

/// Lets the live store forget what is stored, and publishes the totals.
async fn tell_live_store(
    spec: &SyncSpec,
    last: &Position,
    totals: &HashMap<RoomId, RoomTotals>,
) -> Result<(), StoreError> {
    spec.live.forget_through(last).await?;
    let mut refused = Ok(());
    for (room, totals) in totals {
        match spec.live.put_totals(*room, totals).await {
            // A key that somebody else made, with another type, hides nothing but itself.
            Err(error @ StoreError::Refused { .. }) => refused = Err(error),
            other => other?,
        }
    }
    refused
}
