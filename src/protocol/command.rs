//! One message of the upstream to what it means: dispatch by the command's exact name.
//!
//! Each family of commands has a file that decodes it; names that mean nothing to us are listed in
//! `ignored`. Not here: how single fields are read (`lenient`), merging the messages of one guard purchase
//! (`guards`).
//!
//! Invariants: a message never stops the ones behind it; whatever it is, the answer is a [`Decoded`]. A
//! suffix such as `DANMU_MSG:4:0:2:2:2:0` is cut at the first `:`, and then only the whole name counts:
//! `DANMU_MSG_MIRROR` is not `DANMU_MSG`.

use std::{borrow::Cow, fmt};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    arrival::Arrival,
    danmaku, gauge, gift, guard,
    guards::GuardMessage,
    ignored, interact,
    lenient::{Glance, Int, Row, Text},
    mend, openplatform, pb, redpocket, room,
    signal::{self, Signal},
    superchat,
};
use crate::domain::Event;

/// What a message turned out to be.
#[derive(Debug, PartialEq)]
pub enum Decoded {
    /// Facts. Most messages hold one; a gift message may hold several, an unlisted kind of entry none.
    Events(Vec<Event>),
    /// Part of a guard purchase, to be merged with its other parts.
    Guard(GuardMessage),
    /// Something for whoever steers.
    Signal(Signal),
    /// A known command that means nothing to us.
    Ignored,
    /// A command nobody here knows, by name.
    Unknown(String),
    /// A message that cannot be read.
    Malformed(Malformed),
}

/// A message that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Its command; empty when not even that is known.
    pub cmd: String,
    /// What is wrong with it.
    pub why: String,
}

impl Malformed {
    /// `why` in words.
    pub fn new(cmd: &str, why: impl fmt::Display) -> Malformed {
        Malformed { cmd: shortened(cmd), why: why.to_string() }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cmd.as_str() {
            "" => f.write_str(&self.why),
            cmd => write!(f, "{cmd}: {}", self.why),
        }
    }
}

/// Decodes one message that came in the stream of `arrival.room_id`. A name that was cut in the middle of a
/// character costs that character, not the message.
pub fn decode(json: &[u8], arrival: Arrival) -> Decoded {
    let text = match simdutf8::basic::from_utf8(json) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(json),
    };
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let decoded = decode_text(text, arrival, MAX_WRAPPING);
    match &decoded {
        Decoded::Malformed(_) => {
            mend::mended(text).map_or(decoded, |text: String| decode_text(&text, arrival, MAX_WRAPPING))
        }
        _ => decoded,
    }
}

/// How often a message may be wrapped in another.
const MAX_WRAPPING: u32 = 2;

/// What every message may have around its payload. `cmd`, `data` and the like stay text until it is known
/// what to make of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    cmd: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Option<&'a RawValue>,
    msg_id: Text,
    send_time: Int,
    /// Read in passing: chat is most of what comes, and to step over its row costs nearly as much as to read it.
    #[serde(borrow)]
    info: Row<danmaku::Info<'a>>,
}

/// A message cut open, as the decoders of the families get it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    whole: &'a str,
    data: Option<&'a str>,
    /// The command, without a suffix.
    pub name: &'a str,
    /// When and where it came.
    pub arrival: Arrival,
    /// The upstream's number of the message; empty if it has none.
    pub msg_id: &'a str,
    /// When the upstream sent it, unix ms.
    pub send_time: Option<i64>,
}

impl<'a> Message<'a> {
    /// Reads the payload: `data` where that is an object, else the message itself, which is how flat
    /// messages come.
    pub fn payload<T: Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data.unwrap_or(self.whole))
    }

    /// Reads the message itself, for commands whose fields lie beside `cmd`.
    pub fn top<T: Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.whole)
    }

    /// Reads the payload only if it lies in `data`.
    pub fn data<T: Deserialize<'a>>(&self) -> Option<Result<T, serde_json::Error>> {
        self.data.map(serde_json::from_str)
    }

    /// Reads the protobuf message in the payload, if there is one.
    pub fn protobuf<M: prost::Message + Default>(&self) -> Result<Option<M>, Unreadable> {
        // Most messages have none, and looking is cheaper than parsing.
        if !self.whole.contains("\"pb\"") {
            return Ok(None);
        }
        self.payload::<pb::Carrier>()?.read().transpose()
    }

    /// When it was sent as far as the message says so, else when it came, unix ms.
    pub fn sent_ms(&self) -> i64 {
        self.arrival.time_ms(self.send_time)
    }
}

/// Why a known command could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Its JSON is of another shape altogether.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Its protobuf text is no base64.
    #[error("pb: {0}")]
    Base64(#[from] base64::DecodeError),
    /// Its protobuf is damaged.
    #[error("pb: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// Something without which it says nothing is not there.
    #[error("no {0}")]
    Missing(&'static str),
    /// A price or number that no purchase has.
    #[error("absurd {what}: {value}")]
    Absurd {
        /// Its field.
        what: &'static str,
        /// What it says.
        value: i64,
    },
    /// A price and a number that no purchase has together.
    #[error("absurd {what}: {price} × {num}")]
    AbsurdTotal {
        /// The field of the price.
        what: &'static str,
        /// Gold a piece.
        price: i64,
        /// How many.
        num: i64,
    },
}

/// What the decoder of a family makes of a message.
pub type Events = Result<Vec<Event>, Unreadable>;

fn decode_text(whole: &str, arrival: Arrival, wrapping: u32) -> Decoded {
    if !whole.starts_with('{') {
        return Decoded::Malformed(Malformed::new("", "not a JSON object"));
    }
    let envelope: Envelope = match serde_json::from_str(whole) {
        Ok(envelope) => envelope,
        Err(error) => return Decoded::Malformed(Malformed::new("", error)),
    };
    let text = envelope.cmd.map(RawValue::get).filter(|text| text.starts_with('"'));
    let Some(Glance::Text(cmd)) = text.and_then(|text| serde_json::from_str(text).ok()) else {
        return match object(envelope.msg) {
            Some(inner) if wrapping > 0 => decode_text(inner, arrival, wrapping - 1),
            _ => Decoded::Malformed(Malformed::new("", "no cmd")),
        };
    };
    let name = cmd.split(':').next().unwrap_or_default().trim();
    if name.is_empty() {
        return Decoded::Malformed(Malformed::new("", "no cmd"));
    }
    let message = Message {
        whole,
        data: object(envelope.data),
        name,
        arrival,
        msg_id: envelope.msg_id.0.as_deref().unwrap_or(""),
        send_time: envelope.send_time.positive(),
    };
    match dispatch(name, &message, envelope.info.0) {
        Ok(decoded) => decoded,
        Err(error) => Decoded::Malformed(Malformed::new(name, error)),
    }
}

fn object(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get).filter(|text| text.starts_with('{'))
}

fn dispatch<'a>(name: &str, message: &Message<'a>, info: danmaku::Info<'a>) -> Result<Decoded, Unreadable> {
    let events = match name {
        "SEND_GIFT" | "SEND_GIFT_V2" => gift::decode(message),
        "SUPER_CHAT_MESSAGE" | "SUPER_CHAT_MESSAGE_JPN" => superchat::decode(message),
        "SUPER_CHAT_MESSAGE_DELETE" => superchat::decode_delete(message),
        "INTERACT_WORD" | "INTERACT_WORD_V2" => interact::decode(message),
        "LIKE_INFO_V3_CLICK" => interact::decode_like(message),
        "LIVE" => room::decode_live(message),
        "PREPARING" | "CUT_OFF" | "WARNING" | "ROOM_LOCK" | "ROOM_CHANGE" => room::decode_notice(name, message),
        "WATCHED_CHANGE" | "ONLINE_RANK_COUNT" | "LIKE_INFO_V3_UPDATE" | "ROOM_REAL_TIME_MESSAGE_UPDATE" => {
            gauge::decode(name, message)
        }
        "WELCOME" | "WELCOME_GUARD" => interact::decode_welcome(message),
        "POPULARITY_RED_POCKET_NEW" | "POPULARITY_RED_POCKET_V2_NEW" => redpocket::decode(message),
        "DANMU_MSG" => return danmaku::decode(message, info),
        "GUARD_BUY" => return guard::decode_buy(message).map(Decoded::Guard),
        "USER_TOAST_MSG" | "USER_TOAST_MSG_V2" => return guard::decode_toast(message).map(Decoded::Guard),
        "STOP_LIVE_ROOM_LIST" => return signal::decode_stopped(message).map(Decoded::Signal),
        "LOG_IN_NOTICE" => return Ok(Decoded::Signal(Signal::Anonymous)),
        "DANMU_MSG_MIRROR" => return Ok(Decoded::Signal(Signal::MirroredChat)),
        _ if let Some(open) = name.strip_prefix("LIVE_OPEN_PLATFORM_")
            && let Some(decoded) = openplatform::decode(open, message) =>
        {
            return decoded;
        }
        _ if ignored::contains(name) => return Ok(Decoded::Ignored),
        _ => return Ok(Decoded::Unknown(shortened(name))),
    }?;
    Ok(if events.is_empty() { Decoded::Ignored } else { Decoded::Events(events) })
}

/// Names come from outside and are kept and counted, so they are not allowed to be long.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Body, Gold, RoomId},
        protocol::arrival,
    };

    fn check(json: &str) -> Decoded {
        decode(json.as_bytes(), arrival::tests::HERE)
    }

    #[test]
    fn names_are_matched_whole_after_the_suffix_is_cut() {
        assert_eq!(check(r#"{"cmd":"DANMU_MSG_MIRROR","info":[]}"#), Decoded::Signal(Signal::MirroredChat));
        assert_eq!(check(r#"{"cmd":"room_admin_entrance","uid":1,"msg":"x"}"#), Decoded::Ignored);
        assert_eq!(check(r#"{"cmd":"NOTICE_MSG:1:2"}"#), Decoded::Ignored);
        for name in ["LIVE_", "DANMU_MSG2", "WHAT_IS_THIS", "live"] {
            assert_eq!(check(&format!(r#"{{"cmd":"{name}"}}"#)), Decoded::Unknown(name.into()));
        }
        let long = "X".repeat(1000);
        assert_eq!(check(&format!(r#"{{"cmd":"{long}"}}"#)), Decoded::Unknown("X".repeat(64)));
    }

    #[test]
    fn a_wrapped_message_is_unwrapped() {
        let decoded = check(r#"{"roomid":1,"msg":{"cmd":"WATCHED_CHANGE","data":{"num":7}}}"#);
        let Decoded::Events(events) = decoded else { panic!("{decoded:?}") };
        assert_eq!(events[0].room_id, RoomId(7));
        let deep = format!("{}1{}", r#"{"msg":"#.repeat(100), "}".repeat(100));
        assert!(matches!(check(&deep), Decoded::Malformed(_)));
    }

    #[test]
    fn no_value_in_any_place_breaks_a_decoder() {
        let names = [
            "DANMU_MSG",
            "SEND_GIFT",
            "SEND_GIFT_V2",
            "SUPER_CHAT_MESSAGE",
            "SUPER_CHAT_MESSAGE_DELETE",
            "INTERACT_WORD",
            "LIKE_INFO_V3_CLICK",
            "LIVE",
            "PREPARING",
            "ROOM_CHANGE",
            "WATCHED_CHANGE",
            "GUARD_BUY",
            "USER_TOAST_MSG_V2",
        ];
        let keys = [
            "giftId",
            "num",
            "price",
            "total_coin",
            "id",
            "uid",
            "uname",
            "start_time",
            "end_time",
            "time",
            "msg_type",
            "timestamp",
            "live_time",
            "sub_session_key",
            "guard_level",
            "gift_id",
            "count",
            "ids",
            "blind_gift",
            "uinfo",
        ];
        let values = [
            "null",
            "[]",
            "{}",
            "\"\"",
            "true",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "1e308",
            "\"9223372036854775807\"",
            "\"-9223372036854775808sub_time:9223372036854775807\"",
            "[[{}]]",
        ];
        for name in names {
            for value in values {
                let fields = keys.map(|key| format!("\"{key}\":{value}")).join(",");
                let row = [value; 18].join(",");
                let head = format!("[{row}],{row}");
                for json in [
                    format!(
                        r#"{{"cmd":"{name}","send_time":{value},"msg_id":{value},"data":{{{fields}}},"info":[{head}]}}"#
                    ),
                    format!(r#"{{"cmd":"{name}",{fields},"data":{value},"info":[{row}]}}"#),
                ] {
                    if let Decoded::Events(events) = check(&json) {
                        assert!(events.iter().all(|event| event.room_id == arrival::tests::HERE.room_id), "{json}");
                        assert!(events.iter().all(|event| event.timestamp_ms > 0), "{json}");
                        assert!(events.iter().all(|event| event.paid() >= Gold::ZERO), "{json}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (json, why) in [
            ("", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("null", "not a JSON object"),
            ("{}", "no cmd"),
            (r#"{"cmd":7}"#, "no cmd"),
            (r#"{"cmd":":4"}"#, "no cmd"),
            (r#"{"cmd":null,"msg":"x"}"#, "no cmd"),
            (r#"{"cmd":"LIVE""#, "EOF"),
            (r#"{"cmd":"DANMU_MSG","info":{}}"#, "DANMU_MSG: no text"),
            (r#"{"cmd":"SEND_GIFT","data":[]}"#, "SEND_GIFT: no gift"),
            (r#"{"cmd":"SEND_GIFT_V2","data":{"pb":"!"}}"#, "SEND_GIFT_V2: pb: "),
            (r#"{"cmd":"INTERACT_WORD_V2","data":{"pb":"CgUx"}}"#, "INTERACT_WORD_V2: pb: "),
        ] {
            match check(json) {
                Decoded::Malformed(malformed) => {
                    assert!(malformed.to_string().contains(why), "{json}: {malformed}");
                }
                other => panic!("{json}: {other:?}"),
            }
        }
        assert!(matches!(decode(b"{\"cmd\":\xff}", arrival::tests::HERE), Decoded::Malformed(_)));
    }

    #[test]
    fn half_a_character_costs_no_message() {
        for line in [
            br#"{"cmd":"DANMU_MSG","info":[[],"\ud83d!",[5,"\ude00"]]}"#.as_slice(),
            b"{\"cmd\":\"DANMU_MSG\",\"info\":[[],\"\xe4\xb8!\",[5,\"\xf0\x9f\"]]}",
            br#"{"cmd":"DANMU_MSG","info":[[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,{"extra":"{\"content\":\"\ud83d!\"}"}],null,[5,"\ude00"]]}"#,
        ] {
            let Decoded::Events(events) = decode(line, arrival::tests::HERE) else { panic!("it is a chat line") };
            let Body::Danmaku(danmaku) = &events[0].body else { panic!("{events:?}") };
            assert_eq!((danmaku.message.as_str(), events[0].user.username.as_str()), ("\u{fffd}!", "\u{fffd}"));
        }
    }
}
