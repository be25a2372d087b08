//! The pulse of a thread on which actors live: a tick a second that measures how late it comes.
//!
//! All actors of a thread take turns, so one that computes for too long, or blocks, shows as the lateness
//! of the tick: of the thread, and with it of everybody there. A thread that ended no longer ticks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::{vitals::unix_ms, worst::WorstOfMinute};

/// How often a thread ticks.
const TICK: Duration = Duration::from_secs(1);
/// A thread that has not ticked for so long is taken for dead or blocked.
const SILENT_AFTER_MS: i64 = 10_000;

/// What a thread publishes.
pub struct Pulse {
    name: String,
    beat_ms: AtomicI64,
    lag_us: AtomicI64,
    worst: WorstOfMinute,
}

impl Pulse {
    /// The pulse of a thread that begins now.
    pub fn new(name: impl Into<String>) -> Arc<Pulse> {
        Arc::new(Pulse {
            name: name.into(),
            beat_ms: AtomicI64::new(unix_ms()),
            lag_us: AtomicI64::new(0),
            worst: WorstOfMinute::default(),
        })
    }

    /// Name of the thread.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ticks for as long as the thread on which this is run.
    pub async fn tick(self: Arc<Pulse>) {
        loop {
            let due = Instant::now() + TICK;
            sleep_until(due).await;
            self.ticked(due.elapsed(), unix_ms());
        }
    }

    fn ticked(&self, late: Duration, now_ms: i64) {
        let late = i64::try_from(late.as_micros()).unwrap_or(i64::MAX);
        self.lag_us.store(late, Relaxed);
        self.worst.note(late, now_ms);
        self.beat_ms.store(now_ms, Relaxed);
    }

    /// What stands there at `now_ms`.
    pub fn reading(&self, now_ms: i64) -> PulseReading {
        let beat = self.beat_ms.load(Relaxed);
        let ms = |us: i64| us as f64 / 1000.0;
        PulseReading {
            name: self.name.clone(),
            beat,
            is_alive: now_ms - beat < SILENT_AFTER_MS,
            lag_ms: ms(self.lag_us.load(Relaxed)),
            lag_worst_ms: ms(self.worst.at(now_ms)),
        }
    }
}

/// One reading of a thread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PulseReading {
    /// Such as `rooms 1`.
    pub name: String,
    /// When it last ticked, unix ms.
    pub beat: i64,
    /// Whether it ticked within 10 s.
    pub is_alive: bool,
    /// How late the last tick came, ms.
    pub lag_ms: f64,
    /// How late the latest of the last minute came, ms.
    pub lag_worst_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_lateness_stays_for_a_minute_and_silence_shows() {
        let pulse = Pulse::new("rooms 1");
        let start = unix_ms();
        pulse.ticked(Duration::from_millis(40), start);
        pulse.ticked(Duration::from_millis(1), start + 1000);
        let reading = pulse.reading(start + 2000);
        assert_eq!((reading.is_alive, reading.lag_ms, reading.lag_worst_ms), (true, 1.0, 40.0));
        let reading = pulse.reading(start + 80_000);
        assert_eq!((reading.is_alive, reading.lag_worst_ms), (false, 0.0));
    }
}
