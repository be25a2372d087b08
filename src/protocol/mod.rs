//! Bytes to events: the conversation with the upstream, as pure functions and state machines.
//!
//! No socket, no clock, no async: bytes and time come in as values, bytes, events and deadlines go out.

pub mod inflate;
pub mod packet;
pub mod wbi;

pub use packet::{Operation, Packet, PacketError, encode, packets};
pub use wbi::WbiKeys;
