//! Decompresses packet bodies, with a ceiling.
//!
//! The server packs runs of packets with zlib (version 2) or brotli (version 3). Not here: walking what
//! comes out (`session`).
//!
//! Invariant: all that one frame expands to, nested or not, stays below [`MAX_FRAME_OUTPUT`]. Every
//! packet gets a decoder of its own: decoders shared between rooms have mixed up streams elsewhere.

use std::{
    cell::RefCell,
    io::{self, Read},
};

use thiserror::Error;

/// How much one frame may expand to. The largest real ones stay below 300 KB (100 messages of 2.4 KB).
pub const MAX_FRAME_OUTPUT: usize = 8 << 20;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Version 2.
    Zlib,
    /// Version 3.
    Brotli,
}

impl Packing {
    /// The packing that a packet's version stands for; `None` for plain bodies.
    pub fn of_version(version: u16) -> Option<Packing> {
        match version {
            2 => Some(Packing::Zlib),
            3 => Some(Packing::Brotli),
            _ => None,
        }
    }
}

/// A body that does not decompress.
#[derive(Debug, Error)]
pub enum InflateError {
    /// It is damaged or cut off.
    #[error("{length} bytes of {packing:?} do not decompress")]
    Damaged {
        /// What it claims to be.
        packing: Packing,
        /// Its length.
        length: usize,
        /// What the decoder said.
        #[source]
        source: io::Error,
    },
    /// It, together with the rest of its frame, expands to more than we take.
    #[error("{length} bytes of {packing:?} expand beyond the {MAX_FRAME_OUTPUT} allowed for a frame")]
    TooLarge {
        /// How it is packed.
        packing: Packing,
        /// Its length while packed.
        length: usize,
    },
}

/// Decompresses the bodies of one connection and lends out buffers for it.
#[derive(Debug)]
pub struct Inflater {
    left: usize,
}

thread_local! {
    /// Buffers between two packets. A thread unpacks one frame at a time: quiet rooms hold none.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater { left: MAX_FRAME_OUTPUT }
    }
}

impl Inflater {
    /// A new frame begins: the ceiling is whole again.
    pub fn begin_frame(&mut self) {
        self.left = MAX_FRAME_OUTPUT;
    }

    /// The unpacked body. Hand the buffer back with [`Inflater::recycle`].
    pub fn inflate(&mut self, packing: Packing, body: &[u8]) -> Result<Vec<u8>, InflateError> {
        let mut out = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        out.clear();
        // One byte above the ceiling is read, so that reaching it and passing it can be told apart.
        let ceiling = self.left as u64 + 1;
        let read = match packing {
            Packing::Zlib => flate2::bufread::ZlibDecoder::new(body).take(ceiling).read_to_end(&mut out),
            Packing::Brotli => {
                let chunk = body.len().clamp(64, 16 << 10);
                brotli_decompressor::Decompressor::new(body, chunk).take(ceiling).read_to_end(&mut out)
            }
        };
        let length = body.len();
        let failed = match read {
            Ok(size) if size <= self.left => {
                self.left -= size;
                return Ok(out);
            }
            Ok(_) => {
                self.left = 0;
                InflateError::TooLarge { packing, length }
            }
            Err(source) => {
                // What a damaged body made us produce counts as well: many of them in a frame stay cheap.
                self.left = self.left.saturating_sub(out.len());
                InflateError::Damaged { packing, length, source }
            }
        };
        self.recycle(out);
        Err(failed)
    }

    /// Takes a buffer back. Two are kept for the thread, unless they have grown far beyond what frames need.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < 2 && buffer.capacity() <= 256 << 10 {
                spare.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    /// The body of a real brotli packet.
    const WATCHED_CHANGE: &[u8] = b"\x8b8\x80\x00\x00\x00r\x00\x10\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\
        {\"cmd\":\"WATCHED_CHANGE\",\"data\":{\"num\":22097,\"text_small\":\"2.2\xe4\xb8\x87\",\
        \"text_large\":\"2.2\xe4\xb8\x87\xe4\xba\xba\xe7\x9c\x8b\xe8\xbf\x87\"}}\x03";

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).expect("into memory");
        encoder.finish().expect("into memory")
    }

    #[test]
    fn a_real_brotli_body_decompresses() {
        let out = Inflater::default().inflate(Packing::Brotli, WATCHED_CHANGE).expect("is good");
        assert_eq!(out.len(), 114);
        assert!(out.ends_with("\"text_large\":\"2.2万人看过\"}}".as_bytes()));
    }

    #[test]
    fn a_bomb_is_refused_at_the_ceiling() {
        let bomb = zlib(&vec![0; MAX_FRAME_OUTPUT + 1]);
        let mut inflater = Inflater::default();
        assert!(matches!(inflater.inflate(Packing::Zlib, &bomb), Err(InflateError::TooLarge { .. })));
        assert!(matches!(inflater.inflate(Packing::Zlib, &zlib(b"x")), Err(InflateError::TooLarge { .. })));
        inflater.begin_frame();
        assert_eq!(inflater.inflate(Packing::Zlib, &zlib(b"x")).expect("fits"), b"x");
        inflater.begin_frame();
        let full = zlib(&vec![0; MAX_FRAME_OUTPUT]);
        assert_eq!(inflater.inflate(Packing::Zlib, &full).expect("fits exactly").len(), MAX_FRAME_OUTPUT);
    }

    #[test]
    fn the_ceiling_is_for_a_frame_and_not_for_a_packet() {
        let half = zlib(&vec![0; MAX_FRAME_OUTPUT / 2 + 1]);
        let mut inflater = Inflater::default();
        assert!(inflater.inflate(Packing::Zlib, &half).is_ok());
        assert!(inflater.inflate(Packing::Zlib, &half).is_err());
    }

    #[test]
    fn a_body_cut_off_is_an_error() {
        for (packing, body) in [(Packing::Brotli, WATCHED_CHANGE.to_vec()), (Packing::Zlib, zlib(&[7; 1000]))] {
            for length in 0..body.len() - 4 {
                let result = Inflater::default().inflate(packing, &body[..length]);
                assert!(matches!(result, Err(InflateError::Damaged { .. })), "{packing:?} {length}: {result:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn damaged_bodies_never_panic(at: usize, byte: u8, noise: Vec<u8>) {
            let mut inflater = Inflater::default();
            for (packing, mut body) in [(Packing::Brotli, WATCHED_CHANGE.to_vec()), (Packing::Zlib, zlib(&noise))] {
                let at = at % body.len();
                body[at] = byte;
                for body in [&body, &noise] {
                    if let Ok(out) = inflater.inflate(packing, body) {
                        inflater.recycle(out);
                    }
                }
            }
        }
    }
}
