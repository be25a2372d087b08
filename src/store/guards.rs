//! One guard purchase, one row, however many messages told of it.
//!
//! A purchase is announced by an *estimate* (the list price: `estimated`) and by a *receipt* (what was
//! really paid), two events with ids of their own. Either may come alone, and both in either order, with
//! a new start of the program in between. They are one purchase when room, level and person agree and
//! they lie within [`REACH_MS`]; of several the nearest. A receipt explains one estimate, whose id its row keeps
//! (`estimate_id`), so that two purchases made within seconds stay two. Where they name different people (a guard
//! that was given: the estimate names the recipient), a receipt that knows better says which estimate it explains.
//!
//! Invariant: the row of a purchase that has a receipt is the receipt's, its id and time included, whatever
//! came first. (Not the time of the first message: pages are read along ids, which hold their event's
//! time, so a row with the id of one message and the time of the other would be passed over.)
//!
//! Guards are rare; they are handled one by one, so that those of one batch see each other.

use diesel::{dsl::exists, prelude::*, sqlite::SqliteConnection};

use super::{
    purchase_rows::GuardRow,
    record::Fate,
    rows::{to_ms, to_time},
    schema::live_data_guard::{self as guard, dsl},
};
use crate::domain::{Event, EventId, Guard};

/// How far apart an estimate and a receipt may be and still tell of one purchase. The same reach as where
/// messages of one connection are brought together.
const REACH_MS: i64 = 30_000;

/// Stores what a guard event says, or sees that it is known.
pub(super) fn store_guard(writer: &mut SqliteConnection, event: &Event, body: &Guard) -> QueryResult<Fate> {
    let id = event.id.to_string();
    let is_known = guard::table.filter(dsl::event_id.eq(&id).or(dsl::estimate_id.eq(&id)));
    if diesel::select(exists(is_known)).get_result(writer)? {
        return match body.explains {
            Some(estimate) => absorb(writer, &id, estimate),
            None => Ok(Fate::Known),
        };
    }
    let row = GuardRow::new(event, body);
    let counterpart = match body.explains {
        Some(estimate) => row_of_estimate(writer, estimate)?,
        None => counterpart(writer, event, body)?,
    };
    match counterpart {
        None => {
            let explains = body.explains.map(|estimate| estimate.to_string());
            diesel::insert_into(guard::table).values((&row, dsl::estimate_id.eq(explains))).execute(writer)?;
            Ok(Fate::New)
        }
        Some(receipt) if body.estimated => {
            diesel::update(guard::table.find(receipt)).set(dsl::estimate_id.eq(id)).execute(writer)?;
            Ok(Fate::Known)
        }
        Some(estimate) => {
            let known: GuardRow = guard::table.find(estimate).select(GuardRow::as_select()).first(writer)?;
            let known = Event::from(known);
            diesel::update(guard::table.find(estimate))
                .set((&row, dsl::estimate_id.eq(known.id.to_string())))
                .execute(writer)?;
            Ok(Fate::Replaces(Box::new(known)))
        }
    }
}

/// A receipt that is stored turns out to explain this estimate, which names somebody else: its row goes.
fn absorb(writer: &mut SqliteConnection, receipt: &str, estimate: EventId) -> QueryResult<Fate> {
    let free = guard::table.filter(dsl::event_id.eq(receipt)).filter(dsl::estimate_id.is_null());
    let Some(row) = row_of_estimate(writer, estimate)? else { return Ok(Fate::Known) };
    if diesel::update(free).set(dsl::estimate_id.eq(estimate.to_string())).execute(writer)? == 0 {
        return Ok(Fate::Known);
    }
    let known: GuardRow = guard::table.find(row).select(GuardRow::as_select()).first(writer)?;
    diesel::delete(guard::table.find(row)).execute(writer)?;
    Ok(Fate::Absorbs(Box::new(Event::from(known))))
}

fn row_of_estimate(writer: &mut SqliteConnection, estimate: EventId) -> QueryResult<Option<i64>> {
    let row = guard::table.filter(dsl::event_id.eq(estimate.to_string())).filter(dsl::estimated.eq(true));
    row.select(dsl::id).first(writer).optional()
}

/// The row of the other message about the same purchase: an estimate's for a receipt, and for an estimate
/// that of a receipt which has explained none yet.
fn counterpart(writer: &mut SqliteConnection, event: &Event, body: &Guard) -> QueryResult<Option<i64>> {
    let at_ms = event.timestamp_ms;
    let mut query = guard::table
        .filter(dsl::room_id.eq(event.room_id.0 as i64))
        .filter(dsl::timestamp.ge(to_time(at_ms.saturating_sub(REACH_MS))))
        .filter(dsl::timestamp.le(to_time(at_ms.saturating_add(REACH_MS))))
        .filter(dsl::guard_level.eq(body.guard_level))
        .filter(dsl::uid.eq(event.user.uid.0 as i64))
        .filter(dsl::estimated.ne(body.estimated))
        .filter(dsl::estimate_id.is_null())
        .order(dsl::id)
        .select((dsl::id, dsl::timestamp))
        .into_boxed();
    if event.user.uid.0 == 0 {
        query = query.filter(dsl::username.eq(&event.user.username));
        query = match event.user.open_id() {
            Some(open_id) => query.filter(dsl::open_id.eq(open_id)),
            None => query,
        };
    }
    let found: Vec<(i64, chrono::NaiveDateTime)> = query.load(writer)?;
    let nearest = found.into_iter().min_by_key(|(_, time)| to_ms(*time).abs_diff(at_ms));
    Ok(nearest.map(|(id, _)| id))
}

#[cfg(test)]
#[path = "guards_tests.rs"]
mod tests;
