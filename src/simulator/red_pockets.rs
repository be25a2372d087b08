//! How a red pocket looks on the wire: bought, running (repeated while it runs), and won.
//!
//! What was paid stands in batteries in the purchase and in gold in the books, 100 for one. The
//! prizes are worth four fifths of it.

use rand::RngExt;
use serde_json::json;

use super::{
    books::{Fact, Price, Ware},
    messages::{Desk, Outgoing, medal_info, serial},
    viewers::Viewer,
};

/// Gold a battery is worth.
const BATTERY: i64 = 100;

impl Desk<'_> {
    /// A red pocket for `batteries` that runs for `seconds`: bought, running, and won by `winners`.
    pub fn red_pocket(
        &mut self,
        viewer: &Viewer,
        batteries: i64,
        phrase: &str,
        seconds: i64,
        winners: &[Viewer],
    ) -> (Outgoing, Outgoing, Outgoing) {
        let lot_id = 31_000_000 + serial();
        let now = self.now_s();
        let paid = batteries * BATTERY;
        let mut bought = json!({"cmd": "POPULARITY_RED_POCKET_NEW", "data": {
            "lot_id": lot_id, "start_time": now, "current_time": now, "wait_num": 0, "uname": viewer.shown_name(),
            "uid": viewer.shown_uid(), "action": "送出", "num": 1, "gift_name": "红包", "gift_id": 13_000, "price": batteries,
            "name_color": "", "medal_info": medal_info(viewer.medal.as_ref()), "wealth_level": viewer.wealth,
            "group_medal": null, "is_mystery": false, "sender_uinfo": self.user(viewer)}});
        self.must_arrive(&mut bought);
        let price = Price { list: paid, paid, value: paid * 4 / 5 };
        let fact = Fact::Bought { ware: Ware::RedPocket, number: lot_id, price, estimated: false };
        let running = json!({"cmd": "POPULARITY_RED_POCKET_START", "data": {
            "lot_id": lot_id, "sender_uid": viewer.shown_uid(), "sender_name": viewer.shown_name(),
            "sender_face": self.face(viewer.uid), "join_requirement": 1, "danmu": phrase, "current_time": now,
            "start_time": now, "end_time": now + seconds, "last_time": seconds, "remove_time": now + seconds + 15,
            "replace_time": now + seconds + 10, "lot_status": 1, "h5_url": "", "user_status": 2,
            "awards": [{"gift_id": 31_212, "gift_name": "打call", "gift_pic": "", "num": 2},
                       {"gift_id": 31_216, "gift_name": "小花花", "gift_pic": "", "num": 5}],
            "lot_config_id": 3, "total_price": paid * 4 / 5, "wait_num": 0}});
        let winner_info: Vec<_> = winners
            .iter()
            .map(|winner| {
                json!([winner.shown_uid(), winner.shown_name(), self.dice.random_range(1_000_000..9_000_000), 31_216])
            })
            .collect();
        let won = json!({"cmd": "POPULARITY_RED_POCKET_WINNER_LIST", "data": {
            "lot_id": lot_id, "total_num": winner_info.len(), "winner_info": winner_info,
            "awards": {"31212": {"award_type": 1, "award_name": "打call", "award_pic": "", "award_big_pic": "", "award_price": 500},
                       "31216": {"award_type": 1, "award_name": "小花花", "award_pic": "", "award_big_pic": "", "award_price": 100}},
            "version": 1}});
        let bought = Outgoing { web_only: true, ..Outgoing::telling(&bought, vec![fact]) };
        (bought, Outgoing::plain(&running), Outgoing::plain(&won))
    }
}
