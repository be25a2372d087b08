//! A room with a past: its broadcasts are listed, and the one that runs is compared with them, on its page and in its
//! charts.

use serde_json::json;

use crate::support::{
    browser::Browser,
    eventually,
    fake::{FakeBilibili, Room, unix_ms},
    monitor::Setup,
    packet::Packing,
    past, same,
    story::Story,
};

#[tokio::test]
async fn a_broadcast_is_compared_with_those_before_it_on_the_rooms_page_and_in_its_charts() {
    let mut room = Room::new(92_008_501, Packing::Brotli);
    let begun_ms = (unix_ms() / 60_000 - 40) * 60_000;
    room.live_time = begun_ms / 1000;
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let browser = Browser::open(monitor.url()).await;
    let page = format!("/live/room/{}/?lang=en", room.room_id);
    browser.goto(&page).await;
    let text = browser.text().await;
    assert!(text.contains("No comparison yet") && text.contains("there are 0"), "{text}");

    past::write(&monitor.setup().database(), room.room_id);
    let story = Story::chat(&room, 200);
    fake.send(room.room_id, &story.messages);
    eventually("what is said now is stored", async || {
        let now = format!("live_data_danmakudata WHERE received_ms > {begun_ms}");
        same(monitor.rows("id", &now).len(), 200)
    })
    .await;
    browser.goto(&page).await;
    let rows = "[...document.querySelectorAll('table.stacked tbody tr')].map(row => [...row.cells].map(cell => cell.textContent.trim()))";
    let rows = browser.eval(rows).await;
    let rows = rows.as_array().expect("rows");
    assert_eq!(rows.len() as i64, 1 + past::EVENINGS, "{rows:?}");
    for (evening, row) in rows.iter().enumerate().skip(1) {
        let danmaku = (past::lines(evening as i64) * past::LENGTH).to_string();
        let paid = format!("¥{}.00", past::GOLD * past::LENGTH / 1000);
        assert_eq!(
            (&row[1], &row[2], &row[3], &row[4], &row[7]),
            (&json!("3 h"), &json!(danmaku), &json!(past::PEOPLE.to_string()), &json!(paid), &json!("100%")),
            "{row}"
        );
    }
    // After forty minutes, or one more if that passed meanwhile; 2, 1, 4, 3, 2 and 1 lines each.
    let beside = "[...document.querySelectorAll('.beside .delta')].map(delta => [delta.textContent[0], delta.nextElementSibling.textContent])";
    let beside = browser.eval(beside).await;
    let usual = |minutes: i64| {
        let paid = format!("usually ¥{}.{}0", past::GOLD * minutes / 1000, past::GOLD * minutes / 100 % 10);
        let (lines, people) = (format!("usually {}", minutes * 2), format!("usually {}", past::PEOPLE));
        json!([["▲", lines], ["▲", people], ["▼", paid], ["▲", "usually 2"]])
    };
    assert!(beside == usual(40) || beside == usual(41), "lines, people, paid, peak: {beside}");

    browser.goto(&format!("/live/charts/?room={}&span=2h&lang=en", room.room_id)).await;
    browser.wait("the chart is drawn", "!!window.Chart && !!Chart.getChart('chart-lines')").await;
    let band = "Chart.getChart('chart-lines').data.datasets.slice(-3).map(d => [d.label, d.data.map(p => p.y).filter(y => y !== null).sort()[0]])";
    assert_eq!(browser.eval(band).await, json!([["Usual", 2], ["", 1], ["", 3]]));
    let table = "[...document.querySelectorAll('main > .table-view tbody tr')].some(row => row.cells[2].textContent === '2 (1–3)')";
    assert_eq!(browser.eval(table).await, true, "the table says the same");
    let cloud = "[...document.querySelectorAll('.cloud a')].map(a => a.textContent)";
    assert_eq!(browser.eval(cloud).await, json!([]), "numbers are no words");
    browser.goto(&format!("/live/charts/?room={}&span=7d&lang=en", room.room_id)).await;
    let words = browser.eval(cloud).await;
    let words: Vec<&str> = words.as_array().expect("words").iter().filter_map(|word| word.as_str()).collect();
    assert!(words.contains(&"主播今天唱什么") && words.contains(&"哈哈") && !words.contains(&"播今"), "{words:?}");
    browser.click(".cloud a").await;
    browser.wait("its lines are found", "document.querySelectorAll('mark').length > 0").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
