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
    FromRequest, Handler, HttpResponse, Resource, Responder, ResponseError, Route,
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
    cfg.service(call("/rooms/", reads(rooms::list)))
        .service(call("/system/stats/", reads(rooms::system_stats)))
        .service(call("/redis/status/", reads(system::live_store)))
        .service(call("/room/{room}/stats/", reads(rooms::stats)))
        .service(call("/room/{room}/danmaku/", reads(events::danmaku)))
        .service(call("/room/{room}/gifts/", reads(events::gifts)))
        .service(call("/room/{room}/superchats/", reads(events::super_chats)))
        .service(call("/room/{room}/guards/", reads(events::guards)))
        .service(call("/room/{room}/trend/", reads(trend::trend)))
        .service(call("/room/{room}/gaps/", reads(trend::gaps)))
        .service(call("/room/{room}/export/", reads(export::of_room)))
        .service(call("/export/", reads(export::of_all)))
        .service(call("/openapi.json", reads(openapi::file)))
        .service(call("/danmaku-browser/", reads(events::browser)))
        .service(call("/batch/rooms/stats/", writes(rooms::batch)))
        .service(call("/events/", ("GET", web::get().to(socket::server_sent))))
        .service(call("/health/", reads(system::health)))
        .service(call("/ledger/", reads(system::ledger)))
        .service(call("/admin/rooms/", writes(control::add)))
        .service(call("/admin/rooms/import/", writes(room_list::by_call)))
        .service(call("/admin/rooms/reconnect/", writes(control::reconnect_all)))
        .service(call("/admin/diagnostics/", reads(diagnostics::by_call)))
        .service(call("/admin/rooms/{room}/", deletes(control::remove)))
        .service(call("/admin/rooms/{room}/pause/", writes(control::pause)))
        .service(call("/admin/rooms/{room}/resume/", writes(control::resume)))
        .service(call("/admin/rooms/{room}/restart/", writes(control::restart)))
        .service(call("/admin/rooms/{room}/priority/", writes(accounts::priority)))
        .service(call("/admin/accounts/", reads(accounts::list)))
        .service(call("/admin/accounts/login/", writes(accounts::begin)))
        .service(call("/admin/accounts/login/{key}/", reads(accounts::follow)))
        .service(call("/admin/accounts/{uid}/", deletes(accounts::remove)))
        .service(call("/admin/sync/", writes(control::sync)))
        .service(call("/maintenance/cleanup/", writes(storage::cleanup)))
        .default_service(web::to(nothing_here));
}

/// How an address may be asked: the methods as `Allow` names them, and where they lead.
type Way = (&'static str, Route);

fn reads<Args: FromRequest + 'static>(handler: impl Handler<Args, Output: Responder + 'static>) -> Way {
    ("GET, HEAD", get().to(handler))
}

fn writes<Args: FromRequest + 'static>(handler: impl Handler<Args, Output: Responder + 'static>) -> Way {
    ("POST", post().to(handler))
}

fn deletes<Args: FromRequest + 'static>(handler: impl Handler<Args, Output: Responder + 'static>) -> Way {
    ("DELETE", delete().to(handler))
}

/// A call at `path`, with and without the last slash, that knows one way; whoever asks in another is told which.
fn call(path: &str, (allowed, route): Way) -> Resource {
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
