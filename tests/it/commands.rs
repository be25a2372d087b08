//! The commands beside `run`, through the real binary: copies out and in, another program's database, and `check`.

use std::{fs, net::TcpListener, time::Duration};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use serde_json::{Value, json};

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room},
    load::{Load, Scale},
    monitor::{Setup, rows},
    packet::Packing,
    redis_server::RedisServer,
    same,
    story::Story,
};

#[tokio::test]
async fn a_copy_made_under_load_is_whole_and_can_be_put_back() {
    let mut load = Load::new(92_005_301, Scale::SHORT);
    let mut monitor = Setup::watching(&load.fake, &load.ids()).start().await;
    let setup = monitor.setup().clone();
    load.is_heard(1).await;
    load.send_for(Duration::from_secs(1)).await;
    let (during, words) = (setup.clone(), ["backup", "copy.db"]);
    let copying = std::thread::spawn(move || during.command(&words));
    load.send_for(Duration::from_secs(2)).await;
    let (status, said) = copying.join().expect("it ends");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("copied to") && said.contains("checked"), "{said}");
    // Collecting went on, and nothing is missing for it.
    load.is_stored_and_booked(&monitor).await;
    let copied = rows(&setup.folder().join("copy.db"), "count(*) AS n", "live_data_danmakudata")[0]["n"].clone();
    assert!((1..=2 * load.sent() as u64).contains(&copied.as_u64().unwrap_or_default()), "{copied}");

    let (status, said) = setup.command(&["backup", "copy.db"]);
    assert_eq!(status, Some(1), "what is there is not replaced unasked: {said}");
    assert!(said.contains("copy.db") && said.contains("--force"), "{said}");
    let (status, said) = setup.command(&["restore", "copy.db"]);
    assert_eq!(status, Some(1), "not under a running program: {said}");
    assert!(said.contains("stop the program first"), "{said}");

    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0));
    fs::write(setup.folder().join("torn.db"), &fs::read(setup.folder().join("copy.db")).expect("read")[..40_000])
        .expect("written");
    let (status, said) = setup.command(&["restore", "torn.db"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("torn.db") && said.contains("damaged") && said.contains("restore another copy"), "{said}");
    let (status, said) = setup.command(&["restore", "copy.db"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("what was there before is kept"), "{said}");
    let monitor = setup.start().await;
    let stored = rows(&setup.database(), "count(*) AS n", "live_data_danmakudata")[0]["n"].clone();
    assert_eq!(stored, copied, "the history is that of the copy");
    let stats = monitor.data("/live/api/system/stats/").await["stats"].take();
    assert_eq!(stats["total_danmaku"], copied, "and so are its totals");
    load.is_heard(2).await;
}

/// The tables of the original, with what one meets in them.
const ORIGINAL: &str = "
    CREATE TABLE live_rooms (id integer PRIMARY KEY, room_id bigint UNIQUE, title varchar(200), uname varchar(100),
        face varchar(500) NULL, online integer, status integer, created_at datetime, updated_at datetime);
    CREATE TABLE danmaku_data (id integer PRIMARY KEY, uid bigint, username varchar(100), message text, timestamp datetime,
        medal_name varchar(50) NULL, medal_level integer, user_level integer, is_admin bool, is_vip bool,
        created_at datetime, room_id bigint);
    CREATE TABLE gift_data (id integer PRIMARY KEY, uid bigint, username varchar(100), gift_name varchar(100),
        gift_id integer, num integer, price decimal, total_price decimal, timestamp datetime, medal_name varchar(50) NULL,
        medal_level integer, created_at datetime, room_id bigint);
    CREATE TABLE monitoring_tasks (id integer PRIMARY KEY, task_name varchar(100));
    CREATE TABLE data_migration_logs (id integer PRIMARY KEY, migration_type varchar(50));
    INSERT INTO live_rooms VALUES (1, 92005311, '唱歌', '小猫', NULL, 0, 1, '', '');
    INSERT INTO danmaku_data VALUES
        (1, 7, '甲', '你好', '2025-06-01 12:00:05.123456', NULL, 0, 0, 0, 0, '', 1),
        (2, 7, '甲', '你好', '2025-06-01 12:00:00.123456', NULL, 0, 0, 0, 0, '', 1),
        (3, 8, '乙', '再见', '2025-06-01 12:00:10', NULL, 0, 0, 0, 0, '', 1);
    INSERT INTO gift_data VALUES
        (1, 0, '匿名用户', '未知礼物', 0, 1, 0, 0, '2025-06-01 12:00:00', NULL, 0, '', 1),
        (2, 7, '甲', '小花花', 31036, 2, 0.1, 0.2, '2025-06-01 12:00:00', NULL, 0, '', 1);
";

#[tokio::test]
async fn the_originals_database_is_taken_over_once_however_often_it_is_asked_for() {
    let room = Room::new(92_005_311, Packing::Plain);
    let fake = FakeBilibili::start([room.clone()]);
    let setup = Setup::new().with(&["--upstream", fake.url()]);
    let file = setup.folder().join("db.sqlite3");
    let mut original = SqliteConnection::establish(&file.to_string_lossy()).expect("opens");
    original.batch_execute(ORIGINAL).expect("made");
    drop(original);
    let stored = || {
        let lines = rows(&setup.database(), "message, source", "live_data_danmakudata ORDER BY timestamp");
        (lines, rows(&setup.database(), "gift_name, num, paid_gold", "live_data_giftdata"))
    };
    let (status, said) = setup.command(&["import-django", "missing.sqlite3"]);
    assert!(status == Some(1) && said.contains("there is no file"), "{said}");
    assert!(!setup.database().exists(), "a wrong path makes nothing");
    let (status, said) = setup.command(&["import-django", "db.sqlite3", "--monitor"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("chat: 3 rows, 2 taken, 0 here already"), "{said}");
    assert!(said.contains("gifts: 2 rows, 1 taken") && said.contains("1 not taken: "), "{said}");
    let first = stored();
    let line = |message: &str| json!({"message": message, "source": "import"});
    assert_eq!(first.0, [line("你好"), line("再见")]);
    assert_eq!(first.1.len(), 1, "{:?}", first.1);
    let (status, said) = setup.command(&["import-django", "db.sqlite3", "--monitor"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("chat: 3 rows, 0 taken, 2 here already"), "{said}");
    assert_eq!(stored(), first);

    // Its rooms are watched, and what comes is added to what was taken over.
    let monitor = setup.start().await;
    fake.wait_for(&[room.room_id], 1).await;
    fake.send(room.room_id, &Story::chat(&room, 5).messages);
    eventually("old and new are counted together", async || {
        let stats = monitor.data(&format!("/live/api/room/{}/stats/", room.room_id)).await["stats"].take();
        same((&stats["total_danmaku"], &stats["total_gifts"]), (&json!(7), &json!(1)))
    })
    .await;
    let trend = format!("/live/api/room/{}/trend/?from=2025-06-01T11:59:00Z&to=2025-06-01T12:01:00Z", room.room_id);
    let points = monitor.data(&trend).await["points"].take();
    let told: Vec<(Value, Value)> = points
        .as_array()
        .into_iter()
        .flatten()
        .map(|point| (point["danmaku"].clone(), point["coverage"].clone()))
        .collect();
    assert_eq!(told, [(json!(0), Value::Null), (json!(2), Value::Null)], "nobody knows how much of it was received");
    let (status, said) = setup.command(&["import-django", "db.sqlite3"]);
    assert_eq!(status, Some(1), "not beside a running program: {said}");
}

/// Verdict and way out of one of the checks.
fn finding(setup: &Setup, words: &[&str], what: &str) -> (Option<i32>, Value) {
    let mut command = vec!["check", "--json"];
    command.extend(words);
    let (status, said) = setup.command(&command);
    let told: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(told["ok"], status == Some(0), "{said}");
    let found = told["checks"].as_array().into_iter().flatten().find(|found| found["what"] == what);
    (status, found.unwrap_or_else(|| panic!("nothing of {what}: {said}")).clone())
}

/// A port at which nobody listens.
fn nobody() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
async fn what_check_finds_wrong_it_says_how_to_mend() {
    let room = Room::new(92_005_321, Packing::Plain);
    let fake = FakeBilibili::start([room.clone()]);
    let watching = Setup::watching(&fake, &[room.room_id]);
    for what in ["settings", "data folder", "disk", "database", "live store", "clock", "room", "ticket", "stream"] {
        let (status, found) = finding(&watching, &[], what);
        assert_eq!(status, Some(0), "{found}");
        assert!(found["verdict"] == "good" || (what == "disk" && found["verdict"] == "warning"), "{found}");
    }
    let redis = RedisServer::start().await;
    assert_eq!(finding(&watching, &["--redis", redis.url()], "live store").1["verdict"], "good");

    let away = |port: u16| format!("redis://127.0.0.1:{port}");
    let (status, found) = finding(&watching, &["--redis", &away(nobody())], "live store");
    assert_eq!((status, &found["verdict"]), (Some(1), &json!("bad")));
    assert!(found["mend"].as_str().is_some_and(|mend| mend.contains("start the Redis server")), "{found}");

    let damaged = Setup::watching(&fake, &[room.room_id]);
    fs::create_dir_all(damaged.folder().join("data")).expect("made");
    fs::write(damaged.database(), "this is no database, and long enough to be read as one".repeat(99))
        .expect("written");
    let (status, found) = finding(&damaged, &[], "database");
    assert_eq!((status, &found["verdict"]), (Some(1), &json!("bad")));
    assert!(found["mend"].as_str().is_some_and(|mend| mend.contains("restore a backup")), "{found}");

    let blocked = Setup::watching(&fake, &[room.room_id]);
    fs::write(blocked.folder().join("data"), "no folder").expect("written");
    let (status, found) = finding(&blocked, &[], "data folder");
    assert_eq!((status, &found["verdict"]), (Some(1), &json!("bad")));
    assert!(found["mend"].as_str().is_some_and(|mend| mend.contains("--data-dir")), "{found}");

    let (status, found) = finding(&Setup::watching(&fake, &[41]), &[], "room");
    assert_eq!((status, &found["verdict"]), (Some(0), &json!("warning")), "the others are received: {found}");
    assert!(found["mend"].as_str().is_some_and(|mend| mend.contains("--rooms")), "{found}");

    // Bilibili away: the history can be read, so it is a warning, with a way out.
    let upstream = format!("http://127.0.0.1:{}", nobody());
    let without = Setup::new().with(&["--upstream", &upstream, "--rooms", "41"]);
    for what in ["clock", "room"] {
        let (status, found) = finding(&without, &[], what);
        assert_eq!((status, &found["verdict"]), (Some(0), &json!("warning")), "{found}");
        assert!(found["mend"].as_str().is_some_and(|mend| mend.contains("check the network")), "{found}");
    }
    let (status, said) = without.command(&["check", "--no-such-option"]);
    assert_eq!(status, Some(2), "{said}");
}
