//! What the dashboard says of today and of the broadcast that runs: one reading for the page and for its push.
//!
//! The history is asked at most every ten seconds however many look, and less often when it answers slowly. What
//! was paid is told as what was paid *before*: the totals come by push every second, and the difference is what
//! was paid since. Nothing here guards money from the public: whoever sends a reading strips it (`audience`).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Serialize;

use super::{Site, error::Refusal, kept::Kept};
use crate::{
    actors::wall::RoomSummary,
    domain::{Gold, LiveStatus, RoomId},
    store::{
        coverage::{Received, together},
        lately::Spent,
        series::Step,
        sqlite::{Database, QueryError},
    },
    supervise::vitals::unix_ms,
    upstream::accounts::AccountState,
};

/// How often a page is told.
pub const EVERY: Duration = Duration::from_secs(10);
/// A reading is good for a little less, or longer when the history answers slowly.
const FRESH: Duration = Duration::from_millis(9_500);
/// People count who interacted within this.
const LATELY_MS: i64 = 10 * 60_000;

/// One reading.
#[derive(Debug, Serialize)]
pub struct Today {
    /// When it was made, unix ms.
    pub at: i64,
    /// When the day began in China, unix ms.
    pub day_from_ms: i64,
    /// The share of the day in which the rooms were received; none where nobody knows.
    pub coverage: Option<f64>,
    /// People who interacted in the last ten minutes, each room's added up.
    pub people: i64,
    /// Accounts that are logged in and not left alone.
    pub accounts_ok: usize,
    /// All accounts.
    pub accounts_all: usize,
    /// The monitored rooms.
    pub rooms: BTreeMap<RoomId, OfRoom>,
}

/// What is said of one room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct OfRoom {
    /// What had been paid before the day began.
    pub before_day: Spent,
    /// People who interacted in the last ten minutes.
    pub people: i64,
    /// The broadcast that runs; none off air, and where its begin is not known.
    pub broadcast: Option<Broadcast>,
}

/// A broadcast that runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Broadcast {
    /// When it began, unix ms.
    pub from_ms: i64,
    /// What had been paid before the minute in which it began.
    pub before_broadcast: Spent,
    /// The share of it in which the room was received; none where nobody knows.
    pub coverage: Option<f64>,
}

/// The last reading, for as long as it is good.
pub struct Memo(Kept<(), Today>);

impl Default for Memo {
    fn default() -> Memo {
        Memo(Kept::new(FRESH))
    }
}

impl Memo {
    /// A reading that is good still, or a new one. Fails when the history does not answer.
    pub async fn read(&self, site: &Site) -> Result<Arc<Today>, Refusal> {
        let asked = async {
            let rooms = site.web.wall.summaries();
            let accounts = site.web.accounts.standing().accounts;
            let today =
                site.ask("reading what happened today", move |database| read(database, &rooms, unix_ms())).await?;
            let accounts_ok = accounts.iter().filter(|account| account.state == AccountState::Ok).count();
            Ok(Today { accounts_ok, accounts_all: accounts.len(), ..today })
        };
        self.0.get((), asked).await
    }
}

/// Everything but the accounts.
fn read(database: &Database, rooms: &[RoomSummary], now_ms: i64) -> Result<Today, QueryError> {
    let day_from_ms = Step::Day.start_of(now_ms);
    let from_ms = |room: &RoomSummary| broadcast_from(room).map_or(day_from_ms, |from_ms| from_ms.min(day_from_ms));
    let wanted = rooms.iter().map(|room| (room.info.room_id, from_ms(room))).collect();
    let received = Received::of_all(database, &wanted, now_ms, now_ms)?;
    let coverage = together(received.values(), day_from_ms..now_ms);
    let each = |room: &RoomSummary| {
        let of_room = of_room(database, room, received.get(&room.info.room_id), day_from_ms, now_ms)?;
        Ok((room.info.room_id, of_room))
    };
    let rooms = rooms.iter().map(each).collect::<Result<BTreeMap<_, _>, QueryError>>()?;
    let people = rooms.values().map(|room| room.people).sum();
    Ok(Today { at: now_ms, day_from_ms, coverage, people, accounts_ok: 0, accounts_all: 0, rooms })
}

/// When the broadcast that runs began, unix ms.
fn broadcast_from(room: &RoomSummary) -> Option<i64> {
    room.info.live_since_ms.filter(|_| room.info.status == LiveStatus::Live)
}

fn of_room(
    database: &Database,
    room: &RoomSummary,
    received: Option<&Received>,
    day_from_ms: i64,
    now_ms: i64,
) -> Result<OfRoom, QueryError> {
    let id = room.info.room_id;
    let broadcast = match broadcast_from(room) {
        None => None,
        Some(from_ms) => Some(Broadcast {
            from_ms,
            before_broadcast: database.spent_before(id, from_ms)?,
            // A broadcast that ran before the room was watched is not known for that time.
            coverage: received.and_then(|received| received.share(from_ms, now_ms)),
        }),
    };
    Ok(OfRoom {
        before_day: database.spent_before(id, day_from_ms)?,
        people: database.people_between(id, now_ms - LATELY_MS, now_ms + 1)?,
        broadcast,
    })
}

/// What was paid since: the totals of now less what was paid before.
pub fn since(room: &RoomSummary, before: &Spent) -> Spent {
    let less = |now: Gold, before: Gold| now + before.times(-1);
    Spent {
        gift_gold: less(room.income.gift_gold, before.gift_gold),
        super_chat_gold: less(room.income.super_chat_gold, before.super_chat_gold),
        guard_gold: less(room.income.guard_gold, before.guard_gold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::gaps::GapNews, web::tests::web};

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn a_day_and_a_broadcast_begin_where_they_begin_and_what_was_paid_before_is_none_of_theirs() {
        // The room's gift of 0.20 and super chat of 30 were less than a minute ago.
        let (web, _, _folder) = web();
        let mut room = web.wall.summaries().remove(0);
        let id = room.info.room_id;
        let paid_ms = room.last_event_ms;
        let spent = |today: &Today, room: &RoomSummary| since(room, &today.rooms[&id].before_day).total();
        room.info.live_since_ms = Some(paid_ms - HOUR_MS);
        web.database
            .note_gaps(&[
                GapNews { room: id, at_ms: paid_ms - 2 * HOUR_MS, ceased: Some("connecting".into()) },
                GapNews { room: id, at_ms: paid_ms - HOUR_MS / 2, ceased: None },
            ])
            .expect("noted");

        let now = read(&web.database, std::slice::from_ref(&room), paid_ms).expect("read");
        let broadcast = now.rooms[&id].broadcast.expect("on air");
        assert_eq!(since(&room, &broadcast.before_broadcast).total(), Gold(30_200));
        assert_eq!(broadcast.coverage, Some(0.5));
        assert_eq!((now.people, now.rooms[&id].people), (1, 1), "who chats, gives and pays is one");

        let tomorrow = Step::Day.start_of(paid_ms) + Step::Day.ms();
        let next = read(&web.database, std::slice::from_ref(&room), tomorrow + HOUR_MS).expect("read");
        assert_eq!((next.day_from_ms, spent(&next, &room), next.people), (tomorrow, Gold::ZERO, 0));
        assert_eq!(next.coverage, Some(1.0));

        room.info.status = LiveStatus::Off;
        let off = read(&web.database, std::slice::from_ref(&room), paid_ms).expect("read");
        assert_eq!(off.rooms[&id].broadcast, None);
    }
}
