//! Exactly once: whatever comes, however often, every sum equals a count over the rows.

use std::collections::BTreeSet;

use diesel::connection::SimpleConnection;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::super::{
    LiveStore,
    embedded::EmbeddedStore,
    fixtures::{
        T0, assert_sums_equal_rows, batch, by, danmaku, event, gauge, gift, guard, notice, number, open, shared,
        super_chat,
    },
    queries::{Filter, Page},
    schema::blm_deadletter,
    series::Step,
};
use super::*;
use crate::domain::{Gauge, Gold, Medal, RoomInfo, Source, Uid, User};

#[test]
fn what_was_recorded_is_read_back_and_counted() {
    let (_folder, database) = open();
    let events = vec![
        by(danmaku(1, 0, "你好"), 5),
        by(gift(1, 1, 15_003), 5),
        by(gift(1, 2, 0), 6),
        by(super_chat(1, 3, 77, 30_000), 0),
        by(guard(1, 4, 138_000), 7),
        notice(1, 5, "新标题"),
        event(1, 6, Body::Enter(Some(Medal { name: "a".into(), level: 1 }))),
        event(1, 7, Body::SuperChatDelete { ids: vec![77, 78] }),
        gauge(1, 8, Gauge { watched: Some(5), ..Gauge::default() }),
        by(danmaku(2, 9, "抽奖"), 5),
    ];
    let recorded = database.record(StoreKind::Redis, &[batch("1-0", events.clone())]).unwrap();
    assert_eq!(recorded.outcome(), Outcome { stored: 10, duplicate: 0, dead_letter: 0 });
    assert_eq!(recorded.rooms[&RoomId(2)].received(), 1);
    let totals = RoomTotals {
        danmaku: 1,
        gifts: 2,
        super_chats: 1,
        guards: 1,
        users: 3,
        masked: 1,
        unidentified: 1,
        others_gold: Gold::ZERO,
        gift_gold: Gold(15_003),
        super_chat_gold: Gold(30_000),
        guard_gold: Gold(138_000),
        last_event_ms: T0 + 8,
    };
    assert_eq!(recorded.totals[&RoomId(1)], totals);
    assert_eq!(database.totals(RoomId(1)).unwrap(), totals);
    assert_eq!(database.cursor(StoreKind::Redis).unwrap(), Some(Position("1-0".into())));
    assert_eq!(database.cursor(StoreKind::Embedded).unwrap(), None);
    assert_sums_equal_rows(&database);

    let filter = Filter { room: Some(RoomId(1)), ..Filter::default() };
    let page = Page { limit: 10, before: None, since: None };
    assert_eq!(database.danmaku(&filter, &page).unwrap().events, events[..1]);
    assert_eq!(database.gifts(&filter, &page).unwrap().events, [events[2].clone(), events[1].clone()]);
    assert_eq!(database.super_chats(&filter, &page).unwrap().events, events[3..4]);
    assert_eq!(database.guards(&filter, &page).unwrap().events, events[4..5]);
    let room_events = database.room_events(&filter, &page).unwrap().events;
    assert_eq!(room_events, [events[7].clone(), events[5].clone()]);
    assert_eq!(number(&database, "SELECT deleted AS n FROM live_data_superchat"), 1);
    assert_eq!(number(&database, "SELECT CAST(price * 100 AS INTEGER) AS n FROM live_data_guard"), 13_800);
}

#[test]
fn who_chats_or_gives_interacts_and_who_only_repeats_a_raffle_phrase_does_not() {
    let (_folder, database) = open();
    let batches = [
        (vec![by(danmaku(1, 0, "抽奖"), 5), by(danmaku(1, 1, "masked"), 0)], 0, 0),
        (vec![by(event(1, 2, Body::Enter(None)), 4), by(event(1, 3, Body::Follow(None)), 4)], 0, 0),
        (vec![by(gift(1, 4, 0), 6)], 1, 1),
        (vec![by(danmaku(1, 5, "a"), 5), by(danmaku(1, 6, "抽奖"), 5)], 2, 2),
        (vec![by(super_chat(1, 7, 7, 30_000), 7), by(guard(1, 8, 0), 8)], 4, 4),
        (vec![by(danmaku(2, 9, "a"), 5), by(danmaku(2, 10, "抽奖"), 8), by(gift(2, 11, 0), 9)], 4, 5),
    ];
    for (n, (events, in_room, in_all)) in batches.into_iter().enumerate() {
        database.record(StoreKind::Redis, &[batch(&format!("{n}-0"), events)]).unwrap();
        assert_eq!(database.totals(RoomId(1)).unwrap().users, in_room, "batch {n}");
        assert_eq!(database.system_totals().unwrap().users, in_all, "batch {n}");
        assert_sums_equal_rows(&database);
    }
}

#[test]
fn the_same_batches_again_change_nothing_but_the_count_of_duplicates() {
    let (_folder, database) = open();
    let twice = danmaku(1, 0, "a");
    let events = vec![
        twice.clone(),
        gift(1, 1, 100),
        twice,
        gauge(1, 2, Gauge { watched: Some(5), ..Gauge::default() }),
        gauge(1, 3, Gauge { watched: Some(6), likes: Some(1), ..Gauge::default() }),
    ];
    let batches = [batch("1", events)];
    let first = database.record(StoreKind::Embedded, &batches).unwrap();
    assert_eq!(first.outcome(), Outcome { stored: 4, duplicate: 1, dead_letter: 0 });
    let again = database.record(StoreKind::Embedded, &batches).unwrap();
    assert_eq!(again.outcome(), Outcome { stored: 0, duplicate: 5, dead_letter: 0 });
    assert_eq!(again.totals, first.totals);
    assert_sums_equal_rows(&database);
    let ledger = database.ledger().unwrap();
    assert_eq!(ledger[&RoomId(1)], Outcome { stored: 4, duplicate: 6, dead_letter: 0 });
    assert_eq!(database.record(StoreKind::Embedded, &[]).unwrap(), Recorded::default());
}

#[test]
fn of_a_minutes_gauges_the_last_value_stays_whatever_their_order() {
    let early = gauge(1, 0, Gauge { watched: Some(1), fans: Some(9), ..Gauge::default() });
    let late = gauge(1, 10, Gauge { watched: Some(2), likes: Some(3), ..Gauge::default() });
    let expected = Gauge { watched: Some(2), fans: Some(9), likes: Some(3), ..Gauge::default() };
    for events in [vec![early.clone(), late.clone()], vec![late, early]] {
        let (_folder, database) = open();
        database.record(StoreKind::Redis, &[batch("1-0", events)]).unwrap();
        let points = database.gauges(RoomId(1), T0, T0 + 1).unwrap();
        assert_eq!(points.iter().map(|point| point.gauge).collect::<Vec<_>>(), [expected]);
        assert_eq!(points[0].at_ms, T0 / 60_000 * 60_000);
    }
}

#[test]
fn hostile_values_are_stored_and_come_back() {
    let (_folder, database) = open();
    let mut events = Vec::new();
    for (n, ms) in [i64::MIN, -1, 0, i64::MAX, 253_402_300_800_000].into_iter().enumerate() {
        let mut event = danmaku(u64::MAX, 0, "\u{0}%_\\'\"\u{202e}𝄞");
        event.id = EventId::of(ms, &[&n.to_string()]);
        (event.timestamp_ms, event.received_ms) = (ms, ms);
        event.user = User { uid: Uid(u64::MAX), username: "x".repeat(100_000), masked: false, alias: None };
        events.push(event);
    }
    for n in 0..3 {
        let mut event = gift(u64::MAX, n, i64::MAX);
        event.source = Source::Backfill;
        if let Body::Gift(gift) = &mut event.body {
            (gift.num, gift.gift_id) = (i64::MIN, i64::MIN);
        }
        events.push(event);
    }
    let recorded = database.record(StoreKind::Redis, &[batch("1-0", events.clone())]).unwrap();
    assert_eq!(recorded.outcome(), Outcome { stored: 8, duplicate: 0, dead_letter: 0 });
    assert_eq!(recorded.totals[&RoomId(u64::MAX)].income(), Gold(i64::MAX), "stops at the largest number");
    let filter = Filter { room: Some(RoomId(u64::MAX)), q: Some("\u{0}%_\\'".into()), uid: Some(Uid(u64::MAX)) };
    let read = database.danmaku(&filter, &Page { limit: 10, before: None, since: None }).unwrap().events;
    assert_eq!(read.len(), 5);
    assert_eq!(read.iter().map(|event| event.id).collect::<BTreeSet<_>>().len(), 5);
    let gifts = database.gifts(&Filter::default(), &Page { limit: 10, before: None, since: None }).unwrap().events;
    assert_eq!(gifts.into_iter().rev().collect::<Vec<_>>(), events[5..]);
    let all = database.trend(RoomId(u64::MAX), i64::MIN, i64::MAX, Step::Hour).unwrap();
    assert_eq!(all.iter().map(|point| point.danmaku).sum::<i64>(), 5);
}

#[test]
fn a_row_that_the_tables_refuse_is_buried_alone() {
    let (_folder, database) = open();
    database
        .writer()
        .unwrap()
        .batch_execute(
            "CREATE TRIGGER poison BEFORE INSERT ON live_data_danmakudata WHEN NEW.message = '毒'
             BEGIN INSERT INTO live_data_liveroom (room_id) VALUES (-1); END",
        )
        .unwrap();
    database.start_task(&[RoomId(1)]).unwrap();
    let events: Vec<Event> = (0..100).map(|n| danmaku(1, n, if n == 37 { "毒" } else { "a" })).collect();
    let batches = [batch("1", events.clone()), batch("2", vec![gift(1, 100, 100)])];
    let recorded = database.record(StoreKind::Embedded, &batches).unwrap();
    assert_eq!(recorded.outcome(), Outcome { stored: 100, duplicate: 0, dead_letter: 1 });
    assert_sums_equal_rows(&database);
    assert_eq!(number(&database, "SELECT count(*) AS n FROM live_data_liveroom"), 1);
    let buried: (String, String, String) = blm_deadletter::table
        .select((blm_deadletter::event_id, blm_deadletter::payload, blm_deadletter::error))
        .first(&mut database.reader().unwrap())
        .unwrap();
    assert_eq!(buried.0, events[37].id.to_string());
    assert_eq!(serde_json::from_str::<Event>(&buried.1).unwrap(), events[37]);
    assert!(buried.2.contains("NOT NULL"), "{}", buried.2);

    let again = database.record(StoreKind::Embedded, &batches).unwrap();
    assert_eq!(again.outcome(), Outcome { stored: 0, duplicate: 101, dead_letter: 0 });
    let log = database.sync_log(10).unwrap();
    let said: Vec<_> = log
        .iter()
        .map(|run| (run.total_records, run.success_records, run.failed_records, run.status.as_str()))
        .collect();
    assert_eq!(said, [(101, 101, 0, "success"), (101, 100, 1, "partial")]);
    // What could not be read moves the position, and nothing else.
    let passed_over = Batch { position: Position("3".into()), events: Vec::new() };
    database.record(StoreKind::Embedded, &[passed_over]).unwrap();
    assert_eq!(database.cursor(StoreKind::Embedded).unwrap(), Some(Position("3".into())));
    assert_eq!(database.sync_log(10).unwrap(), log, "a run that moved nothing has no row");
    let task = database.task().unwrap().unwrap();
    assert_eq!((task.collected_danmaku, task.collected_gifts, task.error_count), (Some(99), Some(1), Some(1)));
    assert_eq!(task.room_ids_json.as_deref(), Some("[1]"));
    database.set_task_rooms(&[RoomId(1), RoomId(2)]).unwrap();
    database.finish_task(Some("the network is gone")).unwrap();
    let task = database.task().unwrap().unwrap();
    assert_eq!((task.status.as_deref(), task.error_count), (Some("stopped"), Some(2)));
    assert_eq!(task.last_error.as_deref(), Some("the network is gone"));
    assert_eq!(task.room_ids_json.as_deref(), Some("[1,2]"));
}

#[test]
fn a_database_that_cannot_write_changes_nothing_and_may_be_asked_again() {
    let (_folder, database) = open();
    let batches = [batch("1", vec![danmaku(1, 0, "a")])];
    database.writer().unwrap().batch_execute("PRAGMA query_only = ON").unwrap();
    let error = database.record(StoreKind::Embedded, &batches).unwrap_err();
    assert!(matches!(error, RecordError::Transaction { events: 1, .. }), "{error:?}");
    assert_eq!(database.cursor(StoreKind::Embedded).unwrap(), None);

    // A full disk: SQLite gives up the whole transaction by itself.
    let pages = "PRAGMA query_only = OFF; PRAGMA max_page_count = 1";
    database.writer().unwrap().batch_execute(pages).unwrap();
    let many = [batch("1", (0..2000).map(|n| danmaku(1, n, &"长".repeat(200))).collect())];
    let error = database.record(StoreKind::Embedded, &many).unwrap_err();
    assert!(matches!(error, RecordError::Transaction { .. }), "{error:?}");
    assert_eq!(database.all_totals().unwrap().len(), 0);

    database.writer().unwrap().batch_execute("PRAGMA max_page_count = 1000000").unwrap();
    assert_eq!(database.record(StoreKind::Embedded, &many).unwrap().outcome().stored, 2000);
    assert_sums_equal_rows(&database);
}

#[test]
fn an_erased_room_leaves_nothing_and_its_neighbour_everything() {
    let (_folder, database) = open();
    let both = |n| {
        let events = |room| vec![danmaku(room, n, "a"), gift(room, n, 100), notice(room, n, "t"), guard(room, n, 1)];
        [events(1), events(2)].concat()
    };
    database.record(StoreKind::Redis, &[batch("1-0", both(0))]).unwrap();
    let kept = database.totals(RoomId(2)).unwrap();
    database.add_room(&RoomInfo::unknown(RoomId(1))).unwrap();
    database.erase(RoomId(1)).unwrap();
    assert_eq!(database.totals(RoomId(1)).unwrap(), RoomTotals::default());
    assert_eq!(database.monitored().unwrap().len(), 1, "it is still watched");
    assert_eq!(database.totals(RoomId(2)).unwrap(), kept);
    database.set_monitored(RoomId(1), false).unwrap();
    database.erase(RoomId(1)).unwrap();
    assert_eq!(database.room(RoomId(1)).unwrap(), None);
    assert_sums_equal_rows(&database);
}

/// Random life of one program that is killed between any two steps, over one live store and one history.
#[tokio::test]
async fn nothing_is_doubled_or_lost_whenever_the_program_is_killed() {
    for seed in 0..4 {
        let mut dice = StdRng::seed_from_u64(seed);
        let (folder, mut database) = open();
        let mut store = EmbeddedStore::open(folder.path()).unwrap();
        let (mut facts, mut n) = (Vec::new(), 0);
        for _ in 0..150 {
            match dice.random_range(0..10) {
                // New facts arrive, and now and then one that was seen before.
                0..=4 => {
                    let mut events = Vec::new();
                    for _ in 0..dice.random_range(1..30) {
                        n += dice.random_range(1..20_000);
                        let uid = dice.random_range(0..12);
                        let room = dice.random_range(1..4);
                        let old = !facts.is_empty() && dice.random_bool(0.2);
                        events.push(match dice.random_range(0..6) {
                            _ if old => Event::clone(&facts[dice.random_range(0..facts.len())]),
                            0 => by(gift(room, n, dice.random_range(0..3) * 1500), uid),
                            1 => by(super_chat(room, n, n, 30_000), uid),
                            2 => by(guard(room, n, 138_000), uid),
                            3 => by(event(room, n, Body::Enter(None)), uid),
                            _ => by(danmaku(room, n, "a"), uid),
                        });
                    }
                    facts.extend(events.iter().cloned());
                    store.append(&shared(&events)).await.unwrap();
                }
                // A sync, killed before it forgets more often than not.
                5..=7 => {
                    let position =
                        if dice.random_bool(0.5) { database.cursor(StoreKind::Embedded).unwrap() } else { None };
                    let batches = store.read_after(position.as_ref(), dice.random_range(1..100)).await.unwrap();
                    database.record(StoreKind::Embedded, &batches).unwrap();
                    if let Some(last) = batches.last()
                        && dice.random_bool(0.4)
                    {
                        store.forget_through(&last.position).await.unwrap();
                    }
                }
                // A new start.
                8 => {
                    drop(store);
                    store = EmbeddedStore::open(folder.path()).unwrap();
                }
                _ => {
                    drop(database);
                    database = Database::open(&folder.path().join("live.db")).unwrap();
                    assert_sums_equal_rows(&database);
                }
            }
        }
        let rest = store.read_after(None, usize::MAX).await.unwrap();
        database.record(StoreKind::Embedded, &rest).unwrap();
        assert_sums_equal_rows(&database);
        let distinct = facts.iter().map(|event| event.id).collect::<BTreeSet<_>>().len() as u64;
        let ledger: Outcome = database.ledger().unwrap().into_values().sum();
        assert_eq!(ledger.stored, distinct, "every fact once (seed {seed})");
        assert_eq!(ledger.dead_letter, 0);
        let rows = "SELECT (SELECT count(*) FROM live_data_danmakudata) + (SELECT count(*) FROM live_data_giftdata)
             + (SELECT count(*) FROM live_data_superchat) + (SELECT count(*) FROM live_data_guard)
             + (SELECT count(*) FROM live_data_interaction) AS n";
        assert_eq!(number(&database, rows) as u64, distinct);
    }
}
