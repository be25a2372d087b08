//! Watches many Bilibili live rooms at once: this page is the map.
//!
//! ```text
//!                      Bilibili, or the simulator
//!                       | HTTP          | stream
//!                  +----v---------------v----+
//!   supervisor --->|  RoomActor  x N         |   one life = one connection
//!   (verdicts)     +----+---------------+----+
//!                record |               | view            two lanes, bounded
//!                  +----v------+   +----v-----------+
//!                  |RedisWriter|   | BroadcastActor |
//!                  +----+------+   +----+-----------+
//!                       v               v
//!                  live store        the ring
//!               (embedded | Redis)      |
//!                       |               |
//!                  +----v------+   +----v-----------+
//!                  | SyncActor |   | web sessions   |---> browsers, programs
//!                  +----+------+   +----^-----------+
//!                       v               |
//!                    SQLite ------------+ first view, history, totals
//! ```
//!
//! The flow, in order:
//!
//! 1. `upstream` resolves a room, fetches a ticket and dials when the gate opens; `actors::room` owns the
//!    connection.
//! 2. Bytes go into `protocol::session`, which cuts (`packet`), unpacks (`inflate`) and reads them (`command` and
//!    one file per family) and hands back events, packets to send and its next deadline. If wanted, they are kept as
//!    they came as well (`actors::raw`, `store::archive`), for `replay`.
//! 3. `actors::room` books each event (`actors::ledger`), drops what it has seen before (`actors::memory`) and
//!    offers the rest to two lanes (`supervise::lane`).
//! 4. `actors::redis_writer` gathers the first lane into batches for the live store: `store::embedded`, or
//!    `store::redis` behind `store::outbox`.
//! 5. `actors::sync` moves batches into SQLite; rows, sums and position are one transaction (`store::record`). What
//!    is no event (room facts, gaps, the sign of life) is written by `actors::scribe`.
//! 6. `actors::broadcast` turns the second lane into frames, each event serialised once, on `actors::ring`.
//! 7. `web` draws the first view from SQLite and lets each browser read the ring at its own pace.
//! 8. Beside the flow: every life writes its `supervise::vitals`, which page and terminal read; every death goes
//!    through its `supervise::obituary` to a supervisor, which asks `supervise::policy`.
//! 9. `--role` makes it three processes over one Redis (`app::parts`): the ring crosses it from `actors::relay` to
//!    `actors::follower`, and what pages ask of rooms is written down (`store::orders`).
//! 10. `app` starts sinks before sources and stops sources before sinks, browsers last.
//!
//! Arrows point one way, and `tests/tidy.rs` says so. The modules, in reading order:

// What we talk about: rooms, events, money. Pure.
pub mod domain;

// Bytes to events: the conversation with the upstream. Pure.
pub mod protocol;

// Lives and deaths, lanes and vitals; knows no rooms.
pub mod supervise;

// Where events come to rest: the live store, then the history.
pub mod store;

// Copies of the history for other programs.
pub mod export;

// The way to Bilibili: HTTP, the stream's sockets, the gate.
pub mod upstream;

// Who does it: the supervision tree, and what its actors share.
pub mod actors;

// The door for browsers and programs.
pub mod web;

// A fake Bilibili for demonstration and tests; reached over sockets only.
pub mod simulator;

// Every setting.
pub mod config;

// Logging, and the panic hook.
pub mod telemetry;

// Starts in order, stops in reverse.
pub mod app;

// The subcommands beside `run`.
pub mod commands;
