//! Who is on air, for many streamers at once: `get_status_info_by_uids`.
//!
//! Not here: what a change means (`actors::on_air`). A streamer without a room, or with a locked one, is
//! missing from the answer; when nobody is left, `data` is `[]`.

use serde::Deserialize;

use super::{
    super::{
        envelope::{ApiError, Envelope},
        lenient::{Int, List, Object, Text},
    },
    time::unix_ms,
};
use crate::domain::{LiveStatus, RoomId, RoomInfo, Uid};

/// Streamers asked about in one call: tens are common in public programs, and no maximum is published.
pub const STREAMERS_A_CALL: usize = 50;

/// Reads the answer: the rooms of those asked about who have one, in no order. What it does not say, such as
/// the number of followers, is empty or 0.
pub fn parse_status_by_uids(body: &[u8]) -> Result<Vec<RoomInfo>, ApiError> {
    let rooms = Envelope::read(body)?.data::<Everybody>()?;
    Ok(rooms.0.0.into_iter().filter_map(|room| room.0?.info()).collect())
}

/// The path of the call for these streamers.
pub fn status_by_uids_path(uids: &[Uid]) -> String {
    let asked: Vec<String> = uids.iter().map(|uid| format!("uids[]={uid}")).collect();
    format!("/room/v1/Room/get_status_info_by_uids?{}", asked.join("&"))
}

/// Rooms by the streamer's number.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct Everybody(List<Object<Status>>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    room_id: Int,
    short_id: Int,
    uid: Int,
    uname: Text,
    face: Text,
    title: Text,
    cover_from_user: Text,
    area_v2_name: Text,
    area_v2_parent_name: Text,
    live_status: Int,
    live_time: Text,
    online: Int,
}

impl Status {
    fn info(self) -> Option<RoomInfo> {
        let number = |number: Int| number.positive().and_then(|number| u64::try_from(number).ok());
        let status = LiveStatus::from(self.live_status.or_zero());
        Some(RoomInfo {
            short_id: number(self.short_id).unwrap_or(0),
            uid: Uid(number(self.uid).unwrap_or(0)),
            uname: self.uname.or_empty(),
            face: self.face.or_empty(),
            title: self.title.or_empty(),
            cover: self.cover_from_user.or_empty(),
            area_name: self.area_v2_name.or_empty().trim().to_owned(),
            parent_area_name: self.area_v2_parent_name.or_empty().trim().to_owned(),
            status,
            live_since_ms: self.live_time.0.as_deref().and_then(unix_ms).filter(|_| status == LiveStatus::Live),
            online: self.online.not_negative().unwrap_or(0),
            ..RoomInfo::unknown(RoomId(number(self.room_id)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rooms_of_many_streamers_are_read_whatever_form_their_numbers_have() {
        let body = r#"{"code":0,"msg":"success","data":{
            "501":{"title":"标题","room_id":9000001,"uid":501,"online":34,"live_time":1780000000,"live_status":1,
                "short_id":"76","area_v2_name":" 虚拟","area_v2_parent_name":"娱乐","uname":"甲","face":"f","cover_from_user":"c"},
            "502":{"room_id":"9000002","uid":"502","live_time":"0","live_status":"2","uname":"乙"},
            "503":{"room_id":9000003,"uid":503,"live_time":1780000000,"live_status":0},
            "504":{"uid":504},"505":null,"506":[]}}"#;
        let rooms = parse_status_by_uids(body.as_bytes()).expect("an answer");
        let expected = RoomInfo {
            short_id: 76,
            uid: Uid(501),
            uname: "甲".into(),
            face: "f".into(),
            title: "标题".into(),
            cover: "c".into(),
            area_name: "虚拟".into(),
            parent_area_name: "娱乐".into(),
            status: LiveStatus::Live,
            live_since_ms: Some(1_780_000_000_000),
            online: 34,
            ..RoomInfo::unknown(RoomId(9000001))
        };
        assert_eq!(rooms.len(), 3);
        assert_eq!(rooms[0], expected);
        assert_eq!((rooms[1].status, rooms[1].uid, rooms[1].live_since_ms), (LiveStatus::Carousel, Uid(502), None));
        assert_eq!((rooms[2].status, rooms[2].live_since_ms), (LiveStatus::Off, None));
        assert_eq!(status_by_uids_path(&[Uid(1), Uid(2)]), "/room/v1/Room/get_status_info_by_uids?uids[]=1&uids[]=2");
    }

    #[test]
    fn nobody_found_is_an_empty_list_and_a_refusal_is_none() {
        for empty in [r#"{"code":0,"data":[]}"#, r#"{"code":"0","data":null}"#, r#"{"code":0,"data":{}}"#] {
            assert_eq!(parse_status_by_uids(empty.as_bytes()).expect("an answer"), [], "{empty}");
        }
        assert!(parse_status_by_uids(br#"{"code":-412,"data":[]}"#).is_err());
        assert!(parse_status_by_uids(b"<html>").is_err());
    }
}
