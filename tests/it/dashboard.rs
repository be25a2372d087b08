//! The dashboard in a real Chromium: which rooms it shows, and that its figures follow by push.

use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    fake::{FakeBilibili, Room},
    monitor::Setup,
    packet::Packing,
    story::Story,
};

/// What stands on the wall: headings, and the rooms that are shown, in order.
const SHOWN: &str = "[...document.querySelectorAll('#rooms > :not([hidden])')].map(e => e.dataset.room ? Number(e.dataset.room) : e.textContent.trim())";

fn rooms() -> [Room; 3] {
    let names = ["乙乙", "Alpha", "丙丙"];
    [(92_008_601, 0), (92_008_602, 1), (92_008_603, 1)].map(|(number, live_status)| {
        let mut room = Room::new(number, Packing::Plain);
        room.live_status = live_status;
        room.uname = names[(number - 92_008_601) as usize].to_owned();
        room
    })
}

#[tokio::test]
async fn rooms_are_chosen_and_grouped_in_place_and_the_address_brings_the_same_without_scripts() {
    let rooms = rooms();
    let numbers = rooms.each_ref().map(|room| room.room_id);
    let [off, alpha, third] = numbers;
    let fake = FakeBilibili::start(rooms);
    let monitor = Setup::watching(&fake, &numbers).start().await;
    fake.wait_for(&[alpha, third], 1).await;
    let browser = Browser::open(monitor.url()).await;
    browser.goto("/live/?lang=en").await;
    browser.wait("the page listens", "document.getElementById('push').dataset.push === 'live'").await;
    let all = "['.pill-live'].every(pill => document.querySelectorAll('#rooms ' + pill).length === 3)";
    browser.wait("all rooms are received", all).await;
    assert_eq!(browser.eval(SHOWN).await, json!([alpha, third, off]));

    let choose = |name: &str, value: &str| {
        format!(
            "const field = document.getElementById('choice').elements['{name}']; field.value = '{value}'; field.dispatchEvent(new Event('input', {{ bubbles: true }}));"
        )
    };
    browser.run(&choose("group", "state")).await;
    browser.run(&choose("sort", "name")).await;
    let grouped = json!(["On air 2", alpha, third, "Off air 1", off]);
    assert_eq!(browser.eval(SHOWN).await, grouped);
    browser.run(&choose("find", "alph")).await;
    assert_eq!(browser.eval(SHOWN).await, json!(["On air 1", alpha]));
    assert_eq!(browser.eval("document.getElementById('shown').textContent").await, "1 / 3");
    browser.run(&choose("show", "off")).await;
    assert_eq!(browser.eval(SHOWN).await, json!([]));
    assert_eq!(browser.eval("document.getElementById('none-chosen').hidden").await, false);
    let address = browser.eval("location.pathname + location.search").await;
    assert_eq!(address, "/live/?lang=en&group=state&sort=name&find=alph&show=off");

    // The other language is offered for what is chosen by now.
    browser.click("[data-lang]").await;
    let translated = "document.documentElement.lang.startsWith('zh') && location.search === '?lang=zh-CN&group=state&sort=name&find=alph&show=off'";
    browser.wait("the same choice stands there in Chinese", translated).await;

    // The same address, drawn by the server alone.
    let drawn = async |query: &str| -> Value {
        let page = reqwest::get(format!("{}/live/?lang=en&{query}", monitor.url())).await.expect("a page");
        let page = json!(page.text().await.expect("text"));
        browser.run(&format!("window.blmDrawn = new DOMParser().parseFromString({page}, 'text/html')")).await;
        browser.eval(&SHOWN.replace("document.", "window.blmDrawn.")).await
    };
    assert_eq!(drawn("show=off&find=alph&group=state&sort=name").await, json!([]));
    assert_eq!(drawn("group=state&sort=name").await, grouped);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_room_that_goes_off_air_moves_among_those_that_are_and_no_other_card_does() {
    let mut rooms = rooms();
    rooms[0].live_status = 1;
    let numbers = rooms.each_ref().map(|room| room.room_id);
    let [first, alpha, third] = numbers;
    let fake = FakeBilibili::start(rooms);
    let monitor = Setup::watching(&fake, &numbers).start().await;
    fake.wait_for(&numbers, 1).await;
    let browser = Browser::open(monitor.url()).await;
    browser.goto("/live/?lang=en&group=state&sort=name").await;
    browser.wait("the page listens", "document.getElementById('push').dataset.push === 'live'").await;
    let shows = |expected: Value| format!("JSON.stringify({SHOWN}) === JSON.stringify({expected})");
    browser.wait("all are on air", &shows(json!(["On air 3", alpha, third, first]))).await;
    let watch = "window.blmMoved = []; new MutationObserver((changes) => { for (const change of changes) for (const node of change.addedNodes) if (node.dataset.room) window.blmMoved.push(Number(node.dataset.room)); }).observe(document.getElementById('rooms'), { childList: true })";
    browser.run(watch).await;
    for (room, shown) in [
        (alpha, json!(["On air 2", third, first, "Off air 1", alpha])),
        (first, json!(["On air 1", third, "Off air 2", alpha, first])),
    ] {
        fake.send(room, &[json!({"cmd": "PREPARING", "roomid": room.to_string()})]);
        browser.wait("the room stands among those off air", &shows(shown)).await;
    }
    assert_eq!(browser.eval("window.blmMoved").await, json!([alpha, first]));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn people_and_rooms_on_air_follow_by_push() {
    let [_, _, room] = rooms();
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let browser = Browser::open(monitor.url()).await;
    browser.goto("/live/?lang=en").await;
    browser.wait("the page listens", "document.getElementById('push').dataset.push === 'live'").await;
    browser.run("window.blmSame = true").await;
    let reads = |tile: &str, card: &str| {
        format!("window.blmSame === true && document.querySelector('[data-tile={tile}]').textContent === '{card}'")
    };
    let card =
        |name: &str, text: &str| format!("document.querySelector('#rooms [data-f={name}]').textContent === '{text}'");
    browser.wait("nobody is there", &format!("{} && {}", reads("people", "0"), card("people", "0"))).await;

    // Chat of now by twelve people.
    let lines: Vec<String> = (1..=12).map(|n| format!("第{n}句")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    fake.send(room.room_id, &Story::empty(&room).with_clock_now().with_lines(&lines));
    let twelve = format!("{} && {}", reads("people", "12"), card("people", "12"));
    browser.wait("twelve people are counted without a reload", &twelve).await;
    browser.wait("their lines are counted", &format!("{} && {}", reads("per_minute", "12"), card("rate", "12"))).await;

    assert_eq!(browser.eval(&reads("live", "1")).await, true);
    fake.send(room.room_id, &[json!({"cmd": "PREPARING", "roomid": room.room_id.to_string()})]);
    let off = "document.querySelector('#rooms [data-status]').textContent === 'Off air'";
    browser.wait("the broadcast is over without a reload", &format!("{} && {off}", reads("live", "0"))).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
