//! What readers of the ring have in common, so that it is made once and not for each of two thousand browsers.
//!
//! Most of them stand at the same place of the ring and want the same: a busy room is on many screens. What the first of
//! them reads is kept for the others until the ring has gone on, as is how a room is when it changed. A reader that is
//! somewhere else reads for itself; nobody waits here for anybody.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use serde_json::{Value, json};

use super::audience::Audience;
use crate::{actors::wall::Wall, domain::RoomId};

/// Bytes of text that are kept of reads: what goes beyond, each reads for itself.
const PARTS_MAX: usize = 8 << 20;
/// Bytes of the longest header of a frame.
const HEADER_MAX: usize = 10;

/// Something to send.
#[derive(Clone, Debug)]
pub struct Message {
    /// As it goes out over a WebSocket: one frame, its header before the text.
    pub frame: Bytes,
    header: usize,
    /// Where to resume after it.
    pub cursor: ByteString,
    /// Events in it.
    pub events: u64,
}

impl Message {
    /// Of this JSON, as the contract names it.
    pub fn new(text: &str, cursor: ByteString, events: u64) -> Message {
        let mut frame = BytesMut::with_capacity(text.len() + HEADER_MAX);
        // RFC 6455, 5.2: a whole text, and its length; what a server sends is not masked.
        frame.put_u8(0x81);
        match (u8::try_from(text.len()), u16::try_from(text.len())) {
            (Ok(length @ ..126), _) => frame.put_u8(length),
            (_, Ok(length)) => {
                frame.put_u8(126);
                frame.put_u16(length);
            }
            _ => {
                frame.put_u8(127);
                frame.put_u64(text.len() as u64);
            }
        }
        let header = frame.len();
        frame.put_slice(text.as_bytes());
        Message { frame: frame.freeze(), header, cursor, events }
    }

    /// The JSON.
    pub fn text(&self) -> ByteString {
        ByteString::try_from(self.frame.slice(self.header..)).expect("a text was put there")
    }
}

/// What readers of one audience share.
pub struct Shared {
    /// Who they are.
    pub audience: Audience,
    wall: Arc<Wall>,
    /// Summaries that were serialised for the newest `rooms` frame: only those of rooms that somebody watches.
    newest: Mutex<(u64, RoomTexts)>,
    reads: Mutex<Reads>,
}

/// Where a reader stands, and what it wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Of its [`Filter`](super::filter::Filter).
    pub digest: [u8; 32],
    /// The stretch of the ring ...
    pub stretch: u64,
    /// ... and the last frame that was read.
    pub position: u64,
    /// Events before it, which stand in the cursors of what is read.
    pub seen: Option<u64>,
}

/// What is read from a place up to the head of the ring.
#[derive(Debug)]
pub struct Part {
    /// What is sent.
    pub messages: Vec<Message>,
    /// Where a reader stands after it.
    pub position: u64,
    /// Events before that place.
    pub seen: Option<u64>,
}

/// The parts that end at the newest head anybody read up to.
#[derive(Default)]
struct Reads {
    /// The stretch and the frame.
    head: (u64, u64),
    parts: HashMap<Place, Arc<Part>>,
    bytes: usize,
}

type RoomTexts = HashMap<RoomId, String>;

impl Shared {
    /// Nothing yet; readers with it are of that audience.
    pub fn new(audience: Audience, wall: Arc<Wall>) -> Shared {
        Shared { audience, wall, newest: Mutex::default(), reads: Mutex::default() }
    }

    /// What another reader read from the same place up to the same `head`.
    pub fn part(&self, place: &Place, head: u64) -> Option<Arc<Part>> {
        let reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        (reads.head == (place.stretch, head)).then(|| reads.parts.get(place).cloned()).flatten()
    }

    /// Keeps what was read from a place up to the head, until somebody reads further.
    pub fn keep(&self, place: Place, part: Part) {
        let bytes: usize = part.messages.iter().map(|message| message.frame.len()).sum();
        let head = (place.stretch, part.position);
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if head > reads.head {
            *reads = Reads { head, ..Reads::default() };
        }
        if head == reads.head && reads.bytes + bytes <= PARTS_MAX {
            reads.bytes += bytes;
            reads.parts.insert(place, Arc::new(part));
        }
    }

    /// How these rooms of the frame `seq` are, with commas between them.
    pub fn texts(&self, seq: u64, rooms: impl Iterator<Item = RoomId>) -> String {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut older = RoomTexts::new();
        if seq > newest.0 {
            *newest = (seq, RoomTexts::new());
        }
        // Who reads old frames does not make the others serialise the newest again.
        let known = if seq == newest.0 { &mut newest.1 } else { &mut older };
        let mut texts = String::new();
        for room in rooms {
            if !texts.is_empty() {
                texts.push(',');
            }
            texts.push_str(known.entry(room).or_insert_with(|| self.text(room)));
        }
        texts
    }

    fn text(&self, room: RoomId) -> String {
        match (self.wall.summary(room), self.audience) {
            (None, _) => json!({"room_id": room, "removed": true}).to_string(),
            // Straight to text: most sites are open, and every room that changed comes by here each second.
            (Some(room), Audience::Everything) => serde_json::to_string(&room).expect("plain fields under names"),
            (Some(room), Audience::Public) => self.audience.view(json!(room)).to_string(),
        }
    }

    /// An event as it goes out: as it was serialised once for everybody, unless something of it has to go.
    pub fn shown<'a>(&self, json: &'a str) -> Cow<'a, str> {
        match self.audience {
            Audience::Everything => Cow::Borrowed(json),
            Audience::Public => {
                // What the broadcaster wrote can be read back; were it not so, nothing is shown rather than all.
                let event: Value = serde_json::from_str(json).unwrap_or_default();
                Cow::Owned(self.audience.view(event).to_string())
            }
        }
    }
}
