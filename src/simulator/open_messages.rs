//! The same happenings in the words of the open platform.
//!
//! Translates a message of the web stream; what has no word there is left out. Users are known by an `open_id`.
//! Messages that are for the web alone never come here: of a guard's three only one does.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use serde_json::{Value, json};

use super::{
    cast::Streamer,
    open_live::open_id,
    proto::{GiftItem, InteractWord, SendGift},
    signature::md5_hex,
};

/// The messages of the open platform that tell the same, as JSON texts.
pub(super) fn translate(message: &str, streamer: &Streamer) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(message) else { return Vec::new() };
    let command = value["cmd"].as_str().and_then(|cmd| cmd.split(':').next()).unwrap_or_default();
    let data = &value["data"];
    let room = streamer.room_id;
    let told = match command {
        "DANMU_MSG" => vec![("DM", line(&value["info"]))],
        "DANMU_MSG_MIRROR" => vec![("DM_MIRROR", line(&value["info"]))],
        "SEND_GIFT" => vec![("SEND_GIFT", gift(data, streamer))],
        "SEND_GIFT_V2" => gifts(data, streamer).into_iter().map(|gift| ("SEND_GIFT", gift)).collect(),
        "SUPER_CHAT_MESSAGE" => vec![("SUPER_CHAT", super_chat(data))],
        "SUPER_CHAT_MESSAGE_DELETE" => vec![("SUPER_CHAT_DEL", json!({"message_ids": data["ids"]}))],
        "GUARD_BUY" | "USER_TOAST_MSG" => vec![("GUARD", guard(&data["uid"], &data["username"], data))],
        "USER_TOAST_MSG_V2" => {
            let sender = &data["sender_uinfo"];
            let mut bought = data["pay_info"].clone();
            bought["guard_level"] = data["guard_info"]["guard_level"].clone();
            bought["start_time"] = data["guard_info"]["start_time"].clone();
            vec![("GUARD", guard(&sender["uid"], &sender["base"]["name"], &bought))]
        }
        "LIKE_INFO_V3_CLICK" => vec![("LIKE", like(data))],
        "INTERACT_WORD_V2" => entry(data).into_iter().map(|entry| ("LIVE_ROOM_ENTER", entry)).collect(),
        "LIVE" if !value["live_time"].is_null() => vec![("LIVE_START", air(streamer, &value["live_time"]))],
        "PREPARING" => vec![("LIVE_END", air(streamer, &json!(value["send_time"].as_i64().unwrap_or(0) / 1000)))],
        _ => Vec::new(),
    };
    let texts = told.into_iter().enumerate().map(|(place, (name, mut data))| {
        data["room_id"] = json!(room);
        data["msg_id"] = json!(md5_hex(format!("{message}{place}").as_bytes()));
        json!({"cmd": format!("LIVE_OPEN_PLATFORM_{name}"), "data": data}).to_string()
    });
    texts.collect()
}

/// The end of a session: pushing stops.
pub(super) fn interaction_end(game_id: &str, now_s: i64) -> String {
    json!({"cmd": "LIVE_OPEN_PLATFORM_INTERACTION_END", "data": {"game_id": game_id, "timestamp": now_s}}).to_string()
}

fn line(info: &Value) -> Value {
    let extra = info[0][15]["extra"].as_str().and_then(|extra| serde_json::from_str::<Value>(extra).ok());
    let extra = extra.unwrap_or_default();
    let reply = extra["reply_mid"].as_u64().filter(|uid| *uid != 0).map(|uid| open_id(&uid.to_string()));
    let medal = &info[3];
    json!({
        "uname": info[2][1], "uid": 0, "open_id": open_id(extra["user_hash"].as_str().unwrap_or_default()), "union_id": "",
        "uface": info[0][15]["user"]["base"]["face"], "timestamp": info[9]["ts"], "msg": info[1],
        "guard_level": info[7], "fans_medal_wearing_status": medal[1].is_string(), "fans_medal_name": medal[1].as_str().unwrap_or_default(),
        "fans_medal_level": medal[0].as_i64().unwrap_or(0), "emoji_img_url": info[0][13]["url"].as_str().unwrap_or_default(),
        "dm_type": info[0][12], "glory_level": info[16][0], "reply_open_id": reply.unwrap_or_default(),
        "reply_uname": extra["reply_uname"], "is_admin": info[2][2],
    })
}

fn who(uid: &Value, name: &Value) -> String {
    // A hidden number is no name: then the shown one has to do.
    match uid.as_u64() {
        Some(uid) if uid != 0 => open_id(&hash_of(uid)),
        _ => open_id(name.as_str().unwrap_or_default()),
    }
}

/// As it stands in chat lines, so that one person has one `open_id`.
fn hash_of(uid: u64) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(uid.to_string().as_bytes());
    crc.sum().to_string()
}

fn gift(data: &Value, streamer: &Streamer) -> Value {
    let number = |name: &str| data[name].as_i64().unwrap_or(0);
    let free = data["coin_type"] != "gold" || !data["bag_gift"].is_null();
    let paid = if free { 0 } else { number("total_coin") };
    let blind = data["blind_gift"]["original_gift_id"].as_i64();
    told_gift(
        (&data["uid"], &data["uname"], &data["face"], &data["guard_level"]),
        [number("giftId"), number("num"), number("price"), paid, number("timestamp")],
        (data["giftName"].as_str().unwrap_or_default(), blind, data["batch_combo_id"].as_str().unwrap_or_default()),
        streamer,
    )
}

fn gifts(data: &Value, streamer: &Streamer) -> Vec<Value> {
    let bytes = data["pb"].as_str().and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let Ok(sent) = SendGift::decode(&bytes[..]) else { return Vec::new() };
    let (uid, name, face, guard) = (json!(sent.uid), json!(sent.uname), json!(sent.face), json!(sent.guard_level));
    let blind = sent.blind_gift.as_ref().map(|blind| blind.original_gift_id);
    let told = |item: &GiftItem| {
        let free = item.coin_type != "gold" || item.bag_gift.is_some();
        let paid = if free { 0 } else { item.total_coin };
        told_gift(
            (&uid, &name, &face, &guard),
            [item.gift_id, item.num, item.price, paid, item.timestamp],
            (&item.gift_name, blind, &item.batch_combo_id),
            streamer,
        )
    };
    sent.items.iter().map(told).collect()
}

fn told_gift(
    (uid, name, face, guard): (&Value, &Value, &Value, &Value),
    [id, num, price, paid, timestamp]: [i64; 5],
    (gift_name, blind, combo): (&str, Option<i64>, &str),
    streamer: &Streamer,
) -> Value {
    json!({
        "open_id": who(uid, name), "union_id": "", "uid": 0, "uname": name, "uface": face, "guard_level": guard,
        "gift_id": id, "gift_name": gift_name, "gift_num": num, "price": price, "r_price": paid / num.max(1),
        "paid": paid > 0, "timestamp": timestamp, "gift_icon": "", "combo_gift": !combo.is_empty(),
        "combo_info": {"combo_base_num": num, "combo_count": 1, "combo_id": combo, "combo_timeout": 5},
        "blind_gift": {"blind_gift_id": blind.unwrap_or(0), "status": blind.is_some()},
        "anchor_info": {"uid": streamer.uid, "open_id": open_id(&streamer.uid.to_string()), "union_id": "",
                        "uname": streamer.name, "uface": ""},
        "fans_medal_wearing_status": false, "fans_medal_name": "", "fans_medal_level": 0,
    })
}

fn super_chat(data: &Value) -> Value {
    json!({
        "open_id": who(&data["uid"], &data["user_info"]["uname"]), "union_id": "", "uid": 0,
        "uname": data["user_info"]["uname"], "uface": data["user_info"]["face"], "message_id": data["id"],
        "message": data["message"], "rmb": data["price"], "timestamp": data["ts"], "start_time": data["start_time"],
        "end_time": data["end_time"], "guard_level": data["user_info"]["guard_level"], "fans_medal_wearing_status": false,
        "fans_medal_name": "", "fans_medal_level": 0,
    })
}

fn guard(uid: &Value, name: &Value, bought: &Value) -> Value {
    json!({
        "user_info": {"open_id": who(uid, name), "union_id": "", "uid": 0, "uname": name, "uface": ""},
        "guard_level": bought["guard_level"], "guard_num": bought["num"], "guard_unit": bought["unit"].as_str().unwrap_or("月"),
        "price": bought["price"], "timestamp": bought["start_time"], "fans_medal_wearing_status": false,
        "fans_medal_name": "", "fans_medal_level": 0,
    })
}

fn like(data: &Value) -> Value {
    json!({
        "open_id": who(&data["uid"], &data["uname"]), "union_id": "", "uid": 0, "uname": data["uname"], "uface": "",
        "like_text": data["like_text"], "like_count": 1, "timestamp": data["trigger_time"].as_i64().unwrap_or(0),
        "fans_medal_wearing_status": false, "fans_medal_name": "", "fans_medal_level": 0,
    })
}

fn entry(data: &Value) -> Option<Value> {
    let bytes = STANDARD.decode(data["pb"].as_str()?).ok()?;
    let word = InteractWord::decode(&bytes[..]).ok().filter(|word| word.msg_type == 1)?;
    let face = word.uinfo.and_then(|user| user.base).map(|base| base.face).unwrap_or_default();
    Some(json!({
        "open_id": who(&json!(word.uid), &json!(word.uname)), "union_id": "", "uname": word.uname, "uface": face,
        "timestamp": word.timestamp,
    }))
}

fn air(streamer: &Streamer, timestamp: &Value) -> Value {
    json!({
        "open_id": open_id(&streamer.uid.to_string()), "timestamp": timestamp, "area_name": streamer.area.name,
        "title": streamer.titles.first(),
    })
}
