//! The supervision kit: it knows lives and deaths, lanes and vitals, but no rooms.
//!
//! How a death becomes a decision: a life owns an [`obituary::Obituary`]; dropping it, for whatever
//! cause, reports an [`exit::Exit`]; [`policy::decide`] turns that and the past into a verdict (when many
//! fall together, [`storm`] says so, and nobody is blamed); the supervisor carries it out. Beside that run
//! [`lane`]s, which carry events between lives and outlive them, and [`vitals`], which anybody may read at
//! any time without asking, on the [`board`].

// A life and its end.
pub mod exit;
pub mod life;
pub mod obituary;
pub mod policy;
pub mod storm;
pub mod watchdog;

// What outlives it.
pub mod blocking;
pub mod flag;
pub mod inbox;
pub mod lane;

// What is known of it.
pub mod board;
pub mod pulse;
pub mod vitals;
pub mod warnings;
mod worst;

// For tests.
pub mod faults;
