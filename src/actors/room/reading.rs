//! Reading a connection until it ends.
//!
//! One loop over three things that can wake it: a frame, a deadline, the leash. Told to drain, it says
//! goodbye and still takes in what was on the way. Not here: what becomes of the events (`hand_on`).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    select,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use tokio_tungstenite::tungstenite::{Error, Message};
use tracing::{debug, error, info};

use super::{Leash, Room, connect::PATIENCE, hand_on::shown, let_go};
use crate::{
    actors::memory::{InHand, LeftFrame},
    protocol::{Intake, Session, Step},
    supervise::{
        exit::Exit,
        faults::{self, Point},
        vitals::{Doing, State, unix_ms},
    },
    upstream::Connection,
};

/// What is on the way when we say goodbye is waited for this long.
const GOODBYE: Duration = Duration::from_millis(1500);
/// Frames taken in one turn before other rooms of the arbiter get theirs.
const FRAMES_PER_TURN: usize = 16;

/// A connection that has said who it is.
pub struct Reading {
    /// Whose.
    pub room: Room,
    /// Where the conversation stands.
    pub session: Session,
    /// The socket.
    pub connection: Box<dyn Connection>,
    /// What the last frame held.
    pub intake: Intake,
}

/// What woke the loop.
enum Woken {
    Frame(Option<Result<Message, Error>>),
    Deadline,
    LetGo,
}

impl Reading {
    /// Reads until the connection ends, or the leash is let go.
    pub async fn run(mut self, mut leash: Leash) -> Exit {
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
            self.room.vitals.doing(Doing::Reading);
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

    /// Sends a packet, with patience.
    pub async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Exit> {
        match timeout(PATIENCE, self.connection.send(Message::binary(bytes))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Exit::Lost(error.to_string())),
            Err(_) => Err(Exit::Lost("the upstream stopped taking what we send".into())),
        }
    }

    /// Takes one frame: decodes it, books it, hands it on.
    async fn take(&mut self, frame: Option<Result<Message, Error>>) -> Result<(), Exit> {
        let bytes = match frame {
            None => return Err(Exit::Lost(self.cut("the upstream closed the connection"))),
            Some(Err(error)) => return Err(Exit::Lost(self.cut(&error.to_string()))),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Close(_))) => return Err(Exit::Lost(self.cut("the upstream said goodbye"))),
            Some(Ok(_)) => return Ok(()),
        };
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
        self.book(in_hand);
        if kept {
            self.room.memory.frame_is_read();
        }
        self.hand_on().await
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
