//! The live host, about the stream and what was sent there: tokens and hosts, last lines, super chats, ranks, gifts.
//!
//! What is checked is what is known to be checked: the signature, its age, `buvid3` and the user agent where the
//! stream token is given out. Field names, odd ones too, are those of the protocol notes, 1.8 to 1.10.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::{
    asking::{cookie, host_of, is_browser, is_signed, login_of, number, user_agent},
    envelope::{refuse, reply, suspect},
    world::{World, lock},
};

/// The routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/xlive/web-room/v1/index/getDanmuInfo", web::get().to(danmu_info))
        .route("/av/v1/SuperChat/getMessageList", web::get().to(super_chats))
        .route("/xlive/web-room/v1/dM/gethistory", web::get().to(history));
}

async fn danmu_info(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let sessdata = cookie(&request, "SESSDATA").filter(|sessdata| !sessdata.is_empty());
    let login = login_of(&request, &world);
    let has_buvid = cookie(&request, "buvid3").is_some_and(|buvid| buvid.ends_with("infoc"));
    let watched = login.as_ref().is_some_and(|login| world.is_under_risk_control(login.uid));
    if !has_buvid || watched || !is_browser(&request) || !is_signed(&request, &world) {
        return suspect();
    }
    if sessdata.is_some() && login.is_none() {
        return refuse(-101, "账号未登录");
    }
    let Some(room) = number(&request, "id").and_then(|id| world.room_by_long_id(id)) else {
        return refuse(1_002_002, "参数错误");
    };
    tracing::debug!(room.id = room.streamer.room_id, "the simulator hands out a stream token");
    let host = host_of(&request, &world);
    let at = |port: u16| json!({"host": host, "port": port, "wss_port": port, "ws_port": port});
    // Nothing listens on the first ports. The real list repeats hosts too.
    let dead = lock(&world.faults).dead_hosts;
    let mut hosts: Vec<Value> = (1..=dead).map(at).collect();
    hosts.resize(hosts.len().saturating_add(2).max(3), at(world.stream_port));
    let token = world.mint(login.as_ref(), user_agent(&request));
    reply(json!({"group": "live", "business_id": 0, "refresh_row_factor": 0.125, "refresh_rate": 100,
        "max_delay": 5000, "token": token, "host_list": hosts}))
}

async fn super_chats(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let room = number(&request, "room_id").and_then(|id| world.room(id));
    reply(json!({"list": room.map(|room| room.show_super_chats()).unwrap_or_default()}))
}

async fn history(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    // Who is not logged in gets an empty list nowadays.
    let room = number(&request, "roomid").and_then(|id| world.room(id));
    let room = room.filter(|_| login_of(&request, &world).is_some());
    let lines = room.map(|room| room.last_danmaku()).unwrap_or_default();
    let admin: Vec<&Value> = lines.iter().filter(|line| line["isadmin"] == 1).collect();
    reply(json!({"admin": admin, "room": lines}))
}
