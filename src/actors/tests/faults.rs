//! Faults at every point: who dies, with which text and place; that nothing is lost, and that the
//! neighbours do not notice.

use super::*;
use crate::supervise::faults;

/// One room that meets the fault and one that does not; gives the log.
async fn with_fault(plan: &str, first: Vec<Act>, then: Vec<Act>) -> Vec<String> {
    obituary::remember_panics();
    let _faults = faults::here(plan);
    let world = World::new();
    world.script.life(1, first);
    world.script.life(1, then);
    world.script.life(2, lines(0..60));
    world.watch(1).await;
    world.watch(2).await;
    sleep(Duration::from_secs(60)).await;
    let log = world.log();
    for death in world.board.deaths().iter().filter(|death| death.exit == "panicked") {
        assert!(death.place.as_deref().is_some_and(|place| place.contains("faults.rs:")), "{plan}: {death:?}");
    }
    let neighbour = world.board.actors().into_iter().find(|actor| actor.name == "room 2").expect("it is there");
    assert_eq!(neighbour.events_in, 60, "{plan}");
    assert_eq!(world.stop(&[1, 2]).await, [40, 60], "{plan}: {log:?}");
    log
}

#[test]
fn a_panic_at_any_point_is_told_with_its_place_and_loses_nothing() {
    on_paused_time(async {
        // The first two frames are the welcome and a heartbeat, so the twentieth is chat line 17, which stays in
        // hand. Each event is asked about before and after it is offered, so the 37th time is about line 18.
        for (plan, said, expected) in [
            ("room-decode@1:20:panic", 18, "room 1 life 1 panicked: a fault was put at room-decode on purpose (1)"),
            ("room-hand-on@1:37:panic", 19, "room 1 life 1 panicked: a fault was put at room-hand-on on purpose (1)"),
            ("room-hand-on@1:38:panic", 19, "room 1 life 1 panicked: a fault was put at room-hand-on on purpose (1)"),
            ("writer-flush:30:panic", 40, "redis_writer life 1 panicked: a fault was put at writer-flush on purpose"),
            ("sync-read:5:panic", 40, "sync life 1 panicked: a fault was put at sync-read on purpose"),
            ("sqlite-row:30:panic", 40, "sync life 1 panicked: a fault was put at sqlite-row on purpose"),
            ("sqlite-commit:3:panic", 40, "sync life 1 panicked: a fault was put at sqlite-commit on purpose"),
            (
                "broadcast-event:30:panic",
                40,
                "broadcast life 1 panicked: a fault was put at broadcast-event on purpose",
            ),
            ("status-round:1:panic", 40, "status life 1 panicked: a fault was put at status-round on purpose"),
        ] {
            let log = with_fault(plan, lines(0..said), lines(said..40)).await;
            assert_eq!(log.len(), 1, "{plan}: {log:?}");
            assert!(log[0].starts_with(expected) && log[0].contains("-> restart in"), "{plan}: {log:?}");
        }
    });
}

#[test]
fn an_error_at_any_point_ends_at_most_one_connection_and_loses_nothing() {
    on_paused_time(async {
        for (plan, said, deaths) in [
            ("room-decode@1:20:error", 18, 1),
            ("room-hand-on@1:38:error", 19, 1),
            ("writer-flush:30:error", 40, 0),
            ("sync-read:5:error", 40, 0),
            ("sqlite-commit:3:error", 40, 0),
            ("broadcast-event:30:error", 40, 0),
            ("status-round:1:error", 40, 0),
        ] {
            let log = with_fault(plan, lines(0..said), lines(said..40)).await;
            assert_eq!(log.len(), deaths, "{plan}: {log:?}");
        }
    });
}

#[test]
fn a_supervisor_that_panics_is_back_with_all_its_rooms() {
    on_paused_time(async {
        let log = with_fault("room-decode@1:20:panic,rooms-verdict:1:panic", lines(0..18), lines(18..40)).await;
        assert_eq!(log, ["rooms life 1 panicked: a fault was put at rooms-verdict on purpose (1) -> restart in 0.5 s"]);
    });
}

#[test]
fn a_crash_loop_ends_in_failed_and_lives_no_more_until_it_is_probed() {
    obituary::remember_panics();
    on_paused_time(async {
        let _faults = faults::here("room-decode@1:1+:panic");
        let world = World::new();
        world.watch(1).await;
        world.watch(2).await;
        let minutes = |n: u64| sleep(Duration::from_secs(60 * n));
        let lives = |world: &World| {
            world
                .board
                .actors()
                .iter()
                .find(|actor| actor.name == "room 1")
                .map(|actor| (actor.life, actor.exits.clone()))
        };
        minutes(2).await;
        assert_eq!(
            world.log(),
            [
                "room 1 life 1 panicked: a fault was put at room-decode on purpose (1) -> restart in 0.5 s",
                "room 1 life 2 panicked: a fault was put at room-decode on purpose (1) -> restart in 1.2 s",
                "room 1 life 3 panicked: a fault was put at room-decode on purpose (1) -> restart in 3.4 s",
                "room 1 life 4 panicked: a fault was put at room-decode on purpose (1) -> restart in 5.7 s",
                "room 1 life 5 panicked: a fault was put at room-decode on purpose (1) -> failed: crashing",
            ]
        );
        let spent = Some((5, [("panicked".into(), 5)].into()));
        assert_eq!((world.state(1), lives(&world)), (State::Failed, spent.clone()));
        minutes(13).await;
        assert_eq!(lives(&world), spent, "not one life more");
        minutes(2).await;
        assert_eq!(lives(&world).map(|(life, _)| life), Some(6), "it is probed once");
        minutes(15).await;
        assert_eq!(lives(&world).map(|(life, _)| life), Some(7), "and once more");
        assert_eq!(world.state(2), State::Live);
        world.stop(&[]).await;
    });
}

#[test]
fn what_no_life_can_handle_becomes_a_dead_letter_and_the_rest_goes_on() {
    obituary::remember_panics();
    on_paused_time(async {
        for (point, who) in [("writer-flush", "redis_writer"), ("sqlite-row", "sync")] {
            let _faults = faults::here(&format!("{point}@666:1+:panic"));
            let world = World::new();
            world.script.life(1, lines(0..100));
            let later = Duration::from_secs(20);
            world.script.life(666, vec![Act::Say(chat(500)), Act::Wait(later), Act::Say(chat(501))]);
            world.watch(1).await;
            world.watch(666).await;
            sleep(Duration::from_secs(60)).await;
            let log = world.log();
            assert_eq!(log.len(), 2, "the third life takes it apart: {log:?}");
            assert!(log.iter().all(|line| line.starts_with(who) && line.contains(point)), "{log:?}");
            assert!(world.ended.borrow().given_up.is_none());
            let letters = world.database.dead_letters(10).expect("readable");
            assert_eq!(letters.len(), 2, "{letters:?}");
            assert!(
                letters.iter().all(|letter| letter.room_id == 666 && letter.error.contains("(666) (")),
                "{letters:?}"
            );
            let ledger = world.ledger.clone();
            assert_eq!(world.stop(&[1, 666]).await, [100, 0], "{point}");
            assert_eq!(ledger.reading().total.dead_letter, 2);
        }
    });
}

#[test]
fn what_cannot_be_shown_is_on_record_all_the_same() {
    obituary::remember_panics();
    on_paused_time(async {
        let _faults = faults::here("broadcast-event@666:1+:panic");
        let world = World::new();
        world.script.life(1, lines(0..100));
        world.script.life(666, vec![Act::Say(chat(500))]);
        world.watch(1).await;
        world.watch(666).await;
        sleep(Duration::from_secs(60)).await;
        let log = world.log();
        assert!(log.len() == 2 && log.iter().all(|line| line.starts_with("broadcast")), "{log:?}");
        assert_eq!(world.ring.events_so_far(None), 100);
        assert_eq!(world.stop(&[1, 666]).await, [100, 1]);
    });
}

#[test]
fn a_room_that_no_longer_moves_is_ended_and_what_it_had_in_hand_is_stored() {
    on_paused_time(async {
        for (point, said) in
            [("room-decode@1:20:hang", 18), ("room-hand-on@1:37:hang", 19), ("room-hand-on@1:38:hang", 19)]
        {
            let _faults = faults::here(point);
            let world = World::new();
            world.script.life(1, lines(0..said));
            world.script.life(1, lines(said..40));
            world.watch(1).await;
            sleep(Duration::from_secs(20)).await;
            assert_eq!((world.state(1), world.log().len()), (State::Live, 0), "it is only shown for now");
            sleep(Duration::from_secs(100)).await;
            let log = world.log();
            assert_eq!(log.len(), 1, "{log:?}");
            let doing = if point.contains("decode") { "decoding" } else { "" };
            assert!(log[0].contains(&format!("room 1 life 1 stuck: {doing}")), "{log:?}");
            assert_eq!(world.stop(&[1]).await, [40], "{point}");
        }
    });
}

#[test]
fn a_stuck_room_is_restarted_by_hand_without_waiting_for_it() {
    on_paused_time(async {
        let _faults = faults::here("room-decode@1:20:hang");
        let world = World::new();
        world.script.life(1, lines(0..18));
        world.script.life(1, lines(18..40));
        world.watch(1).await;
        sleep(Duration::from_secs(10)).await;
        world.rooms.restart(RoomId(1)).await.expect("taken");
        sleep(Duration::from_secs(6)).await;
        assert_eq!(world.state(1), State::Live);
        sleep(Duration::from_secs(6)).await;
        assert_eq!(world.stop(&[1]).await, [40]);
    });
}

#[test]
fn a_stuck_room_does_not_hold_up_the_end_and_what_it_takes_along_is_on_the_books() {
    on_paused_time(async {
        let _faults = faults::here("room-hand-on@1:37:hang");
        let world = World::new();
        world.script.life(1, lines(0..40));
        world.script.life(2, lines(0..40));
        world.watch(1).await;
        world.watch(2).await;
        sleep(Duration::from_secs(10)).await;
        let ledger = world.ledger.clone();
        assert_eq!(world.stop(&[1, 2]).await, [18, 40]);
        assert_eq!(ledger.reading().total.dropped, [("stopped".to_owned(), 1)].into());
    });
}

#[test]
fn a_core_actor_that_no_longer_moves_is_ended_and_loses_nothing() {
    on_paused_time(async {
        for (plan, who) in [
            ("writer-flush:30:hang", "redis_writer"),
            ("sync-read:5:hang", "sync"),
            ("broadcast-event:30:hang", "broadcast"),
        ] {
            let _faults = faults::here(plan);
            let world = World::new();
            world.script.life(1, lines(0..60));
            world.watch(1).await;
            sleep(Duration::from_secs(200)).await;
            let log = world.log();
            assert_eq!(log.len(), 1, "{plan}: {log:?}");
            assert!(log[0].starts_with(&format!("{who} life 1 stuck: ")), "{log:?}");
            assert_eq!(world.stop(&[1]).await, [60], "{plan}");
        }
    });
}
