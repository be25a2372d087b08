//! The HTTP side: the endpoints a viewer's page asks, with the platform's envelopes, codes and refusals.
//!
//! All host roles are served under one address. What is checked is what is known to be checked: the
//! signature, its age, `buvid3` and the user agent where the stream token is given out. Field names, odd
//! ones too, are those of the protocol notes, section 1.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::Cookie,
    http::header::{CACHE_CONTROL, USER_AGENT},
    web,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    cast::Seal,
    pictures,
    world::{Room, World, lock, now_ms, shanghai},
};

/// How old a signature may be, seconds.
const SIGNED_WITHIN: u64 = 300;

/// The routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/x/web-interface/nav", web::get().to(nav))
        .route("/x/frontend/finger/spi", web::get().to(spi))
        .route("/x/web-frontend/getbuvid", web::get().to(getbuvid))
        .route("/bapis/bilibili.api.ticket.v1.Ticket/GenWebTicket", web::post().to(ticket))
        .route("/room/v1/Room/room_init", web::get().to(room_init))
        .route("/room/v1/Room/get_info", web::get().to(get_info))
        .route("/room/v1/Room/get_status_info_by_uids", web::get().to(status_by_query))
        .route("/room/v1/Room/get_status_info_by_uids", web::post().to(status_by_body))
        .route("/xlive/web-room/v1/index/getRoomBaseInfo", web::get().to(base_info))
        .route("/live_user/v1/Master/info", web::get().to(master))
        .route("/xlive/web-room/v1/index/getInfoByRoom", web::get().to(info_by_room))
        .route("/xlive/web-room/v1/index/getDanmuInfo", web::get().to(danmu_info))
        .route("/av/v1/SuperChat/getMessageList", web::get().to(super_chats))
        .route("/xlive/web-room/v1/dM/gethistory", web::get().to(history))
        .route("/bfs/face/{uid}.svg", web::get().to(face))
        .route("/bfs/cover/{room}.svg", web::get().to(cover))
        .route("/bfs/{kind:emote|gift}/{name}.svg", web::get().to(badge))
        .route("/", web::get().to(front_page))
        .default_service(web::to(|| async { refuse(-404, "啥都木有") }));
}

/// The usual envelope.
fn reply(data: Value) -> HttpResponse {
    HttpResponse::Ok().json(json!({"code": 0, "message": "0", "ttl": 1, "data": data}))
}

/// The envelope of older endpoints.
fn old_reply(data: Value) -> HttpResponse {
    HttpResponse::Ok().json(json!({"code": 0, "msg": "ok", "message": "ok", "data": data}))
}

/// A refusal; `data` is an empty list where an object belongs, as the real ones do it.
fn refuse(code: i64, message: &str) -> HttpResponse {
    HttpResponse::Ok().json(json!({"code": code, "msg": message, "message": message, "data": []}))
}

/// Risk control.
fn suspect() -> HttpResponse {
    let n = rand::random::<u128>();
    let voucher = format!(
        "voucher_{:08x}-{:04x}-4{:03x}-{:012x}",
        n as u32,
        n >> 32 & 0xffff,
        n >> 48 & 0xfff,
        n >> 64 & 0xffff_ffff_ffff
    );
    HttpResponse::Ok()
        .insert_header(("x-bili-gaia-vvoucher", voucher.as_str()))
        .json(json!({"code": -352, "message": "-352", "ttl": 1, "data": {"v_voucher": voucher}}))
}

async fn nav(world: web::Data<World>) -> HttpResponse {
    let (img_url, sub_url) = &world.wbi_pictures;
    HttpResponse::Ok().json(json!({"code": -101, "message": "账号未登录", "ttl": 1,
        "data": {"isLogin": false, "wbi_img": {"img_url": img_url, "sub_url": sub_url}}}))
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
        .body("<!doctype html><title>simulator</title><p>A fake of the live platform, for tests and demos.</p>")
}

async fn ticket(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let ts = parameter(&request, "context[ts]").unwrap_or_default();
    let signed = parameter(&request, "hexsign").unwrap_or_default();
    if ts.is_empty() || signed != hmac_sha256(b"XgwSnGZ1p", format!("ts{ts}").as_bytes()) {
        return refuse(400, "bad parameters");
    }
    let (img, sub) = &world.wbi_pictures;
    let now = now_ms() / 1000;
    reply(
        json!({"ticket": format!("eyJhbGciOiJIUzI1NiJ9.{:032x}.simulated", rand::random::<u128>()), "created_at": now,
        "ttl": 259_200, "context": {}, "nav": {"img": img, "sub": sub}}),
    )
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> String {
    // Keys here are shorter than a block of 64 bytes.
    let pad = |with: u8| (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn room_init(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let Some(room) = number(&request, "id").and_then(|id| world.room(id)) else {
        return refuse(60004, "直播间不存在");
    };
    let stage = lock(&room.stage).clone();
    let later = now_ms() / 1000 + 3 * 86_400;
    let until = |sealed: bool| if sealed { later } else { 0 };
    old_reply(json!({
        "room_id": room.streamer.room_id, "short_id": room.streamer.short_id, "uid": room.streamer.uid, "need_p2p": 0,
        "is_hidden": room.seal == Seal::Hidden, "is_locked": room.seal == Seal::Locked, "is_portrait": false,
        "live_status": u8::from(stage.live), "hidden_till": until(room.seal == Seal::Hidden),
        "lock_till": until(room.seal == Seal::Locked), "encrypted": room.seal == Seal::Encrypted, "pwd_verified": false,
        "live_time": if stage.live { stage.live_time } else { -62_170_012_800 }, "room_shield": 1, "is_sp": 0, "special_type": 0,
    }))
}

async fn get_info(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let Some(room) = number(&request, "room_id").and_then(|id| world.room(id)) else {
        return refuse(1, "未找到该房间");
    };
    let stage = lock(&room.stage).clone();
    let cover = cover_of(&request, &world, room);
    old_reply(json!({
        "uid": room.streamer.uid, "room_id": room.streamer.room_id, "short_id": room.streamer.short_id, "attention": stage.fans,
        "online": stage.online * 31, "is_portrait": false, "description": "", "live_status": u8::from(stage.live),
        "area_id": room.streamer.area.id, "area_name": room.streamer.area.name, "parent_area_id": room.streamer.area.parent_id,
        "parent_area_name": room.streamer.area.parent_name, "title": stage.title, "user_cover": cover, "keyframe": cover,
        "live_time": live_time_text(room), "tags": "", "room_silent_type": "", "room_silent_level": 0, "room_silent_second": 0,
    }))
}

/// When the broadcast began, as text; the platform's zero when there is none.
fn live_time_text(room: &Room) -> String {
    let stage = lock(&room.stage);
    if stage.live { shanghai(stage.live_time) } else { "0000-00-00 00:00:00".to_owned() }
}

async fn status_by_query(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let uids: Vec<u64> = parameters(&request, "uids[]").iter().filter_map(|uid| uid.parse().ok()).collect();
    status(&request, &world, &uids)
}

#[derive(Deserialize)]
struct Uids {
    uids: Vec<u64>,
}

async fn status_by_body(request: HttpRequest, world: web::Data<World>, body: web::Bytes) -> HttpResponse {
    match serde_json::from_slice::<Uids>(&body) {
        Ok(body) => status(&request, &world, &body.uids),
        Err(_) => refuse(-400, "请求错误"),
    }
}

fn status(request: &HttpRequest, world: &World, uids: &[u64]) -> HttpResponse {
    let mut data = Map::new();
    for room in uids.iter().filter_map(|uid| world.room_of(*uid)).filter(|room| room.seal != Seal::Locked) {
        let stage = lock(&room.stage).clone();
        let cover = cover_of(request, world, room);
        let entry = json!({
            "title": stage.title, "room_id": room.streamer.room_id, "uid": room.streamer.uid, "online": stage.online * 31,
            "live_time": if stage.live { stage.live_time } else { 0 }, "live_status": u8::from(stage.live),
            "short_id": room.streamer.short_id, "area": 0, "area_name": "", "area_v2_id": room.streamer.area.id,
            "area_v2_name": room.streamer.area.name, "area_v2_parent_id": room.streamer.area.parent_id,
            "area_v2_parent_name": room.streamer.area.parent_name, "uname": room.name,
            "face": face_of(request, world, room), "tag_name": "", "tags": "", "cover_from_user": cover, "keyframe": cover,
            "lock_till": "0000-00-00 00:00:00", "hidden_till": "0000-00-00 00:00:00", "broadcast_type": 0,
        });
        data.insert(room.streamer.uid.to_string(), entry);
    }
    let data = if data.is_empty() { json!([]) } else { Value::Object(data) };
    HttpResponse::Ok().json(json!({"code": 0, "msg": "success", "message": "success", "data": data}))
}

async fn base_info(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    // The misspelling is the platform's, and required.
    if parameter(&request, "req_biz").as_deref() != Some("web_room_componet") {
        return refuse(-400, "请求错误");
    }
    let mut rooms = Map::new();
    let asked = parameters(&request, "room_ids");
    for room in asked.iter().filter_map(|id| id.parse().ok()).filter_map(|id| world.room(id)) {
        let stage = lock(&room.stage).clone();
        let area = room.streamer.area;
        let entry = json!({
            "room_id": room.streamer.room_id, "uid": room.streamer.uid, "area_id": area.id, "live_status": u8::from(stage.live),
            "live_url": format!("https://live.bilibili.com/{}", room.streamer.room_id), "parent_area_id": area.parent_id,
            "title": stage.title, "parent_area_name": area.parent_name, "area_name": area.name,
            "live_time": live_time_text(room), "description": "", "tags": "", "attention": stage.fans,
            "online": stage.online * 31, "short_id": room.streamer.short_id, "uname": room.name,
            "cover": cover_of(&request, &world, room), "background": "", "join_slide": 1, "live_id": 0,
        });
        rooms.insert(room.streamer.room_id.to_string(), entry);
    }
    reply(json!({"by_uids": {}, "by_room_ids": rooms}))
}

async fn master(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let Some(room) = number(&request, "uid").and_then(|uid| world.room_of(uid)) else {
        return refuse(1, "参数错误");
    };
    let fans = lock(&room.stage).fans;
    old_reply(json!({
        "info": {"uid": room.streamer.uid, "uname": room.name, "face": face_of(&request, &world, room),
                 "official_verify": {"type": -1, "desc": ""}, "gender": -1},
        "exp": {"master_level": {"level": 32, "color": 10_512_625, "current": [0, 0], "next": [0, 0]}},
        "follower_num": fans, "room_id": room.streamer.room_id, "medal_name": room.streamer.medal, "glory_count": 0,
        "pendant": "", "link_group_num": 0, "room_news": {"content": "", "ctime": "", "ctime_text": ""},
    }))
}

async fn info_by_room(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    if !is_browser(&request) || !is_signed(&request, &world) {
        return suspect();
    }
    let Some(room) = number(&request, "room_id").and_then(|id| world.room(id)) else {
        return refuse(19_002_000, "房间不存在");
    };
    let stage = lock(&room.stage).clone();
    let area = room.streamer.area;
    let watched = super::notices::short_count(stage.watched);
    reply(json!({
        "room_info": {"uid": room.streamer.uid, "room_id": room.streamer.room_id, "short_id": room.streamer.short_id,
            "title": stage.title, "cover": cover_of(&request, &world, room), "tags": "", "background": "", "description": "",
            "live_status": u8::from(stage.live), "live_start_time": if stage.live { stage.live_time } else { 0 },
            "area_id": area.id, "area_name": area.name, "parent_area_id": area.parent_id, "parent_area_name": area.parent_name,
            "online": stage.online * 31, "lock_status": u8::from(room.seal == Seal::Locked),
            "hidden_status": u8::from(room.seal == Seal::Hidden),
            "sub_session_key": format!("{}sub_time:{}", stage.live_key, stage.live_time)},
        "anchor_info": {"base_info": {"uname": room.name, "face": face_of(&request, &world, room), "gender": ""},
            "relation_info": {"attention": stage.fans}},
        "watched_show": {"switch": true, "num": stage.watched, "text_small": watched, "text_large": format!("{watched}人看过")},
        "like_info_v3": {"total_likes": stage.likes}, "guard_info": {"count": room.streamer.guards},
        "super_chat_info": {"status": 1, "message_list": room.shown_super_chats()},
    }))
}

async fn danmu_info(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let has_buvid = request.cookie("buvid3").is_some_and(|buvid| buvid.value().ends_with("infoc"));
    if !has_buvid || !is_browser(&request) || !is_signed(&request, &world) {
        return suspect();
    }
    let Some(room) = number(&request, "id").and_then(|id| world.room_by_long_id(id)) else {
        return refuse(1_002_002, "参数错误");
    };
    tracing::debug!(room.id = room.streamer.room_id, "the simulator hands out a stream token");
    let host = host_of(&request, &world);
    let real =
        json!({"host": host, "port": world.stream_port, "wss_port": world.stream_port, "ws_port": world.stream_port});
    // Nothing listens on port 1.
    let dead = json!({"host": host, "port": 1, "wss_port": 1, "ws_port": 1});
    let first = if world.options.dead_first_host { dead } else { real.clone() };
    reply(
        json!({"group": "live", "business_id": 0, "refresh_row_factor": 0.125, "refresh_rate": 100, "max_delay": 5000,
        "token": world.mint(0, user_agent(&request)), "host_list": [first, real, real]}),
    )
}

async fn super_chats(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let room = number(&request, "room_id").and_then(|id| world.room(id));
    reply(json!({"list": room.map(|room| room.shown_super_chats()).unwrap_or_default()}))
}

async fn history(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    // Who is not logged in gets an empty list nowadays.
    let logged_in = request.cookie("SESSDATA").is_some_and(|session| !session.value().is_empty());
    let room = number(&request, "roomid").and_then(|id| world.room(id)).filter(|_| logged_in);
    let lines = room.map(|room| room.last_danmaku()).unwrap_or_default();
    let admin: Vec<&Value> = lines.iter().filter(|line| line["isadmin"] == 1).collect();
    reply(json!({"admin": admin, "room": lines}))
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

/// Signed with the keys of `nav`, not long ago.
fn is_signed(request: &HttpRequest, world: &World) -> bool {
    let now = now_ms().unsigned_abs() / 1000;
    let fresh = number(request, "wts").is_some_and(|wts| wts.abs_diff(now) <= SIGNED_WITHIN);
    fresh && world.wbi.as_ref().is_some_and(|keys| keys.verify(request.query_string()))
}

/// Sent by a browser, as far as it says.
fn is_browser(request: &HttpRequest) -> bool {
    let user_agent = user_agent(request);
    let robot = ["curl", "python", "bot", "Headless"].iter().any(|word| user_agent.contains(word));
    user_agent.starts_with("Mozilla/5.0") && !robot
}

fn user_agent(request: &HttpRequest) -> &str {
    request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn parameters(request: &HttpRequest, name: &str) -> Vec<String> {
    let query = url::form_urlencoded::parse(request.query_string().as_bytes());
    query.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
}

fn parameter(request: &HttpRequest, name: &str) -> Option<String> {
    parameters(request, name).into_iter().next()
}

fn number(request: &HttpRequest, name: &str) -> Option<u64> {
    parameter(request, name)?.parse().ok()
}

/// The name under which the asker reaches us: it may come from another machine.
fn host_of(request: &HttpRequest, world: &World) -> String {
    let listen = world.options.listen;
    let asked = url::Url::parse(&format!("http://{}", request.connection_info().host())).ok();
    match asked.as_ref().and_then(url::Url::host_str) {
        Some(host) if !listen.ip().is_loopback() => host.to_owned(),
        _ if listen.is_ipv6() => format!("[{}]", listen.ip()),
        _ => listen.ip().to_string(),
    }
}

/// Our address as the asker knows it.
fn base_of(request: &HttpRequest, world: &World) -> String {
    if world.options.listen.ip().is_loopback() {
        world.base.clone()
    } else {
        format!("http://{}", request.connection_info().host())
    }
}

fn face_of(request: &HttpRequest, world: &World, room: &Room) -> String {
    format!("{}/bfs/face/{}.svg", base_of(request, world), room.streamer.uid)
}

fn cover_of(request: &HttpRequest, world: &World, room: &Room) -> String {
    format!("{}/bfs/cover/{}.svg", base_of(request, world), room.streamer.room_id)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_ticket_is_signed_as_published() {
        let expected = "4899d09c73cc357c191a77c41562ea9a7b07e858e534040cf2a24bbadbecbbbf";
        assert_eq!(super::hmac_sha256(b"XgwSnGZ1p", b"ts1702204169"), expected);
    }
}
