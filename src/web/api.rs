//! The JSON API: its routes and its envelope.
//!
//! Every answer is `{"success":true,"data":{…}}` or `{"success":false,"error":…,"code":…}`, everywhere
//! below `/live/api/`, addresses that do not exist included. Reading needs no sign-in; writing does, and
//! is refused before anything else is looked at.

mod control;
mod events;
pub mod params;
mod rooms;
pub use control::not_a_room;
pub use rooms::known as known_room;
mod system;
pub mod trend;

use actix_web::{
    HttpResponse, Resource, Route,
    http::StatusCode,
    web::{self, ServiceConfig, delete, post},
};
use serde::Serialize;
use serde_json::json;

use super::{audience::Audience, both, error::Refusal, get, socket};

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
        .service(call("/danmaku-browser/", get().to(events::browser)))
        .service(call("/batch/rooms/stats/", post().to(rooms::batch)))
        .service(call("/events/", web::get().to(socket::server_sent)))
        .service(call("/health/", get().to(system::health)))
        .service(call("/ledger/", get().to(system::ledger)))
        .service(call("/admin/rooms/", post().to(control::add)))
        .service(call("/admin/rooms/{room}/", delete().to(control::remove)))
        .service(call("/admin/rooms/{room}/pause/", post().to(control::pause)))
        .service(call("/admin/rooms/{room}/resume/", post().to(control::resume)))
        .service(call("/admin/rooms/{room}/restart/", post().to(control::restart)))
        .service(call("/admin/sync/", post().to(control::sync)))
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
fn answer(data: impl Serialize) -> HttpResponse {
    answer_as(StatusCode::OK, data)
}

/// The envelope of what was asked for, as far as this audience may see it.
fn answer_to(audience: Audience, data: impl Serialize) -> HttpResponse {
    answer(audience.view(json!(data)))
}

fn answer_as(status: StatusCode, data: impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header(("Cache-Control", "no-store"))
        .json(json!({"success": true, "data": json!(data)}))
}
