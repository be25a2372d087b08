//! Where and when a message came, and the making of events from that.
//!
//! Not here: reading messages. Invariants: every event belongs to the room in whose stream it came,
//! whatever the message says; its time is the upstream's unless that is missing or absurd; and the id is
//! made of nothing but that room, that time and the facts given.

use std::iter;

use crate::domain::{Body, Event, EventId, RoomId, Source, User};

/// Where and when a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The room in whose stream it came.
    pub room_id: RoomId,
    /// Our clock, unix ms.
    pub received_ms: i64,
}

impl Arrival {
    /// An event of this room. `facts` identify it together with its time, the first being its family.
    pub fn event(self, timestamp_ms: i64, user: User, body: Body, facts: &[&str]) -> Event {
        self.event_as(self.id(timestamp_ms, facts), timestamp_ms, user, body)
    }

    /// An event of this room by an id that was made before, for facts that have become part of it.
    pub fn event_as(self, id: EventId, timestamp_ms: i64, user: User, body: Body) -> Event {
        let Arrival { room_id, received_ms } = self;
        Event { id, room_id, timestamp_ms, received_ms, source: Source::Live, user, origin: None, body }
    }

    /// The id that `facts`, the first of them a family, and a time make in this room.
    pub fn id(self, timestamp_ms: i64, facts: &[&str]) -> EventId {
        let mut digits = itoa::Buffer::new();
        let room = digits.format(self.room_id.0);
        EventId::of_each(timestamp_ms, iter::once(room).chain(facts.iter().copied()))
    }

    /// A time of the upstream, which is in seconds or milliseconds, in unix ms; our own where there is none or an absurd one.
    pub fn time_ms(self, upstream: Option<i64>) -> i64 {
        match upstream.and_then(to_ms) {
            Some(time) if time > 0 && time <= self.received_ms.saturating_add(ONE_DAY_MS) => time,
            _ => self.received_ms,
        }
    }
}

/// A clock that far ahead of ours is wrong.
const ONE_DAY_MS: i64 = 24 * 3600 * 1000;

/// Seconds as milliseconds. What would be a time after the year 5138 is milliseconds already, if they are of this
/// century; anything else is no time of ours, and guessing on would only find a wrong one.
fn to_ms(time: i64) -> Option<i64> {
    match time {
        ..100_000_000_000 => Some(time.saturating_mul(1000)),
        1_000_000_000_000.. => Some(time),
        _ => None,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The arrival of the messages in tests.
    pub const HERE: Arrival = Arrival { room_id: RoomId(7), received_ms: 1_790_000_000_000 };

    #[test]
    fn times_become_milliseconds_and_absurd_ones_ours() {
        for (upstream, expected) in [
            (Some(1_700_000_000), 1_700_000_000_000),
            (Some(1_700_000_000_123), 1_700_000_000_123),
            (Some(1_000_000_000_000_000), HERE.received_ms),
            (Some(100_000_000_000_000_000), HERE.received_ms),
            (Some(253_402_300_800_000), HERE.received_ms),
            (Some(99_999_999_999), HERE.received_ms),
            (Some(100_000_000_000), HERE.received_ms),
            (None, HERE.received_ms),
            (Some(0), HERE.received_ms),
            (Some(-62_170_012_800), HERE.received_ms),
            (Some(i64::MIN), HERE.received_ms),
            (Some(i64::MAX), HERE.received_ms),
            (Some(1_790_086_400), HERE.received_ms + ONE_DAY_MS),
            (Some(1_790_086_401), HERE.received_ms),
        ] {
            assert_eq!(HERE.time_ms(upstream), expected, "{upstream:?}");
        }
    }
}
