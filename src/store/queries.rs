//! The history as pages and the API ask for it: events by the page, newest first.
//!
//! Paging is by place and never by number of rows, so what arrives meanwhile moves nothing. A place is
//! an event, or a moment. Rooms are read along their `(room_id, timestamp)` index, users along theirs, and
//! all rooms together along the ids, which are time-ordered. Chat is searched by its index
//! ([`super::search`]); what has none is read through, so many rows at a time: a page may end before the history
//! does, and says where.

use chrono::NaiveDateTime;
use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Bool, Text},
};

use super::{
    purchase_rows::{GiftRow, GuardRow, SuperChatRow},
    rows::{DanmakuRow, RoomEventRow, to_ms, to_time},
    schema::{live_data_danmakudata, live_data_giftdata, live_data_guard, live_data_roomevent, live_data_superchat},
    search,
    sqlite::{Database, QueryError, failed},
};
use crate::domain::{Event, EventId, RoomId, Uid};

/// The longest page.
pub const PAGE_MAX: usize = 1000;

/// Rows that are read through for one page when nothing but reading finds the text: some 50 ms.
const READ_THROUGH_MAX: i64 = 30_000;

/// A place in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// An event that the reader has: excluded, whichever way one reads.
    Event(EventId),
    /// A moment, unix ms: `before` excludes it, `since` includes it.
    Ms(i64),
}

/// Which stretch of the history.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// At most so many, and at most [`PAGE_MAX`].
    pub limit: usize,
    /// Only what is older.
    pub before: Option<Cursor>,
    /// Only what is newer.
    pub since: Option<Cursor>,
}

/// Which events of it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this room; of all rooms for none.
    pub room: Option<RoomId>,
    /// With this text in the message, the gift's name or the user's name.
    pub q: Option<String>,
    /// By this user.
    pub uid: Option<Uid>,
}

/// A page of events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// Newest first.
    pub events: Vec<Event>,
    /// There are, or there may be, older ones within what was asked for: ask again with `before` the
    /// [`Events::cursor`].
    pub has_more: bool,
    /// The search stopped before the history ended: it has looked at everything down to here.
    pub searched_to: Option<EventId>,
}

impl Events {
    /// The page of `events` (newest first, perhaps more than `limit`) that a search to `searched_to` found.
    pub(super) fn cut(mut events: Vec<Event>, limit: usize, searched_to: Option<EventId>) -> Events {
        let is_full = events.len() > limit;
        events.truncate(limit);
        Events { events, has_more: is_full || searched_to.is_some(), searched_to: searched_to.filter(|_| !is_full) }
    }

    /// One page of several, each of the same stretch.
    pub fn merged(pages: impl IntoIterator<Item = Events>, limit: usize) -> Events {
        let (mut events, mut searched_to, mut has_more) = (Vec::new(), None, false);
        for page in pages {
            // Below the last row of a full page there may be more of it, as below the end of a search.
            let looked_to = if page.has_more { page.cursor() } else { None };
            has_more |= page.has_more;
            searched_to = searched_to.max(looked_to);
            events.extend(page.events);
        }
        events.retain(|event| searched_to.is_none_or(|stop| event.id >= stop));
        events.sort_by_key(|event| std::cmp::Reverse(event.id));
        let merged = Events::cut(events, limit, searched_to);
        Events { has_more: has_more || merged.has_more, ..merged }
    }

    /// Where the next page begins, as its `before`.
    pub fn cursor(&self) -> Option<EventId> {
        self.searched_to.or(self.events.last().map(|event| event.id))
    }
}

impl Page {
    /// The newest time and id of the page: times up to it, ids below it.
    fn below(&self) -> Option<(NaiveDateTime, String)> {
        Some(match self.before? {
            Cursor::Event(id) => (to_time(id.timestamp_ms()), id.to_string()),
            Cursor::Ms(ms) => (to_time(ms), first_id_at(ms)),
        })
    }

    /// The oldest time and id: times from it, ids above it.
    fn above(&self) -> Option<(NaiveDateTime, String)> {
        Some(match self.since? {
            Cursor::Event(id) => (to_time(id.timestamp_ms()), id.to_string()),
            // Shorter than any id of that ms, so below all of them.
            Cursor::Ms(ms) => (to_time(ms), first_id_at(ms)),
        })
    }
}

/// `text` as a LIKE pattern that finds it anywhere and takes nothing in it for a wildcard.
pub(super) fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// Text that sorts before every id of that ms and after every earlier one: the ten letters of its time.
pub(super) fn first_id_at(ms: i64) -> String {
    EventId::of(ms, &[]).to_string().chars().take(10).collect()
}

/// Loads a page of `$table` as `$row`s; `$searched` are the columns that `q` looks into.
macro_rules! page_of {
    ($database:expr, $what:literal, $table:ident, $row:ty, [$($searched:ident),*], $filter:expr, $page:expr) => {{
        use $table::dsl;
        let (filter, page): (&Filter, &Page) = ($filter, $page);
        let limit = page.limit.min(PAGE_MAX);
        let (below, above) = (page.below(), page.above());
        // A masked user is many people, and found everywhere.
        let user = filter.uid.filter(|uid| uid.0 != 0);
        let mut reader = $database.reader()?;

        // How far the text is looked for: so many rows along the order in which they are read.
        let mut searched_to: Option<EventId> = None;
        let mut read_from: Option<(NaiveDateTime, String)> = None;
        if filter.q.is_some() && user.is_none() {
            if let Some(room) = filter.room {
                let mut times = dsl::$table.filter(dsl::room_id.eq(room.0 as i64)).select(dsl::timestamp).into_boxed();
                if let Some((time, _)) = &below {
                    times = times.filter(dsl::timestamp.le(*time));
                }
                let stop: Option<NaiveDateTime> = times
                    .order(dsl::timestamp.desc())
                    .offset(READ_THROUGH_MAX)
                    .first(&mut reader)
                    .optional()
                    .map_err(failed($what))?;
                read_from = stop.map(|time| (time, first_id_at(to_ms(time))));
                searched_to = stop.map(|time| EventId::first_at(to_ms(time)));
            } else {
                let mut ids = dsl::$table.select(dsl::event_id).into_boxed();
                if let Some((_, id)) = &below {
                    ids = ids.filter(dsl::event_id.lt(id));
                }
                let stop: Option<String> = ids
                    .order(dsl::event_id.desc())
                    .offset(READ_THROUGH_MAX)
                    .first(&mut reader)
                    .optional()
                    .map_err(failed($what))?;
                searched_to = stop.as_ref().and_then(|id| id.parse().ok());
                read_from = searched_to.map(|id| (to_time(id.timestamp_ms()), first_id_at(id.timestamp_ms())));
            }
        }
        // Nothing is left out by stopping where the page ends anyway.
        if read_from <= above {
            (read_from, searched_to) = (None, None);
        }

        let mut query = dsl::$table.select(<$row>::as_select()).limit(limit as i64 + 1).into_boxed();
        // A plus keeps SQLite from using an index: along a room's order it would look for one user for long.
        query = match (user, filter.room) {
            (Some(user), room) => {
                if let Some(room) = room {
                    query = query.filter(sql::<Bool>("+room_id = ").bind::<BigInt, _>(room.0 as i64));
                }
                query.filter(dsl::uid.eq(user.0 as i64)).order(sql::<Text>("+event_id DESC"))
            }
            (None, Some(room)) => {
                query.filter(dsl::room_id.eq(room.0 as i64)).order((dsl::timestamp.desc(), dsl::event_id.desc()))
            }
            (None, None) => query.order(dsl::event_id.desc()),
        };
        if user.is_none() && let Some(uid) = filter.uid {
            query = query.filter(dsl::uid.eq(uid.0 as i64));
        }
        if let Some(q) = &filter.q {
            let pattern = containing(q);
            query = query.filter(
                dsl::username.like(pattern.clone()).escape('\\')
                    $(.or(dsl::$searched.like(pattern.clone()).escape('\\')))*
            );
        }
        // An id holds its event's time, so in a room the time narrows the search by index and the id
        // decides among the events of that millisecond.
        if let Some((time, id)) = below {
            query = query.filter(dsl::event_id.lt(id));
            if filter.room.is_some() && user.is_none() {
                query = query.filter(dsl::timestamp.le(time));
            }
        }
        for (time, id) in above.into_iter().chain(read_from) {
            query = query.filter(dsl::event_id.gt(id));
            if filter.room.is_some() && user.is_none() {
                query = query.filter(dsl::timestamp.ge(time));
            }
        }
        let rows: Vec<$row> = query.load(&mut reader).map_err(failed($what))?;
        Ok(Events::cut(rows.into_iter().map(Event::from).collect(), limit, searched_to))
    }};
}

impl Database {
    /// Chat lines.
    pub fn danmaku(&self, filter: &Filter, page: &Page) -> Result<Events, QueryError> {
        // One user's lines are fewer than those with a common word.
        if filter.uid.is_none_or(|uid| uid.0 == 0)
            && let Some(q) = &filter.q
            && let Some(question) = search::question(q, filter.room)
        {
            let page = Page { limit: page.limit.min(PAGE_MAX), ..*page };
            return search::search(&mut *self.reader()?, &question, q, filter, &page).map_err(failed("search chat"));
        }
        page_of!(self, "read danmaku", live_data_danmakudata, DanmakuRow, [message], filter, page)
    }

    /// Gifts.
    pub fn gifts(&self, filter: &Filter, page: &Page) -> Result<Events, QueryError> {
        page_of!(self, "read gifts", live_data_giftdata, GiftRow, [gift_name], filter, page)
    }

    /// Super chats, those taken down included.
    pub fn super_chats(&self, filter: &Filter, page: &Page) -> Result<Events, QueryError> {
        page_of!(self, "read super chats", live_data_superchat, SuperChatRow, [message], filter, page)
    }

    /// Guards.
    pub fn guards(&self, filter: &Filter, page: &Page) -> Result<Events, QueryError> {
        page_of!(self, "read guards", live_data_guard, GuardRow, [], filter, page)
    }

    /// What happened to rooms: broadcasts, moderation, titles, super chats taken down.
    pub fn room_events(&self, filter: &Filter, page: &Page) -> Result<Events, QueryError> {
        page_of!(self, "read room events", live_data_roomevent, RoomEventRow, [text, title], filter, page)
    }
}

#[cfg(test)]
#[path = "queries_tests.rs"]
mod tests;
