//! Collector, sync and web as three processes over one Redis and one data folder: the same outcome as one process,
//! and each may be away for a while.

use reqwest::Method;
use serde_json::json;

use crate::{
    pipeline::{books_balance, everything_sent_is_everywhere, history_is, rooms_of_every_packing},
    support::{
        eventually,
        fake::{FakeBilibili, Room},
        monitor::{Monitor, Setup},
        packet::Packing,
        redis_server::RedisServer,
        same,
        story::Story,
    },
};

/// The three setups of one installation.
struct Roles {
    collector: Setup,
    sync: Setup,
    web: Setup,
}

impl Roles {
    fn of(fake: &FakeBilibili, redis: &RedisServer, rooms: &[u64]) -> Roles {
        let base = Setup::watching(fake, &[]).with(&["--redis", redis.url()]);
        let rooms: Vec<String> = rooms.iter().map(u64::to_string).collect();
        let collector = base.clone().with(&["--collector-only", "--rooms", &rooms.join(",")]);
        Roles { collector, sync: base.clone().with(&["--role", "sync"]), web: base.with(&["--web-only"]) }
    }
}

async fn ends_cleanly(mut process: Monitor) {
    process.terminate();
    assert_eq!(process.ended().await.code(), Some(0), "{}", process.setup().stderr());
}

async fn only_silent_are(web: &Monitor, roles: &[&str]) {
    eventually(&format!("health says that {roles:?} are not heard of"), async || {
        let health = web.data("/live/api/health/").await;
        same(&health["processes_silent"], &json!(roles))?;
        let told = health["findings"].as_array().into_iter().flatten().any(|f| f["code"] == "process_silent");
        same(told, !roles.is_empty())
    })
    .await;
}

#[tokio::test]
async fn three_processes_bring_about_what_one_does() {
    let redis = RedisServer::start().await;
    let rooms = rooms_of_every_packing();
    let ids: Vec<u64> = rooms.iter().map(|room| room.room_id).collect();
    let fake = FakeBilibili::start(rooms.clone());
    let roles = Roles::of(&fake, &redis, &ids);
    // At once: each may be the first that finds no database.
    let (sync, web) = tokio::join!(roles.sync.start(), roles.web.start());
    let collector = roles.collector.start().await;
    everything_sent_is_everywhere(&fake, &web, &rooms).await;
    only_silent_are(&web, &[]).await;

    let health = web.data("/live/api/health/").await;
    let kinds: Vec<&str> =
        health["actors"].as_array().into_iter().flatten().filter_map(|a| a["kind"].as_str()).collect();
    for kind in ["room", "redis_writer", "broadcast", "scribe", "sync", "follower"] {
        assert!(kinds.contains(&kind), "health shows actors of every process, and no {kind}: {kinds:?}");
    }
    for process in [web, collector, sync] {
        ends_cleanly(process).await;
    }
}

#[tokio::test]
async fn each_of_three_processes_may_be_away_for_a_while_and_nothing_is_lost() {
    let redis = RedisServer::start().await;
    let room = Room::new(92_006_201, Packing::Brotli);
    let id = room.room_id;
    let fake = FakeBilibili::start([room.clone()]);
    let roles = Roles::of(&fake, &redis, &[id]);
    let collector = roles.collector.start().await;
    let sync = roles.sync.start().await;
    let web = roles.web.start().await;
    let listener = web.listen("?rooms=all").await;
    web.wait_for_state(id, "live").await;
    let story = Story::chat(&room, 500);
    let send = |from: usize, to: usize| fake.send(id, &story.messages[from..to]);
    let texts = |from: usize, to: usize| (from..to).map(|n| format!("#{n}")).collect::<Vec<_>>();

    // Without the sync: browsers are told, and events wait in Redis.
    ends_cleanly(sync).await;
    send(0, 100);
    eventually("the push goes on without the sync", async || same(listener.texts(), texts(0, 100))).await;
    only_silent_are(&web, &["sync"]).await;
    assert_eq!(web.administrate(Method::POST, "/live/api/admin/sync/", json!({})).await.0, 503);
    let sync = roles.sync.start().await;
    eventually("what waited is stored", async || same(web.rows("id", "live_data_danmakudata").len(), 100)).await;
    only_silent_are(&web, &[]).await;
    let (status, answer) = web.administrate(Method::POST, "/live/api/admin/sync/", json!({})).await;
    assert_eq!((status, &answer["data"]["sync"]["dead_letter"]), (200, &json!(0)), "{answer}");

    // Without the web: a browser that comes back gets what it missed, though another process has to give it.
    let cursor = listener.cursor();
    ends_cleanly(web).await;
    send(100, 200);
    let web = roles.web.start().await;
    let listener = web.listen(&format!("?rooms=all&after={cursor}")).await;
    eventually("what was missed came", async || same(listener.texts(), texts(100, 200))).await;
    assert!(listener.of_type("gap").is_empty(), "and nothing else was");

    // Without the collector: nothing is received, and everybody is told. What is asked of it meanwhile is done later.
    ends_cleanly(collector).await;
    only_silent_are(&web, &["collector"]).await;
    web.wait_for_state(id, "stopped").await;
    eventually("browsers are told, too", async || {
        let frames = listener.of_type("rooms");
        let last = frames.iter().flat_map(|frame| frame["rooms"].as_array().cloned().unwrap_or_default()).next_back();
        same(&last.unwrap_or_default()["state"], &json!("stopped"))
    })
    .await;
    let later = Room::new(92_006_202, Packing::Plain);
    fake.open_room(later.clone());
    assert_eq!(web.add_room(&later.room_id.to_string()).await.0, 201);
    let collector = roles.collector.start().await;
    fake.wait_for(&[id], 2).await;
    fake.wait_for(&[later.room_id], 1).await;
    web.wait_for_state(id, "live").await;
    web.wait_for_state(later.room_id, "live").await;
    send(200, 300);
    let of_later = Story::chat(&later, 50);
    fake.send(later.room_id, &of_later.messages);

    // And while it runs.
    let steer = async |what: &str| {
        web.administrate(Method::POST, &format!("/live/api/admin/rooms/{}/{what}/", later.room_id), json!({})).await.0
    };
    eventually("the room's lines are stored", async || {
        same(web.rows("id", &format!("live_data_danmakudata WHERE room_id = {}", later.room_id)).len(), 50)
    })
    .await;
    assert_eq!(steer("pause").await, 200);
    web.wait_for_state(later.room_id, "paused").await;
    assert_eq!(steer("resume").await, 200);
    web.wait_for_state(later.room_id, "live").await;
    let connects = fake.connects(id);
    let restart = format!("/live/api/admin/rooms/{id}/restart/");
    assert_eq!(web.administrate(Method::POST, &restart, json!({})).await.0, 200);
    fake.wait_for(&[id], connects + 1).await;
    web.wait_for_state(id, "live").await;
    let remove = format!("/live/api/admin/rooms/{}/?erase=true", later.room_id);
    assert_eq!(web.administrate(Method::DELETE, &remove, json!({})).await.0, 200);
    assert_eq!(web.rows("id", &format!("live_data_danmakudata WHERE room_id = {}", later.room_id)).len(), 0);
    assert!(web.room(later.room_id).await.is_none());

    // Killed, all three.
    send(300, 400);
    eventually("the push brought all", async || same(listener.texts().len(), 350)).await;
    for mut process in [collector, sync, web] {
        process.kill_9();
    }
    let _collector = roles.collector.start().await;
    let _sync = roles.sync.start().await;
    let web = roles.web.start().await;
    fake.wait_for(&[id], connects + 2).await;
    send(400, 500);
    history_is(&web, std::slice::from_ref(&story)).await;
    let ledger = books_balance(&web).await;
    assert_eq!(ledger["all_time"]["balanced"], true, "{ledger}");
}

#[tokio::test]
async fn a_role_that_a_process_cannot_have_is_refused_with_a_way_out() {
    let (status, said) = Setup::new().with(&["--web-only"]).fail().await;
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("--redis") && said.contains("role"), "{said}");

    let redis = RedisServer::start().await;
    let sync = Setup::new().with(&["--redis", redis.url(), "--role", "sync"]);
    let _first = sync.start().await;
    let (status, said) = sync.fail().await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("another process brings events"), "{said}");
}
