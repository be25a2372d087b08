//! Bad input gets a clear error, and nothing breaks.

use std::{fs, net::TcpListener};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    pipeline::{books_balance, history_is},
    support::{
        eventually,
        fake::{FakeBilibili, Room},
        monitor::{Monitor, Setup},
        packet::{self, MESSAGE, Packing},
        redis_server::{RedisServer, free_port},
        same,
        story::Story,
    },
};

const ROOM: u64 = 92_004_101;

/// A refusal in the contract's envelope: text for a person, code for a program.
fn refused(answer: &(u16, Value), status: u16, names: &str) {
    let (got, body) = answer;
    assert_eq!(*got, status, "{body}");
    assert_eq!(body["success"], false, "{body}");
    let error = body["error"].as_str().unwrap_or_default();
    assert!(error.contains(names), "the error does not name {names}: {body}");
    assert!(body["code"].as_str().is_some_and(|code| !code.is_empty()), "{body}");
}

#[tokio::test]
async fn rooms_are_added_by_long_id_short_id_and_link_and_everything_else_is_refused() {
    let rooms = [Room::new(ROOM, Packing::Plain).short(41), Room::new(ROOM + 1, Packing::Plain)];
    let fake = FakeBilibili::start(rooms);
    let monitor = Setup::watching(&fake, &[]).start().await;

    let later = (ROOM + 2).to_string();
    refused(&monitor.add_room(&later).await, 404, &later);
    // "No such room" is not remembered: tomorrow it may be there.
    fake.open_room(Room::new(ROOM + 2, Packing::Plain));
    let (status, body) = monitor.add_room("41").await;
    assert_eq!((status, &body["success"]), (201, &json!(true)), "a short id: {body}");
    assert!(body["data"].to_string().contains(&ROOM.to_string()), "the long id is told: {body}");
    let (status, body) = monitor.add_room(&format!("https://live.bilibili.com/{}?broadcast_type=0", ROOM + 1)).await;
    assert_eq!(status, 201, "a link: {body}");
    let (status, body) = monitor.add_room(&later).await;
    assert_eq!(status, 201, "a long id: {body}");
    for typed in ["abc", "", "-5", "0", "12345678901234567890123", "https://www.bilibili.com/video/BV1xx", "41; rm -rf"]
    {
        refused(&monitor.add_room(typed).await, 400, typed);
    }
    let no_json = monitor.administrate(Method::POST, "/live/api/admin/rooms/", json!([1, 2])).await;
    refused(&no_json, 400, "room");
    for again in ["41".to_owned(), ROOM.to_string(), format!("live.bilibili.com/{}", ROOM + 1)] {
        let answer = monitor.add_room(&again).await;
        assert_eq!(answer.0, 409, "{again} is there already: {}", answer.1);
        refused(&answer, 409, "");
    }

    fake.wait_for(&[ROOM, ROOM + 1, ROOM + 2], 1).await;
    let listed = monitor.data("/live/api/rooms/").await;
    assert_eq!(listed["count"], 3, "{listed}");
    assert_eq!(fake.connects(ROOM), 1, "a room added again is not entered again");
    assert_eq!(fake.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_removed_room_is_left_and_its_history_stays_unless_erased() {
    let room = Room::new(ROOM + 3, Packing::Brotli);
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let story = Story::chat(&room, 10);
    fake.send(room.room_id, &story.messages);
    history_is(&monitor, &[story]).await;

    let path = format!("/live/api/admin/rooms/{}/", room.room_id);
    let (status, body) = monitor.administrate(Method::DELETE, &path, json!({})).await;
    assert_eq!(status, 200, "{body}");
    eventually("the room is left", async || same(fake.is_heard(room.room_id), false)).await;
    assert!(monitor.room(room.room_id).await.is_none(), "it is no longer listed");
    assert_eq!(monitor.rows("id", "live_data_danmakudata").len(), 10, "the history stays");
    refused(&monitor.administrate(Method::DELETE, &path, json!({})).await, 404, "");

    assert_eq!(monitor.add_room(&room.room_id.to_string()).await.0, 201);
    fake.wait_for(&[room.room_id], 2).await;
    let (status, body) = monitor.administrate(Method::DELETE, &format!("{path}?erase=true"), json!({})).await;
    assert_eq!(status, 200, "{body}");
    eventually("the history is gone", async || same(monitor.rows("id", "live_data_danmakudata").len(), 0)).await;
}

#[tokio::test]
async fn rooms_named_at_the_start_may_be_short_ids_and_links_and_unknown_ones_are_said() {
    let room = Room::new(ROOM + 4, Packing::Plain).short(44);
    let other = Room::new(ROOM + 5, Packing::Plain);
    let fake = FakeBilibili::start([room.clone(), other.clone()]);
    let rooms = format!("44,https://live.bilibili.com/{},888888", other.room_id);
    let monitor = Setup::watching(&fake, &[]).with(&["--rooms", &rooms]).start().await;
    fake.wait_for(&[room.room_id, other.room_id], 1).await;
    eventually("the unknown room is said", async || {
        let stderr = monitor.setup().stderr();
        if stderr.contains("888888") { Ok(()) } else { Err(stderr) }
    })
    .await;
    assert_eq!(monitor.data("/live/api/rooms/").await["count"], 2);
}

#[tokio::test]
async fn without_the_token_nothing_happens() {
    let fake = FakeBilibili::start([Room::new(ROOM, Packing::Plain), Room::new(ROOM + 1, Packing::Plain)]);
    let monitor = Setup::watching(&fake, &[ROOM]).start().await;
    fake.wait_for(&[ROOM], 1).await;
    let room = format!("/live/api/admin/rooms/{ROOM}/");
    let attempts = [
        (Method::POST, "/live/api/admin/rooms/".to_owned()),
        (Method::DELETE, room.clone()),
        (Method::DELETE, format!("{room}?erase=true")),
        (Method::POST, format!("{room}pause/")),
        (Method::POST, format!("{room}restart/")),
        (Method::POST, "/live/api/admin/sync/".to_owned()),
    ];
    for (method, path) in attempts {
        for token in [None, Some("wrong"), Some("")] {
            let body = json!({"room": (ROOM + 1).to_string()});
            refused(&monitor.intrude(method.clone(), &path, body, token).await, 401, "");
        }
    }
    assert_eq!(monitor.data("/live/api/rooms/").await["count"], 1);
    assert!(fake.is_heard(ROOM) && fake.connects(ROOM) == 1, "the room was not touched");
    assert!(!fake.is_heard(ROOM + 1));
}

#[tokio::test]
async fn wrong_questions_are_refused_in_the_envelope() {
    let fake = FakeBilibili::start([Room::new(ROOM, Packing::Plain)]);
    let monitor = Setup::watching(&fake, &[ROOM]).start().await;
    fake.wait_for(&[ROOM], 1).await;
    for (path, status) in [
        ("/live/api/room/123/stats/".to_owned(), 404),
        ("/live/api/room/123/danmaku/".to_owned(), 404),
        ("/live/api/room/abc/stats/".to_owned(), 400),
        (format!("/live/api/room/{ROOM}/danmaku/?limit=-1"), 400),
        (format!("/live/api/room/{ROOM}/danmaku/?limit=many"), 400),
        (format!("/live/api/room/{ROOM}/danmaku/?before=yesterday"), 400),
        ("/live/api/rooms/?sort=colour".to_owned(), 400),
        ("/live/api/nothing/".to_owned(), 404),
    ] {
        let answer = monitor.fetch(&path).await;
        assert_eq!(answer.0, status, "{path}: {}", answer.1);
        refused(&answer, status, "");
    }
}

#[tokio::test]
async fn a_port_in_use_stops_the_start_and_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let (status, said) = Setup::new().listen(&address).fail().await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains(&address) && said.contains("--listen"), "says what and how to mend it: {said}");
}

#[tokio::test]
async fn an_unreadable_database_stops_the_start_and_is_named() {
    let setup = Setup::new();
    fs::create_dir_all(setup.folder().join("data")).expect("a folder");
    fs::write(setup.database(), "this is no database, but it is long enough to be taken for one".repeat(20))
        .expect("written");
    let (status, said) = setup.fail().await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("live.db"), "names the file: {said}");
    let kept = fs::read_to_string(setup.database()).expect("still there");
    assert!(kept.starts_with("this is no database"), "the file is left as it was");
}

#[tokio::test]
async fn a_database_that_is_a_folder_stops_the_start_and_is_named() {
    let setup = Setup::new();
    fs::create_dir_all(setup.database()).expect("a folder");
    let (status, said) = setup.fail().await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("live.db"), "names the file: {said}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_stops_the_start_and_is_left_alone() {
    let fake = FakeBilibili::start([]);
    let mut monitor = Setup::watching(&fake, &[]).start().await;
    monitor.terminate();
    monitor.ended().await;
    let setup = monitor.setup().clone();
    {
        use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
        let mut database = SqliteConnection::establish(&setup.database().to_string_lossy()).expect("opens");
        let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000');";
        database.batch_execute(newer).expect("diesel's own table");
    }
    let before = fs::read(setup.database()).expect("readable");
    let (status, said) = setup.fail().await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("live.db") && said.contains("newer"), "names the file and the reason: {said}");
    assert_eq!(fs::read(setup.database()).expect("readable"), before, "not a byte of it changed");
}

#[tokio::test]
async fn a_wrong_setting_is_wrong_usage_and_is_named() {
    let setup = Setup::new();
    let file = setup.folder().join("settings.toml");
    for (text, names) in [
        ("lisen = \"127.0.0.1:1\"", ["lisen", "listen"]),
        ("listen = \"nowhere\"", ["listen", "settings.toml"]),
        ("rooms = [\"abc\"]", ["abc", "live.bilibili.com"]),
        ("this is not TOML", ["settings.toml", "settings.toml"]),
    ] {
        fs::write(&file, text).expect("written");
        let setup = Setup::new().with(&["--config", &file.to_string_lossy()]);
        let (status, said) = setup.fail().await;
        assert_eq!(status, Some(2), "{text}: {said}");
        assert!(names.iter().all(|name| said.contains(name)), "{text}: {said}");
    }
    for args in [
        ["--rooms", "76,abc"],
        ["--redis", "http://x"],
        ["--no-such-option", "1"],
        ["--upstream", "ftp://x"],
        ["--extra-roots", "no-such.pem"],
    ] {
        let (status, said) = Setup::new().with(&args).fail().await;
        assert_eq!(status, Some(2), "{args:?}: {said}");
        assert!(said.contains(args[0].trim_start_matches('-')), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn without_its_redis_the_program_runs_says_so_and_events_wait() {
    let port = free_port();
    let room = Room::new(ROOM + 6, Packing::Zlib);
    let fake = FakeBilibili::start([room.clone()]);
    let url = format!("redis://127.0.0.1:{port}");
    let monitor = Setup::watching(&fake, &[room.room_id]).with(&["--redis", &url]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let status = monitor.data("/live/api/redis/status/").await;
    assert_eq!((&status["connected"], &status["kind"]), (&json!(false), &json!("redis")), "{status}");
    let story = Story::of(&room, 2);
    fake.send(room.room_id, &story.messages);
    eventually("health is not ok", async || {
        let health = monitor.data("/live/api/health/").await;
        if health["verdict"] == "ok" { Err(health["verdict"].to_string()) } else { Ok(()) }
    })
    .await;

    // Redis comes, and nothing was lost.
    let _redis = RedisServer::start_on(port).await;
    history_is(&monitor, &[story]).await;
    let ledger = books_balance(&monitor).await;
    assert_eq!(ledger["total"]["dropped"], json!({}), "{ledger}");
    eventually("it said that it was Redis", async || {
        let stderr = monitor.setup().stderr();
        if stderr.to_lowercase().contains("redis") { Ok(()) } else { Err(stderr) }
    })
    .await;
}

#[tokio::test]
async fn without_its_upstream_the_program_runs_and_says_so() {
    let upstream = format!("http://127.0.0.1:{}", free_port());
    let monitor = Setup::new().with(&["--upstream", &upstream, "--rooms", "41"]).start().await;
    eventually("it says that the room waits", async || {
        let stderr = monitor.setup().stderr();
        if stderr.contains("room 41") { Ok(()) } else { Err(stderr) }
    })
    .await;
    let (status, body) = monitor.add_room("42").await;
    assert!((500..600).contains(&status), "not the caller's fault: {status} {body}");
    assert_eq!(body["success"], false);
}

/// Frames that no decent upstream sends.
fn garbage() -> Vec<Vec<u8>> {
    let message = |body: &[u8]| packet::packet(0, MESSAGE, body);
    let with_length = |length: u32| {
        let mut bytes = message(b"{}");
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    let mut odd_header = message(b"{\"cmd\":\"LIVE\"}");
    odd_header[5] = 7;
    let bomb = packet::zlib(&vec![0; 256 << 20]);
    let mut nested = message(br#"{"cmd":"DANMU_MSG","info":[]}"#);
    for _ in 0..40 {
        nested = packet::packet(3, MESSAGE, &packet::brotli(&nested));
    }
    vec![
        Vec::new(),
        b"HTTP/1.1 403 Forbidden\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        with_length(0),
        with_length(3),
        with_length(u32::MAX),
        with_length(1 << 20),
        odd_header,
        message(b""),
        message(b"{"),
        message(b"null"),
        message(b"[1,2,3]"),
        message(b"{\"cmd\":5}"),
        message(b"{\"cmd\":\"DANMU_MSG\"}"),
        message(b"{\"cmd\":\"DANMU_MSG\",\"info\":[[],{},{}]}"),
        message(b"{\"cmd\":\"SEND_GIFT\",\"data\":\"no\"}"),
        message(b"{\"cmd\":\"SEND_GIFT_V2\",\"data\":{\"pb\":\"/////w==\"}}"),
        message(b"{\"cmd\":\"SEND_GIFT_V2\",\"data\":{\"pb\":\"not base64!\"}}"),
        message(b"{\"cmd\":\"SUPER_CHAT_MESSAGE\",\"data\":[]}"),
        message(b"{\"cmd\":\"\xff\xfe\"}"),
        message("[".repeat(100_000).as_bytes()),
        packet::packet(2, MESSAGE, b"this is not zlib"),
        packet::packet(3, MESSAGE, b"this is not brotli"),
        packet::packet(9, MESSAGE, b"no such version"),
        packet::packet(0, 77, b"no such operation"),
        packet::packet(2, MESSAGE, &bomb),
        nested,
    ]
}

#[tokio::test]
async fn garbage_is_counted_the_room_stays_live_and_later_messages_arrive() {
    let room = Room::new(ROOM + 7, Packing::Brotli);
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[room.room_id]).start().await;
    fake.wait_for(&[room.room_id], 1).await;
    let story = Story::chat(&room, 60);
    for (i, bytes) in garbage().into_iter().enumerate() {
        fake.send_raw(room.room_id, bytes);
        // A good message after each, so that one cannot hide behind another.
        fake.send(room.room_id, &story.messages[i..=i]);
    }
    fake.send(room.room_id, &story.messages[garbage().len()..]);
    history_is(&monitor, &[story]).await;
    assert_eq!(fake.connects(room.room_id), 1, "the connection was kept");
    monitor.wait_for_state(room.room_id, "live").await;
    let ledger = books_balance(&monitor).await;
    let unreadable = ledger["total"]["unreadable"].as_u64().unwrap_or_default();
    assert!(unreadable >= 10, "garbage is counted: {ledger}");
    let deaths = monitor.data("/live/api/health/").await["deaths"].take();
    assert_eq!(deaths, json!([]), "nobody died of it");
    // A second run would find the same: nothing of the garbage is in the history.
    assert_eq!(monitor.rows("id", "live_data_giftdata").len(), 0);
    assert_eq!(monitor.rows("id", "blm_deadletter").len(), 0);
}

#[tokio::test]
async fn one_broken_room_does_not_disturb_its_neighbours() {
    let (bad, good) = (Room::new(ROOM + 8, Packing::Plain), Room::new(ROOM + 9, Packing::Zlib));
    let fake = FakeBilibili::start([bad.clone(), good.clone()]);
    let monitor: Monitor = Setup::watching(&fake, &[bad.room_id, good.room_id]).start().await;
    fake.wait_for(&[bad.room_id, good.room_id], 1).await;
    let story = Story::of(&good, 3);
    for (i, part) in story.messages.chunks(7).enumerate() {
        fake.send(good.room_id, part);
        fake.send_raw(bad.room_id, vec![i as u8; 64]);
        if i == 2 {
            fake.drop_connections(bad.room_id);
        }
    }
    history_is(&monitor, &[story]).await;
    assert_eq!(fake.connects(good.room_id), 1);
    fake.wait_for(&[bad.room_id], 2).await;
}
