//! The subcommands beside `run`: a file each, named after the command.
//!
//! A command reads what it needs, does one thing, says what it did and ends; nothing here is used by the
//! running program.

mod check;
mod copies;
mod export;
mod import;
mod import_django;
mod login;
mod replay;
mod simulate;

pub use self::{
    check::check,
    copies::{back_up, restore},
    export::export,
    import::import,
    import_django::import_django,
    login::login,
    replay::replay,
    simulate::simulate,
};
