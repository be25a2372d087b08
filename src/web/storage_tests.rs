//! Cleaning up and searching, through the door.

use actix_web::{
    App,
    test::{TestRequest, call_and_read_body_json, call_service, init_service},
};
use serde_json::Value;

use super::{configure, tests::rig};
use crate::store::retention::Class;

#[actix_web::test]
async fn cleaning_up_needs_the_right_to_it_and_says_what_it_did() {
    let rig = rig();
    let door = init_service(App::new().app_data(rig.site.clone()).configure(configure)).await;
    let path = "/live/api/maintenance/cleanup/";
    let stranger = call_service(&door, TestRequest::post().uri(path).to_request()).await;
    assert_eq!(stranger.status(), 401);
    assert!(rig.site.web.housekeeper.last_cleanup().is_none(), "and nothing happened");

    let robot = TestRequest::post().uri(path).insert_header(("Authorization", "Bearer robot"));
    let answer: Value = call_and_read_body_json(&door, robot.to_request()).await;
    assert_eq!((&answer["success"], &answer["data"]["running"]), (&Value::from(true), &Value::from(false)));
    // Nothing of chat or money is deleted by default.
    for class in Class::ALL {
        assert_eq!(answer["data"]["cleanup"]["deleted"][class.as_str()], 0, "{answer}");
    }
}

#[actix_web::test]
async fn a_search_by_the_api_says_how_many_lines_there_are() {
    let rig = rig();
    let door = init_service(App::new().app_data(rig.site.clone()).configure(configure)).await;
    for indexed in [false, true] {
        if indexed {
            rig.site.web.database.index_more(1000).expect("indexed");
        }
        for (q, total) in [("script", Value::from(5)), ("alert%281%29", Value::from(5)), ("nobody", Value::from(0))] {
            let path = format!("/live/api/room/21452505/danmaku/?limit=2&q={q}");
            let answer: Value = call_and_read_body_json(&door, TestRequest::get().uri(&path).to_request()).await;
            assert_eq!(answer["data"]["total"], total, "{answer}");
            assert_eq!(answer["data"]["has_more"], Value::from(total == 5), "{answer}");
        }
    }
}
