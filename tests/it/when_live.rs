//! `--connect when_live`: a room holds a connection as long as it is on air, and is not missed while it is not.

use serde_json::{Value, json};

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room, unix_ms},
    monitor::Setup,
    packet::Packing,
    same,
    story::Story,
};

#[tokio::test]
async fn a_room_is_connected_when_its_broadcast_begins_and_left_some_time_after_it_ends() {
    let off = Room { live_status: 0, ..Room::new(92_000_801, Packing::Brotli) };
    let id = off.room_id;
    let fake = FakeBilibili::start([off.clone()]);
    let options = ["--connect", "when_live", "--status-seconds", "1"];
    let monitor = Setup::watching(&fake, &[id]).with(&options).start().await;
    eventually("it waits for the broadcast", async || {
        let entry = monitor.room(id).await.unwrap_or_default();
        same((&entry["state"], &entry["waits_for_broadcast"]), (&json!("waiting"), &json!(true)))
    })
    .await;
    let health = monitor.data("/live/api/health/").await.to_string();
    assert!(!health.contains("room_not_received"), "nothing is amiss: {health}");
    assert_eq!(fake.connects(id), 0);

    fake.change(id, |room| (room.live_status, room.live_time) = (1, unix_ms() / 1000));
    fake.wait_for(&[id], 1).await;
    let story = Story::chat(&off, 5);
    fake.send(id, &story.messages);
    eventually("what is said is stored", async || same(monitor.rows("id", "live_data_danmakudata").len(), 5)).await;

    fake.change(id, |room| room.live_status = 0);
    fake.send(id, &[json!({"cmd": "PREPARING", "roomid": id.to_string(), "msg_id": "1:1000:1000"})]);
    // Who says goodbye and thanks after the end is still heard.
    fake.send(id, &Story::chat(&off, 6).messages[5..]);
    eventually("it is left politely", async || same(fake.goodbyes(id), 1)).await;
    assert_eq!(monitor.rows("id", "live_data_danmakudata").len(), 6);
    eventually("it waits again", async || {
        same(&monitor.room(id).await.unwrap_or_default()["waits_for_broadcast"], &json!(true))
    })
    .await;
    let gaps = monitor.data(&format!("/live/api/room/{id}/gaps/")).await["gaps"].take();
    let reasons: Vec<&Value> = gaps.as_array().into_iter().flatten().map(|gap| &gap["reason"]).collect();
    assert!(reasons.contains(&&json!("off air")), "{gaps}");
    assert_eq!(fake.violations(), Vec::<String>::new());
}
