//! The stream: WebSocket at `/sub`, on a port of its own.
//!
//! As strict as the real one: the first packet must be the authentication, within five seconds, with the
//! long room number and a token minted for this user and this user agent; whoever fails is cut without a
//! word and without a close frame. Then heartbeats are answered (with the uncounted echo behind the
//! packet), and whoever sends none for 70 s is cut.
//!
//! Not here: what is said (`script`); packing, which is done once for all connections (`world`).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rand::{RngExt, seq::IteratorRandom};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    select,
    sync::{broadcast::error::RecvError, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{StatusCode, header::USER_AGENT},
    },
};

use super::{
    batch::Eyes,
    faults::Faults,
    garbage::{self, WAYS},
    open_messages::interaction_end,
    wire::{AUTH, AUTH_REPLY, HEARTBEAT, HEARTBEAT_REPLY, MESSAGE, packet, read},
    world::{Room, World, lock, now_ms},
};

/// How long a connection may stay without saying who it is.
const AUTH_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection may stay without a heartbeat.
const HEARTBEAT_WITHIN: Duration = Duration::from_secs(70);
/// How long a client may take to read a frame.
const READ_WITHIN: Duration = Duration::from_secs(20);

/// Accepts connections until `stop` says so or is gone.
pub(super) async fn serve(listener: TcpListener, world: Arc<World>, mut stop: watch::Receiver<()>) {
    loop {
        select! {
            _ = stop.changed() => return,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    lock(&world.tally).connected(now_ms());
                    let (world, mut stop) = (world.clone(), stop.clone());
                    actix_web::rt::spawn(async move {
                        select! {
                            _ = stop.changed() => {}
                            () = converse(socket, &world) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the simulator could not accept a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
}

/// One connection, from handshake to cut. Leaving drops the socket: no close frame, as upstream.
async fn converse(socket: TcpStream, world: &World) {
    let faults = lock(&world.faults).clone();
    if faults.down {
        return;
    }
    // Only delays frames when it fails.
    let _ = socket.set_nodelay(true);
    sleep(Duration::from_millis(faults.slow_handshake_ms)).await;
    let Some(tls) = &world.options.tls else { return talk(socket, world, &faults).await };
    if let Ok(Ok(socket)) = timeout(AUTH_WITHIN, TlsAcceptor::from(tls.clone()).accept(socket)).await {
        talk(socket, world, &faults).await;
    }
}

/// What is said once a socket is open.
async fn talk(socket: impl AsyncRead + AsyncWrite + Unpin, world: &World, faults: &Faults) {
    let Some((mut socket, user_agent)) = shake_hands(socket).await else { return };
    let Ok(Some(Ok(Message::Binary(first)))) = timeout(AUTH_WITHIN, socket.next()).await else { return };
    if faults.deaf {
        return listen_in_vain(&mut socket).await;
    }
    let Some(guest) = admit(&first, world, &user_agent) else {
        if faults.says_refused {
            // The cut follows whether they hear it or not.
            let _ = write(&mut socket, packet(1, AUTH_REPLY, br#"{"code":-101}"#).into()).await;
        }
        return;
    };
    entertain(&mut socket, world, guest).await;
}

/// Reads until the client gives up.
async fn listen_in_vain(socket: &mut WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) {
    while let Some(Ok(_)) = socket.next().await {}
}

/// Somebody who was let in.
struct Guest {
    room: Arc<Room>,
    uid: u64,
    eyes: Eyes,
    /// The session, if they came through the open platform.
    game_id: Option<String>,
}

/// From the welcome to the cut.
async fn entertain(socket: &mut WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>, world: &World, guest: Guest) {
    let Guest { room, uid, mut eyes, game_id } = guest;
    let (cap, cut_every) = {
        let faults = lock(&world.faults);
        (faults.account_cap.map(|cap| (cap, faults.over_cap)), faults.cut_every_ms)
    };
    let seat = world.crowd.enter(room.streamer.room_id, uid, cap);
    eyes.thinned = seat.thinned;
    let mut batches = room.enter();
    let mut greeting = packet(1, AUTH_REPLY, br#"{"code":0}"#);
    // Rooms that hide nothing from visitors stand for what somebody logged in would see.
    if eyes.visitor && !eyes.open && lock(&room.flaws).withheld.is_some() {
        let notice = json!({"cmd": "LOG_IN_NOTICE", "data": {"notice_msg": "为保护用户隐私，未登录无法查看他人昵称",
            "image_web": "", "image_app": ""}});
        greeting.extend(packet(0, MESSAGE, notice.to_string().as_bytes()));
    }
    if !write(socket, greeting.into()).await {
        return;
    }
    let far = Instant::now() + Duration::from_secs(365 * 24 * 3600);
    let cut_at = cut_every.map_or(far, |every| Instant::now() + Duration::from_millis(every));
    let mut last_heartbeat = Instant::now();
    loop {
        let frame = select! {
            // Who has to go hears nothing more: what is sent now would be lost with the socket.
            biased;
            () = seat.go.notified() => return,
            () = sleep_until(last_heartbeat + HEARTBEAT_WITHIN) => return,
            () = sleep_until(cut_at) => return,
            message = socket.next() => match message {
                Some(Ok(Message::Binary(frame))) => match answer(&frame) {
                    Some(reply) => {
                        last_heartbeat = Instant::now();
                        if is_silent(world, &room) {
                            continue;
                        }
                        reply
                    }
                    None => return,
                },
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => return,
            },
            batch = batches.recv() => match batch {
                Ok(_) if is_silent(world, &room) => continue,
                Ok(batch) => match &game_id {
                    Some(game_id) if !lock(&world.open_sessions).is_alive(game_id, now_ms()) => {
                        let end = packet(0, MESSAGE, interaction_end(game_id, now_ms() / 1000).as_bytes());
                        let _ = write(socket, end.into()).await;
                        return listen_in_vain(socket).await;
                    }
                    _ => {
                        room.hear(&batch, eyes);
                        let Some(frame) = batch.frame(eyes) else { continue };
                        frame
                    }
                },
                // Too slow, or the room is gone.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return,
            },
        };
        if !write(socket, frame).await {
            return;
        }
        let share = lock(&world.faults).garbage.clamp(0.0, 1.0);
        if share > 0.0 && rand::rng().random_bool(share) {
            // The bomb is only sent when asked for: it takes long to make.
            let ways = WAYS.iter().filter(|way| **way != "bomb").choose(&mut rand::rng());
            if let Some(frame) = ways.and_then(|way| garbage::frame(way))
                && !write(socket, frame).await
            {
                return;
            }
        }
    }
}

fn is_silent(world: &World, room: &Room) -> bool {
    lock(&world.faults).mute || lock(&room.flaws).silent
}

/// The WebSocket handshake; there is nothing but `/sub`. Returns the user agent with the socket.
#[expect(clippy::result_large_err, reason = "the library asks for this type")]
async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(socket: S) -> Option<(WebSocketStream<S>, String)> {
    let mut user_agent = String::new();
    let look = |request: &Request, response: Response| {
        if request.uri().path() != "/sub" {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = StatusCode::NOT_FOUND;
            return Err(refusal);
        }
        let header = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
        user_agent = header.unwrap_or_default().to_owned();
        Ok(response)
    };
    let socket = timeout(AUTH_WITHIN, accept_hdr_async(socket, look)).await.ok()?.ok()?;
    Some((socket, user_agent))
}

/// What a client says about itself.
#[derive(Deserialize)]
struct Auth {
    uid: u64,
    roomid: u64,
    #[serde(default)]
    protover: u16,
    key: String,
}

/// Who a first frame is from, if it is a good authentication.
fn admit(frame: &[u8], world: &World, user_agent: &str) -> Option<Guest> {
    let (AUTH, body) = *read(frame)?.first()? else { return None };
    if let Some((game_id, room)) = lock(&world.open_sessions).of_auth_body(body) {
        let eyes = Eyes { visitor: true, open: true, thinned: false, protover: 2 };
        return Some(Guest { room: world.room_by_long_id(room)?.clone(), uid: 0, eyes, game_id: Some(game_id) });
    }
    let auth: Auth = serde_json::from_slice(body).ok()?;
    let room = world.room_by_long_id(auth.roomid)?;
    if !world.admits(&auth.key, auth.uid, user_agent) {
        tracing::debug!(room.id = auth.roomid, "the simulator refuses a token");
        return None;
    }
    let eyes = Eyes { visitor: auth.uid == 0, open: false, thinned: false, protover: auth.protover };
    Some(Guest { room: room.clone(), uid: auth.uid, eyes, game_id: None })
}

/// The answer to a frame that holds a heartbeat; `None` for anything else, a second authentication above
/// all, which ends the connection.
fn answer(frame: &[u8]) -> Option<Bytes> {
    let mut reply = None;
    for (operation, body) in read(frame)? {
        if operation != HEARTBEAT {
            return None;
        }
        let mut bytes = packet(1, HEARTBEAT_REPLY, &1u32.to_be_bytes());
        bytes.extend_from_slice(body);
        reply = Some(bytes.into());
    }
    reply
}

async fn write(socket: &mut WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>, frame: Bytes) -> bool {
    matches!(timeout(READ_WITHIN, socket.send(Message::Binary(frame))).await, Ok(Ok(())))
}
