//! How the program ends, asked or not: what it received is in the history.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    pipeline::history_is,
    support::{
        eventually,
        fake::{FakeBilibili, Room},
        monitor::{Monitor, Setup, rows},
        packet::Packing,
        redis_server::RedisServer,
        same,
        story::Story,
    },
};

/// Numbers of the chat lines (`#0`, `#1`, …) of a room in the history; fails if one is there twice.
fn numbers(setup: &Setup, room: u64) -> BTreeSet<usize> {
    let rows = rows(&setup.database(), "message", &format!("live_data_danmakudata WHERE room_id = {room}"));
    let mut numbers = BTreeSet::new();
    for row in rows {
        let text = row["message"].as_str().expect("text");
        let number = text.trim_start_matches('#').parse().expect("a number");
        assert!(numbers.insert(number), "{text} is there twice in room {room}");
    }
    numbers
}

fn three_rooms(first: u64) -> Vec<Room> {
    [Packing::Brotli, Packing::Zlib, Packing::Plain]
        .into_iter()
        .enumerate()
        .map(|(i, packing)| Room::new(first + i as u64, packing))
        .collect()
}

async fn received(monitor: &Monitor) -> u64 {
    monitor.data("/live/api/ledger/").await["total"]["received"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn after_sigterm_during_load_everything_received_is_stored_and_the_status_is_0() {
    sigterm_during_load(92_002_101, &[]).await;
}

#[tokio::test]
async fn with_redis_after_sigterm_during_load_everything_received_is_stored_and_the_status_is_0() {
    let redis = RedisServer::start().await;
    sigterm_during_load(92_002_111, &["--redis", redis.url()]).await;
}

async fn sigterm_during_load(first: u64, options: &[&str]) {
    let rooms = three_rooms(first);
    let ids: Vec<u64> = rooms.iter().map(|room| room.room_id).collect();
    let fake = FakeBilibili::start(rooms.clone());
    let mut monitor = Setup::watching(&fake, &ids).with(options).start().await;
    fake.wait_for(&ids, 1).await;

    // A steady stream in all rooms that goes on until the last room has said goodbye.
    let stories: Vec<Story> = rooms.iter().map(|room| Story::chat(room, 20_000)).collect();
    let mut sent = 0;
    let mut asked = false;
    while ids.iter().any(|room| fake.is_heard(*room)) {
        assert!(sent + 5 <= 20_000, "the rooms were not left");
        for (room, story) in rooms.iter().zip(&stories) {
            if fake.is_heard(room.room_id) {
                fake.send(room.room_id, &story.messages[sent..sent + 5]);
            }
        }
        sent += 5;
        if !asked && sent >= 400 {
            monitor.terminate();
            asked = true;
        }
        sleep(Duration::from_millis(15)).await;
    }
    let status = monitor.ended().await;
    assert_eq!(status.code(), Some(0), "stopped cleanly");
    let log = monitor.setup().database().with_extension("db-wal");
    let left = std::fs::metadata(log).map_or(0, |log| log.len());
    assert_eq!(left, 0, "a closed history is one file, which may be copied");
    for room in ids {
        assert_eq!(fake.goodbyes(room), 1, "room {room} was left politely");
        let delivered = fake.delivered(room);
        assert!(delivered >= 100, "there was load: {delivered}");
        let wanted: BTreeSet<usize> = (0..delivered).collect();
        let stored = numbers(monitor.setup(), room);
        let missing: Vec<_> = wanted.difference(&stored).collect();
        assert!(missing.is_empty(), "room {room} got {delivered} lines before the goodbye; missing: {missing:?}");
    }
}

#[tokio::test]
async fn after_sigterm_what_was_sent_just_before_is_stored() {
    let room = Room::new(92_002_201, Packing::Brotli);
    let fake = FakeBilibili::start([room.clone()]);
    let mut monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    // Of every kind, a guard among them that would wait for a toast.
    let story = Story::of(&room, 5);
    fake.send(room.room_id, &story.messages);
    eventually("it is all on the wire", async || {
        let delivered = fake.delivered(room.room_id);
        if delivered == story.messages.len() { Ok(()) } else { Err(delivered.to_string()) }
    })
    .await;
    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0));
    history_is(&monitor, &[story]).await;
}

#[tokio::test]
async fn after_a_clean_restart_rooms_and_figures_are_as_they_were_and_the_upstream_is_entered_again() {
    let room = Room::new(92_002_401, Packing::Zlib);
    let fake = FakeBilibili::start([room.clone()]);
    let mut monitor = Setup::watching(&fake, &[]).start().await;
    assert_eq!(monitor.add_room(&room.room_id.to_string()).await.0, 201);
    fake.wait_for(&[room.room_id], 1).await;
    let story = Story::of(&room, 2);
    fake.send(room.room_id, &story.messages);
    history_is(&monitor, std::slice::from_ref(&story)).await;
    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0));

    let monitor = monitor.setup().clone().start().await;
    fake.wait_for(&[room.room_id], 2).await;
    history_is(&monitor, std::slice::from_ref(&story)).await;
    let entry = monitor.room(room.room_id).await.unwrap_or_default();
    same(&entry["counts"]["danmaku"], &json!(story.outcome.danmaku.len())).expect("counts survive");
    same(&entry["income"]["total_gold"], &json!(story.outcome.income_gold())).expect("money survives");
    let ledger = monitor.data("/live/api/ledger/").await;
    let stored = ledger["all_time"]["total"]["stored"].as_u64().unwrap_or_default();
    assert!(stored >= story.outcome.danmaku.len() as u64, "the all-time ledger remembers: {ledger}");
}

#[tokio::test]
async fn after_sigterm_without_rooms_the_status_is_0() {
    let fake = FakeBilibili::start([]);
    let mut monitor = Setup::watching(&fake, &[]).start().await;
    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0));
}

#[tokio::test]
async fn after_kill_9_at_most_the_last_second_is_missing_and_nothing_is_there_twice() {
    kill_9_during_load(92_002_301, &[]).await;
}

#[tokio::test]
async fn with_redis_after_kill_9_at_most_the_last_second_is_missing_and_nothing_is_there_twice() {
    let redis = RedisServer::start().await;
    kill_9_during_load(92_002_311, &["--redis", redis.url()]).await;
}

async fn kill_9_during_load(first: u64, options: &[&str]) {
    let rooms = three_rooms(first);
    let ids: Vec<u64> = rooms.iter().map(|room| room.room_id).collect();
    let fake = FakeBilibili::start(rooms.clone());
    let mut monitor = Setup::watching(&fake, &ids).with(options).start().await;
    fake.wait_for(&ids, 1).await;

    // 300 lines a room that the program has received for sure; then two more seconds of load; then the end.
    let stories: Vec<Story> = rooms.iter().map(|room| Story::chat(room, 3000)).collect();
    for (room, story) in rooms.iter().zip(&stories) {
        fake.send(room.room_id, &story.messages[..300]);
    }
    eventually("the first lines are received", async || {
        let received = received(&monitor).await;
        if received >= 900 { Ok(()) } else { Err(received.to_string()) }
    })
    .await;
    for step in 0..100 {
        let from = 300 + step * 5;
        for (room, story) in rooms.iter().zip(&stories) {
            fake.send(room.room_id, &story.messages[from..from + 5]);
        }
        sleep(Duration::from_millis(20)).await;
    }
    monitor.kill_9();
    let setup = monitor.setup().clone();

    // The next run finds what the last one left in the live store.
    let monitor = setup.start().await;
    for room in &ids {
        eventually("everything older than the last seconds is there", async || {
            let stored = numbers(&setup, *room);
            let missing: Vec<_> = (0..300).filter(|n| !stored.contains(n)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("room {room} lacks {missing:?}")) }
        })
        .await;
    }
    // The rooms come back by themselves, from the history, and go on.
    fake.wait_for(&ids, 2).await;
    for (room, story) in rooms.iter().zip(&stories) {
        fake.send(room.room_id, &story.messages[250..300]);
        fake.send(room.room_id, &story.messages[2000..2100]);
    }
    for room in &ids {
        eventually("the room goes on after the restart", async || {
            // `numbers` fails if a line is there twice.
            let stored = numbers(&setup, *room);
            if (2000..2100).all(|n| stored.contains(&n)) { Ok(()) } else { Err(format!("{} lines", stored.len())) }
        })
        .await;
        let stored = numbers(&setup, *room);
        let before: Vec<_> = (0..800).filter(|n| stored.contains(n)).collect();
        let gapless = before.iter().enumerate().all(|(i, n)| i == *n);
        assert!(gapless, "what is missing is the end, not something in between: {before:?}");
    }
    drop(monitor);
}

#[tokio::test]
async fn a_purchase_told_before_kill_9_and_again_after_it_is_there_once_at_its_real_price() {
    let room = Room::new(92_002_401, Packing::Brotli);
    let fake = FakeBilibili::start([room.clone()]);
    let mut monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let time = 1_790_000_000;
    let purchase = |cmd: &str, uid: u64, price: u64| {
        json!({"cmd": cmd, "data": {"uid": uid, "username": format!("舰长{uid}"), "guard_level": 3, "num": 1, "unit": "月",
            "price": price, "payflow_id": format!("order{uid}"), "start_time": time, "end_time": time,
            "toast_msg": "开通了舰长"}})
    };
    // One buyer whose receipt comes after the restart, and one who gets none.
    fake.send(room.room_id, &[purchase("GUARD_BUY", 501, 198_000), purchase("GUARD_BUY", 502, 198_000)]);
    let guards = async |expected: &[(u64, u64, u64)], setup: &Setup| {
        let expected: Vec<Value> = expected
            .iter()
            .map(|(uid, paid, estimated)| json!({"uid": uid, "paid_gold": paid, "estimated": estimated}))
            .collect();
        eventually("the purchases stand there", async || {
            let stored = rows(&setup.database(), "uid, paid_gold, estimated", "live_data_guard ORDER BY uid");
            same(stored, expected.clone())
        })
        .await;
    };
    let setup = monitor.setup().clone();
    guards(&[(501, 198_000, 1), (502, 198_000, 1)], &setup).await;
    monitor.kill_9();

    let _monitor = setup.start().await;
    fake.wait_for(&[room.room_id], 2).await;
    fake.send(room.room_id, &[purchase("USER_TOAST_MSG", 501, 138_000)]);
    guards(&[(501, 138_000, 0), (502, 198_000, 1)], &setup).await;
}
