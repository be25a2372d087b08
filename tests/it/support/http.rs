//! The fake's HTTP calls. Every host of the real one answers here.

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::DateTime;
use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::fake::{Room, State, World, unix_ms};

/// Where the characters of the signing key stand in both keys together.
const MIX: [usize; 32] = [
    46, 47, 18, 2, 53, 8, 23, 32, 15, 50, 10, 31, 58, 3, 45, 35, 27, 43, 5, 49, 33, 9, 42, 19, 29, 28, 14, 39, 12, 38,
    41, 13,
];

/// Percent-encoding leaves these.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The signing keys, which may change.
fn keys(state: &State) -> [String; 2] {
    let change = state.keys_changed;
    [format!("0f1e2d3c4b5a69788796a5b4c3d2e1{change:02x}"), format!("13579bdf02468ace13579bdf02468a{change:02x}")]
}

/// Any call.
pub async fn answer(request: HttpRequest, world: Data<World>) -> HttpResponse {
    let agent = text_of(&request, header::USER_AGENT.as_str());
    if !agent.contains("Mozilla/") || agent.contains("curl") {
        world.blame(format!("{}: the User-Agent {agent:?} is no browser's", request.path()));
        return risk_control();
    }
    let query: Vec<(String, String)> = form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let number =
        |name: &str| query.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse::<u64>().ok());
    match request.path() {
        "/x/web-interface/nav" => {
            let urls = keys(&world.lock()).map(|key| format!("https://i0.hdslb.com/bfs/wbi/{key}.png"));
            reply(-101, json!({"isLogin": false, "wbi_img": {"img_url": urls[0], "sub_url": urls[1]}}))
        }
        "/x/frontend/finger/spi" => {
            let mut state = world.lock();
            let buvid = format!("0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9{:05}infoc", state.buvids.len() + 10_001);
            state.buvids.insert(buvid.clone());
            reply(0, json!({"b_3": buvid, "b_4": "F0E1D2C3-0000-1111-2222-333344445555-126112308-AbCdEfGhIjKlMnOp==" }))
        }
        "/room/v1/Room/room_init" => match find(&world.lock(), number("id")) {
            Some(room) => reply(
                0,
                json!({"room_id": room.room_id, "short_id": room.short_id, "uid": room.uid, "need_p2p": 0,
                    "is_hidden": false, "is_locked": false, "is_portrait": false, "live_status": room.live_status,
                    "hidden_till": 0, "lock_till": 0, "encrypted": false, "pwd_verified": false,
                    "live_time": if room.live_status == 1 { room.live_time } else { -62_170_012_800_i64 },
                    "room_shield": 1, "is_sp": 0, "special_type": 0}),
            ),
            None => reply(60004, json!([])),
        },
        "/room/v1/Room/get_info" => match find(&world.lock(), number("room_id")) {
            Some(room) => reply(0, room_details(room)),
            None => reply(1, json!([])),
        },
        "/xlive/web-room/v1/index/getRoomBaseInfo" => {
            let state = world.lock();
            let asked = query.iter().filter(|(key, _)| key == "room_ids").filter_map(|(_, id)| id.parse().ok());
            let rooms: serde_json::Map<String, Value> = asked
                .filter_map(|id| find(&state, Some(id)))
                .map(|room| (room.room_id.to_string(), room_details(room)))
                .collect();
            reply(0, json!({"by_uids": {}, "by_room_ids": rooms}))
        }
        "/room/v1/Room/get_status_info_by_uids" => {
            let state = world.lock();
            let asked: Vec<u64> =
                query.iter().filter(|(key, _)| key == "uids[]").filter_map(|(_, uid)| uid.parse().ok()).collect();
            let rooms: serde_json::Map<String, Value> = state
                .rooms
                .values()
                .filter(|room| asked.contains(&room.uid))
                .map(|room| (room.uid.to_string(), room_status(room, &state.url)))
                .collect();
            // As PHP does it: nothing is an empty list.
            reply(0, if rooms.is_empty() { json!([]) } else { json!(rooms) })
        }
        "/av/v1/SuperChat/getMessageList" => match find(&world.lock(), number("room_id")) {
            Some(room) => reply(0, json!({"list": room.super_chats})),
            None => reply(0, json!([])),
        },
        "/xlive/web-room/v1/dM/gethistory" => match find(&world.lock(), number("roomid")) {
            Some(room) => reply(0, json!({"admin": [], "room": room.lines})),
            None => reply(0, json!([])),
        },
        "/live_user/v1/Master/info" => {
            let state = world.lock();
            match state.rooms.values().find(|room| Some(room.uid) == number("uid")) {
                Some(room) => reply(
                    0,
                    json!({"info": {"uid": room.uid, "uname": room.uname, "face": format!("{}/bfs/face/{}.png", state.url, room.uid), "gender": 2,
                        "official_verify": {"type": -1, "desc": ""}}, "exp": {"master_level": {"level": 21}},
                        "follower_num": 4321, "room_id": room.room_id, "medal_name": "试饭"}),
                ),
                None => reply(1, json!([])),
            }
        }
        "/xlive/web-room/v1/index/getDanmuInfo" => ticket(&request, &world, &query, number("id")),
        path if path.starts_with("/bfs/") => picture(),
        _ => HttpResponse::NotFound().json(json!({"code": -404, "message": "啥都木有", "ttl": 1})),
    }
}

/// The token of a room's stream, for those who ask as the web page asks.
fn ticket(request: &HttpRequest, world: &World, query: &[(String, String)], room: Option<u64>) -> HttpResponse {
    let cookies = text_of(request, header::COOKIE.as_str());
    let buvid = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("buvid3="));
    if !buvid.is_some_and(|buvid| world.lock().buvids.contains(buvid)) {
        world.blame(format!("getDanmuInfo: no buvid3 of ours in the cookies {cookies:?}"));
        return risk_control();
    }
    let keys = keys(&world.lock());
    if let Err(why) = check_signature(query, &keys) {
        world.blame(format!("getDanmuInfo: {why}"));
        return risk_control();
    }
    let mut state = world.lock();
    let Some(room) = room.filter(|room| state.rooms.contains_key(room)) else {
        state.violations.push("getDanmuInfo: not the long number of a room".into());
        return reply(1_002_002, json!([]));
    };
    state.tickets += 1;
    let token = format!("token-{room}-{}", state.tickets);
    state.tokens.insert(token.clone(), room);
    let port = state.stream_port;
    reply(
        0,
        json!({"group": "live", "business_id": 0, "refresh_row_factor": 0.125, "refresh_rate": 100, "max_delay": 5000,
            "token": token, "host_list": [
                {"host": "127.0.0.1", "port": port, "wss_port": port, "ws_port": port},
                {"host": "localhost", "port": port, "wss_port": port, "ws_port": port}]}),
    )
}

/// Signs the parameters again and compares.
fn check_signature(query: &[(String, String)], [img_key, sub_key]: &[String; 2]) -> Result<(), String> {
    let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let given = value("w_rid").ok_or("no w_rid")?;
    let time: i64 = value("wts").and_then(|wts| wts.parse().ok()).ok_or("no wts")?;
    if (unix_ms() / 1000 - time).abs() > 600 {
        return Err(format!("wts {time} is old"));
    }
    let signed: Vec<(&str, &str)> =
        query.iter().filter(|(key, _)| key != "w_rid").map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let (text, wanted) = sign(&signed, img_key, sub_key);
    if given == wanted { Ok(()) } else { Err(format!("w_rid is {given}, not {wanted}, for {text}")) }
}

/// What is signed, and its signature.
fn sign(parameters: &[(&str, &str)], img_key: &str, sub_key: &str) -> (String, String) {
    let mut sorted: Vec<(&str, String)> = parameters
        .iter()
        .map(|(key, value)| (*key, value.chars().filter(|c| !"!'()*".contains(*c)).collect()))
        .collect();
    sorted.sort();
    let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let text: Vec<String> = sorted.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    let text = text.join("&");
    let both: Vec<char> = img_key.chars().chain(sub_key.chars()).collect();
    let key: String = MIX.iter().map(|at| both[*at]).collect();
    let signature = Md5::digest(format!("{text}{key}")).iter().map(|byte| format!("{byte:02x}")).collect();
    (text, signature)
}

#[test]
fn the_fake_signs_as_the_published_vectors_do() {
    let (img, sub) = ("7cd084941338484aae1ad9425b84077c", "4932caff0ff746eab6f01bf08b70ac45");
    let call = [("web_location", "444.8"), ("id", "1017"), ("wts", "1748266797"), ("type", "0")];
    assert_eq!(sign(&call, img, sub).1, "cf24f88ea0cbb61e7b29aed0c070187d");
    let spaces = [("foo", "one one four"), ("bar", "五一四"), ("baz", "1919810"), ("wts", "1702204169")];
    assert_eq!(sign(&spaces, img, sub).1, "04e50b58980e3e3cee8cbc0cc4c1c530");
}

/// A room by its long or short number.
fn find(state: &State, id: Option<u64>) -> Option<&Room> {
    let id = id.filter(|id| *id > 0)?;
    state.rooms.values().find(|room| room.room_id == id || room.short_id == id)
}

/// One room in the answer for many; its numbers are now numbers, now text.
fn room_status(room: &Room, url: &str) -> Value {
    json!({"title": room.title, "room_id": room.room_id, "uid": room.uid.to_string(), "online": 10,
        "live_time": if room.live_status == 1 { room.live_time } else { 0 }, "live_status": room.live_status,
        "short_id": room.short_id, "area": 1, "area_name": "旧分区", "area_v2_id": 371, "area_v2_name": room.area_name,
        "area_v2_parent_id": 9, "area_v2_parent_name": "虚拟主播", "uname": room.uname,
        "face": format!("{url}/bfs/face/{}.png", room.uid), "tag_name": "", "tags": "", "cover_from_user": "", "keyframe": "", "lock_till": "0000-00-00 00:00:00",
        "hidden_till": "0000-00-00 00:00:00", "broadcast_type": 0})
}

fn room_details(room: &Room) -> Value {
    let since = if room.live_status == 1 { in_shanghai(room.live_time) } else { "0000-00-00 00:00:00".into() };
    json!({"uid": room.uid, "room_id": room.room_id, "short_id": room.short_id, "uname": room.uname,
        "title": room.title, "live_status": room.live_status, "live_time": since, "attention": 4321,
        "online": 10, "area_id": 371, "area_name": room.area_name, "parent_area_id": 9,
        "parent_area_name": "虚拟主播", "cover": "", "user_cover": "", "keyframe": "", "tags": "", "description": ""})
}

/// A time as this call tells it, which is the same as the others tell in seconds.
fn in_shanghai(seconds: i64) -> String {
    let time = DateTime::from_timestamp(seconds + 8 * 3600, 0).expect("a time");
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// One white pixel, where every picture is.
fn picture() -> HttpResponse {
    const PIXEL: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";
    let bytes = STANDARD.decode(PIXEL).expect("it was encoded");
    HttpResponse::Ok().content_type("image/png").body(bytes)
}

fn reply(code: i64, data: Value) -> HttpResponse {
    let message = if code == 0 { "0" } else { "not this time" };
    HttpResponse::Ok().json(json!({"code": code, "message": message, "msg": message, "ttl": 1, "data": data}))
}

/// The answer to whoever looks like a robot.
fn risk_control() -> HttpResponse {
    reply(-352, json!({"v_voucher": "voucher_00000000-0000-0000-0000-000000000000"}))
}

fn text_of<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
