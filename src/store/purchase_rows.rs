//! Purchases as rows, and rows as purchases: gifts, super chats, guards.
//!
//! Each row says what it was read from (`command`, `rule`), so that its amount can be explained, and read anew
//! should a rule change. Amounts stand there in gold, which is what is summed, and in CNY for people.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use super::{
    rows::{Common, common, medal_columns, medal_of, to_time},
    schema::{live_data_giftdata, live_data_guard, live_data_superchat},
};
use crate::domain::{Alias, BlindBox, Body, CoinType, Event, Gift, Gold, Guard, Origin, Receiver, SuperChat, Uid};

/// Whether a gift went to somebody else than the room's streamer; not, as far as either is unknown.
pub(super) fn is_for_another(gift: &Gift, streamer: Uid) -> bool {
    let unknown = Uid(0);
    let receiver = gift.receiver.as_ref().map_or(unknown, |receiver| receiver.uid);
    streamer != unknown && receiver != unknown && receiver != streamer
}

fn origin_columns(event: &Event) -> (Option<String>, Option<i64>) {
    event.origin.as_ref().map(|origin| (origin.command.clone(), origin.rule)).unzip()
}

fn open_id_of(event: &Event) -> Option<String> {
    event.user.open_id().map(str::to_owned)
}

/// What a row of a purchase says beside what every event has.
fn with_origin(mut event: Event, command: Option<String>, rule: Option<i64>, open_id: Option<String>) -> Event {
    event.origin = command.map(|command| Origin { command, rule: rule.unwrap_or(0) });
    event.user.alias = open_id.map(Alias::OpenId);
    event
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
    command: Option<String>,
    rule: Option<i64>,
    open_id: Option<String>,
    to_other: bool,
}

impl GiftRow {
    /// `streamer` is the room's, 0 while unknown.
    pub(super) fn new(event: &Event, gift: &Gift, streamer: Uid) -> GiftRow {
        let (medal_name, medal_level) = medal_columns(&gift.medal);
        let (command, rule) = origin_columns(event);
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
            command,
            rule,
            open_id: open_id_of(event),
            to_other: is_for_another(gift, streamer),
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
        with_origin(common!(row).into_event(body), row.command, row.rule, row.open_id)
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
    command: Option<String>,
    rule: Option<i64>,
    open_id: Option<String>,
}

impl SuperChatRow {
    pub(super) fn new(event: &Event, super_chat: &SuperChat) -> SuperChatRow {
        let (command, rule) = origin_columns(event);
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
            command,
            rule,
            open_id: open_id_of(event),
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
        with_origin(common!(row).into_event(body), row.command, row.rule, row.open_id)
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
    command: Option<String>,
    rule: Option<i64>,
    open_id: Option<String>,
}

impl GuardRow {
    pub(super) fn new(event: &Event, guard: &Guard) -> GuardRow {
        let (command, rule) = origin_columns(event);
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
            command,
            rule,
            open_id: open_id_of(event),
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
            explains: None,
        });
        with_origin(common!(row).into_event(body), row.command, row.rule, row.open_id)
    }
}
