//! Many rooms at once: waves of deaths, and ten minutes with two thousand.

use tokio::time::Instant;

use super::*;
use crate::{domain::RoomInfo, store::RoomTotals};

#[test]
fn an_outage_of_ten_minutes_costs_no_room_its_budget_and_all_come_back_evenly() {
    on_paused_time(async {
        const ROOMS: u64 = 500;
        let world = World::new();
        for room in 1..=ROOMS {
            world.wall.put(RoomInfo::unknown(RoomId(room)));
            world.rooms.watch(RoomInfo::unknown(RoomId(room)), false, RoomTotals::default()).await.expect("watched");
        }
        let live = |world: &World| (1..=ROOMS).filter(|room| world.state(*room) == State::Live).count();
        sleep(Duration::from_secs(30)).await;
        assert_eq!(live(&world), ROOMS as usize);
        world.script.set_outage(true);
        sleep(Duration::from_secs(600)).await;
        assert_eq!(live(&world), 0);
        let storm = world.board.present_storm().expect("it is shown");
        assert!(storm.deaths > ROOMS, "{storm:?}");
        let failed = (1..=ROOMS).filter(|room| world.state(*room) == State::Failed).count();
        assert_eq!(failed, 0);
        let (back, before) = (Instant::now(), world.script.dials().len());
        world.script.set_outage(false);
        sleep(Duration::from_secs(60)).await;
        assert_eq!(live(&world), ROOMS as usize, "all are back within a minute, the longest distance of two tries");
        let mut seconds = [0; 60];
        for dial in &world.script.dials()[before..] {
            seconds[dial.duration_since(back).as_secs() as usize] += 1;
        }
        assert_eq!(seconds.iter().sum::<usize>(), ROOMS as usize, "one try each");
        assert!(seconds.iter().all(|dials| *dials <= 50), "the gate: {seconds:?}");
        let by_ten: Vec<usize> = seconds.chunks(10).map(|ten| ten.iter().sum()).collect();
        assert!(by_ten.iter().all(|dials| (15..=160).contains(dials)), "evenly: {by_ten:?}");
        world.stop(&[]).await;
    });
}

#[test]
fn two_hundred_rooms_cut_at_once_and_again_never_make_ninety_six_connects_in_thirty_two_seconds() {
    on_paused_time(async {
        const ROOMS: u64 = 200;
        // As Bilibili is met by default.
        let world = World::at_pace(1.0);
        let start = Instant::now();
        for room in 1..=ROOMS {
            // All are cut at second 400; then half of them fall again as soon as they are there, and again.
            world.script.life(room, vec![Act::Wait(Duration::from_secs(400 - room)), Act::Close]);
            for _ in 0..(room % 2) * 2 {
                world.script.life(room, vec![Act::Close]);
            }
            world.wall.put(RoomInfo::unknown(RoomId(room)));
            world.rooms.watch(RoomInfo::unknown(RoomId(room)), false, RoomTotals::default()).await.expect("watched");
        }
        sleep(Duration::from_secs(1200)).await;
        let dials: Vec<Duration> = world.script.dials().iter().map(|dial| dial.duration_since(start)).collect();
        assert_eq!(dials.len() as u64, 2 * ROOMS + ROOMS, "one try for each time they were cut");
        let within = |seconds: u64| {
            let starting = |from: &Duration| {
                let end = *from + Duration::from_secs(seconds);
                dials.iter().filter(|dial| (*from..end).contains(*dial)).count()
            };
            dials.iter().map(starting).max().unwrap_or_default()
        };
        assert_eq!((within(1), within(32)), (1, 32), "a connect a second, whatever happens");
        assert!((1..=ROOMS).all(|room| world.state(room) == State::Live), "and all are back");
        world.stop(&[]).await;
    });
}

#[test]
fn a_wave_of_refusals_fails_no_room() {
    on_paused_time(async {
        let world = World::new();
        for room in 1..=40 {
            for _ in 0..3 {
                world.script.life(room, vec![Act::Refuse]);
            }
            world.watch(room).await;
        }
        sleep(Duration::from_secs(600)).await;
        let failed = (1..=40).filter(|room| world.state(*room) == State::Failed).count();
        assert!(failed <= 10, "only those that fell before the wave was seen may have spent their budget: {failed}");
        world.stop(&[]).await;
    });
}

#[test]
fn an_upstream_that_asks_for_patience_closes_the_gate_for_all() {
    on_paused_time(async {
        let world = World::new();
        world.script.life(1, vec![Act::Throttle(Duration::from_secs(90))]);
        world.watch(1).await;
        sleep(Duration::from_secs(1)).await;
        for room in 2..=10 {
            world.watch(room).await;
        }
        sleep(Duration::from_secs(88)).await;
        assert!((2..=10).all(|room| world.state(room) == State::Waiting));
        assert_eq!(world.log(), ["room 1 life 1 throttled for 90 s -> restart in 90.0 s"]);
        sleep(Duration::from_secs(3)).await;
        assert!((1..=10).all(|room| world.state(room) == State::Live));
        world.stop(&[]).await;
    });
}

#[test]
fn all_rooms_are_reconnected_one_after_another_and_none_waits_long() {
    on_paused_time(async {
        let world = World::new();
        for room in 1..=100 {
            world.watch(room).await;
        }
        sleep(Duration::from_secs(10)).await;
        let (asked, before) = (Instant::now(), world.script.dials().len());
        world.rooms.reconnect_all().await.expect("taken");
        for tenths in 1..=20 {
            sleep(Duration::from_millis(100)).await;
            let away = (1..=100).filter(|room| world.state(*room) != State::Live).count();
            assert!(away <= 80, "after {tenths} tenths of a second {away} are away");
        }
        sleep(Duration::from_secs(5)).await;
        let dials = &world.script.dials()[before..];
        assert_eq!(dials.len(), 100);
        let last = dials.iter().max().expect("some").duration_since(asked);
        assert!(last < Duration::from_secs(5), "{last:?}");
        assert!((1..=100).all(|room| world.state(room) == State::Live));
        assert!(world.log().is_empty(), "nobody died of it: {:?}", world.log());
        world.stop(&[]).await;
    });
}

#[test]
fn a_failed_room_is_revived_by_hand() {
    on_paused_time(async {
        let world = World::new();
        for _ in 0..3 {
            world.script.life(1, vec![Act::Refuse]);
        }
        world.watch(1).await;
        sleep(Duration::from_secs(300)).await;
        assert_eq!(world.state(1), State::Failed);
        world.rooms.restart(RoomId(1)).await.expect("taken");
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.state(1), State::Live);
        world.stop(&[]).await;
    });
}

#[test]
fn two_thousand_rooms_live_through_ten_minutes() {
    on_paused_time(async {
        let world = World::new();
        for room in 1..=2000 {
            let acts = (0..6).flat_map(|n| [Act::Say(chat(n)), Act::Wait(Duration::from_secs(60 + room % 40))]);
            world.script.life(room, acts.chain([Act::Close]).collect());
            world.wall.put(RoomInfo::unknown(RoomId(room)));
            world.rooms.watch(RoomInfo::unknown(RoomId(room)), false, RoomTotals::default()).await.expect("watched");
        }
        sleep(Duration::from_secs(600)).await;
        let rooms: Vec<u64> = (1..=2000).collect();
        let stored = world.stop(&rooms).await;
        assert!(stored.iter().all(|lines| *lines >= 5), "{stored:?}");
    });
}
