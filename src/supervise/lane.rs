//! A bounded way for events, with a named policy for when it is full.
//!
//! A lane **takes** or **sheds**; it never grows and never sheds in silence: every shed item is counted
//! by kind and returned to the caller as [`Offer::Shed`]. The reading end is an [`Inbox`].

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::timeout,
};

use super::inbox::Inbox;

/// What a lane needs to know of what it carries.
pub trait Payload: Send + 'static {
    /// Shed last.
    fn is_durable(&self) -> bool;
    /// For counting what was shed.
    fn kind(&self) -> &'static str;
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is on its way.
    Taken,
    /// The lane was full: the item is gone, and counted.
    Shed,
    /// Nobody reads any more: the item is gone, and counted.
    Closed,
}

/// What happens when a lane is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The new item is shed. For views, which must never slow the record.
    ShedNewest,
    /// Durable items alone may use the last `reserve` places, and wait up to `patience` for one.
    KeepDurable {
        /// Places that only durable items may use.
        reserve: usize,
        /// How long a durable item waits before it is shed after all.
        patience: Duration,
    },
}

/// The writing end. Cheap to clone; the lane ends when the last one is dropped.
pub struct Lane<T> {
    to: mpsc::Sender<T>,
    when_full: WhenFull,
    gauge: Arc<LaneGauge>,
}

impl<T> Clone for Lane<T> {
    fn clone(&self) -> Lane<T> {
        Lane { to: self.to.clone(), when_full: self.when_full, gauge: self.gauge.clone() }
    }
}

/// Makes a lane.
pub fn lane<T: Payload>(name: &'static str, capacity: usize, when_full: WhenFull) -> (Lane<T>, Inbox<T>) {
    let (to, from) = mpsc::channel(capacity);
    let gauge = Arc::new(LaneGauge { name, capacity, ..LaneGauge::default() });
    (Lane { to, when_full, gauge: gauge.clone() }, Inbox::new(from, gauge))
}

impl<T: Payload> Lane<T> {
    /// Offers an item; waits only as the policy says.
    pub async fn offer(&self, item: T) -> Offer {
        match self.offer_now(item) {
            Ok(offer) => offer,
            // Rare, and what waiting needs would otherwise lie in the task of everybody who never waits.
            Err((item, patience)) => Box::pin(self.wait(item, patience)).await,
        }
    }

    /// Offers an item and does not wait; where the policy is to wait for a place it comes back, with how long.
    pub fn offer_now(&self, item: T) -> Result<Offer, (T, Duration)> {
        let kind = item.kind();
        let patience = match self.when_full {
            WhenFull::KeepDurable { patience, .. } if item.is_durable() => Some(patience),
            WhenFull::KeepDurable { reserve, .. } if self.to.capacity() <= reserve => {
                return Ok(self.count(Offer::Shed, kind));
            }
            WhenFull::KeepDurable { .. } | WhenFull::ShedNewest => None,
        };
        let offer = match (self.to.try_send(item), patience) {
            (Ok(()), _) => Offer::Taken,
            (Err(TrySendError::Full(item)), Some(patience)) => return Err((item, patience)),
            (Err(TrySendError::Full(_)), None) => Offer::Shed,
            (Err(TrySendError::Closed(_)), _) => Offer::Closed,
        };
        Ok(self.count(offer, kind))
    }

    async fn wait(&self, item: T, patience: Duration) -> Offer {
        let kind = item.kind();
        let offer = match timeout(patience, self.to.send(item)).await {
            Ok(Ok(())) => Offer::Taken,
            Ok(Err(_)) => Offer::Closed,
            Err(_) => Offer::Shed,
        };
        self.count(offer, kind)
    }

    fn count(&self, offer: Offer, kind: &'static str) -> Offer {
        self.gauge.offered(offer, kind, self.to.max_capacity() - self.to.capacity());
        offer
    }

    /// Figures of the lane.
    pub fn gauge(&self) -> &Arc<LaneGauge> {
        &self.gauge
    }
}

/// Counters of a lane, readable by anybody at any time.
#[derive(Default)]
pub struct LaneGauge {
    name: &'static str,
    capacity: usize,
    high_water: AtomicUsize,
    taken: AtomicU64,
    finished: AtomicU64,
    shed: Mutex<BTreeMap<&'static str, u64>>,
}

impl LaneGauge {
    fn offered(&self, offer: Offer, kind: &'static str, waiting: usize) {
        self.high_water.fetch_max(waiting, Relaxed);
        if offer == Offer::Taken {
            self.taken.fetch_add(1, SeqCst);
        } else {
            *self.shed.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
        }
    }

    /// The reader has finished `n` items.
    pub(super) fn finished(&self, n: usize) {
        self.finished.fetch_add(n as u64, SeqCst);
    }

    /// The reader gave up an item that nobody can handle.
    pub(super) fn given_up(&self, kind: &'static str) {
        *self.shed.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    /// What stands there now.
    pub fn reading(&self) -> LaneReading {
        // In this order something that is finished meanwhile is seen as waiting, and nothing is missed.
        let finished = self.finished.load(SeqCst);
        let taken = self.taken.load(SeqCst);
        let shed_by_kind = self.shed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        LaneReading {
            name: self.name.into(),
            depth: taken.saturating_sub(finished),
            capacity: self.capacity,
            high_water: self.high_water.load(Relaxed),
            taken,
            shed: shed_by_kind.values().sum(),
            shed_by_kind: shed_by_kind.into_iter().map(|(kind, n)| (kind.into(), n)).collect(),
        }
    }
}

/// One reading of a lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaneReading {
    /// Which one.
    pub name: Cow<'static, str>,
    /// Items waiting, or in the hands of the reader.
    pub depth: u64,
    /// Places.
    pub capacity: usize,
    /// Most items that ever waited.
    pub high_water: usize,
    /// Items taken since start.
    pub taken: u64,
    /// Items shed since start.
    pub shed: u64,
    /// The same by kind.
    pub shed_by_kind: BTreeMap<Cow<'static, str>, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Item(bool);

    impl Payload for Item {
        fn is_durable(&self) -> bool {
            self.0
        }
        fn kind(&self) -> &'static str {
            if self.0 { "gift" } else { "danmaku" }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn chat_is_shed_while_durable_items_still_find_room() {
        let (lane, mut inbox) = lane("test", 4, WhenFull::KeepDurable { reserve: 1, patience: Duration::from_secs(2) });
        for _ in 0..3 {
            assert_eq!(lane.offer(Item(false)).await, Offer::Taken);
        }
        assert_eq!(lane.offer(Item(false)).await, Offer::Shed);
        assert_eq!(lane.offer(Item(true)).await, Offer::Taken);
        assert_eq!(lane.offer(Item(true)).await, Offer::Shed, "after its patience");
        let reading = lane.gauge().reading();
        assert_eq!((reading.taken, reading.shed, reading.high_water), (4, 2, 4));
        assert!(inbox.fill(10, Duration::ZERO).await);
        assert_eq!(inbox.batch.len(), 4);
    }
}
