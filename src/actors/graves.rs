//! Where actors bring events that end every life that touches them: into the dead letters, and into the books.
//!
//! Setting an event aside is the last resort (`supervise::inbox`): the panic is the bug, the event only
//! shows it, and it stays readable for whoever mends that.

use std::sync::Arc;

use tracing::error;

use super::ledger::Ledger;
use crate::{domain::Event, store::sqlite::Database, supervise::exit::Panic};

/// The dead letters and the books.
#[derive(Clone)]
pub struct Graves {
    database: Database,
    ledger: Arc<Ledger>,
}

impl Graves {
    /// Those of this history and these books.
    pub fn new(database: Database, ledger: Arc<Ledger>) -> Graves {
        Graves { database, ledger }
    }

    /// Sets aside an event over which `who` panics. Should that fail as well, the event is lost, and the
    /// books say so.
    pub async fn bury(&self, who: &str, event: &Arc<Event>, panic: &Panic) {
        let (room, why) = (event.room_id, why(who, panic));
        error!(room.id = %room, event.id = %event.id, "an event is set aside as a dead letter: {why}");
        let event = event.clone();
        match self.database.run(move |database| database.bury(&event, &why)).await {
            Ok(true) => self.ledger.recorded(room, 0, 0, 1),
            Ok(false) => self.ledger.recorded(room, 0, 1, 0),
            Err(error) => {
                error!(%error, "a dead letter could not be kept and is lost: {error}");
                self.ledger.dropped(room, "unstorable", 1);
            }
        }
    }
}

/// The reason that is kept with a dead letter.
pub fn why(who: &str, panic: &Panic) -> String {
    let place = panic.place.as_deref().unwrap_or("an unknown place");
    format!("{who} panicked over it again and again: {} ({place})", panic.text)
}
