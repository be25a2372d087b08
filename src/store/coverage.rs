//! Which share of a time a room was received: what is known of its gaps, and since when it was watched.
//!
//! A quiet minute and one that was missed must not look alike, nor one before the room was watched: nobody knows
//! about that, and what another program's database brought says nothing about it.

use std::ops::Range;

use diesel::{dsl::exists, prelude::*, sqlite::SqliteConnection};

use super::{
    gaps::Gap,
    rows::to_ms,
    schema::{
        live_data_datamigrationlog as log, live_data_gap as gap, live_data_gauge as gauge, live_data_minute as minute,
        live_data_roomevent as room_event,
    },
    sqlite::{Database, QueryError, failed},
    tasks::IMPORT,
};
use crate::domain::RoomId;

/// When a room was received.
pub struct Received {
    known_from: Option<i64>,
    gaps: Vec<Gap>,
    now_ms: i64,
}

impl Received {
    /// In `range`, unix ms, as far as it lies before `now_ms`.
    pub fn of(database: &Database, room: RoomId, range: Range<i64>, now_ms: i64) -> Result<Received, QueryError> {
        let gaps = database.gaps(room, range.start, range.end)?;
        let known_from = watched_since(&mut *database.reader()?, room, range.start)
            .map_err(failed("find since when a room is watched"))?;
        Ok(Received { known_from, gaps, now_ms })
    }

    /// The share of `from..to` that was received, of an interval that has not ended the share so far; none where
    /// nobody knows.
    pub fn share(&self, from: i64, to: i64) -> Option<f64> {
        covered(from, to.min(self.now_ms), self.known_from, &self.gaps)
    }

    /// The same of the time since the room was watched: what was before was not missed.
    pub fn share_watched(&self, from: i64, to: i64) -> Option<f64> {
        self.share(self.known_from?.max(from), to)
    }
}

impl Database {
    /// The share of `range`, unix ms, in which these rooms were received, all together, of the time in which they
    /// were watched; none where nobody knows.
    pub fn coverage(&self, rooms: &[RoomId], range: Range<i64>, now_ms: i64) -> Result<Option<f64>, QueryError> {
        let (mut received, mut watched) = (0.0, 0.0);
        for room in rooms {
            let of_room = Received::of(self, *room, range.clone(), now_ms)?;
            let Some(from) = of_room.known_from.map(|known| known.max(range.start)) else { continue };
            let Some(share) = of_room.share(from, range.end) else { continue };
            let length = range.end.min(now_ms).saturating_sub(from) as f64;
            received += share * length;
            watched += length;
        }
        Ok((watched > 0.0).then(|| rounded(received / watched)))
    }
}

/// The first that is known of a room from watching it, unix ms, and nothing later than what stands before `from_ms`.
fn watched_since(reader: &mut SqliteConnection, room: RoomId, from_ms: i64) -> QueryResult<Option<i64>> {
    let id = room.0 as i64;
    let gaps = gap::table.filter(gap::room_id.eq(id)).order(gap::from_ms).select(gap::from_ms);
    let mut first: Option<i64> = gaps.first(reader).optional()?;
    if first.is_some_and(|first| first <= from_ms) {
        return Ok(first);
    }
    let mut also = |at_ms: Option<i64>| first = first.into_iter().chain(at_ms).min();
    let gauges = gauge::table.filter(gauge::room_id.eq(id)).order(gauge::minute_ms).select(gauge::minute_ms);
    also(gauges.first(reader).optional()?);
    let happened = room_event::table.filter(room_event::room_id.eq(id)).order(room_event::timestamp);
    also(happened.select(room_event::timestamp).first(reader).optional()?.map(to_ms));
    // Minutes stay when rows go; but those of an import are of a time in which somebody else watched.
    let imported: bool =
        diesel::select(exists(log::table.filter(log::migration_type.eq(IMPORT)))).get_result(reader)?;
    if !imported {
        let minutes = minute::table.filter(minute::room_id.eq(id)).order(minute::minute_ms).select(minute::minute_ms);
        also(minutes.first(reader).optional()?);
    }
    Ok(first)
}

/// The share of `from..to` in which the room was received; none where it was not watched yet.
fn covered(from: i64, to: i64, known_from: Option<i64>, gaps: &[Gap]) -> Option<f64> {
    let known_from = known_from?.max(from);
    if known_from >= to {
        return None;
    }
    let missed: i64 = gaps
        .iter()
        .filter(|gap| gap.is_hole())
        .map(|gap| gap.to_ms.unwrap_or(i64::MAX).min(to).saturating_sub(gap.from_ms.max(known_from)).max(0))
        .fold(0, i64::saturating_add);
    let received = to.saturating_sub(known_from).saturating_sub(missed).max(0);
    Some(rounded(received as f64 / (to - from) as f64))
}

/// To a thousandth: more is noise.
fn rounded(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        Batch, Position, StoreKind,
        fixtures::{danmaku, gift},
        gaps::GapNews,
    };

    #[test]
    fn coverage_tells_a_quiet_minute_from_a_missed_one() {
        let gap = |from_ms, to_ms| Gap { room_id: RoomId(1), from_ms, to_ms, reason: "lost".into(), attempts: 1 };
        for (name, from, to, known_from, gaps, expected) in [
            ("watched", 0, 60, Some(i64::MIN), vec![], Some(1.0)),
            ("half missed", 0, 60, Some(i64::MIN), vec![gap(30, Some(90))], Some(0.5)),
            ("a gap that lasts", 60, 120, Some(i64::MIN), vec![gap(30, None)], Some(0.0)),
            ("not watched yet", 0, 60, Some(60), vec![], None),
            ("watched from the middle", 0, 60, Some(30), vec![], Some(0.5)),
            ("never heard of", 0, 60, None, vec![], None),
            ("in the future", 60, 50, Some(i64::MIN), vec![], None),
        ] {
            assert_eq!(covered(from, to, known_from, &gaps), expected, "{name}");
        }
    }

    /// Long after everything.
    const LATER: i64 = 1_800_000_000_000;
    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_room_in_which_nobody_chats_is_watched_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("live.db")).unwrap();
        let share = |range: Range<i64>| {
            let of = Received::of(&database, RoomId(1), range.clone(), LATER + HOUR).unwrap();
            (of.share(range.start, range.end), of.share_watched(range.start, range.end))
        };
        assert_eq!(share(LATER..LATER + HOUR), (None, None), "nothing is known");
        let batch = Batch { position: Position("1-0".into()), events: vec![gift(1, 0, 100)] };
        let given_ms = batch.events[0].timestamp_ms;
        database.record(StoreKind::Redis, &[batch]).unwrap();
        assert_eq!(share(LATER..LATER + HOUR), (Some(1.0), Some(1.0)), "a gift long before");
        assert_eq!(share(given_ms - 2 * HOUR..given_ms - HOUR), (None, None), "before it");
        let minute = given_ms / 60_000 * 60_000;
        assert_eq!(share(minute - HOUR..minute + HOUR), (Some(0.5), Some(1.0)), "from then on");
        let room = RoomId(1);
        for (at_ms, ceased) in [(LATER, Some("lost".to_owned())), (LATER + HOUR / 4, None)] {
            database.note_gaps(&[GapNews { room, at_ms, ceased }]).unwrap();
        }
        assert_eq!(share(LATER..LATER + HOUR).0, Some(0.75));
        let together = |rooms: &[u64]| {
            let rooms: Vec<RoomId> = rooms.iter().copied().map(RoomId).collect();
            database.coverage(&rooms, LATER..LATER + HOUR, LATER + HOUR / 2).unwrap()
        };
        assert_eq!(together(&[1]), Some(0.5), "of what has passed");
        database
            .note_gaps(&[GapNews { room: RoomId(2), at_ms: LATER + HOUR / 4, ceased: Some("lost".into()) }])
            .unwrap();
        assert_eq!(together(&[1, 2, 3]), Some(0.333), "a room counts for the time in which it was watched");
        assert_eq!(together(&[3]), None);
    }

    #[test]
    fn a_time_that_was_imported_was_not_watched() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("live.db")).unwrap();
        let mut events = Some(vec![danmaku(1, 0, "旧")]);
        database.import(IMPORT, || Ok(events.take().unwrap_or_default())).unwrap();
        assert_eq!(database.coverage(&[RoomId(1)], LATER..LATER + HOUR, LATER + HOUR).unwrap(), None);
        database.note_gaps(&[GapNews { room: RoomId(1), at_ms: LATER, ceased: Some("connecting".into()) }]).unwrap();
        assert_eq!(database.coverage(&[RoomId(1)], LATER..LATER + HOUR, LATER + HOUR).unwrap(), Some(0.0));
    }
}
