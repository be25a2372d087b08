//! The steps after decoding, each beside its bare form: event → push frame, event → live store, event → SQLite.
//!
//! ```sh
//! cargo bench --bench steps                                    # with the embedded live store
//! cargo bench --bench steps -- redis://127.0.0.1:6379/0        # and with a Redis server, which is written to
//! ```
//!
//! CPU time of this process; of a Redis server only what it costs us.

mod support;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bilibili_live_monitor::{
    actors::ring::{Piece, Ring},
    domain::{Body, Event},
    store::{
        Batch, LiveStore, Position, StoreKind,
        embedded::EmbeddedStore,
        redis::{RedisOptions, RedisStore},
        sqlite::Database,
    },
    web::{
        audience::Audience,
        filter::Filter,
        push::{self, Bell, Reader},
        shared::Shared,
    },
};
use deadpool_redis::redis;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::{runtime::Runtime, sync::watch};

use support::{
    Contender,
    bare_rows::{connection, insert, prepare},
    events::events,
    side_by_side,
};

const ROOMS: u64 = 20;
const ROUNDS: usize = 21;
const NOW_MS: i64 = 1_790_000_000_000;
/// Events of a frame, as at 5000 a second.
const A_FRAME: usize = 250;
/// Events that the writer brings into the live store at once, and the sync into SQLite.
const A_BATCH: usize = 500;
const A_TRANSACTION: usize = 2000;

fn main() {
    let redis = std::env::args().find(|argument| argument.starts_with("redis"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    push_frames(&runtime);
    embedded_store(&runtime);
    if let Some(url) = redis {
        redis_store(&runtime, &url);
    }
    history();
}

/// An event as JSON, as short as it can be written down.
#[derive(Serialize)]
struct Plain<'a> {
    id: String,
    kind: &'static str,
    room_id: u64,
    timestamp: i64,
    timestamp_ms: i64,
    received_ms: i64,
    uid: u64,
    username: &'a str,
    masked: bool,
    source: &'static str,
    message: &'a str,
    medal_name: Option<&'a str>,
    medal_level: Option<i64>,
    user_level: Option<i64>,
    guard_level: i64,
    is_admin: bool,
    is_vip: bool,
    lottery: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    emoticon_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
}

fn plain(event: &Event) -> Plain<'_> {
    let Body::Danmaku(danmaku) = &event.body else { panic!("a chat line") };
    Plain {
        id: event.id.to_string(),
        kind: "danmaku",
        room_id: event.room_id.0,
        timestamp: event.timestamp_ms / 1000,
        timestamp_ms: event.timestamp_ms,
        received_ms: event.received_ms,
        uid: event.user.uid.0,
        username: &event.user.username,
        masked: event.user.masked,
        source: event.source.as_str(),
        message: &danmaku.message,
        medal_name: danmaku.medal.as_ref().map(|medal| medal.name.as_str()),
        medal_level: danmaku.medal.as_ref().map(|medal| medal.level),
        user_level: danmaku.user_level,
        guard_level: danmaku.guard_level,
        is_admin: danmaku.is_admin,
        is_vip: danmaku.is_vip,
        lottery: danmaku.lottery,
        emoticon_url: danmaku.emoticon_url.as_deref(),
        reply_to: danmaku.reply_to.as_deref(),
    }
}

/// The list of events as one JSON text.
fn plain_list(events: &[Arc<Event>]) -> String {
    let plain: Vec<Plain> = events.iter().map(|event| plain(event)).collect();
    serde_json::to_string(&plain).expect("is JSON")
}

fn push_frames(runtime: &Runtime) {
    let events = events(0, A_FRAME, ROOMS, NOW_MS);
    let ring = Arc::new(Ring::new(1));
    let shared = Arc::new(Shared::new(Audience::Everything, Arc::default()));
    let filter = Filter::parse("all", "all").expect("a filter");
    let reader = Rc::new(RefCell::new(Reader::new(ring.clone(), shared, filter, None)));
    let (_running, closing) = watch::channel(false);
    let mut stream = Box::pin(push::stream(reader, Bell::at(&ring), closing));
    side_by_side(
        &format!("event → push frame, {A_FRAME} events of {ROOMS} rooms to a frame, one reader of all"),
        A_FRAME * 20,
        ROUNDS,
        &mut [
            Contender::new("serialised into a text", || {
                for _ in 0..20 {
                    let text = format!(r#"{{"type":"events","cursor":"1.2.3","events":{}}}"#, plain_list(&events));
                    assert!(text.len() > A_FRAME * 100);
                }
            }),
            Contender::new("pieces, ring, reader", || {
                for _ in 0..20 {
                    let pieces = events.iter().map(|event| {
                        let json = serde_json::to_string(event.as_ref()).expect("is JSON").into();
                        (event.room_id, Piece { kind: event.kind(), json })
                    });
                    ring.push_events(pieces.collect());
                    let message = runtime.block_on(stream.next()).expect("a message");
                    assert_eq!(message.events, A_FRAME as u64);
                }
            }),
        ],
    );
}

/// Events of a round that no round had before.
fn fresh(next: &AtomicU64, count: usize) -> Vec<Arc<Event>> {
    events(next.fetch_add(count as u64, Relaxed), count, ROOMS, NOW_MS)
}

fn embedded_store(runtime: &Runtime) {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = connection(&folder.path().join("bare.db"));
    bare.execute_batch("CREATE TABLE batch (seq INTEGER PRIMARY KEY AUTOINCREMENT, events INTEGER, payload TEXT)")
        .expect("a table");
    let mut insert = bare.prepare("INSERT INTO batch (events, payload) VALUES (?, ?)").expect("a statement");
    let store = EmbeddedStore::open(folder.path()).expect("a store");
    let batches: Vec<Vec<Arc<Event>>> =
        (0..10).map(|batch| events(batch * A_BATCH as u64, A_BATCH, ROOMS, NOW_MS)).collect();
    side_by_side(
        &format!("event → embedded live store, batches of {A_BATCH}, each durable before the next"),
        A_BATCH * batches.len(),
        ROUNDS,
        &mut [
            Contender::new("JSON in one bare statement", || {
                for batch in &batches {
                    insert.execute((batch.len() as i64, plain_list(batch))).expect("it is stored");
                }
                bare.execute("DELETE FROM batch", ()).expect("they are forgotten");
            }),
            Contender::new("EmbeddedStore::append", || {
                runtime.block_on(async {
                    for batch in &batches {
                        store.append(batch).await.expect("it is stored");
                    }
                    let last = store.read_after(None, usize::MAX).await.expect("they are there");
                    store.forget_through(&last.last().expect("the last").position).await.expect("they are forgotten");
                });
            }),
        ],
    );
}

fn redis_store(runtime: &Runtime, url: &str) {
    let options = RedisOptions::default();
    let store = RedisStore::connect(url, options).expect("an address");
    let client = redis::Client::open(url).expect("an address");
    let batches: Vec<Vec<Arc<Event>>> =
        (0..10).map(|batch| events(batch * A_BATCH as u64, A_BATCH, ROOMS, NOW_MS)).collect();
    let mut connection = runtime.block_on(client.get_multiplexed_async_connection()).expect("Redis answers");
    let mut other = connection.clone();
    side_by_side(
        &format!("event → Redis, batches of {A_BATCH}, one round trip each"),
        A_BATCH * batches.len(),
        ROUNDS,
        &mut [
            Contender::new("bare pipeline", || {
                runtime.block_on(async {
                    for batch in &batches {
                        bare_pipeline(batch).exec_async(&mut connection).await.expect("Redis takes it");
                    }
                    redis::cmd("DEL").arg("bare:stream").exec_async(&mut connection).await.expect("Redis takes it");
                });
            }),
            Contender::new("RedisStore::append", || {
                runtime.block_on(async {
                    for batch in &batches {
                        store.append(batch).await.expect("Redis takes it");
                    }
                    redis::cmd("DEL").arg("blm:events").exec_async(&mut other).await.expect("Redis takes it");
                });
            }),
        ],
    );
}

/// The stream and a list for each room, grouped.
fn bare_pipeline(batch: &[Arc<Event>]) -> redis::Pipeline {
    let mut pipeline = redis::pipe();
    let texts: Vec<String> = batch.iter().map(|event| serde_json::to_string(&plain(event)).expect("JSON")).collect();
    pipeline.cmd("XADD").arg("bare:stream").arg("*").arg("e").arg(texts.join(",")).ignore();
    for room in 1..=ROOMS {
        let key = format!("bare:{room}");
        let push = pipeline.cmd("LPUSH").arg(&key);
        for (event, text) in batch.iter().zip(&texts) {
            if event.room_id.0 == room {
                push.arg(text);
            }
        }
        push.ignore();
        pipeline.cmd("LTRIM").arg(&key).arg(0).arg(499).ignore();
        pipeline.cmd("EXPIRE").arg(&key).arg(3600).ignore();
    }
    pipeline
}

fn history() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare_path = folder.path().join("bare.db");
    // The same tables and indexes.
    drop(Database::open(&bare_path).expect("a history"));
    let bare = connection(&bare_path);
    for room in 1..=ROOMS as i64 {
        bare.execute("INSERT INTO live_data_liveroom (room_id, title, uname) VALUES (?, '', '')", [room])
            .expect("a room");
    }
    let mut statement = prepare(&bare);
    let history = Database::open(&folder.path().join("live.db")).expect("a history");
    let (bare_next, next) = (AtomicU64::new(0), AtomicU64::new(0));
    // Made outside the time that is measured.
    let make =
        |next: &AtomicU64| -> Vec<Vec<Arc<Event>>> { (0..=ROUNDS).map(|_| fresh(next, A_TRANSACTION)).collect() };
    let (mut bare_rounds, mut rounds) = (make(&bare_next).into_iter(), make(&next).into_iter());
    side_by_side(
        &format!("event → SQLite, {A_TRANSACTION} chat lines of {ROOMS} rooms to a transaction"),
        A_TRANSACTION,
        ROUNDS,
        &mut [
            Contender::new("one prepared statement", || {
                let lines = bare_rounds.next().expect("a round");
                insert(&bare, &mut statement, lines.iter().map(Arc::as_ref));
            }),
            Contender::new("Database::record", || {
                let events = rounds.next().expect("a round");
                let events = events.iter().map(|event| Event::clone(event)).collect();
                let batch = Batch { position: Position("1".to_owned()), events };
                let recorded = history.record(StoreKind::Embedded, &[batch]).expect("they are stored");
                assert_eq!(recorded.outcome().stored, A_TRANSACTION as u64);
            }),
        ],
    );
}
