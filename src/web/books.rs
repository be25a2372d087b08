//! The books of all time: what earlier runs left in the history, and this run's ledger on top.
//!
//! The history is read once, when the door is made: what it gains later, this run has in its own books,
//! and nothing is counted twice. Both sides of an earlier run's sum are what arrived in the history, so
//! the balance of all time is the balance of this run; it is never made up.
//!
//! Not persisted yet, so of this run only: what was dropped, repetitions that a room noticed itself, and
//! the rooms of unknown commands. What is erased stays in the books until the program ends.

use std::collections::BTreeMap;

use crate::{
    actors::ledger::{Entry, Ledger, LedgerReading},
    domain::RoomId,
    store::{
        record::Outcome,
        sqlite::{Database, QueryError},
    },
};

/// What earlier runs left.
pub struct Earlier {
    rooms: BTreeMap<RoomId, Outcome>,
    unknown: BTreeMap<String, u64>,
}

impl Earlier {
    /// Reads the history, less what this run has booked until now.
    pub fn read(database: &Database, ledger: &Ledger) -> Result<Earlier, QueryError> {
        // Leftovers of the run before may have been stored already: they stand in both.
        let booked = ledger.reading();
        let mut rooms = database.ledger()?;
        for (room, entry) in &booked.rooms {
            let Some(outcome) = rooms.get_mut(room) else { continue };
            outcome.stored = outcome.stored.saturating_sub(entry.stored);
            outcome.duplicate = outcome.duplicate.saturating_sub(entry.duplicate);
            outcome.dead_letter = outcome.dead_letter.saturating_sub(entry.dead_letter);
        }
        let commands = database.unknown_commands()?.into_iter();
        let unknown = commands.map(|command| {
            let here = booked.total.unknown_commands.get(&command.cmd).copied().unwrap_or_default();
            (command.cmd, u64::try_from(command.count).unwrap_or_default().saturating_sub(here))
        });
        Ok(Earlier { rooms, unknown: unknown.filter(|(_, n)| *n > 0).collect() })
    }

    /// The books of all time, when those of this run are these.
    pub fn and(&self, since_start: &LedgerReading) -> LedgerReading {
        let mut all = since_start.clone();
        for (room, outcome) in &self.rooms {
            // A room of earlier runs only: nothing of it is on the way, so nothing can be amiss.
            let entry = all.rooms.entry(*room).or_insert_with(|| Entry { balanced: true, ..Entry::default() });
            for entry in [entry, &mut all.total] {
                entry.received += outcome.received();
                entry.stored += outcome.stored;
                entry.duplicate += outcome.duplicate;
                entry.dead_letter += outcome.dead_letter;
            }
        }
        for (command, n) in &self.unknown {
            *all.total.unknown_commands.entry(command.clone()).or_default() += n;
        }
        all
    }
}
