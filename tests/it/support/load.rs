//! Numbered chat lines, evenly and many a second, and the judgement on what is left of them.
//!
//! Whatever happens to the program meanwhile: nothing may be there twice, what is missing must be the end of what was sent before
//! a kill and lie in a gap of the room, and the books must balance.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    eventually,
    fake::{FakeBilibili, Room, unix_ms},
    monitor::{Monitor, Setup, rows},
    packet::Packing,
    story::Story,
};
use crate::pipeline::books_balance;

/// Lines are sent so often.
const TICK: Duration = Duration::from_millis(20);

/// How hard it is made.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Lines a second, over both rooms.
    pub rate: usize,
    /// How often it is killed.
    pub kills: usize,
    /// How long Redis is away.
    pub redis_away: Duration,
    /// How long SQLite is locked: longer than a writer waits for a lock.
    pub locked: Duration,
    /// How long the disk is full: no longer than the lane in memory lasts.
    pub full: Duration,
}

impl Scale {
    /// For every day.
    pub const SHORT: Scale = Scale {
        rate: 1000,
        kills: 3,
        redis_away: Duration::from_secs(2),
        locked: Duration::from_secs(7),
        full: Duration::from_secs(3),
    };
    /// As the project promises it.
    pub const FULL: Scale = Scale {
        rate: 2000,
        kills: 20,
        redis_away: Duration::from_secs(60),
        locked: Duration::from_secs(30),
        full: Duration::from_secs(8),
    };
}

/// Two rooms, and what they have been sent.
pub struct Load {
    pub fake: FakeBilibili,
    pub scale: Scale,
    rooms: Vec<Room>,
    stories: Vec<Story>,
    /// Lines sent so far to each room.
    sent: usize,
    /// When they were sent, unix ms, and the first line of each time.
    times: Vec<(i64, usize)>,
    kills: Vec<Kill>,
    begun: Instant,
    /// How far the program's clock is ahead of ours, ms.
    pub clock_ahead_ms: i64,
}

/// A `kill -9`.
struct Kill {
    /// The lines it may have taken with it: those of the last second.
    may_lack: std::ops::Range<usize>,
    /// When, by the program's clock, unix ms.
    at_ms: i64,
    /// How far that clock was ahead of ours then, ms.
    ahead_ms: i64,
}

impl Load {
    pub fn new(first: u64, scale: Scale) -> Load {
        let rooms: Vec<Room> = [Packing::Brotli, Packing::Zlib]
            .into_iter()
            .enumerate()
            .map(|(n, packing)| Room::new(first + n as u64, packing))
            .collect();
        let fake = FakeBilibili::start(rooms.clone());
        let stories = rooms.iter().map(Story::empty).collect();
        Load {
            fake,
            scale,
            rooms,
            stories,
            sent: 0,
            times: Vec::new(),
            kills: Vec::new(),
            begun: Instant::now(),
            clock_ahead_ms: 0,
        }
    }

    pub fn ids(&self) -> Vec<u64> {
        self.rooms.iter().map(|room| room.room_id).collect()
    }

    /// Lines sent so far to each room.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Waits until both rooms have been entered so often.
    pub async fn is_heard(&self, times: usize) {
        self.fake.wait_for(&self.ids(), times).await;
    }

    pub async fn send_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let at_once = (self.scale.rate as f64 * TICK.as_secs_f64()) as usize / self.rooms.len();
        while Instant::now() < end {
            tick.tick().await;
            self.times.push((unix_ms(), self.sent));
            let numbers = self.sent..self.sent + at_once;
            for (room, story) in self.rooms.iter().zip(&mut self.stories) {
                for n in numbers.clone() {
                    story.danmaku(&format!("#{n}"), "DANMU_MSG", false, 0);
                }
                self.fake.send(room.room_id, &story.messages);
                // Only its numbers and its clock go on: minutes of this are a million lines.
                *story = Story::after(story);
            }
            self.sent = numbers.end;
        }
    }

    /// Kills the program under load.
    pub async fn kill(&mut self, monitor: &mut Monitor, after: Duration) {
        self.send_for(after).await;
        monitor.kill_9();
        let now = unix_ms();
        let earlier = self.kills.last().map_or(0, |kill| kill.may_lack.end);
        let last_second = self.times.iter().find(|(at, _)| *at >= now - 1000).map_or(self.sent, |(_, first)| *first);
        self.kills.push(Kill {
            may_lack: last_second.max(earlier)..self.sent,
            at_ms: now + self.clock_ahead_ms,
            ahead_ms: self.clock_ahead_ms,
        });
    }

    /// Nothing twice, and missing only what a kill took, at its end, within a gap; the books of this run and of all
    /// time hold, and what kills took is named there.
    pub async fn is_stored_and_booked(&self, monitor: &Monitor) {
        let mut stored = 0;
        for room in self.ids() {
            let lines = self.is_stored(monitor.setup(), room).await;
            if !self.kills.is_empty() {
                let gaps = monitor.data(&format!("/live/api/room/{room}/gaps/?limit=1000")).await["gaps"].take();
                self.kills_are_gaps(room, &lines, gaps.as_array().expect("a list"));
            }
            stored += lines.len();
        }
        self.is_booked(monitor, stored).await;
        self.say(stored);
    }

    /// The books of this run and of all time hold, with at least so many lines.
    pub async fn is_booked(&self, monitor: &Monitor, stored: usize) {
        let ledger = books_balance(monitor).await;
        let all = &ledger["all_time"];
        assert_eq!(all["balanced"], true, "{all}");
        // Beside the lines there is what the heartbeats tell.
        assert!(all["total"]["stored"].as_u64() >= Some(stored as u64), "{stored} lines: {all}");
        let dropped: BTreeMap<String, u64> =
            serde_json::from_value(all["total"]["dropped"].clone()).expect("numbers by reason");
        assert!(dropped.keys().all(|reason| reason == "program_ended" && !self.kills.is_empty()), "{all}");
    }

    /// The numbers of a room's lines in the history, when everything is there but for what kills took.
    pub async fn is_stored(&self, setup: &Setup, room: u64) -> BTreeSet<usize> {
        let excused: usize = self.kills.iter().map(|kill| kill.may_lack.len()).sum();
        let from = format!("live_data_danmakudata WHERE room_id = {room}");
        eventually("everything is there but for the last second before each kill", async || {
            // Counting is cheaper than reading.
            let count = rows(&setup.database(), "count(*) AS n", &from)[0]["n"].as_u64().unwrap_or_default() as usize;
            if count + excused < self.sent {
                return Err(format!("{count} of {} lines of room {room}", self.sent));
            }
            let stored = numbers(setup, room);
            let lacks = |n: &usize| !stored.contains(n) && !self.kills.iter().any(|kill| kill.may_lack.contains(n));
            match (0..self.sent).find(lacks) {
                None => Ok(stored),
                Some(first) => Err(format!("room {room} has {} lines and lacks #{first}", stored.len())),
            }
        })
        .await
    }

    fn kills_are_gaps(&self, room: u64, stored: &BTreeSet<usize>, gaps: &[Value]) {
        for Kill { may_lack, at_ms, ahead_ms } in &self.kills {
            let there: Vec<usize> = may_lack.clone().filter(|n| stored.contains(n)).collect();
            let in_one_piece = there.iter().enumerate().all(|(i, n)| may_lack.start + i == *n);
            assert!(in_one_piece, "what a kill took is the end, not something in between: {there:?} of {may_lack:?}");
            // From when the first line was sent that is missing.
            let first_missing = may_lack.start + there.len();
            let sent = self.times.iter().rev().find(|(_, first)| *first <= first_missing);
            let from = sent.filter(|_| first_missing < may_lack.end).map_or(*at_ms, |(at, _)| at + ahead_ms);
            let told = gaps.iter().any(|gap| {
                gap["from_ms"].as_i64().is_some_and(|begin| begin <= from)
                    && gap["to_ms"].as_i64().is_none_or(|end| end >= *at_ms)
            });
            let lacking = may_lack.end - first_missing;
            assert!(told, "{lacking} lines from {from} to the kill at {at_ms} are in no gap of room {room}: {gaps:?}");
        }
    }

    /// What came of it, for whoever measures.
    #[expect(clippy::print_stdout, reason = "the long run is measured by it")]
    pub fn say(&self, stored: usize) {
        let sent = self.sent * self.rooms.len();
        println!(
            "{sent} lines sent in {:.0} s, {} times killed, {} lines lost by that, none twice",
            self.begun.elapsed().as_secs_f64(),
            self.kills.len(),
            sent - stored,
        );
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
