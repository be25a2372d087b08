//! What a wall of fifty rooms costs the browser that shows it. Minutes long and about durations, so only when asked
//! for, on a machine that does nothing else:
//!
//! ```sh
//! cargo test --test it wall -- --ignored --nocapture
//! ```
//!
//! `WALL_SECONDS` changes the ten minutes. What it finds stands in docs/measurements.md.

#![expect(clippy::print_stdout, reason = "the figures are for whoever asked for them")]

use std::{env, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{browser::Browser, eventually, simulator::Simulator};

const ROOMS: usize = 50;
/// Rooms of the simulator say some 300 things a second then, of which 200 and more are pushed to the dashboard.
const PACE: f64 = 1.2;
const SECONDS: u64 = 600;
const READINGS: u64 = 10;

/// Counts what is drawn and what arrives; a page has one socket.
const COUNT: &str = "window.wall = { frames: 0, events: 0 };
    (function frame() { window.wall.frames += 1; requestAnimationFrame(frame); })();
    const parse = JSON.parse;
    JSON.parse = (text) => { const value = parse(text); if (value?.type === 'events') window.wall.events += value.events.length; return value; };";

/// Frames and events so far, the moment in ms, and what is in memory after the collector was there.
async fn reading(browser: &Browser) -> (f64, f64, f64, f64, Value) {
    let counted = browser.eval("({ ...window.wall, at: performance.now() })").await;
    browser.devtools("HeapProfiler.collectGarbage", json!({})).await;
    let heap = browser.devtools("Runtime.getHeapUsage", json!({})).await;
    let counters = browser.devtools("Memory.getDOMCounters", json!({})).await;
    let number = |value: &Value| value.as_f64().expect("a number");
    let bytes = number(&heap["usedSize"]);
    (number(&counted["frames"]), number(&counted["events"]), number(&counted["at"]), bytes, counters["nodes"].clone())
}

#[tokio::test]
#[ignore = "a measurement of ten minutes"]
async fn fifty_rooms_stay_above_fifty_frames_a_second_and_flat_in_memory() {
    let simulator = Simulator::start(ROOMS, PACE).await;
    let rooms = simulator.rooms(ROOMS).await;
    let monitor = simulator.watched(&rooms).start().await;
    eventually("all rooms are received", async || {
        let rooms = monitor.data("/live/api/rooms/?limit=100").await["rooms"].take();
        let live = rooms.as_array().map_or(0, |rooms| rooms.iter().filter(|room| room["state"] == "live").count());
        if live == ROOMS { Ok(()) } else { Err(format!("{live} of {ROOMS}")) }
    })
    .await;
    let browser = Browser::open(monitor.url()).await;
    browser.resize(2560).await;
    // Once for the files, then as whoever comes back sees it.
    browser.goto("/live/").await;
    let first_paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0";
    browser.wait("the page was painted", &format!("({first_paint}) > 0")).await;
    let cold = browser.eval(first_paint).await.as_f64().expect("a number");
    browser.goto("/live/").await;
    browser.wait("the page was painted again", &format!("({first_paint}) > 0")).await;
    let warm = browser.eval(first_paint).await.as_f64().expect("a number");
    println!("first paint {cold:.0} ms with empty caches, {warm:.0} ms again");
    browser.run(COUNT).await;
    // Until the lists are as long as they get.
    sleep(Duration::from_secs(20)).await;

    let seconds = env::var("WALL_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(SECONDS);
    let (mut slowest, mut heaps) = (f64::MAX, Vec::new());
    let mut before = reading(&browser).await;
    let begun = Instant::now();
    for n in 1..=READINGS {
        tokio::time::sleep_until(begun + Duration::from_secs(seconds * n / READINGS)).await;
        let now = reading(&browser).await;
        let span = (now.2 - before.2) / 1000.0;
        let (frames, events) = ((now.0 - before.0) / span, (now.1 - before.1) / span);
        println!(
            "{:>5.0} s: {frames:.1} frames/s, {events:.0} events/s, heap {:.2} MB, {} nodes",
            begun.elapsed().as_secs_f64(),
            now.3 / 1e6,
            now.4
        );
        slowest = slowest.min(frames);
        heaps.push(now.3);
        before = now;
    }
    let (first, last) = (heaps[0], heaps[heaps.len() - 1]);
    println!("slowest {slowest:.1} frames/s; heap {:.2} MB at first, {:.2} MB at last", first / 1e6, last / 1e6);
    assert!(slowest > 50.0, "{slowest} frames a second");
    assert!(last < first * 1.1 + 500_000.0, "the heap grows: {heaps:?}");
    assert!(cold < 1000.0, "first paint after {cold} ms");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
