//! A client for the simulator's tests: HTTP and a WebSocket, as the product comes in. Nothing of it is in the product.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{Simulator, SimulatorOptions};
use crate::protocol::{
    Operation, WbiKeys, encode,
    inflate::{Inflater, Packing},
    packets,
};

pub const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
pub const BUVID: &str = "buvid3=D9656DA8-9BEF-F464-5B72-C4849AFD336379044infoc";

/// Only a hang makes a test wait that long.
const PATIENCE: Duration = Duration::from_secs(60);

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub async fn simulator(pace: f64) -> Simulator {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Simulator::start(SimulatorOptions { pace, ..SimulatorOptions::default() }).await.expect("starts")
}

pub async fn get(simulator: &Simulator, path_and_query: &str, user_agent: &str, cookie: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.get(format!("{}{path_and_query}", simulator.base_url()));
    let request = request.header("User-Agent", user_agent).header("Cookie", cookie);
    request.send().await.expect("an answer").json().await.expect("is JSON")
}

pub async fn post(simulator: &Simulator, path: &str, body: Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.post(format!("{}{path}", simulator.base_url())).json(&body);
    request.send().await.expect("an answer").json().await.expect("is JSON")
}

pub async fn signed(simulator: &Simulator, params: &[(&str, &str)], age: u64) -> String {
    let nav = get(simulator, "/x/web-interface/nav", BROWSER, "").await;
    assert_eq!(nav["code"], -101);
    let pictures = &nav["data"]["wbi_img"];
    let url = |name: &str| pictures[name].as_str().expect("an address");
    let keys = WbiKeys::from_urls(url("img_url"), url("sub_url")).expect("keys");
    keys.sign(params, super::world::now_ms().unsigned_abs() / 1000 - age)
}

pub const DANMU_INFO: &str = "/xlive/web-room/v1/index/getDanmuInfo?";

pub async fn danmu_info(simulator: &Simulator, room: u64) -> Value {
    let query = signed(simulator, &[("id", &room.to_string()), ("type", "0"), ("web_location", "444.8")], 0).await;
    let answer = get(simulator, &format!("{DANMU_INFO}{query}"), BROWSER, BUVID).await;
    assert_eq!(answer["code"], 0, "{answer}");
    answer["data"].clone()
}

/// Opens the socket that `info` names and says `first`.
pub async fn dial(info: &Value, user_agent: &'static str, first: Vec<u8>) -> Socket {
    let host = info["host_list"].as_array().and_then(|hosts| hosts.last()).expect("a host");
    let url = format!("ws://{}:{}/sub", host["host"].as_str().expect("a name"), host["ws_port"]);
    let mut request = url.into_client_request().expect("an address");
    request.headers_mut().insert("User-Agent", HeaderValue::from_static(user_agent));
    let (mut socket, _) = connect_async(request).await.expect("connects");
    socket.send(Message::Binary(first.into())).await.expect("takes the first packet");
    socket
}

pub fn auth(room: u64, protover: u16, token: &Value, uid: u64) -> Vec<u8> {
    let body = json!({"uid": uid, "roomid": room, "protover": protover, "platform": "web", "type": 2, "buvid": "x", "key": token});
    encode(Operation::Auth, 1, body.to_string().as_bytes())
}

pub async fn enter(simulator: &Simulator, room: u64, protover: u16) -> Socket {
    let info = danmu_info(simulator, room).await;
    let mut socket = dial(&info, BROWSER, auth(room, protover, &info["token"], 0)).await;
    let frame = next_frame(&mut socket).await.expect("an answer");
    let reply = packets(&frame).next().expect("a packet").expect("is whole");
    assert_eq!((reply.operation, reply.body), (Operation::AuthReply, &br#"{"code":0}"#[..]));
    socket
}

/// The next binary frame; `None` when the connection was cut.
pub async fn next_frame(socket: &mut Socket) -> Option<bytes::Bytes> {
    match timeout(PATIENCE, socket.next()).await.expect("something happens") {
        Some(Ok(Message::Binary(frame))) => Some(frame),
        Some(Ok(other)) => panic!("unexpected {other:?}"),
        Some(Err(_)) | None => None,
    }
}

/// The messages of a frame with the versions of the packets around them.
pub fn messages(frame: &[u8]) -> Vec<(u16, Value)> {
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
