//! What a room received before: its last chat lines, and until when it was received.
//!
//! Chat lines that were fetched cannot be told from those of the stream by their ids, because the lists know
//! only the second in which a line was sent; here a line is its second, user and text.
//!
//! Invariant: of a line that came both ways the second arrival is known, whichever it is; two lines of the
//! stream are never one.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::thinning::Thinning;
use crate::domain::{Body, Event, Source};

/// The lists hold twenty lines; the busiest rooms bring so many more while they are asked for.
const LINES_KEPT: usize = 256;

/// Of one room.
#[derive(Default)]
pub struct Past {
    lines: Mutex<Lines>,
    /// Unix ms.
    received_until: Mutex<Option<i64>>,
    heard: AtomicBool,
    thinning: Mutex<Thinning>,
}

#[derive(Default)]
struct Lines {
    kept: VecDeque<Line>,
    hashing: RandomState,
}

struct Line {
    second: i64,
    uid: u64,
    text: u64,
    fetched: bool,
}

impl Past {
    /// Whether this chat line came the other way already.
    pub fn knows_line(&self, event: &Event) -> bool {
        let mut lines = lock(&self.lines);
        let Some(line) = lines.line(event) else { return false };
        lines.kept.iter().any(|kept| {
            let same_user = kept.uid == line.uid || kept.uid == 0 || line.uid == 0;
            kept.second == line.second && kept.text == line.text && same_user && (kept.fetched || line.fetched)
        })
    }

    /// Remembers an event, if it is a chat line.
    pub fn remember_line(&self, event: &Event) {
        let mut lines = lock(&self.lines);
        if let Some(line) = lines.line(event) {
            if lines.kept.len() == LINES_KEPT {
                lines.kept.pop_front();
            }
            lines.kept.push_back(line);
        }
    }

    /// The connection ended: until now, unix ms, the room was received.
    pub fn received_until(&self, now_ms: i64) {
        *lock(&self.received_until) = Some(now_ms);
    }

    /// Until when it was received, unix ms; `before` is what is known of earlier runs.
    pub fn was_received_until(&self, before: i64) -> Option<i64> {
        lock(&self.received_until).or((before > 0).then_some(before))
    }

    /// How its chat comes.
    pub fn thinning(&self) -> MutexGuard<'_, Thinning> {
        lock(&self.thinning)
    }

    /// A life begins, or its first message came.
    pub fn set_heard(&self, heard: bool) {
        self.heard.store(heard, Relaxed);
    }

    /// Whether a message came in the present life.
    pub fn was_heard(&self) -> bool {
        self.heard.load(Relaxed)
    }
}

impl Lines {
    fn line(&mut self, event: &Event) -> Option<Line> {
        let Body::Danmaku(danmaku) = &event.body else { return None };
        Some(Line {
            second: event.timestamp_ms.div_euclid(1000),
            uid: event.user.uid.0,
            text: self.hashing.hash_one(&danmaku.message),
            fetched: event.source == Source::Backfill,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Danmaku, RoomId, Uid, User},
        protocol::Arrival,
    };

    fn line(at_ms: i64, uid: u64, text: &str, source: Source) -> Event {
        let arrival = Arrival { room_id: RoomId(1), received_ms: at_ms };
        let user = User { uid: Uid(uid), ..User::default() };
        let body = Body::Danmaku(Danmaku { message: text.into(), ..Danmaku::default() });
        Event { source, ..arrival.event(at_ms, user, body, &[]) }
    }

    #[test]
    fn a_line_that_comes_both_ways_is_one_and_two_of_the_stream_are_two() {
        use Source::{Backfill, Live};
        let past = Past::default();
        past.remember_line(&line(5_400, 7, "好", Live));
        past.remember_line(&line(9_000, 7, "早", Backfill));
        for (at_ms, uid, text, source, known) in [
            (5_000, 7, "好", Backfill, true),
            (5_000, 0, "好", Backfill, true),
            (5_900, 7, "好", Live, false),
            (9_700, 7, "早", Live, true),
            (9_000, 7, "早", Backfill, true),
            (6_000, 7, "好", Backfill, false),
            (5_000, 8, "好", Backfill, false),
            (5_000, 7, "坏", Backfill, false),
        ] {
            assert_eq!(past.knows_line(&line(at_ms, uid, text, source)), known, "{at_ms} {uid} {text} {source:?}");
        }
        for n in 0..LINES_KEPT {
            past.remember_line(&line(20_000, n as u64 + 1, "刷", Live));
        }
        assert!(!past.knows_line(&line(5_000, 7, "好", Backfill)), "what is long past is forgotten");
    }
}
