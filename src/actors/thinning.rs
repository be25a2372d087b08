//! Notices that a connection brings chat no longer, though other things still come ("thinned").
//!
//! Pure: counts and time come in as values. An account with too many connections is not cut but starved: its
//! rooms go on, with next to no chat. Seen from inside that is a room whose chat falls far below its own rate
//! of the last minutes while its viewers still enter, like and give. Where those fall as well the room has
//! become quiet, and where little was said before nothing can be told: no alarm.
//!
//! Invariant: a connection is replaced once for each time this is noticed; after that it is only reported,
//! until chat comes again, everything falls quiet, or the broadcast ends.

use std::{collections::VecDeque, time::Duration};

/// Now: so many of the last slices of time, in each of which is counted.
const NOW: usize = 6;
/// Before: the slices in front of those; at least so many ...
const BEFORE_LEAST: usize = 10;
/// ... and at most so many.
const BEFORE_MOST: usize = 20;
/// With fewer lines expected than this, silence may be chance.
const LINES_LEAST: u64 = 30;
/// With fewer other actions expected than this, it cannot be told whether they go on.
const OTHERS_LEAST: u64 = 10;

/// What was counted in a slice.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    lines: u64,
    others: u64,
}

/// How a room's chat comes.
#[derive(Clone, Debug, Default)]
pub struct Thinning {
    slices: VecDeque<Counts>,
    /// Number of the last of them on the clock.
    at: Option<u64>,
    /// While thinned: what is expected of [`NOW`], and whether a new connection did not help.
    thinned: Option<(Counts, bool)>,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is thinned: a new connection, on another host, may help.
    Thinned,
    /// It did not help.
    Stays,
    /// Chat comes as before, or all is quiet.
    Over,
}

impl Thinning {
    /// So many chat lines and other actions of viewers came. Tells what has changed, by what came within `span`, which
    /// is always the same, and before it.
    pub fn came(&mut self, now: Duration, span: Duration, lines: u64, others: u64) -> Option<Change> {
        let slice = (now.as_millis() * NOW as u128 / span.as_millis().max(1)) as u64;
        let change = match self.at {
            Some(at) if at == slice => None,
            Some(at) => {
                let change = self.judge();
                for _ in 0..(slice - at).min((NOW + BEFORE_MOST) as u64) {
                    self.slices.push_back(Counts::default());
                }
                while self.slices.len() > NOW + BEFORE_MOST + 1 {
                    self.slices.pop_front();
                }
                change
            }
            None => {
                self.slices.push_back(Counts::default());
                None
            }
        };
        self.at = Some(slice);
        if let Some(last) = self.slices.back_mut() {
            last.lines += lines;
            last.others += others;
        }
        change
    }

    /// A new connection: what came over the one before says nothing about it, but what was expected stays.
    pub fn reconnected(&mut self) {
        self.slices.clear();
        self.at = None;
    }

    /// A broadcast began or ended. True if that ended a thinning.
    pub fn reset(&mut self) -> bool {
        std::mem::take(self).thinned.is_some()
    }

    /// When a slice is complete.
    fn judge(&mut self) -> Option<Change> {
        let before = self.slices.len().checked_sub(NOW)?;
        let sum = |slices: &mut dyn Iterator<Item = &Counts>| {
            slices.fold(Counts::default(), |sum, slice| Counts {
                lines: sum.lines + slice.lines,
                others: sum.others + slice.others,
            })
        };
        let now = sum(&mut self.slices.iter().skip(before));
        if let Some((expected, stays)) = self.thinned {
            if now.lines * 5 >= expected.lines * 2 || now.others * 2 < expected.others {
                self.thinned = None;
                return Some(Change::Over);
            }
            self.thinned = Some((expected, true));
            return (!stays).then_some(Change::Stays);
        }
        if before < BEFORE_LEAST {
            return None;
        }
        let past = sum(&mut self.slices.iter().take(before));
        let share = |count: u64| count * NOW as u64 / before as u64;
        let expected = Counts { lines: share(past.lines), others: share(past.others) };
        let tellable = expected.lines >= LINES_LEAST && expected.others >= OTHERS_LEAST;
        if tellable && now.lines * 10 <= expected.lines && now.others * 2 >= expected.others {
            self.thinned = Some((expected, false));
            return Some(Change::Thinned);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(180);

    /// Minutes with so many lines and other actions a minute each; `-`: a new connection. The answer: in which
    /// minute what changes.
    fn check(what: &str, story: &[(u64, u64, u64)], expected: &str) {
        let mut thinning = Thinning::default();
        let (mut second, mut told) = (0, Vec::new());
        for (minutes, lines, others) in story {
            for _ in 0..minutes * 6 {
                if let Some(change) = thinning.came(Duration::from_secs(second), SPAN, lines / 6, others / 6) {
                    told.push(format!("{} {change:?}", second / 60));
                    if change == Change::Thinned {
                        thinning.reconnected();
                    }
                }
                second += 10;
            }
        }
        assert_eq!(told.join(", "), expected, "{what}");
    }

    #[test]
    fn only_chat_that_stops_while_viewers_go_on_is_thinning() {
        check("a steady room", &[(60, 60, 60)], "");
        check("a quiet room falls silent", &[(20, 6, 60), (20, 0, 60)], "");
        check("a room without other actions", &[(20, 60, 0), (20, 0, 0)], "");
        check("everybody is quiet", &[(20, 60, 60), (20, 0, 6)], "");
        check("half the chat", &[(20, 60, 60), (20, 30, 60)], "");
        check("told when enough has been seen", &[(4, 60, 60), (20, 0, 60)], "8 Thinned, 11 Stays");
        check("thinned, and a new connection helps", &[(20, 60, 60), (4, 0, 60), (20, 60, 60)], "23 Thinned, 26 Over");
        check("thinned, and it does not help", &[(20, 60, 60), (30, 0, 60)], "23 Thinned, 26 Stays");
        check(
            "thinned, and over much later",
            &[(20, 60, 60), (30, 0, 60), (10, 60, 60)],
            "23 Thinned, 26 Stays, 51 Over",
        );
        check("thinned, then quiet", &[(20, 60, 60), (10, 0, 60), (9, 0, 0)], "23 Thinned, 26 Stays, 32 Over");
    }

    #[test]
    fn the_end_of_a_broadcast_ends_it_and_a_long_silence_is_no_memory() {
        let mut thinning = Thinning::default();
        for second in (0..1400).step_by(10) {
            let lines = if second < 1200 { 10 } else { 0 };
            thinning.came(Duration::from_secs(second), SPAN, lines, 10);
        }
        assert!(thinning.reset());
        assert!(!thinning.reset());
        assert_eq!(thinning.came(Duration::from_secs(1 << 40), SPAN, 1, 1), None);
        assert_eq!(thinning.came(Duration::from_secs(1 << 41), SPAN, 1, 1), None);
    }
}
