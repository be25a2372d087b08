//! What a dashboard asks of a room beside its totals: what was paid before a moment, and how many people
//! interacted since one.
//!
//! What was paid *since* a moment is the totals of the wall, which are pushed, less what was paid before it; so a
//! page goes on counting without asking again. Minutes are the finest that is known of money here.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Timestamp},
};
use serde::Serialize;

use super::{
    figures::DONE_BY,
    number::Number,
    rows::{minute_of, to_time},
    sqlite::{Database, QueryError, failed},
};
use crate::domain::{Gold, RoomId};

/// What viewers paid to a room's streamer, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// For gifts.
    pub gift_gold: Gold,
    /// For super chats.
    pub super_chat_gold: Gold,
    /// For guards.
    pub guard_gold: Gold,
}

impl Spent {
    /// All three.
    pub fn total(&self) -> Gold {
        self.gift_gold + self.super_chat_gold + self.guard_gold
    }
}

#[derive(QueryableByName)]
struct SpentRow {
    #[diesel(sql_type = BigInt)]
    gift_gold: i64,
    #[diesel(sql_type = BigInt)]
    super_chat_gold: i64,
    #[diesel(sql_type = BigInt)]
    guard_gold: i64,
}

impl Database {
    /// What had been paid in a room before the minute of `from_ms` began: its totals less the minutes since, read
    /// as of one moment.
    pub fn spent_before(&self, room: RoomId, from_ms: i64) -> Result<Spent, QueryError> {
        let rows: Vec<SpentRow> = sql_query(
            "SELECT room.gift_gold - CAST(total(minute.gift_gold) AS INTEGER) AS gift_gold,
                    room.super_chat_gold - CAST(total(minute.super_chat_gold) AS INTEGER) AS super_chat_gold,
                    room.guard_gold - CAST(total(minute.guard_gold) AS INTEGER) AS guard_gold
             FROM blm_roomtotal AS room
             LEFT JOIN live_data_minute AS minute ON minute.room_id = room.room_id AND minute_ms >= ?
             WHERE room.room_id = ? GROUP BY room.room_id",
        )
        .bind::<BigInt, _>(minute_of(from_ms))
        .bind::<BigInt, _>(room.0 as i64)
        .load(&mut self.reader()?)
        .map_err(failed("add up what was paid before"))?;
        let spent = |row: &SpentRow| Spent {
            gift_gold: Gold(row.gift_gold),
            super_chat_gold: Gold(row.super_chat_gold),
            guard_gold: Gold(row.guard_gold),
        };
        Ok(rows.first().map(spent).unwrap_or_default())
    }

    /// How many different people interacted in `from_ms..to_ms`, as [`Database::interaction`] counts them.
    pub fn people_between(&self, room: RoomId, from_ms: i64, to_ms: i64) -> Result<i64, QueryError> {
        let count: Number =
            sql_query(format!("WITH done (minute, who) AS ({DONE_BY}) SELECT count(DISTINCT who) AS n FROM done"))
                .bind::<BigInt, _>(room.0 as i64)
                .bind::<Timestamp, _>(to_time(from_ms))
                .bind::<Timestamp, _>(to_time(to_ms))
                .get_result(&mut self.reader()?)
                .map_err(failed("count people"))?;
        Ok(count.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        StoreKind,
        fixtures::{batch, by, danmaku, gift, guard, open, super_chat},
    };

    #[test]
    fn what_was_paid_before_a_minute_and_what_was_paid_since_are_the_totals() {
        let (_folder, database) = open();
        let mut events = vec![gift(1, 0, 100), super_chat(1, 1, 7, 30_000), guard(1, 2, 198_000)];
        let first_ms = events[0].timestamp_ms;
        let mut late = gift(1, 3, 5);
        late.timestamp_ms = first_ms + 10 * 60_000;
        let late_ms = late.timestamp_ms;
        events.push(late);
        database.record(StoreKind::Redis, &[batch("1-0", events)]).unwrap();
        let before = |ms| database.spent_before(RoomId(1), ms).unwrap();
        assert_eq!(before(first_ms), Spent::default(), "everything came since");
        let early = Spent { gift_gold: Gold(100), super_chat_gold: Gold(30_000), guard_gold: Gold(198_000) };
        assert_eq!(before(late_ms), early);
        assert_eq!(before(late_ms + 60_000).total(), Gold(228_105), "nothing since");
        assert_eq!(database.spent_before(RoomId(2), 0).unwrap(), Spent::default(), "an unknown room");
    }

    #[test]
    fn somebody_who_chats_and_gives_within_the_time_is_one() {
        let (_folder, database) = open();
        let events =
            vec![by(danmaku(1, 0, "a"), 5), by(danmaku(1, 1, "b"), 5), by(gift(1, 2, 1), 5), by(danmaku(1, 3, "c"), 6)];
        let from_ms = events[0].timestamp_ms;
        database.record(StoreKind::Redis, &[batch("1-0", events)]).unwrap();
        let people = |room, from, to| database.people_between(RoomId(room), from, to).unwrap();
        assert_eq!(people(1, from_ms, from_ms + 600_000), 2);
        assert_eq!((people(2, from_ms, from_ms + 600_000), people(1, from_ms + 600_000, from_ms + 700_000)), (0, 0));
    }
}
