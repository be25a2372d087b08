//! Where events come to rest, and what is promised there.
//!
//! Two places, in this order. The **live store** ([`LiveStore`]: in this process, or Redis) takes batches
//! the moment they arrive; what [`LiveStore::append`] accepted survives a killed program. The
//! **history** ([`sqlite::Database`]) takes them from there: the rows of a batch, every sum derived from
//! them and the position reached in the live store are one transaction, so a batch that is read twice is
//! stored once. Rows are unique by event id, so a fact that arrives twice is stored once as well.
//!
//! Not here: who moves batches, and when (`actors::redis_writer`, `actors::sync`).

// The live stores.
pub mod embedded;
pub mod outbox;
mod queue;
pub mod redis;
mod spool;
pub use spool::SpoolError;

// The history: its file, its tables, its rows.
pub mod lock;
mod number;
mod purchase_rows;
mod rows;
mod schema;
pub mod sqlite;

// How events get into it.
mod backfill;
pub mod dead_letters;
pub mod django;
mod fixed;
mod guards;
mod heads;
pub mod outcome;
pub mod record;
mod sums;
pub mod tasks;

// What else is kept there.
pub mod access;
pub mod books;
pub mod gaps;
pub mod orders;
pub mod rooms;

// What is asked of it.
pub mod broadcasts;
pub mod coverage;
pub mod figures;
pub mod lately;
pub mod queries;
mod search;
pub mod series;
pub mod walk;

// How it is kept in order, and what is kept beside it.
pub mod archive;
pub mod backup;
pub mod housekeeper;
pub mod retention;
pub mod upkeep;

#[cfg(test)]
mod contract_tests;
#[cfg(test)]
mod failures_tests;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod redis_tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Serialize;
use thiserror::Error;
use tokio::sync::Notify;

use crate::domain::{Event, Gold, RoomId, RoomInfo};

/// A run of events as it was appended, and where it stands in the live store's stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Opaque to everybody but the store that made it; later batches have later positions.
    pub position: Position,
    /// At least one.
    pub events: Vec<Event>,
}

/// A place in a live store's stream, in that store's own notation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Position(pub String);

/// How a writer should gather events before it appends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Append when this many are waiting ...
    pub max_events: usize,
    /// ... or when the first of them has waited this long.
    pub linger: Duration,
}

/// The two lists of recent events that a live store keeps per room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecentList {
    /// Chat.
    Danmaku,
    /// Gifts, paid and free.
    Gifts,
}

/// Events looked at together while counting them.
const EVENTS_A_LOOK: usize = 10_000;

/// Chat lines kept per room: what a room's page shows at first, and some scrolling.
pub const DANMAKU_KEPT: usize = 500;

/// Gifts kept per room: they come a tenth as often.
pub const GIFTS_KEPT: usize = 200;

/// The store could not do it. What was asked has not happened, or may have happened (a lost answer):
/// every call may be repeated.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It does not answer: not there, refused, too slow.
    #[error("the live store does not answer: {0}")]
    Unreachable(String),
    /// It answered with an error.
    #[error("the live store refused {what}: {why}")]
    Refused {
        /// The operation, for a person.
        what: &'static str,
        /// The store's words.
        why: String,
    },
    /// What it holds cannot be read.
    #[error("the live store holds something unreadable at {position}: {why}")]
    Unreadable {
        /// Where.
        position: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Which of the two it is, by the contract's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// In this process, durable in a spool file.
    Embedded,
    /// A Redis server.
    Redis,
}

impl StoreKind {
    /// The contract's name.
    pub fn as_str(self) -> &'static str {
        match self {
            StoreKind::Embedded => "embedded",
            StoreKind::Redis => "redis",
        }
    }
}

/// How the live store is.
#[derive(Clone, Debug, Serialize)]
pub struct LiveStoreStatus {
    /// Which one.
    pub kind: StoreKind,
    /// Time of one round trip, ms.
    pub ping_ms: f64,
    /// Bytes it holds in memory, as far as it says.
    pub memory_bytes: Option<u64>,
    /// Server version; none for the embedded one.
    pub version: Option<String>,
    /// Events appended and not forgotten yet.
    pub backlog: u64,
}

/// What is stored of a room, summed over its whole history. Exact: kept in the transaction that stores the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoomTotals {
    /// Chat lines, raffle phrases included.
    pub danmaku: i64,
    /// Gift messages, free ones included.
    pub gifts: i64,
    /// Paid messages.
    pub super_chats: i64,
    /// Guard purchases.
    pub guards: i64,
    /// Distinct users who chatted (raffle phrases aside) or gave something, be it free: known ones, and those for
    /// whom a hash or an open_id stands. A lower bound if anybody is unidentified.
    pub users: i64,
    /// Chat lines, gifts, super chats and guards whose user was masked.
    pub masked: i64,
    /// Those among them (raffle phrases aside) for whose user nothing stands.
    pub unidentified: i64,
    /// Paid for gifts to the room's streamer.
    pub gift_gold: Gold,
    /// Paid for super chats.
    pub super_chat_gold: Gold,
    /// Paid for guards.
    pub guard_gold: Gold,
    /// Paid here for gifts to other streamers: no income of this room.
    pub others_gold: Gold,
    /// When the newest event of the room happened, unix ms; 0 when there is none.
    pub last_event_ms: i64,
}

/// The first place events come to. All implementations pass the same suite (`store::contract_tests`).
#[async_trait]
pub trait LiveStore: Send + Sync + 'static {
    /// Which one it is.
    fn kind(&self) -> StoreKind;

    /// How to feed it well.
    fn batching(&self) -> Batching;

    /// The outbox in front of it, if it needs one.
    fn outbox(&self) -> Option<&outbox::Outbox> {
        None
    }

    /// Brings on what waits in the outbox, ringing `bell` when something arrived, until `finish` says true and
    /// nothing can be done now. At once, without an outbox.
    async fn forward(&self, _bell: &Notify, _finish: &(dyn Fn() -> bool + Sync)) {}

    /// Adds a batch to the stream and to the recent lists of its rooms. Durable when it returns.
    async fn append(&self, events: &[Arc<Event>]) -> Result<(), StoreError>;

    /// The batches after `position` (all there are for none), oldest first, until they hold `max_events`.
    /// Always at least one batch when there is one. An unreadable one is an error only when it comes first;
    /// reading after the position in that error passes over it.
    async fn read_after(&self, position: Option<&Position>, max_events: usize) -> Result<Vec<Batch>, StoreError>;

    /// Lets go of everything up to and including `position`: it is in the history now.
    async fn forget_through(&self, position: &Position) -> Result<(), StoreError>;

    /// How many events of each room stand after `position`, those in an outbox included. For a start, when
    /// nothing moves yet; what cannot be read is passed over.
    async fn left(&self, position: Option<&Position>) -> Result<BTreeMap<RoomId, u64>, StoreError> {
        let mut rooms = BTreeMap::new();
        let mut position = position.cloned();
        loop {
            match self.read_after(position.as_ref(), EVENTS_A_LOOK).await {
                Err(StoreError::Unreadable { position: bad, .. }) => position = Some(Position(bad)),
                Err(error) => return Err(error),
                Ok(batches) => {
                    let Some(last) = batches.last() else { return Ok(rooms) };
                    position = Some(last.position.clone());
                    for event in batches.iter().flat_map(|batch| &batch.events) {
                        *rooms.entry(event.room_id).or_default() += 1;
                    }
                }
            }
        }
    }

    /// How many events stand after `position`.
    async fn backlog(&self, position: Option<&Position>) -> Result<u64, StoreError>;

    /// The newest events of a room, newest first, as far as the capped list goes.
    async fn recent(&self, room: RoomId, list: RecentList, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// Publishes what is known about a room (`room:{id}:info`).
    async fn put_room(&self, info: &RoomInfo) -> Result<(), StoreError>;

    /// Publishes a room's totals (`room:{id}:stats`).
    async fn put_totals(&self, room: RoomId, totals: &RoomTotals) -> Result<(), StoreError>;

    /// Publishes which rooms are monitored (`rooms:active`).
    async fn put_active(&self, rooms: &[RoomId]) -> Result<(), StoreError>;

    /// One round trip and some figures.
    async fn status(&self) -> Result<LiveStoreStatus, StoreError>;
}
