//! What is usual at a place of a chart: the middle of what was there before, and the band in which half of it lay.
//!
//! By the minute, before means in earlier broadcasts, as long after their begin; by the hour and the day, in the four
//! weeks before, at the same place of the week. What was not received whole is not counted, and of too little nothing
//! is said.

use serde::Serialize;

use super::broadcasts::{COMPARED, COMPARED_MIN, Course, RECEIVED_MIN};

const MINUTE_MS: i64 = 60_000;
/// A place of the week comes again after so long.
pub const WEEK_MS: i64 = 7 * 24 * 60 * MINUTE_MS;
/// So many weeks back.
pub const WEEKS: i64 = 4;
/// A single minute is chance: those around it are counted, too.
const AROUND: i64 = 2;

/// What is usual.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Band {
    /// A quarter lay below.
    pub low: i64,
    /// Half lay below.
    pub mid: i64,
    /// Three quarters lay below.
    pub high: i64,
}

impl Band {
    fn of(mut numbers: Vec<i64>) -> Option<Band> {
        numbers.sort_unstable();
        let last = numbers.len().checked_sub(1)? as f64;
        let at = |share: f64| {
            let place = last * share;
            let (low, high) = (numbers[place.floor() as usize], numbers[place.ceil() as usize]);
            (low as f64 + (high - low) as f64 * place.fract()).round() as i64
        };
        Some(Band { low: at(0.25), mid: at(0.5), high: at(0.75) })
    }
}

/// What is usual in the minute of `at_ms`, by a room's broadcasts, newest first. One that runs goes on.
pub fn in_broadcast(courses: &[Course], at_ms: i64) -> Option<Band> {
    let is_in = |course: &Course| {
        let after = (at_ms - course.first_ms) / MINUTE_MS;
        at_ms >= course.first_ms && (course.of.to_ms.is_none() || after < course.minutes.len() as i64)
    };
    let n = courses.iter().position(is_in)?;
    let after = (at_ms - courses[n].first_ms) / MINUTE_MS;
    let around = |course: &Course| -> Vec<i64> {
        let from = usize::try_from(after - AROUND).unwrap_or(0);
        let to = usize::try_from(after + AROUND + 1).unwrap_or(0).min(course.minutes.len());
        course.minutes.get(from..to).into_iter().flatten().map(|minute| minute.danmaku).collect()
    };
    let before = courses[n + 1..].iter().filter(|course| course.is_whole()).take(COMPARED);
    // Who was off air by then says nothing.
    let said: Vec<Vec<i64>> = before.map(around).filter(|minutes| !minutes.is_empty()).collect();
    if said.len() < COMPARED_MIN { None } else { Band::of(said.concat()) }
}

/// What is usual in the step of `at_ms`, by what `before` says of a step: its number, and which share was received.
pub fn in_week(at_ms: i64, before: impl Fn(i64) -> Option<(i64, f64)>) -> Option<Band> {
    let weeks = (1..=WEEKS).filter_map(|week| before(at_ms - week * WEEK_MS));
    let said: Vec<i64> = weeks.filter(|(_, share)| *share >= RECEIVED_MIN).map(|(number, _)| number).collect();
    if said.len() < COMPARED_MIN { None } else { Band::of(said) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::broadcasts::tests::courses_of;

    const fn band(low: i64, mid: i64, high: i64) -> Option<Band> {
        Some(Band { low, mid, high })
    }

    #[test]
    fn a_minute_of_a_broadcast_is_as_usual_in_those_before_it_as_long_after_their_begin() {
        let courses = courses_of(&[(3, 61, false), (10, 90, true), (20, 60, true), (30, 60, true), (40, 30, true)]);
        let at = |n: usize, minute: i64| in_broadcast(&courses, courses[n].first_ms + minute * MINUTE_MS);
        assert_eq!(at(0, 0), band(18, 25, 33), "four before it");
        assert_eq!(at(0, 40), band(10, 20, 30), "one of them was off air by then");
        assert_eq!(at(0, 70), None, "only one was that long");
        assert_eq!(at(1, 10), band(20, 30, 40), "the second has three before it");
        assert_eq!(at(2, 10), None, "the third has two");
        assert_eq!(at(1, 95), None, "off air");
    }

    #[test]
    fn an_hour_of_the_week_is_as_usual_in_the_weeks_before_as_far_as_they_were_received() {
        let of = |said: [Option<(i64, f64)>; 4]| {
            in_week(5 * WEEK_MS, |at_ms| said[usize::try_from((5 * WEEK_MS - at_ms) / WEEK_MS).unwrap() - 1])
        };
        let all = |n| Some((n, 1.0));
        assert_eq!(of([all(10), all(20), all(30), all(40)]), band(18, 25, 33));
        assert_eq!(of([all(10), Some((999, 0.5)), all(30), all(20)]), band(15, 20, 25));
        assert_eq!(of([all(10), None, Some((999, 0.5)), all(20)]), None);
    }
}
