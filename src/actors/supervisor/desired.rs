//! Which rooms should run, with what survives their lives and those of their supervisor.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    actors::memory::RoomMemory,
    domain::RoomId,
    supervise::{life::Turn, vitals::Vitals},
};

/// Which rooms should run. Shared by all lives of the supervisor.
#[derive(Clone, Default)]
pub struct Desired(Arc<Mutex<BTreeMap<RoomId, Wish>>>);

/// One room that should run.
#[derive(Clone)]
pub struct Wish {
    /// Known, but not to be connected.
    pub paused: bool,
    /// What survives its lives.
    pub memory: Arc<RoomMemory>,
    /// What it publishes.
    pub vitals: Arc<Vitals>,
    /// One life at a time, also when a supervisor died in between.
    pub turn: Turn,
}

impl Desired {
    /// All of them.
    pub fn rooms(&self) -> MutexGuard<'_, BTreeMap<RoomId, Wish>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of them.
    pub fn get(&self, room: RoomId) -> Option<Wish> {
        self.rooms().get(&room).cloned()
    }
}
