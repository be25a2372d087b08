//! What the upstream does to its clients on an ordinary day, and that the room comes back by itself.

use serde_json::json;

use crate::{
    pipeline::history_is,
    support::{
        eventually,
        fake::{FakeBilibili, Room},
        monitor::{Monitor, Setup},
        packet::Packing,
        same,
        story::Story,
    },
};

async fn one_room(room_id: u64) -> (FakeBilibili, Monitor, Room) {
    let room = Room::new(room_id, Packing::Zlib);
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room_id]).start().await;
    fake.wait_for(&[room_id], 1).await;
    (fake, monitor, room)
}

#[tokio::test]
async fn when_the_signing_keys_change_they_are_fetched_again_and_the_room_is_entered() {
    let (fake, monitor, room) = one_room(92_006_101).await;
    fake.change_keys();
    // Its ticket is still good; only a refused one makes it ask for another.
    fake.refuse_tokens(1);
    fake.drop_connections(room.room_id);
    fake.wait_for(&[room.room_id], 2).await;
    let signed: Vec<String> = fake.violations().into_iter().filter(|what| what.contains("getDanmuInfo")).collect();
    assert_eq!(signed.len(), 1, "one signature with the old keys: {signed:?}");
    let story = Story::chat(&room, 5);
    fake.send(room.room_id, &story.messages);
    history_is(&monitor, &[story]).await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_by_a_new_one() {
    let (fake, monitor, room) = one_room(92_006_201).await;
    let before = fake.tickets();
    fake.refuse_tokens(2);
    fake.drop_connections(room.room_id);
    fake.wait_for(&[room.room_id], 2).await;
    assert_eq!(fake.tickets(), before + 2, "the ticket it had is tried once, then each try has one of its own");
    let story = Story::chat(&room, 5);
    fake.send(room.room_id, &story.messages);
    history_is(&monitor, &[story]).await;
}

#[tokio::test]
async fn a_room_that_is_not_received_says_so_and_why() {
    let (fake, monitor, room) = one_room(92_006_301).await;
    monitor.wait_for_state(room.room_id, "live").await;
    fake.refuse_tokens(usize::MAX);
    fake.drop_connections(room.room_id);
    eventually("the room is not called live, and the reason is told", async || {
        let entry = monitor.room(room.room_id).await.unwrap_or_default();
        if entry["state"] != "live" && entry["error"].as_str().is_some_and(|error| !error.is_empty()) {
            Ok(())
        } else {
            Err(entry.to_string())
        }
    })
    .await;
    fake.refuse_tokens(0);
    monitor.wait_for_state(room.room_id, "live").await;
}

#[tokio::test]
async fn a_paused_room_is_left_until_it_is_resumed() {
    let (fake, monitor, room) = one_room(92_006_401).await;
    let path = format!("/live/api/admin/rooms/{}", room.room_id);
    let (status, body) = monitor.administrate(reqwest::Method::POST, &format!("{path}/pause/"), json!({})).await;
    assert_eq!(status, 200, "{body}");
    eventually("the room is left", async || same(fake.is_heard(room.room_id), false)).await;
    monitor.wait_for_state(room.room_id, "paused").await;
    let (status, body) = monitor.administrate(reqwest::Method::POST, &format!("{path}/resume/"), json!({})).await;
    assert_eq!(status, 200, "{body}");
    fake.wait_for(&[room.room_id], 2).await;
    let (status, body) = monitor.administrate(reqwest::Method::POST, &format!("{path}/restart/"), json!({})).await;
    assert_eq!(status, 200, "{body}");
    fake.wait_for(&[room.room_id], 3).await;
    assert_eq!(fake.goodbyes(room.room_id), 2, "left politely both times");
}
