//! What a list of broadcasts asks of the history: when they began and ended, and who came to them when.

use diesel::{
    dsl::sql,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Bool, Timestamp},
};

use super::{
    figures::{DONE_BY, Figure},
    rows::{RoomEventRow, to_time},
    schema::live_data_roomevent as room_event,
    sqlite::{Database, QueryError, failed},
};
use crate::domain::{Event, RoomId};

impl Database {
    /// What was said of the begins and ends of a room's broadcasts since `from_ms`, oldest first: the newest `limit`.
    pub fn begins_and_ends(&self, room: RoomId, from_ms: i64, limit: i64) -> Result<Vec<Event>, QueryError> {
        let rows: Vec<RoomEventRow> = room_event::table
            .filter(room_event::room_id.eq(room.0 as i64))
            .filter(room_event::timestamp.ge(to_time(from_ms)))
            .filter(sql::<Bool>("kind IN ('live', 'preparing', 'cut_off')"))
            .order((room_event::timestamp.desc(), room_event::id.desc()))
            .limit(limit)
            .select(RoomEventRow::as_select())
            .load(&mut self.reader()?)
            .map_err(failed("list begins and ends"))?;
        Ok(rows.into_iter().rev().map(Event::from).collect())
    }

    /// How many people interacted in `from_ms..to_ms` for the first time in that stretch, by the minute, oldest first;
    /// counted as [`Database::interaction`] counts them. Added up, they are the people up to any minute. Reads every
    /// row of the stretch: 1 to 3 µs each.
    pub fn newcomers(&self, room: RoomId, from_ms: i64, to_ms: i64) -> Result<Vec<Figure>, QueryError> {
        sql_query(format!(
            "WITH done (minute, who) AS ({DONE_BY}),
                  came (minute) AS (SELECT min(minute) FROM done WHERE who IS NOT NULL GROUP BY who)
             SELECT unixepoch(minute || ':00') * 1000 AS at_ms, count(*) AS n FROM came GROUP BY minute ORDER BY minute"
        ))
        .bind::<BigInt, _>(room.0 as i64)
        .bind::<Timestamp, _>(to_time(from_ms))
        .bind::<Timestamp, _>(to_time(to_ms))
        .load(&mut self.reader()?)
        .map_err(failed("count who came to a broadcast"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Body, RoomNotice},
        store::{
            StoreKind,
            fixtures::{T0, batch, by, danmaku, event, gift, notice, open},
        },
    };

    #[test]
    fn everybody_comes_once_and_in_the_minute_of_the_first_thing_they_did() {
        let (_folder, database) = open();
        let later = |n: i64| 60_000 + n;
        let events = vec![
            by(danmaku(1, 1, "一"), 7),
            by(gift(1, 2, 500), 7),
            by(danmaku(1, later(1), "二"), 7),
            by(danmaku(1, later(2), "三"), 8),
            by(danmaku(1, later(3), "抽奖"), 9),
            by(danmaku(1, later(4), "四"), 0),
            by(danmaku(2, later(5), "别处"), 10),
        ];
        database.record(StoreKind::Embedded, &[batch("1", events)]).expect("stored");
        let first = T0 - 20_000;
        let came = database.newcomers(RoomId(1), first, first + 600_000).expect("counted");
        assert_eq!(came, [Figure { at_ms: first, n: 1 }, Figure { at_ms: first + 60_000, n: 1 }]);
    }

    #[test]
    fn begins_and_ends_are_found_among_all_that_happened() {
        let (_folder, database) = open();
        let said = |n, body: fn(RoomNotice) -> Body| event(1, n, body(RoomNotice::default()));
        let events = vec![
            said(1, Body::Live),
            notice(1, 2, "新标题"),
            said(3, Body::Preparing),
            said(4, Body::Live),
            event(2, 5, Body::Live(RoomNotice::default())),
        ];
        database.record(StoreKind::Embedded, &[batch("1", events)]).expect("stored");
        let at = |from_ms, limit| {
            let found = database.begins_and_ends(RoomId(1), from_ms, limit).expect("listed");
            found.iter().map(|event| event.timestamp_ms - T0).collect::<Vec<_>>()
        };
        assert_eq!((at(0, 9), at(0, 2), at(T0 + 4, 9)), (vec![1, 3, 4], vec![3, 4], vec![4]));
    }
}
