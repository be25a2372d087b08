//! Takes over the database of the original Django system: rooms, chat and gifts, as far as they say something.
//!
//! Its tables are `live_rooms`, `danmaku_data` and `gift_data`, in which `room_id` is the number of a row of
//! `live_rooms`; the names of its README (`live_data_…`) are understood as well. Its `timestamp` is the moment of a
//! sync and not of sending, so one chat line stands there several times: of what one user said in one room in the same
//! words, or sent as the same gift, the earliest is taken, once. Rows that carry nothing are left, and counted.
//!
//! Invariants: a file that cannot be read whole changes nothing, and each table is taken in one transaction; a second
//! time takes nothing, because ids are made of what was taken; and every row of the other database is in one of the
//! figures. What retention has deleted here does not come back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    connection::{DefaultLoadingMode, SimpleConnection},
    prelude::*,
    sql_types::{BigInt, Double, Nullable, Text},
    sqlite::SqliteConnection,
};
use serde::Serialize;
use thiserror::Error;

use super::{
    number::Number,
    record::Recorded,
    retention::Class,
    sqlite::{Database, QueryError, connect, failed},
    tasks,
};
use crate::domain::{
    Body, CoinType, Danmaku, Event, EventId, Gift, Gold, Kind, Medal, RoomId, RoomInfo, Source, Uid, User,
};

/// Events of one step.
const STEP: usize = 500;
/// A time before Bilibili began, 2009, is none.
const FIRST_MS: i64 = 1_230_768_000_000;

/// What was found and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Rooms in the other database, by Bilibili's number.
    pub rooms: Vec<RoomId>,
    /// Chat.
    pub danmaku: Figures,
    /// Gifts.
    pub gifts: Figures,
    /// Tables that were left, with their rows.
    pub left: BTreeMap<String, u64>,
}

/// Rows of one table: `rows = stored + known + dead_letter + skipped`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// In the other database.
    pub rows: u64,
    /// New here.
    pub stored: u64,
    /// Here already.
    pub known: u64,
    /// Refused by the tables, kept as dead letters.
    pub dead_letter: u64,
    /// Not taken, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

impl Figures {
    fn skip(&mut self, reason: &'static str, rows: u64) {
        if rows > 0 {
            *self.skipped.entry(reason).or_default() += rows;
        }
    }
}

/// Why nothing was taken. Here everything is as it was.
#[derive(Debug, Error)]
pub enum ImportError {
    /// There is no such file.
    #[error("there is no file {0:?}: give the path of the original's db.sqlite3")]
    NotThere(PathBuf),
    /// It is no SQLite database, or a damaged one.
    #[error("{path:?} cannot be read as a SQLite database: check that it is the original's db.sqlite3, and whole")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is one of ours.
    #[error("{0:?} is a database of this program: use restore")]
    Ours(PathBuf),
    /// Something is missing in it.
    #[error("{path:?} is not the original's database: it has no {what}")]
    Lacks {
        /// Which file.
        path: PathBuf,
        /// The table or column.
        what: String,
    },
    /// Our own database failed.
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// The other database, and how its tables are called.
pub struct Original {
    path: PathBuf,
    connection: SqliteConnection,
    rooms: &'static str,
    danmaku: &'static str,
    gifts: &'static str,
    /// What `room_id` of the other tables refers to.
    room_key: &'static str,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct RoomRow {
    #[diesel(sql_type = Nullable<BigInt>)]
    room: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    title: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    uname: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    face: Option<String>,
}

/// One line or gift, and how often it stands there.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<BigInt>)]
    room: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    uid: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    username: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    text: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    timestamp: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    medal_name: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    medal_level: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    level_or_gift: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    admin_or_num: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    is_vip: Option<i64>,
    #[diesel(sql_type = Nullable<Double>)]
    price: Option<f64>,
    #[diesel(sql_type = Nullable<Double>)]
    total_price: Option<f64>,
    #[diesel(sql_type = BigInt)]
    times: i64,
}

impl Database {
    /// Takes over the original's database; its rooms are watched from now on if `monitor`.
    pub fn take_over(&self, mut original: Original, monitor: bool) -> Result<Import, ImportError> {
        let mut import = original.look()?;
        import.danmaku = self.take(&mut original, Kind::Danmaku, self.deleted_until(Class::Chat)?)?;
        import.gifts = self.take(&mut original, Kind::Gift, self.deleted_until(Class::Money)?)?;
        for row in original.rooms()? {
            let Some(id) = row.room.and_then(room_id) else { continue };
            import.rooms.push(id);
            let known = self.room(id)?.map(|room| room.info).unwrap_or_else(|| RoomInfo::unknown(id));
            if known.title.is_empty() && known.uname.is_empty() {
                self.save_room(&RoomInfo {
                    title: row.title.filter(|title| !title.starts_with("房间 ")).unwrap_or_default(),
                    uname: row.uname.filter(|name| name != "未知主播").unwrap_or_default(),
                    face: row.face.unwrap_or_default(),
                    ..known
                })?;
            }
            if monitor {
                self.set_monitored(id, true)?;
            }
        }
        Ok(import)
    }

    /// Takes over one of the tables.
    fn take(&self, original: &mut Original, kind: Kind, deleted_ms: Option<i64>) -> Result<Figures, ImportError> {
        let mut figures = Figures::default();
        let query = original.query(kind);
        // Fused: SQLite would begin anew when asked for a row after the last one.
        let mut rows = diesel::sql_query(query)
            .load_iter::<Row, DefaultLoadingMode>(&mut original.connection)
            .map_err(failed("read the other database"))?
            .fuse();
        let recorded: Recorded = self.import(tasks::IMPORT, || {
            let mut events = Vec::with_capacity(STEP);
            while events.len() < STEP {
                let Some(row) = rows.next() else { break };
                let row = row?;
                let times = row.times.unsigned_abs();
                figures.rows += times;
                let taken = if kind == Kind::Gift { gift(row) } else { danmaku(row) };
                match taken {
                    Ok(event) if deleted_ms.is_some_and(|deleted| event.timestamp_ms < deleted) => {
                        figures.skip("older than what was deleted here by age", times);
                    }
                    Ok(event) => {
                        figures.skip("repeated: the same user, room and content at a later sync", times - 1);
                        events.push(event);
                    }
                    Err(reason) => figures.skip(reason, times),
                }
            }
            Ok(events)
        })?;
        let outcome = recorded.outcome();
        (figures.stored, figures.known, figures.dead_letter) = (outcome.stored, outcome.duplicate, outcome.dead_letter);
        Ok(figures)
    }
}

impl Original {
    /// Opens it for reading, and fails unless it is whole and of that kind.
    pub fn open(file: &Path) -> Result<Original, ImportError> {
        if !fs::metadata(file).is_ok_and(|found| found.is_file()) {
            return Err(ImportError::NotThere(file.to_path_buf()));
        }
        let mut connection = connect(file)
            .map_err(|source| ImportError::Unreadable { path: file.to_path_buf(), source: Box::new(source) })?;
        let unreadable = |source| unreadable(file, source);
        connection.batch_execute("PRAGMA query_only = ON; PRAGMA busy_timeout = 5000").map_err(unreadable)?;
        let tables =
            names(&mut connection, "SELECT name FROM sqlite_master WHERE type = 'table'").map_err(unreadable)?;
        if tables.iter().any(|table| table == "__diesel_schema_migrations") {
            return Err(ImportError::Ours(file.to_path_buf()));
        }
        let found = names(&mut connection, "SELECT quick_check AS name FROM pragma_quick_check").map_err(unreadable)?;
        if found.first().is_none_or(|found| found != "ok") {
            let why = found.into_iter().next().unwrap_or_default();
            return Err(ImportError::Unreadable { path: file.to_path_buf(), source: why.into() });
        }
        let has = |table: &str| tables.iter().any(|found| found == table);
        let (rooms, danmaku, gifts) = match has("live_rooms") || !has("live_data_liveroom") {
            true => ("live_rooms", "danmaku_data", "gift_data"),
            false => ("live_data_liveroom", "live_data_danmakudata", "live_data_giftdata"),
        };
        let lacks = |what: String| ImportError::Lacks { path: file.to_path_buf(), what };
        for (table, columns) in [(rooms, ROOM_COLUMNS), (danmaku, DANMAKU_COLUMNS), (gifts, GIFT_COLUMNS)] {
            if !has(table) {
                return Err(lacks(format!("table {table}")));
            }
            let query = format!("SELECT name FROM pragma_table_info('{table}')");
            let there = names(&mut connection, &query).map_err(unreadable)?;
            if let Some(column) = columns.iter().find(|column| !there.iter().any(|there| there == *column)) {
                return Err(lacks(format!("column {column} in its table {table}")));
            }
        }
        // Django's own tables refer to the row; those of its README to Bilibili's number.
        let points_at = |connection: &mut SqliteConnection, key: &str| {
            number(
                connection,
                &format!("SELECT count(*) AS n FROM {danmaku} WHERE room_id IN (SELECT {key} FROM {rooms})"),
            )
        };
        let by_number = rooms == "live_data_liveroom"
            && points_at(&mut connection, "room_id").map_err(unreadable)?
                >= points_at(&mut connection, "id").map_err(unreadable)?;
        let room_key = if by_number { "room_id" } else { "id" };
        Ok(Original { path: file.to_path_buf(), connection, rooms, danmaku, gifts, room_key })
    }

    /// The tables that are left.
    fn look(&mut self) -> Result<Import, ImportError> {
        let unreadable = |source| unreadable(&self.path, source);
        let query = "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'";
        let mut left = BTreeMap::new();
        for table in names(&mut self.connection, query).map_err(unreadable)? {
            if ![self.rooms, self.danmaku, self.gifts].contains(&table.as_str()) {
                let quoted = table.replace('"', "\"\"");
                let rows = number(&mut self.connection, &format!("SELECT count(*) AS n FROM \"{quoted}\""));
                left.insert(table, rows.map_err(unreadable)?.unsigned_abs());
            }
        }
        Ok(Import { left, ..Import::default() })
    }

    fn rooms(&mut self) -> Result<Vec<RoomRow>, ImportError> {
        let query = format!("SELECT room_id AS room, title, uname, face FROM {} ORDER BY id", self.rooms);
        diesel::sql_query(query).load(&mut self.connection).map_err(|source| unreadable(&self.path, source))
    }

    /// What is distinct in a table, earliest first; other columns are those of the earliest row.
    fn query(&self, kind: Kind) -> String {
        let Original { rooms, danmaku, gifts, room_key, .. } = self;
        let (table, columns, distinct) = match kind {
            Kind::Gift => (
                gifts,
                "gift_name AS text, gift_id AS level_or_gift, num AS admin_or_num, 0 AS is_vip, price, total_price",
                "gift_id, gift_name, num, price, total_price",
            ),
            _ => (
                danmaku,
                "message AS text, user_level AS level_or_gift, is_admin AS admin_or_num, is_vip, \
                 0.0 AS price, 0.0 AS total_price",
                "message",
            ),
        };
        format!(
            "SELECT (SELECT room_id FROM {rooms} AS room WHERE room.{room_key} = row.room_id) AS room, uid, username, \
             min(timestamp) AS timestamp, medal_name, medal_level, count(*) AS times, {columns} \
             FROM {table} AS row GROUP BY room_id, uid, username, {distinct} ORDER BY min(timestamp)"
        )
    }
}

const ROOM_COLUMNS: &[&str] = &["id", "room_id", "title", "uname", "face"];
const DANMAKU_COLUMNS: &[&str] = &[
    "room_id",
    "uid",
    "username",
    "message",
    "timestamp",
    "medal_name",
    "medal_level",
    "user_level",
    "is_admin",
    "is_vip",
];
const GIFT_COLUMNS: &[&str] = &[
    "room_id",
    "uid",
    "username",
    "gift_name",
    "gift_id",
    "num",
    "price",
    "total_price",
    "timestamp",
    "medal_name",
    "medal_level",
];

fn unreadable(path: &Path, source: diesel::result::Error) -> ImportError {
    ImportError::Unreadable { path: path.to_path_buf(), source: Box::new(source) }
}

fn names(connection: &mut SqliteConnection, query: &str) -> QueryResult<Vec<String>> {
    Ok(diesel::sql_query(query).load::<Name>(connection)?.into_iter().map(|row| row.name).collect())
}

fn number(connection: &mut SqliteConnection, query: &str) -> QueryResult<i64> {
    Ok(diesel::sql_query(query).get_result::<Number>(connection)?.n)
}

fn room_id(number: i64) -> Option<RoomId> {
    u64::try_from(number).ok().filter(|number| *number > 0).map(RoomId)
}

/// Django writes `2025-06-01 12:00:00.123456`, UTC, without the fraction when it is zero.
fn time_ms(text: &str) -> Option<i64> {
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
    let naive = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).map(|time| time.and_utc());
    let time = naive.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()))?;
    let latest = Utc::now().timestamp_millis() + 24 * 3_600_000;
    Some(time.timestamp_millis()).filter(|ms| (FIRST_MS..=latest).contains(ms))
}

/// What a chat line and a gift have in common: room, time, user and badge, or why there is nothing to take.
fn common(row: &Row) -> Result<(RoomId, i64, User, Option<Medal>), &'static str> {
    let room = row.room.and_then(room_id).ok_or("its room is not in the table of rooms")?;
    let at_ms = row.timestamp.as_deref().and_then(time_ms).ok_or("its time cannot be read")?;
    let uid = row.uid.and_then(|uid| u64::try_from(uid).ok()).unwrap_or(0);
    let user =
        User { uid: Uid(uid), username: row.username.clone().unwrap_or_default(), masked: uid == 0, alias: None };
    let medal = row.medal_name.clone().filter(|name| !name.is_empty());
    Ok((room, at_ms, user, medal.map(|name| Medal { name, level: row.medal_level.unwrap_or(0) })))
}

fn event(room_id: RoomId, timestamp_ms: i64, user: User, body: Body, facts: &[&str]) -> Event {
    let (room, uid) = (room_id.to_string(), user.uid.to_string());
    let facts: Vec<&str> = ["django", &room, &uid, &user.username].into_iter().chain(facts.iter().copied()).collect();
    Event {
        id: EventId::of(timestamp_ms, &facts),
        room_id,
        timestamp_ms,
        received_ms: timestamp_ms,
        source: Source::Import,
        user,
        origin: None,
        body,
    }
}

fn danmaku(row: Row) -> Result<Event, &'static str> {
    let (room, at_ms, user, medal) = common(&row)?;
    let message = row.text.filter(|text| !text.is_empty()).ok_or("it has no text")?;
    let body = Danmaku {
        message: message.clone(),
        medal,
        user_level: row.level_or_gift,
        is_admin: row.admin_or_num == Some(1),
        is_vip: row.is_vip == Some(1),
        ..Danmaku::default()
    };
    Ok(event(room, at_ms, user, Body::Danmaku(body), &["danmaku", &message]))
}

fn gift(row: Row) -> Result<Event, &'static str> {
    let (price, paid) = (gold(row.price), gold(row.total_price));
    if row.level_or_gift.unwrap_or(0) == 0 && price.is_zero() && paid.is_zero() {
        return Err("it says nothing: gift 0 at price 0");
    }
    let (room, at_ms, user, medal) = common(&row)?;
    let (gift_id, num) = (row.level_or_gift.unwrap_or(0), row.admin_or_num.unwrap_or(1));
    let gift_name = row.text.unwrap_or_default();
    let figures = format!("{gift_id} {num} {} {}", price.0, paid.0);
    let body = Gift {
        gift_id,
        gift_name: gift_name.clone(),
        num,
        coin_type: if paid.is_zero() { CoinType::Silver } else { CoinType::Gold },
        // Free gifts are worth nothing, whatever their price says.
        price: if paid.is_zero() { Gold::ZERO } else { price },
        paid,
        value: paid,
        blind_box: None,
        receiver: None,
        medal,
    };
    Ok(event(room, at_ms, user, Body::Gift(body), &["gift", &gift_name, &figures]))
}

/// CNY as gold. What no purchase costs is no price.
fn gold(cny: Option<f64>) -> Gold {
    let gold = (cny.unwrap_or(0.0) * 1000.0).round();
    // A float holds every whole number up to there exactly.
    if (0.0..9e15).contains(&gold) { Gold(gold as i64) } else { Gold::ZERO }
}

#[cfg(test)]
#[path = "django_tests.rs"]
mod tests;
