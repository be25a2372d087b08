//! Finds lives that no longer move, by their vitals, on the clock that tests can pause.
//!
//! A stuck actor is shown at once ([`super::vitals`]); this one decides when to end it, which is later:
//! ending a life that was only slow costs more than waiting.

use std::time::Duration;

use tokio::time::Instant;

use super::vitals::{Doing, Vitals};

/// What was last seen of a life.
#[derive(Clone, Copy, Debug)]
pub struct Watchdog {
    beats: u64,
    since: Instant,
}

impl Watchdog {
    /// Begins to watch.
    pub fn new(vitals: &Vitals, now: Instant) -> Watchdog {
        Watchdog { beats: vitals.beats(), since: now }
    }

    /// What the life has been doing, and for how long, if that is `grace` longer than it ever takes.
    pub fn stuck(&mut self, vitals: &Vitals, grace: Duration, now: Instant) -> Option<(Doing, Duration)> {
        let beats = vitals.beats();
        if beats != self.beats {
            *self = Watchdog { beats, since: now };
            return None;
        }
        let (doing, silent) = (vitals.does(), now.duration_since(self.since));
        doing.patience().filter(|patience| silent > *patience + grace).map(|_| (doing, silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_does_not_move_for_too_long_is_stuck() {
        let vitals = Vitals::new("x".into(), "room", "rooms", None);
        vitals.doing(Doing::Decoding);
        let (start, grace) = (Instant::now(), Duration::from_secs(30));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut dog = Watchdog::new(&vitals, start);
        assert_eq!(dog.stuck(&vitals, grace, at(33)), None);
        assert_eq!(dog.stuck(&vitals, grace, at(34)), Some((Doing::Decoding, Duration::from_secs(34))));
        vitals.beat();
        assert_eq!(dog.stuck(&vitals, grace, at(60)), None);
        vitals.doing(Doing::WaitingForGate);
        assert_eq!(dog.stuck(&vitals, grace, at(61)), None);
        assert_eq!(dog.stuck(&vitals, grace, at(9999)), None, "the gate may take for ever");
    }
}
