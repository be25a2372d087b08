//! The last frames for browsers, read by everybody at their own pace.
//!
//! One ring for the whole program: the broadcast actor appends, sessions read from the position they
//! have reached. Memory is the ring, however many readers there are and however slow they are; a reader
//! that fell behind its tail skips and is told how many events. Because reading needs only a position,
//! resuming after a reconnect is the same thing as reading on.
//!
//! A ring can be the copy of one in another process ([`Ring::copy`]): it has the same frames under the same numbers,
//! so a cursor is good for both, and for a copy that is started again. Where frames are missing between two that
//! were copied, and where those of another run begin, a new **stretch** begins: whoever still stands in an earlier
//! one has missed nobody knows what.
//!
//! A ring per room was the first plan; one ring whose frames are cut by room gives the same cost to a
//! session that watches one room and makes `rooms=all`, resuming and server-sent events one code path.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytestring::ByteString;
use tokio::sync::watch;

use crate::domain::{Kind, RoomId};

/// One event, serialised once.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its kind, for sessions that want some kinds only.
    pub kind: Kind,
    /// Its JSON.
    pub json: ByteString,
}

/// The events of one room in one frame.
#[derive(Clone, Debug)]
pub struct Slice {
    /// How many events of the room went before, since start.
    pub before: u64,
    /// In order of arrival.
    pub pieces: Vec<Piece>,
}

/// What is sent at one moment.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Number of the frame, from 1 without holes.
    pub seq: u64,
    /// How many events of all rooms went before, since start.
    pub before: u64,
    /// What it holds.
    pub content: Content,
}

/// What a frame holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// Events, cut by room.
    Events(HashMap<RoomId, Slice>),
    /// Rooms that changed, or are no longer watched. How they are says the wall: whoever reads this late learns how they
    /// are by then, and a frame of ten thousand rooms is small.
    Rooms(Vec<RoomId>),
}

/// A frame of another ring, on its way here.
#[derive(Clone, Debug)]
pub enum Copied {
    /// Events; each room's in order of arrival.
    Events(Vec<(RoomId, Piece)>),
    /// See [`Content::Rooms`].
    Rooms(Vec<RoomId>),
}

/// What a reader finds after its position.
#[derive(Debug)]
pub struct Found {
    /// Frames to send, oldest first.
    pub frames: Vec<Arc<Frame>>,
    /// Frames between the position and the first of these are gone.
    pub fell_behind: bool,
    /// The stretch that they belong to; the position must be of the same.
    pub stretch: u64,
}

/// Frames kept: about a minute and a half while events come without pause.
const FRAMES_KEPT: usize = 2048;
/// Bytes kept, whichever is reached first.
const BYTES_KEPT: usize = 32 << 20;

/// The ring. Cheap to share.
pub struct Ring {
    inner: RwLock<Inner>,
    head: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    /// Tells cursors of this run from those of another.
    boot: u64,
    stretch: u64,
    frames: VecDeque<(Arc<Frame>, usize)>,
    bytes: usize,
    events: u64,
    events_by_room: HashMap<RoomId, u64>,
}

impl Ring {
    /// An empty ring; `boot` tells cursors of this run from those of another.
    pub fn new(boot: u64) -> Ring {
        Ring { inner: RwLock::new(Inner { boot, ..Inner::default() }), head: watch::Sender::new(0) }
    }

    /// Which run it is of.
    pub fn boot(&self) -> u64 {
        self.read().boot
    }

    /// Which stretch new frames belong to.
    pub fn stretch(&self) -> u64 {
        self.read().stretch
    }

    /// Takes the frame `seq` of the ring of the run `boot` as the next one of this ring; does nothing with one that
    /// is there already.
    pub fn copy(&self, boot: u64, seq: u64, copied: Copied) {
        let mut inner = self.write();
        let head = *self.head.borrow();
        if inner.boot == boot && seq <= head {
            return;
        }
        if inner.boot != boot || seq != head + 1 {
            // Before the first frame there was nothing to miss.
            inner.stretch += u64::from(head > 0);
            inner.boot = boot;
            inner.frames.clear();
            inner.bytes = 0;
            self.head.send_replace(seq.saturating_sub(1));
        }
        match copied {
            Copied::Events(events) => self.append_events(&mut inner, events),
            Copied::Rooms(rooms) => self.append_rooms(&mut inner, rooms),
        }
    }

    /// Appends events, in order of arrival.
    pub fn push_events(&self, events: Vec<(RoomId, Piece)>) {
        if !events.is_empty() {
            self.append_events(&mut self.write(), events);
        }
    }

    fn append_events(&self, inner: &mut Inner, events: Vec<(RoomId, Piece)>) {
        let size = events.iter().map(|(_, piece)| piece.json.len() + PIECE_OVERHEAD).sum();
        let before = inner.events;
        inner.events += events.len() as u64;
        let mut rooms: HashMap<RoomId, Slice> = HashMap::new();
        for (room, piece) in events {
            let count = inner.events_by_room.entry(room).or_default();
            rooms.entry(room).or_insert_with(|| Slice { before: *count, pieces: Vec::new() }).pieces.push(piece);
            *count += 1;
        }
        self.append(inner, before, Content::Events(rooms), size);
    }

    /// Appends rooms that changed.
    pub fn push_rooms(&self, rooms: Vec<RoomId>) {
        if !rooms.is_empty() {
            self.append_rooms(&mut self.write(), rooms);
        }
    }

    fn append_rooms(&self, inner: &mut Inner, rooms: Vec<RoomId>) {
        let size = size_of_val(rooms.as_slice());
        let before = inner.events;
        self.append(inner, before, Content::Rooms(rooms), size);
    }

    fn append(&self, inner: &mut Inner, before: u64, content: Content, size: usize) {
        let seq = *self.head.borrow() + 1;
        inner.frames.push_back((Arc::new(Frame { seq, before, content }), size));
        inner.bytes += size;
        while inner.frames.len() > FRAMES_KEPT || (inner.bytes > BYTES_KEPT && inner.frames.len() > 1) {
            if let Some((_, size)) = inner.frames.pop_front() {
                inner.bytes -= size;
            }
        }
        self.head.send_replace(seq);
    }

    /// Number of the newest frame; waits for changes of it are what a reader does between reads. The
    /// sender is dropped with the ring, which readers see as the end.
    pub fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Wakes everybody who waits for a frame, without one.
    pub fn wake(&self) {
        self.head.send_modify(|_| {});
    }

    /// Number of the newest frame, now.
    pub fn at(&self) -> u64 {
        *self.head.borrow()
    }

    /// At most `max` frames after `position`.
    pub fn read_after(&self, position: u64, max: usize) -> Found {
        let inner = self.read();
        let stretch = inner.stretch;
        let Some(oldest) = inner.frames.front().map(|(frame, _)| frame.seq) else {
            return Found { frames: Vec::new(), fell_behind: false, stretch };
        };
        let skip = usize::try_from((position + 1).saturating_sub(oldest)).unwrap_or(usize::MAX);
        let frames = inner.frames.iter().skip(skip).take(max).map(|(frame, _)| frame.clone()).collect();
        Found { frames, fell_behind: position + 1 < oldest, stretch }
    }

    /// The newest events of a room, or of all, of the kinds that are `wanted`: at most `max`, newest first; and
    /// the position up to which that is all there is.
    pub fn newest(&self, room: Option<RoomId>, wanted: impl Fn(Kind) -> bool, max: usize) -> (u64, Vec<Piece>) {
        let inner = self.read();
        let position = inner.frames.back().map_or(0, |(frame, _)| frame.seq);
        let slices = inner.frames.iter().rev().flat_map(|(frame, _)| match (&frame.content, room) {
            (Content::Events(rooms), None) => rooms.values().collect::<Vec<_>>(),
            (Content::Events(rooms), Some(room)) => rooms.get(&room).into_iter().collect(),
            (Content::Rooms(_), _) => Vec::new(),
        });
        let pieces = slices.flat_map(|slice| slice.pieces.iter().rev()).filter(|piece| wanted(piece.kind));
        (position, pieces.take(max).cloned().collect())
    }

    /// How many events of `rooms` (of all for none) have been appended, since start.
    pub fn events_so_far(&self, rooms: Option<&[RoomId]>) -> u64 {
        let inner = self.read();
        match rooms {
            None => inner.events,
            Some(rooms) => rooms.iter().filter_map(|room| inner.events_by_room.get(room)).sum(),
        }
    }

    /// The text of a position, for browsers.
    pub fn cursor(&self, position: u64) -> String {
        format!("{:x}-{position}", self.boot())
    }

    /// The position of a cursor of this run; none for a cursor of another run or a malformed one.
    pub fn position(&self, cursor: &str) -> Option<u64> {
        let (boot, position) = cursor.split_once('-')?;
        let position = position.parse().ok()?;
        (boot == format!("{:x}", self.boot()) && position <= *self.head.borrow()).then_some(position)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rough memory of a piece beside its text.
const PIECE_OVERHEAD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str) -> Piece {
        Piece { kind: Kind::Danmaku, json: text.into() }
    }

    #[test]
    fn a_reader_gets_each_frame_once_and_learns_when_it_fell_behind() {
        let ring = Ring::new(7);
        assert!(ring.read_after(0, 10).frames.is_empty());
        for n in 0..3000 {
            ring.push_events(vec![(RoomId(n % 2), piece("x"))]);
        }
        let found = ring.read_after(0, 5);
        assert!(found.fell_behind);
        assert_eq!(found.frames[0].seq, 3000 - 2048 + 1);
        let found = ring.read_after(2990, 100);
        assert!(!found.fell_behind);
        assert_eq!(found.frames.iter().map(|frame| frame.seq).collect::<Vec<_>>(), (2991..=3000).collect::<Vec<_>>());
        assert_eq!(found.frames[0].before, 2990);
        assert_eq!(ring.events_so_far(Some(&[RoomId(1)])), 1500);
    }

    #[test]
    fn a_cursor_of_another_run_is_no_position() {
        let ring = Ring::new(0xabc);
        ring.push_events(vec![(RoomId(1), piece("x"))]);
        assert_eq!(ring.position(&ring.cursor(1)), Some(1));
        for wrong in ["abd-1", "abc-2", "abc", "", "abc--1", "abc-x"] {
            assert_eq!(ring.position(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_copy_has_the_same_frames_under_the_same_numbers_and_says_where_some_are_missing() {
        let copy = Ring::new(0);
        let events = |n: u64| Copied::Events(vec![(RoomId(1), piece(&n.to_string()))]);
        for n in 40..50 {
            copy.copy(7, n, events(n));
        }
        copy.copy(7, 49, events(49));
        assert_eq!((copy.stretch(), *copy.head().borrow()), (0, 49), "nothing was missed, and nothing is there twice");
        assert_eq!(copy.cursor(45), "7-45");
        let found = copy.read_after(45, 10);
        assert_eq!(found.frames.iter().map(|frame| frame.seq).collect::<Vec<_>>(), [46, 47, 48, 49]);
        copy.copy(7, 60, events(60));
        assert_eq!((copy.stretch(), copy.read_after(59, 10).frames.len()), (1, 1), "ten are missing");
        copy.copy(8, 1, events(1));
        assert_eq!((copy.stretch(), *copy.head().borrow(), copy.position("7-60")), (2, 1, None));
    }
}
