//! Where every event went: `received = stored + duplicate + dropped + dead_letter + pending`.
//!
//! An event is received by its room and then *moves*: each hand-over is one entry here, made under one
//! lock per batch, so a reading is always of one moment. Pending is what was received and has arrived
//! nowhere yet; [`Ledger::audit`] compares it with what rooms, lanes and live store really hold, so an
//! event that vanished on the way shows as an imbalance instead of hiding in a difference.
//!
//! What a stopped program left in the live store is carried over: received then, stored now.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    domain::RoomId,
    store::{
        self,
        books::Intake,
        gaps::{OTHERS, UnknownCommand},
        outcome::Outcome,
    },
};

/// Where events of one room, or of all, have gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Taken from the upstream, or carried over from the run before.
    pub received: u64,
    /// Rows of the history.
    pub stored: u64,
    /// Seen before.
    pub duplicate: u64,
    /// Given up, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Could not be stored, kept aside with the reason.
    pub dead_letter: u64,
    /// On the way.
    pub pending: u64,
    /// Messages with a command we do not know; they are not events.
    pub unknown_commands: BTreeMap<String, u64>,
    /// Frames or messages that could not be read; they are not events.
    pub unreadable: u64,
    /// Chat lines of another room that were shown here as well; they are not events of this one.
    #[serde(default)]
    pub mirrored: u64,
    /// Whether the sum holds and what is pending really exists.
    pub balanced: bool,
}

impl Entry {
    fn sum_holds(&self) -> bool {
        let dropped: u64 = self.dropped.values().sum();
        self.received == self.stored + self.duplicate + dropped + self.dead_letter + self.pending
    }

    fn add(&mut self, other: &Entry) {
        self.received += other.received;
        self.stored += other.stored;
        self.duplicate += other.duplicate;
        for (reason, n) in &other.dropped {
            *self.dropped.entry(reason.clone()).or_default() += n;
        }
        self.dead_letter += other.dead_letter;
        self.pending += other.pending;
        for (command, n) in &other.unknown_commands {
            *self.unknown_commands.entry(command.clone()).or_default() += n;
        }
        self.unreadable += other.unreadable;
        self.mirrored += other.mirrored;
    }
}

/// Distinct unknown commands remembered per room: names come from outside.
const UNKNOWN_KEPT: usize = 200;

/// The command's own name while there is room for it.
fn bounded<'a, T>(commands: &BTreeMap<String, T>, command: &'a str) -> &'a str {
    if commands.contains_key(command) || commands.len() < UNKNOWN_KEPT { command } else { OTHERS }
}

/// The books of the running program.
#[derive(Default)]
pub struct Ledger {
    inner: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    rooms: BTreeMap<RoomId, Entry>,
    missing: u64,
    /// Unknown commands counted and not written down yet.
    unwritten: BTreeMap<String, UnknownCommand>,
    /// What rooms took in, counted and not written down yet.
    intake: BTreeMap<RoomId, Intake>,
    /// What earlier runs did.
    earlier: Earlier,
    /// What the history had said of outcomes when it was last read, for those recorded by another process.
    outcomes: BTreeMap<RoomId, Outcome>,
    /// The books are kept by another process; these are its readings, of the run and of all time.
    copy: Option<(LedgerReading, LedgerReading)>,
}

/// The books of earlier runs: nothing of them is on the way, so nothing can be amiss.
#[derive(Default)]
struct Earlier {
    rooms: BTreeMap<RoomId, Entry>,
    unknown: BTreeMap<String, u64>,
}

impl Books {
    fn unwritten(&mut self, newer: UnknownCommand) {
        let name = bounded(&self.unwritten, &newer.cmd);
        // What stands for many commands is like none of them.
        let sample = if name == newer.cmd { newer.sample } else { String::new() };
        let cmd = name.to_owned();
        match self.unwritten.get_mut(&cmd) {
            Some(known) => {
                known.count += newer.count;
                known.first_ms = known.first_ms.min(newer.first_ms);
                known.last_ms = known.last_ms.max(newer.last_ms);
            }
            None => {
                self.unwritten.insert(cmd.clone(), UnknownCommand { cmd, sample, ..newer });
            }
        }
    }
}

/// What the ledger says, in total and by room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LedgerReading {
    /// All rooms.
    pub total: Entry,
    /// Each room.
    pub rooms: BTreeMap<RoomId, Entry>,
    /// Events that are pending by the books and were found nowhere; 0 is as it should be.
    pub unaccounted: u64,
    /// Whether everything holds.
    pub balanced: bool,
}

impl Ledger {
    fn with<T>(&self, f: impl FnOnce(&mut Books) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over the books of earlier runs, of which `left` is on the way still: received then, carried over
    /// now. To be called before anything is booked.
    pub fn open(
        &self,
        kept: &BTreeMap<RoomId, store::books::Books>,
        left: &BTreeMap<RoomId, u64>,
        unknown: &[UnknownCommand],
    ) {
        self.with(|books| {
            for (room, kept) in kept {
                let left = left.get(room).copied().unwrap_or(0);
                if left > 0 {
                    let entry = books.rooms.entry(*room).or_default();
                    entry.received += left;
                    entry.pending += left;
                }
                let earlier = Entry {
                    received: kept.intake.received.saturating_sub(left),
                    stored: kept.outcome.stored,
                    duplicate: kept.outcome.duplicate + kept.intake.repeated,
                    dropped: kept.intake.dropped.clone(),
                    dead_letter: kept.outcome.dead_letter,
                    unreadable: kept.intake.unreadable,
                    mirrored: kept.intake.mirrored,
                    ..Entry::default()
                };
                books.earlier.rooms.insert(*room, earlier);
                books.outcomes.insert(*room, kept.outcome);
            }
            let counts = unknown.iter().map(|command| (command.cmd.clone(), command.count.unsigned_abs()));
            books.earlier.unknown.extend(counts);
        });
    }

    /// A room took `n` events from the upstream; they are pending now.
    pub fn received(&self, room: RoomId, n: u64) {
        self.with(|books| {
            books.intake.entry(room).or_default().received += n;
            let entry = books.rooms.entry(room).or_default();
            entry.received += n;
            entry.pending += n;
        });
    }

    /// `n` pending events turned out to be known already.
    pub fn duplicate(&self, room: RoomId, n: u64) {
        self.with(|books| {
            books.intake.entry(room).or_default().repeated += n;
            let entry = books.rooms.entry(room).or_default();
            entry.pending = entry.pending.saturating_sub(n);
            entry.duplicate += n;
        });
    }

    /// `n` pending events were given up.
    pub fn dropped(&self, room: RoomId, reason: &'static str, n: u64) {
        self.with(|books| {
            let entry = books.rooms.entry(room).or_default();
            entry.pending = entry.pending.saturating_sub(n);
            for dropped in [&mut entry.dropped, &mut books.intake.entry(room).or_default().dropped] {
                *dropped.entry(reason.to_owned()).or_default() += n;
            }
        });
    }

    /// The history took a batch: what became of the room's pending events.
    pub fn recorded(&self, room: RoomId, stored: u64, duplicate: u64, dead_letter: u64) {
        self.with(|books| {
            let entry = books.rooms.entry(room).or_default();
            let moved = stored + duplicate + dead_letter;
            if moved > entry.pending {
                // Left in the live store by a run without books, or appended twice because an answer was lost.
                entry.received += moved - entry.pending;
                books.intake.entry(room).or_default().received += moved - entry.pending;
                entry.pending = moved;
            }
            entry.pending -= moved;
            entry.stored += stored;
            entry.duplicate += duplicate;
            entry.dead_letter += dead_letter;
        });
    }

    /// The history says that this has become of each room's events, all-time: another process records them.
    pub fn recorded_elsewhere(&self, outcomes: BTreeMap<RoomId, Outcome>) {
        let before = self.with(|books| std::mem::replace(&mut books.outcomes, outcomes.clone()));
        for (room, now) in outcomes {
            let new = now.since(before.get(&room).copied().unwrap_or_default());
            if new != Outcome::default() {
                self.recorded(room, new.stored, new.duplicate, new.dead_letter);
            }
        }
    }

    /// The books are kept by another process, which says this of its run and of all time.
    pub fn copy_of(&self, run: LedgerReading, all_time: LedgerReading) {
        self.with(|books| books.copy = Some((run, all_time)));
    }

    /// A message with an unknown command came at `at_ms`, and looked like `sample`.
    pub fn unknown(&self, room: RoomId, cmd: String, sample: String, at_ms: i64) {
        self.unknown_many(room, UnknownCommand { cmd, count: 1, first_ms: at_ms, last_ms: at_ms, sample });
    }

    /// `n` messages with unknown commands came at `at_ms`, more than were told one by one.
    pub fn unknown_untold(&self, room: RoomId, n: u64, at_ms: i64) {
        let (cmd, count) = (OTHERS.to_owned(), n as i64);
        self.unknown_many(room, UnknownCommand { cmd, count, first_ms: at_ms, last_ms: at_ms, sample: String::new() });
    }

    fn unknown_many(&self, room: RoomId, command: UnknownCommand) {
        self.with(|books| {
            let commands = &mut books.rooms.entry(room).or_default().unknown_commands;
            let name = bounded(commands, &command.cmd).to_owned();
            *commands.entry(name).or_default() += command.count as u64;
            books.unwritten(command);
        });
    }

    /// Unknown commands counted since the last call, for those who write them down.
    pub fn take_unknown(&self) -> Vec<UnknownCommand> {
        self.with(|books| std::mem::take(&mut books.unwritten)).into_values().collect()
    }

    /// These could not be written down.
    pub fn put_back_unknown(&self, unknown: Vec<UnknownCommand>) {
        self.with(|books| unknown.into_iter().for_each(|command| books.unwritten(command)));
    }

    /// `n` frames or messages could not be read.
    pub fn unreadable(&self, room: RoomId, n: u64) {
        self.with(|books| {
            books.intake.entry(room).or_default().unreadable += n;
            books.rooms.entry(room).or_default().unreadable += n;
        });
    }

    /// `n` chat lines of another room came.
    pub fn mirrored(&self, room: RoomId, n: u64) {
        self.with(|books| {
            books.intake.entry(room).or_default().mirrored += n;
            books.rooms.entry(room).or_default().mirrored += n;
        });
    }

    /// What rooms took in since the last call, for those who write it down.
    pub fn take_intake(&self) -> BTreeMap<RoomId, Intake> {
        self.with(|books| std::mem::take(&mut books.intake))
    }

    /// These could not be written down.
    pub fn put_back_intake(&self, intake: BTreeMap<RoomId, Intake>) {
        self.with(|books| {
            for (room, intake) in intake {
                books.intake.entry(room).or_default().add(intake);
            }
        });
    }

    /// Events on the way, by the books.
    pub fn pending(&self) -> u64 {
        self.with(|books| books.rooms.values().map(|entry| entry.pending).sum())
    }

    /// Events of one room on the way, by the books.
    pub fn pending_of(&self, room: RoomId) -> u64 {
        self.with(|books| books.rooms.get(&room).map_or(0, |entry| entry.pending))
    }

    /// Events received so far; an audit begins with it.
    pub fn received_so_far(&self) -> u64 {
        self.with(|books| books.rooms.values().map(|entry| entry.received).sum())
    }

    /// Compares pending events with those `found` on the way. Events go on moving meanwhile, so the finder
    /// looks along the flow, upstream first: then an event may be found twice, but not missed. What was
    /// received since `received_before` need not have been found. The rest must be there.
    pub fn audit(&self, received_before: u64, found: u64) {
        let (pending, received) = (self.pending(), self.received_so_far());
        let excused = found + received.saturating_sub(received_before);
        self.with(|books| books.missing = pending.saturating_sub(excused));
    }

    /// The books of all time: those of earlier runs, and these on top. Both sides of an earlier run's sum are
    /// settled, so the balance of all time is the balance of this run; it is never made up.
    pub fn all_time(&self) -> LedgerReading {
        if let Some((_, all)) = self.with(|books| books.copy.clone()) {
            return all;
        }
        let mut all = self.reading();
        self.with(|books| {
            for (room, earlier) in &books.earlier.rooms {
                let entry = all.rooms.entry(*room).or_insert_with(|| Entry { balanced: true, ..Entry::default() });
                for entry in [entry, &mut all.total] {
                    entry.add(earlier);
                }
            }
            for (command, n) in &books.earlier.unknown {
                *all.total.unknown_commands.entry(command.clone()).or_default() += n;
            }
        });
        all
    }

    /// What stands there now.
    pub fn reading(&self) -> LedgerReading {
        self.with(|books| {
            if let Some((run, _)) = &books.copy {
                return run.clone();
            }
            let mut total = Entry::default();
            let mut rooms = books.rooms.clone();
            for entry in rooms.values_mut() {
                entry.balanced = entry.sum_holds();
                total.add(entry);
            }
            total.balanced = total.sum_holds() && books.missing == 0;
            LedgerReading {
                balanced: total.balanced && rooms.values().all(|entry| entry.balanced),
                total,
                rooms,
                unaccounted: books.missing,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId(1);

    #[test]
    fn every_move_keeps_the_balance() {
        let ledger = Ledger::default();
        ledger.received(ROOM, 10);
        ledger.duplicate(ROOM, 1);
        ledger.dropped(ROOM, "lane_full", 2);
        ledger.recorded(ROOM, 3, 1, 1);
        let reading = ledger.reading();
        assert!(reading.balanced);
        assert_eq!(reading.total.pending, 2);
        assert_eq!((reading.total.stored, reading.total.duplicate, reading.total.dead_letter), (3, 2, 1));
    }

    #[test]
    fn a_loss_on_the_way_is_found_and_what_still_moves_is_not_blamed() {
        let ledger = Ledger::default();
        ledger.received(ROOM, 10);
        let before = ledger.received_so_far();
        ledger.received(ROOM, 5);
        ledger.audit(before, 12);
        assert!(ledger.reading().balanced, "the five came while the audit looked");
        ledger.audit(ledger.received_so_far(), 13);
        let reading = ledger.reading();
        assert!(!reading.balanced);
        assert_eq!(reading.unaccounted, 2);
        ledger.recorded(ROOM, 15, 0, 0);
        ledger.audit(ledger.received_so_far(), 0);
        assert!(ledger.reading().balanced);
    }

    #[test]
    fn what_another_process_records_is_booked_once() {
        let ledger = Ledger::default();
        let outcome = |stored, duplicate| BTreeMap::from([(ROOM, Outcome { stored, duplicate, dead_letter: 0 })]);
        let kept =
            store::books::Books { intake: Intake { received: 9, ..Intake::default() }, outcome: outcome(5, 2)[&ROOM] };
        ledger.open(&BTreeMap::from([(ROOM, kept)]), &BTreeMap::from([(ROOM, 2)]), &[]);
        ledger.received(ROOM, 10);
        ledger.recorded_elsewhere(outcome(5, 2));
        assert_eq!(ledger.pending(), 12, "nothing has moved since the start");
        ledger.recorded_elsewhere(outcome(9, 3));
        ledger.recorded_elsewhere(outcome(9, 3));
        let reading = ledger.reading();
        assert!(reading.balanced);
        assert_eq!((reading.total.stored, reading.total.duplicate, reading.total.pending), (4, 1, 7));
        // The room was erased meanwhile, and goes on.
        ledger.recorded_elsewhere(outcome(1, 0));
        ledger.recorded_elsewhere(outcome(3, 0));
        assert_eq!(ledger.pending(), 5);
    }

    #[test]
    fn an_unknown_command_is_counted_with_its_times_and_its_first_example() {
        let ledger = Ledger::default();
        ledger.unknown(ROOM, "NEW".into(), "first".into(), 10);
        ledger.unknown(ROOM, "NEW".into(), "second".into(), 20);
        ledger.unknown_untold(ROOM, 5, 20);
        let taken = ledger.take_unknown();
        let others = UnknownCommand { cmd: OTHERS.into(), count: 5, first_ms: 20, last_ms: 20, sample: String::new() };
        let new = UnknownCommand { cmd: "NEW".into(), count: 2, first_ms: 10, last_ms: 20, sample: "first".into() };
        assert_eq!(taken, [others, new]);
        ledger.unknown(ROOM, "NEW".into(), "third".into(), 30);
        ledger.put_back_unknown(taken);
        assert_eq!(ledger.take_unknown()[1].count, 3);
        assert_eq!(ledger.take_unknown(), []);
    }

    #[test]
    fn unknown_names_without_end_are_bounded() {
        let ledger = Ledger::default();
        (0..1000).for_each(|n| ledger.unknown(ROOM, format!("X{n}"), "{}".into(), 1));
        let taken = ledger.take_unknown();
        assert_eq!((taken.len(), taken[0].cmd.as_str(), taken[0].count), (UNKNOWN_KEPT + 1, OTHERS, 800));
        assert_eq!(taken[0].sample, "");
        assert_eq!(ledger.reading().total.unknown_commands.len(), UNKNOWN_KEPT + 1);
    }

    #[test]
    fn what_is_no_event_is_counted_beside_the_balance() {
        let ledger = Ledger::default();
        let earlier = Intake { unreadable: 3, mirrored: 5, ..Intake::default() };
        let kept = store::books::Books { intake: earlier.clone(), ..store::books::Books::default() };
        ledger.open(&BTreeMap::from([(ROOM, kept)]), &BTreeMap::new(), &[]);
        ledger.mirrored(ROOM, 2);
        ledger.unreadable(ROOM, 1);
        let (reading, all_time) = (ledger.reading(), ledger.all_time());
        assert_eq!((reading.rooms[&ROOM].mirrored, reading.total.mirrored, reading.total.unreadable), (2, 2, 1));
        assert_eq!((all_time.rooms[&ROOM].mirrored, all_time.total.mirrored, all_time.total.unreadable), (7, 7, 4));
        assert!(reading.balanced && all_time.balanced && reading.total.received == 0);
        let taken = ledger.take_intake();
        assert_eq!(taken[&ROOM], Intake { unreadable: 1, mirrored: 2, ..Intake::default() });
        ledger.put_back_intake(BTreeMap::from([(ROOM, earlier)]));
        ledger.put_back_intake(taken);
        assert_eq!(ledger.take_intake()[&ROOM].mirrored, 7);
    }

    #[test]
    fn what_the_last_run_left_is_carried_over() {
        let ledger = Ledger::default();
        ledger.received(ROOM, 1);
        ledger.recorded(ROOM, 5, 0, 0);
        let total = ledger.reading().total;
        assert_eq!((total.received, total.stored, total.pending), (5, 5, 0));
        assert!(total.balanced);
    }
}
