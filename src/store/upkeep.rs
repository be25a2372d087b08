//! The file of the history: how large it is and grows, giving space back, and its write-ahead log.
//!
//! A file that this program made gives freed pages back to the system in small steps (auto_vacuum =
//! incremental). One of an older version reuses them, and does not shrink; `backup` and `restore` make it one
//! that does.
//!
//! Writing the log back is half of what storing costs and most of what it waits for, so it is done beside the
//! writer, by [`Database::write_back`]; a commit does it only when the log has become long. A reader that holds on
//! to an old state keeps the log from beginning anew, so every query of ours is bounded, and now and then
//! [`Database::checkpoint`] cuts the log off, waiting only briefly: at worst it is done the next time.

use std::path::Path;

use diesel::{
    connection::SimpleConnection,
    prelude::*,
    sql_types::{BigInt, Integer},
    sqlite::SqliteConnection,
};
use serde::Serialize;

use super::{
    schema::blm_storagesample as sample,
    sqlite::{BUSY_TIMEOUT_MS, Database, QueryError, failed},
};

/// A log up to this size, bytes, is left as it is.
pub const LOG_KEPT: u64 = 192 * 1024 * 1024;

/// Pages of the log from which writing them back is worth it, 64 MiB: a page that changed often is written once, and
/// nobody waits for the disk meanwhile. (A quarter of it made storing in a history of ten million lines wait half as
/// long again.)
const PAGES_WORTH_IT: i32 = 16_000;

/// How often what came in while pages were written back is written back beside the writer as well.
const ROUNDS: usize = 3;

/// So few pages that the writer can wait for them.
const FEW_PAGES: i32 = 500;

/// How long cutting the log off waits for readers, during which nothing is stored, ms.
const LOG_PATIENCE_MS: u32 = 250;

/// Samples are kept so long.
const SAMPLES_KEPT_MS: i64 = 400 * 24 * 3_600_000;

/// The file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileSize {
    /// The file itself.
    pub file_bytes: u64,
    /// Its write-ahead log.
    pub log_bytes: u64,
    /// Of the file: free for new rows.
    pub free_bytes: u64,
    /// Whether freed pages go back to the system.
    pub shrinks: bool,
}

/// The sizes at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Queryable, Selectable, Insertable)]
#[diesel(table_name = sample)]
pub struct Sample {
    /// When, unix ms.
    pub at_ms: i64,
    /// File and log.
    pub database_bytes: i64,
    /// Beside it; nothing is, so far.
    pub raw_bytes: i64,
}

#[derive(QueryableByName)]
struct Pages {
    #[diesel(sql_type = BigInt)]
    size: i64,
    #[diesel(sql_type = BigInt)]
    free: i64,
    #[diesel(sql_type = BigInt)]
    mode: i64,
}

/// What a checkpoint says of itself.
#[derive(QueryableByName)]
struct Checkpoint {
    /// Others kept it from being a whole one.
    #[diesel(sql_type = Integer)]
    busy: i32,
    /// Pages in the log ...
    #[diesel(sql_type = Integer)]
    log: i32,
    /// ... of which so many are in the file.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}

impl Checkpoint {
    /// Pages that are not in the file yet.
    fn left(&self) -> i32 {
        self.log - self.checkpointed
    }
}

fn checkpoint(connection: &mut SqliteConnection, mode: &str) -> QueryResult<Checkpoint> {
    diesel::sql_query(format!("PRAGMA wal_checkpoint({mode})")).get_result(connection)
}

fn pages(connection: &mut SqliteConnection) -> QueryResult<Pages> {
    diesel::sql_query(
        "SELECT page_size AS size, freelist_count AS free, auto_vacuum AS mode
         FROM pragma_page_size, pragma_freelist_count, pragma_auto_vacuum",
    )
    .get_result(connection)
}

/// Whether a file gives freed pages back to the system.
pub(super) fn shrinks(connection: &mut SqliteConnection) -> QueryResult<bool> {
    pages(connection).map(|pages| pages.mode == INCREMENTAL)
}

/// A checkpoint that waits so long for others; false when they kept it from being a whole one.
fn ask(connection: &mut SqliteConnection, mode: &str, patience_ms: u32) -> QueryResult<bool> {
    connection.batch_execute(&format!("PRAGMA busy_timeout = {patience_ms}"))?;
    let answer = checkpoint(connection, mode);
    connection.batch_execute(&format!("PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}"))?;
    answer.map(|answer| answer.busy == 0)
}

/// `auto_vacuum` as SQLite numbers it.
const INCREMENTAL: i64 = 2;

impl Database {
    /// How large the file is.
    pub fn file_size(&self) -> Result<FileSize, QueryError> {
        let pages = pages(&mut *self.reader()?).map_err(failed("measure the file"))?;
        Ok(FileSize {
            file_bytes: self.bytes_of(""),
            log_bytes: self.bytes_of("-wal"),
            free_bytes: (pages.free.max(0) * pages.size.max(0)).unsigned_abs(),
            shrinks: pages.mode == INCREMENTAL,
        })
    }

    /// Gives up to `most` free pages back to the system; how many bytes it gave.
    pub fn shrink(&self, most: u32) -> Result<u64, QueryError> {
        let mut writer = self.writer()?;
        let given = pages(&mut writer).and_then(|before| {
            if before.mode != INCREMENTAL || before.free == 0 {
                return Ok(0);
            }
            writer.batch_execute(&format!("PRAGMA incremental_vacuum({most})"))?;
            let after = pages(&mut writer)?;
            Ok(((before.free - after.free).max(0) * before.size).unsigned_abs())
        });
        given.map_err(failed("give space back"))
    }

    /// Writes a log of some length back while others go on writing, who wait only for the last few pages; then it begins
    /// anew, unless a reader is in the way. True if it was long enough.
    pub fn write_back(&self) -> Result<bool, QueryError> {
        let failed = failed("write the log back");
        // A checkpoint is no change: readers may do it.
        let mut beside = self.reader()?;
        let left = checkpoint(&mut beside, "NOOP").map_err(&failed)?.left();
        if left < PAGES_WORTH_IT {
            return Ok(false);
        }
        self.write_back_with(&mut beside, left).map_err(&failed)?;
        let _nobody_writes = self.writer()?;
        checkpoint(&mut beside, "PASSIVE").map_err(failed)?;
        Ok(true)
    }

    /// Writes a log back of which so many pages are left, as far as that can be done while others write.
    fn write_back_with(&self, beside: &mut SqliteConnection, left: i32) -> QueryResult<()> {
        for _ in 0..ROUNDS {
            checkpoint(beside, "PASSIVE")?;
            if checkpoint(beside, "NOOP")?.left() < FEW_PAGES {
                break;
            }
        }
        // SQLite itself waits for the disk only when nobody has written meanwhile: else whoever holds the writers up at
        // last would wait for all of it.
        if left >= FEW_PAGES {
            sync_disk(self.path());
        }
        Ok(())
    }

    /// Writes the log back and, when it has grown beyond [`LOG_KEPT`], cuts it off. False when a reader
    /// kept that from being done; the next call tries again.
    pub fn checkpoint(&self) -> Result<bool, QueryError> {
        self.cut_off(LOG_KEPT)
    }

    /// Leaves no log, as far as nobody else reads: what was closed is one file, which may be copied. False when somebody
    /// was in the way.
    pub fn finish_log(&self) -> Result<bool, QueryError> {
        self.cut_off(0)
    }

    fn cut_off(&self, kept: u64) -> Result<bool, QueryError> {
        let failed = failed("write the log back");
        let mut beside = self.reader()?;
        let left = checkpoint(&mut beside, "NOOP").map_err(&failed)?.left();
        self.write_back_with(&mut beside, left).map_err(&failed)?;
        drop(beside);
        if self.bytes_of("-wal") <= kept {
            return Ok(true);
        }
        ask(&mut *self.writer()?, "TRUNCATE", LOG_PATIENCE_MS).map_err(failed)
    }

    /// Writes down how large everything is.
    pub fn add_sample(&self, now: Sample) -> Result<(), QueryError> {
        let mut writer = self.writer()?;
        let added = diesel::replace_into(sample::table).values(now).execute(&mut *writer).and_then(|_| {
            diesel::delete(sample::table.filter(sample::at_ms.lt(now.at_ms - SAMPLES_KEPT_MS))).execute(&mut *writer)
        });
        added.map(drop).map_err(failed("write down the size"))
    }

    /// The sizes since a moment, oldest first.
    pub fn samples(&self, since_ms: i64) -> Result<Vec<Sample>, QueryError> {
        sample::table
            .filter(sample::at_ms.ge(since_ms))
            .order(sample::at_ms)
            .select(Sample::as_select())
            .load(&mut *self.reader()?)
            .map_err(failed("read the sizes"))
    }
}

/// Waits until what was written is on the disk where `path` is. A descriptor of the file itself would not do: closing it
/// ends the locks that SQLite holds on it.
#[cfg(target_os = "linux")]
fn sync_disk(path: &Path) {
    // It only spares others a wait: what must be on the disk SQLite waits for itself.
    let _ = std::fs::File::open(super::sqlite::folder_of(path)).map(rustix::fs::syncfs);
}

#[cfg(not(target_os = "linux"))]
fn sync_disk(_path: &Path) {}

/// Bytes that whoever runs this program may still write where `path` is; none when the system does not say.
pub fn disk_free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Growth in bytes a day over `samples`; none until they span half a day.
pub fn growth_per_day(samples: &[Sample]) -> Option<i64> {
    const DAY_MS: i64 = 24 * 3_600_000;
    let (first, last) = (samples.first()?, samples.last()?);
    let span = last.at_ms - first.at_ms;
    let bytes = |sample: &Sample| i128::from(sample.database_bytes) + i128::from(sample.raw_bytes);
    (span >= DAY_MS / 2)
        .then(|| i64::try_from((bytes(last) - bytes(first)) * i128::from(DAY_MS) / i128::from(span)).ok())
        .flatten()
}

#[cfg(test)]
#[path = "upkeep_tests.rs"]
mod tests;
