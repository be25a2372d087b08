//! How gifts look on the wire, in both of today's forms.
//!
//! One click is one [`Click`] whatever the form; a blind box opened several times at once is several clicks
//! of one message in protobuf and several messages in JSON. What was paid is said here and nowhere else:
//! boxes count at the price of the box, free gifts and gifts out of the bag count nothing.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use rand::{RngExt, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{
    books::{Fact, Price, Ware},
    messages::{Desk, Outgoing, add, medal_info, serial},
    proto::{BagGift, BlindGift, GiftItem, GiftMedal, GiftPicture, Receiver, SendGift, Wealth},
    viewers::Viewer,
};

/// A gift of the catalogue.
#[derive(Clone, Copy, Debug)]
pub(super) struct GiftKind {
    pub id: i64,
    pub name: &'static str,
    /// Gold for one.
    pub price: i64,
}

/// A blind box: what it costs and what may come out, with weights.
#[derive(Debug)]
pub(super) struct BoxKind {
    pub config_id: i64,
    pub gift: GiftKind,
    pub outcomes: &'static [(GiftKind, u32)],
}

const fn kind(id: i64, name: &'static str, price: i64) -> GiftKind {
    GiftKind { id, name, price }
}

/// Gifts people send by the dozen.
pub(super) const SMALL: &[GiftKind] = &[
    kind(31036, "小花花", 100),
    kind(33988, "人气票", 100),
    kind(31164, "粉丝团灯牌", 100),
    kind(31039, "牛哇牛哇", 100),
    kind(31037, "打call", 500),
    kind(31216, "这个好诶", 1000),
];
/// Gifts that get a thank-you.
pub(super) const MIDDLE: &[GiftKind] = &[
    kind(31250, "情书", 5200),
    kind(34003, "冰可乐", 6600),
    kind(31044, "星愿瓶", 9900),
    kind(34017, "告白花束", 22_000),
    kind(31278, "花式夸夸", 39_000),
];
/// Gifts that stop the chat.
pub(super) const LARGE: &[GiftKind] =
    &[kind(34088, "云上城堡", 198_000), kind(34090, "银河列车", 520_000), kind(34099, "星海远航", 1_245_000)];
/// Given for nothing.
pub(super) const FREE: &[GiftKind] = &[kind(1, "辣条", 100), kind(31738, "粉丝团灯牌", 1000), kind(30607, "小心心", 0)];
/// Boxes on sale.
pub(super) const BOXES: &[BoxKind] = &[
    BoxKind {
        config_id: 51,
        gift: kind(32251, "心动盲盒", 15_000),
        outcomes: &[
            (kind(32125, "电影票", 2000), 22),
            (kind(32126, "棉花糖", 9000), 44),
            (kind(32128, "爱心抱枕", 16_000), 28),
            (kind(32281, "绮彩权杖", 40_000), 5),
            (kind(32282, "时空之站", 100_000), 1),
        ],
    },
    BoxKind {
        config_id: 88,
        gift: kind(34210, "星月盲盒", 5000),
        outcomes: &[
            (kind(34211, "流萤", 1500), 35),
            (kind(34212, "小夜灯", 5200), 45),
            (kind(34213, "月亮船", 12_000), 20),
        ],
    },
];

/// How a gift was come by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// Paid for.
    Bought,
    /// Paid for, at this price for one.
    Discounted(i64),
    /// Free coins.
    Silver,
    /// Lay in the bag: shows a price, was not bought now.
    Bag,
    /// Came out of that box.
    Box(&'static BoxKind),
}

/// One transaction.
#[derive(Clone, Debug)]
pub(super) struct Click {
    pub gift: GiftKind,
    pub num: i64,
    pub origin: Origin,
    pub tid: u64,
    /// Groups the clicks of a combo.
    pub combo_id: String,
    /// Clicks and pieces so far in the combo.
    pub clicks: i64,
    pub pieces: i64,
}

impl Click {
    /// A single click that belongs to no combo yet.
    pub fn new(desk: &mut Desk, viewer: &Viewer, gift: GiftKind, num: i64, origin: Origin) -> Click {
        let since = (desk.now_ms - 1_700_000_000_000).max(0) as u64;
        let tid = 4_800_000_000_000_000_000 + since * 10_000 + serial() % 10_000;
        let combo_id = format!(
            "batch:gift:combo_id:{}:{}:{}:{}.{:04}",
            viewer.uid,
            desk.streamer.uid,
            gift.id,
            desk.now_s(),
            desk.dice.random_range(0..10_000)
        );
        Click { gift, num, origin, tid, combo_id, clicks: 1, pieces: num }
    }

    /// The next click of the same combo.
    pub fn next(&self, desk: &mut Desk, viewer: &Viewer) -> Click {
        let next = Click::new(desk, viewer, self.gift, self.num, self.origin);
        Click { combo_id: self.combo_id.clone(), clicks: self.clicks + 1, pieces: self.pieces + self.num, ..next }
    }

    /// Gold for one, after the discount.
    fn unit(&self) -> i64 {
        match self.origin {
            Origin::Discounted(unit) => unit,
            Origin::Silver => 0,
            _ => self.gift.price,
        }
    }

    /// `total_coin`: of a box, its own price; of silver, a number that means nothing.
    fn total_coin(&self) -> i64 {
        match self.origin {
            Origin::Box(from) => from.gift.price * self.num,
            Origin::Discounted(unit) => unit * self.num,
            _ => self.gift.price * self.num,
        }
    }

    /// Gold really paid.
    pub fn paid(&self) -> i64 {
        match self.origin {
            Origin::Silver | Origin::Bag => 0,
            _ => self.total_coin(),
        }
    }

    /// For the books: what was paid, what the list says, and what the streamer got for it.
    fn fact(&self) -> Fact {
        let price = match self.origin {
            Origin::Silver | Origin::Bag => Price::FREE,
            Origin::Box(from) => {
                Price { list: from.gift.price * self.num, paid: self.paid(), value: self.gift.price * self.num }
            }
            Origin::Bought | Origin::Discounted(_) => {
                let list = self.gift.price * self.num;
                Price { list, paid: self.paid(), value: list }
            }
        };
        Fact::Bought { ware: Ware::Gift, number: self.tid, price, estimated: false }
    }

    fn coin_type(&self) -> &'static str {
        if matches!(self.origin, Origin::Silver) { "silver" } else { "gold" }
    }

    fn opened(&self) -> Option<&'static BoxKind> {
        if let Origin::Box(from) = self.origin { Some(from) } else { None }
    }
}

/// What comes out of `num` boxes: one click for each kind of outcome.
pub(super) fn open_boxes(desk: &mut Desk, viewer: &Viewer, from: &'static BoxKind, num: i64) -> Vec<Click> {
    let mut clicks: Vec<Click> = Vec::new();
    for _ in 0..num {
        let Ok((gift, _)) = from.outcomes.choose_weighted(desk.dice, |(_, weight)| *weight) else { continue };
        match clicks.iter_mut().find(|click| click.gift.id == gift.id) {
            Some(click) => {
                click.num += 1;
                click.pieces += 1;
            }
            None => clicks.push(Click::new(desk, viewer, *gift, 1, Origin::Box(from))),
        }
    }
    clicks
}

impl Desk<'_> {
    /// `SEND_GIFT`: one message for each click.
    pub fn gift_json(&mut self, viewer: &Viewer, click: &Click) -> Outgoing {
        let blind = click.opened().map_or(Value::Null, |from| {
            json!({"blind_gift_config_id": from.config_id, "from": 0, "gift_action": "爆出", "gift_tip_price": click.gift.price,
                   "original_gift_id": from.gift.id, "original_gift_name": from.gift.name,
                   "original_gift_price": from.gift.price})
        });
        let silver = matches!(click.origin, Origin::Silver);
        let bag = match click.origin {
            Origin::Bag => json!({"show_price": 1, "price_for_show": click.gift.price}),
            _ => Value::Null,
        };
        let mut data = json!({
            "action": "投喂", "bag_gift": bag, "batch_combo_id": if silver { "" } else { &click.combo_id },
            "beatId": "", "benefits": null, "biz_source": "live", "blind_gift": blind, "broadcast_id": 0,
            "coin_type": click.coin_type(), "combo_resources_id": 1, "combo_stay_time": 5,
            "combo_total_coin": click.gift.price * click.pieces, "crit_prob": 0, "demarcation": 1,
            "discount_price": click.unit(), "dmscore": 84, "draw": 0, "effect": 0, "effect_block": 0,
            "face": self.face(viewer.uid),
        });
        let sum = json!({"action": "投喂", "combo_id": click.combo_id, "combo_num": click.pieces, "gift_id": click.gift.id,
            "gift_name": click.gift.name, "gift_num": click.num, "send_master": null, "uid": viewer.shown_uid(),
            "uname": viewer.shown_name()});
        let first = click.clicks == 1 && !silver;
        add(
            &mut data,
            json!({
                "batch_combo_send": if first { sum.clone() } else { Value::Null }, "combo_send": if first { sum } else { Value::Null },
                "face_effect_id": 0, "face_effect_type": 0, "float_sc_resource_id": 0, "giftId": click.gift.id,
                "giftName": click.gift.name, "giftType": if silver || !bag.is_null() { 5 } else { 0 }, "gold": 0,
                "gift_info": {"effect_id": 0, "gif": "", "has_imaged_gift": 0, "webp": "", "img_basic": self.gift_picture(&click.gift)},
                "gift_tag": [], "group_medal": null, "guard_level": viewer.guard, "is_first": click.clicks == 1, "is_join_receiver": false,
                "is_naming": false, "is_special_batch": 0, "magnification": 1, "medal_info": medal_info(viewer.medal.as_ref()),
                "name_color": "", "num": click.num, "original_gift_name": "", "price": click.gift.price,
            }),
        );
        add(
            &mut data,
            json!({
                "rcost": 20_000_000 + self.now_s() % 1_000_000, "remain": 0, "rnd": click.tid.to_string(), "tid": click.tid.to_string(), "send_master": null,
                "receive_user_info": {"uid": self.streamer.uid, "uname": self.streamer.name},
                "receiver_uinfo": self.streamer_user(), "sender_uinfo": self.user(viewer),
                "silver": 0, "super": 0, "super_batch_gift_num": if silver { 0 } else { click.clicks },
                "super_gift_num": if silver { 0 } else { click.pieces }, "svga_block": 0, "switch": true, "tag_image": "",
                "timestamp": self.now_s(), "top_list": null, "total_coin": click.total_coin(), "uid": viewer.shown_uid(),
                "uname": viewer.shown_name(), "wealth_level": viewer.wealth,
            }),
        );
        let mut message = json!({"cmd": "SEND_GIFT", "danmu": {"area": 0}, "data": data});
        if click.paid() > 0 {
            self.must_arrive(&mut message);
        }
        Outgoing::telling(&message, vec![click.fact()])
    }

    /// `SEND_GIFT_V2`: all clicks of one moment in one message.
    pub fn gift_protobuf(&mut self, viewer: &Viewer, clicks: &[Click]) -> Outgoing {
        let items = clicks.iter().map(|click| self.item(click)).collect();
        let opened = clicks.iter().find_map(Click::opened);
        let gift = SendGift {
            uid: viewer.shown_uid() as i64,
            uname: viewer.shown_name(),
            face: self.face(viewer.uid),
            guard_level: viewer.guard as i64,
            medal_info: Some(viewer.medal.as_ref().map_or_else(GiftMedal::default, |m| GiftMedal {
                target_id: m.anchor_uid as i64,
                anchor_uname: m.anchor_name.to_owned(),
                anchor_roomid: m.anchor_room as i64,
                medal_level: m.level as i64,
                medal_name: m.name.to_owned(),
                is_lighted: i64::from(m.lit),
                guard_level: m.guard as i64,
            })),
            blind_gift: opened.map(|from| BlindGift {
                config_id: from.config_id,
                original_gift_id: from.gift.id,
                original_gift_name: from.gift.name.to_owned(),
                gift_action: "爆出".to_owned(),
                original_gift_price: from.gift.price,
            }),
            items,
            switch: true,
            wealth: Some(Wealth { level: viewer.wealth as i64 }),
            sender_uinfo: Some(self.user_message(viewer)),
        };
        let pb = STANDARD.encode(gift.encode_to_vec());
        let mut message = json!({"cmd": "SEND_GIFT_V2", "danmu": {"area": 1}, "data": {"dmscore": 140, "pb": pb}});
        if clicks.iter().any(|click| click.paid() > 0) {
            self.must_arrive(&mut message);
        }
        Outgoing::telling(&message, clicks.iter().map(Click::fact).collect())
    }

    fn item(&self, click: &Click) -> GiftItem {
        GiftItem {
            gift_id: click.gift.id,
            gift_name: click.gift.name.to_owned(),
            num: click.num,
            demarcation: 1,
            price: click.gift.price,
            discount_price: click.unit(),
            total_coin: click.total_coin(),
            coin_type: click.coin_type().to_owned(),
            tid: click.tid.to_string(),
            timestamp: self.now_s(),
            super_batch_gift_num: click.clicks,
            batch_combo_id: click.combo_id.clone(),
            combo_total_coin: click.gift.price * click.pieces,
            combo_stay_time: 5,
            magnification: 1.0,
            show_batch_combo_send: true,
            action: "投喂".to_owned(),
            receive_user_info: Some(Receiver { uname: self.streamer.name.to_owned(), uid: self.streamer.uid as i64 }),
            bag_gift: matches!(click.origin, Origin::Bag)
                .then_some(BagGift { show_price: 1, price_for_show: click.gift.price }),
            receiver_uinfo: None,
            gift_info: Some(GiftPicture { img_basic: self.gift_picture(&click.gift) }),
        }
    }

    /// `COMBO_SEND`: a summary of clicks that went before. Nothing to count.
    pub fn combo(&mut self, viewer: &Viewer, last: &Click) -> Outgoing {
        Outgoing::plain(&json!({"cmd": "COMBO_SEND", "data": {
            "action": "投喂", "batch_combo_id": last.combo_id, "batch_combo_num": last.clicks, "combo_id": last.combo_id,
            "combo_num": last.pieces, "combo_total_coin": last.gift.price * last.pieces, "coin_type": last.coin_type(),
            "dmscore": 72, "gift_id": last.gift.id, "gift_name": last.gift.name, "gift_num": 0, "is_show": 1,
            "medal_info": medal_info(viewer.medal.as_ref()), "name_color": "", "r_uname": self.streamer.name,
            "ruid": self.streamer.uid, "send_master": null, "total_num": last.pieces, "uid": viewer.shown_uid(), "uname": viewer.shown_name(),
            "receive_user_info": {"uid": self.streamer.uid, "uname": self.streamer.name},
        }}))
    }

    fn gift_picture(&self, gift: &GiftKind) -> String {
        format!("{}/bfs/gift/{}.svg", self.base, gift.name)
    }

    fn streamer_user(&self) -> Value {
        let face = self.face(self.streamer.uid);
        json!({"uid": self.streamer.uid, "anon": null, "guard": null, "guard_leader": null, "medal": null, "title": null,
               "uhead_frame": null, "wealth": null,
               "base": {"face": face, "is_mystery": false, "name": self.streamer.name, "name_color": 0, "name_color_str": "",
                        "official_info": {"desc": "", "role": 1, "title": "直播优质主播", "type": 0},
                        "origin_info": {"face": face, "name": self.streamer.name}, "risk_ctrl_info": null}})
    }
}
