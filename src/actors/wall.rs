//! The present picture of every watched room: who, in which state, how much, how fast.
//!
//! Each part has one writer: the supervisor the state, a room what the upstream says of it, the sync
//! actor the stored totals, the broadcast actor rates and gauges. Readers take a summary; the broadcast
//! actor sends those that changed. Totals are those of the history, so that the wall, the API and SQLite
//! say the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError, RwLock},
};

use serde::Serialize;

use crate::{
    domain::{Cny, Gauge, Gold, RoomId, RoomInfo},
    store::RoomTotals,
    supervise::vitals::{State, unix_ms},
};

/// One room's place on the wall.
#[derive(Clone, Debug)]
struct Card {
    info: RoomInfo,
    state: State,
    state_since_ms: i64,
    error: Option<String>,
    totals: RoomTotals,
    rates: Rates,
    gauges: Gauge,
}

/// How fast events come, measured over the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rates {
    /// Chat lines.
    pub danmaku_per_minute: u64,
    /// Events of every kind.
    pub events_per_minute: u64,
}

/// What a page or a program is told of a room.
#[derive(Clone, Debug, Serialize)]
pub struct RoomSummary {
    /// What the upstream says; `status` is 0 off air, 1 live, 2 carousel.
    #[serde(flatten)]
    pub info: RoomInfo,
    /// How watching goes.
    pub state: State,
    /// Since when, unix ms.
    pub state_since_ms: i64,
    /// Why it is not received, when it is not.
    pub error: Option<String>,
    /// Stored counts.
    pub counts: Counts,
    /// Stored money.
    pub income: Income,
    /// How fast.
    pub rates: Rates,
    /// The newest of each gauge.
    pub gauges: Gauge,
    /// When the newest stored event happened, unix ms; 0 for none.
    pub last_event_ms: i64,
}

/// Counts over the whole history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Chat lines.
    pub danmaku: i64,
    /// Gift messages, free ones included.
    pub gifts: i64,
    /// Super chats.
    pub super_chats: i64,
    /// Guard purchases.
    pub guards: i64,
    /// Distinct known users who chatted or paid: a lower bound while `masked` is not 0.
    pub users: i64,
    /// Chat lines and purchases by users the upstream hid.
    pub masked: i64,
}

/// Viewer spending over the whole history, gross.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Income {
    /// For gifts.
    pub gift_gold: Gold,
    /// For super chats.
    pub super_chat_gold: Gold,
    /// For guards.
    pub guard_gold: Gold,
    /// All three.
    pub total_gold: Gold,
    /// All three, CNY.
    pub total: Cny,
}

impl From<&RoomTotals> for Counts {
    fn from(totals: &RoomTotals) -> Counts {
        Counts {
            danmaku: totals.danmaku,
            gifts: totals.gifts,
            super_chats: totals.super_chats,
            guards: totals.guards,
            users: totals.users,
            masked: totals.masked,
        }
    }
}

impl From<&RoomTotals> for Income {
    fn from(totals: &RoomTotals) -> Income {
        let total_gold = totals.gift_gold + totals.super_chat_gold + totals.guard_gold;
        Income {
            gift_gold: totals.gift_gold,
            super_chat_gold: totals.super_chat_gold,
            guard_gold: totals.guard_gold,
            total_gold,
            total: total_gold.cny(),
        }
    }
}

impl From<&Card> for RoomSummary {
    fn from(card: &Card) -> RoomSummary {
        RoomSummary {
            info: card.info.clone(),
            state: card.state,
            state_since_ms: card.state_since_ms,
            error: card.error.clone(),
            counts: Counts::from(&card.totals),
            income: Income::from(&card.totals),
            rates: card.rates,
            gauges: card.gauges,
            last_event_ms: card.totals.last_event_ms,
        }
    }
}

/// All rooms.
#[derive(Default)]
pub struct Wall {
    cards: RwLock<BTreeMap<RoomId, Card>>,
    changed: Mutex<BTreeSet<RoomId>>,
}

impl Wall {
    /// Puts a room up, or replaces what is known about one that is there.
    pub fn put(&self, info: RoomInfo) {
        let room = info.room_id;
        self.cards
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(room)
            .and_modify(|card| card.info = info.clone())
            .or_insert_with(|| Card {
                info,
                state: State::Waiting,
                state_since_ms: unix_ms(),
                error: None,
                totals: RoomTotals::default(),
                rates: Rates::default(),
                gauges: Gauge::default(),
            });
        self.mark(room);
    }

    /// Takes a room down.
    pub fn remove(&self, room: RoomId) {
        self.cards.write().unwrap_or_else(PoisonError::into_inner).remove(&room);
        self.mark(room);
    }

    /// Changes what is known about a room.
    pub fn learn(&self, room: RoomId, learn: impl FnOnce(&mut RoomInfo)) {
        self.change(room, |card| learn(&mut card.info));
    }

    /// What is known about a room.
    pub fn info(&self, room: RoomId) -> Option<RoomInfo> {
        self.cards.read().unwrap_or_else(PoisonError::into_inner).get(&room).map(|card| card.info.clone())
    }

    /// Its state, and why it is not received.
    pub fn set_state(&self, room: RoomId, state: State, error: Option<String>) {
        self.change(room, |card| {
            if card.state != state {
                card.state_since_ms = unix_ms();
            }
            card.state = state;
            card.error = error;
        });
    }

    /// What is stored of it.
    pub fn set_totals(&self, room: RoomId, totals: RoomTotals) {
        self.change(room, |card| card.totals = totals);
    }

    /// How fast its events come; unchanged rates are no change.
    pub fn set_rates(&self, room: RoomId, rates: Rates) {
        let same =
            self.cards.read().unwrap_or_else(PoisonError::into_inner).get(&room).is_none_or(|card| card.rates == rates);
        if !same {
            self.change(room, |card| card.rates = rates);
        }
    }

    /// New values of some gauges.
    pub fn update_gauges(&self, room: RoomId, gauges: &Gauge) {
        self.change(room, |card| card.gauges.update(gauges));
    }

    /// One room.
    pub fn summary(&self, room: RoomId) -> Option<RoomSummary> {
        self.cards.read().unwrap_or_else(PoisonError::into_inner).get(&room).map(RoomSummary::from)
    }

    /// All rooms, by number.
    pub fn summaries(&self) -> Vec<RoomSummary> {
        self.cards.read().unwrap_or_else(PoisonError::into_inner).values().map(RoomSummary::from).collect()
    }

    /// Numbers of all rooms.
    pub fn rooms(&self) -> Vec<RoomId> {
        self.cards.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Rooms changed since the last call; those that are gone come without a summary.
    pub fn take_changed(&self) -> Vec<(RoomId, Option<RoomSummary>)> {
        let changed = std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner));
        let cards = self.cards.read().unwrap_or_else(PoisonError::into_inner);
        changed.into_iter().map(|room| (room, cards.get(&room).map(RoomSummary::from))).collect()
    }

    fn change(&self, room: RoomId, change: impl FnOnce(&mut Card)) {
        let mut cards = self.cards.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(card) = cards.get_mut(&room) {
            change(card);
            drop(cards);
            self.mark(room);
        }
    }

    fn mark(&self, room: RoomId) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(room);
    }
}
