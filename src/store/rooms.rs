//! Rooms and settings: what the program is told to do, and what it knows about whom it watches.
//!
//! A room has a row from the first moment anything of it is stored; `monitored` says whether it is to be
//! watched. Taking a room off the list keeps its history; [`Database::erase`] is the one way to lose it.

use chrono::{NaiveDateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use super::{
    record::make_rooms,
    schema::{
        blm_deadletter, blm_drop, blm_intake, blm_ledger, blm_roomalias, blm_roomtotal, blm_roomuser, blm_setting,
        live_data_danmakudata, live_data_gap, live_data_gauge, live_data_giftdata, live_data_guard,
        live_data_interaction, live_data_liveroom as room, live_data_minute, live_data_roomevent, live_data_superchat,
    },
    search,
    sqlite::{Database, QueryError, failed},
};
use crate::domain::{LiveStatus, RoomId, RoomInfo, Uid};

/// Rows of one transaction of an erasing.
const ERASED_AT_ONCE: usize = 1000;

/// A room as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredRoom {
    /// What was last known about it.
    pub info: RoomInfo,
    /// To be watched.
    pub monitored: bool,
    /// Monitored, but a person has paused it.
    pub paused: bool,
    /// How much it matters when there are not places on accounts for all.
    pub priority: i64,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = room, treat_none_as_default_value = false, treat_none_as_null = true)]
struct InfoRow {
    room_id: i64,
    title: String,
    uname: String,
    face: Option<String>,
    online: Option<i64>,
    status: Option<i64>,
    updated_at: Option<NaiveDateTime>,
    short_id: i64,
    uid: i64,
    cover: String,
    area_name: String,
    parent_area_name: String,
    live_since_ms: Option<i64>,
    followers: i64,
}

impl InfoRow {
    fn new(info: &RoomInfo, now: NaiveDateTime) -> InfoRow {
        InfoRow {
            room_id: info.room_id.0 as i64,
            title: info.title.clone(),
            uname: info.uname.clone(),
            face: Some(info.face.clone()).filter(|face| !face.is_empty()),
            online: Some(info.online),
            status: Some(info.status.into()),
            updated_at: Some(now),
            short_id: info.short_id as i64,
            uid: info.uid.0 as i64,
            cover: info.cover.clone(),
            area_name: info.area_name.clone(),
            parent_area_name: info.parent_area_name.clone(),
            live_since_ms: info.live_since_ms,
            followers: info.followers,
        }
    }

    fn info(self) -> RoomInfo {
        RoomInfo {
            room_id: RoomId(self.room_id as u64),
            short_id: self.short_id as u64,
            uid: Uid(self.uid as u64),
            uname: self.uname,
            face: self.face.unwrap_or_default(),
            title: self.title,
            cover: self.cover,
            area_name: self.area_name,
            parent_area_name: self.parent_area_name,
            status: LiveStatus::from(self.status.unwrap_or(0)),
            live_since_ms: self.live_since_ms,
            online: self.online.unwrap_or(0),
            followers: self.followers,
        }
    }
}

type Row = (InfoRow, bool, bool, i64);

fn stored((info, monitored, paused, priority): Row) -> StoredRoom {
    StoredRoom { info: info.info(), monitored, paused, priority }
}

impl Database {
    /// The rooms to watch, paused ones included, in the order they were added.
    pub fn monitored(&self) -> Result<Vec<StoredRoom>, QueryError> {
        let rows: Vec<Row> = room::table
            .filter(room::monitored.eq(true))
            .order(room::id)
            .select((InfoRow::as_select(), room::monitored, room::paused, room::priority))
            .load(&mut self.reader()?)
            .map_err(failed("list the monitored rooms"))?;
        Ok(rows.into_iter().map(stored).collect())
    }

    /// One room, monitored or with a history only.
    pub fn room(&self, id: RoomId) -> Result<Option<StoredRoom>, QueryError> {
        let row: Option<Row> = room::table
            .filter(room::room_id.eq(id.0 as i64))
            .select((InfoRow::as_select(), room::monitored, room::paused, room::priority))
            .first(&mut self.reader()?)
            .optional()
            .map_err(failed("read a room"))?;
        Ok(row.map(stored))
    }

    /// Keeps what is known about a room now.
    pub fn save_room(&self, info: &RoomInfo) -> Result<(), QueryError> {
        self.save_rooms(std::slice::from_ref(info))
    }

    /// Keeps what is known about rooms now, in one transaction.
    pub fn save_rooms(&self, infos: &[RoomInfo]) -> Result<(), QueryError> {
        let mut writer = self.writer()?;
        writer.immediate_transaction(|writer| save(writer, infos)).map_err(failed("save what is known about rooms"))
    }

    /// Keeps what is known about a room, and puts it on the list of those to watch.
    pub fn add_room(&self, info: &RoomInfo) -> Result<(), QueryError> {
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                save(writer, std::slice::from_ref(info))?;
                monitor(writer, info.room_id, true)
            })
            .map_err(failed("add a room"))
    }

    /// Puts a room on the list of those to watch, or takes it off; its history stays.
    pub fn set_monitored(&self, id: RoomId, monitored: bool) -> Result<(), QueryError> {
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                make_rooms(writer, [id].into_iter())?;
                monitor(writer, id, monitored)
            })
            .map_err(failed("change the list of rooms"))
    }

    /// A person pauses or resumes a room.
    pub fn set_paused(&self, id: RoomId, paused: bool) -> Result<(), QueryError> {
        diesel::update(room::table)
            .filter(room::room_id.eq(id.0 as i64))
            .set(room::paused.eq(paused))
            .execute(&mut *self.writer()?)
            .map(drop)
            .map_err(failed("pause or resume a room"))
    }

    /// How much a room matters, higher more.
    pub fn set_priority(&self, id: RoomId, priority: i64) -> Result<(), QueryError> {
        diesel::update(room::table)
            .filter(room::room_id.eq(id.0 as i64))
            .set(room::priority.eq(priority))
            .execute(&mut *self.writer()?)
            .map(drop)
            .map_err(failed("keep the priority of a room"))
    }

    /// Deletes the whole history of a room: first its rows, in small transactions, so that others' are
    /// stored in between, and then its sums. Killed in between it has to be asked again. The room itself
    /// stays on the list if it is monitored.
    pub fn erase(&self, id: RoomId) -> Result<(), QueryError> {
        let number = id.0 as i64;
        while self.erase_chat(number)? == ERASED_AT_ONCE {
            std::thread::yield_now();
        }
        macro_rules! erase_rows {
            ($($table:ident),*) => {$(
                loop {
                    let mut writer = self.writer()?;
                    let some = $table::table.filter($table::room_id.eq(number)).limit(ERASED_AT_ONCE as i64);
                    let gone = some
                        .select($table::id)
                        .load::<i64>(&mut *writer)
                        .and_then(|ids| diesel::delete($table::table.filter($table::id.eq_any(ids))).execute(&mut *writer))
                        .map_err(failed("erase a room"))?;
                    if gone < ERASED_AT_ONCE {
                        break;
                    }
                }
            )*};
        }
        erase_rows!(live_data_giftdata, live_data_superchat, live_data_guard, live_data_interaction);
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                macro_rules! erase_from {
                    ($($table:ident),*) => {$(
                        diesel::delete($table::table.filter($table::room_id.eq(number))).execute(writer)?;
                    )*};
                }
                erase_from!(live_data_roomevent, live_data_gauge, live_data_minute);
                erase_from!(
                    live_data_gap,
                    blm_roomtotal,
                    blm_roomuser,
                    blm_roomalias,
                    blm_ledger,
                    blm_deadletter,
                    blm_intake,
                    blm_drop
                );
                diesel::delete(room::table)
                    .filter(room::room_id.eq(number))
                    .filter(room::monitored.eq(false))
                    .execute(writer)
                    .map(drop)
            })
            .map_err(failed("erase a room"))
    }

    /// Some chat lines of a room, and what the index knows of them; how many.
    fn erase_chat(&self, number: i64) -> Result<usize, QueryError> {
        use live_data_danmakudata as danmaku;
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                let ids: Vec<String> = danmaku::table
                    .filter(danmaku::room_id.eq(number))
                    .limit(ERASED_AT_ONCE as i64)
                    .select(danmaku::event_id)
                    .load(writer)?;
                diesel::delete(danmaku::table.filter(danmaku::event_id.eq_any(&ids))).execute(writer)?;
                search::forget(writer, &ids)?;
                Ok(ids.len())
            })
            .map_err(failed("erase a room"))
    }

    /// The value of a setting that was made in the program.
    pub fn setting(&self, key: &str) -> Result<Option<String>, QueryError> {
        blm_setting::table
            .find(key)
            .select(blm_setting::value)
            .first(&mut self.reader()?)
            .optional()
            .map_err(failed("read a setting"))
    }

    /// Keeps a setting; none removes it.
    pub fn set_setting(&self, key: &str, value: Option<&str>) -> Result<(), QueryError> {
        let mut writer = self.writer()?;
        match value {
            Some(value) => diesel::replace_into(blm_setting::table)
                .values((blm_setting::key.eq(key), blm_setting::value.eq(value)))
                .execute(&mut *writer),
            None => diesel::delete(blm_setting::table.find(key)).execute(&mut *writer),
        }
        .map(drop)
        .map_err(failed("keep a setting"))
    }
}

fn save(writer: &mut SqliteConnection, infos: &[RoomInfo]) -> QueryResult<()> {
    let now = Utc::now().naive_utc();
    for row in infos.iter().map(|info| InfoRow::new(info, now)) {
        diesel::insert_into(room::table)
            .values(&row)
            .on_conflict(room::room_id)
            .do_update()
            .set(&row)
            .execute(writer)?;
    }
    Ok(())
}

fn monitor(writer: &mut SqliteConnection, id: RoomId, monitored: bool) -> QueryResult<()> {
    diesel::update(room::table)
        .filter(room::room_id.eq(id.0 as i64))
        .set((room::monitored.eq(monitored), room::paused.eq(false)))
        .execute(writer)
        .map(drop)
}
