//! Entries, follows, shares and likes: `INTERACT_WORD` (JSON), `INTERACT_WORD_V2` (protobuf),
//! `LIKE_INFO_V3_CLICK`, and the `WELCOME`s of before 2020.
//!
//! Not here: `ENTRY_EFFECT`, which announces an entry that comes by itself or not at all. Invariant: a kind
//! of interaction that we do not know becomes no event rather than a wrong one.

use serde::Deserialize;

use super::{
    command::{Events, Message, Unreadable},
    lenient::{Int, Object, Text},
    pb,
    user::{OldMedal, UserInfo},
};
use crate::domain::{Body, Medal};

/// Decodes an entry, follow, share or like of either form.
pub fn decode(message: &Message) -> Events {
    let word = match message.protobuf::<pb::InteractWord>()? {
        Some(word) => from_protobuf(word),
        None => message.payload()?,
    };
    let Word { uid, uname, msg_type, timestamp, trigger_time, fans_medal, uinfo, .. } = word;
    let (user, worn) = uinfo.or_default().user(uid, uname);
    let Some(msg_type) = msg_type.0 else { return Err(Unreadable::Missing("msg_type")) };
    let Some(body) = body(msg_type, worn.or_else(|| fans_medal.or_default().worn())) else { return Ok(Vec::new()) };
    let sent = timestamp.positive().or(trigger_time.0.and_then(ms_of_ns)).or(message.send_time);
    let timestamp_ms = message.arrival.time_ms(sent);
    let (uid, name) = (user.uid.to_string(), user.username.clone());
    let facts = ["interact", &uid, &name, &msg_type.to_string(), &trigger_time.or_zero().to_string()];
    Ok(vec![message.arrival.event(timestamp_ms, user, body, &facts)])
}

/// Unix ns as ms; too few to be ns of this century are none.
fn ms_of_ns(time: i64) -> Option<i64> {
    Some(time / 1_000_000).filter(|ms| *ms >= 1_000_000_000_000)
}

/// Decodes a like, which says neither when it was nor what tells it from the next.
pub fn decode_like(message: &Message) -> Events {
    let like: Word = message.payload()?;
    let (user, worn) = like.uinfo.or_default().user(like.uid, like.uname);
    if user.masked && user.username.is_empty() {
        return Err(Unreadable::Missing("user"));
    }
    let body = Body::Like(worn.or_else(|| like.fans_medal.or_default().worn()));
    let (uid, name) = (user.uid.to_string(), user.username.clone());
    Ok(vec![message.arrival.event(message.sent_ms(), user, body, &["like", &uid, &name, message.msg_id])])
}

/// Decodes the entry of a VIP or guard as it was told before 2020, when nobody else's was.
pub fn decode_welcome(message: &Message) -> Events {
    let welcome: Word = message.payload()?;
    let (user, _) = welcome.uinfo.or_default().user(welcome.uid, welcome.uname.or(welcome.username));
    if user.masked && user.username.is_empty() {
        return Err(Unreadable::Missing("user"));
    }
    let (uid, name) = (user.uid.to_string(), user.username.clone());
    let facts = ["welcome", &uid, &name, message.msg_id];
    Ok(vec![message.arrival.event(message.sent_ms(), user, Body::Enter(None), &facts)])
}

/// What the numbers of `msg_type` mean.
fn body(msg_type: i64, medal: Option<Medal>) -> Option<Body> {
    match msg_type {
        1 => Some(Body::Enter(medal)),
        // Followed, followed specially, followed back.
        2 | 4 | 5 => Some(Body::Follow(medal)),
        3 => Some(Body::Share(medal)),
        6 => Some(Body::Like(medal)),
        _ => None,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Word {
    uid: Int,
    uname: Text,
    username: Text,
    msg_type: Int,
    timestamp: Int,
    trigger_time: Int,
    fans_medal: Object<OldMedal>,
    uinfo: Object<UserInfo>,
}

fn from_protobuf(word: pb::InteractWord) -> Word {
    Word {
        uid: Int(Some(word.uid)),
        uname: word.uname.into(),
        username: Text(None),
        msg_type: Int(Some(word.msg_type)),
        timestamp: Int(Some(word.timestamp)),
        trigger_time: Int(Some(word.trigger_time)),
        fans_medal: Object(word.fans_medal.map(|medal| OldMedal::of(medal.name, medal.level))),
        uinfo: Object(word.uinfo.map(UserInfo::from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Event, Kind, Uid},
        protocol::{
            arrival::tests::HERE,
            command::{Decoded, decode},
            pb::tests::base64_of,
        },
    };

    fn one(json: &str) -> Event {
        match decode(json.as_bytes(), HERE) {
            Decoded::Events(mut events) if events.len() == 1 => events.remove(0),
            other => panic!("{json}: {other:?}"),
        }
    }

    fn v2(word: &pb::InteractWord) -> String {
        format!(r#"{{"cmd":"INTERACT_WORD_V2","data":{{"dmscore":6,"pb":"{}"}}}}"#, base64_of(word))
    }

    fn word() -> pb::InteractWord {
        pb::InteractWord {
            uid: 88,
            uname: "小猫".into(),
            msg_type: 1,
            timestamp: 1_780_000_000,
            trigger_time: 1_780_000_000_123_456_789,
            fans_medal: Some(pb::FansMedal { name: "旧".into(), level: 2 }),
            ..pb::InteractWord::default()
        }
    }

    #[test]
    fn both_forms_give_the_same_event() {
        let json = r#"{"cmd":"INTERACT_WORD","data":{"uid":"88","uname":"小猫","msg_type":1,"timestamp":1780000000,
            "trigger_time":1780000000123456789,"fans_medal":{"medal_name":"旧","medal_level":2},"uinfo":null}}"#;
        let event = one(json);
        assert_eq!(one(&v2(&word())), event);
        assert_eq!((event.kind(), event.timestamp_ms, event.user.uid), (Kind::Enter, 1_780_000_000_000, Uid(88)));
        assert_eq!(event.body, Body::Enter(Some(Medal { name: "旧".into(), level: 2 })));
    }

    #[test]
    fn without_a_time_in_seconds_the_one_in_nanoseconds_counts() {
        for (trigger_time, expected) in
            [(1_780_000_000_123_456_789, 1_780_000_000_123), (1_780_000_000, HERE.received_ms), (0, HERE.received_ms)]
        {
            let event = one(&v2(&pb::InteractWord { timestamp: 0, trigger_time, ..word() }));
            assert_eq!(event.timestamp_ms, expected, "{trigger_time}");
        }
    }

    #[test]
    fn the_badge_of_the_user_object_wins() {
        let uinfo = pb::UserInfo { uid: 88, base: None, medal: Some(pb::WornMedal { name: "新".into(), level: 30 }) };
        let event = one(&v2(&pb::InteractWord { uinfo: Some(uinfo), ..word() }));
        assert_eq!(event.body, Body::Enter(Some(Medal { name: "新".into(), level: 30 })));
    }

    #[test]
    fn each_number_is_its_kind_and_unknown_ones_are_none() {
        for (msg_type, kind) in [
            (1, Kind::Enter),
            (2, Kind::Follow),
            (3, Kind::Share),
            (4, Kind::Follow),
            (5, Kind::Follow),
            (6, Kind::Like),
        ] {
            assert_eq!(one(&v2(&pb::InteractWord { msg_type, ..word() })).kind(), kind);
        }
        assert_eq!(decode(v2(&pb::InteractWord { msg_type: 7, ..word() }).as_bytes(), HERE), Decoded::Ignored);
    }

    #[test]
    fn a_masked_entry_has_no_number() {
        let event = one(&v2(&pb::InteractWord { uid: 0, uname: "小***".into(), ..word() }));
        assert_eq!((event.user.uid, event.user.masked), (Uid(0), true));
    }

    #[test]
    fn the_entries_of_before_2020_are_entries() {
        for (json, uid, name) in [
            (r#"{"cmd":"WELCOME","data":{"uid":5,"uname":"甲","isadmin":0,"svip":1},"roomid":7}"#, 5, "甲"),
            (r#"{"cmd":"WELCOME_GUARD","data":{"uid":"6","username":"乙","guard_level":3}}"#, 6, "乙"),
        ] {
            let event = one(json);
            assert_eq!((event.kind(), event.user.uid, event.user.username.as_str()), (Kind::Enter, Uid(uid), name));
        }
    }

    #[test]
    fn a_like_is_an_event_of_its_own_time() {
        let like = r#"{"cmd":"LIKE_INFO_V3_CLICK","data":{"uid":5,"uname":"小狗","msg_type":6,"like_text":"x",
            "fans_medal":{"medal_name":"","medal_level":0}}}"#;
        let event = one(like);
        assert_eq!((event.body, event.timestamp_ms), (Body::Like(None), HERE.received_ms));
        let empty = decode(br#"{"cmd":"LIKE_INFO_V3_CLICK","data":{}}"#, HERE);
        assert!(matches!(empty, Decoded::Malformed(_)), "{empty:?}");
    }
}
