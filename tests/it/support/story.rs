//! A room's evening with a known outcome: what is sent, and exactly which rows must come of it.
//!
//! The rows are written down here, from the protocol's description, and compared as text. Users and words
//! are invented.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    fake::{Room, unix_ms},
    gifts_v2::{BlindGift, InteractWord, Item, ReceiveUser, SendGift, command},
};

/// Columns of the tables, as the rows below have them.
pub const DANMAKU: &str = "room_id, uid, username, message, masked, lottery, \
    CAST(ROUND((julianday(timestamp)-2440587.5)*86400000) AS INTEGER) AS ms";
pub const GIFTS: &str = "room_id, uid, username, gift_name, gift_id, num, coin_type, price_gold, paid_gold, value_gold, \
    printf('%.2f',price) AS price, printf('%.2f',total_price) AS total_price, blind_box_name AS blind_box, \
    CAST(strftime('%s',timestamp) AS INTEGER) AS s";
pub const SUPER_CHATS: &str = "room_id, uid, username, super_chat_id, message, paid_gold, printf('%.2f',price) AS price, \
    start_time, end_time, CAST(strftime('%s',timestamp) AS INTEGER) AS s";
pub const GUARDS: &str = "room_id, uid, username, guard_level, num, unit, paid_gold, printf('%.2f',price) AS price, \
    estimated, CAST(strftime('%s',timestamp) AS INTEGER) AS s";

/// Rows that must be there, each once.
#[derive(Clone, Default)]
pub struct Outcome {
    pub danmaku: Vec<Value>,
    pub gifts: Vec<Value>,
    pub super_chats: Vec<Value>,
    pub guards: Vec<Value>,
    /// People who came in, followed or shared.
    pub interactions: usize,
    pub unknown: BTreeMap<String, u64>,
    /// Chat lines of other rooms.
    pub mirrored: u64,
    pub watched: i64,
}

impl Outcome {
    fn gold(rows: &[Value]) -> i64 {
        rows.iter().map(|row| row["paid_gold"].as_i64().unwrap_or_default()).sum()
    }

    /// Gold paid for gifts, super chats and guards.
    pub fn paid(&self) -> [i64; 3] {
        [Outcome::gold(&self.gifts), Outcome::gold(&self.super_chats), Outcome::gold(&self.guards)]
    }

    pub fn income_gold(&self) -> i64 {
        self.paid().iter().sum()
    }
}

/// What is sent to one room, and what must come of it.
#[derive(Clone, Default)]
pub struct Story {
    pub messages: Vec<Value>,
    pub outcome: Outcome,
    /// Messages of these may come again after a reconnect; nothing must come of it.
    pub repeats: Vec<Value>,
    room: u64,
    anchor: u64,
    anchor_name: String,
    /// Unix ms of the next message.
    clock: i64,
    next: u64,
}

const NAMES: [&str; 7] = ["云上小筑", "夜航船Q", "不吃香菜の鱼", "Mira_0x", "草莓奶盖🍓", "路过的猫", "𠮷野三号"];
const WORDS: [&str; 9] = [
    "晚上好呀",
    "哈哈哈哈哈哈",
    "这波操作可以的👍🏻",
    "<b>不是</b> & \"标签\" 'x' \\n",
    "わこつ～",
    "666",
    "主播今天唱什么？",
    "前排围观 (*´∀`)~♥",
    "早点休息；DROP TABLE live_data_danmakudata;--",
];

impl Story {
    /// `rounds` times everything that can happen.
    pub fn of(room: &Room, rounds: usize) -> Story {
        let mut story = Story::empty(room);
        story.plain(json!({"cmd": "LIVE", "live_key": format!("{}77", room.room_id), "voice_background": "",
            "sub_session_key": format!("{}77sub_time:1", room.room_id), "live_platform": "pc", "live_model": 0,
            "roomid": room.room_id, "live_time": story.clock / 1000}));
        for round in 0..rounds {
            story.round(round);
        }
        // Again when the picture flows, without the time: still one beginning.
        story.plain(json!({"cmd": "LIVE", "live_key": format!("{}77", room.room_id), "voice_background": "",
            "sub_session_key": format!("{}77sub_time:1", room.room_id), "live_platform": "pc", "live_model": 0,
            "roomid": room.room_id.to_string()}));
        story
    }

    /// `n` chat lines, the text of each its number.
    pub fn chat(room: &Room, n: usize) -> Story {
        let mut story = Story::empty(room);
        for i in 0..n {
            story.danmaku(&format!("#{i}"), "DANMU_MSG", false, 0);
        }
        story
    }

    /// Continues another story's numbers and times, with nothing told yet.
    pub fn after(story: &Story) -> Story {
        Story { messages: Vec::new(), outcome: Outcome::default(), repeats: Vec::new(), ..story.clone() }
    }

    /// The messages of these chat lines, and no others.
    pub fn with_lines(mut self, lines: &[&str]) -> Vec<Value> {
        for line in lines {
            self.danmaku(line, "DANMU_MSG", false, 0);
        }
        self.messages
    }

    /// What follows happens from now on, and not in the past.
    pub fn with_clock_now(mut self) -> Story {
        self.clock = unix_ms();
        self
    }

    pub fn empty(room: &Room) -> Story {
        Story {
            room: room.room_id,
            anchor: room.uid,
            anchor_name: room.uname.clone(),
            clock: unix_ms() - 600_000,
            next: room.room_id % 1000 * 1_000_000,
            ..Story::default()
        }
    }

    /// Time goes on; everything gets a number of its own.
    fn step(&mut self) -> (u64, i64) {
        self.next += 1;
        self.clock += 37;
        (self.next, self.clock)
    }

    fn user(number: u64) -> (u64, String) {
        let name = NAMES[(number % NAMES.len() as u64) as usize];
        (3_000_000_000 + number % 211, format!("{name}{}", number % 211))
    }

    fn plain(&mut self, message: Value) {
        self.messages.push(message);
    }

    fn repeatable(&mut self, message: Value) {
        self.repeats.push(message.clone());
        self.messages.push(message);
    }

    pub fn round(&mut self, round: usize) {
        for i in 0..6 {
            let text = WORDS[(round * 6 + i) % WORDS.len()];
            let cmd = if i % 2 == 0 { "DANMU_MSG" } else { "DANMU_MSG:4:0:2:2:2:0" };
            self.danmaku(text, cmd, i == 3, if i == 5 { 2 } else { 0 });
        }
        self.old_danmaku("五年前的格式");
        self.gift("人气票", 33_988, 10, 100, 100, 1000, "gold", None);
        self.gift("爱心抱枕", 32_125, 1, 16_000, 16_000, 15_000, "gold", Some(("心动盲盒", 15_000)));
        self.gift("节奏风暴", 39, 1, 100_000, 80_000, 80_000, "gold", None);
        self.gift("辣条", 1, 10, 100, 0, 1000, "silver", None);
        self.gift_in_both_forms();
        self.blind_boxes_v2();
        self.silver_v2();
        self.noise(round);
        self.super_chat(30 + 20 * (round as i64 % 3));
        self.guard(round % 6);
        self.somebody(1);
        self.somebody(2);
        self.somebody(3);
        let watched = 1000 + self.clock % 100_000;
        self.outcome.watched = watched;
        self.plain(json!({"cmd": "WATCHED_CHANGE", "data": {"num": watched, "text_small": "0.1万",
            "text_large": "0.1万人看过"}}));
        let (n, _) = self.step();
        let cmd = format!("BLM_TEST_NEW_THING_{}", round % 2);
        *self.outcome.unknown.entry(cmd.clone()).or_default() += 1;
        self.plain(json!({"cmd": cmd, "data": {"n": n}}));
    }

    /// A chat line of today's shape.
    pub fn danmaku(&mut self, text: &str, cmd: &str, masked: bool, kind: i64) {
        let (n, ms) = self.step();
        let (uid, name) = Story::user(n);
        let (uid, name) =
            if masked { (0, format!("{}***", name.chars().next().unwrap_or('某'))) } else { (uid, name) };
        let extra = json!({"send_from_me": false, "mode": 0, "color": 16_777_215, "dm_type": 0, "font_size": 25,
            "player_mode": 1, "show_player_type": 0, "content": text, "user_hash": "2718281828", "emoticon_unique": "",
            "bulge_display": 0, "recommend_score": 3, "id_str": format!("{n:032x}"), "emots": null,
            "reply_mid": 0, "reply_uname": "", "show_reply": true, "is_audited": false, "hit_combo": 0});
        let head = json!([0, 1, 25, 16_777_215, ms, (n % 4_000_000_000) as i64 - 2_000_000_000, 0, "a201f1ce", 0, kind,
            0, "", 0, "{}", "{}",
            {"extra": extra.to_string(), "mode": 0, "show_player_type": 0,
             "user": {"uid": uid, "base": {"name": name, "face": "", "is_mystery": false}, "medal": null, "wealth": null}},
            {"activity_identity": "", "activity_source": 0, "not_show": 0}, 0]);
        let message = json!({"cmd": cmd, "dm_v2": "", "info": [head, text, [uid, name, 0, 0, 0, 10_000, 1, ""],
            [], [17, 0, 6_406_234, ">50000", 0], ["", ""], 0, 0, null, {"ts": ms / 1000, "ct": "5F3A9C01"},
            0, 0, null, null, 0, 28, [7], null]});
        self.repeatable(message);
        self.expect_danmaku(text, uid, &name, ms, masked, kind != 0);
    }

    /// A chat line of 2019: shorter, without a number of its own.
    fn old_danmaku(&mut self, text: &str) {
        let (n, ms) = self.step();
        let (uid, name) = Story::user(n);
        let random = n as i64;
        let message = json!({"cmd": "DANMU_MSG:4:0:2:2:2:0", "info": [
            [0, 1, 25, 16_777_215, ms, random, 0, "0badcafe", 0, 0, 0],
            text, [uid, name, 0, 0, 0, 10_000, 1, ""], [], [11, 0, 6_406_234, ">50000"], ["", ""], 0, 0, null,
            {"ts": ms / 1000, "ct": "77E0BB1A"}, 0]});
        self.repeatable(message);
        self.expect_danmaku(text, uid, &name, ms, false, false);
    }

    fn expect_danmaku(&mut self, text: &str, uid: u64, name: &str, ms: i64, masked: bool, lottery: bool) {
        self.outcome.danmaku.push(json!({"room_id": self.room, "uid": uid, "username": name, "message": text,
            "masked": i64::from(masked), "lottery": i64::from(lottery), "ms": ms}));
    }

    #[expect(clippy::too_many_arguments, reason = "each is a column of the protocol's table")]
    fn gift(
        &mut self,
        name: &str,
        id: i64,
        num: i64,
        price: i64,
        discounted: i64,
        total: i64,
        coin: &str,
        blind: Option<(&str, i64)>,
    ) {
        let (n, ms) = self.step();
        let (uid, user) = Story::user(n);
        let blind_gift = blind.map(|(name, price)| {
            json!({"blind_gift_config_id": 51, "original_gift_id": 32_251, "original_gift_name": name,
                "original_gift_price": price, "gift_action": "爆出", "gift_tip_price": price, "from": 0})
        });
        let tid = format!("{n}120120000{}", self.room);
        self.repeatable(json!({"cmd": "SEND_GIFT", "danmu": {"area": 1}, "data": {
            "uid": uid, "uname": user, "face": "", "guard_level": 0, "giftId": id, "giftName": name, "num": num,
            "action": "投喂", "price": price, "discount_price": discounted, "total_coin": total, "coin_type": coin,
            "tid": tid, "rnd": tid, "timestamp": ms / 1000, "blind_gift": blind_gift, "bag_gift": null,
            "batch_combo_id": format!("batch:gift:combo_id:{uid}:{}:{id}:1", self.anchor), "combo_total_coin": total,
            "super_gift_num": num, "super_batch_gift_num": 1, "magnification": 1, "giftType": 0,
            "receive_user_info": {"uid": self.anchor, "uname": self.anchor_name},
            "medal_info": {"target_id": 0, "medal_name": "", "medal_level": 0}}}));
        let free = coin == "silver";
        let (price, paid) = if free { (0, 0) } else { (price, total) };
        self.expect_gift(uid, &user, name, id, num, coin, [price, paid, price * num], blind.map(|(name, _)| name), ms);
    }

    #[expect(clippy::too_many_arguments, reason = "each is a column of the table")]
    fn expect_gift(
        &mut self,
        uid: u64,
        user: &str,
        name: &str,
        id: i64,
        num: i64,
        coin: &str,
        [price, paid, value]: [i64; 3],
        blind: Option<&str>,
        ms: i64,
    ) {
        self.outcome.gifts.push(json!({"room_id": self.room, "uid": uid, "username": user, "gift_name": name,
            "gift_id": id, "num": num, "coin_type": coin, "price_gold": price, "paid_gold": paid, "value_gold": value,
            "price": cny(price), "total_price": cny(paid), "blind_box": blind, "s": ms / 1000}));
    }

    /// One purchase that comes as JSON and as protobuf: the transaction says that it is one.
    fn gift_in_both_forms(&mut self) {
        let before = self.messages.len();
        self.gift("小花花", 31_036, 2, 100, 100, 200, "gold", None);
        let data = self.messages[before]["data"].clone();
        let number = |name: &str| data[name].as_i64().unwrap_or_default();
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let twin = self.item(&text("giftName"), number("giftId"), number("num"), number("price"), number("total_coin"));
        let twin = Item { tid: text("tid"), timestamp: number("timestamp"), discount_price: 100, ..twin };
        self.plain(command(
            "SEND_GIFT_V2",
            &SendGift { uid: number("uid"), uname: text("uname"), blind_gift: None, items: vec![twin] },
        ));
    }

    fn item(&self, name: &str, id: i64, num: i64, price: i64, total: i64) -> Item {
        Item {
            gift_id: id,
            gift_name: name.into(),
            num,
            price,
            total_coin: total,
            coin_type: "gold".into(),
            action: "投喂".into(),
            magnification: 1.0,
            receive_user_info: Some(ReceiveUser { uname: self.anchor_name.clone(), uid: self.anchor as i64 }),
            ..Item::default()
        }
    }

    /// Ten boxes in one message, from which two kinds of gifts came: two items, each its own transaction.
    fn blind_boxes_v2(&mut self) {
        let (n, ms) = self.step();
        let (uid, user) = Story::user(n);
        let things = [("甜蜜契约", 34_001, 35_000), ("星光点点", 34_002, 20_000)];
        let items = things.map(|(name, id, price)| Item {
            discount_price: price,
            tid: format!("{n}-{id}"),
            timestamp: ms / 1000,
            ..self.item(name, id, 5, price, 165_000)
        });
        let blind = BlindGift {
            original_gift_id: 34_000,
            original_gift_name: "契约盲盒".into(),
            gift_action: "爆出".into(),
            original_gift_price: 33_000,
        };
        self.repeatable(command(
            "SEND_GIFT_V2",
            &SendGift { uid: uid as i64, uname: user.clone(), blind_gift: Some(blind), items: items.into() },
        ));
        for (name, id, price) in things {
            let gold = [price, 165_000, price * 5];
            self.expect_gift(uid, &user, name, id, 5, "gold", gold, Some("契约盲盒"), ms);
        }
    }

    /// A free gift by a user whom the platform hides.
    fn silver_v2(&mut self) {
        let (n, ms) = self.step();
        let item = Item {
            tid: format!("{n}-s"),
            timestamp: ms / 1000,
            coin_type: "silver".into(),
            ..self.item("粉丝团灯牌", 31_738, 1, 1000, 1000)
        };
        let gift = SendGift { uid: 0, uname: "夜***".into(), blind_gift: None, items: vec![item] };
        self.repeatable(command("SEND_GIFT_V2", &gift));
        self.expect_gift(0, "夜***", "粉丝团灯牌", 31_738, 1, "silver", [0, 0, 0], None, ms);
    }

    /// What must never be counted.
    fn noise(&mut self, round: usize) {
        let (n, ms) = self.step();
        let (uid, name) = Story::user(n);
        self.plain(json!({"cmd": "COMBO_SEND", "data": {"uid": uid, "uname": name, "gift_id": 33_988,
            "gift_name": "人气票", "combo_num": 130, "total_num": 130, "combo_total_coin": 13_000, "action": "投喂",
            "batch_combo_id": format!("combo-{n}"), "coin_type": "gold"}}));
        self.plain(json!({"cmd": "ONLINE_RANK_COUNT", "data": {"count": 30 + round, "count_text": "30+",
            "online_count": 300 + round, "online_count_text": "300+"}}));
        self.plain(json!({"cmd": "LIKE_INFO_V3_UPDATE", "data": {"click_count": 5000 + round}}));
        self.outcome.mirrored += 1;
        self.plain(
            json!({"cmd": "DANMU_MSG_MIRROR", "dm_v2": "", "info": [[0, 1, 25, 1, ms, n, 0, "0badcafe", 0, 0, 0],
            "别的房间说的话", [uid, name, 0, 0, 0, 10_000, 1, ""], [], [11, 0, 1, ">50000"], ["", ""], 0, 0, null,
            {"ts": ms / 1000, "ct": "0"}, 0]}),
        );
        self.plain(json!({"cmd": "RECALL_DANMU_MSG", "data": {"recall_type": 2, "target_id": uid}}));
        self.plain(json!({"cmd": "STOP_LIVE_ROOM_LIST", "data": {"room_id_list": [1, 2, 3]}}));
    }

    /// A super chat, the same once more, and its Japanese twin.
    fn super_chat(&mut self, price: i64) {
        let (n, ms) = self.step();
        let (uid, name) = Story::user(n);
        let (start, id) = (ms / 1000, 10_000_000 + n);
        let text = format!("谢谢主播的陪伴 {n}");
        let data = json!({"id": id, "uid": uid, "price": price, "rate": 1000, "message": text, "message_trans": "",
            "trans_mark": 0, "start_time": start, "end_time": start + 60, "time": 60, "ts": start, "token": "6A0B1C2D",
            "is_ranked": 1, "background_color": "#EDF5FF", "user_info": {"uname": name, "face": "", "guard_level": 0,
            "manager": 0, "user_level": 20, "name_color": "#666666"}, "medal_info": null,
            "gift": {"gift_id": 12_000, "gift_name": "醒目留言", "num": 1}});
        let message = json!({"cmd": "SUPER_CHAT_MESSAGE", "data": data, "send_time": start * 1000, "p_is_ack": true});
        self.plain(message.clone());
        let mut twin = data;
        twin["id"] = json!(id.to_string());
        twin["message_jpn"] = json!("いつもありがとう");
        self.plain(json!({"cmd": "SUPER_CHAT_MESSAGE_JPN", "roomid": self.room.to_string(), "data": twin}));
        self.repeatable(message);
        self.outcome.super_chats.push(json!({"room_id": self.room, "uid": uid, "username": name, "super_chat_id": id,
            "message": text, "paid_gold": price * 1000, "price": cny(price * 1000), "start_time": start,
            "end_time": start + 60, "s": start}));
    }

    /// One purchase of a guard, told by any of its three messages in any order.
    fn guard(&mut self, variant: usize) {
        let (n, ms) = self.step();
        let (uid, name) = (4_000_000_000 + n, format!("新舰长{n}"));
        let (s, order) = (ms / 1000, format!("2609212133{n:012}"));
        let buy = json!({"cmd": "GUARD_BUY", "data": {"uid": uid, "username": name, "guard_level": 3, "num": 1,
            "price": 198_000, "gift_id": 10_003, "gift_name": "舰长", "start_time": s, "end_time": s}});
        let toast = json!({"cmd": "USER_TOAST_MSG", "data": {"uid": uid, "username": name, "guard_level": 3, "num": 1,
            "price": 138_000, "unit": "月", "role_name": "舰长", "op_type": 1, "payflow_id": order, "start_time": s,
            "end_time": s, "toast_msg": format!("<%{name}%> 在本房间开通了舰长"), "source": 0}});
        let toast_v2 = json!({"cmd": "USER_TOAST_MSG_V2", "data": {
            "sender_uinfo": {"uid": uid, "base": {"name": name, "face": ""}}, "receiver_uinfo": {"uid": self.anchor},
            "guard_info": {"guard_level": 3, "role_name": "舰长", "room_guard_count": 12, "op_type": 1,
                "start_time": s, "end_time": s},
            "pay_info": {"payflow_id": order, "price": 138_000, "num": 1, "unit": "月"},
            "gift_info": {"gift_id": 10_003}, "option": {"source": 0, "is_group": 0},
            "toast_msg": format!("<%{name}%> 在本房间开通了舰长")}});
        let told = match variant {
            0 => vec![buy, toast.clone(), toast_v2],
            1 => vec![toast_v2, buy],
            2 => vec![toast.clone()],
            3 => vec![toast_v2],
            4 => vec![buy],
            _ => vec![toast, toast_v2, buy],
        };
        // A GUARD_BUY that a toast explained is not repeated without it by any platform.
        let estimated = variant == 4;
        let repeats = told.iter().filter(|message| message["cmd"] != "GUARD_BUY" || estimated).cloned();
        self.repeats.extend(repeats);
        self.messages.extend(told);
        let paid = if estimated { 198_000 } else { 138_000 };
        self.outcome
            .guards
            .push(json!({"room_id": self.room, "uid": uid, "username": name, "guard_level": 3, "num": 1,
            "unit": "月", "paid_gold": paid, "price": cny(paid), "estimated": i64::from(estimated), "s": s}));
    }

    /// Somebody comes in (1), follows (2) or shares (3).
    fn somebody(&mut self, what: i64) {
        let (n, ms) = self.step();
        let (uid, name) = Story::user(n);
        self.outcome.interactions += 1;
        self.repeatable(command(
            "INTERACT_WORD_V2",
            &InteractWord {
                uid: uid as i64,
                uname: name,
                identities: vec![1],
                msg_type: what,
                roomid: self.room as i64,
                timestamp: ms / 1000,
                score: ms + 50_000_000,
                trigger_time: ms * 1_000_000 + n as i64 % 1_000_000,
            },
        ));
    }
}

/// Gold as CNY with two decimals.
fn cny(gold: i64) -> String {
    format!("{}.{:02}", gold / 1000, gold % 1000 / 10)
}

/// Fails naming the first rows that are only on one side; order does not matter.
pub fn same_rows(what: &str, got: &[Value], wanted: &[Value]) -> Result<(), String> {
    let sorted = |rows: &[Value]| {
        let mut rows: Vec<String> = rows.iter().map(sorted_keys).collect();
        rows.sort();
        rows
    };
    let (got, wanted) = (sorted(got), sorted(wanted));
    if got == wanted {
        return Ok(());
    }
    let only = |these: &[String], those: &[String]| {
        let mut rest = those.to_vec();
        let mut only = Vec::new();
        for row in these {
            match rest.iter().position(|other| other == row) {
                Some(at) => drop(rest.swap_remove(at)),
                None => only.push(row.clone()),
            }
        }
        only.truncate(4);
        only.join("\n    ")
    };
    Err(format!(
        "{what}: {} rows instead of {}\n  only in the program:\n    {}\n  missing:\n    {}",
        got.len(),
        wanted.len(),
        only(&got, &wanted),
        only(&wanted, &got)
    ))
}

fn sorted_keys(row: &Value) -> String {
    let fields: BTreeMap<&String, &Value> = row.as_object().into_iter().flatten().collect();
    serde_json::to_string(&fields).expect("JSON")
}
