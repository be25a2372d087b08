//! What happened while a room was not received: it is found out afterwards, once, and marked as such.

use serde_json::{Value, json};

use crate::{
    pipeline::books_balance,
    support::{
        eventually,
        fake::{FakeBilibili, Room, unix_ms},
        monitor::{Monitor, Setup},
        packet::Packing,
        same,
        story::same_rows,
    },
};

/// Rows of the room's own events.
fn turns(monitor: &Monitor) -> Vec<Value> {
    monitor.rows("kind, source", "live_data_roomevent WHERE kind IN ('live', 'preparing') ORDER BY timestamp")
}

fn turn(kind: &str, source: &str) -> Value {
    json!({"kind": kind, "source": source})
}

#[tokio::test]
async fn a_broadcast_that_began_and_ended_unheard_is_told_of_once() {
    let room = Room { live_status: 0, ..Room::new(92_000_401, Packing::Zlib) };
    let id = room.room_id;
    let fake = FakeBilibili::start([room]);
    let monitor = Setup::watching(&fake, &[id]).with(&["--status-seconds", "1"]).start().await;
    let listener = monitor.listen("").await;
    fake.wait_for(&[id], 1).await;
    monitor.wait_for_state(id, "live").await;

    let began = unix_ms() / 1000 - 5;
    fake.change(id, |room| (room.live_status, room.live_time) = (1, began));
    fake.drop_connections(id);
    fake.wait_for(&[id], 2).await;
    eventually("the beginning is on record", async || {
        same_rows("turns", &turns(&monitor), &[turn("live", "backfill")])
    })
    .await;
    eventually("the list of rooms says so", async || {
        let entry = monitor.room(id).await.unwrap_or_default();
        same((&entry["status"], &entry["live_since_ms"]), (&json!(1), &json!(began * 1000)))
    })
    .await;

    // The stream tells of it as well, late and by its own clock.
    let key = format!("77sub_time:{}", began + 2);
    fake.send(id, &[json!({"cmd": "LIVE", "live_key": "77", "sub_session_key": key, "roomid": id})]);
    eventually("it counts as told before", async || {
        let ledger = monitor.data("/live/api/ledger/").await;
        same(&ledger["total"]["duplicate"], &json!(1))
    })
    .await;

    fake.change(id, |room| room.live_status = 2);
    fake.drop_connections(id);
    fake.wait_for(&[id], 3).await;
    let both = [turn("live", "backfill"), turn("preparing", "backfill")];
    eventually("the end is on record, though replays run", async || same_rows("turns", &turns(&monitor), &both)).await;
    let ledger = books_balance(&monitor).await;
    assert_eq!(ledger["total"]["stored"], 2, "{ledger}");
    eventually("browsers were told of both", async || {
        same((listener.ids("live").len(), listener.ids("preparing").len()), (1, 1))
    })
    .await;
    assert_eq!(fake.violations(), Vec::<String>::new());
}

fn super_chat(id: i64, at_s: i64) -> Value {
    json!({"id": id, "uid": 321, "price": 50, "rate": 1000, "message": format!("醒目{id}"), "start_time": at_s,
        "end_time": at_s + 120, "time": 120, "ts": at_s, "user_info": {"uname": "小猫"}, "medal_info": null})
}

/// A chat line as the stream brings it, and as the list of the last ones has it.
fn line(n: i64, at_ms: i64) -> [Value; 2] {
    let (text, name, number) = (format!("第{n}句"), format!("观众{n}"), format!("0f0f{n}"));
    let (uid, second) = (5000 + n, at_ms / 1000);
    let extra = json!({"content": text, "id_str": number, "reply_mid": 0}).to_string();
    let streamed = json!({"cmd": "DANMU_MSG", "info": [
        [0, 1, 25, 16777215, at_ms, n, 0, "abcdef01", 0, 0, 0, "", 0, "{}", "{}", {"extra": extra, "mode": 0}],
        text, [uid, name, 0, 0, 0, 10000, 1, ""], [], [5, 0, 0, ">50000"], ["", ""], 0, 0, null,
        {"ts": second, "ct": "AB"}]});
    let listed = json!({"text": text, "uid": uid, "nickname": name, "timeline": "2026-05-29 04:26:40", "isadmin": 0,
        "medal": [], "user_level": [5, 0, 0, ">50000"], "id_str": number, "check_info": {"ts": second, "ct": "AB"}});
    [streamed, listed]
}

#[tokio::test]
async fn what_was_said_and_paid_in_a_gap_is_fetched_once_also_when_it_came_before_or_comes_again() {
    let room = Room::new(92_000_402, Packing::Brotli);
    let id = room.room_id;
    let fake = FakeBilibili::start([room]);
    let monitor = Setup::watching(&fake, &[id]).start().await;
    let listener = monitor.listen("").await;
    fake.wait_for(&[id], 1).await;
    let now = unix_ms();
    let [[heard, heard_listed], [missed, missed_listed]] = [line(1, now - 1_300), line(2, now + 1_250)];
    let (before, meanwhile) = (super_chat(11, now / 1000 - 1), super_chat(12, now / 1000 + 1));
    let streamed = |data: &Value| json!({"cmd": "SUPER_CHAT_MESSAGE", "data": data});
    fake.send(id, &[heard, streamed(&before)]);
    let danmaku = || monitor.rows("uid, message, source", "live_data_danmakudata");
    eventually("the first line is stored", async || same(danmaku().len(), 1)).await;

    fake.change(id, |room| {
        room.lines = vec![heard_listed, missed_listed];
        room.super_chats = vec![before.clone(), meanwhile.clone()];
    });
    fake.drop_connections(id);
    fake.wait_for(&[id], 2).await;
    let lines = [
        json!({"uid": 5001, "message": "第1句", "source": "live"}),
        json!({"uid": 5002, "message": "第2句", "source": "backfill"}),
    ];
    let paid = [json!({"message": "醒目11", "source": "live"}), json!({"message": "醒目12", "source": "backfill"})];
    let super_chats = || monitor.rows("message, source", "live_data_superchat");
    let complete = || {
        same_rows("lines", &danmaku(), &lines)?;
        same_rows("super chats", &super_chats(), &paid)
    };
    eventually("what was missed is on record", async || complete()).await;

    // And what was fetched comes in the stream after all.
    fake.send(id, &[missed, streamed(&meanwhile)]);
    let repeats = json!(4);
    eventually("both count as told before", async || {
        let ledger = monitor.data("/live/api/ledger/").await;
        same(&ledger["total"]["duplicate"], &repeats)
    })
    .await;
    books_balance(&monitor).await;
    complete().expect("nothing twice");
    assert_eq!((listener.ids("danmaku").len(), listener.ids("super_chat").len()), (2, 2), "browsers see each once");
}
