//! Who does it: the supervision tree, what its actors are told, and the handles that others may hold.
//!
//! ```text
//! Root                    starts and supervises the singletons
//!  +- SyncActor           live store -> SQLite                     (sync)
//!  +- RedisWriter         lane -> live store                       (redis_writer)
//!  +- BroadcastActor      lane -> ring, wall -> ring               (broadcast)
//!  +- RoomSupervisor      rooms that should run <-> rooms that do  (supervisor)
//!      +- RoomActor x N   one life = one connection                (room)
//! ```
//!
//! Commands travel in mailboxes, events in lanes, health in vitals; none is ever used for another's
//! traffic. Nothing outside this folder sees an `Addr`: the web layer holds the handles made here.

pub mod ledger;
pub mod ring;
pub mod wall;
