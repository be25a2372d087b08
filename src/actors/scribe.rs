//! Scribe: writes down what is no event, and reads what another process has stored.
//!
//! What became known about rooms, when they were not received, what they took in, unknown commands, and a
//! sign of life, all of them kept until SQLite takes them. The sign of life is the time until which everything that was
//! received is safe (`safe`): what a kill takes came later. It runs where the rooms run. When the sync runs in another
//! process, the books and totals of the events received here are learnt from the history.
//!
//! Not here: events (`redis_writer`, `sync`).

use std::{sync::Arc, time::Duration};

use tokio::{select, sync::watch, time::sleep};
use tracing::{info, warn};

use super::{
    ledger::Ledger,
    safe::Safe,
    wall::{News, Wall},
};
use crate::{
    store::sqlite::{Database, QueryError},
    supervise::{
        exit::Exit,
        lane::LaneGauge,
        life::Work,
        vitals::{Doing, State, Vitals, unix_ms},
    },
};

/// What it works with; outlives its lives.
#[derive(Clone)]
pub struct ScribeSpec {
    /// Where it is written.
    pub database: Database,
    /// What is known about rooms.
    pub wall: Arc<Wall>,
    /// What rooms took in.
    pub ledger: Arc<Ledger>,
    /// The lane to the live store.
    pub lane: Arc<LaneGauge>,
    /// The sync is another process: what it did is learnt from the history.
    pub learns: bool,
    /// Turns true when nothing more comes: write what is there, and end.
    pub finish: watch::Receiver<bool>,
    /// What it publishes.
    pub vitals: Arc<Vitals>,
}

impl Work for ScribeSpec {
    type Name = &'static str;

    fn work(self) -> impl Future<Output = Exit> {
        write(self)
    }
}

/// Something is written so often. After a kill the time since the last sign of life is a gap, so it is short.
const EVERY: Duration = Duration::from_millis(500);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

async fn write(spec: ScribeSpec) -> Exit {
    let mut finish = spec.finish.clone();
    let mut pause = EVERY;
    let mut known = 0;
    let mut safe = Safe::default();
    spec.vitals.enter(State::Running);
    loop {
        let finishing = *finish.borrow_and_update();
        spec.vitals.doing(Doing::WaitingForSqlite);
        match write_news(&spec, &mut known, &mut safe).await {
            Ok(()) if finishing => return Exit::Done,
            Ok(()) => {
                if spec.vitals.state() == State::Backoff {
                    info!("what is known about rooms is written down again");
                }
                spec.vitals.enter(State::Running);
                pause = EVERY;
            }
            Err(error) => {
                if spec.vitals.state() != State::Backoff {
                    warn!(%error, "what is known about rooms waits to be written down: {error}");
                }
                spec.vitals.enter(State::Backoff);
                spec.vitals.failed_with(error.to_string(), None);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        spec.vitals.doing(Doing::Idle);
        select! {
            () = sleep(pause) => {}
            _ = finish.changed() => {}
        }
    }
}

/// Writes everything down that is new since `known`, the generation of what is known about rooms.
async fn write_news(spec: &ScribeSpec, known: &mut u64, safe: &mut Safe) -> Result<(), QueryError> {
    let ScribeSpec { database, wall, ledger, .. } = spec;
    let safe_until_ms = safe.look(unix_ms(), &spec.lane.reading());
    let News { generation, infos, rooms } = wall.news_since(*known);
    database
        .run(move |database| {
            if !infos.is_empty() {
                database.save_rooms(&infos)?;
            }
            rooms.map_or(Ok(()), |rooms| database.set_task_rooms(&rooms))?;
            safe_until_ms.map_or(Ok(()), |until_ms| database.task_is_safe(until_ms))
        })
        .await?;
    *known = generation;
    let gaps = wall.take_gaps();
    if !gaps.is_empty() {
        let kept = gaps.clone();
        let written = database.run(move |database| database.note_gaps(&gaps)).await;
        written.inspect_err(|_| wall.put_back_gaps(kept))?;
    }
    let intake = ledger.take_intake();
    if !intake.is_empty() {
        let kept = intake.clone();
        let written = database.run(move |database| database.add_intake(&intake)).await;
        written.inspect_err(|_| ledger.put_back_intake(kept))?;
    }
    let unknown = ledger.take_unknown();
    if !unknown.is_empty() {
        let kept = unknown.clone();
        let written = database.run(move |database| database.count_unknown(&unknown)).await;
        written.inspect_err(|_| ledger.put_back_unknown(kept))?;
    }
    if spec.learns {
        let stored = database.run(|database| Ok::<_, QueryError>((database.outcomes()?, database.all_totals()?)));
        let (outcomes, totals) = stored.await?;
        ledger.recorded_elsewhere(outcomes);
        for (room, totals) in totals {
            wall.set_totals(room, totals);
        }
    }
    Ok(())
}
