//! Everything that is counted from rows: totals, minutes, users.
//!
//! [`Sums::add`] sees each row that was really new exactly once, [`Sums::remove`] each that gave way to
//! another; [`Sums::write`] adds the result to what the tables hold, within the caller's transaction. So
//! every sum equals a count over the rows. Adding happens here and not in SQL because SQLite turns an
//! overflowing sum into a float, and a hostile amount must not do that to a room's income: ours stop at
//! the largest number (and what is taken off later is taken off that). Not here: who counts as a user (`heads`).

use std::collections::{BTreeMap, HashMap};

use diesel::{prelude::*, sqlite::SqliteConnection};

use super::{
    RoomTotals,
    heads::{AliasRow, Heads, UserRow, alias_of},
    purchase_rows::is_for_another,
    rows::minute_of,
    schema::{blm_roomtotal, live_data_minute},
};
use crate::domain::{Body, Event, Gold, RoomId, Uid};

/// What a run of new rows adds up to.
#[derive(Default)]
pub(super) struct Sums {
    /// Whose the rooms are, as far as known: gifts to others are not theirs.
    streamers: HashMap<RoomId, Uid>,
    rooms: BTreeMap<i64, RoomTotals>,
    heads: Heads,
    minutes: BTreeMap<(i64, i64), MinuteRow>,
}

impl Sums {
    /// Nothing yet, in rooms with these streamers.
    pub(super) fn of(streamers: HashMap<RoomId, Uid>) -> Sums {
        Sums { streamers, ..Sums::default() }
    }

    /// So are these.
    pub(super) fn know(&mut self, streamers: HashMap<RoomId, Uid>) {
        self.streamers.extend(streamers);
    }

    /// Whose the rooms are, as far as known.
    pub(super) fn streamers(&self) -> &HashMap<RoomId, Uid> {
        &self.streamers
    }

    /// The totals of this room are wanted, even if nothing is added to them.
    pub(super) fn touch(&mut self, room: RoomId) {
        self.rooms.entry(room.0 as i64).or_default();
    }

    /// Chat lines and gifts so far, for the row of the task that collects them.
    pub(super) fn collected(&self) -> (i64, i64) {
        self.rooms.values().fold((0, 0), |(danmaku, gifts), room| (danmaku + room.danmaku, gifts + room.gifts))
    }

    /// Counts an event whose row was new.
    pub(super) fn add(&mut self, event: &Event) {
        // A time that lies ahead of our clock is wrong; it must not stay the newest for ever.
        let at_ms = event.timestamp_ms.min(event.received_ms);
        let room = self.rooms.entry(event.room_id.0 as i64).or_default();
        room.last_event_ms = room.last_event_ms.max(at_ms);
        self.count(event, 1);
    }

    /// Takes back an event that was counted and whose row is another event's now.
    pub(super) fn remove(&mut self, event: &Event) {
        self.count(event, -1);
    }

    /// Counts an event once, or minus once.
    fn count(&mut self, event: &Event, once: i64) {
        let room_id = event.room_id.0 as i64;
        let room = self.rooms.entry(room_id).or_default();
        let mut paid = event.paid().times(once);
        let mut minute = MinuteRow::empty(room_id, minute_of(event.timestamp_ms));
        match &event.body {
            Body::Danmaku(danmaku) => {
                room.danmaku += once;
                minute.danmaku = once;
                minute.lottery = if danmaku.lottery { once } else { 0 };
            }
            Body::Gift(gift) => {
                room.gifts += once;
                minute.gifts = once;
                if is_for_another(gift, self.streamers.get(&event.room_id).copied().unwrap_or_default()) {
                    room.others_gold += paid;
                    minute.others_gold = paid.0;
                    paid = Gold::ZERO;
                }
                room.gift_gold += paid;
                minute.gift_gold = paid.0;
            }
            Body::SuperChat(_) => {
                room.super_chats += once;
                room.super_chat_gold += paid;
                minute.super_chats = once;
                minute.super_chat_gold = paid.0;
            }
            Body::Guard(_) => {
                room.guards += once;
                room.guard_gold += paid;
                minute.guards = once;
                minute.guard_gold = paid.0;
            }
            Body::Enter(_) => minute.enters = once,
            _ => return,
        }
        self.minutes
            .entry((room_id, minute.minute_ms))
            .or_insert_with(|| MinuteRow::empty(room_id, minute.minute_ms))
            .add(&minute);
        if minute.enters != 0 {
            return;
        }
        // Raffle phrases are no interaction.
        let interactions = once - minute.lottery;
        let alias = alias_of(&event.user);
        if event.user.masked {
            room.masked += once;
            if alias.is_none() {
                room.unidentified += interactions;
            }
        }
        let (first_ms, last_ms) = (event.timestamp_ms, event.timestamp_ms);
        let uid = event.user.uid.0 as i64;
        if let Some(alias) = alias {
            self.heads.add_alias(AliasRow {
                room_id,
                alias,
                first_ms,
                last_ms,
                interactions,
                counted: interactions > 0,
            });
        } else if uid != 0 && !event.user.masked {
            self.heads.add_user(UserRow::new(event, minute.danmaku, minute.gifts, paid, interactions));
        }
    }

    /// Adds all of it to the tables; gives back the totals of every room that was touched.
    ///
    /// Whole rows are replaced, because diesel prepares an upsert anew for each; and a row is looked up without
    /// `first`, because SQLite prepares anew whatever has a bound `LIMIT` (`sqlite3Reprepare`).
    pub(super) fn write(mut self, writer: &mut SqliteConnection) -> QueryResult<HashMap<RoomId, RoomTotals>> {
        for (room_id, users) in self.heads.write(writer)? {
            self.rooms.entry(room_id).or_default().users += users;
        }
        for (key, minute) in self.minutes {
            let known: Option<MinuteRow> =
                live_data_minute::table.find(key).select(MinuteRow::as_select()).get_result(writer).optional()?;
            let mut sum = known.unwrap_or_else(|| MinuteRow::empty(key.0, key.1));
            sum.add(&minute);
            if sum.is_empty() {
                // Its only event moved to another minute.
                diesel::delete(live_data_minute::table.find(key)).execute(writer)?;
                continue;
            }
            diesel::replace_into(live_data_minute::table).values(&sum).execute(writer)?;
        }
        let mut totals = HashMap::with_capacity(self.rooms.len());
        for (room_id, room) in self.rooms {
            let known: Option<TotalRow> =
                blm_roomtotal::table.find(room_id).select(TotalRow::as_select()).get_result(writer).optional()?;
            let sum = known.map(|row| row.totals()).unwrap_or_default().plus(&room);
            if sum != RoomTotals::default() {
                diesel::replace_into(blm_roomtotal::table).values(&TotalRow::new(room_id, &sum)).execute(writer)?;
            }
            totals.insert(RoomId(room_id as u64), sum);
        }
        Ok(totals)
    }
}

impl RoomTotals {
    /// The sum of two rooms' totals, or of a room's totals and what came to them.
    pub(super) fn plus(&self, other: &RoomTotals) -> RoomTotals {
        RoomTotals {
            danmaku: self.danmaku.saturating_add(other.danmaku),
            gifts: self.gifts.saturating_add(other.gifts),
            super_chats: self.super_chats.saturating_add(other.super_chats),
            guards: self.guards.saturating_add(other.guards),
            users: self.users.saturating_add(other.users),
            masked: self.masked.saturating_add(other.masked),
            unidentified: self.unidentified.saturating_add(other.unidentified),
            others_gold: self.others_gold + other.others_gold,
            gift_gold: self.gift_gold + other.gift_gold,
            super_chat_gold: self.super_chat_gold + other.super_chat_gold,
            guard_gold: self.guard_gold + other.guard_gold,
            last_event_ms: self.last_event_ms.max(other.last_event_ms),
        }
    }

    /// The share of messages that count for anything whose user was masked, from 0 to 1.
    pub fn masked_share(&self) -> f64 {
        let all = self.danmaku.saturating_add(self.gifts).saturating_add(self.super_chats).saturating_add(self.guards);
        if all == 0 { 0.0 } else { self.masked as f64 / all as f64 }
    }

    /// Whether there may be more users than are counted.
    pub fn users_is_lower_bound(&self) -> bool {
        self.unidentified > 0
    }

    /// Everything that was paid to the room's streamer.
    pub fn income(&self) -> Gold {
        self.gift_gold + self.super_chat_gold + self.guard_gold
    }
}

/// A room's totals as they are stored.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = blm_roomtotal)]
pub(super) struct TotalRow {
    pub(super) room_id: i64,
    danmaku: i64,
    gifts: i64,
    super_chats: i64,
    guards: i64,
    users: i64,
    masked: i64,
    gift_gold: i64,
    super_chat_gold: i64,
    guard_gold: i64,
    last_event_ms: i64,
    others_gold: i64,
    unidentified: i64,
}

impl TotalRow {
    fn new(room_id: i64, totals: &RoomTotals) -> TotalRow {
        TotalRow {
            room_id,
            danmaku: totals.danmaku,
            gifts: totals.gifts,
            super_chats: totals.super_chats,
            guards: totals.guards,
            users: totals.users,
            masked: totals.masked,
            gift_gold: totals.gift_gold.0,
            super_chat_gold: totals.super_chat_gold.0,
            guard_gold: totals.guard_gold.0,
            last_event_ms: totals.last_event_ms,
            others_gold: totals.others_gold.0,
            unidentified: totals.unidentified,
        }
    }

    pub(super) fn totals(&self) -> RoomTotals {
        RoomTotals {
            danmaku: self.danmaku,
            gifts: self.gifts,
            super_chats: self.super_chats,
            guards: self.guards,
            users: self.users,
            masked: self.masked,
            gift_gold: Gold(self.gift_gold),
            super_chat_gold: Gold(self.super_chat_gold),
            guard_gold: Gold(self.guard_gold),
            others_gold: Gold(self.others_gold),
            unidentified: self.unidentified,
            last_event_ms: self.last_event_ms,
        }
    }
}

/// A room's minute as it is stored; also what a longer stretch of time adds up to.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = live_data_minute)]
pub(super) struct MinuteRow {
    pub(super) room_id: i64,
    pub(super) minute_ms: i64,
    pub(super) danmaku: i64,
    pub(super) lottery: i64,
    pub(super) gifts: i64,
    pub(super) super_chats: i64,
    pub(super) guards: i64,
    pub(super) enters: i64,
    pub(super) gift_gold: i64,
    pub(super) super_chat_gold: i64,
    pub(super) guard_gold: i64,
    pub(super) others_gold: i64,
}

impl MinuteRow {
    /// Nothing happened.
    fn empty(room_id: i64, minute_ms: i64) -> MinuteRow {
        MinuteRow {
            room_id,
            minute_ms,
            danmaku: 0,
            lottery: 0,
            gifts: 0,
            super_chats: 0,
            guards: 0,
            enters: 0,
            gift_gold: 0,
            super_chat_gold: 0,
            guard_gold: 0,
            others_gold: 0,
        }
    }

    fn is_empty(&self) -> bool {
        let MinuteRow { danmaku, gifts, super_chats, guards, enters, .. } = *self;
        // Raffle phrases are chat lines, and amounts have a row.
        danmaku == 0 && gifts == 0 && super_chats == 0 && guards == 0 && enters == 0
    }

    fn add(&mut self, other: &MinuteRow) {
        for (mine, theirs) in [
            (&mut self.danmaku, other.danmaku),
            (&mut self.lottery, other.lottery),
            (&mut self.gifts, other.gifts),
            (&mut self.super_chats, other.super_chats),
            (&mut self.guards, other.guards),
            (&mut self.enters, other.enters),
            (&mut self.gift_gold, other.gift_gold),
            (&mut self.super_chat_gold, other.super_chat_gold),
            (&mut self.guard_gold, other.guard_gold),
            (&mut self.others_gold, other.others_gold),
        ] {
            *mine = mine.saturating_add(theirs);
        }
    }
}

#[cfg(test)]
#[path = "sums_tests.rs"]
mod tests;
