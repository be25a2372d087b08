//! What is found out about a room beside its stream: turns that only a poll tells of, and lines fetched
//! after a gap.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{
    super::{
        root::EndRooms,
        script::{Act, chat},
    },
    world::{World, on_paused_time},
};
use crate::{
    domain::{Body, Danmaku, Event, LiveStatus, RoomId, Source, Uid, User},
    protocol::Arrival,
    store::{
        gaps::{OFF_AIR, THINNED},
        queries::{Filter, Page},
    },
    supervise::vitals::State,
};

const T: i64 = 1_700_000_000_000;

fn turns(world: &World, room: u64) -> Vec<String> {
    let filter = Filter { room: Some(RoomId(room)), ..Default::default() };
    let page = Page { limit: 100, before: None, since: None };
    let events = world.database.room_events(&filter, &page).expect("readable").events;
    let mut told: Vec<String> =
        events.iter().map(|event| format!("{} {}", event.kind().as_str(), event.source.as_str())).collect();
    told.reverse();
    told
}

#[test]
fn a_turn_that_nobody_tells_of_is_found_by_asking_and_the_stream_is_believed_first() {
    on_paused_time(async {
        let world = World::new();
        world.script.say_of(1, LiveStatus::Off, None);
        world.watch(1).await;
        sleep(Duration::from_secs(60)).await;
        // Withheld by the stream of a connected room: believed when asked again.
        world.script.say_of(1, LiveStatus::Live, Some(T));
        sleep(Duration::from_secs(29)).await;
        assert_eq!(turns(&world, 1), Vec::<String>::new());
        sleep(Duration::from_secs(60)).await;
        assert_eq!(turns(&world, 1), ["live backfill"]);
        assert_eq!(world.wall.info(RoomId(1)).map(|info| info.live_since_ms), Some(Some(T)));
        // Replays are no broadcast, and their end is none either.
        world.script.say_of(1, LiveStatus::Carousel, None);
        sleep(Duration::from_secs(120)).await;
        world.script.say_of(1, LiveStatus::Off, None);
        sleep(Duration::from_secs(120)).await;
        assert_eq!(turns(&world, 1), ["live backfill", "preparing backfill"]);
        assert_eq!(world.wall.info(RoomId(1)).map(|info| info.status), Some(LiveStatus::Off));
        assert!(world.ledger.reading().balanced);
        world.root.send(EndRooms).await.expect("Root lives");
    });
}

fn fetched(n: u64) -> Event {
    let user = User { uid: Uid(1000 + n), ..User::default() };
    let body = Body::Danmaku(Danmaku { message: format!("第{n}句"), ..Danmaku::default() });
    let arrival = Arrival { room_id: RoomId(1), received_ms: T };
    Event { source: Source::Backfill, ..arrival.event(T, user, body, &["danmaku", "fetched", &n.to_string()]) }
}

#[test]
fn lines_fetched_after_a_gap_are_stored_once_and_a_list_that_fails_harms_nobody() {
    on_paused_time(async {
        let world = World::new();
        let second = Duration::from_secs(1);
        world.script.life(1, vec![Act::Say(chat(1)), Act::Wait(second), Act::Close]);
        world.script.life(1, vec![Act::Say(chat(1)), Act::Wait(second * 5), Act::Say(chat(2)), Act::Say(chat(4))]);
        world.script.list(1, vec![fetched(1), fetched(2), fetched(3)]);
        world.watch(1).await;
        sleep(Duration::from_secs(30)).await;
        let ledger = world.ledger.reading().total;
        assert_eq!((ledger.received, ledger.duplicate), (7, 3), "{ledger:?}");
        assert_eq!(world.state(1), State::Live);
        assert_eq!(world.stop(&[1]).await, [4]);
    });
}

#[test]
fn a_connection_that_brings_nothing_forgives_no_streak() {
    on_paused_time(async {
        let world = World::new();
        for _ in 0..4 {
            world.script.life(1, vec![Act::Wait(Duration::from_secs(100)), Act::Close]);
        }
        world.script.life(1, vec![Act::Say(chat(1)), Act::Wait(Duration::from_secs(100)), Act::Close]);
        world.watch(1).await;
        sleep(Duration::from_secs(600)).await;
        let pauses: Vec<String> =
            world.log().iter().filter_map(|line| Some(line.split_once("restart in ")?.1.to_owned())).collect();
        let seconds: Vec<f64> = pauses.iter().filter_map(|pause| pause.strip_suffix(" s")?.parse().ok()).collect();
        assert_eq!(seconds.len(), 5, "{pauses:?}");
        assert!(seconds[3] >= 4.0 && seconds[4] <= 1.0, "{pauses:?}");
        world.stop(&[1]).await;
    });
}

#[test]
fn a_room_that_connects_only_when_live_waits_connects_and_lets_go() {
    on_paused_time(async {
        let world = World::when_live();
        world.script.life(1, vec![Act::Say(chat(1))]);
        world.script.say_of(1, LiveStatus::Off, None);
        world.watch(1).await;
        sleep(Duration::from_secs(300)).await;
        let waits = || world.wall.summary(RoomId(1)).map(|room| (room.state, room.reception.waits_for_broadcast));
        assert_eq!(waits(), Some((State::Waiting, true)));
        assert!(world.script.dials().is_empty(), "no connection off air");
        world.script.say_of(1, LiveStatus::Live, Some(T));
        sleep(Duration::from_secs(40)).await;
        assert_eq!(waits(), Some((State::Live, false)));
        world.script.say_of(1, LiveStatus::Off, None);
        sleep(Duration::from_secs(120)).await;
        assert_eq!(waits(), Some((State::Waiting, true)), "after a grace it lets go");
        assert_eq!((world.script.dials().len(), world.log()), (1, Vec::new()), "and nobody died");
        assert_eq!(turns(&world, 1), ["live backfill", "preparing backfill"]);
        let gaps = world.database.gaps(RoomId(1), 0, i64::MAX).expect("readable");
        assert!(gaps.iter().all(|gap| gap.reason == OFF_AIR || gap.to_ms.is_some()), "{gaps:?}");
        assert_eq!(gaps.iter().filter(|gap| gap.reason == OFF_AIR).count(), 2, "{gaps:?}");
        world.root.send(EndRooms).await.expect("Root lives");
    });
}

/// A minute in which so many lines are said and so many people come in.
fn minute(at: u64, lines: u64, enters: u64) -> Vec<Act> {
    let said = (0..lines).map(|n| Act::Say(chat(at * 1000 + n)));
    let came = (0..enters).map(|n| {
        Act::Say(json!({"cmd": "INTERACT_WORD", "data": {"uid": 50_000 + at * 1000 + n, "uname": "来客", "msg_type": 1,
            "roomid": 1, "timestamp": 1_700_000_000 + at * 60}}))
    });
    said.chain(came).chain([Act::Wait(Duration::from_secs(60))]).collect()
}

#[test]
fn a_thinned_room_is_connected_anew_once_and_then_shown_until_chat_comes_again() {
    on_paused_time(async {
        let world = World::new();
        let acts = |minutes: std::ops::Range<u64>, lines| minutes.flat_map(move |at| minute(at, lines, 40)).collect();
        let first: Vec<Act> = acts(0..20, 40);
        let thin: Vec<Act> = acts(20..30, 0);
        let still: Vec<Act> = acts(30..45, 0);
        let well: Vec<Act> = acts(45..60, 40);
        world.script.life(1, first.into_iter().chain(thin).collect());
        world.script.life(1, still.into_iter().chain(well).collect());
        world.script.say_of(1, LiveStatus::Live, Some(T));
        world.watch(1).await;
        let reception = || world.wall.summary(RoomId(1)).expect("on the wall").reception;
        sleep(Duration::from_secs(20 * 60)).await;
        assert!(reception().incomplete, "an anonymous connection never brings all");
        assert_eq!((reception().thinned_since_ms, world.log().len()), (None, 0));
        sleep(Duration::from_secs(15 * 60)).await;
        assert!(reception().thinned_since_ms.is_some());
        assert_eq!(world.state(1), State::Live, "it is connected all the same");
        let log = world.log();
        assert!(log.len() == 1 && log[0].contains("thinned"), "{log:?}");
        let gaps = world.database.gaps(RoomId(1), 0, i64::MAX).expect("readable");
        assert!(gaps.last().is_some_and(|gap| gap.reason == THINNED && gap.to_ms.is_none()), "{gaps:?}");
        sleep(Duration::from_secs(15 * 60)).await;
        assert_eq!((reception().thinned_since_ms, world.log().len()), (None, 1));
        let gaps = world.database.gaps(RoomId(1), 0, i64::MAX).expect("readable");
        assert!(gaps.iter().all(|gap| gap.to_ms.is_some()), "{gaps:?}");
        world.root.send(EndRooms).await.expect("Root lives");
    });
}
