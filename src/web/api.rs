//! The JSON API: its routes and its envelope.
//!
//! Every answer is `{"success":true,"data":{…}}` or `{"success":false,"error":…,"code":…}`, everywhere
//! below `/live/api/`, addresses that do not exist included. Reading needs no sign-in; writing does, and
//! is refused before anything else is looked at.

mod control;
mod events;
mod export;
pub mod openapi;
pub mod params;
mod rooms;
pub use control::not_a_room;
pub use rooms::known as known_room;
pub mod reference;
mod system;
pub mod trend;

use actix_web::{
    HttpResponse, Resource, ResponseError, Route,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web::{self, ServiceConfig, delete, post},
};
use serde::Serialize;
use serde_json::json;

use super::{accounts, audience::Audience, both, diagnostics, error::Refusal, get, room_list, socket, storage};

/// Every call, below `/live/api`.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(call("/rooms/", "GET, HEAD", get().to(rooms::list)))
        .service(call("/system/stats/", "GET, HEAD", get().to(rooms::system_stats)))
        .service(call("/redis/status/", "GET, HEAD", get().to(system::live_store)))
        .service(call("/room/{room}/stats/", "GET, HEAD", get().to(rooms::stats)))
        .service(call("/room/{room}/danmaku/", "GET, HEAD", get().to(events::danmaku)))
        .service(call("/room/{room}/gifts/", "GET, HEAD", get().to(events::gifts)))
        .service(call("/room/{room}/superchats/", "GET, HEAD", get().to(events::super_chats)))
        .service(call("/room/{room}/guards/", "GET, HEAD", get().to(events::guards)))
        .service(call("/room/{room}/trend/", "GET, HEAD", get().to(trend::trend)))
        .service(call("/room/{room}/gaps/", "GET, HEAD", get().to(trend::gaps)))
        .service(call("/room/{room}/export/", "GET, HEAD", get().to(export::of_room)))
        .service(call("/export/", "GET, HEAD", get().to(export::of_all)))
        .service(call("/openapi.json", "GET, HEAD", get().to(openapi::file)))
        .service(call("/danmaku-browser/", "GET, HEAD", get().to(events::browser)))
        .service(call("/batch/rooms/stats/", "POST", post().to(rooms::batch)))
        .service(call("/events/", "GET", web::get().to(socket::server_sent)))
        .service(call("/health/", "GET, HEAD", get().to(system::health)))
        .service(call("/ledger/", "GET, HEAD", get().to(system::ledger)))
        .service(call("/admin/rooms/", "POST", post().to(control::add)))
        .service(call("/admin/rooms/import/", "POST", post().to(room_list::by_call)))
        .service(call("/admin/rooms/reconnect/", "POST", post().to(control::reconnect_all)))
        .service(call("/admin/diagnostics/", "GET, HEAD", get().to(diagnostics::by_call)))
        .service(call("/admin/rooms/{room}/", "DELETE", delete().to(control::remove)))
        .service(call("/admin/rooms/{room}/pause/", "POST", post().to(control::pause)))
        .service(call("/admin/rooms/{room}/resume/", "POST", post().to(control::resume)))
        .service(call("/admin/rooms/{room}/restart/", "POST", post().to(control::restart)))
        .service(call("/admin/rooms/{room}/priority/", "POST", post().to(accounts::priority)))
        .service(call("/admin/accounts/", "GET, HEAD", get().to(accounts::list)))
        .service(call("/admin/accounts/login/", "POST", post().to(accounts::begin)))
        .service(call("/admin/accounts/login/{key}/", "GET, HEAD", get().to(accounts::follow)))
        .service(call("/admin/accounts/{uid}/", "DELETE", delete().to(accounts::remove)))
        .service(call("/admin/sync/", "POST", post().to(control::sync)))
        .service(call("/maintenance/cleanup/", "POST", post().to(storage::cleanup)))
        .default_service(web::to(nothing_here));
}

/// A call at `path`, with and without the last slash, that knows one method; whoever asks with another is told which.
fn call(path: &str, allowed: &'static str, route: Route) -> Resource {
    web::resource(both(path)).route(route).default_service(web::to(move || std::future::ready(wrong_method(allowed))))
}

async fn nothing_here() -> Result<HttpResponse, Refusal> {
    Err(Refusal::not_found())
}

fn wrong_method(allowed: &'static str) -> HttpResponse {
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this address takes another method");
    let mut answer = refusal.error_response();
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// The envelope of what was done.
pub(super) fn answer(data: impl Serialize) -> HttpResponse {
    answer_as(StatusCode::OK, data)
}

/// The envelope of what was asked for, as far as this audience may see it.
fn answer_to(audience: Audience, data: impl Serialize) -> HttpResponse {
    answer(audience.view(json!(data)))
}

pub(super) fn answer_as(status: StatusCode, data: impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header(("Cache-Control", "no-store"))
        .json(json!({"success": true, "data": json!(data)}))
}
