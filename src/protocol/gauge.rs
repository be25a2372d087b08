//! Numbers about the room: watched, contributors, likes, followers.
//!
//! Not here: the number in a heartbeat reply, which has been 1 since 2023; texts such as `1万+`, which are
//! no numbers. Invariants: numbers that a message does not carry stay unknown, and a negative one is none.

use serde::Deserialize;

use super::{
    command::{Events, Message, Unreadable},
    lenient::Int,
};
use crate::domain::{Body, Gauge, User};

/// Decodes the numbers of the command `name`.
pub fn decode(name: &str, message: &Message) -> Events {
    let fields: Fields = message.payload()?;
    let gauge = match name {
        "WATCHED_CHANGE" => Gauge { watched: fields.num.not_negative(), ..Gauge::default() },
        "ONLINE_RANK_COUNT" => Gauge {
            online_rank: fields.count.not_negative(),
            online: fields.online_count.not_negative(),
            ..Gauge::default()
        },
        "LIKE_INFO_V3_UPDATE" => Gauge { likes: fields.click_count.not_negative(), ..Gauge::default() },
        _ => Gauge { fans: fields.fans.not_negative(), fans_club: fields.fans_club.not_negative(), ..Gauge::default() },
    };
    if gauge == Gauge::default() {
        return Err(Unreadable::Missing("number"));
    }
    let values =
        format!("{:?}", [gauge.watched, gauge.online_rank, gauge.online, gauge.likes, gauge.fans, gauge.fans_club]);
    let arrival = message.arrival;
    Ok(vec![arrival.event(arrival.received_ms, User::default(), Body::Gauge(gauge), &["gauge", name, &values])])
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    num: Int,
    count: Int,
    online_count: Int,
    click_count: Int,
    fans: Int,
    fans_club: Int,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        arrival::tests::HERE,
        command::{Decoded, decode},
    };

    #[test]
    fn each_command_fills_its_own_numbers() {
        let none = Gauge::default;
        for (json, gauge) in [
            (
                r#"{"cmd":"WATCHED_CHANGE","data":{"num":"7","text_large":"7人看过"}}"#,
                Gauge { watched: Some(7), ..none() },
            ),
            (r#"{"cmd":"WATCHED_CHANGE","num":7}"#, Gauge { watched: Some(7), ..none() }),
            (
                r#"{"cmd":"ONLINE_RANK_COUNT","data":{"count":3,"online_count":9,"count_text":"3"}}"#,
                Gauge { online_rank: Some(3), online: Some(9), ..none() },
            ),
            (r#"{"cmd":"ONLINE_RANK_COUNT","data":{"count":0}}"#, Gauge { online_rank: Some(0), ..none() }),
            (r#"{"cmd":"LIKE_INFO_V3_UPDATE","data":{"click_count":5}}"#, Gauge { likes: Some(5), ..none() }),
            (
                r#"{"cmd":"ROOM_REAL_TIME_MESSAGE_UPDATE","data":{"fans":5,"fans_club":-1,"red_notice":-1}}"#,
                Gauge { fans: Some(5), ..none() },
            ),
        ] {
            match decode(json.as_bytes(), HERE) {
                Decoded::Events(events) => assert_eq!(events[0].body, Body::Gauge(gauge), "{json}"),
                other => panic!("{json}: {other:?}"),
            }
        }
        for json in [r#"{"cmd":"WATCHED_CHANGE","data":[]}"#, r#"{"cmd":"ONLINE_RANK_COUNT","data":{"count":"1万+"}}"#]
        {
            assert!(matches!(decode(json.as_bytes(), HERE), Decoded::Malformed(_)), "{json}");
        }
    }
}
