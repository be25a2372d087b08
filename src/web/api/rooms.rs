//! Rooms and their totals.
//!
//! Totals are those of the stored history; the length of a capped list is never one. The original's
//! fields keep their names beside ours.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer_to,
    openapi::{Answer, Room, RoomList, Stretch, schema},
    params::{self, Params},
};
use crate::{
    actors::wall::{Counts, Income, RoomSummary},
    domain::{LiveStatus, RoomId, RoomInfo},
    store::RoomTotals,
    supervise::vitals::unix_ms,
    web::{Site, audience::Audience, error::Refusal},
};

/// Coverage is that of so long, if nothing else is asked for.
const COVERAGE_MS: i64 = 24 * 3_600_000;

/// Rooms one batch may name.
const BATCH_MAX: usize = 50;

/// A room that is watched, or of which history is stored; with its totals.
pub struct Known {
    /// What is known about it.
    pub info: RoomInfo,
    /// What is stored.
    pub totals: RoomTotals,
    /// As it is now, when it is watched.
    pub summary: Option<RoomSummary>,
}

/// Finds a room on the wall or in the history.
pub async fn known(site: &Site, room: RoomId) -> Result<Known, Refusal> {
    let summary = site.web.wall.summary(room);
    let (stored, totals) = site
        .ask("reading a room", move |database| {
            let room = (database.room(room)?, database.totals(room)?);
            Ok(room)
        })
        .await?;
    let info = match (&summary, stored) {
        (Some(summary), _) => summary.info.clone(),
        (None, Some(stored)) => stored.info,
        (None, None) => return Err(Refusal::no_such_room(room)),
    };
    Ok(Known { info, totals, summary })
}

fn stats_of(totals: &RoomTotals) -> Value {
    json!({
        "total_danmaku": totals.danmaku,
        "total_gifts": totals.gifts,
        "total_super_chats": totals.super_chats,
        "total_guards": totals.guards,
        "total_users": totals.users,
        "masked": totals.masked,
        "masked_share": totals.masked_share(),
        "users_is_lower_bound": totals.users_is_lower_bound(),
        "last_update": totals.last_event_ms.div_euclid(1000),
        "last_event_ms": totals.last_event_ms,
        "income": Income::from(totals),
    })
}

fn room_info(known: &Known) -> Value {
    let mut info = json!(known.info);
    info["monitored"] = json!(known.summary.is_some());
    if let Some(summary) = &known.summary {
        info["state"] = json!(summary.state);
        info["error"] = json!(summary.error);
        info["rates"] = json!(summary.rates);
        info["gauges"] = json!(summary.gauges);
    }
    info
}

/// GET `/rooms/`.
#[utoipa::path(
    get, path = "/live/api/rooms/", tag = "rooms", operation_id = "list_rooms", summary = "Rooms that are monitored", params(RoomList),
    responses((status = 200, description = "What was asked for", body = Answer<schema::RoomsPage>))
)]
pub async fn list(audience: Audience, params: Params, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    let all = site.web.wall.summaries();
    let total = all.len();
    let wanted: fn(&RoomSummary) -> bool = match params::text(&params, "status").unwrap_or("all") {
        "all" => |_| true,
        "live" => |room| room.info.status == LiveStatus::Live,
        "offline" => |room| room.info.status != LiveStatus::Live,
        other => return Err(Refusal::bad_parameter(format!("status: {other:?} is none of all, live, offline"))),
    };
    let live = all.iter().filter(|room| room.info.status == LiveStatus::Live).count();
    let stats = json!({
        "total_rooms": total,
        "live_rooms": live,
        "offline_rooms": total - live,
        "total_danmaku": all.iter().map(|room| room.counts.danmaku).sum::<i64>(),
        "total_gifts": all.iter().map(|room| room.counts.gifts).sum::<i64>(),
        "income": all.iter().map(|room| room.income.total_gold).sum::<crate::domain::Gold>().cny(),
        "danmaku_per_minute": all.iter().map(|room| room.rates.danmaku_per_minute).sum::<u64>(),
    });
    let mut rooms: Vec<RoomSummary> = all.into_iter().filter(wanted).collect();
    let sort = params::text(&params, "sort").unwrap_or("danmaku");
    if matches!(sort, "gifts" | "income") {
        audience.sees_all()?;
    }
    let key: fn(&RoomSummary) -> i64 = match sort {
        "danmaku" => |room| room.counts.danmaku,
        "gifts" => |room| room.counts.gifts,
        "income" => |room| room.income.total_gold.0,
        "updated" => |room| room.last_event_ms,
        other => {
            return Err(Refusal::bad_parameter(format!("sort: {other:?} is none of danmaku, gifts, income, updated")));
        }
    };
    rooms.sort_by_key(|room| (std::cmp::Reverse(key(room)), room.info.room_id));
    let limit = params::limit(&params)?;
    let skip: usize = match params::text(&params, "cursor").or(params::text(&params, "before")) {
        Some(cursor) => cursor.parse().map_err(|_| Refusal::bad_parameter("cursor: not one of this list"))?,
        None => 0,
    };
    let matching = rooms.len();
    let page: Vec<RoomSummary> = rooms.into_iter().skip(skip).take(limit).collect();
    let next = skip + page.len();
    let has_more = next < matching;
    let cursor = has_more.then(|| next.to_string());
    Ok(answer_to(
        audience,
        json!({
            "count": page.len(),
            "has_more": has_more,
            "pagination": {"count": page.len(), "total": matching, "limit": limit, "has_more": has_more, "cursor": cursor},
            "rooms": page,
            "stats": stats,
            "timestamp": unix_ms() / 1000,
        }),
    ))
}

/// GET `/system/stats/`.
#[utoipa::path(
    get, path = "/live/api/system/stats/", tag = "rooms", operation_id = "system_stats", summary = "Totals over all rooms, from the stored history", params(Stretch),
    responses((status = 200, description = "What was asked for", body = Answer<schema::SystemStats>))
)]
pub async fn system_stats(audience: Audience, params: Params, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    let (all, totals) =
        site.ask("adding up the history", |database| Ok((database.all_totals()?, database.system_totals()?))).await?;
    let watched = site.web.wall.summaries();
    let live = watched.iter().filter(|room| room.info.status == LiveStatus::Live).count();
    let mut stats = stats_of(&totals);
    stats["coverage"] = coverage(&site, watched.iter().map(|room| room.info.room_id).collect(), &params).await?;
    stats["total_rooms"] = json!(watched.len());
    stats["active_rooms"] = json!(watched.len());
    stats["live_rooms"] = json!(live);
    stats["rooms_with_history"] = json!(all.len());
    stats["counts"] = json!(Counts::from(&totals));
    stats["danmaku_per_minute"] = json!(watched.iter().map(|room| room.rates.danmaku_per_minute).sum::<u64>());
    stats["database_bytes"] = json!(site.web.database.size_bytes());
    Ok(answer_to(audience, json!({"stats": stats, "timestamp": unix_ms() / 1000})))
}

/// GET `/room/{id}/stats/`.
#[utoipa::path(
    get, path = "/live/api/room/{room}/stats/", tag = "rooms", operation_id = "room_stats", summary = "One room: what is known and what is stored", params(Room, Stretch),
    responses((status = 200, description = "What was asked for", body = Answer<schema::RoomStats>))
)]
pub async fn stats(
    audience: Audience,
    room: web::Path<u64>,
    params: Params,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    let known = known(&site, RoomId(*room)).await?;
    let mut stats = stats_of(&known.totals);
    stats["coverage"] = coverage(&site, vec![known.info.room_id], &params).await?;
    Ok(answer_to(
        audience,
        json!({
            "room_id": known.info.room_id,
            "room_info": room_info(&known),
            "stats": stats,
            "timestamp": unix_ms() / 1000,
        }),
    ))
}

/// The share of the time that is asked for in which these rooms were received; null where none was watched.
async fn coverage(site: &Site, rooms: Vec<RoomId>, params: &Params) -> Result<Value, Refusal> {
    let now_ms = unix_ms();
    let to_ms = params::moment(params, "to")?.unwrap_or(now_ms);
    let from_ms = params::moment(params, "from")?.unwrap_or(to_ms - COVERAGE_MS);
    if from_ms >= to_ms {
        return Err(Refusal::bad_parameter("from: must be before to"));
    }
    let coverage =
        site.ask("finding what was received", move |database| database.coverage(&rooms, from_ms..to_ms, now_ms));
    Ok(json!(coverage.await?))
}

/// What a batch asks for.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct Batch {
    /// At most 50 long ids.
    #[schema(value_type = Vec<u64>, max_items = 50)]
    room_ids: Vec<RoomId>,
}

/// POST `/batch/rooms/stats/`. It changes nothing and needs no sign-in.
#[utoipa::path(
    post, path = "/live/api/batch/rooms/stats/", tag = "rooms", operation_id = "batch_stats", summary = "Several rooms at once; changes nothing and needs no sign-in", request_body = Batch,
    responses((status = 200, description = "What was asked for", body = Answer<schema::BatchStats>))
)]
pub async fn batch(
    audience: Audience,
    batch: web::Json<Batch>,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    if batch.room_ids.len() > BATCH_MAX {
        return Err(Refusal::bad_parameter(format!("room_ids: at most {BATCH_MAX}")));
    }
    if let Some(room) = batch.room_ids.iter().find(|room| i64::try_from(room.0).is_err()) {
        return Err(Refusal::bad_parameter(format!("room_ids: {room} is not the number of a room")));
    }
    let mut rooms = serde_json::Map::new();
    let mut missing = Vec::new();
    for room in &batch.room_ids {
        match known(&site, *room).await {
            Ok(known) => {
                let stats = json!({"room_info": room_info(&known), "stats": stats_of(&known.totals)});
                rooms.insert(room.to_string(), stats);
            }
            Err(refusal) if refusal.status == 404 => missing.push(room),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(answer_to(
        audience,
        json!({"count": rooms.len(), "rooms": rooms, "missing": missing, "timestamp": unix_ms() / 1000}),
    ))
}
