//! How long events are on their way, from the moment when the simulator was given them.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bilibili_live_monitor::domain::EventId;
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Text},
};
use tokio::time::Instant;

/// When each packet was sent, by its room and the time in its lines.
#[derive(Default)]
pub struct Sent(Mutex<HashMap<(u64, i64), Instant>>);

impl Sent {
    /// A packet is about to be sent.
    pub fn note(&self, room: u64, time_ms: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((room, time_ms), Instant::now());
    }

    /// How long ago that was.
    pub fn age(&self, room: u64, time_ms: i64) -> Option<Duration> {
        let sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.get(&(room, time_ms)).map(Instant::elapsed)
    }
}

/// Latencies, and what they say.
#[derive(Default)]
pub struct Latencies(pub Vec<Duration>);

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let Some(last) = sorted.last() else { return f.write_str("nothing was measured") };
        let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize].as_millis();
        let max = last.as_millis();
        write!(f, "p50 {} ms, p90 {} ms, p99 {} ms, max {max} ms of {}", at(0.5), at(0.9), at(0.99), sorted.len())
    }
}

/// Looks into the history for what has come, again and again.
pub struct StoredProbe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Latencies>,
}

/// How often it looks: a latency is found up to so much too long.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Rows looked at a second.
const SAMPLES: f64 = 400.0;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    room_id: i64,
    #[diesel(sql_type = Text)]
    event_id: String,
}

/// The newest row that was there before.
#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

impl StoredProbe {
    /// Begins to look, at a few hundred of `rate` rows a second.
    pub fn start(database: PathBuf, sent: Arc<Sent>, rate: f64) -> StoredProbe {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let every = (rate / SAMPLES).ceil().max(1.0) as i64;
        let thread = thread::spawn(move || {
            let mut database = SqliteConnection::establish(&database.to_string_lossy()).expect("the history");
            let there: Result<Last, _> =
                sql_query("SELECT coalesce(max(id), 0) AS id FROM live_data_danmakudata").get_result(&mut database);
            let (mut latencies, mut last) = (Latencies::default(), there.map_or(0, |there| there.id));
            while !told.load(Relaxed) {
                let rows: Vec<Row> = sql_query(
                    "SELECT id, room_id, event_id FROM live_data_danmakudata WHERE id > ? AND id % ? = 0 ORDER BY id",
                )
                .bind::<BigInt, _>(last)
                .bind::<BigInt, _>(every)
                .load(&mut database)
                .unwrap_or_default();
                for row in rows {
                    last = row.id;
                    let time_ms = row.event_id.parse().map_or(0, EventId::timestamp_ms);
                    latencies.0.extend(sent.age(row.room_id.unsigned_abs(), time_ms));
                }
                thread::sleep(LOOK_EVERY);
            }
            latencies
        });
        StoredProbe { stop, thread }
    }

    /// What was seen.
    pub fn stop(self) -> Latencies {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the probe does not panic")
    }
}
