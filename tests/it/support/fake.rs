//! A Bilibili made by hand from the protocol's description: its HTTP calls and its stream.
//!
//! It is strict where the real one is: no ticket without a signature, a device cookie and a browser's
//! User-Agent; no stream without the ticket's token as the very first packet. What a client does wrong is
//! refused as the real one refuses it, and noted, so that a test can say that nothing was.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use actix_web::{App, HttpServer, rt::System, web};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{
    eventually, http,
    packet::{self, Frame, Packing},
    platform, stream,
};

/// A room as the fake knows it.
#[derive(Clone, Debug)]
pub struct Room {
    pub room_id: u64,
    pub short_id: u64,
    pub uid: u64,
    pub uname: String,
    pub title: String,
    pub area_name: String,
    pub live_status: i64,
    /// When the broadcast began, unix s.
    pub live_time: i64,
    /// Super chats on display.
    pub super_chats: Vec<Value>,
    /// The last chat lines, as the list has them.
    pub lines: Vec<Value>,
    pub packing: Packing,
}

impl Room {
    /// A room on air. Its streamer's number and name follow from its own.
    pub fn new(room_id: u64, packing: Packing) -> Room {
        Room {
            room_id,
            short_id: 0,
            uid: 700_000_000 + room_id % 1_000_000,
            uname: format!("测试主播{room_id}"),
            title: format!("【{room_id}】今晚也要加油"),
            area_name: "虚拟日常".into(),
            live_status: 1,
            live_time: 1_790_000_000,
            super_chats: Vec::new(),
            lines: Vec::new(),
            packing,
        }
    }

    pub fn short(mut self, short_id: u64) -> Room {
        self.short_id = short_id;
        self
    }
}

/// What a connection is told to do.
pub enum Order {
    Send(Frame),
    Cut,
}

/// One room's traffic.
#[derive(Default)]
pub struct Traffic {
    listeners: BTreeMap<u64, UnboundedSender<Order>>,
    pub connects: usize,
    pub delivered: usize,
    pub heartbeats: usize,
    pub goodbyes: usize,
}

#[derive(Default)]
pub struct State {
    pub rooms: BTreeMap<u64, Room>,
    pub traffic: BTreeMap<u64, Traffic>,
    pub tokens: HashMap<String, u64>,
    pub buvids: BTreeSet<String>,
    pub violations: Vec<String>,
    pub stream_port: u16,
    pub url: String,
    pub tickets: usize,
    /// How often the signing keys have changed.
    pub keys_changed: u8,
    /// Connections still to be cut before the reply to their first packet.
    pub refuse: usize,
    /// What was asked of the Open Live platform.
    pub platform: platform::Calls,
    next_connection: u64,
}

/// What HTTP, stream and test share.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<State>>);

impl World {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a client did wrong.
    pub fn blame(&self, what: impl Into<String>) {
        self.lock().violations.push(what.into());
    }

    /// A connection was let into a room: its number, and where its orders come from.
    pub fn enter(&self, room: u64) -> (u64, tokio::sync::mpsc::UnboundedReceiver<Order>) {
        let (sender, receiver) = unbounded_channel();
        let mut state = self.lock();
        state.next_connection += 1;
        let number = state.next_connection;
        let traffic = state.traffic.entry(room).or_default();
        traffic.listeners.insert(number, sender);
        traffic.connects += 1;
        (number, receiver)
    }

    pub fn leave(&self, room: u64, number: u64) {
        self.traffic(room, |traffic| {
            traffic.listeners.remove(&number);
        });
    }

    pub fn traffic<T>(&self, room: u64, f: impl FnOnce(&mut Traffic) -> T) -> T {
        f(self.lock().traffic.entry(room).or_default())
    }
}

/// The running fake; ends when dropped.
pub struct FakeBilibili {
    world: World,
    url: String,
    system: System,
    thread: Option<thread::JoinHandle<()>>,
}

impl FakeBilibili {
    pub fn start(rooms: impl IntoIterator<Item = Room>) -> FakeBilibili {
        let world = World::default();
        world.lock().rooms = rooms.into_iter().map(|room| (room.room_id, room)).collect();
        let (ready, started) = mpsc::channel();
        let inside = world.clone();
        let thread = thread::spawn(move || {
            let runner = System::new();
            let port = runner.block_on(open_doors(inside));
            ready.send((System::current(), port)).expect("the test waits");
            let _ = runner.run();
        });
        let (system, port) = started.recv().expect("the fake starts");
        FakeBilibili { world, url: format!("http://127.0.0.1:{port}"), system, thread: Some(thread) }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// One more room that can be found.
    pub fn open_room(&self, room: Room) {
        self.world.lock().rooms.insert(room.room_id, room);
    }

    /// Changes what is said of a room.
    pub fn change(&self, room: u64, change: impl FnOnce(&mut Room)) {
        change(self.world.lock().rooms.get_mut(&room).expect("the fake has such a room"));
    }

    /// Sends messages to whoever listens to the room, packed the room's way.
    pub fn send(&self, room: u64, messages: &[Value]) {
        let mut state = self.world.lock();
        let packing = state.rooms.get(&room).expect("the fake has such a room").packing;
        let traffic = state.traffic.entry(room).or_default();
        assert!(!traffic.listeners.is_empty(), "nobody listens to room {room}, so what is sent now is lost");
        for sender in traffic.listeners.values() {
            for frame in packet::frames(messages, packing) {
                let _ = sender.send(Order::Send(frame));
            }
        }
    }

    /// Sends a frame of any bytes.
    pub fn send_raw(&self, room: u64, bytes: Vec<u8>) {
        self.world.traffic(room, |traffic| {
            for sender in traffic.listeners.values() {
                let _ = sender.send(Order::Send(Frame { bytes: bytes.clone(), messages: 0 }));
            }
        });
    }

    /// Cuts the room's connections without a word, after what was sent before.
    pub fn drop_connections(&self, room: u64) {
        self.world.traffic(room, |traffic| {
            for sender in traffic.listeners.values() {
                let _ = sender.send(Order::Cut);
            }
        });
    }

    /// From now on other signing keys are valid.
    pub fn change_keys(&self) {
        self.world.lock().keys_changed += 1;
    }

    /// The next `n` connections are cut as if their tokens were bad.
    pub fn refuse_tokens(&self, n: usize) {
        self.world.lock().refuse = n;
    }

    /// What was asked of the Open Live platform so far.
    pub fn platform(&self) -> platform::Calls {
        self.world.lock().platform.clone()
    }

    /// The platform closes the session that was started last, and says so only to who asks.
    pub fn close_session(&self) {
        let platform = &mut self.world.lock().platform;
        platform.closed.extend(platform.starts.last().cloned());
    }

    /// Tickets given out.
    pub fn tickets(&self) -> usize {
        self.world.lock().tickets
    }

    /// What was given out to be let in with.
    pub fn tokens(&self) -> Vec<String> {
        self.world.lock().tokens.keys().cloned().collect()
    }

    /// How often the room was entered.
    pub fn connects(&self, room: u64) -> usize {
        self.world.traffic(room, |traffic| traffic.connects)
    }

    /// Messages that went out to the room before its client said goodbye.
    pub fn delivered(&self, room: u64) -> usize {
        self.world.traffic(room, |traffic| traffic.delivered)
    }

    /// How often a client left the room politely.
    pub fn goodbyes(&self, room: u64) -> usize {
        self.world.traffic(room, |traffic| traffic.goodbyes)
    }

    pub fn heartbeats(&self, room: u64) -> usize {
        self.world.traffic(room, |traffic| traffic.heartbeats)
    }

    pub fn is_heard(&self, room: u64) -> bool {
        self.world.traffic(room, |traffic| !traffic.listeners.is_empty())
    }

    /// What the client did wrong so far.
    pub fn violations(&self) -> Vec<String> {
        self.world.lock().violations.clone()
    }

    /// Waits until every one of the rooms has been entered `times` times and is listened to.
    pub async fn wait_for(&self, rooms: &[u64], times: usize) {
        eventually("all rooms are connected", async || {
            let missing: Vec<_> =
                rooms.iter().filter(|room| self.connects(**room) < times || !self.is_heard(**room)).collect();
            if missing.is_empty() {
                Ok(())
            } else {
                Err(format!("rooms {missing:?} are not connected; refused so far: {:?}", self.violations()))
            }
        })
        .await;
    }
}

impl Drop for FakeBilibili {
    fn drop(&mut self) {
        self.system.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn open_doors(world: World) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let streams = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    world.lock().url = format!("http://127.0.0.1:{port}");
    world.lock().stream_port = streams.local_addr().expect("an address").port();
    actix_web::rt::spawn(stream::accept(streams, world.clone()));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(world.clone()))
            .route("/v2/app/{call}", web::post().to(platform::answer))
            .default_service(web::to(http::answer))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .expect("an open listener")
    .run();
    actix_web::rt::spawn(server);
    port
}

/// Unix time, ms.
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 200000000")
}
