//! A room's broadcasts (场次) with their figures, and how the last of them does beside those before.
//!
//! Figures are read from the minutes; only people have to be counted from what they did, so that is bounded: the
//! newest broadcasts first, until so many rows were read. Of a broadcast that is over the count is kept, so the next
//! look gets further. The usual is the median of earlier broadcasts, as far as they had come after the same time. One
//! that was not received whole, or whose end nobody heard, would draw it down and is left out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;

use crate::{
    domain::{
        Gold, RoomId, RoomInfo,
        broadcast::{Broadcast, broadcasts},
    },
    store::{
        coverage::Received,
        series::Step,
        sqlite::{Database, QueryError},
    },
};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Broadcasts of a list.
pub const LISTED: usize = 12;
/// So far back they are looked for.
pub const DAYS: i64 = 90;
/// What was said of begins and ends is read so far: far more than so many broadcasts need.
const SAID: i64 = 400;
/// The last broadcasts are compared with ...
pub const COMPARED: usize = 10;
/// ... if there are at least so many ...
pub const COMPARED_MIN: usize = 3;
/// ... of which at least so much was received.
pub const RECEIVED_MIN: f64 = 0.9;
/// Minutes of one list: two weeks on air.
const MINUTES_READ: usize = 14 * 24 * 60;
/// Rows that are read to count people in one look: some 100 ms, so that a room's page stays below 200.
const ROWS_READ: i64 = 60_000;
/// What is stored this long after a broadcast is all of it.
const SETTLED_MS: i64 = 10 * MINUTE_MS;
/// Counts that are kept.
const KEPT: usize = 2000;

/// One minute of a broadcast.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Minute {
    /// Chat lines.
    pub danmaku: i64,
    /// Viewer spending.
    pub gold: Gold,
    /// 高能, if it was said.
    pub online_rank: Option<i64>,
    /// Rows that are read to count its people.
    rows: i64,
}

/// A broadcast with what happened in it, minute by minute.
#[derive(Clone, Debug)]
pub struct Course {
    /// When it was.
    pub of: Broadcast,
    /// Its first minute, unix ms.
    pub first_ms: i64,
    /// Every minute of it.
    pub minutes: Vec<Minute>,
    /// People who interacted for the first time in each minute; none if that would take too long to count.
    newcomers: Option<Newcomers>,
    /// The share of it that was received; none where nobody knows.
    pub coverage: Option<f64>,
}

/// What a broadcast had come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Chat lines.
    pub danmaku: i64,
    /// People who interacted.
    pub people: Option<i64>,
    /// Viewer spending.
    pub total_gold: Gold,
    /// Chat lines of the busiest minute.
    pub peak: i64,
    /// The highest 高能.
    pub online_rank: Option<i64>,
}

/// The usual, and how far off it a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Delta {
    /// The median of the broadcasts before.
    pub usual: i64,
    /// Percent above it; none of a usual of nothing.
    pub percent: Option<i64>,
}

/// One line of the list.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// When it began, unix ms.
    pub from_ms: i64,
    /// When it ended, unix ms; none while it runs.
    pub to_ms: Option<i64>,
    /// Its end was heard; otherwise it ended at `to_ms` at the latest.
    pub end_heard: bool,
    /// How long it was, or is so far.
    pub length_ms: i64,
    /// The share of it that was received; none where nobody knows.
    pub coverage: Option<f64>,
    /// What it came to.
    #[serde(flatten)]
    pub figures: Figures,
}

/// How the last broadcast does.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// Which one, and what it came to.
    #[serde(flatten)]
    pub row: Row,
    /// It is compared at this length.
    pub at_length_ms: i64,
    /// With so many before it.
    pub with: usize,
    /// It is not compared: too little of it was received, or its end was not.
    pub in_doubt: bool,
    /// By figure, as far as there are enough.
    pub beside: BTreeMap<&'static str, Delta>,
}

/// Newcomers by the minute.
type Newcomers = Arc<Vec<i64>>;

/// Counts of people that do not change any more, by room, first minute and end.
#[derive(Default)]
pub struct Counted(Mutex<BTreeMap<(RoomId, i64, i64), Newcomers>>);

impl Course {
    fn length(&self, now_ms: i64) -> i64 {
        (self.of.to_ms.unwrap_or(now_ms) - self.of.from_ms).max(0)
    }

    /// What it had come to after so many minutes; what was over by then stays as it was.
    pub fn after(&self, minutes: usize) -> Figures {
        let past = &self.minutes[..minutes.min(self.minutes.len())];
        Figures {
            danmaku: past.iter().map(|minute| minute.danmaku).sum(),
            people: self.newcomers.as_ref().map(|came| came.iter().take(minutes).sum()),
            total_gold: past.iter().map(|minute| minute.gold).sum(),
            peak: past.iter().map(|minute| minute.danmaku).max().unwrap_or(0),
            online_rank: past.iter().filter_map(|minute| minute.online_rank).max(),
        }
    }

    fn row(&self, now_ms: i64) -> Row {
        let Broadcast { from_ms, to_ms, end_heard, .. } = self.of;
        let figures = self.after(usize::MAX);
        Row { from_ms, to_ms, end_heard, length_ms: self.length(now_ms), coverage: self.coverage, figures }
    }

    /// Whether the usual may be made of it.
    pub fn is_whole(&self) -> bool {
        self.of.end_heard && self.is_received()
    }

    /// Whether it may be compared.
    fn is_received(&self) -> bool {
        self.coverage.is_some_and(|share| share >= RECEIVED_MIN)
    }
}

/// The broadcasts of a room, newest first, without people.
pub fn courses(database: &Database, room: &RoomInfo, now_ms: i64) -> Result<Vec<Course>, QueryError> {
    let id = room.room_id;
    let told = database.begins_and_ends(id, now_ms - DAYS * DAY_MS, SAID)?;
    let (mut all, mut read) = (Vec::new(), 0);
    for of in broadcasts(&told, room, now_ms).into_iter().take(LISTED) {
        let to_ms = of.to_ms.unwrap_or(now_ms).min(now_ms).max(of.from_ms);
        // A begin comes from upstream, and may be that of a clock that was never set.
        let first_ms = Step::Minute.start_of(of.from_ms.max(to_ms - DAYS * DAY_MS));
        let length = usize::try_from((to_ms - first_ms + MINUTE_MS - 1) / MINUTE_MS).unwrap_or(0).max(1);
        read += length;
        if read > MINUTES_READ && !all.is_empty() {
            break;
        }
        let mut minutes = vec![Minute::default(); length];
        let place = |at_ms: i64| usize::try_from((at_ms - first_ms) / MINUTE_MS).ok();
        for point in database.trend(id, first_ms, to_ms, Step::Minute)? {
            if let Some(minute) = place(point.at_ms).and_then(|at| minutes.get_mut(at)) {
                minute.danmaku = point.danmaku;
                minute.gold = point.gift_gold + point.super_chat_gold + point.guard_gold;
                minute.rows = point.danmaku + point.gifts + point.super_chats + point.guards;
            }
        }
        for point in database.gauges(id, first_ms, to_ms)? {
            if let Some(minute) = place(point.at_ms).and_then(|at| minutes.get_mut(at)) {
                minute.online_rank = point.gauge.online_rank;
            }
        }
        // A moment has no share.
        let end_ms = to_ms.max(of.from_ms + 1);
        let coverage = Received::of(database, id, of.from_ms..end_ms, now_ms)?.share(of.from_ms, end_ms);
        all.push(Course { of, first_ms, minutes, newcomers: None, coverage });
    }
    Ok(all)
}

impl Counted {
    /// Counts the people of the newest broadcasts, as far as that does not take long, and their rows are there: they
    /// are kept from `since_ms` on.
    pub fn people(
        &self,
        database: &Database,
        room: RoomId,
        courses: &mut [Course],
        since_ms: i64,
        now_ms: i64,
    ) -> Result<(), QueryError> {
        let mut read = 0;
        for course in courses.iter_mut().filter(|course| course.first_ms >= since_ms) {
            let end_ms = course.of.to_ms.unwrap_or(now_ms).max(course.of.from_ms);
            let key = (room, course.first_ms, end_ms);
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
            if known.is_some() {
                course.newcomers = known;
                continue;
            }
            let rows: i64 = course.minutes.iter().map(|minute| minute.rows).sum();
            if read + rows > ROWS_READ {
                continue;
            }
            read += rows;
            let mut came = vec![0; course.minutes.len()];
            for figure in database.newcomers(room, course.first_ms, end_ms)? {
                let at = usize::try_from((figure.at_ms - course.first_ms) / MINUTE_MS).unwrap_or(0);
                if let Some(minute) = came.get_mut(at) {
                    *minute += figure.n;
                }
            }
            let came = Arc::new(came);
            course.newcomers = Some(came.clone());
            if course.of.to_ms.is_some_and(|to_ms| to_ms + SETTLED_MS < now_ms) {
                let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() >= KEPT {
                    kept.clear();
                }
                kept.insert(key, came);
            }
        }
        Ok(())
    }
}

/// The list, and how the newest of it does beside the others.
pub fn list(courses: &[Course], now_ms: i64) -> (Vec<Row>, Option<Compared>) {
    let rows = courses.iter().map(|course| course.row(now_ms)).collect();
    (rows, courses.split_first().map(|(last, before)| compared(last, before, now_ms)))
}

fn compared(last: &Course, before: &[Course], now_ms: i64) -> Compared {
    let before: Vec<&Course> = before.iter().filter(|course| course.is_whole()).take(COMPARED).collect();
    // The minute that runs is half a minute: a broadcast that runs is compared by those that are full.
    let (mine, minutes) = match last.of.to_ms {
        Some(_) => (last.after(usize::MAX), usize::MAX),
        None => (last.after(last.minutes.len() - 1), last.minutes.len() - 1),
    };
    let in_doubt = !last.is_received() || (last.of.to_ms.is_some() && !last.of.end_heard);
    let others: Vec<Figures> = before.iter().map(|course| course.after(minutes)).collect();
    let mut beside = BTreeMap::new();
    let mut compare = |name, mine: Option<i64>, of: &dyn Fn(&Figures) -> Option<i64>| {
        let usual = median(others.iter().filter_map(of).collect());
        if let (Some(mine), Some(usual), false) = (mine, usual, in_doubt) {
            let percent = (usual > 0).then(|| ((mine - usual) as f64 / usual as f64 * 100.0).round() as i64);
            beside.insert(name, Delta { usual, percent });
        }
    };
    compare("danmaku", Some(mine.danmaku), &|one| Some(one.danmaku));
    // People are counted in small broadcasts first: those alone are not what is usual.
    let counted = others.iter().all(|one| one.people.is_some());
    compare("people", mine.people.filter(|_| counted), &|one| one.people);
    compare("total_gold", Some(mine.total_gold.0), &|one| Some(one.total_gold.0));
    compare("peak", Some(mine.peak), &|one| Some(one.peak));
    compare("online_rank", mine.online_rank, &|one| one.online_rank);
    if last.of.to_ms.is_some() && !in_doubt {
        let lengths = median(before.iter().map(|course| course.length(now_ms)).collect());
        if let Some(usual) = lengths.filter(|usual| *usual > 0) {
            let percent = Some(((last.length(now_ms) - usual) as f64 / usual as f64 * 100.0).round() as i64);
            beside.insert("length", Delta { usual, percent });
        }
    }
    let at_length_ms = if last.of.to_ms.is_some() { last.length(now_ms) } else { minutes as i64 * MINUTE_MS };
    Compared { row: last.row(now_ms), at_length_ms, with: before.len(), in_doubt, beside }
}

/// The middle of them; none of too few.
fn median(mut numbers: Vec<i64>) -> Option<i64> {
    if numbers.len() < COMPARED_MIN {
        return None;
    }
    numbers.sort_unstable();
    let half = numbers.len() / 2;
    let low = numbers[(numbers.len() - 1) / 2];
    Some(low + (numbers[half] - low) / 2)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::{Body, Event, EventId, LiveStatus, RoomNotice, Source, User};

    /// 2026-06-01 00:00 UTC.
    const T0: i64 = 1_780_272_000_000;
    const HOUR: i64 = 60 * MINUTE_MS;

    fn said(at_ms: i64, body: fn(RoomNotice) -> Body) -> Event {
        let body = body(RoomNotice::default());
        Event {
            id: EventId::of(at_ms, &[body.kind().as_str()]),
            room_id: RoomId(1),
            timestamp_ms: at_ms,
            received_ms: at_ms,
            source: Source::Live,
            user: User::default(),
            origin: None,
            body,
        }
    }

    /// Broadcasts with one chat line a minute times `pace`, of so many minutes, ended or running; newest first.
    pub(crate) fn courses_of(shapes: &[(i64, usize, bool)]) -> Vec<Course> {
        let mut told = Vec::new();
        let mut room = RoomInfo::unknown(RoomId(1));
        let begins: Vec<i64> = (0..shapes.len()).map(|n| T0 - n as i64 * 24 * HOUR).collect();
        for (begin, (_, minutes, ended)) in begins.iter().zip(shapes).rev() {
            told.push(said(*begin, Body::Live));
            if *ended {
                told.push(said(begin + *minutes as i64 * MINUTE_MS, Body::Preparing));
            } else {
                (room.status, room.live_since_ms) = (LiveStatus::Live, Some(*begin));
            }
        }
        let now_ms = T0 + 10 * HOUR;
        let found = broadcasts(&told, &room, now_ms);
        let course = |(of, (pace, minutes, _)): (Broadcast, &(i64, usize, bool))| Course {
            first_ms: of.from_ms,
            of,
            minutes: vec![Minute { danmaku: *pace, gold: Gold(pace * 1000), online_rank: None, rows: 0 }; *minutes],
            newcomers: Some(Arc::new(vec![1; *minutes])),
            coverage: Some(1.0),
        };
        found.into_iter().zip(shapes).map(course).collect()
    }

    fn percents(compared: &Compared) -> Vec<(&'static str, i64, Option<i64>)> {
        compared.beside.iter().map(|(name, delta)| (*name, delta.usual, delta.percent)).collect()
    }

    #[test]
    fn a_broadcast_that_runs_is_compared_with_what_those_before_had_after_the_same_time() {
        // Sixty full minutes and the one that runs.
        let courses = courses_of(&[(3, 61, false), (2, 240, true), (1, 240, true), (4, 30, true)]);
        let (rows, compared) = list(&courses, T0 + HOUR);
        assert_eq!((rows.len(), rows[0].figures.danmaku, rows[3].figures.danmaku), (4, 183, 120));
        let compared = compared.expect("there are some");
        assert_eq!((compared.with, compared.at_length_ms), (3, HOUR));
        // 120, 60, and the short one stays at 120.
        assert_eq!(
            percents(&compared),
            [
                ("danmaku", 120, Some(50)),
                ("peak", 2, Some(50)),
                ("people", 60, Some(0)),
                ("total_gold", 120_000, Some(50))
            ]
        );
    }

    #[test]
    fn a_broadcast_that_is_said_to_run_since_1970_costs_no_more_than_what_is_told_of_any() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(&folder.path().join("live.db")).expect("opened");
        let mut room = RoomInfo::unknown(RoomId(1));
        (room.status, room.live_since_ms) = (LiveStatus::Live, Some(1000));
        let courses = courses(&database, &room, T0).expect("read");
        assert_eq!((courses.len(), courses[0].of.from_ms), (1, 1000));
        assert_eq!(courses[0].minutes.len() as i64, DAYS * 24 * 60);
    }

    #[test]
    fn what_was_not_received_whole_makes_no_usual_and_too_few_make_none() {
        let mut courses = courses_of(&[(3, 60, true), (2, 60, true), (1, 60, true), (4, 60, true), (9, 60, true)]);
        let usual = |courses: &[Course]| {
            let compared = list(courses, T0 + 10 * HOUR).1.expect("there are some");
            (compared.with, compared.beside.get("danmaku").map(|delta| delta.usual))
        };
        assert_eq!(usual(&courses), (4, Some(180)), "between 120 and 240");
        courses[4].coverage = Some(0.5);
        assert_eq!(usual(&courses), (3, Some(120)));
        courses[3].coverage = None;
        assert_eq!(usual(&courses), (2, None));
        assert!(list(&[], T0).1.is_none());
    }

    #[test]
    fn what_was_not_received_whole_is_not_compared_and_people_only_with_all_who_were_counted() {
        let mut courses = courses_of(&[(3, 60, true), (2, 60, true), (1, 60, true), (4, 60, true)]);
        let compared = |courses: &[Course]| {
            let compared = list(courses, T0 + 10 * HOUR).1.expect("there are some");
            (compared.in_doubt, compared.beside.contains_key("danmaku"), compared.beside.contains_key("people"))
        };
        assert_eq!(compared(&courses), (false, true, true));
        let newcomers = courses[2].newcomers.take();
        assert_eq!(compared(&courses), (false, true, false), "three are needed, but not the smallest three");
        courses[2].newcomers = newcomers;
        courses[0].coverage = Some(0.3);
        assert_eq!(compared(&courses), (true, false, false));
        courses[0].coverage = Some(1.0);
        courses[0].of.end_heard = false;
        assert_eq!(compared(&courses), (true, false, false));
    }

    #[test]
    fn people_whose_rows_are_not_kept_are_not_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(&folder.path().join("live.db")).expect("opened");
        let mut courses = courses_of(&[(1, 60, true), (1, 60, true)]);
        courses.iter_mut().for_each(|course| course.newcomers = None);
        let since_ms = courses[0].first_ms;
        Counted::default().people(&database, RoomId(1), &mut courses, since_ms, T0 + 10 * HOUR).expect("counted");
        assert!(courses[0].newcomers.is_some() && courses[1].newcomers.is_none());
    }
}
