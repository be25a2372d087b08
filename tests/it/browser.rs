//! The pages in a real Chromium: alive without reload, usable by form, hostile text stays text.
//!
//! How every page looks in every form is walked through in `pages`.

use serde_json::json;

use crate::support::{
    browser::Browser,
    eventually,
    fake::{FakeBilibili, Room},
    monitor::{Monitor, Setup},
    packet::Packing,
    redis_server::free_port,
    same,
    story::Story,
};

async fn rooms_of(monitor: &Monitor, at_least: usize) -> Vec<u64> {
    eventually("the demo's rooms are live", async || {
        let rooms = monitor.data("/live/api/rooms/").await["rooms"].take();
        let rooms = rooms.as_array().cloned().unwrap_or_default();
        let live: Vec<u64> =
            rooms.iter().filter(|room| room["state"] == "live").filter_map(|room| room["room_id"].as_u64()).collect();
        if live.len() == rooms.len() && live.len() >= at_least { Ok(live) } else { Err(format!("{rooms:?}")) }
    })
    .await
}

async fn remove(browser: &Browser, room: u64) {
    browser.goto("/live/admin/").await;
    let form = format!("form[action='/live/admin/rooms/{room}/remove']");
    browser.click(&format!("li:has({form}) details.remove > summary")).await;
    browser.click(&format!("{form} button")).await;
    browser.wait("the room is off the list", &format!("!document.querySelector(\"{form}\")")).await;
}

#[tokio::test]
async fn in_the_demo_chat_arrives_by_push_and_a_room_is_added_by_form_seen_live_and_removed() {
    let monitor = Setup::new().with(&["--demo"]).start().await;
    let rooms = rooms_of(&monitor, 2).await;
    let browser = Browser::open(monitor.url()).await;

    // A chat line that was not there before stands on the same page.
    browser.goto("/live/").await;
    let know = "(window.blmKnown = new Set([...document.querySelectorAll('#feed [data-id]')].map(e => e.dataset.id))).size >= 0";
    assert_eq!(browser.eval(know).await, true);
    let new = "!!window.blmKnown && [...document.querySelectorAll('#feed .ev-danmaku')].some(e => !window.blmKnown.has(e.dataset.id))";
    browser.wait("a new chat line shows without reload", new).await;

    // Signed in, a room is taken away and added again by form.
    browser.sign_in().await;
    let room = rooms[rooms.len() - 1];
    remove(&browser, room).await;
    browser.goto("/live/").await;
    let card = format!("#rooms [data-room='{room}']");
    browser.wait("the room is off the dashboard", &format!("!document.querySelector(\"{card}\")")).await;
    browser.goto("/live/admin/").await;
    browser.type_into("input[name=room]", &format!("https://live.bilibili.com/{room}")).await;
    browser.click("form[action^='/live/admin/rooms/preview'] button").await;
    browser.wait("the room is found", "!!document.querySelector(\"form[action='/live/admin/rooms/add']\")").await;
    browser.click("form[action='/live/admin/rooms/add'] button").await;
    let on_list = format!("!!document.querySelector(\"form[action='/live/admin/rooms/{room}/remove']\")");
    browser.wait("the room is on the list", &on_list).await;
    browser.goto("/live/").await;
    browser
        .wait("the room is live on the dashboard", &format!("!!document.querySelector(\"{card} .pill-live\")"))
        .await;

    remove(&browser, room).await;
    browser.goto("/live/").await;
    browser.wait("the room is gone again", &format!("!document.querySelector(\"{card}\")")).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new(), "the console is clean");
}

#[tokio::test]
async fn what_is_sent_upstream_shows_on_open_pages_as_text_and_without_reload() {
    let mut room = Room::new(92_005_101, Packing::Brotli);
    room.uname = "<i>斜体主播</i>".into();
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let browser = Browser::open(monitor.url()).await;
    let mut sent = 0;
    let mut story = Story::chat(&room, 0);
    for path in ["/live/", "/live/danmaku/", &format!("/live/room/{}/", room.room_id)] {
        browser.goto(path).await;
        browser.eval("(window.blmSame = true)").await;
        // The page's own connection must be there before anything is sent that it should show.
        eventually("the page listens", async || {
            let actors = monitor.data("/live/api/health/").await["actors"].take();
            let listens = actors.as_array().is_some_and(|actors| actors.iter().any(|actor| actor["kind"] == "session"));
            if listens { Ok(()) } else { Err(actors.to_string()) }
        })
        .await;
        sent += 1;
        let text = format!("<img src=x onerror=\"window.blmHurt=1\"> 第{sent}句 &amp; <b>粗</b>");
        story.messages.clear();
        story.danmaku(&text, "DANMU_MSG", false, 0);
        fake.send(room.room_id, &story.messages);
        let shown = format!("window.blmSame === true && document.body.innerText.includes({})", json!(text));
        browser.wait(&format!("the line shows on {path} as it was typed"), &shown).await;
        // The same line as the server draws it, once it is stored.
        eventually("the line is stored", async || {
            let rows = monitor.rows("id", "live_data_danmakudata").len();
            if rows == sent { Ok(()) } else { Err(rows.to_string()) }
        })
        .await;
        browser.goto(path).await;
        let drawn = format!("document.body.innerText.includes({})", json!(text));
        browser.wait(&format!("the line stands on {path} after a reload"), &drawn).await;
        assert_eq!(browser.eval("window.blmHurt === undefined").await, true, "{path}: a chat line became markup");
    }
    // The picture of the text was never asked for, so the console is clean.
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_card_counts_what_is_paid_in_the_broadcast_without_a_reload_and_the_server_draws_the_same() {
    let room = Room::new(92_005_401, Packing::Brotli);
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let browser = Browser::open(monitor.url()).await;
    browser.goto("/live/").await;
    browser.wait("the page listens", "document.getElementById('push').dataset.push === 'live'").await;
    browser.run("window.blmSame = true").await;
    let text = |name: &str| format!("document.querySelector('#rooms [data-f={name}]').textContent");
    browser.wait("nothing is paid yet", &format!("{} === '¥0.00'", text("income"))).await;

    let story = Story::of(&room, 2);
    fake.send(room.room_id, &story.messages);
    let gold = story.outcome.income_gold();
    let paid = format!("{}.replaceAll(',', '') === '¥{}'", text("income"), format_args!("{:.2}", gold as f64 / 1000.0));
    browser.wait("what is paid is counted", &format!("window.blmSame === true && {paid}")).await;
    browser.goto("/live/").await;
    browser.wait("the server draws the same", &format!("window.blmSame === undefined && {paid}")).await;
    let share = format!("/%$/.test({})", text("coverage"));
    browser.wait("the coverage of the broadcast stands there", &share).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_line_that_is_pushed_but_not_stored_yet_shows_on_a_page_that_is_opened_now() {
    let room = Room::new(92_005_201, Packing::Plain);
    let fake = FakeBilibili::start([room.clone()]);
    let setup = Setup::watching(&fake, &[room.room_id]).with(&["--sync-interval-ms", "600000"]);
    let monitor = setup.start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let listener = monitor.listen("").await;
    let browser = Browser::open(monitor.url()).await;
    fake.send(room.room_id, &Story::chat(&room, 3).messages);
    eventually("the lines are pushed", async || same(listener.texts().len(), 3)).await;
    for path in ["/live/", "/live/danmaku/", &format!("/live/room/{}/", room.room_id)] {
        browser.goto(path).await;
        let lines = "['#0', '#1', '#2'].every(line => document.body.innerText.includes(line))";
        browser.wait(&format!("the lines show on {path}"), lines).await;
    }
}

#[tokio::test]
async fn a_page_whose_program_is_killed_says_so_and_comes_back_by_itself_with_what_it_missed_announced() {
    let room = Room::new(92_005_301, Packing::Plain);
    let fake = FakeBilibili::start([room.clone()]);
    let setup = Setup::watching(&fake, &[room.room_id]).listen(&format!("127.0.0.1:{}", free_port()));
    let mut monitor = setup.start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let browser = Browser::open(monitor.url()).await;
    browser.goto("/live/").await;
    let push = |state: &str| format!("document.getElementById('push').dataset.push === '{state}'");
    browser.wait("the page listens", &push("live")).await;
    browser.run("window.blmSame = true").await;

    monitor.kill_9();
    browser
        .wait(
            "the page says that it is cut off, and when it tries again",
            &format!("{} && /\\d/.test(document.querySelector('.push-text').textContent)", push("lost")),
        )
        .await;
    let again = setup.start().await;
    browser.wait("it is back without a reload", &format!("{} && window.blmSame === true", push("live"))).await;
    // The ring of before is gone with its program: nobody knows what was missed, and the page says just that.
    browser.wait("the gap is announced", "!document.getElementById('notice').hidden").await;
    fake.wait_for(&[room.room_id], 2).await;
    fake.send(room.room_id, &Story::chat(&room, 1).messages);
    browser.wait("and what comes now shows", "document.querySelector('#feed .ev-text')?.textContent === '#0'").await;
    drop(again);
}
