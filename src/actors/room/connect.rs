//! Getting in: ticket, dial, first packet.
//!
//! Not here: waiting for the gate (`super`), and what is done with the connection (`reading`). Invariant: the gate's
//! permit is held from the first call until the first packet is sent, so that the process never knocks more often than
//! the gate allows.

use std::time::Duration;

use futures_util::SinkExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tracing::debug;

use super::{Room, game::Game};
use crate::{
    domain::{RoomRef, Uid},
    protocol::{Auth, Session},
    supervise::vitals::{Doing, State},
    upstream::{AskError, Connection, OpenLive, Pass, Permit},
};

/// Opening a connection, and being let in, may take this long each.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// A room's own details are asked for at a reconnect if nothing was told for so long, ...
const ASK_RARELY: Duration = Duration::from_secs(6 * 3600);
/// ... or, when something may have been missed, for so long: `actors::status` asks far more often.
const ASK_OFTEN: Duration = Duration::from_secs(1800);

/// A connection that has said who it is: where its conversation stands, the socket, and what opened it.
pub type Connected = (Session, Box<dyn Connection>, Pass);

/// Gets into the room's stream: ticket, dial, first packet. `game` becomes the session of a room that is
/// watched over the Open Live platform, and stays there whatever comes of the rest.
pub async fn connect(room: &Room, permit: Permit, game: &mut Option<Game>) -> Result<Connected, AskError> {
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
    if let Some(platform) = room.shared.open_live.clone().filter(|platform| platform.opens(room.id)) {
        let game = game.insert(Game::begin(platform.clone(), room.id));
        let connection = connect_to_platform(room, &platform, game).await?;
        drop(permit);
        return Ok(connection);
    }
    let mut pass = room.shared.upstream.pass(room.id).await?;
    let ticket = pass.ticket.clone();
    room.shared.wall.set_account(room.id, ticket.account.clone());
    // What the connection will bring is decided by who asked for the ticket.
    room.shared.wall.set_incomplete(room.id, ticket.account.is_none());
    room.memory.past.thinning().reconnected();
    let host = &ticket.hosts[room.memory.next_host(ticket.hosts.len())];

    room.enter(State::Connecting, Doing::Dialing);
    let dialling = room.shared.upstream.dial(&pass, host);
    let mut connection = timeout(PATIENCE, dialling).await.map_err(|_| late(&host.host))??;

    room.enter(State::Authenticating, Doing::Reading);
    let (session, hello) = Session::open(&ticket.auth, room.memory.now());
    say_hello(&mut connection, hello).await?;
    pass.is_shown();
    drop(permit);
    Ok((session, connection, pass))
}

/// The same over the Open Live platform: it says where the stream is and what to say there.
async fn connect_to_platform(room: &Room, platform: &OpenLive, game: &mut Game) -> Result<Connected, AskError> {
    let opened = game.opened().await?;
    if opened.room_id != room.id {
        let why = format!("the identity code given for room {} is that of room {}", room.id, opened.room_id);
        return Err(AskError::Refused { call: "app/start", why });
    }
    room.shared.wall.set_incomplete(room.id, false);
    room.memory.past.thinning().reconnected();
    let link = &opened.links[room.memory.next_host(opened.links.len())];

    room.enter(State::Connecting, Doing::Dialing);
    let mut connection = timeout(PATIENCE, platform.dial(link)).await.map_err(|_| late(link))??;

    room.enter(State::Authenticating, Doing::Reading);
    let (session, hello) = Session::open_verbatim(room.id, &opened.auth_body, room.memory.now());
    say_hello(&mut connection, hello).await?;
    // The platform wants nothing back: its session is the game's to end.
    let auth = Auth { room_id: room.id, uid: Uid(0), buvid: String::new(), token: String::new() };
    Ok((session, connection, Pass::new(auth, Vec::new())))
}

async fn say_hello(connection: &mut Box<dyn Connection>, hello: Vec<u8>) -> Result<(), AskError> {
    timeout(PATIENCE, connection.send(Message::binary(hello)))
        .await
        .map_err(|_| late("it"))?
        .map_err(|error| AskError::Unreachable { call: "the stream", why: error.to_string() })
}

fn late(who: &str) -> AskError {
    AskError::Unreachable { call: "the stream", why: format!("{who} did not answer in time") }
}
