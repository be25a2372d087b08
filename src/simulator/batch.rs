//! Messages that leave a room together, as each kind of listener receives them.
//!
//! A batch is packed once for each [`Eyes`], however many connections look through them: visitors may get masked
//! names and only a part, thinned connections little chat, the open platform its own commands.
//!
//! Invariant: which messages a listener misses is decided when the batch is made, and spread evenly.

use std::{
    io::Write as _,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;

use super::{
    books::Fact,
    cast::Streamer,
    faults::Flaws,
    mask::mask,
    messages::{Outgoing, serial},
    open_messages::translate,
    wire::{MESSAGE, packet},
};

/// How a connection sees its room.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Eyes {
    /// Nobody is logged in behind it.
    pub visitor: bool,
    /// Little chat comes through.
    pub thinned: bool,
    /// It came through the open platform.
    pub open: bool,
    /// The packing asked for.
    pub protover: u16,
}

struct Message {
    json: String,
    facts: Vec<Fact>,
    /// Left out for visitors.
    withheld: bool,
    /// Left out for thinned connections.
    thinned: bool,
    /// Not for the open platform.
    web_only: bool,
    /// Somebody received it.
    heard: AtomicBool,
}

/// Messages that go out together; or, if `raw` is there, a frame of bytes that are none.
pub(super) struct Batch {
    raw: Option<Bytes>,
    messages: Vec<Message>,
    /// Visitors get no names.
    masked: bool,
    /// All connections are thinned.
    thin_for_all: bool,
    /// Small and alone: sent unpacked.
    bare: bool,
    streamer: Streamer,
    frames: [OnceLock<Bytes>; 13],
}

impl Batch {
    /// A batch of a room; `sent` is how many messages left the room before.
    pub fn new(messages: Vec<Outgoing>, sent: u64, flaws: &Flaws, streamer: Streamer) -> Batch {
        let keep = flaws.keep.unwrap_or(THINNED_KEEP);
        let withheld = flaws.withheld.unwrap_or(0.0);
        let bare = messages.len() == 1 && messages[0].json.len() < 700 && serial().is_multiple_of(2);
        let messages = messages.into_iter().zip(sent..).map(|(message, place)| Message {
            withheld: evenly(place) < withheld,
            // Another stretch of the same even row: the two are independent.
            thinned: message.facts.contains(&Fact::Danmaku) && evenly(place * 2 + 1) >= keep,
            web_only: message.web_only,
            json: message.json,
            facts: message.facts,
            heard: AtomicBool::new(false),
        });
        Batch {
            raw: None,
            messages: messages.collect(),
            masked: flaws.withheld.is_some(),
            thin_for_all: flaws.keep.is_some(),
            bare,
            streamer,
            frames: Default::default(),
        }
    }

    /// Something that is no batch of messages.
    pub fn raw(bytes: Bytes, streamer: Streamer) -> Batch {
        Batch { raw: Some(bytes), ..Batch::new(Vec::new(), 0, &Flaws::default(), streamer) }
    }

    /// The batch as one WebSocket frame for these eyes. `None` when nothing of it is for them.
    pub fn frame(&self, eyes: Eyes) -> Option<Bytes> {
        if let Some(raw) = &self.raw {
            return Some(raw.clone());
        }
        let place = match (eyes.open, eyes.protover) {
            (true, _) => 12,
            (false, protover) => {
                let packing = match protover {
                    _ if self.bare => 0,
                    3 => 2,
                    2 => 1,
                    _ => 0,
                };
                packing + 3 * usize::from(eyes.visitor) + 6 * usize::from(eyes.thinned)
            }
        };
        let frame = self.frames[place].get_or_init(|| self.pack(place, eyes));
        (!frame.is_empty()).then(|| frame.clone())
    }

    /// What these eyes are told that nobody was told before.
    pub fn news(&self, eyes: Eyes) -> Vec<Fact> {
        let unheard = self.seen_by(eyes).filter(|message| !message.heard.swap(true, Ordering::Relaxed));
        unheard.flat_map(|message| message.facts.iter().copied()).collect()
    }

    fn seen_by(&self, eyes: Eyes) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |message| {
            let withheld = message.withheld && eyes.visitor && !eyes.open;
            let thinned = message.thinned && (eyes.thinned || self.thin_for_all);
            let unspoken = message.web_only && eyes.open;
            !(withheld || thinned || unspoken)
        })
    }

    fn pack(&self, place: usize, eyes: Eyes) -> Bytes {
        let mut messages = Vec::new();
        for message in self.seen_by(eyes) {
            match () {
                () if eyes.open => messages.extend(translate(&message.json, &self.streamer)),
                () if eyes.visitor && self.masked => messages.push(mask(&message.json)),
                () => messages.push(message.json.clone()),
            }
        }
        // Usually one packed packet; two in one frame when there is much to say.
        let per_packet = if messages.len() > 6 { messages.len().div_ceil(2).min(100) } else { 100 };
        let mut frame = Vec::new();
        for messages in messages.chunks(per_packet) {
            let run: Vec<u8> = messages.iter().flat_map(|message| packet(0, MESSAGE, message.as_bytes())).collect();
            match (eyes.open, place % 3) {
                (false, 0) => frame.extend(run),
                (true, _) | (false, 1) => frame.extend(packet(2, MESSAGE, &zlib(&run))),
                _ => frame.extend(packet(3, MESSAGE, &brotli(&run))),
            }
        }
        frame.into()
    }
}

/// How much chat a thinned connection keeps where the room does not say.
const THINNED_KEEP: f64 = 0.1;

/// Numbers between 0 and 1 that fill the space evenly, wherever one begins: multiples of the golden ratio.
fn evenly(place: u64) -> f64 {
    (place as f64 * 0.618_033_988_749_894_9).fract()
}

pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 20);
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::cast::CAST;

    #[test]
    fn what_is_left_out_is_spread_evenly() {
        let lines = |count: usize| {
            vec![Outgoing { json: "{}".into(), facts: vec![Fact::Danmaku], web_only: false, shelf: None }; count]
        };
        let flaws = Flaws { keep: Some(0.1), withheld: Some(0.9), ..Flaws::default() };
        let visitor = Eyes { visitor: true, ..Eyes::default() };
        for from in [0, 12_345] {
            let batch = Batch::new(lines(1000), from, &flaws, CAST[0]);
            let told = batch.news(Eyes::default()).len();
            assert!((95..=105).contains(&told), "{told} of 1000 for somebody logged in");
            let batch = Batch::new(lines(1000), from, &Flaws { keep: None, ..flaws.clone() }, CAST[0]);
            for part in batch.messages.chunks(100) {
                let shown = part.iter().filter(|message| !message.withheld).count();
                assert!((8..=12).contains(&shown), "{shown} of 100 for a visitor");
            }
            let told = batch.news(visitor).len();
            assert_eq!(batch.news(Eyes::default()).len(), 1000 - told, "the rest is news to others");
        }
    }
}
