//! Why the program did not start, and how a run ended.
//!
//! Every error says what happened with which value; how to mend it stands in the text, or in
//! [`StartError::mend`] where the text of the cause comes in between.

use std::{io, net::SocketAddr, path::PathBuf};

use thiserror::Error;

use crate::{
    store::{
        SpoolError, StoreError,
        redis::RedisAddressError,
        sqlite::{OpenError, QueryError},
    },
    upstream::AskError,
};

/// Why the program did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address of the pages is taken, or not ours.
    #[error("cannot listen on {listen}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error("the data folder {} cannot be used", path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The history cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The history cannot be read.
    #[error("the database cannot be used")]
    Query(#[from] QueryError),
    /// The spool of the embedded live store cannot be opened.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// What waits in the live store cannot be counted.
    #[error("what the last run left in the live store cannot be read")]
    LiveStore(#[from] StoreError),
    /// The address of the Redis server is none.
    #[error(transparent)]
    Redis(#[from] RedisAddressError),
    /// Bilibili cannot be asked at all.
    #[error(transparent)]
    Upstream(#[from] AskError),
    /// Nobody was logged in.
    #[error("no account was logged in: {0}")]
    Login(String),
    /// The simulator did not start.
    #[error("the simulator cannot be started")]
    Simulator(#[source] io::Error),
    /// Something of the system's.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl StartError {
    /// How to mend it, where the error itself does not say so.
    pub fn mend(&self) -> Option<&'static str> {
        match self {
            StartError::Listen { .. } => Some(
                "end the program that uses this address, or choose another with --listen ADDR:PORT (port 0 picks a free one)",
            ),
            StartError::DataDir { .. } => Some("choose a folder that this user may write with --data-dir DIR"),
            StartError::Query(_) => Some(
                "see whether the disk is full or another program holds the database; restore a backup if it is damaged",
            ),
            StartError::LiveStore(_) => Some(
                "see whether the disk is full or damaged; spool.db or outbox.db in the data folder may be moved away (what is in it is not in the history yet)",
            ),
            StartError::Simulator(_) => {
                Some("choose another address with --listen ADDR:PORT (port 0 picks a free one)")
            }
            StartError::System { .. } => Some("see the limits of this user and this machine: files, processes, memory"),
            StartError::Database(_)
            | StartError::Spool(_)
            | StartError::Redis(_)
            | StartError::Upstream(_)
            | StartError::Login(_) => None,
        }
    }
}

/// How a run ended, as an exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was left behind.
    Clean,
    /// A stage left something; it has said what.
    LeftSomething,
    /// An actor spent its restart budget.
    GaveUp,
    /// Interrupted twice.
    Interrupted,
}

impl Outcome {
    /// The contract's exit status.
    pub fn status(self) -> u8 {
        match self {
            Outcome::Clean => 0,
            Outcome::LeftSomething => 1,
            Outcome::GaveUp => 70,
            Outcome::Interrupted => 130,
        }
    }
}
