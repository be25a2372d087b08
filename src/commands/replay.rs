//! `replay`: reads the raw archive once more, with today's decoders, into a database of its own.
//!
//! Events have the ids that they had, because ids are made of what was said; so the result can be compared with the
//! history in use, and a second replay changes nothing. What the program fetched beside the stream (after a gap) is
//! in no archive. What cannot be read is counted and stops nothing.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::bail;

use crate::{
    app::{Outcome, say},
    config::Settings,
    domain::{Event, RoomId},
    protocol::{GuardMerge, Intake, Session},
    store::{
        archive::{self, ArchiveFile, Frames},
        backup::free_of_users,
        outcome::Outcome as Stored,
        sqlite::Database,
    },
};

/// Events stored in one transaction.
const EVENTS_AT_ONCE: usize = 5000;

/// What was read.
#[derive(Debug, Default)]
struct Figures {
    frames: u64,
    unreadable: u64,
    unknown: BTreeMap<String, u64>,
    stored: Stored,
}

/// Replays the archive of the data folder into the database `file`.
pub fn replay(settings: &Settings, file: &Path) -> anyhow::Result<Outcome> {
    let folder = archive::folder(&settings.data_dir);
    let found = archive::files(&folder)?;
    if found.is_empty() {
        bail!("there is no raw archive in {}: it is written while the program runs with --archive", folder.display());
    }
    let in_use = std::fs::canonicalize(&settings.database).ok();
    if in_use.is_some() && std::fs::canonicalize(file).ok() == in_use {
        bail!("{} is the history in use: a replay needs a database of its own, give another name", file.display());
    }
    free_of_users(file)?;
    let database = Database::open(file)?;
    if settings.database.exists() {
        // Whose the rooms are decides whose income a gift is.
        let history = Database::open(&settings.database)?;
        for room in found.chunk_by(|one, other| one.room == other.room).map(|files| files[0].room) {
            if let Some(known) = history.room(room)? {
                database.save_room(&known.info)?;
            }
        }
    }
    let mut figures = Figures::default();
    let mut torn = 0;
    for of_room in found.chunk_by(|one, other| one.room == other.room) {
        let mut reader = Reader::new(of_room[0].room);
        for raw in of_room {
            torn += u64::from(!reader.read(&database, raw, &mut figures)?);
        }
    }
    let Figures { frames, unreadable, unknown, stored } = figures;
    say(&format!(
        "{} files, {frames} frames: {} events stored, {} here already, {} refused by the tables",
        found.len(),
        stored.stored,
        stored.duplicate,
        stored.dead_letter,
    ));
    say(&format!("{unreadable} messages could not be read, {torn} files have a torn or damaged end"));
    for (command, n) in unknown {
        say(&format!("    unknown: {command}, {n} times"));
    }
    Ok(Outcome::Clean)
}

/// What decodes a room's frames, one connection after another as if they were one.
struct Reader {
    session: Session,
    guards: GuardMerge,
    intake: Intake,
}

impl Reader {
    fn new(room: RoomId) -> Reader {
        let (session, _) = Session::open_verbatim(room, "", Duration::ZERO);
        Reader { session, guards: GuardMerge::default(), intake: Intake::default() }
    }

    /// Reads a file and stores what is in it; false when its end cannot be read.
    fn read(&mut self, database: &Database, raw: &ArchiveFile, figures: &mut Figures) -> anyhow::Result<bool> {
        let mut events = Vec::new();
        let mut whole = true;
        for frame in Frames::of(&raw.path)? {
            let Ok((received_ms, bytes)) = frame else {
                whole = false;
                break;
            };
            figures.frames += 1;
            self.decode(&bytes, received_ms, &mut events, figures);
            if events.len() >= EVENTS_AT_ONCE {
                figures.stored += database.import_replayed(std::mem::take(&mut events))?.outcome();
            }
        }
        figures.stored += database.import_replayed(events)?.outcome();
        Ok(whole)
    }

    fn decode(&mut self, frame: &[u8], received_ms: i64, events: &mut Vec<Event>, figures: &mut Figures) {
        let now = Duration::from_millis(received_ms.max(0).unsigned_abs());
        let Reader { session, guards, intake } = self;
        // They are on record already: an estimate whose toast did not come is only shown late.
        drop(guards.due(now));
        intake.clear();
        session.receive(frame, now, received_ms, intake);
        figures.unreadable += intake.malformed.len() as u64 + intake.malformed_untold;
        for message in intake.unknown.drain(..) {
            *figures.unknown.entry(message.cmd).or_default() += 1;
        }
        events.append(&mut intake.events);
        for message in intake.guards.drain(..) {
            events.extend(message.estimate());
            events.extend(guards.take(message, now));
        }
    }
}
