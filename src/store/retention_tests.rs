//! What is deleted, what stays, and what is still true afterwards.

use super::{
    super::{
        StoreKind,
        fixtures::{T0, batch, danmaku, event, gauge, gift, guard, number, open, super_chat},
        housekeeper::Housekeeper,
        queries::{Filter, Page},
        series::Step,
    },
    *,
};
use crate::domain::{Body, Event, Gauge, RoomId};

const KEPT: Retention = Retention { chat_days: 0, entries_days: 0, gauges_days: 0, money_days: 0, raw_days: 0 };

fn a_history(database: &Database) -> Vec<Event> {
    let of_minute = |room: u64, n: i64| {
        let ms = n * 60_000;
        vec![
            danmaku(room, ms, "天气"),
            event(room, ms + 1, Body::Enter(None)),
            gift(room, ms + 2, 100),
            super_chat(room, ms + 3, ms, 30_000),
            guard(room, ms + 4, 138_000),
            gauge(room, ms, Gauge { watched: Some(n), ..Gauge::default() }),
        ]
    };
    let events: Vec<Event> = (0..20).flat_map(|n| [of_minute(1, n), of_minute(2, n)].concat()).collect();
    database.record(StoreKind::Redis, &[batch("1-0", events.clone())]).unwrap();
    events
}

fn rows(database: &Database) -> [i64; 6] {
    let count = |table: &str| number(database, &format!("SELECT count(*) AS n FROM {table}"));
    [
        count("live_data_danmakudata"),
        count("live_data_interaction"),
        count("live_data_giftdata"),
        count("live_data_superchat"),
        count("live_data_guard"),
        count("live_data_gauge"),
    ]
}

fn delete_all(database: &Database, class: Class, cutoff_ms: i64, step: usize) -> usize {
    let mut gone = 0;
    loop {
        let now = database.delete_older(class, cutoff_ms, step).unwrap();
        gone += now;
        if now < step {
            return gone;
        }
    }
}

#[test]
fn each_class_loses_what_is_older_and_nothing_else_whatever_the_step() {
    for step in [1, 3, 1000] {
        let (_folder, database) = open();
        a_history(&database);
        let cutoff = T0 + 5 * 60_000;
        assert_eq!(delete_all(&database, Class::Chat, cutoff, step), 10);
        assert_eq!(rows(&database), [30, 40, 40, 40, 40, 40]);
        assert_eq!(delete_all(&database, Class::Entries, cutoff, step), 10);
        assert_eq!(delete_all(&database, Class::Gauges, super::super::rows::minute_of(cutoff), step), 10);
        assert_eq!(rows(&database), [30, 30, 40, 40, 40, 30]);
        assert_eq!(delete_all(&database, Class::Money, cutoff, step), 30);
        assert_eq!(rows(&database), [30, 30, 30, 30, 30, 30]);
        assert_eq!(database.deleted_until(Class::Money).unwrap(), Some(cutoff));
        assert_eq!(database.deleted_until(Class::Raw).unwrap(), None);
    }
}

#[test]
fn totals_and_minutes_stay_when_rows_go_and_later_rows_add_to_them() {
    let (_folder, database) = open();
    a_history(&database);
    let before = (database.all_totals().unwrap(), database.trend(RoomId(1), 0, i64::MAX, Step::Minute).unwrap());
    for class in Class::ALL {
        delete_all(&database, class, i64::MAX, 7);
    }
    assert_eq!(rows(&database), [0; 6]);
    let after = (database.all_totals().unwrap(), database.trend(RoomId(1), 0, i64::MAX, Step::Minute).unwrap());
    assert_eq!(after, before);
    database.record(StoreKind::Redis, &[batch("2-0", vec![danmaku(1, 9_999_999, "新的")])]).unwrap();
    assert_eq!(database.totals(RoomId(1)).unwrap().danmaku, 21);
}

#[test]
fn the_index_forgets_what_is_deleted_or_erased() {
    let (_folder, database) = open();
    a_history(&database);
    while database.index_more(1000).unwrap().has_more {}
    let documents = || number(&database, "SELECT count(*) AS n FROM blm_search WHERE blm_search MATCH '\"天气\"'");
    let found = || {
        let filter = Filter { q: Some("天气".into()), ..Filter::default() };
        database.danmaku(&filter, &Page { limit: 100, before: None, since: None }).unwrap().events.len()
    };
    assert_eq!((documents(), found()), (40, 40));
    delete_all(&database, Class::Chat, T0 + 5 * 60_000, 3);
    assert_eq!((documents(), found()), (30, 30));
    database.erase(RoomId(1)).unwrap();
    assert_eq!((documents(), found()), (15, 15));
    assert_eq!(rows(&database), [15, 20, 20, 20, 20, 20]);
    assert_eq!(database.totals(RoomId(1)).unwrap().danmaku, 0);
}

#[test]
fn nothing_is_deleted_that_is_kept_for_ever_and_a_run_says_what_it_did() {
    let (folder, database) = open();
    a_history(&database);
    let all = rows(&database);
    let cleaned = |retention| {
        let housekeeper = Housekeeper::new(database.clone(), retention, folder.path().join("raw"));
        housekeeper.cleanup();
        housekeeper.last_cleanup().unwrap()
    };
    let nothing = cleaned(KEPT);
    assert_eq!((rows(&database), nothing.deleted.chat, nothing.error), (all, 0, None));
    assert!(nothing.ended_ms.is_some());
    // The history is of 2023: by default its entries are too old, and nothing else of it.
    let by_default = cleaned(Retention::default());
    assert_eq!((by_default.deleted.entries, by_default.deleted.chat, by_default.deleted.money), (40, 0, 0));
    assert_eq!(rows(&database), [40, 0, 40, 40, 40, 40]);
    assert_eq!(cleaned(Retention { money_days: 1, ..KEPT }).deleted.money, 120);
}

#[test]
fn all_interactions_are_there_since_the_shorter_of_two_times() {
    const NOW: i64 = 1_790_000_000_000;
    let since = |chat_days, money_days| Retention { chat_days, money_days, ..KEPT }.interactions_since(NOW);
    let ago = |days: i64| NOW - days * 24 * 3_600_000;
    assert_eq!([since(0, 0), since(7, 0), since(0, 9), since(30, 9)], [i64::MIN, ago(7), ago(9), ago(9)]);
}
