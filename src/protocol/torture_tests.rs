//! Damaged messages by the thousand, from the frame to the events and back through JSON: the short, seeded part of
//! what `fuzz/` does without end. Its seeds are `fixtures.jsonl`, one message of every kind, made for this.
//!
//! What must hold of any bytes is here alone ([`chew`]), so that both check the same.

use std::{io::Write, time::Duration};

use super::{Auth, GuardMerge, Intake, Operation, Session, encode};
use crate::domain::{Event, Gold, Kept, RoomId, Uid};

/// One message a line.
pub const FIXTURES: &str = include_str!("fixtures.jsonl");

/// Our clock when they come, unix ms.
const NOW_MS: i64 = 1_790_000_000_000;

/// Takes `bytes` in by the way that the first of them chooses, and fails if anything comes out that must not.
pub fn chew(bytes: &[u8]) -> Intake {
    let Some((way, body)) = bytes.split_first() else { return Intake::default() };
    let frame = match way % 4 {
        0 => body.to_vec(),
        1 => encode(Operation::Message, 0, body),
        2 => encode(Operation::Message, 2, &zlib(&encode(Operation::Message, 0, body))),
        _ => encode(Operation::Message, 3, body),
    };
    let auth = Auth { room_id: RoomId(7), uid: Uid(0), buvid: String::new(), token: String::new() };
    let (mut session, _) = Session::open(&auth, Duration::ZERO);
    let mut intake = Intake::default();
    session.receive(&frame, Duration::ZERO, NOW_MS, &mut intake);
    // The same again: what is told twice is one fact.
    let mut again = Intake::default();
    session.receive(&frame, Duration::from_secs(1), NOW_MS + 1000, &mut again);
    let mut merge = GuardMerge::default();
    let mut purchases: Vec<Event> = intake.guards.iter().filter_map(|part| part.estimate()).collect();
    purchases.extend(intake.guards.iter().filter_map(|part| merge.take(part.clone(), Duration::ZERO)));
    purchases.extend(merge.flush());
    intake.events.iter().chain(&purchases).for_each(check);
    assert!(intake.malformed.len() <= 16 && intake.unknown.len() <= 256);
    assert_eq!(intake.events.len(), again.events.len());
    intake
}

fn check(event: &Event) {
    assert_eq!(event.room_id, RoomId(7));
    assert!((1..=NOW_MS + 86_400_000).contains(&event.timestamp_ms), "{event:?}");
    assert!(event.paid() >= Gold::ZERO && event.paid() <= Gold(1_000_000_000_000), "{event:?}");
    assert!(
        event.user.uid.0 != 0 || event.user.masked || event.user.open_id().is_some() || is_nobody(event),
        "{event:?}"
    );
    assert!(!event.user.masked || event.user.uid.0 == 0, "{event:?}");
    let text = serde_json::to_string(&Kept(event)).expect("serialises");
    assert_eq!(&serde_json::from_str::<Event>(&text).expect("reads back"), event, "{text}");
}

fn is_nobody(event: &Event) -> bool {
    event.user.username.is_empty()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).expect("into memory");
    encoder.finish().expect("into memory")
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    fn seeds() -> Vec<&'static [u8]> {
        FIXTURES.lines().map(str::as_bytes).collect()
    }

    fn way(number: u8, body: &[u8]) -> Vec<u8> {
        [&[number], body].concat()
    }

    #[test]
    fn every_fixture_is_read_and_by_every_way_the_same() {
        for seed in seeds() {
            let (plain, packed) = (chew(&way(1, seed)), chew(&way(2, seed)));
            let text = String::from_utf8_lossy(seed);
            assert_eq!(plain.malformed, [], "{text}");
            assert_eq!((plain.messages, &plain.events), (1, &packed.events), "{text}");
        }
        let all: Vec<Intake> = seeds().iter().map(|seed| chew(&way(1, seed))).collect();
        let count = |number: fn(&Intake) -> usize| all.iter().map(number).sum::<usize>();
        assert_eq!(count(|intake| intake.events.len()), 35);
        assert_eq!((count(|intake| intake.guards.len()), count(|intake| intake.unknown.len())), (5, 1));
    }

    #[test]
    fn damaged_messages_break_nothing() {
        let (mut dice, seeds) = (StdRng::seed_from_u64(20_261_124), seeds());
        // What damages best: ends of numbers, empty things, other types.
        let splinters: [&[u8]; 12] = [
            b"null",
            b"[]",
            b"{}",
            b"\"\"",
            b"-1",
            b"1e308",
            b"9223372036854775807",
            b"18446744073709551615",
            b"\\u0000",
            b"[[[[[[[[",
            b"\"pb\":",
            b"\xff",
        ];
        for _ in 0..4000 {
            let mut bytes = seeds[dice.random_range(0..seeds.len())].to_vec();
            for _ in 0..dice.random_range(1..6) {
                let at = dice.random_range(0..bytes.len());
                match dice.random_range(0..5) {
                    0 => bytes[at] = dice.random(),
                    1 => bytes.truncate(at + 1),
                    2 => {
                        let splinter = splinters[dice.random_range(0..splinters.len())];
                        bytes.splice(at..(at + dice.random_range(0..8)).min(bytes.len()), splinter.iter().copied());
                    }
                    3 => {
                        let other = seeds[dice.random_range(0..seeds.len())];
                        bytes.truncate(at + 1);
                        bytes.extend(&other[dice.random_range(0..other.len())..]);
                    }
                    _ => bytes[at] ^= 1 << dice.random_range(0..8),
                }
            }
            chew(&way(dice.random_range(0..4), &bytes));
        }
    }

    #[test]
    fn depth_has_an_end_in_every_layer() {
        let deep = |open: &str, n: usize| open.repeat(n);
        let inner = format!(r#"{{"content":"x","a":{}"#, deep("[", 200_000));
        let extra = serde_json::to_string(&inner).expect("is text");
        for json in [
            format!(r#"{{"cmd":"DANMU_MSG","info":[[],{}"#, deep("[", 200_000)),
            format!(
                r#"{{"cmd":"DANMU_MSG","info":[[0,1,25,1,1,1,0,"h",0,0,0,"",0,"{{}}","{{}}",{{"extra":{extra}}}],"x",[1,"y"]]}}"#
            ),
            format!(r#"{{"cmd":"DM_INTERACTION","data":{{"data":{extra}}}}}"#),
            deep(r#"{"msg":"#, 200_000),
            deep(r#"{"cmd":"X","data":"#, 200_000),
            format!(r#"{{"cmd":"SEND_GIFT","data":{{"giftId":1,"gift_list":[{}"#, deep(r#"{"gift_list":["#, 100_000)),
        ] {
            assert_eq!(chew(&way(1, json.as_bytes())).messages, 1);
        }
        // A protobuf message in a message, beyond the depth that its reader allows.
        let mut nested = vec![0x0a, 0];
        for _ in 0..20_000 {
            let length = u64::try_from(nested.len()).expect("is small");
            let mut outer = vec![0x12];
            prost::encoding::encode_varint(length, &mut outer);
            outer.extend(&nested);
            nested = outer;
        }
        let pb = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &nested);
        let json = format!(r#"{{"cmd":"INTERACT_WORD_V2","data":{{"pb":"{pb}"}}}}"#);
        assert_eq!(chew(&way(1, json.as_bytes())).messages, 1);
    }
}
