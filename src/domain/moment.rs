//! Moments as people and programs write them.
//!
//! Unix ms, or ISO 8601; where no zone is given it is China's, as on the pages.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};

/// Unix ms of a moment such as `1700000000000`, `2026-01-31T20:00:00+08:00`, `2026-01-31 20:00` or `2026-01-31`.
pub fn parse(value: &str) -> Option<i64> {
    value.parse::<i64>().ok().or_else(|| iso(value))
}

fn iso(value: &str) -> Option<i64> {
    // A plus that was not encoded arrives as a space.
    if let Ok(moment) = DateTime::parse_from_rfc3339(&value.replace(' ', "+")) {
        return Some(moment.timestamp_millis());
    }
    let china = FixedOffset::east_opt(8 * 3600)?;
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let naive = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(value, form).ok());
    let naive = naive.or_else(|| NaiveDate::parse_from_str(value, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
    Some(naive.and_local_timezone(china).single()?.timestamp_millis())
}

/// `2026-01-31 20:00:00` in China, where the platform is; empty for a moment no calendar knows.
pub fn in_china(ms: i64) -> String {
    let moment = DateTime::from_timestamp_millis(ms).zip(FixedOffset::east_opt(8 * 3600));
    moment
        .map_or_else(String::new, |(moment, zone)| moment.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_without_a_zone_is_chinas() {
        for (text, expected) in [
            ("1700000000000", Some(1_700_000_000_000)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000_000)),
            ("2023-11-15 06:13:20", Some(1_700_000_000_000)),
            ("2023-11-15", Some(1_699_977_600_000)),
            ("gestern", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(in_china(1_700_000_000_000), "2023-11-15 06:13:20");
        assert_eq!(in_china(i64::MAX), "");
    }
}
