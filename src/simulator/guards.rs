//! How a guard's purchase looks on the wire: up to three messages, in any order.

use rand::RngExt;
use serde::Deserialize;
use serde_json::json;

use super::{
    books::{Fact, Price, Ware},
    messages::{Desk, Outgoing, guard_title, serial},
    viewers::Viewer,
};
impl Desk<'_> {
    /// What one guard purchase says: some of its three messages, in the order asked for. A `GUARD_BUY` can only
    /// tell the list price.
    pub fn guard(&mut self, viewer: &Viewer, offer: GuardOffer, parts: &[GuardPart]) -> Vec<Outgoing> {
        let now = self.now_s();
        let title = guard_title(offer.level);
        let payflow = format!("{}{:013}", super::world::shanghai(now).replace(['-', ' ', ':'], ""), serial());
        let verb = if offer.renewal { "续费" } else { "开通" };
        let name = viewer.shown_name();
        let toast = format!(
            "<%{name}%> 在主播{}的直播间{verb}了{title}，今天是TA陪伴主播的第{}天",
            self.streamer.name,
            self.dice.random_range(1..900)
        );
        let op_type = if offer.renewal { 2 } else { 1 };
        let gift_id = 10_000 + offer.level;
        let number = serial();
        let mut sent: Vec<Outgoing> = Vec::new();
        // The open platform tells a purchase once, with what was paid if anything says it.
        let lead = parts.iter().position(|part| *part != GuardPart::Buy).unwrap_or(0);
        for (place, part) in parts.iter().enumerate() {
            let mut message = match part {
                GuardPart::Buy => json!({"cmd": "GUARD_BUY", "data": {
                    "uid": viewer.shown_uid(), "username": name, "guard_level": offer.level, "num": 1, "price": list_price(offer.level),
                    "gift_id": gift_id, "gift_name": title, "start_time": now, "end_time": now}}),
                GuardPart::Toast => json!({"cmd": "USER_TOAST_MSG", "data": {
                    "anchor_show": true, "color": "#00D1F1", "dmscore": 408, "effect_id": 397, "end_time": now, "face_effect_id": 44,
                    "gift_id": gift_id, "group_name": "", "group_op_type": 0, "group_role_name": "", "guard_level": offer.level,
                    "is_group": 0, "is_show": 0, "num": 1, "op_type": op_type, "payflow_id": payflow, "price": offer.price,
                    "role_name": title, "room_effect_id": 590, "source": 0, "start_time": now, "svga_block": 0,
                    "target_guard_count": self.streamer.guards, "toast_msg": toast, "uid": viewer.shown_uid(), "unit": offer.unit,
                    "user_show": true, "username": name}}),
                GuardPart::ToastV2 | GuardPart::Given => json!({"cmd": "USER_TOAST_MSG_V2", "data": {
                    "sender_uinfo": {"uid": viewer.shown_uid(), "base": {"name": name, "face": self.face(viewer.uid)}},
                    "receiver_uinfo": {"uid": self.streamer.uid, "base": {"name": self.streamer.name, "face": self.face(self.streamer.uid)}},
                    "guard_info": {"guard_level": offer.level, "role_name": title, "room_guard_count": self.streamer.guards,
                                   "op_type": op_type, "start_time": now, "end_time": now + 2_592_000},
                    "group_guard_info": null,
                    "pay_info": {"payflow_id": payflow, "price": offer.price, "num": 1, "unit": offer.unit},
                    "gift_info": {"gift_id": gift_id}, "effect_info": {"effect_id": 5846, "room_effect_id": 5843, "face_effect_id": 44},
                    "toast_msg": toast,
                    "option": {"anchor_show": true, "user_show": true, "is_group": 0, "is_show": 0,
                               "source": if *part == GuardPart::Given { 2 } else { 0 }, "svga_block": 0, "color": "#00D1F1"}}}),
            };
            if *part != GuardPart::Buy {
                self.must_arrive(&mut message);
            }
            let list = list_price(offer.level);
            let estimated = *part == GuardPart::Buy;
            let price = Price { list, paid: if estimated { list } else { offer.price }, value: list };
            let facts = match part {
                GuardPart::Given => Vec::new(),
                _ => vec![Fact::Bought { ware: Ware::Guard, number, price, estimated }],
            };
            let web_only = place != lead || *part == GuardPart::Given;
            sent.push(Outgoing { web_only, ..Outgoing::telling(&message, facts) });
        }
        sent
    }
}

/// What was bought.
#[derive(Clone, Copy, Debug)]
pub(super) struct GuardOffer {
    pub level: u64,
    /// Gold really paid.
    pub price: i64,
    /// `月`, or a card for days such as `*3天`.
    pub unit: &'static str,
    pub renewal: bool,
}

/// The messages one purchase may produce.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum GuardPart {
    Buy,
    Toast,
    ToastV2,
    /// A second `USER_TOAST_MSG_V2` that says the guard was a present; the page hides it.
    Given,
}

/// List price of a month in gold.
pub(super) fn list_price(level: u64) -> i64 {
    match level {
        1 => 19_998_000,
        2 => 1_998_000,
        _ => 198_000,
    }
}
