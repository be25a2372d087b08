//! How chat, entries and likes look on the wire, in today's shapes.
//!
//! A [`Desk`] writes the messages of one room at one moment; an [`Outgoing`] is one message as JSON text
//! together with the [`Fact`]s it tells: a purchase carries its number, so that copies and twins count once. That
//! is what lets the simulator say the truth about what a viewer should have counted.
//! Purchases are in [`super::purchases`], what happens to the room itself in [`super::notices`].

use std::sync::atomic::{AtomicU64, Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use rand::{RngExt, rngs::StdRng};
use serde_json::{Map, Value, json};

use super::{
    books::Fact,
    cast::Streamer,
    proto::{Contribution, EntryMedal, InteractWord, NameAndFace, Nothing, Official, UserBase, UserGuard, UserInfo},
    proto::{UserMedal, Wealth},
    viewers::{Viewer, WornMedal},
};

/// One message for everybody in the room.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    /// As it goes out.
    pub json: String,
    /// What it tells. Copies tell the same again: the books know it by its number.
    pub facts: Vec<Fact>,
    /// The open platform says nothing of it, or says it with another message.
    pub web_only: bool,
    /// What the HTTP side can be asked for afterwards.
    pub shelf: Option<Shelf>,
}

/// Something kept for the HTTP side.
#[derive(Clone, Debug)]
pub(super) enum Shelf {
    /// For the list of last chat lines.
    Danmaku(Value),
    /// For the list of super chats on display.
    SuperChat(Value),
}

impl Outgoing {
    /// A message that tells nothing to count.
    pub fn plain(message: &Value) -> Outgoing {
        Outgoing { json: message.to_string(), facts: Vec::new(), web_only: false, shelf: None }
    }

    /// A message that tells `facts`.
    pub fn telling(message: &Value, facts: Vec<Fact>) -> Outgoing {
        Outgoing { json: message.to_string(), facts, web_only: false, shelf: None }
    }

    /// The same purchase told again; nothing new for the HTTP side.
    pub fn again(&self) -> Outgoing {
        Outgoing { shelf: None, ..self.clone() }
    }
}

/// Different in every call, for numbers that must not repeat.
pub(super) fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A chat line to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub text: String,
    /// Whom it answers, with number and name.
    pub reply_to: Option<(u64, String)>,
    /// A picture instead of text.
    pub sticker: bool,
    /// Sent by taking part in a raffle.
    pub lottery: bool,
}

impl From<&str> for Line {
    fn from(text: &str) -> Line {
        Line { text: text.to_owned(), ..Line::default() }
    }
}

/// Writes the messages of one room at one moment.
pub(super) struct Desk<'a> {
    pub streamer: &'a Streamer,
    /// Where pictures are served.
    pub base: &'a str,
    pub dice: &'a mut StdRng,
    pub now_ms: i64,
}

impl Desk<'_> {
    /// Address of somebody's face.
    pub fn face(&self, uid: u64) -> String {
        format!("{}/bfs/face/{uid}.svg", self.base)
    }

    /// Unix seconds.
    pub fn now_s(&self) -> i64 {
        self.now_ms / 1000
    }

    /// Marks a message as one that must arrive, and gives it its number.
    pub fn must_arrive(&self, message: &mut Value) {
        message["msg_id"] = json!(format!("{}:1000:1000", 101_700_000_000_000_000u64 + serial() * 1024));
        message["p_is_ack"] = json!(true);
        message["p_msg_type"] = json!(1);
        message["send_time"] = json!(self.now_ms);
    }

    /// `DANMU_MSG`: a chat line.
    pub fn danmaku(&mut self, viewer: &Viewer, line: &Line) -> Outgoing {
        // A few lines arrive out of order.
        let late = if self.dice.random_bool(0.016) { self.dice.random_range(200..1500) } else { 0 };
        let sent_ms = self.now_ms - late;
        let color: u32 = match (viewer.guard, self.dice.random_range(0..12)) {
            (1..=3, 0..=6) => 0x00_d1f1,
            (_, 0) => 5_816_798,
            (_, 1) => 14_893_055,
            _ => 16_777_215,
        };
        let mode = if self.dice.random_bool(0.02) { 4 } else { 1 };
        let id_str = format!("{:016x}{:012x}{:08x}", self.dice.random::<u64>(), sent_ms, serial());
        let picture = if line.sticker { self.sticker(&line.text) } else { json!("{}") };
        let (reply_mid, reply_name) = line.reply_to.clone().unwrap_or_default();
        let mut extra = json!({
            "send_from_me": false, "master_player_hidden": false, "mode": 0, "color": color,
            "dm_type": u8::from(line.sticker), "font_size": 25, "player_mode": mode, "show_player_type": 0,
            "content": line.text, "user_hash": viewer.hash().to_string(), "emoticon_unique": picture["emoticon_unique"].as_str().unwrap_or(""),
            "bulge_display": 0, "recommend_score": self.dice.random_range(0..8), "dm_score": 0, "chronos_force_display": 0,
        });
        add(
            &mut extra,
            json!({
                "main_state_dm_color": "", "objective_state_dm_color": "", "direction": 0, "pk_direction": 0,
                "quartet_direction": 0, "anniversary_crowd": 0, "yeah_space_type": "", "yeah_space_url": "",
                "jump_to_url": "", "space_type": "", "space_url": "", "animation": {}, "emots": self.emots(&line.text),
                "is_audited": false, "id_str": id_str, "icon": null, "show_reply": true, "reply_mid": reply_mid,
                "reply_uname": reply_name, "reply_uname_color": "", "reply_is_mystery": false,
                "reply_type_enum": u8::from(reply_mid != 0), "hit_combo": 0, "esports_jump_url": "", "is_mirror": false,
                "is_collaboration_member": false, "voice": null, "background_type": 0,
                "card": {"card_type": 0, "oid_str": "", "oid_str_1": "", "origin_oid_str": "", "share_id": "",
                         "share_origin": "", "from": "", "card_content": null},
            }),
        );
        let token = format!("{:08X}", self.dice.random::<u32>());
        let user = self.user(viewer);
        let medal = viewer.medal.as_ref().map_or_else(
            || json!([]),
            |m| {
                json!([
                    m.level,
                    m.name,
                    m.anchor_name,
                    m.anchor_room,
                    medal_color(m.level),
                    "",
                    0,
                    medal_color(m.level),
                    medal_color(m.level),
                    medal_color(m.level + 4),
                    m.guard,
                    u8::from(m.lit),
                    m.anchor_uid
                ])
            },
        );
        let name_color = if viewer.guard > 0 { "#00D1F1" } else { "" };
        let bubble = if viewer.guard > 0 { (5, "#1453BAFF,#4C2263A2,#3353BAFF") } else { (0, "") };
        let check = json!({"ct": token, "ts": sent_ms / 1000});
        let cmd = if self.dice.random_bool(0.05) { "DANMU_MSG:4:0:2:2:2:0" } else { "DANMU_MSG" };
        let random_number: i32 = self.dice.random();
        let message = json!({
            "cmd": cmd,
            "dm_v2": "",
            "info": [
                [0, mode, 25, color, sent_ms, random_number, 0, format!("{:08x}", viewer.hash()), 0,
                 if line.lottery { 2 } else { 0 }, bubble.0, bubble.1, u8::from(line.sticker), picture, "{}",
                 {"extra": extra.to_string(), "mode": 0, "show_player_type": 0, "user": user},
                 {"activity_identity": "", "activity_source": 0, "not_show": 0}, 43],
                line.text,
                [viewer.shown_uid(), viewer.shown_name(), u8::from(viewer.moderator), 0, 0, 10000, 1, name_color],
                medal,
                [viewer.level, 0, level_color(viewer.level), ">50000", 0],
                ["", ""],
                0,
                viewer.guard,
                null,
                check,
                0, 0, null, null, 0,
                self.dice.random_range(10..800),
                [viewer.wealth],
                null,
            ],
        });
        let kept = json!({
            "text": line.text, "uid": viewer.shown_uid(), "nickname": viewer.shown_name(),
            "timeline": super::world::shanghai(sent_ms / 1000), "isadmin": u8::from(viewer.moderator), "vip": 0, "svip": 0,
            "medal": medal, "user_level": [viewer.level, 0, level_color(viewer.level), ">50000"], "rank": 10000,
            "guard_level": viewer.guard, "id_str": id_str, "check_info": check, "dm_type": u8::from(line.sticker),
            "emoticon": picture, "user": user, "reply": {"reply_mid": reply_mid, "reply_uname": reply_name},
        });
        Outgoing {
            json: message.to_string(),
            facts: vec![Fact::Danmaku],
            web_only: false,
            shelf: Some(Shelf::Danmaku(kept)),
        }
    }

    /// `DANMU_MSG_MIRROR`: a line of another room that broadcasts together with this one. Counts nothing here.
    pub fn mirrored(&mut self, viewer: &Viewer, line: &Line) -> Outgoing {
        let said = self.danmaku(viewer, line);
        let json =
            said.json.replacen("DANMU_MSG:4:0:2:2:2:0", "DANMU_MSG", 1).replacen("DANMU_MSG", "DANMU_MSG_MIRROR", 1);
        let json = json.replacen(r#"\"is_mirror\":false"#, r#"\"is_mirror\":true"#, 1);
        Outgoing { json, facts: Vec::new(), web_only: false, shelf: None }
    }

    /// `INTERACT_WORD_V2`: 1 came in, 2 followed, 3 shared.
    pub fn interact(&mut self, viewer: &Viewer, msg_type: i64) -> Outgoing {
        // Follows and shares keep the number even when it is hidden elsewhere.
        let uid = if msg_type == 1 { viewer.shown_uid() } else { viewer.uid };
        let medal = viewer.medal.as_ref().map(|m| EntryMedal {
            target_id: m.anchor_uid as i64,
            level: m.level as i64,
            name: m.name.to_owned(),
            color: i64::from(medal_color(m.level)),
            is_lighted: i64::from(m.lit),
            guard_level: m.guard as i64,
            anchor_roomid: m.anchor_room as i64,
            score: (m.level * 3000) as i64,
        });
        let message = InteractWord {
            uid: uid as i64,
            uname: viewer.shown_name(),
            identities: vec![if viewer.guard > 0 { 6 } else { 1 }],
            msg_type,
            roomid: self.streamer.room_id as i64,
            timestamp: self.now_s(),
            score: self.now_ms + viewer.medal.as_ref().map_or(0, |m| m.level as i64 * 1_000_000),
            fans_medal: medal,
            contribution: Some(Contribution { grade: 0 }),
            trigger_time: self.now_ms * 1_000_000 + self.dice.random_range(0..1_000_000),
            privilege_type: viewer.guard as i64,
            uinfo: Some(self.user_message(viewer)),
            unknown_24: Some(Nothing {}),
        };
        let pb = STANDARD.encode(message.encode_to_vec());
        Outgoing::plain(&json!({"cmd": "INTERACT_WORD_V2", "data": {"dmscore": 6, "pb": pb}}))
    }

    /// `ENTRY_EFFECT`: the banner that goes before a guard.
    pub fn entry_effect(&mut self, viewer: &Viewer) -> Outgoing {
        let title = guard_title(viewer.guard);
        let writing = format!("欢迎{title} <%{}%> 进入直播间", viewer.shown_name());
        Outgoing::plain(&json!({"cmd": "ENTRY_EFFECT", "data": {
            "id": 136, "uid": viewer.shown_uid(), "target_id": self.streamer.uid, "mock_effect": 0, "face": self.face(viewer.uid),
            "privilege_type": viewer.guard, "copy_writing": writing, "copy_color": "#ffffff", "highlight_color": "#E6FF00",
            "priority": 1, "basemap_url": "", "show_avatar": 1, "effective_time": 2, "business": 1, "copy_writing_v2": writing,
            "icon_list": [], "max_delay_time": 7, "trigger_time": self.now_ms * 1_000_000, "identities": 6,
            "wealthy_info": {"uid": 0, "level": viewer.wealth, "level_total_score": 0, "cur_score": 0,
                             "upgrade_need_score": 0, "status": 0, "dm_icon_key": ""},
            "new_style": 1, "is_mystery": false, "uinfo": self.user(viewer), "full_cartoon_id": 0, "priority_level": 0,
        }}))
    }

    /// `LIKE_INFO_V3_CLICK`: one user's burst of likes.
    pub fn like(&mut self, viewer: &Viewer) -> Outgoing {
        let medal = viewer.medal.as_ref().map_or_else(|| medal_info(None), |m| medal_info(Some(m)));
        Outgoing::plain(&json!({"cmd": "LIKE_INFO_V3_CLICK", "data": {
            "show_area": 0, "msg_type": 6, "like_icon": format!("{}/bfs/emote/like.svg", self.base), "uid": viewer.uid,
            "like_text": "为主播点赞了", "uname": viewer.shown_name(), "uname_color": "", "identities": [1],
            "fans_medal": medal, "contribution_info": {"grade": 0}, "dmscore": 20, "is_mystery": false,
            "uinfo": self.user(viewer),
        }}))
    }

    /// The user object in JSON.
    pub fn user(&self, viewer: &Viewer) -> Value {
        let (name, face) = (viewer.shown_name(), self.face(viewer.uid));
        let medal = viewer.medal.as_ref().map_or(Value::Null, |m| {
            json!({"color": medal_color(m.level), "color_border": medal_color(m.level), "color_end": medal_color(m.level),
                "color_start": medal_color(m.level), "guard_icon": "", "guard_level": m.guard, "honor_icon": "", "id": 0,
                "is_light": u8::from(m.lit), "level": m.level, "name": m.name, "ruid": m.anchor_uid, "score": m.level * 3000,
                "typ": 0, "user_receive_count": 0, "v2_medal_color_border": "#5FC7F4",
                "v2_medal_color_end": "#3FB4F699", "v2_medal_color_level": "#3FB4F6E6",
                "v2_medal_color_start": "#3FB4F699", "v2_medal_color_text": "#FFFFFF"})
        });
        let guard = if viewer.guard > 0 {
            json!({"level": viewer.guard, "expired_str": "2027-03-31 23:59:59"})
        } else {
            Value::Null
        };
        json!({
            "anon": null,
            "base": {"face": face, "is_mystery": false, "name": name, "name_color": 0, "name_color_str": "",
                     "official_info": {"desc": "", "role": 0, "title": "", "type": -1},
                     "origin_info": {"face": face, "name": name}, "risk_ctrl_info": null},
            "guard": guard, "guard_leader": null, "medal": medal,
            "title": {"old_title_css_id": "", "title_css_id": ""}, "uhead_frame": null, "uid": viewer.shown_uid(), "wealth": null,
        })
    }

    /// The user object as a protobuf message.
    pub fn user_message(&self, viewer: &Viewer) -> UserInfo {
        let (name, face) = (viewer.shown_name(), self.face(viewer.uid));
        UserInfo {
            uid: viewer.shown_uid() as i64,
            base: Some(UserBase {
                name: name.clone(),
                face: face.clone(),
                origin_info: Some(NameAndFace { name, face }),
                official_info: Some(Official { role: 0, r#type: -1 }),
            }),
            medal: viewer.medal.as_ref().map(|m| UserMedal {
                name: m.name.to_owned(),
                level: m.level as i64,
                color_start: i64::from(medal_color(m.level)),
                color_end: i64::from(medal_color(m.level)),
                color_border: i64::from(medal_color(m.level)),
                color: i64::from(medal_color(m.level)),
                is_light: i64::from(m.lit),
                ruid: m.anchor_uid as i64,
                guard_level: m.guard as i64,
                v2_color_start: "#3FB4F699".to_owned(),
                v2_color_text: "#FFFFFF".to_owned(),
            }),
            wealth: (viewer.wealth > 0).then_some(Wealth { level: viewer.wealth as i64 }),
            guard: (viewer.guard > 0)
                .then(|| UserGuard { level: viewer.guard as i64, expired_str: "2027-03-31 23:59:59".to_owned() }),
        }
    }

    fn sticker(&self, name: &str) -> Value {
        json!({"bulge_display": 1, "emoticon_unique": format!("room_{}_{name}", self.streamer.room_id), "height": 162,
               "in_player_area": 1, "is_dynamic": 0, "url": format!("{}/bfs/emote/{name}.svg", self.base), "width": 162})
    }

    /// The small pictures inside a text: `[热]` and the like.
    fn emots(&self, text: &str) -> Value {
        let mut emots = Map::new();
        for part in text.split('[').skip(1) {
            let Some((name, _)) = part.split_once(']') else { continue };
            let key = format!("[{name}]");
            let count = text.matches(&key).count();
            emots.insert(
                key.clone(),
                json!({"emoticon_id": 1, "emoji": key, "descript": key,
                "url": format!("{}/bfs/emote/{name}.svg", self.base), "width": 20, "height": 20,
                "emoticon_unique": format!("emoji_{name}"), "count": count}),
            );
        }
        if emots.is_empty() { Value::Null } else { Value::Object(emots) }
    }
}

/// The medal in the older JSON form of gifts and likes; all zero for none.
pub(super) fn medal_info(medal: Option<&WornMedal>) -> Value {
    let color = medal.map_or(0, |m| medal_color(m.level));
    json!({
        "anchor_roomid": medal.map_or(0, |m| m.anchor_room), "anchor_uname": medal.map_or("", |m| m.anchor_name),
        "guard_level": medal.map_or(0, |m| m.guard), "icon_id": 0, "is_lighted": medal.map_or(0, |m| u8::from(m.lit)),
        "medal_color": color, "medal_color_border": color, "medal_color_end": color, "medal_color_start": color,
        "medal_level": medal.map_or(0, |m| m.level), "medal_name": medal.map_or("", |m| m.name), "special": "",
        "target_id": medal.map_or(0, |m| m.anchor_uid),
    })
}

/// What a guard of that level is called.
pub(super) fn guard_title(level: u64) -> &'static str {
    match level {
        1 => "总督",
        2 => "提督",
        _ => "舰长",
    }
}

fn medal_color(level: u64) -> u32 {
    match level {
        0..=4 => 6_067_854,
        5..=8 => 6_126_494,
        9..=12 => 9_272_486,
        13..=16 => 12_478_086,
        17..=20 => 13_081_892,
        21..=24 => 1_725_515,
        25..=28 => 398_668,
        _ => 6_850_801,
    }
}

fn level_color(level: u64) -> u32 {
    match level {
        0..=9 => 9_868_950,
        10..=19 => 6_406_234,
        20..=29 => 5_805_790,
        _ => 10_512_625,
    }
}

/// Adds the fields of `more` to an object: one long literal is more than the macro takes.
pub(super) fn add(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
