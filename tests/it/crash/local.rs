//! What fails on this machine: the program, SQLite, the disk, the clock.

use std::{fs, path::Path, time::Duration};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use serde_json::Value;

use super::{health_tells, killed};
use crate::support::{
    eventually,
    fake::unix_ms,
    load::{Load, Scale},
    monitor::Setup,
    same,
    small_disk::SmallDisk,
};

pub async fn killed_again_and_again(first: u64, scale: Scale) {
    killed(first, scale, &[]).await;
}

pub async fn sqlite_locked(first: u64, scale: Scale) {
    let mut load = Load::new(first, scale);
    let monitor = Setup::watching(&load.fake, &load.ids()).start().await;
    load.is_heard(1).await;
    load.send_for(Duration::from_millis(500)).await;
    let mut locker = SqliteConnection::establish(&monitor.setup().database().to_string_lossy()).expect("opens");
    locker.batch_execute("PRAGMA busy_timeout = 20000; BEGIN IMMEDIATE").expect("locked");
    load.send_for(scale.locked).await;
    health_tells(&monitor, "history_waits").await;
    let state = monitor.room(load.ids()[0]).await.map(|room| room["state"].clone());
    assert_eq!(state, Some(Value::from("live")));
    locker.batch_execute("ROLLBACK").expect("unlocked");
    load.is_stored_and_booked(&monitor).await;
    let task = monitor.rows("error_count, last_error", "live_data_monitoringtask");
    assert!(task[0]["error_count"].as_i64() >= Some(1), "the task's row tells of it: {task:?}");
}

pub async fn disk_full(first: u64, scale: Scale) {
    let mut load = Load::new(first, scale);
    let setup = Setup::watching(&load.fake, &load.ids());
    let disk = match SmallDisk::under(&setup, 256) {
        Ok(disk) => disk,
        Err(why) => return skipped("a full disk", &why),
    };
    let setup = setup.within(disk.within());
    let mut monitor = setup.start().await;
    load.is_heard(1).await;
    load.send_for(Duration::from_millis(500)).await;
    disk.fill();
    load.send_for(scale.full).await;
    health_tells(&monitor, "core_actor_restarting").await;
    let state = monitor.room(load.ids()[0]).await.map(|room| room["state"].clone());
    assert_eq!(state, Some(Value::from("live")));
    disk.free();
    load.send_for(Duration::from_millis(500)).await;
    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0), "{}", setup.stderr());
    // Once more on the same disk, and the books are those of all time.
    let mut monitor = setup.start().await;
    load.is_heard(2).await;
    load.send_for(Duration::from_millis(300)).await;
    eventually("the room's lines are counted", async || {
        let stats = monitor.data(&format!("/live/api/room/{}/stats/", load.ids()[0])).await;
        same(stats["stats"]["total_danmaku"].as_u64(), Some(load.sent() as u64))
    })
    .await;
    load.is_booked(&monitor, 0).await;
    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0), "{}", setup.stderr());
    // From outside the disk cannot be read by SQLite, its files can be copied.
    fs::copy(disk.file("live.db"), setup.database()).expect("a closed database is one file");
    for room in load.ids() {
        assert_eq!(load.is_stored(&setup, room).await.len(), load.sent());
    }
    load.say(load.sent() * load.ids().len());
}

/// Back by so much; the fake, as Bilibili, refuses signatures that are much older.
const BACK_S: i64 = 300;

pub async fn clock_set_back(first: u64, scale: Scale) {
    let mut load = Load::new(first, scale);
    let places =
        ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|arch| format!("/usr/lib/{arch}/faketime/libfaketimeMT.so.1"));
    let Some(library) = places.iter().find(|place| Path::new(place).exists()) else {
        return skipped("a clock that is set back", "libfaketime is not installed (tests/run does it)");
    };
    let setup = Setup::watching(&load.fake, &load.ids());
    let clock = setup.folder().join("clock");
    fs::write(&clock, "+0").expect("written");
    let setup = setup
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", &clock.to_string_lossy())
        .env("FAKETIME_CACHE_DURATION", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let mut monitor = setup.start().await;
    load.is_heard(1).await;
    load.send_for(Duration::from_secs(1)).await;
    fs::write(&clock, format!("-{BACK_S}")).expect("written");
    load.send_for(Duration::from_secs(2)).await;
    eventually("the program's clock has been set back", async || {
        let seconds = monitor.data("/live/api/system/stats/").await["timestamp"].as_i64().unwrap_or_default();
        if seconds < unix_ms() / 1000 - BACK_S / 2 { Ok(()) } else { Err(seconds.to_string()) }
    })
    .await;
    load.clock_ahead_ms = -BACK_S * 1000;
    for round in 0..2 {
        load.kill(&mut monitor, Duration::from_millis(1200)).await;
        monitor = setup.start().await;
        load.is_heard(round + 2).await;
    }
    load.send_for(Duration::from_millis(500)).await;
    load.is_stored_and_booked(&monitor).await;
}

#[expect(clippy::print_stderr, reason = "a test that did not run must not look like one that passed")]
fn skipped(what: &str, why: &str) {
    eprintln!("SKIPPED: {what} is not tested here: {why}");
}
