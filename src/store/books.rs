//! The books of all time: what rooms took in, and what of it was dropped, beside what reached the history.
//!
//! Counts are added as the program runs, at most a second late. A killed program may therefore have booked
//! events that were lost with it, or lost the booking of events that are safe. [`Database::open_books`]
//! settles that at the next start, when nothing moves: what was booked and is neither stored nor on the way
//! was lost, and is called so ([`LOST`]); what is stored or on the way and was not booked is booked now.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{prelude::*, upsert::excluded};

use super::{
    Position, StoreKind,
    outcome::{Outcome, outcomes},
    schema::{blm_cursor, blm_drop, blm_intake},
    sqlite::{Database, QueryError, failed},
};
use crate::domain::RoomId;

/// The reason under which events are dropped that a program had received and that ended with it.
pub const LOST: &str = "program_ended";

/// What a room took in, and what became of it on the way to the live store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// Taken from the upstream.
    pub received: u64,
    /// Known already to the room itself.
    pub repeated: u64,
    /// Frames or messages that could not be read.
    pub unreadable: u64,
    /// Chat lines of another room.
    pub mirrored: u64,
    /// Given up, by reason.
    pub dropped: BTreeMap<String, u64>,
}

impl Intake {
    /// Adds what came later.
    pub fn add(&mut self, later: Intake) {
        self.received += later.received;
        self.repeated += later.repeated;
        self.unreadable += later.unreadable;
        self.mirrored += later.mirrored;
        for (reason, n) in later.dropped {
            *self.dropped.entry(reason).or_default() += n;
        }
    }
}

/// A room's books of all time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Up to the live store.
    pub intake: Intake,
    /// In the history.
    pub outcome: Outcome,
}

impl Books {
    /// Makes them true when `left` events are on the way; what was put right, to be written down.
    fn settle(&mut self, left: u64) -> Intake {
        let Intake { received, repeated, dropped, .. } = &self.intake;
        let explained = repeated + dropped.values().sum::<u64>() + self.outcome.received() + left;
        let mut correction = Intake::default();
        if explained > *received {
            correction.received = explained - received;
        } else if *received > explained {
            correction.dropped.insert(LOST.to_owned(), received - explained);
        }
        self.intake.add(correction.clone());
        correction
    }
}

/// Rows in one statement, which is prepared anew each time: one for many rooms costs little more than for one.
const ROWS_A_STATEMENT: usize = 500;

fn add(writer: &mut SqliteConnection, rooms: &BTreeMap<RoomId, Intake>) -> QueryResult<()> {
    let row = |(room, intake): (&RoomId, &Intake)| {
        (
            blm_intake::room_id.eq(room.0 as i64),
            blm_intake::received.eq(intake.received as i64),
            blm_intake::repeated.eq(intake.repeated as i64),
            blm_intake::unreadable.eq(intake.unreadable as i64),
            blm_intake::mirrored.eq(intake.mirrored as i64),
        )
    };
    for rows in rooms.iter().map(row).collect::<Vec<_>>().chunks(ROWS_A_STATEMENT) {
        diesel::insert_into(blm_intake::table)
            .values(rows)
            .on_conflict(blm_intake::room_id)
            .do_update()
            .set((
                blm_intake::received.eq(blm_intake::received + excluded(blm_intake::received)),
                blm_intake::repeated.eq(blm_intake::repeated + excluded(blm_intake::repeated)),
                blm_intake::unreadable.eq(blm_intake::unreadable + excluded(blm_intake::unreadable)),
                blm_intake::mirrored.eq(blm_intake::mirrored + excluded(blm_intake::mirrored)),
            ))
            .execute(writer)?;
    }
    let drops = rooms.iter().flat_map(|(room, intake)| intake.dropped.iter().map(move |(reason, n)| (room, reason, n)));
    for (room, reason, n) in drops {
        diesel::insert_into(blm_drop::table)
            .values((blm_drop::room_id.eq(room.0 as i64), blm_drop::reason.eq(reason), blm_drop::n.eq(*n as i64)))
            .on_conflict((blm_drop::room_id, blm_drop::reason))
            .do_update()
            .set(blm_drop::n.eq(blm_drop::n + excluded(blm_drop::n)))
            .execute(writer)?;
    }
    Ok(())
}

impl Database {
    /// Adds what rooms took in since the last call.
    pub fn add_intake(&self, rooms: &BTreeMap<RoomId, Intake>) -> Result<(), QueryError> {
        let mut writer = self.writer()?;
        writer.immediate_transaction(|writer| add(writer, rooms)).map_err(failed("write down what rooms took in"))
    }

    /// The books of all rooms, settled: to be called at a start, when nothing is received yet and `left` events of
    /// each room stand behind `position` of the live store. None when another process has moved on from there
    /// meanwhile, and nothing has been settled.
    pub fn open_books(
        &self,
        store: StoreKind,
        position: Option<&Position>,
        left: &BTreeMap<RoomId, u64>,
    ) -> Result<Option<BTreeMap<RoomId, Books>>, QueryError> {
        let mut all: BTreeMap<RoomId, Books> = BTreeMap::new();
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                let found = blm_cursor::table.find(store.as_str()).select(blm_cursor::position);
                let found: Option<String> = found.first(writer).optional()?;
                if found.as_ref() != position.map(|position| &position.0) {
                    return Ok(None);
                }
                let intakes: Vec<(i64, i64, i64, i64, i64)> = blm_intake::table.load(writer)?;
                for (room, received, repeated, unreadable, mirrored) in intakes {
                    let intake = &mut all.entry(RoomId(room as u64)).or_default().intake;
                    (intake.received, intake.repeated) = (received as u64, repeated as u64);
                    (intake.unreadable, intake.mirrored) = (unreadable as u64, mirrored as u64);
                }
                for (room, reason, n) in blm_drop::table.load::<(i64, String, i64)>(writer)? {
                    all.entry(RoomId(room as u64)).or_default().intake.dropped.insert(reason, n as u64);
                }
                for (room, outcome) in outcomes(writer)? {
                    all.entry(room).or_default().outcome = outcome;
                }
                let rooms: BTreeSet<RoomId> = all.keys().chain(left.keys()).copied().collect();
                let mut corrections = BTreeMap::new();
                for room in rooms {
                    let left = left.get(&room).copied().unwrap_or(0);
                    let correction = all.entry(room).or_default().settle(left);
                    if correction != Intake::default() {
                        corrections.insert(room, correction);
                    }
                }
                add(writer, &corrections)?;
                Ok(Some(all))
            })
            .map_err(failed("open the books"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        StoreKind,
        fixtures::{batch, danmaku},
    };

    fn intake(received: u64, repeated: u64, lane_full: u64) -> Intake {
        let dropped = BTreeMap::from([("lane_full".to_owned(), lane_full)]);
        Intake { received, repeated, unreadable: 3, mirrored: 4, dropped }
    }

    #[test]
    fn what_a_killed_program_took_with_it_is_called_lost_and_what_it_did_not_book_is_booked() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("live.db")).unwrap();
        let room = RoomId(1);
        let events = vec![danmaku(1, 0, "a"), danmaku(1, 1, "b"), danmaku(1, 2, "c")];
        database.record(StoreKind::Embedded, &[batch("1", events)]).unwrap();
        // Older than the books: three stored, none booked.
        let at = Position("1".into());
        let open = |left| database.open_books(StoreKind::Embedded, Some(&at), &left).unwrap();
        assert_eq!(database.open_books(StoreKind::Embedded, None, &BTreeMap::new()).unwrap(), None, "it moved");
        let books = open(BTreeMap::new()).unwrap();
        assert_eq!(books[&room].intake, Intake { received: 3, ..Intake::default() });
        // Ten more received, one of them repeated, two dropped, five on the way: two went with the program.
        database.add_intake(&BTreeMap::from([(room, intake(10, 1, 2))])).unwrap();
        let books = open(BTreeMap::from([(room, 5)])).unwrap();
        assert_eq!(books[&room].intake.dropped, BTreeMap::from([("lane_full".to_owned(), 2), (LOST.to_owned(), 2)]));
        assert_eq!(books[&room].intake.received, 13);
        assert_eq!((books[&room].intake.unreadable, books[&room].intake.mirrored), (3, 4));
        // Six are on the way: one was not booked yet.
        let books = open(BTreeMap::from([(room, 6)])).unwrap();
        assert_eq!(books[&room].intake.received, 14);
        assert_eq!(open(BTreeMap::from([(room, 6)])), Some(books), "settled is settled");
    }
}
