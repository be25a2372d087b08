//! A past for a room that was just added: a week of evenings, written straight into the history.
//!
//! Nobody can wait a week for it, and what is received now is of now.

use std::path::Path;

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};

use super::fake::unix_ms;

const MINUTE_MS: i64 = 60_000;
/// Evenings.
pub const EVENINGS: i64 = 6;
/// Each of so many minutes ...
pub const LENGTH: i64 = 180;
/// ... with so many people ...
pub const PEOPLE: i64 = 40;
/// ... and so much paid in each minute, gold.
pub const GOLD: i64 = 1500;
/// How their names begin.
pub const NAMED: &str = "路人";
const LINES: [&str; 6] = ["晚上好呀", "主播今天唱什么", "哈哈哈哈哈", "前排围观", "早点休息", "这首歌好好听"];

/// How many lines were written in a minute of an evening: fewer the longer ago.
pub fn lines(evening: i64) -> i64 {
    1 + (EVENINGS - evening) % 4
}

/// Writes the evenings of a room that is monitored: each began four hours before now, some days ago.
pub fn write(database: &Path, room: u64) {
    let mut sql = "PRAGMA busy_timeout = 20000; BEGIN IMMEDIATE;".to_owned();
    let mut number = 0;
    let now = unix_ms() / MINUTE_MS * MINUTE_MS;
    for evening in 1..=EVENINGS {
        let begin = now - (evening * 24 + 4) * 60 * MINUTE_MS;
        for (kind, at) in [("live", begin), ("preparing", begin + LENGTH * MINUTE_MS)] {
            sql += &format!(
                "INSERT INTO live_data_roomevent (room_id, kind, live_key, timestamp, event_id, received_ms)
                 VALUES ({room}, '{kind}', 'evening {evening}', {}, '{}', {at});",
                time(at),
                id(at, &mut number)
            );
        }
        for minute in 0..LENGTH {
            let at = begin + minute * MINUTE_MS;
            let n = lines(evening);
            sql += &format!(
                "INSERT INTO live_data_minute (room_id, minute_ms, danmaku, gifts, gift_gold) VALUES ({room}, {at}, {n}, 1, {GOLD});
                 INSERT INTO live_data_gauge (room_id, minute_ms, event_id, online_rank) VALUES ({room}, {at}, '{}', {});",
                id(at, &mut number),
                500 + evening * 10 + (minute - LENGTH / 2).abs()
            );
            for line in 0..n {
                let (at, uid) = (at + line * 1000, 5_000_000 + (minute * n + line) % PEOPLE);
                sql += &format!(
                    "INSERT INTO live_data_danmakudata (room_id, uid, username, message, timestamp, event_id, received_ms)
                     VALUES ({room}, {uid}, '{NAMED}{uid}', '{}', {}, '{}', {at});",
                    LINES[usize::try_from(minute + line).unwrap_or(0) % LINES.len()],
                    time(at),
                    id(at, &mut number)
                );
            }
        }
    }
    sql += "COMMIT;";
    let mut connection = SqliteConnection::establish(&database.to_string_lossy()).expect("the database can be opened");
    connection.batch_execute(&sql).unwrap_or_else(|error| panic!("the past cannot be written: {error}"));
}

fn time(at_ms: i64) -> String {
    format!("strftime('%Y-%m-%d %H:%M:%f', {}.0 / 1000.0, 'unixepoch')", at_ms)
}

/// An id in the contract's form: the time in ten letters, then sixteen of its own.
fn id(at_ms: i64, number: &mut u64) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    *number += 1;
    let letters = |value: u64, n: u32| -> String {
        (0..n)
            .rev()
            .map(|place| char::from(LETTERS[usize::try_from(value >> (5 * place) & 31).expect("below 32")]))
            .collect()
    };
    format!("{}0000{}", letters(u64::try_from(at_ms).expect("after 1970"), 10), letters(*number, 12))
}
