//! Opens the history: one SQLite file, one writer, a few readers.
//!
//! WAL with synchronous=FULL, so that what a committed transaction says is true after a power cut; with
//! a few hundred rows a commit that is affordable (measured: 105,000 rows/s at 1000 a commit). Writers
//! take turns behind one mutex and begin immediately, so none can fail half-way for want of a lock.
//!
//! A file that this version cannot understand is refused before anything in it changes.
//!
//! Not here: what is written ([`super::record`], [`super::rooms`]) and read ([`super::queries`]).

use std::{
    fs::TryLockError,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use diesel::{
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    prelude::*,
    r2d2::{ConnectionManager, CustomizeConnection, Pool, PooledConnection},
    sqlite::SqliteConnection,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use thiserror::Error;

use super::{lock::DatabaseLock, series::PeopleCounted};
use crate::supervise::blocking;

/// Every step from an empty file to [`super::schema`].
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Readers at the same time. Pages and API calls are short; more than the cores brings nothing.
const READERS: u32 = 4;

/// How long a connection waits for another process's lock, such as a backup's.
pub(super) const BUSY_TIMEOUT_MS: u32 = 5000;

/// Pages of the log after which a commit writes it back, when nobody has done so beside it: 160 MiB.
const LOG_PAGES: u32 = 40_000;

/// What the writer keeps in memory of the indexes it adds to, KiB.
const WRITER_CACHE_KIB: u32 = 32 * 1024;

/// The history. Cheap to clone; every function blocks, so async callers go through [`Database::run`].
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Mutex<SqliteConnection>,
    readers: Pool<ConnectionManager<SqliteConnection>>,
    people: Mutex<Option<PeopleCounted>>,
    /// Last field: let go of when the connections are closed.
    _lock: DatabaseLock,
}

/// Why the history was not opened. Nothing in the file has changed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The path cannot be given to SQLite.
    #[error("the database path {0:?} is not valid UTF-8: choose another with --database or --data-dir")]
    Path(PathBuf),
    /// Its folder is not there and cannot be made.
    #[error("the folder of the database {path:?} cannot be made: check the path and its permissions")]
    Folder {
        /// The database.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Somebody is about to put another file in its place.
    #[error("the database {path:?} is being restored or imported into: wait until that is done")]
    Held {
        /// The database.
        path: PathBuf,
    },
    /// Two processes would each let the live store forget what the other has not stored.
    #[error("another process brings events into the database {path:?}: stop it first, or give this one another --role")]
    Synced {
        /// The database.
        path: PathBuf,
    },
    /// The file beside it that says who uses it cannot be made.
    #[error("the file {path:?}.lock cannot be made or locked: check the folder's permissions")]
    Lock {
        /// The database.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// SQLite cannot open it.
    #[error("the database {path:?} cannot be opened: check that it is a file which this user may write")]
    Connect {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: ConnectionError,
    },
    /// It can be opened, but not read.
    #[error(
        "the database {path:?} cannot be read: it is not a SQLite database, is damaged, or may not be written by this \
         user; move it away to start with a new one, or restore a backup"
    )]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: diesel::result::Error,
    },
    /// A database of another program.
    #[error(
        "the database {path:?} belongs to another program (it holds the table {table:?}): give another path with \
         --database; the original system's database is taken over with import-django"
    )]
    Foreign {
        /// The database.
        path: PathBuf,
        /// A table in it.
        table: String,
    },
    /// A later version of this program has changed it.
    #[error(
        "the database {path:?} was made by a newer version of this program (unknown migration {version}): start that \
         version, or give another path with --database"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// The first migration that this version does not know.
        version: String,
    },
    /// A migration failed.
    #[error("the database {path:?} cannot be brought up to date: {why}; restore a backup or report this")]
    Migrate {
        /// The database.
        path: PathBuf,
        /// What diesel says.
        why: String,
    },
    /// The readers cannot be started.
    #[error("the database {path:?} cannot be opened for reading")]
    Readers {
        /// The database.
        path: PathBuf,
        /// What the pool says.
        #[source]
        source: diesel::r2d2::PoolError,
    },
}

/// A question to the history, or a small change, could not be carried out.
#[derive(Debug, Error)]
pub enum QueryError {
    /// Every reader stayed busy.
    #[error("no reader of the history became free")]
    Busy(#[source] diesel::r2d2::PoolError),
    /// The writer had to be opened again after a panic, and could not be.
    #[error("the history cannot be opened again")]
    Reopen(#[source] Box<OpenError>),
    /// SQLite said no.
    #[error("the history failed to {what}")]
    Failed {
        /// What was asked, for a person.
        what: &'static str,
        /// What SQLite says.
        #[source]
        source: diesel::result::Error,
    },
    /// The program is stopping; the work was not begun.
    #[error("the program is stopping")]
    Stopping,
}

/// Turns diesel's error into ours: `.map_err(failed("count the rows"))`.
pub(super) fn failed(what: &'static str) -> impl Fn(diesel::result::Error) -> QueryError {
    move |source| QueryError::Failed { what, source }
}

impl OpenError {
    fn of_lock(error: TryLockError, path: &Path) -> OpenError {
        let path = path.to_path_buf();
        match error {
            TryLockError::WouldBlock => OpenError::Held { path },
            TryLockError::Error(source) => OpenError::Lock { path, source },
        }
    }
}

impl Database {
    /// Opens the history at `path`, making the folder, the file and the tables where they are missing.
    pub fn open(path: &Path) -> Result<Database, OpenError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| OpenError::Folder { path: path.to_path_buf(), source })?;
        }
        let lock = DatabaseLock::shared(path).map_err(|error| OpenError::of_lock(error, path))?;
        // Processes of several roles may start at the same moment.
        let change = DatabaseLock::of_change(path).map_err(|error| OpenError::of_lock(error, path))?;
        let is_new = std::fs::metadata(path).map_or(true, |found| found.len() == 0);
        let mut writer = connect(path)?;
        refuse_strangers(&mut writer, path)?;
        if is_new {
            // Possible only before there is a table: freed pages can go back to the system.
            writer
                .batch_execute("PRAGMA auto_vacuum = INCREMENTAL")
                .map_err(|source| OpenError::Unreadable { path: path.to_path_buf(), source })?;
        }
        let mut writer = set_up_writer(writer, path)?;
        writer
            .run_pending_migrations(MIGRATIONS)
            .map_err(|error| OpenError::Migrate { path: path.to_path_buf(), why: error.to_string() })?;
        drop(change);

        let readers = Pool::builder()
            .max_size(READERS)
            .min_idle(Some(1))
            .connection_timeout(Duration::from_millis(BUSY_TIMEOUT_MS.into()))
            .connection_customizer(Box::new(ReadOnly))
            .build(ConnectionManager::new(text(path)?))
            .map_err(|source| OpenError::Readers { path: path.to_path_buf(), source })?;
        let inner = Inner {
            path: path.to_path_buf(),
            writer: Mutex::new(writer),
            readers,
            people: Mutex::default(),
            _lock: lock,
        };
        Ok(Database { inner: Arc::new(inner) })
    }

    /// Becomes the one process that brings events into the history, for as long as the lock is held.
    pub fn lock_for_sync(&self) -> Result<DatabaseLock, OpenError> {
        DatabaseLock::of_sync(self.path()).map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Synced { path: self.path().to_path_buf() },
            error => OpenError::of_lock(error, self.path()),
        })
    }

    /// Runs `work` where it may block. A panic in it continues in the caller.
    pub async fn run<T, E>(&self, work: impl FnOnce(&Database) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<QueryError> + Send + 'static,
    {
        let database = self.clone();
        blocking::run(move || work(&database)).await.unwrap_or_else(|_| Err(QueryError::Stopping.into()))
    }

    /// Bytes on disk: the file and its write-ahead log.
    pub fn size_bytes(&self) -> u64 {
        self.bytes_of("") + self.bytes_of("-wal")
    }

    /// Bytes of the file beside the history with that ending; none of it without one.
    pub(super) fn bytes_of(&self, ending: &str) -> u64 {
        std::fs::metadata(beside(&self.inner.path, ending)).map_or(0, |found| found.len())
    }

    /// The last count of people over all rooms.
    pub(super) fn people_counted(&self) -> &Mutex<Option<PeopleCounted>> {
        &self.inner.people
    }

    /// Where the history is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The one connection that writes.
    pub(super) fn writer(&self) -> Result<MutexGuard<'_, SqliteConnection>, QueryError> {
        let mutex = &self.inner.writer;
        let panicked = mutex.is_poisoned();
        let mut writer = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        // After a panic, or when SQLite gave up a transaction by itself (a full disk), the connection may
        // stand in the middle of one. Dropping it rolls that back.
        if panicked || AnsiTransactionManager::is_broken_transaction_manager(&mut *writer) {
            *writer = connect(&self.inner.path)
                .and_then(|fresh| set_up_writer(fresh, &self.inner.path))
                .map_err(|error| QueryError::Reopen(Box::new(error)))?;
            mutex.clear_poison();
        }
        Ok(writer)
    }

    /// One of the connections that only read.
    pub(super) fn reader(&self) -> Result<PooledConnection<ConnectionManager<SqliteConnection>>, QueryError> {
        self.inner.readers.get().map_err(QueryError::Busy)
    }
}

/// Makes a pooled connection a reader.
#[derive(Debug)]
struct ReadOnly;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for ReadOnly {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        connection
            .batch_execute(&format!("PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}; PRAGMA query_only = ON;"))
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

/// The folder in which a file lies; of a bare name, the present one.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path with an ending behind its name, such as `-wal`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.to_path_buf().into_os_string();
    path.push(ending);
    path.into()
}

fn text(path: &Path) -> Result<&str, OpenError> {
    path.to_str().ok_or_else(|| OpenError::Path(path.to_path_buf()))
}

pub(super) fn connect(path: &Path) -> Result<SqliteConnection, OpenError> {
    SqliteConnection::establish(text(path)?).map_err(|source| OpenError::Connect { path: path.to_path_buf(), source })
}

fn set_up_writer(mut writer: SqliteConnection, path: &Path) -> Result<SqliteConnection, OpenError> {
    writer
        .batch_execute(&format!(
            "PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA foreign_keys = ON; PRAGMA cache_size = -{WRITER_CACHE_KIB}; \
             PRAGMA wal_autocheckpoint = {LOG_PAGES};"
        ))
        .map_err(|source| OpenError::Unreadable { path: path.to_path_buf(), source })?;
    Ok(writer)
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
}

/// Fails unless the file is empty or ours, and of a version that we know.
pub(super) fn refuse_strangers(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let unreadable = |source| OpenError::Unreadable { path: path.to_path_buf(), source };
    connection.batch_execute(&format!("PRAGMA busy_timeout = {BUSY_TIMEOUT_MS};")).map_err(unreadable)?;
    let tables: Vec<Name> = diesel::sql_query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .load(connection)
    .map_err(unreadable)?;
    if !tables.iter().any(|table| table.name == "__diesel_schema_migrations") {
        return match tables.into_iter().next() {
            Some(table) => Err(OpenError::Foreign { path: path.to_path_buf(), table: table.name }),
            None => Ok(()),
        };
    }
    let migrate = |why: String| OpenError::Migrate { path: path.to_path_buf(), why };
    let applied = connection.applied_migrations().map_err(|error| migrate(error.to_string()))?;
    let known = known_versions().map_err(migrate)?;
    match applied.into_iter().map(|version| version.to_string()).find(|version| !known.contains(version)) {
        Some(version) => Err(OpenError::Newer { path: path.to_path_buf(), version }),
        None => Ok(()),
    }
}

fn known_versions() -> Result<Vec<String>, String> {
    use diesel::migration::{Migration, MigrationSource};
    let migrations: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> =
        MIGRATIONS.migrations().map_err(|error| error.to_string())?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
