//! The live host, about rooms and their streamers: numbers, status, titles, pictures.
//!
//! Field names, odd ones too, are those of the protocol notes, 1.4 to 1.7. What concerns the stream is in
//! [`super::live_api`].

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    asking::{base_of, is_browser, is_signed, login_of, number, parameter, parameters},
    cast::Seal,
    envelope::{old_reply, refuse, reply, suspect},
    world::{Room, World, lock, now_ms, shanghai},
};

/// The routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/room/v1/Room/room_init", web::get().to(room_init))
        .route("/room/v1/Room/get_info", web::get().to(get_info))
        .route("/room/v1/Room/get_status_info_by_uids", web::get().to(status_by_query))
        .route("/room/v1/Room/get_status_info_by_uids", web::post().to(status_by_body))
        .route("/xlive/web-room/v1/index/getRoomBaseInfo", web::get().to(base_info))
        .route("/live_user/v1/Master/info", web::get().to(master))
        .route("/live_user/v1/UserInfo/get_anchor_in_room", web::get().to(anchor_in_room))
        .route("/xlive/web-room/v1/index/getInfoByRoom", web::get().to(info_by_room));
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

/// Much of the same by room. Code 0 even for a room that does not exist.
async fn anchor_in_room(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let Some(room) = number(&request, "roomid").and_then(|id| world.room(id)) else { return old_reply(json!([])) };
    old_reply(json!({
        "info": {"uid": room.streamer.uid, "uname": room.name, "face": face_of(&request, &world, room), "gender": -1,
                 "platform_user_level": 6, "official_verify": {"type": -1, "desc": ""}},
        "level": {"uid": room.streamer.uid, "master_level": {"level": 32}}, "san": 12,
    }))
}

async fn info_by_room(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    let login = login_of(&request, &world);
    let watched = login.is_some_and(|login| world.is_under_risk_control(login.uid));
    if watched || !is_browser(&request) || !is_signed(&request, &world) {
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
        "super_chat_info": {"status": 1, "message_list": room.show_super_chats()},
    }))
}

fn face_of(request: &HttpRequest, world: &World, room: &Room) -> String {
    format!("{}/bfs/face/{}.svg", base_of(request, world), room.streamer.uid)
}

fn cover_of(request: &HttpRequest, world: &World, room: &Room) -> String {
    format!("{}/bfs/cover/{}.svg", base_of(request, world), room.streamer.room_id)
}
