//! The program from outside: a fake Bilibili on one side, browsers and programs on the other.
//!
//! Every test starts the real binary on a free port with its own folder, against its own fake, so tests
//! run side by side. Nothing here uses the crate's code, neither its protocol nor its simulator: what
//! both sides got wrong in the same way would go unseen. Where the simulator stands in for the fake it is a
//! process of its own, for what only it can do: many rooms, faults while it runs, accounts, books of its own.

mod accounts;
mod archive;
mod bad_input;
mod broadcasts;
mod browser;
mod charts;
mod commands;
mod coverage;
mod crash;
mod danmaku_page;
mod dashboard;
mod export;
mod faults;
mod gaps;
mod hostile;
mod manners;
mod money;
mod open_live;
mod openapi;
mod pages;
mod pipeline;
mod public;
mod push;
mod redis;
mod renewal;
mod roles;
mod room_list;
mod room_page;
mod secrets;
mod security;
mod shutdown;
mod supervision;
mod support;
mod thinning;
mod totals;
mod upstream;
mod wall;
mod when_live;
