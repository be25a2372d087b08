//! The charts page in a real Chromium: the charts say what the tables say, move together, and count on by push.

use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    eventually,
    fake::{FakeBilibili, Room},
    monitor::{Monitor, Setup},
    packet::Packing,
    same,
    story::Story,
};

/// The room's evening is stored; what it was is in the story.
async fn watched_evening(room: &Room) -> (FakeBilibili, Monitor, Story) {
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let story = Story::of(room, 3);
    fake.send(room.room_id, &story.messages);
    let chat = story.outcome.danmaku.len();
    eventually("the evening is stored", async || {
        same(monitor.rows("id", "live_data_danmakudata").len(), chat)?;
        same(monitor.rows("id", "live_data_guard").len(), story.outcome.guards.len())
    })
    .await;
    (fake, monitor, story)
}

/// The sum of each line of a chart.
async fn sums(browser: &Browser, chart: &str) -> Vec<f64> {
    let sums = format!(
        "Chart.getChart('{chart}').data.datasets.map(d => d.data.reduce((sum, point) => sum + (point.y ?? 0), 0))"
    );
    let sums = browser.eval(&sums).await;
    sums.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

#[tokio::test]
async fn charts_say_what_the_tables_say_and_count_on_by_push() {
    let room = Room::new(92_006_101, Packing::Brotli);
    let (fake, monitor, story) = watched_evening(&room).await;
    let browser = Browser::open(monitor.url()).await;
    browser.goto(&format!("/live/charts/?room={}&span=30m", room.room_id)).await;
    browser.wait("the chart is drawn", "!!window.Chart && !!Chart.getChart('chart-lines')").await;
    let chat = story.outcome.danmaku.len() as f64;
    let lines = sums(&browser, "chart-lines").await;
    assert_eq!(lines[0], chat, "danmaku in {lines:?}");
    // The evening lies within a minute, or across the end of one; then somebody may be counted in both.
    let people: std::collections::BTreeSet<String> =
        story.outcome.danmaku.iter().chain(&story.outcome.gifts).map(|row| row["uid"].to_string()).collect();
    assert!(lines[1] >= 1.0 && lines[1] <= people.len() as f64 * 2.0, "people in {lines:?}");
    let paid = story.outcome.paid().map(|gold| gold as f64 / 1000.0);
    assert_eq!(sums(&browser, "chart-spending").await, paid);
    let table = "[...document.querySelectorAll('main > .table-view tbody tr')].reduce((n, row) => n + Number(row.cells[1].textContent.replace(',', '')), 0)";
    assert_eq!(browser.eval(table).await, json!(story.outcome.danmaku.len()), "the table has the same lines");
    let ranked = browser.eval("document.querySelector('.rank-table tbody td .num').title").await;
    assert_eq!(ranked, json!(story.outcome.danmaku.len().to_string()), "and the ranking");
    let week = "[...document.querySelectorAll('.heat td[title]')].some(cell => Number(cell.title) > 0)";
    assert_eq!(browser.eval(week).await, true, "an hour of the week has chat");

    // What happens now joins by push.
    let live = "document.getElementById('push').dataset.push === 'live'";
    browser.wait("the page listens", live).await;
    let mut more = Story::after(&story).with_clock_now();
    more.round(1);
    fake.send(room.room_id, &more.messages);
    let [before, now] = [&story, &more].map(|story| story.outcome.paid());
    let wanted: Vec<f64> = before.iter().zip(now).map(|(before, now)| (before + now) as f64 / 1000.0).collect();
    eventually("what was paid now stands in the chart", async || {
        same(sums(&browser, "chart-spending").await, wanted.clone())
    })
    .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn charts_of_a_page_share_one_zoom_and_one_crosshair() {
    let room = Room::new(92_006_201, Packing::Plain);
    let (_fake, monitor, _) = watched_evening(&room).await;
    let browser = Browser::open(monitor.url()).await;
    browser.goto(&format!("/live/charts/?room={}&span=30m", room.room_id)).await;
    browser.wait("both charts are drawn", "!!window.Chart && !!Chart.getChart('chart-spending')").await;
    let ends = "['chart-lines', 'chart-spending'].map(id => Math.round(Chart.getChart(id).scales.x.min))";
    let whole = browser.eval(ends).await;
    assert_eq!(whole[0], whole[1]);
    browser.run("const from = document.querySelector('[data-zoom=from]'); from.value = 500; from.dispatchEvent(new Event('input'));").await;
    let near = browser.eval(ends).await;
    assert!(near[0] == near[1] && near[0].as_i64() > whole[0].as_i64(), "{near} is no part of {whole}");
    browser.click("[data-zoom-reset]").await;
    assert_eq!(browser.eval(ends).await, whole, "all of it again");

    // The mouse over one chart: the other shows the same moment.
    browser.run("const chart = Chart.getChart('chart-lines'), box = chart.canvas.getBoundingClientRect(), area = chart.chartArea; \
        chart.canvas.dispatchEvent(new MouseEvent('mousemove', {bubbles: true, clientX: box.left + (area.left + area.right) / 2, clientY: box.top + area.top + 5}));").await;
    browser
        .wait("the other chart points, too", "Chart.getChart('chart-spending').tooltip.getActiveElements().length > 0")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
