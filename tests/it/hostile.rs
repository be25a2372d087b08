//! Texts of strangers in a real browser: in every field of the upstream, on every page, drawn and pushed.

use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    eventually,
    fake::{FakeBilibili, Room},
    monitor::Setup,
    packet::Packing,
    same,
    story::Story,
};

const ROOM: u64 = 92_006_501;

/// Markup, quotes, a template, a formula; text that runs backwards and never stops; nothing that can be seen.
const EVIL: &str = "=HYPERLINK(1)\"'><img src=x onerror=\"window.blmHurt=1\"><script>window.blmHurt=2</script>{{ 70001*70003 }}=1+1\u{202e}\u{2066}\u{200b}\u{feff}";

/// What of a table a spreadsheet would run; a negative number is none of it.
fn formulas(table: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(table.as_bytes());
    let rows = reader.records().map(|row| row.expect("a row"));
    let cells: Vec<String> = rows.flat_map(|row| row.iter().map(str::to_owned).collect::<Vec<_>>()).collect();
    let runs = |cell: &String| {
        cell.starts_with(['=', '+', '-', '@', '\t', '＝', '＋', '－', '＠']) && cell.parse::<f64>().is_err()
    };
    cells.into_iter().filter(runs).map(|cell| cell.chars().take(60).collect()).collect()
}

/// `EVIL`, and ten kilobytes in one word.
fn evil() -> String {
    format!("{EVIL}{}", "長".repeat(3400))
}

/// Puts it wherever the upstream lets people write: names, texts, badges, gifts.
fn poison(value: &mut Value) {
    const WRITTEN: [&str; 14] = [
        "uname",
        "username",
        "name",
        "message",
        "giftName",
        "gift_name",
        "original_gift_name",
        "medal_name",
        "title",
        "area_name",
        "content",
        "toast_msg",
        "unit",
        "reply_uname",
    ];
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if WRITTEN.contains(&name.as_str()) && field.is_string() {
                    *field = json!(evil());
                } else {
                    poison(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(poison),
        _ => {}
    }
}

/// A chat line holds its text, its author and its badge by place.
fn poisoned(messages: &[Value]) -> Vec<Value> {
    let mut messages = messages.to_vec();
    for message in &mut messages {
        poison(message);
        if message["cmd"].as_str().is_some_and(|cmd| cmd.starts_with("DANMU_MSG")) && message["info"].is_array() {
            message["info"][1] = json!(evil());
            message["info"][2][1] = json!(evil());
            message["info"][3] = json!([21, evil(), evil(), 76, 0, "", 0, 0, 0, 0, 0, 1, 7]);
        }
    }
    messages
}

#[tokio::test]
async fn what_strangers_write_stays_text_on_every_page_and_in_the_overlay() {
    let mut room = Room::new(ROOM, Packing::Plain);
    (room.uname, room.title, room.area_name) = (evil(), evil(), evil());
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[ROOM]).start().await;
    fake.wait_for(&[ROOM], 1).await;
    let mut story = Story::of(&room, 1);
    fake.send(ROOM, &poisoned(&story.messages));
    eventually("the evening is stored", async || {
        same(monitor.rows("id", "live_data_superchat").len(), story.outcome.super_chats.len())?;
        same(monitor.rows("id", "live_data_danmakudata").len(), story.outcome.danmaku.len())
    })
    .await;
    let copy = async |format: &str| {
        let path = format!("{}/live/api/room/{ROOM}/export/?format={format}", monitor.url());
        reqwest::get(path).await.expect("an answer").text().await.expect("text")
    };
    let table = copy("csv").await;
    assert!(table.matches("'=HYPERLINK").count() > story.outcome.danmaku.len(), "the poison is in the table");
    assert_eq!(formulas(&table), Vec::<String>::new());
    let document = copy("xml").await;
    assert!(document.contains("&lt;img") && !document.contains("<img") && !document.contains("<script"));

    let browser = Browser::open(monitor.url()).await;
    browser.sign_in().await;
    let pages = [
        "/live/".to_owned(),
        "/live/danmaku/".into(),
        "/live/danmaku/?q=onerror".into(),
        "/live/charts/".into(),
        format!("/live/room/{ROOM}/"),
        format!("/live/overlay/{ROOM}/?speed=0"),
        "/live/debug/".into(),
        "/live/admin/".into(),
    ];
    for path in &pages {
        browser.goto(path).await;
        let streams = !["admin", "debug", "charts", "?q="].iter().any(|quiet| path.contains(quiet));
        if streams {
            let greeted =
                "document.querySelector('#push')?.dataset.push === 'live' || !!document.getElementById('overlay')";
            browser.wait(&format!("{path} is connected"), greeted).await;
            // Lists keep their length; which lines stand in them changes.
            let lines = "[...document.querySelectorAll('.ev')].map(line => line.dataset.id).join()";
            let before = browser.eval(lines).await;
            // The page may be greeted a moment before it listens: until a line shows, another is told.
            eventually(&format!("{path} shows what is pushed"), async || {
                story.messages.clear();
                story.round(0);
                fake.send(ROOM, &poisoned(&story.messages));
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                let now = browser.eval(lines).await;
                if now != before { Ok(()) } else { Err(now.to_string()) }
            })
            .await;
        }
        let hurt = "window.blmHurt !== undefined || !!document.querySelector('img[src=x], [onerror], script:not([src]):not([type=\"application/json\"])')";
        assert_eq!(browser.eval(hurt).await, false, "{path}: text became markup");
        assert_eq!(
            browser.eval("document.body.innerText.includes('4900280003')").await,
            false,
            "{path}: a template ran"
        );
        let wide = browser.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        assert!(wide.as_i64().unwrap_or(999) <= 0, "{path} is {wide} px too wide");
        let loose = "[...document.querySelectorAll('.ev-who, .ev-text, .room-title, .hero h1')].filter(e => getComputedStyle(e).unicodeBidi !== 'isolate').length";
        assert_eq!(browser.eval(loose).await, 0, "{path}: text that runs backwards turns its surroundings round");
        let newest = "(last => !last || last.getBoundingClientRect().bottom <= innerHeight)(document.querySelector('#overlay > :last-child'))";
        assert_eq!(browser.eval(newest).await, true, "{path}: long lines push the newest out of the picture");
        let name = path.trim_matches('/').replace(['/', '?', '='], "-");
        browser.picture(&format!("hostile-{name}")).await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
