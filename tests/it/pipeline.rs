//! From the stream's bytes to rows, figures and push: everything once, nothing twice, nothing wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room},
    monitor::{Monitor, Setup},
    packet::Packing,
    same,
    story::{DANMAKU, GIFTS, GUARDS, Outcome, SUPER_CHATS, Story, same_rows},
};

/// Rows of all rooms together.
fn together(stories: &[Story], part: fn(&Outcome) -> &Vec<Value>) -> Vec<Value> {
    stories.iter().flat_map(|story| part(&story.outcome).clone()).collect()
}

/// Waits until the history holds exactly what the stories say.
pub async fn history_is(monitor: &Monitor, stories: &[Story]) {
    eventually("the history holds what was sent", async || history_holds(monitor, stories)).await;
}

fn history_holds(monitor: &Monitor, stories: &[Story]) -> Result<(), String> {
    same_rows("danmaku", &monitor.rows(DANMAKU, "live_data_danmakudata"), &together(stories, |o| &o.danmaku))?;
    same_rows("gifts", &monitor.rows(GIFTS, "live_data_giftdata"), &together(stories, |o| &o.gifts))?;
    same_rows(
        "super chats",
        &monitor.rows(SUPER_CHATS, "live_data_superchat"),
        &together(stories, |o| &o.super_chats),
    )?;
    same_rows("guards", &monitor.rows(GUARDS, "live_data_guard"), &together(stories, |o| &o.guards))?;
    let interactions = monitor.rows("id", "live_data_interaction").len();
    same(interactions, stories.iter().map(|story| story.outcome.interactions).sum())
        .map_err(|why| format!("interactions: {why}"))
}

/// Waits until nothing is on the way and the books agree.
pub async fn books_balance(monitor: &Monitor) -> Value {
    eventually("the ledger is balanced with nothing pending", async || {
        let ledger = monitor.data("/live/api/ledger/").await;
        if ledger["balanced"] == true && ledger["total"]["pending"] == 0 { Ok(ledger) } else { Err(ledger.to_string()) }
    })
    .await
}

pub fn rooms_of_every_packing() -> Vec<Room> {
    vec![
        Room::new(92_000_101, Packing::Brotli).short(101),
        Room::new(92_000_102, Packing::Zlib),
        Room::new(92_000_103, Packing::Plain),
        Room::new(92_000_104, Packing::Brotli),
    ]
}

fn ids(rooms: &[Room]) -> Vec<u64> {
    rooms.iter().map(|room| room.room_id).collect()
}

#[tokio::test]
async fn everything_sent_over_brotli_zlib_and_plain_is_everywhere_exactly_once() {
    let rooms = rooms_of_every_packing();
    let fake = FakeBilibili::start(rooms.clone());
    let monitor = Setup::watching(&fake, &ids(&rooms)).start().await;
    everything_sent_is_everywhere(&fake, &monitor, &rooms).await;
}

/// Sends stories to all rooms, and finds all of them, each once, in SQLite, on the push, in the figures, on a page and
/// in the books.
pub async fn everything_sent_is_everywhere(fake: &FakeBilibili, monitor: &Monitor, rooms: &[Room]) {
    let listener = monitor.listen("?rooms=all").await;
    fake.wait_for(&ids(rooms), 1).await;

    // All rooms at once, in turns.
    let stories: Vec<Story> = rooms.iter().map(|room| Story::of(room, 12)).collect();
    let longest = stories.iter().map(|story| story.messages.len()).max().unwrap_or(0);
    for from in (0..longest).step_by(25) {
        for (room, story) in rooms.iter().zip(&stories) {
            let to = (from + 25).min(story.messages.len());
            if from < to {
                fake.send(room.room_id, &story.messages[from..to]);
            }
        }
    }

    // In SQLite.
    history_is(monitor, &stories).await;
    let beginnings = monitor.rows("room_id, live_key", "live_data_roomevent WHERE kind = 'live'");
    let wanted: Vec<Value> =
        rooms.iter().map(|room| json!({"room_id": room.room_id, "live_key": format!("{}77", room.room_id)})).collect();
    same_rows("beginnings of broadcasts", &beginnings, &wanted).expect("LIVE comes twice and begins once");

    // On the push, each once, the same ids as in the history.
    for (kind, table) in [
        ("danmaku", "live_data_danmakudata"),
        ("gift", "live_data_giftdata"),
        ("super_chat", "live_data_superchat"),
        ("guard", "live_data_guard"),
    ] {
        let stored: BTreeSet<String> = monitor
            .rows("event_id", table)
            .iter()
            .map(|row| row["event_id"].as_str().expect("an id").to_owned())
            .collect();
        eventually(&format!("the push brought every {kind}"), async || {
            let pushed = listener.ids(kind);
            if pushed == stored { Ok(()) } else { Err(format!("{} of {}", pushed.len(), stored.len())) }
        })
        .await;
    }
    assert!(listener.of_type("gap").is_empty(), "a browser that keeps up misses nothing");

    // In the figures.
    for (room, story) in rooms.iter().zip(&stories) {
        room_figures_are(monitor, room.room_id, &story.outcome).await;
    }
    system_figures_are(monitor, &stories).await;

    pages_say_the_same(monitor, &rooms[0], &stories[0].outcome).await;

    // In the books.
    let ledger = books_balance(monitor).await;
    let mut unknown: BTreeMap<String, u64> = BTreeMap::new();
    for (command, n) in stories.iter().flat_map(|story| &story.outcome.unknown) {
        *unknown.entry(command.clone()).or_default() += n;
    }
    assert_eq!(ledger["total"]["unknown_commands"], json!(unknown), "unknown commands are counted, and only they");
    assert_eq!(ledger["total"]["dropped"], json!({}), "nothing was dropped");
    assert_eq!(ledger["total"]["dead_letter"], 0);
    eventually("what other rooms said is counted on its own", async || {
        let ledger = monitor.data("/live/api/ledger/").await;
        rooms.iter().zip(&stories).try_for_each(|(room, story)| {
            same(&ledger["rooms"][room.room_id.to_string()]["mirrored"], &json!(story.outcome.mirrored))
        })
    })
    .await;
    assert_eq!(fake.violations(), Vec::<String>::new(), "the upstream was asked and entered as a browser does");
}

async fn room_figures_are(monitor: &Monitor, room: u64, outcome: &Outcome) {
    eventually("the room's figures are those of the history", async || {
        let stats = monitor.data(&format!("/live/api/room/{room}/stats/")).await["stats"].take();
        let got = ["total_danmaku", "total_gifts", "total_super_chats", "total_guards"].map(|name| stats[name].clone());
        let lengths = [&outcome.danmaku, &outcome.gifts, &outcome.super_chats, &outcome.guards].map(Vec::len);
        same(got, lengths.map(|n| json!(n)))?;
        same(&stats["income"]["total_gold"], &json!(outcome.income_gold()))
    })
    .await;
    eventually("the list of rooms says the same", async || {
        let entry = monitor.room(room).await.unwrap_or_default();
        let counts = ["danmaku", "gifts", "super_chats", "guards"].map(|name| entry["counts"][name].clone());
        let lengths = [&outcome.danmaku, &outcome.gifts, &outcome.super_chats, &outcome.guards].map(Vec::len);
        same(counts, lengths.map(|n| json!(n)))?;
        same(&entry["gauges"]["watched"], &json!(outcome.watched))
    })
    .await;
    for (path, wanted) in [
        ("danmaku", &outcome.danmaku),
        ("gifts", &outcome.gifts),
        ("superchats", &outcome.super_chats),
        ("guards", &outcome.guards),
    ] {
        let listed = pages(monitor, &format!("/live/api/room/{room}/{path}/"), path).await;
        assert_eq!(listed.len(), wanted.len(), "{path} of room {room}, page by page");
        let text = |row: &Value| format!("{} {} {}", row["uid"], row["username"], row["message"]);
        let (mut got, mut wanted): (Vec<_>, Vec<_>) =
            (listed.iter().map(text).collect(), wanted.iter().map(text).collect());
        got.sort();
        wanted.sort();
        assert_eq!(got, wanted, "{path} of room {room}");
    }
}

/// All pages of a list, with a page size that does not fit.
async fn pages(monitor: &Monitor, path: &str, name: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut query = "?limit=17".to_owned();
    loop {
        let mut data = monitor.data(&format!("{path}{query}")).await;
        let page = data[name].as_array().cloned().unwrap_or_else(|| panic!("{path} has no {name}: {data}"));
        assert_eq!(data["count"], page.len(), "{path}");
        all.extend(page);
        if data["has_more"] != true {
            return all;
        }
        let Value::String(cursor) = data["cursor"].take() else { panic!("{path} has more but no cursor") };
        query = format!("?limit=17&before={cursor}");
    }
}

/// The figures that the server draws on the room's page.
async fn pages_say_the_same(monitor: &Monitor, room: &Room, outcome: &Outcome) {
    let page = monitor.page(&format!("/live/room/{}/", room.room_id)).await;
    let gold = |amount: i64| format!("¥{}", yuan(amount));
    let [gifts, super_chats, guards] = outcome.paid();
    for wanted in [
        format!("data-f=\"danmaku\" title=\"{}\"", outcome.danmaku.len()),
        format!("data-f=\"income\">{}<", gold(outcome.income_gold())),
        format!("data-f=\"gift_gold\">{}<", gold(gifts)),
        format!("data-f=\"super_chat_gold\">{}<", gold(super_chats)),
        format!("data-f=\"guard_gold\">{}<", gold(guards)),
    ] {
        assert!(page.contains(&wanted), "the room's page does not say {wanted}");
    }
}

/// Gold as the pages write it: CNY, two decimals, thousands apart.
fn yuan(gold: i64) -> String {
    let digits = (gold / 1000).to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text}.{:02}", gold % 1000 / 10)
}

async fn system_figures_are(monitor: &Monitor, stories: &[Story]) {
    let stats = monitor.data("/live/api/system/stats/").await["stats"].take();
    let sum = |part: fn(&Outcome) -> usize| stories.iter().map(|story| part(&story.outcome)).sum::<usize>();
    assert_eq!(stats["total_danmaku"], sum(|o| o.danmaku.len()));
    assert_eq!(stats["total_gifts"], sum(|o| o.gifts.len()));
    assert_eq!(stats["total_super_chats"], sum(|o| o.super_chats.len()));
    assert_eq!(stats["total_guards"], sum(|o| o.guards.len()));
    let gold: i64 = stories.iter().map(|story| story.outcome.income_gold()).sum();
    assert_eq!(stats["income"]["total_gold"], gold);
}

#[tokio::test]
async fn what_the_upstream_repeats_after_a_reconnect_is_not_counted_twice() {
    let rooms = rooms_of_every_packing();
    let fake = FakeBilibili::start(rooms.clone());
    let monitor = Setup::watching(&fake, &ids(&rooms)).start().await;
    let listener = monitor.listen("").await;
    fake.wait_for(&ids(&rooms), 1).await;
    let first: Vec<Story> = rooms.iter().map(|room| Story::of(room, 6)).collect();
    for (room, story) in rooms.iter().zip(&first) {
        fake.send(room.room_id, &story.messages);
    }
    history_is(&monitor, &first).await;

    // Cut without a word. After the reconnect everything comes again, and then what is new.
    for room in &rooms {
        fake.drop_connections(room.room_id);
    }
    fake.wait_for(&ids(&rooms), 2).await;
    let mut told = Vec::new();
    for (room, story) in rooms.iter().zip(&first) {
        let mut more = Story::after(story);
        for round in 0..2 {
            more.round(round);
        }
        fake.send(room.room_id, &story.repeats);
        fake.send(room.room_id, &more.messages);
        let mut both = story.clone();
        both.outcome.danmaku.extend(more.outcome.danmaku);
        both.outcome.gifts.extend(more.outcome.gifts);
        both.outcome.super_chats.extend(more.outcome.super_chats);
        both.outcome.guards.extend(more.outcome.guards);
        both.outcome.interactions += more.outcome.interactions;
        told.push(both);
    }

    history_is(&monitor, &told).await;
    let ledger = books_balance(&monitor).await;
    let repeats: usize = first.iter().map(|story| story.outcome.danmaku.len()).sum();
    let duplicates = ledger["total"]["duplicate"].as_u64().unwrap_or_default();
    assert!(duplicates >= repeats as u64, "repeats are counted as such: {ledger}");
    // Once more, now that nothing is on the way: the repeats are behind us, and nothing came of them.
    history_holds(&monitor, &told).expect("nothing twice");
    // `ids` fails if an event was pushed twice.
    eventually("the push brought every line once", async || {
        same(listener.ids("danmaku").len(), told.iter().map(|story| story.outcome.danmaku.len()).sum())
    })
    .await;
}

#[tokio::test]
async fn the_time_between_two_connections_is_on_record_as_a_gap() {
    let room = Room::new(92_000_301, Packing::Plain);
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    monitor.wait_for_state(room.room_id, "live").await;
    fake.drop_connections(room.room_id);
    fake.wait_for(&[room.room_id], 2).await;
    eventually("a closed gap is listed", async || {
        let gaps = monitor.data(&format!("/live/api/room/{}/gaps/", room.room_id)).await["gaps"].take();
        let closed = |gap: &Value| {
            gap["to_ms"].as_i64() >= gap["from_ms"].as_i64() && gap["to_ms"].is_i64() && gap["reason"].is_string()
        };
        if gaps.as_array().is_some_and(|gaps| gaps.iter().any(closed)) { Ok(()) } else { Err(gaps.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn what_a_room_says_of_itself_shows_in_the_list_of_rooms() {
    let room = Room::new(92_000_201, Packing::Plain);
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    monitor.wait_for_state(room.room_id, "live").await;
    eventually("the connection is kept alive", async || same(fake.heartbeats(room.room_id) > 0, true)).await;
    let entry = monitor.room(room.room_id).await.unwrap_or_default();
    assert_eq!((&entry["title"], &entry["uname"]), (&json!(room.title), &json!(room.uname)));
    assert_eq!((&entry["status"], &entry["uid"]), (&json!(1), &json!(room.uid)));

    fake.send(
        room.room_id,
        &[json!({"cmd": "ROOM_CHANGE", "data": {"title": "改标题啦", "area_id": 145, "area_name": "视频聊天",
            "parent_area_id": 1, "parent_area_name": "娱乐", "live_key": "0", "sub_session_key": ""}})],
    );
    eventually("the new title shows", async || {
        let entry = monitor.room(room.room_id).await.unwrap_or_default();
        same((&entry["title"], &entry["area_name"]), (&json!("改标题啦"), &json!("视频聊天")))
    })
    .await;

    fake.send(
        room.room_id,
        &[json!({"cmd": "PREPARING", "roomid": room.room_id.to_string(), "msg_id": "1:1000:1000", "p_is_ack": true})],
    );
    eventually("the end of the broadcast shows", async || {
        same(&monitor.room(room.room_id).await.unwrap_or_default()["status"], &json!(0))
    })
    .await;
}
