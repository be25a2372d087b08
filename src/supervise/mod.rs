//! The supervision kit: it knows lives and deaths, lanes and vitals, but no rooms.
//!
//! How a death becomes a decision: a life owns an [`obituary::Obituary`]; dropping it, for whatever
//! cause, reports an [`exit::Exit`]; [`policy::decide`] turns that and the past into a verdict; the
//! supervisor carries it out. Beside that run [`lane`]s, which carry events between lives and outlive
//! them, and [`vitals`], which anybody may read at any time without asking.

pub mod exit;
pub mod lane;
pub mod life;
pub mod obituary;
pub mod policy;
pub mod vitals;
