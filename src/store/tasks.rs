//! The two tables in which the original system says what it is doing.
//!
//! `live_data_monitoringtask` has one row, `live-monitor`: this program, from its start to its end, and
//! what it has collected since the start. `live_data_datamigrationlog` has one row per run that moved
//! something: total = events read, success = stored + duplicate, failed = dead letters, status `success`
//! or, with dead letters, `partial`. Both are written in the transaction that moved the events.

use chrono::{NaiveDateTime, Utc};
use diesel::{prelude::*, sqlite::SqliteConnection};
use serde::Serialize;

use super::{
    outcome::Outcome,
    rows::{to_ms, to_time},
    schema::{live_data_datamigrationlog as log, live_data_monitoringtask as task},
    sqlite::{Database, QueryError, failed},
};
use crate::domain::RoomId;

/// The row of this program.
const TASK: &str = "live-monitor";

/// How a run of the sync is called in the log.
pub(super) const LIVE_SYNC: &str = "live_sync";

/// How a run is called that took over another program's database.
pub(super) const IMPORT: &str = "django_import";

/// How a run is called that read the raw archive once more.
pub(super) const REPLAY: &str = "replay";

/// Successful runs that the log keeps: about three hours at one a second. Others are kept for ever.
const RUNS_KEPT: i64 = 10_000;

/// Old runs go once in so many: looking for them costs more than writing one.
const TRIM_EVERY: i64 = 100;

/// One run of the sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SyncRun {
    /// Number of the row.
    pub id: i64,
    /// `live_sync`.
    pub migration_type: String,
    /// Begin, unix ms.
    pub start_ms: i64,
    /// End, unix ms.
    pub end_ms: Option<i64>,
    /// Events read.
    pub total_records: i64,
    /// Stored or known already.
    pub success_records: i64,
    /// Dead letters.
    pub failed_records: i64,
    /// `success` or `partial`.
    pub status: String,
    /// The last dead letter's reason.
    pub error_message: Option<String>,
}

/// What the task's row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Queryable, Selectable)]
#[diesel(table_name = task)]
pub struct Task {
    /// Monitored rooms as a JSON list.
    pub room_ids_json: Option<String>,
    /// `running` or `stopped`.
    pub status: Option<String>,
    /// Chat lines since the start.
    pub collected_danmaku: Option<i64>,
    /// Gifts since the start.
    pub collected_gifts: Option<i64>,
    /// Dead letters since the start, and a failed end.
    pub error_count: Option<i64>,
    /// The last of them.
    pub last_error: Option<String>,
    /// When the program ended, UTC; none while it runs, or when it was killed.
    pub end_time: Option<NaiveDateTime>,
    /// Until when everything that it received is safe, UTC.
    pub updated_at: Option<NaiveDateTime>,
}

impl Task {
    /// Until when everything that the last run received is there, unix ms, and whether it was killed.
    pub fn received_until(&self) -> Option<(i64, bool)> {
        let at_ms = self.end_time.or(self.updated_at)?.and_utc().timestamp_millis();
        Some((at_ms, self.end_time.is_none()))
    }
}

impl Database {
    /// The program starts, monitoring `rooms`: the counters begin anew.
    pub fn start_task(&self, rooms: &[RoomId]) -> Result<(), QueryError> {
        let rooms = json_list(rooms);
        let now = Utc::now().naive_utc();
        let fresh = (
            task::room_ids_json.eq(&rooms),
            task::status.eq("running"),
            task::start_time.eq(now),
            task::end_time.eq(None::<NaiveDateTime>),
            task::collected_danmaku.eq(0),
            task::collected_gifts.eq(0),
            task::error_count.eq(0),
            task::last_error.eq(None::<&str>),
            task::updated_at.eq(now),
        );
        diesel::insert_into(task::table)
            .values((task::task_name.eq(TASK), fresh))
            .on_conflict(task::task_name)
            .do_update()
            .set(fresh)
            .execute(&mut *self.writer()?)
            .map(drop)
            .map_err(failed("start the task"))
    }

    /// The monitored rooms have changed.
    pub fn set_task_rooms(&self, rooms: &[RoomId]) -> Result<(), QueryError> {
        diesel::update(task::table)
            .filter(task::task_name.eq(TASK))
            .set(task::room_ids_json.eq(json_list(rooms)))
            .execute(&mut *self.writer()?)
            .map(drop)
            .map_err(failed("change the task's rooms"))
    }

    /// The program lives, and everything that it received until then, unix ms, is safe: what it missed after a kill
    /// began later than this.
    pub fn task_is_safe(&self, until_ms: i64) -> Result<(), QueryError> {
        diesel::update(task::table)
            .filter(task::task_name.eq(TASK))
            .set(task::updated_at.eq(to_time(until_ms)))
            .execute(&mut *self.writer()?)
            .map(drop)
            .map_err(failed("say that the program lives"))
    }

    /// Something kept events from being stored for a while.
    pub fn note_task_error(&self, error: &str) -> Result<(), QueryError> {
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| count(writer, (0, 0), 1, Some(error.to_owned())))
            .map_err(failed("note an error of the task"))
    }

    /// The program stops, because of `error` or because it was asked to.
    pub fn finish_task(&self, error: Option<&str>) -> Result<(), QueryError> {
        let now = Utc::now().naive_utc();
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                count(writer, (0, 0), error.is_some().into(), error.map(str::to_owned))?;
                diesel::update(task::table)
                    .filter(task::task_name.eq(TASK))
                    .set((task::status.eq("stopped"), task::end_time.eq(now), task::updated_at.eq(now)))
                    .execute(writer)
                    .map(drop)
            })
            .map_err(failed("finish the task"))
    }

    /// The task's row; none before the first start.
    pub fn task(&self) -> Result<Option<Task>, QueryError> {
        task::table
            .filter(task::task_name.eq(TASK))
            .select(Task::as_select())
            .first(&mut self.reader()?)
            .optional()
            .map_err(failed("read the task"))
    }

    /// The last runs that moved something, newest first.
    pub fn sync_log(&self, limit: usize) -> Result<Vec<SyncRun>, QueryError> {
        type Row = (
            (i64, String, NaiveDateTime, Option<NaiveDateTime>),
            (Option<i64>, Option<i64>, Option<i64>, Option<String>, Option<String>),
        );
        let rows: Vec<Row> = log::table
            .order(log::id.desc())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select((
                (log::id, log::migration_type, log::start_time, log::end_time),
                (log::total_records, log::success_records, log::failed_records, log::status, log::error_message),
            ))
            .load(&mut self.reader()?)
            .map_err(failed("read the sync log"))?;
        Ok(rows
            .into_iter()
            .map(|((id, migration_type, start, end), (total, success, failed, status, error_message))| SyncRun {
                id,
                migration_type,
                start_ms: to_ms(start),
                end_ms: end.map(to_ms),
                total_records: total.unwrap_or(0),
                success_records: success.unwrap_or(0),
                failed_records: failed.unwrap_or(0),
                status: status.unwrap_or_default(),
                error_message,
            })
            .collect())
    }
}

fn json_list(rooms: &[RoomId]) -> String {
    serde_json::Value::from(rooms.iter().map(|room| room.0).collect::<Vec<_>>()).to_string()
}

/// Writes the log row of a run that began at `started` and ends now, and lets go of old ones. A run that moved nothing
/// has none.
pub(super) fn log_run(
    writer: &mut SqliteConnection,
    kind: &str,
    started: NaiveDateTime,
    outcome: Outcome,
    error: Option<&str>,
) -> QueryResult<()> {
    if outcome.received() == 0 {
        return Ok(());
    }
    let id: i64 = diesel::insert_into(log::table)
        .values((
            log::migration_type.eq(kind),
            log::start_time.eq(started),
            log::end_time.eq(Utc::now().naive_utc()),
            log::total_records.eq(outcome.received() as i64),
            log::success_records.eq((outcome.stored + outcome.duplicate) as i64),
            log::failed_records.eq(outcome.dead_letter as i64),
            log::status.eq(if outcome.dead_letter == 0 { "success" } else { "partial" }),
            log::error_message.eq(error),
        ))
        .returning(log::id)
        .get_result(writer)?;
    if id % TRIM_EVERY != 0 {
        return Ok(());
    }
    diesel::delete(log::table)
        .filter(log::id.le(id - RUNS_KEPT))
        .filter(log::migration_type.eq(LIVE_SYNC))
        .filter(log::status.eq("success"))
        .execute(writer)
        .map(drop)
}

/// Adds to what the task has collected. Does nothing before the first start.
pub(super) fn count(
    writer: &mut SqliteConnection,
    (danmaku, gifts): (i64, i64),
    errors: u64,
    last_error: Option<String>,
) -> QueryResult<()> {
    let known: Option<Task> =
        task::table.filter(task::task_name.eq(TASK)).select(Task::as_select()).first(writer).optional()?;
    let Some(known) = known else { return Ok(()) };
    diesel::update(task::table)
        .filter(task::task_name.eq(TASK))
        .set((
            task::collected_danmaku.eq(known.collected_danmaku.unwrap_or(0) + danmaku),
            task::collected_gifts.eq(known.collected_gifts.unwrap_or(0) + gifts),
            task::error_count.eq(known.error_count.unwrap_or(0) + errors as i64),
            task::last_error.eq(last_error.or(known.last_error)),
        ))
        .execute(writer)
        .map(drop)
}
