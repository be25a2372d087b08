//! What a live connection wants of all that is pushed: rooms, and kinds of events.
//!
//! Read once, when it is asked for; what many sessions want alike is then told by a digest.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::Refusal;
use crate::{
    actors::ring::Slice,
    domain::{Kind, RoomId},
};

/// Rooms one filter may name.
const ROOMS_IN_FILTER: usize = 1000;

/// Which events are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// These rooms; all for none.
    pub rooms: Option<BTreeSet<RoomId>>,
    /// A bit for each kind; all for none.
    kinds: Option<u32>,
    /// Tells what this one wants from what any other does, without its thousand rooms.
    pub digest: [u8; 32],
    /// Tells counts of one choice of rooms from those of another, in cursors.
    pub mark: u16,
}

impl Filter {
    /// Reads `rooms=all|1,2` and `kinds=danmaku,gift`; empty means all.
    pub fn parse(rooms: &str, kinds: &str) -> Result<Filter, Refusal> {
        let words = |text: &str| -> Vec<String> {
            text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
        };
        let rooms = words(rooms);
        let rooms = if rooms.is_empty() || rooms == ["all"] {
            None
        } else {
            let numbers: Result<BTreeSet<RoomId>, _> = rooms.iter().map(|room| room.parse().map(RoomId)).collect();
            Some(numbers.map_err(|_| Refusal::bad_parameter("rooms: give \"all\" or numbers such as 1,2"))?)
        };
        let kinds = words(kinds);
        Filter::of(rooms, if kinds.is_empty() || kinds == ["all"] { None } else { Some(kinds) })
    }

    /// Reads the `rooms` and `kinds` of a subscribe message.
    pub fn from_message(message: &Value) -> Result<Filter, Refusal> {
        let rooms = match &message["rooms"] {
            Value::Array(rooms) => Some(
                rooms
                    .iter()
                    .map(|room| room.as_u64().map(RoomId))
                    .collect::<Option<BTreeSet<RoomId>>>()
                    .ok_or_else(|| Refusal::bad_parameter("rooms: give \"all\" or a list of numbers"))?,
            ),
            _ => None,
        };
        let kinds = match &message["kinds"] {
            Value::Array(kinds) => {
                Some(kinds.iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect::<Vec<_>>())
            }
            _ => None,
        };
        Filter::of(rooms, kinds)
    }

    fn of(rooms: Option<BTreeSet<RoomId>>, kinds: Option<Vec<String>>) -> Result<Filter, Refusal> {
        if rooms.as_ref().is_some_and(|rooms| rooms.len() > ROOMS_IN_FILTER) {
            return Err(Refusal::bad_parameter(format!("rooms: at most {ROOMS_IN_FILTER}; use \"all\"")));
        }
        let bits = kinds.map(|kinds| {
            kinds.iter().try_fold(0u32, |bits, name| {
                let kind = Kind::from_name(name)
                    .ok_or_else(|| Refusal::bad_parameter(format!("kinds: {name:?} is not a kind of event")))?;
                Ok::<u32, Refusal>(bits | (1 << kind as u32))
            })
        });
        Ok(Filter::new(rooms, bits.transpose()?))
    }

    fn new(rooms: Option<BTreeSet<RoomId>>, kinds: Option<u32>) -> Filter {
        let mut hash = Sha256::new();
        for room in rooms.iter().flatten() {
            hash.update(room.0.to_be_bytes());
        }
        let of_rooms = hash.finalize();
        let mark = rooms.as_ref().map_or(0, |_| u16::from_be_bytes([of_rooms[0], of_rooms[1]]));
        let mut hash = Sha256::new_with_prefix(of_rooms);
        hash.update([u8::from(rooms.is_some()), u8::from(kinds.is_some())]);
        hash.update(kinds.unwrap_or(0).to_be_bytes());
        Filter { rooms, kinds, digest: hash.finalize().into(), mark }
    }

    /// Whether that room is wanted.
    pub fn wants_room(&self, room: RoomId) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.contains(&room))
    }

    /// The wanted rooms' parts of a frame, by number.
    pub fn slices<'a>(&self, slices: &'a HashMap<RoomId, Slice>) -> Vec<&'a Slice> {
        match &self.rooms {
            // A frame of a busy evening holds hundreds of rooms, a page shows one.
            Some(rooms) => rooms.iter().filter_map(|room| slices.get(room)).collect(),
            None => {
                let mut all: Vec<_> = slices.iter().collect();
                all.sort_unstable_by_key(|(room, _)| **room);
                all.into_iter().map(|(_, slice)| slice).collect()
            }
        }
    }

    /// Whether events of that kind are wanted.
    pub fn wants_kind(&self, kind: Kind) -> bool {
        self.kinds.is_none_or(|bits| bits & (1 << kind as u32) != 0)
    }

    /// The wanted rooms; none for all.
    pub fn room_list(&self) -> Option<Vec<RoomId>> {
        self.rooms.as_ref().map(|rooms| rooms.iter().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_are_read_or_refused() {
        for (rooms, kinds, good) in [
            ("", "", true),
            ("all", "all", true),
            ("1, 2", "danmaku,super_chat", true),
            ("1,x", "", false),
            ("-1", "", false),
            ("", "chat", false),
        ] {
            assert_eq!(Filter::parse(rooms, kinds).is_ok(), good, "{rooms:?} {kinds:?}");
        }
        let message = json!({"type": "subscribe", "rooms": [1], "kinds": ["gift"]});
        assert_eq!(Filter::from_message(&message).expect("a filter"), Filter::parse("1", "gift").expect("the same"));
    }

    #[test]
    fn only_those_who_want_the_same_have_the_same_digest() {
        let of = |rooms, kinds| Filter::parse(rooms, kinds).expect("a filter").digest;
        assert_eq!(of("2,1", "gift,danmaku"), of("1,2,2", "danmaku,gift"));
        let all = [("", ""), ("1", ""), ("2", ""), ("1,2", ""), ("", "gift"), ("1", "gift"), ("1", "gift,danmaku")];
        let different: BTreeSet<_> = all.iter().map(|(rooms, kinds)| of(rooms, kinds)).collect();
        assert_eq!(different.len(), all.len());
        let none = Filter::from_message(&json!({"rooms": [], "kinds": []})).expect("a filter").digest;
        assert!(!different.contains(&none), "no room is not all rooms");
    }
}
