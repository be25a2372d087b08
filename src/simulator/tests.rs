//! The simulator through its doors: HTTP and a WebSocket, as the product comes in.
//!
//! The last test plays stories without sockets and counts what they say by the rules of the protocol notes;
//! the simulator's own truth must agree, and so must the product's decoder.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{PaidGold, Simulator, SimulatorOptions, Truth, messages::Fact, proto, script::Script, world::World};
use crate::{
    domain::{Event, EventId, Kind, RoomId},
    protocol::{
        Arrival, Decoded, GuardMerge, Operation, WbiKeys, api, decode, encode,
        inflate::{Inflater, Packing},
        packets,
    },
};

const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
const BUVID: &str = "buvid3=D9656DA8-9BEF-F464-5B72-C4849AFD336379044infoc";
/// Only a hang makes a test wait that long.
const PATIENCE: Duration = Duration::from_secs(60);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn simulator(pace: f64) -> Simulator {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Simulator::start(SimulatorOptions { pace, ..SimulatorOptions::default() }).await.expect("starts")
}

async fn get(simulator: &Simulator, path_and_query: &str, user_agent: &str, cookie: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.get(format!("{}{path_and_query}", simulator.base_url()));
    let request = request.header("User-Agent", user_agent).header("Cookie", cookie);
    request.send().await.expect("an answer").json().await.expect("is JSON")
}

async fn post(simulator: &Simulator, path: &str, body: Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.post(format!("{}{path}", simulator.base_url())).json(&body);
    request.send().await.expect("an answer").json().await.expect("is JSON")
}

async fn signed(simulator: &Simulator, params: &[(&str, &str)], age: u64) -> String {
    let nav = get(simulator, "/x/web-interface/nav", BROWSER, "").await;
    assert_eq!(nav["code"], -101);
    let pictures = &nav["data"]["wbi_img"];
    let url = |name: &str| pictures[name].as_str().expect("an address");
    let keys = WbiKeys::from_urls(url("img_url"), url("sub_url")).expect("keys");
    keys.sign(params, super::world::now_ms().unsigned_abs() / 1000 - age)
}

const DANMU_INFO: &str = "/xlive/web-room/v1/index/getDanmuInfo?";

async fn danmu_info(simulator: &Simulator, room: u64) -> Value {
    let query = signed(simulator, &[("id", &room.to_string()), ("type", "0"), ("web_location", "444.8")], 0).await;
    let answer = get(simulator, &format!("{DANMU_INFO}{query}"), BROWSER, BUVID).await;
    assert_eq!(answer["code"], 0, "{answer}");
    answer["data"].clone()
}

/// Opens the socket that `info` names and says `first`.
async fn dial(info: &Value, user_agent: &'static str, first: Vec<u8>) -> Socket {
    let host = info["host_list"].as_array().and_then(|hosts| hosts.last()).expect("a host");
    let url = format!("ws://{}:{}/sub", host["host"].as_str().expect("a name"), host["ws_port"]);
    let mut request = url.into_client_request().expect("an address");
    request.headers_mut().insert("User-Agent", HeaderValue::from_static(user_agent));
    let (mut socket, _) = connect_async(request).await.expect("connects");
    socket.send(Message::Binary(first.into())).await.expect("takes the first packet");
    socket
}

fn auth(room: u64, protover: u16, token: &Value, uid: u64) -> Vec<u8> {
    let body = json!({"uid": uid, "roomid": room, "protover": protover, "platform": "web", "type": 2, "buvid": "x", "key": token});
    encode(Operation::Auth, 1, body.to_string().as_bytes())
}

async fn enter(simulator: &Simulator, room: u64, protover: u16) -> Socket {
    let info = danmu_info(simulator, room).await;
    let mut socket = dial(&info, BROWSER, auth(room, protover, &info["token"], 0)).await;
    let frame = next_frame(&mut socket).await.expect("an answer");
    let reply = packets(&frame).next().expect("a packet").expect("is whole");
    assert_eq!((reply.operation, reply.body), (Operation::AuthReply, &br#"{"code":0}"#[..]));
    socket
}

/// The next binary frame; `None` when the connection was cut.
async fn next_frame(socket: &mut Socket) -> Option<bytes::Bytes> {
    match timeout(PATIENCE, socket.next()).await.expect("something happens") {
        Some(Ok(Message::Binary(frame))) => Some(frame),
        Some(Ok(other)) => panic!("unexpected {other:?}"),
        Some(Err(_)) | None => None,
    }
}

/// The messages of a frame with the versions of the packets around them.
fn messages(frame: &[u8]) -> Vec<(u16, Value)> {
    let mut found = Vec::new();
    for packet in packets(frame) {
        let packet = packet.expect("is whole");
        assert_eq!(packet.operation, Operation::Message);
        match Packing::of_version(packet.version) {
            Some(packing) => {
                let run = Inflater::default().inflate(packing, packet.body).expect("inflates");
                found.extend(messages(&run).into_iter().map(|(_, message)| (packet.version, message)));
            }
            None => found.push((packet.version, serde_json::from_slice(packet.body).expect("is JSON"))),
        }
    }
    found
}

#[actix_web::test]
async fn what_is_said_arrives_over_every_protover_and_is_counted() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].clone();
    for (protover, seen) in [(0, 1), (2, 2), (3, 3)] {
        let mut socket = enter(&simulator, room.room_id, protover).await;
        post(
            &simulator,
            &format!("/sim/room/{}/say", room.short_id),
            json!({"message": "听得到吗", "username": "试音"}),
        )
        .await;
        post(&simulator, &format!("/sim/room/{}/gift", room.room_id), json!({"num": 3, "price": 500})).await;
        let mut commands = Vec::new();
        while commands.len() < 2 {
            for (version, message) in messages(&next_frame(&mut socket).await.expect("a frame")) {
                assert!(version == 0 || version == protover, "{version} for {protover}");
                commands.push(message["cmd"].as_str().expect("a command").split(':').next().map(str::to_owned));
                if message["info"].is_array() {
                    assert_eq!((&message["info"][1], &message["info"][2][1]), (&json!("听得到吗"), &json!("试音")));
                    assert_eq!(message["info"].as_array().map(Vec::len), Some(18));
                    assert_eq!(message["info"][0].as_array().map(Vec::len), Some(18));
                }
            }
        }
        assert_eq!(commands, [Some("DANMU_MSG".to_owned()), Some("SEND_GIFT_V2".to_owned())]);
        let truth = simulator.truth()[&room.room_id];
        assert_eq!((truth.danmaku, truth.gifts, truth.paid_gold.gift), (seen, seen, 1500 * seen as i64));
    }
    simulator.stop().await;
}

#[actix_web::test]
async fn what_nobody_hears_is_not_counted() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[1].room_id;
    post(&simulator, &format!("/sim/room/{room}/say"), json!({"message": "有人吗"})).await;
    let mut socket = enter(&simulator, room, 3).await;
    post(&simulator, &format!("/sim/room/{room}/super_chat"), json!({"message": "在", "price": 30})).await;
    let mut seen = 0;
    while seen < 3 {
        let found = messages(&next_frame(&mut socket).await.expect("a frame"));
        seen += found
            .iter()
            .filter(|(_, message)| message["cmd"].as_str().is_some_and(|cmd| cmd.starts_with("SUPER")))
            .count();
    }
    let truth = simulator.truth()[&room];
    assert_eq!(
        (truth.super_chats, truth.paid_gold.super_chat),
        (1, 30_000),
        "the twin and the second push count nothing"
    );
    simulator.stop().await;
}

#[actix_web::test]
async fn a_stream_token_needs_signature_cookie_and_browser() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].room_id.to_string();
    let good = signed(&simulator, &[("id", &room), ("type", "0")], 0).await;
    let stale = signed(&simulator, &[("id", &room), ("type", "0")], 3600).await;
    let unsigned = format!("id={room}&type=0");
    let broken = good.replace("type=0", "type=1");
    for (query, user_agent, cookie) in [
        (&unsigned, BROWSER, BUVID),
        (&broken, BROWSER, BUVID),
        (&stale, BROWSER, BUVID),
        (&good, BROWSER, ""),
        (&good, "curl/8.5.0", BUVID),
        (&good, "", BUVID),
    ] {
        let answer = get(&simulator, &format!("{DANMU_INFO}{query}"), user_agent, cookie).await;
        assert_eq!(answer["code"], -352, "{query} {user_agent:?} {cookie:?}");
        assert!(answer["data"]["v_voucher"].as_str().is_some_and(|voucher| voucher.starts_with("voucher_")));
    }
    let answer = get(&simulator, &format!("{DANMU_INFO}{good}"), BROWSER, BUVID).await;
    assert_eq!((&answer["code"], answer["data"]["host_list"].as_array().map(Vec::len)), (&json!(0), Some(3)));
    simulator.stop().await;
}

#[actix_web::test]
async fn whoever_does_not_authenticate_properly_is_cut_without_a_word() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].clone();
    let info = danmu_info(&simulator, room.room_id).await;
    let token = &info["token"];
    for (what, user_agent, first) in [
        ("a wrong token", BROWSER, auth(room.room_id, 3, &json!("no such token"), 0)),
        ("another user", BROWSER, auth(room.room_id, 3, token, 7)),
        ("a short number", BROWSER, auth(room.short_id, 3, token, 0)),
        ("another user agent", "Mozilla/5.0 another", auth(room.room_id, 3, token, 0)),
        ("a heartbeat first", BROWSER, encode(Operation::Heartbeat, 1, b"")),
    ] {
        let mut socket = dial(&info, user_agent, first).await;
        assert_eq!(next_frame(&mut socket).await, None, "{what}");
    }
    // A second authentication ends a good connection.
    let mut socket = enter(&simulator, room.room_id, 3).await;
    socket.send(Message::Binary(auth(room.room_id, 3, token, 0).into())).await.expect("is open");
    assert_eq!(next_frame(&mut socket).await, None);
    simulator.stop().await;
}

#[actix_web::test]
async fn connections_are_cut_and_hosts_are_dead_when_asked_for() {
    let cut_every = Some(Duration::from_millis(300));
    let options = SimulatorOptions { pace: 0.0, cut_every, dead_first_host: true, ..SimulatorOptions::default() };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let simulator = Simulator::start(options).await.expect("starts");
    let room = simulator.rooms()[0].room_id;
    let hosts = danmu_info(&simulator, room).await["host_list"].clone();
    assert!(hosts[0] != hosts[2] && hosts[1] == hosts[2], "{hosts}");
    let dead = format!("{}:{}", hosts[0]["host"].as_str().expect("a name"), hosts[0]["ws_port"]);
    assert!(TcpStream::connect(dead).await.is_err());
    let mut socket = enter(&simulator, room, 3).await;
    assert_eq!(next_frame(&mut socket).await, None);
    simulator.stop().await;
}

#[actix_web::test]
async fn heartbeats_are_echoed_beyond_the_packet() {
    let simulator = simulator(0.0).await;
    let mut socket = enter(&simulator, simulator.rooms()[0].room_id, 3).await;
    for body in ["", "[object Object]"] {
        let heartbeat = encode(Operation::Heartbeat, 1, body.as_bytes());
        socket.send(Message::Binary(heartbeat.into())).await.expect("is open");
        let frame = next_frame(&mut socket).await.expect("an answer");
        let (packet, echo) = frame.split_at(20);
        assert_eq!((&packet[..4], &packet[16..]), (&[0, 0, 0, 20][..], &[0, 0, 0, 1][..]));
        assert_eq!(echo, body.as_bytes());
    }
    simulator.stop().await;
}

#[actix_web::test]
async fn rooms_are_found_by_short_and_long_number_and_through_their_streamer() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].clone();
    for number in [room.room_id, room.short_id] {
        let answer = get(&simulator, &format!("/room/v1/Room/room_init?id={number}"), BROWSER, "").await;
        assert_eq!((&answer["data"]["room_id"], &answer["data"]["live_status"]), (&json!(room.room_id), &json!(1)));
    }
    let unknown = get(&simulator, "/room/v1/Room/room_init?id=12345", BROWSER, "").await;
    assert_eq!(unknown["code"], 60004);
    let off_air = simulator.rooms()[5].clone();
    let answer =
        post(&simulator, "/room/v1/Room/get_status_info_by_uids", json!({"uids": [room.uid, off_air.uid, 1]})).await;
    assert_eq!(answer["data"].as_object().map(serde_json::Map::len), Some(2));
    assert_eq!(answer["data"][off_air.uid.to_string()]["live_time"], 0);
    let master = get(&simulator, &format!("/live_user/v1/Master/info?uid={}", room.uid), BROWSER, "").await;
    let anchor = api::parse_master_info(master.to_string().as_bytes()).expect("a streamer");
    assert_eq!((anchor.uid.0, anchor.uname), (room.uid, room.name.clone()));
    let spi = get(&simulator, "/x/frontend/finger/spi", BROWSER, "").await;
    assert!(api::parse_spi(spi.to_string().as_bytes()).expect("an identity").buvid3.ends_with("infoc"));
    let none = get(&simulator, "/room/v1/Room/get_status_info_by_uids?uids[]=1", BROWSER, "").await;
    assert_eq!(none["data"], json!([]));
    post(&simulator, &format!("/sim/room/{}/live", off_air.room_id), json!({"on": true})).await;
    let query = format!("req_biz=web_room_componet&room_ids={}&room_ids={}", room.room_id, off_air.room_id);
    let answer = get(&simulator, &format!("/xlive/web-room/v1/index/getRoomBaseInfo?{query}"), BROWSER, "").await;
    let found = &answer["data"]["by_room_ids"];
    assert_eq!(found[off_air.room_id.to_string()]["live_status"], 1);
    assert_eq!(found[room.room_id.to_string()]["uname"], json!(room.name));
    simulator.stop().await;
}

#[actix_web::test]
async fn the_story_tells_the_truth() {
    let world = World::new(SimulatorOptions::default(), "http://127.0.0.1:1".to_owned(), 2);
    let mut commands = HashSet::new();
    for room in &world.rooms[..5] {
        let mut script = Script::new(room.clone(), world.base.clone(), 7);
        let mut said = Counts::default();
        let mut truth = Truth::default();
        let mut reader = Reader::default();
        for tick in 0..3000 {
            let sent = script.advance(0.2, 0.2);
            let lines = sent.iter().filter(|message| message.json.contains("DANMU_MSG")).count();
            assert!(lines <= 4, "{lines} lines in a tick");
            for message in sent {
                let value: Value = serde_json::from_str(&message.json).expect("is JSON");
                commands.insert(value["cmd"].as_str().expect("a command").split(':').next().unwrap_or("").to_owned());
                said.read(&value);
                reader.read(room.streamer.room_id, &message.json, Duration::from_millis(tick * 200));
                truth.add(message.fact);
            }
        }
        assert_eq!(said.truth(), truth, "{}", room.name);
        assert_eq!(reader.truth(), truth, "{} as the product reads it", room.name);
    }
    let mut missing = Vec::new();
    for command in "DANMU_MSG SEND_GIFT SEND_GIFT_V2 COMBO_SEND SUPER_CHAT_MESSAGE SUPER_CHAT_MESSAGE_JPN GUARD_BUY \
        USER_TOAST_MSG USER_TOAST_MSG_V2 INTERACT_WORD_V2 ENTRY_EFFECT LIKE_INFO_V3_CLICK LIKE_INFO_V3_UPDATE \
        WATCHED_CHANGE ONLINE_RANK_COUNT ONLINE_RANK_V3 ROOM_REAL_TIME_MESSAGE_UPDATE STOP_LIVE_ROOM_LIST ROOM_CHANGE \
        LIVE PREPARING ANCHOR_LOT_START ANCHOR_LOT_END SIM_NEW_COMMAND"
        .split_whitespace()
    {
        if !commands.contains(command) {
            missing.push(command);
        }
    }
    assert!(missing.is_empty(), "never sent: {missing:?}");
}

/// Counts what the product's own decoder makes of the messages.
#[derive(Default)]
struct Reader {
    seen: HashSet<EventId>,
    guards: GuardMerge,
    truth: Truth,
}

impl Reader {
    fn read(&mut self, room: u64, json: &str, now: Duration) {
        let arrival = Arrival { room_id: RoomId(room), received_ms: super::world::now_ms() };
        let events = match decode(json.as_bytes(), arrival) {
            Decoded::Events(events) => events,
            Decoded::Guard(message) => self.guards.take(message, now).into_iter().collect(),
            Decoded::Ignored | Decoded::Signal(_) => Vec::new(),
            Decoded::Unknown(name) => {
                assert_eq!(name, "SIM_NEW_COMMAND");
                Vec::new()
            }
            Decoded::Malformed(what) => panic!("{what}: {json}"),
        };
        let late = self.guards.due(now);
        events.into_iter().chain(late).for_each(|event| self.count(&event));
    }

    fn count(&mut self, event: &Event) {
        if !self.seen.insert(event.id) {
            return;
        }
        let paid = event.paid().0;
        self.truth.add(match event.kind() {
            Kind::Danmaku => Fact::Danmaku,
            Kind::Gift => Fact::Gifts { transactions: 1, paid },
            Kind::SuperChat => Fact::SuperChat { paid },
            Kind::Guard => Fact::Guard { paid },
            _ => Fact::Nothing,
        });
    }

    fn truth(mut self) -> Truth {
        self.guards.flush().iter().for_each(|event| self.count(event));
        self.truth
    }
}

/// Counts by the protocol notes, from nothing but the messages.
#[derive(Default)]
struct Counts {
    danmaku: HashSet<String>,
    transactions: HashSet<String>,
    super_chats: HashMap<i64, i64>,
    /// What a toast said, else the list price.
    guards: HashMap<u64, (bool, i64)>,
    gift_gold: i64,
}

impl Counts {
    fn read(&mut self, message: &Value) {
        let data = &message["data"];
        let text = |value: &Value| value.as_str().expect("is text").to_owned();
        match message["cmd"].as_str().and_then(|cmd| cmd.split(':').next()).unwrap_or("") {
            "DANMU_MSG" => {
                let extra: Value = serde_json::from_str(&text(&message["info"][0][15]["extra"])).expect("is JSON");
                self.danmaku.insert(text(&extra["id_str"]));
            }
            "SEND_GIFT" => {
                assert_eq!(data["tid"], data["rnd"]);
                if self.transactions.insert(text(&data["tid"]))
                    && data["coin_type"] == "gold"
                    && data["bag_gift"].is_null()
                {
                    self.gift_gold += data["total_coin"].as_i64().expect("a number");
                }
            }
            "SEND_GIFT_V2" => {
                let bytes = STANDARD.decode(text(&data["pb"])).expect("is base64");
                let gift = proto::SendGift::decode(&bytes[..]).expect("is protobuf");
                for item in gift.items {
                    if self.transactions.insert(item.tid) && item.coin_type == "gold" && item.bag_gift.is_none() {
                        self.gift_gold += item.total_coin;
                    }
                }
            }
            "SUPER_CHAT_MESSAGE" | "SUPER_CHAT_MESSAGE_JPN" => {
                let id = data["id"].as_i64().or_else(|| data["id"].as_str()?.parse().ok()).expect("a number");
                self.super_chats.insert(id, data["price"].as_i64().expect("a number") * 1000);
            }
            "GUARD_BUY" => self.board(&data["uid"], false, &data["price"]),
            "USER_TOAST_MSG" => self.board(&data["uid"], true, &data["price"]),
            "USER_TOAST_MSG_V2" if data["option"]["source"] == 0 => {
                self.board(&data["sender_uinfo"]["uid"], true, &data["pay_info"]["price"]);
            }
            _ => {}
        }
    }

    /// In these stories nobody buys two guards.
    fn board(&mut self, uid: &Value, toast: bool, price: &Value) {
        let price = price.as_i64().expect("a number");
        let known = self.guards.entry(uid.as_u64().expect("a number")).or_insert((toast, price));
        if toast && !known.0 {
            *known = (true, price);
        }
    }

    fn truth(&self) -> Truth {
        Truth {
            danmaku: self.danmaku.len() as u64,
            gifts: self.transactions.len() as u64,
            super_chats: self.super_chats.len() as u64,
            guards: self.guards.len() as u64,
            paid_gold: PaidGold {
                gift: self.gift_gold,
                super_chat: self.super_chats.values().sum(),
                guard: self.guards.values().map(|(_, price)| price).sum(),
            },
        }
    }
}
