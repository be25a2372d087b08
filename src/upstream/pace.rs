//! An even pace: turns are given out one by one, a fixed distance apart.
//!
//! No bursts, so that in no second there are more turns than the rate says, whatever came before. On tokio's
//! clock, so that tests can pause it (the pace of the web's visitors, `web`, is another matter).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::supervise::vitals::unix_ms;

/// The moment when `left` will have passed, unix ms: a rest as people are told of it.
pub fn in_ms(left: Duration) -> i64 {
    unix_ms().saturating_add(i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
}

/// A pace.
pub struct Pace {
    spacing: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// So many turns a second.
    pub fn new(per_second: f64) -> Pace {
        Pace { spacing: Duration::from_secs_f64(1.0 / per_second), next: Mutex::default() }
    }

    /// How far apart the turns are.
    pub fn spacing(&self) -> Duration {
        self.spacing
    }

    /// Takes the next turn; says when it is.
    pub fn take(&self) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
        *next = Some(turn + self.spacing);
        turn
    }

    /// Turns not taken yet are not before `until`.
    pub fn hold_until(&self, until: Instant) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = Some(next.map_or(until, |next| next.max(until)));
    }

    /// Waits for the next turn.
    pub async fn turn(&self) {
        sleep_until(self.take()).await;
    }
}
