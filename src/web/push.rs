//! What a live connection is sent, read from the ring at its own pace.
//!
//! A [`Reader`] is a position and a filter. It is what the WebSocket sessions and the server-sent events
//! have in common: resuming, skipping and its honest count, and frames assembled from pieces that were
//! serialised once for everybody. The position stands in the cursor together with the number of events
//! that went before it, so a reader that comes back too late still learns how many it missed.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeSet, HashMap, VecDeque},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{Stream, stream};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::{audience::Audience, error::Refusal};
use crate::{
    actors::{
        ring::{Content, Frame, Ring, Slice},
        wall::{RoomSummary, Wall},
    },
    domain::{Kind, RoomId},
    supervise::vitals::unix_ms,
};

/// Frames taken from the ring at a time.
const FRAMES_A_READ: usize = 32;
/// Bytes after which a read takes no further frame: what a session copies before its socket is asked for room.
const BYTES_A_READ: usize = 256 * 1024;
/// Rooms one filter may name.
const ROOMS_IN_FILTER: usize = 1000;

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// These rooms; all for none.
    pub rooms: Option<BTreeSet<RoomId>>,
    /// A bit for each kind; all for none.
    kinds: Option<u32>,
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
        Ok(Filter { rooms, kinds: bits.transpose()? })
    }

    fn wants_room(&self, room: RoomId) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.contains(&room))
    }

    /// The wanted rooms' parts of a frame, by number.
    fn slices<'a>(&self, slices: &'a HashMap<RoomId, Slice>) -> Vec<&'a Slice> {
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

    fn wants_kind(&self, kind: Kind) -> bool {
        self.kinds.is_none_or(|bits| bits & (1 << kind as u32) != 0)
    }

    fn room_list(&self) -> Option<Vec<RoomId>> {
        self.rooms.as_ref().map(|rooms| rooms.iter().copied().collect())
    }

    /// Tells counts of one choice of rooms from those of another.
    fn mark(&self) -> u16 {
        let Some(rooms) = &self.rooms else { return 0 };
        let mut hash = Sha256::new();
        for room in rooms {
            hash.update(room.0.to_be_bytes());
        }
        let digest = hash.finalize();
        u16::from_be_bytes([digest[0], digest[1]])
    }
}

/// Something to send.
#[derive(Clone, Debug)]
pub struct Message {
    /// JSON, as the contract names it.
    pub text: String,
    /// Where to resume after it.
    pub cursor: String,
    /// Events in it.
    pub events: u64,
}

/// Summaries that were serialised for the newest `rooms` frame: once for a thousand sessions, and only those of rooms that
/// one of them watches.
pub struct RoomsMemo {
    audience: Audience,
    wall: Arc<Wall>,
    newest: Mutex<(u64, RoomTexts)>,
}

type RoomTexts = HashMap<RoomId, String>;

impl RoomsMemo {
    /// Nothing yet; readers with this memo are of that audience.
    pub fn new(audience: Audience, wall: Arc<Wall>) -> RoomsMemo {
        RoomsMemo { audience, wall, newest: Mutex::default() }
    }

    fn text(&self, room: RoomId) -> String {
        match (self.wall.summary(room), self.audience) {
            (None, _) => json!({"room_id": room, "removed": true}).to_string(),
            // Straight to text: most sites are open, and every room that changed comes by here each second.
            (Some(room), Audience::Everything) => serde_json::to_string(&room).expect("plain fields under names"),
            (Some(room), Audience::Public) => self.audience.view(json!(room)).to_string(),
        }
    }

    /// How these rooms of the frame `seq` are, with commas between them.
    fn texts(&self, seq: u64, rooms: impl Iterator<Item = RoomId>) -> String {
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
}

/// A position in the ring and what is wanted from there on.
pub struct Reader {
    ring: Arc<Ring>,
    memo: Arc<RoomsMemo>,
    filter: Filter,
    position: u64,
    /// The stretch of the ring that it is a position in.
    stretch: u64,
    /// Events of the wanted rooms before the position; none when the cursor did not say.
    seen: Option<u64>,
    /// The visitor asked for a position that is not known any more.
    lost: bool,
    /// The last read, as far as it was not taken yet.
    coming: VecDeque<Message>,
}

impl Reader {
    /// Reads from `after`, or from now on.
    pub fn new(ring: Arc<Ring>, memo: Arc<RoomsMemo>, filter: Filter, after: Option<&str>) -> Reader {
        let stretch = ring.stretch();
        let mut reader =
            Reader { ring, memo, filter, position: 0, stretch, seen: None, lost: false, coming: VecDeque::new() };
        match after.filter(|cursor| !cursor.is_empty()) {
            None => reader.start_here(),
            Some(cursor) => {
                let mut parts = cursor.split('.');
                match reader.ring.position(parts.next().unwrap_or_default()) {
                    Some(position) => {
                        reader.position = position;
                        let seen = parts.next().and_then(|n| n.parse().ok());
                        let mark = parts.next().and_then(|mark| u16::from_str_radix(mark, 16).ok());
                        reader.seen = seen.filter(|_| mark == Some(reader.filter.mark()));
                    }
                    None => {
                        reader.start_here();
                        reader.lost = true;
                    }
                }
            }
        }
        reader
    }

    /// From where it is, with another filter: what is still wanted of what is still to come is neither lost
    /// nor sent twice. Gives what was read with the old filter and is not sent yet, which goes first.
    pub fn subscribe(&mut self, filter: Filter) -> VecDeque<Message> {
        self.filter = filter;
        self.seen = self.count_before_here();
        std::mem::take(&mut self.coming)
    }

    /// Events of the wanted rooms before the position; none when the frames that would tell are gone.
    fn count_before_here(&self) -> Option<u64> {
        let rooms = self.filter.room_list();
        let all = self.ring.events_so_far(None);
        let so_far = self.so_far(rooms);
        let found = self.ring.read_after(self.position, usize::MAX);
        if found.fell_behind {
            return None;
        }
        // Without frames after the position, nothing has come since `all` was read either.
        if found.frames.is_empty() && so_far.is_none() {
            return Some(all);
        }
        Some(before_tail(&found.frames, so_far.as_deref()))
    }

    /// Events of each of these rooms since start; to be read before the frames are.
    fn so_far(&self, rooms: Option<Vec<RoomId>>) -> Option<Vec<(RoomId, u64)>> {
        let rooms = rooms?;
        Some(rooms.into_iter().map(|room| (room, self.ring.events_so_far(Some(&[room])))).collect())
    }

    fn start_here(&mut self) {
        let rooms = self.filter.room_list();
        self.stretch = self.ring.stretch();
        loop {
            let head = *self.ring.head().borrow();
            self.seen = Some(self.ring.events_so_far(rooms.as_deref()));
            self.position = head;
            if *self.ring.head().borrow() == head {
                return;
            }
        }
    }

    /// Where to resume.
    pub fn cursor(&self) -> String {
        let position = self.ring.cursor(self.position);
        match self.seen {
            Some(seen) => format!("{position}.{seen}.{:x}", self.filter.mark()),
            None => position,
        }
    }

    /// The greeting: where we are, and the rooms as they are now.
    pub fn hello(&self, wall: &Wall) -> Message {
        let cursor = self.cursor();
        let rooms: Vec<RoomSummary> =
            wall.summaries().into_iter().filter(|room| self.filter.wants_room(room.info.room_id)).collect();
        let rooms = self.memo.audience.view(json!(rooms));
        let text = json!({"type": "hello", "cursor": cursor, "server_time": unix_ms(), "rooms": rooms}).to_string();
        Message { text, cursor, events: 0 }
    }

    /// Frames that are still to be read.
    pub fn behind(&self) -> u64 {
        self.ring.head().borrow().saturating_sub(self.position)
    }

    /// True while there is something to read.
    fn has_more(&self) -> bool {
        self.lost || self.stretch != self.ring.stretch() || self.position < *self.ring.head().borrow()
    }

    /// The next message of the last read.
    fn take(&mut self) -> Option<Message> {
        self.coming.pop_front()
    }

    /// What came since the last call: nothing, or a bounded part of it. Nothing does not mean that there is
    /// no more: so many frames may hold nothing that is wanted.
    fn read(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut found = self.ring.read_after(self.position, FRAMES_A_READ);
        if found.stretch != self.stretch {
            // From its first frame on; of what went before nobody knows how much was missed.
            let so_far = self.so_far(self.filter.room_list());
            found = self.ring.read_after(0, usize::MAX);
            self.stretch = found.stretch;
            self.position = found.frames.first().map_or(*self.ring.head().borrow(), |first| first.seq - 1);
            self.seen = Some(before_tail(&found.frames, so_far.as_deref()));
            self.lost = true;
            found.fell_behind = false;
            found.frames.truncate(FRAMES_A_READ);
        }
        if std::mem::take(&mut self.lost) {
            messages.push(self.gap(None));
        }
        if found.fell_behind {
            let so_far = self.so_far(self.filter.room_list());
            found = self.ring.read_after(self.position, usize::MAX);
            let before = before_tail(&found.frames, so_far.as_deref());
            let skipped = self.seen.map(|seen| before.saturating_sub(seen));
            if let Some(first) = found.frames.first() {
                self.position = first.seq - 1;
            }
            self.seen = Some(before);
            if skipped != Some(0) {
                messages.push(self.gap(skipped));
            }
            found.frames.truncate(FRAMES_A_READ);
        }
        let mut pieces: Vec<Cow<'_, str>> = Vec::new();
        let mut bytes = 0;
        for frame in &found.frames {
            if bytes >= BYTES_A_READ {
                break;
            }
            match &frame.content {
                Content::Events(slices) => {
                    for slice in self.filter.slices(slices) {
                        self.seen = self.seen.map(|seen| seen.saturating_add(slice.pieces.len() as u64));
                        let audience = self.memo.audience;
                        let wanted = slice.pieces.iter();
                        let wanted =
                            wanted.filter(|piece| self.filter.wants_kind(piece.kind) && audience.sees_kind(piece.kind));
                        pieces.extend(
                            wanted.map(|piece| shown(audience, &piece.json)).inspect(|json| bytes += json.len()),
                        );
                    }
                    self.position = frame.seq;
                }
                Content::Rooms(rooms) => {
                    messages.extend(self.events(&mut pieces));
                    self.position = frame.seq;
                    let rooms = self.rooms(frame.seq, rooms);
                    bytes += rooms.as_ref().map_or(0, |rooms| rooms.text.len());
                    messages.extend(rooms);
                }
            }
        }
        messages.extend(self.events(&mut pieces));
        messages
    }

    fn events(&self, pieces: &mut Vec<Cow<'_, str>>) -> Option<Message> {
        if pieces.is_empty() {
            return None;
        }
        let cursor = self.cursor();
        let text = format!("{{\"type\":\"events\",\"cursor\":\"{cursor}\",\"events\":[{}]}}", pieces.join(","));
        let events = pieces.len() as u64;
        pieces.clear();
        Some(Message { text, cursor, events })
    }

    fn rooms(&self, seq: u64, rooms: &[RoomId]) -> Option<Message> {
        let texts = self.memo.texts(seq, rooms.iter().copied().filter(|room| self.filter.wants_room(*room)));
        let text = format!("{{\"type\":\"rooms\",\"rooms\":[{texts}]}}");
        (!texts.is_empty()).then(|| Message { text, cursor: self.cursor(), events: 0 })
    }

    /// `skipped` is null when nobody can know: the cursor was of another run of the program.
    fn gap(&self, skipped: Option<u64>) -> Message {
        Message { text: json!({"type": "gap", "skipped": skipped}).to_string(), cursor: self.cursor(), events: 0 }
    }
}

/// An event as it goes out: as it was serialised once for everybody, unless something of it has to go.
fn shown(audience: Audience, json: &str) -> Cow<'_, str> {
    match audience {
        Audience::Everything => Cow::Borrowed(json),
        Audience::Public => {
            // What the broadcaster wrote can be read back; were it not so, nothing is shown rather than all.
            let event: Value = serde_json::from_str(json).unwrap_or_default();
            Cow::Owned(audience.view(event).to_string())
        }
    }
}

/// Events of the wanted rooms that went before the oldest frame there is. `so_far` was read before the
/// frames were: a room without a slice in any of them has had no event since.
fn before_tail(frames: &[Arc<Frame>], so_far: Option<&[(RoomId, u64)]>) -> u64 {
    let Some(so_far) = so_far else { return frames.first().map_or(0, |frame| frame.before) };
    so_far
        .iter()
        .map(|(room, events)| {
            let first = frames.iter().find_map(|frame| match &frame.content {
                Content::Events(slices) => slices.get(room),
                Content::Rooms(_) => None,
            });
            first.map_or(*events, |slice| slice.before)
        })
        .sum()
}

/// Everything a reader is sent, until `closing` says that the program goes. One read at a time: before the
/// next the task is left once, so that what was read goes out, and waits where the socket has no room.
pub fn stream(reader: Rc<RefCell<Reader>>, closing: watch::Receiver<bool>) -> impl Stream<Item = Message> {
    let head = reader.borrow().ring.head();
    stream::unfold((reader, head, closing), |(reader, mut head, mut closing)| async move {
        loop {
            let next = reader.borrow_mut().take();
            if let Some(message) = next {
                return Some((message, (reader, head, closing)));
            }
            head.borrow_and_update();
            if reader.borrow().has_more() {
                tokio::task::yield_now().await;
                let mut reader = reader.borrow_mut();
                // Meanwhile the visitor may have subscribed to something else; that leaves nothing here.
                let read = reader.read();
                reader.coming.extend(read);
                continue;
            }
            tokio::select! {
                changed = head.changed() => changed.ok()?,
                _ = closing.wait_for(|closing| *closing) => return None,
            }
        }
    })
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
