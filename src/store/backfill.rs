//! Whether a chat line that was fetched after a gap is on record already.
//!
//! Its id does not say: that of a line in the stream is of the millisecond, the room's list knows only the
//! second (`protocol::api`). So a fetched line is looked for by what it is: second, user and text.
//!
//! Invariant: asked in the order in which events are recorded, so what came through the stream before the gap
//! is found, whichever run or program wrote it. The other order, a line that comes in the stream after it was
//! fetched, is known by the room's memory (`actors::past`).

use diesel::{prelude::*, sqlite::SqliteConnection};

use super::{rows::to_time, schema::live_data_danmakudata as danmaku};
use crate::domain::{Body, Event, Source};

/// Whether `event` is a fetched chat line that is on record.
pub(super) fn is_on_record(writer: &mut SqliteConnection, event: &Event) -> QueryResult<bool> {
    let Body::Danmaku(line) = &event.body else { return Ok(false) };
    if event.source != Source::Backfill {
        return Ok(false);
    }
    let second = second_of(event);
    let same_user = |uid: u64| uid == event.user.uid.0 || uid == 0 || event.user.masked;
    let uids: Vec<i64> = danmaku::table
        .filter(danmaku::room_id.eq(event.room_id.0 as i64))
        .filter(danmaku::timestamp.ge(to_time(second * 1000)))
        .filter(danmaku::timestamp.lt(to_time((second + 1) * 1000)))
        .filter(danmaku::message.eq(&line.message))
        .select(danmaku::uid)
        .load(writer)?;
    Ok(uids.into_iter().any(|uid| same_user(uid as u64)))
}

fn second_of(event: &Event) -> i64 {
    event.timestamp_ms.div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::super::{
        StoreKind,
        fixtures::{T0, assert_sums_equal_rows, batch, by, danmaku, open},
        outcome::Outcome,
    };
    use super::*;
    use crate::domain::EventId;

    fn fetched(mut line: Event) -> Event {
        line.timestamp_ms = second_of(&line) * 1000;
        line.id = EventId::of(line.timestamp_ms, &["fetched", &line.id.to_string()]);
        Event { source: Source::Backfill, ..line }
    }

    #[test]
    fn a_fetched_line_is_stored_only_if_it_did_not_come_in_the_stream() {
        let (_folder, database) = open();
        let lines: Vec<Event> = (0..4).map(|n| by(danmaku(1, n * 700, &format!("第{n}句")), 5 + n as u64)).collect();
        let first = batch("1-0", lines[..2].to_vec());
        let second = batch("2-0", vec![fetched(lines[0].clone()), lines[2].clone(), fetched(lines[2].clone())]);
        let third = batch("3-0", vec![fetched(lines[1].clone()), fetched(lines[3].clone()), fetched(lines[3].clone())]);
        database.record(StoreKind::Redis, &[first]).expect("recorded");
        let recorded = database.record(StoreKind::Redis, &[second, third]).expect("recorded");
        assert_eq!(recorded.outcome(), Outcome { stored: 2, duplicate: 4, dead_letter: 0 });
        let other = by(danmaku(1, 10, "第0句"), 99);
        let elsewhere = Event { room_id: crate::domain::RoomId(2), ..fetched(lines[0].clone()) };
        let later = Event { timestamp_ms: T0 + 60_000, ..lines[0].clone() };
        let new = [fetched(other), elsewhere, fetched(later)];
        let recorded = database.record(StoreKind::Redis, &[batch("4-0", new.to_vec())]).expect("recorded");
        assert_eq!(recorded.outcome(), Outcome { stored: 3, duplicate: 0, dead_letter: 0 });
        assert_sums_equal_rows(&database);
    }
}
