//! With `--redis`: the same outcome, and the original's keys filled for other programs.

use std::collections::{BTreeSet, HashMap};

use deadpool_redis::redis::{Commands, Connection};
use serde_json::Value;

use crate::{
    pipeline::{books_balance, history_is},
    support::{
        eventually,
        fake::{FakeBilibili, Room},
        monitor::Setup,
        packet::Packing,
        redis_server::RedisServer,
        same,
        story::Story,
    },
};

#[tokio::test]
async fn with_redis_the_history_is_the_same_and_the_original_keys_have_the_original_fields() {
    let redis = RedisServer::start().await;
    let rooms = [Room::new(92_001_101, Packing::Brotli), Room::new(92_001_102, Packing::Zlib)];
    let ids = rooms.clone().map(|room| room.room_id);
    let fake = FakeBilibili::start(rooms.clone());
    let monitor = Setup::watching(&fake, &ids).with(&["--redis", redis.url()]).start().await;
    fake.wait_for(&ids, 1).await;
    let stories = rooms.clone().map(|room| Story::of(&room, 4));
    for story in &stories {
        fake.send(story.outcome.danmaku[0]["room_id"].as_u64().expect("a number"), &story.messages);
    }

    history_is(&monitor, &stories).await;
    books_balance(&monitor).await;
    let status = monitor.data("/live/api/redis/status/").await;
    assert_eq!(status["kind"], "redis");

    let mut looking = redis.open();
    eventually("rooms:active names the rooms", async || {
        let active: BTreeSet<u64> = looking.smembers("rooms:active").expect("rooms:active is a set");
        same(active, BTreeSet::from(ids))
    })
    .await;
    for (room, story) in rooms.iter().zip(&stories) {
        room_keys_are(&mut looking, room, story).await;
    }
}

async fn room_keys_are(redis: &mut Connection, room: &Room, story: &Story) {
    let key = |what: &str| format!("room:{}:{what}", room.room_id);
    let info = eventually("the room is described", async || {
        let info: HashMap<String, String> = redis.hgetall(key("info")).expect("info is a hash");
        if info.is_empty() { Err("nothing".into()) } else { Ok(info) }
    })
    .await;
    let field =
        |name: &str| info.get(name).map(String::as_str).unwrap_or_else(|| panic!("info has no {name}: {info:?}"));
    assert_eq!((field("title"), field("uname")), (room.title.as_str(), room.uname.as_str()));
    assert_eq!((field("status"), field("uid")), ("1", room.uid.to_string().as_str()));
    assert_eq!(field("area_name"), room.area_name);
    assert!(field("online").parse::<i64>().is_ok() && field("face").starts_with("http"), "{info:?}");

    eventually("the totals are those of the history", async || {
        let stats: HashMap<String, i64> = redis.hgetall(key("stats")).expect("stats is a hash of numbers");
        same(stats.get("total_danmaku").copied(), Some(story.outcome.danmaku.len() as i64))?;
        same(stats.get("total_gifts").copied(), Some(story.outcome.gifts.len() as i64))?;
        let users = stats.get("total_users").copied().unwrap_or_default();
        if users > 0 && stats.contains_key("last_update") { Ok(()) } else { Err(format!("{stats:?}")) }
    })
    .await;

    for (list, wanted, fields) in [
        ("danmaku", &story.outcome.danmaku, ["uid", "username", "message", "timestamp", "room_id"].as_slice()),
        ("gifts", &story.outcome.gifts, &["uid", "username", "gift_name", "num", "price", "timestamp"]),
    ] {
        let entries: Vec<String> = redis.lrange(key(list), 0, -1).expect("a list");
        let entries: Vec<Value> = entries.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect();
        assert_eq!(entries.len(), wanted.len(), "{list} of room {}", room.room_id);
        for entry in &entries {
            assert!(
                fields.iter().all(|field| !entry[*field].is_null()),
                "{list}: one of {fields:?} is missing: {entry}"
            );
        }
        let newest = entries.first().map(|entry| entry["timestamp"].as_i64());
        let latest = entries.iter().map(|entry| entry["timestamp"].as_i64()).max();
        assert_eq!(newest, latest, "{list}: the newest stands first");
        let expiry: i64 = redis.ttl(key(list)).expect("ttl");
        assert!(expiry > 0, "{list} has no expiry");
    }
    let last = story.outcome.danmaku.last().expect("chat");
    let first: String = redis.lindex(key("danmaku"), 0).expect("an entry");
    let first: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!((&first["message"], &first["uid"]), (&last["message"], &last["uid"]));
    assert_eq!(first["timestamp"].as_i64(), last["ms"].as_i64().map(|ms| ms / 1000), "unix seconds");
}

#[tokio::test]
async fn while_redis_does_not_answer_events_wait_and_none_is_lost_or_there_twice() {
    let redis = RedisServer::start().await;
    let room = Room::new(92_001_301, Packing::Brotli);
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).with(&["--redis", redis.url()]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let mut story = Story::of(&room, 2);
    fake.send(room.room_id, &story.messages);
    history_is(&monitor, std::slice::from_ref(&story)).await;

    redis.signal("STOP");
    let from = story.messages.len();
    for round in 0..3 {
        story.round(round);
    }
    fake.send(room.room_id, &story.messages[from..]);
    eventually("the live store is called away", async || {
        same(&monitor.data("/live/api/redis/status/").await["connected"], &Value::Bool(false))
    })
    .await;
    redis.signal("CONT");
    history_is(&monitor, std::slice::from_ref(&story)).await;
    let ledger = books_balance(&monitor).await;
    assert_eq!(ledger["total"]["dropped"], serde_json::json!({}), "{ledger}");
}

#[tokio::test]
async fn keys_of_other_programs_are_left_alone() {
    let redis = RedisServer::start().await;
    let mut looking = redis.open();
    let _: () = looking.set("somebody:else", "1").expect("set");
    let _: () = looking.rpush("room:1:notes", &["a", "b"]).expect("rpush");
    let room = Room::new(92_001_201, Packing::Plain);
    let fake = FakeBilibili::start([room.clone()]);
    let mut monitor = Setup::watching(&fake, &[room.room_id]).with(&["--redis", redis.url()]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let story = Story::chat(&room, 20);
    fake.send(room.room_id, &story.messages);
    history_is(&monitor, &[story]).await;
    monitor.terminate();
    monitor.ended().await;
    assert_eq!(looking.get::<_, String>("somebody:else").as_deref(), Ok("1"));
    assert_eq!(looking.llen::<_, usize>("room:1:notes"), Ok(2));
    let keys: Vec<String> = looking.keys("*").expect("keys");
    let strange: Vec<_> = keys
        .iter()
        .filter(|key| !["room:", "blm:", "somebody:"].iter().any(|known| key.starts_with(known)))
        .filter(|key| *key != "rooms:active")
        .collect();
    assert!(strange.is_empty(), "our own keys start with blm:, but there are {strange:?}");
}
