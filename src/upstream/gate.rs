//! The process-wide limit on new connections.
//!
//! Backoff with jitter spreads a herd; only the gate stops one: so many connects in flight, and so many
//! new ones a second. When the upstream asks for patience the gate closes for everybody at once.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

use super::pace::Pace;
use crate::supervise::vitals::unix_ms;

/// Connects under way at once.
const IN_FLIGHT: usize = 64;

/// The gate.
pub struct Gate {
    in_flight: Arc<Semaphore>,
    pace: Pace,
    closed_until: Mutex<Option<Instant>>,
    waiting: Count,
    connecting: Count,
}

/// The right to connect; held until the upstream has let the connection in.
pub struct Permit {
    _in_flight: Option<OwnedSemaphorePermit>,
    _connecting: Counted,
}

/// How the gate is, for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateReading {
    /// New connects a second at most.
    pub per_second: f64,
    /// Rooms that wait for their turn.
    pub waiting: usize,
    /// Rooms that are on their way in.
    pub connecting: usize,
    /// Closed for everybody until then, unix ms; none when it is open.
    pub closed_until_ms: Option<i64>,
}

/// How many are somewhere at present.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

/// One of them, until it is dropped.
struct Counted(Count);

impl Count {
    fn one_more(&self) -> Counted {
        self.0.fetch_add(1, Relaxed);
        Counted(self.clone())
    }

    fn now(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

impl Gate {
    /// A gate that lets `per_second` new connects through.
    pub fn new(per_second: f64) -> Gate {
        Gate {
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
            pace: Pace::new(per_second),
            closed_until: Mutex::default(),
            waiting: Count::default(),
            connecting: Count::default(),
        }
    }

    /// The distance of two connects.
    pub fn spacing(&self) -> Duration {
        self.pace.spacing()
    }

    /// Waits for its turn.
    pub async fn enter(&self) -> Permit {
        let _waiting = self.waiting.one_more();
        // The semaphore is never closed, so the permit is always there.
        let permit = self.in_flight.clone().acquire_owned().await.ok();
        loop {
            let turn = self.pace.take();
            sleep_until(turn).await;
            // The gate may have closed meanwhile; then this turn is worth nothing.
            if self.closed_until().is_none_or(|until| until <= turn) {
                break;
            }
        }
        Permit { _in_flight: permit, _connecting: self.connecting.one_more() }
    }

    /// How it is at this moment.
    pub fn reading(&self) -> GateReading {
        let left = self.closed_until().map(|until| until.saturating_duration_since(Instant::now()));
        let closed = left.filter(|left| !left.is_zero());
        GateReading {
            per_second: 1.0 / self.pace.spacing().as_secs_f64(),
            waiting: self.waiting.now(),
            connecting: self.connecting.now(),
            closed_until_ms: closed
                .map(|left| unix_ms().saturating_add(i64::try_from(left.as_millis()).unwrap_or(i64::MAX))),
        }
    }

    /// Nobody comes through for `pause`, those who have a turn already included.
    pub fn close_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut closed = self.closed_until();
        let until = closed.map_or(until, |closed| closed.max(until));
        *closed = Some(until);
        self.pace.hold_until(until);
    }

    fn closed_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.closed_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};

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
    async fn two_hundred_rooms_that_fall_at_once_and_again_knock_and_ask_no_faster_than_they_may() {
        // What Bilibili is met with by default: a connection and a ticket a second, four calls.
        let (gate, tickets, calls) = (Gate::new(1.0), Pace::new(1.0), Pace::new(4.0));
        let (start, end) = (Instant::now(), Instant::now() + Duration::from_secs(300));
        let lives = (0..200).map(|_| async {
            let (mut connects, mut asked) = (Vec::new(), Vec::new());
            while Instant::now() < end {
                let permit = gate.enter().await;
                connects.push(start.elapsed().as_millis());
                tickets.turn().await;
                for _ in 0..4 {
                    calls.turn().await;
                    asked.push(start.elapsed().as_millis());
                }
                // It falls at once, and would come back at once.
                drop(permit);
            }
            (connects, asked)
        });
        let (connects, asked): (Vec<_>, Vec<_>) = join_all(lives).await.into_iter().unzip();
        let most = |times: Vec<Vec<u128>>, within: u128| {
            let mut times: Vec<u128> = times.into_iter().flatten().collect();
            times.sort_unstable();
            let windows =
                times.iter().enumerate().map(|(at, from)| times[at..].partition_point(|t| *t < from + within));
            windows.max().unwrap_or_default()
        };
        assert_eq!(most(asked, 1000), 4, "calls in a second");
        let connects = most(connects, 32_000);
        assert!((20..=33).contains(&connects), "{connects} connects in 32 s; 96 brought -352 for a whole account");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_or_is_on_the_way_in_is_counted_and_gone_when_dropped() {
        let gate = Gate::new(1.0);
        let first = gate.enter().await;
        let mut second = Box::pin(gate.enter());
        assert!(second.as_mut().now_or_never().is_none(), "its turn is in a second");
        let figures = |gate: &Gate| {
            let reading = gate.reading();
            (reading.waiting, reading.connecting, reading.closed_until_ms.is_some())
        };
        assert_eq!(figures(&gate), (1, 1, false));
        gate.close_for(Duration::from_secs(60));
        drop(second);
        assert_eq!(figures(&gate), (0, 1, true));
        drop(first);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(figures(&gate), (0, 0, false));
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
