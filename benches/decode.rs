//! Packet to events, beside the bare loop: decompress, split, read the needed fields.
//!
//! `cargo bench --bench decode`

mod support;

use std::{borrow::Cow, hint::black_box, io::Read, time::Duration};

use bilibili_live_monitor::{
    domain::{RoomId, Uid},
    protocol::{Auth, Intake, Operation, Session, encode},
};
use serde::{Deserialize, de::IgnoredAny};

use support::{Contender, messages, side_by_side};

const PACKETS: usize = 200;
const NOW_MS: i64 = 1_790_000_000_000;

/// The fields that the product needs of a chat line, borrowed, in today's shape only.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    cmd: Cow<'a, str>,
    #[serde(borrow)]
    info: Info<'a>,
}

#[derive(Deserialize)]
struct Info<'a>(
    #[serde(borrow)] Head<'a>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Sender<'a>,
    #[serde(borrow)] Medal<'a>,
    Level,
    IgnoredAny,
    IgnoredAny,
    i64,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
);

#[derive(Deserialize)]
struct Head<'a>(
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    i64,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    i64,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    #[serde(borrow)] More<'a>,
    IgnoredAny,
    IgnoredAny,
);

#[derive(Deserialize)]
struct More<'a> {
    #[serde(borrow)]
    extra: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Extra<'a> {
    #[serde(borrow)]
    id_str: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Sender<'a>(u64, #[serde(borrow)] Cow<'a, str>, i64, i64, i64, IgnoredAny, IgnoredAny, IgnoredAny);

#[derive(Deserialize)]
struct Medal<'a>(
    i64,
    #[serde(borrow)] Cow<'a, str>,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
);

#[derive(Deserialize)]
struct Level(i64, IgnoredAny, IgnoredAny, IgnoredAny, IgnoredAny);

fn length_at(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
}

fn bare(frame: &[u8], buffer: &mut Vec<u8>) -> u64 {
    buffer.clear();
    let body = &frame[16..];
    let plain: &[u8] = match frame[7] {
        2 => {
            flate2::bufread::ZlibDecoder::new(body).read_to_end(buffer).expect("good");
            buffer
        }
        3 => {
            brotli_decompressor::Decompressor::new(body, body.len().min(16 << 10)).read_to_end(buffer).expect("good");
            buffer
        }
        _ => frame,
    };
    let (mut at, mut sum) = (0, 0);
    while at < plain.len() {
        let length = length_at(plain, at);
        let line: Line = serde_json::from_slice(&plain[at + 16..at + length]).expect("a chat line");
        let Info(head, text, sender, medal, level, _, _, guard_level, ..) = line.info;
        let extra: Extra = serde_json::from_str(&head.15.extra).expect("extra");
        let Sender(uid, name, admin, monthly, yearly, ..) = &sender;
        black_box((&line.cmd, &text, &extra.id_str, uid, name, admin, monthly, yearly, head.4, head.9));
        black_box((medal.0, &medal.1, level.0, guard_level));
        at += length;
        sum += 1;
    }
    sum
}

fn session() -> Session {
    let auth = Auth { room_id: RoomId(7), uid: Uid(0), buvid: String::new(), token: String::new() };
    let mut session = Session::open(&auth, Duration::ZERO).0;
    session.receive(&encode(Operation::AuthReply, 1, b"{\"code\":0}"), Duration::ZERO, NOW_MS, &mut Intake::default());
    session
}

fn main() {
    for (version, name) in [(3, "brotli"), (2, "zlib"), (0, "plain")] {
        let frames = messages::frames(PACKETS, version, NOW_MS);
        let bytes: usize = frames.iter().map(Vec::len).sum();
        let lines = PACKETS * messages::A_PACKET;
        let title =
            format!("{name}: chat lines, {} to a packet, {} bytes each on the wire", messages::A_PACKET, bytes / lines);
        let (mut buffer, mut session, mut intake) = (Vec::new(), session(), Intake::default());
        side_by_side(
            &title,
            lines,
            41,
            &mut [
                Contender::new("bare loop", || {
                    let sum: u64 = frames.iter().map(|frame| bare(frame, &mut buffer)).sum();
                    assert_eq!(sum as usize, lines);
                }),
                Contender::new("Session::receive", || {
                    let mut events = 0;
                    for frame in &frames {
                        session.receive(frame, Duration::ZERO, NOW_MS, &mut intake);
                        events += intake.events.len();
                        intake.clear();
                    }
                    assert_eq!(events, lines);
                }),
            ],
        );
    }
}
