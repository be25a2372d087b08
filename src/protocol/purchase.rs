//! What a purchase can be: how much, how many. Beyond that nobody bought anything, and the message is refused.
//!
//! Not here: which field says what was paid (`gift`, `superchat`, `guard`). Invariant: whatever becomes an event
//! was paid with, and lists at, between nothing and [`MAX_GOLD`], so that sums of purchases stay far from the
//! end of `i64`.

use super::{command::Unreadable, lenient::Int};
use crate::domain::{Event, Gold, Origin};

/// CNY 1,000,000,000, in gold. The dearest thing on sale costs less than CNY 20,000.
pub const MAX_GOLD: i64 = 1_000_000_000_000;

/// More pieces than one purchase has; real ones reach some ten thousands.
pub const MAX_NUM: i64 = 1_000_000_000;

/// How many were bought: one where the message does not say.
pub fn number(num: Int) -> Result<i64, Unreadable> {
    within("num", num, MAX_NUM)?;
    Ok(num.positive().unwrap_or(1))
}

/// An amount in gold, called `what`, if the message has it.
pub fn gold(what: &'static str, amount: Int) -> Result<Option<Gold>, Unreadable> {
    within(what, amount, MAX_GOLD)?;
    Ok(amount.0.map(Gold))
}

/// What `num` pieces at `price`, called `what`, come to.
pub fn total(what: &'static str, price: Gold, num: i64) -> Result<Gold, Unreadable> {
    let total = price.times(num);
    if total.0 > MAX_GOLD { Err(Unreadable::AbsurdTotal { what, price: price.0, num }) } else { Ok(total) }
}

/// Version of the rules by which money is read from messages. Raised with every change of what a message is worth.
pub const RULE: i64 = 3;

/// A purchase that was read from `command`.
pub fn read_from(command: &str, mut event: Event) -> Event {
    event.origin = Some(Origin { command: command.to_owned(), rule: RULE });
    event
}

fn within(what: &'static str, value: Int, max: i64) -> Result<(), Unreadable> {
    match value.0 {
        Some(value) if !(0..=max).contains(&value) => Err(Unreadable::Absurd { what, value }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        arrival::tests::HERE,
        command::{Decoded, decode},
        pb::{self, tests::base64_of},
    };

    fn refusal(json: &str) -> Option<String> {
        match decode(json.as_bytes(), HERE) {
            Decoded::Malformed(malformed) => Some(malformed.why),
            _ => None,
        }
    }

    #[test]
    fn the_bounds_themselves_are_still_purchases() {
        let max = Int(Some(MAX_GOLD));
        assert_eq!(gold("price", max).ok(), Some(Some(Gold(MAX_GOLD))));
        assert_eq!(number(Int(Some(MAX_NUM))).ok(), Some(MAX_NUM));
        assert_eq!(number(Int(Some(0))).ok(), Some(1));
        assert_eq!(number(Int(None)).ok(), Some(1));
        assert_eq!(total("price", Gold(1000), MAX_NUM).ok(), Some(Gold(MAX_GOLD)));
        assert!(total("price", Gold(1001), MAX_NUM).is_err());
    }

    #[test]
    fn what_nobody_bought_is_malformed_and_says_the_value() {
        for (cmd, fields, why) in [
            ("SEND_GIFT", r#""num":-1"#, "absurd num: -1"),
            ("SEND_GIFT", r#""num":1000000001"#, "absurd num: 1000000001"),
            ("SEND_GIFT", r#""num":"99999999999999999999""#, "absurd num: 9223372036854775807"),
            ("SEND_GIFT", r#""price":-5,"coin_type":"gold""#, "absurd price: -5"),
            ("SEND_GIFT", r#""price":1,"total_coin":1000000000001"#, "absurd total_coin: 1000000000001"),
            ("SEND_GIFT", r#""price":1,"total_coin":18446744073709551615"#, "absurd total_coin: 9223372036854775807"),
            ("SEND_GIFT", r#""price":1,"total_coin":1e300"#, "absurd total_coin: 9223372036854775807"),
            ("SEND_GIFT", r#""price":2000,"num":1000000000,"total_coin":1"#, "absurd price: 2000 × 1000000000"),
            ("SEND_GIFT", r#""discount_price":-1"#, "absurd discount_price: -1"),
            (
                "SEND_GIFT",
                r#""price":1,"num":1000000000,"discount_price":2000"#,
                "absurd discount_price: 2000 × 1000000000",
            ),
            ("SEND_GIFT", r#""blind_gift":{"original_gift_price":-7}"#, "absurd original_gift_price: -7"),
            ("SEND_GIFT", r#""gift_list":[{"gift_id":1,"num":-3},{"gift_id":2}]"#, "absurd num: -3"),
            ("SUPER_CHAT_MESSAGE", r#""id":1,"price":-3"#, "absurd price in gold: -3000"),
            ("SUPER_CHAT_MESSAGE", r#""id":1,"price":1000000001"#, "absurd price in gold: 1000000001000"),
            ("SUPER_CHAT_MESSAGE", r#""id":1,"price":18446744073709551615"#, "in gold: 9223372036854775807"),
            ("SUPER_CHAT_MESSAGE_JPN", r#""id":1,"price":1e300"#, "in gold: 9223372036854775807"),
            ("GUARD_BUY", r#""guard_level":3,"price":-198000"#, "absurd price: -198000"),
            ("GUARD_BUY", r#""guard_level":3,"num":-1"#, "absurd num: -1"),
            ("GUARD_BUY", r#""guard_level":1,"num":1000000000"#, "absurd price: 19998000 × 1000000000"),
            ("USER_TOAST_MSG", r#""guard_level":3,"price":1000000000001"#, "absurd price: 1000000000001"),
            (
                "USER_TOAST_MSG_V2",
                r#""guard_info":{"guard_level":3},"pay_info":{"num":2000000,"price":1000000}"#,
                "absurd price: 1000000 × 2000000",
            ),
        ] {
            let gift = if cmd == "SEND_GIFT" { r#""giftId":31,"# } else { "" };
            let json = format!(r#"{{"cmd":"{cmd}","data":{{{gift}{fields}}}}}"#);
            let told = refusal(&json);
            assert!(told.as_deref().is_some_and(|told| told.contains(why)), "{json}: {told:?}");
        }
    }

    #[test]
    fn yes_is_no_price() {
        let json =
            r#"{"cmd":"SEND_GIFT","data":{"giftId":31,"coin_type":"gold","num":2,"price":50,"total_coin":true}}"#;
        let Decoded::Events(events) = decode(json.as_bytes(), HERE) else { panic!("it is a gift") };
        assert_eq!(events[0].paid(), Gold(100));
    }

    #[test]
    fn one_bad_item_spoils_its_message() {
        let good = pb::GiftItem { gift_id: 31, num: 1, price: 100, total_coin: 100, ..pb::GiftItem::default() };
        for (bad, why) in [
            (pb::GiftItem { total_coin: MAX_GOLD + 1, ..good.clone() }, "absurd total_coin: 1000000000001"),
            (pb::GiftItem { price: i64::MIN, ..good.clone() }, "absurd price: -9223372036854775808"),
            (pb::GiftItem { num: MAX_NUM + 1, ..good.clone() }, "absurd num: 1000000001"),
        ] {
            let gifts = pb::SendGift { items: vec![good.clone(), bad], ..pb::SendGift::default() };
            let json = format!(r#"{{"cmd":"SEND_GIFT_V2","data":{{"pb":"{}"}}}}"#, base64_of(&gifts));
            assert_eq!(refusal(&json).as_deref(), Some(why));
        }
    }
}
