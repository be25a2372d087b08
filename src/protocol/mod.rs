//! Bytes to events: the conversation with the upstream, as pure functions and state machines.
//!
//! ```text
//!   HTTP    nav, spi           -> wbi keys, buvid            api, wbi
//!           getDanmuInfo       -> token, hosts               api (signed by wbi)
//!           app/start          -> first packet, links        openlive (signed by key)
//!
//!   stream  Auth            -->                              session
//!                           <-- AuthReply {"code":0}
//!           Heartbeat       -->      every 30 s
//!                           <-- HeartbeatReply               else dead after 5 s
//!                           <-- Message, Message, ...
//!
//!   frame -> packet -> inflate -> packet -> command -> danmaku, gift, superchat, interact, room, gauge
//!                                                   -> guard -> guards (one purchase of up to three)
//!                                                   -> signal (no fact, but of use to who steers)
//!                                                   -> ignored, unknown, malformed: counted
//!   all of it into an intake
//! ```
//!
//! No socket, no clock, no async: bytes and time come in as values; bytes, events and deadlines go out. What
//! the upstream sends is not believed: nothing here panics, loops or grows without bound over it.

pub mod api;
pub mod wbi;

pub mod openlive;

pub mod packet;

pub mod inflate;

pub mod session;

pub mod intake;

pub mod command;

mod arrival;
mod danmaku;
mod embedded;
mod envelope;
mod gauge;
mod gift;
mod guard;
mod ignored;
mod interact;
mod lenient;
mod mend;
mod openplatform;
mod pb;
mod purchase;
mod redpocket;
mod room;
mod signal;
mod superchat;
mod user;

pub mod guards;

#[cfg(any(test, fuzzing))]
#[path = "torture_tests.rs"]
pub mod torture;

pub use api::{Account, Anchor, Buvid, Seal, StreamHost, StreamTicket};
pub use arrival::Arrival;
pub use command::{Decoded, Malformed, decode};
pub use envelope::{ApiError, ApiRefusal, Refusal};
pub use guards::{GuardMerge, GuardMessage};
pub use intake::{Intake, UnknownMessage};
pub use packet::{Operation, Packet, PacketError, encode, packets};
pub use session::{Auth, Dead, Session, Step};
pub use signal::Signal;
pub use wbi::WbiKeys;
