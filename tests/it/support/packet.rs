//! Packets of the stream, written by hand: a 16-byte header, nested runs, three ways of packing.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use serde_json::Value;

/// How a room's messages go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Version 0: JSON as it is.
    Plain,
    /// Version 2.
    Zlib,
    /// Version 3.
    Brotli,
}

pub const HEARTBEAT: u32 = 2;
pub const HEARTBEAT_REPLY: u32 = 3;
pub const MESSAGE: u32 = 5;
pub const AUTH: u32 = 7;
pub const AUTH_REPLY: u32 = 8;

/// One packet.
pub fn packet(version: u16, operation: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + body.len());
    let length = u32::try_from(16 + body.len()).expect("a packet of the tests is short");
    bytes.extend(length.to_be_bytes());
    bytes.extend(16u16.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(operation.to_be_bytes());
    bytes.extend(1u32.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// Operation and body of a packet that a client sent.
pub fn read_packet(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let length = usize::try_from(word(0)?).ok()?;
    let header = usize::from(u16::from_be_bytes(bytes.get(4..6)?.try_into().ok()?));
    Some((word(8)?, bytes.get(header..length)?))
}

/// A WebSocket frame and how many messages are in it.
pub struct Frame {
    pub bytes: Vec<u8>,
    pub messages: usize,
}

/// Messages in frames as the platform sends them: now one, now several in a packet, now one, now several
/// packets in a frame, and a lone message in no packing.
pub fn frames(messages: &[Value], packing: Packing) -> Vec<Frame> {
    let (mut in_packet, mut in_frame) = ([3, 1, 5, 2, 4].into_iter().cycle(), [2, 1, 3].into_iter().cycle());
    let mut packets = Vec::new();
    let mut rest = messages;
    while !rest.is_empty() {
        let size = in_packet.next().unwrap_or(1).min(rest.len());
        let (now, later) = rest.split_at(size);
        packets.push((packed(now, packing), now.len()));
        rest = later;
    }
    let mut frames = Vec::new();
    let mut packets = packets.into_iter().peekable();
    while packets.peek().is_some() {
        let together: Vec<_> = packets.by_ref().take(in_frame.next().unwrap_or(1)).collect();
        frames.push(Frame {
            messages: together.iter().map(|(_, messages)| messages).sum(),
            bytes: together.into_iter().flat_map(|(bytes, _)| bytes).collect(),
        });
    }
    frames
}

fn packed(messages: &[Value], packing: Packing) -> Vec<u8> {
    let run: Vec<u8> = messages.iter().flat_map(|message| packet(0, MESSAGE, message.to_string().as_bytes())).collect();
    match packing {
        _ if messages.len() == 1 => run,
        Packing::Plain => run,
        Packing::Zlib => packet(2, MESSAGE, &zlib(&run)),
        Packing::Brotli => packet(3, MESSAGE, &brotli(&run)),
    }
}

/// Compressed with a zlib header.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Compressed with brotli.
pub fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut compressed = Vec::new();
    {
        let mut writer = brotli::CompressorWriter::new(&mut compressed, 4096, 5, 22);
        writer.write_all(bytes).expect("memory takes it");
    }
    compressed
}
