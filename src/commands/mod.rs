//! The subcommands beside `run`: a file each, named after the command.
//!
//! A command reads what it needs, does one thing, says what it did and ends; nothing here is used by the
//! running program.

mod copies;
mod export;
mod login;
mod simulate;

pub use self::{
    copies::{back_up, restore},
    export::export,
    login::login,
    simulate::simulate,
};
