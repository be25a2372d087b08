//! Gifts of both forms, and what they are worth.

use super::*;
use crate::{
    domain::Event,
    protocol::{
        arrival::tests::HERE,
        command::{Decoded, decode},
        lenient::MAX_TEXT,
        pb::tests::base64_of,
    },
};

fn events(json: &str) -> Vec<Event> {
    match decode(json.as_bytes(), HERE) {
        Decoded::Events(events) => events,
        other => panic!("{json}: {other:?}"),
    }
}

fn v1(fields: &str) -> Vec<Event> {
    events(&format!(r#"{{"cmd":"SEND_GIFT","data":{{"giftId":31,"giftName":"花",{fields}}}}}"#))
}

fn v2(gifts: &pb::SendGift) -> Vec<Event> {
    events(&format!(r#"{{"cmd":"SEND_GIFT_V2","data":{{"pb":"{}"}}}}"#, base64_of(gifts)))
}

fn gift(event: &Event) -> &Gift {
    let Body::Gift(gift) = &event.body else { panic!("{event:?}") };
    gift
}

fn item(tid: &str) -> pb::GiftItem {
    pb::GiftItem {
        gift_id: 31,
        gift_name: "花".into(),
        num: 10,
        price: 100,
        discount_price: 90,
        total_coin: 900,
        coin_type: "gold".into(),
        tid: tid.into(),
        timestamp: 1_780_000_000,
        receive_user_info: Some(pb::ReceiveUser { uid: 5, uname: "主播".into() }),
        ..pb::GiftItem::default()
    }
}

fn sent(items: Vec<pb::GiftItem>) -> pb::SendGift {
    pb::SendGift { uid: 66, uname: "小猫".into(), items, ..pb::SendGift::default() }
}

#[test]
fn money_is_what_the_message_says() {
    for (fields, price, paid, value) in [
        (r#""coin_type":"gold","num":10,"price":100,"total_coin":1000"#, 100, 1000, 1000),
        (r#""coin_type":"gold","num":"1","price":"100000","total_coin":"80000""#, 100_000, 80_000, 100_000),
        (r#""coin_type":"silver","num":10,"price":100,"total_coin":1000"#, 0, 0, 0),
        (r#""coin_type":"gold","num":1,"price":100,"total_coin":0"#, 100, 0, 100),
        (r#""coin_type":"gold","num":2,"price":100,"discount_price":80"#, 100, 160, 200),
        (r#""coin_type":"gold","num":2,"price":100,"discount_price":0"#, 100, 200, 200),
        (r#""num":1,"price":9900"#, 9900, 9900, 9900),
        (r#""num":1,"price":0"#, 0, 0, 0),
        (r#""coin_type":"gold","price":100"#, 100, 100, 100),
        (r#""coin_type":"gold","num":1,"price":100,"total_coin":100,"bag_gift":{"show_price":1}"#, 100, 0, 0),
        (r#""coin_type":"gold","num":1,"price":100,"total_coin":100,"bag_gift":null"#, 100, 100, 100),
        (r#""coin_type":"gold","num":1,"price":100,"total_coin":100,"bag_gift":{}"#, 100, 100, 100),
    ] {
        let events = v1(fields);
        let gift = gift(&events[0]);
        assert_eq!((gift.price, gift.paid, gift.value), (Gold(price), Gold(paid), Gold(value)), "{fields}");
    }
}

#[test]
fn in_messages_of_2017_only_one_gift_is_known_to_be_free() {
    let paid = |gift_id: i64| {
        let json = format!(r#"{{"cmd":"SEND_GIFT","data":{{"giftId":{gift_id},"giftName":"x","num":5,"price":100}}}}"#);
        events(&json)[0].paid()
    };
    assert_eq!((paid(1), paid(6)), (Gold::ZERO, Gold(500)));
}

#[test]
fn a_gift_without_a_possible_time_is_of_when_it_came() {
    for timestamp in
        ["0", "-5", "1000000000000000", "100000000000000000", "253402300800000", "9223372036854775807", "1e300"]
    {
        let events = v1(&format!(r#""price":1,"timestamp":{timestamp}"#));
        assert_eq!(events[0].timestamp_ms, HERE.received_ms, "{timestamp}");
    }
    assert_eq!(v1(r#""price":1,"timestamp":1780000000123"#)[0].timestamp_ms, 1_780_000_000_123);
    for timestamp in [1_000_000_000_000_000, 100_000_000_000_000_000, i64::MAX, i64::MIN] {
        let events = v2(&sent(vec![pb::GiftItem { timestamp, ..item("1") }]));
        assert_eq!(events[0].timestamp_ms, HERE.received_ms, "{timestamp}");
    }
}

#[test]
fn texts_of_either_form_are_cut() {
    let long = "猫".repeat(100_000);
    let old = v1(&format!(r#""price":1,"uname":"{long}","blind_gift":{{"original_gift_name":"{long}"}}"#));
    let new = v2(&pb::SendGift {
        uname: long.clone().into(),
        medal_info: Some(pb::GiftMedal { level: 1, name: long.clone().into() }),
        blind_gift: Some(pb::BlindGift { gift_id: 9, name: long.clone().into(), price: 1 }),
        ..sent(vec![pb::GiftItem { gift_name: long.clone().into(), tid: long.into(), ..item("1") }])
    });
    for event in [&old[0], &new[0]] {
        let gift = gift(event);
        let texts = [
            Some(&event.user.username),
            Some(&gift.gift_name),
            gift.medal.as_ref().map(|medal| &medal.name),
            gift.blind_box.as_ref().map(|blind| &blind.name),
        ];
        assert!(texts.into_iter().flatten().all(|text| text.capacity() <= MAX_TEXT), "{event:?}");
        assert_eq!(event.user.username.len(), 4095);
    }
}

#[test]
fn a_blind_box_costs_the_box_and_is_worth_what_came_out() {
    let blind = r#""blind_gift":{"original_gift_id":1,"original_gift_name":"盲盒","original_gift_price":15000}"#;
    for fields in [r#""total_coin":30000,"#, ""] {
        let events = v1(&format!(r#""coin_type":"gold","num":2,"price":9000,{fields}{blind}"#));
        let gift = gift(&events[0]);
        assert_eq!((gift.price, gift.paid, gift.value), (Gold(9000), Gold(30_000), Gold(18_000)));
        assert_eq!(gift.blind_box, Some(BlindBox { name: "盲盒".into(), price: Gold(15_000) }));
    }
    let old = v1(r#""coin_type":"gold","num":2,"price":1,"total_coin":30000,"blind_gift":{"original_gift_name":"盲"}"#);
    assert_eq!(gift(&old[0]).blind_box, Some(BlindBox { name: "盲".into(), price: Gold(15_000) }));
    assert_eq!(gift(&v1(r#""price":1,"blind_gift":[]"#)[0]).blind_box, None);
}

#[test]
fn both_forms_of_a_gift_are_one_event() {
    let old =
        v1(r#""num":10,"price":100,"discount_price":90,"total_coin":900,"coin_type":"gold","tid":"77","rnd":"77",
        "timestamp":1780000000,"uid":66,"uname":"小猫","receive_user_info":{"uid":5,"uname":"主播"},
        "medal_info":{"medal_name":"","medal_level":0},"batch_combo_id":"x","super_gift_num":10"#);
    let mut new = v2(&sent(vec![item("77")]));
    let commands = [&old, &new].map(|events| events[0].origin.clone().map(|origin| origin.command));
    assert_eq!(commands, ["SEND_GIFT", "SEND_GIFT_V2"].map(|command| Some(command.to_owned())));
    new[0].origin.clone_from(&old[0].origin);
    assert_eq!(new, old);
    assert_eq!((old[0].timestamp_ms, old[0].user.uid), (1_780_000_000_000, Uid(66)));
    assert_eq!(gift(&old[0]).receiver, Some(Receiver { uid: Uid(5), username: "主播".into() }));
}

#[test]
fn every_item_of_a_box_is_an_event() {
    let good = pb::GiftItem { gift_id: 32, price: 35_000, total_coin: 165_000, num: 5, ..item("1") };
    let poor = pb::GiftItem { gift_id: 33, price: 20_000, total_coin: 165_000, num: 5, ..item("2") };
    let blind_gift = Some(pb::BlindGift { gift_id: 9, name: "盲盒".into(), price: 33_000 });
    let events = v2(&pb::SendGift { blind_gift, ..sent(vec![good, poor]) });
    assert_eq!(events.iter().map(Event::paid).sum::<Gold>(), Gold(330_000));
    assert_eq!(events.iter().map(|event| gift(event).value).sum::<Gold>(), Gold(275_000));
    assert!(events.iter().all(|event| gift(event).blind_box.is_some()));
}

#[test]
fn what_stands_in_a_list_and_beside_it_is_one_gift() {
    let list = |beside: &str| {
        let events = v1(&format!(
            r#""price":1,"total_coin":1,"tid":"{beside}","gift_list":[{{"gift_id":31,"num":1,"price":1,"tid":"1"}}]"#
        ));
        events.iter().map(Event::paid).sum::<Gold>()
    };
    assert_eq!((list("1"), list("2")), (Gold(1), Gold(2)));
}

#[test]
fn what_a_message_says_beside_its_list_it_says_of_every_item() {
    let events = v1(r#""coin_type":"gold","tid":"9","timestamp":1780000000,"num":2,"blind_gift":{"original_gift_id":9,
        "original_gift_name":"盲盒","original_gift_price":15000},"gift_list":[
        {"gift_id":31,"num":1,"price":16000,"total_coin":15000,"tid":"8"},
        {"gift_id":32,"num":1,"price":9000,"total_coin":15000,"tid":"9"}]"#);
    let told: Vec<_> = events.iter().map(|event| (event.timestamp_ms, event.paid(), gift(event).value)).collect();
    let at = 1_780_000_000_000;
    assert_eq!(told, [(at, Gold(15_000), Gold(16_000)), (at, Gold(15_000), Gold(9_000))]);
    let name = |event: &Event| gift(event).blind_box.as_ref().map(|blind| blind.name.clone());
    assert!(events.iter().all(|event| name(event).as_deref() == Some("盲盒")));
}

#[test]
fn before_2023_the_guest_that_a_gift_was_meant_for_is_who_received_it() {
    let guest = Some(Receiver { uid: Uid(9), username: "嘉宾".into() });
    let old = v1(r#""price":1,"send_master":{"room_id":3,"uid":9,"uname":"嘉宾"}"#);
    assert_eq!(gift(&old[0]).receiver, guest);
    assert_eq!(gift(&v1(r#""price":1,"send_master":null"#)[0]).receiver, None);
    let master = Some(pb::Master { uid: 9, uname: "嘉宾".into() });
    let nameless = pb::GiftItem { receive_user_info: None, ..item("1") };
    let new = v2(&pb::SendGift { send_master: master.clone(), ..sent(vec![nameless]) });
    assert_eq!(gift(&new[0]).receiver, guest);
    let named = v2(&pb::SendGift { send_master: master, ..sent(vec![item("1")]) });
    assert_eq!(gift(&named[0]).receiver, Some(Receiver { uid: Uid(5), username: "主播".into() }));
}

#[test]
fn equal_items_of_one_message_stay_apart_and_pushes_of_one_gift_do_not() {
    let twice = v2(&sent(vec![item("1"), item("1")]));
    assert_ne!(twice[0].id, twice[1].id);
    assert_eq!(v2(&sent(vec![item("1"), item("1")])), twice);
    assert_ne!(v2(&sent(vec![item("2")]))[0].id, twice[0].id);
    let old = r#""num":1,"price":9,"rnd":"5","uid":66,"timestamp":1780000000,"#;
    let id = |fields: &str| v1(&format!("{old}{fields}"))[0].id;
    assert_eq!(id(r#""super_gift_num":1"#), id(r#""super_gift_num":1"#));
    assert_ne!(id(r#""super_gift_num":1"#), id(r#""super_gift_num":2"#));
    assert_ne!(id(r#""tid":"1""#), id(r#""tid":"2""#));
    assert_eq!(id(r#""tid":"1","super_gift_num":1"#), id(r#""tid":"1","super_gift_num":2"#));
}

#[test]
fn who_gave_and_who_got_are_known_as_far_as_the_message_says() {
    let masked = v1(r#""uid":0,"uname":"小***","price":1,"receive_user_info":{"uid":0,"uname":"x"}"#);
    assert!(masked[0].user.masked);
    let cut = v2(&pb::SendGift { uname: b"\xe5\xb0\x8f\xe7\x8c".into(), ..sent(vec![item("1")]) });
    assert_eq!(cut[0].user.username, "小\u{fffd}", "half a character costs no gift");
    assert_eq!(gift(&masked[0]).receiver, None);
    let uinfo = r#"{"uid":8,"base":{"name":"新"},"medal":{"name":"牌","level":9}}"#;
    let modern = v1(&format!(r#""price":1,"sender_uinfo":{uinfo},"receiver_uinfo":{uinfo}"#));
    assert_eq!((modern[0].user.uid, modern[0].user.username.as_str()), (Uid(8), "新"));
    assert_eq!(gift(&modern[0]).medal, Some(Medal { name: "牌".into(), level: 9 }));
    assert_eq!(gift(&modern[0]).receiver, Some(Receiver { uid: Uid(8), username: "新".into() }));
    let silver = v2(&sent(vec![pb::GiftItem { coin_type: "silver".into(), ..item("1") }]));
    assert_eq!((silver[0].paid(), gift(&silver[0]).coin_type), (Gold::ZERO, CoinType::Silver));
    let bag = v2(&sent(vec![pb::GiftItem { bag_gift: b"\x08\x01".into(), ..item("1") }]));
    assert_eq!((bag[0].paid(), gift(&bag[0]).price), (Gold::ZERO, Gold(100)));
}
