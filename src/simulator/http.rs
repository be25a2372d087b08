//! The HTTP side: the endpoints a viewer's page asks, all host roles under one address.
//!
//! Here is what all calls have in common: each is counted by name, and refused if the switchboard says so. The
//! endpoints themselves are in `identity`, `passport`, `room_api`, `live_api` and `open_live`; the simulator's own ones, under
//! `/sim`, are neither counted nor refused.

use std::time::Duration;

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, header::CACHE_CONTROL},
    middleware::Next,
    web,
};
use serde_json::json;
use tokio::time::sleep;

use super::{
    asking::login_of,
    envelope::{refuse, suspect},
    faults::Order,
    identity, live_api, open_live, passport, pictures, room_api,
    world::{World, lock, now_ms},
};

/// The routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(identity::routes)
        .configure(passport::routes)
        .configure(room_api::routes)
        .configure(live_api::routes)
        .configure(open_live::routes)
        .route("/bfs/face/{uid}.svg", web::get().to(face))
        .route("/bfs/cover/{room}.svg", web::get().to(cover))
        .route("/bfs/{kind:emote|gift}/{name}.svg", web::get().to(badge))
        .default_service(web::to(|| async { refuse(-404, "啥都木有") }));
}

/// Counts a call and lets it through, unless the switchboard wants it slow or refused.
pub(super) async fn watch(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (Some(call), Some(world)) = (name_of(request.path()), request.app_data::<web::Data<World>>().cloned()) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let login = login_of(request.request(), &world).map(|login| login.uid);
    lock(&world.tally).called(&call, now_ms());
    let order = lock(&world.faults).order_for(&call, login);
    let Some(Order { delay, answer_delay, code }) = order else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    pause(delay).await;
    let answer = match code {
        Some(code) => request.into_response(refusal(code)),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    pause(answer_delay).await;
    Ok(answer)
}

async fn pause(pause: Duration) {
    if !pause.is_zero() {
        sleep(pause).await;
    }
}

/// What a call is called: the end of its path, with what stands before where the end alone is ambiguous.
fn name_of(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] | ["sim" | "bfs", ..] => None,
        ["correspond", ..] => Some("correspond".to_owned()),
        [.., before, last @ ("info" | "refresh" | "generate" | "poll" | "start" | "heartbeat" | "end")] => {
            Some(format!("{before}/{last}"))
        }
        [.., last] => Some((*last).to_owned()),
    }
}

/// A refusal as the platform words it; 500 to 599 are answers of HTTP itself.
fn refusal(code: i64) -> HttpResponse {
    let by_http = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
    match (code, by_http) {
        (-352, _) => suspect(),
        (-412, _) => HttpResponse::build(StatusCode::PRECONDITION_FAILED)
            .json(json!({"code": -412, "message": "请求被拦截", "ttl": 1, "data": null})),
        (500..=599, Some(status)) => HttpResponse::build(status).content_type("text/html").body("<html>Tengine</html>"),
        (-509 | -799, _) => refuse(code, "请求过于频繁，请稍后再试"),
        _ => refuse(code, &code.to_string()),
    }
}

async fn face(uid: web::Path<u64>, world: web::Data<World>) -> HttpResponse {
    let streamer = world.room_of(*uid).and_then(|room| room.name.chars().next());
    let initial = streamer.map_or_else(|| pictures::initial_of(*uid).to_owned(), String::from);
    svg(pictures::face(*uid, &initial))
}

async fn cover(id: web::Path<u64>, world: web::Data<World>) -> HttpResponse {
    if world.room(*id).is_none() {
        return HttpResponse::NotFound().finish();
    }
    svg(pictures::cover(*id))
}

async fn badge(path: web::Path<(String, String)>) -> HttpResponse {
    svg(pictures::badge(&path.1))
}

fn svg(picture: String) -> HttpResponse {
    HttpResponse::Ok().content_type("image/svg+xml").insert_header((CACHE_CONTROL, "max-age=3600")).body(picture)
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn calls_are_named_after_the_end_of_their_path() {
        for (path, name) in [
            ("/x/web-interface/nav", "nav"),
            ("/live_user/v1/Master/info", "Master/info"),
            ("/x/passport-login/web/cookie/info", "cookie/info"),
            ("/x/passport-login/web/qrcode/poll", "qrcode/poll"),
            ("/correspond/1/0123", "correspond"),
            ("/v2/app/start", "app/start"),
        ] {
            assert_eq!(name_of(path).as_deref(), Some(name), "{path}");
        }
        assert_eq!([name_of("/sim/truth"), name_of("/bfs/face/1.svg"), name_of("/")], [None, None, None]);
    }
}
