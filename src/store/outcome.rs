//! What became of the events that were read from the live store: of each call, and all-time by room (`blm_ledger`).
//!
//! Invariant: whoever decides the fate of an event adds it here in the same transaction, so the sums are those of
//! the rows. What happened to events before they came to the history stands in `books`.

use std::collections::BTreeMap;

use diesel::{prelude::*, sqlite::SqliteConnection, upsert::excluded};
use serde::Serialize;

use super::{
    schema::blm_ledger,
    sqlite::{Database, QueryError, failed},
};
use crate::domain::RoomId;

/// Rooms in one statement, which is prepared anew each time: one for many rooms costs little more than for one.
const ROWS_A_STATEMENT: usize = 500;

/// What became of the events that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Rows written.
    pub stored: u64,
    /// Known already: the event, or the guard purchase that it is about.
    pub duplicate: u64,
    /// Refused by the tables, kept in `blm_deadletter`.
    pub dead_letter: u64,
}

impl Outcome {
    /// How many were read; each has one of the three fates.
    pub fn received(&self) -> u64 {
        self.stored + self.duplicate + self.dead_letter
    }

    /// What has come to it since `before`; nothing where it has become less, because a room was erased.
    pub fn since(&self, before: Outcome) -> Outcome {
        Outcome {
            stored: self.stored.saturating_sub(before.stored),
            duplicate: self.duplicate.saturating_sub(before.duplicate),
            dead_letter: self.dead_letter.saturating_sub(before.dead_letter),
        }
    }
}

impl std::ops::AddAssign for Outcome {
    fn add_assign(&mut self, more: Outcome) {
        *self = [*self, more].into_iter().sum();
    }
}

impl std::iter::Sum for Outcome {
    fn sum<I: Iterator<Item = Outcome>>(outcomes: I) -> Outcome {
        outcomes.fold(Outcome::default(), |sum, next| Outcome {
            stored: sum.stored + next.stored,
            duplicate: sum.duplicate + next.duplicate,
            dead_letter: sum.dead_letter + next.dead_letter,
        })
    }
}

pub(super) fn add_to_ledger(writer: &mut SqliteConnection, rooms: &BTreeMap<RoomId, Outcome>) -> QueryResult<()> {
    let row = |(room, outcome): (&RoomId, &Outcome)| {
        (
            blm_ledger::room_id.eq(room.0 as i64),
            blm_ledger::stored.eq(outcome.stored as i64),
            blm_ledger::duplicate.eq(outcome.duplicate as i64),
            blm_ledger::dead_letter.eq(outcome.dead_letter as i64),
        )
    };
    for rows in rooms.iter().map(row).collect::<Vec<_>>().chunks(ROWS_A_STATEMENT) {
        diesel::insert_into(blm_ledger::table)
            .values(rows)
            .on_conflict(blm_ledger::room_id)
            .do_update()
            .set((
                blm_ledger::stored.eq(blm_ledger::stored + excluded(blm_ledger::stored)),
                blm_ledger::duplicate.eq(blm_ledger::duplicate + excluded(blm_ledger::duplicate)),
                blm_ledger::dead_letter.eq(blm_ledger::dead_letter + excluded(blm_ledger::dead_letter)),
            ))
            .execute(writer)?;
    }
    Ok(())
}

pub(super) fn outcomes(connection: &mut SqliteConnection) -> QueryResult<BTreeMap<RoomId, Outcome>> {
    let rows: Vec<(i64, i64, i64, i64)> = blm_ledger::table.load(connection)?;
    let outcome = |(room, stored, duplicate, dead_letter): (i64, i64, i64, i64)| {
        let outcome = Outcome { stored: stored as u64, duplicate: duplicate as u64, dead_letter: dead_letter as u64 };
        (RoomId(room as u64), outcome)
    };
    Ok(rows.into_iter().map(outcome).collect())
}

impl Database {
    /// What became of the events of each room, all-time.
    pub fn outcomes(&self) -> Result<BTreeMap<RoomId, Outcome>, QueryError> {
        outcomes(&mut *self.reader()?).map_err(failed("read what became of events"))
    }
}
