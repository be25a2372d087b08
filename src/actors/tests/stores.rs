//! A live store that fails.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use async_trait::async_trait;

use super::*;
use crate::{
    domain::{Event, RoomInfo},
    store::{
        Batch, Batching, LiveStore, LiveStoreStatus, Position, RecentList, RoomTotals, StoreError, StoreKind,
        embedded::EmbeddedStore,
    },
};

/// A store that fails, or makes its caller panic, at chosen appends.
struct Faulty {
    store: EmbeddedStore,
    appends: AtomicU32,
    fault: fn(u32) -> Fault,
}

enum Fault {
    None,
    Error,
    Panic,
}

#[async_trait]
impl LiveStore for Faulty {
    fn kind(&self) -> StoreKind {
        self.store.kind()
    }
    fn batching(&self) -> Batching {
        Batching { max_events: 10, linger: Duration::from_millis(20) }
    }
    async fn append(&self, events: &[Arc<Event>]) -> Result<(), StoreError> {
        match (self.fault)(self.appends.fetch_add(1, Relaxed)) {
            Fault::None => self.store.append(events).await,
            Fault::Error => Err(StoreError::Unreachable("scripted".into())),
            Fault::Panic => panic!("scripted"),
        }
    }
    async fn read_after(&self, position: Option<&Position>, max_events: usize) -> Result<Vec<Batch>, StoreError> {
        self.store.read_after(position, max_events).await
    }
    async fn forget_through(&self, position: &Position) -> Result<(), StoreError> {
        self.store.forget_through(position).await
    }
    async fn backlog(&self, position: Option<&Position>) -> Result<u64, StoreError> {
        self.store.backlog(position).await
    }
    async fn recent(&self, room: RoomId, list: RecentList, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.store.recent(room, list, limit).await
    }
    async fn put_room(&self, info: &RoomInfo) -> Result<(), StoreError> {
        self.store.put_room(info).await
    }
    async fn put_totals(&self, room: RoomId, totals: &RoomTotals) -> Result<(), StoreError> {
        self.store.put_totals(room, totals).await
    }
    async fn put_active(&self, rooms: &[RoomId]) -> Result<(), StoreError> {
        self.store.put_active(rooms).await
    }
    async fn status(&self) -> Result<LiveStoreStatus, StoreError> {
        self.store.status().await
    }
}

#[test]
fn a_live_store_that_comes_and_goes_loses_nothing() {
    on_paused_time(async {
        let world = World::with_store(|store| {
            let fault = |nth| if nth % 7 < 4 { Fault::Error } else { Fault::None };
            Arc::new(Faulty { store, appends: AtomicU32::new(0), fault })
        });
        world.script.life(1, lines(0..300));
        world.watch(1).await;
        sleep(Duration::from_secs(120)).await;
        assert!(world.log().is_empty(), "a store that is away is nobody's death: {:?}", world.log());
        assert_eq!(world.stop(&[1]).await, [300]);
    });
}

#[test]
fn a_writer_that_panics_leaves_its_batch_to_its_next_life() {
    obituary::remember_panics();
    on_paused_time(async {
        let world = World::with_store(|store| {
            let fault = |nth| if nth == 3 || nth == 9 { Fault::Panic } else { Fault::None };
            Arc::new(Faulty { store, appends: AtomicU32::new(0), fault })
        });
        world.script.life(1, lines(0..300));
        world.watch(1).await;
        sleep(Duration::from_secs(120)).await;
        let log = world.log();
        assert_eq!(log.len(), 2, "{log:?}");
        assert!(log.iter().all(|line| line.starts_with("redis_writer life") && line.contains("scripted")), "{log:?}");
        assert_eq!(world.stop(&[1]).await, [300]);
    });
}
