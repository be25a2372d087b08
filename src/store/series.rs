//! The history as numbers: totals, trends, gauges, the most active users, the ledger.
//!
//! Totals are read from where the recording transaction keeps them and never counted again. Longer
//! steps of a trend are added up here, from minutes, so that amounts stop at the largest number instead
//! of becoming floats. Numbers of different gauges are never added.

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use diesel::{dsl::sql, prelude::*, sql_types::Bool};
use serde::Serialize;
use tokio::time::Instant;

use super::{
    RoomTotals,
    heads::UserRow,
    number::Number,
    outcome::Outcome,
    rows::{GaugeRow, MINUTE_MS},
    schema::{blm_ledger, blm_roomtotal, blm_roomuser, live_data_gauge, live_data_minute},
    sqlite::{Database, QueryError, failed},
    sums::{MinuteRow, TotalRow},
};
use crate::domain::{Gauge, Gold, RoomId, Uid};

/// Days begin at midnight in China, where the platform and its statistics live.
const DAY_OFFSET_MS: i64 = 8 * 3_600_000;

/// Width of a trend's points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, China standard time.
    Day,
}

impl Step {
    /// Width, ms.
    pub fn ms(self) -> i64 {
        match self {
            Step::Minute => MINUTE_MS,
            Step::Hour => 60 * MINUTE_MS,
            Step::Day => 24 * 60 * MINUTE_MS,
        }
    }

    /// First ms of the step in which `ms` lies.
    pub fn start_of(self, ms: i64) -> i64 {
        // Moments come from query strings, too; far beyond any event, one is as good as another.
        let ms = ms.clamp(i64::MIN / 2, i64::MAX / 2);
        let offset = if self == Step::Day { DAY_OFFSET_MS } else { 0 };
        (ms + offset).div_euclid(self.ms()) * self.ms() - offset
    }
}

/// What was stored of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrendPoint {
    /// First ms of the step.
    pub at_ms: i64,
    /// Chat lines, raffle phrases included.
    pub danmaku: i64,
    /// Raffle phrases among them.
    pub lottery: i64,
    /// Gift messages, free ones included.
    pub gifts: i64,
    /// Super chats.
    pub super_chats: i64,
    /// Guards.
    pub guards: i64,
    /// People who came in, as far as the upstream says.
    pub enters: i64,
    /// Paid for gifts to the room's streamer.
    pub gift_gold: Gold,
    /// Paid for super chats.
    pub super_chat_gold: Gold,
    /// Paid for guards.
    pub guard_gold: Gold,
    /// Paid here for gifts to other streamers: no income of this room.
    pub others_gold: Gold,
}

impl TrendPoint {
    fn add(&mut self, minute: &MinuteRow) {
        for (mine, theirs) in [
            (&mut self.danmaku, minute.danmaku),
            (&mut self.lottery, minute.lottery),
            (&mut self.gifts, minute.gifts),
            (&mut self.super_chats, minute.super_chats),
            (&mut self.guards, minute.guards),
            (&mut self.enters, minute.enters),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        self.gift_gold += Gold(minute.gift_gold);
        self.super_chat_gold += Gold(minute.super_chat_gold);
        self.guard_gold += Gold(minute.guard_gold);
        self.others_gold += Gold(minute.others_gold);
    }
}

/// A room's gauges at the end of a minute, as far as that minute said them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GaugePoint {
    /// First ms of the minute.
    pub at_ms: i64,
    /// The numbers.
    #[serde(flatten)]
    pub gauge: Gauge,
}

/// The last count of people over all rooms.
pub(super) struct PeopleCounted {
    people: i64,
    at: Instant,
    took: Duration,
}

/// A count this quick is not kept.
const COUNTED_IN_NO_TIME: Duration = Duration::from_millis(20);
/// How many times as long as it took a count is good for: half a minute with three million people.
const COUNT_LASTS: u32 = 50;

/// By what users are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopBy {
    /// Chat lines.
    Danmaku,
    /// What they paid to the room's streamer.
    Paid,
}

/// A user of a room. Masked users cannot be told apart and are in no ranking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TopUser {
    /// Who.
    pub uid: Uid,
    /// The name last seen.
    pub username: String,
    /// First chat line or purchase, unix ms.
    pub first_ms: i64,
    /// Last one.
    pub last_ms: i64,
    /// Chat lines.
    pub danmaku: i64,
    /// Gift messages.
    pub gifts: i64,
    /// Paid for everything.
    pub paid_gold: Gold,
}

impl Database {
    /// A room's totals; zeros when nothing of it is stored.
    pub fn totals(&self, room: RoomId) -> Result<RoomTotals, QueryError> {
        let row: Option<TotalRow> = blm_roomtotal::table
            .find(room.0 as i64)
            .select(TotalRow::as_select())
            .first(&mut self.reader()?)
            .optional()
            .map_err(failed("read a room's totals"))?;
        Ok(row.map(|row| row.totals()).unwrap_or_default())
    }

    /// The totals of every room of which anything is stored.
    pub fn all_totals(&self) -> Result<BTreeMap<RoomId, RoomTotals>, QueryError> {
        let rows: Vec<TotalRow> = blm_roomtotal::table
            .select(TotalRow::as_select())
            .load(&mut self.reader()?)
            .map_err(failed("read the totals"))?;
        Ok(rows.into_iter().map(|row| (RoomId(row.room_id as u64), row.totals())).collect())
    }

    /// Over all rooms. Somebody who is a user of several rooms counts once.
    pub fn system_totals(&self) -> Result<RoomTotals, QueryError> {
        let sum = self.all_totals()?.values().fold(RoomTotals::default(), |sum, room| sum.plus(room));
        Ok(RoomTotals { users: self.people(COUNT_LASTS)?, ..sum })
    }

    /// Counts people over all rooms again when the last count will soon be too old, so that nobody waits for it.
    pub fn count_people_ahead(&self) -> Result<(), QueryError> {
        self.people(COUNT_LASTS / 2).map(drop)
    }

    /// Users of any room, masked ones by what stands for them. What is counted in no time is counted each time; else the count lasts `lasts`
    /// times as long as it took, so that counting never takes more than a small share of the time.
    fn people(&self, lasts: u32) -> Result<i64, QueryError> {
        use blm_roomuser as user;
        let last = || self.people_counted().lock().unwrap_or_else(PoisonError::into_inner);
        // Not held while counting: others go on with the last count.
        if let Some(count) = &*last()
            && count.took > COUNTED_IN_NO_TIME
            && count.at.elapsed() < count.took * lasts
        {
            return Ok(count.people);
        }
        let at = Instant::now();
        let known: i64 = user::table
            .filter(user::counted)
            .select(diesel::dsl::count(user::uid).aggregate_distinct())
            .first(&mut self.reader()?)
            .map_err(failed("count the users"))?;
        let masked: Number = diesel::sql_query(
            "SELECT count(DISTINCT alias) AS n FROM blm_roomalias AS masked WHERE counted AND NOT EXISTS
             (SELECT 1 FROM blm_roomuser AS known WHERE known.alias = masked.alias AND known.counted)",
        )
        .get_result(&mut self.reader()?)
        .map_err(failed("count the masked users"))?;
        let people = known + masked.n;
        *last() = Some(PeopleCounted { people, at, took: at.elapsed() });
        Ok(people)
    }

    /// What happened in a room in `from_ms..to_ms`, oldest first; steps in which nothing did are left out.
    pub fn trend(&self, room: RoomId, from_ms: i64, to_ms: i64, step: Step) -> Result<Vec<TrendPoint>, QueryError> {
        use live_data_minute as minute;
        let rows: Vec<MinuteRow> = minute::table
            .filter(minute::room_id.eq(room.0 as i64))
            .filter(minute::minute_ms.ge(step.start_of(from_ms)))
            .filter(minute::minute_ms.lt(to_ms))
            .order(minute::minute_ms)
            .select(MinuteRow::as_select())
            .load(&mut self.reader()?)
            .map_err(failed("read a trend"))?;
        let mut points: Vec<TrendPoint> = Vec::new();
        for row in rows {
            let at_ms = step.start_of(row.minute_ms);
            match points.last_mut() {
                Some(point) if point.at_ms == at_ms => point.add(&row),
                _ => {
                    let mut point = TrendPoint { at_ms, ..TrendPoint::default() };
                    point.add(&row);
                    points.push(point);
                }
            }
        }
        Ok(points)
    }

    /// A room's gauges in `from_ms..to_ms`, oldest first.
    pub fn gauges(&self, room: RoomId, from_ms: i64, to_ms: i64) -> Result<Vec<GaugePoint>, QueryError> {
        use live_data_gauge as gauge;
        let rows: Vec<GaugeRow> = gauge::table
            .filter(gauge::room_id.eq(room.0 as i64))
            .filter(gauge::minute_ms.ge(Step::Minute.start_of(from_ms)))
            .filter(gauge::minute_ms.lt(to_ms))
            .order(gauge::minute_ms)
            .select(GaugeRow::as_select())
            .load(&mut self.reader()?)
            .map_err(failed("read gauges"))?;
        Ok(rows.into_iter().map(|row| GaugePoint { at_ms: row.minute_ms, gauge: row.gauge() }).collect())
    }

    /// The users of a room who chatted or paid most; those with nothing of it, or only raffle phrases, are
    /// left out.
    pub fn top_users(&self, room: RoomId, by: TopBy, limit: usize) -> Result<Vec<TopUser>, QueryError> {
        use blm_roomuser as user;
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut reader = self.reader()?;
        let mut ask = |condition: &str| {
            let query = user::table
                .filter(user::room_id.eq(room.0 as i64))
                .filter(user::interactions.gt(0))
                // Spelled out: only so it is the condition of an index.
                .filter(sql::<Bool>(condition))
                .limit(wanted)
                .select(UserRow::as_select());
            match by {
                TopBy::Danmaku => query.order((user::danmaku.desc(), user::uid)).load(&mut reader),
                TopBy::Paid => query.order((user::paid_gold.desc(), user::uid)).load(&mut reader),
            }
        };
        let rows: QueryResult<Vec<UserRow>> = match by {
            TopBy::Paid => ask("paid_gold > 0"),
            TopBy::Danmaku => match ask("danmaku >= 20") {
                Ok(rows) if (rows.len() as i64) < wanted => ask("danmaku > 0"),
                enough => enough,
            },
        };
        Ok(rows
            .map_err(failed("rank users"))?
            .into_iter()
            .map(|row: UserRow| TopUser {
                uid: Uid(row.uid as u64),
                username: row.username,
                first_ms: row.first_ms,
                last_ms: row.last_ms,
                danmaku: row.danmaku,
                gifts: row.gifts,
                paid_gold: Gold(row.paid_gold),
            })
            .collect())
    }

    /// What became of every event that was read from a live store, all-time and by room.
    pub fn ledger(&self) -> Result<BTreeMap<RoomId, Outcome>, QueryError> {
        let rows: Vec<(i64, i64, i64, i64)> =
            blm_ledger::table.load(&mut self.reader()?).map_err(failed("read the ledger"))?;
        Ok(rows
            .into_iter()
            .map(|(room, stored, duplicate, dead_letter)| {
                let outcome =
                    Outcome { stored: stored as u64, duplicate: duplicate as u64, dead_letter: dead_letter as u64 };
                (RoomId(room as u64), outcome)
            })
            .collect())
    }
}
