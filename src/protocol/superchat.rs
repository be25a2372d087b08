//! Paid messages: `SUPER_CHAT_MESSAGE`, its Japanese twin, and `SUPER_CHAT_MESSAGE_DELETE`.
//!
//! Not here: showing or hiding them. Invariants: the price is CNY here and gold in the event; the twin and
//! a second push of the same message have the same id, because that is made of the platform's number and
//! the start of the display alone; a deletion takes nothing back.

use serde::Deserialize;

use super::{
    arrival::Arrival,
    command::{Events, Message, Unreadable},
    lenient::{Int, List, Object, Text, Thousandths},
    purchase,
    user::UserInfo,
};
use crate::domain::{Body, Event, Gold, SuperChat, User};

/// Decodes a paid message, in Chinese or Japanese.
pub fn decode(message: &Message) -> Events {
    event(message.payload()?, message.arrival, message.send_time, message.name).map(|event| vec![event])
}

/// Reads one that stands in the list of those on display.
pub fn decode_item(json: &str, arrival: Arrival) -> Result<Event, Unreadable> {
    event(serde_json::from_str(json)?, arrival, None, "SuperChat/getMessageList")
}

fn event(paid: PaidMessage, arrival: Arrival, send_time: Option<i64>, command: &str) -> Result<Event, Unreadable> {
    // Without a price it would be booked as nothing, and its twin, which may have one, as known.
    let price = purchase::gold("price in gold", Int(paid.price.0))?.ok_or(Unreadable::Missing("price"))?;
    let shown = paid.user_info.or_default();
    let (user, _) = paid.uinfo.or_default().user(paid.uid, shown.uname.or(paid.uname));
    let start = paid.start_time.positive().or(paid.ts.positive()).or(send_time);
    let timestamp_ms = arrival.time_ms(start);
    let text = paid.message.or(paid.message_jpn).or_empty();
    let super_chat = on_display(paid.id.or_zero(), text, price, timestamp_ms / 1000, paid.end_time, paid.time);
    let facts = match super_chat.super_chat_id {
        0 => vec![user.uid.to_string(), user.username.clone(), super_chat.message.clone(), paid.token.or_empty()],
        id => vec![id.to_string()],
    };
    let facts: Vec<&str> = std::iter::once("super_chat").chain(facts.iter().map(String::as_str)).collect();
    let event = arrival.event(timestamp_ms, user, Body::SuperChat(super_chat), &facts);
    Ok(purchase::read_from(command, event))
}

/// A paid message on display from `start_time` (unix s) to `end_time`, or for so many `seconds` where that is no
/// possible time.
pub(super) fn on_display(
    super_chat_id: i64,
    message: String,
    paid: Gold,
    start_time: i64,
    end_time: Int,
    seconds: Int,
) -> SuperChat {
    let longest = start_time.saturating_add(LONGEST_DISPLAY_S);
    let end_time = end_time.0.filter(|end| (start_time..=longest).contains(end));
    let seconds = seconds.not_negative().unwrap_or(0).min(LONGEST_DISPLAY_S);
    let end_time = end_time.unwrap_or(start_time.saturating_add(seconds));
    SuperChat { super_chat_id, message, paid, start_time, end_time }
}

/// A display that ends later than that after its start is a wrong time. Real ones last two hours at most.
const LONGEST_DISPLAY_S: i64 = 24 * 3600;

/// Decodes the withdrawal of paid messages.
pub fn decode_delete(message: &Message) -> Events {
    let Deleted { ids, id } = message.payload()?;
    let ids: Vec<i64> = ids.0.into_iter().chain([id]).filter_map(Int::positive).collect();
    if ids.is_empty() {
        return Err(Unreadable::Missing("ids"));
    }
    let facts = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let body = Body::SuperChatDelete { ids };
    Ok(vec![message.arrival.event(message.sent_ms(), User::default(), body, &["super_chat_delete", &facts])])
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PaidMessage {
    id: Int,
    uid: Int,
    uname: Text,
    price: Thousandths,
    message: Text,
    message_jpn: Text,
    start_time: Int,
    end_time: Int,
    time: Int,
    ts: Int,
    token: Text,
    user_info: Object<Shown>,
    uinfo: Object<UserInfo>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    uname: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Deleted {
    ids: List<Int>,
    id: Int,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Event, Uid},
        protocol::{
            arrival::tests::HERE,
            command::{Decoded, decode},
        },
    };

    fn event(json: &str) -> Event {
        match decode(json.as_bytes(), HERE) {
            Decoded::Events(mut events) if events.len() == 1 => events.remove(0),
            other => panic!("{json}: {other:?}"),
        }
    }

    fn paid(event: &Event) -> &SuperChat {
        let Body::SuperChat(super_chat) = &event.body else { panic!("{event:?}") };
        super_chat
    }

    const CHINESE: &str = r#"{"cmd":"SUPER_CHAT_MESSAGE","data":{"id":4200001,"uid":321,"price":50,"rate":1000,
        "message":"你好","start_time":1780000000,"end_time":1780000120,"time":120,"ts":1780000001,
        "user_info":{"uname":"小猫"},"medal_info":null}}"#;
    const JAPANESE: &str = r#"{"cmd":"SUPER_CHAT_MESSAGE_JPN","roomid":"9","data":{"id":"4200001","uid":"321","price":50,
        "message":"你好","message_jpn":"こんにちは","start_time":1780000000,"end_time":1780000120,"time":119,
        "ts":1780000001,"user_info":{"uname":"小猫"}}}"#;

    #[test]
    fn a_paid_message_and_its_twin_are_one_fact() {
        let (chinese, japanese) = (event(CHINESE), event(JAPANESE));
        assert_eq!((chinese.id, &chinese.user, &chinese.body), (japanese.id, &japanese.user, &japanese.body));
        assert_eq!((chinese.timestamp_ms, chinese.user.uid), (1_780_000_000_000, Uid(321)));
        let expected = SuperChat {
            super_chat_id: 4200001,
            message: "你好".into(),
            paid: Gold(50_000),
            start_time: 1_780_000_000,
            end_time: 1_780_000_120,
        };
        assert_eq!(paid(&chinese), &expected);
        assert_ne!(event(&CHINESE.replace("4200001", "4200002")).id, chinese.id);
    }

    #[test]
    fn missing_fields_are_made_up_from_others() {
        for (json, name, text, gold, start, end) in [
            (r#"{"id":1,"price":"30","ts":1780000000,"time":60}"#, "", "", 30_000, 1780000000, 1780000060),
            (
                r#"{"id":2,"price":2.5,"message":"","message_jpn":"や","uinfo":{"uid":5,"base":{"name":"犬"}}}"#,
                "犬",
                "や",
                2_500,
                HERE.received_ms / 1000,
                HERE.received_ms / 1000,
            ),
            (
                r#"{"id":3,"price":1,"start_time":100000000000000000,"end_time":253402300800000,"time":60}"#,
                "",
                "",
                1_000,
                HERE.received_ms / 1000,
                HERE.received_ms / 1000 + 60,
            ),
            (r#"{"price":0,"message":5,"user_info":[],"start_time":1780000000}"#, "", "5", 0, 1780000000, 1780000000),
        ] {
            let event = event(&format!(r#"{{"cmd":"SUPER_CHAT_MESSAGE","data":{json}}}"#));
            let super_chat = paid(&event);
            assert_eq!(
                (event.user.username.as_str(), super_chat.message.as_str(), super_chat.paid),
                (name, text, Gold(gold)),
                "{json}"
            );
            assert_eq!((super_chat.start_time, super_chat.end_time), (start, end), "{json}");
        }
    }

    #[test]
    fn one_without_a_price_is_not_booked_as_nothing() {
        for json in [CHINESE.replace("\"price\":50,", ""), CHINESE.replace("\"price\":50", "\"price\":null")] {
            let decoded = decode(json.as_bytes(), HERE);
            assert!(matches!(&decoded, Decoded::Malformed(why) if why.why == "no price"), "{decoded:?}");
        }
    }

    #[test]
    fn a_deletion_names_what_is_withdrawn() {
        for (json, expected) in [
            (r#"{"cmd":"SUPER_CHAT_MESSAGE_DELETE","data":{"ids":[7,8]},"roomid":1}"#, vec![7, 8]),
            (r#"{"cmd":"SUPER_CHAT_MESSAGE_DELETE","data":{"ids":["7"]}}"#, vec![7]),
        ] {
            assert_eq!(event(json).body, Body::SuperChatDelete { ids: expected }, "{json}");
        }
        let empty = decode(br#"{"cmd":"SUPER_CHAT_MESSAGE_DELETE","data":{"ids":[]}}"#, HERE);
        assert!(matches!(empty, Decoded::Malformed(_)), "{empty:?}");
    }
}
