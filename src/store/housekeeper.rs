//! Keeps the history in order beside the flow: its index, its size, its age.
//!
//! Blocking, for a thread of its own; who calls it and when is `app::housekeeping`. Everything it does comes
//! in small transactions with a pause as long as the work between them, so it never takes more than half
//! of the writer's time, and ends soon after [`Housekeeper::stop`]. Whatever it leaves undone is done the
//! next time.

use std::{
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use chrono::Utc;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    archive,
    retention::{Class, Retention},
    sqlite::{Database, QueryError},
    upkeep::{FileSize, Sample, disk_free_bytes, growth_per_day},
};

/// Rows of one deleting transaction: some ms.
const ROWS_A_STEP: usize = 1000;
/// Lines that come into the index in one transaction: some 30 ms.
const LINES_A_STEP: usize = 5000;
/// Fewer than these wait for more, so that the index is not made of crumbs ...
const LINES_WORTH_IT: i64 = 1000;
/// ... but not longer than this.
const LINES_WAIT: Duration = Duration::from_secs(60);
/// Pages that are given back in one step.
const PAGES_A_STEP: u32 = 500;
/// Of the file, a share of free pages that stays for new rows.
const FREE_KEPT: u64 = 20;
/// Growth is that of the last week.
const GROWTH_MS: i64 = 7 * 24 * 3_600_000;

/// What a run of the retention has done, or is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cleanup {
    /// Began, unix ms.
    pub started_ms: i64,
    /// Ended; none while it runs.
    pub ended_ms: Option<i64>,
    /// Rows deleted by class.
    pub deleted: Deleted,
    /// Given back to the system.
    pub freed_bytes: u64,
    /// Why it ended before its time.
    pub error: Option<String>,
}

/// Rows by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// Chat lines.
    pub chat: u64,
    /// Entries, follows, shares, likes.
    pub entries: u64,
    /// Gauges.
    pub gauges: u64,
    /// Gifts, super chats, guards.
    pub money: u64,
    /// Dead letters, and files of the raw archive.
    pub raw: u64,
}

impl Deleted {
    fn of(&mut self, class: Class) -> &mut u64 {
        match class {
            Class::Chat => &mut self.chat,
            Class::Entries => &mut self.entries,
            Class::Gauges => &mut self.gauges,
            Class::Money => &mut self.money,
            Class::Raw => &mut self.raw,
        }
    }
}

/// How much there is, and how it grows.
#[derive(Clone, Debug, Serialize)]
pub struct Storage {
    /// The history's file.
    #[serde(flatten)]
    pub file: FileSize,
    /// Free where the history is.
    pub disk_free_bytes: Option<u64>,
    /// Growth of everything a day, over the last week; none until half a day is known.
    pub growth_bytes_per_day: Option<i64>,
    /// Days until the disk is full, at that growth.
    pub full_in_days: Option<u64>,
    /// The raw archive.
    pub raw_bytes: u64,
    /// Chat lines that the index has not reached.
    pub unindexed: i64,
    /// How long what is kept.
    pub retention: Retention,
    /// The last run of the retention, or the present one.
    pub cleanup: Option<Cleanup>,
}

/// See the file's head.
pub struct Housekeeper {
    database: Database,
    retention: Retention,
    /// Where the raw archive is, if there is one.
    raw: PathBuf,
    cleaning: Mutex<()>,
    last: Mutex<Option<Cleanup>>,
    indexed_at: Mutex<Option<Instant>>,
    stopping: AtomicBool,
}

impl Housekeeper {
    /// For a history, and a raw archive in this folder.
    pub fn new(database: Database, retention: Retention, raw: PathBuf) -> Housekeeper {
        Housekeeper {
            database,
            retention,
            raw,
            cleaning: Mutex::default(),
            last: Mutex::default(),
            indexed_at: Mutex::default(),
            stopping: AtomicBool::new(false),
        }
    }

    /// How long what is kept.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// What is under way ends after its present step.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
    }

    /// Brings the index of chat up to date, when there is enough for it or it has waited long.
    pub fn index(&self) -> Result<(), QueryError> {
        let waiting = self.database.unindexed()?;
        let long_ago = held(&self.indexed_at).is_none_or(|at| at.elapsed() >= LINES_WAIT);
        if waiting == 0 || (waiting < LINES_WORTH_IT && !long_ago) {
            return Ok(());
        }
        self.step_by_step(|| Ok(self.database.index_more(LINES_A_STEP)?.has_more))?;
        *held(&self.indexed_at) = Some(Instant::now());
        Ok(())
    }

    /// Counts what takes long to count before somebody asks for it.
    pub fn count(&self) -> Result<(), QueryError> {
        self.database.count_people_ahead()
    }

    /// Writes a long log back beside whoever writes.
    pub fn write_back(&self) -> Result<(), QueryError> {
        // At the end it would only be in the way of who cuts the log off.
        if self.stopping.load(Relaxed) { Ok(()) } else { self.database.write_back().map(drop) }
    }

    /// Writes the log back; true when it is as short as it should be.
    pub fn checkpoint(&self) -> Result<bool, QueryError> {
        self.database.checkpoint()
    }

    /// Writes down the sizes.
    pub fn sample(&self) -> Result<(), QueryError> {
        let file = self.database.file_size()?;
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.database.add_sample(Sample {
            at_ms: now_ms(),
            database_bytes: bytes(file.file_bytes + file.log_bytes),
            raw_bytes: bytes(archive::bytes(&self.raw)),
        })
    }

    /// Deletes what is older than it is kept and gives space back. Does nothing while another call does.
    pub fn cleanup(&self) {
        let Ok(_cleaning) = self.cleaning.try_lock() else { return };
        let started_ms = now_ms();
        *held(&self.last) = Some(Cleanup { started_ms, ..Cleanup::default() });
        let tidied = self.delete(started_ms).and_then(|()| self.shrink()).map_err(|error| error.to_string());
        let error = tidied.and_then(|()| self.delete_frames(started_ms)).err();
        self.note(|cleanup| {
            cleanup.ended_ms = Some(now_ms());
            cleanup.error = error;
        });
    }

    /// The last run of the retention, or the present one.
    pub fn last_cleanup(&self) -> Option<Cleanup> {
        held(&self.last).clone()
    }

    /// How much there is.
    pub fn storage(&self) -> Result<Storage, QueryError> {
        let file = self.database.file_size()?;
        let growth = growth_per_day(&self.database.samples(now_ms() - GROWTH_MS)?);
        let free = self.database.path().parent().and_then(disk_free_bytes);
        let full_in_days =
            free.zip(growth.filter(|growth| *growth > 0)).map(|(free, growth)| free / growth.unsigned_abs());
        Ok(Storage {
            file,
            disk_free_bytes: free,
            growth_bytes_per_day: growth,
            full_in_days,
            raw_bytes: archive::bytes(&self.raw),
            unindexed: self.database.unindexed()?,
            retention: self.retention,
            cleanup: self.last_cleanup(),
        })
    }

    fn delete(&self, now_ms: i64) -> Result<(), QueryError> {
        for class in Class::ALL {
            let Some(cutoff) = self.retention.cutoff_ms(class, now_ms) else { continue };
            self.step_by_step(|| {
                let gone = self.database.delete_older(class, cutoff, ROWS_A_STEP)?;
                self.note(|cleanup| *cleanup.deleted.of(class) += gone as u64);
                Ok(gone == ROWS_A_STEP)
            })?;
        }
        Ok(())
    }

    /// Deletes what is old of the raw archive.
    fn delete_frames(&self, now_ms: i64) -> Result<(), String> {
        let Some(cutoff) = self.retention.cutoff_ms(Class::Raw, now_ms) else { return Ok(()) };
        let gone = archive::delete_older(&self.raw, cutoff);
        let (files, bytes) = gone.map_err(|error| format!("the raw archive {}: {error}", self.raw.display()))?;
        self.note(|cleanup| {
            cleanup.deleted.raw += files;
            cleanup.freed_bytes += bytes;
        });
        Ok(())
    }

    fn shrink(&self) -> Result<(), QueryError> {
        self.step_by_step(|| {
            let file = self.database.file_size()?;
            if file.free_bytes <= file.file_bytes / FREE_KEPT {
                return Ok(false);
            }
            let given = self.database.shrink(PAGES_A_STEP)?;
            self.note(|cleanup| cleanup.freed_bytes += given);
            Ok(given > 0)
        })
    }

    fn note(&self, change: impl FnOnce(&mut Cleanup)) {
        change(held(&self.last).get_or_insert_default());
    }

    /// Repeats `step` while it says that there is more, with pauses as long as the steps.
    fn step_by_step(&self, mut step: impl FnMut() -> Result<bool, QueryError>) -> Result<(), QueryError> {
        loop {
            let begun = Instant::now();
            if !step()? || self.stopping.load(Relaxed) {
                return Ok(());
            }
            thread::sleep(begun.elapsed().clamp(Duration::from_millis(1), Duration::from_secs(1)));
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}
