//! What is known of each room beside its connection: whether it is on air, and what was fetched for it.
//!
//! Shared by the rooms' lives and by whoever polls ([`super::status`]). One entry per room, kept over all
//! its lives. A turn that a poll tells of becomes an event here and waits for the room's life, because one
//! room's events are handed on by one hand only.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    on_air::{OnAir, Poll, Turn},
    wall::Wall,
};
use crate::{
    domain::{Body, Event, LiveStatus, RoomId, RoomInfo, RoomNotice, Source, User},
    protocol::Arrival,
    supervise::{
        flag::Flag,
        vitals::{State, unix_ms},
    },
};

/// A connection tells of a turn within this.
const SETTLED: Duration = Duration::from_secs(10);
/// The site names a room that stopped in every connection and twice a minute; it is asked about this often.
const NAMED_AGAIN: Duration = Duration::from_secs(60);

/// All rooms.
pub struct Airs {
    epoch: Instant,
    rooms: Mutex<BTreeMap<RoomId, Arc<Air>>>,
    asked_for: Mutex<BTreeSet<RoomId>>,
    named: Mutex<BTreeMap<RoomId, Instant>>,
    /// Rung when something is asked for.
    pub bell: Notify,
}

/// One room.
pub struct Air {
    epoch: Instant,
    on_air: Mutex<OnAir>,
    /// Raised while it is on air, as far as anybody knows.
    pub is_on: Flag,
    /// Since when the room is being received.
    received_since: Mutex<Option<Duration>>,
    fetched: Mutex<Vec<Event>>,
    /// Rung when something was fetched.
    pub bell: Notify,
}

impl Default for Airs {
    fn default() -> Airs {
        Airs {
            epoch: Instant::now(),
            rooms: Mutex::default(),
            asked_for: Mutex::default(),
            named: Mutex::default(),
            bell: Notify::new(),
        }
    }
}

impl Airs {
    /// The entry of a room.
    pub fn of(&self, room: RoomId) -> Arc<Air> {
        let entry = || {
            Arc::new(Air {
                epoch: self.epoch,
                on_air: Mutex::default(),
                is_on: Flag::default(),
                received_since: Mutex::default(),
                fetched: Mutex::default(),
                bell: Notify::new(),
            })
        };
        lock(&self.rooms).entry(room).or_insert_with(entry).clone()
    }

    /// Forgets the rooms that are not among these.
    pub fn keep_only(&self, rooms: &BTreeSet<RoomId>) {
        lock(&self.rooms).retain(|room, _| rooms.contains(room));
    }

    /// These rooms should be asked about soon: they may have turned.
    pub fn ask_about(&self, rooms: impl IntoIterator<Item = RoomId>) {
        lock(&self.asked_for).extend(rooms);
        self.bell.notify_one();
    }

    /// The site named these as stopped: those of ours that are on air as far as we know are asked about.
    pub fn stopped(&self, wall: &Wall, rooms: &[RoomId]) {
        let mut ours: Vec<RoomId> = rooms
            .iter()
            .copied()
            .filter(|room| wall.info(*room).is_some_and(|info| info.status == LiveStatus::Live))
            .collect();
        let mut named = lock(&self.named);
        named.retain(|_, at| at.elapsed() < NAMED_AGAIN);
        ours.retain(|room| named.insert(*room, Instant::now()).is_none());
        drop(named);
        if !ours.is_empty() {
            self.ask_about(ours);
        }
    }

    /// The rooms that should be asked about, once.
    pub fn take_asked_for(&self) -> BTreeSet<RoomId> {
        std::mem::take(&mut lock(&self.asked_for))
    }

    /// Now, on the clock that answers are given with.
    pub fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Takes in what a call that was made at `asked` says of a room: details, and turns nobody has told of.
    /// While no life could hand these on they wait for a later call.
    pub fn told(&self, wall: &Wall, mut told: RoomInfo, asked: Duration) {
        let (room, air) = (told.room_id, self.of(told.room_id));
        let Some(known) = wall.summary(room) else { return };
        let lives = !matches!(known.state, State::Backoff | State::Failed | State::Paused | State::Stopped);
        let mut on_air = lock(&air.on_air);
        on_air.recall(&known.info);
        // A connection that has only just begun would not have told of what happened before.
        let heard = lock(&air.received_since).is_some_and(|since| self.now().saturating_sub(since) >= SETTLED);
        let (now, now_ms) = (self.now(), unix_ms());
        let poll = Poll { status: told.status, began_ms: told.live_since_ms, asked, now, now_ms, heard };
        let turns = if lives { on_air.polled(poll) } else { Vec::new() };
        (told.status, told.live_since_ms) = on_air.status();
        let is_on = on_air.is_on();
        drop(on_air);
        if !turns.is_empty() {
            let events = turns.into_iter().map(|turn| event(turn, &told));
            lock(&air.fetched).extend(events);
            air.bell.notify_one();
        }
        wall.learn(room, |info| info.update(told));
        air.is_on.set(is_on);
    }
}

impl Air {
    /// Takes over what was known before, unless something is known already.
    pub fn recall(&self, info: &RoomInfo) {
        let mut on_air = lock(&self.on_air);
        on_air.recall(info);
        self.is_on.set(on_air.is_on());
    }

    /// The room is being received from now on, or no longer.
    pub fn set_received(&self, received: bool) {
        *lock(&self.received_since) = received.then(|| self.epoch.elapsed());
    }

    /// What was fetched and not taken yet.
    pub fn take_fetched(&self) -> Vec<Event> {
        std::mem::take(&mut lock(&self.fetched))
    }

    /// Whether an event of the stream tells of a turn that was told already.
    pub fn is_known_turn(&self, event: &Event) -> bool {
        let on_air = lock(&self.on_air);
        match &event.body {
            Body::Live(notice) => !on_air.is_beginning(notice.live_key.as_deref(), event.timestamp_ms),
            Body::Preparing(_) => !on_air.is_end(self.epoch.elapsed()),
            _ => false,
        }
    }

    /// An event of the stream is handed on: the story goes on from there. Status and beginning after it.
    pub fn note(&self, event: &Event) -> (LiveStatus, Option<i64>) {
        let mut on_air = lock(&self.on_air);
        let now = self.epoch.elapsed();
        match &event.body {
            Body::Live(notice) => {
                on_air.began(notice.live_key.as_deref(), event.timestamp_ms, now, event.received_ms);
            }
            Body::Preparing(_) | Body::CutOff(_) => on_air.ended(now),
            _ => {}
        }
        self.is_on.set(on_air.is_on());
        on_air.status()
    }
}

/// A missed turn as an event. A beginning has the id that the stream's own telling has where it names no
/// key; an end that of the broadcast it ends.
fn event(turn: Turn, info: &RoomInfo) -> Event {
    let arrival = Arrival { room_id: info.room_id, received_ms: unix_ms() };
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let notice = RoomNotice { title: text(&info.title), area_name: text(&info.area_name), ..RoomNotice::default() };
    let event = match turn {
        Turn::Began { at_ms } => {
            let at_ms = at_ms.unwrap_or(arrival.received_ms);
            arrival.event(at_ms, User::default(), Body::Live(notice), &["live", ""])
        }
        Turn::Ended { began_ms, before_ms } => {
            let began = began_ms.unwrap_or(0).to_string();
            let at_ms = before_ms.unwrap_or(arrival.received_ms);
            let body = Body::Preparing(RoomNotice::default());
            arrival.event(at_ms, User::default(), body, &["preparing", "of the broadcast that began", &began])
        }
    };
    Event { source: Source::Backfill, ..event }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
