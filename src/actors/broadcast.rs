//! BroadcastActor: from the rooms' second lane to browsers.
//!
//! Serialises each event once, gathers what comes within 50 ms into one frame, and appends it to the
//! ring; once a second it appends the rooms that changed. Keeps the gauges and rates of the wall. A view
//! never slows the record: its lane sheds, and the ring overwrites.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::Mutex,
    time::{MissedTickBehavior, interval},
};
use tracing::error;

use super::{
    graves,
    ring::{Piece, Ring},
    wall::{Rates, Wall},
};
use crate::{
    domain::{Body, Event, Kind, RoomId},
    supervise::{
        exit::Exit,
        faults::{self, Point},
        inbox::{Inbox, sift},
        life::Work,
        vitals::{Doing, State, Vitals},
    },
};

/// What the broadcaster works with; outlives its lives.
#[derive(Clone)]
pub struct BroadcastSpec {
    /// The reading end of the rooms' second lane.
    pub inbox: Arc<Mutex<Inbox<Arc<Event>>>>,
    /// Where frames go.
    pub ring: Arc<Ring>,
    /// The present picture.
    pub wall: Arc<Wall>,
    /// What it publishes.
    pub vitals: Arc<Vitals>,
}

impl Work for BroadcastSpec {
    type Name = &'static str;

    fn work(self) -> impl Future<Output = Exit> {
        broadcast(self)
    }
}

/// A frame holds at most this many events ...
const EVENTS_PER_FRAME: usize = 256;
/// ... and what came within this.
const LINGER: Duration = Duration::from_millis(50);

async fn broadcast(spec: BroadcastSpec) -> Exit {
    let BroadcastSpec { inbox, ring, wall, vitals } = &spec;
    let mut inbox = inbox.lock().await;
    let careful = inbox.begin_life();
    let mut paces: HashMap<RoomId, Pace> = HashMap::new();
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    vitals.enter(State::Running);
    loop {
        vitals.doing(Doing::Idle);
        select! {
            biased;
            _ = second.tick() => {
                paces.retain(|room, pace| {
                    let goes_on = pace.next_second();
                    wall.set_rates(*room, pace.rates());
                    goes_on
                });
                ring.push_rooms(wall.take_changed());
            }
            more = inbox.fill(EVENTS_PER_FRAME, LINGER) => {
                if !more {
                    return Exit::Done;
                }
                vitals.took_in(inbox.batch.len() as u64, 0);
                vitals.doing(Doing::Decoding);
                let newest = inbox.batch.last().map(|event| event.timestamp_ms);
                let frame = if careful { what_can_be_shown(&inbox).await } else { pieces(&inbox.batch).await };
                for event in &inbox.batch {
                    paces.entry(event.room_id).or_default().count(event.kind());
                    if let Body::Gauge(gauge) = &event.body {
                        wall.update_gauges(event.room_id, gauge);
                    }
                }
                vitals.handed_on(frame.len() as u64, newest);
                ring.push_events(frame);
                inbox.finish();
            }
        }
    }
}

/// Events as they are sent.
async fn pieces(events: &[Arc<Event>]) -> Vec<(RoomId, Piece)> {
    let mut pieces = Vec::with_capacity(events.len());
    for event in events {
        if let Err(fault) = faults::at(Point::BroadcastEvent, event.room_id.0).await {
            error!(event.id = %event.id, "an event cannot be shown: {fault}");
            continue;
        }
        match serde_json::to_string(event.as_ref()) {
            Ok(json) => pieces.push((event.room_id, Piece { kind: event.kind(), json: json.into() })),
            Err(error) => error!(event.id = %event.id, %error, "an event cannot be shown: {error}"),
        }
    }
    pieces
}

/// The same without the events over which that panics. These are on record all the same; here they count
/// as shed by the lane.
async fn what_can_be_shown(inbox: &Inbox<Arc<Event>>) -> Vec<(RoomId, Piece)> {
    let mut shown = Vec::with_capacity(inbox.batch.len());
    for (at, panic) in sift(&inbox.batch, async |run| shown.extend(pieces(run).await)).await {
        error!(event.id = %inbox.batch[at].id, "an event is never shown: {}", graves::why("the broadcaster", &panic));
        inbox.set_aside("unshowable");
    }
    shown
}

/// Events of the last minute: by second, and their sum.
struct Pace {
    seconds: [Rates; 60],
    now: usize,
    sum: Rates,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { seconds: [Rates::default(); 60], now: 0, sum: Rates::default() }
    }
}

impl Pace {
    fn count(&mut self, kind: Kind) {
        for rates in [&mut self.seconds[self.now], &mut self.sum] {
            rates.danmaku_per_minute += u64::from(kind == Kind::Danmaku);
            rates.events_per_minute += 1;
        }
    }

    fn rates(&self) -> Rates {
        self.sum
    }

    /// Moves on; false when nothing came for a minute.
    fn next_second(&mut self) -> bool {
        self.now = (self.now + 1) % self.seconds.len();
        let leaving = std::mem::take(&mut self.seconds[self.now]);
        self.sum.danmaku_per_minute -= leaving.danmaku_per_minute;
        self.sum.events_per_minute -= leaving.events_per_minute;
        self.sum != Rates::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_minute() {
        let mut pace = Pace::default();
        for _ in 0..30 {
            pace.count(Kind::Danmaku);
            pace.count(Kind::Enter);
            assert!(pace.next_second());
        }
        assert_eq!(pace.rates(), Rates { danmaku_per_minute: 30, events_per_minute: 60 });
        let seconds_to_silence = (1..).find(|_| !pace.next_second());
        assert_eq!(seconds_to_silence, Some(59));
    }
}
