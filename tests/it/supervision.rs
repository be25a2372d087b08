//! Rooms that die and rooms that get stuck, under load, as an operator sees them: on the debug page, live.
//!
//! The faults are put in place with BLM_FAULTS, which debug builds know.

use reqwest::Method;
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

const ROOMS: [u64; 3] = [92_007_001, 92_007_002, 92_007_003];

async fn actor(monitor: &Monitor, room: u64) -> Value {
    let actors = monitor.data("/live/api/health/").await["actors"].take();
    let name = format!("room {room}");
    let found = actors.as_array().and_then(|actors| actors.iter().find(|actor| actor["name"] == name.as_str()));
    found.cloned().unwrap_or_else(|| panic!("{name} is not among {actors}"))
}

/// Chat for every room, a line each time, and as many lines stored.
async fn chat(fake: &FakeBilibili, stories: &mut [Story], rooms: &[Room], lines: std::ops::Range<usize>) {
    for n in lines {
        for (story, room) in stories.iter_mut().zip(rooms) {
            story.messages.clear();
            story.danmaku(&format!("第{n}句"), "DANMU_MSG", false, 0);
            fake.send(room.room_id, &story.messages);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// The frames of the first room come one at a time, until it dies over one of them; gives the lines sent so far.
async fn chat_until_the_first_dies(
    monitor: &Monitor,
    fake: &FakeBilibili,
    stories: &mut [Story],
    rooms: &[Room],
    mut sent: usize,
) -> usize {
    loop {
        chat(fake, &mut stories[..1], &rooms[..1], sent..sent + 1).await;
        sent += 1;
        eventually("it has read the frame, or died over it", async || {
            let actor = actor(monitor, ROOMS[0]).await;
            let read = actor["events_in"].as_u64() == Some(sent as u64) || fake.connects(ROOMS[0]) == 2;
            if read { Ok(()) } else { Err(actor.to_string()) }
        })
        .await;
        if fake.connects(ROOMS[0]) == 2 {
            return sent;
        }
        assert!(sent < 100, "it does not die");
    }
}

async fn stored(monitor: &Monitor, wanted: usize) {
    eventually("every line is stored", async || same(monitor.rows("id", "live_data_danmakudata").len(), wanted)).await;
}

/// The other rooms are in their first life, and have received so many lines each.
async fn untouched(monitor: &Monitor, lines: u64) {
    for room in &ROOMS[1..] {
        eventually("the neighbours have everything", async || {
            let actor = actor(monitor, *room).await;
            same((actor["life"].as_u64(), actor["events_in"].as_u64()), (Some(1), Some(lines)))
        })
        .await;
    }
}

#[tokio::test]
async fn a_room_that_panics_under_load_is_seen_to_die_and_live_again_without_reload() {
    let rooms = ROOMS.map(|room| Room::new(room, Packing::Plain));
    let fake = FakeBilibili::start(rooms.clone());
    // The welcome and the answer to a heartbeat come first, so it is in the middle of the chat.
    let faults = format!("room-decode@{}:26:panic", ROOMS[0]);
    let setup = Setup::watching(&fake, &ROOMS).env("BLM_FAULTS", &faults);
    let monitor = setup.start().await;
    fake.wait_for(&ROOMS, 1).await;
    for room in ROOMS {
        monitor.wait_for_state(room, "live").await;
    }
    let browser = Browser::open(monitor.url()).await;
    browser.goto("/live/debug/?lang=en").await;
    browser.eval("(window.blmSame = true)").await;
    let mut stories: Vec<Story> = rooms.iter().map(|room| Story::chat(room, 0)).collect();
    chat(&fake, &mut stories, &rooms, 0..20).await;
    assert_eq!(browser.eval("document.querySelector('[data-h=deaths]').children.length").await, 0);
    let sent = chat_until_the_first_dies(&monitor, &fake, &mut stories, &rooms, 20).await;
    let death = format!(
        "window.blmSame === true && (t => t.includes('room {}') && t.includes('room-decode on purpose') && t.includes('faults.rs:') && t.includes('restart in'))(document.querySelector('[data-h=deaths]').innerText)",
        ROOMS[0]
    );
    browser.wait("the death stands on the page with text and place", &death).await;
    let row = format!("document.querySelector('#actors tr[data-name=\"room {}\"]')", ROOMS[0]);
    let alive = format!("{row}.cells[5].innerText === '2' && !!{row}.querySelector('.pill-live')");
    browser.wait("the new life stands on the page", &format!("window.blmSame === true && {alive}")).await;
    browser.picture("debug-death").await;
    fake.wait_for(&ROOMS[..1], 2).await;

    // The frame it died over is not lost, and the neighbours did not notice.
    chat(&fake, &mut stories, &rooms, sent..sent + 20).await;
    stored(&monitor, sent + 20 + 2 * 40).await;
    untouched(&monitor, 40).await;
    let ledger = monitor.data("/live/api/ledger/").await;
    assert_eq!((&ledger["balanced"], &ledger["total"]["duplicate"]), (&json!(true), &json!(0)), "{ledger}");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn every_actor_of_the_core_dies_under_load_and_nothing_is_lost() {
    let rooms = ROOMS.map(|room| Room::new(room, Packing::Plain));
    let fake = FakeBilibili::start(rooms.clone());
    let deaths = [
        ("redis_writer", "writer-flush"),
        ("sync", "sync-read"),
        ("broadcast", "broadcast-event"),
        ("status", "status-round"),
        ("rooms", "rooms-verdict"),
    ];
    let faults = format!(
        "writer-flush:40:panic,sync-read:6:panic,broadcast-event:40:panic,status-round:1:panic,room-decode@{}:26:panic,\
         rooms-verdict:1:panic",
        ROOMS[0]
    );
    let setup = Setup::watching(&fake, &ROOMS).env("BLM_FAULTS", &faults);
    let monitor = setup.start().await;
    for room in ROOMS {
        monitor.wait_for_state(room, "live").await;
    }
    let mut stories: Vec<Story> = rooms.iter().map(|room| Story::chat(room, 0)).collect();
    chat(&fake, &mut stories, &rooms, 0..20).await;
    let sent = chat_until_the_first_dies(&monitor, &fake, &mut stories, &rooms, 20).await;
    eventually("everybody has died once and lives again", async || {
        let health = monitor.data("/live/api/health/").await;
        let (dead, actors) = (health["deaths"].to_string(), health["actors"].as_array().cloned().unwrap_or_default());
        let again = |name: &str| actors.iter().any(|actor| actor["name"] == name && actor["life"] == 2);
        let told = |(name, point): (&str, &str)| dead.contains(&format!("{point} on purpose")) && again(name);
        if deaths.into_iter().all(told) { Ok(()) } else { Err(dead) }
    })
    .await;
    // The room whose death the supervisor was to judge is back as well.
    monitor.wait_for_state(ROOMS[0], "live").await;
    fake.wait_for(&ROOMS[..1], 2).await;
    chat(&fake, &mut stories, &rooms, sent..sent + 20).await;
    untouched(&monitor, 40).await;
    stored(&monitor, sent + 20 + 2 * 40).await;
    let ledger = monitor.data("/live/api/ledger/").await;
    assert_eq!((&ledger["balanced"], &ledger["total"]["dropped"]), (&json!(true), &json!({})), "{ledger}");
}

#[tokio::test]
async fn a_room_too_many_for_the_limit_of_open_files_is_refused_with_what_to_do() {
    let rooms: Vec<u64> = (92_007_101..92_007_112).collect();
    let fake = FakeBilibili::start(rooms.iter().map(|room| Room::new(*room, Packing::Plain)));
    let (named, more) = rooms.split_at(6);
    // Of 96 a quarter is kept for browsers and 64 for the program itself.
    let monitor = Setup::watching(&fake, named).open_files(96).start().await;
    for room in named {
        monitor.wait_for_state(*room, "live").await;
    }
    let mut answers = Vec::new();
    for room in more {
        let (status, said) = monitor.administrate(Method::POST, "/live/api/admin/rooms/", json!({"room": room})).await;
        answers.push((status, said["code"].clone()));
        if status != 201 {
            let text = said["error"].as_str().unwrap_or_default();
            assert!(text.contains("8 rooms are all") && text.contains("LimitNOFILE"), "{said}");
        }
    }
    let refused = (507, json!("too_many_rooms"));
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 2, "{answers:?}");
    assert_eq!(answers[2..], [refused.clone(), refused.clone(), refused]);
    for room in &rooms[..8] {
        monitor.wait_for_state(*room, "live").await;
    }
}

#[tokio::test]
async fn a_room_that_is_stuck_shows_as_stuck_and_a_click_brings_it_back() {
    let rooms = ROOMS.map(|room| Room::new(room, Packing::Plain));
    let fake = FakeBilibili::start(rooms.clone());
    let faults = format!("room-decode@{}:5:hang", ROOMS[0]);
    let setup = Setup::watching(&fake, &ROOMS).env("BLM_FAULTS", &faults);
    let monitor = setup.start().await;
    for room in ROOMS {
        monitor.wait_for_state(room, "live").await;
    }
    let browser = Browser::open(monitor.url()).await;
    browser.sign_in().await;
    browser.goto("/live/debug/?lang=en").await;
    browser.eval("(window.blmSame = true)").await;
    let mut stories: Vec<Story> = rooms.iter().map(|room| Story::chat(room, 0)).collect();
    chat(&fake, &mut stories, &rooms, 0..10).await;
    let row = format!("document.querySelector('#actors tr[data-name=\"room {}\"]')", ROOMS[0]);
    let stuck = format!(
        "window.blmSame === true && {row}.classList.contains('is-stuck') && {row}.innerText.includes('stuck') && document.querySelector('[data-h=findings]').innerText.includes('1 rooms are stuck')"
    );
    browser.wait("it shows as stuck", &stuck).await;
    browser.picture("debug-stuck").await;
    let health = monitor.data("/live/api/health/").await;
    assert_eq!(health["verdict"], "degraded", "{}", health["sentence"]);
    assert_eq!(actor(&monitor, ROOMS[1]).await["stuck"], false);
    browser.click(&format!("#actors tr[data-name='room {}'] button[data-deed=restart]", ROOMS[0])).await;
    let well = format!(
        "window.blmSame === true && !{row}.classList.contains('is-stuck') && {row}.cells[5].innerText === '2' && !!{row}.querySelector('.pill-live')"
    );
    browser.wait("it lives again", &well).await;
    untouched(&monitor, 10).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn without_a_terminal_the_status_display_prints_snapshots() {
    let room = Room::new(ROOMS[0], Packing::Plain);
    let fake = FakeBilibili::start([room]);
    let monitor = Setup::watching(&fake, &ROOMS[..1]).with(&["--status-display"]).start().await;
    eventually("the room is in a snapshot", async || {
        let said = monitor.stdout();
        let is_there = said.iter().any(|line| line.starts_with(&format!("room {}", ROOMS[0])));
        if is_there { Ok(()) } else { Err(said.join("\n")) }
    })
    .await;
    let said = monitor.stdout().join("\n");
    assert!(said.contains("received 0 = stored 0") && !said.contains('\u{1b}'), "{said}");
}
