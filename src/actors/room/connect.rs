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
    upstream::{AskError, Connection, Pass},
};

/// Opening a connection, and being let in, may take this long each.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// A room's own details are asked for at a reconnect if nothing was told for so long, ...
const ASK_RARELY: Duration = Duration::from_secs(6 * 3600);
/// ... or, when something may have been missed, for so long: `actors::status` asks far more often.
const ASK_OFTEN: Duration = Duration::from_secs(1800);

/// Gets into the room's stream: gate, ticket, dial, first packet.
pub async fn connect(room: &Room) -> Result<(Session, Box<dyn Connection>, Pass), AskError> {
    room.enter(State::Waiting, Doing::WaitingForGate);
    let permit = room.shared.gate.enter().await;

    room.enter(State::Connecting, Doing::Asking);
    if room.memory.should_ask(ASK_RARELY, ASK_OFTEN) {
        let asked = room.shared.airs.now();
        match room.shared.upstream.resolve(RoomRef::from(room.id)).await {
            Ok(info) => {
                room.memory.has_been_told();
                room.shared.airs.told(&room.shared.wall, info, asked);
            }
            Err(error @ (AskError::NoSuchRoom(_) | AskError::Unusable { .. } | AskError::Throttled { .. })) => {
                return Err(error);
            }
            Err(error) => debug!(room.id = %room.id, %error, "room {}: its details stay as they were", room.id),
        }
    }
    let mut pass = room.shared.upstream.pass(room.id).await?;
    room.shared.wall.set_account(room.id, pass.account.clone());
    // What the connection will bring is decided by who asked for the ticket.
    room.shared.wall.set_incomplete(room.id, pass.account.is_none());
    room.memory.past.thinning().reconnected();
    let host = pass.hosts[room.memory.next_host(pass.hosts.len())].clone();

    room.enter(State::Connecting, Doing::Dialing);
    let late = |_| AskError::Unreachable { call: "the stream", why: format!("{} did not answer in time", host.host) };
    let mut connection = timeout(PATIENCE, room.shared.upstream.dial(&pass, &host)).await.map_err(late)??;

    room.enter(State::Authenticating, Doing::Reading);
    let (session, hello) = Session::open(&pass.auth, room.memory.now());
    timeout(PATIENCE, connection.send(Message::binary(hello)))
        .await
        .map_err(late)?
        .map_err(|error| AskError::Unreachable { call: "the stream", why: error.to_string() })?;
    pass.is_shown();
    drop(permit);
    Ok((session, connection, pass))
}
