//! Which rooms should run, with what survives their lives and those of their supervisor.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix::Addr;
use tokio::time::Instant;

use crate::{
    actors::{
        memory::RoomMemory,
        room::{Leash, RoomActor},
    },
    domain::RoomId,
    supervise::{life::Turn, obituary::Mourner, vitals::Vitals},
};

/// Which rooms should run, and which do. Shared by all lives of the supervisor, so that none of them takes
/// its rooms along when it dies.
#[derive(Clone, Default)]
pub struct Desired {
    rooms: Arc<Mutex<BTreeMap<RoomId, Wish>>>,
    /// Who hears of the rooms' deaths.
    pub mourner: Mourner<RoomId>,
}

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
    /// The life that is under way.
    pub living: Option<Living>,
}

/// A life that is under way.
#[derive(Clone)]
pub struct Living {
    /// Its number.
    pub life: u32,
    /// Since when.
    pub begun: Instant,
    /// Letting go ends it.
    pub leash: Leash,
    /// For ending it when it does not move.
    pub actor: Addr<RoomActor>,
}

impl Desired {
    /// All of them.
    pub fn rooms(&self) -> MutexGuard<'_, BTreeMap<RoomId, Wish>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of them.
    pub fn get(&self, room: RoomId) -> Option<Wish> {
        self.rooms().get(&room).cloned()
    }

    /// A life began, or ended.
    pub fn lives(&self, room: RoomId, living: Option<Living>) {
        if let Some(wish) = self.rooms().get_mut(&room) {
            wish.living = living;
        }
    }
}
