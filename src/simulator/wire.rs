//! Packets of the stream: a header of 16 bytes, big-endian, and a body.
//!
//! Written for the serving side, on purpose apart from the product's own reading and writing: what both got wrong
//! in the same way would go unseen. Not here: compression, which is done once for each batch.

/// A client's heartbeat.
pub(super) const HEARTBEAT: u32 = 2;
/// The answer to it.
pub(super) const HEARTBEAT_REPLY: u32 = 3;
/// A message for everybody in the room.
pub(super) const MESSAGE: u32 = 5;
/// A client says who it is.
pub(super) const AUTH: u32 = 7;
/// The answer to that.
pub(super) const AUTH_REPLY: u32 = 8;

const HEADER: usize = 16;

/// One packet.
pub(super) fn packet(version: u16, operation: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(length.to_be_bytes());
    bytes.extend((HEADER as u16).to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(operation.to_be_bytes());
    // The sequence: servers send 0 or 1, clients always 1; nobody reads it.
    bytes.extend(1u32.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// The packets of a client's frame, as operation and body. `None` if anything about it is not as it should be.
pub(super) fn read(mut frame: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let mut packets = Vec::new();
    while !frame.is_empty() {
        let number = |at: usize| frame.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let length = number(0)? as usize;
        if frame.get(4..6)? != [0, HEADER as u8] || length < HEADER {
            return None;
        }
        let operation = number(8)?;
        let (packet, rest) = frame.split_at_checked(length)?;
        packets.push((operation, packet.get(HEADER..)?));
        frame = rest;
    }
    Some(packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_broken_is_not() {
        let two = [packet(1, AUTH, b"{}"), packet(1, HEARTBEAT, b"")].concat();
        assert_eq!(read(&two), Some(vec![(AUTH, &b"{}"[..]), (HEARTBEAT, &b""[..])]));
        // The bytes of the notes.
        assert_eq!(packet(1, AUTH_REPLY, br#"{"code":0}"#)[..16], *b"\0\0\0\x1a\0\x10\0\x01\0\0\0\x08\0\0\0\x01");
        for broken in [&two[..17], &two[..5], &[0; 16], b"\0\0\0\x10\0\x11\0\x01\0\0\0\x02\0\0\0\x01"] {
            assert_eq!(read(broken), None, "{broken:?}");
        }
    }
}
