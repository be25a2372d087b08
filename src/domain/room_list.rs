//! Reads a list of rooms however it was written down: JSON, ndjson, CSV, or numbers and links with anything between.
//!
//! Pure. Each name comes once, in the list's order; what names no room is kept, so that whoever gave the list can be
//! told. Not here: asking the upstream which rooms are meant.

use std::collections::HashSet;

use serde_json::Value;

use super::{RoomRef, RoomRefError};

/// Under these a list of ours, of the original and of people's tables keeps the room; compared in small letters.
const COLUMNS: [&str; 12] =
    ["room_id", "roomid", "room_ids", "room", "rooms", "id", "url", "link", "房间号", "直播间号", "房间", "链接"];

/// One name of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// As it stands in the list, at most 100 characters of it.
    pub typed: String,
    /// Which room it names.
    pub room: Result<RoomRef, RoomRefError>,
}

/// The rooms of a list.
pub fn read(text: &str) -> Vec<Named> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let names = of_json(text).or_else(|| of_table(text)).unwrap_or_else(|| of_words(text));
    let (mut named, mut known) = (Vec::new(), HashSet::new());
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        let room = name.parse::<RoomRef>();
        // A number and its link are the same name.
        if known.insert(room.clone()) {
            named.push(Named { typed: name.chars().take(100).collect(), room });
        }
    }
    named
}

/// A JSON value, or one a line; `None` if it is none.
fn of_json(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        collect(&value.ok()?, &mut names);
    }
    Some(names)
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(name) => names.push(name.clone()),
        Value::Number(number) => names.push(number.to_string()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, names)),
        Value::Object(fields) => match COLUMNS.iter().find_map(|column| fields.get(*column)) {
            Some(value) => collect(value, names),
            None => names.push(value.to_string()),
        },
        Value::Null | Value::Bool(_) => names.push(value.to_string()),
    }
}

/// A table whose head names one of the columns; `None` if the first line does not.
fn of_table(text: &str) -> Option<Vec<String>> {
    let head = text.lines().next()?;
    let delimiter = [b'\t', b';', b','].into_iter().find(|delimiter| head.contains(char::from(*delimiter)));
    let mut table = csv::ReaderBuilder::new()
        .delimiter(delimiter.unwrap_or(b','))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let heads: Vec<String> = table.headers().ok()?.iter().map(str::to_lowercase).collect();
    let column = COLUMNS.iter().find_map(|column| heads.iter().position(|head| head == column))?;
    table.records().map(|row| row.ok().map(|row| row.get(column).unwrap_or_default().to_owned())).collect()
}

fn of_words(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '，' | '；' | '、' | '"'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let named = read(text).into_iter().map(|named| match named.room {
            Ok(room) => room.to_string(),
            Err(_) => format!("?{}", named.typed),
        });
        assert_eq!(named.collect::<Vec<_>>().join(" "), expected, "{text:?}");
    }

    #[test]
    fn a_list_of_rooms_is_read_however_it_was_written_down() {
        check("21452505, 76；https://live.bilibili.com/1?x=2\n\"76\"\t，\r\n 9 live.bilibili.com/9", "21452505 76 1 9");
        check(" \n", "");
        check("\u{feff}room_id,uname\n21452505,\"甲, 乙\"\n76,\n,丙\n", "21452505 76");
        check("主播;房间号\r\n甲;21452505\r\n乙;https://live.bilibili.com/76\r\n", "21452505 76");
        check("uname\tlink\n甲\tlive.bilibili.com/76\n", "76");
        check("room\n76\nrubbish\n", "76 ?rubbish");
        check("[21452505, \"76\", {\"room_id\": 9}]", "21452505 76 9");
        check(
            "{\"room_id\":21452505,\"uname\":\"甲\"}\n{\"room_id\":76}\n\n{\"title\":\"x\"}",
            "21452505 76 ?{\"title\":\"x\"}",
        );
        check("{\"room_ids\":[21452505,76],\"settings\":{}}", "21452505 76");
        check("[76, ", "?[76");
        check("甲 76", "?甲 76");
    }

    #[test]
    fn a_list_as_the_program_itself_exports_it_names_its_room_once() {
        check("event_id,room_id,message\n01,76,\"9\"\n02,76,hello\n", "76");
    }
}
