//! The whole supervision tree on paused time, against a scripted upstream.
//!
//! What is compared is text: the deaths and what was made of them, so that a change of policy is read as a
//! changed log. Every test ends with the ledger's balance and the rows that are really there.

mod faults;
mod gaps;
mod rooms;
mod stores;
mod storms;
mod threads;
mod world;

use std::time::Duration;

use tokio::time::sleep;

use self::world::{World, on_paused_time};
use super::script::{Act, chat};
use crate::{
    domain::RoomId,
    supervise::{obituary, vitals::State},
};

/// Chat lines with these numbers, ten a second.
fn lines(numbers: std::ops::Range<u64>) -> Vec<Act> {
    numbers.flat_map(|n| [Act::Say(chat(n)), Act::Wait(Duration::from_millis(100))]).collect()
}
