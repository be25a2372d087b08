//! Packet to events, beside the bare loop: decompress, split, read the needed fields.
//!
//! `cargo bench --bench decode`

mod support;

use std::time::Duration;

use bilibili_live_monitor::{domain::RoomId, protocol::Intake};
use support::{Contender, bare, events::session, messages, side_by_side};

const PACKETS: usize = 200;
const NOW_MS: i64 = 1_790_000_000_000;

fn main() {
    for (version, name) in [(3, "brotli"), (2, "zlib"), (0, "plain")] {
        let frames = messages::frames(PACKETS, version, NOW_MS);
        let bytes: usize = frames.iter().map(Vec::len).sum();
        let lines = PACKETS * messages::A_PACKET;
        let title =
            format!("{name}: chat lines, {} to a packet, {} bytes each on the wire", messages::A_PACKET, bytes / lines);
        let (mut buffer, mut session, mut intake) = (Vec::new(), session(RoomId(7)), Intake::default());
        side_by_side(
            &title,
            lines,
            41,
            &mut [
                Contender::new("bare loop", || {
                    let sum: u64 = frames.iter().map(|frame| bare::read(frame, &mut buffer)).sum();
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
