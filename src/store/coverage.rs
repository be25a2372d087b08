//! Which share of a time a room was received: what is known of its gaps, and since when it was watched.
//!
//! A quiet minute and one that was missed must not look alike, nor one before the room was watched: nobody knows
//! about that, and what another program's database brought says nothing about it.

use std::{collections::BTreeMap, ops::Range};

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text, Timestamp},
    sqlite::SqliteConnection,
};
use serde_json::json;

use super::{
    gaps::Gap,
    rows::to_ms,
    sqlite::{Database, QueryError, failed},
    tasks::IMPORT,
};
use crate::domain::RoomId;

/// When a room was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    known_from: Option<i64>,
    gaps: Vec<Gap>,
    now_ms: i64,
}

impl Received {
    /// In `range`, unix ms, as far as it lies before `now_ms`.
    pub fn of(database: &Database, room: RoomId, range: Range<i64>, now_ms: i64) -> Result<Received, QueryError> {
        let mut all = Received::of_all(database, &BTreeMap::from([(room, range.start)]), range.end, now_ms)?;
        Ok(all.remove(&room).unwrap_or_default())
    }

    /// The same of many rooms, each from its own moment to `to_ms`, unix ms; asked once, however many they are.
    pub fn of_all(
        database: &Database,
        from_ms: &BTreeMap<RoomId, i64>,
        to_ms: i64,
        now_ms: i64,
    ) -> Result<BTreeMap<RoomId, Received>, QueryError> {
        let wanted = json!(from_ms.iter().collect::<Vec<_>>()).to_string();
        let mut reader = database.reader()?;
        let watched = watched_since(&mut reader, &wanted).map_err(failed("find since when rooms are watched"))?;
        let gaps = gaps_of(&mut reader, &wanted, to_ms).map_err(failed("list the gaps of rooms"))?;
        let received = |(room, known_from)| (room, Received { known_from, gaps: Vec::new(), now_ms });
        let mut all: BTreeMap<RoomId, Received> = watched.into_iter().map(received).collect();
        for gap in gaps {
            all.entry(gap.room_id).or_default().gaps.push(gap);
        }
        Ok(all)
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

/// The share of `range`, unix ms, in which these rooms were received, all together, of the time in which they were
/// watched; none where nobody knows.
pub fn together<'a>(rooms: impl IntoIterator<Item = &'a Received>, range: Range<i64>) -> Option<f64> {
    let (mut received, mut watched) = (0.0, 0.0);
    for room in rooms {
        let Some(from) = room.known_from.map(|known| known.max(range.start)) else { continue };
        let Some(share) = room.share(from, range.end) else { continue };
        let length = range.end.min(room.now_ms).saturating_sub(from) as f64;
        received += share * length;
        watched += length;
    }
    (watched > 0.0).then(|| rounded(received / watched))
}

impl Database {
    /// As [`together`], of these rooms.
    pub fn coverage(&self, rooms: &[RoomId], range: Range<i64>, now_ms: i64) -> Result<Option<f64>, QueryError> {
        let from = rooms.iter().map(|room| (*room, range.start)).collect();
        let received = Received::of_all(self, &from, range.end, now_ms)?;
        Ok(together(received.values(), range))
    }
}

#[derive(QueryableByName)]
struct Firsts {
    #[diesel(sql_type = BigInt)]
    room_id: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    gap: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    gauge: Option<i64>,
    #[diesel(sql_type = Nullable<Timestamp>)]
    happened: Option<chrono::NaiveDateTime>,
    #[diesel(sql_type = Nullable<BigInt>)]
    minute: Option<i64>,
}

/// The first that is known of each room from watching it, unix ms. `wanted`: a JSON list of pairs, a room first.
fn watched_since(reader: &mut SqliteConnection, wanted: &str) -> QueryResult<Vec<(RoomId, Option<i64>)>> {
    // Minutes stay when rows go; but those of an import are of a time in which somebody else watched. Its name is
    // spelled out: only so it is the condition of an index.
    let rows: Vec<Firsts> = sql_query(format!(
        "SELECT room_id,
                (SELECT min(from_ms) FROM live_data_gap AS gap WHERE gap.room_id = wanted.room_id) AS gap,
                (SELECT min(minute_ms) FROM live_data_gauge AS gauge WHERE gauge.room_id = wanted.room_id) AS gauge,
                (SELECT min(timestamp) FROM live_data_roomevent AS event WHERE event.room_id = wanted.room_id)
                    AS happened,
                iif(EXISTS (SELECT 1 FROM live_data_datamigrationlog WHERE migration_type = '{IMPORT}'), NULL,
                    (SELECT min(minute_ms) FROM live_data_minute AS minute WHERE minute.room_id = wanted.room_id))
                    AS minute
         FROM (SELECT value ->> 0 AS room_id FROM json_each(?1)) AS wanted",
    ))
    .bind::<Text, _>(wanted)
    .load(reader)?;
    let first = |row: Firsts| {
        let known = [row.gap, row.gauge, row.happened.map(to_ms), row.minute];
        (RoomId(row.room_id as u64), known.into_iter().flatten().min())
    };
    Ok(rows.into_iter().map(first).collect())
}

#[derive(QueryableByName)]
struct GapRow {
    #[diesel(sql_type = BigInt)]
    room_id: i64,
    #[diesel(sql_type = BigInt)]
    from_ms: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    to_ms: Option<i64>,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = BigInt)]
    attempts: i64,
}

/// The gaps of rooms that touch the time before `to_ms`; `wanted`: a JSON list of pairs, a room and since when.
fn gaps_of(reader: &mut SqliteConnection, wanted: &str, to_ms: i64) -> QueryResult<Vec<Gap>> {
    let rows: Vec<GapRow> = sql_query(
        "SELECT gap.room_id, gap.from_ms, gap.to_ms, gap.reason, gap.attempts
         FROM json_each(?1) AS wanted CROSS JOIN live_data_gap AS gap ON gap.room_id = wanted.value ->> 0
         WHERE gap.from_ms < ?2 AND (gap.to_ms IS NULL OR gap.to_ms > wanted.value ->> 1)",
    )
    .bind::<Text, _>(wanted)
    .bind::<BigInt, _>(to_ms)
    .load(reader)?;
    let gap = |row: GapRow| Gap {
        room_id: RoomId(row.room_id as u64),
        from_ms: row.from_ms,
        to_ms: row.to_ms,
        reason: row.reason,
        attempts: row.attempts,
    };
    Ok(rows.into_iter().map(gap).collect())
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
