//! One purchase, one row: whatever the order, the batches and the restarts in which its messages come.

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::super::{
    StoreKind,
    fixtures::{T0, assert_sums_equal_rows, batch, by, danmaku, guard, number, open},
    outcome::Outcome,
    queries::{Cursor, Filter, Page},
    series::{Step, TopBy},
    sqlite::Database,
};
use super::*;
use crate::domain::{Body, EventId, Gold, RoomId, User};

const LIST: i64 = 198_000;
const PAID: i64 = 138_000;

/// What `GUARD_BUY` makes: an estimate, so many ms after [`T0`].
fn buy(ms: i64, uid: u64) -> Event {
    let mut event = by(guard(1, ms, LIST), uid);
    event.id = EventId::of(event.timestamp_ms, &["buy", &ms.to_string(), &event.user.username]);
    if let Body::Guard(guard) = &mut event.body {
        guard.estimated = true;
    }
    event
}

/// What a toast makes: a receipt.
fn toast(ms: i64, uid: u64) -> Event {
    by(guard(1, ms, PAID), uid)
}

fn named(mut event: Event, name: &str) -> Event {
    event.user = User { username: name.to_owned(), ..event.user };
    let kind = if is_estimate(&event) { "buy" } else { "order" };
    event.id = EventId::of(event.timestamp_ms, &[kind, name]);
    event
}

fn is_estimate(event: &Event) -> bool {
    matches!(&event.body, Body::Guard(guard) if guard.estimated)
}

fn rows(database: &Database) -> Vec<Event> {
    database.guards(&Filter::default(), &Page { limit: 100, before: None, since: None }).unwrap().events
}

/// How messages come to the history.
#[derive(Clone, Copy, Debug)]
enum Way {
    OneBatch,
    OneEach,
    Reopened,
}

/// Records `events` that way into a history of its own, checks the sums all the while, and gives what
/// became of them and the rows, newest first.
fn record(events: &[Event], way: Way) -> (Outcome, Vec<Event>) {
    let (folder, mut database) = open();
    let calls: Vec<Vec<Event>> = match way {
        Way::OneBatch => vec![events.to_vec()],
        Way::OneEach | Way::Reopened => events.iter().map(|event| vec![event.clone()]).collect(),
    };
    let mut outcome = Outcome::default();
    for (n, events) in calls.into_iter().enumerate() {
        let recorded = database.record(StoreKind::Embedded, &[batch(&n.to_string(), events)]).unwrap();
        outcome = [outcome, recorded.outcome()].into_iter().sum();
        assert_sums_equal_rows(&database);
        if let Way::Reopened = way {
            drop(database);
            database = Database::open(&folder.path().join("live.db")).unwrap();
        }
    }
    let ledger: Outcome = database.ledger().unwrap().into_values().sum();
    assert_eq!(ledger, outcome);
    (outcome, rows(&database))
}

/// Fails unless `events` leave the rows `wanted` (newest first), however they are batched.
#[track_caller]
fn check(events: &[Event], wanted: &[&Event]) {
    for way in [Way::OneBatch, Way::OneEach, Way::Reopened] {
        let (outcome, rows) = record(events, way);
        assert!(rows.iter().eq(wanted.iter().copied()), "{way:?} of {events:#?} left {rows:#?}");
        let stored = wanted.len() as u64;
        let duplicate = events.len() as u64 - stored;
        assert_eq!(outcome, Outcome { stored, duplicate, dead_letter: 0 }, "{way:?} of {events:#?}");
    }
}

#[test]
fn a_purchase_is_one_row_in_every_order_of_its_messages() {
    // The receipt in the same minute, in a later one, in an earlier one; T0 is second 20 of its minute.
    for (uid, buy_ms, toast_ms) in [(7, 0, 700), (0, 0, 0), (7, 15_000, 45_000), (0, 0, -20_001)] {
        let (b, t) = (buy(buy_ms, uid), toast(toast_ms, uid));
        let orders = ["b", "bb", "t", "tt", "bt", "tb", "btt", "tbt", "ttb", "btbt", "tbbt", "tbtb"];
        for order in orders {
            let events: Vec<Event> =
                order.chars().map(|part| if part == 'b' { b.clone() } else { t.clone() }).collect();
            check(&events, &[if order.contains('t') { &t } else { &b }]);
        }
    }
}

/// Purchases of several people, each person's out of reach of each other; their messages in any order, in
/// batches of any size, some of them recorded twice, with restarts between.
#[test]
fn whatever_order_a_crowds_messages_come_in_each_purchase_is_one_row() {
    for seed in 0..4 {
        let mut dice = StdRng::seed_from_u64(seed);
        let (mut messages, mut wanted) = (Vec::new(), Vec::new());
        for n in 0..60 {
            let (ms, uid) = (n * 13_000, n as u64 % 6);
            let (b, t) = (buy(ms, uid), toast(ms + dice.random_range(-9_000..9_000), uid));
            let parts = match dice.random_range(0..4) {
                0 => vec![b],
                1 => vec![t],
                _ => vec![b, t],
            };
            wanted.extend(parts.last().cloned());
            messages.extend(parts);
        }
        messages.shuffle(&mut dice);
        wanted.sort_by_key(|event| std::cmp::Reverse(event.id));
        let (folder, mut database) = open();
        let mut rest = &messages[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(dice.random_range(1..=rest.len().min(20)));
            for _ in 0..dice.random_range(1..3) {
                database.record(StoreKind::Embedded, &[batch("1", now.to_vec())]).unwrap();
            }
            assert_sums_equal_rows(&database);
            if dice.random_bool(0.2) {
                drop(database);
                database = Database::open(&folder.path().join("live.db")).unwrap();
            }
            rest = later;
        }
        assert_eq!(rows(&database), wanted, "seed {seed}");
        let ledger: Outcome = database.ledger().unwrap().into_values().sum();
        assert_eq!(ledger.stored, wanted.len() as u64, "seed {seed}");
    }
}

#[test]
fn two_purchases_of_one_person_stay_two() {
    for uid in [7, 0] {
        let (b1, t1, b2, t2) = (buy(0, uid), toast(500, uid), buy(9_000, uid), toast(9_500, uid));
        for events in [[&b1, &t1, &b2, &t2], [&b1, &b2, &t1, &t2], [&t1, &t2, &b1, &b2], [&t1, &b2, &b1, &t2]] {
            let once = events.map(Event::clone);
            check(&once, &[&t2, &t1]);
            check(&[once.clone(), once].concat(), &[&t2, &t1]);
        }
        check(&[b1.clone(), t1.clone(), b2.clone()], &[&b2, &t1]);
        check(&[b1.clone(), b2.clone()], &[&b2, &b1]);
        check(&[b1.clone(), b2.clone(), t2.clone()], &[&t2, &b1]);
        check(&[b1, b2, t1.clone()], &[&buy(9_000, uid), &t1]);
        check(&[t1.clone(), t2.clone()], &[&t2, &t1]);
    }
}

#[test]
fn messages_about_different_purchases_are_not_brought_together() {
    let b = buy(0, 7);
    let level = |mut event: Event| {
        if let Body::Guard(guard) = &mut event.body {
            guard.guard_level = 2;
        }
        event
    };
    let elsewhere = |event: Event| Event { room_id: RoomId(2), ..event };
    for t in [toast(500, 8), toast(500, 0), level(toast(500, 7)), elsewhere(toast(500, 7)), toast(30_001, 7)] {
        check(&[b.clone(), t.clone()], &[&t, &b]);
        check(&[t.clone(), b.clone()], &[&t, &b]);
    }
    check(&[b, toast(30_000, 7)], &[&toast(30_000, 7)]);
    // Masked buyers are told apart by what is shown of their names.
    let (b1, b2) = (named(buy(0, 0), "甲***"), named(buy(100, 0), "乙***"));
    let (t1, t2) = (named(toast(200, 0), "甲***"), named(toast(300, 0), "乙***"));
    check(&[b1.clone(), t2.clone()], &[&t2, &b1]);
    check(&[b1, b2, t2.clone(), t1.clone()], &[&t2, &t1]);
    // A number is a person, whatever the name.
    check(&[named(buy(0, 7), "old"), named(toast(1, 7), "new")], &[&named(toast(1, 7), "new")]);
}

#[test]
fn what_was_paid_takes_the_place_of_the_list_price_in_every_sum() {
    let (_folder, database) = open();
    let record = |n: &str, events: Vec<Event>| {
        database.record(StoreKind::Redis, &[batch(n, events)]).unwrap().totals[&RoomId(1)]
    };
    let before = record("1-0", vec![buy(20_000, 7), by(danmaku(1, 20_001, "a"), 7)]);
    assert_eq!((before.guards, before.guard_gold, before.users), (1, Gold(LIST), 1));
    // The first receipt lies in the next minute: the purchase moves there, and the chat line stays. The
    // second lies out of reach, and is another purchase.
    let after = record("2-0", vec![toast(45_000, 7), toast(80_000, 7)]);
    assert_eq!((after.guards, after.guard_gold, after.users), (2, Gold(2 * PAID), 1));
    let minutes = database.trend(RoomId(1), 0, i64::MAX, Step::Minute).unwrap();
    let said: Vec<_> = minutes.iter().map(|point| (point.danmaku, point.guards, point.guard_gold)).collect();
    assert_eq!(said, [(1, 0, Gold(0)), (0, 2, Gold(2 * PAID))]);
    assert_eq!(database.top_users(RoomId(1), TopBy::Paid, 9).unwrap()[0].paid_gold, Gold(2 * PAID));
    assert_eq!(number(&database, "SELECT count(*) AS n FROM live_data_guard WHERE price = 138.0 AND NOT estimated"), 2);
    assert_eq!(number(&database, "SELECT count(estimate_id) AS n FROM live_data_guard"), 1);
    assert_sums_equal_rows(&database);
}

#[test]
fn a_merged_purchase_is_on_one_page_when_pages_are_turned() {
    let (_folder, database) = open();
    let other = toast(10_000, 8);
    let events = vec![buy(0, 7), other.clone(), toast(20_000, 7), buy(5_000, 8)];
    database.record(StoreKind::Redis, &[batch("1-0", events)]).unwrap();
    for room in [None, Some(RoomId(1))] {
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let filter = Filter { room, ..Filter::default() };
            let page = database.guards(&filter, &Page { limit: 1, before, since: None }).unwrap();
            before = page.events.last().map(|event| Cursor::Event(event.id));
            seen.extend(page.events);
            if !page.has_more {
                break;
            }
        }
        assert_eq!(seen, [toast(20_000, 7), other.clone()]);
    }
    assert_eq!(rows(&database)[0].timestamp_ms, T0 + 20_000);
}

#[test]
fn a_guard_that_was_given_is_one_row_once_it_is_clear_what_explains_what() {
    let estimate = buy(0, 7);
    let receipt = toast(500, 6);
    let mut explaining = receipt.clone();
    if let Body::Guard(guard) = &mut explaining.body {
        guard.explains = Some(estimate.id);
    }
    for events in [
        vec![&estimate, &receipt, &explaining],
        vec![&receipt, &estimate, &explaining],
        vec![&estimate, &explaining],
        vec![&explaining, &estimate],
        vec![&estimate, &receipt, &explaining, &explaining, &receipt, &estimate],
    ] {
        let events: Vec<Event> = events.into_iter().cloned().collect();
        for way in [Way::OneBatch, Way::OneEach, Way::Reopened] {
            let (outcome, rows) = record(&events, way);
            assert_eq!(rows, std::slice::from_ref(&receipt), "{way:?}");
            assert_eq!(outcome.received(), events.len() as u64, "{way:?}");
        }
    }
    let another = buy(900, 7);
    let (_, rows) = record(&[estimate, receipt, explaining, another], Way::OneEach);
    assert_eq!(rows.len(), 2, "one receipt explains one estimate");
}
