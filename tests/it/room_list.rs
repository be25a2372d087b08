//! Lists of rooms: what can be added is, and the rest is said.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    fake::{FakeBilibili, Room},
    monitor::{Setup, TOKEN, rows},
    packet::Packing,
};

const ROOM: u64 = 92_006_701;
const OTHER: u64 = 92_006_702;

#[tokio::test]
async fn a_list_of_rooms_is_imported_by_a_call_and_by_the_command_whatever_its_form() {
    let rooms = [ROOM, OTHER].map(|room| Room::new(room, Packing::Plain));
    let fake = FakeBilibili::start(rooms);
    let monitor = Setup::watching(&fake, &[ROOM]).start().await;
    fake.wait_for(&[ROOM], 1).await;
    let list = format!("uname,room_id\n\"甲, 乙\",{OTHER}\n丙,{ROOM}\n丁,99999999\n");
    let call = reqwest::Client::new()
        .post(format!("{}/live/api/admin/rooms/import/", monitor.url()))
        .bearer_auth(TOKEN)
        .body(list.clone());
    let said: Value = call.send().await.expect("an answer").json().await.expect("the envelope");
    let rooms = &said["data"]["rooms"];
    let short = |room: &Value| json!([room["typed"], room["added"], room["code"]]);
    let shown: Vec<Value> = rooms.as_array().expect("rooms").iter().map(short).collect();
    let expected = json!([
        [OTHER.to_string(), true, null],
        [ROOM.to_string(), false, "already_there"],
        ["99999999", false, "no_such_room_upstream"],
    ]);
    assert_eq!(json!(shown), expected, "{said}");
    assert_eq!((&said["data"]["count"], &said["data"]["added"]), (&json!(3), &json!(1)));
    assert!(monitor.room(OTHER).await.is_some());

    // The same list for a program that does not run yet.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rooms.csv");
    fs::write(&file, &list).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_bilibili-live-monitor"))
        .args(["import", "--upstream", fake.url(), "--data-dir"])
        .args([folder.path(), &file])
        .output()
        .expect("the command ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "one of them is left: {said}");
    assert!(
        said.contains("99999999: not added") && said.contains("2 rooms are monitored from the next start on"),
        "{said}"
    );
    let kept = rows(&folder.path().join("live.db"), "room_id", "live_data_liveroom WHERE monitored ORDER BY room_id");
    assert_eq!(kept, [json!({"room_id": ROOM}), json!({"room_id": OTHER})]);
}

#[tokio::test]
async fn a_chosen_file_is_sent_whole_and_one_with_too_many_rooms_is_refused_in_words() {
    let fake = FakeBilibili::start([ROOM, OTHER].map(|room| Room::new(room, Packing::Plain)));
    let monitor = Setup::watching(&fake, &[ROOM]).start().await;
    fake.wait_for(&[ROOM], 1).await;
    let folder = tempfile::tempdir().expect("a folder");
    let [whole, long] = ["rooms.csv", "long.txt"].map(|name| folder.path().join(name));
    // Names as long as this leave no place for the room but the end, behind 200,000 bytes as a form sends them.
    let list = format!("uname,room_id\n{},{ROOM}\n乙,{OTHER}\n", "甲".repeat(22_000));
    fs::write(&whole, &list).expect("written");
    fs::write(&long, (1..=201).map(|room| format!("{room}\n")).collect::<String>()).expect("written");

    let browser = Browser::open(monitor.url()).await;
    browser.sign_in().await;
    let shows = |text: &str| format!("document.body.innerText.includes({})", json!(text));
    let give = async |file: &Path, rows: &str| {
        browser.goto("/live/admin/?lang=en").await;
        browser.click("details.bulk > summary").await;
        browser.type_into("#list", file.to_str().expect("a path")).await;
        browser.wait("the list stands in the form", &format!("document.querySelector('textarea').value{rows}")).await;
        browser.click("details.bulk form .btn-primary").await;
    };
    give(&whole, &format!(".length === {}", list.chars().count())).await;
    browser.wait("the last room of the list is added", &shows("monitored now")).await;
    assert!(monitor.room(OTHER).await.is_some());
    give(&long, ".endsWith('201\\n')").await;
    browser.wait("what is too much is said", &shows("A list names 1 to 200 rooms")).await;
}
