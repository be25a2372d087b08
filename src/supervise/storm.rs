//! Notices that many fall together: then the cause is not theirs, and nobody's budget is spent.
//!
//! Pure: the clock comes in as a value. An address ban must not fail four thousand rooms one by one.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// A wave of deaths is more than this many ...
const DEATHS: usize = 10;
/// ... or this part of all, whichever is more, ...
const SHARE: f64 = 0.2;
/// ... within this.
const WINDOW: Duration = Duration::from_secs(10);

/// The deaths of the last seconds that may have a common cause.
#[derive(Debug, Default)]
pub struct StormGuard {
    deaths: VecDeque<Instant>,
    storm: bool,
}

/// What a death is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// It stands alone.
    Calm,
    /// It is the one that makes a wave of those before it.
    StormBegins {
        /// How many fell within the window.
        deaths: usize,
    },
    /// It is one more of a wave.
    Storm,
}

impl StormGuard {
    /// One of `all` children was lost or refused.
    pub fn fell(&mut self, all: usize, now: Instant) -> Weather {
        self.deaths.push_back(now);
        while self.deaths.front().is_some_and(|then| now.duration_since(*then) > WINDOW) {
            self.deaths.pop_front();
        }
        let deaths = self.deaths.len();
        let before = std::mem::replace(&mut self.storm, deaths > DEATHS.max((all as f64 * SHARE) as usize));
        match (before, self.storm) {
            (_, false) => Weather::Calm,
            (false, true) => Weather::StormBegins { deaths },
            (true, true) => Weather::Storm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_together_are_a_storm_and_many_in_a_row_are_not() {
        let mut guard = StormGuard::default();
        let start = Instant::now();
        let at = |tenths: u64| start + Duration::from_millis(tenths * 100);
        for tenths in 0..10 {
            assert_eq!(guard.fell(40, at(tenths)), Weather::Calm);
        }
        assert_eq!(guard.fell(40, at(10)), Weather::StormBegins { deaths: 11 });
        assert_eq!(guard.fell(40, at(11)), Weather::Storm);
        let mut guard = StormGuard::default();
        for seconds in 0..100 {
            assert_eq!(guard.fell(40, at(seconds * 11)), Weather::Calm, "nine in ten seconds");
        }
        let mut guard = StormGuard::default();
        for death in 0..200 {
            assert_eq!(guard.fell(1000, at(0)), Weather::Calm, "a fifth of all, {death}");
        }
        assert_eq!(guard.fell(1000, at(0)), Weather::StormBegins { deaths: 201 });
    }
}
