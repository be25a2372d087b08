//! Live connections over real sockets: one that reads, one that does not, and the end.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, protocol::frame::coding::CloseCode},
};

use super::{Server, serve, tests::web};
use crate::{
    actors::ring::{Piece, Ring},
    domain::{Kind, RoomId},
};

type Browser = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

struct Rig {
    server: Server,
    ring: Arc<Ring>,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

fn open() -> Rig {
    let (web, _, folder) = web();
    let ring = web.ring.clone();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    Rig { server: serve(listener, web).expect("serves"), ring, address, _folder: folder }
}

impl Rig {
    fn push(&self, text: &str, size: usize) {
        let json = format!("\"{text}{}\"", "x".repeat(size));
        self.ring.push_events(vec![(RoomId(1), Piece { kind: Kind::Danmaku, json: json.into() })]);
    }

    async fn browser(&self, query: &str) -> Browser {
        connect_async(format!("ws://{}/live/ws/?{query}", self.address)).await.expect("a connection").0
    }

    /// A browser that shakes hands and then reads nothing.
    fn stalled(&self) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).expect("a connection");
        SockRef::from(&socket).set_recv_buffer_size(4096).expect("set");
        let request = "GET /live/ws/?rooms=all HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        socket.write_all(request.as_bytes()).expect("sent");
        socket
    }
}

async fn next(browser: &mut Browser) -> Option<Value> {
    loop {
        match timeout(Duration::from_secs(5), browser.next()).await.expect("something comes")? {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).expect("JSON")),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

async fn events(browser: &mut Browser) -> Value {
    loop {
        let message = next(browser).await.expect("still open");
        if message["type"] == "events" {
            return message;
        }
    }
}

#[actix_web::test]
async fn who_asks_is_told_of_today_at_once() {
    let rig = open();
    let mut browser = rig.browser("rooms=all&today=true").await;
    assert_eq!(next(&mut browser).await.expect("a greeting")["type"], "hello");
    let today = next(&mut browser).await.expect("today");
    assert_eq!((&today["type"], &today["today"]["people"]), (&json!("today"), &json!(1)), "{today}");
    rig.server.stop(Instant::now() + Duration::from_secs(2)).await;
}

#[actix_web::test]
async fn a_browser_that_comes_back_gets_exactly_what_it_missed() {
    let rig = open();
    let mut browser = rig.browser("rooms=1&kinds=danmaku").await;
    assert_eq!(next(&mut browser).await.expect("a greeting")["type"], "hello");
    rig.push("a", 0);
    let got = events(&mut browser).await;
    assert_eq!(got["events"], json!(["a"]));
    drop(browser);
    rig.push("b", 0);
    let mut browser =
        rig.browser(&format!("rooms=1&kinds=danmaku&after={}", got["cursor"].as_str().expect("text"))).await;
    assert_eq!(events(&mut browser).await["events"], json!(["b"]));
    let subscribe = json!({"type": "subscribe", "rooms": [2], "kinds": ["gift"], "health": true});
    browser.send(Message::text(subscribe.to_string())).await.expect("sent");
    assert_eq!(next(&mut browser).await.expect("a greeting")["type"], "hello");
    rig.push("not wanted any more", 0);
    // The first browser's session ends when its socket is found closed, which may be a reading later.
    loop {
        let health = next(&mut browser).await.expect("the health");
        assert_eq!(health["type"], "health", "{health}");
        if health["health"]["sessions"] == 1 {
            break;
        }
    }
    browser.send(Message::text("nonsense")).await.expect("sent");
    let answer = next(&mut browser).await.expect("an answer");
    assert!(answer["type"] == "error" || answer["type"] == "health", "{answer}");
    rig.server.stop(Instant::now() + Duration::from_secs(2)).await;
}

#[actix_web::test]
async fn a_browser_that_stops_reading_is_cut_and_its_neighbour_is_not() {
    let rig = open();
    let mut reading = rig.browser("rooms=all").await;
    let stalled = rig.stalled();
    assert_eq!(next(&mut reading).await.expect("a greeting")["type"], "hello");
    // More than every buffer on the way can hold.
    let mut received = 0;
    for n in 0..400 {
        rig.push(&n.to_string(), 64 * 1024);
        received += events(&mut reading).await["events"].as_array().expect("events").len();
    }
    while received < 400 {
        received += events(&mut reading).await["events"].as_array().expect("events").len();
    }
    let begun = Instant::now();
    while rig.server.sessions.count() > 1 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the stalled browser is still there");
        sleep(Duration::from_millis(50)).await;
    }
    rig.push("after", 0);
    assert_eq!(events(&mut reading).await["events"], json!(["after"]));
    drop(stalled);
    rig.server.stop(Instant::now() + Duration::from_secs(2)).await;
}

#[actix_web::test]
async fn the_end_is_said_to_those_who_listen_and_waits_for_nobody() {
    let rig = open();
    let mut reading = rig.browser("rooms=all").await;
    let _stalled = rig.stalled();
    assert_eq!(next(&mut reading).await.expect("a greeting")["type"], "hello");
    for n in 0..300 {
        rig.push(&n.to_string(), 64 * 1024);
        events(&mut reading).await;
    }
    rig.server.refuse_new();
    assert!(connect_async(format!("ws://{}/live/ws/", rig.address)).await.is_err(), "new ones are refused");
    let begun = Instant::now();
    let listener = tokio::spawn(async move {
        loop {
            match reading.next().await {
                Some(Ok(Message::Close(why))) => break why,
                Some(Ok(_)) => {}
                cut => panic!("it was not said: {cut:?}"),
            }
        }
    });
    rig.server.stop(begun + Duration::from_secs(2)).await;
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    let why = timeout(Duration::from_secs(2), listener).await.expect("the end was heard").expect("no panic");
    assert_eq!(why.map(|why| why.code), Some(CloseCode::Away));
}

#[actix_web::test]
async fn head_is_answered_as_get_is_without_the_body() {
    let rig = open();
    for path in ["/live/", "/live/api/rooms/", "/static/style.css", "/healthz"] {
        let mut socket = TcpStream::connect(rig.address).expect("a connection");
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = tokio::task::spawn_blocking(move || {
            socket.write_all(request.as_bytes()).expect("sent");
            let mut answer = String::new();
            socket.read_to_string(&mut answer).map(|_| answer)
        });
        let answer = answer.await.expect("no panic").expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{path}: {answer}");
    }
    rig.server.stop(Instant::now() + Duration::from_secs(2)).await;
}
