//! The one JSON shape of an event: push, API, Redis lists, spool and export all use it.
//!
//! `Wire` is the contract's table of fields, flat; a field that is absent is unknown. Amounts stand
//! there twice, in CNY for people and in gold for arithmetic; only the gold is read back.
//!
//! Invariant: what stands for a masked user is written only where [`Kept`] says so, which is between our own
//! stores: nobody else can read it out of an event.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    event::{
        BlindBox, Body, CoinType, Danmaku, Event, Gauge, Gift, Guard, Kind, Origin, Receiver, RoomNotice, Source,
        SuperChat,
    },
    event_id::EventId,
    money::{Cny, Gold},
    room::{RoomId, Uid},
    user::{Alias, Medal, User},
};

/// Every field of the contract, flat. The first block is in every event, the others as its kind has them.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    id: EventId,
    kind: Kind,
    room_id: RoomId,
    timestamp: i64,
    timestamp_ms: i64,
    received_ms: i64,
    uid: Uid,
    #[serde(borrow)]
    username: Cow<'a, str>,
    masked: bool,
    source: Source,
    /// How the Open Live platform names the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_id: Option<Cow<'a, str>>,
    /// Stands for a masked user; for our own stores only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_hash: Option<u32>,
    /// The command that a purchase was read from, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Cow<'a, str>>,
    /// ... and the version of the rules by which it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<i64>,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    medal_name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    medal_level: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_level: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guard_level: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_admin: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_vip: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lottery: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    emoticon_url: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<Cow<'a, str>>,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    gift_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gift_name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    num: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    coin_type: Option<CoinType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<Cny>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total_price: Option<Cny>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price_gold: Option<Gold>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paid_gold: Option<Gold>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_gold: Option<Gold>,
    /// Outer none: not a gift. Inner none: written as null, the gift came out of no box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blind_box: Option<Option<Cow<'a, BlindBox>>>,
    /// As `blind_box`: null means that the message names no receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receiver: Option<Option<Cow<'a, Receiver>>>,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    super_chat_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ids: Option<Cow<'a, [i64]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    estimated: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    explains: Option<EventId>,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    area_name: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    live_key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    popularity: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watched: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    online_rank: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    online: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    likes: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fans: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fans_club: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guards: Option<i64>,
}

impl<'a> Wire<'a> {
    /// The common fields of an event, nothing of its kind.
    fn bare(event: &'a Event) -> Wire<'a> {
        Wire {
            id: event.id,
            kind: event.kind(),
            room_id: event.room_id,
            timestamp: event.timestamp_ms.div_euclid(1000),
            timestamp_ms: event.timestamp_ms,
            received_ms: event.received_ms,
            uid: event.user.uid,
            username: Cow::Borrowed(&event.user.username),
            masked: event.user.masked,
            source: event.source,
            open_id: event.user.open_id().map(Cow::Borrowed),
            user_hash: None,
            command: event.origin.as_ref().map(|origin| Cow::Borrowed(origin.command.as_str())),
            rule: event.origin.as_ref().map(|origin| origin.rule),
            message: None,
            medal_name: None,
            medal_level: None,
            user_level: None,
            guard_level: None,
            is_admin: None,
            is_vip: None,
            lottery: None,
            emoticon_url: None,
            reply_to: None,
            gift_id: None,
            gift_name: None,
            num: None,
            unit: None,
            coin_type: None,
            price: None,
            total_price: None,
            price_gold: None,
            paid_gold: None,
            value_gold: None,
            blind_box: None,
            receiver: None,
            super_chat_id: None,
            start_time: None,
            end_time: None,
            ids: None,
            estimated: None,
            explains: None,
            title: None,
            area_name: None,
            live_key: None,
            text: None,
            popularity: None,
            watched: None,
            online_rank: None,
            online: None,
            likes: None,
            fans: None,
            fans_club: None,
            guards: None,
        }
    }

    fn wearing(mut self, medal: &'a Option<Medal>) -> Wire<'a> {
        self.medal_name = medal.as_ref().map(|medal| Cow::Borrowed(medal.name.as_str()));
        self.medal_level = medal.as_ref().map(|medal| medal.level);
        self
    }

    fn about_room(mut self, notice: &'a RoomNotice) -> Wire<'a> {
        self.title = notice.title.as_deref().map(Cow::Borrowed);
        self.area_name = notice.area_name.as_deref().map(Cow::Borrowed);
        self.live_key = notice.live_key.as_deref().map(Cow::Borrowed);
        self.text = notice.text.as_deref().map(Cow::Borrowed);
        self
    }
}

impl<'a> From<&'a Event> for Wire<'a> {
    fn from(event: &'a Event) -> Wire<'a> {
        let wire = Wire::bare(event);
        match &event.body {
            Body::Danmaku(danmaku) => Wire {
                message: Some(Cow::Borrowed(&danmaku.message)),
                user_level: danmaku.user_level,
                guard_level: Some(danmaku.guard_level),
                is_admin: Some(danmaku.is_admin),
                is_vip: Some(danmaku.is_vip),
                lottery: Some(danmaku.lottery),
                emoticon_url: danmaku.emoticon_url.as_deref().map(Cow::Borrowed),
                reply_to: danmaku.reply_to.as_deref().map(Cow::Borrowed),
                ..wire.wearing(&danmaku.medal)
            },
            Body::Gift(gift) => Wire {
                gift_id: Some(gift.gift_id),
                gift_name: Some(Cow::Borrowed(&gift.gift_name)),
                num: Some(gift.num),
                coin_type: Some(gift.coin_type),
                price: Some(gift.price.cny()),
                total_price: Some(gift.paid.cny()),
                price_gold: Some(gift.price),
                paid_gold: Some(gift.paid),
                value_gold: Some(gift.value),
                blind_box: Some(gift.blind_box.as_ref().map(Cow::Borrowed)),
                receiver: Some(gift.receiver.as_ref().map(Cow::Borrowed)),
                ..wire.wearing(&gift.medal)
            },
            Body::SuperChat(super_chat) => Wire {
                super_chat_id: Some(super_chat.super_chat_id),
                message: Some(Cow::Borrowed(&super_chat.message)),
                price: Some(super_chat.paid.cny()),
                paid_gold: Some(super_chat.paid),
                start_time: Some(super_chat.start_time),
                end_time: Some(super_chat.end_time),
                ..wire
            },
            Body::SuperChatDelete { ids } => Wire { ids: Some(Cow::Borrowed(ids)), ..wire },
            Body::Guard(guard) => Wire {
                guard_level: Some(guard.guard_level),
                num: Some(guard.num),
                unit: Some(Cow::Borrowed(&guard.unit)),
                price: Some(guard.paid.cny()),
                paid_gold: Some(guard.paid),
                estimated: Some(guard.estimated),
                explains: guard.explains,
                ..wire
            },
            Body::Enter(medal) | Body::Follow(medal) | Body::Share(medal) | Body::Like(medal) => wire.wearing(medal),
            Body::Live(notice)
            | Body::Preparing(notice)
            | Body::CutOff(notice)
            | Body::Warning(notice)
            | Body::RoomLock(notice)
            | Body::RoomChange(notice) => wire.about_room(notice),
            Body::Gauge(gauge) => Wire {
                popularity: gauge.popularity,
                watched: gauge.watched,
                online_rank: gauge.online_rank,
                online: gauge.online,
                likes: gauge.likes,
                fans: gauge.fans,
                fans_club: gauge.fans_club,
                guards: gauge.guards,
                ..wire
            },
        }
    }
}

/// A field that an event of this kind must have is not there.
fn need<T>(field: &'static str, value: Option<T>) -> Result<T, &'static str> {
    value.ok_or(field)
}

impl TryFrom<Wire<'_>> for Event {
    type Error = &'static str;

    /// Fails with the name of the first field that is missing.
    fn try_from(wire: Wire<'_>) -> Result<Event, &'static str> {
        let medal = match (wire.medal_name, wire.medal_level) {
            (Some(name), Some(level)) => Some(Medal { name: name.into_owned(), level }),
            _ => None,
        };
        let notice = RoomNotice {
            title: wire.title.map(Cow::into_owned),
            area_name: wire.area_name.map(Cow::into_owned),
            live_key: wire.live_key.map(Cow::into_owned),
            text: wire.text.map(Cow::into_owned),
        };
        let body = match wire.kind {
            Kind::Danmaku => Body::Danmaku(Danmaku {
                message: need("message", wire.message)?.into_owned(),
                medal,
                user_level: wire.user_level,
                guard_level: wire.guard_level.unwrap_or(0),
                is_admin: wire.is_admin.unwrap_or(false),
                is_vip: wire.is_vip.unwrap_or(false),
                lottery: wire.lottery.unwrap_or(false),
                emoticon_url: wire.emoticon_url.map(Cow::into_owned),
                reply_to: wire.reply_to.map(Cow::into_owned),
            }),
            Kind::Gift => Body::Gift(Gift {
                gift_id: need("gift_id", wire.gift_id)?,
                gift_name: need("gift_name", wire.gift_name)?.into_owned(),
                num: need("num", wire.num)?,
                coin_type: need("coin_type", wire.coin_type)?,
                price: need("price_gold", wire.price_gold)?,
                paid: need("paid_gold", wire.paid_gold)?,
                value: need("value_gold", wire.value_gold)?,
                blind_box: wire.blind_box.flatten().map(Cow::into_owned),
                receiver: wire.receiver.flatten().map(Cow::into_owned),
                medal,
            }),
            Kind::SuperChat => Body::SuperChat(SuperChat {
                super_chat_id: need("super_chat_id", wire.super_chat_id)?,
                message: need("message", wire.message)?.into_owned(),
                paid: need("paid_gold", wire.paid_gold)?,
                start_time: need("start_time", wire.start_time)?,
                end_time: need("end_time", wire.end_time)?,
            }),
            Kind::SuperChatDelete => Body::SuperChatDelete { ids: need("ids", wire.ids)?.into_owned() },
            Kind::Guard => Body::Guard(Guard {
                guard_level: need("guard_level", wire.guard_level)?,
                num: need("num", wire.num)?,
                unit: need("unit", wire.unit)?.into_owned(),
                paid: need("paid_gold", wire.paid_gold)?,
                estimated: wire.estimated.unwrap_or(false),
                explains: wire.explains,
            }),
            Kind::Enter => Body::Enter(medal),
            Kind::Follow => Body::Follow(medal),
            Kind::Share => Body::Share(medal),
            Kind::Like => Body::Like(medal),
            Kind::Live => Body::Live(notice),
            Kind::Preparing => Body::Preparing(notice),
            Kind::CutOff => Body::CutOff(notice),
            Kind::Warning => Body::Warning(notice),
            Kind::RoomLock => Body::RoomLock(notice),
            Kind::RoomChange => Body::RoomChange(notice),
            Kind::Gauge => Body::Gauge(Gauge {
                popularity: wire.popularity,
                watched: wire.watched,
                online_rank: wire.online_rank,
                online: wire.online,
                likes: wire.likes,
                fans: wire.fans,
                fans_club: wire.fans_club,
                guards: wire.guards,
            }),
        };
        let alias = match (wire.open_id, wire.user_hash) {
            (Some(open_id), _) => Some(Alias::OpenId(open_id.into_owned())),
            (None, hash) => hash.map(Alias::Hash),
        };
        let origin = wire.command.map(|command| Origin { command: command.into_owned(), rule: wire.rule.unwrap_or(0) });
        Ok(Event {
            id: wire.id,
            room_id: wire.room_id,
            timestamp_ms: wire.timestamp_ms,
            received_ms: wire.received_ms,
            source: wire.source,
            user: User { uid: wire.uid, username: wire.username.into_owned(), masked: wire.masked, alias },
            origin,
            body,
        })
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::from(self).serialize(serializer)
    }
}

/// An event as our own stores keep it: with what stands for a masked user, so that heads can be counted.
pub struct Kept<'a>(pub &'a Event);

impl Serialize for Kept<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire { user_hash: self.0.user.hash(), ..Wire::from(self.0) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        Event::try_from(Wire::deserialize(deserializer)?).map_err(D::Error::missing_field)
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
