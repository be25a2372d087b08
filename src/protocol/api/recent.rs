//! What a room's own lists still show of the recent past: super chats on display, the last chat lines.
//!
//! The stream repeats nothing, so these lists are all there is to fill a gap with. Not here: which of it is
//! new (`actors::memory`, `store::backfill`).
//!
//! Invariant: a super chat has the id that the stream gave it. A chat line cannot: its id in the stream is of
//! the millisecond, and the list knows only the second; [`crate::domain::Danmaku`]s of the same second, user
//! and text are one line.

use serde::{Deserialize, de::SeqAccess};
use serde_json::value::RawValue;

use super::{
    super::{
        arrival::Arrival,
        envelope::{ApiError, Envelope},
        lenient::{Cells, Int, List, Object, Row, Text, cell, skip},
        superchat,
        user::{UserInfo, worn},
    },
    time::unix_ms,
};
use crate::domain::{Body, Danmaku, Event, Source};

/// `SuperChat/getMessageList`: the super chats on display.
pub fn parse_super_chats(body: &[u8], arrival: Arrival) -> Result<Vec<Event>, ApiError> {
    let list: OnDisplay = Envelope::read(body)?.data()?;
    let read = |item: Box<RawValue>| superchat::decode_item(item.get(), arrival).ok();
    Ok(list.list.0.into_iter().filter_map(read).map(backfilled).collect())
}

/// `dM/gethistory`: the last ten lines of moderators and the last ten of all; anonymous gets none.
pub fn parse_chat_history(body: &[u8], arrival: Arrival) -> Result<Vec<Event>, ApiError> {
    let History { admin, room } = Envelope::read(body)?.data()?;
    let mut lines: Vec<Event> =
        admin.0.into_iter().chain(room.0).filter_map(|line| line.0?.event(arrival)).map(backfilled).collect();
    // A moderator's line may stand in both lists.
    lines.sort_by_key(|line| (line.timestamp_ms, line.id));
    lines.dedup_by_key(|line| line.id);
    Ok(lines)
}

fn backfilled(event: Event) -> Event {
    Event { source: Source::Backfill, ..event }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OnDisplay {
    list: List<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct History {
    admin: List<Object<Line>>,
    room: List<Object<Line>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    text: Text,
    uid: Int,
    nickname: Text,
    timeline: Text,
    isadmin: Int,
    vip: Int,
    svip: Int,
    medal: Row<LevelAndName>,
    user_level: Row<LevelAndName>,
    guard_level: Int,
    id_str: Text,
    check_info: Object<Check>,
    emoticon: Object<Emoticon>,
    user: Object<UserInfo>,
}

impl Line {
    fn event(self, arrival: Arrival) -> Option<Event> {
        let message = self.text.filled()?;
        let check = self.check_info.or_default();
        let sent = check.ts.positive().or_else(|| unix_ms(self.timeline.0.as_deref()?));
        let timestamp_ms = arrival.time_ms(Some(sent?));
        let (user, worn_now) = self.user.or_default().user(self.uid, self.nickname);
        let uid = user.uid.to_string();
        let (number, token) = (self.id_str.number().unwrap_or_default(), check.ct.or_empty());
        let facts = match number.as_str() {
            "" => ["danmaku", &uid, &token, &message].to_vec(),
            number => vec!["danmaku", number, &message],
        };
        let body = Body::Danmaku(Danmaku {
            message: message.clone(),
            medal: worn_now.or(worn(self.medal.0.name, self.medal.0.level)),
            user_level: self.user_level.0.level.not_negative(),
            guard_level: self.guard_level.not_negative().unwrap_or(0),
            is_admin: self.isadmin.is_set(),
            is_vip: self.vip.is_set() || self.svip.is_set(),
            lottery: false,
            emoticon_url: self.emoticon.or_default().url.filled(),
            reply_to: None,
        });
        Some(arrival.event(timestamp_ms, user, body, &facts))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Check {
    ts: Int,
    ct: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Emoticon {
    url: Text,
}

/// How badges and user levels begin.
#[derive(Debug, Default, PartialEq)]
struct LevelAndName {
    level: Int,
    name: Text,
}

impl<'de> Cells<'de> for LevelAndName {
    fn read<A: SeqAccess<'de>>(&mut self, at: usize, row: &mut A) -> Result<bool, A::Error> {
        match at {
            0 => cell(row, &mut self.level),
            1 => cell(row, &mut self.name),
            _ => skip(row),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Gold, Medal, Uid},
        protocol::{
            arrival::tests::HERE,
            command::{Decoded, decode},
        },
    };

    #[test]
    fn a_super_chat_on_display_is_the_one_of_the_stream() {
        let item = r#"{"id":4200001,"uid":321,"price":50,"rate":1000,"message":"你好","start_time":1780000000,
            "end_time":1780000120,"time":120,"ts":1780000001,"user_info":{"uname":"小猫"}}"#;
        let streamed = format!(r#"{{"cmd":"SUPER_CHAT_MESSAGE","data":{item}}}"#);
        let Decoded::Events(streamed) = decode(streamed.as_bytes(), HERE) else { panic!("is one") };
        let listed = format!(r#"{{"code":0,"data":{{"list":[{item},{{}},null]}}}}"#);
        let listed = parse_super_chats(listed.as_bytes(), HERE).expect("an answer");
        assert_eq!((listed.len(), listed[0].id, &listed[0].body), (1, streamed[0].id, &streamed[0].body));
        assert_eq!((listed[0].source, listed[0].paid()), (Source::Backfill, Gold(50_000)));
        assert_eq!(parse_super_chats(br#"{"code":0,"data":[]}"#, HERE).expect("an answer"), []);
    }

    #[test]
    fn the_last_lines_are_read_each_once_and_oldest_first() {
        let line = |text: &str, ts: &str, number: &str| {
            format!(
                r#"{{"text":"{text}","uid":"1234","nickname":"小猫","timeline":"2026-05-29 04:26:40","isadmin":1,
                "medal":[21,"牌","主",7],"user_level":[33,0,1,">50000"],"guard_level":3,"id_str":"{number}",
                "check_info":{ts},"user":{{"uid":1234,"base":{{"name":"小猫"}}}}}}"#
            )
        };
        let newer = line("后", r#"{"ts":1780000009,"ct":"AB"}"#, "bb22");
        let older = line("先", "null", "aa11");
        let body = format!(r#"{{"code":0,"data":{{"admin":[{newer}],"room":[{newer},{older},{{"text":""}},7]}}}}"#);
        let lines = parse_chat_history(body.as_bytes(), HERE).expect("an answer");
        let times: Vec<i64> = lines.iter().map(|line| line.timestamp_ms).collect();
        assert_eq!(times, [1_780_000_000_000, 1_780_000_009_000]);
        assert_eq!((lines[1].user.uid, lines[1].user.username.as_str()), (Uid(1234), "小猫"));
        let Body::Danmaku(danmaku) = &lines[1].body else { panic!("{lines:?}") };
        assert_eq!((danmaku.message.as_str(), danmaku.user_level, danmaku.guard_level), ("后", Some(33), 3));
        assert_eq!(danmaku.medal, Some(Medal { name: "牌".into(), level: 21 }));
        assert!(danmaku.is_admin);
        for empty in [r#"{"code":0,"data":{"admin":[],"room":[]}}"#, r#"{"code":0,"data":[]}"#] {
            assert_eq!(parse_chat_history(empty.as_bytes(), HERE).expect("an answer"), []);
        }
    }
}
