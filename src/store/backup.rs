//! Copies of the history: made while it is in use, and put in its place again.
//!
//! A backup is one state of the history, compacted (`VACUUM INTO`), which holds up neither readers nor
//! writers. It counts as made only when SQLite has read all of it and found it whole, and its rows have been
//! counted against those in use; until then it has another name, so a file of the name given is always good.
//!
//! A restore looks at a copy in the same way before anything changes, refuses while a program uses the
//! history, and keeps what was there beside it.
//!
//! What has been received and not yet stored is in the live store, and in no backup.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use chrono::Utc;
use diesel::{connection::SimpleConnection, prelude::*, sqlite::SqliteConnection};
use serde::Serialize;
use thiserror::Error;

use super::{
    lock::DatabaseLock,
    number::Number,
    sqlite::{BUSY_TIMEOUT_MS, OpenError, beside, connect, folder_of, refuse_strangers},
    upkeep::shrinks,
};

/// The tables that are counted: every one of events, each with a row number that grows.
const COUNTED: [&str; 6] = [
    "live_data_danmakudata",
    "live_data_giftdata",
    "live_data_superchat",
    "live_data_guard",
    "live_data_interaction",
    "live_data_roomevent",
];

/// A copy that was found good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copy {
    /// Where it is.
    pub path: PathBuf,
    /// How large.
    pub bytes: u64,
    /// Rows of chat, gifts, super chats, guards, interactions and room events.
    pub rows: [i64; COUNTED.len()],
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What is in use now.
    pub copy: Copy,
    /// Where that is which was there before; none when there was nothing.
    pub earlier: Option<PathBuf>,
}

/// Why there is no copy. What was there before is as it was.
#[derive(Debug, Error)]
pub enum CopyError {
    /// There is nothing to copy.
    #[error("there is no file {0:?}: check the path")]
    NotThere(PathBuf),
    /// There is nowhere to put it.
    #[error("there is no folder {0:?}: make it, or give another path")]
    NoFolder(PathBuf),
    /// The file would be overwritten.
    #[error("{0:?} is there already: give another name, or --force to replace it")]
    There(PathBuf),
    /// A copy onto itself.
    #[error("{0:?} is the database itself: give another path")]
    Itself(PathBuf),
    /// It is none of our databases, or of another version.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It has changes beside it that a copy of the file would miss.
    #[error("{0:?} has a write-ahead log beside it, as while a program uses it: make a copy with the command backup")]
    InUse(PathBuf),
    /// A program uses the database.
    #[error("the database {0:?} is in use: stop the program first")]
    Held(PathBuf),
    /// SQLite could not copy or read.
    #[error("{path:?}: SQLite could not {what}")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What it says.
        #[source]
        source: diesel::result::Error,
    },
    /// SQLite found damage.
    #[error("{path:?} is damaged ({why}): use another copy")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The first of what it found.
        why: String,
    },
    /// What is to be restored cannot be read as a history.
    #[error(
        "{path:?} is no whole copy of a history: it is cut off or damaged, or no database at all ({why}); nothing has \
         changed, restore another copy"
    )]
    NoCopy {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// What is to be restored is another program's.
    #[error(
        "{path:?} belongs to another program (it holds the table {table:?}): only a copy made with backup can be \
         restored; the original system's database is taken over with import-django"
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// A table in it.
        table: String,
    },
    /// What is to be restored was made by a later version.
    #[error(
        "{path:?} was made by a newer version of this program (unknown migration {version}): restore it with that \
         version"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The first migration that this version does not know.
        version: String,
    },
    /// The copy lacks rows, or has too many.
    #[error("{path:?} holds {found} rows of {table} where {expected} are: the copy is not kept; try again")]
    Counts {
        /// Which file.
        path: PathBuf,
        /// Which table.
        table: &'static str,
        /// In the copy.
        found: i64,
        /// In the original.
        expected: i64,
    },
    /// The file system said no.
    #[error("{path:?} cannot be written: check the disk and its permissions")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> CopyError + '_ {
    |source| CopyError::File { path: path.to_path_buf(), source }
}

fn sqlite_error<'a>(path: &'a Path, what: &'static str) -> impl Fn(diesel::result::Error) -> CopyError + 'a {
    move |source| CopyError::Sqlite { path: path.to_path_buf(), what, source }
}

/// Copies the history at `database`, which may be in use, to `file`.
pub fn back_up(database: &Path, file: &Path, force: bool) -> Result<Copy, CopyError> {
    if !database.exists() {
        return Err(CopyError::NotThere(database.to_path_buf()));
    }
    if file.exists() {
        if fs::canonicalize(file).ok() == fs::canonicalize(database).ok() {
            return Err(CopyError::Itself(file.to_path_buf()));
        }
        if !force {
            return Err(CopyError::There(file.to_path_buf()));
        }
    }
    let folder = folder_of(file);
    if !folder.is_dir() {
        return Err(CopyError::NoFolder(folder.to_path_buf()));
    }
    // Nobody replaces the file meanwhile.
    let _lock = DatabaseLock::shared(database).map_err(|error| held(error, database))?;
    let mut original = connect(database)?;
    refuse_strangers(&mut original, database)?;
    let partial = beside(file, ".partial");
    remove(&partial)?;

    let copied = (|| {
        let newest = each_table(&mut original, |table| format!("SELECT coalesce(max(id), 0) AS n FROM {table}"))
            .map_err(sqlite_error(database, "read it"))?;
        let up_to = |connection: &mut SqliteConnection| {
            let mut newest = newest.into_iter();
            each_table(connection, |table| {
                format!("SELECT count(*) AS n FROM {table} WHERE id <= {}", newest.next().unwrap_or_default())
            })
        };
        let before = up_to(&mut original).map_err(sqlite_error(database, "count its rows"))?;
        // So that the copy, at the latest, gives freed pages back to the system. Only where the original does not:
        // it takes the writer's lock, which a program that stores without a pause hardly ever lets go of.
        if !shrinks(&mut original).map_err(sqlite_error(database, "read it"))? {
            original
                .batch_execute(&format!("PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}; PRAGMA auto_vacuum = INCREMENTAL;"))
                .map_err(sqlite_error(database, "prepare it for copying"))?;
        }
        diesel::sql_query("VACUUM INTO ?")
            .bind::<diesel::sql_types::Text, _>(partial.to_string_lossy())
            .execute(&mut original)
            .map_err(sqlite_error(&partial, "copy the database to it"))?;
        let copy = verify(&partial)?;
        let found = up_to(&mut connect(&partial)?).map_err(sqlite_error(&partial, "count its rows"))?;
        let after = up_to(&mut original).map_err(sqlite_error(database, "count its rows"))?;
        // Between the two only deleting can have changed what was there before.
        for (at, table) in COUNTED.into_iter().enumerate() {
            if !(after[at]..=before[at]).contains(&found[at]) {
                let (found, expected) = (found[at], before[at]);
                return Err(CopyError::Counts { path: partial.clone(), table, found, expected });
            }
        }
        settle(&partial, file)?;
        Ok(Copy { path: file.to_path_buf(), ..copy })
    })();
    if copied.is_err() {
        // What is left of it is of no use to anybody.
        let _ = fs::remove_file(&partial);
    }
    copied
}

/// Puts a copy of `file` in the place of the history at `database`, which nobody may be using.
pub fn restore(file: &Path, database: &Path) -> Result<Restored, CopyError> {
    if !file.exists() {
        return Err(CopyError::NotThere(file.to_path_buf()));
    }
    if fs::metadata(beside(file, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(CopyError::InUse(file.to_path_buf()));
    }
    if fs::canonicalize(file).ok() == fs::canonicalize(database).ok() {
        return Err(CopyError::Itself(file.to_path_buf()));
    }
    if let Some(folder) = database.parent() {
        fs::create_dir_all(folder).map_err(file_error(folder))?;
    }
    let _lock = DatabaseLock::alone(database).map_err(|error| held(error, database))?;
    let fresh = beside(database, ".restoring");
    remove(&fresh)?;
    let copied = fs::copy(file, &fresh).map_err(file_error(&fresh)).and_then(|_| verify(&fresh));
    let copy = match copied {
        Ok(copy) => copy,
        Err(error) => {
            let _ = fs::remove_file(&fresh);
            return Err(error.of_copy(file));
        }
    };
    let earlier = database.exists().then(|| {
        let name = format!(".before-restore-{}", Utc::now().format("%Y%m%dT%H%M%S%3fZ"));
        beside(database, &name)
    });
    if let Some(earlier) = &earlier {
        // The log belongs to its file: together they are what was there.
        for ending in ["", "-wal"] {
            let (from, to) = (beside(database, ending), beside(earlier, ending));
            if from.exists() {
                fs::rename(&from, &to).map_err(file_error(&to))?;
            }
        }
        remove(&beside(database, "-shm"))?;
    }
    settle(&fresh, database)?;
    Ok(Restored { copy: Copy { path: database.to_path_buf(), ..copy }, earlier })
}

/// Fails while a program uses the database.
pub fn free_of_users(database: &Path) -> Result<(), CopyError> {
    DatabaseLock::alone(database).map(drop).map_err(|error| held(error, database))
}

/// Fails unless the file is one of our databases, of a version that we know; looks at no more of it. Gives its bytes.
pub fn glance(path: &Path) -> Result<u64, CopyError> {
    refuse_strangers(&mut connect(path)?, path)?;
    bytes_of(path)
}

/// Fails unless the file is one of our databases and whole, indexes aside.
pub fn quick_check(path: &Path) -> Result<Copy, CopyError> {
    examine(path, "SELECT quick_check AS text FROM pragma_quick_check")
}

/// Fails unless the file is one of our databases and whole.
pub fn verify(path: &Path) -> Result<Copy, CopyError> {
    examine(path, "SELECT integrity_check AS text FROM pragma_integrity_check")
}

fn examine(path: &Path, question: &str) -> Result<Copy, CopyError> {
    let mut connection = connect(path)?;
    refuse_strangers(&mut connection, path)?;
    let found: Vec<Found> =
        diesel::sql_query(question).load(&mut connection).map_err(sqlite_error(path, "check it"))?;
    if let Some(found) = found.iter().find(|found| found.text != "ok") {
        return Err(CopyError::Damaged { path: path.to_path_buf(), why: found.text.clone() });
    }
    let rows = each_table(&mut connection, |table| format!("SELECT count(*) AS n FROM {table}"))
        .map_err(sqlite_error(path, "count its rows"))?;
    Ok(Copy { path: path.to_path_buf(), bytes: bytes_of(path)?, rows })
}

/// With what was stored last, which is in the log while a program uses the file.
fn bytes_of(path: &Path) -> Result<u64, CopyError> {
    let log = fs::metadata(beside(path, "-wal")).map_or(0, |log| log.len());
    Ok(fs::metadata(path).map_err(file_error(path))?.len() + log)
}

impl CopyError {
    /// Of reading the copy that is to be restored: the file that a person knows, and what to do about it.
    fn of_copy(self, file: &Path) -> CopyError {
        let path = file.to_path_buf();
        match self {
            CopyError::Damaged { why, .. } => CopyError::Damaged { path, why },
            CopyError::Sqlite { source, .. } | CopyError::Open(OpenError::Unreadable { source, .. }) => {
                CopyError::NoCopy { path, why: source.to_string() }
            }
            CopyError::Open(OpenError::Migrate { why, .. }) => CopyError::NoCopy { path, why },
            CopyError::Open(OpenError::Foreign { table, .. }) => CopyError::Foreign { path, table },
            CopyError::Open(OpenError::Newer { version, .. }) => CopyError::Newer { path, version },
            other => other,
        }
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

fn each_table(
    connection: &mut SqliteConnection,
    mut query: impl FnMut(&str) -> String,
) -> QueryResult<[i64; COUNTED.len()]> {
    let mut numbers = [0; COUNTED.len()];
    for (number, table) in numbers.iter_mut().zip(COUNTED) {
        *number = diesel::sql_query(query(table)).get_result::<Number>(connection)?.n;
    }
    Ok(numbers)
}

fn held(error: TryLockError, database: &Path) -> CopyError {
    match error {
        TryLockError::WouldBlock => CopyError::Held(database.to_path_buf()),
        TryLockError::Error(source) => CopyError::File { path: beside(database, ".lock"), source },
    }
}

fn remove(path: &Path) -> Result<(), CopyError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path)(error)),
        _ => Ok(()),
    }
}

/// Gives a finished file its name, so that a power cut leaves the one or the other.
fn settle(finished: &Path, name: &Path) -> Result<(), CopyError> {
    File::open(finished).and_then(|file| file.sync_all()).map_err(file_error(finished))?;
    fs::rename(finished, name).map_err(file_error(name))?;
    let folder = folder_of(name);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(file_error(folder))
}

#[cfg(test)]
#[path = "backup_tests.rs"]
mod tests;
