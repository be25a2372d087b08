//! The stream of the Open Live platform: `LIVE_OPEN_PLATFORM_*`.
//!
//! The same events as of the web's commands, from messages of their own. Users have an `open_id` instead of a number
//! (older messages: both). Not here: getting into that stream (`openlive`).
//!
//! Invariants: `paid` says whether a gift cost anything, whatever the prices say; one fact has one id however often
//! it comes, by its `msg_id`; a mirrored chat line is no chat of this room.

use serde::Deserialize;

use super::{
    command::{Decoded, Message, Unreadable},
    guards::{Bought, bought, is_level, list_price},
    lenient::{Int, List, Object, Text, Thousandths, amount},
    purchase,
    signal::Signal,
    superchat,
    user::worn,
};
use crate::domain::{
    Alias, BlindBox, Body, CoinType, Danmaku, Event, Gift, Gold, Guard, Medal, Receiver, RoomNotice, Uid, User,
};

/// Decodes a command of that name, `LIVE_OPEN_PLATFORM_` cut off; none if it is not one of them.
pub fn decode(name: &str, message: &Message) -> Option<Result<Decoded, Unreadable>> {
    let read: fn(&Message, Fields) -> Result<Event, Unreadable> = match name {
        "DM" => danmaku,
        "SEND_GIFT" => gift,
        "GUARD" => guard,
        "SUPER_CHAT" => super_chat,
        "SUPER_CHAT_DEL" => super_chat_deletion,
        "LIKE" => like,
        "LIVE_ROOM_ENTER" => enter,
        "LIVE_START" => start,
        "LIVE_END" => end,
        "DM_MIRROR" => return Some(Ok(Decoded::Signal(Signal::MirroredChat))),
        "INTERACTION_END" => return Some(interaction_end(message)),
        _ => return None,
    };
    let event = message.payload().map_err(Unreadable::from).and_then(|fields| read(message, fields));
    Some(event.map(|event| Decoded::Events(vec![event])))
}

fn interaction_end(message: &Message) -> Result<Decoded, Unreadable> {
    let fields: Fields = message.payload()?;
    Ok(Decoded::Signal(Signal::SessionEnded(fields.game_id.or_empty())))
}

fn danmaku(message: &Message, mut fields: Fields) -> Result<Event, Unreadable> {
    let text = std::mem::take(&mut fields.msg).0.ok_or(Unreadable::Missing("msg"))?;
    let body = Danmaku {
        message: text.clone(),
        medal: fields.medal(),
        user_level: None,
        guard_level: fields.guard_level.not_negative().unwrap_or(0),
        is_admin: fields.is_admin.is_set(),
        is_vip: false,
        lottery: false,
        emoticon_url: std::mem::take(&mut fields.emoji_img_url).filled(),
        reply_to: std::mem::take(&mut fields.reply_uname).filled(),
    };
    Ok(fields.event(message, Body::Danmaku(body), &["danmaku", &text]))
}

fn gift(message: &Message, mut fields: Fields) -> Result<Event, Unreadable> {
    let num = purchase::number(fields.gift_num)?;
    let listed = purchase::gold("price", fields.price)?.unwrap_or_default();
    let real = purchase::gold("r_price", fields.r_price)?;
    let is_paid = match fields.paid.0 {
        Some(paid) => paid != 0,
        None => real.is_some_and(|price| !price.is_zero()),
    };
    let (price, piece) = if is_paid { (listed, real.unwrap_or(listed)) } else { (Gold::ZERO, Gold::ZERO) };
    let blind = std::mem::take(&mut fields.blind_gift).or_default();
    let anchor = std::mem::take(&mut fields.anchor_info).or_default();
    let gift_id = fields.gift_id.or_zero();
    let body = Gift {
        gift_id,
        gift_name: std::mem::take(&mut fields.gift_name).or_empty(),
        num,
        coin_type: if is_paid { CoinType::Gold } else { CoinType::Silver },
        price,
        paid: purchase::total("r_price", piece, num)?,
        value: purchase::total("price", price, num)?,
        // The message has the number of the box, and not what it costs.
        blind_box: blind.status.is_set().then(|| BlindBox { name: blind.blind_gift_id.or_empty(), price: Gold::ZERO }),
        receiver: anchor
            .uid
            .positive()
            .and_then(|uid| u64::try_from(uid).ok())
            .map(|uid| Receiver { uid: Uid(uid), username: anchor.uname.or_empty() }),
        medal: fields.medal(),
    };
    let event = fields.event(message, Body::Gift(body), &["gift", &gift_id.to_string(), &num.to_string()]);
    Ok(purchase::read_from(message.name, event))
}

fn guard(message: &Message, mut fields: Fields) -> Result<Event, Unreadable> {
    if let Some(user) = fields.user_info.0.take() {
        fields.uid = user.uid;
        fields.open_id = user.open_id;
        fields.uname = user.uname;
    }
    let guard_level = fields.guard_level.0.filter(is_level).ok_or(Unreadable::Missing("guard_level"))?;
    let unit = std::mem::take(&mut fields.guard_unit);
    let Bought { num, unit, price } = bought(guard_level, fields.guard_num, unit, fields.price, false)?;
    let body = Guard {
        guard_level,
        num,
        // Messages of 2022 have no price.
        paid: price.unwrap_or_else(|| list_price(guard_level, num, &unit)),
        unit,
        estimated: price.is_none(),
        explains: None,
    };
    let event = fields.event(message, Body::Guard(body), &["guard", &guard_level.to_string(), &num.to_string()]);
    Ok(purchase::read_from(message.name, event))
}

fn super_chat(message: &Message, mut fields: Fields) -> Result<Event, Unreadable> {
    let id = fields.message_id.or_zero();
    let paid = purchase::gold("rmb in gold", Int(fields.rmb.0))?.ok_or(Unreadable::Missing("rmb"))?;
    let started = fields.start_time.positive().or(fields.timestamp.positive()).or(message.send_time);
    let timestamp_ms = message.arrival.time_ms(started);
    let text = std::mem::take(&mut fields.message).or_empty();
    let body = superchat::on_display(id, text.clone(), paid, timestamp_ms / 1000, fields.end_time, Int(None));
    let (msg_id, user) = (std::mem::take(&mut fields.msg_id).or_empty(), fields.user());
    let number = id.to_string();
    let facts = match id {
        0 => vec!["super_chat", &user.username, &text, &msg_id],
        _ => vec!["super_chat", number.as_str()],
    };
    let event = message.arrival.event(timestamp_ms, user.clone(), Body::SuperChat(body), &facts);
    Ok(purchase::read_from(message.name, event))
}

fn super_chat_deletion(message: &Message, mut fields: Fields) -> Result<Event, Unreadable> {
    let ids: Vec<i64> = std::mem::take(&mut fields.message_ids.0).into_iter().filter_map(Int::positive).collect();
    if ids.is_empty() {
        return Err(Unreadable::Missing("message_ids"));
    }
    let all = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let body = Body::SuperChatDelete { ids };
    Ok(message.arrival.event(message.sent_ms(), User::default(), body, &["super_chat_delete", &all]))
}

fn like(message: &Message, fields: Fields) -> Result<Event, Unreadable> {
    let medal = fields.medal();
    Ok(fields.event(message, Body::Like(medal), &["like"]))
}

fn enter(message: &Message, fields: Fields) -> Result<Event, Unreadable> {
    let medal = fields.medal();
    Ok(fields.event(message, Body::Enter(medal), &["enter"]))
}

fn start(message: &Message, mut fields: Fields) -> Result<Event, Unreadable> {
    let notice = fields.notice();
    Ok(fields.about_room(message, Body::Live(notice), "live"))
}

fn end(message: &Message, mut fields: Fields) -> Result<Event, Unreadable> {
    let notice = fields.notice();
    Ok(fields.about_room(message, Body::Preparing(notice), "preparing"))
}

/// The fields of all these commands.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    uid: Int,
    open_id: Text,
    uname: Text,
    timestamp: Int,
    msg_id: Text,
    msg: Text,
    guard_level: Int,
    is_admin: Int,
    emoji_img_url: Text,
    reply_uname: Text,
    fans_medal_wearing_status: Int,
    fans_medal_name: Text,
    fans_medal_level: Int,
    gift_id: Int,
    gift_name: Text,
    #[serde(deserialize_with = "amount")]
    gift_num: Int,
    #[serde(deserialize_with = "amount")]
    price: Int,
    #[serde(deserialize_with = "amount")]
    r_price: Int,
    paid: Int,
    blind_gift: Object<Blind>,
    anchor_info: Object<Person>,
    user_info: Object<Person>,
    #[serde(deserialize_with = "amount")]
    guard_num: Int,
    guard_unit: Text,
    message_id: Int,
    message_ids: List<Int>,
    message: Text,
    rmb: Thousandths,
    start_time: Int,
    end_time: Int,
    title: Text,
    area_name: Text,
    game_id: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Blind {
    blind_gift_id: Text,
    status: Int,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Person {
    uid: Int,
    open_id: Text,
    uname: Text,
}

impl Fields {
    /// Masked only if there is nothing at all by which the platform tells users apart.
    fn user(&mut self) -> User {
        let uid = self.uid.positive().and_then(|uid| u64::try_from(uid).ok()).unwrap_or(0);
        let alias = std::mem::take(&mut self.open_id).filled().map(Alias::OpenId);
        let username = std::mem::take(&mut self.uname).or_empty();
        User { uid: Uid(uid), username, masked: uid == 0 && alias.is_none(), alias }
    }

    fn medal(&self) -> Option<Medal> {
        let wears = self.fans_medal_wearing_status.0 != Some(0);
        worn(self.fans_medal_name.clone(), self.fans_medal_level).filter(|_| wears)
    }

    fn notice(&mut self) -> RoomNotice {
        RoomNotice {
            title: std::mem::take(&mut self.title).filled(),
            area_name: std::mem::take(&mut self.area_name).filled(),
            ..RoomNotice::default()
        }
    }

    /// Something that a user did.
    fn event(mut self, message: &Message, body: Body, facts: &[&str]) -> Event {
        let timestamp_ms = message.arrival.time_ms(self.timestamp.positive().or(message.send_time));
        let msg_id = std::mem::take(&mut self.msg_id).or_empty();
        let user = self.user();
        let (uid, open_id) = (user.uid.to_string(), user.open_id().unwrap_or_default().to_owned());
        let facts: Vec<&str> = facts.iter().copied().chain(["open", &msg_id, &uid, &open_id]).collect();
        message.arrival.event(timestamp_ms, user, body, &facts)
    }

    /// Something that happened to the room.
    fn about_room(self, message: &Message, body: Body, family: &str) -> Event {
        let timestamp_ms = message.arrival.time_ms(self.timestamp.positive().or(message.send_time));
        message.arrival.event(timestamp_ms, User::default(), body, &[family, "open"])
    }
}

#[cfg(test)]
#[path = "openplatform_tests.rs"]
mod tests;
