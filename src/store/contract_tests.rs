//! What the live stores promise, embedded, Redis, and Redis behind its outbox, as one suite; then what only the embedded
//! one has. What only Redis has is in `redis_tests`.
//!
//! Needs `redis-server` on the path. A machine without it fails these tests rather than passing over them.

use std::{io::Write, sync::Arc};

use deadpool_redis::redis::{AsyncTypedCommands, Client};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use tokio::sync::Notify;

use super::{
    DANMAKU_KEPT, GIFTS_KEPT, LiveStore, Position, RecentList, RoomTotals, StoreError, StoreKind,
    embedded::EmbeddedStore,
    fixtures::{RedisServer, danmaku, gift, guard, shared, super_chat},
    outbox::{Outbox, OutboxedRedis},
    redis::{RedisOptions, RedisStore},
    spool::SpoolError,
};
use crate::domain::{Event, Gold, LiveStatus, RoomId, RoomInfo, Uid};

/// Something in which a store lives and from which it can be opened again.
enum Home {
    Folder(tempfile::TempDir),
    Server(RedisServer),
    Both(tempfile::TempDir, RedisServer),
}

impl Home {
    fn open(&self) -> Arc<dyn LiveStore> {
        match self {
            Home::Folder(folder) => Arc::new(EmbeddedStore::open(folder.path()).unwrap()),
            Home::Server(server) => Arc::new(RedisStore::connect(&server.url(), RedisOptions::default()).unwrap()),
            Home::Both(folder, server) => {
                let outbox = Outbox::open(folder.path(), 1 << 30, "us".into()).unwrap();
                let redis = RedisStore::connect(&server.url(), RedisOptions::default()).unwrap();
                Arc::new(OutboxedRedis::new(outbox, redis))
            }
        }
    }
}

fn embedded() -> Home {
    Home::Folder(tempfile::tempdir().unwrap())
}

fn redis() -> Home {
    Home::Server(RedisServer::start(None))
}

fn redis_behind_an_outbox() -> Home {
    Home::Both(tempfile::tempdir().unwrap(), RedisServer::start(None))
}

/// Makes each of the functions below a test of every store.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        mod embedded_store {
            $(#[tokio::test] async fn $name() { super::$name(super::embedded()).await })*
        }
        mod redis_store {
            $(#[tokio::test] async fn $name() { super::$name(super::redis()).await })*
        }
        mod outboxed_redis {
            $(#[tokio::test] async fn $name() { super::$name(super::redis_behind_an_outbox()).await })*
        }
    };
}

promises!(
    batches_come_back_in_order_and_whole,
    a_read_ends_at_the_batch_that_fills_it,
    forgotten_batches_are_gone_and_later_ones_stay,
    recent_events_are_newest_first_and_capped,
    everything_not_forgotten_survives_a_new_start,
    the_status_says_what_is_waiting,
    publishing_may_be_repeated,
    a_foreign_position_is_refused,
    an_empty_append_makes_no_batch,
);

/// Appends, and brings it to where it is read.
async fn put(store: &Arc<dyn LiveStore>, events: &[Event]) {
    store.append(&shared(events)).await.unwrap();
    store.forward(&Notify::new(), &|| true).await;
}

async fn all(store: &Arc<dyn LiveStore>) -> Vec<Event> {
    let batches = store.read_after(None, usize::MAX).await.unwrap();
    batches.into_iter().flat_map(|batch| batch.events).collect()
}

async fn batches_come_back_in_order_and_whole(home: Home) {
    let store = home.open();
    let batches = [
        vec![danmaku(1, 0, "一"), gift(2, 1, 15_003)],
        vec![super_chat(1, 2, 9, 30_000)],
        vec![guard(1, 3, 138_000), danmaku(2, 4, "\"quoted\"\n\u{0}\u{202e}")],
    ];
    for batch in &batches {
        put(&store, batch).await;
    }
    let read = store.read_after(None, usize::MAX).await.unwrap();
    assert_eq!(read.iter().map(|batch| &batch.events).collect::<Vec<_>>(), batches.iter().collect::<Vec<_>>());
    for (at, batch) in read.iter().enumerate() {
        assert_eq!(store.read_after(Some(&batch.position), usize::MAX).await.unwrap(), read[at + 1..]);
    }
}

async fn a_read_ends_at_the_batch_that_fills_it(home: Home) {
    let store = home.open();
    for n in 0..40 {
        put(&store, &[danmaku(1, 2 * n, "a"), danmaku(1, 2 * n + 1, "b")]).await;
    }
    for (max_events, batches) in [(0, 1), (1, 1), (2, 1), (3, 2), (41, 21), (79, 40), (1000, 40)] {
        assert_eq!(store.read_after(None, max_events).await.unwrap().len(), batches, "at most {max_events}");
    }
    let (mut position, mut seen) = (None, Vec::new());
    while let [.., last] = &store.read_after(position.as_ref(), 7).await.unwrap()[..] {
        for batch in store.read_after(position.as_ref(), 7).await.unwrap() {
            seen.extend(batch.events);
        }
        position = Some(last.position.clone());
    }
    assert_eq!(seen, all(&store).await);
}

async fn forgotten_batches_are_gone_and_later_ones_stay(home: Home) {
    let store = home.open();
    for n in 0..5 {
        put(&store, &[danmaku(1, 2 * n, "a"), danmaku(1, 2 * n + 1, "b")]).await;
    }
    let read = store.read_after(None, usize::MAX).await.unwrap();
    assert_eq!(store.backlog(None).await.unwrap(), 10);
    assert_eq!(store.backlog(Some(&read[1].position)).await.unwrap(), 6);
    store.forget_through(&read[1].position).await.unwrap();
    store.forget_through(&read[0].position).await.unwrap();
    assert_eq!(store.read_after(None, usize::MAX).await.unwrap(), read[2..]);
    assert_eq!(store.backlog(None).await.unwrap(), 6);
    // Everything forgotten: what comes then is still later than what was.
    store.forget_through(&read[4].position).await.unwrap();
    assert_eq!(store.backlog(None).await.unwrap(), 0);
    drop(store);
    let store = home.open();
    put(&store, &[gift(1, 99, 100)]).await;
    let later = store.read_after(Some(&read[4].position), usize::MAX).await.unwrap();
    assert_eq!(later.len(), 1, "found after the last position that was forgotten");
}

async fn recent_events_are_newest_first_and_capped(home: Home) {
    let store = home.open();
    let chat: Vec<Event> = (0..DANMAKU_KEPT as i64 + 20).map(|n| danmaku(1, n, "a")).collect();
    for part in chat.chunks(77) {
        put(&store, part).await;
    }
    let gifts: Vec<Event> = (1000..1000 + GIFTS_KEPT as i64 + 1).map(|n| gift(1, n, 100)).collect();
    put(&store, &gifts).await;
    put(&store, &[danmaku(2, 5000, "elsewhere"), guard(1, 5001, 138_000)]).await;

    let newest = |events: &[Event], n: usize| events.iter().rev().take(n).cloned().collect::<Vec<_>>();
    let room = RoomId(1);
    assert_eq!(store.recent(room, RecentList::Danmaku, 3).await.unwrap(), newest(&chat, 3));
    assert_eq!(store.recent(room, RecentList::Danmaku, 9999).await.unwrap(), newest(&chat, DANMAKU_KEPT));
    assert_eq!(store.recent(room, RecentList::Gifts, 9999).await.unwrap(), newest(&gifts, GIFTS_KEPT));
    assert_eq!(store.recent(room, RecentList::Gifts, 0).await.unwrap(), []);
    assert_eq!(store.recent(RoomId(3), RecentList::Danmaku, 9).await.unwrap(), []);
}

async fn everything_not_forgotten_survives_a_new_start(home: Home) {
    let store = home.open();
    for n in 0..3 {
        put(&store, &[danmaku(1, n, "a")]).await;
    }
    let before = store.read_after(None, usize::MAX).await.unwrap();
    store.forget_through(&before[0].position).await.unwrap();
    drop(store);
    let store = home.open();
    assert_eq!(store.read_after(None, usize::MAX).await.unwrap(), before[1..]);
    assert_eq!(store.read_after(Some(&before[1].position), 1).await.unwrap(), before[2..]);
    assert_eq!(store.recent(RoomId(1), RecentList::Danmaku, 1).await.unwrap(), before[2].events);
}

async fn the_status_says_what_is_waiting(home: Home) {
    let store = home.open();
    put(&store, &[danmaku(1, 0, "a"), gift(1, 1, 0)]).await;
    let status = store.status().await.unwrap();
    assert_eq!((status.kind, status.backlog), (store.kind(), 2));
    assert!(status.memory_bytes.is_some_and(|bytes| bytes > 0));
    assert_eq!(status.version.is_some(), store.kind() == StoreKind::Redis);
    assert!(store.batching().max_events > 0);
}

async fn publishing_may_be_repeated(home: Home) {
    let store = home.open();
    for _ in 0..2 {
        store.put_room(&info()).await.unwrap();
        store.put_totals(RoomId(1), &totals()).await.unwrap();
        store.put_active(&[RoomId(1), RoomId(2)]).await.unwrap();
        store.put_active(&[]).await.unwrap();
    }
}

async fn a_foreign_position_is_refused(home: Home) {
    let store = home.open();
    let foreign = Position("somewhere".into());
    assert!(matches!(store.read_after(Some(&foreign), 1).await, Err(StoreError::Refused { .. })));
    assert!(matches!(store.forget_through(&foreign).await, Err(StoreError::Refused { .. })));
}

async fn an_empty_append_makes_no_batch(home: Home) {
    let store = home.open();
    put(&store, &[]).await;
    assert_eq!(store.read_after(None, 10).await.unwrap(), []);
}

pub(super) fn info() -> RoomInfo {
    RoomInfo {
        short_id: 6,
        uid: Uid(42),
        uname: "主播".into(),
        face: "https://i0.hdslb.com/face.jpg".into(),
        title: "标题".into(),
        cover: "https://i0.hdslb.com/cover.jpg".into(),
        area_name: "虚拟主播".into(),
        parent_area_name: "虚拟".into(),
        status: LiveStatus::Live,
        live_since_ms: Some(1_700_000_000_000),
        online: 1234,
        followers: 99,
        ..RoomInfo::unknown(RoomId(1_962_481_108))
    }
}

pub(super) fn totals() -> RoomTotals {
    RoomTotals { danmaku: 1234, gifts: 56, users: 789, gift_gold: Gold(1500), ..RoomTotals::default() }
}

#[tokio::test]
async fn more_than_fits_into_memory_is_read_from_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let mut written = Vec::new();
    for n in 0..30 {
        let batch: Vec<Event> = (0..1000).map(|m| danmaku(1, n * 1000 + m, "a")).collect();
        store.append(&shared(&batch)).await.unwrap();
        written.extend(batch);
    }
    let store: Arc<dyn LiveStore> = Arc::new(store);
    assert!(all(&store).await == written);
    let (mut position, mut read) = (None, 0);
    while let [.., last] = &store.read_after(position.as_ref(), 1).await.unwrap()[..] {
        assert_eq!(last.events[..], written[read..read + 1000]);
        read += 1000;
        store.forget_through(&last.position).await.unwrap();
        position = Some(last.position.clone());
    }
    assert_eq!(read, written.len());
    drop(store);
}

/// Where the child of the test below appends.
const CHILD_FOLDER: &str = "BLM_TEST_SPOOL";

#[tokio::test]
#[ignore = "is the process that the next test kills"]
async fn appends_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let folder = std::path::PathBuf::from(folder);
    let store = EmbeddedStore::open(&folder).unwrap();
    let mut accepted = std::fs::File::create(folder.join("accepted")).unwrap();
    for n in 0.. {
        store.append(&shared(&[danmaku(1, n, "a")])).await.unwrap();
        accepted.write_all(b".").unwrap();
    }
}

#[tokio::test]
async fn what_was_accepted_survives_a_killed_program() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "store::contract_tests::appends_until_it_is_killed"])
        .env(CHILD_FOLDER, folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let accepted = || std::fs::metadata(folder.path().join("accepted")).map_or(0, |file| file.len());
    while accepted() < 50 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let found = store.backlog(None).await.unwrap();
    // One more may have been written than there was time to say so.
    assert!((50..=found).contains(&accepted()) && found <= accepted() + 1, "{} accepted, {found} found", accepted());
}

#[tokio::test]
async fn a_spool_made_anew_begins_after_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    store.append(&shared(&[danmaku(1, 0, "old")])).await.unwrap();
    let old = store.read_after(None, 1).await.unwrap().remove(0).position;
    drop(store);
    std::fs::remove_file(folder.path().join("spool.db")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let store = EmbeddedStore::open(folder.path()).unwrap();
    store.append(&shared(&[danmaku(1, 1, "new")])).await.unwrap();
    assert_eq!(store.read_after(Some(&old), 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_spool_that_cannot_be_used_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let first = EmbeddedStore::open(folder.path()).unwrap();
    assert!(matches!(EmbeddedStore::open(folder.path()), Err(SpoolError::InUse(_))));
    drop(first);
    std::fs::write(folder.path().join("spool.db"), "this is no database, and long enough to be read as one".repeat(99))
        .unwrap();
    assert!(matches!(EmbeddedStore::open(folder.path()), Err(SpoolError::Unreadable { .. })));
}

#[tokio::test]
async fn an_unreadable_batch_is_named_and_can_be_passed_over() {
    let server = RedisServer::start(None);
    let folder = tempfile::tempdir().unwrap();
    for home in [Home::Server(server), Home::Folder(folder)] {
        let store = home.open();
        for n in 0..3 {
            store.append(&shared(&[danmaku(1, n, "a")])).await.unwrap();
        }
        let batches = store.read_after(None, 9).await.unwrap();
        drop(store);
        let bad = match &home {
            Home::Server(server) => {
                let fields = [("n", "1"), ("e", "[{]")];
                let id = Client::open(server.url())
                    .unwrap()
                    .get_multiplexed_async_connection()
                    .await
                    .unwrap()
                    .xadd("blm:stream", "*", &fields)
                    .await
                    .unwrap();
                Position(id.unwrap())
            }
            Home::Folder(folder) | Home::Both(folder, _) => {
                let path = folder.path().join("spool.db");
                let mut spool = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                spool.batch_execute("INSERT INTO batch (events, payload) VALUES (1, '[{]')").unwrap();
                Position((batches[2].position.0.parse::<i64>().unwrap() + 1).to_string())
            }
        };
        let store = home.open();
        store.append(&shared(&[danmaku(1, 4, "b")])).await.unwrap();
        assert_eq!(store.read_after(None, 9).await.unwrap(), batches);
        match store.read_after(Some(&batches[2].position), 9).await {
            Err(StoreError::Unreadable { position, .. }) => assert_eq!(position, bad.0),
            other => panic!("{other:?}"),
        }
        assert_eq!(store.read_after(Some(&bad), 9).await.unwrap().len(), 1);
    }
}
