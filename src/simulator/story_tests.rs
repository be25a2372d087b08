//! Plays stories without sockets and counts what they say by the rules of the protocol notes: the simulator's own
//! truth must agree, and so must the product's decoder.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use serde_json::Value;

use super::{
    Gold, SimulatorOptions, Truth,
    books::{Books, Fact, Price, Ware},
    proto,
    script::Script,
    world::World,
};
use crate::{
    domain::{Body, Event, EventId, RoomId},
    protocol::{Arrival, Decoded, GuardMerge, decode},
};

#[actix_web::test]
async fn the_story_tells_the_truth() {
    let world = World::new(SimulatorOptions::default(), "http://127.0.0.1:1".to_owned(), 2);
    let mut commands = HashSet::new();
    for room in &world.rooms[..5] {
        let mut script = Script::new(room.clone(), world.base.clone(), 7);
        let mut said = Counts::default();
        let mut books = Books::default();
        let mut reader = Reader::default();
        for tick in 0..3000 {
            let sent = script.advance(0.2, 0.2);
            let lines = sent.iter().filter(|message| message.json.contains("\"cmd\":\"DANMU_MSG\"")).count();
            assert!(lines <= 4, "{lines} lines in a tick");
            for message in sent {
                let value: Value = serde_json::from_str(&message.json).expect("is JSON");
                commands.insert(value["cmd"].as_str().expect("a command").split(':').next().unwrap_or("").to_owned());
                said.read(&value);
                reader.read(room.streamer.room_id, &message.json, Duration::from_millis(tick * 200));
                message.facts.iter().for_each(|fact| books.enter(*fact));
            }
        }
        let truth = books.truth();
        assert!(
            truth.list_gold.gift > 0 && truth.value_gold.gift > 0 && truth.list_gold.guard >= truth.paid_gold.guard
        );
        // Lists and values are told by no message on its own.
        let paid = Truth { list_gold: Gold::default(), value_gold: Gold::default(), ..truth };
        assert_eq!(said.truth(), paid, "{}", room.name);
        assert_eq!(reader.truth(), paid, "{} as the product reads it", room.name);
    }
    let mut missing = Vec::new();
    for command in "DANMU_MSG SEND_GIFT SEND_GIFT_V2 COMBO_SEND SUPER_CHAT_MESSAGE SUPER_CHAT_MESSAGE_JPN GUARD_BUY \
        USER_TOAST_MSG USER_TOAST_MSG_V2 INTERACT_WORD_V2 ENTRY_EFFECT LIKE_INFO_V3_CLICK LIKE_INFO_V3_UPDATE \
        WATCHED_CHANGE ONLINE_RANK_COUNT ONLINE_RANK_V3 ROOM_REAL_TIME_MESSAGE_UPDATE STOP_LIVE_ROOM_LIST ROOM_CHANGE \
        LIVE PREPARING ANCHOR_LOT_START ANCHOR_LOT_END POPULARITY_RED_POCKET_NEW POPULARITY_RED_POCKET_START \
        POPULARITY_RED_POCKET_WINNER_LIST DANMU_MSG_MIRROR SIM_NEW_COMMAND"
        .split_whitespace()
    {
        if !commands.contains(command) {
            missing.push(command);
        }
    }
    assert!(missing.is_empty(), "never sent: {missing:?}");
}

/// Counts what the product's own decoder makes of the messages.
#[derive(Default)]
struct Reader {
    seen: HashSet<EventId>,
    guards: GuardMerge,
    books: Books,
}

impl Reader {
    fn read(&mut self, room: u64, json: &str, now: Duration) {
        let arrival = Arrival { room_id: RoomId(room), received_ms: super::world::now_ms() };
        let events = match decode(json.as_bytes(), arrival) {
            Decoded::Events(events) => events,
            Decoded::Guard(message) => self.guards.take(message, now).into_iter().collect(),
            Decoded::Ignored | Decoded::Signal(_) => Vec::new(),
            Decoded::Unknown(name) => {
                assert_eq!(name, "SIM_NEW_COMMAND");
                Vec::new()
            }
            Decoded::Malformed(what) => panic!("{what}: {json}"),
        };
        let late = self.guards.due(now);
        events.into_iter().chain(late).for_each(|event| self.count(&event));
    }

    fn count(&mut self, event: &Event) {
        if !self.seen.insert(event.id) {
            return;
        }
        let ware = match &event.body {
            Body::Danmaku(_) => return self.books.enter(Fact::Danmaku),
            Body::Gift(gift) if gift.gift_id == 13_000 => Ware::RedPocket,
            Body::Gift(_) => Ware::Gift,
            Body::SuperChat(_) => Ware::SuperChat,
            Body::Guard(_) => Ware::Guard,
            _ => return,
        };
        let price = Price { paid: event.paid().0, ..Price::FREE };
        self.books.enter(Fact::Bought { ware, number: self.seen.len() as u64, price, estimated: false });
    }

    fn truth(mut self) -> Truth {
        self.guards.flush().iter().for_each(|event| self.count(event));
        self.books.truth()
    }
}

/// Counts by the protocol notes, from nothing but the messages.
#[derive(Default)]
struct Counts {
    danmaku: HashSet<String>,
    transactions: HashSet<String>,
    super_chats: HashMap<i64, i64>,
    /// What a toast said, else the list price.
    guards: HashMap<u64, (bool, i64)>,
    gift_gold: i64,
    /// Batteries by number.
    red_pockets: HashMap<i64, i64>,
}

impl Counts {
    fn read(&mut self, message: &Value) {
        let data = &message["data"];
        let text = |value: &Value| value.as_str().expect("is text").to_owned();
        match message["cmd"].as_str().and_then(|cmd| cmd.split(':').next()).unwrap_or("") {
            "DANMU_MSG" => {
                let extra: Value = serde_json::from_str(&text(&message["info"][0][15]["extra"])).expect("is JSON");
                self.danmaku.insert(text(&extra["id_str"]));
            }
            "SEND_GIFT" => {
                assert_eq!(data["tid"], data["rnd"]);
                if self.transactions.insert(text(&data["tid"]))
                    && data["coin_type"] == "gold"
                    && data["bag_gift"].is_null()
                {
                    self.gift_gold += data["total_coin"].as_i64().expect("a number");
                }
            }
            "SEND_GIFT_V2" => {
                let bytes = STANDARD.decode(text(&data["pb"])).expect("is base64");
                let gift = proto::SendGift::decode(&bytes[..]).expect("is protobuf");
                for item in gift.items {
                    if self.transactions.insert(item.tid) && item.coin_type == "gold" && item.bag_gift.is_none() {
                        self.gift_gold += item.total_coin;
                    }
                }
            }
            "SUPER_CHAT_MESSAGE" | "SUPER_CHAT_MESSAGE_JPN" => {
                let id = data["id"].as_i64().or_else(|| data["id"].as_str()?.parse().ok()).expect("a number");
                self.super_chats.insert(id, data["price"].as_i64().expect("a number") * 1000);
            }
            "POPULARITY_RED_POCKET_NEW" => {
                let lot = data["lot_id"].as_i64().expect("a number");
                self.red_pockets.insert(lot, data["price"].as_i64().expect("a number"));
            }
            "GUARD_BUY" => self.board(&data["uid"], false, &data["price"]),
            "USER_TOAST_MSG" => self.board(&data["uid"], true, &data["price"]),
            "USER_TOAST_MSG_V2" if data["option"]["source"] == 0 => {
                self.board(&data["sender_uinfo"]["uid"], true, &data["pay_info"]["price"]);
            }
            _ => {}
        }
    }

    /// In these stories nobody buys two guards.
    fn board(&mut self, uid: &Value, toast: bool, price: &Value) {
        let price = price.as_i64().expect("a number");
        let known = self.guards.entry(uid.as_u64().expect("a number")).or_insert((toast, price));
        if toast && !known.0 {
            *known = (true, price);
        }
    }

    fn truth(&self) -> Truth {
        Truth {
            danmaku: self.danmaku.len() as u64,
            gifts: self.transactions.len() as u64,
            super_chats: self.super_chats.len() as u64,
            guards: self.guards.len() as u64,
            red_pockets: self.red_pockets.len() as u64,
            paid_gold: Gold {
                gift: self.gift_gold,
                super_chat: self.super_chats.values().sum(),
                guard: self.guards.values().map(|(_, price)| price).sum(),
                red_pocket: self.red_pockets.values().sum::<i64>() * 100,
            },
            ..Truth::default()
        }
    }
}
