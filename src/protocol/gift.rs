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
    gift_list: List<Object<SendGift>>,
}

/// An object of which only counts whether there is anything in it.
type Anything = HashMap<String, IgnoredAny>;

#[derive(Debug, Default, Deserialize)]
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
    let listed: Vec<SendGift> = std::mem::take(&mut gift.gift_list.0).into_iter().filter_map(|gift| gift.0).collect();
    // What stands in the list and beside it is one gift.
    let own = Some(gift).filter(|gift| listed.iter().all(|listed| listed.tid != gift.tid));
    (Giver { user, medal }, listed.into_iter().chain(own).filter_map(item_of_json).collect())
}

fn item_of_json(gift: SendGift) -> Option<Item> {
    let gift_id = gift.gift_id.or(gift.gift_id_snake).positive();
    let gift_name = gift.gift_name.or(gift.gift_name_snake).filled();
    if gift_id.is_none() && gift_name.is_none() {
        return None;
    }
    let receiver = match (gift.receive_user_info.0, gift.receiver_uinfo.0) {
        (Some(receiver), _) if receiver.uid.positive().is_some() => Some((receiver.uid, receiver.uname)),
        (_, Some(uinfo)) => Some((uinfo.uid, uinfo.base.or_default().name)),
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
    let items = gifts.items.into_iter().map(|item| item_of_protobuf(item, blind_gift.as_ref()));
    (Giver { user, medal }, items.collect())
}

fn item_of_protobuf(item: pb::GiftItem, blind_gift: Option<&pb::BlindGift>) -> Item {
    let receiver = match (item.receive_user_info, item.receiver_uinfo) {
        (Some(receiver), _) if receiver.uid > 0 => Some((Int(Some(receiver.uid)), receiver.uname.into())),
        (_, Some(uinfo)) => Some((Int(Some(uinfo.uid)), uinfo.base.map(|base| base.name).unwrap_or_default().into())),
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
mod tests {
    use super::*;
    use crate::{
        domain::Event,
        protocol::{
            arrival::tests::HERE,
            command::{Decoded, decode},
            lenient::MAX_TEXT,
            pb::tests::base64_of,
        },
    };

    fn events(json: &str) -> Vec<Event> {
        match decode(json.as_bytes(), HERE) {
            Decoded::Events(events) => events,
            other => panic!("{json}: {other:?}"),
        }
    }

    fn v1(fields: &str) -> Vec<Event> {
        events(&format!(r#"{{"cmd":"SEND_GIFT","data":{{"giftId":31,"giftName":"花",{fields}}}}}"#))
    }

    fn v2(gifts: &pb::SendGift) -> Vec<Event> {
        events(&format!(r#"{{"cmd":"SEND_GIFT_V2","data":{{"pb":"{}"}}}}"#, base64_of(gifts)))
    }

    fn gift(event: &Event) -> &Gift {
        let Body::Gift(gift) = &event.body else { panic!("{event:?}") };
        gift
    }

    fn item(tid: &str) -> pb::GiftItem {
        pb::GiftItem {
            gift_id: 31,
            gift_name: "花".into(),
            num: 10,
            price: 100,
            discount_price: 90,
            total_coin: 900,
            coin_type: "gold".into(),
            tid: tid.into(),
            timestamp: 1_780_000_000,
            receive_user_info: Some(pb::ReceiveUser { uid: 5, uname: "主播".into() }),
            ..pb::GiftItem::default()
        }
    }

    fn sent(items: Vec<pb::GiftItem>) -> pb::SendGift {
        pb::SendGift { uid: 66, uname: "小猫".into(), items, ..pb::SendGift::default() }
    }

    #[test]
    fn money_is_what_the_message_says() {
        for (fields, price, paid, value) in [
            (r#""coin_type":"gold","num":10,"price":100,"total_coin":1000"#, 100, 1000, 1000),
            (r#""coin_type":"gold","num":"1","price":"100000","total_coin":"80000""#, 100_000, 80_000, 100_000),
            (r#""coin_type":"silver","num":10,"price":100,"total_coin":1000"#, 0, 0, 0),
            (r#""coin_type":"gold","num":1,"price":100,"total_coin":0"#, 100, 0, 100),
            (r#""coin_type":"gold","num":2,"price":100,"discount_price":80"#, 100, 160, 200),
            (r#""coin_type":"gold","num":2,"price":100,"discount_price":0"#, 100, 200, 200),
            (r#""num":1,"price":9900"#, 9900, 9900, 9900),
            (r#""num":1,"price":0"#, 0, 0, 0),
            (r#""coin_type":"gold","price":100"#, 100, 100, 100),
            (r#""coin_type":"gold","num":1,"price":100,"total_coin":100,"bag_gift":{"show_price":1}"#, 100, 0, 0),
            (r#""coin_type":"gold","num":1,"price":100,"total_coin":100,"bag_gift":null"#, 100, 100, 100),
            (r#""coin_type":"gold","num":1,"price":100,"total_coin":100,"bag_gift":{}"#, 100, 100, 100),
        ] {
            let events = v1(fields);
            let gift = gift(&events[0]);
            assert_eq!((gift.price, gift.paid, gift.value), (Gold(price), Gold(paid), Gold(value)), "{fields}");
        }
    }

    #[test]
    fn in_messages_of_2017_only_one_gift_is_known_to_be_free() {
        let paid = |gift_id: i64| {
            let json =
                format!(r#"{{"cmd":"SEND_GIFT","data":{{"giftId":{gift_id},"giftName":"x","num":5,"price":100}}}}"#);
            events(&json)[0].paid()
        };
        assert_eq!((paid(1), paid(6)), (Gold::ZERO, Gold(500)));
    }

    #[test]
    fn a_gift_without_a_possible_time_is_of_when_it_came() {
        for timestamp in
            ["0", "-5", "1000000000000000", "100000000000000000", "253402300800000", "9223372036854775807", "1e300"]
        {
            let events = v1(&format!(r#""price":1,"timestamp":{timestamp}"#));
            assert_eq!(events[0].timestamp_ms, HERE.received_ms, "{timestamp}");
        }
        assert_eq!(v1(r#""price":1,"timestamp":1780000000123"#)[0].timestamp_ms, 1_780_000_000_123);
        for timestamp in [1_000_000_000_000_000, 100_000_000_000_000_000, i64::MAX, i64::MIN] {
            let events = v2(&sent(vec![pb::GiftItem { timestamp, ..item("1") }]));
            assert_eq!(events[0].timestamp_ms, HERE.received_ms, "{timestamp}");
        }
    }

    #[test]
    fn texts_of_either_form_are_cut() {
        let long = "猫".repeat(100_000);
        let old = v1(&format!(r#""price":1,"uname":"{long}","blind_gift":{{"original_gift_name":"{long}"}}"#));
        let new = v2(&pb::SendGift {
            uname: long.clone().into(),
            medal_info: Some(pb::GiftMedal { level: 1, name: long.clone().into() }),
            blind_gift: Some(pb::BlindGift { gift_id: 9, name: long.clone().into(), price: 1 }),
            ..sent(vec![pb::GiftItem { gift_name: long.clone().into(), tid: long.into(), ..item("1") }])
        });
        for event in [&old[0], &new[0]] {
            let gift = gift(event);
            let texts = [
                Some(&event.user.username),
                Some(&gift.gift_name),
                gift.medal.as_ref().map(|medal| &medal.name),
                gift.blind_box.as_ref().map(|blind| &blind.name),
            ];
            assert!(texts.into_iter().flatten().all(|text| text.capacity() <= MAX_TEXT), "{event:?}");
            assert_eq!(event.user.username.len(), 4095);
        }
    }

    #[test]
    fn a_blind_box_costs_the_box_and_is_worth_what_came_out() {
        let blind = r#""blind_gift":{"original_gift_id":1,"original_gift_name":"盲盒","original_gift_price":15000}"#;
        for fields in [r#""total_coin":30000,"#, ""] {
            let events = v1(&format!(r#""coin_type":"gold","num":2,"price":9000,{fields}{blind}"#));
            let gift = gift(&events[0]);
            assert_eq!((gift.price, gift.paid, gift.value), (Gold(9000), Gold(30_000), Gold(18_000)));
            assert_eq!(gift.blind_box, Some(BlindBox { name: "盲盒".into(), price: Gold(15_000) }));
        }
        let old =
            v1(r#""coin_type":"gold","num":2,"price":1,"total_coin":30000,"blind_gift":{"original_gift_name":"盲"}"#);
        assert_eq!(gift(&old[0]).blind_box, Some(BlindBox { name: "盲".into(), price: Gold(15_000) }));
        assert_eq!(gift(&v1(r#""price":1,"blind_gift":[]"#)[0]).blind_box, None);
    }

    #[test]
    fn both_forms_of_a_gift_are_one_event() {
        let old =
            v1(r#""num":10,"price":100,"discount_price":90,"total_coin":900,"coin_type":"gold","tid":"77","rnd":"77",
            "timestamp":1780000000,"uid":66,"uname":"小猫","receive_user_info":{"uid":5,"uname":"主播"},
            "medal_info":{"medal_name":"","medal_level":0},"batch_combo_id":"x","super_gift_num":10"#);
        let mut new = v2(&sent(vec![item("77")]));
        let commands = [&old, &new].map(|events| events[0].origin.clone().map(|origin| origin.command));
        assert_eq!(commands, ["SEND_GIFT", "SEND_GIFT_V2"].map(|command| Some(command.to_owned())));
        new[0].origin.clone_from(&old[0].origin);
        assert_eq!(new, old);
        assert_eq!((old[0].timestamp_ms, old[0].user.uid), (1_780_000_000_000, Uid(66)));
        assert_eq!(gift(&old[0]).receiver, Some(Receiver { uid: Uid(5), username: "主播".into() }));
    }

    #[test]
    fn every_item_of_a_box_is_an_event() {
        let good = pb::GiftItem { gift_id: 32, price: 35_000, total_coin: 165_000, num: 5, ..item("1") };
        let poor = pb::GiftItem { gift_id: 33, price: 20_000, total_coin: 165_000, num: 5, ..item("2") };
        let blind_gift = Some(pb::BlindGift { gift_id: 9, name: "盲盒".into(), price: 33_000 });
        let events = v2(&pb::SendGift { blind_gift, ..sent(vec![good, poor]) });
        assert_eq!(events.iter().map(Event::paid).sum::<Gold>(), Gold(330_000));
        assert_eq!(events.iter().map(|event| gift(event).value).sum::<Gold>(), Gold(275_000));
        assert!(events.iter().all(|event| gift(event).blind_box.is_some()));
    }

    #[test]
    fn what_stands_in_a_list_and_beside_it_is_one_gift() {
        let list = |beside: &str| {
            let events = v1(&format!(
                r#""price":1,"total_coin":1,"tid":"{beside}","gift_list":[{{"gift_id":31,"num":1,"price":1,"tid":"1"}}]"#
            ));
            events.iter().map(Event::paid).sum::<Gold>()
        };
        assert_eq!((list("1"), list("2")), (Gold(1), Gold(2)));
    }

    #[test]
    fn equal_items_of_one_message_stay_apart_and_pushes_of_one_gift_do_not() {
        let twice = v2(&sent(vec![item("1"), item("1")]));
        assert_ne!(twice[0].id, twice[1].id);
        assert_eq!(v2(&sent(vec![item("1"), item("1")])), twice);
        assert_ne!(v2(&sent(vec![item("2")]))[0].id, twice[0].id);
        let old = r#""num":1,"price":9,"rnd":"5","uid":66,"timestamp":1780000000,"#;
        let id = |fields: &str| v1(&format!("{old}{fields}"))[0].id;
        assert_eq!(id(r#""super_gift_num":1"#), id(r#""super_gift_num":1"#));
        assert_ne!(id(r#""super_gift_num":1"#), id(r#""super_gift_num":2"#));
        assert_ne!(id(r#""tid":"1""#), id(r#""tid":"2""#));
        assert_eq!(id(r#""tid":"1","super_gift_num":1"#), id(r#""tid":"1","super_gift_num":2"#));
    }

    #[test]
    fn who_gave_and_who_got_are_known_as_far_as_the_message_says() {
        let masked = v1(r#""uid":0,"uname":"小***","price":1,"receive_user_info":{"uid":0,"uname":"x"}"#);
        assert!(masked[0].user.masked);
        let cut = v2(&pb::SendGift { uname: b"\xe5\xb0\x8f\xe7\x8c".into(), ..sent(vec![item("1")]) });
        assert_eq!(cut[0].user.username, "小\u{fffd}", "half a character costs no gift");
        assert_eq!(gift(&masked[0]).receiver, None);
        let uinfo = r#"{"uid":8,"base":{"name":"新"},"medal":{"name":"牌","level":9}}"#;
        let modern = v1(&format!(r#""price":1,"sender_uinfo":{uinfo},"receiver_uinfo":{uinfo}"#));
        assert_eq!((modern[0].user.uid, modern[0].user.username.as_str()), (Uid(8), "新"));
        assert_eq!(gift(&modern[0]).medal, Some(Medal { name: "牌".into(), level: 9 }));
        assert_eq!(gift(&modern[0]).receiver, Some(Receiver { uid: Uid(8), username: "新".into() }));
        let silver = v2(&sent(vec![pb::GiftItem { coin_type: "silver".into(), ..item("1") }]));
        assert_eq!((silver[0].paid(), gift(&silver[0]).coin_type), (Gold::ZERO, CoinType::Silver));
        let bag = v2(&sent(vec![pb::GiftItem { bag_gift: b"\x08\x01".into(), ..item("1") }]));
        assert_eq!((bag[0].paid(), gift(&bag[0]).price), (Gold::ZERO, Gold(100)));
    }
}
