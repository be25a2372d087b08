//! Held against the simulator's own books: what is stored is what was sent, to the gold coin.

use serde_json::{Value, json};

use crate::{
    pipeline::books_balance,
    support::{eventually, monitor::Monitor, same, simulator::Simulator},
};

/// What the history holds of a room, in the shape of the simulator's books.
fn stored(monitor: &Monitor, room: u64) -> Value {
    let one = |columns: &str, table: &str| {
        let rows = monitor.rows(columns, &format!("{table} WHERE room_id = {room}"));
        rows.into_iter().next().unwrap_or_default()
    };
    let lines = one("COUNT(*) AS n", "live_data_danmakudata");
    let sums = "COUNT(*) AS n, COALESCE(SUM(paid_gold)||'','0') AS paid";
    let gifts = one(&format!("{sums}, COALESCE(SUM(value_gold)||'','0') AS value"), "live_data_giftdata");
    let super_chats = one(sums, "live_data_superchat");
    let guards = one(sums, "live_data_guard");
    json!({"danmaku": lines["n"], "gifts": gifts["n"], "super_chats": super_chats["n"], "guards": guards["n"],
        "paid": [gifts["paid"], super_chats["paid"], guards["paid"]], "value": gifts["value"]})
}

/// The same from the simulator's books.
fn told(truth: &Value) -> Value {
    let gold = |value: &Value| json!(value.as_i64().unwrap_or(0).to_string());
    let paid = &truth["paid_gold"];
    // A room of which nothing was told is not in the books.
    let count = |name: &str| truth[name].as_u64().unwrap_or(0);
    json!({"danmaku": count("danmaku"), "gifts": count("gifts"), "super_chats": count("super_chats"),
        "guards": count("guards"), "paid": [gold(&paid["gift"]), gold(&paid["super_chat"]), gold(&paid["guard"])],
        "value": gold(&truth["value_gold"]["gift"])})
}

/// Waits until so many of something were sent to somebody in the room; what was ordered before them was, too.
async fn heard(simulator: &Simulator, room: u64, what: &str, count: u64) {
    eventually(&format!("{count} {what} were sent"), async || {
        let truth = simulator.ask("truth").await["rooms"][room.to_string()].take();
        if truth[what] == count { Ok(()) } else { Err(truth.to_string()) }
    })
    .await;
}

async fn totals_agree(simulator: &Simulator, monitor: &Monitor, rooms: &[u64]) {
    eventually("the history agrees with the simulator's books", async || {
        let truth = simulator.ask("truth").await["rooms"].take();
        for room in rooms {
            same(stored(monitor, *room), told(&truth[room.to_string()]))
                .map_err(|why| format!("room {room}: {why}"))?;
        }
        Ok(())
    })
    .await;
    books_balance(monitor).await;
}

#[tokio::test]
async fn money_is_right_to_the_coin_with_both_forms_copies_boxes_and_every_subset_of_guard_messages() {
    let simulator = Simulator::start(2, 0.0).await;
    let rooms = simulator.rooms(2).await;
    let monitor = simulator.watched(&rooms).start().await;
    simulator.wait_for_connections(2).await;
    let room = rooms[0];
    let make = async |what: &str, body: Value| simulator.tell(&format!("room/{room}/{what}"), body).await;
    for gift in [
        json!({"price": 100, "num": 10, "protobuf": false}),
        json!({"price": 100, "num": 10, "protobuf": true, "again": true}),
        json!({"price": 5200, "both": true, "again": true}),
        json!({"box": true, "num": 10, "both": true}),
        json!({"box": true, "num": 3, "protobuf": false, "again": true}),
        json!({"silver": true, "both": true}),
        json!({"bag": true, "protobuf": false}),
    ] {
        make("gift", gift).await;
    }
    for (buyer, parts) in [
        json!(["buy"]),
        json!(["toast"]),
        json!(["toast_v2"]),
        json!(["buy", "toast"]),
        json!(["toast", "buy"]),
        json!(["toast_v2", "buy", "toast"]),
        json!(["toast", "toast_v2"]),
        json!(["toast_v2", "given"]),
    ]
    .into_iter()
    .enumerate()
    {
        make("guard", json!({"username": format!("上船的{buyer}"), "parts": parts})).await;
    }
    make("super_chat", json!({"message": "加油", "price": 52})).await;
    make("say", json!({"message": "听得到吗", "times": 120})).await;
    heard(&simulator, room, "danmaku", 120).await;
    totals_agree(&simulator, &monitor, &rooms).await;
    // A connection that is lost and found again changes nothing.
    simulator.tell("cut", json!({})).await;
    simulator.wait_for_connections(2).await;
    make("gift", json!({"price": 9900, "both": true})).await;
    make("super_chat", json!({"message": "还在", "price": 30})).await;
    heard(&simulator, room, "super_chats", 2).await;
    totals_agree(&simulator, &monitor, &rooms).await;
    let paid = simulator.ask("truth").await["rooms"][room.to_string()]["paid_gold"].take();
    assert_eq!(paid["super_chat"], 82_000);
    assert_eq!(paid["guard"], 198_000 + 7 * 138_000);
    assert_eq!(paid["gift"], 2 * 1000 + 5200 + 13 * 15_000 + 9900);
}

#[tokio::test]
async fn a_lively_hour_in_which_everybody_is_cut_again_and_again_adds_up() {
    let simulator = Simulator::start(6, 8.0).await;
    let rooms = simulator.rooms(6).await;
    let monitor = simulator.watched(&rooms).start().await;
    simulator.wait_for_connections(6).await;
    for wave in 1..=3u64 {
        eventually("enough was told", async || {
            let truth = simulator.ask("truth").await["rooms"].take();
            let sum = |name: &str| -> u64 {
                let rooms = truth.as_object().into_iter().flatten();
                rooms.filter_map(|(_, truth)| truth[name].as_u64()).sum()
            };
            let enough = sum("danmaku") > 150 * wave && sum("gifts") > 5 * wave && sum("super_chats") >= wave;
            if enough { Ok(()) } else { Err(truth.to_string()) }
        })
        .await;
        simulator.tell("cut", json!({})).await;
        simulator.wait_for_connections(6).await;
    }
    // From here on nobody is told anything, so the books stand still.
    simulator.tell("faults", json!({"mute": true})).await;
    totals_agree(&simulator, &monitor, &rooms).await;
}
