//! Events as rows, and rows as events.
//!
//! Nothing an upstream can say makes a row unstorable: numbers without a sign are stored bit for bit in
//! SQLite's signed ones, and times outside the years 1970 to 9999 stand at the nearest end, where the
//! text form still sorts. What is known only to us (id, created_at) is left to the table. Purchases have a file of
//! their own (`purchase_rows`).

use chrono::{DateTime, NaiveDateTime};
use diesel::prelude::*;

use super::schema::{live_data_danmakudata, live_data_gauge, live_data_interaction, live_data_roomevent};
use crate::domain::{Alias, Body, Danmaku, Event, EventId, Gauge, Kind, Medal, RoomId, RoomNotice, Source, Uid, User};

/// The last ms of the year 9999, the last whose text form sorts.
const LAST_MS: i64 = 253_402_300_799_999;

/// One minute, ms.
pub(super) const MINUTE_MS: i64 = 60_000;

/// Unix ms as a column's time.
pub(super) fn to_time(ms: i64) -> NaiveDateTime {
    DateTime::from_timestamp_millis(ms.clamp(0, LAST_MS)).unwrap_or_default().naive_utc()
}

/// A column's time as unix ms.
pub(super) fn to_ms(time: NaiveDateTime) -> i64 {
    time.and_utc().timestamp_millis()
}

/// The minute in which `ms` lies, as its first ms.
pub(super) fn minute_of(ms: i64) -> i64 {
    ms.clamp(0, LAST_MS) / MINUTE_MS * MINUTE_MS
}

pub(super) fn medal_of(name: Option<String>, level: i64) -> Option<Medal> {
    name.map(|name| Medal { name, level })
}

pub(super) fn medal_columns(medal: &Option<Medal>) -> (Option<String>, i64) {
    medal.as_ref().map_or((None, 0), |medal| (Some(medal.name.clone()), medal.level))
}

/// The columns that every table of events has.
pub(super) struct Common<'a> {
    pub(super) event_id: &'a str,
    pub(super) room_id: i64,
    pub(super) timestamp: NaiveDateTime,
    pub(super) received_ms: i64,
    pub(super) source: &'a str,
    pub(super) uid: i64,
    pub(super) username: String,
    pub(super) masked: bool,
}

impl Common<'_> {
    pub(super) fn into_event(self, body: Body) -> Event {
        let timestamp_ms = to_ms(self.timestamp);
        Event {
            // Somebody else wrote this row: it gets an id of its own rather than failing the page.
            id: self.event_id.parse().unwrap_or_else(|_| EventId::of(timestamp_ms, &[self.event_id])),
            room_id: RoomId(self.room_id as u64),
            timestamp_ms,
            received_ms: self.received_ms,
            source: match self.source {
                "backfill" => Source::Backfill,
                "import" => Source::Import,
                _ => Source::Live,
            },
            user: User { uid: Uid(self.uid as u64), username: self.username, masked: self.masked, alias: None },
            origin: None,
            body,
        }
    }
}

macro_rules! common {
    ($row:expr) => {
        Common {
            event_id: &$row.event_id,
            room_id: $row.room_id,
            timestamp: $row.timestamp,
            received_ms: $row.received_ms,
            source: &$row.source,
            uid: $row.uid,
            username: $row.username,
            masked: $row.masked,
        }
    };
}

pub(super) use common;

/// A chat line.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = live_data_danmakudata, treat_none_as_default_value = false)]
pub(super) struct DanmakuRow {
    event_id: String,
    room_id: i64,
    uid: i64,
    username: String,
    message: String,
    timestamp: NaiveDateTime,
    medal_name: Option<String>,
    medal_level: Option<i64>,
    user_level: Option<i64>,
    is_admin: Option<bool>,
    is_vip: Option<bool>,
    received_ms: i64,
    source: String,
    masked: bool,
    guard_level: i64,
    lottery: bool,
    emoticon_url: Option<String>,
    reply_to: Option<String>,
    user_hash: Option<i64>,
    open_id: Option<String>,
}

impl DanmakuRow {
    pub(super) fn new(event: &Event, danmaku: &Danmaku) -> DanmakuRow {
        let (medal_name, medal_level) = medal_columns(&danmaku.medal);
        DanmakuRow {
            event_id: event.id.to_string(),
            room_id: event.room_id.0 as i64,
            uid: event.user.uid.0 as i64,
            username: event.user.username.clone(),
            message: danmaku.message.clone(),
            timestamp: to_time(event.timestamp_ms),
            medal_name,
            medal_level: Some(medal_level),
            user_level: danmaku.user_level,
            is_admin: Some(danmaku.is_admin),
            is_vip: Some(danmaku.is_vip),
            received_ms: event.received_ms,
            source: event.source.as_str().to_owned(),
            masked: event.user.masked,
            guard_level: danmaku.guard_level,
            lottery: danmaku.lottery,
            emoticon_url: danmaku.emoticon_url.clone(),
            reply_to: danmaku.reply_to.clone(),
            user_hash: event.user.hash().map(i64::from),
            open_id: event.user.open_id().map(str::to_owned),
        }
    }
}

impl From<DanmakuRow> for Event {
    fn from(row: DanmakuRow) -> Event {
        let body = Body::Danmaku(Danmaku {
            message: row.message,
            medal: medal_of(row.medal_name, row.medal_level.unwrap_or(0)),
            user_level: row.user_level,
            guard_level: row.guard_level,
            is_admin: row.is_admin.unwrap_or(false),
            is_vip: row.is_vip.unwrap_or(false),
            lottery: row.lottery,
            emoticon_url: row.emoticon_url,
            reply_to: row.reply_to,
        });
        // The hash stays in the table: what is read goes to people.
        let mut event = common!(row).into_event(body);
        event.user.alias = row.open_id.map(Alias::OpenId);
        event
    }
}

/// Somebody came in, followed, shared or liked.
#[derive(Insertable)]
#[diesel(table_name = live_data_interaction, treat_none_as_default_value = false)]
pub(super) struct InteractionRow {
    event_id: String,
    room_id: i64,
    kind: &'static str,
    uid: i64,
    username: String,
    medal_name: Option<String>,
    medal_level: i64,
    timestamp: NaiveDateTime,
    received_ms: i64,
    source: &'static str,
    masked: bool,
}

impl InteractionRow {
    pub(super) fn new(event: &Event, medal: &Option<Medal>) -> InteractionRow {
        let (medal_name, medal_level) = medal_columns(medal);
        InteractionRow {
            event_id: event.id.to_string(),
            room_id: event.room_id.0 as i64,
            kind: event.kind().as_str(),
            uid: event.user.uid.0 as i64,
            username: event.user.username.clone(),
            medal_name,
            medal_level,
            timestamp: to_time(event.timestamp_ms),
            received_ms: event.received_ms,
            source: event.source.as_str(),
            masked: event.user.masked,
        }
    }
}

/// Something happened to the room.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = live_data_roomevent, treat_none_as_default_value = false)]
pub(super) struct RoomEventRow {
    event_id: String,
    room_id: i64,
    kind: String,
    title: Option<String>,
    area_name: Option<String>,
    live_key: Option<String>,
    text: Option<String>,
    timestamp: NaiveDateTime,
    received_ms: i64,
    source: String,
    uid: i64,
    username: String,
    masked: bool,
}

impl RoomEventRow {
    pub(super) fn new(event: &Event, notice: &RoomNotice) -> RoomEventRow {
        RoomEventRow {
            event_id: event.id.to_string(),
            room_id: event.room_id.0 as i64,
            kind: event.kind().as_str().to_owned(),
            title: notice.title.clone(),
            area_name: notice.area_name.clone(),
            live_key: notice.live_key.clone(),
            text: notice.text.clone(),
            timestamp: to_time(event.timestamp_ms),
            received_ms: event.received_ms,
            source: event.source.as_str().to_owned(),
            uid: event.user.uid.0 as i64,
            username: event.user.username.clone(),
            masked: event.user.masked,
        }
    }

    /// Super chats taken down: their numbers stand in `text` as a JSON list.
    pub(super) fn of_deletion(event: &Event, ids: &[i64]) -> RoomEventRow {
        let text = serde_json::Value::from(ids).to_string();
        RoomEventRow::new(event, &RoomNotice { text: Some(text), ..RoomNotice::default() })
    }
}

impl From<RoomEventRow> for Event {
    fn from(row: RoomEventRow) -> Event {
        let kind = Kind::from_name(&row.kind);
        let notice = RoomNotice { title: row.title, area_name: row.area_name, live_key: row.live_key, text: row.text };
        let body = match kind {
            Some(Kind::SuperChatDelete) => {
                let ids = notice.text.as_deref().and_then(|text| serde_json::from_str(text).ok());
                Body::SuperChatDelete { ids: ids.unwrap_or_default() }
            }
            Some(Kind::Live) => Body::Live(notice),
            Some(Kind::Preparing) => Body::Preparing(notice),
            Some(Kind::CutOff) => Body::CutOff(notice),
            Some(Kind::Warning) => Body::Warning(notice),
            Some(Kind::RoomLock) => Body::RoomLock(notice),
            // No other kind is written here; a stranger's row is shown as a change of the room.
            _ => Body::RoomChange(notice),
        };
        common!(row).into_event(body)
    }
}

/// A room's numbers in one minute.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = live_data_gauge, treat_none_as_default_value = false)]
pub(super) struct GaugeRow {
    pub(super) room_id: i64,
    pub(super) minute_ms: i64,
    pub(super) event_id: String,
    popularity: Option<i64>,
    watched: Option<i64>,
    online_rank: Option<i64>,
    online: Option<i64>,
    likes: Option<i64>,
    fans: Option<i64>,
    fans_club: Option<i64>,
    guards: Option<i64>,
}

impl GaugeRow {
    pub(super) fn new(event_id: String, room: RoomId, minute_ms: i64, gauge: &Gauge) -> GaugeRow {
        let Gauge { popularity, watched, online_rank, online, likes, fans, fans_club, guards } = *gauge;
        GaugeRow {
            room_id: room.0 as i64,
            minute_ms,
            event_id,
            popularity,
            watched,
            online_rank,
            online,
            likes,
            fans,
            fans_club,
            guards,
        }
    }

    pub(super) fn gauge(&self) -> Gauge {
        let GaugeRow { popularity, watched, online_rank, online, likes, fans, fans_club, guards, .. } = *self;
        Gauge { popularity, watched, online_rank, online, likes, fans, fans_club, guards }
    }
}
