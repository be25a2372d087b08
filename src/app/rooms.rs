//! Which rooms are watched from the start: the stored ones at once, the named ones when Bilibili has said
//! which they are.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tracing::{error, warn};

use super::outcome::StartError;
use crate::{
    actors::{
        handles::{Rooms, RoomsError},
        wall::Wall,
    },
    domain::{RoomId, RoomRef},
    store::{
        gaps::GapNews,
        sqlite::{Database, QueryError},
    },
};

/// Watches the stored rooms at once, and the named ones as soon as Bilibili has said which they are.
pub(super) async fn watch_rooms(
    rooms: &Rooms,
    database: &Database,
    wall: Arc<Wall>,
    named: Vec<RoomRef>,
) -> Result<(), StartError> {
    let (stored, totals) =
        database.run(|database| Ok::<_, QueryError>((database.monitored()?, database.all_totals()?))).await?;
    for room in stored {
        let (id, priority) = (room.info.room_id, room.priority);
        let totals = totals.get(&id).copied().unwrap_or_default();
        if let Err(error) = rooms.watch(room.info, room.paused, totals).await {
            error!(room.id = %id, "room {id} is not monitored: {error}");
            wall.set_unresolved(RoomRef::from(id), Some(error.to_string()));
        }
        rooms.give_priority(id, priority);
    }
    actix::spawn(add_named(rooms.clone(), wall, named));
    Ok(())
}

/// Writes down that a run begins, and that nothing was received since the last one wrote something. Before
/// anything moves: what the last run left in the live store must not seem to be its last sign of life.
pub(super) fn begin_run(database: &Database) -> Result<(), QueryError> {
    let stored = database.monitored()?;
    if let Some(at_ms) = database.task()?.and_then(|task| task.last_alive_ms()) {
        let ceased = |room: RoomId| GapNews { room, at_ms, ceased: Some("the program did not run".to_owned()) };
        let unpaused = stored.iter().filter(|room| !room.paused).map(|room| room.info.room_id);
        database.note_gaps(&unpaused.map(ceased).collect::<Vec<_>>())?;
    }
    database.start_task(&stored.iter().map(|room| room.info.room_id).collect::<Vec<_>>())
}

/// Adds the rooms named at the start, one after another; Bilibili may be away for a while.
async fn add_named(rooms: Rooms, wall: Arc<Wall>, mut named: Vec<RoomRef>) {
    let mut pause = Duration::from_secs(1);
    while !named.is_empty() {
        let mut waiting = Vec::new();
        for room in named {
            let answer = rooms.add(room).await;
            wall.set_unresolved(room, None);
            match answer {
                Ok(_) | Err(RoomsError::AlreadyThere(_)) => {}
                Err(error @ (RoomsError::Upstream(_) | RoomsError::Busy)) => {
                    warn!("room {room} waits: {error}");
                    wall.set_unresolved(room, Some(error.to_string()));
                    waiting.push(room);
                }
                Err(error) => {
                    error!("room {room} is not monitored: {error}");
                    wall.set_unresolved(room, Some(error.to_string()));
                }
            }
        }
        named = waiting;
        if !named.is_empty() {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(60));
        }
    }
}
