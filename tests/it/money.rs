//! Known purchases, in every form in which they are told: what they come to, to the gold coin.

use serde_json::{Value, json};

use crate::{
    pipeline::books_balance,
    support::{
        eventually,
        fake::{FakeBilibili, Room},
        monitor::{Monitor, Setup},
        packet::Packing,
        same,
        till::{Form, Till},
    },
};

/// What every till comes to, whatever the form, by kind: how many, and gold.
fn wanted() -> Value {
    json!({
        // Tickets, the storm after its discount, three flowers, the same twice, both sorts of boxes, and the red
        // pocket. Nothing for silver and for what was in the bag.
        "gift_gold": 1000 + 80_000 + 300 + 2000 + 330_000 + 15_000 + 2000,
        "gifts": 14,
        // Paid here, but not to this streamer.
        "others_gold": 22_000,
        // At the list price, and of boxes what came out.
        "value_gold": 1000 + 100_000 + 300 + 2000 + 275_000 + 16_000 + 2000 + 22_000,
        "super_chats": 4, "super_chat_gold": 50_000 + 30_000 + 100_000 + 52_000,
        // One of the fifteen was told by the list price only; one was given; the card cost nothing.
        "guards": 15 + 1 + 1, "guard_gold": 14 * 138_000 + 198_000 + 138_000,
    })
}

/// The same from the rows.
fn stored(monitor: &Monitor, room: u64) -> Value {
    let one = |columns: &str, table: &str| {
        let mut rows = monitor.rows(columns, &format!("live_data_{table} WHERE room_id = {room}"));
        rows.pop().unwrap_or_default()
    };
    let gifts = one(
        "COUNT(*) AS n, COALESCE(SUM(paid_gold*(1-to_other)),0) AS gold, \
         COALESCE(SUM(paid_gold*to_other),0) AS others, COALESCE(SUM(value_gold),0) AS value",
        "giftdata",
    );
    let sums = "COUNT(*) AS n, COALESCE(SUM(paid_gold),0) AS gold";
    let (super_chats, guards) = (one(sums, "superchat"), one(sums, "guard"));
    json!({"gifts": gifts["n"], "gift_gold": gifts["gold"], "others_gold": gifts["others"], "value_gold": gifts["value"],
        "super_chats": super_chats["n"], "super_chat_gold": super_chats["gold"],
        "guards": guards["n"], "guard_gold": guards["gold"]})
}

/// Waits until the rows of every room come to what is wanted.
async fn rows_are_right(monitor: &Monitor, rooms: &[(Room, Form)]) {
    eventually("every room's rows come to what was paid", async || {
        for (room, form) in rooms {
            same(stored(monitor, room.room_id), wanted()).map_err(|why| format!("{form:?}: {why}"))?;
        }
        Ok(())
    })
    .await;
}

/// The sum of a field over a list.
fn sum_of(list: &Value, field: &str) -> i64 {
    list.as_array().into_iter().flatten().filter_map(|entry| entry[field].as_i64()).sum()
}

/// What the API says of a room, wherever it says it.
async fn answers_are_right(monitor: &Monitor, room: u64) {
    let wanted = wanted();
    let gold = |name: &str| wanted[name].as_i64().expect("is a number");
    let income = gold("gift_gold") + gold("super_chat_gold") + gold("guard_gold");
    eventually("the sums beside the rows say the same", async || {
        let stats = monitor.data(&format!("/live/api/room/{room}/stats/")).await["stats"].take();
        let entry = monitor.room(room).await.unwrap_or_default();
        for (counts, names) in [
            (&stats, ["total_gifts", "total_super_chats", "total_guards"]),
            (&entry["counts"], ["gifts", "super_chats", "guards"]),
        ] {
            let got = names.map(|name| counts[name].clone());
            same(got, ["gifts", "super_chats", "guards"].map(|name| wanted[name].clone()))?;
        }
        for told in [&stats["income"], &entry["income"]] {
            for name in ["gift_gold", "super_chat_gold", "guard_gold", "others_gold"] {
                same(&told[name], &wanted[name]).map_err(|why| format!("{name}: {why}"))?;
            }
            same(&told["total_gold"], &json!(income))?;
            same(&told["total"], &json!(income as f64 / 1000.0))?;
        }
        Ok(())
    })
    .await;
    let trend = monitor.data(&format!("/live/api/room/{room}/trend/?step=day")).await["points"].take();
    for name in ["gifts", "super_chats", "guards", "gift_gold", "super_chat_gold", "guard_gold", "others_gold"] {
        assert_eq!(sum_of(&trend, name), gold(name), "{name} over the days of room {room}");
    }
    let paid = async |path: &str, list: &str| {
        let rows = monitor.data(&format!("/live/api/room/{room}/{path}/?limit=1000")).await[list].take();
        sum_of(&rows, "paid_gold")
    };
    assert_eq!(paid("gifts", "gifts").await, gold("gift_gold") + gold("others_gold"));
    assert_eq!(paid("superchats", "superchats").await, gold("super_chat_gold"));
    assert_eq!(paid("guards", "guards").await, gold("guard_gold"));
}

#[tokio::test]
async fn money_is_right_to_the_coin_in_whatever_form_order_and_however_often_it_is_told() {
    let forms = [Form::Json, Form::Protobuf, Form::Both, Form::BothProtobufFirst, Form::Switching];
    let rooms: Vec<(Room, Form)> =
        (92_000_601..).zip(forms).map(|(id, form)| (Room::new(id, Packing::Brotli), form)).collect();
    let ids: Vec<u64> = rooms.iter().map(|(room, _)| room.room_id).collect();
    let fake = FakeBilibili::start(rooms.iter().map(|(room, _)| room.clone()));
    let monitor = Setup::watching(&fake, &ids).start().await;
    fake.wait_for(&ids, 1).await;
    for id in &ids {
        monitor.wait_for_state(*id, "live").await;
    }
    let tills: Vec<(u64, Till)> = rooms.iter().map(|(room, form)| (room.room_id, Till::of(room, *form))).collect();

    // Half of it, a cut in the middle of a purchase's messages, and then all of it from the beginning.
    for (id, till) in &tills {
        fake.send(*id, &till.messages[..till.messages.len() / 2]);
        fake.drop_connections(*id);
    }
    fake.wait_for(&ids, 2).await;
    for (id, till) in &tills {
        fake.send(*id, &till.messages);
    }
    rows_are_right(&monitor, &rooms).await;

    // All of it twice more, in another order.
    for (id, till) in &tills {
        let backwards: Vec<Value> = till.messages.iter().rev().cloned().collect();
        fake.send(*id, &till.messages);
        fake.send(*id, &backwards);
    }
    for (id, _) in &tills {
        fake.send(
            *id,
            &[json!({"cmd": "DANMU_MSG", "info": [[0, 1, 25, 16_777_215, 0, 7, 0, "0badcafe", 0, 0, 0, ""],
            "就这些", [78, "小狗", 0, 0, 0, 10_000, 1, ""], [], [5, 0, 0, ">50000"], ["", ""], 0, 0]})],
        );
    }
    eventually("what was sent last has come", async || {
        same(monitor.rows("id", "live_data_danmakudata").len(), tills.len())
    })
    .await;
    let books = books_balance(&monitor).await;
    assert_eq!((&books["total"]["dropped"], &books["total"]["dead_letter"]), (&json!({}), &json!(0)));
    rows_are_right(&monitor, &rooms).await;
    for id in &ids {
        answers_are_right(&monitor, *id).await;
    }
    assert_eq!(fake.violations(), Vec::<String>::new());
}
