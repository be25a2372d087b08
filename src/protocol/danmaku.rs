//! Chat lines: `DANMU_MSG`.
//!
//! The payload is an array that has grown since 2017 from 8 to 18 places; each place is read if it is
//! there. Not here: mirrored lines (`DANMU_MSG_MIRROR`), which are another room's.
//!
//! Invariant: one line has one id however often it comes: by its `id_str` since 2023, before that by the
//! number the sender drew, the sender's hash, the server's token and the text.

use serde::{Deserialize, de::SeqAccess};

use super::{
    command::{Decoded, Message, Unreadable},
    lenient::{Cells, Embedded, Glance, Int, Object, Row, Text, cell, skip},
    signal::Signal,
    user::{UserInfo, worn},
};
use crate::domain::{Alias, Body, Danmaku};

/// Decodes a chat line, whose `info` is read already if it lies beside `cmd`; one that is shown here for another
/// room is a signal.
pub fn decode<'a>(message: &Message<'a>, mut info: Info<'a>) -> Result<Decoded, Unreadable> {
    if info == Info::default() {
        info = message.data::<Line<'a>>().transpose()?.unwrap_or_default().info.0;
    }
    let Info { head: Row(head), text, sender: Row(sender), medal: Row(medal), level: Row(level), guard_level, check } =
        info;
    let more = head.more.or_default();
    let extra = more.extra.0.unwrap_or_default();
    if extra.is_mirror.is_set() {
        return Ok(Decoded::Signal(Signal::MirroredChat));
    }
    let text = text.0.or(extra.content.0).ok_or(Unreadable::Missing("text"))?;
    let (mut user, worn_now) = more.user.or_default().user(sender.uid, sender.name);
    if user.masked {
        user.alias = hash_in(&head.hash, extra.user_hash).map(Alias::Hash);
    }
    let check = check.or_default();
    let sent = head.sent.positive().or(check.ts.positive()).or(message.send_time);
    let timestamp_ms = message.arrival.time_ms(sent);
    let id = match extra.id_str.number() {
        Some(number) => message.arrival.id(timestamp_ms, &["danmaku", &number, &text]),
        None => {
            let uid = sender.uid.or_zero().to_string();
            let (random, hash, ct) = (head.random.or_empty(), head.hash.or_empty(), check.ct.or_empty());
            message.arrival.id(timestamp_ms, &["danmaku", &random, &uid, &hash, &ct, &text, message.msg_id])
        }
    };
    let body = Body::Danmaku(Danmaku {
        message: text,
        medal: worn_now.or_else(|| worn(medal.name.into(), medal.level)),
        user_level: level.level.not_negative(),
        guard_level: guard_level.not_negative().unwrap_or(0),
        is_admin: sender.is_admin.is_set(),
        is_vip: sender.is_monthly_vip.is_set() || sender.is_yearly_vip.is_set(),
        lottery: matches!(head.origin.0, Some(RHYTHM_STORM | RAFFLE_PHRASE)),
        emoticon_url: head.emoticon.or_default().url.filled(),
        reply_to: extra.reply_uname.filled().filter(|_| extra.reply_mid.is_set()),
    });
    Ok(Decoded::Events(vec![message.arrival.event_as(id, timestamp_ms, user, body)]))
}

/// The CRC-32 of the sender's number, of which one place has the hexadecimal and the other the decimal digits.
fn hash_in(hexadecimal: &Glance, decimal: Int) -> Option<u32> {
    let hash = u32::from_str_radix(hexadecimal.or_empty().trim(), 16).ok();
    hash.or_else(|| u32::try_from(decimal.positive()?).ok()).filter(|hash| *hash != 0)
}

/// Copies of one line, sent by clicking.
const RHYTHM_STORM: i64 = 1;
/// A set phrase, sent by joining a raffle.
const RAFFLE_PHRASE: i64 = 2;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    info: Row<Info<'a>>,
}

/// The row of a chat line.
#[derive(Debug, Default, PartialEq)]
pub struct Info<'a> {
    head: Row<Head<'a>>,
    text: Text,
    sender: Row<Sender>,
    medal: Row<MedalCells<'a>>,
    level: Row<Level>,
    guard_level: Int,
    check: Object<Check<'a>>,
}

impl<'de: 'a, 'a> Cells<'de> for Info<'a> {
    fn read<A: SeqAccess<'de>>(&mut self, at: usize, row: &mut A) -> Result<bool, A::Error> {
        match at {
            0 => cell(row, &mut self.head),
            1 => cell(row, &mut self.text),
            2 => cell(row, &mut self.sender),
            3 => cell(row, &mut self.medal),
            4 => cell(row, &mut self.level),
            7 => cell(row, &mut self.guard_level),
            9 => cell(row, &mut self.check),
            _ => skip(row),
        }
    }
}

#[derive(Debug, Default, PartialEq)]
struct Head<'a> {
    sent: Int,
    random: Glance<'a>,
    hash: Glance<'a>,
    origin: Int,
    emoticon: Object<Emoticon>,
    more: Object<More<'a>>,
}

impl<'de: 'a, 'a> Cells<'de> for Head<'a> {
    fn read<A: SeqAccess<'de>>(&mut self, at: usize, row: &mut A) -> Result<bool, A::Error> {
        match at {
            4 => cell(row, &mut self.sent),
            5 => cell(row, &mut self.random),
            7 => cell(row, &mut self.hash),
            9 => cell(row, &mut self.origin),
            13 => cell(row, &mut self.emoticon),
            15 => cell(row, &mut self.more),
            _ => skip(row),
        }
    }
}

#[derive(Debug, Default, PartialEq)]
struct Sender {
    uid: Int,
    name: Text,
    is_admin: Int,
    is_monthly_vip: Int,
    is_yearly_vip: Int,
}

impl<'de> Cells<'de> for Sender {
    fn read<A: SeqAccess<'de>>(&mut self, at: usize, row: &mut A) -> Result<bool, A::Error> {
        match at {
            0 => cell(row, &mut self.uid),
            1 => cell(row, &mut self.name),
            2 => cell(row, &mut self.is_admin),
            3 => cell(row, &mut self.is_monthly_vip),
            4 => cell(row, &mut self.is_yearly_vip),
            _ => skip(row),
        }
    }
}

#[derive(Debug, Default, PartialEq)]
struct MedalCells<'a> {
    level: Int,
    name: Glance<'a>,
}

impl<'de: 'a, 'a> Cells<'de> for MedalCells<'a> {
    fn read<A: SeqAccess<'de>>(&mut self, at: usize, row: &mut A) -> Result<bool, A::Error> {
        match at {
            0 => cell(row, &mut self.level),
            1 => cell(row, &mut self.name),
            _ => skip(row),
        }
    }
}

#[derive(Debug, Default, PartialEq)]
struct Level {
    level: Int,
}

impl<'de> Cells<'de> for Level {
    fn read<A: SeqAccess<'de>>(&mut self, at: usize, row: &mut A) -> Result<bool, A::Error> {
        match at {
            0 => cell(row, &mut self.level),
            _ => skip(row),
        }
    }
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Emoticon {
    url: Text,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Check<'a> {
    ts: Int,
    #[serde(borrow)]
    ct: Glance<'a>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct More<'a> {
    extra: Embedded<Extra>,
    #[serde(borrow)]
    user: Object<UserInfo<Glance<'a>>>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Extra {
    content: Text,
    id_str: Text,
    reply_mid: Int,
    reply_uname: Text,
    user_hash: Int,
    is_mirror: Int,
}

#[cfg(test)]
mod tests {
    use super::Signal;
    use crate::{
        domain::{Alias, Body, Danmaku, Event, Medal, Uid},
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

    fn line(json: &str) -> (Event, Danmaku) {
        let event = event(json);
        let Body::Danmaku(danmaku) = event.body.clone() else { panic!("{event:?}") };
        (event, danmaku)
    }

    const MODERN: &str = r##"{"cmd":"DANMU_MSG:4:0:2:2:2:0","dm_v2":"","info":[[0,1,25,16777215,1780000000123,-99,0,
        "0a1b2c3d",0,0,5,"#1453BAFF,#4C2263A2",1,{"emoticon_unique":"u","url":"https://img.example/e.png"},"{}",
        {"extra":"{\"content\":\"好耶\",\"id_str\":\"aa11\",\"reply_mid\":44,\"reply_uname\":\"小狗\"}","mode":0,
        "user":{"uid":1234,"base":{"name":"小猫"},"medal":{"name":"新牌","level":21}}},
        {"activity_identity":""}],"好耶",[1234,"小猫",1,0,1,10000,1,"#00D1F1"],[3,"旧牌","x",1,0,"",0],[33,0,1,">50000",0],
        ["",""],0,3,null,{"ts":1780000000,"ct":"AB"},0,0,null,null,0,105,[18],null]}"##;

    #[test]
    fn a_line_of_today_is_read_whole() {
        let (event, danmaku) = line(MODERN);
        assert_eq!(
            (event.timestamp_ms, event.user.uid, event.user.username.as_str()),
            (1780000000123, Uid(1234), "小猫")
        );
        let expected = Danmaku {
            message: "好耶".into(),
            medal: Some(Medal { name: "新牌".into(), level: 21 }),
            user_level: Some(33),
            guard_level: 3,
            is_admin: true,
            is_vip: true,
            lottery: false,
            emoticon_url: Some("https://img.example/e.png".into()),
            reply_to: Some("小狗".into()),
        };
        assert_eq!(danmaku, expected);
    }

    #[test]
    fn lines_of_every_year_are_read() {
        for (json, time, uid, text, medal) in [
            (
                r#"{"info":[[0,1,25,1,1510000000,"1510000001",0,"abcdef12",0],"老",[11,"甲",0,1,0,10000,1,""],
                    [13,"牌","主","1234",1,""],[41,0,1,6603],["t","t"],0,0,{"uname_color":""}],"cmd":"DANMU_MSG"}"#,
                1510000000000,
                11,
                "老",
                Some(13),
            ),
            (
                r#"{"cmd":"DANMU_MSG","info":[[0,1,25,1,1619000000067,7,0,"abcdef12",0,2,0,""],"中",[12,"乙"],[],[]]}"#,
                1619000000067,
                12,
                "中",
                None,
            ),
            (r#"{"cmd":"DANMU_MSG","info":[null,"短"]}"#, HERE.received_ms, 0, "短", None),
            (r#"{"cmd":"DANMU_MSG","info":[[],233,["13","丙"],null,null]}"#, HERE.received_ms, 13, "233", None),
            (r#"{"cmd":"DANMU_MSG","data":{"info":[[],"内",[14,"丁"]]}}"#, HERE.received_ms, 14, "内", None),
        ] {
            let (event, danmaku) = line(json);
            assert_eq!(
                (event.timestamp_ms, event.user.uid, danmaku.message.as_str(), danmaku.medal.map(|m| m.level)),
                (time, Uid(uid), text, medal),
                "{json}"
            );
        }
    }

    #[test]
    fn a_line_without_a_possible_time_is_of_when_it_came_and_a_long_one_is_cut() {
        let (event, danmaku) = line(&format!(
            r#"{{"cmd":"DANMU_MSG","info":[[0,1,25,1,253402300800000,7,0,"h"],"{0}",[5,"{0}"]]}}"#,
            "a".repeat(100_000)
        ));
        assert_eq!(event.timestamp_ms, HERE.received_ms);
        assert_eq!((danmaku.message.len(), event.user.username.len()), (4096, 4096));
    }

    #[test]
    fn raffle_phrases_and_rhythm_storms_are_no_chat() {
        for (origin, lottery) in [("0", false), ("1", true), ("2", true), ("\"2\"", true), ("null", false)] {
            let json =
                format!(r#"{{"cmd":"DANMU_MSG","info":[[0,1,25,1,1780000000123,7,0,"h",0,{origin}],"x",[1,"y"]]}}"#);
            assert_eq!(line(&json).1.lottery, lottery, "{origin}");
        }
    }

    #[test]
    fn a_masked_sender_is_masked() {
        let (event, _) = line(r#"{"cmd":"DANMU_MSG","info":[[0,1,25,1,1780000000123,7,0,"h"],"x",[0,"小***"]]}"#);
        assert!(event.user.masked);
        assert_eq!((event.user.username.as_str(), event.user.alias), ("小***", None));
    }

    #[test]
    fn a_hash_stands_for_a_masked_sender_and_for_no_other() {
        let with = |uid: i64, hash: &str, extra: &str| {
            let extra = format!(r#"{{"extra":"{{\"content\":\"x\"{extra}}}"}}"#);
            let head = format!(r#"[0,1,25,1,1780000000123,7,0,{hash},0,0,0,"",0,"{{}}","{{}}",{extra}]"#);
            event(&format!(r#"{{"cmd":"DANMU_MSG","info":[{head},"x",[{uid},"小***"]]}}"#)).user.alias
        };
        let hash = Some(Alias::Hash(0xcbf4_3926));
        assert_eq!(with(0, "\"cbf43926\"", ""), hash);
        assert_eq!(with(0, "null", r#",\"user_hash\":\"3421780262\""#), hash);
        assert_eq!(with(0, "\"CBF43926\"", r#",\"user_hash\":1"#), hash);
        for other in ["\"\"", "\"xyz\"", "null", "\"00000000\"", "\"ffffffffff\""] {
            assert_eq!(with(0, other, ""), None, "{other}");
        }
        assert_eq!(with(123_456_789, "\"cbf43926\"", ""), None);
    }

    #[test]
    fn a_line_that_says_it_is_mirrored_is_no_chat_of_this_room() {
        let json = MODERN.replace(r#"{\"content\""#, r#"{\"is_mirror\":true,\"content\""#);
        assert_eq!(decode(json.as_bytes(), HERE), Decoded::Signal(Signal::MirroredChat));
    }

    #[test]
    fn the_id_is_of_the_line_and_not_of_its_arrival() {
        let id = event(MODERN).id;
        assert_eq!(event(&MODERN.replace("DANMU_MSG:4:0:2:2:2:0", "DANMU_MSG")).id, id);
        assert_eq!(event(&MODERN.replace("\"小猫\",1", "\"小猫\",0")).id, id);
        assert_ne!(event(&MODERN.replace("aa11", "aa12")).id, id);
        let old = MODERN.replace("aa11", "");
        let old_id = event(&old).id;
        assert_ne!(old_id, id);
        assert_eq!(event(&MODERN.replace("aa11", "0")).id, old_id);
        for (from, to) in [("-99", "-98"), ("0a1b2c3d", "0a1b2c3e"), ("\"AB\"", "\"AC\""), ("123,-99", "124,-99")] {
            assert_ne!(event(&old.replace(from, to)).id, old_id, "{from}");
        }
    }
}
