//! When the history is kept in order: its index every moment, its log every half second, its age every day.
//!
//! Not part of the flow: what fails here is said once and tried again at its next time, and nothing waits
//! for it.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::{error, info, warn};

use crate::store::{
    archive,
    housekeeper::Housekeeper,
    retention::Retention,
    sqlite::{Database, QueryError},
};

const INDEX_EVERY: Duration = Duration::from_secs(2);
/// At the fastest a log becomes long in a second.
const WRITE_BACK_EVERY: Duration = Duration::from_millis(500);
const CUT_OFF_EVERY: Duration = Duration::from_secs(60);
const SAMPLE_EVERY: Duration = Duration::from_secs(3600);
const CLEAN_EVERY: Duration = Duration::from_secs(24 * 3600);
/// A program that is started every morning must come to cleaning, too.
const CLEAN_FIRST: Duration = Duration::from_secs(120);

/// The housekeeper of a process, at work until that ends: of all of them, the one that syncs keeps order, and the
/// one with the pages keeps ready what those ask for.
pub(super) fn start(database: Database, settings: &crate::config::Settings) -> Arc<Housekeeper> {
    let keep = settings.keep;
    let retention = Retention {
        chat_days: keep.chat_days,
        entries_days: keep.entries_days,
        gauges_days: keep.gauges_days,
        money_days: keep.money_days,
        raw_days: keep.raw_days,
    };
    let housekeeper = Arc::new(Housekeeper::new(database, retention, archive::folder(&settings.data_dir)));
    let now = Instant::now();
    if settings.role.serves() {
        actix::spawn(repeat("counting people", now, INDEX_EVERY, housekeeper.clone(), Housekeeper::count));
    }
    if !settings.role.syncs() {
        return housekeeper;
    }
    actix::spawn(repeat("indexing chat", now, INDEX_EVERY, housekeeper.clone(), Housekeeper::index));
    actix::spawn(repeat("measuring", now, SAMPLE_EVERY, housekeeper.clone(), Housekeeper::sample));
    actix::spawn(repeat("writing the log back", now, WRITE_BACK_EVERY, housekeeper.clone(), Housekeeper::write_back));
    actix::spawn(repeat("cutting the log off", now + CUT_OFF_EVERY, CUT_OFF_EVERY, housekeeper.clone(), |keeper| {
        if !keeper.checkpoint()? {
            warn!("history: a reader keeps the write-ahead log from being cut off; it is tried again");
        }
        Ok(())
    }));
    actix::spawn(repeat("deleting what is old", now + CLEAN_FIRST, CLEAN_EVERY, housekeeper.clone(), |keeper| {
        keeper.cleanup();
        if let Some(done) = keeper.last_cleanup() {
            info!(deleted = ?done.deleted, freed_bytes = done.freed_bytes, error = done.error, "history: cleaned up");
        }
        Ok(())
    }));
    housekeeper
}

async fn repeat(
    what: &'static str,
    first: Instant,
    every: Duration,
    housekeeper: Arc<Housekeeper>,
    work: fn(&Housekeeper) -> Result<(), QueryError>,
) {
    let mut ticks = interval_at(first, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = String::new();
    loop {
        ticks.tick().await;
        let housekeeper = housekeeper.clone();
        match tokio::task::spawn_blocking(move || work(&housekeeper)).await {
            Ok(Ok(())) => said.clear(),
            Ok(Err(failed)) => {
                let text = format!("{failed:?}");
                if text != said {
                    warn!("history: {what} failed and is tried again: {failed}");
                    said = text;
                }
            }
            // A panic has said where in its own line.
            Err(died) if died.is_panic() => error!("history: {what} panicked; it is tried again"),
            Err(_) => return,
        }
    }
}
