//! Reads the upstream's HTTP replies, one function for each endpoint.
//!
//! Not here: sending requests, cookies, what every reply has in common (`envelope`).
//!
//! Invariant: a value that comes out is usable: a room has a number, a ticket a token and a host. Numbers
//! may be text, and times come as unix seconds or as text of Shanghai; a time that means off is none.

use serde::Deserialize;

use super::{
    envelope::{ApiError, Envelope, Refusal},
    lenient::{Int, List, Object, Text},
    wbi::WbiKeys,
};
use crate::domain::{LiveStatus, RoomId, RoomInfo, Uid};

/// The visitor's identity cookies.
#[derive(Clone, PartialEq, Eq)]
pub struct Buvid {
    /// Needed for the stream.
    pub buvid3: String,
    /// Makes risk control less likely; may be empty.
    pub buvid4: String,
}

/// What the stream asks for at the door, and its doors.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamTicket {
    /// Belongs to the user and the user agent that fetched it. Secret.
    pub token: String,
    /// At least one, each once, in the order given.
    pub hosts: Vec<StreamHost>,
}

impl std::fmt::Debug for StreamTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamTicket").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Buvid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buvid").finish_non_exhaustive()
    }
}

/// A server of the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamHost {
    /// Its name.
    pub host: String,
    /// Where plain WebSocket is spoken.
    pub ws_port: u16,
    /// Where WebSocket over TLS is spoken.
    pub wss_port: u16,
}

/// Who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The number.
    pub uid: Uid,
    /// The name.
    pub uname: String,
}

/// What is known about a streamer apart from the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The number.
    pub uid: Uid,
    /// The name.
    pub uname: String,
    /// Address of the picture.
    pub face: String,
    /// Followers.
    pub followers: i64,
}

impl Anchor {
    /// Fills what a room's own reply leaves open.
    pub fn complete(&self, room: &mut RoomInfo) {
        room.uid = self.uid;
        room.uname.clone_from(&self.uname);
        room.face.clone_from(&self.face);
        room.followers = self.followers;
    }
}

/// `nav`: the signing keys, which come with or without login.
pub fn parse_nav(body: &[u8]) -> Result<WbiKeys, ApiError> {
    let mut envelope = Envelope::read(body)?;
    envelope.refusal = envelope.refusal.filter(|refusal| refusal.kind != Refusal::NotLoggedIn);
    let images = envelope.data::<Nav>()?.wbi_img.or_default();
    WbiKeys::from_urls(&images.img_url.or_empty(), &images.sub_url.or_empty()).ok_or(ApiError::Missing("wbi keys"))
}

/// `nav`: who is logged in. Nobody is the refusal [`Refusal::NotLoggedIn`].
pub fn parse_account(body: &[u8]) -> Result<Account, ApiError> {
    let nav: Nav = Envelope::read(body)?.data()?;
    let uid = nav.mid.positive().and_then(|uid| u64::try_from(uid).ok()).ok_or(ApiError::Missing("mid"))?;
    Ok(Account { uid: Uid(uid), uname: nav.uname.or_empty() })
}

/// `spi`: the visitor's identity.
pub fn parse_spi(body: &[u8]) -> Result<Buvid, ApiError> {
    let spi: Spi = Envelope::read(body)?.data()?;
    let buvid3 = spi.b_3.or(spi.buvid).filled().ok_or(ApiError::Missing("buvid3"))?;
    Ok(Buvid { buvid3, buvid4: spi.b_4.or_empty() })
}

/// What keeps a room from being watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Seal {
    /// Banned by the platform.
    #[error("the platform has locked it")]
    Locked,
    /// Asks for a password.
    #[error("it asks for a password")]
    Encrypted,
}

/// `room_init`: the long number of a room, whether it is on air, and whether it can be watched at all.
pub fn parse_room_init(body: &[u8]) -> Result<(RoomInfo, Option<Seal>), ApiError> {
    let room = Envelope::read(body)?.data::<Room>()?;
    let seal = match (room.is_locked.is_set(), room.encrypted.is_set()) {
        (true, _) => Some(Seal::Locked),
        (_, true) => Some(Seal::Encrypted),
        _ => None,
    };
    Ok((room.info()?, seal))
}

/// `get_info`: the same and title, area and followers. Code 1 means no such room here.
pub fn parse_get_info(body: &[u8]) -> Result<RoomInfo, ApiError> {
    let mut envelope = Envelope::read(body)?;
    if let Some(refusal) = envelope.refusal.as_mut().filter(|refusal| refusal.code == 1) {
        refusal.kind = Refusal::NoSuchRoom;
    }
    envelope.data::<Room>()?.info()
}

/// `getRoomBaseInfo` by room numbers: those that exist, in no order.
pub fn parse_room_base_info(body: &[u8]) -> Result<Vec<RoomInfo>, ApiError> {
    let rooms: RoomsById = Envelope::read(body)?.data()?;
    Ok(rooms.by_room_ids.0.into_iter().filter_map(|room| room.0?.info().ok()).collect())
}

/// `Master/info`: the streamer.
pub fn parse_master_info(body: &[u8]) -> Result<Anchor, ApiError> {
    let master: Master = Envelope::read(body)?.data()?;
    let person = master.info.or_default();
    let uid = person.uid.positive().and_then(|uid| u64::try_from(uid).ok()).ok_or(ApiError::Missing("uid"))?;
    Ok(Anchor {
        uid: Uid(uid),
        uname: person.uname.or_empty(),
        face: person.face.or_empty(),
        followers: master.follower_num.not_negative().unwrap_or(0),
    })
}

/// `getDanmuInfo`: what opens a stream.
pub fn parse_danmu_info(body: &[u8]) -> Result<StreamTicket, ApiError> {
    let info: DanmuInfo = Envelope::read(body)?.data()?;
    let token = info.token.filled().ok_or(ApiError::Missing("token"))?;
    let mut hosts: Vec<StreamHost> = Vec::new();
    for host in info.host_list.0.into_iter().filter_map(|host| host.0) {
        let port = |port: Int, usual| port.positive().and_then(|port| u16::try_from(port).ok()).unwrap_or(usual);
        let Some(name) = host.host.filled() else { continue };
        let host = StreamHost { host: name, ws_port: port(host.ws_port, 2244), wss_port: port(host.wss_port, 443) };
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if hosts.is_empty() {
        return Err(ApiError::Missing("host_list"));
    }
    Ok(StreamTicket { token, hosts })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Nav {
    mid: Int,
    uname: Text,
    wbi_img: Object<WbiImages>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WbiImages {
    img_url: Text,
    sub_url: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spi {
    b_3: Text,
    b_4: Text,
    buvid: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RoomsById {
    by_room_ids: List<Object<Room>>,
}

/// A room as any endpoint describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Room {
    room_id: Int,
    short_id: Int,
    uid: Int,
    uname: Text,
    title: Text,
    cover: Text,
    user_cover: Text,
    area_name: Text,
    parent_area_name: Text,
    live_status: Int,
    is_locked: Int,
    encrypted: Int,
    live_time: Text,
    online: Int,
    attention: Int,
}

impl Room {
    fn info(self) -> Result<RoomInfo, ApiError> {
        let number = |number: Int| number.positive().and_then(|number| u64::try_from(number).ok());
        let room_id = RoomId(number(self.room_id).ok_or(ApiError::Missing("room_id"))?);
        let status = LiveStatus::from(self.live_status.or_zero());
        let started = self.live_time.0.as_deref().and_then(unix_ms).filter(|_| status == LiveStatus::Live);
        Ok(RoomInfo {
            short_id: number(self.short_id).unwrap_or(0),
            uid: Uid(number(self.uid).unwrap_or(0)),
            uname: self.uname.or_empty(),
            title: self.title.or_empty(),
            cover: self.user_cover.or(self.cover).or_empty(),
            area_name: self.area_name.or_empty().trim().to_owned(),
            parent_area_name: self.parent_area_name.or_empty().trim().to_owned(),
            status,
            live_since_ms: started,
            online: self.online.not_negative().unwrap_or(0),
            followers: self.attention.not_negative().unwrap_or(0),
            ..RoomInfo::unknown(room_id)
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Master {
    info: Object<Person>,
    follower_num: Int,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Person {
    uid: Int,
    uname: Text,
    face: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DanmuInfo {
    token: Text,
    host_list: List<Object<Host>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Host {
    host: Text,
    ws_port: Int,
    wss_port: Int,
}

/// Unix seconds, or `YYYY-MM-DD HH:MM:SS` of Shanghai, as unix ms. Zeros and times before 1970 are none.
fn unix_ms(text: &str) -> Option<i64> {
    let seconds = match text.trim().parse::<i64>() {
        Ok(seconds) => seconds,
        Err(_) => shanghai_seconds(text.trim())?,
    };
    (1..YEAR_5138_S).contains(&seconds).then(|| seconds.saturating_mul(1000))
}

/// Seconds from there on are milliseconds or nonsense.
const YEAR_5138_S: i64 = 100_000_000_000;

fn shanghai_seconds(text: &str) -> Option<i64> {
    let parts: Option<Vec<i64>> = text.split(['-', ' ', ':', 'T']).map(|part| part.parse().ok()).collect();
    let &[year, month, day, hour, minute, second] = parts?.as_slice() else { return None };
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..61).contains(&second);
    if !is_date || !is_time {
        return None;
    }
    // Days since 1970, counting years from March, so that the leap day is the last one.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - SHANGHAI_OFFSET)
}

/// Shanghai is eight hours ahead, all year.
const SHANGHAI_OFFSET: i64 = 8 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>) -> Refusal {
        result.expect_err("is a refusal").refusal().expect("is a refusal")
    }

    #[test]
    fn keys_come_with_and_without_login() {
        let data = r#""data":{"isLogin":false,"wbi_img":{
            "img_url":"https://i0.hdslb.com/bfs/wbi/7cd084941338484aae1ad9425b84077c.png",
            "sub_url":"https://i0.hdslb.com/bfs/wbi/4932caff0ff746eab6f01bf08b70ac45.png"}}"#;
        for code in ["0", "-101", "\"-101\""] {
            let body = format!(r#"{{"code":{code},"message":"账号未登录","ttl":1,{data}}}"#);
            let keys = parse_nav(body.as_bytes()).expect("has keys");
            assert_eq!(keys.mixin_key(), "ea1db124af3c7062474693fa704f4ff8");
        }
        assert_eq!(refused(parse_nav(format!(r#"{{"code":-352,{data}}}"#).as_bytes())), Refusal::RiskControl);
        assert!(matches!(parse_nav(br#"{"code":0,"data":[]}"#), Err(ApiError::Missing(_))));
        assert_eq!(refused(parse_account(format!(r#"{{"code":-101,{data}}}"#).as_bytes())), Refusal::NotLoggedIn);
        let account = parse_account(r#"{"code":0,"data":{"mid":"55","uname":"小猫"}}"#.as_bytes()).expect("is one");
        assert_eq!(account, Account { uid: Uid(55), uname: "小猫".into() });
    }

    #[test]
    fn each_refusal_is_known_for_what_it_is() {
        for (code, kind) in [
            (-352, Refusal::RiskControl),
            (-412, Refusal::Blocked),
            (-509, Refusal::TooMany),
            (-799, Refusal::TooMany),
            (60004, Refusal::NoSuchRoom),
            (1, Refusal::Other),
            (-101, Refusal::NotLoggedIn),
            (65530, Refusal::Identity),
            (-503, Refusal::Server),
            (777, Refusal::Other),
        ] {
            let body = format!(r#"{{"code":{code},"msg":"说不","data":[]}}"#);
            assert_eq!(refused(parse_room_init(body.as_bytes())), kind, "{code}");
            let error = parse_danmu_info(body.as_bytes()).expect_err("is refused");
            assert_eq!(error.to_string(), format!("refused with code {code}: 说不"));
        }
        assert_eq!(refused(parse_get_info(br#"{"code":1,"data":[]}"#)), Refusal::NoSuchRoom);
    }

    #[test]
    fn what_is_no_reply_is_not_read_as_one() {
        for body in ["", "<html>", "[]", "null", "{}", "{\"code\":\"x\"}", "{\"code\":0", "\u{feff}{}"] {
            assert!(matches!(parse_spi(body.as_bytes()), Err(ApiError::NotAReply { .. })), "{body}");
        }
        for data in ["null", "[]", "{}", "\"\"", "7"] {
            let body = format!(r#"{{"code":0,"data":{data}}}"#);
            assert!(matches!(parse_spi(body.as_bytes()), Err(ApiError::Missing(_))), "{body}");
            assert!(matches!(parse_danmu_info(body.as_bytes()), Err(ApiError::Missing(_))), "{body}");
            assert!(matches!(parse_room_init(body.as_bytes()), Err(ApiError::Missing(_))), "{body}");
            assert!(matches!(parse_room_base_info(body.as_bytes()).as_deref(), Ok([])), "{body}");
        }
    }

    #[test]
    fn rooms_are_read_from_every_endpoint() {
        let init = br#"{"code":0,"msg":"ok","data":{"room_id":9000001,"short_id":76,"uid":"501","live_status":1,
            "live_time":1780000000,"is_locked":false,"encrypted":false}}"#;
        let (room, seal) = parse_room_init(init).expect("is a room");
        assert_eq!(seal, None);
        assert_eq!((room.room_id, room.short_id, room.uid), (RoomId(9000001), 76, Uid(501)));
        assert_eq!((room.status, room.live_since_ms), (LiveStatus::Live, Some(1_780_000_000_000)));

        for (flag, seal) in [("is_locked", Seal::Locked), ("encrypted", Seal::Encrypted)] {
            let body = format!(r#"{{"code":0,"data":{{"room_id":9000001,"{flag}":true}}}}"#);
            assert_eq!(parse_room_init(body.as_bytes()).expect("is a room").1, Some(seal));
        }

        let info = r#"{"code":0,"data":{"uid":501,"room_id":9000001,"short_id":0,"attention":12,"online":34,
            "live_status":1,"live_time":"2026-05-29 04:26:40","title":"标题","user_cover":"c","area_name":"科技",
            "parent_area_name":"知识"}}"#;
        let room = parse_get_info(info.as_bytes()).expect("is a room");
        let expected = RoomInfo {
            uid: Uid(501),
            title: "标题".into(),
            cover: "c".into(),
            area_name: "科技".into(),
            parent_area_name: "知识".into(),
            status: LiveStatus::Live,
            live_since_ms: Some(1_780_000_000_000),
            online: 34,
            followers: 12,
            ..RoomInfo::unknown(RoomId(9000001))
        };
        assert_eq!(room, expected);

        let base = r#"{"code":0,"data":{"by_uids":{},"by_room_ids":{
            "9000001":{"room_id":9000001,"uname":"主播","live_status":2,"live_time":"0000-00-00 00:00:00","cover":"c"},
            "9000002":{"room_id":"9000002","live_status":0},"9000003":null}}}"#;
        let rooms = parse_room_base_info(base.as_bytes()).expect("are rooms");
        assert_eq!(rooms.len(), 2);
        assert_eq!((rooms[0].uname.as_str(), rooms[0].status), ("主播", LiveStatus::Carousel));

        let master = r#"{"code":0,"data":{"info":{"uid":501,"uname":"主播","face":"f"},"follower_num":12}}"#;
        let mut room = RoomInfo::unknown(RoomId(1));
        parse_master_info(master.as_bytes()).expect("is one").complete(&mut room);
        assert_eq!((room.uid, room.uname.as_str(), room.face.as_str(), room.followers), (Uid(501), "主播", "f", 12));
    }

    #[test]
    fn times_are_seconds_or_the_clock_of_shanghai() {
        for (text, expected) in [
            ("1780000000", Some(1_780_000_000_000)),
            ("0", None),
            ("1780000000123", None),
            ("9223372036854775807", None),
            ("-62170012800", None),
            ("0000-00-00 00:00:00", None),
            ("", None),
            ("1970-01-01 08:00:01", Some(1_000)),
            ("2000-02-29 00:00:00", Some(951_753_600_000)),
            ("2023-11-15 06:13:20", Some(1_700_000_000_000)),
            ("2026-05-29 04:26:40", Some(1_780_000_000_000)),
            ("2026-13-01 00:00:00", None),
            ("2026-05-29 9223372036854775807:00:00", None),
            ("yesterday", None),
        ] {
            assert_eq!(unix_ms(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_ticket_names_each_host_once_and_hides_its_token() {
        let body = br#"{"code":0,"data":{"token":"secret","host_list":[
            {"host":"a.example","port":2243,"wss_port":2245,"ws_port":2244},
            {"host":"a.example","port":2243,"wss_port":"2245","ws_port":2244},
            {"host":""},null,{"host":"b.example","wss_port":443,"ws_port":99999}]}}"#;
        let ticket = parse_danmu_info(body).expect("is one");
        let host = |host: &str, ws_port, wss_port| StreamHost { host: host.into(), ws_port, wss_port };
        assert_eq!(ticket.hosts, [host("a.example", 2244, 2245), host("b.example", 2244, 443)]);
        assert_eq!(ticket.token, "secret");
        assert!(!format!("{ticket:?}").contains("secret"));
    }

    #[test]
    fn an_identity_has_a_buvid3() {
        let both = parse_spi(br#"{"code":0,"data":{"b_3":"3","b_4":"4"},"message":"ok"}"#).expect("is one");
        assert_eq!(both, Buvid { buvid3: "3".into(), buvid4: "4".into() });
        let one = parse_spi(br#"{"code":0,"data":{"buvid":"3"}}"#).expect("is one");
        assert_eq!(one, Buvid { buvid3: "3".into(), buvid4: String::new() });
    }
}
