//! The main host: who is asking, device cookies, the signing keys and the ticket.
//!
//! Field names, odd ones too, are those of the protocol notes, 1.1 to 1.3.

use actix_web::{HttpRequest, HttpResponse, cookie::Cookie, web};
use serde_json::json;

use super::{
    asking::{base_of, login_of, parameter},
    envelope::{refuse, reply},
    signature::hmac_sha256,
    world::{World, lock, now_ms},
};

/// The routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/x/web-interface/nav", web::get().to(nav))
        .route("/x/frontend/finger/spi", web::get().to(spi))
        .route("/x/web-frontend/getbuvid", web::get().to(getbuvid))
        .route("/bapis/bilibili.api.ticket.v1.Ticket/GenWebTicket", web::post().to(ticket))
        .route("/", web::get().to(front_page));
}

/// Who is asking, and the signing keys: they come with and without login, even with the refusal.
async fn nav(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let keys = lock(&world.page_keys).clone();
    let wbi_img = json!({"img_url": keys.img_url, "sub_url": keys.sub_url});
    let login = login_of(&request, &world);
    let user = login.and_then(|login| lock(&world.accounts).user(login.uid).cloned());
    match user {
        Some(user) => reply(json!({"isLogin": true, "email_verified": 1, "mobile_verified": 1, "mid": user.uid,
            "uname": user.name, "face": format!("{}/bfs/face/{}.svg", base_of(&request, &world), user.uid),
            "level_info": {"current_level": 5, "current_min": 10_800, "current_exp": 18_000, "next_exp": 28_800},
            "money": 12, "moral": 70, "vipStatus": 0, "vipType": 0, "wbi_img": wbi_img, "is_senior_member": 0,
            "is_jury": false})),
        None => HttpResponse::Ok().json(json!({"code": -101, "message": "账号未登录", "ttl": 1,
            "data": {"isLogin": false, "wbi_img": wbi_img}})),
    }
}

fn new_buvid() -> String {
    let n = rand::random::<u128>();
    format!(
        "{:08X}-{:04X}-{:04X}-{:04X}-{:012X}{:05}infoc",
        n as u32,
        n >> 32 & 0xffff,
        n >> 48 & 0xffff,
        n >> 64 & 0xffff,
        n >> 80,
        n % 100_000
    )
}

async fn spi() -> HttpResponse {
    let fourth = format!("{}-024112309-{:016x}==", new_buvid().trim_end_matches("infoc"), rand::random::<u64>());
    HttpResponse::Ok().json(json!({"code": 0, "data": {"b_3": new_buvid(), "b_4": fourth}, "message": "ok"}))
}

async fn getbuvid() -> HttpResponse {
    HttpResponse::Ok().json(json!({"code": 0, "data": {"buvid": new_buvid()}}))
}

async fn front_page() -> HttpResponse {
    HttpResponse::Ok()
        .cookie(Cookie::build("buvid3", new_buvid()).path("/").finish())
        .cookie(Cookie::build("b_nut", (now_ms() / 1000).to_string()).path("/").finish())
        .content_type("text/html; charset=utf-8")
        .body("<!doctype html><title>simulator</title><p>A fake of the live platform, for tests and demos. <a href=\"/sim\">Control</a></p>")
}

async fn ticket(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let ts = parameter(&request, "context[ts]").unwrap_or_default();
    let signed = parameter(&request, "hexsign").unwrap_or_default();
    if ts.is_empty() || signed != hmac_sha256(b"XgwSnGZ1p", format!("ts{ts}").as_bytes()) {
        return refuse(400, "bad parameters");
    }
    let keys = lock(&world.page_keys).clone();
    let now = now_ms() / 1000;
    reply(
        json!({"ticket": format!("eyJhbGciOiJIUzI1NiJ9.{:032x}.simulated", rand::random::<u128>()), "created_at": now,
        "ttl": 259_200, "context": {}, "nav": {"img": keys.img_url, "sub": keys.sub_url}}),
    )
}
