//! The greatest value of the last minute, for something that is measured often and read rarely.
//!
//! Six slots of ten seconds, relaxed atomics: a value that is noted while a slot is being cleared may be
//! lost. It covers the last 50 to 60 seconds.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

const SLOTS: usize = 6;
const SLOT_MS: i64 = 10_000;

/// The greatest value of the last minute; 0 when there was none.
#[derive(Default)]
pub struct WorstOfMinute {
    values: [AtomicI64; SLOTS],
    /// Which ten seconds each slot is about.
    of: [AtomicI64; SLOTS],
}

impl WorstOfMinute {
    /// A value was measured at `now_ms`.
    pub fn note(&self, value: i64, now_ms: i64) {
        let tens = now_ms / SLOT_MS;
        let slot = tens.rem_euclid(SLOTS as i64) as usize;
        if self.of[slot].swap(tens, Relaxed) != tens {
            self.values[slot].store(value, Relaxed);
        } else {
            self.values[slot].fetch_max(value, Relaxed);
        }
    }

    /// The greatest, seen from `now_ms`.
    pub fn at(&self, now_ms: i64) -> i64 {
        let tens = now_ms / SLOT_MS;
        let recent = self.of.iter().zip(&self.values).filter(|(of, _)| tens - of.load(Relaxed) < SLOTS as i64);
        recent.map(|(_, value)| value.load(Relaxed)).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_for_a_minute() {
        let worst = WorstOfMinute::default();
        worst.note(7, 100_000);
        worst.note(3, 109_999);
        worst.note(5, 130_000);
        assert_eq!([100_000, 130_000, 159_999, 160_000, 200_000].map(|now| worst.at(now)), [7, 7, 7, 5, 0]);
    }
}
