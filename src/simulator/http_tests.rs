//! The HTTP side: envelopes, refusals, and rooms by all their numbers.

use serde_json::json;

use super::fixtures::*;
use crate::protocol::api;

#[actix_web::test]
async fn a_stream_token_needs_signature_cookie_and_browser() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].room_id.to_string();
    let good = signed(&simulator, &[("id", &room), ("type", "0")], 0).await;
    let stale = signed(&simulator, &[("id", &room), ("type", "0")], 3600).await;
    let unsigned = format!("id={room}&type=0");
    let broken = good.replace("type=0", "type=1");
    for (query, user_agent, cookie) in [
        (&unsigned, BROWSER, BUVID),
        (&broken, BROWSER, BUVID),
        (&stale, BROWSER, BUVID),
        (&good, BROWSER, ""),
        (&good, "curl/8.5.0", BUVID),
        (&good, "", BUVID),
    ] {
        let answer = get(&simulator, &format!("{DANMU_INFO}{query}"), user_agent, cookie).await;
        assert_eq!(answer["code"], -352, "{query} {user_agent:?} {cookie:?}");
        assert!(answer["data"]["v_voucher"].as_str().is_some_and(|voucher| voucher.starts_with("voucher_")));
    }
    let answer = get(&simulator, &format!("{DANMU_INFO}{good}"), BROWSER, BUVID).await;
    assert_eq!((&answer["code"], answer["data"]["host_list"].as_array().map(Vec::len)), (&json!(0), Some(3)));
    simulator.stop().await;
}

#[actix_web::test]
async fn rooms_are_found_by_short_and_long_number_and_through_their_streamer() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].clone();
    for number in [room.room_id, room.short_id] {
        let answer = get(&simulator, &format!("/room/v1/Room/room_init?id={number}"), BROWSER, "").await;
        assert_eq!((&answer["data"]["room_id"], &answer["data"]["live_status"]), (&json!(room.room_id), &json!(1)));
    }
    let unknown = get(&simulator, "/room/v1/Room/room_init?id=12345", BROWSER, "").await;
    assert_eq!(unknown["code"], 60004);
    let off_air = simulator.rooms()[5].clone();
    let answer =
        post(&simulator, "/room/v1/Room/get_status_info_by_uids", json!({"uids": [room.uid, off_air.uid, 1]})).await;
    assert_eq!(answer["data"].as_object().map(serde_json::Map::len), Some(2));
    assert_eq!(answer["data"][off_air.uid.to_string()]["live_time"], 0);
    let master = get(&simulator, &format!("/live_user/v1/Master/info?uid={}", room.uid), BROWSER, "").await;
    let anchor = api::parse_master_info(master.to_string().as_bytes()).expect("a streamer");
    assert_eq!((anchor.uid.0, anchor.uname), (room.uid, room.name.clone()));
    let spi = get(&simulator, "/x/frontend/finger/spi", BROWSER, "").await;
    assert!(api::parse_spi(spi.to_string().as_bytes()).expect("an identity").buvid3.ends_with("infoc"));
    let none = get(&simulator, "/room/v1/Room/get_status_info_by_uids?uids[]=1", BROWSER, "").await;
    assert_eq!(none["data"], json!([]));
    post(&simulator, &format!("/sim/room/{}/live", off_air.room_id), json!({"on": true})).await;
    let query = format!("req_biz=web_room_componet&room_ids={}&room_ids={}", room.room_id, off_air.room_id);
    let answer = get(&simulator, &format!("/xlive/web-room/v1/index/getRoomBaseInfo?{query}"), BROWSER, "").await;
    let found = &answer["data"]["by_room_ids"];
    assert_eq!(found[off_air.room_id.to_string()]["live_status"], 1);
    assert_eq!(found[room.room_id.to_string()]["uname"], json!(room.name));
    simulator.stop().await;
}
