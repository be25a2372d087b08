//! Copies of the history, by HTTP and by command: whole, and harmless to what opens them.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room},
    monitor::{Monitor, Setup},
    packet::Packing,
    same,
    story::Story,
};

const ROOM: u64 = 92_006_401;

async fn copy(monitor: &Monitor, query: &str) -> (String, Vec<u8>) {
    let path = format!("{}/live/api/room/{ROOM}/export/{query}", monitor.url());
    let answer = reqwest::get(path).await.expect("the program answers");
    assert_eq!(answer.status(), 200, "{query}");
    let named = answer.headers()["content-disposition"].to_str().expect("text").to_owned();
    assert!(named.starts_with("attachment; filename=\"bilibili-live-92006401."), "{named}");
    let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
    (kind, answer.bytes().await.expect("the whole of it").to_vec())
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

#[tokio::test]
async fn a_copy_holds_every_event_once_by_http_and_by_command() {
    let room = Room::new(ROOM, Packing::Brotli);
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[ROOM]).start().await;
    fake.wait_for(&[ROOM], 1).await;
    let mut story = Story::of(&room, 4);
    story.danmaku("=cmd|'/c calc'!A0", "DANMU_MSG", false, 0);
    fake.send(ROOM, &story.messages);
    let outcome = &story.outcome;
    let all = outcome.danmaku.len() + outcome.gifts.len() + outcome.super_chats.len() + outcome.guards.len();
    eventually("the evening is stored", async || {
        same(monitor.rows("id", "live_data_guard").len(), outcome.guards.len())?;
        same(monitor.rows("id", "live_data_giftdata").len(), outcome.gifts.len())?;
        same(monitor.rows("id", "live_data_danmakudata").len(), outcome.danmaku.len())
    })
    .await;

    let (kind, bytes) = copy(&monitor, "?format=ndjson").await;
    assert_eq!(kind, "application/x-ndjson");
    let lines = text(bytes);
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let ids: BTreeSet<&str> = events.iter().filter_map(|event| event["id"].as_str()).collect();
    assert_eq!((events.len(), ids.len()), (all, all));
    let paid: i64 = events.iter().filter_map(|event| event["paid_gold"].as_i64()).sum();
    assert_eq!(paid, outcome.income_gold());
    assert!(events.is_sorted_by_key(|event| event["timestamp_ms"].as_i64()), "oldest first");

    let (kind, bytes) = copy(&monitor, "?format=csv&bom=true&kinds=danmaku").await;
    assert_eq!((&*kind, &bytes[..3]), ("text/csv; charset=utf-8", "\u{feff}".as_bytes()));
    let table = text(bytes);
    assert_eq!(table.lines().count(), outcome.danmaku.len() + 1);
    assert!(table.contains(",'=cmd|'/c calc'!A0,") && !table.contains(",=cmd"), "a formula got into the table");
    let (kind, bytes) = copy(&monitor, "?format=xml").await;
    let document = text(bytes);
    assert_eq!(kind, "text/xml; charset=utf-8");
    let count = |name: &str| document.matches(&format!("<{name} ")).count();
    assert_eq!((count("d"), count("sc")), (outcome.danmaku.len(), outcome.super_chats.len()));
    assert!(document.contains("&lt;b&gt;") && !document.contains("<b>"), "chat became markup");
    let (kind, bytes) = copy(&monitor, "?format=xlsx").await;
    assert!(kind.contains("spreadsheetml") && bytes.starts_with(b"PK"));
    let (status, said) = monitor.fetch(&format!("/live/api/room/{ROOM}/export/?format=pdf")).await;
    assert_eq!((status, &said["code"]), (400, &Value::from("bad_parameter")));

    // Beside the running program, and without it.
    let command = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bilibili-live-monitor"));
        command.arg("export").args(args).arg("--data-dir").arg(monitor.setup().folder().join("data"));
        command.output().expect("the program can be started")
    };
    let room = ROOM.to_string();
    let output = command(&["--room", &room, "--format", "ndjson"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text(output.stdout), lines);
    let file = monitor.setup().folder().join("copy.xlsx");
    let output = command(&[&file.to_string_lossy()]);
    assert!(output.status.success() && std::fs::read(&file).is_ok_and(|bytes| bytes.starts_with(b"PK")));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("{all} events exported")));
    let output = command(&["--kinds", "enter"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}
