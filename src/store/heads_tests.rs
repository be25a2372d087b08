//! Masked and known users, counted once each.

use super::super::{
    StoreKind,
    fixtures::{assert_sums_equal_rows, batch, by, danmaku, gift, open},
    queries::{Filter, Page},
    sqlite::Database,
};
use super::*;
use crate::domain::{RoomId, Uid};

const ROOM: RoomId = RoomId(1);

fn masked(mut event: Event, hash: Option<u32>) -> Event {
    event.user = User { username: "小***".into(), masked: true, alias: hash.map(Alias::Hash), ..User::default() };
    event
}

fn record(database: &Database, events: Vec<Event>) {
    database.record(StoreKind::Embedded, &[batch("1", events)]).unwrap();
    assert_sums_equal_rows(database);
}

#[test]
fn masked_users_are_as_many_as_their_hashes() {
    let (_folder, database) = open();
    let lines = [(1, 7), (2, 7), (3, 8)].map(|(n, hash)| masked(danmaku(1, n, "a"), Some(hash)));
    record(&database, lines.to_vec());
    record(&database, lines.to_vec());
    record(&database, vec![by(danmaku(1, 4, "a"), 42), masked(danmaku(1, 5, "抽奖"), Some(9))]);
    let totals = database.totals(ROOM).unwrap();
    assert_eq!((totals.users, totals.masked, totals.unidentified), (3, 4, 0), "a raffle phrase makes no user");
    assert!(!totals.users_is_lower_bound());
    assert_eq!(totals.masked_share(), 0.8);
    assert_eq!(database.system_totals().unwrap().users, 3);
}

#[test]
fn who_is_masked_at_one_time_and_known_at_another_is_one_user() {
    let hash = hash_of(Uid(42));
    let (as_masked, as_known) = (masked(danmaku(1, 1, "a"), Some(hash)), by(danmaku(1, 2, "a"), 42));
    for events in [[as_masked.clone(), as_known.clone()], [as_known, as_masked]] {
        let (_folder, database) = open();
        for event in events.clone() {
            record(&database, vec![event]);
        }
        assert_eq!(database.totals(ROOM).unwrap().users, 1);
        assert_eq!(database.system_totals().unwrap().users, 1);
        let (_folder, database) = open();
        record(&database, events.to_vec());
        assert_eq!(database.totals(ROOM).unwrap().users, 1, "in one batch");
    }
}

#[test]
fn masked_users_without_a_hash_make_the_number_a_lower_bound_and_their_money_counts() {
    let (_folder, database) = open();
    record(&database, vec![masked(gift(1, 1, 500), None), masked(gift(1, 2, 0), None), by(danmaku(1, 3, "a"), 42)]);
    let totals = database.totals(ROOM).unwrap();
    assert_eq!((totals.users, totals.masked, totals.unidentified), (1, 2, 2));
    assert_eq!((totals.gifts, totals.gift_gold), (2, Gold(500)));
    assert!(totals.users_is_lower_bound());
}

#[test]
fn users_of_the_open_live_platform_are_counted_by_their_open_id() {
    let (_folder, database) = open();
    let with_id = |mut event: Event, open_id: &str| {
        event.user = User { username: "小猫".into(), alias: Some(Alias::OpenId(open_id.into())), ..User::default() };
        event
    };
    record(
        &database,
        vec![with_id(danmaku(1, 1, "a"), "x"), with_id(gift(1, 2, 10), "x"), with_id(gift(1, 3, 10), "y")],
    );
    let totals = database.totals(ROOM).unwrap();
    assert_eq!((totals.users, totals.masked, totals.unidentified), (2, 0, 0));
    let page = Page { limit: 9, before: None, since: None };
    let gifts = database.gifts(&Filter::default(), &page).unwrap().events;
    assert_eq!(gifts[0].user.open_id(), Some("y"));
}

#[test]
fn a_hash_never_comes_out_of_the_history() {
    let (_folder, database) = open();
    record(&database, vec![masked(danmaku(1, 1, "a"), Some(7))]);
    let page = Page { limit: 9, before: None, since: None };
    let lines = database.danmaku(&Filter::default(), &page).unwrap().events;
    assert_eq!(lines[0].user.alias, None);
    database.erase(ROOM).unwrap();
    record(&database, vec![masked(danmaku(1, 1, "a"), Some(7))]);
    assert_eq!(database.totals(ROOM).unwrap().users, 1, "what was erased is counted anew");
}
