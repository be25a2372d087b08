//! What one process of an installation asks of another, written down until it is done.
//!
//! What a room should be (monitored, paused, how much it matters) stands in the rooms' table; an order only says
//! that somebody should look. So an order that is carried out twice, or found by a process that has read the table at its
//! start anyhow, does no harm.

use diesel::prelude::*;

use super::{
    schema::blm_order as order,
    sqlite::{Database, QueryError, failed},
};
use crate::domain::RoomId;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Something has changed in what is written down about a room.
    LookAtRoom(RoomId),
    /// End the present connection of a room and begin a new one.
    RestartRoom(RoomId),
    /// The same for all rooms, one after another.
    ReconnectAll,
    /// Run a sync now, and answer.
    Sync,
}

impl Order {
    fn parts(self) -> (&'static str, Option<i64>) {
        match self {
            Order::LookAtRoom(room) => ("look_at_room", Some(room.0 as i64)),
            Order::RestartRoom(room) => ("restart_room", Some(room.0 as i64)),
            Order::ReconnectAll => ("reconnect_all", None),
            Order::Sync => (SYNC, None),
        }
    }

    /// None for one of a later version.
    fn of(what: &str, room: Option<i64>) -> Option<Order> {
        let room = room.map(|room| RoomId(room as u64));
        match what {
            "look_at_room" => room.map(Order::LookAtRoom),
            "restart_room" => room.map(Order::RestartRoom),
            "reconnect_all" => Some(Order::ReconnectAll),
            SYNC => Some(Order::Sync),
            _ => None,
        }
    }
}

const SYNC: &str = "sync";

impl Database {
    /// Asks; the number of the order.
    pub fn give_order(&self, asked: Order) -> Result<i64, QueryError> {
        let (what, room) = asked.parts();
        diesel::insert_into(order::table)
            .values((order::what.eq(what), order::room_id.eq(room)))
            .returning(order::id)
            .get_result(&mut *self.writer()?)
            .map_err(failed("ask another process"))
    }

    /// What is asked of the collector and not done yet, in order; what this version does not know has no order.
    pub fn orders_for_rooms(&self) -> Result<Vec<(i64, Option<Order>)>, QueryError> {
        let rows: Vec<(i64, String, Option<i64>)> = order::table
            .filter(order::what.ne(SYNC))
            .order(order::id)
            .select((order::id, order::what, order::room_id))
            .load(&mut self.reader()?)
            .map_err(failed("read what is asked"))?;
        Ok(rows.into_iter().map(|(id, what, room)| (id, Order::of(&what, room))).collect())
    }

    /// The syncs that are asked for and not answered.
    pub fn orders_for_sync(&self) -> Result<Vec<i64>, QueryError> {
        order::table
            .filter(order::what.eq(SYNC))
            .filter(order::answer.is_null())
            .order(order::id)
            .select(order::id)
            .load(&mut self.reader()?)
            .map_err(failed("read what is asked"))
    }

    /// A sync that was asked for has been run, or has failed.
    pub fn answer_order(&self, id: i64, answer: &str) -> Result<(), QueryError> {
        diesel::update(order::table.find(id))
            .set(order::answer.eq(answer))
            .execute(&mut *self.writer()?)
            .map(drop)
            .map_err(failed("answer another process"))
    }

    /// The answer, once there is one.
    pub fn answer_to(&self, id: i64) -> Result<Option<String>, QueryError> {
        let answer: Option<Option<String>> = order::table
            .find(id)
            .select(order::answer)
            .first(&mut self.reader()?)
            .optional()
            .map_err(failed("read an answer"))?;
        Ok(answer.flatten())
    }

    /// Whether an order is still to be carried out.
    pub fn is_waiting(&self, id: i64) -> Result<bool, QueryError> {
        diesel::select(diesel::dsl::exists(order::table.find(id)))
            .get_result(&mut self.reader()?)
            .map_err(failed("read what is asked"))
    }

    /// An order is done, or no longer wanted.
    pub fn end_order(&self, id: i64) -> Result<(), QueryError> {
        diesel::delete(order::table.find(id))
            .execute(&mut *self.writer()?)
            .map(drop)
            .map_err(failed("end what was asked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_stands_until_it_is_ended_and_each_process_finds_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("live.db")).unwrap();
        let asked = [Order::LookAtRoom(RoomId(7)), Order::Sync, Order::RestartRoom(RoomId(8)), Order::ReconnectAll];
        let ids = asked.map(|order| database.give_order(order).unwrap());
        let for_rooms = database.orders_for_rooms().unwrap();
        assert_eq!(for_rooms, [(ids[0], Some(asked[0])), (ids[2], Some(asked[2])), (ids[3], Some(asked[3]))]);
        assert_eq!(database.orders_for_sync().unwrap(), [ids[1]]);
        assert_eq!(database.answer_to(ids[1]).unwrap(), None);
        database.answer_order(ids[1], "{}").unwrap();
        assert_eq!(database.answer_to(ids[1]).unwrap().as_deref(), Some("{}"));
        assert_eq!(database.orders_for_sync().unwrap(), [0_i64; 0], "it is answered");
        ids.iter().for_each(|id| database.end_order(*id).unwrap());
        assert_eq!(database.orders_for_rooms().unwrap(), []);
        assert!(!database.is_waiting(ids[0]).unwrap());
    }
}
