//! What goes wrong upstream while the program runs, switched by the simulator's control page.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{eventually, monitor::Setup, same, simulator::Simulator};

#[tokio::test]
async fn two_hundred_connections_cut_at_once_come_back_at_the_pace_that_was_set() {
    const ROOMS: usize = 200;
    const PACE: i64 = 25;
    let simulator = Simulator::start(ROOMS, 0.0).await;
    let rooms = simulator.rooms(ROOMS).await;
    let _monitor = simulator.watched(&rooms).with(&["--connects-per-second", &PACE.to_string()]).start().await;
    simulator.wait_for_connections(ROOMS).await;
    let before = simulator.ask("calls").await;
    assert_eq!(simulator.tell("cut", json!({})).await["cut"], ROOMS);
    let cut_ms = before["now_ms"].as_i64().expect("a time");
    simulator.wait_for_connections(ROOMS).await;
    let wave = simulator.ask(&format!("calls?since_ms={cut_ms}")).await;
    let number = |name: &str| wave[name].as_i64().expect("a number");
    // Nobody comes twice, and all of them together took as long as the pace says; a busy machine can make it
    // slower and lumpier, never faster.
    assert!((ROOMS as i64..=ROOMS as i64 + 10).contains(&number("connects")), "{wave}");
    let least_ms = (ROOMS as i64 - 1) * 1000 / PACE;
    assert!(number("connects_span_ms") >= least_ms * 9 / 10, "{wave}");
    let asked: i64 = wave["calls"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_i64()).sum();
    assert!(asked <= 4 * ROOMS as i64 && number("calls_span_ms") >= least_ms * 8 / 10, "{wave}");
}

#[tokio::test]
async fn whoever_is_refused_for_going_too_fast_says_so_and_asks_no_more() {
    let simulator = Simulator::start(2, 0.0).await;
    let rooms = simulator.rooms(1).await;
    let monitor = simulator.watched(&rooms).start().await;
    simulator.wait_for_connections(1).await;
    simulator.tell("faults/refuse", json!({"call": "getDanmuInfo", "code": -412})).await;
    // A token that is still good would be used again, and nothing asked for.
    simulator.tell("tokens/revoke", json!({})).await;
    simulator.tell("cut", json!({})).await;
    eventually("it says what it leaves alone, until when and why", async || {
        let (_, answer) = monitor.administrate(Method::GET, "/live/api/admin/accounts/", Value::Null).await;
        let family = &answer["data"]["families"][0];
        let says = family["cooling_until_ms"].as_i64().is_some() && family["why"].to_string().contains("412");
        if says { Ok(()) } else { Err(answer.to_string()) }
    })
    .await;
    eventually("the room is not called live", async || {
        let entry = monitor.room(rooms[0]).await.unwrap_or_default();
        if entry["state"] != "live" && entry["error"].is_string() { Ok(()) } else { Err(entry.to_string()) }
    })
    .await;
    let asked = async || simulator.ask("calls").await["calls"]["getDanmuInfo"].clone();
    let before = asked().await;
    // Others are not asked for either: a room that is added finds the gate closed.
    let (status, body) = monitor.add_room(&simulator.rooms(2).await[1].to_string()).await;
    assert_ne!(status, 201, "{body}");
    assert_eq!(asked().await, before, "it kept asking");
}

#[tokio::test]
async fn people_whose_names_are_hidden_are_counted_by_what_stands_for_them_and_their_share_is_told() {
    let simulator = Simulator::start(1, 0.0).await;
    let room = simulator.rooms(1).await[0];
    simulator.tell(&format!("room/{room}/flaws"), json!({"withheld": 0.0})).await;
    let monitor = simulator.watched(&[room]).start().await;
    simulator.wait_for_connections(1).await;
    for name in ["夜航星", "半糖去冰", "柠檬味的风"] {
        simulator.tell(&format!("room/{room}/say"), json!({"message": "晚上好", "username": name})).await;
    }
    let lines = eventually("the lines are stored", async || {
        let lines = monitor.rows("uid, username, masked", "live_data_danmakudata ORDER BY id");
        same(lines.len(), 3).map(|()| lines)
    })
    .await;
    let name = |line: &Value| line["username"].as_str().unwrap_or_default().to_owned();
    assert_eq!(lines.iter().map(name).collect::<Vec<_>>(), ["夜***", "半***", "柠***"]);
    assert!(lines.iter().all(|line| line["uid"] == 0 && line["masked"] == 1), "{lines:?}");
    let stats = monitor.data(&format!("/live/api/room/{room}/stats/")).await["stats"].take();
    assert_eq!((&stats["masked"], &stats["masked_share"]), (&json!(3), &json!(1.0)), "{stats}");
    assert_eq!((&stats["total_users"], &stats["users_is_lower_bound"]), (&json!(3), &json!(false)), "{stats}");
}

#[tokio::test]
async fn broken_frames_of_every_kind_disturb_nothing_that_stands_around_them() {
    let simulator = Simulator::start(1, 0.0).await;
    let room = simulator.rooms(1).await[0];
    let monitor = simulator.watched(&[room]).start().await;
    simulator.wait_for_connections(1).await;
    for round in 0..3 {
        simulator.tell(&format!("room/{room}/say"), json!({"message": format!("第{round}句")})).await;
        eventually("the line is there", async || same(monitor.rows("id", "live_data_danmakudata").len(), round + 1))
            .await;
        simulator.tell(&format!("room/{room}/garbage"), json!({})).await;
        simulator.wait_for_connections(1).await;
    }
    assert_eq!(monitor.data("/live/api/ledger/").await["balanced"], true);
}

#[tokio::test]
async fn the_demo_names_its_control_page() {
    let monitor = Setup::new().with(&["--demo"]).start().await;
    let line =
        monitor.stdout().into_iter().find_map(|line| line.strip_prefix("make things happen on ").map(str::to_owned));
    let page = reqwest::get(line.expect("it is named")).await.expect("it is there").text().await.expect("text");
    assert!(page.contains("QR codes"), "{page}");
}
