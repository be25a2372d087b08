//! A queue's file: batches in the order they came, until they are in the history.
//!
//! One row a batch, in WAL with synchronous=FULL: when [`Spool::append`] returns, neither a killed
//! program nor a power cut loses it. Numbers only ever grow, also after everything was deleted
//! (AUTOINCREMENT remembers), and whoever opens the file begins at the time of opening, in us, so that a
//! file made anew begins above every earlier one: a position that the history remembers never hides a
//! batch that came later, also when the clock was set back.
//!
//! The file is locked for as long as it is open: two programs on one spool would each forget the other's
//! batches.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::Utc;
use diesel::{connection::SimpleConnection, dsl::sql, prelude::*, sqlite::SqliteConnection};
use thiserror::Error;

use super::{StoreError, number::Number};
use crate::domain::{Event, Kept};

diesel::table! {
    /// One appended batch.
    batch (seq) {
        seq -> BigInt,
        /// How many events are in it.
        events -> BigInt,
        /// JSON list of them.
        payload -> Text,
    }
}

/// Layout of the file; kept in its `user_version`.
const LAYOUT: i32 = 1;

/// Rows fetched at a time while looking for enough events.
const ROWS_A_READ: i64 = 8;

/// Why the spool was not opened.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// Its folder cannot be made.
    #[error("the folder {path:?} cannot be made: check the path and its permissions")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// SQLite cannot open it.
    #[error("the spool {path:?} cannot be opened: check that this user may write there")]
    Connect {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: ConnectionError,
    },
    /// Somebody else has it open.
    #[error("the spool {0:?} is in use: another copy of this program runs on the same data folder; stop it first")]
    InUse(PathBuf),
    /// It is no spool, or damaged.
    #[error(
        "the spool {path:?} cannot be read: move it away to start with an empty one (what is in it is not in the history yet)"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: diesel::result::Error,
    },
    /// A later version made it.
    #[error("the spool {path:?} was made by a newer version of this program (layout {layout}): start that version")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout.
        layout: i32,
    },
    /// What it holds cannot be read.
    #[error("the spool cannot be read back")]
    Contents(#[from] StoreError),
}

/// A batch as it lies in the file.
pub(super) struct Spooled {
    pub(super) seq: i64,
    /// Bytes of its JSON.
    pub(super) bytes: usize,
    pub(super) events: Vec<Event>,
}

/// The open file.
pub(super) struct Spool {
    connection: SqliteConnection,
    next: i64,
}

#[derive(QueryableByName)]
struct Layout {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    user_version: i32,
}

fn refused(what: &'static str) -> impl Fn(diesel::result::Error) -> StoreError {
    move |error| StoreError::Refused { what, why: error.to_string() }
}

impl Spool {
    /// Opens the file at `path`, making it if it is missing.
    pub(super) fn open(path: &Path) -> Result<Spool, SpoolError> {
        let text = path.to_string_lossy();
        let mut connection = SqliteConnection::establish(&text)
            .map_err(|source| SpoolError::Connect { path: path.to_path_buf(), source })?;
        let unreadable = |source: diesel::result::Error| match source.to_string().as_str() {
            "database is locked" => SpoolError::InUse(path.to_path_buf()),
            _ => SpoolError::Unreadable { path: path.to_path_buf(), source },
        };
        connection
            .batch_execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(unreadable)?;
        let layout: Layout =
            diesel::sql_query("PRAGMA user_version").get_result(&mut connection).map_err(unreadable)?;
        match layout.user_version {
            LAYOUT => {}
            0 => {
                connection
                    .batch_execute(&format!(
                        "BEGIN IMMEDIATE;
                         CREATE TABLE batch (
                             seq INTEGER PRIMARY KEY AUTOINCREMENT, events INTEGER NOT NULL, payload TEXT NOT NULL
                         );
                         PRAGMA user_version = {LAYOUT};
                         COMMIT;"
                    ))
                    .map_err(unreadable)?;
            }
            layout => return Err(SpoolError::Newer { path: path.to_path_buf(), layout }),
        }
        let used: Vec<Number> = diesel::sql_query("SELECT seq AS n FROM sqlite_sequence WHERE name = 'batch'")
            .load(&mut connection)
            .map_err(unreadable)?;
        let now = Utc::now().timestamp_millis().saturating_mul(1000);
        let next = used.iter().map(|number| number.n + 1).max().unwrap_or(0).max(now);
        Ok(Spool { connection, next })
    }

    /// Takes the next number without writing a batch.
    pub(super) fn next_number(&mut self) -> i64 {
        self.next += 1;
        self.next - 1
    }

    /// Writes a batch and gives back its number and the bytes of its JSON.
    pub(super) fn append(&mut self, events: &[Arc<Event>]) -> Result<(i64, usize), StoreError> {
        let kept: Vec<Kept> = events.iter().map(|event| Kept(event)).collect();
        let payload = serde_json::to_string(&kept)
            .map_err(|error| StoreError::Refused { what: "to write a batch", why: error.to_string() })?;
        let seq = self.next;
        diesel::insert_into(batch::table)
            .values((batch::seq.eq(seq), batch::events.eq(events.len() as i64), batch::payload.eq(&payload)))
            .execute(&mut self.connection)
            .map_err(refused("to append"))?;
        self.next += 1;
        Ok((seq, payload.len()))
    }

    /// Gives the batches from `first` on new numbers, all above `above`, in the same order; says by how much
    /// they grew.
    pub(super) fn renumber(&mut self, first: i64, above: i64) -> Result<i64, StoreError> {
        // So far that no new number is an old one.
        let grown = (above - first + 1).max(self.next - first);
        diesel::update(batch::table.filter(batch::seq.ge(first)))
            .set(batch::seq.eq(batch::seq + grown))
            .execute(&mut self.connection)
            .map_err(refused("to renumber"))?;
        self.next += grown;
        Ok(grown)
    }

    /// Number, events and bytes of every batch, oldest first.
    pub(super) fn sizes(&mut self) -> Result<Vec<(i64, u64, u64)>, StoreError> {
        use diesel::sql_types::BigInt;
        let rows: Vec<(i64, i64, i64)> = batch::table
            .order(batch::seq)
            .select((batch::seq, batch::events, sql::<BigInt>("length(CAST(payload AS BLOB))")))
            .load(&mut self.connection)
            .map_err(refused("to measure"))?;
        Ok(rows.into_iter().map(|(seq, events, bytes)| (seq, events as u64, bytes as u64)).collect())
    }

    /// The batches after `seq`, oldest first, until they hold `max_events`.
    pub(super) fn read_after(&mut self, mut seq: i64, max_events: usize) -> Result<Vec<Spooled>, StoreError> {
        let (mut batches, mut events) = (Vec::new(), 0);
        while batches.is_empty() || events < max_events {
            let rows: Vec<(i64, String)> = batch::table
                .filter(batch::seq.gt(seq))
                .order(batch::seq)
                .limit(ROWS_A_READ)
                .select((batch::seq, batch::payload))
                .load(&mut self.connection)
                .map_err(refused("to read"))?;
            let Some((last, _)) = rows.last() else { break };
            seq = *last;
            for row in rows {
                let spooled = match parse(row) {
                    Ok(spooled) => spooled,
                    // Those before it are given first; the next read begins with it.
                    Err(_) if !batches.is_empty() => return Ok(batches),
                    Err(error) => return Err(error),
                };
                events += spooled.events.len();
                batches.push(spooled);
                if events >= max_events {
                    break;
                }
            }
        }
        Ok(batches)
    }

    /// The newest batches, newest first, as long as they can be read and hold no more than `max_events` (but
    /// at least one); and whether there are older ones.
    pub(super) fn newest(&mut self, max_events: usize) -> Result<(Vec<Spooled>, bool), StoreError> {
        let (mut batches, mut events, mut seq) = (Vec::new(), 0, i64::MAX);
        loop {
            let row: Option<(i64, String)> = batch::table
                .filter(batch::seq.lt(seq))
                .order(batch::seq.desc())
                .select((batch::seq, batch::payload))
                .first(&mut self.connection)
                .optional()
                .map_err(refused("to read"))?;
            let Some(row) = row else { return Ok((batches, false)) };
            let Ok(spooled) = parse(row) else { return Ok((batches, true)) };
            seq = spooled.seq;
            events += spooled.events.len();
            if events > max_events && !batches.is_empty() {
                return Ok((batches, true));
            }
            batches.push(spooled);
        }
    }

    /// Deletes the batches up to and including `seq`.
    pub(super) fn forget_through(&mut self, seq: i64) -> Result<(), StoreError> {
        diesel::delete(batch::table)
            .filter(batch::seq.le(seq))
            .execute(&mut self.connection)
            .map(drop)
            .map_err(refused("to forget"))
    }

    /// How many events stand after `seq`.
    pub(super) fn backlog(&mut self, seq: i64) -> Result<u64, StoreError> {
        use diesel::sql_types::{BigInt, Nullable};
        let events: Option<i64> = batch::table
            .filter(batch::seq.gt(seq))
            .select(sql::<Nullable<BigInt>>("sum(events)"))
            .first(&mut self.connection)
            .map_err(refused("to count"))?;
        Ok(events.unwrap_or(0) as u64)
    }
}

fn parse((seq, payload): (i64, String)) -> Result<Spooled, StoreError> {
    let events = serde_json::from_str(&payload)
        .map_err(|error| StoreError::Unreadable { position: seq.to_string(), why: error.to_string() })?;
    Ok(Spooled { seq, bytes: payload.len(), events })
}
