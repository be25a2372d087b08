//! The three messages of a guard purchase: `GUARD_BUY`, `USER_TOAST_MSG`, `USER_TOAST_MSG_V2`.
//!
//! Each becomes a [`GuardMessage`]. Not here: making one purchase of up to three of them (`guards`).
//! Invariant: prices are gold, for all that was bought; only a toast knows what was really paid, and believes in a zero.

use serde::Deserialize;

use super::{
    command::{Message, Unreadable},
    guards::{Bought, GuardMessage, Part, bought, is_level},
    lenient::{Int, Object, Text, amount},
    user::UserInfo,
};
/// Decodes the message that knows the list price only.
pub fn decode_buy(message: &Message) -> Result<GuardMessage, Unreadable> {
    let fields: Fields = message.payload()?;
    assemble(message, "GUARD_BUY", fields, |_| Part::Buy)
}

/// Decodes a toast of either version, which knows the price paid and the order.
pub fn decode_toast(message: &Message) -> Result<GuardMessage, Unreadable> {
    let mut fields: Fields = message.payload()?;
    let guard = fields.guard_info.0.take().unwrap_or_default();
    let pay = fields.pay_info.0.take().unwrap_or_default();
    let source = fields.option.0.take().unwrap_or_default().source.or(fields.source);
    let echo = source == Int(Some(GIVEN_BY_SOMEBODY));
    fields.guard_level = fields.guard_level.or(guard.guard_level);
    fields.start_time = fields.start_time.or(guard.start_time);
    fields.num = fields.num.or(pay.num);
    fields.unit = std::mem::take(&mut fields.unit).or(pay.unit);
    fields.price = fields.price.or(pay.price);
    fields.payflow_id = std::mem::take(&mut fields.payflow_id).or(pay.payflow_id);
    fields.gift_id = fields.gift_id.or(fields.gift_info.0.take().unwrap_or_default().gift_id);
    let command = if message.name == "USER_TOAST_MSG" { "USER_TOAST_MSG" } else { "USER_TOAST_MSG_V2" };
    let part = |payflow_id| if echo { Part::Echo { payflow_id } } else { Part::Toast { payflow_id } };
    assemble(message, command, fields, part)
}

/// `source` of the second toast that a gifted guard brings.
const GIVEN_BY_SOMEBODY: i64 = 2;

fn assemble(
    message: &Message,
    command: &'static str,
    fields: Fields,
    part: impl FnOnce(String) -> Part,
) -> Result<GuardMessage, Unreadable> {
    let sender = fields.sender_uinfo.0.or(fields.uinfo.0).unwrap_or_default();
    let (user, _) = sender.user(fields.uid, fields.username.or(fields.uname));
    // The gifts 10001 to 10003 are the guards of level 1 to 3.
    let by_gift = fields.gift_id.0.map(|gift_id| gift_id.saturating_sub(10_000));
    let guard_level = fields.guard_level.0.filter(is_level).or(by_gift.filter(is_level));
    let guard_level = guard_level.ok_or(Unreadable::Missing("guard_level"))?;
    // Nothing is sold for nothing, but what was won or given out was paid with nothing.
    let zero_is_a_price = command != "GUARD_BUY";
    let Bought { num, unit, price } = bought(guard_level, fields.num, fields.unit, fields.price, zero_is_a_price)?;
    let start = fields.start_time.positive();
    Ok(GuardMessage {
        arrival: message.arrival,
        timestamp_ms: message.arrival.time_ms(start.or(message.send_time)),
        user,
        guard_level,
        num,
        unit,
        price,
        command,
        part: part(fields.payflow_id.number().unwrap_or_default()),
    })
}

/// The fields of all three; V2 has them in groups.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    uid: Int,
    username: Text,
    uname: Text,
    guard_level: Int,
    #[serde(deserialize_with = "amount")]
    num: Int,
    unit: Text,
    #[serde(deserialize_with = "amount")]
    price: Int,
    payflow_id: Text,
    start_time: Int,
    gift_id: Int,
    source: Int,
    sender_uinfo: Object<UserInfo>,
    uinfo: Object<UserInfo>,
    guard_info: Object<GuardInfo>,
    pay_info: Object<PayInfo>,
    gift_info: Object<GiftInfo>,
    option: Object<Choice>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GuardInfo {
    guard_level: Int,
    start_time: Int,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PayInfo {
    payflow_id: Text,
    #[serde(deserialize_with = "amount")]
    price: Int,
    #[serde(deserialize_with = "amount")]
    num: Int,
    unit: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GiftInfo {
    gift_id: Int,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    source: Int,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Gold, Uid, User},
        protocol::{
            arrival::tests::HERE,
            command::{Decoded, decode},
        },
    };

    fn read(json: &str) -> GuardMessage {
        match decode(json.as_bytes(), HERE) {
            Decoded::Guard(message) => message,
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn all_three_messages_of_a_purchase_are_read() {
        let toast = GuardMessage {
            arrival: HERE,
            timestamp_ms: 1_780_000_000_000,
            user: User { uid: Uid(66), username: "小猫".into(), masked: false, alias: None },
            guard_level: 3,
            num: 1,
            unit: "月".into(),
            price: Some(Gold(138_000)),
            command: "USER_TOAST_MSG",
            part: Part::Toast { payflow_id: "26".into() },
        };
        let second = GuardMessage { command: "USER_TOAST_MSG_V2", ..toast.clone() };
        let v1 = r#"{"cmd":"USER_TOAST_MSG","data":{"uid":66,"username":"小猫","guard_level":3,"num":1,"unit":"月",
            "price":138000,"payflow_id":"26","op_type":2,"start_time":1780000000,"source":0}}"#;
        let v2 = r#"{"cmd":"USER_TOAST_MSG_V2","data":{"sender_uinfo":{"uid":66,"base":{"name":"小猫"}},
            "receiver_uinfo":{"uid":1,"base":{"name":"主播"}},"guard_info":{"guard_level":3,"start_time":1780000000},
            "group_guard_info":null,"pay_info":{"payflow_id":"26","price":138000,"num":1,"unit":"月"},
            "gift_info":{"gift_id":10003},"option":{"source":0}}}"#;
        assert_eq!(read(v1), toast);
        assert_eq!(read(v2), second);
        let echo = Part::Echo { payflow_id: "26".into() };
        assert_eq!(read(&v2.replace("\"source\":0", "\"source\":2")), GuardMessage { part: echo, ..second });
        let buy = r#"{"cmd":"GUARD_BUY","data":{"uid":66,"username":"小猫","guard_level":3,"num":1,"price":198000,
            "gift_id":10003,"gift_name":"舰长","start_time":1780000000,"end_time":1780000000}}"#;
        assert_eq!(
            read(buy),
            GuardMessage { price: Some(Gold(198_000)), command: "GUARD_BUY", part: Part::Buy, ..toast }
        );
    }

    #[test]
    fn a_toast_that_says_zero_means_it_and_one_that_says_nothing_does_not() {
        for (cmd, price, expected) in [
            ("USER_TOAST_MSG", r#","price":0"#, Some(Gold::ZERO)),
            ("USER_TOAST_MSG_V2", r#","pay_info":{"price":0}"#, Some(Gold::ZERO)),
            ("USER_TOAST_MSG", r#","price":null"#, None),
            ("GUARD_BUY", r#","price":0"#, None),
        ] {
            let json = format!(r#"{{"cmd":"{cmd}","data":{{"guard_level":3{price}}}}}"#);
            assert_eq!(read(&json).price, expected, "{json}");
        }
    }

    #[test]
    fn a_price_of_one_month_is_taken_times_the_months_and_one_of_all_as_it_is() {
        for (cmd, data, num, gold) in [
            ("GUARD_BUY", r#""guard_level":3,"num":3,"price":198000"#, 3, 594_000),
            ("GUARD_BUY", r#""guard_level":2,"num":"12","price":"1998000""#, 12, 23_976_000),
            ("GUARD_BUY", r#""guard_level":3,"num":3,"price":594000"#, 3, 594_000),
            ("USER_TOAST_MSG", r#""guard_level":3,"num":1,"price":138000,"unit":"月""#, 1, 138_000),
            ("USER_TOAST_MSG", r#""guard_level":3,"num":3,"price":514000,"unit":"月""#, 3, 514_000),
            ("USER_TOAST_MSG", r#""guard_level":3,"num":6,"price":948000"#, 6, 948_000),
            ("USER_TOAST_MSG", r#""guard_level":3,"num":6,"price":158000"#, 6, 948_000),
            ("USER_TOAST_MSG", r#""guard_level":2,"num":12,"price":19176000,"unit":"月""#, 12, 19_176_000),
            ("USER_TOAST_MSG", r#""guard_level":1,"num":1,"price":15998000,"unit":"年""#, 1, 15_998_000),
            ("USER_TOAST_MSG", r#""guard_level":3,"num":99,"price":2000,"unit":"*3天""#, 1, 2_000),
            (
                "USER_TOAST_MSG_V2",
                r#""guard_info":{"guard_level":3},"pay_info":{"num":3,"price":514000,"unit":"月"}"#,
                3,
                514_000,
            ),
        ] {
            let message = read(&format!(r#"{{"cmd":"{cmd}","data":{{{data}}}}}"#));
            assert_eq!((message.num, message.price), (num, Some(Gold(gold))), "{data}");
        }
    }

    #[test]
    fn a_purchase_without_a_possible_time_is_of_when_it_came() {
        for (start_time, expected) in [
            ("1780000000", 1_780_000_000_000),
            ("1780000000123", 1_780_000_000_123),
            ("0", HERE.received_ms),
            ("1000000000000000", HERE.received_ms),
            ("100000000000000000", HERE.received_ms),
            ("9223372036854775807", HERE.received_ms),
        ] {
            let json = format!(r#"{{"cmd":"GUARD_BUY","data":{{"guard_level":3,"start_time":{start_time}}}}}"#);
            assert_eq!(read(&json).timestamp_ms, expected, "{start_time}");
        }
    }

    #[test]
    fn a_level_is_also_known_by_its_gift() {
        for (data, level) in
            [(r#"{"gift_id":10001}"#, 1), (r#"{"guard_level":"2"}"#, 2), (r#"{"gift_id":10003,"guard_level":0}"#, 3)]
        {
            assert_eq!(read(&format!(r#"{{"cmd":"GUARD_BUY","data":{data}}}"#)).guard_level, level, "{data}");
        }
        let none = decode(br#"{"cmd":"GUARD_BUY","data":{"uid":1}}"#, HERE);
        assert!(matches!(none, Decoded::Malformed(_)), "{none:?}");
    }
}
