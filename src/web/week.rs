//! When a room chats: the hours of a week as a heat map.
//!
//! A cell is the chat lines of an hour, on average over the time that was received: an hour that was missed by
//! half counts half, and one that was never received has no number. Rooms are averaged alone and then added,
//! so that one that was watched for a day does not thin the others.

use serde::Serialize;

/// One hour of one room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hour {
    /// Its first ms.
    pub at_ms: i64,
    /// Chat lines in it.
    pub danmaku: i64,
    /// The share of it that was received; none where nobody knows.
    pub coverage: Option<f64>,
}

/// A cell of the map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Chat lines an hour; none when it was never received.
    pub danmaku: Option<i64>,
    /// How dark it is: 0 for nothing, up to [`DARKEST`] for the busiest hour.
    pub level: i64,
}

/// The level of the busiest hour.
pub const DARKEST: i64 = 8;

const HOUR_MS: i64 = 3_600_000;
/// China's clock is before UTC by so much.
const AHEAD_HOURS: i64 = 8;
/// 1970 began on a Thursday; weeks begin on Monday.
const FIRST_WEEKDAY: i64 = 3;

/// Seven days from Monday, 24 hours each, China standard time.
pub fn week<'a>(rooms: impl IntoIterator<Item = &'a [Hour]>) -> Vec<Vec<Cell>> {
    let mut sums = vec![vec![None::<f64>; 24]; 7];
    for hours in rooms {
        let mut of_room = vec![vec![(0, 0.0); 24]; 7];
        for hour in hours {
            let (day, at) = place(hour.at_ms);
            let cell: &mut (i64, f64) = &mut of_room[day][at];
            cell.0 += hour.danmaku;
            cell.1 += hour.coverage.unwrap_or(0.0);
        }
        for (sum, (danmaku, received)) in sums.iter_mut().flatten().zip(of_room.into_iter().flatten()) {
            // An hour of which only moments were received says nothing about an hour.
            if received >= 0.05 {
                *sum = Some(sum.unwrap_or(0.0) + danmaku as f64 / received);
            }
        }
    }
    let top = sums.iter().flatten().flatten().fold(0.0, |top: f64, n| top.max(*n));
    let level = |n: f64| if top > 0.0 { (n / top * DARKEST as f64).ceil() as i64 } else { 0 };
    let cell = |n: Option<f64>| Cell { danmaku: n.map(|n| n.round() as i64), level: n.map_or(0, level) };
    sums.into_iter().map(|day| day.into_iter().map(cell).collect()).collect()
}

/// Weekday from Monday, and hour of the day.
fn place(at_ms: i64) -> (usize, usize) {
    let hours = at_ms.div_euclid(HOUR_MS) + AHEAD_HOURS;
    let day = (hours.div_euclid(24) + FIRST_WEEKDAY).rem_euclid(7);
    (day as usize, hours.rem_euclid(24) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 00:00 in China, a Monday.
    const MONDAY: i64 = 1_795_363_200_000;

    fn hour(n: i64, danmaku: i64, coverage: Option<f64>) -> Hour {
        Hour { at_ms: MONDAY + n * HOUR_MS, danmaku, coverage }
    }

    #[test]
    fn an_hour_missed_by_half_counts_half_and_one_never_received_has_no_number() {
        let room = vec![
            hour(0, 100, Some(1.0)),
            hour(24, 30, Some(0.5)),
            hour(24 + 168, 30, Some(1.0)),
            hour(48, 0, Some(0.0)),
            hour(72, 0, None),
        ];
        let other = vec![hour(0, 20, Some(1.0))];
        let map = week([room.as_slice(), other.as_slice()]);
        let seen: Vec<_> = (0..4).map(|day| (map[day][0].danmaku, map[day][0].level)).collect();
        assert_eq!(seen, [(Some(120), 8), (Some(40), 3), (None, 0), (None, 0)]);
    }

    #[test]
    fn weeks_begin_on_monday_and_days_at_midnight_in_china() {
        assert_eq!(place(MONDAY), (0, 0));
        assert_eq!(place(MONDAY - 1), (6, 23));
        assert_eq!(place(MONDAY + 30 * HOUR_MS), (1, 6));
    }
}
