//! Reading a connection until it ends.
//!
//! One loop over three things that can wake it: a frame, a deadline, the leash. Told to drain, it says
//! goodbye and still takes in what was on the way. Not here: what becomes of the events (`hand_on`).

use std::{cell::Cell, future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    select,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_tungstenite::tungstenite::Message;
use tracing::{debug, error, info, warn};

use super::{
    Leash, Room,
    backfill::{self, Backfill},
    connect::{Connected, PATIENCE},
    game::Game,
    hand_on::shown,
    waiting::Grace,
};
use crate::{
    actors::{
        air::Air,
        memory::{InHand, LeftFrame},
        raw::RawFrame,
        thinning::Change,
    },
    domain::{Body, Event, Kind},
    protocol::{Intake, Session, Step},
    supervise::{
        exit::Exit,
        faults::{self, Point},
        vitals::{Doing, State, unix_ms},
    },
    upstream::{Connection, Pass},
};

/// What is on the way when we say goodbye is waited for this long.
const GOODBYE: Duration = Duration::from_millis(1500);
/// Frames taken in one turn before other rooms of the arbiter get theirs.
const FRAMES_PER_TURN: usize = 16;

thread_local! {
    /// What the last frame held, emptied. One frame is decoded at a time: quiet rooms hold no buffers for it.
    static INTAKE: Cell<Intake> = Cell::default();
}

/// A connection that has said who it is.
pub struct Reading {
    /// Whose.
    pub room: Room,
    /// Where the conversation stands.
    pub session: Session,
    /// The socket.
    pub connection: Box<dyn Connection>,
    /// What opened it.
    pass: Pass,
    /// Whether the upstream let us in.
    was_let_in: bool,
    /// What is being fetched after a gap.
    backfill: Option<Backfill>,
    /// What is known of the room beside its connection.
    air: Arc<Air>,
    /// The session on the Open Live platform that the connection belongs to.
    game: Option<Game>,
}

/// What a frame held beside what was booked.
struct Decoded {
    /// Chat lines.
    chat: u64,
    /// What else viewers did.
    others: u64,
    /// The session of the Open Live platform that it says has ended.
    ended_session: Option<String>,
}

/// What woke the loop.
enum Woken {
    /// A message, or how the connection ended.
    Frame(Result<Bytes, String>),
    Deadline,
    Recalled,
    /// The platform has closed the session.
    Closed,
    LetGo,
    /// Something was fetched by whoever polls.
    Fetched,
    /// What was fetched after a gap.
    Backfilled(Vec<InHand>),
}

impl Reading {
    /// Has begun to read a connection.
    pub fn new(room: Room, connected: Connected, game: Option<Game>) -> Reading {
        let (session, connection, pass) = connected;
        let air = room.shared.airs.of(room.id);
        Reading { room, session, connection, pass, was_let_in: false, backfill: None, air, game }
    }

    /// Reads until the connection ends, or the leash is let go. Boxed, because a future that takes something by
    /// value holds it twice.
    pub async fn run(mut self: Box<Self>, leash: Leash) -> Exit {
        // A life that panicked did not say that nothing is received any more.
        self.air.set_received(false);
        let exit = self.read(&leash).await;
        if matches!(exit, Exit::Done | Exit::Ended) {
            if let Err(error) = self.take_fetched().await {
                return error;
            }
            self.say_goodbye().await;
            let held = self.room.memory.guards().flush();
            self.show(held).await;
        }
        if let Some(game) = self.game.take() {
            game.end().await;
        }
        self.room.memory.may_have_missed_something();
        self.air.set_received(false);
        if self.was_let_in {
            self.room.memory.past.received_until(unix_ms());
        }
        exit
    }

    async fn read(&mut self, leash: &Leash) -> Exit {
        let mut frames = 0;
        let mut grace = Grace::default();
        loop {
            self.room.vitals.doing(Doing::Reading);
            let deadline = match self.keep_time().await {
                Ok(deadline) => deadline,
                Err(exit) => return exit,
            };
            let ends = if self.room.shared.only_when_live { grace.ends(&self.air) } else { None };
            if ends.is_some_and(|ends| ends <= Instant::now()) {
                self.pass.is_done();
                return Exit::Ended;
            }
            let deadline = ends.map_or(deadline, |ends| ends.min(deadline));
            let woken = select! {
                biased;
                () = leash.raised() => Woken::LetGo,
                () = self.pass.recalled() => Woken::Recalled,
                () = sleep_until(deadline) => Woken::Deadline,
                frame = message(&mut self.connection) => Woken::Frame(frame),
                () = self.air.bell.notified() => Woken::Fetched,
                events = fetched(&mut self.backfill) => Woken::Backfilled(events),
                () = closed(&mut self.game) => Woken::Closed,
            };
            match woken {
                Woken::LetGo => {
                    self.pass.is_done();
                    return Exit::Done;
                }
                Woken::Recalled => {
                    self.pass.is_done();
                    self.say_goodbye().await;
                    return Exit::Lost("another account is to watch it, or its account has new cookies".into());
                }
                Woken::Deadline => {}
                Woken::Closed => return Exit::Lost("the platform closed the session".into()),
                Woken::Fetched => {
                    if let Err(exit) = self.take_fetched().await {
                        return exit;
                    }
                }
                Woken::Backfilled(events) => {
                    self.backfill = None;
                    self.book(events);
                    if let Err(exit) = self.hand_on().await {
                        return exit;
                    }
                }
                Woken::Frame(frame) => {
                    let taken = match frame {
                        Ok(bytes) => self.take(bytes).await,
                        Err(how) => Err(self.cut(how)),
                    };
                    if let Err(exit) = taken {
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

    /// Hands on what was fetched by whoever polls.
    async fn take_fetched(&mut self) -> Result<(), Exit> {
        let fetched = self.air.take_fetched().into_iter().map(shown).collect();
        self.book(fetched);
        self.hand_on().await
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

    /// Sends a packet, with patience.
    pub async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Exit> {
        match timeout(PATIENCE, self.connection.send(Message::binary(bytes))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Exit::Lost(error.to_string())),
            Err(_) => Err(Exit::Lost("the upstream stopped taking what we send".into())),
        }
    }

    /// Takes one frame: decodes it, books it, hands it on.
    async fn take(&mut self, bytes: Bytes) -> Result<(), Exit> {
        let was_live = self.session.is_live();
        if was_live {
            self.room.memory.frame_came(bytes.clone());
        }
        self.read_frame(bytes, was_live).await?;
        if !was_live && self.session.is_live() {
            self.read_left_frame().await?;
        }
        Ok(())
    }

    /// Looks whether chat comes as it did; ends the connection if another one may bring more.
    fn watch_thinning(&mut self, chat: u64, others: u64) -> Result<(), Exit> {
        let Room { id, memory, shared, .. } = &self.room;
        if !self.air.is_on.is_up() {
            if memory.past.thinning().reset() {
                shared.wall.set_thinned(*id, false);
            }
            return Ok(());
        }
        let change = memory.past.thinning().came(memory.now(), shared.thinned, chat, others);
        match change {
            None => {}
            Some(Change::Thinned) => {
                shared.wall.set_thinned(*id, true);
                self.pass.is_thinned();
                return Err(Exit::Lost("chat fell far below its own rate while viewers went on: thinned".into()));
            }
            Some(Change::Stays) => {
                warn!(room.id = %id, "room {id}: thinned, and a new connection on another host did not help");
            }
            Some(Change::Over) => {
                shared.wall.set_thinned(*id, false);
                info!(room.id = %id, "room {id}: no longer thinned");
            }
        }
        Ok(())
    }

    /// Reads the frame that the life before died on, unless it was the death of others as well.
    async fn read_left_frame(&mut self) -> Result<(), Exit> {
        let room = self.room.id;
        match self.room.memory.left_frame() {
            None => Ok(()),
            Some(LeftFrame::Again(bytes)) => self.read_frame(bytes, true).await,
            Some(LeftFrame::GivenUp(bytes)) => {
                error!(room.id = %room, bytes, "room {room}: a frame of {bytes} bytes ended two lives and is given up");
                self.room.shared.ledger.unreadable(room, 1);
                Ok(())
            }
        }
    }

    /// Decodes a frame, books what it holds, and hands that on. `kept` says that memory keeps it until then.
    async fn read_frame(&mut self, bytes: Bytes, kept: bool) -> Result<(), Exit> {
        self.room.vitals.doing(Doing::Decoding);
        faults::at(Point::RoomDecode, self.room.id.0).await.map_err(|error| Exit::Lost(error.to_string()))?;
        let Decoded { chat, others, ended_session } = self.decode(bytes);
        if kept {
            self.room.memory.frame_is_read();
        }
        self.hand_on().await?;
        self.watch_thinning(chat, others)?;
        match ended_session {
            Some(id) if self.game.as_ref().is_some_and(|game| game.is_meant_by(&id)) => {
                Err(Exit::Lost("the platform ended the session".into()))
            }
            _ => Ok(()),
        }
    }

    /// Decodes a frame and books what it holds.
    fn decode(&mut self, bytes: Bytes) -> Decoded {
        let was_live = self.session.is_live();
        let (now, received_ms) = (self.room.memory.now(), unix_ms());
        if let Some(raw) = &self.room.shared.raw {
            // Counted by the lane when it sheds; nothing is durable in it, so nobody is asked to wait.
            let _ = raw.offer_now(RawFrame { room: self.room.id, received_ms, bytes: bytes.clone() });
        }
        let mut intake = INTAKE.take();
        self.session.receive(&bytes, now, received_ms, &mut intake);
        if !was_live && self.session.is_live() {
            self.pass.is_accepted();
            self.room.enter(State::Live, Doing::Reading);
            info!(room.id = %self.room.id, "room {}: receiving", self.room.id);
            self.was_let_in = true;
            self.air.set_received(true);
            self.backfill = backfill::begin(&self.room);
        }
        if intake.messages > 0 {
            self.room.memory.past.set_heard(true);
        }
        if intake.anonymous {
            self.room.shared.wall.set_incomplete(self.room.id, true);
        }
        let (chat, others) = counted(&intake.events);
        if !intake.stopped_rooms.is_empty() {
            self.room.shared.airs.stopped(&self.room.shared.wall, &intake.stopped_rooms);
        }
        for message in intake.unknown.drain(..) {
            self.room.shared.ledger.unknown(self.room.id, message.cmd, message.sample, received_ms);
        }
        for malformed in intake.malformed.drain(..) {
            debug!(room.id = %self.room.id, "room {}: unreadable: {malformed}", self.room.id);
            self.room.shared.ledger.unreadable(self.room.id, 1);
        }
        self.book_untold(&intake, received_ms);
        let mut in_hand: Vec<InHand> = intake.events.drain(..).map(shown).collect();
        {
            let mut guards = self.room.memory.guards();
            for message in intake.guards.drain(..) {
                // On record at once, so that nothing is lost; shown when no toast came that says it better. The
                // history makes one purchase of the two.
                in_hand.extend(message.estimate().map(|event| InHand { event: Arc::new(event), shown: false }));
                in_hand.extend(guards.take(message, now).map(shown));
            }
        }
        let ended_session = intake.ended_session.take();
        intake.clear();
        INTAKE.set(intake);
        self.room.vitals.took_in(in_hand.len() as u64, bytes.len() as u64);
        self.book(in_hand);
        Decoded { chat, others, ended_session }
    }

    /// What a frame held more of than is told one by one, and what is not this room's.
    fn book_untold(&self, intake: &Intake, received_ms: i64) {
        let Intake { malformed_untold, unknown_untold, mirrored, .. } = *intake;
        if malformed_untold > 0 {
            self.room.shared.ledger.unreadable(self.room.id, malformed_untold);
        }
        if mirrored > 0 {
            self.room.shared.ledger.mirrored(self.room.id, mirrored);
        }
        if unknown_untold > 0 {
            self.room.shared.ledger.unknown_untold(self.room.id, unknown_untold, received_ms);
        }
    }

    /// Why a connection ended, with the hint that a cut before the welcome is a refused token.
    fn cut(&self, how: String) -> Exit {
        Exit::Lost(if self.session.is_live() { how } else { format!("{how} before letting us in") })
    }

    /// Closes politely and takes in what was on the way.
    async fn say_goodbye(&mut self) {
        self.room.vitals.enter(State::Draining);
        let deadline = Instant::now() + GOODBYE;
        if timeout_at(deadline, self.connection.send(Message::Close(None))).await.is_err() {
            return;
        }
        while let Ok(Ok(bytes)) = timeout_at(deadline, message(&mut self.connection)).await {
            if self.take(bytes).await.is_err() {
                return;
            }
        }
    }
}

/// The next message, or how the connection ended.
async fn message(connection: &mut Box<dyn Connection>) -> Result<Bytes, String> {
    loop {
        match connection.next().await {
            Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
            Some(Ok(Message::Close(_))) => return Err("the upstream said goodbye".to_owned()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("the upstream closed the connection".to_owned()),
        }
    }
}

/// What was fetched after a gap; never, when nothing is.
async fn fetched(backfill: &mut Option<Backfill>) -> Vec<InHand> {
    match backfill {
        Some(backfill) => backfill.await,
        None => pending().await,
    }
}

/// The platform has closed the session; never, where there is none.
async fn closed(game: &mut Option<Game>) {
    match game {
        // Rare, and what it waits with would otherwise lie in the task of every room.
        Some(game) => Box::pin(game.closed()).await,
        None => pending().await,
    }
}

/// Chat lines, and what viewers do beside chatting.
fn counted(events: &[Event]) -> (u64, u64) {
    let count = |is: fn(&Body) -> bool| events.iter().filter(|event| is(&event.body)).count() as u64;
    let acts = |body: &Body| matches!(body.kind(), Kind::Gift | Kind::Enter | Kind::Follow | Kind::Share | Kind::Like);
    (count(|body| matches!(body, Body::Danmaku(line) if !line.lottery)), count(acts))
}
