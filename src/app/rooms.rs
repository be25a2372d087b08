//! Which rooms are watched from the start: the stored ones at once, the named ones when Bilibili has said
//! which they are.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
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
    upstream::together::ROOMS_A_CALL,
};

/// Watches the stored rooms at once, and the named ones as soon as Bilibili has said which they are,
/// which is asked at most so often.
pub(super) async fn watch_rooms(
    rooms: &Rooms,
    database: &Database,
    wall: Arc<Wall>,
    named: Vec<RoomRef>,
    calls_per_second: f64,
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
    actix::spawn(add_named(rooms.clone(), wall, named, calls_per_second));
    Ok(())
}

/// Writes down that a run begins, and that what the last one received may end where it was last safe.
pub(super) fn begin_run(database: &Database) -> Result<(), QueryError> {
    let stored = database.monitored()?;
    if let Some((until_ms, killed)) = database.task()?.and_then(|task| task.received_until()) {
        let mut ceased = Vec::new();
        for room in stored.iter().filter(|room| !room.paused).map(|room| room.info.room_id) {
            let at_ms = if killed { before_the_kill(database, room, until_ms)? } else { until_ms };
            ceased.push(GapNews { room, at_ms, ceased: Some("the program did not run".to_owned()) });
        }
        database.note_gaps(&ceased)?;
    }
    database.start_task(&stored.iter().map(|room| room.info.room_id).collect::<Vec<_>>())
}

/// What was on its way from Bilibili when a process was killed: nobody can know of it, and it is no more than this.
const ON_ITS_WAY_MS: i64 = 1000;

/// From when on a killed program may lack something of a room: no part of a gap before that.
fn before_the_kill(database: &Database, room: RoomId, safe_until_ms: i64) -> Result<i64, QueryError> {
    let from_ms = safe_until_ms - ON_ITS_WAY_MS;
    let earlier = database.gaps(room, from_ms, safe_until_ms)?;
    Ok(earlier.iter().filter_map(|gap| gap.to_ms).filter(|to_ms| *to_ms <= safe_until_ms).fold(from_ms, i64::max))
}

/// Adds the rooms named at the start; Bilibili may be away for a while. No more at once than may be asked about in a
/// second, and than one call takes: calls take turns, and what those need that are connecting must not wait behind all
/// the others.
async fn add_named(rooms: Rooms, wall: Arc<Wall>, mut named: Vec<RoomRef>, calls_per_second: f64) {
    let at_once = calls_per_second.ceil().clamp(1.0, ROOMS_A_CALL as f64) as usize;
    let mut pause = Duration::from_secs(1);
    while !named.is_empty() {
        let added = named.into_iter().map(|room| add(&rooms, &wall, room));
        let added: Vec<Result<(), RoomRef>> = stream::iter(added).buffer_unordered(at_once).collect().await;
        named = added.into_iter().filter_map(Result::err).collect();
        if !named.is_empty() {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(60));
        }
    }
}

/// Adds one; an error if it waits for another try.
async fn add(rooms: &Rooms, wall: &Wall, room: RoomRef) -> Result<(), RoomRef> {
    let answer = rooms.add(room).await;
    wall.set_unresolved(room, None);
    match answer {
        Ok(_) | Err(RoomsError::AlreadyThere(_)) => Ok(()),
        Err(error @ (RoomsError::Upstream(_) | RoomsError::Busy)) => {
            warn!("room {room} waits: {error}");
            wall.set_unresolved(room, Some(error.to_string()));
            Err(room)
        }
        Err(error) => {
            error!("room {room} is not monitored: {error}");
            wall.set_unresolved(room, Some(error.to_string()));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::RoomInfo, supervise::vitals::unix_ms};

    /// From when on a room may lack something, after what `before` says of the last run.
    fn begins_at(before: impl FnOnce(&Database, RoomId)) -> i64 {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(&folder.path().join("live.db")).expect("a history");
        let room = RoomId(1);
        database.add_room(&RoomInfo::unknown(room)).expect("added");
        database.start_task(&[room]).expect("started");
        before(&database, room);
        begin_run(&database).expect("begun");
        let gaps = database.gaps(room, 0, i64::MAX).expect("listed");
        let open = gaps.iter().find(|gap| gap.to_ms.is_none()).expect("a gap is open");
        assert_eq!(open.reason, "the program did not run");
        open.from_ms
    }

    #[test]
    fn after_a_kill_the_second_before_the_last_sign_of_life_may_be_missing_and_after_a_stop_nothing_before_it() {
        let safe_ms = unix_ms() - 60_000;
        let is_safe = |database: &Database| database.task_is_safe(safe_ms).expect("noted");
        assert_eq!(begins_at(|database, _| is_safe(database)), safe_ms - ON_ITS_WAY_MS);
        let received_again = |database: &Database, room| {
            let lost = |at_ms, ceased| GapNews { room, at_ms, ceased };
            let news = [lost(safe_ms - 5000, Some("lost".to_owned())), lost(safe_ms - 300, None)];
            database.note_gaps(&news).expect("noted");
            is_safe(database);
        };
        assert_eq!(begins_at(received_again), safe_ms - 300, "what was a gap already is not one twice");
        let before_ms = unix_ms();
        let stopped_ms = begins_at(|database, _| {
            is_safe(database);
            database.finish_task(None).expect("finished");
        });
        assert!(stopped_ms >= before_ms, "{stopped_ms} is before the stop");
    }
}
