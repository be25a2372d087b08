//! Compares the ledger with what is really on the way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::time::interval;
use tracing::error;

use crate::{
    actors::ledger::Ledger,
    store::{LiveStore, StoreError},
    supervise::lane::LaneGauge,
};

/// How often the books are compared with what is really on the way.
const AUDIT: Duration = Duration::from_secs(20);

/// The places where an event can be between its room and SQLite, along the flow.
#[derive(Clone)]
pub(super) struct OnTheWay {
    pub(super) in_hand: Arc<AtomicU64>,
    pub(super) lane: Arc<LaneGauge>,
    pub(super) live: Arc<dyn LiveStore>,
}

impl OnTheWay {
    async fn count(&self) -> Result<u64, StoreError> {
        let in_rooms = self.in_hand.load(SeqCst);
        let in_lane = self.lane.reading().depth;
        if self.live.outbox().is_none() {
            return Ok(in_rooms + in_lane + self.live.backlog(None).await?);
        }
        Ok(in_rooms + in_lane + self.safe().await)
    }

    /// Events that follow at the next start, or when Redis and the sync are back: nothing of a run that has ended
    /// has to do it.
    pub(super) async fn safe(&self) -> u64 {
        let Some(outbox) = self.live.outbox() else { return 0 };
        let outbox = outbox.reading();
        // What a full outbox has let go of is in Redis alone; what Redis lost is in the outbox.
        let in_redis = self.live.backlog(None).await.unwrap_or(0);
        outbox.held.max(outbox.waiting + in_redis)
    }
}

/// Compares the books with what is really on the way, now and then.
pub(super) async fn audit(ledger: Arc<Ledger>, on_the_way: OnTheWay) {
    let mut ticks = interval(AUDIT);
    loop {
        ticks.tick().await;
        let received_before = ledger.received_so_far();
        // A live store that is away is reported by those who need it.
        let Ok(found) = on_the_way.count().await else { continue };
        ledger.audit(received_before, found);
        let missing = ledger.reading().unaccounted;
        if missing > 0 {
            error!(missing, "the ledger does not balance: {missing} events are unaccounted for");
        }
    }
}
