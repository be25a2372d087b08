//! The process-wide limit on new connections.
//!
//! Backoff with jitter spreads a herd; only the gate stops one: so many connects in flight, and so many
//! new ones a second. When the upstream asks for patience the gate closes for everybody at once.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// Connects under way at once.
const IN_FLIGHT: usize = 64;

/// The gate.
pub struct Gate {
    in_flight: Arc<Semaphore>,
    spacing: Duration,
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    next: Option<Instant>,
    closed_until: Option<Instant>,
}

/// The right to connect; held until the upstream has let the connection in.
pub struct Permit {
    _in_flight: Option<OwnedSemaphorePermit>,
}

impl Gate {
    /// A gate that lets `per_second` new connects through.
    pub fn new(per_second: f64) -> Gate {
        Gate {
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
            spacing: Duration::from_secs_f64(1.0 / per_second),
            turns: Mutex::default(),
        }
    }

    /// The distance of two connects.
    pub fn spacing(&self) -> Duration {
        self.spacing
    }

    /// Waits for its turn.
    pub async fn enter(&self) -> Permit {
        // The semaphore is never closed, so the permit is always there.
        let permit = self.in_flight.clone().acquire_owned().await.ok();
        loop {
            let turn = self.take_turn();
            sleep_until(turn).await;
            // The gate may have closed meanwhile; then this turn is worth nothing.
            if self.turns().closed_until.is_none_or(|until| until <= turn) {
                break;
            }
        }
        Permit { _in_flight: permit }
    }

    /// Nobody comes through for `pause`, those who have a turn already included.
    pub fn close_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut turns = self.turns();
        let until = turns.closed_until.map_or(until, |closed| closed.max(until));
        turns.closed_until = Some(until);
        turns.next = Some(turns.next.map_or(until, |next| next.max(until)));
    }

    fn take_turn(&self) -> Instant {
        let mut turns = self.turns();
        // While the gate is closed the next turn is not before it opens: see `close_for`.
        let turn = turns.next.map_or_else(Instant::now, |next| next.max(Instant::now()));
        turns.next = Some(turn + self.spacing);
        turn
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_herd_comes_through_evenly() {
        let gate = Gate::new(50.0);
        let start = Instant::now();
        let arrivals = join_all((0..200).map(|_| async {
            let _permit = gate.enter().await;
            start.elapsed().as_millis()
        }));
        let arrivals = arrivals.await;
        assert_eq!(arrivals.iter().max(), Some(&3980));
        for second in 0..4 {
            let in_second = arrivals.iter().filter(|at| **at / 1000 == second).count();
            assert_eq!(in_second, 50, "in second {second}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_lets_nobody_through() {
        let gate = Gate::new(50.0);
        let start = Instant::now();
        gate.close_for(Duration::from_secs(60));
        gate.enter().await;
        assert_eq!(start.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_for_a_turn_when_the_gate_closed_waits_on() {
        let gate = Gate::new(1.0);
        let start = Instant::now();
        let knocking = join_all((0..30).map(|_| async {
            drop(gate.enter().await);
            start.elapsed().as_secs()
        }));
        let closing = async {
            tokio::time::sleep(Duration::from_millis(4500)).await;
            gate.close_for(Duration::from_secs(600));
        };
        let (arrivals, ()) = tokio::join!(knocking, closing);
        assert_eq!(arrivals.iter().filter(|at| **at <= 4).count(), 5);
        assert!(arrivals.iter().all(|at| *at <= 4 || *at >= 604), "{arrivals:?}");
    }
}
