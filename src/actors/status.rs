//! StatusActor: asks who is on air, for all rooms at once, and keeps their details fresh.
//!
//! Every interval one call for each fifty streamers; in between one for the rooms that may have turned
//! (named in `STOP_LIVE_ROOM_LIST`, or connected again), gathered for a moment. Followers come from another
//! call, for one room at a time and rarely. What the answers mean is decided by [`super::on_air`].
//!
//! Not here: handing on the events that come of it, which is each room's own work. A call that fails harms
//! nobody: the next one asks again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};
use tracing::{debug, info, warn};

use super::{air::Airs, wall::Wall};
use crate::{
    domain::{RoomId, Uid},
    protocol::api::STREAMERS_A_CALL,
    supervise::{
        exit::Exit,
        faults::{self, Point},
        life::Work,
        vitals::{Doing, State, Vitals},
    },
    upstream::{AskError, Upstream},
};

/// What it works with; outlives its lives.
#[derive(Clone)]
pub struct StatusSpec {
    /// Bilibili.
    pub upstream: Arc<dyn Upstream>,
    /// What is known of the rooms beside their connections.
    pub airs: Arc<Airs>,
    /// The present picture.
    pub wall: Arc<Wall>,
    /// All rooms are asked about this often.
    pub interval: Duration,
    /// Turns true when the rooms are to end.
    pub leash: watch::Receiver<bool>,
    /// What it publishes.
    pub vitals: Arc<Vitals>,
}

impl Work for StatusSpec {
    type Name = &'static str;

    fn work(self) -> impl Future<Output = Exit> {
        poll(self)
    }
}

/// Rooms that may have turned are gathered for this long, so that a wave of reconnects is one call.
const GATHER: Duration = Duration::from_secs(1);
/// One room's followers are asked for this often.
const FOLLOWERS: Duration = Duration::from_secs(20);
/// Longest wait after calls that failed, as a multiple of the interval.
const LONGEST_PAUSE: u32 = 10;

async fn poll(spec: StatusSpec) -> Exit {
    let mut leash = spec.leash.clone();
    select! {
        biased;
        // An error means that Root is gone, which ends this as well.
        _ = leash.wait_for(|end| *end) => Exit::Done,
        () = poll_for_ever(&spec) => Exit::Done,
    }
}

async fn poll_for_ever(spec: &StatusSpec) {
    let mut next_round = Instant::now() + GATHER;
    let mut pause = spec.interval;
    let mut followers = interval(FOLLOWERS);
    followers.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last_asked = None;
    spec.vitals.enter(State::Running);
    loop {
        spec.vitals.doing(Doing::Idle);
        select! {
            () = sleep_until(next_round) => {
                let begun = Instant::now();
                pause = match ask(spec, None).await {
                    Ok(()) => spec.interval,
                    Err(error) => { told_nothing(spec, &error); (pause * 2).min(spec.interval * LONGEST_PAUSE) }
                };
                next_round = begun + pause;
            }
            () = spec.airs.bell.notified() => {
                sleep(GATHER).await;
                let rooms = spec.airs.take_asked_for();
                if let Err(error) = ask(spec, Some(&rooms)).await {
                    told_nothing(spec, &error);
                }
            }
            _ = followers.tick() => last_asked = ask_followers(spec, last_asked).await,
        }
    }
}

fn told_nothing(spec: &StatusSpec, error: &AskError) {
    if spec.vitals.state() != State::Backoff {
        warn!(%error, "who is on air is not known for now: {error}");
    }
    spec.vitals.enter(State::Backoff);
    spec.vitals.failed_with(error.to_string(), None);
}

/// Asks about these rooms, or all.
async fn ask(spec: &StatusSpec, only: Option<&BTreeSet<RoomId>>) -> Result<(), AskError> {
    let injected = |fault: faults::Injected| AskError::Unreachable { call: "status", why: fault.to_string() };
    faults::at(Point::StatusRound, 0).await.map_err(injected)?;
    let known = spec.wall.summaries();
    if only.is_none() {
        spec.airs.keep_only(&known.iter().map(|room| room.info.room_id).collect());
    }
    let asked_about = known.iter().filter(|room| {
        room.state != State::Paused && room.info.uid.0 != 0 && only.is_none_or(|only| only.contains(&room.info.room_id))
    });
    let uids: Vec<Uid> = asked_about.map(|room| room.info.uid).collect();
    for uids in uids.chunks(STREAMERS_A_CALL) {
        spec.vitals.doing(Doing::Asking);
        let asked = spec.airs.now();
        let rooms = spec.upstream.statuses(uids).await?;
        spec.vitals.took_in(rooms.len() as u64, 0);
        for room in rooms {
            spec.airs.told(&spec.wall, room, asked);
        }
    }
    if spec.vitals.state() == State::Backoff {
        info!("who is on air is known again");
    }
    spec.vitals.enter(State::Running);
    Ok(())
}

/// Asks for the followers of the room behind the one asked about last; says which that was.
async fn ask_followers(spec: &StatusSpec, last: Option<RoomId>) -> Option<RoomId> {
    let rooms = spec.wall.rooms();
    let next = rooms.iter().find(|room| last.is_none_or(|last| **room > last)).or(rooms.first()).copied()?;
    let uid = spec.wall.info(next)?.uid;
    if uid.0 != 0 {
        spec.vitals.doing(Doing::Asking);
        match spec.upstream.anchor(uid).await {
            Ok(anchor) => spec.wall.learn(next, |info| {
                let mut newer = info.clone();
                anchor.complete(&mut newer);
                info.update(newer);
            }),
            Err(error) => debug!(room.id = %next, "room {next}: its followers stay as they were: {error}"),
        }
    }
    Some(next)
}
