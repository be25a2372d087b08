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
    HttpResponse, Resource, Route,
    http::StatusCode,
    web::{self, ServiceConfig, delete, post},
};
use serde::Serialize;
use serde_json::json;

use super::{accounts, audience::Audience, both, diagnostics, error::Refusal, get, room_list, socket, storage};

/// Every call, below `/live/api`.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.service(call("/rooms/", get().to(rooms::list)))
        .service(call("/system/stats/", get().to(rooms::system_stats)))
        .service(call("/redis/status/", get().to(system::live_store)))
        .service(call("/room/{room}/stats/", get().to(rooms::stats)))
        .service(call("/room/{room}/danmaku/", get().to(events::danmaku)))
        .service(call("/room/{room}/gifts/", get().to(events::gifts)))
        .service(call("/room/{room}/superchats/", get().to(events::super_chats)))
        .service(call("/room/{room}/guards/", get().to(events::guards)))
        .service(call("/room/{room}/trend/", get().to(trend::trend)))
        .service(call("/room/{room}/gaps/", get().to(trend::gaps)))
        .service(call("/room/{room}/export/", get().to(export::of_room)))
        .service(call("/export/", get().to(export::of_all)))
        .service(call("/openapi.json", get().to(openapi::file)))
        .service(call("/danmaku-browser/", get().to(events::browser)))
        .service(call("/batch/rooms/stats/", post().to(rooms::batch)))
        .service(call("/events/", web::get().to(socket::server_sent)))
        .service(call("/health/", get().to(system::health)))
        .service(call("/ledger/", get().to(system::ledger)))
        .service(call("/admin/rooms/", post().to(control::add)))
        .service(call("/admin/rooms/import/", post().to(room_list::by_call)))
        .service(call("/admin/rooms/reconnect/", post().to(control::reconnect_all)))
        .service(call("/admin/diagnostics/", get().to(diagnostics::by_call)))
        .service(call("/admin/rooms/{room}/", delete().to(control::remove)))
        .service(call("/admin/rooms/{room}/pause/", post().to(control::pause)))
        .service(call("/admin/rooms/{room}/resume/", post().to(control::resume)))
        .service(call("/admin/rooms/{room}/restart/", post().to(control::restart)))
        .service(call("/admin/rooms/{room}/priority/", post().to(accounts::priority)))
        .service(call("/admin/accounts/", get().to(accounts::list)))
        .service(call("/admin/accounts/login/", post().to(accounts::begin)))
        .service(call("/admin/accounts/login/{key}/", get().to(accounts::follow)))
        .service(call("/admin/accounts/{uid}/", delete().to(accounts::remove)))
        .service(call("/admin/sync/", post().to(control::sync)))
        .service(call("/maintenance/cleanup/", post().to(storage::cleanup)))
        .default_service(web::to(nothing_here));
}

/// A call at `path`, with and without the last slash, that knows one method.
fn call(path: &str, route: Route) -> Resource {
    web::resource(both(path)).route(route).default_service(web::to(wrong_method))
}

async fn nothing_here() -> Result<HttpResponse, Refusal> {
    Err(Refusal::not_found())
}

async fn wrong_method() -> Result<HttpResponse, Refusal> {
    Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this address takes another method"))
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
