//! Purchases that everybody can add up by hand, told in every form in which the platform tells them.
//!
//! All of one till lie in one second and are by few people, so that nothing but what the platform says of a
//! purchase tells it from the next. What they come to is not computed here: the test has it as numbers.

use serde_json::{Value, json};

use super::{
    fake::{Room, unix_ms},
    gifts_v2::{BagGift, BlindGift, Item, ReceiveUser, SendGift, command},
};

/// In which form a room tells gifts.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Json,
    Protobuf,
    Both,
    BothProtobufFirst,
    /// Now the one, now the other.
    Switching,
}

/// A gift as its message has it, before it is put in a form.
#[derive(Clone, Copy)]
struct Gift {
    name: &'static str,
    id: i64,
    num: i64,
    /// Gold a piece by the list, and what was paid for all.
    price: i64,
    total: i64,
    coin: &'static str,
    in_bag: bool,
    to_another: bool,
    /// Pieces of the combo so far.
    combo: i64,
}

impl Gift {
    fn new(name: &'static str, id: i64, num: i64, price: i64, total: i64) -> Gift {
        Gift { name, id, num, price, total, coin: "gold", in_bag: false, to_another: false, combo: num }
    }
}

/// Name, number and price of a box.
type Boxed = (&'static str, i64, i64);

/// What was told, in order.
pub struct Till {
    pub messages: Vec<Value>,
    form: Form,
    room: Room,
    second: i64,
    next: u64,
}

impl Till {
    /// An evening's purchases of every sort.
    pub fn of(room: &Room, form: Form) -> Till {
        let second = unix_ms() / 1000 - 600;
        let mut till = Till { messages: Vec::new(), form, room: room.clone(), second, next: room.room_id * 1000 };
        till.gifts();
        till.red_pocket();
        till.super_chats();
        till.guards();
        till
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn gifts(&mut self) {
        self.gift(&[Gift::new("人气票", 33_988, 10, 100, 1000)], None);
        // A discount: listed at 100,000.
        self.gift(&[Gift::new("节奏风暴", 39, 1, 100_000, 80_000)], None);
        // Three clicks of a combo, and then their sum.
        for combo in 1..=3 {
            self.gift(&[Gift { combo, ..Gift::new("小花花", 31_036, 1, 100, 100) }], None);
        }
        for cmd in ["COMBO_SEND", "BATCH_COMBO_SEND", "COMBO_END"] {
            self.messages.push(json!({"cmd": cmd, "data": {"uid": 77, "uname": "小猫", "gift_id": 31_036, "num": 3,
                "gift_name": "小花花", "combo_num": 3, "batch_combo_num": 3, "total_num": 3, "combo_total_coin": 300,
                "total_coin": 300, "price": 100, "coin_type": "gold", "batch_combo_id": "batch:gift:combo_id:77"}}));
        }
        // The same person gives the same twice in the same second.
        for _ in 0..2 {
            self.gift(&[Gift::new("牛哇牛哇", 31_039, 1, 1000, 1000)], None);
        }
        // Ten boxes of 33,000: worth less than they cost.
        let things =
            [Gift::new("甜蜜契约", 34_001, 5, 35_000, 165_000), Gift::new("星光点点", 34_002, 5, 20_000, 165_000)];
        self.gift(&things, Some(("契约盲盒", 34_000, 33_000)));
        // One box of 15,000: worth more.
        self.gift(&[Gift::new("爱心抱枕", 32_125, 1, 16_000, 15_000)], Some(("心动盲盒", 32_251, 15_000)));
        self.gift(&[Gift { coin: "silver", ..Gift::new("辣条", 1, 10, 100, 1000) }], None);
        self.gift(&[Gift { in_bag: true, ..Gift::new("小电视飞船", 31_044, 1, 1_245_000, 1_245_000) }], None);
        self.gift(&[Gift { to_another: true, ..Gift::new("告白花束", 31_053, 1, 22_000, 22_000) }], None);
    }

    /// One purchase, of several kinds of things if they came out of boxes: one message each as JSON, one for all
    /// as protobuf.
    fn gift(&mut self, things: &[Gift], boxed: Option<Boxed>) {
        let number = self.number();
        let tids: Vec<String> = (0..things.len()).map(|at| format!("{number}{at}")).collect();
        let with_tids = || things.iter().zip(&tids);
        let json: Vec<Value> = with_tids().map(|(gift, tid)| self.json(gift, tid, boxed)).collect();
        let items = with_tids().map(|(gift, tid)| self.item(gift, tid)).collect();
        let blind_gift = boxed.map(|(name, id, price)| BlindGift {
            original_gift_id: id,
            original_gift_name: name.into(),
            gift_action: "爆出".into(),
            original_gift_price: price,
        });
        let protobuf = command("SEND_GIFT_V2", &SendGift { uid: 77, uname: "小猫".into(), blind_gift, items });
        let is_json = match self.form {
            Form::Json => true,
            Form::Protobuf => false,
            Form::Switching => number.is_multiple_of(2),
            Form::Both => return self.messages.extend(json.into_iter().chain([protobuf])),
            Form::BothProtobufFirst => return self.messages.extend([protobuf].into_iter().chain(json)),
        };
        self.messages.extend(if is_json { json } else { vec![protobuf] });
    }

    fn receiver(&self, gift: &Gift) -> (u64, String) {
        if gift.to_another { (600_000_001, "连麦的主播".into()) } else { (self.room.uid, self.room.uname.clone()) }
    }

    fn json(&self, gift: &Gift, tid: &str, boxed: Option<Boxed>) -> Value {
        let (uid, uname) = self.receiver(gift);
        let blind_gift = boxed.map(|(name, id, price)| {
            json!({"blind_gift_config_id": 51, "original_gift_id": id, "original_gift_name": name,
                "original_gift_price": price, "gift_action": "爆出", "gift_tip_price": gift.price, "from": 0})
        });
        let bag_gift = gift.in_bag.then(|| json!({"show_price": 1, "price_for_show": gift.price}));
        json!({"cmd": "SEND_GIFT", "data": {"uid": 77, "uname": "小猫", "giftId": gift.id, "giftName": gift.name,
            "num": gift.num, "price": gift.price, "discount_price": gift.total / gift.num, "total_coin": gift.total,
            "coin_type": gift.coin, "tid": tid, "rnd": tid, "timestamp": self.second, "action": "投喂",
            "blind_gift": blind_gift, "bag_gift": bag_gift, "batch_combo_id": "batch:gift:combo_id:77",
            "combo_total_coin": gift.combo * gift.price, "super_gift_num": gift.combo, "magnification": 1,
            "receive_user_info": {"uid": uid, "uname": uname}}})
    }

    fn item(&self, gift: &Gift, tid: &str) -> Item {
        let (uid, uname) = self.receiver(gift);
        Item {
            gift_id: gift.id,
            gift_name: gift.name.into(),
            num: gift.num,
            price: gift.price,
            discount_price: gift.total / gift.num,
            total_coin: gift.total,
            coin_type: gift.coin.into(),
            tid: tid.into(),
            timestamp: self.second,
            magnification: 1.0,
            action: "投喂".into(),
            receive_user_info: Some(ReceiveUser { uname, uid: uid as i64 }),
            bag_gift: gift.in_bag.then_some(BagGift { show_price: 1, price_for_show: gift.price }),
        }
    }

    /// A red pocket of 20 batteries: told by both forms, running twice, won.
    fn red_pocket(&mut self) {
        let lot = self.number();
        for cmd in ["NEW", "V2_NEW"] {
            self.messages.push(
                json!({"cmd": format!("POPULARITY_RED_POCKET_{cmd}"), "data": {"lot_id": lot, "uid": 77,
                "uname": "小猫", "action": "送出", "num": 1, "gift_name": "红包", "gift_id": 13_000, "price": 20,
                "start_time": self.second, "current_time": self.second, "wait_num": 0}}),
            );
        }
        for cmd in ["START", "START", "V2_START"] {
            self.messages.push(json!({"cmd": format!("POPULARITY_RED_POCKET_{cmd}"), "data": {"lot_id": lot,
                "sender_uid": 77, "sender_name": "小猫", "danmu": "老板大气", "start_time": self.second,
                "total_price": 1600, "awards": [{"gift_id": 31_036, "gift_name": "小花花", "num": 16}]}}));
        }
        self.messages.push(json!({"cmd": "POPULARITY_RED_POCKET_WINNER_LIST", "data": {"lot_id": lot, "total_num": 1,
            "winner_info": [[78, "小狗", 1, 31_036]], "awards": {"31036": {"award_name": "小花花", "award_price": 1600}}}}));
    }

    fn super_chats(&mut self) {
        let told = |till: &mut Till, price: i64| {
            let id = till.number();
            let data = json!({"id": id, "uid": 77, "price": price, "rate": 1000, "message": "加油",
                "start_time": till.second, "end_time": till.second + 60, "time": 60, "ts": till.second,
                "token": "6A0B1C2D", "user_info": {"uname": "小猫"}, "medal_info": null});
            let mut twin = data.clone();
            twin["id"] = json!(id.to_string());
            twin["message_jpn"] = json!("がんばれ");
            let of = |cmd: &str, data: Value| json!({"cmd": cmd, "data": data});
            (of("SUPER_CHAT_MESSAGE", data), of("SUPER_CHAT_MESSAGE_JPN", twin), id)
        };
        let (first, its_twin, withdrawn) = told(self, 50);
        let (second, twin_before, _) = told(self, 30);
        let (_, twin_alone, _) = told(self, 100);
        let (twice, ..) = told(self, 52);
        self.messages.extend([first, its_twin, twin_before, second, twin_alone, twice.clone(), twice]);
        // The money stays paid.
        let deletion = json!({"cmd": "SUPER_CHAT_MESSAGE_DELETE", "data": {"ids": [withdrawn]}});
        self.messages.push(deletion);
    }

    /// Every subset of a purchase's messages in every order, each by somebody else; one that was given, and a card
    /// for some days.
    fn guards(&mut self) {
        let subsets = ["b", "t", "v", "bt", "tb", "bv", "vb", "tv", "vt", "btv", "bvt", "tbv", "tvb", "vbt", "vtb"];
        for subset in subsets {
            let (buyer, order) = (1_000_000 + self.number(), self.number());
            for part in subset.chars() {
                self.messages.push(self.guard(part, buyer, order));
            }
        }
        // The recipient's GUARD_BUY, the giver's toast, and the recipient's as an echo of it.
        let (giver, recipient, order) = (1_000_000 + self.number(), 1_000_000 + self.number(), self.number());
        for (part, whose) in [('b', recipient), ('v', giver), ('e', recipient)] {
            self.messages.push(self.guard(part, whose, order));
        }
        let (holder, order) = (1_000_000 + self.number(), self.number());
        let mut card = self.guard('t', holder, order);
        (card["data"]["unit"], card["data"]["price"]) = (json!("*3天"), json!(0));
        self.messages.push(card);
    }

    /// `b` is GUARD_BUY, `t` and `v` are the toasts of either version, `e` the echo of one that was given.
    fn guard(&self, part: char, uid: u64, order: u64) -> Value {
        let (second, name, order) = (self.second, format!("舰长{uid}"), format!("26092121{order}"));
        match part {
            'b' => json!({"cmd": "GUARD_BUY", "data": {"uid": uid, "username": name, "guard_level": 3, "num": 1,
                "price": 198_000, "gift_id": 10_003, "gift_name": "舰长", "start_time": second, "end_time": second}}),
            't' => json!({"cmd": "USER_TOAST_MSG", "data": {"uid": uid, "username": name, "guard_level": 3, "num": 1,
                "price": 138_000, "unit": "月", "role_name": "舰长", "op_type": 1, "payflow_id": order,
                "start_time": second, "end_time": second, "source": 0}}),
            _ => json!({"cmd": "USER_TOAST_MSG_V2", "data": {
                "sender_uinfo": {"uid": uid, "base": {"name": name}}, "receiver_uinfo": {"uid": self.room.uid},
                "guard_info": {"guard_level": 3, "op_type": 1, "start_time": second, "end_time": second},
                "pay_info": {"payflow_id": order, "price": 138_000, "num": 1, "unit": "月"},
                "gift_info": {"gift_id": 10_003}, "option": {"source": if part == 'e' { 2 } else { 0 }}}}),
        }
    }
}
