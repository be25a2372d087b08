//! `import-django`: takes over the original system's database and says what of it was left, and why.

use std::path::Path;

use anyhow::Context;

use crate::{
    app::{Outcome, say},
    config::Settings,
    store::{
        backup::free_of_users,
        django::{Figures, Original},
        sqlite::Database,
    },
};

/// Takes over `file`; its rooms are watched from now on if `monitor`.
pub fn import_django(settings: &Settings, file: &Path, monitor: bool) -> anyhow::Result<Outcome> {
    // First, so that a wrong path leaves nothing behind.
    let original = Original::open(file)?;
    if let Some(folder) = settings.database.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }
    free_of_users(&settings.database)?;
    let database = Database::open(&settings.database)?;
    let import = database.take_over(original, monitor)?;

    say(&format!("{} rooms{}", import.rooms.len(), if monitor { ", monitored from the next start on" } else { "" }));
    said("chat", &import.danmaku);
    said("gifts", &import.gifts);
    for (table, rows) in import.left.iter().filter(|(_, rows)| **rows > 0) {
        say(&format!("not taken: {table}, {rows} rows: it is about programs and accounts that do not exist here"));
    }
    if import.rooms.iter().any(|room| room.0 < SHORT_BELOW) {
        say("a room number this short may be a short one: its history is at that number; monitor the room by its link");
    }
    Ok(Outcome::Clean)
}

/// Long numbers are larger nowadays; short ones are at most this.
const SHORT_BELOW: u64 = 10_000;

fn said(what: &str, figures: &Figures) {
    let Figures { rows, stored, known, dead_letter, skipped } = figures;
    say(&format!("{what}: {rows} rows, {stored} taken, {known} here already"));
    if *dead_letter > 0 {
        say(&format!("    {dead_letter} refused by the tables, kept as dead letters"));
    }
    for (reason, rows) in skipped {
        say(&format!("    {rows} not taken: {reason}"));
    }
}
