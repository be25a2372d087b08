//! What the rest of the program may hold of an actor: plain handles with methods, never an address.
//!
//! Every command is idempotent, because a send that timed out may or may not have been taken. Leaving
//! actix would change the actors and this file, and nothing in front of it.

use std::{sync::Arc, time::Duration};

use actix::Addr;
use thiserror::Error;
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};
use tracing::info;

use super::{
    ledger::Ledger,
    root::{Root, ToRooms},
    supervisor::{ReconnectAll, Restart, Unwatch, Watch},
    wall::Wall,
};
use crate::{
    domain::{RoomId, RoomInfo, RoomRef},
    protocol::Seal,
    store::{
        RoomTotals,
        sqlite::{Database, QueryError},
    },
    upstream::{AskError, Upstream},
};

/// A command not carried out within this is reported as [`RoomsError::Busy`]. A room that is left says
/// goodbye first, and may be waiting for a lane or a send meanwhile.
const PATIENCE: Duration = Duration::from_secs(15);

/// Before erasing, events on the way are waited for this long.
const SETTLING: Duration = Duration::from_secs(5);

/// Adds, removes and steers rooms.
#[derive(Clone)]
pub struct Rooms {
    root: Addr<Root>,
    upstream: Arc<dyn Upstream>,
    database: Database,
    wall: Arc<Wall>,
    ledger: Arc<Ledger>,
    at_most: usize,
    /// Bilibili is asked for many at once; what comes of it is written down one by one.
    adding: Arc<Mutex<()>>,
}

/// Why a room command was not carried out.
#[derive(Debug, Error)]
pub enum RoomsError {
    /// There is no such room.
    #[error("there is no live room {0}: check the number or the link")]
    NoSuchRoom(RoomRef),
    /// It exists, but cannot be watched.
    #[error("live room {room} cannot be watched: {why}")]
    Unusable {
        /// Which.
        room: RoomId,
        /// What keeps it shut.
        why: Seal,
    },
    /// It is watched already.
    #[error("live room {0} is monitored already")]
    AlreadyThere(RoomId),
    /// There is no place for it.
    #[error(
        "{0} rooms are all that the limit of open files of this process allows; raise it (ulimit -n, or LimitNOFILE= of \
         the service) and start again"
    )]
    TooMany(usize),
    /// It is not watched.
    #[error("live room {0} is not monitored")]
    NotThere(RoomId),
    /// Bilibili could not be asked.
    #[error("{0}; try again later")]
    Upstream(String),
    /// The supervisor does not answer.
    #[error("the program is busy or stopping; try again")]
    Busy,
    /// It could not be written down.
    #[error("the database did not take it")]
    Storage(#[from] QueryError),
}

impl From<AskError> for RoomsError {
    fn from(error: AskError) -> RoomsError {
        match error {
            AskError::NoSuchRoom(room) => RoomsError::NoSuchRoom(room),
            AskError::Unusable { room, why } => RoomsError::Unusable { room, why },
            other => RoomsError::Upstream(other.to_string()),
        }
    }
}

impl Rooms {
    /// Handles over `root`'s rooms.
    pub fn new(
        root: Addr<Root>,
        upstream: Arc<dyn Upstream>,
        database: Database,
        wall: Arc<Wall>,
        ledger: Arc<Ledger>,
    ) -> Rooms {
        Rooms { root, upstream, database, wall, ledger, at_most: usize::MAX, adding: Arc::default() }
    }

    /// Refuses more rooms than this.
    pub fn holding_at_most(self, at_most: usize) -> Rooms {
        Rooms { at_most, ..self }
    }

    /// There is a place for one more.
    fn place(&self) -> Result<(), RoomsError> {
        if self.wall.count() >= self.at_most { Err(RoomsError::TooMany(self.at_most)) } else { Ok(()) }
    }

    /// Asks Bilibili which room is meant. Changes nothing.
    pub async fn resolve(&self, room: RoomRef) -> Result<RoomInfo, RoomsError> {
        Ok(self.upstream.resolve(room).await?)
    }

    /// Resolves a room, writes it down and begins to watch it.
    pub async fn add(&self, room: RoomRef) -> Result<RoomInfo, RoomsError> {
        if self.wall.info(RoomId(room.0)).is_some() {
            return Err(RoomsError::AlreadyThere(RoomId(room.0)));
        }
        self.place()?;
        let info = self.resolve(room).await?;
        let _turn = self.adding.lock().await;
        if self.wall.info(info.room_id).is_some() {
            return Err(RoomsError::AlreadyThere(info.room_id));
        }
        self.place()?;
        let saved = info.clone();
        let totals = self
            .database
            .run(move |database| {
                database.add_room(&saved)?;
                database.totals(saved.room_id)
            })
            .await?;
        self.begin(info.clone(), false, totals, true).await?;
        info!(room.id = %info.room_id, "room {} ({}) is monitored from now on", info.room_id, info.uname);
        Ok(info)
    }

    /// Puts a room that is written down already on the wall, and watches it unless it is paused.
    pub async fn watch(&self, info: RoomInfo, paused: bool, totals: RoomTotals) -> Result<(), RoomsError> {
        self.begin(info, paused, totals, false).await
    }

    async fn begin(&self, info: RoomInfo, paused: bool, totals: RoomTotals, asked: bool) -> Result<(), RoomsError> {
        let room = info.room_id;
        if self.wall.info(room).is_none() {
            self.place()?;
        }
        self.wall.put(info);
        self.wall.set_totals(room, totals);
        let told = self.tell(ToRooms::Watch(Watch { room, paused, asked })).await;
        if told.is_err() {
            // Nobody watches it: it must be possible to add it again.
            self.wall.remove(room);
        }
        told
    }

    /// Does what is written down about a room, after another process has changed that.
    pub async fn look_at(&self, room: RoomId) -> Result<(), RoomsError> {
        let written =
            self.database.run(move |database| Ok::<_, QueryError>((database.room(room)?, database.totals(room)?)));
        let (stored, totals) = written.await?;
        match stored.filter(|stored| stored.monitored) {
            Some(stored) if self.known(room).is_ok() => {
                self.tell(ToRooms::Watch(Watch { room, paused: stored.paused, asked: false })).await?;
                self.give_priority(room, stored.priority);
            }
            Some(stored) => {
                self.watch(stored.info, stored.paused, totals).await?;
                self.give_priority(room, stored.priority);
            }
            None if self.known(room).is_ok() => {
                self.tell(ToRooms::Unwatch(Unwatch(room))).await?;
                self.wall.remove(room);
            }
            None => {}
        }
        Ok(())
    }

    /// Watches a room no longer; erases its history if asked.
    pub async fn remove(&self, room: RoomId, erase: bool) -> Result<(), RoomsError> {
        if self.known(room).is_err() {
            // A history that stayed can still be erased.
            let kept = self.database.run(move |database| database.room(room)).await?.is_some();
            return match (erase, kept) {
                (true, true) => Ok(self.database.run(move |database| database.erase(room)).await?),
                _ => Err(RoomsError::NotThere(room)),
            };
        }
        self.database.run(move |database| database.set_monitored(room, false)).await?;
        self.tell(ToRooms::Unwatch(Unwatch(room))).await?;
        self.wall.remove(room);
        if erase {
            self.settle(room).await;
            self.database.run(move |database| database.erase(room)).await?;
        }
        info!(room.id = %room, erase, "room {room} is no longer monitored");
        Ok(())
    }

    /// Disconnects a room until it is resumed.
    pub async fn pause(&self, room: RoomId) -> Result<(), RoomsError> {
        self.set_paused(room, true).await
    }

    /// Connects a paused room again.
    pub async fn resume(&self, room: RoomId) -> Result<(), RoomsError> {
        self.set_paused(room, false).await
    }

    /// Ends the present life of a room and begins a new one; revives a failed room.
    pub async fn restart(&self, room: RoomId) -> Result<(), RoomsError> {
        self.known(room)?;
        self.tell(ToRooms::Restart(Restart(room))).await
    }

    /// Ends all connections one after another and begins new ones, as fast as the gate lets them in.
    pub async fn reconnect_all(&self) -> Result<(), RoomsError> {
        self.tell(ToRooms::ReconnectAll(ReconnectAll)).await
    }

    /// How much a room matters when there are not places on accounts for all, higher more.
    pub async fn set_priority(&self, room: RoomId, priority: i64) -> Result<(), RoomsError> {
        self.known(room)?;
        self.database.run(move |database| database.set_priority(room, priority)).await?;
        self.give_priority(room, priority);
        Ok(())
    }

    /// The same for a priority that is written down already.
    pub fn give_priority(&self, room: RoomId, priority: i64) {
        self.wall.set_priority(room, priority);
        self.upstream.set_priority(room, priority);
    }

    async fn set_paused(&self, room: RoomId, paused: bool) -> Result<(), RoomsError> {
        self.known(room)?;
        self.database.run(move |database| database.set_paused(room, paused)).await?;
        self.tell(ToRooms::Watch(Watch { room, paused, asked: false })).await
    }

    /// Waits until what the room has received is stored, so that erasing finds it. Not for ever: what is
    /// stored later stays.
    async fn settle(&self, room: RoomId) {
        let settled = async {
            while self.ledger.pending_of(room) > 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        // Too late is not wrong: the rest can be erased once more.
        let _ = timeout(SETTLING, settled).await;
    }

    fn known(&self, room: RoomId) -> Result<RoomInfo, RoomsError> {
        self.wall.info(room).ok_or(RoomsError::NotThere(room))
    }

    async fn tell(&self, command: ToRooms) -> Result<(), RoomsError> {
        match timeout(PATIENCE, self.root.send(command)).await {
            Ok(Ok(true)) => Ok(()),
            _ => Err(RoomsError::Busy),
        }
    }
}
