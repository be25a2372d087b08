//! Events that cannot be stored: kept as they were, with the reason, so that nothing is lost in silence.
//!
//! Two ways lead here: the tables refuse an event ([`super::record`]), or whoever handles it panics over
//! it again and again (`actors::graves`).

use chrono::{NaiveDateTime, Utc};
use diesel::{prelude::*, sqlite::SqliteConnection};
use serde::Serialize;

use super::{
    outcome::{Outcome, add_to_ledger},
    schema::blm_deadletter,
    sqlite::{Database, QueryError, failed},
};
use crate::domain::Event;

/// A dead letter, without its payload.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Serialize)]
pub struct DeadLetter {
    /// The event.
    pub event_id: String,
    /// Its room.
    pub room_id: i64,
    /// Why it could not be stored.
    pub error: String,
    /// When it was set aside, UTC.
    pub at: NaiveDateTime,
}

impl Database {
    /// Sets an event aside; false when it was there already.
    pub fn bury(&self, event: &Event, why: &str) -> Result<bool, QueryError> {
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                let is_new = bury(writer, event, why)?;
                let outcome = match is_new {
                    true => Outcome { dead_letter: 1, ..Outcome::default() },
                    false => Outcome { duplicate: 1, ..Outcome::default() },
                };
                add_to_ledger(writer, &[(event.room_id, outcome)].into())?;
                Ok(is_new)
            })
            .map_err(failed("set an event aside"))
    }

    /// The newest dead letters.
    pub fn dead_letters(&self, limit: i64) -> Result<Vec<DeadLetter>, QueryError> {
        blm_deadletter::table
            .select((blm_deadletter::event_id, blm_deadletter::room_id, blm_deadletter::error, blm_deadletter::at))
            .order(blm_deadletter::id.desc())
            .limit(limit)
            .load(&mut self.reader()?)
            .map_err(failed("list dead letters"))
    }
}

/// Writes an event down as it is; false when it was there already.
pub(super) fn bury(writer: &mut SqliteConnection, event: &Event, why: &str) -> QueryResult<bool> {
    let payload = serde_json::to_string(event).unwrap_or_else(|unwritable| format!("{event:?} ({unwritable})"));
    let buried = diesel::insert_into(blm_deadletter::table)
        .values((
            blm_deadletter::event_id.eq(event.id.to_string()),
            blm_deadletter::room_id.eq(event.room_id.0 as i64),
            blm_deadletter::payload.eq(payload),
            blm_deadletter::error.eq(why),
            blm_deadletter::at.eq(Utc::now().naive_utc()),
        ))
        .on_conflict(blm_deadletter::event_id)
        .do_nothing()
        .execute(writer)?;
    Ok(buried == 1)
}
