//! Stored events, newest first, a page at a time.
//!
//! The cursor of an answer is the id of its last event: asking again with it as `before` goes on exactly
//! there, whatever has been stored meanwhile.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{
    answer_to,
    openapi::{Answer, Find, Limit, Page as PageQuery, Room, schema},
    params::{self, Params},
    rooms,
};
use crate::{
    domain::RoomId,
    store::{
        queries::{Events, Filter, Page},
        sqlite::{Database, QueryError},
    },
    supervise::vitals::unix_ms,
    web::{Site, audience::Audience, error::Refusal},
};

/// A question to the history for a page of events.
type Question = fn(&Database, &Filter, &Page) -> Result<Events, QueryError>;

/// GET `/room/{id}/danmaku/`.
#[utoipa::path(
    get, path = "/live/api/room/{room}/danmaku/", tag = "history", operation_id = "list_danmaku", summary = "Chat of a room, newest first", params(Room, PageQuery, Find),
    responses((status = 200, description = "What was asked for", body = Answer<schema::DanmakuPage>))
)]
pub async fn danmaku(
    audience: Audience,
    room: web::Path<u64>,
    params: Params,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    if params::names_somebody(&params) {
        audience.sees_all()?;
    }
    list(audience, "danmaku", Database::danmaku, RoomId(*room), &params, &site).await
}

/// GET `/room/{id}/gifts/`.
#[utoipa::path(
    get, path = "/live/api/room/{room}/gifts/", tag = "history", operation_id = "list_gifts", summary = "Gifts of a room, newest first", params(Room, PageQuery, Find),
    responses((status = 200, description = "What was asked for", body = Answer<schema::GiftsPage>))
)]
pub async fn gifts(
    audience: Audience,
    room: web::Path<u64>,
    params: Params,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    audience.sees_all()?;
    list(audience, "gifts", Database::gifts, RoomId(*room), &params, &site).await
}

/// GET `/room/{id}/superchats/`.
#[utoipa::path(
    get, path = "/live/api/room/{room}/superchats/", tag = "history", operation_id = "list_super_chats", summary = "Super chats, those taken down included of a room, newest first", params(Room, PageQuery, Find),
    responses((status = 200, description = "What was asked for", body = Answer<schema::SuperChatsPage>))
)]
pub async fn super_chats(
    audience: Audience,
    room: web::Path<u64>,
    params: Params,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    audience.sees_all()?;
    list(audience, "superchats", Database::super_chats, RoomId(*room), &params, &site).await
}

/// GET `/room/{id}/guards/`.
#[utoipa::path(
    get, path = "/live/api/room/{room}/guards/", tag = "history", operation_id = "list_guards", summary = "Guard purchases of a room, newest first", params(Room, PageQuery, Find),
    responses((status = 200, description = "What was asked for", body = Answer<schema::GuardsPage>))
)]
pub async fn guards(
    audience: Audience,
    room: web::Path<u64>,
    params: Params,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    audience.sees_all()?;
    list(audience, "guards", Database::guards, RoomId(*room), &params, &site).await
}

async fn list(
    audience: Audience,
    name: &'static str,
    question: Question,
    room: RoomId,
    params: &Params,
    site: &Site,
) -> Result<HttpResponse, Refusal> {
    let page = params::page(params)?;
    let filter = params::filter(params, Some(room))?;
    rooms::known(site, room).await?;
    // Chat is counted, as far as that is cheap: on the first page, by the index.
    let counts = name == "danmaku" && filter.q.is_some() && page.before.is_none() && page.since.is_none();
    let (found, total) = site
        .ask("listing events", move |database| {
            let total = if counts { database.danmaku_hits(&filter)? } else { None };
            Ok((question(database, &filter, &page)?, total))
        })
        .await?;
    let mut data = json!({
        "room_id": room,
        "count": found.events.len(),
        "has_more": found.has_more,
        "cursor": found.cursor(),
        "timestamp": unix_ms() / 1000,
    });
    if let Some(total) = total {
        data["total"] = json!(total);
    }
    data[name] = json!(found.events);
    Ok(answer_to(audience, data))
}

/// GET `/danmaku-browser/`: the rooms that something happened in last, each with its newest danmaku and gifts.
#[utoipa::path(
    get, path = "/live/api/danmaku-browser/", tag = "history", operation_id = "danmaku_browser", summary = "Rooms with their newest danmaku and gifts", params(Limit),
    responses((status = 200, description = "What was asked for", body = Answer<schema::Browser>))
)]
pub async fn browser(audience: Audience, params: Params, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    let limit = params::limit(&params)?.min(100);
    let mut watched = site.web.wall.summaries();
    watched.sort_by_key(|room| (std::cmp::Reverse(room.last_event_ms), room.info.room_id));
    let has_more = watched.len() > limit;
    watched.truncate(limit);
    let rooms = site
        .ask("listing the newest events", move |database| {
            let page = Page { limit: 20, before: None, since: None };
            watched
                .into_iter()
                .map(|summary| {
                    let filter = Filter { room: Some(summary.info.room_id), ..Filter::default() };
                    let mut room = json!(summary);
                    room["danmaku"] = json!(database.danmaku(&filter, &page)?.events);
                    room["gifts"] = json!(database.gifts(&filter, &page)?.events);
                    Ok(room)
                })
                .collect::<Result<Vec<Value>, QueryError>>()
        })
        .await?;
    Ok(answer_to(
        audience,
        json!({
            "count": rooms.len(), "has_more": has_more, "rooms": rooms, "timestamp": unix_ms() / 1000,
        }),
    ))
}
