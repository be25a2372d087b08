//! What stands in a query string: limits, moments, cursors.
//!
//! A moment is unix ms, ISO 8601 (China's time where no zone is given, as on the pages), or the opaque
//! cursor of the answer before, which is the id of an event.

use std::collections::HashMap;

use actix_web::web::Query;

use crate::{
    domain::{EventId, RoomId, Uid, moment},
    store::queries::{Cursor, Filter, PAGE_MAX, Page},
    web::error::Refusal,
};

/// Parameters by name.
pub type Params = Query<HashMap<String, String>>;

/// Rows of a page that did not say how many.
const PAGE_DEFAULT: usize = 50;
/// The last ms of the year 9999: what lies beyond is no moment of ours, and arithmetic with it ends badly.
pub const MOMENT_MAX: i64 = 253_402_300_799_999;

/// The value of a parameter; an empty one is none.
pub fn text<'a>(params: &'a HashMap<String, String>, name: &str) -> Option<&'a str> {
    params.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// `limit`, from 1 to [`PAGE_MAX`].
pub fn limit(params: &HashMap<String, String>) -> Result<usize, Refusal> {
    let Some(value) = text(params, "limit") else { return Ok(PAGE_DEFAULT) };
    match value.parse::<i64>() {
        Ok(limit) if limit > 0 => Ok(usize::try_from(limit).unwrap_or(PAGE_MAX).min(PAGE_MAX)),
        _ => Err(Refusal::bad_parameter(format!("limit: {value:?} is not a number from 1 to {PAGE_MAX}"))),
    }
}

/// `limit`, `before` (or `cursor`) and `since`.
pub fn page(params: &HashMap<String, String>) -> Result<Page, Refusal> {
    let place = |name| text(params, name).map(|value| place(name, value)).transpose();
    let before = match place("before")? {
        Some(before) => Some(before),
        None => place("cursor")?,
    };
    Ok(Page { limit: limit(params)?, before, since: place("since")? })
}

/// `q` and `uid`, in a room or in all.
pub fn filter(params: &HashMap<String, String>, room: Option<RoomId>) -> Result<Filter, Refusal> {
    let uid = text(params, "uid")
        .map(|uid| number(uid).map(Uid).ok_or_else(|| Refusal::bad_parameter(format!("uid: {uid:?} is not a number"))));
    Ok(Filter { room, q: text(params, "q").map(|q| q.chars().take(200).collect()), uid: uid.transpose()? })
}

/// A number as the description has them: what 63 bits hold.
pub fn number(value: &str) -> Option<u64> {
    value.parse().ok().filter(|number| i64::try_from(*number).is_ok())
}

/// Whether what is asked for could tell who wrote something: by number, or by a text that is looked for in names.
pub fn names_somebody(params: &HashMap<String, String>) -> bool {
    text(params, "q").is_some() || text(params, "uid").is_some()
}

/// A moment, unix ms.
pub fn moment(params: &HashMap<String, String>, name: &'static str) -> Result<Option<i64>, Refusal> {
    let found = text(params, name).map(|value| place(name, value)).transpose()?;
    Ok(found.map(|place| match place {
        Cursor::Ms(ms) => ms,
        Cursor::Event(id) => id.timestamp_ms(),
    }))
}

fn place(name: &str, value: &str) -> Result<Cursor, Refusal> {
    let place = any_place(name, value)?;
    let ms = match place {
        Cursor::Ms(ms) => ms,
        Cursor::Event(id) => id.timestamp_ms(),
    };
    if (0..=MOMENT_MAX).contains(&ms) {
        return Ok(place);
    }
    Err(Refusal::bad_parameter(format!("{name}: {value:?} is not a moment from 1970 to 9999")))
}

fn any_place(name: &str, value: &str) -> Result<Cursor, Refusal> {
    if let Ok(id) = value.parse::<EventId>() {
        return Ok(Cursor::Event(id));
    }
    moment::parse(value).map(Cursor::Ms).ok_or_else(|| {
        Refusal::bad_parameter(format!(
            "{name}: {value:?} is neither unix ms, nor ISO 8601 such as 2026-01-31T20:00:00+08:00, nor a cursor"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_or_refused() {
        let id = EventId::of(1_700_000_000_123, &["x"]);
        for (value, expected) in [
            ("1700000000000", Some(Cursor::Ms(1_700_000_000_000))),
            ("2023-11-14T22:13:20Z", Some(Cursor::Ms(1_700_000_000_000))),
            ("2023-11-15T06:13:20 08:00", Some(Cursor::Ms(1_700_000_000_000))),
            ("2023-11-15T06:13:20", Some(Cursor::Ms(1_700_000_000_000))),
            ("2023-11-15", Some(Cursor::Ms(1_699_977_600_000))),
            (&id.to_string(), Some(Cursor::Event(id))),
            ("yesterday", None),
            ("2023-13-01", None),
            ("0", Some(Cursor::Ms(0))),
            ("253402300799999", Some(Cursor::Ms(MOMENT_MAX))),
            ("253402300800000", None),
            ("9223372036854775807", None),
            ("-1", None),
            ("-9223372036854775808", None),
            ("1969-12-31T00:00:00Z", None),
            ("+262142-01-01T00:00:00", None),
            ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", None),
        ] {
            assert_eq!(place("before", value).ok(), expected, "{value}");
        }
    }

    #[test]
    fn limits_have_bounds() {
        for (value, expected) in [
            ("", Some(50)),
            ("7", Some(7)),
            ("99999", Some(1000)),
            ("9223372036854775808", None),
            ("0", None),
            ("-1", None),
        ] {
            let params = HashMap::from([("limit".to_owned(), value.to_owned())]);
            assert_eq!(limit(&params).ok(), expected, "{value}");
        }
    }
}
