//! Deaths of rooms and what is made of them.

use super::*;

#[test]
fn every_death_goes_through_the_policy_and_what_was_received_is_stored() {
    on_paused_time(async {
        let world = World::new();
        let minute = Duration::from_secs(60);
        world.script.life(1, vec![Act::Say(chat(1)), Act::Say(chat(2)), Act::Wait(minute), Act::Close]);
        world.script.life(1, vec![Act::Away]);
        world.script.life(1, vec![Act::Say(chat(2)), Act::Say(chat(3)), Act::Close]);
        world.script.life(1, vec![Act::Refuse]);
        world.script.life(1, vec![Act::Refuse]);
        world.script.life(1, vec![Act::Refuse]);
        world.watch(1).await;
        sleep(Duration::from_secs(600)).await;
        assert_eq!(
            world.log(),
            [
                "room 1 life 1 lost: the upstream said goodbye -> restart in 0.5 s",
                "room 1 life 2 lost: Bilibili was not reached for getDanmuInfo: refused -> restart in 1.2 s",
                "room 1 life 3 lost: the upstream said goodbye -> restart in 3.4 s",
                "room 1 life 4 refused: Bilibili refused getDanmuInfo: 65530 -> restart in 21.4 s",
                "room 1 life 5 refused: Bilibili refused getDanmuInfo: 65530 -> restart in 58.9 s",
                "room 1 life 6 refused: Bilibili refused getDanmuInfo: 65530 -> failed: refused",
            ]
        );
        assert_eq!(world.state(1), State::Failed);
        sleep(Duration::from_secs(900)).await;
        assert_eq!(world.state(1), State::Live, "a failed room is probed");
        assert_eq!(world.ledger.reading().total.duplicate, 1, "what the upstream repeats after a reconnect");
        assert_eq!(world.ring.events_so_far(None), 3);
        assert_eq!(world.stop(&[1]).await, [3]);
    });
}

#[test]
fn a_panicking_room_does_not_disturb_its_neighbours() {
    obituary::remember_panics();
    on_paused_time(async {
        let world = World::new();
        for _ in 0..5 {
            world.script.life(1, vec![Act::Say(chat(1)), Act::PanicThem]);
        }
        world.script.life(2, (0..50).flat_map(|n| [Act::Say(chat(n)), Act::Wait(Duration::from_secs(1))]).collect());
        world.watch(1).await;
        world.watch(2).await;
        sleep(Duration::from_secs(120)).await;
        let log = world.log();
        assert_eq!(log.len(), 5, "{log:?}");
        assert!(log.iter().all(|line| line.starts_with("room 1") && line.contains("panicked: scripted")), "{log:?}");
        assert!(log[4].ends_with("failed: crashing"), "{log:?}");
        assert!(world.board.deaths()[0].place.as_deref().is_some_and(|place| place.contains("script.rs:")));
        assert_eq!(world.state(2), State::Live);
        assert_eq!(world.stop(&[1, 2]).await, [1, 50]);
    });
}

#[test]
fn an_upstream_that_falls_silent_or_sends_garbage_is_noticed() {
    on_paused_time(async {
        let world = World::new();
        world.script.life(1, vec![Act::Garbage, Act::Say(chat(1)), Act::FallSilent]);
        world.watch(1).await;
        sleep(Duration::from_secs(34)).await;
        assert!(world.log().is_empty() || world.log()[0].contains("heartbeat"), "{:?}", world.log());
        sleep(Duration::from_secs(30)).await;
        assert!(world.log()[0].contains("a heartbeat was not answered in 5 s"), "{:?}", world.log());
        assert_eq!(world.state(1), State::Live);
        assert_eq!(world.ledger.reading().total.unreadable, 1);
        assert_eq!(world.stop(&[1]).await, [1]);
    });
}

#[test]
fn a_paused_room_stays_disconnected_and_a_removed_one_is_gone() {
    on_paused_time(async {
        let world = World::new();
        world.watch(1).await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.state(1), State::Live);
        world.rooms.pause(RoomId(1)).await.expect("paused");
        sleep(Duration::from_secs(120)).await;
        assert_eq!(world.state(1), State::Paused);
        world.rooms.resume(RoomId(1)).await.expect("resumed");
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.state(1), State::Live);
        world.rooms.restart(RoomId(1)).await.expect("restarted");
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.state(1), State::Live);
        assert_eq!(world.board.actors().iter().find(|actor| actor.name == "room 1").map(|actor| actor.life), Some(3));
        world.rooms.remove(RoomId(1), false).await.expect("removed");
        sleep(Duration::from_secs(5)).await;
        assert!(world.wall.summary(RoomId(1)).is_none());
        assert!(world.board.actors().iter().all(|actor| actor.kind != "room"));
        assert!(world.log().is_empty(), "{:?}", world.log());
        world.stop(&[]).await;
    });
}
