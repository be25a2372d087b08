//! Why settings cannot be used: the key, the value, and what is accepted.

use std::path::PathBuf;

use thiserror::Error;

use crate::{domain::RoomRefError, supervise::faults};

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The command line or an environment variable behind it; clap says it well.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The file is not there, or not readable.
    #[error("the settings file {} cannot be read ({source}): give a file that is there with --config FILE", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that is not understood.
    #[error("the settings file {} is wrong: {why}", path.display())]
    Wrong {
        /// Which.
        path: PathBuf,
        /// Key, value, and what is accepted.
        why: String,
    },
    /// A value that cannot be meant.
    #[error("{key} = {value:?} cannot be used: {accepted}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// Authorities that cannot be read.
    #[error("extra-roots = {} cannot be used ({why}): give a file with the certificates of the authorities as PEM, -----BEGIN CERTIFICATE-----", path.display())]
    ExtraRoots {
        /// Which file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Faults are for tests.
    #[error("{} = {plan:?} cannot be used: {why}", faults::VARIABLE)]
    Faults {
        /// What was given.
        plan: String,
        /// Why not.
        why: String,
    },
    /// An environment variable of ours that does not exist.
    #[error("the environment variable {name} is not a setting; there are: {known}")]
    UnknownVariable {
        /// Which.
        name: String,
        /// Those there are.
        known: String,
    },
}

impl From<RoomRefError> for ConfigError {
    fn from(error: RoomRefError) -> ConfigError {
        ConfigError::Wrong { path: PathBuf::from("rooms"), why: error.to_string() }
    }
}
