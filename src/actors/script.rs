//! A scripted upstream for tests: each life of a room gets the next part of its script.
//!
//! Real tungstenite on both sides of an in-memory pipe, so that everything but the network is the real
//! thing, and time can be paused.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::DuplexStream,
    select,
    sync::watch,
    time::{Instant, sleep},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{
    domain::{Event, LiveStatus, RoomId, RoomInfo, RoomRef, Uid},
    protocol::{Anchor, Auth, Operation, StreamHost, encode, packets},
    upstream::{AskError, Connection, Pass, Upstream},
};

/// What the upstream does next.
#[derive(Clone, Debug)]
pub enum Act {
    /// Refuses the ticket.
    Refuse,
    /// Cannot be reached.
    Away,
    /// Sends a message.
    Say(Value),
    /// Sends bytes that are no packet.
    Garbage,
    /// Answers heartbeats for this long.
    Wait(Duration),
    /// Says nothing any more, not even to heartbeats.
    FallSilent,
    /// Closes the connection.
    Close,
    /// Asks for patience.
    Throttle(Duration),
    /// Makes the client's own code panic at its next read.
    PanicThem,
}

/// The upstream.
#[derive(Default)]
pub struct Script {
    lives: Mutex<HashMap<RoomId, VecDeque<Vec<Act>>>>,
    rooms: Mutex<HashMap<RoomId, RoomInfo>>,
    lists: Mutex<HashMap<RoomId, Vec<Event>>>,
    /// True while nothing can be reached and nothing stays connected.
    outage: watch::Sender<bool>,
    /// When connections were made.
    dials: Mutex<Vec<Instant>>,
}

impl Script {
    /// Adds the script of the next life of `room`. A room without script waits for ever.
    pub fn life(&self, room: u64, acts: Vec<Act>) {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner).entry(RoomId(room)).or_default().push_back(acts);
    }

    /// What is said of a room from now on; its streamer has the same number.
    pub fn say_of(&self, room: u64, status: LiveStatus, live_since_ms: Option<i64>) {
        let info = RoomInfo { status, live_since_ms, uid: Uid(room), ..RoomInfo::unknown(RoomId(room)) };
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).insert(info.room_id, info);
    }

    /// What the room's lists show from now on.
    pub fn list(&self, room: u64, events: Vec<Event>) {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner).insert(RoomId(room), events);
    }

    /// From now on nothing can be reached and nothing stays connected, or everything can again.
    pub fn set_outage(&self, outage: bool) {
        self.outage.send_replace(outage);
    }

    /// When connections were made, so far.
    pub fn dials(&self) -> Vec<Instant> {
        self.dials.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn next_life(&self, room: RoomId) -> Vec<Act> {
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        let next = lives.get_mut(&room).and_then(VecDeque::pop_front);
        next.unwrap_or_else(|| vec![Act::Wait(Duration::from_secs(1 << 20))])
    }
}

/// A chat line as the upstream sends it; `n` tells it from others.
pub fn chat(n: u64) -> Value {
    json!({"cmd": "DANMU_MSG", "info": [
        [0, 1, 25, 16777215, 1_700_000_000_000_u64 + n, n, 0, "abcdef01", 0, 0, 0, ""],
        format!("第{n}句"), [1000 + n, format!("观众{n}"), 0, 0, 0, 10000, 1, ""], [], [5, 0, 0, ">50000"], ["", ""], 0, 0,
    ]})
}

#[async_trait]
impl Upstream for Script {
    async fn resolve(&self, room: RoomRef) -> Result<RoomInfo, AskError> {
        let room = RoomId(room.0);
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(rooms.get(&room).cloned().unwrap_or_else(|| RoomInfo::unknown(room)))
    }

    async fn statuses(&self, uids: &[Uid]) -> Result<Vec<RoomInfo>, AskError> {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(rooms.values().filter(|info| uids.contains(&info.uid)).cloned().collect())
    }

    async fn anchor(&self, uid: Uid) -> Result<Anchor, AskError> {
        Ok(Anchor { uid, uname: String::new(), face: String::new(), followers: 0 })
    }

    async fn super_chats(&self, _: RoomId) -> Result<Vec<Event>, AskError> {
        Err(AskError::Unreachable { call: "SuperChat/getMessageList", why: "scripted".into() })
    }

    async fn last_lines(&self, room: RoomId) -> Result<Vec<Event>, AskError> {
        Ok(self.lists.lock().unwrap_or_else(PoisonError::into_inner).get(&room).cloned().unwrap_or_default())
    }

    async fn pass(&self, room: RoomId) -> Result<Pass, AskError> {
        if *self.outage.borrow() {
            return Err(AskError::Unreachable { call: "getDanmuInfo", why: "no route".into() });
        }
        let first = {
            let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
            let acts = lives.get_mut(&room).and_then(|lives| lives.front()).and_then(|acts| acts.first().cloned());
            if matches!(acts, Some(Act::Refuse | Act::Away | Act::Throttle(_))) {
                lives.get_mut(&room).and_then(VecDeque::pop_front);
            }
            acts
        };
        match first {
            Some(Act::Refuse) => Err(AskError::Refused { call: "getDanmuInfo", why: "65530".into() }),
            Some(Act::Away) => Err(AskError::Unreachable { call: "getDanmuInfo", why: "refused".into() }),
            Some(Act::Throttle(pause)) => Err(AskError::Throttled { what: "-352".into(), pause, everybody: true }),
            _ => {
                let auth = Auth { room_id: room, uid: Uid(0), buvid: String::new(), token: String::new() };
                Ok(Pass::new(auth, vec![StreamHost { host: room.to_string(), ws_port: 0, wss_port: 0 }]))
            }
        }
    }

    async fn dial(&self, _: &Pass, host: &StreamHost) -> Result<Box<dyn Connection>, AskError> {
        let room = RoomId(host.host.parse().expect("the host is the room"));
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let acts = self.next_life(room);
        self.dials.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        let panics = acts.iter().any(|act| matches!(act, Act::PanicThem));
        let mut outage = self.outage.subscribe();
        tokio::spawn(async move {
            select! {
                () = serve(ours, acts) => {}
                // The script ends with its test.
                _ = outage.wait_for(|outage| *outage) => {}
            }
        });
        let connection = WebSocketStream::from_raw_socket(theirs, Role::Client, Some(small())).await;
        if panics {
            return Ok(Box::new(connection.map(|message| match message {
                Ok(Message::Text(_)) => panic!("scripted"),
                other => other,
            })));
        }
        Ok(Box::new(connection))
    }
}

/// Thousands of connections in one test.
fn small() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4 << 10)
}

async fn serve(pipe: DuplexStream, acts: Vec<Act>) {
    let mut socket = WebSocketStream::from_raw_socket(pipe, Role::Server, Some(small())).await;
    // The first packet is the client's authentication.
    if socket.next().await.is_none() {
        return;
    }
    let welcome = encode(Operation::AuthReply, 1, br#"{"code":0}"#);
    if socket.send(Message::binary(welcome)).await.is_err() {
        return;
    }
    for act in acts {
        let sent = match act {
            Act::Say(value) => {
                let body = value.to_string();
                socket.send(Message::binary(encode(Operation::Message, 0, body.as_bytes()))).await
            }
            Act::Garbage => socket.send(Message::binary(vec![0xff; 40])).await,
            Act::PanicThem => socket.send(Message::text("now")).await,
            Act::Wait(long) => {
                if !answer_heartbeats(&mut socket, long).await {
                    return;
                }
                Ok(())
            }
            Act::FallSilent => {
                while socket.next().await.is_some() {}
                return;
            }
            Act::Close => socket.close(None).await,
            Act::Refuse | Act::Away | Act::Throttle(_) => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
    answer_heartbeats(&mut socket, Duration::from_secs(1 << 20)).await;
}

/// False when the client is gone.
async fn answer_heartbeats(socket: &mut WebSocketStream<DuplexStream>, long: Duration) -> bool {
    let over = sleep(long);
    tokio::pin!(over);
    loop {
        let frame = select! {
            () = &mut over => return true,
            frame = socket.next() => frame,
        };
        let Some(Ok(Message::Binary(bytes))) = frame else { return false };
        let beats = packets(&bytes).flatten().filter(|packet| packet.operation == Operation::Heartbeat).count();
        for _ in 0..beats {
            let reply = encode(Operation::HeartbeatReply, 1, &1u32.to_be_bytes());
            if socket.send(Message::binary(reply)).await.is_err() {
                return false;
            }
        }
    }
}
