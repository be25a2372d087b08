//! Cuts a frame into packets and writes packets.
//!
//! A packet is a 16-byte big-endian header and a body; one WebSocket frame, and one decompressed body,
//! holds several back to back. Not here: decompression (`inflate`), what a body says (`command`).
//!
//! Invariant: walking always ends. Every step moves on by at least a header or is the last one, whatever
//! the bytes are, and no length field is believed beyond the bytes that are there. Good packets in
//! front of bad bytes are still delivered.

use thiserror::Error;

/// Length of the header that everybody sends.
pub const HEADER_LENGTH: usize = 16;

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// 2, up: we are still here.
    Heartbeat,
    /// 3, down: the answer to it.
    HeartbeatReply,
    /// 5, down: something happened in the room.
    Message,
    /// 7, up: who we are and which room we want.
    Auth,
    /// 8, down: whether we are let in.
    AuthReply,
    /// Any other number; noise to a viewer.
    Other(u32),
}

impl From<u32> for Operation {
    fn from(number: u32) -> Operation {
        match number {
            2 => Operation::Heartbeat,
            3 => Operation::HeartbeatReply,
            5 => Operation::Message,
            7 => Operation::Auth,
            8 => Operation::AuthReply,
            other => Operation::Other(other),
        }
    }
}

impl From<Operation> for u32 {
    fn from(operation: Operation) -> u32 {
        match operation {
            Operation::Heartbeat => 2,
            Operation::HeartbeatReply => 3,
            Operation::Message => 5,
            Operation::Auth => 7,
            Operation::AuthReply => 8,
            Operation::Other(number) => number,
        }
    }
}

/// One packet, borrowed from the frame it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is for.
    pub operation: Operation,
    /// How the body is packed: 0 JSON, 1 plain, 2 zlib and 3 brotli of further packets.
    pub version: u16,
    /// What follows the header.
    pub body: &'a [u8],
}

/// Bytes that are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// Fewer bytes than a header are left.
    #[error("{have} bytes at offset {at} are too few for a header of {HEADER_LENGTH}")]
    TruncatedHeader {
        /// Offset in the frame.
        at: usize,
        /// Bytes left there.
        have: usize,
    },
    /// The header is shorter than a header, or longer than its packet. Such a packet is stepped over.
    #[error("packet at offset {at} of {total} bytes has a header of {header}")]
    HeaderLength {
        /// Offset in the frame.
        at: usize,
        /// What the header says of its own length.
        header: usize,
        /// What it says of the packet's.
        total: usize,
    },
    /// The packet claims to be shorter than any header. The rest of the frame is lost.
    #[error("packet at offset {at} claims {total} bytes, less than a header")]
    TooShort {
        /// Offset in the frame.
        at: usize,
        /// Its claim.
        total: usize,
    },
    /// The packet claims more than is there. The rest of the frame is lost.
    #[error("packet at offset {at} claims {total} bytes, but {left} are left")]
    TooLong {
        /// Offset in the frame.
        at: usize,
        /// Its claim.
        total: usize,
        /// What is there.
        left: usize,
    },
}

/// One packet as bytes. Sequence numbers are 1, as clients send them and servers ignore them.
pub fn encode(operation: Operation, version: u16, body: &[u8]) -> Vec<u8> {
    let total = u32::try_from(HEADER_LENGTH + body.len()).unwrap_or(u32::MAX);
    let mut packet = Vec::with_capacity(HEADER_LENGTH + body.len());
    packet.extend_from_slice(&total.to_be_bytes());
    packet.extend_from_slice(&(HEADER_LENGTH as u16).to_be_bytes());
    packet.extend_from_slice(&version.to_be_bytes());
    packet.extend_from_slice(&u32::from(operation).to_be_bytes());
    packet.extend_from_slice(&1u32.to_be_bytes());
    packet.extend_from_slice(body);
    packet
}

/// The packets of a frame, in order. After an error that hides where the next packet begins, nothing more
/// comes.
pub fn packets(frame: &[u8]) -> Packets<'_> {
    Packets { frame, at: 0, after_heartbeat_reply: false }
}

/// See [`packets`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    frame: &'a [u8],
    at: usize,
    after_heartbeat_reply: bool,
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, PacketError>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let rest = self.frame.get(at..).filter(|rest| !rest.is_empty())?;
        if self.after_heartbeat_reply && !plausible(rest) {
            // The server echoes our heartbeat's body behind its reply without counting it.
            self.at = self.frame.len();
            return None;
        }
        let Some(header) = Header::read(rest) else {
            self.at = self.frame.len();
            return Some(Err(PacketError::TruncatedHeader { at, have: rest.len() }));
        };
        let Header { total, header, version, operation } = header;
        if total < HEADER_LENGTH || total > rest.len() {
            self.at = self.frame.len();
            return Some(Err(match total < HEADER_LENGTH {
                true => PacketError::TooShort { at, total },
                false => PacketError::TooLong { at, total, left: rest.len() },
            }));
        }
        self.at = at + total;
        if header < HEADER_LENGTH || header > total {
            return Some(Err(PacketError::HeaderLength { at, header, total }));
        }
        self.after_heartbeat_reply = operation == Operation::HeartbeatReply;
        Some(Ok(Packet { operation, version, body: &rest[header..total] }))
    }
}

struct Header {
    total: usize,
    header: usize,
    version: u16,
    operation: Operation,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Header> {
        let bytes: &[u8; HEADER_LENGTH] = bytes.first_chunk()?;
        let [t0, t1, t2, t3, h0, h1, v0, v1, o0, o1, o2, o3, ..] = *bytes;
        Some(Header {
            total: u32::from_be_bytes([t0, t1, t2, t3]) as usize,
            header: usize::from(u16::from_be_bytes([h0, h1])),
            version: u16::from_be_bytes([v0, v1]),
            operation: Operation::from(u32::from_be_bytes([o0, o1, o2, o3])),
        })
    }
}

/// Whether a packet seems to begin here. Text, which is what an echo is, never does.
fn plausible(bytes: &[u8]) -> bool {
    Header::read(bytes).is_some_and(|header| {
        header.header == HEADER_LENGTH && (HEADER_LENGTH..=bytes.len()).contains(&header.total) && header.version < 16
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex"))
            .collect()
    }

    type Read<'a> = Result<(Operation, u16, &'a [u8]), PacketError>;

    fn read(frame: &[u8]) -> Vec<Read<'_>> {
        packets(frame).map(|packet| packet.map(|p| (p.operation, p.version, p.body))).collect()
    }

    #[test]
    fn packets_are_written_as_the_web_page_writes_them() {
        let heartbeat = encode(Operation::Heartbeat, 1, b"[object Object]");
        assert_eq!(heartbeat, hex("0000001f 0010 0001 00000002 00000001 5b6f626a656374204f626a6563745d"));
        assert_eq!(
            read(&hex("0000001a 0010 0001 00000008 00000001 7b22636f6465223a307d")),
            [Ok((Operation::AuthReply, 1, b"{\"code\":0}".as_slice()))]
        );
    }

    #[test]
    fn the_echo_behind_a_heartbeat_reply_is_no_packet() {
        let mut frame = hex("00000014 0010 0001 00000003 00000000 000009a2 5b6f626a656374204f626a6563745d");
        let reply = Ok((Operation::HeartbeatReply, 1, [0, 0, 9, 0xa2].as_slice()));
        assert_eq!(read(&frame), [reply]);
        frame.truncate(20);
        frame.extend(encode(Operation::Message, 0, b"{}"));
        assert_eq!(read(&frame), [reply, Ok((Operation::Message, 0, b"{}".as_slice()))]);
    }

    #[test]
    fn bad_bytes_are_an_error_after_the_good_ones() {
        let good = encode(Operation::Message, 0, b"{}");
        let at = good.len();
        for (bytes, expected) in [
            ("00000010", PacketError::TruncatedHeader { at, have: 4 }),
            ("00000000 0010 0000 00000005 00000000", PacketError::TooShort { at, total: 0 }),
            ("0000000f 0010 0000 00000005 00000000", PacketError::TooShort { at, total: 15 }),
            ("00000011 0010 0000 00000005 00000000", PacketError::TooLong { at, total: 17, left: 16 }),
            ("ffffffff 0010 0000 00000005 00000000", PacketError::TooLong { at, total: 0xffff_ffff, left: 16 }),
            ("00000010 0000 0000 00000005 00000000", PacketError::HeaderLength { at, header: 0, total: 16 }),
            ("00000010 0011 0000 00000005 00000000", PacketError::HeaderLength { at, header: 17, total: 16 }),
        ] {
            let frame = [good.clone(), hex(bytes)].concat();
            assert_eq!(read(&frame), [Ok((Operation::Message, 0, b"{}".as_slice())), Err(expected)], "{bytes}");
        }
    }

    #[test]
    fn a_wrong_header_length_costs_only_its_packet() {
        let mut frame = encode(Operation::Message, 0, b"lost");
        frame[5] = 3;
        frame.extend(encode(Operation::Message, 0, b"kept"));
        let error = PacketError::HeaderLength { at: 0, header: 3, total: 20 };
        assert_eq!(read(&frame), [Err(error), Ok((Operation::Message, 0, b"kept".as_slice()))]);
    }

    #[test]
    fn a_longer_header_is_used_as_it_says() {
        let frame = hex("00000014 0012 0000 00000005 00000000 ffff 7b7d");
        assert_eq!(read(&frame), [Ok((Operation::Message, 0, b"{}".as_slice()))]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bodies: Vec<(u32, u16, Vec<u8>)>) {
            let frame: Vec<u8> = bodies
                .iter()
                .flat_map(|(operation, version, body)| encode(Operation::from(*operation), version % 4, body))
                .collect();
            let read: Vec<_> = packets(&frame).map(|packet| packet.expect("is good")).collect();
            prop_assert_eq!(read.len(), bodies.len());
            for (packet, (operation, version, body)) in read.iter().zip(&bodies) {
                prop_assert_eq!(packet.operation, Operation::from(*operation));
                prop_assert_eq!(packet.version, version % 4);
                prop_assert_eq!(packet.body, body.as_slice());
            }
        }

        #[test]
        fn any_bytes_come_to_an_end(frame: Vec<u8>) {
            prop_assert!(packets(&frame).count() <= frame.len() / HEADER_LENGTH + 1);
        }
    }
}
