//! How long what is stored: a number of days for each class, and the deleting of what is older.
//!
//! Deleting happens in small transactions, so storing goes on in between. **What stays true:** totals of
//! rooms and of users, the ledger and the minutes are sums of everything that was ever stored; they stay as
//! they are when rows go, and are called all-time. Gaps and what happened to rooms stay as well. The index
//! of chat forgets what is deleted in the same transaction.
//!
//! Not here: when it happens (`store::housekeeper`).

use chrono::NaiveDateTime;
use diesel::{prelude::*, sqlite::SqliteConnection};
use serde::Serialize;

use super::{
    queries::first_id_at,
    rows::to_time,
    schema::{
        blm_deadletter as dead, blm_setting as setting, live_data_danmakudata, live_data_gauge as gauge,
        live_data_giftdata, live_data_guard, live_data_interaction, live_data_liveroom as room, live_data_superchat,
    },
    search,
    sqlite::{Database, QueryError, failed},
};

/// Days each class is kept; 0 is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// Chat lines.
    pub chat_days: u32,
    /// Entries, follows, shares, likes: the most rows of a busy room, and their sums stay.
    pub entries_days: u32,
    /// Gauges: a row per room and minute.
    pub gauges_days: u32,
    /// Gifts, super chats, guards.
    pub money_days: u32,
    /// Events that could not be stored, as they came.
    pub raw_days: u32,
}

impl Retention {
    /// From this moment on every row of chat and money is there, as of `now_ms`.
    pub fn interactions_since(&self, now_ms: i64) -> i64 {
        let days = [self.chat_days, self.money_days].into_iter().filter(|days| *days > 0).min();
        days.map_or(i64::MIN, |days| now_ms - i64::from(days) * DAY_MS)
    }
}

impl Default for Retention {
    /// Nothing of chat or money is ever deleted unasked.
    fn default() -> Retention {
        Retention { chat_days: 0, entries_days: 90, gauges_days: 0, money_days: 0, raw_days: 30 }
    }
}

/// What is deleted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Chat lines.
    Chat,
    /// Entries, follows, shares, likes.
    Entries,
    /// Gauges.
    Gauges,
    /// Gifts, super chats, guards.
    Money,
    /// Events that could not be stored.
    Raw,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 5] = [Class::Chat, Class::Entries, Class::Gauges, Class::Money, Class::Raw];

    /// Its name in settings and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Chat => "chat",
            Class::Entries => "entries",
            Class::Gauges => "gauges",
            Class::Money => "money",
            Class::Raw => "raw",
        }
    }
}

/// A day, ms.
const DAY_MS: i64 = 24 * 3_600_000;

impl Retention {
    /// Before which moment a class is deleted, unix ms; none when it is kept for ever.
    pub fn cutoff_ms(&self, class: Class, now_ms: i64) -> Option<i64> {
        let days = match class {
            Class::Chat => self.chat_days,
            Class::Entries => self.entries_days,
            Class::Gauges => self.gauges_days,
            Class::Money => self.money_days,
            Class::Raw => self.raw_days,
        };
        (days > 0).then(|| now_ms.saturating_sub(i64::from(days) * DAY_MS)).filter(|cutoff| *cutoff > 0)
    }
}

/// Up to when a class has been deleted, unix ms, among the settings.
fn deleted_until(class: Class) -> String {
    format!("deleted_until_{}", class.as_str())
}

/// Deletes the oldest rows of `$table` before a time; evaluates to the ids of those that are gone.
macro_rules! delete_oldest {
    ($writer:expr, $table:ident, $cutoff_ms:expr, $rows:expr) => {{
        let ids: Vec<String> = $table::table
            .filter($table::event_id.lt(first_id_at($cutoff_ms)))
            .order($table::event_id)
            .limit($rows)
            .select($table::event_id)
            .load($writer)?;
        diesel::delete($table::table.filter($table::event_id.eq_any(&ids))).execute($writer)?;
        ids
    }};
}

impl Database {
    /// Deletes up to `rows` rows of a class that are older than `cutoff_ms`, in one transaction, and says how
    /// many; less than `rows` when none is left.
    pub fn delete_older(&self, class: Class, cutoff_ms: i64, rows: usize) -> Result<usize, QueryError> {
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                let limit = i64::try_from(rows).unwrap_or(i64::MAX);
                let gone = match class {
                    Class::Chat => {
                        let ids = delete_oldest!(writer, live_data_danmakudata, cutoff_ms, limit);
                        search::forget(writer, &ids)?;
                        ids.len()
                    }
                    Class::Entries => delete_oldest!(writer, live_data_interaction, cutoff_ms, limit).len(),
                    Class::Money => {
                        let mut gone = delete_oldest!(writer, live_data_giftdata, cutoff_ms, limit).len();
                        gone += delete_oldest!(writer, live_data_superchat, cutoff_ms, limit - gone as i64).len();
                        gone + delete_oldest!(writer, live_data_guard, cutoff_ms, limit - gone as i64).len()
                    }
                    Class::Gauges => delete_gauges(writer, cutoff_ms, limit)?,
                    Class::Raw => delete_dead_letters(writer, to_time(cutoff_ms), limit)?,
                };
                if gone > 0 {
                    diesel::replace_into(setting::table)
                        .values((setting::key.eq(deleted_until(class)), setting::value.eq(cutoff_ms.to_string())))
                        .execute(writer)?;
                }
                Ok(gone)
            })
            .map_err(failed("delete what is older than is kept"))
    }

    /// Up to when rows of a class have ever been deleted, unix ms. Storing older ones again would count them
    /// twice in the sums.
    pub fn deleted_until(&self, class: Class) -> Result<Option<i64>, QueryError> {
        Ok(self.setting(&deleted_until(class))?.and_then(|ms| ms.parse().ok()))
    }
}

/// Room by room, along the key.
fn delete_gauges(writer: &mut SqliteConnection, cutoff_ms: i64, limit: i64) -> QueryResult<usize> {
    let rooms: Vec<i64> = room::table.select(room::room_id).load(writer)?;
    let mut gone = 0;
    for room in rooms {
        let of_room = gauge::table.filter(gauge::room_id.eq(room)).filter(gauge::minute_ms.lt(cutoff_ms));
        let minutes: Vec<i64> =
            of_room.order(gauge::minute_ms).limit(limit - gone as i64).select(gauge::minute_ms).load(writer)?;
        let Some(last) = minutes.last() else { continue };
        gone += diesel::delete(of_room.filter(gauge::minute_ms.le(last))).execute(writer)?;
    }
    Ok(gone)
}

fn delete_dead_letters(writer: &mut SqliteConnection, cutoff: NaiveDateTime, limit: i64) -> QueryResult<usize> {
    let ids: Vec<i64> =
        dead::table.filter(dead::at.lt(cutoff)).order(dead::id).limit(limit).select(dead::id).load(writer)?;
    diesel::delete(dead::table.filter(dead::id.eq_any(&ids))).execute(writer)
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
