//! The push: what it says, to whom, and that a reader who comes back misses nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room},
    monitor::{Monitor, Setup},
    packet::Packing,
    same,
    story::Story,
};

const A: u64 = 92_003_101;
const B: u64 = 92_003_102;

async fn two_rooms() -> (FakeBilibili, Monitor, [Room; 2]) {
    let rooms = [Room::new(A, Packing::Brotli), Room::new(B, Packing::Plain)];
    let fake = FakeBilibili::start(rooms.clone());
    let monitor = Setup::watching(&fake, &[A, B]).start().await;
    fake.wait_for(&[A, B], 1).await;
    monitor.wait_for_state(A, "live").await;
    monitor.wait_for_state(B, "live").await;
    (fake, monitor, rooms)
}

fn texts(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| format!("#{n}")).collect()
}

#[tokio::test]
async fn the_push_greets_with_the_rooms_and_brings_events_and_what_changed() {
    let (fake, monitor, rooms) = two_rooms().await;
    let listener = monitor.listen("?rooms=all").await;
    let hello = &listener.frames()[0];
    assert!(hello["cursor"].is_string() && hello["server_time"].as_i64() > Some(1_700_000_000_000), "{hello}");
    let mut greeted: Vec<u64> =
        hello["rooms"].as_array().into_iter().flatten().filter_map(|room| room["room_id"].as_u64()).collect();
    greeted.sort_unstable();
    assert_eq!(greeted, [A, B]);

    fake.send(A, &Story::chat(&rooms[0], 5).messages);
    eventually("the lines came by push", async || same(listener.texts(), texts(0, 5))).await;
    let event = listener.events().remove(0);
    for field in
        ["id", "kind", "room_id", "timestamp", "timestamp_ms", "received_ms", "uid", "username", "masked", "source"]
    {
        assert!(!event[field].is_null(), "an event lacks {field}: {event}");
    }
    assert_eq!((&event["room_id"], &event["source"]), (&json!(A), &json!("live")));
    eventually("a rooms frame brings the new count", async || {
        let frames = listener.of_type("rooms");
        let mut counts = frames.iter().flat_map(|frame| frame["rooms"].as_array().cloned().unwrap_or_default());
        let last = counts.rfind(|room| room["room_id"] == A).unwrap_or_default();
        same(&last["counts"]["danmaku"], &json!(5))?;
        same(&last["state"], &json!("live"))
    })
    .await;
}

#[tokio::test]
async fn a_listener_gets_only_the_rooms_and_kinds_it_asked_for() {
    let (fake, monitor, rooms) = two_rooms().await;
    let only_a = monitor.listen(&format!("?rooms={A}&kinds=danmaku")).await;
    let only_gifts = monitor.listen("?rooms=all&kinds=gift,super_chat").await;
    let mut changing = monitor.listen(&format!("?rooms={B}&kinds=guard")).await;
    changing.say(json!({"type": "subscribe", "rooms": [A], "kinds": ["danmaku"]})).await;
    eventually("the new subscription is greeted", async || same(changing.of_type("hello").len(), 2)).await;

    let stories = [Story::of(&rooms[0], 2), Story::of(&rooms[1], 2)];
    fake.send(A, &stories[0].messages);
    fake.send(B, &stories[1].messages);
    let lines = stories[0].outcome.danmaku.len();
    eventually("everything came", async || {
        same(only_a.texts().len(), lines)?;
        same(changing.texts().len(), lines)?;
        same(only_gifts.ids("gift").len(), stories.iter().map(|story| story.outcome.gifts.len()).sum())?;
        same(only_gifts.ids("super_chat").len(), stories.iter().map(|story| story.outcome.super_chats.len()).sum())
    })
    .await;
    assert!(only_a.events().iter().all(|event| event["room_id"] == A && event["kind"] == "danmaku"));
    assert!(changing.events().iter().all(|event| event["room_id"] == A && event["kind"] == "danmaku"));
    assert!(only_gifts.events().iter().all(|event| event["kind"] == "gift" || event["kind"] == "super_chat"));
    assert!(
        only_a.of_type("rooms").iter().all(|frame| {
            frame["rooms"].as_array().is_some_and(|rooms| rooms.iter().all(|room| room["room_id"] == A))
        })
    );
}

#[tokio::test]
async fn a_listener_that_comes_back_with_its_cursor_gets_exactly_what_it_missed() {
    let (fake, monitor, rooms) = two_rooms().await;
    let story = Story::chat(&rooms[0], 120);
    let query = format!("?rooms={A}&kinds=danmaku");
    let first = monitor.listen(&query).await;
    fake.send(A, &story.messages[..40]);
    eventually("the first lines came", async || same(first.texts(), texts(0, 40))).await;
    let cursor = first.cursor();
    drop(first);

    // Missed: 40 lines, and other rooms' lines that are none of its business.
    let witness = monitor.listen("?rooms=all").await;
    fake.send(A, &story.messages[40..80]);
    fake.send(B, &Story::chat(&rooms[1], 10).messages);
    eventually("the missed lines were pushed to others", async || same(witness.events().len(), 50)).await;
    let second = monitor.listen(&format!("{query}&after={cursor}")).await;
    fake.send(A, &story.messages[80..]);
    eventually("what was missed and what came then", async || same(second.texts(), texts(40, 120))).await;
    assert!(second.of_type("gap").is_empty());
}

#[tokio::test]
async fn a_listener_with_a_cursor_of_another_run_is_told_of_a_gap() {
    let (_fake, monitor, _) = two_rooms().await;
    let listener = monitor.listen("?rooms=all&after=no-such-cursor").await;
    eventually("the gap is told", async || same(listener.of_type("gap").len(), 1)).await;
}

/// Server-sent events as another program reads them.
struct Sse {
    response: reqwest::Response,
    unread: Vec<u8>,
}

impl Sse {
    async fn open(monitor: &Monitor, query: &str, last: Option<&str>) -> Sse {
        let mut request = reqwest::Client::new().get(format!("{}/live/api/events/{query}", monitor.url()));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.expect("the program answers");
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap_or_default().to_owned();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Sse { response, unread: Vec::new() }
    }

    /// The next message: its id and its data.
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
                let message: Vec<u8> = self.unread.drain(..end + 2).collect();
                let message = String::from_utf8(message).expect("UTF-8");
                let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if let Some(data) = field("data:") {
                    let id = field("id:").unwrap_or_default().to_owned();
                    return (id, serde_json::from_str(data).expect("JSON"));
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(60), self.response.chunk());
            let bytes = chunk.await.expect("something comes").expect("it is readable").expect("it goes on");
            self.unread.extend(bytes);
        }
    }

    /// Reads until `n` events came; their texts and the last id.
    async fn events(&mut self, n: usize) -> (Vec<String>, String) {
        let (mut texts, mut last) = (Vec::new(), String::new());
        while texts.len() < n {
            let (id, data) = self.next().await;
            let events = data["events"].as_array().cloned().unwrap_or_default();
            if !events.is_empty() {
                last = id;
            }
            texts.extend(events.iter().map(|event| event["message"].as_str().unwrap_or_default().to_owned()));
        }
        (texts, last)
    }
}

#[tokio::test]
async fn server_sent_events_resume_after_the_last_event_id() {
    let (fake, monitor, rooms) = two_rooms().await;
    let story = Story::chat(&rooms[0], 90);
    let query = format!("?rooms={A}&kinds=danmaku");
    let mut first = Sse::open(&monitor, &query, None).await;
    first.next().await;
    fake.send(A, &story.messages[..30]);
    let (got, last) = first.events(30).await;
    assert_eq!(got, texts(0, 30));
    drop(first);
    let witness = monitor.listen(&query).await;
    fake.send(A, &story.messages[30..60]);
    eventually("the missed lines were pushed to others", async || same(witness.texts(), texts(30, 60))).await;
    let mut second = Sse::open(&monitor, &query, Some(&last)).await;
    fake.send(A, &story.messages[60..]);
    assert_eq!(second.events(60).await.0, texts(30, 90));
}
