//! Which broadcasts (场次) a room had, from what was said of their begins and ends.
//!
//! Pure. A begin is said several times, and not everything that is said arrives: the same begin is one broadcast, a
//! break of the same broadcast does not end it, and an end that was never heard is not made up: the broadcast then
//! ended at the latest when the next thing is known, as when its room was found off air. Time in which nothing was
//! received ends nothing. Not here: what happened in a broadcast.

use super::{Body, Event, LiveStatus, RoomInfo, Source};

/// Whoever is back within this goes on with the same broadcast, unless the platform names another one.
const BREAK_MS: i64 = 5 * 60_000;

/// One broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// When it began, unix ms.
    pub from_ms: i64,
    /// When it ended; none while it runs.
    pub to_ms: Option<i64>,
    /// Its end was heard; otherwise `to_ms` is the latest that it can have been.
    pub end_heard: bool,
    /// The platform's name for it.
    key: Option<String>,
    /// When its begin, or its going on after a break, was last said.
    said_ms: i64,
}

impl Broadcast {
    fn begun(from_ms: i64, key: Option<String>) -> Broadcast {
        Broadcast { from_ms, to_ms: None, end_heard: false, key, said_ms: from_ms }
    }

    fn end(&mut self, at_ms: i64, heard: bool) {
        (self.to_ms, self.end_heard) = (Some(at_ms), heard);
    }

    fn go_on(&mut self, at_ms: i64) {
        (self.to_ms, self.end_heard, self.said_ms) = (None, false, at_ms.max(self.said_ms));
    }

    /// Whether a begin at that moment, with that key, is of this broadcast.
    fn goes_on(&self, at_ms: i64, key: Option<&String>) -> bool {
        match (self.key.as_ref(), key) {
            (Some(mine), Some(other)) => mine == other,
            // Of an end that is a guess nobody knows how long ago it was.
            _ => self.to_ms.is_none_or(|to_ms| self.end_heard && at_ms - to_ms <= BREAK_MS),
        }
    }
}

/// The broadcasts of a room, newest first: from its events, oldest first, and from how it is at `now_ms`. A broadcast
/// whose begin nobody told is none of them.
pub fn broadcasts<'a>(told: impl IntoIterator<Item = &'a Event>, room: &RoomInfo, now_ms: i64) -> Vec<Broadcast> {
    let mut all: Vec<Broadcast> = Vec::new();
    for event in told {
        let at_ms = event.timestamp_ms;
        match (&event.body, all.last_mut()) {
            (Body::Live(notice), Some(last)) if last.goes_on(at_ms, notice.live_key.as_ref()) => last.go_on(at_ms),
            (Body::Live(notice), last) => {
                if let Some(last) = last.filter(|last| last.to_ms.is_none()) {
                    last.end(at_ms, false);
                }
                all.push(Broadcast::begun(at_ms, notice.live_key.clone()));
            }
            (Body::Preparing(_) | Body::CutOff(_), Some(last)) if last.to_ms.is_none() => {
                last.end(at_ms, event.source == Source::Live);
            }
            _ => {}
        }
    }
    let since_ms = room.live_since_ms.filter(|_| room.status == LiveStatus::Live);
    match (all.last_mut(), since_ms) {
        // It runs, and the platform says since when.
        (Some(last), Some(since_ms)) if last.to_ms.is_none_or(|to_ms| since_ms < to_ms) => {
            if since_ms > last.said_ms + BREAK_MS {
                last.end(since_ms, false);
                all.push(Broadcast::begun(since_ms, None));
            } else {
                last.go_on(since_ms);
                last.from_ms = last.from_ms.min(since_ms);
            }
        }
        (_, Some(since_ms)) => all.push(Broadcast::begun(since_ms, None)),
        (Some(last), None) if last.to_ms.is_none() && room.status != LiveStatus::Live => last.end(now_ms, false),
        _ => {}
    }
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EventId, RoomId, RoomNotice, Source, User};

    /// `"0L:a 10P"`: at minute 0 broadcast a begins, at 10 it ends; small letters: found out later.
    fn told(script: &str) -> Vec<Event> {
        let event = |word: &str| {
            let at = word.find(char::is_alphabetic).expect("a letter");
            let notice =
                RoomNotice { live_key: word[at + 1..].strip_prefix(':').map(str::to_owned), ..Default::default() };
            let timestamp_ms = word[..at].parse::<i64>().expect("a minute") * 60_000;
            Event {
                id: EventId::of(timestamp_ms, &[word]),
                room_id: RoomId(1),
                timestamp_ms,
                received_ms: timestamp_ms,
                source: if word[at..].starts_with(char::is_uppercase) { Source::Live } else { Source::Backfill },
                user: User::default(),
                origin: None,
                body: match word[at..=at].to_uppercase().as_str() {
                    "L" => Body::Live(notice),
                    "C" => Body::CutOff(notice),
                    _ => Body::Preparing(notice),
                },
            }
        };
        script.split_whitespace().map(event).collect()
    }

    /// Newest first, in minutes: `30-` runs, `0-10` ended, `0-10?` ended then at the latest.
    fn check(name: &str, script: &str, live_since: Option<i64>, expected: &str) {
        let mut room = RoomInfo::unknown(RoomId(1));
        room.status = if live_since.is_some() { LiveStatus::Live } else { LiveStatus::Off };
        room.live_since_ms = live_since.filter(|since| *since >= 0).map(|since| since * 60_000);
        let shown = broadcasts(&told(script), &room, 1000 * 60_000).into_iter().map(|one| {
            let to = one.to_ms.map(|to| (to / 60_000).to_string()).unwrap_or_default();
            let doubt = if one.to_ms.is_some() && !one.end_heard { "?" } else { "" };
            format!("{}-{to}{doubt}", one.from_ms / 60_000)
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expected, "{name}");
    }

    #[test]
    fn begins_and_ends_become_broadcasts() {
        check("two of them", "0L:a 10P 60L:b 90P", None, "60-90 0-10");
        check("a begin that is said again", "0L:a 1L:a 2L 10P 11P", None, "0-10");
        check("a break of the same one", "0L:a 10P 40L:a 50P", None, "0-50");
        check("a short break without a name", "0L 10P 14L 50P", None, "0-50");
        check("a long one", "0L 10P 16L 50P", None, "16-50 0-10");
        check("another one at once", "0L:a 10P 11L:b 50P", None, "11-50 0-10");
        check("an end that was not heard", "0L:a 60L:b 70P", None, "60-70 0-60?");
        check("and the last of all", "0L:a", None, "0-1000?");
        check("an end that was found out later", "0L:a 600p", None, "0-600?");
        check("and a begin that was, at the same time", "0L 60p 60l 90P", None, "60-90 0-60?");
        check("cut by the moderators", "0L:a 10C 11P", None, "0-10");
        check("an end without a begin", "10P 20L:a 30P", None, "20-30");
        check("nothing", "", None, "");
    }

    #[test]
    fn what_the_platform_says_of_now_has_the_last_word() {
        check("it runs", "0L:a", Some(0), "0-");
        check("it runs, and the begin was heard late", "3L:a", Some(1), "1-");
        check("it runs on after a break, from which the platform counts", "0L:a 10P 40L:a", Some(40), "0-");
        check("its begin was not heard", "0L:a 10P", Some(60), "60- 0-10");
        check("neither the end nor the new begin was", "0L:a", Some(60), "60- 0-60?");
        check("the break is over", "0L:a 10P", Some(0), "0-");
        check("nothing was heard", "", Some(60), "60-");
        check("it runs, and nobody knows since when", "0L:a", Some(-1), "0-");
    }
}
