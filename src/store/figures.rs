//! What charts ask of the history beyond a trend: people by the minute, the hours of a week, rooms compared.
//!
//! Each answer is short and made of many rows, so SQLite adds them up. Amounts that leave what an integer
//! holds stop at its end.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text, Timestamp},
};
use serde::Serialize;

use super::{
    purchase_rows::GiftRow,
    rows::to_time,
    schema::live_data_giftdata,
    sqlite::{Database, QueryError, failed},
};
use crate::domain::{Event, Gold, RoomId};

/// A number at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct Figure {
    /// First ms of its step.
    #[diesel(sql_type = BigInt)]
    pub at_ms: i64,
    /// The number.
    #[diesel(sql_type = BigInt)]
    pub n: i64,
}

/// Minute and person of everything in room `?1` that is interaction, from `?2` on and before `?3`.
pub(super) const DONE_BY: &str = "
    SELECT substr(timestamp, 1, 16), iif(uid <> 0, uid, coalesce('#' || user_hash, open_id))
    FROM live_data_danmakudata
    WHERE room_id = ?1 AND timestamp >= ?2 AND timestamp < ?3 AND NOT lottery
    UNION ALL SELECT substr(timestamp, 1, 16), iif(uid <> 0, uid, open_id)
    FROM live_data_giftdata WHERE room_id = ?1 AND timestamp >= ?2 AND timestamp < ?3
    UNION ALL SELECT substr(timestamp, 1, 16), iif(uid <> 0, uid, open_id)
    FROM live_data_superchat WHERE room_id = ?1 AND timestamp >= ?2 AND timestamp < ?3
    UNION ALL SELECT substr(timestamp, 1, 16), iif(uid <> 0, uid, open_id)
    FROM live_data_guard WHERE room_id = ?1 AND timestamp >= ?2 AND timestamp < ?3";

/// What a room had in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RankedRoom {
    /// The room.
    pub room_id: RoomId,
    /// Chat lines, raffle phrases included.
    pub danmaku: i64,
    /// What viewers paid: gifts to its streamer, super chats, guards.
    pub total_gold: Gold,
}

#[derive(QueryableByName)]
struct RankedRow {
    #[diesel(sql_type = BigInt)]
    room_id: i64,
    #[diesel(sql_type = BigInt)]
    danmaku: i64,
    #[diesel(sql_type = BigInt)]
    gold: i64,
}

impl Database {
    /// How many people interacted in each minute of `from_ms..to_ms`, oldest first; minutes without anybody are
    /// left out. Who chatted (raffle phrases do not count), gave a gift, sent a super chat or bought a guard, each
    /// once a minute; masked users by what stands for them, as in the totals. Somebody masked in a chat line and
    /// known in a gift of the same minute is two.
    pub fn interaction(&self, room: RoomId, from_ms: i64, to_ms: i64) -> Result<Vec<Figure>, QueryError> {
        sql_query(format!(
            "WITH done (minute, who) AS ({DONE_BY})
                 SELECT unixepoch(minute || ':00') * 1000 AS at_ms, count(DISTINCT who) AS n
                 FROM done GROUP BY minute ORDER BY minute"
        ))
        .bind::<BigInt, _>(room.0 as i64)
        .bind::<Timestamp, _>(to_time(from_ms))
        .bind::<Timestamp, _>(to_time(to_ms))
        .load(&mut self.reader()?)
        .map_err(failed("count people by the minute"))
    }

    /// The newest `limit` chat lines of `from_ms..to_ms`, raffle phrases left out.
    pub fn newest_lines(&self, room: RoomId, from_ms: i64, to_ms: i64, limit: i64) -> Result<Vec<String>, QueryError> {
        use super::schema::live_data_danmakudata as danmaku;
        danmaku::table
            .filter(danmaku::room_id.eq(room.0 as i64))
            .filter(danmaku::timestamp.ge(to_time(from_ms)))
            .filter(danmaku::timestamp.lt(to_time(to_ms)))
            .filter(danmaku::lottery.eq(false))
            .order(danmaku::timestamp.desc())
            .limit(limit)
            .select(danmaku::message)
            .load(&mut self.reader()?)
            .map_err(failed("read the newest lines"))
    }

    /// Chat lines of each hour of `from_ms..to_ms`, oldest first; hours without any are left out.
    pub fn danmaku_by_hour(&self, room: RoomId, from_ms: i64, to_ms: i64) -> Result<Vec<Figure>, QueryError> {
        sql_query(
            "SELECT minute_ms / 3600000 * 3600000 AS at_ms, sum(danmaku) AS n FROM live_data_minute
             WHERE room_id = ? AND minute_ms >= ? AND minute_ms < ? GROUP BY 1 ORDER BY 1",
        )
        .bind::<BigInt, _>(room.0 as i64)
        .bind::<BigInt, _>(from_ms)
        .bind::<BigInt, _>(to_ms)
        .load(&mut self.reader()?)
        .map_err(failed("add up chat by the hour"))
    }

    /// Every room with anything in `from_ms..to_ms`, the one with most chat first.
    pub fn ranking(&self, from_ms: i64, to_ms: i64) -> Result<Vec<RankedRoom>, QueryError> {
        // Room by room along the table's own order; through all minutes of all time it would take seconds.
        let rows: Vec<RankedRow> = sql_query(
            "SELECT room.room_id, sum(danmaku) AS danmaku,
                    CAST(total(gift_gold) + total(super_chat_gold) + total(guard_gold) AS INTEGER) AS gold
             FROM live_data_liveroom AS room CROSS JOIN live_data_minute AS minute ON minute.room_id = room.room_id
             WHERE minute_ms >= ? AND minute_ms < ?
             GROUP BY room.room_id ORDER BY danmaku DESC, room.room_id",
        )
        .bind::<BigInt, _>(from_ms)
        .bind::<BigInt, _>(to_ms)
        .load(&mut self.reader()?)
        .map_err(failed("compare rooms"))?;
        let ranked = |row: RankedRow| RankedRoom {
            room_id: RoomId(row.room_id as u64),
            danmaku: row.danmaku,
            total_gold: Gold(row.gold),
        };
        Ok(rows.into_iter().map(ranked).collect())
    }
}

/// What came of the blind boxes of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, QueryableByName)]
pub struct BlindBoxes {
    /// The box, as viewers buy it.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// How many of it were bought whose price is known.
    #[diesel(sql_type = BigInt)]
    pub boxes: i64,
    /// How many have no known price; they are in no other figure.
    #[diesel(sql_type = BigInt)]
    pub unpriced: i64,
    /// What was paid for them, gold.
    #[diesel(sql_type = BigInt)]
    pub paid_gold: i64,
    /// What came out of them is worth, gold.
    #[diesel(sql_type = BigInt)]
    pub value_gold: i64,
    /// Value less price, gold: what the viewers gained.
    #[diesel(sql_type = BigInt)]
    pub result_gold: i64,
}

impl Database {
    /// A room's blind boxes since `from_ms`, by the box bought, the one that most was paid for first.
    pub fn blind_boxes(&self, room: RoomId, from_ms: i64) -> Result<Vec<BlindBoxes>, QueryError> {
        sql_query(
            "WITH bought AS (
               SELECT blind_box_name AS name, coalesce(num, 1) AS num, paid_gold, value_gold,
                      coalesce(blind_box_price_gold, 0) > 0 AS priced
               FROM live_data_giftdata
               WHERE room_id = ? AND timestamp >= ? AND blind_box_name IS NOT NULL AND NOT to_other
             ), summed AS (
               SELECT name, CAST(total(iif(priced, num, 0)) AS INTEGER) AS boxes,
                      CAST(total(iif(priced, 0, num)) AS INTEGER) AS unpriced,
                      CAST(total(iif(priced, paid_gold, 0)) AS INTEGER) AS paid_gold,
                      CAST(total(iif(priced, value_gold, 0)) AS INTEGER) AS value_gold
               FROM bought GROUP BY name
             )
             SELECT *, CAST(value_gold - paid_gold AS INTEGER) AS result_gold FROM summed ORDER BY paid_gold DESC, name",
        )
        .bind::<BigInt, _>(room.0 as i64)
        .bind::<Timestamp, _>(to_time(from_ms))
        .load(&mut self.reader()?)
        .map_err(failed("add up blind boxes"))
    }

    /// Gifts of at least `least` since `from_ms`, to the room's streamer, newest first.
    pub fn big_gifts(&self, room: RoomId, from_ms: i64, least: Gold, limit: i64) -> Result<Vec<Event>, QueryError> {
        use live_data_giftdata as gift;
        let rows: Vec<GiftRow> = gift::table
            .filter(gift::room_id.eq(room.0 as i64))
            .filter(gift::timestamp.ge(to_time(from_ms)))
            .filter(gift::paid_gold.ge(least.0))
            .filter(gift::to_other.eq(false))
            .order((gift::timestamp.desc(), gift::event_id.desc()))
            .limit(limit)
            .select(GiftRow::as_select())
            .load(&mut self.reader()?)
            .map_err(failed("list big gifts"))?;
        Ok(rows.into_iter().map(Event::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BlindBox, Body};
    use crate::store::{
        StoreKind,
        fixtures::{T0, batch, by, danmaku, gift, guard, open, super_chat},
    };

    const MINUTE: i64 = 60_000;
    /// The minute in which T0 lies.
    const FIRST: i64 = T0 - 20_000;

    fn stored() -> (tempfile::TempDir, Database) {
        let (folder, database) = open();
        let later = |n: i64| 2 * MINUTE + n;
        let events = vec![
            by(danmaku(1, 1, "一"), 7),
            by(danmaku(1, 2, "二"), 7),
            by(danmaku(1, 3, "抽奖"), 8),
            by(gift(1, 4, 500), 9),
            by(super_chat(1, later(1), 1, 30_000), 7),
            by(guard(1, later(2), 138_000), 7),
            by(danmaku(2, 5, "别处"), 7),
        ];
        database.record(StoreKind::Embedded, &[batch("1", events)]).expect("stored");
        (folder, database)
    }

    #[test]
    fn somebody_who_interacts_twice_in_a_minute_is_one_and_a_raffle_phrase_is_nobody() {
        let (_folder, database) = stored();
        let figures = database.interaction(RoomId(1), FIRST, FIRST + 10 * MINUTE).expect("counted");
        assert_eq!(figures, [Figure { at_ms: FIRST, n: 2 }, Figure { at_ms: FIRST + 2 * MINUTE, n: 1 }]);
        assert_eq!(database.interaction(RoomId(1), FIRST + MINUTE, FIRST + 2 * MINUTE).expect("counted"), []);
    }

    #[test]
    fn the_newest_lines_are_chat_and_no_raffle_phrases() {
        let (_folder, database) = stored();
        let lines = |from, limit| database.newest_lines(RoomId(1), from, FIRST + MINUTE, limit).expect("read");
        assert_eq!(
            (lines(FIRST, 9), lines(T0 + 2, 9)),
            (vec!["二".to_owned(), "一".to_owned()], vec!["二".to_owned()])
        );
        assert_eq!(lines(FIRST, 1), ["二"]);
    }

    #[test]
    fn rooms_are_compared_by_chat_with_all_that_was_paid() {
        let (_folder, database) = stored();
        let ranking = database.ranking(FIRST, FIRST + 10 * MINUTE).expect("compared");
        let seen: Vec<_> = ranking.iter().map(|room| (room.room_id.0, room.danmaku, room.total_gold.0)).collect();
        assert_eq!(seen, [(1, 3, 168_500), (2, 1, 0)]);
        assert_eq!(database.ranking(FIRST + 10 * MINUTE, FIRST + 20 * MINUTE).expect("compared"), []);
    }

    #[test]
    fn blind_boxes_are_added_up_by_the_box_and_those_without_a_price_stand_apart() {
        let (_folder, database) = open();
        let boxed = |n: i64, paid: i64, value: i64, price: i64| {
            let mut event = gift(1, n, paid);
            if let Body::Gift(gift) = &mut event.body {
                gift.value = Gold(value);
                gift.blind_box = Some(BlindBox { name: "心动盲盒".into(), price: Gold(price) });
            }
            event
        };
        let events = vec![boxed(1, 30_000, 52_000, 15_000), boxed(2, 30_000, 2_000, 15_000), boxed(3, 0, 9_000, 0)];
        database.record(StoreKind::Embedded, &[batch("1", events)]).expect("stored");
        let seen = database.blind_boxes(RoomId(1), FIRST).expect("added up");
        let wanted = BlindBoxes {
            name: "心动盲盒".into(),
            boxes: 4,
            unpriced: 2,
            paid_gold: 60_000,
            value_gold: 54_000,
            result_gold: -6_000,
        };
        assert_eq!(seen, [wanted]);
        let big = database.big_gifts(RoomId(1), FIRST, Gold(30_000), 10).expect("listed");
        assert_eq!(big.iter().map(|gift| gift.timestamp_ms - T0).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn chat_is_added_up_by_the_hour() {
        let (_folder, database) = stored();
        let hour = T0 / 3_600_000 * 3_600_000;
        let figures = database.danmaku_by_hour(RoomId(1), hour, hour + 3_600_000).expect("added up");
        assert_eq!(figures, [Figure { at_ms: hour, n: 3 }]);
    }
}
