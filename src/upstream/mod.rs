//! The way to Bilibili: asking over HTTP, dialling the stream, and how many may knock at once.
//!
//! The only folder that opens a socket towards the upstream. What is said there is made and read by
//! `protocol`; who says it when is decided by `actors`. [`Upstream`] is the seam: the rooms hold it as a
//! trait, so that a script can stand in for the world.

pub mod accounts;
mod assign;
mod bilibili;
mod client;
pub mod gate;
mod identity;
mod keys;
pub mod login;
mod manners;
mod open_live;
mod pace;
mod pass;
mod pool;
mod reads;
mod renewal;
mod sipped;
mod tickets;
pub mod tls;
pub mod together;
mod vault;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{Sink, Stream};
use thiserror::Error;
use tokio_tungstenite::tungstenite::{self, Message};

pub use self::{
    bilibili::{Bilibili, Manners},
    gate::{Gate, Permit},
    open_live::{OpenLive, OpenLiveApp},
    pass::{Issuer, Pass, Reached, Ticket},
};
use crate::{
    domain::{Event, RoomId, RoomInfo, RoomRef, Uid},
    protocol::{Anchor, Seal, StreamHost},
    supervise::exit::Exit,
};

/// An open stream connection.
pub trait Connection:
    Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error> + Send + Unpin
{
}

impl<T> Connection for T where
    T: Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error> + Send + Unpin
{
}

/// Bilibili, or what stands in for it.
#[async_trait]
pub trait Upstream: Send + Sync + 'static {
    /// Which room is meant, and what is known about it.
    async fn resolve(&self, room: RoomRef) -> Result<RoomInfo, AskError>;

    /// What is needed to enter a room's stream: who enters, proof of it, and where to go. The pass is to be
    /// told how far the connection came, and kept as long as it lasts.
    async fn pass(&self, room: RoomId) -> Result<Pass, AskError>;

    /// How much a room matters when there are not places on accounts for all, higher more.
    fn set_priority(&self, _room: RoomId, _priority: i64) {}

    /// Opens a connection to a stream host, one of the pass's.
    async fn dial(&self, pass: &Pass, host: &StreamHost) -> Result<Box<dyn Connection>, AskError>;

    /// Status and details of the rooms of these streamers, at most `api::STREAMERS_A_CALL` of them. Who has no
    /// room, or a locked one, is missing; what the answer does not say is empty or 0.
    async fn statuses(&self, uids: &[Uid]) -> Result<Vec<RoomInfo>, AskError>;

    /// A streamer's name, picture and number of followers.
    async fn anchor(&self, uid: Uid) -> Result<Anchor, AskError>;

    /// The super chats now on display in a room, as events that were fetched.
    async fn super_chats(&self, room: RoomId) -> Result<Vec<Event>, AskError>;

    /// The last chat lines of a room, as events that were fetched; none for an anonymous visitor.
    async fn last_lines(&self, room: RoomId) -> Result<Vec<Event>, AskError>;
}

/// Why the upstream gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AskError {
    /// There is no such room.
    #[error("there is no live room {0}")]
    NoSuchRoom(RoomRef),
    /// There is such a room, but it cannot be watched.
    #[error("live room {room} cannot be watched: {why}")]
    Unusable {
        /// Which.
        room: RoomId,
        /// What keeps it shut.
        why: Seal,
    },
    /// It asks for patience.
    #[error("Bilibili asks for patience ({what}): no call for {} s", pause.as_secs())]
    Throttled {
        /// The code, in words.
        what: String,
        /// For how long.
        pause: Duration,
        /// From everybody, not only from the account that asked.
        everybody: bool,
    },
    /// It said no.
    #[error("Bilibili refused {call}: {why}")]
    Refused {
        /// What was asked.
        call: &'static str,
        /// Its words.
        why: String,
    },
    /// Our own accounts cannot be read or written.
    #[error("{0}")]
    Accounts(String),
    /// It was not reached, or broke off.
    #[error("Bilibili was not reached for {call}: {why}")]
    Unreachable {
        /// What was asked.
        call: &'static str,
        /// What went wrong.
        why: String,
    },
}

impl From<AskError> for Exit {
    fn from(error: AskError) -> Exit {
        match error {
            AskError::NoSuchRoom(_) | AskError::Unusable { .. } | AskError::Refused { .. } | AskError::Accounts(_) => {
                Exit::Refused(error.to_string())
            }
            AskError::Throttled { pause, .. } => Exit::Throttled(pause),
            AskError::Unreachable { .. } => Exit::Lost(error.to_string()),
        }
    }
}
