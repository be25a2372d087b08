//! Times as the replies tell them.

/// Unix seconds, or `YYYY-MM-DD HH:MM:SS` of Shanghai, as unix ms. Zeros and times before 1970 are none.
pub fn unix_ms(text: &str) -> Option<i64> {
    let seconds = match text.trim().parse::<i64>() {
        Ok(seconds) => seconds,
        Err(_) => shanghai_seconds(text.trim())?,
    };
    (1..YEAR_5138_S).contains(&seconds).then(|| seconds.saturating_mul(1000))
}

/// Seconds from there on are milliseconds or nonsense.
const YEAR_5138_S: i64 = 100_000_000_000;

fn shanghai_seconds(text: &str) -> Option<i64> {
    let parts: Option<Vec<i64>> = text.split(['-', ' ', ':', 'T']).map(|part| part.parse().ok()).collect();
    let &[year, month, day, hour, minute, second] = parts?.as_slice() else { return None };
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..61).contains(&second);
    if !is_date || !is_time {
        return None;
    }
    // Days since 1970, counting years from March, so that the leap day is the last one.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - SHANGHAI_OFFSET)
}

/// Shanghai is eight hours ahead, all year.
const SHANGHAI_OFFSET: i64 = 8 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_the_clock_of_shanghai() {
        for (text, expected) in [
            ("1780000000", Some(1_780_000_000_000)),
            ("0", None),
            ("1780000000123", None),
            ("9223372036854775807", None),
            ("-62170012800", None),
            ("0000-00-00 00:00:00", None),
            ("", None),
            ("1970-01-01 08:00:01", Some(1_000)),
            ("2000-02-29 00:00:00", Some(951_753_600_000)),
            ("2023-11-15 06:13:20", Some(1_700_000_000_000)),
            ("2026-05-29 04:26:40", Some(1_780_000_000_000)),
            ("2026-13-01 00:00:00", None),
            ("2026-05-29 9223372036854775807:00:00", None),
            ("yesterday", None),
        ] {
            assert_eq!(unix_ms(text), expected, "{text:?}");
        }
    }
}
