//! Where a page or a call asks for rooms to be changed.
//!
//! The program gives the handle of the actors, here or in another process; tests give a desk that only remembers what was asked.

use async_trait::async_trait;

use crate::{
    actors::{
        handles::{Rooms, RoomsError},
        remote::RemoteRooms,
    },
    domain::{RoomId, RoomInfo, RoomRef},
};

/// Adds, removes and steers rooms. Every call may be repeated.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// Asks the upstream which room is meant. Changes nothing.
    async fn resolve(&self, room: RoomRef) -> Result<RoomInfo, RoomsError>;
    /// Begins to watch a room.
    async fn add(&self, room: RoomRef) -> Result<RoomInfo, RoomsError>;
    /// Stops watching; erases the history if asked.
    async fn remove(&self, room: RoomId, erase: bool) -> Result<(), RoomsError>;
    /// Disconnects a room until it is resumed.
    async fn pause(&self, room: RoomId) -> Result<(), RoomsError>;
    /// Connects a paused room again.
    async fn resume(&self, room: RoomId) -> Result<(), RoomsError>;
    /// Ends the present life of a room and begins a new one.
    async fn restart(&self, room: RoomId) -> Result<(), RoomsError>;
    /// How much a room matters when there are not places on accounts for all.
    async fn set_priority(&self, room: RoomId, priority: i64) -> Result<(), RoomsError>;
    /// Ends all connections one after another and begins new ones.
    async fn reconnect_all(&self) -> Result<(), RoomsError>;
}

#[async_trait]
impl Desk for Rooms {
    async fn resolve(&self, room: RoomRef) -> Result<RoomInfo, RoomsError> {
        Rooms::resolve(self, room).await
    }
    async fn add(&self, room: RoomRef) -> Result<RoomInfo, RoomsError> {
        Rooms::add(self, room).await
    }
    async fn remove(&self, room: RoomId, erase: bool) -> Result<(), RoomsError> {
        Rooms::remove(self, room, erase).await
    }
    async fn pause(&self, room: RoomId) -> Result<(), RoomsError> {
        Rooms::pause(self, room).await
    }
    async fn resume(&self, room: RoomId) -> Result<(), RoomsError> {
        Rooms::resume(self, room).await
    }
    async fn restart(&self, room: RoomId) -> Result<(), RoomsError> {
        Rooms::restart(self, room).await
    }
    async fn set_priority(&self, room: RoomId, priority: i64) -> Result<(), RoomsError> {
        Rooms::set_priority(self, room, priority).await
    }
    async fn reconnect_all(&self) -> Result<(), RoomsError> {
        Rooms::reconnect_all(self).await
    }
}

#[async_trait]
impl Desk for RemoteRooms {
    async fn resolve(&self, room: RoomRef) -> Result<RoomInfo, RoomsError> {
        RemoteRooms::resolve(self, room).await
    }
    async fn add(&self, room: RoomRef) -> Result<RoomInfo, RoomsError> {
        RemoteRooms::add(self, room).await
    }
    async fn remove(&self, room: RoomId, erase: bool) -> Result<(), RoomsError> {
        RemoteRooms::remove(self, room, erase).await
    }
    async fn pause(&self, room: RoomId) -> Result<(), RoomsError> {
        self.set_paused(room, true).await
    }
    async fn resume(&self, room: RoomId) -> Result<(), RoomsError> {
        self.set_paused(room, false).await
    }
    async fn restart(&self, room: RoomId) -> Result<(), RoomsError> {
        RemoteRooms::restart(self, room).await
    }
    async fn set_priority(&self, room: RoomId, priority: i64) -> Result<(), RoomsError> {
        RemoteRooms::set_priority(self, room, priority).await
    }
    async fn reconnect_all(&self) -> Result<(), RoomsError> {
        RemoteRooms::reconnect_all(self).await
    }
}
