//! Follower: in a process that has browsers and no rooms, makes ring, wall and books copies of those of the
//! collector, by way of Redis. The other end is the relay.
//!
//! Stored totals come from the history itself, so they are right also while the collector is away. Nothing is
//! heard of it then, and every room says so.

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use tokio::{
    select,
    sync::{Mutex, watch},
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{error, info, warn};

use super::{
    ledger::Ledger,
    report::{COLLECTOR, Report, Reports},
    ring::{Copied, Piece, Ring},
    wall::{RoomSummary, Wall},
};
use crate::{
    domain::{Event, RoomId},
    store::{
        StoreError,
        redis::{
            RedisStore,
            crossing::{CrossingContent, CrossingFrame},
        },
        sqlite::{Database, QueryError},
    },
    supervise::{
        exit::Exit,
        life::Work,
        vitals::{Doing, State, Vitals, unix_ms},
    },
};

/// Why rooms are not received while nothing is heard of it.
const UNHEARD: &str = "nothing is heard of the collector: it does not run, or Redis is away";

/// What it works with; outlives its lives.
#[derive(Clone)]
pub struct FollowerSpec {
    /// The way across.
    pub redis: RedisStore,
    /// The history.
    pub database: Database,
    /// Becomes a copy.
    pub ring: Arc<Ring>,
    /// Becomes a copy, but for totals.
    pub wall: Arc<Wall>,
    /// Becomes a copy.
    pub ledger: Arc<Ledger>,
    /// What other processes report.
    pub reports: Arc<Reports>,
    /// How far it has come.
    pub place: Arc<Mutex<Place>>,
    /// Turns true when this is to end.
    pub finish: watch::Receiver<bool>,
    /// What it publishes.
    pub vitals: Arc<Vitals>,
}

/// How far a follower has come, over all its lives.
#[derive(Default)]
pub struct Place {
    /// The last frame that was copied: run and number.
    frame: Option<(u64, u64)>,
    /// The rooms on the wall are those that the collector shows.
    has_rooms: bool,
}

impl Work for FollowerSpec {
    type Name = &'static str;

    async fn work(self) -> Exit {
        let mut finish = self.finish.clone();
        self.vitals.enter(State::Running);
        select! {
            biased;
            // An error means that the program is going, which ends this as well.
            _ = finish.wait_for(|finish| *finish) => Exit::Done,
            ((), ()) = join(copy_frames(&self), keep_up(&self)) => Exit::Done,
        }
    }
}

/// The longest wait for a frame.
const WAIT: Duration = Duration::from_secs(1);
/// After Redis did not answer, it is tried again after this.
const PAUSE: Duration = Duration::from_millis(500);
/// Reports and totals are read so often.
const EVERY: Duration = Duration::from_secs(1);

async fn copy_frames(spec: &FollowerSpec) {
    loop {
        spec.vitals.doing(Doing::Idle);
        match copy_some(spec).await {
            Ok(()) => {
                if spec.vitals.state() == State::Backoff {
                    info!("the collector is followed again");
                }
                spec.vitals.enter(State::Running);
            }
            Err(error) => {
                if spec.vitals.state() != State::Backoff {
                    warn!(%error, "the collector cannot be followed: {error}");
                }
                spec.vitals.enter(State::Backoff);
                spec.vitals.failed_with(error.to_string(), None);
                sleep(PAUSE).await;
            }
        }
    }
}

async fn copy_some(spec: &FollowerSpec) -> Result<(), StoreError> {
    let mut place = spec.place.lock().await;
    if !place.has_rooms && !spec.reports.silent(unix_ms()).contains(&COLLECTOR) {
        for (room, text) in spec.redis.shown_rooms().await? {
            match serde_json::from_str::<RoomSummary>(&text) {
                Ok(summary) => spec.wall.show(room, Some(summary)),
                Err(error) => error!(room.id = %room, "how room {room} is cannot be read: {error}"),
            }
        }
        place.has_rooms = true;
    }
    let frames = spec.redis.frames_after(place.frame, WAIT).await?;
    spec.vitals.took_in(frames.len() as u64, 0);
    for CrossingFrame { boot, seq, content } in frames {
        let copied = match content {
            CrossingContent::Events(text) => Copied::Events(pieces(&text)),
            CrossingContent::Rooms(text) => {
                let rooms: Vec<(RoomId, Option<RoomSummary>)> =
                    serde_json::from_str(&text).unwrap_or_else(|error| unreadable(&error));
                let show = |(room, summary)| {
                    spec.wall.show(room, summary);
                    room
                };
                Copied::Rooms(rooms.into_iter().map(show).collect())
            }
        };
        spec.ring.copy(boot, seq, copied);
        place.frame = Some((boot, seq));
    }
    Ok(())
}

fn pieces(text: &str) -> Vec<(RoomId, Piece)> {
    let events: Vec<Event> = serde_json::from_str(text).unwrap_or_else(|error| unreadable(&error));
    let piece = |event: Event| {
        let json = serde_json::to_string(&event).ok()?;
        Some((event.room_id, Piece { kind: event.kind(), json: json.into() }))
    };
    events.into_iter().filter_map(piece).collect()
}

/// Its number is taken all the same, so that nothing else seems to be missing.
fn unreadable<T>(error: &serde_json::Error) -> Vec<T> {
    error!("a frame of the collector cannot be read, is it of another version? {error}");
    Vec::new()
}

/// Reads what the other processes report and what is stored.
async fn keep_up(spec: &FollowerSpec) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match spec.database.run(|database| database.all_totals()).await {
            Ok(totals) => totals.into_iter().for_each(|(room, totals)| spec.wall.set_totals(room, totals)),
            Err(error) => spec.vitals.failed_with(error.to_string(), None),
        }
        let roles = spec.reports.expected();
        // A Redis that does not answer is told of by the one who copies frames.
        let texts = spec.redis.reports(roles).await.unwrap_or_default();
        for (role, text) in roles.iter().zip(texts) {
            let Some(report) = text.and_then(|text| serde_json::from_str::<Report>(&text).ok()) else { continue };
            if let Some((run, all_time)) = report.ledger.clone() {
                spec.ledger.copy_of(run, all_time);
            }
            spec.reports.put(role, report);
        }
        if spec.reports.silent(unix_ms()).contains(&COLLECTOR) {
            say_unheard(spec).await;
        }
    }
}

/// Nothing is heard of the collector: no room is known to be received, and browsers are told.
async fn say_unheard(spec: &FollowerSpec) {
    spec.wall.nothing_is_received(UNHEARD);
    let changed = spec.wall.take_changed();
    if !changed.is_empty() {
        let run = u64::try_from(unix_ms()).unwrap_or_default();
        spec.ring.copy(run, 1, Copied::Rooms(changed));
    }
    spec.place.lock().await.has_rooms = false;
}

/// Puts the monitored rooms on the wall as the history knows them, before anything is heard.
pub fn rooms_as_stored(database: &Database, wall: &Wall) -> Result<(), QueryError> {
    let totals = database.all_totals()?;
    for stored in database.monitored()? {
        let room = stored.info.room_id;
        wall.put(stored.info);
        wall.set_priority(room, stored.priority);
        wall.set_totals(room, totals.get(&room).copied().unwrap_or_default());
    }
    wall.nothing_is_received(UNHEARD);
    Ok(())
}
