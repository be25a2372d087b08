//! Chat lines and gifts in the shape and size of 2026, all different, and packets of them.

use std::io::Write;

use bilibili_live_monitor::protocol::{Operation, encode};
use serde_json::{Value, json};

/// Messages in a packet, as the servers pack them.
pub const A_PACKET: usize = 10;

const LINES: [&str; 12] = [
    "草",
    "哈哈哈哈哈哈",
    "主播晚上好呀",
    "来了来了",
    "这波操作可以啊",
    "前方高能",
    "泪目",
    "好听！再来一首",
    "666666",
    "今天播到几点",
    "晚安大家",
    "这个游戏叫什么名字",
];
const NAMES: [&str; 8] =
    ["小鱼干", "银色子弹", "青空下的猫", "夜雨声烦", "柠檬不萌", "落日飞车", "阿尔法", "一只路过的咸鱼"];

fn hash(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// A user object as newer messages carry it.
fn user(n: u64) -> Value {
    let uid = 1_000_000 + hash(n) % 900_000_000;
    let face = format!("https://i0.hdslb.com/bfs/face/{:016x}{:016x}{:08x}.jpg", hash(uid), hash(uid + 1), uid);
    let name = format!("{}{}", NAMES[(uid % 8) as usize], uid % 1000);
    json!({
        "uid": uid,
        "base": {"name": name, "face": face, "name_color": 0, "is_mystery": false, "risk_ctrl_info": null,
            "origin_info": {"name": name, "face": face},
            "official_info": {"role": 0, "title": "", "desc": "", "type": -1}, "name_color_str": ""},
        "medal": {"name": "小鱼团", "level": 1 + uid % 30, "color_start": 6067854, "color_end": 6067854,
            "color_border": 6067854, "color": 6067854, "id": 120_345, "typ": 0, "is_light": 1, "ruid": 672_328_094,
            "guard_level": 0, "score": 43_210, "guard_icon": "", "honor_icon": "", "v2_medal_color_start": "#4C7DFF99",
            "v2_medal_color_end": "#4C7DFF99", "v2_medal_color_border": "#4C7DFF99", "v2_medal_color_text": "#FFFFFFFF",
            "v2_medal_color_level": "#00308C99", "user_receive_count": 0},
        "wealth": null, "title": {"old_title_css_id": "", "title_css_id": ""}, "guard": null, "uhead_frame": null,
        "guard_leader": {"is_guard_leader": false}
    })
}

/// The `n`th chat line, about 2.3 kB.
pub fn danmaku(n: u64, sent_ms: i64) -> String {
    let user = user(n % 5000);
    let (uid, name) = (user["uid"].clone(), user["base"]["name"].clone());
    let text = LINES[(hash(n) % 12) as usize];
    let hash_text = format!("{:08x}", hash(n % 5000) as u32);
    let extra = json!({
        "send_from_me": false, "master_player_hidden": false, "mode": 0, "color": 16_777_215, "dm_type": 0,
        "font_size": 25, "player_mode": 1, "show_player_type": 0, "content": text, "user_hash": "3735928559",
        "emoticon_unique": "", "bulge_display": 0, "recommend_score": 3, "main_state_dm_color": "",
        "objective_state_dm_color": "", "direction": 0, "pk_direction": 0, "quartet_direction": 0,
        "anniversary_crowd": 0, "yeah_space_type": "", "yeah_space_url": "", "jump_to_url": "", "space_type": "",
        "space_url": "", "animation": {}, "emots": null, "is_audited": false,
        "id_str": format!("{:016x}{:016x}{:02}", hash(n), n, n % 100), "icon": null, "show_reply": true, "reply_mid": 0,
        "reply_uname": "", "reply_uname_color": "", "reply_is_mystery": false, "reply_type_enum": 0, "hit_combo": 0,
        "esports_jump_url": "", "is_mirror": false, "is_collaboration_member": false
    });
    json!({
        "cmd": "DANMU_MSG", "dm_v2": "",
        "info": [
            [0, 1, 25, 16_777_215, sent_ms, hash(n) as i32, 0, hash_text, 0, 0, 5, "#1453BAFF,#4C2263A2,#3353BAFF",
                0, "{}", "{}", {"extra": extra.to_string(), "mode": 0, "show_player_type": 0, "user": user},
                {"activity_identity": "", "activity_source": 0, "not_show": 0}, 0],
            text, [uid, name, 0, 0, 0, 10000, 1, ""],
            [1 + n % 30, "小鱼团", "某位主播", 22_637_261, 6_067_854, "", 0, 6_067_854, 6_067_854, 6_067_854, 0, 1, 672_328_094],
            [20, 0, 5_805_790, ">50000", 0], ["", ""], 0, 0, null,
            {"ts": sent_ms / 1000, "ct": format!("{:08X}", hash(n) as u32)}, 0, 0, null, null, 0, 105, [15], null
        ]
    })
    .to_string()
}

/// A body of plain packets, one message each.
fn body(messages: &[String]) -> Vec<u8> {
    messages.iter().flat_map(|message| encode(Operation::Message, 0, message.as_bytes())).collect()
}

/// One frame with `messages`, packed as version 0, 2 or 3.
pub fn frame(messages: &[String], version: u16) -> Vec<u8> {
    let body = body(messages);
    match version {
        0 => body,
        2 => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&body).expect("into memory");
            encode(Operation::Message, 2, &encoder.finish().expect("into memory"))
        }
        _ => {
            let mut packed = Vec::new();
            let params = brotli::enc::BrotliEncoderParams { quality: 5, ..Default::default() };
            brotli::BrotliCompress(&mut body.as_slice(), &mut packed, &params).expect("into memory");
            encode(Operation::Message, 3, &packed)
        }
    }
}

/// `packets` frames of [`A_PACKET`] chat lines, none like another.
pub fn frames(packets: usize, version: u16, sent_ms: i64) -> Vec<Vec<u8>> {
    (0..packets)
        .map(|packet| {
            let first = (packet * A_PACKET) as u64;
            let lines: Vec<String> = (first..first + A_PACKET as u64).map(|n| danmaku(n, sent_ms + n as i64)).collect();
            frame(&lines, version)
        })
        .collect()
}
