//! Who does it: the supervision tree, what its actors are told, and the handles that others may hold.
//!
//! ```text
//! Root                    starts and supervises the singletons     (root)
//!  +- SyncActor           live store -> SQLite                     (sync)
//!  +- Scribe              wall, ledger -> SQLite                   (scribe)
//!  +- RedisWriter         lane -> live store                       (redis_writer)
//!  +- BroadcastActor      lane -> ring, wall -> ring               (broadcast)
//!  +- StatusActor         who is on air, for all rooms at once     (status, on_air, air)
//!  +- RoomSupervisor      rooms that should run <-> rooms that do  (supervisor)
//!      +- RoomActor x N   one life = one connection                (room)
//! ```
//!
//! Where collector, sync and web are three processes, each has its part of these, and ring, wall and books cross
//! Redis:
//!
//! ```text
//!  +- Relay               ring, wall, books -> Redis               (relay, report)
//!  +- Follower            Redis -> ring, wall, books               (follower, report)
//! ```
//!
//! | to | message | from |
//! |---|---|---|
//! | Root | `ToRooms` (watch, unwatch, restart), `EndRooms` | handles, app |
//! | Root, RoomSupervisor | `Exited` | an obituary's drop |
//! | RoomSupervisor | `Watch`, `Unwatch`, `Restart`, `Drain` | Root |
//! | SyncActor | a request for a run, over a channel of its own | handles |
//! | another process | an order, written down in SQLite | remote |
//!
//! Commands travel in mailboxes, events in lanes, health in vitals; none is ever used for another's
//! traffic. Nothing outside this folder sees an `Addr`, but for `app`, which starts Root: the web layer
//! holds the handles made here. A life is ended by letting go of its leash.

pub mod air;
pub mod broadcast;
pub mod follower;
pub mod graves;
pub mod handles;
pub mod ledger;
pub mod memory;
pub mod on_air;
pub mod past;
pub mod placement;
pub mod raw;
pub mod redis_writer;
pub mod relay;
pub mod remote;
pub mod report;
pub mod ring;
pub mod room;
pub mod root;
pub mod safe;
pub mod scribe;
pub mod status;
pub mod supervisor;
pub mod sync;
pub mod sync_request;
pub mod thinning;
pub mod wall;

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;
