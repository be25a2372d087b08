//! Lists of rooms: what can be added is, and the rest is said.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::support::{
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
