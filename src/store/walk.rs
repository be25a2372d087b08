//! The history from its beginning to its end, one event after another.
//!
//! For copies: however long the stretch, only a piece of each kind is in memory, and no reader is held
//! between two pieces, so a slow taker keeps nobody from the database. Kinds come merged, by time.

use std::{collections::VecDeque, ops::ControlFlow};

use diesel::prelude::*;

use super::{
    purchase_rows::{GiftRow, GuardRow, SuperChatRow},
    rows::{DanmakuRow, RoomEventRow, to_time},
    schema::{live_data_danmakudata, live_data_giftdata, live_data_guard, live_data_roomevent, live_data_superchat},
    sqlite::{Database, QueryError, failed},
};
use crate::domain::{Event, EventId, Kind, RoomId};

/// Events of one kind read at a time.
const PIECE: i64 = if cfg!(test) { 3 } else { 1000 };

/// What the walk passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// This room; all for none.
    pub room: Option<RoomId>,
    /// These kinds; of those about the room itself any stands for all.
    pub kinds: Vec<Kind>,
    /// From this moment, unix ms ...
    pub from_ms: i64,
    /// ... to before this one.
    pub to_ms: i64,
}

/// Reads the piece of a table that comes after an event.
type Read = fn(&Database, &Walk, Option<EventId>) -> Result<Vec<Event>, QueryError>;

/// A table of events, and where the walk stands in it.
struct Lane {
    read: Read,
    ahead: VecDeque<Event>,
    last: Option<EventId>,
    ended: bool,
}

impl Lane {
    /// The time-ordered id of its next event.
    fn next(&mut self, database: &Database, walk: &Walk) -> Result<Option<EventId>, QueryError> {
        if self.ahead.is_empty() && !self.ended {
            let piece = (self.read)(database, walk, self.last)?;
            self.ended = (piece.len() as i64) < PIECE;
            self.last = piece.last().map(|event| event.id).or(self.last);
            self.ahead = piece.into();
        }
        Ok(self.ahead.front().map(|event| event.id))
    }
}

/// The next piece of `$table` after `$last`, oldest first.
macro_rules! piece_of {
    ($what:literal, $table:ident, $row:ty) => {
        |database: &Database, walk: &Walk, last: Option<EventId>| {
            use $table::dsl;
            let mut query = dsl::$table
                .select(<$row>::as_select())
                .filter(dsl::timestamp.ge(to_time(last.map_or(walk.from_ms, |id| id.timestamp_ms().max(walk.from_ms)))))
                .filter(dsl::timestamp.lt(to_time(walk.to_ms)))
                .limit(PIECE)
                .into_boxed();
            // A room is read along its index, all rooms together along the time-ordered ids.
            query = match walk.room {
                Some(room) => query.filter(dsl::room_id.eq(room.0 as i64)).order((dsl::timestamp, dsl::event_id)),
                None => query.filter(dsl::event_id.ge(first_id_at(walk.from_ms))).order(dsl::event_id),
            };
            if let Some(last) = last {
                query = query.filter(dsl::event_id.gt(last.to_string()));
            }
            let rows: Vec<$row> = query.load(&mut database.reader()?).map_err(failed($what))?;
            Ok(rows.into_iter().map(Event::from).collect())
        }
    };
}

/// Text that sorts before every id of that ms: the ten letters of its time.
fn first_id_at(ms: i64) -> String {
    EventId::of(ms, &[]).to_string().chars().take(10).collect()
}

impl Database {
    /// Hands every event of the stretch to `each`, oldest first, until there is none or `each` has enough.
    pub fn walk<E: From<QueryError>>(
        &self,
        walk: &Walk,
        mut each: impl FnMut(Event) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let lane = |read| Lane { read, ahead: VecDeque::new(), last: None, ended: false };
        let mut lanes = Vec::new();
        for kind in &walk.kinds {
            match kind {
                Kind::Danmaku => lanes.push(lane(piece_of!("read danmaku", live_data_danmakudata, DanmakuRow))),
                Kind::Gift => lanes.push(lane(piece_of!("read gifts", live_data_giftdata, GiftRow))),
                Kind::SuperChat => lanes.push(lane(piece_of!("read super chats", live_data_superchat, SuperChatRow))),
                Kind::Guard => lanes.push(lane(piece_of!("read guards", live_data_guard, GuardRow))),
                _ => {}
            }
        }
        let about_rooms = [Kind::Live, Kind::Preparing, Kind::CutOff, Kind::Warning, Kind::RoomLock, Kind::RoomChange];
        if walk.kinds.iter().any(|kind| about_rooms.contains(kind)) {
            lanes.push(lane(piece_of!("read room events", live_data_roomevent, RoomEventRow)));
        }
        loop {
            let mut first: Option<(EventId, usize)> = None;
            for (number, lane) in lanes.iter_mut().enumerate() {
                if let Some(id) = lane.next(self, walk)?
                    && first.is_none_or(|(earliest, _)| id < earliest)
                {
                    first = Some((id, number));
                }
            }
            let Some((_, number)) = first else { return Ok(()) };
            let Some(event) = lanes[number].ahead.pop_front() else { return Ok(()) };
            if each(event)?.is_break() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Body, Danmaku, Source, SuperChat, User},
        store::{Batch, Position, StoreKind},
    };

    fn event(room: u64, ms: i64, n: usize) -> Event {
        let body = match n % 3 {
            0 => Body::SuperChat(SuperChat {
                super_chat_id: n as i64,
                message: String::new(),
                paid: crate::domain::Gold(1),
                start_time: 0,
                end_time: 1,
            }),
            _ => Body::Danmaku(Danmaku { message: n.to_string(), ..Danmaku::default() }),
        };
        Event {
            id: EventId::of(ms, &[&n.to_string()]),
            room_id: RoomId(room),
            timestamp_ms: ms,
            received_ms: ms,
            source: Source::Live,
            user: User::default(),
            origin: None,
            body,
        }
    }

    #[test]
    fn every_event_of_a_stretch_is_passed_once_and_in_order_however_they_fall_into_pieces() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(&folder.path().join("live.db")).expect("a database");
        // Many in the same millisecond, so that pieces end in the middle of one.
        let all: Vec<Event> = (0..40).map(|n| event(1 + n as u64 % 2, 1_000_000 + n as i64 / 10, n)).collect();
        let batch = Batch { position: Position("1".into()), events: all.clone() };
        database.record(StoreKind::Embedded, &[batch]).expect("recorded");
        let passed = |room: Option<u64>, kinds: &[Kind], from_ms, to_ms, most: usize| {
            let walk = Walk { room: room.map(RoomId), kinds: kinds.to_vec(), from_ms, to_ms };
            let mut ids = Vec::new();
            let each = |event: Event| {
                ids.push(event.id);
                let enough = ids.len() == most;
                Ok::<_, QueryError>(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            };
            database.walk(&walk, each).expect("walked");
            ids
        };
        let expected = |wanted: &dyn Fn(&Event) -> bool| {
            let mut ids: Vec<EventId> = all.iter().filter(|event| wanted(event)).map(|event| event.id).collect();
            ids.sort_unstable();
            ids
        };
        let both = [Kind::Danmaku, Kind::SuperChat];
        assert_eq!(passed(None, &both, 0, i64::MAX / 2, 0), expected(&|_| true));
        assert_eq!(passed(Some(2), &both, 0, i64::MAX / 2, 0), expected(&|event| event.room_id.0 == 2));
        assert_eq!(passed(None, &[Kind::Danmaku], 0, i64::MAX / 2, 0), expected(&|e| e.kind() == Kind::Danmaku));
        let middle = |event: &Event| (1_000_001..1_000_003).contains(&event.timestamp_ms);
        assert_eq!(passed(None, &both, 1_000_001, 1_000_003, 0), expected(&middle));
        assert_eq!(passed(None, &both, 0, i64::MAX / 2, 5).len(), 5);
        assert_eq!(passed(None, &[], 0, i64::MAX / 2, 0), []);
    }
}
