//! A fake of the live platform: HTTP and stream, faithful enough to build and test against.
//!
//! The product reaches it over sockets only, as it reaches the real one: `--demo` starts it inside the
//! process, `simulate` serves it alone. Its rooms are invented and lively; what it has told can be asked
//! for at `/sim/truth`, and `/sim/room/{id}/…` makes things happen.
//!
//! `world` is what the platform knows, `books` what it told, `accounts` who can log in, `crowd` who is connected,
//! `faults` what goes wrong on purpose, `tally` who knocked. Its doors are `http` (`identity`, `passport`,
//! `room_api`, `live_api`, `open_live`) and `stream`; `control` and `switches` are the doors for tests and people,
//! each with a table of its endpoints under `/sim`. `script`, `scenes` and `storm` decide what happens in a room,
//! with the people of `cast` and `viewers` and the words of `vocabulary`; `messages`, `purchases`, `super_chats`,
//! `guards`, `red_pockets`, `notices` and `proto` give it today's shapes. `batch` makes frames of it, for visitors
//! through `mask`, for the open platform through `open_messages`; `garbage` is wrong on purpose, `pictures` draws.
//!
//! Nothing here uses `protocol`: packets, signatures and protobuf shapes are written a second time from the
//! notes, so that an error in one of the two shows.

mod books;
mod crowd;
mod world;

mod asking;
mod envelope;
mod http;
mod identity;
mod live_api;
mod open_live;
mod open_messages;
mod passport;
mod room_api;
mod signature;
mod stream;
mod tally;
mod wire;

mod accounts;
mod batch;
mod faults;
mod garbage;
mod mask;

mod cast;
mod scenes;
mod script;
mod viewers;
mod vocabulary;
mod words_calm;
mod words_loud;

mod guards;
mod messages;
mod notices;
mod proto;
mod purchases;
mod red_pockets;
mod storm;
mod super_chats;

mod control;
mod pictures;
mod switches;

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, middleware::from_fn, rt, web};
use bytes::Bytes;
use tokio::{sync::watch, task::JoinHandle};

pub use books::{Gold, Truth};
use world::World;

/// How the simulator runs.
#[derive(Clone, Debug)]
pub struct SimulatorOptions {
    /// Where HTTP is served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the stream is served, on the same host; 0 takes a free port.
    pub stream_port: u16,
    /// Rooms in the default list. Beyond the invented cast, rooms are made up for load.
    pub rooms: usize,
    /// The same seed gives the same people and the same story.
    pub seed: u64,
    /// Speed of the story: 1 is lively, 0 sends only what `/sim/room/…` asks for.
    pub pace: f64,
    /// Cuts every connection after that long, without a close frame.
    pub cut_every: Option<Duration>,
    /// Puts a stream host that refuses connections in front of the list.
    pub dead_first_host: bool,
    /// Sends a frame of garbage now and then.
    pub garbage: bool,
    /// The stream is served over TLS with this. HTTP is not: whoever wants that puts a proxy in front.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Default for SimulatorOptions {
    fn default() -> SimulatorOptions {
        SimulatorOptions {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            stream_port: 0,
            rooms: 6,
            seed: 20_261_123,
            pace: 1.0,
            cut_every: None,
            dead_first_host: false,
            garbage: false,
            tls: None,
        }
    }
}

/// A room of the simulator, as a person would look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedRoom {
    /// Long number.
    pub room_id: u64,
    /// Short number, 0 for none.
    pub short_id: u64,
    /// The streamer's user number.
    pub uid: u64,
    /// The streamer.
    pub name: String,
    /// The title now.
    pub title: String,
}

/// A running simulator. It lives in the actix system it was started in; dropping it ends the stream but
/// not the HTTP side, [`Simulator::stop`] ends both.
pub struct Simulator {
    world: Arc<World>,
    http: ServerHandle,
    tasks: Vec<JoinHandle<()>>,
    // Dropped or told: every connection ends.
    stop: watch::Sender<()>,
}

impl Simulator {
    /// Binds both ports and starts every room. Must be called within an actix system.
    pub async fn start(options: SimulatorOptions) -> io::Result<Simulator> {
        let http = TcpListener::bind(options.listen)?;
        let stream = tokio::net::TcpListener::bind((options.listen.ip(), options.stream_port)).await?;
        let address = http.local_addr()?;
        let reachable = match address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, v4.port())),
            other => other,
        };
        let world = Arc::new(World::new(options, format!("http://{reachable}"), stream.local_addr()?.port()));
        let data = web::Data::from(world.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .wrap(from_fn(http::watch))
                .configure(control::routes)
                .configure(switches::routes)
                .configure(http::routes)
        });
        let server = server.workers(1).disable_signals().shutdown_timeout(1).listen(http)?.run();
        let handle = server.handle();
        let (stop, stopped) = watch::channel(());
        let mut tasks = Vec::new();
        tasks.push(rt::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the simulator's HTTP side ended");
            }
        }));
        tasks.push(rt::spawn(stream::serve(stream, world.clone(), stopped)));
        tasks.extend(world.rooms.iter().map(|room| rt::spawn(script::play(room.clone(), world.clone()))));
        tracing::info!(address = %world.base, stream.port = world.stream_port, "the simulator is running");
        Ok(Simulator { world, http: handle, tasks, stop })
    }

    /// Where all its hosts are: the HTTP address without a slash at the end.
    pub fn base_url(&self) -> String {
        self.world.base.clone()
    }

    /// The page on which a person makes things happen.
    pub fn control_url(&self) -> String {
        format!("{}/sim", self.world.base)
    }

    /// The rooms of the default list.
    pub fn rooms(&self) -> Vec<SimulatedRoom> {
        self.list(true)
    }

    /// Rooms that are in no default list, to be added by hand.
    pub fn addable_rooms(&self) -> Vec<SimulatedRoom> {
        self.list(false)
    }

    /// What viewers should have counted, by long room number; the same as `/sim/truth`.
    pub fn truth(&self) -> BTreeMap<u64, Truth> {
        self.world.truth()
    }

    /// Sends a frame of somebody else's making to everybody in a room. The books do not know what is in it.
    pub fn send(&self, room_id: u64, frame: Bytes) {
        if let Some(room) = self.world.room_by_long_id(room_id) {
            room.send_raw(frame);
        }
    }

    /// Rooms that somebody listens to.
    pub fn rooms_heard(&self) -> usize {
        self.world.rooms.iter().filter(|room| room.has_audience()).count()
    }

    /// Cuts every connection and stops serving.
    pub async fn stop(self) {
        // Nobody may be connected.
        let _ = self.stop.send(());
        self.http.stop(false).await;
        for task in self.tasks {
            task.abort();
        }
    }

    fn list(&self, listed: bool) -> Vec<SimulatedRoom> {
        let open = |room: &&Arc<world::Room>| room.listed == listed && room.seal == cast::Seal::Open;
        let rooms = self.world.rooms.iter().filter(open);
        let list = rooms.map(|room| SimulatedRoom {
            room_id: room.streamer.room_id,
            short_id: room.streamer.short_id,
            uid: room.streamer.uid,
            name: room.name.clone(),
            title: world::lock(&room.stage).title.clone(),
        });
        list.collect()
    }
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod passport_tests;
#[cfg(test)]
mod story_tests;
#[cfg(test)]
mod stream_tests;
