//! Carries out what the process that has the pages asks of the one that has the rooms, and of the one that syncs.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::{
    actors::{
        handles::{Rooms, RoomsError},
        sync_request::SyncHandle,
    },
    store::{orders::Order, sqlite::Database},
};

/// What is asked is looked at so often: soon enough for a person, and some µs of a reader's time.
const LOOK: Duration = Duration::from_millis(200);

/// Changes rooms as asked, for ever.
pub(super) async fn change_rooms(rooms: Rooms, database: Database) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A history that does not answer is told of by those who store.
        let Ok(orders) = database.run(|database| database.orders_for_rooms()).await else { continue };
        for (id, order) in orders {
            match carry_out(&rooms, order).await {
                // Asked again at the next tick.
                Err(RoomsError::Busy | RoomsError::Storage(_)) => break,
                Err(error) => warn!("what the pages asked for is not done: {error}"),
                Ok(()) => {}
            }
            // Carried out twice does no harm.
            let _ = database.run(move |database| database.end_order(id)).await;
        }
    }
}

async fn carry_out(rooms: &Rooms, order: Option<Order>) -> Result<(), RoomsError> {
    match order {
        Some(Order::LookAtRoom(room)) => rooms.look_at(room).await,
        Some(Order::RestartRoom(room)) => rooms.restart(room).await,
        Some(Order::ReconnectAll) => rooms.reconnect_all().await,
        Some(Order::Sync) => Ok(()),
        None => {
            warn!("the pages asked for something that this version does not know");
            Ok(())
        }
    }
}

/// Runs syncs as asked, for ever.
pub(super) async fn run_syncs(sync: SyncHandle, database: Database) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Ok(orders) = database.run(|database| database.orders_for_sync()).await else { continue };
        for id in orders {
            let run = sync.sync_now().await.map_err(|error| error.to_string());
            // Numbers and texts can be written; whoever asked gives up by itself.
            let answer = serde_json::to_string(&run).unwrap_or_default();
            let _ = database.run(move |database| database.answer_order(id, &answer)).await;
        }
    }
}
