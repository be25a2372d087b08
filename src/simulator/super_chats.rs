//! How super chats look on the wire: the message, its twin in older types, and its withdrawal.

use std::sync::atomic::{AtomicI64, Ordering};

use rand::RngExt;
use serde_json::{Value, json};

use super::{
    books::{Fact, Price, Ware},
    messages::{Desk, Outgoing, Shelf, add, medal_info},
    viewers::Viewer,
};
impl Desk<'_> {
    /// `SUPER_CHAT_MESSAGE`, and its twin `SUPER_CHAT_MESSAGE_JPN` with everything in older types.
    pub fn super_chat(&mut self, viewer: &Viewer, text: &str, price: i64) -> (Outgoing, Outgoing) {
        let seconds = match price {
            ..30 => 5,
            30..50 => 60,
            50..100 => 120,
            100..500 => 300,
            500..1000 => 1800,
            1000..2000 => 3600,
            _ => 7200,
        };
        let colors = match price {
            ..50 => ("#EDF5FF", "#2A60B2", "#7497CD"),
            50..100 => ("#DBFFFD", "#427D9E", "#7DA4BD"),
            100..500 => ("#FFF1C5", "#E2B52B", "#CEA136"),
            _ => ("#FFEAD2", "#E09443", "#D68A3A"),
        };
        let (now, token) = (self.now_s(), format!("{:08X}", self.dice.random::<u32>()));
        let id = super_chat_id(self.now_ms);
        let face = self.face(viewer.uid);
        let user_info = json!({"face": face, "face_frame": "", "guard_level": viewer.guard, "is_main_vip": 0, "is_svip": 0, "is_vip": 0,
            "level_color": "#61c05a", "manager": u8::from(viewer.moderator), "name_color": "#00D1F1", "title": "0",
            "uname": viewer.shown_name(), "user_level": viewer.level});
        let mut medal = medal_info(viewer.medal.as_ref());
        medal["medal_color"] = json!("#3FB4F6");
        let medal = if viewer.medal.is_some() { medal } else { Value::Null };
        let mut data = json!({
            "background_bottom_color": colors.1, "background_color": colors.0, "background_color_end": colors.1,
            "background_color_start": colors.2, "background_icon": "", "background_image": "",
            "background_price_color": colors.2, "color_point": 0.7, "dmscore": 1512, "end_time": now + seconds,
            "gift": {"gift_id": 12000, "gift_name": "醒目留言", "num": 1}, "id": id, "is_mystery": false, "is_ranked": 0,
            "is_send_audit": 0, "medal_info": medal, "message": text, "message_font_color": "#A3F6FF", "message_trans": "",
        });
        add(
            &mut data,
            json!({
                "price": price, "rate": 1000, "start_time": now, "time": seconds, "token": token, "trans_mark": 0, "ts": now,
                "uid": viewer.shown_uid(), "uinfo": self.user(viewer), "user_info": user_info,
                "group_medal": {"is_lighted": 0, "medal_id": 0, "name": ""},
            }),
        );
        let facts: Vec<Fact> = fact(&data).into_iter().collect();
        let shelf = Some(Shelf::SuperChat(data.clone()));
        let mut message = json!({"cmd": "SUPER_CHAT_MESSAGE", "data": data, "is_report": true});
        self.must_arrive(&mut message);
        let first = Outgoing { json: message.to_string(), facts: facts.clone(), web_only: false, shelf };
        let twin = json!({"cmd": "SUPER_CHAT_MESSAGE_JPN", "roomid": self.streamer.room_id.to_string(), "data": {
            "id": id.to_string(), "uid": viewer.shown_uid().to_string(), "price": price, "rate": 1000, "message": text,
            "message_jpn": "", "is_ranked": 0, "background_image": "", "background_color": colors.0, "background_icon": "",
            "background_price_color": colors.2, "background_bottom_color": colors.1, "ts": now, "token": token,
            "medal_info": medal, "user_info": user_info, "time": seconds - 1, "start_time": now, "end_time": now + seconds,
            "gift": {"num": 1, "gift_id": 12000, "gift_name": "醒目留言"},
        }});
        (first, Outgoing::telling(&twin, facts))
    }

    /// `SUPER_CHAT_MESSAGE_DELETE`: taken off the display; the money stays paid.
    pub fn super_chat_withdrawn(&mut self, id: &Value) -> Outgoing {
        let room = self.streamer.room_id;
        Outgoing::plain(&json!({"cmd": "SUPER_CHAT_MESSAGE_DELETE", "data": {"ids": [id]}, "roomid": room}))
    }
}

/// What the data of a super chat say for the books.
pub(super) fn fact(data: &Value) -> Option<Fact> {
    let (number, price) = (data["id"].as_i64()?.unsigned_abs(), Price::plain(data["price"].as_i64()? * 1000));
    Some(Fact::Bought { ware: Ware::SuperChat, number, price, estimated: false })
}

/// The next number of a super chat: follows the clock, so that it is new after a restart too.
fn super_chat_id(now_ms: i64) -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let by_clock = 18_000_000 + (now_ms - 1_780_000_000_000).max(0) / 100;
    let last = LAST.update(Ordering::Relaxed, Ordering::Relaxed, |last| by_clock.max(last + 1));
    by_clock.max(last + 1)
}
