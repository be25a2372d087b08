//! The way to Bilibili: asking over HTTP, dialling the stream, and how many may knock at once.
//!
//! The only folder that opens a socket towards the upstream. What is said there is made and read by
//! `protocol`; who says it when is decided by `actors`. [`Upstream`] is the seam: the rooms hold it as a
//! trait, so that a script can stand in for the world.

mod bilibili;
mod client;
mod gate;
mod identity;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{Sink, Stream};
use thiserror::Error;
use tokio_tungstenite::tungstenite::{self, Message};

pub use self::{
    bilibili::Bilibili,
    gate::{Gate, Permit},
};
use crate::{
    domain::{RoomId, RoomInfo, RoomRef},
    protocol::{Auth, Seal, StreamHost},
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

    /// What is needed to enter a room's stream: proof of identity, and where to go (at least one host).
    async fn ticket(&self, room: RoomId) -> Result<(Auth, Vec<StreamHost>), AskError>;

    /// Opens a connection to a stream host.
    async fn dial(&self, host: &StreamHost) -> Result<Box<dyn Connection>, AskError>;
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
    },
    /// It said no.
    #[error("Bilibili refused {call}: {why}")]
    Refused {
        /// What was asked.
        call: &'static str,
        /// Its words.
        why: String,
    },
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
            AskError::NoSuchRoom(_) | AskError::Unusable { .. } | AskError::Refused { .. } => {
                Exit::Refused(error.to_string())
            }
            AskError::Throttled { pause, .. } => Exit::Throttled(pause),
            AskError::Unreachable { .. } => Exit::Lost(error.to_string()),
        }
    }
}
