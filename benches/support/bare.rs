//! The bare loop: decompress, split, read the needed fields of every chat line.
//!
//! What is left of the work when nothing is checked, kept, counted or handed on, and only today's shape is
//! understood; the program is measured against it.

use std::{borrow::Cow, hint::black_box, io::Read};

use serde::{Deserialize, de::IgnoredAny};

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
    reply_mid: i64,
    #[serde(borrow)]
    reply_uname: Cow<'a, str>,
    is_mirror: bool,
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

/// Reads a frame of chat lines; how many there were.
pub fn read(frame: &[u8], buffer: &mut Vec<u8>) -> u64 {
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
        black_box((medal.0, &medal.1, level.0, guard_level, extra.reply_mid, &extra.reply_uname, extra.is_mirror));
        at += length;
        sum += 1;
    }
    sum
}
