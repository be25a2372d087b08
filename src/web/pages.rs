//! The pages for readers: dashboard and danmaku browser, and what all pages share. A room's page stands in
//! [`super::room`], the charts in [`super::charts`].
//!
//! Each is drawn complete from the wall and the history, so it is right without scripts; the scripts then
//! keep it right by push. A page asks the history once, in one piece of blocking work.

use std::collections::{BTreeMap, HashMap};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};

use super::{
    Site,
    api::params::{self, Params},
    audience::Audience,
    entry::see,
    error::Refusal,
    fresh::{Fresh, is_chat_or_money},
    today::since,
    view::Frame,
};
use crate::{
    actors::wall::{Counts, RoomSummary},
    domain::{Event, Gold, Kind, LiveStatus, RoomId},
    store::{
        lately::Spent,
        queries::{Events, Filter, Page},
        series::Step,
        sqlite::{Database, QueryError},
    },
    supervise::vitals::{State, unix_ms},
};

/// Minutes that a sparkline shows.
const SPARK_MINUTES: i64 = 30;
/// Rows of a stream when a page opens.
const STREAM_ROWS: usize = 60;

const MINUTE_MS: i64 = 60_000;
/// Lines of the dashboard's feed.
const FEED_ROWS: usize = 30;

/// Draws a page, or the page that says why it cannot be drawn.
pub async fn answer(
    request: &HttpRequest,
    site: &Site,
    template: &str,
    values: impl Future<Output = Result<Value, Refusal>>,
) -> HttpResponse {
    let frame = frame(request, site);
    match values.await {
        Ok(values) => site.views.page(StatusCode::OK, template, &frame, &frame.audience.view(values)),
        Err(refusal) => site.views.refusal(&frame, &refusal),
    }
}

/// What every page knows of this visitor.
pub fn frame<'a>(request: &'a HttpRequest, site: &Site) -> Frame<'a> {
    Frame {
        request,
        audience: Audience::of(request, site),
        token: site.web.auth.session_token(request),
        demo: site.web.options.demo,
    }
}

/// `/`.
pub async fn root(site: web::Data<Site>) -> HttpResponse {
    see(&site, StatusCode::FOUND, "/live/").finish()
}

/// Anything that is nowhere else.
pub async fn nowhere(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    site.views.refusal(&frame(&request, &site), &Refusal::not_found())
}

/// `/live/`.
pub async fn dashboard(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    answer(&request, &site, "dashboard.html", async {
        let rooms = site.web.wall.summaries();
        let fresh = Fresh::look(&site.web.ring, None);
        let (sparks, feed) = site
            .ask("drawing the dashboard", {
                let rooms: Vec<RoomId> = rooms.iter().map(|room| room.info.room_id).collect();
                move |database| {
                    let sparks = rooms.iter().map(|room| spark(database, *room)).collect::<Result<Vec<_>, _>>()?;
                    Ok((sparks, newest(database, None, FEED_ROWS)?))
                }
            })
            .await?;
        let today = site.today.read(&site).await?;
        let names = names(&rooms);
        let troubled: Vec<&RoomSummary> = rooms.iter().filter(|room| needs_attention(room)).collect();
        let of_room = |room: &RoomSummary| today.rooms.get(&room.info.room_id).copied().unwrap_or_default();
        let spent: Vec<Spent> = rooms.iter().map(|room| since(room, &of_room(room).before_day)).collect();
        let part = |of: fn(&Spent) -> Gold| spent.iter().map(of).sum::<Gold>();
        let stored = |of: &Counts| of.danmaku + of.gifts + of.super_chats + of.guards;
        let tiles = json!({
            "monitored": rooms.len(),
            "live": rooms.iter().filter(|room| room.info.status == LiveStatus::Live).count(),
            "attention": troubled.len(),
            "per_minute": rooms.iter().map(|room| room.rates.danmaku_per_minute).sum::<u64>(),
            "people": today.people,
            "coverage": today.coverage,
            "accounts_ok": today.accounts_ok,
            "accounts_all": today.accounts_all,
            "income": part(Spent::total),
            "gift_gold": part(|spent| spent.gift_gold),
            "super_chat_gold": part(|spent| spent.super_chat_gold),
            "guard_gold": part(|spent| spent.guard_gold),
            "total_gold": rooms.iter().map(|room| room.income.total_gold).sum::<Gold>(),
            "stored": rooms.iter().map(|room| stored(&room.counts)).sum::<i64>(),
        });
        let mut cards: Vec<Value> = Vec::new();
        for (room, spark) in rooms.iter().zip(sparks) {
            let mut card = json!(room);
            card["spark"] = json!(points(&spark));
            card["spark_values"] = json!(spark);
            let of_room = of_room(room);
            card["people"] = json!(of_room.people);
            card["broadcast"] = json!(of_room.broadcast.map(|broadcast| {
                let total_gold = since(room, &broadcast.before_broadcast).total();
                json!({"total_gold": total_gold, "coverage": broadcast.coverage})
            }));
            cards.push(card);
        }
        cards.sort_by_key(|card| (card["status"] != 1, -card["rates"]["danmaku_per_minute"].as_i64().unwrap_or(0)));
        Ok(json!({
            "section": "dashboard", "now_ms": unix_ms(), "tiles": tiles, "troubled": troubled, "rooms": cards,
            "data": {"today": *today},
            "feed": rows(&fresh.over(feed, is_chat_or_money, FEED_ROWS), &names, None), "cursor": fresh.cursor,
        }))
    })
    .await
}

/// What a person should look at: watched, not paused, and yet not received.
pub fn needs_attention(room: &RoomSummary) -> bool {
    !matches!(room.state, State::Live | State::Paused) && unix_ms() - room.state_since_ms > 15_000
        || matches!(room.state, State::Failed | State::Backoff)
}

/// `/live/danmaku/`: the stream of many rooms, or, when something is looked for, the history.
pub async fn danmaku(request: HttpRequest, params: Params, site: web::Data<Site>) -> HttpResponse {
    answer(&request, &site, "danmaku.html", async {
        let rooms = site.web.wall.summaries();
        let room = params::text(&params, "room").filter(|room| *room != "all");
        let room = room.map(|room| room.parse().map(RoomId).map_err(|_| Refusal::bad_parameter("room: not a number")));
        let room = room.transpose()?;
        let audience = Audience::of(&request, &site);
        if params::names_somebody(&params) {
            audience.sees_all()?;
        }
        let kind = match audience {
            Audience::Everything => params::text(&params, "kind").unwrap_or("all").to_owned(),
            Audience::Public => "danmaku".to_owned(),
        };
        let filter = params::filter(&params, room)?;
        let page = Page { limit: params::limit(&params)?.clamp(STREAM_ROWS, 200), ..params::page(&params)? };
        let (q, uid) = (filter.q.clone(), filter.uid);
        let searching = q.is_some() || uid.is_some() || page.before.is_some() || page.since.is_some();
        let asked = kind.clone();
        let fresh = Fresh::look(&site.web.ring, room);
        let limit = page.limit;
        // Chat is counted, as far as that is cheap.
        let counts = asked == "danmaku" && page.before.is_none();
        let (mut found, total) = site
            .ask("searching the history", move |database| {
                let total = if counts { database.danmaku_hits(&filter)? } else { None };
                Ok((of_kind(database, &asked, &filter, &page)?, total))
            })
            .await?;
        if !searching {
            let wanted = |of: Kind| if kind == "all" { is_chat_or_money(of) } else { of.as_str() == kind };
            found.events = fresh.over(found.events, wanted, limit);
        }
        let older = found.has_more.then(|| found.cursor()).flatten();
        let names = names(&rooms);
        let asked = [("q", q.clone()), ("room", room.map(|room| room.to_string()))];
        let asked = asked.into_iter().chain([("uid", uid.map(|uid| uid.to_string())), ("kinds", Some(kind.clone()))]);
        let copied = asked.filter_map(|(name, value)| Some((name, value?)));
        let copy_query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(copied).finish();
        Ok(json!({
            "copy_query": format!("&{copy_query}"),
            "section": "danmaku", "rooms": rooms, "room": room, "kind": kind, "q": q.clone().unwrap_or_default(),
            "uid": uid, "searching": searching, "older": older, "cursor": fresh.cursor,
            "count": found.events.len(), "total": total, "events": rows(&found.events, &names, q.as_deref()),
            "data": {"events": found.events, "names": names, "q": q},
        }))
    })
    .await
}

fn of_kind(database: &Database, kind: &str, filter: &Filter, page: &Page) -> Result<Events, QueryError> {
    match kind {
        "danmaku" => database.danmaku(filter, page),
        "gift" => database.gifts(filter, page),
        "super_chat" => database.super_chats(filter, page),
        "guard" => database.guards(filter, page),
        _ => {
            let all = [
                database.danmaku(filter, page)?,
                database.gifts(filter, page)?,
                database.super_chats(filter, page)?,
                database.guards(filter, page)?,
            ];
            Ok(Events::merged(all, page.limit))
        }
    }
}

fn newest(database: &Database, room: Option<RoomId>, limit: usize) -> Result<Vec<Event>, QueryError> {
    let filter = Filter { room, ..Filter::default() };
    Ok(of_kind(database, "all", &filter, &Page { limit, before: None, since: None })?.events)
}

/// The streamers' names by room, for the tags of a stream.
pub fn names(rooms: &[RoomSummary]) -> BTreeMap<RoomId, String> {
    let name = |room: &RoomSummary| match room.info.uname.as_str() {
        "" => room.info.room_id.to_string(),
        name => name.to_owned(),
    };
    rooms.iter().map(|room| (room.info.room_id, name(room))).collect()
}

/// Events as a template draws them: the contract's fields, the room's name, and the text cut where `q` was found.
pub fn rows(events: &[Event], names: &BTreeMap<RoomId, String>, q: Option<&str>) -> Vec<Value> {
    let one = |event: &Event| {
        let mut row = json!(event);
        let name = names.get(&event.room_id).cloned().unwrap_or_else(|| event.room_id.to_string());
        row["room_name"] = json!(name);
        for field in ["message", "gift_name", "username"] {
            let text = row[field].as_str().unwrap_or_default();
            let parts = cut(text, q);
            row[format!("{field}_parts")] = parts;
        }
        row
    };
    events.iter().map(one).collect()
}

/// `text` in pieces that are a hit or not, compared without regard to ASCII case as the history does.
fn cut(text: &str, q: Option<&str>) -> Value {
    let Some(q) = q.filter(|q| !q.is_empty()) else { return json!([{"text": text, "hit": false}]) };
    let (low, wanted) = (text.to_ascii_lowercase(), q.to_ascii_lowercase());
    let mut pieces = Vec::new();
    let mut from = 0;
    for (at, hit) in low.match_indices(&wanted) {
        if at > from {
            pieces.push(json!({"text": &text[from..at], "hit": false}));
        }
        pieces.push(json!({"text": &text[at..at + hit.len()], "hit": true}));
        from = at + hit.len();
    }
    if from < text.len() {
        pieces.push(json!({"text": &text[from..], "hit": false}));
    }
    json!(pieces)
}

/// Danmaku a minute over the last half hour, the running minute left out.
fn spark(database: &Database, room: RoomId) -> Result<Vec<i64>, QueryError> {
    let to_ms = Step::Minute.start_of(unix_ms());
    let from_ms = to_ms - SPARK_MINUTES * MINUTE_MS;
    let stored: HashMap<i64, i64> =
        database.trend(room, from_ms, to_ms, Step::Minute)?.iter().map(|point| (point.at_ms, point.danmaku)).collect();
    Ok((0..SPARK_MINUTES).map(|n| stored.get(&(from_ms + n * MINUTE_MS)).copied().unwrap_or(0)).collect())
}

/// The points of a line in a box of 100 by 24.
fn points(values: &[i64]) -> String {
    let top = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = 100.0 / (values.len().max(2) - 1) as f64;
    let place = |(n, value): (usize, &i64)| format!("{:.1},{:.1}", n as f64 * step, 23.0 - *value as f64 / top * 22.0);
    values.iter().enumerate().map(place).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_marked_and_nothing_is_lost() {
        for (text, q, expected) in [
            ("哈哈哈", "哈哈", "[哈哈]哈"),
            ("Hello 主播 hello", "HELLO", "[Hello] 主播 [hello]"),
            ("<b>", "b", "<[b]>"),
            ("nothing", "x", "nothing"),
            ("", "x", ""),
        ] {
            let pieces = cut(text, Some(q));
            let shown: String = pieces
                .as_array()
                .expect("pieces")
                .iter()
                .map(|piece| {
                    let text = piece["text"].as_str().expect("text");
                    if piece["hit"] == true { format!("[{text}]") } else { text.to_owned() }
                })
                .collect();
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn a_sparkline_stays_in_its_box() {
        assert_eq!(points(&[0, 5, 10]), "0.0,23.0 50.0,12.0 100.0,1.0");
        assert_eq!(points(&[0]), "0.0,23.0");
        assert_eq!(points(&[]), "");
    }
}
