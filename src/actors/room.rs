//! RoomActor: one life, one connection.
//!
//! [`live`] is the whole life: wait for the gate, ask for a ticket, dial, be let in, read until the
//! connection ends, and say why. Every event is booked in the ledger, checked against the room's memory
//! and offered to two lanes, the record first. While a lane makes it wait it does not read, but its
//! heartbeats go on. Told to drain, it says goodbye and still takes in what was on the way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_tungstenite::tungstenite::Message;
use tracing::{debug, error, info};

use super::{
    ledger::Ledger,
    memory::{InHand, RoomMemory},
    wall::Wall,
};
use crate::{
    domain::{Body, Event, LiveStatus, RoomId, RoomNotice, RoomRef},
    protocol::{Intake, Session, Step},
    supervise::{
        exit::Exit,
        lane::{Lane, Offer, Payload},
        life::{Life, Work},
        vitals::{Doing, State, Vitals, unix_ms},
    },
    upstream::{AskError, Connection, Gate, Upstream},
};

impl Payload for Arc<Event> {
    fn is_durable(&self) -> bool {
        Event::kind(self).is_durable()
    }

    fn kind(&self) -> &'static str {
        Event::kind(self).as_str()
    }
}

/// What all rooms share.
#[derive(Clone)]
pub struct RoomShared {
    /// Bilibili.
    pub upstream: Arc<dyn Upstream>,
    /// Limits new connections.
    pub gate: Arc<Gate>,
    /// The way to the live store.
    pub record: Lane<Arc<Event>>,
    /// The way to browsers.
    pub view: Lane<Arc<Event>>,
    /// Where every event went.
    pub ledger: Arc<Ledger>,
    /// The present picture.
    pub wall: Arc<Wall>,
    /// Events that all rooms together have booked and not handed on yet.
    pub in_hand: Arc<AtomicU64>,
}

/// One room's own things.
#[derive(Clone)]
pub struct Room {
    /// Which room.
    pub id: RoomId,
    /// What survives this life.
    pub memory: Arc<RoomMemory>,
    /// What it publishes.
    pub vitals: Arc<Vitals>,
    /// What all rooms share.
    pub shared: RoomShared,
}

/// Turns true, or ends, when the life should end.
pub type Leash = watch::Receiver<bool>;

/// Opening a connection, and being let in, may take this long each.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is on the way when we say goodbye is waited for this long.
const GOODBYE: Duration = Duration::from_millis(1500);
/// Title, streamer and cover are asked for at a reconnect if they are older than this, ...
const ASK_RARELY: Duration = Duration::from_secs(600);
/// ... or than this, when the beginning or end of a broadcast may have been missed.
const ASK_OFTEN: Duration = Duration::from_secs(60);
/// Frames taken in one turn before other rooms of the arbiter get theirs.
const FRAMES_PER_TURN: usize = 16;

/// One life of a room, to be lived.
pub struct RoomLife {
    /// Whose.
    pub room: Room,
    /// Ends it.
    pub leash: Leash,
}

/// The actor: mailbox and lifecycle of one life.
pub type RoomActor = Life<RoomLife>;

impl Work for RoomLife {
    type Name = RoomId;

    fn work(self) -> impl Future<Output = Exit> {
        live(self.room, self.leash)
    }
}

/// The whole life of a connection; ends with the reason.
pub async fn live(room: Room, mut leash: Leash) -> Exit {
    let connected = select! {
        biased;
        () = let_go(&mut leash) => return Exit::Done,
        connected = connect(&room) => connected,
    };
    match connected {
        Ok((session, connection)) => Reading { room, session, connection, intake: Intake::default() }.run(leash).await,
        Err(error) => {
            if let AskError::Throttled { pause, .. } = &error {
                room.shared.gate.close_for(*pause);
            }
            error.into()
        }
    }
}

/// Waits until the leash is let go.
async fn let_go(leash: &mut Leash) {
    // An error means that the supervisor is gone, which ends the life as well.
    let _ = leash.wait_for(|let_go| *let_go).await;
}

/// Gets into the room's stream: gate, ticket, dial, first packet.
async fn connect(room: &Room) -> Result<(Session, Box<dyn Connection>), AskError> {
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

/// A connection that has said who it is.
struct Reading {
    room: Room,
    session: Session,
    connection: Box<dyn Connection>,
    intake: Intake,
}

/// What woke the loop.
enum Woken {
    Frame(Option<Result<Message, tokio_tungstenite::tungstenite::Error>>),
    Deadline,
    LetGo,
}

impl Reading {
    async fn run(mut self, mut leash: Leash) -> Exit {
        let exit = self.read(&mut leash).await;
        if exit == Exit::Done {
            self.say_goodbye().await;
            let held = self.room.memory.guards().flush();
            self.show(held).await;
        }
        self.room.memory.may_have_missed_something();
        exit
    }

    async fn read(&mut self, leash: &mut Leash) -> Exit {
        let mut frames = 0;
        loop {
            let deadline = match self.keep_time().await {
                Ok(deadline) => deadline,
                Err(exit) => return exit,
            };
            let woken = select! {
                biased;
                () = let_go(leash) => Woken::LetGo,
                () = sleep_until(deadline) => Woken::Deadline,
                frame = self.connection.next() => Woken::Frame(frame),
            };
            match woken {
                Woken::LetGo => return Exit::Done,
                Woken::Deadline => {}
                Woken::Frame(frame) => {
                    if let Err(exit) = self.take(frame).await {
                        return exit;
                    }
                    frames += 1;
                    if frames % FRAMES_PER_TURN == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }

    /// Sends what is due; returns when something is due next.
    async fn keep_time(&mut self) -> Result<Instant, Exit> {
        let due = self.room.memory.guards().due(self.room.memory.now());
        self.show(due).await;
        loop {
            match self.session.tick(self.room.memory.now()) {
                Step::Send(bytes) => self.send(bytes).await?,
                // A refused token is a lost connection as well: the next life fetches a new one.
                Step::Dead(dead) => return Err(Exit::Lost(dead.to_string())),
                Step::Wait(until) => {
                    let until = self.room.memory.guards().deadline().map_or(until, |guards| until.min(guards));
                    return Ok(self.room.memory.instant(until));
                }
            }
        }
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Exit> {
        match timeout(PATIENCE, self.connection.send(Message::binary(bytes))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Exit::Lost(error.to_string())),
            Err(_) => Err(Exit::Lost("the upstream stopped taking what we send".into())),
        }
    }

    /// Takes one frame: decodes it, books it, hands it on.
    async fn take(
        &mut self,
        frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<(), Exit> {
        let bytes = match frame {
            None => return Err(Exit::Lost(self.cut("the upstream closed the connection"))),
            Some(Err(error)) => return Err(Exit::Lost(self.cut(&error.to_string()))),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Close(_))) => return Err(Exit::Lost(self.cut("the upstream said goodbye"))),
            Some(Ok(_)) => return Ok(()),
        };
        let was_live = self.session.is_live();
        let (now, received_ms) = (self.room.memory.now(), unix_ms());
        self.intake.clear();
        self.session.receive(&bytes, now, received_ms, &mut self.intake);
        if !was_live && self.session.is_live() {
            self.room.enter(State::Live, Doing::Reading);
            info!(room.id = %self.room.id, "room {}: receiving", self.room.id);
        }
        for message in self.intake.unknown.drain(..) {
            self.room.shared.ledger.unknown(self.room.id, message.cmd, message.sample, received_ms);
        }
        for malformed in self.intake.malformed.drain(..) {
            debug!(room.id = %self.room.id, "room {}: unreadable: {malformed}", self.room.id);
            self.room.shared.ledger.unreadable(self.room.id, 1);
        }
        self.book_untold(received_ms);
        let mut in_hand: Vec<InHand> = self.intake.events.drain(..).map(shown).collect();
        {
            let mut guards = self.room.memory.guards();
            for message in self.intake.guards.drain(..) {
                // On record at once, so that nothing is lost; shown when no toast came that says it better. The
                // history makes one purchase of the two.
                in_hand.extend(message.estimate().map(|event| InHand { event: Arc::new(event), shown: false }));
                in_hand.extend(guards.take(message, now).map(shown));
            }
        }
        self.room.vitals.took_in(in_hand.len() as u64, bytes.len() as u64);
        self.hand_on(in_hand).await;
        Ok(())
    }

    /// What a frame held more of than is told one by one.
    fn book_untold(&self, received_ms: i64) {
        let Intake { malformed_untold, unknown_untold, .. } = self.intake;
        if malformed_untold > 0 {
            self.room.shared.ledger.unreadable(self.room.id, malformed_untold);
        }
        if unknown_untold > 0 {
            self.room.shared.ledger.unknown_untold(self.room.id, unknown_untold, received_ms);
        }
    }

    /// Why a connection ended, with the hint that a cut before the welcome is a refused token.
    fn cut(&self, how: &str) -> String {
        if self.session.is_live() { how.to_owned() } else { format!("{how} before letting us in") }
    }

    /// Books events and hands on those that are new. They stand in the room's memory meanwhile, so that a
    /// life that ends in the middle leaves the rest to the next one.
    async fn hand_on(&mut self, events: Vec<InHand>) {
        let Room { id, memory, vitals, shared } = self.room.clone();
        if !events.is_empty() {
            shared.ledger.received(id, events.len() as u64);
            shared.in_hand.fetch_add(events.len() as u64, SeqCst);
            memory.keep(events);
        }
        while let Some(InHand { event, shown }) = memory.next_in_hand() {
            if memory.is_new(event.id) && self.is_news(&event) {
                self.note(&event);
                match self.offer_to_record(&shared.record, &event).await {
                    Offer::Taken => vitals.handed_on(1, Some(event.timestamp_ms)),
                    Offer::Shed => self.lose(&event, "lane_full"),
                    Offer::Closed => self.lose(&event, "stopped"),
                }
                if shown {
                    shared.view.offer(event).await;
                }
            } else {
                shared.ledger.duplicate(id, 1);
            }
            memory.handed_on();
            shared.in_hand.fetch_sub(1, SeqCst);
        }
    }

    /// The beginning of a broadcast is told several times, and not every time with what identifies it.
    fn is_news(&self, event: &Event) -> bool {
        match &event.body {
            Body::Live(RoomNotice { live_key: Some(key), .. }) => self.room.memory.is_new_broadcast(key),
            _ => true,
        }
    }

    /// Shows events that are on record already.
    async fn show(&self, events: Vec<Event>) {
        for event in events {
            self.room.shared.view.offer(Arc::new(event)).await;
        }
    }

    /// Offers to the record's lane; heartbeats go on meanwhile.
    async fn offer_to_record(&mut self, lane: &Lane<Arc<Event>>, event: &Arc<Event>) -> Offer {
        let offer = lane.offer(event.clone());
        tokio::pin!(offer);
        loop {
            let heartbeat = match self.session.tick(self.room.memory.now()) {
                Step::Wait(until) => self.room.memory.instant(until),
                Step::Send(bytes) => {
                    // A send that fails is seen by the next read.
                    let _ = self.send(bytes).await;
                    continue;
                }
                // Seen again, and acted upon, when this event is handed on.
                Step::Dead(_) => return offer.await,
            };
            select! {
                biased;
                offer = &mut offer => {
                    self.room.vitals.doing(Doing::Reading);
                    return offer;
                }
                () = sleep_until(heartbeat) => {}
            }
        }
    }

    fn lose(&self, event: &Event, reason: &'static str) {
        self.room.shared.ledger.dropped(self.room.id, reason, 1);
        if event.kind().is_durable() {
            let kind = event.kind().as_str();
            error!(room.id = %self.room.id, event.id = %event.id, reason, "room {}: a {kind} was lost: {reason}", self.room.id);
        }
    }

    /// Keeps the wall true to what the room says of itself.
    fn note(&self, event: &Event) {
        let wall = &self.room.shared.wall;
        match &event.body {
            Body::Live(_) => wall.learn(self.room.id, |info| {
                info.status = LiveStatus::Live;
                info.live_since_ms = Some(event.timestamp_ms);
            }),
            Body::Preparing(_) | Body::CutOff(_) => wall.learn(self.room.id, |info| {
                info.status = LiveStatus::Off;
                info.live_since_ms = None;
                self.room.memory.broadcast_ended();
            }),
            Body::RoomChange(notice) => wall.learn(self.room.id, |info| {
                if let Some(title) = &notice.title {
                    info.title.clone_from(title);
                }
                if let Some(area_name) = &notice.area_name {
                    info.area_name.clone_from(area_name);
                }
            }),
            _ => {}
        }
    }

    /// Closes politely and takes in what was on the way.
    async fn say_goodbye(&mut self) {
        self.room.vitals.enter(State::Draining);
        let deadline = Instant::now() + GOODBYE;
        if timeout_at(deadline, self.connection.send(Message::Close(None))).await.is_err() {
            return;
        }
        while let Ok(frame) = timeout_at(deadline, self.connection.next()).await {
            if self.take(frame).await.is_err() {
                return;
            }
        }
    }
}

fn shown(event: Event) -> InHand {
    InHand { event: Arc::new(event), shown: true }
}

impl Room {
    fn enter(&self, state: State, doing: Doing) {
        self.vitals.enter(state);
        self.vitals.doing(doing);
        self.shared.wall.set_state(self.id, state, None);
    }
}
