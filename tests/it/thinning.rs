//! A connection that brings a room's chat no longer, though its viewers go on: noticed, replaced once, shown.

use std::{ops::Range, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    PATIENCE, eventually,
    fake::{FakeBilibili, Room, unix_ms},
    monitor::{Monitor, Setup},
    packet::Packing,
};

/// A room in which something happens four times a second.
struct Lively<'a> {
    fake: &'a FakeBilibili,
    monitor: &'a Monitor,
    room: u64,
    at: i64,
}

impl Lively<'_> {
    /// A quarter of a second with so many lines; three viewers come in.
    async fn goes_on(&mut self, lines: i64) {
        let (room, second) = (self.room, unix_ms() / 1000);
        let mut numbers = |count: i64| -> Range<i64> {
            self.at += count;
            self.at - count..self.at
        };
        let said = numbers(lines).map(|n| {
            json!({"cmd": "DANMU_MSG", "info": [[0, 1, 25, 16_777_215, unix_ms(), n, 0, "0badcafe"], format!("第{n}句"),
                [5_000_000 + n, format!("观众{n}")], [], [5, 0, 0, ">50000"]]})
        });
        let mut told: Vec<Value> = said.collect();
        told.extend(numbers(3).map(|n| {
            json!({"cmd": "INTERACT_WORD", "data": {"uid": 6_000_000 + n, "uname": format!("来客{n}"), "msg_type": 1,
                "roomid": room, "timestamp": second}})
        }));
        self.fake.send(room, &told);
        sleep(Duration::from_millis(250)).await;
    }

    /// With so many lines each quarter of a second, until the room is called thinned, or no longer.
    async fn goes_on_until(&mut self, thinned: bool, lines: i64) {
        for _ in 0..PATIENCE.as_millis() / 250 {
            self.goes_on(lines).await;
            if self.is_thinned().await == thinned {
                return;
            }
        }
        panic!("the room is thinned: {}", !thinned);
    }

    async fn is_thinned(&self) -> bool {
        self.monitor.room(self.room).await.unwrap_or_default()["thinned_since_ms"].is_i64()
    }
}

#[tokio::test]
async fn a_room_that_is_thinned_is_connected_anew_once_and_shown_until_its_chat_comes_again() {
    let room = Room::new(92_001_001, Packing::Brotli);
    let id = room.room_id;
    let fake = FakeBilibili::start([room]);
    let monitor = Setup::watching(&fake, &[id]).with(&["--thinned-seconds", "6"]).start().await;
    fake.wait_for(&[id], 1).await;
    let mut room = Lively { fake: &fake, monitor: &monitor, room: id, at: 0 };
    for _ in 0..80 {
        room.goes_on(6).await;
    }
    assert!(!room.is_thinned().await);
    assert_eq!(fake.connects(id), 1);

    room.goes_on_until(true, 0).await;
    fake.wait_for(&[id], 2).await;
    let health = monitor.data("/live/api/health/").await;
    assert!(health["findings"].to_string().contains("room_thinned"), "{health}");
    // Nor does the other connection bring it: that is told, and not tried again and again.
    for _ in 0..40 {
        room.goes_on(0).await;
    }
    assert!(room.is_thinned().await);
    assert_eq!(fake.connects(id), 2);

    room.goes_on_until(false, 6).await;
    assert_eq!(fake.connects(id), 2);
    eventually("the time without most of the chat is on record", async || {
        let gaps = monitor.data(&format!("/live/api/room/{id}/gaps/")).await["gaps"].take();
        let mut thinned = gaps.as_array().into_iter().flatten().filter(|gap| gap["reason"] == "thinned");
        let ended = thinned.next().is_some_and(|gap| gap["to_ms"].is_i64());
        if ended && thinned.next().is_none() { Ok(()) } else { Err(gaps.to_string()) }
    })
    .await;
    assert_eq!(fake.violations(), Vec::<String>::new());
}
