//! The books, as the API shows them.

use std::collections::BTreeMap;

use actix_web::{
    App,
    test::{TestRequest, call_service, init_service, read_body_json},
};
use serde_json::{Value, json};

use super::{
    configure,
    tests::{ROOM, rig},
};
use crate::{
    domain::RoomId,
    store::{StoreKind, gaps::UnknownCommand},
};

#[actix_web::test]
async fn the_books_of_all_time_are_those_of_earlier_runs_and_of_this_one() {
    let rig = rig();
    let web = &rig.site.web;
    // Stored by an earlier run: 7. Left in the live store by it and stored by this one: 2 more.
    let left = BTreeMap::from([(ROOM, 2)]);
    let (cmd, sample) = ("NEW_THING".into(), "{}".into());
    web.database
        .count_unknown(&[UnknownCommand { cmd, count: 3, first_ms: 10, last_ms: 10, sample }])
        .expect("counted");
    let at = web.database.cursor(StoreKind::Embedded).expect("read");
    let kept = web.database.open_books(StoreKind::Embedded, at.as_ref(), &left).expect("opened").expect("alone");
    web.ledger.open(&kept, &left, &web.database.unknown_commands().expect("listed"));
    web.ledger.recorded(ROOM, 2, 0, 0);
    let books = &web.ledger;
    books.received(ROOM, 10);
    books.duplicate(ROOM, 1);
    books.dropped(ROOM, "lane_full", 2);
    books.recorded(ROOM, 3, 1, 1);
    books.received(RoomId(5), 1);
    books.unknown(ROOM, "NEW_THING".into(), "{}".into(), 20);
    let door = init_service(App::new().app_data(rig.site.clone()).configure(configure)).await;
    let ask = async || {
        let answer = call_service(&door, TestRequest::get().uri("/live/api/ledger/").to_request()).await;
        read_body_json::<Value, _>(answer).await["data"].clone()
    };
    let data = ask().await;
    let entry = |received, stored, pending, unknown| {
        json!({
            "received": received, "stored": stored, "duplicate": 2, "dropped": {"lane_full": 2}, "dead_letter": 1,
            "pending": pending, "unknown_commands": {"NEW_THING": unknown}, "unreadable": 0, "mirrored": 0,
            "balanced": true,
        })
    };
    assert_eq!(data["total"], entry(13, 5, 3, 1));
    assert_eq!(data["all_time"]["total"], entry(20, 12, 3, 4));
    assert_eq!(data["all_time"]["rooms"][ROOM.to_string()], entry(19, 12, 2, 1));
    assert_eq!(data["all_time"]["rooms"]["5"]["pending"], 1);
    books.audit(books.received_so_far(), 0);
    let data = ask().await;
    assert_eq!(data["all_time"]["balanced"], false, "a loss is not hidden by what went well before: {data}");
}
