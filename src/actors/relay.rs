//! Relay: shows what this process knows to the one that has the browsers, by way of Redis.
//!
//! It reads the ring as a browser would, so it slows nobody, and the ring is what holds frames while Redis is
//! away. How rooms are is shown as it changes, and all of it now and then, for a Redis that was emptied; what the
//! process says of itself, once a second. The other end is the follower.

use std::{sync::Arc, time::Duration};

use tokio::{
    select,
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tracing::{info, warn};

use super::{
    ledger::Ledger,
    report::Report,
    ring::{Content, Frame, Ring},
    wall::{RoomSummary, Wall},
};
use crate::{
    domain::RoomId,
    store::{
        LiveStore, StoreError,
        redis::{
            RedisStore,
            crossing::{CrossingContent, CrossingFrame},
        },
    },
    supervise::{
        board::Board,
        exit::Exit,
        life::Work,
        vitals::{Doing, State, Vitals},
    },
};

/// What it works with; outlives its lives.
#[derive(Clone)]
pub struct RelaySpec {
    /// The contract's name of what this process does.
    pub role: &'static str,
    /// The way across.
    pub redis: RedisStore,
    /// What it shows of rooms, if it has any.
    pub rooms: Option<RelayedRooms>,
    /// What it reports: its actors ...
    pub board: Arc<Board>,
    /// ... its rooms ...
    pub wall: Arc<Wall>,
    /// ... and what is on its way to Redis.
    pub live: Arc<dyn LiveStore>,
    /// Turns true when this is to end, after the ring has got its last frame.
    pub finish: watch::Receiver<bool>,
    /// What it publishes.
    pub vitals: Arc<Vitals>,
}

/// What the process with the rooms shows of them.
#[derive(Clone)]
pub struct RelayedRooms {
    /// The frames.
    pub ring: Arc<Ring>,
    /// The books.
    pub ledger: Arc<Ledger>,
}

impl Work for RelaySpec {
    type Name = &'static str;

    fn work(self) -> impl Future<Output = Exit> {
        relay(self)
    }
}

/// Frames in one round trip.
const FRAMES_A_TRIP: usize = 64;
/// A report is made so often.
const REPORT: Duration = Duration::from_secs(1);
/// All rooms are shown so often, changed or not.
const SHOW_ALL: Duration = Duration::from_secs(60);
/// After Redis took nothing, it is tried again after this.
const PAUSE: Duration = Duration::from_millis(500);

async fn relay(spec: RelaySpec) -> Exit {
    let mut finish = spec.finish.clone();
    let mut head = spec.rooms.as_ref().map(|rooms| rooms.ring.head());
    let mut position = 0;
    let mut shown: Option<Instant> = None;
    let mut report = interval(REPORT);
    report.set_missed_tick_behavior(MissedTickBehavior::Delay);
    spec.vitals.enter(State::Running);
    loop {
        let finishing = *finish.borrow_and_update();
        if let Some(head) = &mut head {
            head.borrow_and_update();
        }
        spec.vitals.doing(Doing::WaitingForLiveStore);
        match show(&spec, &mut position, &mut shown).await {
            Ok(()) => {
                if spec.vitals.state() == State::Backoff {
                    info!("pages of other processes are told again");
                }
                spec.vitals.enter(State::Running);
            }
            Err(error) => {
                if spec.vitals.state() != State::Backoff {
                    warn!(%error, "pages of other processes are told nothing: {error}");
                }
                spec.vitals.enter(State::Backoff);
                spec.vitals.failed_with(error.to_string(), None);
                if !finishing {
                    sleep(PAUSE).await;
                    continue;
                }
            }
        }
        if finishing {
            return Exit::Done;
        }
        spec.vitals.doing(Doing::Idle);
        let new_frame = async {
            match &mut head {
                // The ring outlives this life.
                Some(head) => drop(head.changed().await),
                None => std::future::pending().await,
            }
        };
        select! {
            _ = finish.changed() => {}
            () = new_frame => {}
            _ = report.tick() => {
                if let Err(error) = put_report(&spec).await {
                    spec.vitals.failed_with(error.to_string(), None);
                }
            }
        }
    }
}

/// Shows what the ring has after `position`, and how rooms are.
async fn show(spec: &RelaySpec, position: &mut u64, shown: &mut Option<Instant>) -> Result<(), StoreError> {
    let Some(RelayedRooms { ring, .. }) = &spec.rooms else { return Ok(()) };
    if shown.is_none_or(|at| at.elapsed() >= SHOW_ALL) {
        let rooms: Vec<(RoomId, Option<RoomSummary>)> =
            spec.wall.summaries().into_iter().map(|room| (room.info.room_id, Some(room))).collect();
        spec.redis.show_rooms(&texts(&rooms), true).await?;
        *shown = Some(Instant::now());
    }
    loop {
        let found = ring.read_after(*position, FRAMES_A_TRIP);
        let Some(last) = found.frames.last().map(|frame| frame.seq) else { return Ok(()) };
        for frame in &found.frames {
            if let Content::Rooms(rooms) = &frame.content {
                spec.redis.show_rooms(&texts(&summaries(&spec.wall, rooms)), false).await?;
            }
        }
        let crossing = |frame: &Arc<Frame>| crossing(ring.boot(), frame, &spec.wall);
        let frames: Vec<CrossingFrame> = found.frames.iter().map(crossing).collect();
        spec.redis.push_frames(&frames).await?;
        spec.vitals.handed_on(frames.len() as u64, None);
        *position = last;
    }
}

async fn put_report(spec: &RelaySpec) -> Result<(), StoreError> {
    let ledger = spec.rooms.as_ref().map(|rooms| rooms.ledger.as_ref());
    let report = Report::now(&spec.board, &spec.wall, spec.live.as_ref(), ledger);
    // Made of numbers and texts: it can be written.
    spec.redis.put_report(spec.role, &serde_json::to_string(&report).unwrap_or_default()).await
}

fn texts(rooms: &[(RoomId, Option<RoomSummary>)]) -> Vec<(RoomId, Option<String>)> {
    let text = |summary: &RoomSummary| serde_json::to_string(summary).unwrap_or_default();
    rooms.iter().map(|(room, summary)| (*room, summary.as_ref().map(text))).collect()
}

/// How these rooms are; none for one that is no longer watched.
fn summaries(wall: &Wall, rooms: &[RoomId]) -> Vec<(RoomId, Option<RoomSummary>)> {
    rooms.iter().map(|room| (*room, wall.summary(*room))).collect()
}

fn crossing(boot: u64, frame: &Frame, wall: &Wall) -> CrossingFrame {
    let content = match &frame.content {
        Content::Events(slices) => {
            let pieces: Vec<&str> =
                slices.values().flat_map(|slice| &slice.pieces).map(|piece| piece.json.as_ref()).collect();
            CrossingContent::Events(format!("[{}]", pieces.join(",")))
        }
        Content::Rooms(rooms) => {
            CrossingContent::Rooms(serde_json::to_string(&summaries(wall, rooms)).unwrap_or_default())
        }
    };
    CrossingFrame { boot, seq: frame.seq, content }
}
