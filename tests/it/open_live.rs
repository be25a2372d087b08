//! A room watched over the Open Live platform: started, kept alive, and ended however the connection ends.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room, unix_ms},
    monitor::Setup,
    packet::Packing,
    platform::{CODE, KEY_ID, SECRET},
    same,
};

#[tokio::test]
async fn a_session_is_kept_alive_and_ended_after_a_cut_and_after_sigterm() {
    let room = Room::new(92_000_501, Packing::Zlib);
    let id = room.room_id;
    let fake = FakeBilibili::start([room]);
    let setup = Setup::watching(&fake, &[]);
    let file = setup.folder().join("data/open-live.toml");
    fs::create_dir_all(setup.folder().join("data")).expect("a folder");
    let keys = format!(
        "app_id = 7\naccess_key_id = \"{KEY_ID}\"\naccess_key_secret = \"{SECRET}\"\n[rooms]\n{id} = \"{CODE}\"\n"
    );
    fs::write(&file, keys).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("changed");

    let mut monitor = setup.start().await;
    fake.wait_for(&[id], 1).await;
    monitor.wait_for_state(id, "live").await;
    let line = json!({"cmd": "DANMU_MSG", "info": [
        [0, 1, 25, 16777215, unix_ms(), 7, 0, "abcdef01", 0, 0, 0, ""], "你好", [5, "小猫", 0, 0, 0, 10000, 1, ""], [],
        [5, 0, 0, ">50000"], ["", ""], 0, 0]});
    fake.send(id, &[line]);
    eventually("what it brings is stored", async || same(monitor.rows("id", "live_data_danmakudata").len(), 1)).await;
    assert_eq!(monitor.room(id).await.expect("is there")["incomplete"], false, "the sanctioned way brings all");
    assert_eq!(fake.tickets(), 0, "nothing is asked the visitor's way");

    fake.drop_connections(id);
    fake.wait_for(&[id], 2).await;
    let calls = fake.platform();
    assert_eq!((calls.starts.len(), calls.ends), (2, vec!["game-1".to_owned()]), "ended before it was started again");
    eventually("the session is kept alive", async || same(fake.platform().heartbeats.is_empty(), false)).await;

    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0));
    let calls = fake.platform();
    assert_eq!(calls.starts, calls.ends, "no session stays open");
    assert!(calls.heartbeats.iter().all(|game| game == "game-2" || game == "game-1"));
    assert_eq!(fake.violations(), Vec::<String>::new());
    let said = setup.stderr();
    assert!(!said.contains(SECRET) && !said.contains(CODE), "no secret in the log");
}

#[tokio::test]
async fn keys_that_others_can_read_stop_the_start() {
    let setup = Setup::new();
    fs::create_dir_all(setup.folder().join("data")).expect("a folder");
    let file = setup.folder().join("data/open-live.toml");
    fs::write(&file, format!("app_id = 7\naccess_key_id = \"{KEY_ID}\"\naccess_key_secret = \"{SECRET}\"\n[rooms]\n"))
        .expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("changed");
    let (code, said) = setup.fail().await;
    assert!(code.is_some_and(|code| code == 1 || code == 2), "{code:?}: {said}");
    assert!(said.contains("chmod 600") && !said.contains(SECRET), "{said}");
}
