//! A room watched over the Open Live platform: started, kept alive, and ended however the connection ends.

use serde_json::{Value, json};

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room, unix_ms},
    monitor::{Monitor, Setup},
    packet::Packing,
    platform::{CODE, SECRET, write_keys},
    same,
};

const ROOM: u64 = 92_000_501;

/// A fake with one room, and a program that has the keys and the room's code.
fn with_a_code() -> (FakeBilibili, Setup) {
    let fake = FakeBilibili::start([Room::new(ROOM, Packing::Zlib)]);
    let setup = Setup::watching(&fake, &[]);
    write_keys(&setup, &format!("{ROOM} = \"{CODE}\"\n"), 0o600);
    (fake, setup)
}

fn line(text: &str) -> Value {
    json!({"cmd": "DANMU_MSG", "info": [
        [0, 1, 25, 16777215, unix_ms(), 7, 0, "abcdef01", 0, 0, 0, ""], text, [5, "小猫", 0, 0, 0, 10000, 1, ""], [],
        [5, 0, 0, ">50000"], ["", ""], 0, 0]})
}

/// Chat lines in the history.
fn stored(monitor: &Monitor) -> usize {
    monitor.rows("id", "live_data_danmakudata").len()
}

#[tokio::test]
async fn a_session_is_kept_alive_and_ended_after_a_cut_and_after_sigterm() {
    let (fake, setup) = with_a_code();
    let mut monitor = setup.start().await;
    fake.wait_for(&[ROOM], 1).await;
    monitor.wait_for_state(ROOM, "live").await;
    fake.send(ROOM, &[line("你好")]);
    eventually("what it brings is stored", async || same(stored(&monitor), 1)).await;
    assert_eq!(monitor.room(ROOM).await.expect("is there")["incomplete"], false, "the sanctioned way brings all");
    assert_eq!(fake.tickets(), 0, "nothing is asked the visitor's way");

    fake.drop_connections(ROOM);
    fake.wait_for(&[ROOM], 2).await;
    let calls = fake.platform();
    assert_eq!((calls.starts.len(), calls.ends), (2, vec!["game-1".to_owned()]), "ended before it was started again");
    eventually("the session is kept alive", async || same(fake.platform().heartbeats.is_empty(), false)).await;

    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0));
    let calls = fake.platform();
    assert_eq!(calls.starts, calls.ends, "no session stays open");
    assert!(calls.heartbeats.iter().all(|game| calls.starts.contains(game)), "{calls:?}");
    assert_eq!(fake.violations(), Vec::<String>::new());
    let said = setup.stderr();
    assert!(!said.contains(SECRET) && !said.contains(CODE), "no secret in the log");
}

#[tokio::test]
async fn a_session_that_the_stream_says_is_over_is_started_again_and_anybody_elses_is_not() {
    let (fake, setup) = with_a_code();
    let monitor = setup.start().await;
    fake.wait_for(&[ROOM], 1).await;
    monitor.wait_for_state(ROOM, "live").await;
    let over = |game: &str| json!({"cmd": "LIVE_OPEN_PLATFORM_INTERACTION_END", "data": {"game_id": game}});
    fake.send(ROOM, &[over("game-of-somebody-else"), line("一")]);
    eventually("what comes behind it is stored", async || same(stored(&monitor), 1)).await;
    assert_eq!(fake.platform().starts.len(), 1, "somebody else's session is not ours");

    fake.send(ROOM, &[line("二"), over("game-1")]);
    fake.wait_for(&[ROOM], 2).await;
    fake.send(ROOM, &[line("三")]);
    eventually("before and after, all is stored", async || same(stored(&monitor), 3)).await;
    let calls = fake.platform();
    assert_eq!((calls.starts, calls.ends), (vec!["game-1".to_owned(), "game-2".to_owned()], vec!["game-1".to_owned()]));
    assert_eq!(fake.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_session_that_turns_out_to_be_closed_is_started_again() {
    let (fake, setup) = with_a_code();
    let monitor = setup.start().await;
    fake.wait_for(&[ROOM], 1).await;
    monitor.wait_for_state(ROOM, "live").await;
    fake.close_session();
    fake.wait_for(&[ROOM], 2).await;
    fake.send(ROOM, &[line("又见面了")]);
    eventually("what the new one brings is stored", async || same(stored(&monitor), 1)).await;
    let calls = fake.platform();
    assert_eq!((calls.starts.len(), calls.heartbeats), (2, vec![]), "the answer to the first heartbeat was enough");
    assert_eq!(fake.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn keys_that_others_can_read_stop_the_start() {
    let setup = Setup::new();
    write_keys(&setup, "", 0o644);
    let (code, said) = setup.fail().await;
    assert!(code.is_some_and(|code| code == 1 || code == 2), "{code:?}: {said}");
    assert!(said.contains("chmod 600") && !said.contains(SECRET), "{said}");
}
