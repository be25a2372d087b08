//! A site in public mode: whoever is not signed in learns neither what was paid nor who wrote.

use serde_json::{Value, json};

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room, unix_ms},
    monitor::{Monitor, Setup, TOKEN},
    packet::Packing,
    past, same,
    story::Story,
};

const ROOM: u64 = 92_006_201;

/// Fields that must not come near the public, whatever they are called nearby.
const TELLING: [&str; 12] = [
    "\"income\"",
    "_gold\"",
    "\"price\"",
    "\"total_price\"",
    "\"gift_name\"",
    "\"medal_name\"",
    "\"guard_level\"",
    "\"gifts\"",
    "\"super_chats\"",
    "\"reply_to\"",
    "\"kind\":\"gift\"",
    "\"kind\":\"enter\"",
];

async fn public(fake: &FakeBilibili) -> Monitor {
    let monitor = Setup::watching(fake, &[ROOM]).with(&["--public"]).start().await;
    fake.wait_for(&[ROOM], 1).await;
    monitor
}

#[tokio::test]
async fn in_public_mode_neither_money_nor_viewers_are_seen_without_signing_in() {
    let mut room = Room::new(ROOM, Packing::Brotli);
    // After the evenings of its past.
    room.live_time = unix_ms() / 1000 - 2400;
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = public(&fake).await;
    let room_page = format!("/live/room/{ROOM}/");
    let week = format!("/live/charts/?room={ROOM}&span=7d");
    past::write(&monitor.setup().database(), ROOM);
    let page = monitor.page(&room_page).await;
    let (_, broadcasts) = page.split_once("<table class=\"table table-sm figures stacked\">").expect("a list");
    let (broadcasts, _) = broadcasts.split_once("</table>").expect("its end");
    assert_eq!(broadcasts.matches("<tr><th scope=\"row\"").count() as i64, past::EVENINGS + 1, "{broadcasts}");
    let page = monitor.page(&week).await;
    let (_, cloud) = page.split_once("<ol class=\"cloud\">").expect("a cloud");
    let (cloud, _) = cloud.split_once("</ol>").expect("its end");
    assert!(cloud.contains("主播今天唱什么") && !cloud.contains("href"), "phrases, and no way to their lines: {cloud}");

    let listener = monitor.listen("").await;
    let story = Story::of(&room, 3);
    fake.send(ROOM, &story.messages);
    eventually("the evening is stored", async || {
        same(monitor.rows("id", "live_data_superchat").len(), story.outcome.super_chats.len())?;
        let now = format!("live_data_danmakudata WHERE username NOT LIKE '{}%'", past::NAMED);
        same(monitor.rows("id", &now).len(), story.outcome.danmaku.len())
    })
    .await;
    eventually("the chat is pushed", async || same(listener.texts().len(), story.outcome.danmaku.len())).await;

    let people: Vec<String> =
        story.outcome.danmaku.iter().filter_map(|line| line["username"].as_str().map(str::to_owned)).collect();
    assert!(people.len() > 10);
    let tells = |text: &str| -> Vec<String> {
        let fields = TELLING.iter().filter(|field| text.contains(**field)).map(|field| (*field).to_owned());
        let people = people.iter().map(String::as_str).chain([past::NAMED]);
        fields.chain(people.filter(|name| text.contains(name)).map(str::to_owned)).collect()
    };
    for path in ["/live/", "/live/danmaku/", "/live/charts/", &week, &room_page, "/live/debug/", "/live/admin/"] {
        let page = monitor.page(path).await;
        // The words of the scripts stand in every page; they are not data.
        let (before, rest) = page.split_once("id=\"words\">").expect("the words");
        let page = format!("{before}{}", rest.split_once("</script>").expect("their end").1);
        assert_eq!(tells(&page), [""; 0], "{path}");
        assert!(!page.contains('¥'), "{path} shows money");
    }
    for frame in listener.frames() {
        assert_eq!(tells(&frame.to_string()), [""; 0], "pushed: {frame}");
    }
    let event = listener.events().remove(0);
    assert_eq!((&event["uid"], &event["username"], &event["masked"]), (&json!(0), &json!(""), &json!(true)));

    let api = format!("/live/api/room/{ROOM}");
    for path in [
        "/live/api/rooms/".to_owned(),
        "/live/api/system/stats/".into(),
        "/live/api/danmaku-browser/".into(),
        "/live/api/health/".into(),
        "/live/api/ledger/".into(),
        format!("{api}/stats/"),
        format!("{api}/danmaku/"),
        format!("{api}/trend/"),
        format!("{api}/gaps/"),
    ] {
        let (status, said) = monitor.fetch(&path).await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(tells(&said.to_string()), [""; 0], "{path}");
    }
    for path in [
        format!("{api}/gifts/"),
        format!("{api}/superchats/"),
        format!("{api}/guards/"),
        format!("{api}/danmaku/?uid=3000000001"),
        format!("{api}/danmaku/?q=x"),
        "/live/api/rooms/?sort=income".into(),
    ] {
        let (status, said) = monitor.fetch(&path).await;
        assert_eq!((status, &said["code"]), (403, &json!("hidden")), "{path}");
        let signed_in = reqwest::Client::new().get(format!("{}{path}", monitor.url())).bearer_auth(TOKEN);
        assert_eq!(signed_in.send().await.expect("an answer").status(), 200, "{path}");
    }
    let all = reqwest::Client::new().get(format!("{}{api}/stats/", monitor.url())).bearer_auth(TOKEN);
    let all: Value = all.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(all["data"]["stats"]["income"]["total_gold"], story.outcome.income_gold());
}
