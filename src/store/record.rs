//! Moves batches into the history: rows, every sum over them and the position reached, in one transaction.
//!
//! The invariant of the whole program stands here: **an event is counted exactly when its row is new**.
//! Which ids are there already is looked up inside the transaction, so a batch may come twice, an event
//! may stand twice in a batch, and a killed program simply begins again at the position it committed.
//! (Two messages about one guard purchase share a row: `guards.rs`.)
//!
//! A row that the tables refuse because of what it holds must not hold up the others: that event goes to
//! `blm_deadletter`. When it is the database that fails (full, locked, read-only), nothing has happened, and the same
//! call may be repeated.
//!
//! An event is one statement of one row, which fails alone. With more rows to a statement, or a savepoint around some,
//! SQLite copies every page that they change into a file beside, which was a fifth of what storing cost.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::Utc;
use diesel::{
    prelude::*,
    result::{DatabaseErrorKind, Error as DieselError},
    sqlite::SqliteConnection,
};
use thiserror::Error;

use super::{
    Batch, Position, RoomTotals, StoreKind, backfill, dead_letters,
    fixed::fixed,
    guards::store_guard,
    outcome::{Outcome, add_to_ledger},
    purchase_rows::{GiftRow, SuperChatRow},
    rows::{DanmakuRow, GaugeRow, InteractionRow, RoomEventRow, minute_of},
    schema::{
        blm_cursor, live_data_danmakudata, live_data_gauge, live_data_giftdata, live_data_interaction,
        live_data_liveroom, live_data_roomevent, live_data_superchat,
    },
    sqlite::{Database, QueryError},
    sums::Sums,
    tasks,
};
use crate::{
    domain::{Body, Event, EventId, Gauge, RoomId, Uid},
    supervise::faults::{self, Point},
};

/// Ids in one statement, far from SQLite's 32,766 bound values.
const IDS_A_STATEMENT: usize = 500;

/// What one call of [`Database::record`] did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// By room, for every room in the batches.
    pub rooms: BTreeMap<RoomId, Outcome>,
    /// The same rooms' totals, after it.
    pub totals: HashMap<RoomId, RoomTotals>,
}

impl Recorded {
    /// Over all rooms.
    pub fn outcome(&self) -> Outcome {
        self.rooms.values().copied().sum()
    }
}

/// The history did not take the batches. Nothing has changed; the same call may be repeated.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The database is not there to be written.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The transaction failed for a reason that is the database's: full, locked, read-only, damaged.
    #[error("the history did not take a batch of {events} events")]
    Transaction {
        /// How many there were.
        events: usize,
        /// What SQLite says.
        #[source]
        source: DieselError,
    },
}

impl Database {
    /// Stores `batches`, which were read from the live store `store`, and remembers the last one's position.
    pub fn record(&self, store: StoreKind, batches: &[Batch]) -> Result<Recorded, RecordError> {
        self.record_but(store, batches, &HashMap::new())
    }

    /// The same, but events of which `aside` says why they cannot be stored become dead letters.
    pub fn record_but(
        &self,
        store: StoreKind,
        batches: &[Batch],
        aside: &HashMap<EventId, String>,
    ) -> Result<Recorded, RecordError> {
        let Some(last) = batches.last() else { return Ok(Recorded::default()) };
        let events: Vec<&Event> = batches.iter().flat_map(|batch| &batch.events).collect();
        let started = Utc::now().naive_utc();
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                let streamers = make_rooms(writer, events.iter().map(|event| event.room_id))?;
                let mut run = Run::of(streamers);
                let (bad, good): (Vec<&Event>, Vec<&Event>) =
                    events.iter().partition(|event| aside.contains_key(&event.id));
                run.store(writer, good)?;
                for event in bad {
                    run.bury(writer, event, &aside[&event.id])?;
                }
                let Run { sums, rooms, last_error } = run;
                let recorded_danmaku_and_gifts = sums.collected();
                let recorded = Recorded { totals: sums.write(writer)?, rooms };
                add_to_ledger(writer, &recorded.rooms)?;
                set_cursor(writer, store, &last.position)?;
                tasks::log_run(writer, tasks::LIVE_SYNC, started, recorded.outcome(), last_error.as_deref())?;
                tasks::count(writer, recorded_danmaku_and_gifts, recorded.outcome().dead_letter, last_error)?;
                // Nothing about the data: the whole transaction fails, and may be repeated.
                faults::reach(Point::SqliteCommit, 0).map_err(|_| DieselError::RollbackTransaction)?;
                Ok(recorded)
            })
            .map_err(|source| RecordError::Transaction { events: events.len(), source })
    }

    /// Stores what was read from the raw archive once more, in one transaction; otherwise as an import.
    pub fn import_replayed(&self, events: Vec<Event>) -> Result<Recorded, QueryError> {
        let mut events = Some(events);
        self.import(tasks::REPLAY, || Ok(events.take().unwrap_or_default()))
    }

    /// Stores what `next` takes from elsewhere, until it gives nothing, all of it or none. Sums
    /// are as for what is received; the ledger and the task, which are about receiving, stay as they are.
    pub(super) fn import(
        &self,
        kind: &str,
        mut next: impl FnMut() -> QueryResult<Vec<Event>>,
    ) -> Result<Recorded, QueryError> {
        let started = Utc::now().naive_utc();
        let imported = self.writer()?.immediate_transaction(|writer| {
            let mut run = Run::default();
            loop {
                let events = next()?;
                if events.is_empty() {
                    break;
                }
                run.sums.know(make_rooms(writer, events.iter().map(|event| event.room_id))?);
                run.store(writer, &events)?;
            }
            let Run { sums, rooms, last_error } = run;
            let recorded = Recorded { totals: sums.write(writer)?, rooms };
            tasks::log_run(writer, kind, started, recorded.outcome(), last_error.as_deref())?;
            Ok(recorded)
        });
        imported.map_err(super::sqlite::failed("store what was read elsewhere"))
    }

    /// Does what storing `events` would do and takes it back, for whoever looks for the one that panics.
    pub fn rehearse(&self, events: &[Event]) -> Result<(), QueryError> {
        let rehearsed = self.writer()?.immediate_transaction(|writer| {
            let mut run = Run::of(make_rooms(writer, events.iter().map(|event| event.room_id))?);
            run.store(writer, events)?;
            run.sums.write(writer)?;
            Err::<(), _>(DieselError::RollbackTransaction)
        });
        match rehearsed {
            Ok(()) | Err(DieselError::RollbackTransaction) => Ok(()),
            Err(error) => Err(super::sqlite::failed("rehearse")(error)),
        }
    }

    /// How far `store` has been moved into the history.
    pub fn cursor(&self, store: StoreKind) -> Result<Option<Position>, QueryError> {
        let position: Option<String> = blm_cursor::table
            .find(store.as_str())
            .select(blm_cursor::position)
            .first(&mut self.reader()?)
            .optional()
            .map_err(super::sqlite::failed("read the cursor"))?;
        Ok(position.map(Position))
    }
}

/// What became of an event that the tables did not refuse.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// It has a row of its own.
    New,
    /// The rows knew it.
    Known,
    /// It took over the row of this earlier event, which told of the same purchase.
    Replaces(Box<Event>),
    /// The rows knew it, but not that this other event told of the same purchase, whose row is gone now.
    Absorbs(Box<Event>),
}

/// What has happened so far within one transaction.
#[derive(Default)]
struct Run {
    sums: Sums,
    rooms: BTreeMap<RoomId, Outcome>,
    last_error: Option<String>,
}

impl Run {
    /// Nothing yet; the rooms' streamers are these.
    fn of(streamers: HashMap<RoomId, Uid>) -> Run {
        Run { sums: Sums::of(streamers), ..Run::default() }
    }

    /// Stores `events`, or all but those that the tables refuse.
    fn store<'a>(
        &mut self,
        writer: &mut SqliteConnection,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> QueryResult<()> {
        for event in events {
            match store_row(writer, event, self.sums.streamers()) {
                Ok(fate) => self.count(event, fate),
                Err(error) if is_about_the_data(&error) => self.bury(writer, event, &error.to_string())?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn count(&mut self, event: &Event, fate: Fate) {
        let outcome = self.rooms.entry(event.room_id).or_default();
        self.sums.touch(event.room_id);
        match fate {
            Fate::New => {
                outcome.stored += 1;
                self.sums.add(event);
            }
            Fate::Known => outcome.duplicate += 1,
            Fate::Replaces(earlier) => {
                outcome.duplicate += 1;
                self.sums.remove(&earlier);
                self.sums.add(event);
            }
            Fate::Absorbs(other) => {
                outcome.duplicate += 1;
                self.sums.remove(&other);
            }
        }
    }

    fn bury(&mut self, writer: &mut SqliteConnection, event: &Event, error: &str) -> QueryResult<()> {
        let is_new = dead_letters::bury(writer, event, error)?;
        let outcome = self.rooms.entry(event.room_id).or_default();
        self.sums.touch(event.room_id);
        if is_new {
            outcome.dead_letter += 1;
            self.last_error = Some(format!("event {}: {error}", event.id));
        } else {
            outcome.duplicate += 1;
        }
        Ok(())
    }
}

/// Whether a statement failed because of what was to be stored, and not because of the database.
fn is_about_the_data(error: &DieselError) -> bool {
    match error {
        DieselError::SerializationError(_) | DieselError::DeserializationError(_) => true,
        DieselError::QueryBuilderError(_) | DieselError::InvalidCString(_) => true,
        DieselError::DatabaseError(kind, details) => match kind {
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation => true,
            // diesel has no kinds for these two of SQLite's.
            _ => matches!(details.message(), "string or blob too big" | "datatype mismatch"),
        },
        _ => false,
    }
}

/// Makes the row that others refer to, for every room that has none yet; gives the rooms' streamers, as far as known.
pub(super) fn make_rooms(
    writer: &mut SqliteConnection,
    rooms: impl Iterator<Item = RoomId>,
) -> QueryResult<HashMap<RoomId, Uid>> {
    let rooms: HashSet<RoomId> = rooms.collect();
    let mut streamers = HashMap::with_capacity(rooms.len());
    for room in rooms {
        let id = live_data_liveroom::room_id.eq(room.0 as i64);
        let known: Option<i64> =
            live_data_liveroom::table.filter(id).select(live_data_liveroom::uid).get_result(writer).optional()?;
        if let Some(streamer) = known {
            streamers.insert(room, Uid(streamer as u64));
        } else {
            diesel::insert_into(live_data_liveroom::table)
                .values((id, live_data_liveroom::title.eq(""), live_data_liveroom::uname.eq("")))
                .execute(writer)?;
        }
    }
    Ok(streamers)
}

/// Inserts a row whose id is not there yet.
macro_rules! insert_new {
    ($writer:expr, $table:ident, $row:expr) => {{
        let row = $row;
        let insert = diesel::insert_into($table::table).values(&row).on_conflict($table::event_id).do_nothing();
        fixed::<$table::table, _>(insert).execute($writer)? == 1
    }};
}

/// Writes what is new of an event, and says what became of it.
fn store_row(writer: &mut SqliteConnection, event: &Event, streamers: &HashMap<RoomId, Uid>) -> QueryResult<Fate> {
    if faults::ENABLED {
        let injected = |fault| DieselError::QueryBuilderError(Box::new(fault));
        faults::reach(Point::SqliteRow, event.room_id.0).map_err(injected)?;
    }
    if backfill::is_on_record(writer, event)? {
        return Ok(Fate::Known);
    }
    let is_new = match &event.body {
        Body::Danmaku(body) => insert_new!(writer, live_data_danmakudata, DanmakuRow::new(event, body)),
        Body::Gift(body) => {
            let streamer = streamers.get(&event.room_id).copied().unwrap_or_default();
            insert_new!(writer, live_data_giftdata, GiftRow::new(event, body, streamer))
        }
        Body::SuperChat(body) => insert_new!(writer, live_data_superchat, SuperChatRow::new(event, body)),
        Body::Guard(body) => return writer.transaction(|writer| store_guard(writer, event, body)),
        Body::Enter(medal) | Body::Follow(medal) | Body::Share(medal) | Body::Like(medal) => {
            insert_new!(writer, live_data_interaction, InteractionRow::new(event, medal))
        }
        Body::Live(notice)
        | Body::Preparing(notice)
        | Body::CutOff(notice)
        | Body::Warning(notice)
        | Body::RoomLock(notice)
        | Body::RoomChange(notice) => insert_new!(writer, live_data_roomevent, RoomEventRow::new(event, notice)),
        Body::SuperChatDelete { ids } => writer.transaction(|writer| {
            mark_deleted(writer, event.room_id, ids)?;
            QueryResult::Ok(insert_new!(writer, live_data_roomevent, RoomEventRow::of_deletion(event, ids)))
        })?,
        Body::Gauge(gauge) => store_gauge(writer, event, gauge)?,
    };
    Ok(if is_new { Fate::New } else { Fate::Known })
}

/// Takes a gauge over into its room's minute; false if the row knew all of it.
///
/// Whatever the order they come in, the newest value of each number stays, as far as one row can tell:
/// an older event only fills in what no newer one has said.
fn store_gauge(writer: &mut SqliteConnection, event: &Event, gauge: &Gauge) -> QueryResult<bool> {
    let (room, minute_ms, id) = (event.room_id, minute_of(event.timestamp_ms), event.id.to_string());
    let known: Option<GaugeRow> = live_data_gauge::table
        .find((room.0 as i64, minute_ms))
        .select(GaugeRow::as_select())
        .get_result(writer)
        .optional()?;
    let row = match known {
        None => GaugeRow::new(id, room, minute_ms, gauge),
        Some(known) if id > known.event_id => {
            let mut merged = known.gauge();
            merged.update(gauge);
            GaugeRow::new(id, room, minute_ms, &merged)
        }
        Some(known) => {
            let mut merged = *gauge;
            merged.update(&known.gauge());
            if merged == known.gauge() {
                return Ok(false);
            }
            GaugeRow::new(known.event_id, room, minute_ms, &merged)
        }
    };
    diesel::replace_into(live_data_gauge::table).values(&row).execute(writer)?;
    Ok(true)
}

fn mark_deleted(writer: &mut SqliteConnection, room: RoomId, ids: &[i64]) -> QueryResult<()> {
    for ids in ids.chunks(IDS_A_STATEMENT) {
        diesel::update(live_data_superchat::table)
            .filter(live_data_superchat::room_id.eq(room.0 as i64))
            .filter(live_data_superchat::super_chat_id.eq_any(ids))
            .set(live_data_superchat::deleted.eq(true))
            .execute(writer)?;
    }
    Ok(())
}

fn set_cursor(writer: &mut SqliteConnection, store: StoreKind, position: &Position) -> QueryResult<()> {
    diesel::replace_into(blm_cursor::table)
        .values((blm_cursor::store.eq(store.as_str()), blm_cursor::position.eq(&position.0)))
        .execute(writer)?;
    Ok(())
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
