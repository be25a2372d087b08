//! What a live connection is sent, read from the ring at its own pace.
//!
//! A [`Reader`] is a position and a filter. It is what the WebSocket sessions and the server-sent events
//! have in common: resuming, skipping and its honest count, and frames assembled from pieces that were
//! serialised once for everybody. The position stands in the cursor together with the number of events
//! that went before it, so a reader that comes back too late still learns how many it missed.

use std::{borrow::Cow, cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc};

use actix_web::HttpRequest;
use bytestring::ByteString;
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::watch;

use super::{
    filter::Filter,
    shared::{Message, Part, Place, Shared},
};
use crate::{
    actors::{
        ring::{Content, Frame, Ring},
        wall::{RoomSummary, Wall},
    },
    domain::RoomId,
    supervise::vitals::unix_ms,
};

/// Frames taken from the ring at a time.
const FRAMES_A_READ: usize = 32;
/// Bytes after which a read takes no further frame: what a session copies before its socket is asked for room.
const BYTES_A_READ: usize = 256 * 1024;

/// A position in the ring and what is wanted from there on.
pub struct Reader {
    ring: Arc<Ring>,
    shared: Arc<Shared>,
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
    pub fn new(ring: Arc<Ring>, shared: Arc<Shared>, filter: Filter, after: Option<&str>) -> Reader {
        let stretch = ring.stretch();
        let mut reader =
            Reader { ring, shared, filter, position: 0, stretch, seen: None, lost: false, coming: VecDeque::new() };
        match after.filter(|cursor| !cursor.is_empty()) {
            None => reader.start_here(),
            Some(cursor) => {
                let mut parts = cursor.split('.');
                match reader.ring.position(parts.next().unwrap_or_default()) {
                    Some(position) => {
                        reader.position = position;
                        let seen = parts.next().and_then(|n| n.parse().ok());
                        let mark = parts.next().and_then(|mark| u16::from_str_radix(mark, 16).ok());
                        reader.seen = seen.filter(|_| mark == Some(reader.filter.mark));
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
            let head = self.ring.at();
            self.seen = Some(self.ring.events_so_far(rooms.as_deref()));
            self.position = head;
            if self.ring.at() == head {
                return;
            }
        }
    }

    /// Where to resume.
    pub fn cursor(&self) -> ByteString {
        let position = self.ring.cursor(self.position);
        match self.seen {
            Some(seen) => format!("{position}.{seen}.{:x}", self.filter.mark).into(),
            None => position.into(),
        }
    }

    /// The greeting: where we are, and the rooms as they are now.
    pub fn hello(&self, wall: &Wall) -> Message {
        let cursor = self.cursor();
        let rooms: Vec<RoomSummary> =
            wall.summaries().into_iter().filter(|room| self.filter.wants_room(room.info.room_id)).collect();
        let rooms = self.shared.audience.view(json!(rooms));
        let text = json!({"type": "hello", "cursor": &*cursor, "server_time": unix_ms(), "rooms": rooms}).to_string();
        Message::new(&text, cursor, 0)
    }

    /// Frames that are still to be read.
    pub fn behind(&self) -> u64 {
        self.ring.at().saturating_sub(self.position)
    }

    /// True while there is something to read.
    fn has_more(&self) -> bool {
        self.lost || self.stretch != self.ring.stretch() || self.position < self.ring.at()
    }

    /// The next message of the last read.
    fn take(&mut self) -> Option<Message> {
        self.coming.pop_front()
    }

    /// What came since the last call: nothing, or a bounded part of it. Nothing does not mean that there is
    /// no more: so many frames may hold nothing that is wanted.
    fn read(&mut self) -> Vec<Message> {
        let (place, head) = (self.place(), self.ring.at());
        if !self.lost
            && let Some(part) = self.shared.part(&place, head)
        {
            (self.position, self.seen) = (part.position, part.seen);
            return part.messages.clone();
        }
        let mut messages = Vec::new();
        let mut found = self.ring.read_after(self.position, FRAMES_A_READ);
        if found.stretch != self.stretch {
            // From its first frame on; of what went before nobody knows how much was missed.
            let so_far = self.so_far(self.filter.room_list());
            found = self.ring.read_after(0, usize::MAX);
            self.stretch = found.stretch;
            self.position = found.frames.first().map_or(self.ring.at(), |first| first.seq - 1);
            self.seen = Some(before_tail(&found.frames, so_far.as_deref()));
            self.lost = true;
            found.fell_behind = false;
            found.frames.truncate(FRAMES_A_READ);
        }
        let has_gap = self.lost || found.fell_behind;
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
                        let sees = |kind| self.filter.wants_kind(kind) && self.shared.audience.sees_kind(kind);
                        let wanted = slice.pieces.iter().filter(|piece| sees(piece.kind));
                        let wanted = wanted.map(|piece| self.shared.shown(&piece.json));
                        pieces.extend(wanted.inspect(|json| bytes += json.len()));
                    }
                    self.position = frame.seq;
                }
                Content::Rooms(rooms) => {
                    messages.extend(self.events(&mut pieces));
                    self.position = frame.seq;
                    let rooms = self.rooms(frame.seq, rooms);
                    bytes += rooms.as_ref().map_or(0, |rooms| rooms.frame.len());
                    messages.extend(rooms);
                }
            }
        }
        messages.extend(self.events(&mut pieces));
        if !has_gap && !messages.is_empty() && self.position >= head {
            let (messages, position, seen) = (messages.clone(), self.position, self.seen);
            self.shared.keep(place, Part { messages, position, seen });
        }
        messages
    }

    fn place(&self) -> Place {
        let Reader { stretch, position, seen, .. } = *self;
        Place { digest: self.filter.digest, stretch, position, seen }
    }

    fn events(&self, pieces: &mut Vec<Cow<'_, str>>) -> Option<Message> {
        if pieces.is_empty() {
            return None;
        }
        let cursor = self.cursor();
        let text = format!("{{\"type\":\"events\",\"cursor\":\"{cursor}\",\"events\":[{}]}}", pieces.join(","));
        let events = pieces.len() as u64;
        pieces.clear();
        Some(Message::new(&text, cursor, events))
    }

    fn rooms(&self, seq: u64, rooms: &[RoomId]) -> Option<Message> {
        let texts = self.shared.texts(seq, rooms.iter().copied().filter(|room| self.filter.wants_room(*room)));
        let text = format!("{{\"type\":\"rooms\",\"rooms\":[{texts}]}}");
        (!texts.is_empty()).then(|| Message::new(&text, self.cursor(), 0))
    }

    /// `skipped` is null when nobody can know: the cursor was of another run of the program.
    fn gap(&self, skipped: Option<u64>) -> Message {
        Message::new(&json!({"type": "gap", "skipped": skipped}).to_string(), self.cursor(), 0)
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

/// Tells readers of one thread of new frames: one wake for each frame comes over from the broadcaster's thread, and not
/// one for each of a thousand sessions.
#[derive(Clone)]
pub struct Bell(watch::Receiver<u64>);

impl Bell {
    /// Rings on this thread as long as the ring is there.
    pub fn hang(ring: &Ring) -> Bell {
        let mut head = ring.head();
        let (bell, heard) = watch::channel(ring.at());
        actix_web::rt::spawn(async move {
            while head.changed().await.is_ok() {
                bell.send_replace(*head.borrow_and_update());
            }
        });
        Bell(heard)
    }

    /// Rings straight from the ring.
    pub fn at(ring: &Ring) -> Bell {
        Bell(ring.head())
    }

    /// The one of the thread that answers this request, if it is a server's.
    pub fn of(request: &HttpRequest, ring: &Ring) -> Bell {
        request.app_data().cloned().unwrap_or_else(|| Bell::at(ring))
    }
}

/// Everything a reader is sent, until `closing` says that the program goes, which is looked at when there is nothing more
/// to read and it is woken ([`Ring::wake`]). One read at a time: before the next the task is left once, so that what was
/// read goes out, and waits where the socket has no room.
pub fn stream(reader: Rc<RefCell<Reader>>, bell: Bell, closing: watch::Receiver<bool>) -> impl Stream<Item = Message> {
    stream::unfold((reader, bell, closing, false), |(reader, mut bell, closing, mut has_read)| async move {
        loop {
            let next = reader.borrow_mut().take();
            if let Some(message) = next {
                return Some((message, (reader, bell, closing, has_read)));
            }
            bell.0.borrow_and_update();
            if reader.borrow().has_more() {
                // Who has waited for this was away from its task.
                if has_read {
                    tokio::task::yield_now().await;
                }
                let mut reader = reader.borrow_mut();
                // Meanwhile the visitor may have subscribed to something else; that leaves nothing here.
                let read = reader.read();
                reader.coming.extend(read);
                has_read = true;
                continue;
            }
            if *closing.borrow() {
                return None;
            }
            // One thing to wait for, not two: each is a place in a list under a lock, for each frame and session.
            bell.0.changed().await.ok()?;
            has_read = false;
        }
    })
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
