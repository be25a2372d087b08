//! Changes asked for by programs, and by pages of ours that sent the session's token.
//!
//! [`AdminAuth::admit`](crate::web::AdminAuth::admit) comes first in every call: who may not is told so
//! before the rest of the request is looked at.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use serde_json::{Value, json};

use super::{
    answer, answer_as,
    openapi::{Answer, Erase, Refused, Room, schema},
    params::{self, Params},
};
use crate::{
    domain::{RoomId, RoomRef},
    web::{BODY_MAX, Site, error::Refusal},
};

/// POST `/admin/rooms/`.
#[utoipa::path(
    post, path = "/live/api/admin/rooms/", tag = "admin", operation_id = "add_room", summary = "Begin to monitor a room", request_body = schema::RoomToAdd, security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 201, description = "The room", body = Answer<schema::Added>), (status = 409, description = "Already there", body = Refused))
)]
pub async fn add(request: HttpRequest, body: web::Payload, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    let body = body.to_bytes_limited(BODY_MAX).await.map_err(|_| Refusal::too_large(BODY_MAX))?;
    let body = body.map_err(|_| Refusal::not_json("it did not arrive whole"))?;
    let body: Value = serde_json::from_slice(&body).map_err(Refusal::not_json)?;
    let typed = match &body["room"] {
        Value::String(typed) => typed.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(Refusal::bad_parameter("room: give a number or a link")),
    };
    let room: RoomRef = typed.parse().map_err(not_a_room)?;
    let info = site.web.rooms.add(room).await?;
    let mut answer = answer_as(StatusCode::CREATED, json!({"room": info, "room_id": info.room_id}));
    let place = format!("{}/live/api/room/{}/stats/", site.web.options.base_path, info.room_id);
    if let Ok(place) = place.parse() {
        answer.headers_mut().insert(header::LOCATION, place);
    }
    Ok(answer)
}

/// What was typed names no room.
pub fn not_a_room(error: crate::domain::RoomRefError) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "not_a_room", error.to_string())
}

/// DELETE `/admin/rooms/{id}/`.
#[utoipa::path(
    delete, path = "/live/api/admin/rooms/{room}/", tag = "admin", operation_id = "remove_room", summary = "Stop monitoring a room", params(Room, Erase), security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "Monitoring ended", body = Answer<schema::Removed>))
)]
pub async fn remove(
    request: HttpRequest,
    room: web::Path<u64>,
    params: Params,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    let erase = params::text(&params, "erase") == Some("true");
    site.web.rooms.remove(RoomId(*room), erase).await?;
    Ok(answer(json!({"room_id": *room, "erased": erase})))
}

/// POST `/admin/rooms/{id}/pause/`.
#[utoipa::path(
    post, path = "/live/api/admin/rooms/{room}/pause/", tag = "admin", operation_id = "pause_room", summary = "Pause a room", params(Room), security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "Done", body = Answer<schema::Paused>))
)]
pub async fn pause(request: HttpRequest, room: web::Path<u64>, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    site.web.rooms.pause(RoomId(*room)).await?;
    Ok(answer(json!({"room_id": *room, "paused": true})))
}

/// POST `/admin/rooms/{id}/resume/`.
#[utoipa::path(
    post, path = "/live/api/admin/rooms/{room}/resume/", tag = "admin", operation_id = "resume_room", summary = "Resume a room", params(Room), security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "Done", body = Answer<schema::Paused>))
)]
pub async fn resume(
    request: HttpRequest,
    room: web::Path<u64>,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    site.web.rooms.resume(RoomId(*room)).await?;
    Ok(answer(json!({"room_id": *room, "paused": false})))
}

/// POST `/admin/rooms/{id}/restart/`.
#[utoipa::path(
    post, path = "/live/api/admin/rooms/{room}/restart/", tag = "admin", operation_id = "restart_room", summary = "Connect a room anew", params(Room), security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "Done", body = Answer<schema::Restarting>))
)]
pub async fn restart(
    request: HttpRequest,
    room: web::Path<u64>,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    site.web.rooms.restart(RoomId(*room)).await?;
    Ok(answer(json!({"room_id": *room, "restarting": true})))
}

/// POST `/admin/rooms/reconnect/`: all of them, one after another, as fast as the gate lets them in.
#[utoipa::path(
    post, path = "/live/api/admin/rooms/reconnect/", tag = "admin", operation_id = "reconnect_all",
    summary = "Connect all rooms anew, one after another", security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "Begun", body = Answer<schema::Reconnecting>))
)]
pub async fn reconnect_all(request: HttpRequest, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    site.web.rooms.reconnect_all().await?;
    Ok(answer(json!({"reconnecting": true})))
}

/// POST `/admin/sync/`.
#[utoipa::path(
    post, path = "/live/api/admin/sync/", tag = "admin", operation_id = "sync", summary = "Move what was received into the history now", security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "The run", body = Answer<schema::Synced>))
)]
pub async fn sync(request: HttpRequest, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    Ok(answer(json!({"sync": site.web.sync.sync_now().await?})))
}
