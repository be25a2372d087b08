//! After a gap: fetches what the room's lists still show of it.
//!
//! Super chats on display and the last chat lines; whether a broadcast began or ended meanwhile is asked for
//! all rooms together (`actors::status`). Runs beside the reading, and a list that cannot be had is left
//! out: a backfill never harms the room. What comes twice is dropped like anything that does.
//!
//! Invariant: browsers are shown only what happened in the gap; anything older that turns out to be missing
//! is put on record without a word.

use futures_util::{FutureExt, future::BoxFuture};
use tokio::join;
use tracing::{debug, info};

use super::Room;
use crate::{actors::memory::InHand, domain::Event, upstream::AskError};

/// What happened within this before the connection was lost may not have come through it any more, ms.
const LAST_MOMENTS_MS: i64 = 5_000;

/// A fetch under way.
pub type Backfill = BoxFuture<'static, Vec<InHand>>;

/// Begins to fetch, if the room was received before.
pub fn begin(room: &Room) -> Option<Backfill> {
    let before = room.shared.wall.summary(room.id).map_or(0, |summary| summary.last_event_ms);
    let until_ms = room.memory.past.was_received_until(before)?;
    room.shared.airs.ask_about([room.id]);
    Some(fetch(room.clone(), until_ms).boxed())
}

async fn fetch(room: Room, until_ms: i64) -> Vec<InHand> {
    let upstream = &room.shared.upstream;
    let (super_chats, lines) = join!(upstream.super_chats(room.id), upstream.last_lines(room.id));
    let mut events = had(&room, "super chats on display", super_chats);
    events.extend(had(&room, "last chat lines", lines));
    events.sort_by_key(|event| event.id);
    let from_ms = until_ms - LAST_MOMENTS_MS;
    events.into_iter().map(|event| InHand { shown: event.timestamp_ms >= from_ms, event: event.into() }).collect()
}

fn had(room: &Room, what: &str, answer: Result<Vec<Event>, AskError>) -> Vec<Event> {
    match answer {
        Ok(events) => {
            debug!(room.id = %room.id, "room {}: {} {what} after a gap", room.id, events.len());
            events
        }
        Err(error) => {
            info!(room.id = %room.id, %error, "room {}: {what} cannot be had after a gap: {error}", room.id);
            Vec::new()
        }
    }
}
