//! Chat lines into the history's table with one prepared statement: what SQLite asks for the row and the original's
//! indexes, when nothing is checked or added up.

use std::path::Path;

use bilibili_live_monitor::domain::{Body, Event};
use rusqlite::{Connection, Statement};

/// SQLite as the program uses it.
pub fn connection(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; \
             PRAGMA wal_autocheckpoint = 16000;",
        )
        .expect("SQLite takes it");
    connection
}

/// The statement for [`insert`].
pub fn prepare(database: &Connection) -> Statement<'_> {
    database
        .prepare(
            "INSERT INTO live_data_danmakudata (event_id, room_id, uid, username, message, timestamp, medal_name, \
             medal_level, user_level, is_admin, is_vip, received_ms, source, masked, guard_level, lottery) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .expect("a statement")
}

/// Binds each chat line to the statement and runs it, all in one transaction.
pub fn insert<'a>(database: &Connection, statement: &mut Statement, lines: impl Iterator<Item = &'a Event>) {
    database.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
    for event in lines {
        let Body::Danmaku(danmaku) = &event.body else { panic!("a chat line") };
        let time = chrono::DateTime::from_timestamp_millis(event.timestamp_ms).expect("a time");
        let row = rusqlite::params![
            event.id.to_string(),
            event.room_id.0 as i64,
            event.user.uid.0 as i64,
            event.user.username,
            danmaku.message,
            time.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
            danmaku.medal.as_ref().map(|medal| medal.name.as_str()),
            danmaku.medal.as_ref().map(|medal| medal.level),
            danmaku.user_level,
            false,
            false,
            event.received_ms,
            "live",
            event.user.masked,
            0,
            false
        ];
        assert_eq!(statement.execute(row).expect("it is stored"), 1);
    }
    database.execute_batch("COMMIT").expect("they are stored");
}
