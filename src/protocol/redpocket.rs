//! Red pockets that somebody paid for: `POPULARITY_RED_POCKET_NEW` and `POPULARITY_RED_POCKET_V2_NEW`.
//!
//! A red pocket is a gift of a number of its own, priced in batteries. Not here: that it runs (`..._START`, sent over
//! and over) and who won (`..._WINNER_LIST`): neither is a purchase.
//!
//! Invariant: a red pocket has one id however often and in whichever form it is told of: by its number.

use serde::Deserialize;

use super::{
    command::{Events, Message, Unreadable},
    lenient::{Int, Object, Text, amount},
    purchase,
    user::{OldMedal, UserInfo},
};
use crate::domain::{Body, CoinType, Gift};

/// Gold of a battery (电池).
const BATTERY: i64 = 100;
/// The platform's number of the gift.
const GIFT_ID: i64 = 13_000;

/// Decodes the purchase of a red pocket.
pub fn decode(message: &Message) -> Events {
    let pocket: RedPocket = message.payload()?;
    let Some(lot) = pocket.lot_id.number() else { return Err(Unreadable::Missing("lot_id")) };
    let num = purchase::number(pocket.num)?;
    let batteries = purchase::gold("price", pocket.price)?.ok_or(Unreadable::Missing("price"))?;
    let price = batteries.times(BATTERY);
    let paid = purchase::total("price", price, num)?;
    let sender = pocket.sender_uinfo.0.or(pocket.sender_info.0).unwrap_or_default();
    let (user, medal) = sender.user(pocket.uid, pocket.uname);
    let gift = Gift {
        gift_id: pocket.gift_id.positive().unwrap_or(GIFT_ID),
        gift_name: pocket.gift_name.filled().unwrap_or_else(|| "红包".into()),
        num,
        coin_type: CoinType::Gold,
        price,
        paid,
        value: paid,
        blind_box: None,
        receiver: None,
        medal: medal.or_else(|| pocket.medal_info.or_default().worn()),
    };
    let sent = pocket.start_time.positive().or(pocket.current_time.positive()).or(message.send_time);
    let timestamp_ms = message.arrival.time_ms(sent);
    let event = message.arrival.event(timestamp_ms, user, Body::Gift(gift), &["red_pocket", &lot]);
    Ok(vec![purchase::read_from(message.name, event)])
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RedPocket {
    lot_id: Text,
    uid: Int,
    uname: Text,
    gift_id: Int,
    gift_name: Text,
    #[serde(deserialize_with = "amount")]
    num: Int,
    #[serde(deserialize_with = "amount")]
    price: Int,
    start_time: Int,
    current_time: Int,
    medal_info: Object<OldMedal>,
    sender_info: Object<UserInfo>,
    sender_uinfo: Object<UserInfo>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Event, Gold, Uid},
        protocol::{
            arrival::tests::HERE,
            command::{Decoded, decode},
        },
    };

    fn one(json: &str) -> Event {
        match decode(json.as_bytes(), HERE) {
            Decoded::Events(mut events) if events.len() == 1 => events.remove(0),
            other => panic!("{json}: {other:?}"),
        }
    }

    const NEW: &str = r#"{"cmd":"POPULARITY_RED_POCKET_NEW","data":{"lot_id":4711,"start_time":1780000000,
        "current_time":1780000000,"wait_num":0,"uname":"小猫","uid":66,"action":"送出","num":1,"gift_name":"红包",
        "gift_id":13000,"price":20,"medal_info":{"medal_level":22,"medal_name":"牌"}}}"#;

    #[test]
    fn a_red_pocket_is_a_gift_of_a_hundred_gold_a_battery() {
        let event = one(NEW);
        let Body::Gift(gift) = &event.body else { panic!("{event:?}") };
        assert_eq!((gift.gift_id, gift.gift_name.as_str(), gift.num), (13_000, "红包", 1));
        assert_eq!((gift.price, gift.paid, gift.value), (Gold(2000), Gold(2000), Gold(2000)));
        assert_eq!((event.user.uid, event.timestamp_ms), (Uid(66), 1_780_000_000_000));
        assert_eq!(event.origin.map(|origin| origin.command).as_deref(), Some("POPULARITY_RED_POCKET_NEW"));
    }

    #[test]
    fn it_is_one_purchase_in_either_form_and_however_often() {
        let second = NEW.replace("POCKET_NEW", "POCKET_V2_NEW").replace(r#"{"medal_level":22,"medal_name":"牌"}"#, "7");
        assert_eq!(one(&second).id, one(NEW).id);
        assert_eq!(one(&NEW.replace("4711", "\"4711\"")).id, one(NEW).id);
        assert_ne!(one(&NEW.replace("4711", "4712")).id, one(NEW).id);
    }

    #[test]
    fn neither_the_running_nor_the_winning_of_one_is_a_purchase() {
        for cmd in ["START", "V2_START", "WINNER_LIST", "V2_WINNER_LIST"] {
            let json = NEW.replace("POCKET_NEW", &format!("POCKET_{cmd}"));
            assert_eq!(decode(json.as_bytes(), HERE), Decoded::Ignored, "{cmd}");
        }
        for json in [NEW.replace("\"price\":20,", ""), NEW.replace("\"lot_id\":4711,", "")] {
            assert!(matches!(decode(json.as_bytes(), HERE), Decoded::Malformed(_)), "{json}");
        }
    }
}
