//! The fake's stream: lets in who shows the right token first, and does what the test orders.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

use super::{
    fake::{Order, World},
    packet::{self, AUTH, AUTH_REPLY, HEARTBEAT, HEARTBEAT_REPLY},
};

/// Who says nothing for so long is cut.
const SILENCE: Duration = Duration::from_secs(5);

pub async fn accept(listener: TcpListener, world: World) {
    while let Ok((stream, _)) = listener.accept().await {
        actix_web::rt::spawn(serve(stream, world.clone()));
    }
}

async fn serve(stream: TcpStream, world: World) {
    let watch = world.clone();
    #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
    let look = move |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if request.uri().path() != "/sub" {
            watch.blame(format!("stream: the path is {}", request.uri()));
        }
        let is_open = request.uri().query() == Some("open");
        if !is_open && !header("user-agent").contains("Mozilla/") {
            watch.blame("stream: the User-Agent is no browser's");
        }
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, look).await else { return };
    // Whoever is refused is simply cut: no reply, no close frame.
    match let_in(&mut socket, &world).await {
        Ok(room) => {
            let (number, orders) = world.enter(room);
            talk(&mut socket, &world, room, orders).await;
            world.leave(room, number);
        }
        Err(why) => world.blame(format!("stream: {why}")),
    }
}

async fn let_in(socket: &mut WebSocketStream<TcpStream>, world: &World) -> Result<u64, String> {
    let first = timeout(SILENCE, socket.next()).await.map_err(|_| "nothing was said for 5 s")?;
    let Some(Ok(Message::Binary(bytes))) = first else { return Err(format!("began with {first:?}")) };
    let Some((AUTH, body)) = packet::read_packet(&bytes) else { return Err("the first packet is no AUTH".into()) };
    let auth: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let room = auth["roomid"].as_u64().ok_or("roomid is not a number")?;
    {
        let mut state = world.lock();
        if state.refuse > 0 {
            state.refuse -= 1;
            return Err("refused as the test wants it".into());
        }
    }
    if let Some(game) = auth["open"].as_str() {
        let started = world.lock().platform.starts.last().is_some_and(|last| last == game);
        if !started {
            return Err(format!("{game} is not the platform's session"));
        }
        let welcome = packet::packet(1, AUTH_REPLY, br#"{"code":0}"#);
        return socket.send(Message::binary(welcome)).await.map(|()| room).map_err(|error| error.to_string());
    }
    let key = auth["key"].as_str().unwrap_or_default();
    {
        let state = world.lock();
        if state.tokens.get(key) != Some(&room) {
            return Err(format!("room {room} was entered with the token {key:?}"));
        }
        if !auth["buvid"].as_str().is_some_and(|buvid| state.buvids.contains(buvid)) {
            return Err(format!("buvid is {}", auth["buvid"]));
        }
    }
    for (field, wanted) in [("uid", 0), ("protover", 3), ("type", 2)] {
        if auth[field] != wanted {
            return Err(format!("{field} is {}, not {wanted}", auth[field]));
        }
    }
    let welcome = packet::packet(1, AUTH_REPLY, br#"{"code":0}"#);
    socket.send(Message::binary(welcome)).await.map_err(|error| error.to_string())?;
    Ok(room)
}

async fn talk(
    socket: &mut WebSocketStream<TcpStream>,
    world: &World,
    room: u64,
    mut orders: tokio::sync::mpsc::UnboundedReceiver<Order>,
) {
    loop {
        select! {
            order = orders.recv() => match order {
                Some(Order::Send(frame)) => {
                    if socket.send(Message::binary(frame.bytes)).await.is_err() {
                        return;
                    }
                    world.traffic(room, |traffic| traffic.delivered += frame.messages);
                }
                Some(Order::Cut) | None => return,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    if let Some((HEARTBEAT, body)) = packet::read_packet(&bytes) {
                        world.traffic(room, |traffic| traffic.heartbeats += 1);
                        // The reply's quirk: what the client sent comes back behind the packet, uncounted.
                        let mut reply = packet::packet(1, HEARTBEAT_REPLY, &1u32.to_be_bytes());
                        reply.extend(body);
                        if socket.send(Message::binary(reply)).await.is_err() {
                            return;
                        }
                    }
                }
                Some(Ok(Message::Close(_))) => {
                    world.traffic(room, |traffic| traffic.goodbyes += 1);
                    // Reading on sends the answer to the goodbye.
                    while let Some(Ok(_)) = socket.next().await {}
                    return;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}
