//! The share of a time in which rooms were received, as the statistics tell it: held against a disconnect whose length
//! is known, a pause, a kill and a stop.
//!
//! Moments between which the fake let nobody in are the test's own; a gap has to hold them, and its edges are then
//! what shares are computed from.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room, unix_ms},
    monitor::{Monitor, Setup},
    packet::Packing,
    same,
    story::Story,
};

/// Of one room, or of all that are watched.
async fn coverage(monitor: &Monitor, room: Option<u64>, from_ms: i64, to_ms: i64) -> Value {
    let of = room.map_or("system".to_owned(), |room| format!("room/{room}"));
    monitor.data(&format!("/live/api/{of}/stats/?from={from_ms}&to={to_ms}")).await["stats"]["coverage"].take()
}

/// Edges of the gap in which `from_ms..to_ms` lies, when it has ended.
async fn gap_around(monitor: &Monitor, room: u64, from_ms: i64, to_ms: i64, reason: &str) -> (i64, i64) {
    eventually(&format!("a gap of {room} with {reason:?} holds {from_ms} to {to_ms}"), async || {
        let gaps = monitor.data(&format!("/live/api/room/{room}/gaps/")).await["gaps"].take();
        let edges = |gap: &Value| Some((gap["from_ms"].as_i64()?, gap["to_ms"].as_i64()?));
        let holding = gaps.as_array().into_iter().flatten().find_map(|gap| {
            let told = gap["reason"].as_str().is_some_and(|told| told.contains(reason));
            edges(gap).filter(|(from, to)| told && *from <= from_ms && to_ms <= *to)
        });
        holding.ok_or_else(|| gaps.to_string())
    })
    .await
}

/// Waits until this moment has passed.
async fn passed(ms: i64) {
    eventually("time passes", async || if unix_ms() > ms { Ok(()) } else { Err(unix_ms().to_string()) }).await;
}

/// As much before the end of a gap as after it: half, whichever way the program met it.
async fn half_is_missing(monitor: &Monitor, room: u64, other: u64, (from, to): (i64, i64)) {
    let end = to + (to - from);
    passed(end).await;
    for (what, of, span, share) in [
        ("within the gap", Some(room), (from, to), 0.0),
        ("after it", Some(room), (to, end), 1.0),
        ("half of it", Some(room), (from, end), 0.5),
        ("of the other room", Some(other), (from, end), 1.0),
        ("of both together", None, (from, end), 0.75),
    ] {
        assert_eq!(coverage(monitor, of, span.0, span.1).await, json!(share), "{what}: {span:?}");
    }
}

#[tokio::test]
async fn the_statistics_tell_how_much_was_received_over_a_disconnect_a_pause_a_kill_and_a_stop() {
    let rooms = [Room::new(92_000_421, Packing::Brotli), Room::new(92_000_422, Packing::Zlib)];
    let ids @ [room, other] = [rooms[0].room_id, rooms[1].room_id];
    let fake = FakeBilibili::start(rooms.clone());
    let mut monitor = Setup::watching(&fake, &ids).start().await;
    assert_eq!(coverage(&monitor, None, 1_000, 2_000).await, Value::Null, "nobody knows of that time");
    fake.wait_for(&ids, 1).await;
    for of in &rooms {
        fake.send(of.room_id, &Story::chat(of, 1).messages);
    }
    eventually("both are watched", async || same(monitor.rows("id", "live_data_danmakudata").len(), 2)).await;

    fake.refuse_tokens(usize::MAX);
    fake.drop_connections(room);
    monitor.wait_for_state(room, "backoff").await;
    let lost_ms = unix_ms();
    sleep(Duration::from_secs(2)).await;
    let open_ms = unix_ms();
    fake.refuse_tokens(0);
    fake.wait_for(&[room], 2).await;
    let gap = gap_around(&monitor, room, lost_ms, open_ms, "").await;
    half_is_missing(&monitor, room, other, gap).await;

    let steer = async |what: &str| {
        let path = format!("/live/api/admin/rooms/{other}/{what}/");
        assert_eq!(monitor.administrate(Method::POST, &path, json!({})).await.0, 200);
    };
    steer("pause").await;
    monitor.wait_for_state(other, "paused").await;
    let paused_ms = unix_ms();
    sleep(Duration::from_secs(1)).await;
    let resumed_ms = unix_ms();
    steer("resume").await;
    fake.wait_for(&[other], 2).await;
    let gap = gap_around(&monitor, other, paused_ms, resumed_ms, "paused").await;
    half_is_missing(&monitor, other, room, gap).await;

    for (times, kill) in [(3, true), (4, false)] {
        if kill {
            monitor.kill_9();
        } else {
            monitor.terminate();
            assert_eq!(monitor.ended().await.code(), Some(0));
        }
        let ended_ms = unix_ms();
        sleep(Duration::from_secs(1)).await;
        let begun_ms = unix_ms();
        monitor = monitor.setup().clone().start().await;
        fake.wait_for(&[room], times).await;
        fake.wait_for(&[other], times).await;
        for id in ids {
            let (from, to) = gap_around(&monitor, id, ended_ms, begun_ms, "did not run").await;
            assert_eq!(coverage(&monitor, Some(id), from, to).await, json!(0.0), "killed: {kill}");
        }
        assert_eq!(coverage(&monitor, None, ended_ms, begun_ms).await, json!(0.0), "killed: {kill}");
    }
}
