//! The program, Redis and SQLite are killed, stopped, emptied and locked under load; then everything must be there.
//!
//! A fake Bilibili counts what it sent. After recovery nothing is there twice; what is missing was sent in
//! the last moments before a `kill -9`, in one piece, and lies in a gap of the room; the books balance.

use std::{collections::BTreeSet, time::Duration};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    pipeline::books_balance,
    support::{
        eventually,
        fake::{FakeBilibili, Room, unix_ms},
        monitor::{Monitor, Setup, rows},
        packet::Packing,
        redis_server::RedisServer,
        story::Story,
    },
};

/// Lines sent in one go to each room, and the pause after them: 1,000 a second with two rooms.
const AT_ONCE: usize = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// Two rooms, and what they have been sent.
struct Load {
    fake: FakeBilibili,
    rooms: Vec<Room>,
    stories: Vec<Story>,
    /// Lines sent so far to each room.
    sent: usize,
    /// The stretches of line numbers in which a kill may have taken some with it, and when it was.
    kills: Vec<(std::ops::Range<usize>, i64)>,
}

impl Load {
    fn new(first: u64) -> Load {
        let rooms: Vec<Room> = [Packing::Brotli, Packing::Zlib]
            .into_iter()
            .enumerate()
            .map(|(n, packing)| Room::new(first + n as u64, packing))
            .collect();
        let fake = FakeBilibili::start(rooms.clone());
        let stories = rooms.iter().map(|room| Story::chat(room, 30_000)).collect();
        Load { fake, rooms, stories, sent: 0, kills: Vec::new() }
    }

    fn ids(&self) -> Vec<u64> {
        self.rooms.iter().map(|room| room.room_id).collect()
    }

    async fn send_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            assert!(self.sent + AT_ONCE <= 30_000, "the story is long enough");
            for (room, story) in self.rooms.iter().zip(&self.stories) {
                self.fake.send(room.room_id, &story.messages[self.sent..self.sent + AT_ONCE]);
            }
            self.sent += AT_ONCE;
            sleep(PAUSE).await;
        }
    }

    /// Kills the program under load.
    async fn kill(&mut self, monitor: &mut Monitor, after: Duration) {
        self.send_for(after).await;
        // What was sent in the last second may go.
        let second = (1.0 / PAUSE.as_secs_f64()) as usize * AT_ONCE;
        let earlier = self.kills.last().map_or(0, |(stretch, _)| stretch.end);
        monitor.kill_9();
        self.kills.push((self.sent.saturating_sub(second).max(earlier)..self.sent, unix_ms()));
    }

    /// Nothing twice, and missing only what a kill took, at its end, within a gap.
    async fn is_stored(&self, monitor: &Monitor) {
        for room in self.ids() {
            eventually("everything is there but for the last second before each kill", async || {
                let stored = numbers(monitor.setup(), room);
                let missing: Vec<usize> = (0..self.sent).filter(|n| !stored.contains(n)).collect();
                let excused = |n: &usize| self.kills.iter().any(|(stretch, _)| stretch.contains(n));
                match missing.iter().find(|n| !excused(n)) {
                    None => Ok(()),
                    Some(first) => Err(format!("room {room} lacks {} lines, #{first} among them", missing.len())),
                }
            })
            .await;
            let stored = numbers(monitor.setup(), room);
            for (stretch, _) in &self.kills {
                let there: Vec<usize> = stretch.clone().filter(|n| stored.contains(n)).collect();
                let in_one_piece = there.iter().enumerate().all(|(i, n)| stretch.start + i == *n);
                assert!(
                    in_one_piece,
                    "what a kill took is the end, not something in between: {there:?} of {stretch:?}"
                );
            }
            let gaps = monitor.data(&format!("/live/api/room/{room}/gaps/")).await["gaps"].take();
            for (_, killed) in &self.kills {
                let told = gaps.as_array().into_iter().flatten().any(|gap| {
                    let from = gap["from_ms"].as_i64().unwrap_or(i64::MAX);
                    // It begins before the kill, with what may be missing, and ends after it.
                    from <= *killed && gap["to_ms"].as_i64().is_none_or(|to| to >= *killed)
                });
                assert!(told, "the time of the kill at {killed} is a gap of room {room}: {gaps}");
            }
        }
    }

    /// The books of this run and of all time hold; what kills took is named there.
    async fn is_booked(&self, monitor: &Monitor) {
        let ledger = books_balance(monitor).await;
        let all = &ledger["all_time"];
        assert_eq!(all["balanced"], true, "{all}");
        let lines: usize = self.ids().iter().map(|room| numbers(monitor.setup(), *room).len()).sum();
        // Beside the lines there is what the heartbeats tell.
        assert!(all["total"]["stored"].as_u64() >= Some(lines as u64), "{lines} lines: {all}");
        let reasons: Vec<&String> = all["total"]["dropped"].as_object().into_iter().flatten().map(|(r, _)| r).collect();
        assert!(reasons.iter().all(|reason| *reason == "program_ended"), "{all}");
    }
}

/// Numbers of the chat lines of a room in the history; fails if one is there twice.
fn numbers(setup: &Setup, room: u64) -> BTreeSet<usize> {
    let from = format!("live_data_danmakudata WHERE room_id = {room}");
    let mut numbers = BTreeSet::new();
    for row in rows(&setup.database(), "message", &from) {
        let number = row["message"].as_str().and_then(|text| text.trim_start_matches('#').parse().ok());
        assert!(numbers.insert(number.expect("a number")), "{row} is there twice in room {room}");
    }
    numbers
}

/// Moments between 300 and 1500 ms, the same for the same seed.
fn moments(mut seed: u64, n: usize) -> Vec<Duration> {
    (0..n)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Duration::from_millis(300 + (seed >> 33) % 1200)
        })
        .collect()
}

/// How often the killing tests kill; more for a long run.
fn kills() -> usize {
    std::env::var("CRASH_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(3)
}

async fn killed_again_and_again(first: u64, options: &[&str]) {
    let mut load = Load::new(first);
    let ids = load.ids();
    let mut monitor = Setup::watching(&load.fake, &ids).with(options).start().await;
    let setup = monitor.setup().clone();
    for (round, moment) in moments(first, kills()).into_iter().enumerate() {
        load.fake.wait_for(&ids, round + 1).await;
        load.kill(&mut monitor, moment).await;
        monitor = setup.start().await;
    }
    load.fake.wait_for(&ids, kills() + 1).await;
    load.send_for(Duration::from_millis(500)).await;
    load.is_stored(&monitor).await;
    load.is_booked(&monitor).await;
}

#[tokio::test]
async fn killed_at_random_moments_it_loses_at_most_the_last_second_and_says_so() {
    killed_again_and_again(92_005_101, &[]).await;
}

#[tokio::test]
async fn with_redis_killed_at_random_moments_it_loses_at_most_the_last_second_and_says_so() {
    let redis = RedisServer::start().await;
    killed_again_and_again(92_005_111, &["--redis", redis.url()]).await;
}

#[tokio::test]
async fn a_redis_that_goes_away_and_comes_back_empty_costs_nothing() {
    let redis = RedisServer::start().await;
    let (url, port) = (redis.url().to_owned(), redis.port());
    let mut load = Load::new(92_005_121);
    let ids = load.ids();
    let mut monitor = Setup::watching(&load.fake, &ids).with(&["--redis", &url]).start().await;
    load.fake.wait_for(&ids, 1).await;
    load.send_for(Duration::from_millis(500)).await;
    drop(redis);
    load.send_for(Duration::from_secs(2)).await;
    eventually("health says that events wait for Redis", async || {
        let health = monitor.data("/live/api/health/").await;
        let findings = health["findings"].as_array().cloned().unwrap_or_default();
        let told = findings.iter().any(|finding| finding["code"] == "redis_away" && finding["n"].as_u64() > Some(1));
        if told { Ok(()) } else { Err(health["sentence"].to_string()) }
    })
    .await;
    // Stopped meanwhile, everything is safe; started without Redis, everything is there still.
    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0));
    let mut monitor = monitor.setup().clone().start().await;
    load.fake.wait_for(&ids, 2).await;
    load.send_for(Duration::from_millis(500)).await;
    let redis = RedisServer::start_on(port).await;
    load.is_stored(&monitor).await;
    // Emptied with everything open, under load; then killed together with the program.
    load.send_for(Duration::from_millis(300)).await;
    let _: () = deadpool_redis::redis::cmd("FLUSHALL").query(&mut redis.open()).expect("flushed");
    load.send_for(Duration::from_millis(300)).await;
    drop(redis);
    load.kill(&mut monitor, Duration::from_millis(200)).await;
    let _redis = RedisServer::start_on(port).await;
    let monitor = monitor.setup().clone().start().await;
    load.fake.wait_for(&ids, 3).await;
    load.is_stored(&monitor).await;
    load.is_booked(&monitor).await;
}

#[tokio::test]
async fn a_locked_sqlite_holds_events_up_and_loses_none() {
    let mut load = Load::new(92_005_131);
    let ids = load.ids();
    let monitor = Setup::watching(&load.fake, &ids).start().await;
    load.fake.wait_for(&ids, 1).await;
    load.send_for(Duration::from_millis(500)).await;
    let mut locker = SqliteConnection::establish(&monitor.setup().database().to_string_lossy()).expect("opens");
    locker.batch_execute("PRAGMA busy_timeout = 20000; BEGIN IMMEDIATE").expect("locked");
    // Longer than a writer waits for a lock.
    load.send_for(Duration::from_secs(7)).await;
    eventually("health says that events wait for SQLite", async || {
        let health = monitor.data("/live/api/health/").await;
        let findings = health["findings"].as_array().cloned().unwrap_or_default();
        if findings.iter().any(|finding| finding["code"] == "history_waits") {
            Ok(())
        } else {
            Err(health["sentence"].to_string())
        }
    })
    .await;
    assert_eq!(monitor.room(ids[0]).await.map(|room| room["state"].clone()), Some(Value::from("live")));
    locker.batch_execute("ROLLBACK").expect("unlocked");
    load.is_stored(&monitor).await;
    load.is_booked(&monitor).await;
    let task = monitor.rows("error_count, last_error", "live_data_monitoringtask");
    assert!(task[0]["error_count"].as_i64() >= Some(1), "the task's row tells of it: {task:?}");
}
