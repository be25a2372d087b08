//! What is a room's income and what is not.

use super::super::{
    StoreKind,
    fixtures::{assert_sums_equal_rows, batch, by, gift, guard, open},
    series::{Step, TopBy},
};
use super::*;
use crate::domain::{Receiver, RoomInfo};

fn to(mut event: Event, receiver: Option<u64>) -> Event {
    if let Body::Gift(gift) = &mut event.body {
        gift.receiver = receiver.map(|uid| Receiver { uid: Uid(uid), username: "某".into() });
    }
    event
}

#[test]
fn gifts_to_another_streamer_are_no_income_of_the_room_and_are_told_apart() {
    let (_folder, database) = open();
    let room = RoomId(1);
    database.save_room(&RoomInfo { uid: Uid(7), ..RoomInfo::unknown(room) }).unwrap();
    let events = vec![
        to(by(gift(1, 1, 100), 42), Some(7)),
        to(by(gift(1, 2, 1000), 42), Some(8)),
        to(by(gift(1, 3, 10), 42), None),
        by(guard(1, 4, 5000), 42),
        // Of a room whose streamer is not known nothing can be told apart.
        to(by(gift(2, 5, 3), 42), Some(8)),
    ];
    database.record(StoreKind::Embedded, &[batch("1", events.clone())]).unwrap();
    database.record(StoreKind::Embedded, &[batch("2", events)]).unwrap();
    assert_sums_equal_rows(&database);
    let totals = database.totals(room).unwrap();
    assert_eq!((totals.gifts, totals.gift_gold, totals.others_gold), (3, Gold(110), Gold(1000)));
    assert_eq!(totals.income(), Gold(5110));
    let trend = database.trend(room, 0, i64::MAX, Step::Day).unwrap();
    assert_eq!((trend[0].gifts, trend[0].gift_gold, trend[0].others_gold), (3, Gold(110), Gold(1000)));
    let payer = &database.top_users(room, TopBy::Paid, 9).unwrap()[0];
    assert_eq!((payer.gifts, payer.paid_gold), (3, Gold(5110)));
    let other = database.totals(RoomId(2)).unwrap();
    assert_eq!((other.gift_gold, other.others_gold), (Gold(3), Gold::ZERO));
}
