//! Events as JSON, there and back.

use serde_json::{Value, json};

use super::*;

fn event(body: Body) -> Event {
    Event {
        id: EventId::of(1_700_000_000_123, &["x"]),
        room_id: RoomId(21452505),
        timestamp_ms: 1_700_000_000_123,
        received_ms: 1_700_000_000_456,
        source: Source::Live,
        user: User { uid: Uid(42), username: "小\"猫".into(), masked: false, alias: None },
        origin: None,
        body,
    }
}

#[test]
fn a_gift_is_written_as_the_contract_says() {
    let gift = event(Body::Gift(Gift {
        gift_id: 31036,
        gift_name: "小花花".into(),
        num: 10,
        coin_type: CoinType::Gold,
        price: Gold(100),
        paid: Gold(1000),
        value: Gold(1000),
        blind_box: None,
        receiver: Some(Receiver { uid: Uid(7), username: "主播".into() }),
        medal: Some(Medal { name: "猫粮".into(), level: 21 }),
    }));
    let expected = json!({
        "id": gift.id.to_string(), "kind": "gift", "room_id": 21452505, "timestamp": 1_700_000_000,
        "timestamp_ms": 1_700_000_000_123_i64, "received_ms": 1_700_000_000_456_i64, "uid": 42,
        "username": "小\"猫", "masked": false, "source": "live", "gift_id": 31036, "gift_name": "小花花",
        "num": 10, "coin_type": "gold", "price": 0.1, "total_price": 1.0, "price_gold": 100,
        "paid_gold": 1000, "value_gold": 1000, "blind_box": null,
        "receiver": {"uid": 7, "username": "主播"}, "medal_name": "猫粮", "medal_level": 21,
    });
    assert_eq!(serde_json::to_value(&gift).expect("serialises"), expected);
}

#[test]
fn every_kind_comes_back_as_it_went() {
    let medal = Some(Medal { name: "a".into(), level: 3 });
    let notice = RoomNotice { title: Some("t".into()), live_key: Some("k".into()), ..RoomNotice::default() };
    let bodies = [
        Body::Danmaku(Danmaku { message: "你好\n\u{202e}".into(), reply_to: Some("b".into()), ..Danmaku::default() }),
        Body::Gift(Gift {
            gift_id: 1,
            gift_name: "盲盒".into(),
            num: 1,
            coin_type: CoinType::Gold,
            price: Gold(16_001),
            paid: Gold(15_003),
            value: Gold(16_001),
            blind_box: Some(BlindBox { name: "心动盲盒".into(), price: Gold(15_003) }),
            receiver: None,
            medal: medal.clone(),
        }),
        Body::SuperChat(SuperChat {
            super_chat_id: 9,
            message: "加油".into(),
            paid: Gold(30_000),
            start_time: 1,
            end_time: 61,
        }),
        Body::SuperChatDelete { ids: vec![1, 2] },
        Body::Guard(Guard {
            guard_level: 3,
            num: 1,
            unit: "月".into(),
            paid: Gold(138_000),
            estimated: true,
            explains: None,
        }),
        Body::Enter(medal.clone()),
        Body::Follow(None),
        Body::Share(None),
        Body::Like(medal),
        Body::Live(notice.clone()),
        Body::Preparing(RoomNotice::default()),
        Body::CutOff(notice.clone()),
        Body::Warning(notice.clone()),
        Body::RoomLock(notice.clone()),
        Body::RoomChange(notice),
        Body::Gauge(Gauge { watched: Some(5), ..Gauge::default() }),
    ];
    assert_eq!(bodies.iter().map(Body::kind).collect::<Vec<_>>(), Kind::ALL);
    for body in bodies {
        let before = event(body);
        let text = serde_json::to_string(&before).expect("serialises");
        let after: Event = serde_json::from_str(&text).expect("reads back");
        assert_eq!(after, before, "{text}");
        let value: Value = serde_json::from_str(&text).expect("is JSON");
        assert_eq!(value["kind"], before.kind().as_str());
    }
}

#[test]
fn a_missing_field_is_named() {
    let mut value = serde_json::to_value(event(Body::SuperChatDelete { ids: vec![] })).expect("serialises");
    value["ids"].take();
    let error = serde_json::from_value::<Event>(value).expect_err("ids are needed");
    assert!(error.to_string().contains("ids"), "{error}");
}

#[test]
fn where_a_purchase_came_from_and_who_is_behind_it_come_back_too() {
    let guard = Guard {
        guard_level: 3,
        num: 1,
        unit: "月".into(),
        paid: Gold(138_000),
        estimated: false,
        explains: Some(EventId::of(7, &["y"])),
    };
    let mut before = event(Body::Guard(guard));
    before.origin = Some(Origin { command: "USER_TOAST_MSG_V2".into(), rule: 1 });
    before.user = User { alias: Some(Alias::OpenId("o1".into())), ..User::default() };
    let text = serde_json::to_string(&before).expect("serialises");
    assert_eq!(serde_json::from_str::<Event>(&text).expect("reads back"), before, "{text}");
}

#[test]
fn what_stands_for_a_masked_user_is_written_for_our_own_stores_only() {
    let mut masked = event(Body::Like(None));
    masked.user = User { masked: true, alias: Some(Alias::Hash(0xcbf4_3926)), ..User::default() };
    let told = serde_json::to_string(&masked).expect("serialises");
    assert!(!told.contains("hash") && !told.contains("3421780262"), "{told}");
    let kept = serde_json::to_string(&Kept(&masked)).expect("serialises");
    assert_eq!(serde_json::from_str::<Event>(&kept).expect("reads back"), masked);
}

#[test]
fn an_event_of_an_earlier_version_is_read() {
    let old = json!({
        "id": EventId::of(1, &[]).to_string(), "kind": "guard", "room_id": 7, "timestamp": 1, "timestamp_ms": 1000,
        "received_ms": 1001, "uid": 0, "username": "小***", "masked": true, "source": "live", "guard_level": 3, "num": 1,
        "unit": "月", "price": 138.0, "paid_gold": 138_000, "estimated": false,
    });
    let event: Event = serde_json::from_value(old).expect("reads");
    assert_eq!((event.origin, event.user.alias), (None, None));
}
