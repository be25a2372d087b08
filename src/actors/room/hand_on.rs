//! Handing on: every event is booked in the ledger, checked against the room's memory and offered to two
//! lanes, the record first.
//!
//! Invariant: what was booked is handed on, counted as a duplicate or counted as lost, whatever happens in
//! between: until then it stands in the room's memory. While a lane makes it wait nothing is read, but
//! heartbeats go on.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use tokio::{select, time::sleep_until};
use tracing::error;

use super::{Room, reading::Reading};
use crate::{
    actors::memory::InHand,
    domain::{Body, Event, Gauge, Guard, RoomId, Source},
    protocol::Step,
    supervise::{
        exit::Exit,
        faults::{self, Point},
        lane::{Lane, Offer, Payload},
        vitals::Doing,
    },
};

impl Payload for Arc<Event> {
    fn is_durable(&self) -> bool {
        Event::kind(self).is_durable()
    }

    fn kind(&self) -> &'static str {
        Event::kind(self).as_str()
    }
}

impl Reading {
    /// Books events; from now on they stand in the room's memory, so that a life that ends before they are
    /// handed on leaves them to the next one.
    pub fn book(&self, events: Vec<InHand>) {
        let Room { id, memory, shared, .. } = &self.room;
        if !events.is_empty() {
            shared.ledger.received(*id, events.len() as u64);
            shared.in_hand.fetch_add(events.len() as u64, SeqCst);
            memory.keep(events);
        }
    }

    /// Hands on what is new of the events in memory. What was offered and not crossed out when a life
    /// ended is offered again; the history knows it.
    pub async fn hand_on(&mut self) -> Result<(), Exit> {
        let Room { id, memory, vitals, shared } = self.room.clone();
        while let Some(InHand { event, shown }) = memory.next_in_hand() {
            let known = memory.knows(event.id);
            if (!known || says_what_it_explains(&event)) && self.is_news(&event) {
                fault(id).await?;
                match self.offer_to_record(&shared.record, &event).await {
                    Offer::Taken => vitals.handed_on(1, Some(event.timestamp_ms)),
                    Offer::Shed => self.lose(&event, "lane_full"),
                    Offer::Closed => self.lose(&event, "stopped"),
                }
                fault(id).await?;
                if shown && !known {
                    shared.view.offer(event.clone()).await;
                }
                // Not before it is on its way: a life that ends in between leaves it to the next, as news.
                self.note(&event);
            } else {
                shared.ledger.duplicate(id, 1);
            }
            memory.handed_on();
            shared.in_hand.fetch_sub(1, SeqCst);
        }
        Ok(())
    }

    /// The beginning of a broadcast is told several times, and not every time with what identifies it; and what
    /// was fetched after a gap may come in the stream as well.
    fn is_news(&self, event: &Event) -> bool {
        let Room { id, memory, shared, .. } = &self.room;
        let is_turn = matches!(event.body, Body::Live(_) | Body::Preparing(_)) && event.source == Source::Live;
        let is_known = is_turn && shared.airs.of(*id).is_known_turn(event);
        !(is_known || memory.past.knows_line(event))
    }

    /// Shows events that are on record already.
    pub async fn show(&self, events: Vec<Event>) {
        for event in events.into_iter().map(Arc::new) {
            self.room.shared.view.offer(event).await;
        }
    }

    /// Offers to the record's lane; heartbeats go on meanwhile.
    async fn offer_to_record(&mut self, lane: &Lane<Arc<Event>>, event: &Arc<Event>) -> Offer {
        match lane.offer_now(event.clone()) {
            Ok(offer) => offer,
            // What waiting needs would otherwise lie in the task of every quiet room.
            Err((event, _)) => Box::pin(self.wait_for_record(lane, event)).await,
        }
    }

    async fn wait_for_record(&mut self, lane: &Lane<Arc<Event>>, event: Arc<Event>) -> Offer {
        let offer = lane.offer(event);
        tokio::pin!(offer);
        self.room.vitals.doing(Doing::WaitingForLane);
        loop {
            let heartbeat = match self.session.tick(self.room.memory.now()) {
                Step::Wait(until) => self.room.memory.instant(until),
                Step::Send(bytes) => {
                    // A send that fails is seen by the next read.
                    let _ = self.send(bytes).await;
                    continue;
                }
                // Seen again, and acted upon, when this event is handed on.
                Step::Dead(_) => return offer.await,
            };
            select! {
                biased;
                offer = &mut offer => {
                    self.room.vitals.doing(Doing::Reading);
                    return offer;
                }
                () = sleep_until(heartbeat) => {}
            }
        }
    }

    fn lose(&self, event: &Event, reason: &'static str) {
        self.room.shared.ledger.dropped(self.room.id, reason, 1);
        if event.kind().is_durable() {
            let kind = event.kind().as_str();
            error!(room.id = %self.room.id, event.id = %event.id, reason, "room {}: a {kind} was lost: {reason}", self.room.id);
        }
    }

    /// Keeps the wall true to what the room says of itself. What a poll told of stands there already.
    fn note(&self, event: &Event) {
        let Room { id, memory, shared, .. } = &self.room;
        let wall = &shared.wall;
        match &event.body {
            Body::Live(_) | Body::Preparing(_) | Body::CutOff(_) if event.source == Source::Live => {
                let status = shared.airs.of(*id).note(event);
                wall.learn(*id, |info| (info.status, info.live_since_ms) = status);
            }
            Body::Danmaku(_) => memory.past.remember_line(event),
            Body::Gauge(Gauge { fans: Some(fans), .. }) => wall.learn(*id, |info| info.followers = *fans),
            Body::RoomChange(notice) => wall.learn(*id, |info| {
                if let Some(title) = &notice.title {
                    info.title.clone_from(title);
                }
                if let Some(area_name) = &notice.area_name {
                    info.area_name.clone_from(area_name);
                }
            }),
            _ => {}
        }
    }
}

/// An event that browsers are to see.
pub fn shown(event: Event) -> InHand {
    InHand { event: Arc::new(event), shown: true }
}

/// A purchase is told once more when it becomes clear which estimate it explains: the history has to know.
fn says_what_it_explains(event: &Event) -> bool {
    matches!(&event.body, Body::Guard(Guard { explains: Some(_), .. }))
}

/// A fault put here by a test.
async fn fault(room: RoomId) -> Result<(), Exit> {
    faults::at(Point::RoomHandOn, room.0).await.map_err(|error| Exit::Lost(error.to_string()))
}
