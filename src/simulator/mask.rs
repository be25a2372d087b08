//! What a visitor sees of a message since 2023: no user numbers, and names cut down to a character and three stars.
//!
//! The hash of a danmaku's sender stays, as do faces and medals, the number in likes, and that of follows and shares
//! (protocol notes, 3.6). Pure: text in, text out. Which messages are withheld wholly is decided in `batch`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::proto::{GoldRank, InteractWord, SendGift, UserInfo};

/// The message as a visitor gets it.
pub(super) fn mask(json: &str) -> String {
    let Ok(mut message) = serde_json::from_str::<Value>(json) else { return json.to_owned() };
    let command = message["cmd"].as_str().and_then(|cmd| cmd.split(':').next()).unwrap_or_default().to_owned();
    match command.as_str() {
        "DANMU_MSG" | "DANMU_MSG_MIRROR" => mask_line(&mut message["info"]),
        "LIKE_INFO_V3_CLICK" => {
            let uid = message["data"]["uid"].take();
            mask_people(&mut message["data"]);
            message["data"]["uid"] = uid;
        }
        "SEND_GIFT_V2" => rewrite(&mut message, mask_gift),
        "INTERACT_WORD_V2" => rewrite(&mut message, mask_interaction),
        "ONLINE_RANK_V3" => rewrite(&mut message, mask_rank),
        _ => mask_people(&mut message["data"]),
    }
    message.to_string()
}

/// A name as it is shown: cut down.
fn starred(name: &str) -> String {
    name.chars().next().map_or_else(String::new, |first| format!("{first}***"))
}

fn star(name: &mut Value) {
    if let Some(text) = name.as_str() {
        *name = json!(starred(text));
    }
}

fn mask_line(info: &mut Value) {
    info[2][0] = json!(0);
    star(&mut info[2][1]);
    let rest = &mut info[0][15];
    mask_people(&mut rest["user"]);
    if let Some(mut extra) = rest["extra"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        star(&mut extra["reply_uname"]);
        extra["reply_mid"] = json!(0);
        rest["extra"] = json!(extra.to_string());
    }
}

/// Masks everybody in a tree but the streamer who received something.
fn mask_people(tree: &mut Value) {
    match tree {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), &mut *value) {
                    ("receive_user_info" | "receiver_uinfo" | "medal_info" | "medal" | "fans_medal" | "gift", _) => {}
                    ("uid", Value::String(_)) => *value = json!("0"),
                    ("uid", Value::Number(_)) => *value = json!(0),
                    ("uname" | "username" | "nickname", _) => star(value),
                    ("base", Value::Object(base)) => {
                        base.get_mut("name").into_iter().for_each(star);
                        let origin = base.get_mut("origin_info").and_then(|origin| origin.get_mut("name"));
                        origin.into_iter().for_each(star);
                    }
                    (_, Value::String(text)) if text.contains("<%") => *text = mask_text(text),
                    _ => mask_people(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_people),
        _ => {}
    }
}

/// Names inside a text stand between `<%` and `%>`.
fn mask_text(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<%") {
        let Some((name, behind)) = after.split_once("%>") else { break };
        masked = format!("{masked}{before}<%{}%>", starred(name));
        rest = behind;
    }
    masked + rest
}

/// Masks the protobuf message a command carries.
fn rewrite<M: prost::Message + Default>(message: &mut Value, edit: impl FnOnce(&mut M)) {
    let bytes = message["data"]["pb"].as_str().and_then(|text| STANDARD.decode(text).ok());
    let Some(mut inner) = bytes.and_then(|bytes| M::decode(&bytes[..]).ok()) else { return };
    edit(&mut inner);
    message["data"]["pb"] = json!(STANDARD.encode(inner.encode_to_vec()));
}

fn mask_gift(gift: &mut SendGift) {
    gift.uid = 0;
    gift.uname = starred(&gift.uname);
    mask_user(&mut gift.sender_uinfo);
}

fn mask_interaction(word: &mut InteractWord) {
    if word.msg_type == 1 {
        word.uid = 0;
    }
    word.uname = starred(&word.uname);
    mask_user(&mut word.uinfo);
}

fn mask_rank(rank: &mut GoldRank) {
    for item in &mut rank.online_list {
        item.uid = 0;
        item.uname = starred(&item.uname);
    }
}

fn mask_user(user: &mut Option<UserInfo>) {
    let Some(user) = user else { return };
    user.uid = 0;
    if let Some(base) = &mut user.base {
        base.name = starred(&base.name);
        if let Some(origin) = &mut base.origin_info {
            origin.name = starred(&origin.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::simulator::{
        cast::CAST,
        guards::{GuardOffer, GuardPart},
        messages::{Desk, Line},
        purchases::{Click, Origin, SMALL},
        viewers::Viewer,
    };

    #[test]
    fn no_message_tells_a_visitor_who_it_was() {
        let viewer = Viewer { guard: 3, ..Viewer::named("夜航星图书管理员") };
        let mut dice = StdRng::seed_from_u64(1);
        let mut desk = Desk { streamer: &CAST[0], base: "http://x", dice: &mut dice, now_ms: 1_780_000_000_000 };
        let line = Line { reply_to: Some((viewer.uid, viewer.name.clone())), ..Line::from("好") };
        let click = Click::new(&mut desk, &viewer, SMALL[0], 1, Origin::Bought);
        let offer = GuardOffer { level: 3, price: 138_000, unit: "月", renewal: false };
        let (super_chat, twin) = desk.super_chat(&viewer, "好", 30);
        let mut messages = vec![
            desk.danmaku(&viewer, &line),
            desk.gift_json(&viewer, &click),
            desk.gift_protobuf(&viewer, std::slice::from_ref(&click)),
            desk.combo(&viewer, &click),
            desk.entry_effect(&viewer),
            desk.interact(&viewer, 1),
            super_chat,
            twin,
        ];
        messages.extend(desk.guard(&viewer, offer, &[GuardPart::Buy, GuardPart::Toast, GuardPart::ToastV2]));
        for message in messages {
            let masked = mask(&message.json);
            // What is packed inside is looked at as bytes.
            let value: Value = serde_json::from_str(&masked).expect("is JSON");
            let packed = value["data"]["pb"].as_str().map(|pb| STANDARD.decode(pb).expect("is base64"));
            let text = format!("{masked}{}", String::from_utf8_lossy(&packed.unwrap_or_default()));
            assert!(text.contains("夜***"), "{text}");
            assert!(!text.contains("夜航"), "{text}");
            // Faces are not masked, and their address has the number in it; so has a combo's name.
            let places = text.matches(&viewer.uid.to_string()).count();
            let allowed = text.matches(&format!("/face/{}", viewer.uid)).count()
                + text.matches(&format!("combo_id:{}", viewer.uid)).count();
            assert_eq!(places, allowed, "{text}");
        }
    }

    #[test]
    fn likes_keep_their_number_and_lines_their_hash() {
        let viewer = Viewer::named("夜航星");
        let mut dice = StdRng::seed_from_u64(1);
        let mut desk = Desk { streamer: &CAST[0], base: "http://x", dice: &mut dice, now_ms: 1_780_000_000_000 };
        let like: Value = serde_json::from_str(&mask(&desk.like(&viewer).json)).expect("is JSON");
        assert_eq!((&like["data"]["uid"], &like["data"]["uname"]), (&json!(viewer.uid), &json!("夜***")));
        let line: Value = serde_json::from_str(&mask(&desk.danmaku(&viewer, &Line::from("好")).json)).expect("is JSON");
        assert_eq!(line["info"][0][7], json!(format!("{:08x}", viewer.hash())));
        assert_eq!((&line["info"][2][0], &line["info"][0][15]["user"]["uid"]), (&json!(0), &json!(0)));
        assert_eq!(mask_text("a <%甲乙%> b <%丙丁%> c <%"), "a <%甲***%> b <%丙***%> c <%");
    }
}
