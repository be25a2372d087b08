//! A room's page: how it is now, whom to thank, who talks and pays, what came of blind boxes, what happened.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::{
    Site,
    api::{
        self,
        trend::{Stretch, series},
    },
    broadcasts,
    error::Refusal,
    fresh::{Fresh, is_about_room},
    pages::{answer, rows},
};
use crate::{
    actors::wall::{Counts, Income},
    domain::{Event, Gold, Kind, LiveStatus, RoomId},
    store::{
        coverage::Received,
        gaps::Gap,
        queries::{Cursor, Filter, Page},
        series::{Step, TopBy},
        sqlite::{Database, QueryError},
    },
    supervise::vitals::unix_ms,
};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Chat lines when the page opens.
const STREAM_ROWS: usize = 60;
const GIFT_ROWS: usize = 30;
/// Whom to thank: super chats and guards all, gifts from here on.
const BIG_GIFT: Gold = Gold(10_000);
/// Rows of the lane of thanks.
const THANK_ROWS: usize = 60;
/// Ranks shown.
const RANKS: usize = 10;
const TIMELINE_ROWS: usize = 40;
/// Blind boxes are added up over so many days.
const BOX_DAYS: i64 = 30;

/// `/live/room/{id}/`.
pub async fn page(request: HttpRequest, room: web::Path<String>, site: web::Data<Site>) -> HttpResponse {
    answer(&request, &site, "room.html", async {
        let room = RoomId(room.parse().map_err(|_| Refusal::no_such_room(room.as_str()))?);
        let known = api::known_room(&site, room).await?;
        let fresh = Fresh::look(&site.web.ring, Some(room));
        let cursor = fresh.cursor.clone();
        let (mut info, counted) = (known.info.clone(), site.counted.clone());
        if known.summary.is_none() {
            // Nobody looks any more: whether it is on air is not known.
            info.status = LiveStatus::Off;
        }
        let retention = site.web.housekeeper.retention();
        let mut values = site
            .ask("drawing a room", move |database| {
                let now = unix_ms();
                let mut values = drawn(database, room, &fresh, now)?;
                let mut courses = broadcasts::courses(database, &info, now)?;
                counted.people(database, room, &mut courses, retention.interactions_since(now), now)?;
                let (rows, last) = broadcasts::list(&courses, now);
                (values["broadcasts"], values["last"]) = (json!(rows), json!(last));
                Ok(values)
            })
            .await?;
        values["data"] = json!({
            "step_ms": MINUTE_MS, "thank_from": BIG_GIFT,
            "series": [{"room_id": room, "points": values["points"]}],
        });
        values["section"] = json!("room");
        values["cursor"] = json!(cursor);
        values["info"] = json!(known.info);
        values["now"] = json!(known.summary);
        values["counts"] = json!(Counts::from(&known.totals));
        values["income"] = json!(Income::from(&known.totals));
        values["box_days"] = json!(BOX_DAYS);
        values["broadcast_days"] = json!(broadcasts::DAYS);
        values["compared_min"] = json!(broadcasts::COMPARED_MIN);
        Ok(values)
    })
    .await
}

/// What stands in the history, with what has been pushed and is not stored yet.
fn drawn(database: &Database, room: RoomId, fresh: &Fresh, now: i64) -> Result<Value, QueryError> {
    let filter = Filter { room: Some(room), ..Filter::default() };
    let page = |limit| Page { limit, before: None, since: None };
    let names = BTreeMap::new();
    let lane = |stored: Vec<Event>, wanted: &dyn Fn(&Event) -> bool, limit| {
        rows(&fresh.over_those(stored, wanted, limit), &names, None)
    };
    let stretch = Stretch { from_ms: now - 60 * MINUTE_MS, to_ms: now, step: Step::Minute };
    let points = series(database, room, stretch)?;
    let day = now - DAY_MS;
    let coverage = Received::of(database, room, day..now, now)?.share_watched(day, now);
    let happened = lane(
        database.room_events(&filter, &page(TIMELINE_ROWS))?.events,
        &|event| is_about_room(event.kind()),
        TIMELINE_ROWS,
    );
    Ok(json!({
        "stream": lane(
            database.danmaku(&filter, &page(STREAM_ROWS))?.events, &|event| event.kind() == Kind::Danmaku, STREAM_ROWS
        ),
        "gifts": lane(database.gifts(&filter, &page(GIFT_ROWS))?.events, &|event| event.kind() == Kind::Gift, GIFT_ROWS),
        "thanks": lane(to_thank(database, room, day)?, &is_to_thank, THANK_ROWS),
        "timeline": timeline(happened, &database.gaps(room, day, now)?),
        "talkers": database.top_users(room, TopBy::Danmaku, RANKS)?,
        "payers": database.top_users(room, TopBy::Paid, RANKS)?,
        "boxes": database.blind_boxes(room, now - BOX_DAYS * DAY_MS)?,
        "coverage": coverage,
        "points": points,
    }))
}

/// Super chats, guards and big gifts since `from_ms`, newest first.
fn to_thank(database: &Database, room: RoomId, from_ms: i64) -> Result<Vec<Event>, QueryError> {
    let filter = Filter { room: Some(room), ..Filter::default() };
    let page = Page { limit: THANK_ROWS, before: None, since: Some(Cursor::Ms(from_ms)) };
    let mut events = database.super_chats(&filter, &page)?.events;
    events.extend(database.guards(&filter, &page)?.events);
    events.extend(database.big_gifts(room, from_ms, BIG_GIFT, THANK_ROWS as i64)?);
    Ok(events)
}

fn is_to_thank(event: &Event) -> bool {
    match event.kind() {
        Kind::SuperChat | Kind::Guard => true,
        Kind::Gift => event.paid() >= BIG_GIFT,
        _ => false,
    }
}

/// What happened to the room and when it was not received, newest first, in one list.
fn timeline(happened: Vec<Value>, gaps: &[Gap]) -> Vec<Value> {
    let at = |entry: &Value| entry["timestamp_ms"].as_i64().or(entry["from_ms"].as_i64()).unwrap_or_default();
    let mut entries = happened;
    entries.extend(gaps.iter().map(|gap| json!(gap)));
    entries.sort_by_key(|entry| std::cmp::Reverse(at(entry)));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_stand_among_what_happened_by_when_they_began() {
        let event = |ms: i64| json!({"kind": "live", "timestamp_ms": ms});
        let gap = Gap { room_id: RoomId(1), from_ms: 20, to_ms: Some(40), reason: "lost".into(), attempts: 1 };
        let entries = timeline(vec![event(30), event(10)], &[gap]);
        let seen: Vec<_> =
            entries.iter().map(|entry| (entry["timestamp_ms"].as_i64(), entry["from_ms"].as_i64())).collect();
        assert_eq!(seen, [(Some(30), None), (None, Some(20)), (Some(10), None)]);
    }
}
