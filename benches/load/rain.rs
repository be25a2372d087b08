//! Chat at an even rate: one packet of lines after the other, to one room after the other.
//!
//! Rooms are sent the same bytes, made once a round or a few times a second: an event's id holds its room, so they
//! are different events, and the generator costs little beside what it measures. Every packet has a time of its own,
//! by which its way is followed.

use std::time::Duration;

use bilibili_live_monitor::simulator::Simulator;
use bytes::Bytes;
use chrono::Utc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::latency::Sent;
use crate::support::messages::{self, A_PACKET};

/// What is older is made anew.
const FRESH_FOR: Duration = Duration::from_millis(250);

/// Lets `rate` lines a second fall for so long; how many fell.
pub async fn fall(simulator: &Simulator, rooms: &[u64], rate: f64, seconds: u64, sent: &Sent) -> u64 {
    let begun = Instant::now();
    let total = (rate * seconds as f64 / A_PACKET as f64).round() as usize;
    let mut ticks = interval(Duration::from_millis(2));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut time_ms) = (0, 0);
    let mut packet = (Bytes::new(), begun);
    while told < total {
        ticks.tick().await;
        let due = (begun.elapsed().as_secs_f64() * rate / A_PACKET as f64) as usize;
        // A few at a time, so that the simulator's other work goes on.
        let until = due.min(total).min(told + 64);
        while told < until {
            if told % rooms.len() == 0 || packet.1.elapsed() > FRESH_FOR {
                time_ms = Utc::now().timestamp_millis().max(time_ms + 1);
                packet = (lines((told * A_PACKET) as u64, time_ms), Instant::now());
            }
            let room = rooms[told % rooms.len()];
            sent.note(room, time_ms);
            simulator.send(room, packet.0.clone());
            told += 1;
        }
    }
    (total * A_PACKET) as u64
}

fn lines(first: u64, time_ms: i64) -> Bytes {
    let lines: Vec<String> = (first..first + A_PACKET as u64).map(|n| messages::danmaku(n, time_ms)).collect();
    messages::frame(&lines, 3).into()
}
