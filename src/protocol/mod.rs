//! Bytes to events: the conversation with the upstream, as pure functions and state machines.
//!
//! No socket, no clock, no async: bytes and time come in as values, bytes, events and deadlines go out.

mod arrival;
pub mod command;
mod danmaku;
mod gauge;
mod gift;
mod guard;
pub mod guards;
mod ignored;
pub mod inflate;
mod interact;
mod lenient;
pub mod packet;
mod pb;
mod room;
pub mod session;
mod superchat;
mod user;
pub mod wbi;

pub use arrival::Arrival;
pub use packet::{Operation, Packet, PacketError, encode, packets};
pub use session::{Auth, Dead, Intake, Session, Step};
pub use wbi::WbiKeys;
