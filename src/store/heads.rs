//! Who counts as a user of a room, and each of them once.
//!
//! Known users stand in `blm_roomuser` by their number; those without one in `blm_roomalias` by what stands for it
//! (`#` and a hash, or an open_id). Who was masked at one time and known at another is one head: a known user's
//! row says how the user looks when masked, which is only ever compared. A hash is never turned into a number.
//!
//! Invariant: a room's number of users equals the known ones with any interaction, and those aliases with any
//! that belong to none of these.
//!
//! A busy room's people are many, and each event touches one of them at a random place, so a row that is there is
//! changed without touching what the indexes know of it, unless that changes. (Measured with three million users: see
//! docs/measurements.md.)

use std::collections::BTreeMap;

use diesel::{
    dsl::exists,
    prelude::*,
    query_builder::{AstPass, QueryFragment},
    sql_types::{BigInt, Text},
    sqlite::{Sqlite, SqliteConnection},
};

use super::{
    fixed::fixed,
    schema::{blm_roomalias as alias, blm_roomuser as user},
};
use crate::domain::{Alias, Event, Gold, User, user::hash_of};

/// What stands for this user where there is no number.
pub(super) fn alias_of(user: &User) -> Option<String> {
    match &user.alias {
        Some(Alias::Hash(hash)) if user.masked => Some(hash_alias(*hash)),
        Some(Alias::OpenId(open_id)) => Some(open_id.clone()),
        _ => None,
    }
}

fn hash_alias(hash: u32) -> String {
    format!("#{hash:08x}")
}

/// What the users in a run of new rows did.
#[derive(Default)]
pub(super) struct Heads {
    users: BTreeMap<(i64, i64), UserRow>,
    aliases: BTreeMap<(i64, String), AliasRow>,
}

impl Heads {
    /// A known user did something.
    pub(super) fn add_user(&mut self, row: UserRow) {
        match self.users.get_mut(&(row.room_id, row.uid)) {
            Some(known) => known.add(&row),
            None => {
                self.users.insert((row.room_id, row.uid), row);
            }
        }
    }

    /// Somebody for whom an alias stands did something.
    pub(super) fn add_alias(&mut self, row: AliasRow) {
        match self.aliases.get_mut(&(row.room_id, row.alias.clone())) {
            Some(known) => known.add(&row),
            None => {
                self.aliases.insert((row.room_id, row.alias.clone()), row);
            }
        }
    }

    /// Adds all of it to the tables; gives the change of each room's number of users.
    pub(super) fn write(self, writer: &mut SqliteConnection) -> QueryResult<BTreeMap<i64, i64>> {
        let mut changes: BTreeMap<i64, i64> = BTreeMap::new();
        for (key, newer) in self.users {
            let known: Option<UserRow> =
                user::table.find(key).select(UserRow::as_select()).get_result(writer).optional()?;
            let row = known.clone().map_or_else(|| newer.clone(), |known| known.plus(&newer));
            let change = i64::from(row.counted) - i64::from(known.as_ref().is_some_and(|known| known.counted));
            if change != 0 && !is_counted_as_alias(writer, &row)? {
                *changes.entry(key.0).or_default() += change;
            }
            let Some(known) = known else {
                diesel::insert_into(user::table).values(&row).execute(writer)?;
                continue;
            };
            fixed::<Change<UserRow>, _>(Change(&row)).execute(writer)?;
            if (row.counted, &row.alias) != (known.counted, &known.alias) {
                diesel::update(user::table.find(key))
                    .set((user::counted.eq(row.counted), user::alias.eq(&row.alias)))
                    .execute(writer)?;
            }
        }
        for (key, newer) in self.aliases {
            let known: Option<AliasRow> =
                alias::table.find((key.0, &key.1)).select(AliasRow::as_select()).get_result(writer).optional()?;
            let row = known.clone().map_or_else(|| newer.clone(), |known| known.plus(&newer));
            let change = i64::from(row.counted) - i64::from(known.as_ref().is_some_and(|known| known.counted));
            if change != 0 && !is_counted_as_known(writer, &row)? {
                *changes.entry(key.0).or_default() += change;
            }
            let Some(known) = known else {
                diesel::insert_into(alias::table).values(&row).execute(writer)?;
                continue;
            };
            fixed::<Change<AliasRow>, _>(Change(&row)).execute(writer)?;
            if row.counted != known.counted {
                diesel::update(alias::table.find((key.0, &key.1)))
                    .set(alias::counted.eq(row.counted))
                    .execute(writer)?;
            }
        }
        Ok(changes)
    }
}

fn is_counted_as_alias(writer: &mut SqliteConnection, row: &UserRow) -> QueryResult<bool> {
    let Some(masked) = &row.alias else { return Ok(false) };
    let counted = alias::table.find((row.room_id, masked)).filter(alias::counted);
    diesel::select(exists(counted)).get_result(writer)
}

fn is_counted_as_known(writer: &mut SqliteConnection, row: &AliasRow) -> QueryResult<bool> {
    let counted =
        user::table.filter(user::alias.eq(&row.alias)).filter(user::room_id.eq(row.room_id)).filter(user::counted);
    diesel::select(exists(counted)).get_result(writer)
}

/// A row's new numbers.
struct Change<'a, Row>(&'a Row);

impl QueryFragment<Sqlite> for Change<'_, UserRow> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let row = self.0;
        out.push_sql("UPDATE blm_roomuser SET username = ");
        out.push_bind_param::<Text, _>(&row.username)?;
        numbers(
            out,
            [
                (", first_ms = ", &row.first_ms),
                (", last_ms = ", &row.last_ms),
                (", danmaku = ", &row.danmaku),
                (", gifts = ", &row.gifts),
                (", paid_gold = ", &row.paid_gold),
                (", interactions = ", &row.interactions),
                (" WHERE room_id = ", &row.room_id),
                (" AND uid = ", &row.uid),
            ],
        )
    }
}

impl QueryFragment<Sqlite> for Change<'_, AliasRow> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let row = self.0;
        numbers(
            out.reborrow(),
            [
                ("UPDATE blm_roomalias SET first_ms = ", &row.first_ms),
                (", last_ms = ", &row.last_ms),
                (", interactions = ", &row.interactions),
                (" WHERE room_id = ", &row.room_id),
            ],
        )?;
        out.push_sql(" AND alias = ");
        out.push_bind_param::<Text, _>(&row.alias)
    }
}

/// Each piece of a statement with the number behind it.
fn numbers<'b, const N: usize>(mut out: AstPass<'_, 'b, Sqlite>, pieces: [(&str, &'b i64); N]) -> QueryResult<()> {
    pieces.into_iter().try_for_each(|(sql, number)| {
        out.push_sql(sql);
        out.push_bind_param::<BigInt, _>(number)
    })
}

/// A known user in a room.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = user, treat_none_as_default_value = false)]
pub(super) struct UserRow {
    pub(super) room_id: i64,
    pub(super) uid: i64,
    pub(super) username: String,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) danmaku: i64,
    pub(super) gifts: i64,
    pub(super) paid_gold: i64,
    /// Chat lines that are no raffle phrases, gifts, super chats, guards.
    interactions: i64,
    /// How the user looks when masked.
    alias: Option<String>,
    /// One of the room's users: there was any interaction.
    counted: bool,
}

impl UserRow {
    /// What one event says of its user.
    pub(super) fn new(event: &Event, danmaku: i64, gifts: i64, paid: Gold, interactions: i64) -> UserRow {
        UserRow {
            room_id: event.room_id.0 as i64,
            uid: event.user.uid.0 as i64,
            username: event.user.username.clone(),
            first_ms: event.timestamp_ms,
            last_ms: event.timestamp_ms,
            danmaku,
            gifts,
            paid_gold: paid.0,
            interactions,
            alias: Some(hash_alias(hash_of(event.user.uid))),
            counted: interactions > 0,
        }
    }

    fn plus(mut self, newer: &UserRow) -> UserRow {
        self.add(newer);
        self
    }

    fn add(&mut self, newer: &UserRow) {
        if newer.last_ms >= self.last_ms {
            self.username.clone_from(&newer.username);
        }
        self.first_ms = self.first_ms.min(newer.first_ms);
        self.last_ms = self.last_ms.max(newer.last_ms);
        self.danmaku = self.danmaku.saturating_add(newer.danmaku);
        self.gifts = self.gifts.saturating_add(newer.gifts);
        self.paid_gold = self.paid_gold.saturating_add(newer.paid_gold);
        self.interactions = self.interactions.saturating_add(newer.interactions);
        self.counted = self.interactions > 0;
        self.alias.clone_from(&newer.alias);
    }
}

/// A user of a room for whom an alias stands.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = alias)]
pub(super) struct AliasRow {
    pub(super) room_id: i64,
    pub(super) alias: String,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) interactions: i64,
    /// As for known users.
    pub(super) counted: bool,
}

impl AliasRow {
    fn plus(mut self, newer: &AliasRow) -> AliasRow {
        self.add(newer);
        self
    }

    fn add(&mut self, newer: &AliasRow) {
        self.first_ms = self.first_ms.min(newer.first_ms);
        self.last_ms = self.last_ms.max(newer.last_ms);
        self.interactions = self.interactions.saturating_add(newer.interactions);
        self.counted = self.interactions > 0;
    }
}

#[cfg(test)]
#[path = "heads_tests.rs"]
mod tests;
