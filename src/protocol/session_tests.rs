//! What a connection does with good, bad and hostile frames.

use proptest::prelude::*;

use super::*;
use crate::{
    domain::{Body, Event, Gauge, Kind},
    protocol::intake::{MALFORMED_TOLD, UnknownMessage},
};

const NOW_MS: i64 = 1_790_000_000_000;
const ACCEPTED: &[u8] = b"{\"code\":0}";

/// Real: one brotli packet with a WATCHED_CHANGE.
const BROTLI: &str = "0000008600100003000000050000000 08b38800000007200100000000000050000\
    00007b22636d64223a22574154434845445f4348414e4745222c2264617461\
    223a7b226e756d223a32323039372c22746578745f736d616c6c223a22322e32e4b887222c22746578745f6c61726765\
    223a22322e32e4b887e4babae79c8be8bf87227d7d03";
/// One zlib packet with a LIVE and a PREPARING.
const ZLIB: &str = "0000004f00100002000000050000000078da636060d06410600001561051ad949c9ba264a5e4e319e6aaa4a354949f9f\
    9b09e41bd602e50cb0290c08720d700cf2f4734752ad64a8540b0084121146";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| b.is_ascii_hexdigit()).collect();
    let digit = |d: u8| char::from(d).to_digit(16).expect("hex") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn asking() -> Session {
    let auth = Auth { room_id: RoomId(7), uid: Uid(42), buvid: "B".into(), token: "secret".into() };
    Session::open(&auth, secs(0)).0
}

fn live() -> Session {
    let mut session = asking();
    session.receive(&encode(Operation::AuthReply, 1, ACCEPTED), secs(1), NOW_MS, &mut Intake::default());
    session
}

fn intake(frame: &[u8]) -> Intake {
    let mut out = Intake::default();
    live().receive(frame, secs(2), NOW_MS, &mut out);
    out
}

fn heartbeat() -> Step {
    Step::Send(hex("00000010 0010 0001 00000002 00000001"))
}

#[test]
fn the_first_packet_says_who_we_are_and_no_log_shows_the_token() {
    let auth = Auth { room_id: RoomId(7), uid: Uid(42), buvid: "B".into(), token: "secret".into() };
    let (session, packet) = Session::open(&auth, secs(0));
    let packet = packets(&packet).next().expect("is one").expect("is good");
    assert_eq!((packet.operation, packet.version), (Operation::Auth, 1));
    let body: serde_json::Value = serde_json::from_slice(packet.body).expect("is JSON");
    let expected = json!({"uid":42,"roomid":7,"protover":3,"platform":"web","type":2,"buvid":"B","key":"secret"});
    assert_eq!(body, expected);
    assert!(!format!("{auth:?}{session:?}").contains("secret"));
}

#[test]
fn a_connection_that_goes_well() {
    let mut session = asking();
    let mut out = Intake::default();
    assert_eq!(session.tick(secs(0)), Step::Wait(secs(10)));
    session.receive(&encode(Operation::AuthReply, 1, ACCEPTED), secs(1), NOW_MS, &mut out);
    assert!(session.is_live());
    assert_eq!(session.tick(secs(1)), heartbeat());
    assert_eq!(session.tick(secs(1)), Step::Wait(secs(6)));
    let reply = encode(Operation::HeartbeatReply, 1, &[0, 0, 0, 1]);
    session.receive(&reply, secs(2), NOW_MS, &mut out);
    assert_eq!(session.tick(secs(2)), Step::Wait(secs(31)));
    assert_eq!(session.tick(secs(31)), heartbeat());
    assert_eq!((out.events.len(), out.messages, out.malformed.len()), (0, 0, 0));
}

#[test]
fn each_death_has_its_reason_and_lasts() {
    let mut timeout = asking();
    let mut refused = asking();
    let reply = encode(Operation::AuthReply, 1, b"{\"code\":\"-101\"}");
    refused.receive(&reply, secs(1), NOW_MS, &mut Intake::default());
    let mut unanswered = live();
    unanswered.tick(secs(1));
    let mut silent = live();
    for (session, at, dead) in [
        (&mut timeout, 10, Dead::AuthTimeout),
        (&mut refused, 1, Dead::AuthRefused { code: -101 }),
        (&mut unanswered, 6, Dead::HeartbeatUnanswered),
        (&mut silent, 71, Dead::Silent),
    ] {
        assert_eq!(session.tick(secs(at)), Step::Dead(dead));
        session.receive(&encode(Operation::AuthReply, 1, ACCEPTED), secs(at), NOW_MS, &mut Intake::default());
        session.receive(&encode(Operation::HeartbeatReply, 1, b""), secs(at), NOW_MS, &mut Intake::default());
        assert!(!session.is_live());
        assert_eq!(session.tick(secs(at + 1)), Step::Dead(dead));
    }
}

#[test]
fn real_frames_are_read() {
    let watched = intake(&hex(BROTLI));
    assert_eq!(watched.events.len(), 1);
    assert_eq!(watched.events[0].body, Body::Gauge(Gauge { watched: Some(22097), ..Gauge::default() }));
    let kinds: Vec<Kind> = intake(&hex(ZLIB)).events.iter().map(Event::kind).collect();
    assert_eq!(kinds, [Kind::Live, Kind::Preparing]);
    let mut frame = encode(Operation::HeartbeatReply, 1, &[0, 0, 0, 1]);
    frame.extend(hex(BROTLI));
    frame.extend(encode(Operation::Message, 0, b"{\"cmd\":\"LIVE\",\"roomid\":1}"));
    assert_eq!(intake(&frame).events.len(), 2);
}

#[test]
fn bad_parts_are_counted_and_the_good_ones_around_them_delivered() {
    let good = encode(Operation::Message, 0, b"{\"cmd\":\"LIVE\"}");
    let bad: [&[u8]; 5] = [b"", b"[1]", b"\xff\xfe", b"{\"cmd\"", b"{}"];
    let mut frame = good.clone();
    for body in bad {
        frame.extend(encode(Operation::Message, 0, body));
    }
    frame.extend(encode(Operation::Message, 3, b"no brotli"));
    frame.extend(encode(Operation::Other(99), 7, b"noise"));
    frame.extend(encode(Operation::Message, 0, b"{\"cmd\":\"NEW_THING\"}"));
    frame.extend(encode(Operation::Message, 0, b"{\"cmd\":\"ENTRY_EFFECT\"}"));
    frame.extend(good);
    frame.extend([0; 20]);
    let out = intake(&frame);
    assert_eq!((out.events.len(), out.malformed.len(), out.ignored, out.messages), (2, 7, 1, 9));
    let sample = "{\"cmd\":\"NEW_THING\"}".to_owned();
    assert_eq!(out.unknown, [UnknownMessage { cmd: "NEW_THING".into(), sample }]);
}

#[test]
fn what_steers_is_told_beside_the_facts_and_is_gone_when_cleared() {
    let frame: Vec<u8> = [
        r#"{"cmd":"STOP_LIVE_ROOM_LIST","data":{"room_id_list":[5,6]}}"#,
        r#"{"cmd":"LOG_IN_NOTICE","data":{}}"#,
        r#"{"cmd":"DANMU_MSG_MIRROR","info":[]}"#,
        r#"{"cmd":"DANMU_MSG","info":[[],"x",[1,"y"]]}"#,
        r#"{"cmd":"WATCHED_CHANGE","data":{"num":7}}"#,
        r#"{"cmd":"GUARD_BUY","data":{"guard_level":3,"uid":1}}"#,
        r#"{"cmd":"NEW_THING"}"#,
        "[]",
    ]
    .iter()
    .flat_map(|json| encode(Operation::Message, 0, json.as_bytes()))
    .collect();
    let mut out = intake(&frame);
    assert_eq!(out.stopped_rooms, [RoomId(5), RoomId(6)]);
    assert_eq!((out.anonymous, out.mirrored, out.chat, out.others, out.messages), (true, 1, 1, 2, 8));
    out.clear();
    assert_eq!(format!("{out:?}"), format!("{:?}", Intake::default()));
}

#[test]
fn what_a_frame_can_make_us_keep_of_the_unknown_is_bounded() {
    let long = format!(r#"{{"cmd":"NEW","x":"{}"}}"#, "猫".repeat(5000));
    let out = intake(&encode(Operation::Message, 0, long.as_bytes()).repeat(300));
    assert_eq!((out.unknown.len(), out.unknown_untold), (256, 44));
    assert!(out.unknown.iter().all(|message| message.sample.len() < 4200));
    let rooms = vec!["7"; 5000].join(",");
    let stopped = format!(r#"{{"cmd":"STOP_LIVE_ROOM_LIST","data":{{"room_id_list":[{rooms}]}}}}"#);
    assert_eq!(intake(&encode(Operation::Message, 0, stopped.as_bytes()).repeat(2)).stopped_rooms.len(), 4096);
}

#[test]
fn nesting_and_repetition_have_an_end() {
    let wrap = |inner: &[u8]| {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(inner).expect("into memory");
        encode(Operation::Message, 2, &encoder.finish().expect("into memory"))
    };
    let live = encode(Operation::Message, 0, b"{\"cmd\":\"LIVE\"}");
    assert_eq!(intake(&wrap(&wrap(&live))).events.len(), 1);
    let deep = intake(&wrap(&wrap(&wrap(&live))));
    assert_eq!((deep.events.len(), deep.malformed.len()), (0, 1));
    let noise = intake(&wrap(&encode(Operation::Message, 0, b"").repeat(5000)));
    assert_eq!((noise.malformed.len(), noise.malformed_untold), (MALFORMED_TOLD, 5000 - MALFORMED_TOLD as u64));
}

proptest! {
    #[test]
    fn no_bytes_break_a_session(noise: Vec<u8>, cuts: Vec<(usize, u8)>) {
        let mut session = live();
        let mut out = Intake::default();
        session.receive(&noise, secs(2), NOW_MS, &mut out);
        for original in [hex(BROTLI), hex(ZLIB), encode(Operation::Message, 0, &noise)] {
            let mut frame = original.clone();
            for (at, byte) in &cuts {
                let at = at % frame.len();
                frame[at] = *byte;
                session.receive(&frame, secs(2), NOW_MS, &mut out);
                session.receive(&frame[..at], secs(2), NOW_MS, &mut out);
            }
            frame.extend(&original);
            session.receive(&frame, secs(2), NOW_MS, &mut out);
        }
        prop_assert!(!matches!(session.tick(secs(2)), Step::Dead(_)));
        out.clear();
        session.receive(&hex(BROTLI), secs(3), NOW_MS, &mut out);
        prop_assert_eq!(out.events.len(), 1);
    }
}
