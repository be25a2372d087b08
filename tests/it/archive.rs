//! The raw archive and `replay`: what was recorded gives the same history once more, and no more than once.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{
    pipeline::{history_is, rooms_of_every_packing},
    support::{
        fake::FakeBilibili,
        monitor::{Setup, rows},
        story::Story,
    },
};

/// What a history holds, but for numbers of rows and times of storing.
const TABLES: [(&str, &str); 8] = [
    (
        "live_data_danmakudata",
        "event_id, room_id, uid, username, message, timestamp, medal_name, masked, received_ms, source",
    ),
    (
        "live_data_giftdata",
        "event_id, room_id, uid, gift_id, num, paid_gold, value_gold, receiver_uid, rule, received_ms",
    ),
    ("live_data_superchat", "event_id, room_id, uid, message, paid_gold, deleted"),
    ("live_data_guard", "event_id, room_id, uid, guard_level, num, paid_gold, estimated"),
    ("live_data_interaction", "event_id, room_id, kind, uid, username"),
    (
        "live_data_minute",
        "room_id, minute_ms, danmaku, lottery, gifts, super_chats, guards, enters, gift_gold, others_gold",
    ),
    (
        "blm_roomtotal",
        "room_id, danmaku, gifts, super_chats, guards, users, masked, gift_gold, others_gold, guard_gold",
    ),
    ("blm_roomuser", "room_id, uid, username, danmaku, gifts, paid_gold, interactions"),
];

fn held(database: &Path) -> Vec<(&'static str, BTreeSet<String>)> {
    let rows_of = |(table, columns)| (table, rows(database, columns, table).iter().map(Value::to_string).collect());
    TABLES.into_iter().map(rows_of).collect()
}

#[tokio::test]
async fn a_replay_of_what_was_recorded_gives_the_same_history_and_a_second_one_changes_nothing() {
    let rooms = rooms_of_every_packing();
    let ids: Vec<u64> = rooms.iter().map(|room| room.room_id).collect();
    let fake = FakeBilibili::start(rooms.clone());
    let mut monitor = Setup::watching(&fake, &ids).with(&["--archive"]).start().await;
    let setup = monitor.setup().clone();
    fake.wait_for(&ids, 1).await;
    let stories: Vec<Story> = rooms.iter().map(|room| Story::of(room, 3)).collect();
    for (room, story) in rooms.iter().zip(&stories) {
        fake.send(room.room_id, &story.messages);
    }
    history_is(&monitor, &stories).await;
    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0), "{}", setup.stderr());

    let live = held(&setup.database());
    let (status, said) = setup.command(&["replay", "again.db"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("4 files") && said.contains("0 files have a torn"), "{said}");
    let again = setup.folder().join("again.db");
    for (replayed, live) in held(&again).into_iter().zip(&live) {
        assert_eq!(replayed, *live);
    }
    let (status, said) = setup.command(&["replay", "again.db"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(" 0 events stored"), "{said}");
    assert_eq!(held(&again), live);

    let (status, said) = setup.command(&["replay", "data/live.db"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("give another name"), "{said}");

    // A file that was cut off costs its end, and the others nothing.
    let folder = setup.folder().join("data/raw").join(ids[0].to_string());
    let torn = fs::read_dir(&folder).expect("a folder").next().expect("a file").expect("named").path();
    let bytes = fs::read(&torn).expect("read");
    fs::write(&torn, &bytes[..bytes.len() - 1]).expect("written");
    let (status, said) = setup.command(&["replay", "torn.db"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("1 files have a torn"), "{said}");
    let of_others = |held: Vec<(&'static str, BTreeSet<String>)>| -> BTreeSet<String> {
        let rows = held.into_iter().flat_map(|(_, rows)| rows);
        rows.filter(|row| !row.contains(&format!("\"room_id\":{}", ids[0]))).collect()
    };
    assert_eq!(of_others(held(&setup.folder().join("torn.db"))), of_others(live));
}

#[tokio::test]
async fn without_an_archive_a_replay_says_how_one_comes_about() {
    let (status, said) = Setup::new().command(&["replay", "again.db"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("--archive"), "{said}");
}
