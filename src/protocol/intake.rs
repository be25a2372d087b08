//! What frames brought: facts for the record, signals for whoever steers, and what could not be used.
//!
//! Not here: decoding (`command`), or what becomes of any of it. Invariant: what one frame can make us keep is
//! bounded, whatever is in it: what is beyond the bounds is counted and not kept.

use super::{
    command::{Decoded, Malformed},
    guards::GuardMessage,
    signal::Signal,
};
use crate::domain::{Event, Kind, RoomId};

/// What frames brought. The caller keeps one and empties it, so that its buffers are used again.
#[derive(Debug, Default)]
pub struct Intake {
    /// Facts, in the order in which they came.
    pub events: Vec<Event>,
    /// Parts of guard purchases, for [`super::guards::GuardMerge`].
    pub guards: Vec<GuardMessage>,
    /// Rooms anywhere on the site whose broadcast has ended (`STOP_LIVE_ROOM_LIST`, every 30 s): a free signal,
    /// but not a complete one.
    pub stopped_rooms: Vec<RoomId>,
    /// The upstream said that we are not signed in (`LOG_IN_NOTICE`): it masks users and withholds messages.
    pub anonymous: bool,
    /// The Open Live platform ended this session (`INTERACTION_END`): if it is ours, close and start again.
    pub ended_session: Option<String>,
    /// Chat lines of the room itself: with `others` what a detector of thinning compares.
    pub chat: u64,
    /// Other facts about the room: gifts, entries, numbers.
    pub others: u64,
    /// Chat lines of another room, shown here as well. Neither events nor chat of this room.
    pub mirrored: u64,
    /// Commands nobody knows, one for each message.
    pub unknown: Vec<UnknownMessage>,
    /// How many more there were of a frame that is full of them.
    pub unknown_untold: u64,
    /// Messages that mean nothing to us.
    pub ignored: u64,
    /// What could not be read; of each frame only the first few.
    pub malformed: Vec<Malformed>,
    /// How much more could not be read.
    pub malformed_untold: u64,
    /// All messages, of whatever kind.
    pub messages: u64,
}

/// A message with a command that nobody here knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMessage {
    /// Its command.
    pub cmd: String,
    /// How it begins, so that a decoder can be written by it. It may name users.
    pub sample: String,
}

/// How many bytes of an unknown message are kept: all of a usual one.
const SAMPLE_BYTES: usize = 4096;
/// How many unreadable things of a frame are told one by one.
pub(super) const MALFORMED_TOLD: usize = 16;
/// How many unknown messages of a frame are told one by one.
const UNKNOWN_TOLD: usize = 256;
/// How many rooms of a frame are told to have stopped. Real lists have up to some 200.
const STOPPED_TOLD: usize = 4096;

impl Intake {
    /// Empties it and keeps the buffers.
    pub fn clear(&mut self) {
        let Intake { events, guards, stopped_rooms, anonymous, ended_session, chat, others, mirrored, .. } = self;
        events.clear();
        guards.clear();
        stopped_rooms.clear();
        *anonymous = false;
        *ended_session = None;
        let Intake { unknown, unknown_untold, ignored, malformed, malformed_untold, messages, .. } = self;
        unknown.clear();
        malformed.clear();
        for count in [chat, others, mirrored, unknown_untold, ignored, malformed_untold, messages] {
            *count = 0;
        }
    }
}

/// The intake of one frame, which may tell only so much.
pub(super) struct FrameIntake<'a> {
    out: &'a mut Intake,
    malformed: usize,
    unknown: usize,
    stopped: usize,
}

impl FrameIntake<'_> {
    /// The next frame's part of `out`.
    pub(super) fn of(out: &mut Intake) -> FrameIntake<'_> {
        FrameIntake { out, malformed: 0, unknown: 0, stopped: 0 }
    }

    /// Takes a message in: what it was decoded to, and its text.
    pub(super) fn take(&mut self, decoded: Decoded, text: &[u8]) {
        self.out.messages += 1;
        match decoded {
            Decoded::Events(events) => {
                let chat = events.iter().filter(|event| event.kind() == Kind::Danmaku).count() as u64;
                self.out.chat += chat;
                self.out.others += events.len() as u64 - chat;
                self.out.events.extend(events);
            }
            Decoded::Guard(guard) => {
                self.out.others += 1;
                self.out.guards.push(guard);
            }
            Decoded::Signal(signal) => self.signal(signal),
            Decoded::Unknown(cmd) if self.unknown < UNKNOWN_TOLD => {
                self.unknown += 1;
                let sample = String::from_utf8_lossy(&text[..text.len().min(SAMPLE_BYTES)]).into_owned();
                self.out.unknown.push(UnknownMessage { cmd, sample });
            }
            Decoded::Unknown(_) => self.out.unknown_untold += 1,
            Decoded::Ignored => self.out.ignored += 1,
            Decoded::Malformed(malformed) => self.malformed(malformed),
        }
    }

    /// Takes in something that cannot be read.
    pub(super) fn malformed(&mut self, malformed: Malformed) {
        if self.malformed < MALFORMED_TOLD {
            self.malformed += 1;
            self.out.malformed.push(malformed);
        } else {
            self.out.malformed_untold += 1;
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::StoppedRooms(rooms) => {
                let told = rooms.len().min(STOPPED_TOLD - self.stopped);
                self.stopped += told;
                self.out.stopped_rooms.extend(rooms.into_iter().take(told));
            }
            Signal::Anonymous => self.out.anonymous = true,
            Signal::MirroredChat => self.out.mirrored += 1,
            Signal::SessionEnded(game_id) => self.out.ended_session = Some(game_id),
        }
    }
}
