//! The reading end of a lane and the batch in hand; both outlive their reader.
//!
//! A new life finds the batch that the last one died on, so nothing taken out of a lane is lost. A batch
//! that has ended two lives is suspected to hold something that no life can handle: the third life takes
//! it apart with [`sift`], halving it where it fails until single items are found. Those are set aside
//! with the text of the panic, and the rest goes its way.
//!
//! The halving happens within one life, its panics caught: a life for every half would spend the budget
//! of a core actor, and end the program over one bad item.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{exit::Panic, lane::LaneGauge, obituary};

/// Lives that a batch may end before it is taken apart.
const LIVES: u32 = 2;

/// While a batch is gathered the reader looks this often: being woken for every item costs more than the item.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How many lives ended over the work in hand. Outlives them.
#[derive(Debug, Default)]
pub struct Suspicion {
    at_work: AtomicBool,
    ended: AtomicU32,
}

impl Suspicion {
    /// A life begins. True when the work in hand has ended too many, so that it should be taken apart.
    pub fn begin_life(&self) -> bool {
        if self.at_work.load(Relaxed) {
            self.ended.fetch_add(1, Relaxed);
        }
        self.ended.load(Relaxed) >= LIVES
    }

    /// Some work is in hand.
    pub fn begin_work(&self) {
        self.at_work.store(true, Relaxed);
    }

    /// It is done.
    pub fn finish_work(&self) {
        self.at_work.store(false, Relaxed);
        self.ended.store(0, Relaxed);
    }
}

/// The reading end and the batch in hand.
pub struct Inbox<T> {
    from: mpsc::Receiver<T>,
    /// Taken out of the lane and not finished yet.
    pub batch: Vec<T>,
    suspicion: Suspicion,
    gauge: Arc<LaneGauge>,
}

impl<T> Inbox<T> {
    pub(super) fn new(from: mpsc::Receiver<T>, gauge: Arc<LaneGauge>) -> Inbox<T> {
        Inbox { from, batch: Vec::new(), suspicion: Suspicion::default(), gauge }
    }

    /// A life begins to read. True when it should take every batch apart where it fails, because the one
    /// in hand has ended too many lives.
    pub fn begin_life(&self) -> bool {
        self.suspicion.begin_life()
    }

    /// Fills the batch up to `max`: waits for a first item, then up to `linger` for more. A batch left by
    /// an earlier life is left as it is. Returns false when the lane has ended and nothing is in hand.
    pub async fn fill(&mut self, max: usize, linger: Duration) -> bool {
        if !self.batch.is_empty() {
            return true;
        }
        if self.from.recv_many(&mut self.batch, max).await == 0 {
            return false;
        }
        self.suspicion.begin_work();
        let deadline = Instant::now() + linger;
        while self.batch.len() < max && Instant::now() < deadline && !self.from.is_closed() {
            sleep_until(deadline.min(Instant::now() + LOOK_EVERY)).await;
            while self.batch.len() < max
                && let Ok(item) = self.from.try_recv()
            {
                self.batch.push(item);
            }
        }
        true
    }

    /// The batch in hand is finished.
    pub fn finish(&mut self) {
        self.gauge.finished(self.batch.len());
        self.batch.clear();
        self.suspicion.finish_work();
    }

    /// An item of the batch in hand was set aside; the lane counts it as shed under this name.
    pub fn set_aside(&self, kind: &'static str) {
        self.gauge.given_up(kind);
    }

    /// Figures of the lane.
    pub fn gauge(&self) -> &Arc<LaneGauge> {
        &self.gauge
    }
}

/// Does `work` with all of `items` but those it cannot be done with: gives the places of these, with what
/// the panic said. `work` is called with runs of items, in order, some of them more than once, so it must
/// be of one piece or bear repetition.
pub async fn sift<T>(items: &[T], mut work: impl AsyncFnMut(&[T])) -> Vec<(usize, Panic)> {
    let mut bad = Vec::new();
    let mut runs = Vec::from([(0, items.len())]);
    while let Some((start, end)) = runs.pop() {
        let done = AssertUnwindSafe(work(&items[start..end])).catch_unwind().await;
        if done.is_ok() {
            continue;
        }
        let panic = obituary::take_panic();
        let middle = start + (end - start) / 2;
        if middle == start {
            bad.push((start, panic));
        } else {
            runs.push((middle, end));
            runs.push((start, middle));
        }
    }
    bad
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::lane::{Payload, WhenFull, lane};

    #[derive(Debug, PartialEq)]
    struct Item(u32);

    impl Payload for Item {
        fn is_durable(&self) -> bool {
            true
        }
        fn kind(&self) -> &'static str {
            "item"
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unfinished_batch_is_found_again_and_the_end_is_seen_after_it() {
        let (lane, mut inbox) = lane("test", 4, WhenFull::ShedNewest);
        lane.offer(Item(1)).await;
        assert!(inbox.fill(10, Duration::from_millis(20)).await);
        lane.offer(Item(2)).await;
        drop(lane);
        assert!(inbox.fill(10, Duration::ZERO).await, "the batch in hand comes first");
        assert_eq!(inbox.batch, [Item(1)]);
        inbox.finish();
        assert!(inbox.fill(10, Duration::ZERO).await);
        assert_eq!(inbox.batch, [Item(2)]);
        inbox.finish();
        assert!(!inbox.fill(10, Duration::ZERO).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_ended_two_lives_is_suspected_until_it_is_finished() {
        let (lane, mut inbox) = lane("test", 4, WhenFull::ShedNewest);
        assert!(!inbox.begin_life(), "nothing in hand");
        lane.offer(Item(1)).await;
        assert!(inbox.fill(10, Duration::ZERO).await);
        assert_eq!([inbox.begin_life(), inbox.begin_life()], [false, true]);
        inbox.finish();
        assert!(!inbox.begin_life());
    }

    #[tokio::test]
    async fn what_no_life_can_handle_is_found_and_the_rest_is_done_in_order() {
        obituary::remember_panics();
        let items: Vec<u32> = (0..100).collect();
        let mut done = Vec::new();
        let bad = sift(&items, async |run: &[u32]| {
            tokio::task::yield_now().await;
            assert!(!run.iter().any(|item| [17, 18, 99].contains(item)), "bad item");
            done.extend_from_slice(run);
        })
        .await;
        assert_eq!(bad.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [17, 18, 99]);
        assert!(bad.iter().all(|(_, panic)| panic.text.contains("bad item") && panic.place.is_some()), "{bad:?}");
        assert_eq!(done, (0..100).filter(|item| ![17, 18, 99].contains(item)).collect::<Vec<_>>());
    }
}
