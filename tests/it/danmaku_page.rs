//! The danmaku browser in a real Chromium: few rows for many lines, a pause that counts, facets, marked hits.

use serde_json::json;

use crate::support::{
    browser::Browser,
    eventually,
    fake::{FakeBilibili, Room},
    monitor::{Monitor, Setup},
    packet::Packing,
    same,
    story::Story,
};

async fn watched(room: &Room) -> (FakeBilibili, Monitor) {
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    (fake, monitor)
}

async fn open(monitor: &Monitor, path: &str) -> Browser {
    let browser = Browser::open(monitor.url()).await;
    browser.goto(path).await;
    browser.wait("the page listens", "document.getElementById('push').dataset.push === 'live'").await;
    browser
}

#[tokio::test]
async fn of_thousands_of_lines_only_those_in_sight_are_drawn_and_all_can_be_reached() {
    let room = Room::new(92_007_101, Packing::Brotli);
    let (fake, monitor) = watched(&room).await;
    let browser = open(&monitor, "/live/danmaku/").await;
    let story = Story::chat(&room, 3000);
    for part in story.messages.chunks(250) {
        fake.send(room.room_id, part);
    }
    let count = "Number(document.getElementById('shown').textContent.replace(/[^0-9]/g, ''))";
    browser.wait("all lines are in the list", &format!("{count} === 3000")).await;
    let drawn = browser.eval("document.querySelectorAll('#stream > .ev').length").await;
    assert!(drawn.as_u64().is_some_and(|rows| rows > 5 && rows < 120), "{drawn} rows are drawn");
    assert_eq!(browser.eval("document.querySelector('#stream > .ev .ev-text').textContent").await, "#2999");
    browser.run("const stream = document.getElementById('stream'); stream.scrollTop = stream.scrollHeight;").await;
    let last = "[...document.querySelectorAll('#stream > .ev .ev-text')].some(text => text.textContent === '#0')";
    browser.wait("the oldest line is reached", last).await;

    // Who reads further down is not moved: what comes is counted, and one click brings it.
    fake.send(room.room_id, &Story::after(&Story::chat(&room, 3001)).with_lines(&["新来的"]));
    browser
        .wait("one new line is announced", "/1/.test(document.querySelector('#new-rows:not([hidden])')?.textContent)")
        .await;
    assert_eq!(browser.eval(last).await, true, "the oldest line stays in sight");
    browser.click("#new-rows").await;
    browser.wait("it is on top", "document.querySelector('#stream > .ev .ev-text').textContent === '新来的'").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_pause_holds_the_stream_facets_narrow_it_and_words_are_lit() {
    let room = Room::new(92_007_201, Packing::Plain);
    let (fake, monitor) = watched(&room).await;
    let browser = open(&monitor, "/live/danmaku/").await;
    browser.click("#pause").await;
    let story = Story::of(&room, 2);
    fake.send(room.room_id, &story.messages);
    browser.wait("what comes is counted", "!document.getElementById('new-rows').hidden").await;
    assert_eq!(browser.eval("document.querySelectorAll('#stream > .ev').length").await, 0, "nothing moves");
    browser.click("#pause").await;
    browser.wait("it goes on", "document.querySelectorAll('#stream > .ev').length > 0").await;

    let paid = story.outcome.gifts.iter().chain(&story.outcome.super_chats).chain(&story.outcome.guards);
    let dear = paid.filter(|row| row["paid_gold"].as_i64() >= Some(30_000)).count();
    let choose = |name: &str, value: &str| {
        format!(
            "const input = document.querySelector('#facets [name={name}]'); input.value = {}; input.dispatchEvent(new Event('input', {{bubbles: true}}));",
            json!(value)
        )
    };
    browser.run(&choose("price", "30")).await;
    let shown = format!("document.querySelectorAll('#stream > .ev').length === {dear}");
    browser.wait("only what cost 30 and more is shown", &shown).await;
    assert_eq!(
        browser.eval("new URL(location.href).searchParams.get('price')").await,
        "30",
        "it stands in the address"
    );
    browser.run(&choose("price", "0")).await;
    browser.run(&choose("words", "主播 晚上")).await;
    browser.wait("a word is lit", "!!document.querySelector('#stream > .is-lit mark')").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_search_in_the_history_marks_its_hits_and_says_how_many_there_are() {
    let room = Room::new(92_007_301, Packing::Plain);
    let (fake, monitor) = watched(&room).await;
    fake.send(room.room_id, &Story::chat(&room, 0).with_lines(&["今天吃火锅", "<b>火锅</b>底料", "别的"]));
    eventually("the lines are stored", async || same(monitor.rows("id", "live_data_danmakudata").len(), 3)).await;
    let browser = Browser::open(monitor.url()).await;
    browser.goto("/live/danmaku/?q=%E7%81%AB%E9%94%85&kind=danmaku").await;
    browser.wait("both hits are marked", "document.querySelectorAll('#stream mark').length === 2").await;
    let text = browser.text().await;
    assert!(text.contains("<b>火锅</b>底料"), "a line that looks like markup stays text: {text}");
    browser.wait("their number is said", "/2/.test(document.getElementById('shown').textContent)").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
