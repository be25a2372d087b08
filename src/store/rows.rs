//! Events as rows, and rows as events.
//!
//! Nothing an upstream can say makes a row unstorable: numbers without a sign are stored bit for bit in
//! SQLite's signed ones, and times outside the years 1970 to 9999 stand at the nearest end, where the
//! text form still sorts. What is known only to us (id, created_at) is left to the table.

use chrono::{DateTime, NaiveDateTime};
use diesel::prelude::*;

use super::schema::{
    live_data_danmakudata, live_data_gauge, live_data_giftdata, live_data_guard, live_data_interaction,
    live_data_roomevent, live_data_superchat,
};
use crate::domain::{
    BlindBox, Body, CoinType, Danmaku, Event, EventId, Gauge, Gift, Gold, Guard, Kind, Medal, Receiver, RoomId,
    RoomNotice, Source, SuperChat, Uid, User,
};

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

fn medal_of(name: Option<String>, level: i64) -> Option<Medal> {
    name.map(|name| Medal { name, level })
}

fn medal_columns(medal: &Option<Medal>) -> (Option<String>, i64) {
    medal.as_ref().map_or((None, 0), |medal| (Some(medal.name.clone()), medal.level))
}

/// The columns that every table of events has.
struct Common<'a> {
    event_id: &'a str,
    room_id: i64,
    timestamp: NaiveDateTime,
    received_ms: i64,
    source: &'a str,
    uid: i64,
    username: String,
    masked: bool,
}

impl Common<'_> {
    fn into_event(self, body: Body) -> Event {
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
            user: User { uid: Uid(self.uid as u64), username: self.username, masked: self.masked },
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
        common!(row).into_event(body)
    }
}

/// A gift.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = live_data_giftdata, treat_none_as_default_value = false)]
pub(super) struct GiftRow {
    event_id: String,
    room_id: i64,
    uid: i64,
    username: String,
    gift_name: String,
    gift_id: i64,
    num: Option<i64>,
    price: Option<f64>,
    total_price: Option<f64>,
    timestamp: NaiveDateTime,
    medal_name: Option<String>,
    medal_level: Option<i64>,
    received_ms: i64,
    source: String,
    masked: bool,
    coin_type: String,
    price_gold: i64,
    paid_gold: i64,
    value_gold: i64,
    blind_box_name: Option<String>,
    blind_box_price_gold: Option<i64>,
    receiver_uid: Option<i64>,
    receiver_name: Option<String>,
}

impl GiftRow {
    pub(super) fn new(event: &Event, gift: &Gift) -> GiftRow {
        let (medal_name, medal_level) = medal_columns(&gift.medal);
        GiftRow {
            event_id: event.id.to_string(),
            room_id: event.room_id.0 as i64,
            uid: event.user.uid.0 as i64,
            username: event.user.username.clone(),
            gift_name: gift.gift_name.clone(),
            gift_id: gift.gift_id,
            num: Some(gift.num),
            price: Some(gift.price.cny().as_f64()),
            total_price: Some(gift.paid.cny().as_f64()),
            timestamp: to_time(event.timestamp_ms),
            medal_name,
            medal_level: Some(medal_level),
            received_ms: event.received_ms,
            source: event.source.as_str().to_owned(),
            masked: event.user.masked,
            coin_type: gift.coin_type.as_str().to_owned(),
            price_gold: gift.price.0,
            paid_gold: gift.paid.0,
            value_gold: gift.value.0,
            blind_box_name: gift.blind_box.as_ref().map(|blind_box| blind_box.name.clone()),
            blind_box_price_gold: gift.blind_box.as_ref().map(|blind_box| blind_box.price.0),
            receiver_uid: gift.receiver.as_ref().map(|receiver| receiver.uid.0 as i64),
            receiver_name: gift.receiver.as_ref().map(|receiver| receiver.username.clone()),
        }
    }
}

impl From<GiftRow> for Event {
    fn from(row: GiftRow) -> Event {
        let body = Body::Gift(Gift {
            gift_id: row.gift_id,
            gift_name: row.gift_name,
            num: row.num.unwrap_or(1),
            coin_type: if row.coin_type == CoinType::Gold.as_str() { CoinType::Gold } else { CoinType::Silver },
            price: Gold(row.price_gold),
            paid: Gold(row.paid_gold),
            value: Gold(row.value_gold),
            blind_box: row
                .blind_box_name
                .map(|name| BlindBox { name, price: Gold(row.blind_box_price_gold.unwrap_or(0)) }),
            receiver: row
                .receiver_uid
                .map(|uid| Receiver { uid: Uid(uid as u64), username: row.receiver_name.unwrap_or_default() }),
            medal: medal_of(row.medal_name, row.medal_level.unwrap_or(0)),
        });
        common!(row).into_event(body)
    }
}

/// A super chat.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = live_data_superchat, treat_none_as_default_value = false)]
pub(super) struct SuperChatRow {
    event_id: String,
    room_id: i64,
    uid: i64,
    username: String,
    super_chat_id: i64,
    message: String,
    price: f64,
    paid_gold: i64,
    start_time: i64,
    end_time: i64,
    timestamp: NaiveDateTime,
    received_ms: i64,
    source: String,
    masked: bool,
}

impl SuperChatRow {
    pub(super) fn new(event: &Event, super_chat: &SuperChat) -> SuperChatRow {
        SuperChatRow {
            event_id: event.id.to_string(),
            room_id: event.room_id.0 as i64,
            uid: event.user.uid.0 as i64,
            username: event.user.username.clone(),
            super_chat_id: super_chat.super_chat_id,
            message: super_chat.message.clone(),
            price: super_chat.paid.cny().as_f64(),
            paid_gold: super_chat.paid.0,
            start_time: super_chat.start_time,
            end_time: super_chat.end_time,
            timestamp: to_time(event.timestamp_ms),
            received_ms: event.received_ms,
            source: event.source.as_str().to_owned(),
            masked: event.user.masked,
        }
    }
}

impl From<SuperChatRow> for Event {
    fn from(row: SuperChatRow) -> Event {
        let body = Body::SuperChat(SuperChat {
            super_chat_id: row.super_chat_id,
            message: row.message,
            paid: Gold(row.paid_gold),
            start_time: row.start_time,
            end_time: row.end_time,
        });
        common!(row).into_event(body)
    }
}

/// A guard bought or renewed.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = live_data_guard, treat_none_as_default_value = false)]
pub(super) struct GuardRow {
    event_id: String,
    room_id: i64,
    uid: i64,
    username: String,
    guard_level: i64,
    num: i64,
    unit: String,
    price: f64,
    paid_gold: i64,
    estimated: bool,
    timestamp: NaiveDateTime,
    received_ms: i64,
    source: String,
    masked: bool,
}

impl GuardRow {
    pub(super) fn new(event: &Event, guard: &Guard) -> GuardRow {
        GuardRow {
            event_id: event.id.to_string(),
            room_id: event.room_id.0 as i64,
            uid: event.user.uid.0 as i64,
            username: event.user.username.clone(),
            guard_level: guard.guard_level,
            num: guard.num,
            unit: guard.unit.clone(),
            price: guard.paid.cny().as_f64(),
            paid_gold: guard.paid.0,
            estimated: guard.estimated,
            timestamp: to_time(event.timestamp_ms),
            received_ms: event.received_ms,
            source: event.source.as_str().to_owned(),
            masked: event.user.masked,
        }
    }
}

impl From<GuardRow> for Event {
    fn from(row: GuardRow) -> Event {
        let body = Body::Guard(Guard {
            guard_level: row.guard_level,
            num: row.num,
            unit: row.unit,
            paid: Gold(row.paid_gold),
            estimated: row.estimated,
        });
        common!(row).into_event(body)
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
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = live_data_gauge, treat_none_as_default_value = false, treat_none_as_null = true)]
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
