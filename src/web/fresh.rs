//! What has been pushed already and is perhaps not stored yet, for a page that is opened now.
//!
//! A page is drawn from the history, which lags by up to a sync interval, and then kept alive by push. To
//! lose nothing in between, the newest pushed events are drawn as well, and the page tells its socket to go
//! on exactly where this look at the ring ended.

use std::collections::HashSet;

use crate::{
    actors::ring::Ring,
    domain::{Event, EventId, Kind, RoomId},
};

/// More lines than any list of a page shows.
const EVENTS_LOOKED_AT: usize = 200;

/// The newest pushed events, and where the push goes on.
pub struct Fresh {
    /// What the page's socket asks to go on after.
    pub cursor: String,
    events: Vec<Event>,
}

impl Fresh {
    /// Looks at the ring: one room, or all; events of the kinds that pages list.
    pub fn look(ring: &Ring, room: Option<RoomId>) -> Fresh {
        let (position, pieces) = ring.newest(room, is_listed, EVENTS_LOOKED_AT);
        // What the broadcaster wrote can be read back; a piece that cannot is stored all the same.
        let events = pieces.iter().filter_map(|piece| serde_json::from_str(&piece.json).ok()).collect();
        Fresh { cursor: ring.cursor(position), events }
    }

    /// The newest `limit` of `stored` and of the fresh events that are `wanted`, newest first, each once.
    pub fn over(&self, stored: Vec<Event>, wanted: impl Fn(Kind) -> bool, limit: usize) -> Vec<Event> {
        self.over_those(stored, |event| wanted(event.kind()), limit)
    }

    /// As [`Fresh::over`], by more than the kind.
    pub fn over_those(&self, stored: Vec<Event>, wanted: impl Fn(&Event) -> bool, limit: usize) -> Vec<Event> {
        let known: HashSet<EventId> = stored.iter().map(|event| event.id).collect();
        let mut all = stored;
        all.extend(self.events.iter().filter(|event| wanted(event) && !known.contains(&event.id)).cloned());
        all.sort_by_key(|event| std::cmp::Reverse(event.id));
        all.truncate(limit);
        all
    }
}

/// Chat and purchases.
pub fn is_chat_or_money(kind: Kind) -> bool {
    matches!(kind, Kind::Danmaku | Kind::Gift | Kind::SuperChat | Kind::Guard)
}

/// What the room itself says.
pub fn is_about_room(kind: Kind) -> bool {
    !is_chat_or_money(kind) && !matches!(kind, Kind::Enter | Kind::Follow | Kind::Share | Kind::Like | Kind::Gauge)
}

fn is_listed(kind: Kind) -> bool {
    is_chat_or_money(kind) || is_about_room(kind)
}
