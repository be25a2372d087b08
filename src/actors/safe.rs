//! Until when everything that was received is safe on disk.
//!
//! The lane to the live store is read in order. So what had been taken when we looked is safe as soon as so much
//! is finished; how long that takes is the disk's affair, and what a kill takes is all that came later.

use std::collections::VecDeque;

use crate::supervise::lane::LaneReading;

/// Looks that wait for what had been taken then: two minutes of a disk that takes nothing. Later ones are
/// left out meanwhile, so that the first of them stays.
const LOOKS: usize = 256;

/// See the file's head.
#[derive(Default)]
pub struct Safe {
    /// When, unix ms, and how much had been taken.
    looks: VecDeque<(i64, u64)>,
    until_ms: Option<i64>,
}

impl Safe {
    /// The lane as it is now. Gives the last moment before which everything is safe, unix ms; none before there is one.
    pub fn look(&mut self, now_ms: i64, lane: &LaneReading) -> Option<i64> {
        if self.looks.len() < LOOKS {
            self.looks.push_back((now_ms, lane.taken));
        }
        let finished = lane.taken - lane.depth;
        while let Some((at_ms, _)) = self.looks.pop_front_if(|(_, taken)| *taken <= finished) {
            self.until_ms = Some(at_ms);
        }
        self.until_ms
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_moment_is_safe_when_all_that_had_been_taken_then_is_finished() {
        let mut safe = Safe::default();
        let mut look = |now_ms, taken, depth| {
            let (high_water, shed, shed_by_kind) = (0, 0, BTreeMap::new());
            safe.look(
                now_ms,
                &LaneReading { name: "test".into(), depth, capacity: 9, high_water, taken, shed, shed_by_kind },
            )
        };
        assert_eq!(look(0, 3, 3), None, "nothing is known yet");
        assert_eq!(look(500, 5, 2), Some(0), "the first three are finished, more came");
        assert_eq!(look(1000, 5, 2), Some(0), "a disk that takes nothing");
        assert_eq!(look(1500, 7, 1), Some(1000), "what came after it waits");
        assert_eq!(look(2000, 7, 0), Some(2000), "nothing waits");
        assert_eq!(look(100, 7, 0), Some(100), "a clock that was set back");
        for n in 0..10_000 {
            assert_eq!(look(3000 + n, 8, 1), Some(100));
        }
        assert_eq!(look(20_000, 8, 0), Some(3000 + LOOKS as i64 - 1), "and goes on");
        assert_eq!(look(20_500, 8, 0), Some(20_500));
    }
}
