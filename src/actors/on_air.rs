//! Whether a room is on air: what its stream says and what polls say, made into one story.
//!
//! Pure: times come in as values. The stream is quick, but silent while there is no connection, and it
//! withholds most things from an anonymous visitor; polls always answer, but late. So a turn that only a
//! poll tells is believed at once where nobody listens, and where somebody does only when the next poll
//! says so as well. Replays (carousel) are not on air.
//!
//! The two need not name the same start: the stream may name that of a part of the broadcast, and a poll none at all.
//! What is told of afterwards and began before a beginning was told is that beginning.
//!
//! Invariant: one broadcast begins once and ends once, whoever tells of it first and however often.

use std::time::Duration;

use crate::domain::{LiveStatus, RoomInfo};

/// What the stream has said is not contradicted by an answer asked for within this: polls lag behind.
const LAG: Duration = Duration::from_secs(15);
/// Where somebody listens, a contradiction must last this long.
const CONFIRM: Duration = Duration::from_secs(20);
/// Beginnings this close are one: stream and poll name the start to within seconds.
const SAME_START_MS: i64 = 60_000;
/// An end that comes in the stream so long after a poll told of one is the same.
const SAME_END: Duration = Duration::from_secs(300);

/// What is known so far.
#[derive(Clone, Debug, Default)]
pub struct OnAir {
    /// False until anything is known.
    known: bool,
    status: LiveStatus,
    began_ms: Option<i64>,
    live_key: Option<String>,
    /// Our clock when its beginning was told, whoever told of it; unix ms.
    told_ms: Option<i64>,
    /// When the stream last told of a turn.
    streamed: Option<Duration>,
    /// Since when polls contradict.
    doubted: Option<Duration>,
    /// When a poll told of the end.
    end_polled: Option<Duration>,
}

/// A turn that the stream did not tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A broadcast began, then; none if nobody says when.
    Began {
        /// Unix ms.
        at_ms: Option<i64>,
    },
    /// The broadcast that began then ended; none if its end is only known to be past.
    Ended {
        /// Unix ms, of the beginning.
        began_ms: Option<i64>,
        /// Unix ms, if the next beginning bounds it.
        before_ms: Option<i64>,
    },
}

/// What a poll said, and under which circumstances.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// Its answer.
    pub status: LiveStatus,
    /// When the broadcast began, as far as it says.
    pub began_ms: Option<i64>,
    /// When it was asked.
    pub asked: Duration,
    /// Now.
    pub now: Duration,
    /// Now, unix ms.
    pub now_ms: i64,
    /// Whether the room is being received.
    pub heard: bool,
}

impl OnAir {
    /// Takes over what was known before, unless something is known already.
    pub fn recall(&mut self, info: &RoomInfo) {
        if !self.known {
            (self.known, self.status, self.began_ms) = (true, info.status, info.live_since_ms);
        }
    }

    /// Whether a broadcast is on.
    pub fn is_on(&self) -> bool {
        self.status == LiveStatus::Live
    }

    /// Status and beginning, for the wall.
    pub fn status(&self) -> (LiveStatus, Option<i64>) {
        (self.status, self.began_ms.filter(|_| self.is_on()))
    }

    /// Whether a beginning in the stream is one that was not told yet.
    pub fn is_beginning(&self, live_key: Option<&str>, began_ms: i64) -> bool {
        if !self.is_on() {
            return true;
        }
        match (self.live_key.as_deref(), live_key) {
            (Some(known), Some(told)) => known != told,
            (None, _) if self.told_ms.is_some_and(|told| began_ms <= told + SAME_START_MS) => false,
            _ => self.began_ms.is_none_or(|known| (known - began_ms).abs() > SAME_START_MS),
        }
    }

    /// Whether an end in the stream is one that was not told yet.
    pub fn is_end(&self, now: Duration) -> bool {
        self.is_on() || self.end_polled.is_none_or(|polled| now.saturating_sub(polled) > SAME_END)
    }

    /// The stream told of a beginning, new or not; `now_ms` is our clock, unix ms.
    pub fn began(&mut self, live_key: Option<&str>, began_ms: i64, now: Duration, now_ms: i64) {
        if self.is_beginning(live_key, began_ms) {
            (self.began_ms, self.told_ms) = (Some(began_ms), Some(now_ms));
            self.live_key = None;
        }
        if let Some(live_key) = live_key {
            self.live_key = Some(live_key.to_owned());
        }
        self.turned(LiveStatus::Live, now);
    }

    /// The stream told of the end.
    pub fn ended(&mut self, now: Duration) {
        (self.began_ms, self.live_key, self.told_ms) = (None, None, None);
        self.turned(LiveStatus::Off, now);
    }

    fn turned(&mut self, status: LiveStatus, now: Duration) {
        (self.known, self.status) = (true, status);
        (self.streamed, self.doubted, self.end_polled) = (Some(now), None, None);
    }

    /// A poll answered: the turns that nobody has told of yet, oldest first.
    pub fn polled(&mut self, poll: Poll) -> Vec<Turn> {
        if self.streamed.is_some_and(|streamed| poll.asked < streamed + LAG) {
            return Vec::new();
        }
        let on = poll.status == LiveStatus::Live;
        if !self.known {
            (self.known, self.status, self.began_ms) = (true, poll.status, poll.began_ms);
            return Vec::new();
        }
        let another = match (self.began_ms, poll.began_ms) {
            (Some(known), Some(began)) => began > known.max(self.told_ms.unwrap_or(known)) + SAME_START_MS,
            _ => false,
        };
        if self.is_on() == on && !(on && another) {
            self.doubted = None;
            self.status = poll.status;
            self.began_ms = self.began_ms.or(poll.began_ms);
            return Vec::new();
        }
        if poll.heard {
            let doubted = *self.doubted.get_or_insert(poll.now);
            if poll.now.saturating_sub(doubted) < CONFIRM {
                return Vec::new();
            }
        }
        let mut turns = Vec::new();
        if self.is_on() {
            turns.push(Turn::Ended { began_ms: self.began_ms, before_ms: poll.began_ms.filter(|_| on) });
            self.end_polled = Some(poll.now);
        }
        if on {
            turns.push(Turn::Began { at_ms: poll.began_ms });
            self.end_polled = None;
        }
        (self.status, self.began_ms, self.live_key, self.doubted) = (poll.status, poll.began_ms, None, None);
        self.told_ms = on.then_some(poll.now_ms);
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::RoomId;

    const T: i64 = 1_780_000_000_000;

    /// What happens to a room: at which second, and what. `live K T`, `end`: in the stream; `on T`, `off`,
    /// `carousel`: polled while nobody listens, with `!` while somebody does. The answer: turns and news.
    fn check(what: &str, story: &[(u64, &str)], expected: &str) {
        let mut on_air = OnAir::default();
        on_air.recall(&RoomInfo::unknown(RoomId(1)));
        let mut told = Vec::new();
        for (second, happens) in story {
            let now = Duration::from_secs(*second);
            let words: Vec<&str> = happens.split(' ').collect();
            let ms = |word: &str| T + word.parse::<i64>().expect("seconds") * 1000;
            let now_ms = T + *second as i64 * 1000;
            let heard = words[0].ends_with('!');
            let poll = |status, began_ms| Poll { status, began_ms, asked: now, now, now_ms, heard };
            let turns = match (words[0].trim_end_matches('!'), &words[1..]) {
                ("live", [key, began]) => {
                    let key = Some(*key).filter(|key| *key != "-");
                    if on_air.is_beginning(key, ms(began)) {
                        told.push(format!("{second} live"));
                    }
                    on_air.began(key, ms(began), now, now_ms);
                    continue;
                }
                ("end", []) => {
                    if on_air.is_end(now) {
                        told.push(format!("{second} end"));
                    }
                    on_air.ended(now);
                    continue;
                }
                ("on", []) => on_air.polled(poll(LiveStatus::Live, None)),
                ("on", [began]) => on_air.polled(poll(LiveStatus::Live, Some(ms(began)))),
                ("off", []) => on_air.polled(poll(LiveStatus::Off, None)),
                ("carousel", []) => on_air.polled(poll(LiveStatus::Carousel, None)),
                _ => panic!("{happens}"),
            };
            told.extend(turns.iter().map(|turn| match turn {
                Turn::Began { .. } => format!("{second} missed live"),
                Turn::Ended { .. } => format!("{second} missed end"),
            }));
        }
        assert_eq!(told.join(", "), expected, "{what}");
    }

    #[test]
    fn one_broadcast_begins_once_and_ends_once_whoever_tells_of_it() {
        check("the stream alone", &[(0, "live a 0"), (9, "live a 5"), (99, "end")], "0 live, 99 end");
        check("two in a row", &[(0, "live a 0"), (99, "live b 90")], "0 live, 99 live");
        check(
            "the same key after an end",
            &[(0, "live a 0"), (50, "end"), (99, "live a 90")],
            "0 live, 50 end, 99 live",
        );
        check("without a key, twice", &[(0, "live - 0"), (9, "live - 3")], "0 live");
        check("the key comes later", &[(0, "live - 0"), (9, "live a 3"), (20, "live a 19")], "0 live");
        check("polls that agree", &[(0, "live a 0"), (30, "on! 1"), (60, "end"), (90, "off!")], "0 live, 60 end");
        check("a poll that lags", &[(0, "live a 0"), (5, "off"), (14, "off!")], "0 live");
        check(
            "missed where nobody listens",
            &[(30, "on 20"), (60, "on 20"), (90, "off")],
            "30 missed live, 90 missed end",
        );
        check(
            "told by both",
            &[(30, "on 20"), (31, "live a 25"), (90, "off"), (95, "end")],
            "30 missed live, 90 missed end",
        );
        check("withheld by the stream", &[(30, "on! 20"), (60, "on! 20"), (90, "on! 20")], "60 missed live");
        check("late in the stream", &[(30, "on! 20"), (31, "live a 21"), (60, "on! 20")], "31 live");
        check("a doubt that passes", &[(0, "live a 0"), (30, "off!"), (60, "on! 0"), (90, "off!")], "0 live");
        check("another one meanwhile", &[(0, "live a 0"), (600, "on 500")], "0 live, 600 missed end, 600 missed live");
        check("a start that wanders a little", &[(0, "live a 0"), (600, "on 30")], "0 live");
        check("replays are not on air", &[(30, "carousel"), (60, "off"), (90, "carousel")], "");
        check("replays after a broadcast", &[(0, "live a 0"), (90, "carousel"), (120, "off")], "0 live, 90 missed end");
        check("no time given", &[(30, "on"), (60, "on 20"), (90, "live a 22")], "30 missed live");
        check(
            "an end long after the polled one",
            &[(0, "live a 0"), (90, "off"), (900, "end")],
            "0 live, 90 missed end, 900 end",
        );
    }

    #[test]
    fn stream_and_poll_may_name_another_start_of_the_one_broadcast() {
        check("polls that name no start, first", &[(30, "on"), (31, "live a 25"), (60, "on! 25")], "30 missed live");
        check("polls that name no start, last", &[(20, "live a 20"), (50, "on!"), (80, "on!")], "20 live");
        check("a poll first, the stream names an older one", &[(30, "on 20"), (31, "live a -900")], "30 missed live");
        check("a poll first, the stream names none", &[(30, "on -900"), (31, "live - 31")], "30 missed live");
        check(
            "the stream first, by an older one",
            &[(100, "live a -900"), (130, "on! 0"), (160, "on! 0"), (190, "on! 0")],
            "100 live",
        );
        check("the same after a poll", &[(30, "on 20"), (31, "live a -900"), (40, "live a -900")], "30 missed live");
        check("the next one", &[(30, "on 20"), (600, "live a 590"), (610, "live a 590")], "30 missed live, 600 live");
        check(
            "the next one, told by polls",
            &[(100, "live a -900"), (700, "on! 600"), (730, "on! 600")],
            "100 live, 730 missed end, 730 missed live",
        );
    }

    #[test]
    fn what_was_known_before_is_no_news() {
        let mut on_air = OnAir::default();
        let info = RoomInfo { status: LiveStatus::Live, live_since_ms: Some(T), ..RoomInfo::unknown(RoomId(1)) };
        on_air.recall(&info);
        on_air.recall(&RoomInfo::unknown(RoomId(1)));
        assert_eq!(on_air.status(), (LiveStatus::Live, Some(T)));
        let second = Duration::from_secs(1);
        let poll =
            Poll { status: LiveStatus::Off, began_ms: None, asked: second, now: second, now_ms: T, heard: false };
        assert_eq!(on_air.polled(poll), [Turn::Ended { began_ms: Some(T), before_ms: None }]);
        assert_eq!(on_air.status(), (LiveStatus::Off, None));
    }
}
