//! What happens to the room itself: `LIVE`, `PREPARING`, `CUT_OFF`, `WARNING`, `ROOM_LOCK`, `ROOM_CHANGE`.
//!
//! Most of these are flat: their fields lie beside `cmd`. Not here: messages only the streamer gets
//! (`CUT_OFF_V2`), and what a session is.
//!
//! Invariant: `LIVE` is sent twice for one start, the second time without its time; both have one id,
//! made of the broadcast's key and the time hidden in `sub_session_key`, which both carry.

use serde::Deserialize;

use super::{
    command::{Events, Message, Unreadable},
    lenient::{Int, Text},
};
use crate::domain::{Body, RoomNotice, User};

/// Decodes the start of a broadcast.
pub fn decode_live(message: &Message) -> Events {
    let fields = Fields::read(message)?;
    let started = fields.session_start().or(fields.live_time.positive()).or(message.send_time);
    let timestamp_ms = message.arrival.time_ms(started);
    let notice = fields.notice(None);
    // Without a key only the time, or else the message, tells one start from another.
    let key = notice.live_key.clone().unwrap_or_else(|| match started {
        Some(_) => String::new(),
        None => message.msg_id.to_owned(),
    });
    Ok(vec![message.arrival.event(timestamp_ms, User::default(), Body::Live(notice), &["live", &key])])
}

/// Decodes the other news about a room; `name` is the command.
pub fn decode_notice(name: &str, message: &Message) -> Events {
    let mut fields = Fields::read(message)?;
    let expire = std::mem::take(&mut fields.expire).filled();
    let text = std::mem::take(&mut fields.msg).filled().or(expire);
    let notice = fields.notice(text);
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let facts = [part(&notice.title), part(&notice.area_name), part(&notice.live_key), part(&notice.text)];
    let (family, body) = match name {
        "PREPARING" => ("preparing", Body::Preparing(notice)),
        "CUT_OFF" => ("cut_off", Body::CutOff(notice)),
        "WARNING" => ("warning", Body::Warning(notice)),
        "ROOM_LOCK" => ("room_lock", Body::RoomLock(notice)),
        _ => ("room_change", Body::RoomChange(notice)),
    };
    let [title, area, key, text] = &facts;
    let facts = [family, message.msg_id, title, area, key, text];
    Ok(vec![message.arrival.event(message.sent_ms(), User::default(), body, &facts)])
}

/// The fields of all these commands.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    title: Text,
    area_name: Text,
    live_key: Text,
    sub_session_key: Text,
    live_time: Int,
    msg: Text,
    expire: Text,
}

impl Fields {
    /// Each field from where it is: beside `cmd` or in `data`.
    fn read(message: &Message) -> Result<Fields, Unreadable> {
        let top: Fields = message.top()?;
        let Some(inner) = message.data::<Fields>().transpose()? else { return Ok(top) };
        Ok(Fields {
            title: inner.title.or(top.title),
            area_name: inner.area_name.or(top.area_name),
            live_key: inner.live_key.or(top.live_key),
            sub_session_key: inner.sub_session_key.or(top.sub_session_key),
            live_time: inner.live_time.or(top.live_time),
            msg: inner.msg.or(top.msg),
            expire: inner.expire.or(top.expire),
        })
    }

    /// The unix s at the end of `716183726456147844sub_time:1785502507`.
    fn session_start(&self) -> Option<i64> {
        let (_, seconds) = self.sub_session_key.0.as_deref()?.rsplit_once("sub_time:")?;
        seconds.trim().parse().ok().filter(|seconds| *seconds > 0)
    }

    fn notice(self, text: Option<String>) -> RoomNotice {
        RoomNotice {
            title: self.title.filled(),
            area_name: self.area_name.filled().map(|name| name.trim().to_owned()),
            live_key: self.live_key.number(),
            text,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        domain::{Body, Event, Kind, RoomNotice},
        protocol::{
            arrival::{Arrival, tests::HERE},
            command::{Decoded, decode},
        },
    };

    fn at(json: &str, received_ms: i64) -> Event {
        match decode(json.as_bytes(), Arrival { received_ms, ..HERE }) {
            Decoded::Events(mut events) if events.len() == 1 => events.remove(0),
            other => panic!("{json}: {other:?}"),
        }
    }

    fn event(json: &str) -> Event {
        at(json, HERE.received_ms)
    }

    #[test]
    fn the_two_starts_of_one_broadcast_have_one_id() {
        let first = at(
            r#"{"cmd":"LIVE","live_key":"71618","sub_session_key":"71618sub_time:1780000001","live_time":1780000000,
                "roomid":9}"#,
            1_780_000_002_000,
        );
        let second = at(
            r#"{"cmd":"LIVE","live_key":"71618","sub_session_key":"71618sub_time:1780000001","roomid":"9"}"#,
            1_780_000_009_000,
        );
        assert_eq!(first.id, second.id);
        assert_eq!(first.body, Body::Live(RoomNotice { live_key: Some("71618".into()), ..RoomNotice::default() }));
        let next = event(r#"{"cmd":"LIVE","live_key":"71619","sub_session_key":"71619sub_time:1780000001"}"#);
        assert_ne!(first.id, next.id);
    }

    #[test]
    fn a_start_takes_its_time_from_where_there_is_one() {
        for (json, time) in [
            (r#"{"cmd":"LIVE","roomid":9}"#, HERE.received_ms),
            (r#"{"cmd":"LIVE","live_time":"1780000000"}"#, 1_780_000_000_000),
            (r#"{"cmd":"LIVE","data":{"live_time":1780000000}}"#, 1_780_000_000_000),
            (r#"{"cmd":"LIVE","sub_session_key":"","live_time":0,"send_time":1780000000777}"#, 1_780_000_000_777),
            (r#"{"cmd":"LIVE","sub_session_key":"1sub_time:x"}"#, HERE.received_ms),
        ] {
            assert_eq!(event(json).timestamp_ms, time, "{json}");
        }
    }

    #[test]
    fn news_about_the_room_say_what_they_say() {
        let none = RoomNotice::default;
        let text = |text: &str| RoomNotice { text: Some(text.into()), ..none() };
        let change = RoomNotice {
            title: Some("新标题".into()),
            area_name: Some("科技".into()),
            live_key: Some("55".into()),
            text: None,
        };
        for (json, kind, body) in [
            (r#"{"cmd":"PREPARING","roomid":"9","round":1}"#, Kind::Preparing, Body::Preparing(none())),
            (r#"{"cmd":"CUT_OFF","msg":"违规","room_id":9}"#, Kind::CutOff, Body::CutOff(text("违规"))),
            (r#"{"cmd":"CUT_OFF","data":{"msg":"违规"}}"#, Kind::CutOff, Body::CutOff(text("违规"))),
            (r#"{"cmd":"WARNING","msg":"请调整","roomid":9}"#, Kind::Warning, Body::Warning(text("请调整"))),
            (
                r#"{"cmd":"ROOM_LOCK","expire":"2026-07-31 21:33:00","roomid":9}"#,
                Kind::RoomLock,
                Body::RoomLock(text("2026-07-31 21:33:00")),
            ),
            (
                r#"{"cmd":"ROOM_CHANGE","data":{"title":"新标题","area_name":" 科技","live_key":"55"}}"#,
                Kind::RoomChange,
                Body::RoomChange(change),
            ),
            (
                r#"{"cmd":"ROOM_CHANGE","data":{"title":null,"area_name":null,"live_key":"0"}}"#,
                Kind::RoomChange,
                Body::RoomChange(none()),
            ),
        ] {
            let event = event(json);
            assert_eq!((event.kind(), &event.body), (kind, &body), "{json}");
            assert!(!event.user.masked, "{json}");
        }
    }

    #[test]
    fn the_end_of_a_broadcast_is_one_fact_however_often_it_comes() {
        let end = r#"{"cmd":"PREPARING","roomid":"9","msg_id":"1:1000:1000","send_time":1780000000123}"#;
        assert_eq!(at(end, 1_780_000_001_000).id, at(end, 1_780_000_009_000).id);
        assert_eq!(event(end).timestamp_ms, 1_780_000_000_123);
        assert_ne!(event(end).id, event(&end.replace("1:1000", "2:1000")).id);
    }
}
