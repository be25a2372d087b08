//! What was not received, and what could not be read.
//!
//! A **gap** is an interval in which a monitored room had no connection; at most one is open per room,
//! and one that a killed program left open is closed by the next connection. Two reasons are of another kind:
//! a room that is off air and waits without a connection ([`OFF_AIR`]) misses nothing, and one that is
//! [`THINNED`] has a connection that brings too little. A gap that changes its kind ends, and another begins,
//! so that neither takes the other's time. An unknown command is
//! counted, with one example, so that nothing the upstream adds stays invisible.

use diesel::prelude::*;
use serde::Serialize;

use super::{
    schema::{live_data_gap as gap, live_data_unknowncommand as unknown},
    sqlite::{Database, QueryError, failed},
};
use crate::domain::RoomId;

/// Nothing is on air, and no connection is wanted: no hole in what is known of the room.
pub const OFF_AIR: &str = "off air";
/// Connected, but most of the chat is withheld: what was stored of this time is a lower bound.
pub const THINNED: &str = "thinned";

/// What kind of gap a reason makes.
fn kind_of(reason: &str) -> u8 {
    match reason {
        OFF_AIR => 1,
        THINNED => 2,
        _ => 0,
    }
}

impl Gap {
    /// Whether something may have been missed: all but waiting for a broadcast.
    pub fn is_hole(&self) -> bool {
        self.reason != OFF_AIR
    }
}

/// Text kept of an unknown command, in characters; one is enough to write a decoder by.
const SAMPLE_CHARS: usize = 4000;

/// Distinct unknown commands that have a row: names come from outside.
const UNKNOWN_KEPT: i64 = 1000;

/// Where unknown commands beyond a bound are counted.
pub const OTHERS: &str = "(others)";

/// An interval in which a room was not received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The room.
    pub room_id: RoomId,
    /// Since when, unix ms.
    pub from_ms: i64,
    /// Until when; none while it lasts.
    pub to_ms: Option<i64>,
    /// Why it is still open, or was at last.
    pub reason: String,
    /// Failed attempts to end it.
    pub attempts: i64,
}

/// An upstream command that we do not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Queryable, Selectable)]
#[diesel(table_name = unknown)]
pub struct UnknownCommand {
    /// Its name.
    pub cmd: String,
    /// How often it came.
    pub count: i64,
    /// First seen, unix ms.
    pub first_ms: i64,
    /// Last seen, unix ms.
    pub last_ms: i64,
    /// The first that came, as far as it is kept. Text of the upstream: hostile, and it may name users.
    pub sample: String,
}

/// A room ceased to be received, or is received again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapNews {
    /// Which.
    pub room: RoomId,
    /// When, unix ms.
    pub at_ms: i64,
    /// Why it ceased; none when it is received again.
    pub ceased: Option<String>,
}

/// In a gap that is open already, counts one more attempt.
fn open_gap(writer: &mut SqliteConnection, room: RoomId, from_ms: i64, reason: &str) -> QueryResult<()> {
    let open = gap::table.filter(gap::room_id.eq(room.0 as i64)).filter(gap::to_ms.is_null());
    let known: Option<String> = open.select(gap::reason).first(writer).optional()?;
    if known.is_some_and(|known| kind_of(&known) != kind_of(reason)) {
        close_gap(writer, room, from_ms)?;
    }
    let again = diesel::update(open).set((gap::attempts.eq(gap::attempts + 1), gap::reason.eq(reason)));
    if again.execute(writer)? > 0 {
        return Ok(());
    }
    let row = (gap::room_id.eq(room.0 as i64), gap::from_ms.eq(from_ms), gap::reason.eq(reason), gap::attempts.eq(0));
    diesel::insert_into(gap::table).values(row).execute(writer).map(drop)
}

/// Does nothing when no gap is open.
fn close_gap(writer: &mut SqliteConnection, room: RoomId, to_ms: i64) -> QueryResult<()> {
    let open = gap::table.filter(gap::room_id.eq(room.0 as i64)).filter(gap::to_ms.is_null());
    let from: Option<i64> = open.select(gap::from_ms).first(writer).optional()?;
    let Some(from_ms) = from else { return Ok(()) };
    // A clock that was set back must not make an interval that ends before it begins.
    diesel::update(open).set(gap::to_ms.eq(to_ms.max(from_ms))).execute(writer).map(drop)
}

/// Counts under the command's own name while there is room for it.
fn add_unknown(writer: &mut SqliteConnection, command: &UnknownCommand) -> QueryResult<()> {
    let has_row = diesel::select(diesel::dsl::exists(unknown::table.find(&command.cmd)));
    let own = has_row.get_result(writer)? || unknown::table.count().get_result::<i64>(writer)? < UNKNOWN_KEPT;
    let (cmd, sample) = if own { (command.cmd.as_str(), command.sample.as_str()) } else { (OTHERS, "") };
    let sample: String = sample.chars().take(SAMPLE_CHARS).collect();
    diesel::insert_into(unknown::table)
        .values((
            unknown::cmd.eq(cmd),
            unknown::count.eq(command.count),
            unknown::first_ms.eq(command.first_ms),
            unknown::last_ms.eq(command.last_ms),
            unknown::sample.eq(&sample),
        ))
        .on_conflict(unknown::cmd)
        .do_update()
        .set((unknown::count.eq(unknown::count + command.count), unknown::last_ms.eq(command.last_ms)))
        .execute(writer)?;
    // Rows of earlier versions have none.
    let lacking = unknown::table.find(cmd).filter(unknown::sample.eq(""));
    diesel::update(lacking).set(unknown::sample.eq(&sample)).execute(writer).map(drop)
}

impl Database {
    /// Writes down, in order and in one transaction, which rooms ceased to be received and which are again.
    pub fn note_gaps(&self, news: &[GapNews]) -> Result<(), QueryError> {
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                news.iter().try_for_each(|news| match &news.ceased {
                    Some(reason) => open_gap(writer, news.room, news.at_ms, reason),
                    None => close_gap(writer, news.room, news.at_ms),
                })
            })
            .map_err(failed("write down which rooms are received"))
    }

    /// The gaps of a room that touch `from_ms..to_ms`, oldest first.
    pub fn gaps(&self, room: RoomId, from_ms: i64, to_ms: i64) -> Result<Vec<Gap>, QueryError> {
        let rows: Vec<(i64, Option<i64>, String, i64)> = gap::table
            .filter(gap::room_id.eq(room.0 as i64))
            .filter(gap::from_ms.lt(to_ms))
            .filter(gap::to_ms.is_null().or(gap::to_ms.gt(from_ms)))
            .order((gap::from_ms, gap::id))
            .select((gap::from_ms, gap::to_ms, gap::reason, gap::attempts))
            .load(&mut self.reader()?)
            .map_err(failed("list the gaps"))?;
        Ok(rows
            .into_iter()
            .map(|(from_ms, to_ms, reason, attempts)| Gap { room_id: room, from_ms, to_ms, reason, attempts })
            .collect())
    }

    /// Adds what was counted since the last call. Of each command the first sample stays.
    pub fn count_unknown(&self, commands: &[UnknownCommand]) -> Result<(), QueryError> {
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| commands.iter().try_for_each(|command| add_unknown(writer, command)))
            .map_err(failed("count unknown commands"))
    }

    /// Every unknown command, the most frequent first.
    pub fn unknown_commands(&self) -> Result<Vec<UnknownCommand>, QueryError> {
        unknown::table
            .order((unknown::count.desc(), unknown::cmd))
            .select(UnknownCommand::as_select())
            .load(&mut self.reader()?)
            .map_err(failed("list the unknown commands"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missed_while_a_broadcast_is_waited_for_and_something_may_be_in_every_other_gap() {
        for (reason, is_hole) in [
            (OFF_AIR, false),
            (THINNED, true),
            ("paused", true),
            ("stopped", true),
            ("failed: crashing", true),
            ("the program did not run", true),
            ("end of stream", true),
        ] {
            let gap = Gap { room_id: RoomId(1), from_ms: 0, to_ms: None, reason: reason.into(), attempts: 0 };
            assert_eq!(gap.is_hole(), is_hole, "{reason}");
        }
    }
}
