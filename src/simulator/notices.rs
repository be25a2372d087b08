//! How the room itself speaks: live and not live, titles, and the numbers that beat at fixed times.
//!
//! Numbers come from the room's [`super::world::Stage`]; nothing here changes it. None of these messages
//! tells a fact to be counted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use rand::RngExt;
use serde_json::json;

use super::{
    messages::{Desk, Outgoing, serial},
    proto::{GoldRank, RankItem},
    viewers::Viewer,
    world::Stage,
};

impl Desk<'_> {
    /// `LIVE`: with its time when the stream opens, without when data flows.
    pub fn live(&mut self, stage: &Stage, opening: bool) -> Outgoing {
        let mut message = json!({"cmd": "LIVE", "live_key": stage.live_key, "voice_background": "",
            "sub_session_key": format!("{}sub_time:{}", stage.live_key, stage.live_time), "live_platform": "pc_link",
            "live_model": 0, "roomid": self.streamer.room_id});
        if opening {
            message["live_time"] = json!(stage.live_time);
            message["special_types"] = json!([50]);
        }
        Outgoing::plain(&message)
    }

    /// `PREPARING`: the broadcast has ended; the room number is text here.
    pub fn preparing(&mut self) -> Outgoing {
        let mut message = json!({"cmd": "PREPARING", "roomid": self.streamer.room_id.to_string()});
        if self.dice.random_bool(0.5) {
            message["round"] = json!(1);
        }
        self.must_arrive(&mut message);
        Outgoing::plain(&message)
    }

    /// `ROOM_CHANGE`: another title.
    pub fn room_change(&mut self, stage: &Stage) -> Outgoing {
        let area = self.streamer.area;
        Outgoing::plain(&json!({"cmd": "ROOM_CHANGE", "data": {
            "title": stage.title, "area_id": area.id, "area_name": area.name, "parent_area_id": area.parent_id,
            "parent_area_name": area.parent_name, "live_key": stage.live_key,
            "sub_session_key": format!("{}sub_time:{}", stage.live_key, stage.live_time)}}))
    }

    /// `WATCHED_CHANGE`: how many have watched so far.
    pub fn watched(&mut self, stage: &Stage) -> Outgoing {
        let small = short_count(stage.watched);
        Outgoing::plain(&json!({"cmd": "WATCHED_CHANGE", "data": {
            "num": stage.watched, "text_small": small, "text_large": format!("{small}人看过")}}))
    }

    /// `ONLINE_RANK_COUNT`: contributors and people in the room.
    pub fn online_count(&mut self, stage: &Stage) -> Outgoing {
        let count = (stage.online / 3).min(9_999);
        Outgoing::plain(&json!({"cmd": "ONLINE_RANK_COUNT", "data": {
            "count": count, "count_text": short_count(count), "online_count": stage.online,
            "online_count_text": short_count(stage.online)}}))
    }

    /// `ONLINE_RANK_V3`: who stands on the rank.
    pub fn online_rank(&mut self, people: &[Viewer]) -> Outgoing {
        let mut score = 4000 + self.dice.random_range(0..4000);
        let mut online_list = Vec::new();
        for (place, viewer) in people.iter().take(7).enumerate() {
            online_list.push(RankItem {
                uid: viewer.uid as i64,
                face: self.face(viewer.uid),
                score: score.to_string(),
                uname: viewer.name.clone(),
                rank: place as i64 + 1,
                guard_level: viewer.guard as i64,
            });
            score = score * self.dice.random_range(55..90) / 100;
        }
        let rank = GoldRank { rank_type: "online_rank".to_owned(), online_list };
        let pb = STANDARD.encode(rank.encode_to_vec());
        Outgoing::plain(&json!({"cmd": "ONLINE_RANK_V3", "data": {"pb": pb}}))
    }

    /// `LIKE_INFO_V3_UPDATE`: likes so far.
    pub fn likes(&mut self, stage: &Stage) -> Outgoing {
        Outgoing::plain(&json!({"cmd": "LIKE_INFO_V3_UPDATE", "data": {"click_count": stage.likes}}))
    }

    /// `ROOM_REAL_TIME_MESSAGE_UPDATE`: followers and club members.
    pub fn real_time(&mut self, stage: &Stage) -> Outgoing {
        Outgoing::plain(&json!({"cmd": "ROOM_REAL_TIME_MESSAGE_UPDATE", "data": {
            "roomid": self.streamer.room_id, "fans": stage.fans, "fans_club": stage.fans / 60, "red_notice": -1}}))
    }

    /// `STOP_LIVE_ROOM_LIST`: rooms all over the site that stopped, those of this world among them.
    pub fn stopped_rooms(&mut self, off_air: &[u64]) -> Outgoing {
        let mut rooms: Vec<u64> =
            (0..self.dice.random_range(58..160)).map(|_| self.dice.random_range(20_000_000..29_000_000)).collect();
        rooms.extend(off_air);
        Outgoing::plain(&json!({"cmd": "STOP_LIVE_ROOM_LIST", "data": {"room_id_list": rooms}}))
    }

    /// `ANCHOR_LOT_START` and the `ANCHOR_LOT_END` that follows after `seconds`.
    pub fn raffle(&mut self, phrase: &str, seconds: i64) -> (Outgoing, Outgoing) {
        let (id, now) = (6_000_000 + serial(), self.now_s());
        let start = json!({"cmd": "ANCHOR_LOT_START", "data": {"id": id, "award_name": "定制明信片", "award_num": 3,
            "award_price_text": "", "danmu": phrase, "join_type": 0, "gift_id": 0, "gift_name": "", "gift_num": 1, "gift_price": 0,
            "require_type": 1, "require_value": 1, "require_text": "关注主播", "current_time": now, "time": seconds, "max_time": seconds,
            "room_id": self.streamer.room_id, "status": 1, "lot_status": 0}});
        (Outgoing::plain(&start), Outgoing::plain(&json!({"cmd": "ANCHOR_LOT_END", "data": {"id": id}})))
    }

    /// A command that nobody has heard of yet.
    pub fn unheard_of(&mut self) -> Outgoing {
        Outgoing::plain(&json!({"cmd": "SIM_NEW_COMMAND", "data": {"serial": serial(), "pb": "CAESBHRlc3Q="}}))
    }

    /// A system line that goes through the chat.
    pub fn notice(&mut self, text: &str) -> Outgoing {
        Outgoing::plain(
            &json!({"cmd": "COMMON_NOTICE_DANMAKU", "data": {"biz_id": 0, "dmscore": 144, "terminals": [1, 4, 5],
            "content_segments": [{"font_color": "#FB7299", "font_color_dark": "#FB7299", "text": text, "type": 1}]}}),
        )
    }
}

/// `9876` or `1.2万`.
pub(super) fn short_count(count: u64) -> String {
    if count < 10_000 { count.to_string() } else { format!("{}.{}万", count / 10_000, count % 10_000 / 1_000) }
}
