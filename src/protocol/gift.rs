//! Gifts: `SEND_GIFT` (JSON) and `SEND_GIFT_V2` (protobuf), which rooms switch between at any time.
//!
//! Both become the same [`Item`]s, and those events. Not here: combo messages, which only sum up gifts that
//! were already sent; names and pictures of gifts.
//!
//! Invariants: a gift is worth what its own message says, in whole gold, and nothing if it is silver; what
//! came out of a blind box stands for what was paid only if the message says neither that nor what the
//! box costs; a message with a price or number that no purchase has is no gift at all; and one gift has one id in either form: its transaction, its number and its place among
//! equals in the message.

use std::collections::HashMap;

use serde::{Deserialize, de::IgnoredAny};

use super::{
    command::{Events, Message, Unreadable},
    lenient::{Int, List, Object, Text, amount},
    pb, purchase,
    user::{OldMedal, UserInfo, worn},
};
use crate::domain::{BlindBox, Body, CoinType, Gift, Gold, Medal, Receiver, Uid, User};

/// Decodes a gift message of either form.
pub fn decode(message: &Message) -> Events {
    let (giver, items) = match message.protobuf::<pb::SendGift>()? {
        Some(gifts) => from_protobuf(gifts),
        None => from_json(message.payload()?),
    };
    if items.is_empty() {
        return Err(Unreadable::Missing("gift"));
    }
    let mut seen: HashMap<(String, i64), u32> = HashMap::new();
    let events = items.into_iter().map(|item| {
        let transaction = item.transaction(&giver.user, message.msg_id);
        let place = seen.entry((transaction.clone(), item.gift_id)).or_default();
        let facts = ["gift", &transaction, &item.gift_id.to_string(), &place.to_string()];
        *place += 1;
        let timestamp_ms = message.arrival.time_ms(item.timestamp.positive().or(message.send_time));
        let body = Body::Gift(item.gift(giver.medal.clone())?);
        let event = message.arrival.event(timestamp_ms, giver.user.clone(), body, &facts);
        Ok(purchase::read_from(message.name, event))
    });
    events.collect()
}

/// 辣条: never for sale, but with a price in messages of 2017, which do not say whether a gift is.
const LATIAO: i64 = 1;

/// Who gave.
struct Giver {
    user: User,
    medal: Option<Medal>,
}

/// One gift in either form, before it is worth anything.
#[derive(Default)]
struct Item {
    gift_id: i64,
    gift_name: String,
    num: Int,
    price: Int,
    discount_price: Int,
    total_coin: Int,
    coin_type: Text,
    tid: Option<String>,
    rnd: Option<String>,
    combo: String,
    timestamp: Int,
    blind_gift: Option<BlindGift>,
    in_bag: bool,
    receiver: Option<(Int, Text)>,
}

impl Item {
    /// What tells this purchase from all others.
    fn transaction(&self, user: &User, msg_id: &str) -> String {
        if let Some(tid) = &self.tid {
            return tid.clone();
        }
        // Before 2021 `rnd` was drawn once per page or per click, so it needs company.
        let rnd = self.rnd.as_deref().unwrap_or("");
        let User { uid, username, .. } = user;
        let (num, total) = (self.num.or_zero(), self.total_coin.or_zero());
        format!("{rnd}/{uid}/{username}/{num}/{total}/{}/{msg_id}", self.combo)
    }

    fn gift(self, medal: Option<Medal>) -> Result<Gift, Unreadable> {
        let num = purchase::number(self.num)?;
        let listed = purchase::gold("price", self.price)?.unwrap_or_default();
        let discounted = purchase::gold("discount_price", self.discount_price)?.filter(|price| !price.is_zero());
        let total = purchase::gold("total_coin", self.total_coin)?;
        let box_price = self.blind_gift.as_ref().map_or(Int(None), |blind| blind.price);
        let box_price = purchase::gold("original_gift_price", box_price)?.filter(|price| !price.is_zero());
        let worth_something = self.price.positive().or(self.total_coin.positive()).is_some();
        let coin_type = match self.coin_type.0.as_deref().map(str::trim) {
            Some(name) if name.eq_ignore_ascii_case("gold") => CoinType::Gold,
            None | Some("") if worth_something && self.gift_id != LATIAO => CoinType::Gold,
            _ => CoinType::Silver,
        };
        let free = coin_type == CoinType::Silver;
        let price = if free { Gold::ZERO } else { listed };
        let value = purchase::total("price", price, num)?;
        let paid = match (total, box_price, discounted) {
            _ if free || self.in_bag => Gold::ZERO,
            (Some(total), _, _) => total,
            (None, Some(box_price), _) => purchase::total("original_gift_price", box_price, num)?,
            (None, None, Some(discounted)) => purchase::total("discount_price", discounted, num)?,
            (None, None, None) => value,
        };
        let blind_box = self
            .blind_gift
            .map(|blind| BlindBox { name: blind.name.or_empty(), price: box_price.unwrap_or(Gold(paid.0 / num)) });
        let receiver = self.receiver.and_then(|(uid, username)| {
            let uid = uid.positive().and_then(|uid| u64::try_from(uid).ok())?;
            Some(Receiver { uid: Uid(uid), username: username.or_empty() })
        });
        Ok(Gift {
            gift_id: self.gift_id,
            gift_name: self.gift_name,
            num,
            coin_type,
            price,
            paid,
            value: if self.in_bag { Gold::ZERO } else { value },
            blind_box,
            receiver,
            medal,
        })
    }
}

/// `data` of `SEND_GIFT`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SendGift {
    #[serde(rename = "giftId")]
    gift_id: Int,
    #[serde(rename = "gift_id")]
    gift_id_snake: Int,
    #[serde(rename = "giftName")]
    gift_name: Text,
    #[serde(rename = "gift_name")]
    gift_name_snake: Text,
    #[serde(deserialize_with = "amount")]
    num: Int,
    #[serde(deserialize_with = "amount")]
    price: Int,
    #[serde(deserialize_with = "amount")]
    discount_price: Int,
    #[serde(deserialize_with = "amount")]
    total_coin: Int,
    coin_type: Text,
    tid: Text,
    rnd: Text,
    batch_combo_id: Text,
    combo_total_coin: Int,
    super_gift_num: Int,
    super_batch_gift_num: Int,
    timestamp: Int,
    blind_gift: Object<BlindGift>,
    bag_gift: Object<Anything>,
    uid: Int,
    uname: Text,
    medal_info: Object<OldMedal>,
    medal: Object<OldMedal>,
    sender_uinfo: Object<UserInfo>,
    receive_user_info: Object<ReceiveUser>,
    receiver_uinfo: Object<UserInfo>,
    send_master: Object<ReceiveUser>,
    gift_list: List<Object<SendGift>>,
}

/// An object of which only counts whether there is anything in it.
type Anything = HashMap<String, IgnoredAny>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct BlindGift {
    #[serde(rename = "original_gift_name")]
    name: Text,
    #[serde(rename = "original_gift_price", deserialize_with = "amount")]
    price: Int,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReceiveUser {
    uid: Int,
    uname: Text,
}

fn from_json(mut gift: SendGift) -> (Giver, Vec<Item>) {
    let sender = gift.sender_uinfo.0.take().unwrap_or_default();
    let (user, medal) = sender.user(gift.uid, std::mem::take(&mut gift.uname));
    let medal = medal
        .or_else(|| gift.medal_info.0.take().and_then(OldMedal::worn))
        .or_else(|| gift.medal.0.take().and_then(OldMedal::worn));
    let mut listed: Vec<SendGift> =
        std::mem::take(&mut gift.gift_list.0).into_iter().filter_map(|gift| gift.0).collect();
    for item in &mut listed {
        item.come_out_of(&gift);
    }
    // What stands in the list and beside it is one gift.
    let own = Some(gift).filter(|gift| listed.iter().all(|listed| listed.tid != gift.tid));
    (Giver { user, medal }, listed.into_iter().chain(own).filter_map(item_of_json).collect())
}

impl SendGift {
    /// What the message says beside its list, it says of every item.
    fn come_out_of(&mut self, message: &SendGift) {
        if self.blind_gift.0.is_none() {
            self.blind_gift.0.clone_from(&message.blind_gift.0);
        }
        self.timestamp = self.timestamp.or(message.timestamp);
        self.coin_type = std::mem::take(&mut self.coin_type).or(message.coin_type.clone());
    }
}

fn item_of_json(gift: SendGift) -> Option<Item> {
    let gift_id = gift.gift_id.or(gift.gift_id_snake).positive();
    let gift_name = gift.gift_name.or(gift.gift_name_snake).filled();
    if gift_id.is_none() && gift_name.is_none() {
        return None;
    }
    let receiver = match (gift.receive_user_info.0, gift.receiver_uinfo.0, gift.send_master.0) {
        (Some(receiver), ..) if receiver.uid.positive().is_some() => Some((receiver.uid, receiver.uname)),
        (_, Some(uinfo), _) => Some((uinfo.uid, uinfo.base.or_default().name)),
        // Messages of before 2023 name nobody else: the guest that the gift is meant for.
        (_, _, Some(master)) => Some((master.uid, master.uname)),
        _ => None,
    };
    Some(Item {
        gift_id: gift_id.unwrap_or(0),
        gift_name: gift_name.unwrap_or_default(),
        num: gift.num,
        price: gift.price,
        discount_price: gift.discount_price,
        total_coin: gift.total_coin,
        coin_type: gift.coin_type,
        tid: gift.tid.number(),
        rnd: gift.rnd.number(),
        combo: format!(
            "{}/{}/{}/{}",
            gift.batch_combo_id.or_empty(),
            gift.combo_total_coin.or_zero(),
            gift.super_gift_num.or_zero(),
            gift.super_batch_gift_num.or_zero()
        ),
        timestamp: gift.timestamp,
        blind_gift: gift.blind_gift.0,
        in_bag: !gift.bag_gift.or_default().is_empty(),
        receiver,
    })
}

fn from_protobuf(gifts: pb::SendGift) -> (Giver, Vec<Item>) {
    let sender = gifts.sender_uinfo.map(UserInfo::from).unwrap_or_default();
    let (user, medal) = sender.user(Int(Some(gifts.uid)), gifts.uname.into());
    let old_medal = gifts.medal_info.and_then(|medal| worn(medal.name.into(), Int(Some(medal.level))));
    let medal = medal.or(old_medal);
    let blind_gift = gifts.blind_gift.filter(|blind| blind.gift_id != 0 || !blind.name.is_empty());
    let master = gifts.send_master;
    let items = gifts.items.into_iter().map(|item| item_of_protobuf(item, blind_gift.as_ref(), master.as_ref()));
    (Giver { user, medal }, items.collect())
}

fn item_of_protobuf(item: pb::GiftItem, blind_gift: Option<&pb::BlindGift>, master: Option<&pb::Master>) -> Item {
    let receiver = match (item.receive_user_info, item.receiver_uinfo, master) {
        (Some(receiver), ..) if receiver.uid > 0 => Some((Int(Some(receiver.uid)), receiver.uname.into())),
        (_, Some(uinfo), _) => {
            Some((Int(Some(uinfo.uid)), uinfo.base.map(|base| base.name).unwrap_or_default().into()))
        }
        (_, _, Some(master)) => Some((Int(Some(master.uid)), master.uname.clone().into())),
        _ => None,
    };
    Item {
        gift_id: item.gift_id,
        gift_name: Text::from(item.gift_name).or_empty(),
        num: Int(Some(item.num)),
        price: Int(Some(item.price)),
        discount_price: Int(Some(item.discount_price)),
        // An absent number is a zero here, so nothing has to be guessed.
        total_coin: Int(Some(item.total_coin)),
        coin_type: item.coin_type.into(),
        tid: Text::from(item.tid).number(),
        rnd: None,
        combo: format!("{}/{}", Text::from(item.batch_combo_id).or_empty(), item.super_batch_gift_num),
        timestamp: Int(Some(item.timestamp)),
        blind_gift: blind_gift
            .map(|blind| BlindGift { name: Text::from(blind.name.clone()), price: Int(Some(blind.price)) }),
        in_bag: !item.bag_gift.is_empty(),
        receiver,
    }
}

#[cfg(test)]
#[path = "gift_tests.rs"]
mod tests;
