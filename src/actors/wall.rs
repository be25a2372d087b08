//! The present picture of every watched room: who, in which state, how much, how fast.
//!
//! Each part has one writer: the supervisor the state, a room what the upstream says of it, the sync
//! actor the stored totals, the broadcast actor rates and gauges. Readers take a summary; the broadcast
//! actor sends those that changed. Totals are those of the history, so that the wall, the API and SQLite
//! say the same.

mod summary;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

pub use self::summary::{Counts, Income, Rates, Reception, RoomSummary};

use crate::{
    domain::{Gauge, RoomId, RoomInfo, RoomRef},
    store::{
        RoomTotals,
        gaps::{GapNews, OFF_AIR, THINNED},
    },
    supervise::vitals::{State, unix_ms},
};

/// One room's place on the wall.
#[derive(Clone, Debug)]
struct Card {
    info: RoomInfo,
    /// The generation in which `info` last changed.
    info_generation: u64,
    state: State,
    state_since_ms: i64,
    error: Option<String>,
    reception: Reception,
    account: Option<String>,
    priority: i64,
    totals: RoomTotals,
    rates: Rates,
    gauges: Gauge,
}

impl From<&Card> for RoomSummary {
    fn from(card: &Card) -> RoomSummary {
        RoomSummary {
            info: card.info.clone(),
            state: card.state,
            state_since_ms: card.state_since_ms,
            error: card.error.clone(),
            reception: card.reception,
            account: card.account.clone(),
            priority: card.priority,
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
    inner: RwLock<Inner>,
    changed: Mutex<BTreeSet<RoomId>>,
    gaps: Mutex<Vec<GapNews>>,
    unresolved: Mutex<BTreeMap<RoomRef, String>>,
}

#[derive(Default)]
struct Inner {
    /// Boxed, because a tree keeps up to half of its places empty.
    cards: BTreeMap<RoomId, Box<Card>>,
    /// Counts changes of what is known about rooms, and of which rooms there are.
    generation: u64,
    /// The generation in which a room came or went.
    rooms_generation: u64,
}

/// Gap news kept while SQLite does not take them.
const GAPS_KEPT: usize = 50_000;

impl Inner {
    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}

/// What has changed in what is known about rooms since a generation, for those who write it down.
#[derive(Debug, Default)]
pub struct News {
    /// To be given the next time.
    pub generation: u64,
    /// Rooms of which something new is known.
    pub infos: Vec<RoomInfo>,
    /// All rooms, if one came or went.
    pub rooms: Option<Vec<RoomId>>,
}

impl Wall {
    /// Puts a room up, or replaces what is known about one that is there.
    pub fn put(&self, info: RoomInfo) {
        let room = info.room_id;
        let mut inner = self.write();
        if inner.cards.contains_key(&room) {
            drop(inner);
            self.learn(room, |known| *known = info);
            return;
        }
        let generation = inner.next_generation();
        inner.rooms_generation = generation;
        let card = Box::new(Card {
            info,
            info_generation: generation,
            state: State::Waiting,
            state_since_ms: unix_ms(),
            error: None,
            reception: Reception::default(),
            account: None,
            priority: 0,
            totals: RoomTotals::default(),
            rates: Rates::default(),
            gauges: Gauge::default(),
        });
        inner.cards.insert(room, card);
        self.mark(room);
    }

    /// Takes a room down.
    pub fn remove(&self, room: RoomId) {
        let mut inner = self.write();
        if inner.cards.remove(&room).is_some() {
            inner.rooms_generation = inner.next_generation();
            self.mark(room);
            self.note_gap(room, Some("no longer monitored".to_owned()));
        }
    }

    /// Changes what is known about a room.
    pub fn learn(&self, room: RoomId, learn: impl FnOnce(&mut RoomInfo)) {
        let mut inner = self.write();
        let generation = inner.generation + 1;
        let Some(card) = inner.cards.get_mut(&room) else { return };
        let before = card.info.clone();
        learn(&mut card.info);
        if card.info != before {
            card.info_generation = generation;
            inner.generation = generation;
            self.mark(room);
        }
    }

    /// What is known about a room.
    pub fn info(&self, room: RoomId) -> Option<RoomInfo> {
        self.read().cards.get(&room).map(|card| card.info.clone())
    }

    /// What has become known since `generation`; everything for 0.
    pub fn news_since(&self, generation: u64) -> News {
        let inner = self.read();
        if inner.generation == generation {
            return News { generation, ..News::default() };
        }
        let new = inner.cards.values().filter(|card| card.info_generation > generation);
        News {
            generation: inner.generation,
            infos: new.map(|card| card.info.clone()).collect(),
            rooms: (inner.rooms_generation > generation).then(|| inner.cards.keys().copied().collect()),
        }
    }

    /// Its state, and why it is not received. A room that ceases to be received, fails once more or is
    /// received again makes news for the gap ledger.
    pub fn set_state(&self, room: RoomId, state: State, error: Option<String>) {
        let ceased = match state {
            State::Live => Some(self.thinned(room).map(|_| THINNED.to_owned())),
            State::Backoff | State::Failed | State::Paused | State::Stopped => {
                Some(Some(error.clone().unwrap_or_else(|| state.as_str().to_owned())))
            }
            _ => None,
        };
        if let Some(ceased) = ceased {
            self.note_gap(room, ceased);
        }
        self.change(room, |card| {
            if card.state != state {
                card.state_since_ms = unix_ms();
            }
            card.state = state;
            card.error = error;
        });
    }

    /// It waits without a connection, because nothing is on air, or no longer.
    pub fn set_waiting(&self, room: RoomId, waits: bool) {
        let reason = if waits { OFF_AIR } else { "the broadcast began; the room is not connected yet" };
        self.note_gap(room, Some(reason.to_owned()));
        self.change(room, |card| card.reception.waits_for_broadcast = waits);
    }

    /// Its connection is anonymous, or is not.
    pub fn set_incomplete(&self, room: RoomId, incomplete: bool) {
        self.change(room, |card| card.reception.incomplete = incomplete);
    }

    /// Its connection brings far less chat than before, and is about to be given up for another; or no longer. The
    /// gap of a thinned room begins with that other connection.
    pub fn set_thinned(&self, room: RoomId, thinned: bool) {
        if !thinned {
            self.note_gap(room, None);
        }
        self.change(room, |card| card.reception.thinned_since_ms = thinned.then(unix_ms));
    }

    fn thinned(&self, room: RoomId) -> Option<i64> {
        self.read().cards.get(&room)?.reception.thinned_since_ms
    }

    /// Who watches it: an account's name, or a visitor.
    pub fn set_account(&self, room: RoomId, account: Option<String>) {
        self.change(room, |card| card.account = Some(account.unwrap_or_else(|| "anonymous".to_owned())));
    }

    /// How much it matters.
    pub fn set_priority(&self, room: RoomId, priority: i64) {
        self.change(room, |card| card.priority = priority);
    }

    /// Another process says how a room is; none when it is no longer watched. What is stored of it is known here.
    pub fn show(&self, room: RoomId, summary: Option<RoomSummary>) {
        let mut inner = self.write();
        let Some(summary) = summary else {
            inner.cards.remove(&room);
            return;
        };
        let known = inner.cards.get(&room);
        let card = Box::new(Card {
            info_generation: known.map_or(0, |known| known.info_generation),
            totals: known.map(|known| known.totals).unwrap_or_default(),
            info: summary.info,
            state: summary.state,
            state_since_ms: summary.state_since_ms,
            error: summary.error,
            reception: summary.reception,
            account: summary.account,
            priority: summary.priority,
            rates: summary.rates,
            gauges: summary.gauges,
        });
        inner.cards.insert(room, card);
    }

    /// The process that has the rooms is not there: none of them is received, as far as is known.
    pub fn nothing_is_received(&self, why: &str) {
        for (room, card) in &mut self.write().cards {
            if card.state != State::Stopped {
                card.state_since_ms = unix_ms();
                card.state = State::Stopped;
                card.error = Some(why.to_owned());
                card.rates = Rates::default();
                self.mark(*room);
            }
        }
    }

    /// What is stored of it.
    pub fn set_totals(&self, room: RoomId, totals: RoomTotals) {
        let mut inner = self.write();
        if let Some(card) = inner.cards.get_mut(&room).filter(|card| card.totals != totals) {
            card.totals = totals;
            self.mark(room);
        }
    }

    /// How fast its events come.
    pub fn set_rates(&self, room: RoomId, rates: Rates) {
        let mut inner = self.write();
        if let Some(card) = inner.cards.get_mut(&room).filter(|card| card.rates != rates) {
            card.rates = rates;
            self.mark(room);
        }
    }

    /// New values of some gauges.
    pub fn update_gauges(&self, room: RoomId, gauges: &Gauge) {
        self.change(room, |card| card.gauges.update(gauges));
    }

    /// A room was asked for and is not known yet, or cannot be watched; `None` when that is over.
    pub fn set_unresolved(&self, room: RoomRef, why: Option<String>) {
        let mut unresolved = self.unresolved.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => unresolved.insert(room, why),
            None => unresolved.remove(&room),
        };
    }

    /// Rooms that were asked for and are not on the wall, with the reason.
    pub fn unresolved(&self) -> BTreeMap<RoomRef, String> {
        self.unresolved.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What happened to the reception of rooms since the last call, in order.
    pub fn take_gaps(&self) -> Vec<GapNews> {
        std::mem::take(&mut *self.gaps())
    }

    /// These could not be written down; they come first the next time.
    pub fn put_back_gaps(&self, mut news: Vec<GapNews>) {
        let mut gaps = self.gaps();
        news.append(&mut gaps);
        *gaps = news;
    }

    fn note_gap(&self, room: RoomId, ceased: Option<String>) {
        let mut gaps = self.gaps();
        // While they cannot be written down, an end is kept rather than one more attempt.
        if gaps.len() < GAPS_KEPT || ceased.is_none() {
            gaps.push(GapNews { room, at_ms: unix_ms(), ceased });
        }
    }

    fn gaps(&self) -> MutexGuard<'_, Vec<GapNews>> {
        self.gaps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One room.
    pub fn summary(&self, room: RoomId) -> Option<RoomSummary> {
        self.read().cards.get(&room).map(|card| RoomSummary::from(card.as_ref()))
    }

    /// All rooms, by number.
    pub fn summaries(&self) -> Vec<RoomSummary> {
        self.read().cards.values().map(|card| RoomSummary::from(card.as_ref())).collect()
    }

    /// How many rooms there are.
    pub fn count(&self) -> usize {
        self.read().cards.len()
    }

    /// Numbers of all rooms.
    pub fn rooms(&self) -> Vec<RoomId> {
        self.read().cards.keys().copied().collect()
    }

    /// Rooms changed since the last call; also those that are gone.
    pub fn take_changed(&self) -> Vec<RoomId> {
        let changed = std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner));
        changed.into_iter().collect()
    }

    fn change(&self, room: RoomId, change: impl FnOnce(&mut Card)) {
        if let Some(card) = self.write().cards.get_mut(&room) {
            change(card);
            self.mark(room);
        }
    }

    fn mark(&self, room: RoomId) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(room);
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_told_once_and_only_when_there_are_any() {
        let wall = Wall::default();
        wall.put(RoomInfo::unknown(RoomId(1)));
        wall.put(RoomInfo::unknown(RoomId(2)));
        let news = wall.news_since(0);
        assert_eq!((news.infos.len(), news.rooms.as_deref()), (2, Some([RoomId(1), RoomId(2)].as_slice())));
        wall.learn(RoomId(2), |_| {});
        assert_eq!(wall.news_since(news.generation).generation, news.generation, "nothing was learnt");
        wall.learn(RoomId(2), |info| info.title = "新标题".into());
        let later = wall.news_since(news.generation);
        assert_eq!((later.infos.len(), later.rooms), (1, None));
        wall.remove(RoomId(1));
        let last = wall.news_since(later.generation);
        assert_eq!((last.infos.len(), last.rooms), (0, Some(vec![RoomId(2)])));
    }
}
