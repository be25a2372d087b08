//! Rooms on threads of their own, on the real clock.

use actix::System;

use super::*;

/// Waits for a condition, with patience.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1500 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not happen in 30 s");
}

#[test]
fn a_thread_that_dies_is_replaced_and_its_rooms_come_back() {
    System::new().block_on(async {
        let world = World::on_threads(2);
        for room in 1..=6 {
            world.watch(room).await;
        }
        eventually("all rooms are live", || (1..=6).all(|room| world.state(room) == State::Live)).await;
        let lives = |world: &World| -> Vec<(String, u32)> {
            let rooms = world.board.actors().into_iter().filter(|actor| actor.kind == "room");
            rooms.map(|room| (room.thread.expect("it lives somewhere").to_string(), room.life)).collect()
        };
        let before = lives(&world);
        assert!(before.iter().any(|(thread, _)| thread == "rooms 1"), "{before:?}");
        world.placement().stop_thread(0);
        let fell = before.iter().filter(|(thread, _)| thread == "rooms 1").count();
        eventually("those that lived there live again", || {
            (1..=6).all(|room| world.state(room) == State::Live) && world.log().len() == fell
        })
        .await;
        assert!(
            world.log().iter().all(|line| line.contains("vanished without a reason -> restart")),
            "{:?}",
            world.log()
        );
        let after = lives(&world);
        for (before, after) in before.iter().zip(&after) {
            let expected = if before.0 == "rooms 1" { ("rooms 2", 2) } else { ("rooms 2", 1) };
            assert_eq!((after.0.as_str(), after.1), expected, "{before:?}: the neighbours stay as they were");
        }
        for room in 7..=20 {
            world.watch(room).await;
        }
        eventually("new rooms live on the new thread as well", || {
            (1..=20).all(|room| world.state(room) == State::Live)
                && lives(&world).iter().any(|(thread, _)| thread == "rooms 1")
        })
        .await;
        world.stop(&[]).await;
    });
}
