//! What only the Redis store has: its keys, as other programs see them, and its ways to fail.
//!
//! Needs `redis-server` on the path. A machine without it fails these tests rather than passing over them.

use std::collections::HashMap;

use deadpool_redis::redis::{AsyncTypedCommands, Client, aio::MultiplexedConnection, cmd};

use super::{
    LiveStore, RecentList, StoreError,
    contract_tests::{info, totals},
    fixtures::{RedisServer, danmaku, gift, shared},
    redis::{RedisOptions, RedisStore},
};
use crate::domain::{RoomId, RoomInfo};

async fn plain(server: &RedisServer) -> MultiplexedConnection {
    Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test]
async fn other_programs_find_the_keys_of_the_contract() {
    let server = RedisServer::start(None);
    let store = RedisStore::connect(&server.url(), RedisOptions::default()).unwrap();
    let mut redis = plain(&server).await;
    let room = info().room_id;
    store.append(&shared(&[danmaku(room.0, 0, "旧"), danmaku(room.0, 1, "新"), gift(room.0, 2, 200)])).await.unwrap();
    store.put_room(&info()).await.unwrap();
    store.put_totals(room, &totals()).await.unwrap();

    let fields: HashMap<String, String> = redis.hgetall("room:1962481108:info").await.unwrap();
    for (field, value) in [
        ("title", "标题"),
        ("uname", "主播"),
        ("online", "1234"),
        ("status", "1"),
        ("face", "https://i0.hdslb.com/face.jpg"),
        ("area_name", "虚拟主播"),
        ("uid", "42"),
        ("live_since_ms", "1700000000000"),
    ] {
        assert_eq!(fields[field], value, "{field}");
    }
    store.put_room(&RoomInfo { live_since_ms: None, ..info() }).await.unwrap();
    assert!(!redis.hexists("room:1962481108:info", "live_since_ms").await.unwrap());

    let list = redis.lrange("room:1962481108:danmaku", 0, -1).await.unwrap();
    let newest: serde_json::Value = serde_json::from_str(&list[0]).unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(newest["message"], "新");
    assert_eq!(newest["uid"], 1001);
    assert_eq!(newest["username"], "用户1");
    assert_eq!(newest["timestamp"], 1_700_000_000);
    let list = redis.lrange("room:1962481108:gifts", 0, -1).await.unwrap();
    let newest: serde_json::Value = serde_json::from_str(&list[0]).unwrap();
    assert_eq!((&newest["gift_name"], &newest["num"]), (&"小花花".into(), &2.into()));
    assert_eq!((newest["price"].as_f64(), newest["total_price"].as_f64()), (Some(0.1), Some(0.2)));
    assert!(redis.ttl("room:1962481108:danmaku").await.unwrap().raw() > 0);

    let fields: HashMap<String, String> = redis.hgetall("room:1962481108:stats").await.unwrap();
    for (field, value) in
        [("total_danmaku", "1234"), ("total_gifts", "56"), ("total_users", "789"), ("income_gold", "1500")]
    {
        assert_eq!(fields[field], value, "{field}");
    }
    assert_eq!(fields["last_update"].len(), 10, "unix s");
    assert_eq!(redis.xlen("blm:stream").await.unwrap(), 1);
}

#[tokio::test]
async fn what_others_wrote_stays() {
    let server = RedisServer::start(None);
    let store = RedisStore::connect(&server.url(), RedisOptions::default()).unwrap();
    let mut redis = plain(&server).await;
    redis.set("theirs", "x").await.unwrap();
    redis.hset("room:1:info", "their_field", "x").await.unwrap();
    redis.lpush("room:1:danmaku", r#"{"uid":1,"username":"a","message":"b","timestamp":1}"#).await.unwrap();
    store.put_active(&[RoomId(1), RoomId(2)]).await.unwrap();
    store.put_active(&[RoomId(2), RoomId(3)]).await.unwrap();
    store.put_room(&RoomInfo::unknown(RoomId(1))).await.unwrap();
    let event = danmaku(1, 0, "ours");
    store.append(&shared(std::slice::from_ref(&event))).await.unwrap();

    let mut active: Vec<String> = redis.smembers("rooms:active").await.unwrap().into_iter().collect();
    active.sort();
    assert_eq!(active, ["2", "3"]);
    assert!(redis.exists("theirs").await.unwrap());
    assert!(redis.hexists("room:1:info", "their_field").await.unwrap());
    assert_eq!(redis.llen("room:1:danmaku").await.unwrap(), 2);
    assert_eq!(store.recent(RoomId(1), RecentList::Danmaku, 10).await.unwrap(), std::slice::from_ref(&event));
    // A lost answer: the batch comes again, and is shown once.
    store.append(&shared(std::slice::from_ref(&event))).await.unwrap();
    assert_eq!(store.recent(RoomId(1), RecentList::Danmaku, 10).await.unwrap(), [event]);
}

#[tokio::test]
async fn a_list_of_another_type_does_not_hold_up_the_stream() {
    let server = RedisServer::start(None);
    let store = RedisStore::connect(&server.url(), RedisOptions::default()).unwrap();
    let mut redis = plain(&server).await;
    redis.set("room:1:danmaku", "theirs").await.unwrap();
    let events = [danmaku(1, 0, "a"), danmaku(2, 1, "b")];
    store.append(&shared(&events)).await.unwrap();
    assert_eq!(store.read_after(None, 9).await.unwrap()[0].events, events);
    assert_eq!(redis.get("room:1:danmaku").await.unwrap().as_deref(), Some("theirs"));
    assert_eq!(store.recent(RoomId(2), RecentList::Danmaku, 9).await.unwrap(), events[1..]);
}

#[tokio::test]
async fn a_long_backlog_is_counted_whole() {
    let server = RedisServer::start(None);
    let store = RedisStore::connect(&server.url(), RedisOptions::default()).unwrap();
    for n in 0..300 {
        store.append(&shared(&[danmaku(1, n, "a"), gift(1, n, 0)])).await.unwrap();
    }
    assert_eq!(store.backlog(None).await.unwrap(), 600);
    assert_eq!(store.read_after(None, usize::MAX).await.unwrap().len(), 300);
}

#[tokio::test]
async fn errors_say_whose_they_are_and_never_the_password() {
    let server = RedisServer::start(Some("correct-horse"));
    let with = |password: &str| format!("redis://:{password}@127.0.0.1:{}/0", server.port());
    let right = RedisStore::connect(&with("correct-horse"), RedisOptions::default()).unwrap();
    right.append(&shared(&[danmaku(1, 0, "a")])).await.unwrap();

    let wrong = RedisStore::connect(&with("wrong-horse"), RedisOptions::default()).unwrap();
    let error = wrong.append(&shared(&[danmaku(1, 0, "a")])).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("wrong-horse"), "{error:?}");

    // A full server takes nothing, and a stream that is no stream neither.
    let mut redis = Client::open(with("correct-horse")).unwrap().get_multiplexed_async_connection().await.unwrap();
    cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).exec_async(&mut redis).await.unwrap();
    let error = right.append(&shared(&[danmaku(1, 1, "a")])).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    assert_eq!(right.backlog(None).await.unwrap(), 1);
    cmd("CONFIG").arg("SET").arg("maxmemory").arg(0).exec_async(&mut redis).await.unwrap();
    redis.set("blm:stream", "x").await.unwrap();
    let error = right.append(&shared(&[danmaku(1, 0, "a")])).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");

    let url = with("correct-horse");
    drop(server);
    let error = right.append(&shared(&[danmaku(1, 0, "a")])).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    let late = RedisStore::connect(&url, RedisOptions::default()).unwrap();
    let error = late.status().await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("horse"), "{error:?}");

    for url in ["http://:horse@localhost", "redis://:horse", "redis://:ho@horse@local host:1", "redis://u:horse@x/y?z"]
    {
        let error = RedisStore::connect(url, RedisOptions::default()).err().expect(url);
        assert!(!error.to_string().contains("horse") && !error.to_string().contains("ho@"), "{error}");
    }
}
