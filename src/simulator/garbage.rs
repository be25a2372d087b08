//! Frames and messages that are wrong, each in its own way (protocol notes, section 7, number 6).
//!
//! Nothing here tells a fact, and nothing of it may disturb what stands before and after it.

use bytes::Bytes;

use super::{
    batch::zlib,
    wire::{MESSAGE, packet},
};

/// Every way by name.
pub(super) const WAYS: [&str; 17] = [
    "truncated_header",
    "length_zero",
    "length_beyond_frame",
    "wrong_header_length",
    "unknown_version",
    "unknown_operation",
    "not_brotli",
    "not_zlib",
    "garbage_inside",
    "bomb",
    "nested",
    "invalid_utf8",
    "not_an_object",
    "unknown_command",
    "missing_fields",
    "pb_not_base64",
    "pb_truncated",
];

/// A frame that is wrong in that way. `None` for a way nobody knows.
pub(super) fn frame(way: &str) -> Option<Bytes> {
    let bare = |body: &[u8]| packet(0, MESSAGE, body);
    let frame = match way {
        "truncated_header" => vec![0; 3],
        "length_zero" => b"\0\0\0\0\0\x10\0\0\0\0\0\x05\0\0\0\0".to_vec(),
        "length_beyond_frame" => b"\0\0\xff\xff\0\x10\0\0\0\0\0\x05\0\0\0\0{}".to_vec(),
        "wrong_header_length" => b"\0\0\0\x12\0\x0c\0\0\0\0\0\x05\0\0\0\0{}".to_vec(),
        "unknown_version" => packet(9, MESSAGE, b"{}"),
        "unknown_operation" => packet(0, 77, b"{}"),
        "not_brotli" => packet(3, MESSAGE, b"not brotli"),
        "not_zlib" => packet(2, MESSAGE, b"not zlib"),
        "garbage_inside" => packet(2, MESSAGE, &zlib(&[0xa5; 300])),
        // Sixteen megabytes of nothing in sixteen kilobytes.
        "bomb" => packet(2, MESSAGE, &zlib(&vec![0; 16 << 20])),
        "nested" => (0..40).fold(bare(b"{\"cmd\":\"WATCHED_CHANGE\"}"), |run, _| packet(2, MESSAGE, &zlib(&run))),
        "invalid_utf8" => bare(b"{\"cmd\":\"DANMU_MSG\",\"info\":\"\xff\xfe\"}"),
        "not_an_object" => [bare(b"[1,2]"), bare(b"null"), bare(b"\"text\""), bare(b"")].concat(),
        "unknown_command" => bare(b"{\"cmd\":\"SIM_NOBODY_KNOWS\",\"data\":{}}"),
        "missing_fields" => {
            let commands = ["DANMU_MSG", "SEND_GIFT", "SEND_GIFT_V2", "SUPER_CHAT_MESSAGE", "GUARD_BUY", "LIVE"];
            commands.iter().flat_map(|cmd| bare(format!("{{\"cmd\":\"{cmd}\"}}").as_bytes())).collect()
        }
        "pb_not_base64" => bare(b"{\"cmd\":\"SEND_GIFT_V2\",\"data\":{\"pb\":\"\xe4\xb8\x8d***\"}}"),
        // Field 10 says 100 bytes and has two.
        "pb_truncated" => bare(b"{\"cmd\":\"SEND_GIFT_V2\",\"data\":{\"pb\":\"UmQIAQ==\"}}"),
        _ => return None,
    };
    Some(frame.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_a_frame() {
        for way in WAYS {
            assert!(frame(way).is_some_and(|frame| !frame.is_empty()), "{way}");
        }
        assert_eq!(frame("well"), None);
    }
}
