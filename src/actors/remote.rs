//! Handles of a process that has the pages and neither rooms nor sync: what is asked for is written down, for the
//! process that does it.
//!
//! So an order survives whoever is away: the collector reads at its start what rooms should be, and carries out
//! what was asked meanwhile.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tracing::info;

use super::{
    handles::RoomsError,
    report::{Reports, SYNC},
    sync_request::{SyncError, SyncRequest, SyncRun},
    wall::Wall,
};
use crate::{
    domain::{RoomId, RoomInfo, RoomRef},
    store::{
        LiveStore,
        orders::Order,
        sqlite::{Database, QueryError},
    },
    supervise::vitals::unix_ms,
    upstream::Upstream,
};

/// The collector carries out what it is asked within this, if it runs.
const PATIENCE: Duration = Duration::from_secs(15);
/// Before erasing, events on the way are waited for this long.
const SETTLING: Duration = Duration::from_secs(5);
/// The sync answers within this, if it runs.
const SYNC_PATIENCE: Duration = Duration::from_secs(20);
/// Whether it is done is looked at so often.
const LOOK: Duration = Duration::from_millis(50);

/// Adds, removes and steers the rooms of another process.
pub struct RemoteRooms {
    /// Which room is meant.
    pub upstream: Arc<dyn Upstream>,
    /// Where it is written down.
    pub database: Database,
    /// The copy of the collector's.
    pub wall: Arc<Wall>,
    /// Where events are on their way.
    pub live: Arc<dyn LiveStore>,
}

impl RemoteRooms {
    /// Asks Bilibili which room is meant. Changes nothing.
    pub async fn resolve(&self, room: RoomRef) -> Result<RoomInfo, RoomsError> {
        Ok(self.upstream.resolve(room).await?)
    }

    /// Resolves a room and has it watched.
    pub async fn add(&self, room: RoomRef) -> Result<RoomInfo, RoomsError> {
        if self.wall.info(RoomId(room.0)).is_some() {
            return Err(RoomsError::AlreadyThere(RoomId(room.0)));
        }
        let info = self.resolve(room).await?;
        if self.wall.info(info.room_id).is_some() {
            return Err(RoomsError::AlreadyThere(info.room_id));
        }
        let saved = info.clone();
        let written = move |database: &Database| {
            database.add_room(&saved)?;
            database.give_order(Order::LookAtRoom(saved.room_id))
        };
        self.database.run(written).await?;
        self.wall.put(info.clone());
        info!(room.id = %info.room_id, "room {} ({}) is to be monitored from now on", info.room_id, info.uname);
        Ok(info)
    }

    /// Has a room watched no longer; erases its history if asked.
    pub async fn remove(&self, room: RoomId, erase: bool) -> Result<(), RoomsError> {
        let known = self.wall.info(room).is_some();
        let kept = self.database.run(move |database| database.room(room)).await?.is_some();
        if !(known || (erase && kept)) {
            return Err(RoomsError::NotThere(room));
        }
        let order = self.change(room, move |database| database.set_monitored(room, false)).await?;
        self.wall.show(room, None);
        if erase {
            self.done(order).await?;
            self.settle(room).await;
            self.database.run(move |database| database.erase(room)).await?;
        }
        info!(room.id = %room, erase, "room {room} is no longer to be monitored");
        Ok(())
    }

    /// Has a room disconnected until it is resumed, or connected again.
    pub async fn set_paused(&self, room: RoomId, paused: bool) -> Result<(), RoomsError> {
        self.known(room)?;
        self.change(room, move |database| database.set_paused(room, paused)).await.map(drop)
    }

    /// How much a room matters when there are not places on accounts for all.
    pub async fn set_priority(&self, room: RoomId, priority: i64) -> Result<(), RoomsError> {
        self.known(room)?;
        self.change(room, move |database| database.set_priority(room, priority)).await?;
        self.wall.set_priority(room, priority);
        Ok(())
    }

    /// Has the present life of a room ended and a new one begun.
    pub async fn restart(&self, room: RoomId) -> Result<(), RoomsError> {
        self.known(room)?;
        self.database.run(move |database| database.give_order(Order::RestartRoom(room))).await?;
        Ok(())
    }

    /// Has all connections ended one after another and begun anew.
    pub async fn reconnect_all(&self) -> Result<(), RoomsError> {
        self.database.run(|database| database.give_order(Order::ReconnectAll)).await?;
        Ok(())
    }

    fn known(&self, room: RoomId) -> Result<(), RoomsError> {
        self.wall.info(room).map(drop).ok_or(RoomsError::NotThere(room))
    }

    /// Writes down what a room should be, and has it looked at.
    async fn change(
        &self,
        room: RoomId,
        change: impl FnOnce(&Database) -> Result<(), QueryError> + Send + 'static,
    ) -> Result<i64, RoomsError> {
        let written = move |database: &Database| {
            change(database)?;
            database.give_order(Order::LookAtRoom(room))
        };
        Ok(self.database.run(written).await?)
    }

    /// Waits until an order is carried out. A collector that is away has no connection to end.
    async fn done(&self, order: i64) -> Result<(), RoomsError> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && self.database.run(move |database| database.is_waiting(order)).await? {
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until what the room has received is stored, so that erasing finds it. Not for ever: what is
    /// stored later stays.
    async fn settle(&self, room: RoomId) {
        let (begun, kind) = (Instant::now(), self.live.kind());
        while begun.elapsed() < SETTLING {
            let Ok(position) = self.database.run(move |database| database.cursor(kind)).await else { return };
            match self.live.left(position.as_ref()).await {
                Ok(left) if left.contains_key(&room) => sleep(LOOK).await,
                _ => return,
            }
        }
    }
}

/// Has syncs run by the process that syncs, one after another; refused at once while nothing is heard of it.
pub async fn pass_on_syncs(mut requests: mpsc::Receiver<SyncRequest>, database: Database, reports: Arc<Reports>) {
    while let Some(request) = requests.recv().await {
        let is_away = reports.silent(unix_ms()).contains(&SYNC);
        let answer = if is_away { Err(away()) } else { sync_elsewhere(&database).await };
        // Whoever asked may have gone.
        let _ = request.send(answer);
    }
}

fn away() -> SyncError {
    SyncError::Elsewhere(
        "the process that syncs does not answer: start it (--role sync); what waits in Redis is stored then".into(),
    )
}

async fn sync_elsewhere(database: &Database) -> Result<SyncRun, SyncError> {
    let order = database.run(|database| database.give_order(Order::Sync)).await?;
    let begun = Instant::now();
    let mut answer = None;
    while answer.is_none() && begun.elapsed() < SYNC_PATIENCE {
        sleep(LOOK).await;
        answer = database.run(move |database| database.answer_to(order)).await?;
    }
    database.run(move |database| database.end_order(order)).await?;
    let answer: Result<SyncRun, String> = serde_json::from_str(&answer.ok_or_else(away)?)
        .map_err(|error| SyncError::Elsewhere(format!("the process that syncs is of another version: {error}")))?;
    answer.map_err(SyncError::Elsewhere)
}
