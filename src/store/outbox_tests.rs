//! What a real Redis may do to the outbox's events: be away, forget everything, fall back, lose an answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use deadpool_redis::redis::{AsyncTypedCommands, Client, aio::MultiplexedConnection};
use tokio::sync::Notify;

use super::*;
use crate::{
    domain::EventId,
    store::{
        fixtures::{RedisServer, danmaku, shared},
        redis::RedisOptions,
    },
};

const CAP: u64 = 1 << 30;

/// An outbox in its folder, with its forwarding under way.
struct Desk {
    store: OutboxedRedis,
    stop: Arc<AtomicBool>,
    forwarding: tokio::task::JoinHandle<()>,
}

impl Desk {
    fn open(folder: &Path, url: &str, cap: u64) -> Desk {
        let outbox = Outbox::open(folder, cap, "us".into()).unwrap();
        let redis = RedisStore::connect(url, RedisOptions::default()).unwrap();
        let store = OutboxedRedis::new(outbox, redis);
        let stop = Arc::new(AtomicBool::new(false));
        let (forwarder, finish) = (store.clone(), stop.clone());
        let forwarding = tokio::spawn(async move {
            forwarder.forward(&Notify::new(), &|| finish.load(Relaxed)).await;
        });
        Desk { store, stop, forwarding }
    }

    async fn append(&self, numbers: std::ops::Range<i64>) {
        for n in numbers {
            self.store.append(&shared(&[danmaku(1, n, "a")])).await.unwrap();
        }
    }

    fn reading(&self) -> OutboxReading {
        self.store.outbox.reading()
    }

    /// Ends it as a clean stop does.
    async fn stop(self) {
        self.stop.store(true, Relaxed);
        self.store.outbox.inner.arrived.notify_one();
        self.forwarding.await.unwrap();
    }

    /// Ends it in the middle, as a kill does.
    async fn kill(self) {
        self.forwarding.abort();
        let _ = self.forwarding.await;
    }

    /// Reads as the sync does, after `position`: the ids, in order, and the position reached.
    async fn read(&self, position: Option<&Position>) -> (Vec<EventId>, Option<Position>) {
        let batches = self.store.read_after(position, usize::MAX).await.unwrap();
        let last = batches.last().map(|batch| batch.position.clone()).or(position.cloned());
        (batches.into_iter().flat_map(|batch| batch.events).map(|event| event.id).collect(), last)
    }
}

async fn until(what: &str, mut probe: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if probe() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain until {what}");
}

fn ids(numbers: std::ops::Range<i64>) -> Vec<EventId> {
    numbers.map(|n| danmaku(1, n, "a").id).collect()
}

async fn plain(server: &RedisServer) -> MultiplexedConnection {
    Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
}

#[tokio::test]
async fn while_redis_is_away_events_wait_and_then_follow_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(None);
    let (url, port) = (server.url(), server.port());
    drop(server);
    let desk = Desk::open(folder.path(), &url, CAP);
    desk.append(0..50).await;
    until("it is known to be away", || desk.reading().away_ms.is_some()).await;
    assert_eq!(desk.reading().waiting, 50);
    // Stopped and started meanwhile.
    desk.stop().await;
    let desk = Desk::open(folder.path(), &url, CAP);
    assert_eq!(desk.reading().waiting, 50);
    desk.append(50..60).await;
    let _server = RedisServer::start_on(port);
    until("all has followed", || desk.reading().waiting == 0).await;
    assert_eq!(desk.read(None).await.0, ids(0..60));
    assert_eq!(desk.reading().away_ms, None);
}

#[tokio::test]
async fn what_a_server_forgot_is_brought_again_and_what_is_in_the_history_is_let_go_of() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(None);
    let desk = Desk::open(folder.path(), &server.url(), CAP);
    desk.append(0..20).await;
    until("all is there", || desk.reading().waiting == 0).await;
    let (read, position) = desk.read(None).await;
    assert_eq!(read, ids(0..20));
    // The history has these.
    desk.store.forget_through(position.as_ref().unwrap()).await.unwrap();
    until("they are let go of", || desk.reading().held == 0).await;
    desk.append(20..40).await;
    until("all is there", || desk.reading().waiting == 0).await;
    // Forgotten with the connections open, and with something new after it.
    plain(&server).await.flushall().await.unwrap();
    desk.append(40..41).await;
    until("it has come back", || desk.reading().waiting == 0 && desk.reading().held >= 21).await;
    let (read, position) = eventually_has(&desk, position.as_ref(), ids(20..41)).await;
    assert!(read.len() <= 22, "brought once more, not many times: {}", read.len());
    // Killed and started empty, together with us.
    let (url, port) = (server.url(), server.port());
    desk.append(41..50).await;
    desk.kill().await;
    drop(server);
    let _server = RedisServer::start_on(port);
    let desk = Desk::open(folder.path(), &url, CAP);
    eventually_has(&desk, position.as_ref(), ids(41..50)).await;
}

/// Reads on until all of `wanted` have come.
async fn eventually_has(
    desk: &Desk,
    position: Option<&Position>,
    wanted: Vec<EventId>,
) -> (Vec<EventId>, Option<Position>) {
    for _ in 0..500 {
        let (read, reached) = desk.read(position).await;
        if wanted.iter().all(|id| read.contains(id)) {
            return (read, reached);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not all came back: {:?}", desk.read(position).await.0.len());
}

#[tokio::test]
async fn after_a_kill_nothing_is_brought_twice() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(None);
    for round in 0..5 {
        let desk = Desk::open(folder.path(), &server.url(), CAP);
        desk.append(round * 10..round * 10 + 10).await;
        // In the middle of forwarding, wherever that is.
        tokio::time::sleep(Duration::from_millis(round as u64 * 3)).await;
        desk.kill().await;
    }
    let desk = Desk::open(folder.path(), &server.url(), CAP);
    until("all is there", || desk.store.outbox.books().met && desk.reading().waiting == 0).await;
    assert_eq!(desk.read(None).await.0, ids(0..50));
}

#[tokio::test]
async fn a_full_outbox_lets_go_of_what_redis_has_and_refuses_when_it_has_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(None);
    let (url, port) = (server.url(), server.port());
    let cap = 20_000;
    let desk = Desk::open(folder.path(), &url, cap);
    // More than has room, while nothing of it is stored.
    for n in 0..10 {
        desk.append(n * 20..n * 20 + 20).await;
        until("all is there", || desk.reading().waiting == 0).await;
    }
    assert!(desk.reading().bytes <= cap && desk.reading().held < 200, "{:?}", desk.reading());
    assert_eq!(desk.read(None).await.0, ids(0..200));
    drop(server);
    until("it is known to be away", || desk.reading().away_ms.is_some()).await;
    let mut kept = 0;
    let refused = loop {
        match desk.store.append(&shared(&[danmaku(1, 1000 + kept, "a")])).await {
            Ok(()) => kept += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(refused.contains("BLM_OUTBOX_BYTES"), "{refused}");
    let _server = RedisServer::start_on(port);
    eventually_has(&desk, None, ids(1000..1000 + kept)).await;
}

#[tokio::test]
async fn numbers_of_a_new_file_and_a_clock_set_back_do_not_hide_events() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start(None);
    // As if an earlier file, made at a later hour, had filled the stream, and the history had read it.
    let later = chrono::Utc::now().timestamp_millis() + 3_600_000;
    let mut redis = plain(&server).await;
    let id = redis.xadd("blm:stream", format!("{later}-7"), &[("n", "0"), ("e", "[]")]).await.unwrap().unwrap();
    let desk = Desk::open(folder.path(), &server.url(), CAP);
    desk.append(0..10).await;
    eventually_has(&desk, Some(&Position(id)), ids(0..10)).await;
}

#[tokio::test]
async fn two_installations_do_not_fill_one_stream() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = RedisServer::start(None);
    let desk = Desk::open(ours.path(), &server.url(), CAP);
    desk.append(0..1).await;
    until("it is there", || desk.reading().waiting == 0).await;
    let outbox = Outbox::open(theirs.path(), CAP, "them".into()).unwrap();
    let redis = RedisStore::connect(&server.url(), RedisOptions::default()).unwrap();
    let store = OutboxedRedis::new(outbox.clone(), redis);
    store.append(&shared(&[danmaku(1, 5, "b")])).await.unwrap();
    store.forward(&Notify::new(), &|| true).await;
    let reading = outbox.reading();
    assert_eq!(reading.waiting, 1, "it waits");
    assert!(reading.error.is_some_and(|error| error.contains("another installation")));
    assert_eq!(desk.read(None).await.0, ids(0..1));
}

#[tokio::test]
async fn keys_of_others_with_our_names_stay_as_they_are_and_nothing_is_lost() {
    for key in ["blm:stream", "blm:sync", "blm:owner", "blm:active", "rooms:active", "room:1:danmaku"] {
        let folder = tempfile::tempdir().unwrap();
        let server = RedisServer::start(None);
        let mut redis = plain(&server).await;
        // A type that none of ours has.
        redis.zadd(key, "theirs", 1).await.unwrap();
        let desk = Desk::open(folder.path(), &server.url(), CAP);
        desk.append(0..3).await;
        let _ = desk.store.put_active(&[RoomId(1)]).await;
        let _ = desk.store.put_active(&[]).await;
        if ["blm:stream", "blm:sync", "blm:owner"].contains(&key) {
            until("it is refused", || desk.reading().error.is_some()).await;
            assert!(desk.reading().error.is_some_and(|error| error.contains("WRONGTYPE")), "{key}: a clear error");
            assert_eq!(desk.reading().waiting, 3, "{key}: nothing is lost");
        } else {
            until("all is there", || desk.reading().waiting == 0).await;
            assert_eq!(desk.read(None).await.0, ids(0..3), "{key}: only it is hidden");
        }
        assert_eq!(redis.zrange(key, 0, -1).await.unwrap(), ["theirs"], "{key} is as it was");
    }
}
