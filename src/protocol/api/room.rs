//! What a room's own replies say of it and of its streamer.

use serde::Deserialize;

use super::{
    super::{
        envelope::{ApiError, Envelope, Refusal},
        lenient::{Int, List, Object, Text},
    },
    time::unix_ms,
};
use crate::domain::{LiveStatus, RoomId, RoomInfo, Uid};

/// What keeps a room from being watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Seal {
    /// Banned by the platform.
    #[error("the platform has locked it")]
    Locked,
    /// Hidden by the platform.
    #[error("the platform has hidden it")]
    Hidden,
    /// Asks for a password.
    #[error("it asks for a password")]
    Encrypted,
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

/// `room_init`: the long number of a room, whether it is on air, and whether it can be watched at all.
pub fn parse_room_init(body: &[u8]) -> Result<(RoomInfo, Option<Seal>), ApiError> {
    let room = Envelope::read(body)?.data::<Room>()?;
    let seal = match (room.is_locked.is_set(), room.is_hidden.is_set(), room.encrypted.is_set()) {
        (true, ..) => Some(Seal::Locked),
        (_, true, _) => Some(Seal::Hidden),
        (.., true) => Some(Seal::Encrypted),
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

/// The path of `getRoomBaseInfo` for these rooms, by long numbers. The misspelling is Bilibili's.
pub fn room_base_info_path(rooms: &[RoomId]) -> String {
    let asked: String = rooms.iter().map(|room| format!("&room_ids={room}")).collect();
    format!("/xlive/web-room/v1/index/getRoomBaseInfo?req_biz=web_room_componet{asked}")
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
    is_hidden: Int,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_read_from_every_endpoint() {
        let init = br#"{"code":0,"msg":"ok","data":{"room_id":9000001,"short_id":76,"uid":"501","live_status":1,
            "live_time":1780000000,"is_locked":false,"encrypted":false}}"#;
        let (room, seal) = parse_room_init(init).expect("is a room");
        assert_eq!(seal, None);
        assert_eq!((room.room_id, room.short_id, room.uid), (RoomId(9000001), 76, Uid(501)));
        assert_eq!((room.status, room.live_since_ms), (LiveStatus::Live, Some(1_780_000_000_000)));

        for (flag, seal) in [("is_locked", Seal::Locked), ("is_hidden", Seal::Hidden), ("encrypted", Seal::Encrypted)] {
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
}
