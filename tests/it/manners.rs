//! What Bilibili says when it has had enough, and that the program does then what is meant.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{eventually, monitor::Monitor, same, simulator::Simulator};

/// A simulator and the program, which watches one room and asks for a new ticket as soon as it is cut.
async fn one_room() -> (Simulator, Monitor, u64) {
    let simulator = Simulator::start(1, 0.0).await;
    let room = simulator.rooms(1).await[0];
    let monitor = simulator.watched(&[room]).start().await;
    simulator.wait_for_connections(1).await;
    (simulator, monitor, room)
}

/// From now on calls for a ticket are answered with this code, so often; and one is needed now.
async fn refuse(simulator: &Simulator, code: i64, times: u32) {
    simulator.tell("faults/refuse", json!({"call": "getDanmuInfo", "code": code, "times": times})).await;
    simulator.tell("tokens/revoke", json!({})).await;
    simulator.tell("cut", json!({})).await;
}

async fn calls(simulator: &Simulator, name: &str) -> u64 {
    simulator.ask("calls").await["calls"][name].as_u64().unwrap_or(0)
}

async fn standing(monitor: &Monitor) -> Value {
    monitor.administrate(Method::GET, "/live/api/admin/accounts/", Value::Null).await.1["data"].take()
}

#[tokio::test]
async fn risk_control_is_answered_with_new_keys_once_and_then_with_a_rest_that_is_seen() {
    let (simulator, monitor, room) = one_room().await;
    let (tickets, keys) = (calls(&simulator, "getDanmuInfo").await, calls(&simulator, "nav").await);
    refuse(&simulator, -352, 1).await;
    simulator.wait_for_connections(1).await;
    assert_eq!(calls(&simulator, "getDanmuInfo").await, tickets + 2, "once more, and it was let in");
    assert_eq!(calls(&simulator, "nav").await, keys + 1, "with keys fetched anew");

    refuse(&simulator, -352, 9).await;
    let visitor = eventually("it rests, and says until when and why", async || {
        let visitor = standing(&monitor).await["visitor"].take();
        if visitor["cooling_until_ms"].is_i64() { Ok(visitor) } else { Err(visitor.to_string()) }
    })
    .await;
    assert!(visitor["why"].to_string().contains("352"), "{visitor}");
    assert_eq!(calls(&simulator, "getDanmuInfo").await, tickets + 4, "once more, and no third time");
    assert_eq!(calls(&simulator, "nav").await, keys + 2);
    eventually("the room is not called live", async || {
        let entry = monitor.room(room).await.unwrap_or_default();
        if entry["state"] != "live" && entry["error"].is_string() { Ok(()) } else { Err(entry.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn too_many_requests_keep_everybody_away_for_half_a_minute_and_then_it_goes_on_by_itself() {
    let (simulator, monitor, room) = one_room().await;
    refuse(&simulator, -509, 1).await;
    let family = eventually("it says what it leaves alone", async || {
        let families = standing(&monitor).await["families"].take();
        families.get(0).filter(|family| family["cooling_until_ms"].is_i64()).cloned().ok_or(families.to_string())
    })
    .await;
    assert!(family["family"] == "live" && family["why"].to_string().contains("509"), "{family}");
    let asked = calls(&simulator, "getDanmuInfo").await;
    monitor.administrate(Method::POST, &format!("/live/api/admin/rooms/{room}/restart/"), json!({})).await;
    eventually("the rest is over", async || {
        let resting = standing(&monitor).await["families"].as_array().map_or(0, Vec::len);
        let now = calls(&simulator, "getDanmuInfo").await;
        assert!(resting == 0 || now == asked, "nothing was asked while it rested, whoever wanted it");
        same(resting, 0)
    })
    .await;
    simulator.wait_for_connections(1).await;
    monitor.wait_for_state(room, "live").await;
}

#[tokio::test]
async fn a_server_that_fails_rests_nobody_and_is_asked_again() {
    let (simulator, monitor, room) = one_room().await;
    let asked = calls(&simulator, "getDanmuInfo").await;
    refuse(&simulator, 503, 2).await;
    simulator.wait_for_connections(1).await;
    monitor.wait_for_state(room, "live").await;
    assert_eq!(calls(&simulator, "getDanmuInfo").await, asked + 3);
    let standing = standing(&monitor).await;
    assert_eq!((&standing["families"], &standing["visitor"]["cooling_until_ms"]), (&json!([]), &Value::Null));
}
