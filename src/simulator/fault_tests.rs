//! What goes wrong on purpose, seen by a client that speaks to the doors raw.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    Simulator,
    fixtures::*,
    open_live::{KEY_ID, SECRET},
    signature::{hmac_sha256, md5_hex},
};

/// Reads messages until one says `stop`; their commands and the chat lines among them.
async fn until(socket: &mut Socket, stop: &str) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let frame = next_frame(socket).await.expect("a frame");
        found.extend(messages(&frame).into_iter().map(|(_, message)| message));
        if found.iter().any(|message| message.to_string().contains(stop)) {
            return found;
        }
    }
}

fn lines(found: &[Value]) -> usize {
    found.iter().filter(|message| message["info"].is_array()).count()
}

async fn say(simulator: &Simulator, room: u64, message: &str, times: usize) {
    let body = json!({"message": message, "username": "夜航星", "times": times});
    post(simulator, &format!("/sim/room/{room}/say"), body).await;
}

async fn books(simulator: &Simulator, room: u64) -> Value {
    get(simulator, "/sim/books", BROWSER, "").await["rooms"][room.to_string()].clone()
}

#[actix_web::test]
async fn a_visitor_of_a_masked_room_gets_part_of_it_without_names_and_the_books_tell_both() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].room_id;
    post(&simulator, &format!("/sim/room/{room}/flaws"), json!({"withheld": 0.9})).await;
    let mut socket = enter(&simulator, room, 3).await;
    say(&simulator, room, "听得到吗", 300).await;
    // The room speaks a few times a second: what was put in must be out before the flaw changes.
    while books(&simulator, room).await["told"]["danmaku"] != 300 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    post(&simulator, &format!("/sim/room/{room}/flaws"), json!({"withheld": 0.0})).await;
    say(&simulator, room, "到此为止", 1).await;
    let found = until(&mut socket, "到此为止").await;
    let heard = lines(&found);
    assert!((27..=35).contains(&heard), "{heard} of 301");
    assert!(found.iter().all(|message| !message.to_string().contains("夜航星")));
    let books = books(&simulator, room).await;
    assert_eq!((&books["told"]["danmaku"], &books["heard"]["danmaku"]), (&json!(301), &json!(heard)));
    simulator.stop().await;
}

#[actix_web::test]
async fn a_thinned_room_keeps_its_entries_and_a_tenth_of_its_chat() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[1].room_id;
    post(&simulator, &format!("/sim/room/{room}/flaws"), json!({"keep": 0.1})).await;
    let mut socket = enter(&simulator, room, 2).await;
    say(&simulator, room, "听得到吗", 200).await;
    post(&simulator, &format!("/sim/room/{room}/super_chat"), json!({"message": "到此为止"})).await;
    let heard = lines(&until(&mut socket, "到此为止").await);
    assert!((18..=22).contains(&heard), "{heard} of 200");
    simulator.stop().await;
}

#[actix_web::test]
async fn a_wave_cuts_so_many_connections_those_that_are_there_longest() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].room_id;
    let mut first = enter(&simulator, room, 3).await;
    let mut second = enter(&simulator, room, 3).await;
    let crowd = get(&simulator, "/sim/crowd", BROWSER, "").await;
    assert_eq!(crowd["connections"], json!([{"room_id": room, "uid": 0, "connections": 2}]));
    assert_eq!(post(&simulator, "/sim/cut", json!({"count": 1, "room_id": room})).await["cut"], 1);
    assert_eq!(next_frame(&mut first).await, None);
    assert_eq!(post(&simulator, "/sim/cut", json!({})).await["cut"], 1);
    assert_eq!(next_frame(&mut second).await, None);
    simulator.stop().await;
}

#[actix_web::test]
async fn a_refusal_can_be_said_before_the_cut_and_hosts_can_be_down() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].room_id;
    let info = danmu_info(&simulator, room).await;
    let wrong = post(&simulator, "/sim/faults", json!({"no_such_switch": true})).await;
    assert!(wrong["error"].as_str().is_some_and(|error| error.contains("no_such_switch")), "{wrong}");
    post(&simulator, "/sim/faults", json!({"says_refused": true})).await;
    let mut socket = dial(&info, BROWSER, auth(room, 3, &json!("no token"), 0)).await;
    let frame = next_frame(&mut socket).await.expect("an answer");
    assert!(frame.ends_with(br#"{"code":-101}"#));
    assert_eq!(next_frame(&mut socket).await, None);
    post(&simulator, "/sim/faults", json!({"down": true})).await;
    let host = format!("ws://127.0.0.1:{}/sub", info["host_list"][0]["ws_port"]);
    assert!(tokio_tungstenite::connect_async(host).await.is_err());
    simulator.stop().await;
}

#[actix_web::test]
async fn every_gift_counts_once_in_whatever_form_it_is_told_and_how_often() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].room_id;
    let mut socket = enter(&simulator, room, 3).await;
    let gift = async |body: Value| post(&simulator, &format!("/sim/room/{room}/gift"), body).await;
    gift(json!({"num": 2, "price": 500, "both": true, "again": true})).await;
    gift(json!({"num": 10, "box": true, "both": true})).await;
    gift(json!({"silver": true})).await;
    gift(json!({"bag": true, "protobuf": false})).await;
    for parts in [json!(["buy"]), json!(["buy", "toast", "toast_v2"]), json!(["toast_v2", "given"])] {
        post(&simulator, &format!("/sim/room/{room}/guard"), json!({"parts": parts})).await;
    }
    post(&simulator, &format!("/sim/room/{room}/red_pocket"), json!({})).await;
    post(&simulator, &format!("/sim/room/{room}/super_chat"), json!({"message": "到此为止"})).await;
    until(&mut socket, "到此为止").await;
    let truth = books(&simulator, room).await["heard"].clone();
    let paid =
        json!({"gift": 1000 + 150_000, "super_chat": 30_000, "guard": 198_000 + 2 * 138_000, "red_pocket": 2000});
    assert_eq!(truth["paid_gold"], paid);
    assert_eq!(truth["list_gold"]["guard"], 3 * 198_000);
    assert_eq!((&truth["guards"], &truth["super_chats"], &truth["red_pockets"]), (&json!(3), &json!(1), &json!(1)));
    assert_ne!(truth["value_gold"]["gift"], truth["paid_gold"]["gift"], "boxes gave something else");
    simulator.stop().await;
}

/// A signed call to the open platform.
async fn open(simulator: &Simulator, call: &str, body: Value, secret: &str) -> Value {
    let body = body.to_string();
    let headers: BTreeMap<&str, String> = [
        ("x-bili-accesskeyid", KEY_ID.to_owned()),
        ("x-bili-content-md5", md5_hex(body.as_bytes())),
        ("x-bili-signature-method", "HMAC-SHA256".to_owned()),
        ("x-bili-signature-nonce", format!("{:032x}", rand::random::<u128>())),
        ("x-bili-signature-version", "1.0".to_owned()),
        ("x-bili-timestamp", (super::world::now_ms() / 1000).to_string()),
    ]
    .into();
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut request = client.post(format!("{}/v2/app/{call}", simulator.base_url())).body(body);
    for (name, value) in &headers {
        request = request.header(*name, value);
    }
    request = request.header("Authorization", hmac_sha256(secret.as_bytes(), lines.join("\n").as_bytes()));
    request = request.header("Content-Type", "application/json").header("Accept", "application/json");
    request.send().await.expect("an answer").json().await.expect("is JSON")
}

#[actix_web::test]
async fn the_open_platform_tells_the_same_in_its_own_words_until_the_session_ends() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].room_id;
    let start = json!({"code": format!("SIM{room}"), "app_id": 1});
    assert_eq!(open(&simulator, "start", start.clone(), "wrong").await["code"], 4002);
    assert_eq!(open(&simulator, "start", json!({"code": "ABC", "app_id": 1}), SECRET).await["code"], 7007);
    let game = open(&simulator, "start", start.clone(), SECRET).await["data"].clone();
    assert_eq!(game["anchor_info"]["room_id"], room);
    assert_eq!(open(&simulator, "start", start.clone(), SECRET).await["code"], 7002, "not before it was ended");
    let game_id = json!({"game_id": game["game_info"]["game_id"]});
    assert_eq!(open(&simulator, "heartbeat", game_id.clone(), SECRET).await["code"], 0);

    let port = info_port(&game);
    let host = json!({"host_list": [{"host": "127.0.0.1", "ws_port": port}]});
    let body = game["websocket_info"]["auth_body"].as_str().expect("text");
    let packet = |body: &str| crate::protocol::encode(crate::protocol::Operation::Auth, 1, body.as_bytes());
    let mut stranger = dial(&host, BROWSER, packet(&body.replace("\"uid\":0", "\"uid\": 0"))).await;
    assert_eq!(next_frame(&mut stranger).await, None, "verbatim or not at all");
    let mut socket = dial(&host, BROWSER, packet(body)).await;
    assert!(next_frame(&mut socket).await.is_some_and(|frame| frame.ends_with(br#"{"code":0}"#)));
    say(&simulator, room, "开放平台", 1).await;
    post(&simulator, &format!("/sim/room/{room}/gift"), json!({"num": 3, "box": true, "protobuf": true})).await;
    post(&simulator, &format!("/sim/room/{room}/guard"), json!({})).await;
    post(&simulator, &format!("/sim/room/{room}/super_chat"), json!({"message": "到此为止"})).await;
    let found = until(&mut socket, "到此为止").await;
    let of = |command: &str| {
        let cmd = json!(format!("LIVE_OPEN_PLATFORM_{command}"));
        found.iter().filter(|message| message["cmd"] == cmd).map(|message| &message["data"]).collect::<Vec<_>>()
    };
    assert_eq!((of("DM")[0]["msg"].as_str(), of("DM")[0]["uname"].as_str()), (Some("开放平台"), Some("夜航星")));
    let paid: i64 = of("SEND_GIFT")
        .iter()
        .map(|gift| gift["r_price"].as_i64().expect("a number") * gift["gift_num"].as_i64().expect("a number"))
        .sum();
    assert_eq!(paid, 45_000, "three boxes");
    assert_eq!((of("GUARD").len(), of("GUARD")[0]["price"].as_i64()), (1, Some(138_000)));
    assert_eq!(of("SUPER_CHAT")[0]["rmb"], 30);
    assert_eq!(books(&simulator, room).await["heard"]["paid_gold"]["guard"], 138_000);

    let end = json!({"app_id": 1, "game_id": game["game_info"]["game_id"]});
    assert_eq!(open(&simulator, "end", end.clone(), SECRET).await["code"], 0);
    assert_eq!(open(&simulator, "end", end, SECRET).await["code"], 7000);
    assert_eq!(open(&simulator, "heartbeat", game_id, SECRET).await["code"], 7003);
    say(&simulator, room, "还在吗", 1).await;
    until(&mut socket, "LIVE_OPEN_PLATFORM_INTERACTION_END").await;
    assert_eq!(open(&simulator, "start", start, SECRET).await["code"], 0, "free again");
    simulator.stop().await;
}

fn info_port(game: &Value) -> u16 {
    let link = game["websocket_info"]["wss_link"][0].as_str().expect("an address");
    url::Url::parse(link).ok().and_then(|link| link.port()).expect("a port")
}

#[actix_web::test]
async fn a_storm_brings_its_lines_also_where_no_story_is_played() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].room_id;
    let mut socket = enter(&simulator, room, 3).await;
    post(&simulator, &format!("/sim/room/{room}/storm"), json!({"seconds": 0.5, "lines": 200, "entries": 20})).await;
    let mut found = Vec::new();
    while lines(&found) < 90 {
        found.extend(messages(&next_frame(&mut socket).await.expect("a frame")).into_iter().map(|(_, value)| value));
    }
    assert!(found.iter().any(|message| message["cmd"] == "INTERACT_WORD_V2"));
    simulator.stop().await;
}

#[actix_web::test]
async fn the_control_page_is_there_and_uses_only_what_exists() {
    let simulator = simulator(0.0).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let page = client.get(simulator.control_url()).send().await.expect("an answer").text().await.expect("text");
    assert!(page.contains("/sim/qr/scan") && !page.contains("http"), "it needs nothing from elsewhere");
    let state = get(&simulator, "/sim/state", BROWSER, "").await;
    assert_eq!(state["rooms"].as_array().map(Vec::len), Some(10));
    let room = simulator.rooms()[0].room_id;
    let mut socket = enter(&simulator, room, 3).await;
    let answer = post(&simulator, &format!("/sim/room/{room}/garbage"), json!({})).await;
    assert_eq!(answer["ways"].as_array().map(Vec::len), Some(super::garbage::WAYS.len()));
    for _ in super::garbage::WAYS {
        assert!(next_frame(&mut socket).await.is_some());
    }
    simulator.stop().await;
}
