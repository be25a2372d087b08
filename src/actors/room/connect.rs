//! Getting in: gate, ticket, dial, first packet.
//!
//! Not here: what is done with the connection (`reading`). Invariant: the gate's permit is held from the
//! first call until the first packet is sent, so that the process never knocks more often than the gate
//! allows.

use std::time::Duration;

use futures_util::SinkExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tracing::debug;

use super::Room;
use crate::{
    domain::RoomRef,
    protocol::Session,
    supervise::vitals::{Doing, State},
    upstream::{AskError, Connection},
};

/// Opening a connection, and being let in, may take this long each.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Title, streamer and cover are asked for at a reconnect if they are older than this, ...
const ASK_RARELY: Duration = Duration::from_secs(600);
/// ... or than this, when the beginning or end of a broadcast may have been missed.
const ASK_OFTEN: Duration = Duration::from_secs(60);

/// Gets into the room's stream: gate, ticket, dial, first packet.
pub async fn connect(room: &Room) -> Result<(Session, Box<dyn Connection>), AskError> {
    room.enter(State::Waiting, Doing::WaitingForGate);
    let permit = room.shared.gate.enter().await;

    room.enter(State::Connecting, Doing::Asking);
    if room.memory.should_ask(ASK_RARELY, ASK_OFTEN) {
        match room.shared.upstream.resolve(RoomRef::from(room.id)).await {
            Ok(info) => {
                room.memory.has_been_told();
                room.shared.wall.learn(room.id, |known| known.update(info));
            }
            Err(error @ (AskError::NoSuchRoom(_) | AskError::Unusable { .. } | AskError::Throttled { .. })) => {
                return Err(error);
            }
            Err(error) => debug!(room.id = %room.id, %error, "room {}: its details stay as they were", room.id),
        }
    }
    let (auth, hosts) = room.shared.upstream.ticket(room.id).await?;
    let host = &hosts[room.memory.next_host(hosts.len())];

    room.enter(State::Connecting, Doing::Dialing);
    let late = |_| AskError::Unreachable { call: "the stream", why: format!("{} did not answer in time", host.host) };
    let mut connection = timeout(PATIENCE, room.shared.upstream.dial(host)).await.map_err(late)??;

    room.enter(State::Authenticating, Doing::Reading);
    let (session, hello) = Session::open(&auth, room.memory.now());
    timeout(PATIENCE, connection.send(Message::binary(hello)))
        .await
        .map_err(late)?
        .map_err(|error| AskError::Unreachable { call: "the stream", why: error.to_string() })?;
    drop(permit);
    Ok((session, connection))
}
