//! The stream's door: who is let in, what arrives, and what is counted.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::{Simulator, SimulatorOptions, fixtures::*};
use crate::protocol::{Operation, encode};

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
