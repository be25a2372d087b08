//! The danmaku browser, and what all pages for readers share. The dashboard stands in [`super::dashboard`], a room's
//! page in [`super::room`], the charts in [`super::charts`].
//!
//! Each is drawn complete from the wall and the history, so it is right without scripts; the scripts then
//! keep it right by push. A page asks the history once, in one piece of blocking work.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};

use super::{
    Site,
    api::params::{self, Params},
    audience::Audience,
    entry::see,
    error::Refusal,
    fresh::{Fresh, is_chat_or_money},
    view::Frame,
};
use crate::{
    actors::wall::RoomSummary,
    domain::{Event, Kind, RoomId},
    store::{
        queries::{Events, Filter, Page},
        sqlite::{Database, QueryError},
    },
};

/// Rows of a stream when a page opens.
const STREAM_ROWS: usize = 60;

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

/// A page of events of a kind, or of all that are chat or money.
pub fn of_kind(database: &Database, kind: &str, filter: &Filter, page: &Page) -> Result<Events, QueryError> {
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
}
