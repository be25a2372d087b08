//! Finds words in chat, among tens of millions of lines, two-character ones too.
//!
//! Every line is a document of the index `blm_search`: the pairs of neighbouring characters of its message
//! and of its user's name, and a token for its room. A question is the pairs of the words asked for, all of
//! which must occur; whether the words really stand there is then read from the line itself, so the index
//! may promise too much and never decides. The index is filled afterwards, in order of the row's number
//! ([`Database::index_more`]); what it has not reached yet is read through, so a new line is found at once.
//!
//! A document's number is the first 63 bits of the event's id: documents are in order of time, and the row is
//! found again by its id. Lines that share those bits (the same ms and 15 bits of hash) share a document.
//! Rows whose id is no ULID, which only another program can have written, are not in the index.
//!
//! Invariants: deleting a line goes through [`forget`] in the same transaction, and index and line are read
//! in one transaction: nothing that is gone is found, nothing that is there is missed.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Bool, Text},
    sqlite::SqliteConnection,
};
use ulid::Ulid;

use super::{
    queries::{Cursor, Events, Filter, Page, containing},
    rows::DanmakuRow,
    schema::{blm_indexed as indexed, live_data_danmakudata as danmaku},
    sqlite::{Database, QueryError, failed},
};
use crate::domain::{Body, Event, EventId, RoomId};

diesel::table! {
    /// The index; virtual, so not in the schema file.
    blm_search (rowid) {
        rowid -> BigInt,
        text -> Text,
    }
}

/// The row of `blm_indexed` that is about chat.
const DANMAKU: &str = "danmaku";

/// Documents of one question that are read through for one page. Whoever wants more asks again, with
/// the place where this page stopped.
const CHECKED_MAX: usize = 2000;

/// Hits that are counted; above it, counting would cost more than finding.
const COUNTED_MAX: usize = 1000;

/// Documents that one question looks for.
const DOCUMENTS_A_QUESTION: usize = 500;

/// How far the index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// Lines taken in by this call.
    pub taken: usize,
    /// There are more.
    pub has_more: bool,
}

/// A character as tokens know it: letters without case, and marks of ASCII moved to where the tokenizer
/// takes them for letters.
fn folded(letter: char) -> char {
    match letter {
        'A'..='Z' => letter.to_ascii_lowercase(),
        _ if letter.is_ascii() && !letter.is_ascii_alphanumeric() => {
            char::from_u32(0xE000 + u32::from(letter)).unwrap_or(letter)
        }
        _ => letter,
    }
}

/// The pairs of neighbouring characters in `text`.
fn pairs(text: &str) -> impl Iterator<Item = [char; 2]> {
    text.chars().map(folded).zip(text.chars().map(folded).skip(1)).map(|(one, two)| [one, two])
}

/// Longer than any pair.
fn room_token(room: RoomId) -> String {
    format!("room{room}")
}

/// What the index is asked for `q`; none when `q` has no pair.
pub(super) fn question(q: &str, room: Option<RoomId>) -> Option<String> {
    let tokens = Tokens { pairs: pairs(q).collect(), rooms: room.into_iter().collect() };
    // No quote can be in a token: it is one of the marks that were moved.
    (!tokens.pairs.is_empty()).then(|| format!("\"{}\"", tokens.joined("\" AND \"")))
}

/// The document of an event, by its id as text.
fn key_of(event_id: &str) -> Option<i64> {
    i64::try_from(Ulid::from_string(event_id).ok()?.0 >> 65).ok()
}

/// The first and the last id of a document, as text.
fn ids_of(key: i64) -> (String, String) {
    let first = (key.unsigned_abs() as u128) << 65;
    (Ulid(first).to_string(), Ulid(first | ((1 << 65) - 1)).to_string())
}

/// The first document of a ms.
fn key_at(ms: i64) -> i64 {
    ms.clamp(0, (1 << 48) - 1) << 15
}

/// What of a line goes into the index.
type Line = (String, i64, String, String);

/// What a document is found by.
#[derive(Default)]
struct Tokens {
    pairs: BTreeSet<[char; 2]>,
    rooms: BTreeSet<RoomId>,
}

impl Tokens {
    fn joined(&self, between: &str) -> String {
        let mut text = String::new();
        for pair in &self.pairs {
            text.extend(pair);
            text.push_str(between);
        }
        for room in &self.rooms {
            text.push_str(&room_token(*room));
            text.push_str(between);
        }
        text.truncate(text.len().saturating_sub(between.len()));
        text
    }
}

#[derive(Default)]
struct Documents(BTreeMap<i64, Tokens>);

impl Documents {
    fn add(&mut self, (event_id, room_id, message, username): &Line) {
        let Some(key) = key_of(event_id) else { return };
        let Tokens { pairs: known, rooms } = self.0.entry(key).or_default();
        known.extend(pairs(message).chain(pairs(username)));
        rooms.insert(RoomId(*room_id as u64));
    }

    /// Adds every stored line of that document.
    fn add_all_of(&mut self, connection: &mut SqliteConnection, key: i64) -> QueryResult<()> {
        let (first, last) = ids_of(key);
        let lines: Vec<Line> = danmaku::table
            .filter(danmaku::event_id.ge(first))
            .filter(danmaku::event_id.le(last))
            .select((danmaku::event_id, danmaku::room_id, danmaku::message, danmaku::username))
            .load(connection)?;
        lines.iter().for_each(|line| self.add(line));
        Ok(())
    }

    /// In the order of their numbers, which the index takes best, and one to a statement: before one with more, the
    /// index writes down what it has gathered so far.
    fn write(self, connection: &mut SqliteConnection) -> QueryResult<()> {
        for (key, tokens) in self.0 {
            diesel::insert_into(blm_search::table)
                .values((blm_search::rowid.eq(key), blm_search::text.eq(tokens.joined(" "))))
                .execute(connection)?;
        }
        Ok(())
    }
}

fn indexed_through(connection: &mut SqliteConnection) -> QueryResult<i64> {
    let through = indexed::table.find(DANMAKU).select(indexed::through_id).first(connection).optional()?;
    Ok(through.unwrap_or(0))
}

impl Database {
    /// Takes the next lines into the index, at most `lines` of them, in one transaction.
    pub fn index_more(&self, lines: usize) -> Result<Indexed, QueryError> {
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                let through = indexed_through(writer)?;
                let rows: Vec<(i64, Line)> = danmaku::table
                    .filter(danmaku::id.gt(through))
                    .order(danmaku::id)
                    .limit(i64::try_from(lines).unwrap_or(i64::MAX))
                    .select((danmaku::id, (danmaku::event_id, danmaku::room_id, danmaku::message, danmaku::username)))
                    .load(writer)?;
                let Some((last, _)) = rows.last() else { return Ok(Indexed::default()) };
                let mut documents = Documents::default();
                rows.iter().for_each(|(_, line)| documents.add(line));
                // Hardly ever: a line that shares a document with an earlier one.
                let newest: Option<i64> = blm_search::table
                    .select(blm_search::rowid)
                    .order(blm_search::rowid.desc())
                    .first(writer)
                    .optional()?;
                let keys: Vec<i64> =
                    newest.map_or_else(Vec::new, |newest| documents.0.range(..=newest).map(|(key, _)| *key).collect());
                let mut known: Vec<i64> = Vec::new();
                for keys in keys.chunks(DOCUMENTS_A_QUESTION) {
                    known.extend(
                        blm_search::table
                            .filter(blm_search::rowid.eq_any(keys))
                            .select(blm_search::rowid)
                            .load::<i64>(writer)?,
                    );
                }
                for key in known {
                    documents.add_all_of(writer, key)?;
                    diesel::delete(blm_search::table.filter(blm_search::rowid.eq(key))).execute(writer)?;
                }
                documents.write(writer)?;
                diesel::replace_into(indexed::table)
                    .values((indexed::what.eq(DANMAKU), indexed::through_id.eq(last)))
                    .execute(writer)?;
                Ok(Indexed { taken: rows.len(), has_more: rows.len() == lines })
            })
            .map_err(failed("index chat"))
    }

    /// How many lines the index has not reached yet, as far as numbers of rows tell.
    pub fn unindexed(&self) -> Result<i64, QueryError> {
        let mut reader = self.reader()?;
        let newest: QueryResult<Option<i64>> =
            danmaku::table.select(danmaku::id).order(danmaku::id.desc()).first(&mut reader).optional();
        let left = newest.and_then(|newest| Ok(newest.unwrap_or(0) - indexed_through(&mut reader)?));
        left.map(|left| left.max(0)).map_err(failed("see how far the index of chat is"))
    }

    /// How many lines hold what `filter` looks for; none when they are too many to count in passing, or
    /// when there is no index for the question.
    pub fn danmaku_hits(&self, filter: &Filter) -> Result<Option<u64>, QueryError> {
        let Some((q, question)) = filter.q.as_ref().and_then(|q| Some((q, question(q, filter.room)?))) else {
            return Ok(None);
        };
        let mut reader = self.reader()?;
        reader
            .transaction(|reader| {
                let keys = documents(reader, &question, i64::MAX, 0, COUNTED_MAX + 1)?;
                if keys.len() > COUNTED_MAX {
                    return Ok(None);
                }
                let mut ids: BTreeSet<EventId> = BTreeSet::new();
                for key in keys {
                    let lines = lines_of(reader, key)?;
                    ids.extend(lines.iter().filter(|line| is_hit(line, q, filter)).map(|line| line.id));
                }
                let page = Page { limit: COUNTED_MAX, before: None, since: None };
                let tail = unindexed_hits(reader, q, filter, &page)?;
                ids.extend(tail.iter().map(|line| line.id));
                Ok(Some(ids.len() as u64).filter(|_| tail.len() <= COUNTED_MAX))
            })
            .map_err(failed("count what was found in chat"))
    }
}

/// A page of the lines that hold `q`; `question` is [`question`] of it.
pub(super) fn search(
    connection: &mut SqliteConnection,
    question: &str,
    q: &str,
    filter: &Filter,
    page: &Page,
) -> QueryResult<Events> {
    connection.transaction(|connection| {
        let (below, from) = (upper_key(page.before), lower_key(page.since));
        let mut hits = unindexed_hits(connection, q, filter, page)?;
        let (mut below, mut found, mut checked, mut wanted) = (below, 0, 0, (page.limit + 1) * 2);
        let mut stopped_at = None;
        while found <= page.limit {
            let keys = documents(connection, question, below, from, wanted)?;
            for key in &keys {
                for line in lines_of(connection, *key)? {
                    if is_hit(&line, q, filter) && is_on(&line, page) {
                        found += 1;
                        hits.push(line);
                    }
                }
            }
            checked += keys.len();
            match keys.last() {
                Some(last) if keys.len() == wanted => below = *last,
                _ => break,
            }
            if checked >= CHECKED_MAX && found <= page.limit {
                stopped_at = ids_of(below).0.parse().ok();
                break;
            }
            wanted = (wanted * 4).min(CHECKED_MAX - checked.min(CHECKED_MAX - 1));
        }
        hits.sort_by_key(|event| std::cmp::Reverse(event.id));
        hits.dedup_by_key(|event| event.id);
        if let Some(stop) = stopped_at {
            hits.retain(|event| event.id >= stop);
        }
        Ok(Events::cut(hits, page.limit, stopped_at))
    })
}

/// Takes deleted lines out of the index; their rows are gone already.
pub(super) fn forget(connection: &mut SqliteConnection, event_ids: &[String]) -> QueryResult<()> {
    let keys: BTreeSet<i64> = event_ids.iter().filter_map(|id| key_of(id)).collect();
    let mut left = Documents::default();
    for key in keys {
        diesel::delete(blm_search::table.filter(blm_search::rowid.eq(key))).execute(connection)?;
        left.add_all_of(connection, key)?;
    }
    left.write(connection)
}

/// The documents that answer `question` in `from..below`, newest first.
fn documents(
    connection: &mut SqliteConnection,
    question: &str,
    below: i64,
    from: i64,
    limit: usize,
) -> QueryResult<Vec<i64>> {
    blm_search::table
        .filter(sql::<Bool>("blm_search MATCH ").bind::<Text, _>(question))
        .filter(blm_search::rowid.lt(below))
        .filter(blm_search::rowid.ge(from))
        .order(blm_search::rowid.desc())
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select(blm_search::rowid)
        .load(connection)
}

fn lines_of(connection: &mut SqliteConnection, key: i64) -> QueryResult<Vec<Event>> {
    let (first, last) = ids_of(key);
    let rows: Vec<DanmakuRow> = danmaku::table
        .filter(danmaku::event_id.ge(first))
        .filter(danmaku::event_id.le(last))
        .select(DanmakuRow::as_select())
        .load(connection)?;
    Ok(rows.into_iter().map(Event::from).collect())
}

/// What the index has not reached, read through: the newest of a page, and one more.
fn unindexed_hits(connection: &mut SqliteConnection, q: &str, filter: &Filter, page: &Page) -> QueryResult<Vec<Event>> {
    let pattern = containing(q);
    let mut query = danmaku::table
        .filter(danmaku::id.gt(indexed_through(connection)?))
        .filter(danmaku::message.like(pattern.clone()).escape('\\').or(danmaku::username.like(pattern).escape('\\')))
        // The plus keeps SQLite from walking all of the history along an index that is in this order.
        .order(sql::<Text>("+event_id DESC"))
        .limit(i64::try_from(page.limit).unwrap_or(i64::MAX).saturating_add(1))
        .select(DanmakuRow::as_select())
        .into_boxed();
    if let Some(room) = filter.room {
        query = query.filter(sql::<Bool>("+room_id = ").bind::<BigInt, _>(room.0 as i64));
    }
    if let Some(uid) = filter.uid {
        query = query.filter(sql::<Bool>("+uid = ").bind::<BigInt, _>(uid.0 as i64));
    }
    match page.before {
        Some(Cursor::Event(id)) => query = query.filter(danmaku::event_id.lt(id.to_string())),
        Some(Cursor::Ms(ms)) => query = query.filter(danmaku::event_id.lt(ids_of(key_at(ms)).0)),
        None => {}
    }
    match page.since {
        Some(Cursor::Event(id)) => query = query.filter(danmaku::event_id.gt(id.to_string())),
        Some(Cursor::Ms(ms)) => query = query.filter(danmaku::event_id.ge(ids_of(key_at(ms)).0)),
        None => {}
    }
    let rows: Vec<DanmakuRow> = query.load(connection)?;
    Ok(rows.into_iter().map(Event::from).collect())
}

/// The first document beyond those that may hold something older than `before`.
fn upper_key(before: Option<Cursor>) -> i64 {
    match before {
        Some(Cursor::Event(id)) => key_of(&id.to_string()).unwrap_or(i64::MAX).saturating_add(1),
        Some(Cursor::Ms(ms)) => key_at(ms),
        None => i64::MAX,
    }
}

/// The first document that may hold something newer than `since`.
fn lower_key(since: Option<Cursor>) -> i64 {
    match since {
        Some(Cursor::Event(id)) => key_of(&id.to_string()).unwrap_or(0),
        Some(Cursor::Ms(ms)) => key_at(ms),
        None => 0,
    }
}

/// As LIKE compares: without regard to the case of ASCII letters.
fn is_hit(line: &Event, q: &str, filter: &Filter) -> bool {
    let Body::Danmaku(body) = &line.body else { return false };
    let q = q.to_ascii_lowercase();
    filter.room.is_none_or(|room| line.room_id == room)
        && filter.uid.is_none_or(|uid| line.user.uid == uid)
        && [&body.message, &line.user.username].iter().any(|text| text.to_ascii_lowercase().contains(&q))
}

/// Whether the line is within the page's bounds; those in ms are the documents' own.
fn is_on(line: &Event, page: &Page) -> bool {
    let before = match page.before {
        Some(Cursor::Event(id)) => line.id < id,
        _ => true,
    };
    let since = match page.since {
        Some(Cursor::Event(id)) => line.id > id,
        _ => true,
    };
    before && since
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
