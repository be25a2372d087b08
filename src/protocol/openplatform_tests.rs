//! The Open Live platform's commands, from messages made after its documentation.

use super::*;
use crate::{
    domain::Kind,
    protocol::{arrival::tests::HERE, command::decode as decode_message},
};

fn one(cmd: &str, data: &str) -> Event {
    let json = format!(r#"{{"cmd":"LIVE_OPEN_PLATFORM_{cmd}","data":{{{data}}}}}"#);
    match decode_message(json.as_bytes(), HERE) {
        Decoded::Events(mut events) if events.len() == 1 => events.remove(0),
        other => panic!("{json}: {other:?}"),
    }
}

const WHO: &str = r#""open_id":"o66","uname":"小猫","timestamp":1780000000,"msg_id":"m1","room_id":7,
    "fans_medal_wearing_status":true,"fans_medal_name":"牌","fans_medal_level":21"#;

#[test]
fn each_command_is_its_kind_and_keeps_the_open_id() {
    for (cmd, data, kind) in [
        ("DM", r#""msg":"好耶","guard_level":3,"is_admin":1,"dm_type":0"#, Kind::Danmaku),
        ("SEND_GIFT", r#""gift_id":31,"gift_name":"花","gift_num":2,"price":100,"r_price":90,"paid":true"#, Kind::Gift),
        (
            "SUPER_CHAT",
            r#""message_id":9,"message":"加油","rmb":30,"start_time":1780000000,"end_time":1780000060"#,
            Kind::SuperChat,
        ),
        ("LIKE", r#""like_text":"赞","like_count":3"#, Kind::Like),
        ("LIVE_ROOM_ENTER", r#""uface":"f""#, Kind::Enter),
    ] {
        let event = one(cmd, &format!("{WHO},{data}"));
        assert_eq!(event.kind(), kind);
        assert_eq!(event.user.open_id(), Some("o66"), "{cmd}");
        assert_eq!((event.user.uid, event.user.masked, event.user.username.as_str()), (Uid(0), false, "小猫"), "{cmd}");
        assert_eq!(event.timestamp_ms, 1_780_000_000_000, "{cmd}");
        assert_eq!(one(cmd, &format!("{WHO},{data}")).id, event.id, "{cmd}");
        if kind != Kind::SuperChat {
            assert_ne!(one(cmd, &format!("{WHO},{data}").replace("m1", "m2")).id, event.id, "{cmd}");
        }
    }
    let start =
        one("LIVE_START", r#""room_id":7,"open_id":"anchor","timestamp":1780000000,"area_name":"科技","title":"新""#);
    let title = Some("新".to_owned());
    assert_eq!(start.body, Body::Live(RoomNotice { title, area_name: Some("科技".into()), ..RoomNotice::default() }));
    assert_eq!(start.user, User::default());
    assert_eq!(one("LIVE_END", r#""timestamp":1780000000"#).kind(), Kind::Preparing);
    assert_eq!(one("SUPER_CHAT_DEL", r#""message_ids":[7,"8"]"#).body, Body::SuperChatDelete { ids: vec![7, 8] });
}

#[test]
fn a_chat_line_is_read_whole() {
    let event = one(
        "DM",
        &format!(
            r#"{WHO},"msg":"[妙]","emoji_img_url":"https://img.example/e.png","dm_type":1,"guard_level":2,
            "reply_open_id":"o7","reply_uname":"小狗","is_admin":0"#
        ),
    );
    let expected = Danmaku {
        message: "[妙]".into(),
        medal: Some(Medal { name: "牌".into(), level: 21 }),
        guard_level: 2,
        emoticon_url: Some("https://img.example/e.png".into()),
        reply_to: Some("小狗".into()),
        ..Danmaku::default()
    };
    assert_eq!(event.body, Body::Danmaku(expected));
    let bare = one(
        "DM",
        r#""msg":"x","fans_medal_wearing_status":false,"fans_medal_name":"牌","fans_medal_level":21,"uid":5"#,
    );
    let Body::Danmaku(danmaku) = &bare.body else { panic!("{bare:?}") };
    assert_eq!((danmaku.medal.as_ref(), bare.user.uid, bare.user.masked), (None, Uid(5), false));
    assert!(one("DM", r#""msg":"x","uname":"小***""#).user.masked);
}

#[test]
fn a_super_chat_without_a_number_is_one_all_the_same() {
    let event =
        one("SUPER_CHAT", &format!(r#"{WHO},"message_id":0,"message":"你好","rmb":10,"start_time":0,"end_time":0"#));
    assert_eq!((event.paid(), event.timestamp_ms), (Gold(10_000), 1_780_000_000_000));
}

#[test]
fn paid_says_whether_a_gift_cost_anything() {
    for (fields, coin_type, price, paid, value) in [
        (r#""price":100,"r_price":90,"paid":true"#, CoinType::Gold, 100, 180, 200),
        (r#""price":100,"paid":true"#, CoinType::Gold, 100, 200, 200),
        (r#""price":100,"r_price":100,"paid":false"#, CoinType::Silver, 0, 0, 0),
        (r#""price":100,"r_price":0,"paid":true"#, CoinType::Gold, 100, 0, 200),
        (r#""price":"100","r_price":"90","paid":1"#, CoinType::Gold, 100, 180, 200),
        (r#""price":100"#, CoinType::Silver, 0, 0, 0),
    ] {
        let event = one("SEND_GIFT", &format!(r#"{WHO},"gift_id":31,"gift_name":"花","gift_num":2,{fields}"#));
        let Body::Gift(gift) = &event.body else { panic!("{event:?}") };
        assert_eq!(
            (gift.coin_type, gift.price, gift.paid, gift.value),
            (coin_type, Gold(price), Gold(paid), Gold(value)),
            "{fields}"
        );
    }
    let event = one(
        "SEND_GIFT",
        r#""gift_id":31,"gift_num":1,"price":100,"r_price":100,"paid":true,"blind_gift":{"blind_gift_id":32251,"status":true},
        "anchor_info":{"uid":8,"open_id":"a","uname":"别人"}"#,
    );
    let Body::Gift(gift) = &event.body else { panic!("{event:?}") };
    assert_eq!(gift.blind_box, Some(BlindBox { name: "32251".into(), price: Gold::ZERO }));
    assert_eq!(gift.receiver, Some(Receiver { uid: Uid(8), username: "别人".into() }));
    assert_eq!(event.origin.map(|origin| origin.command).as_deref(), Some("LIVE_OPEN_PLATFORM_SEND_GIFT"));
}

#[test]
fn a_guard_names_its_user_in_an_object_and_may_have_no_price() {
    let user = r#""user_info":{"open_id":"o66","uname":"小猫","uface":"f"},"timestamp":1780000000,"msg_id":"m1""#;
    for (fields, unit, paid, estimated) in [
        (r#""guard_level":3,"guard_num":1,"guard_unit":"月","price":138000"#, "月", 138_000, false),
        (r#""guard_level":3,"guard_num":2,"guard_unit":"月""#, "月", 396_000, true),
        (r#""guard_level":3,"guard_num":1,"guard_unit":"*3天""#, "*3天", 0, true),
    ] {
        let event = one("GUARD", &format!("{user},{fields}"));
        let Body::Guard(guard) = &event.body else { panic!("{event:?}") };
        assert_eq!((guard.unit.as_str(), guard.paid, guard.estimated), (unit, Gold(paid), estimated), "{fields}");
        assert_eq!((event.user.open_id(), event.user.username.as_str()), (Some("o66"), "小猫"));
    }
}

#[test]
fn what_is_no_fact_about_the_room_is_a_signal() {
    let signal = |cmd: &str| {
        decode_message(format!(r#"{{"cmd":"LIVE_OPEN_PLATFORM_{cmd}","data":{{"game_id":"g"}}}}"#).as_bytes(), HERE)
    };
    assert_eq!(signal("DM_MIRROR"), Decoded::Signal(Signal::MirroredChat));
    assert_eq!(signal("INTERACTION_END"), Decoded::Signal(Signal::SessionEnded("g".into())));
    assert_eq!(signal("GAME"), Decoded::Ignored);
    assert_eq!(signal("NEW_THING"), Decoded::Unknown("LIVE_OPEN_PLATFORM_NEW_THING".into()));
    assert!(matches!(signal("SUPER_CHAT"), Decoded::Malformed(_)));
}
