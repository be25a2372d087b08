//! Asking for a sync, and the answer.
//!
//! The handle that others hold; the actor that answers is in [`super::sync`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::store::{StoreError, record::RecordError, sqlite::QueryError};

/// Somebody wants a run now, and its figures.
pub type SyncRequest = oneshot::Sender<Result<SyncRun, SyncError>>;

/// A run that takes longer is reported as [`SyncError::Busy`]; it goes on all the same.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks for a sync now.
#[derive(Clone)]
pub struct SyncHandle {
    requests: mpsc::Sender<SyncRequest>,
}

/// What one run of the sync moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRun {
    /// Began, unix ms.
    pub start_ms: i64,
    /// Ended, unix ms.
    pub end_ms: i64,
    /// Events read from the live store.
    pub total: u64,
    /// New rows.
    pub stored: u64,
    /// Known already.
    pub duplicate: u64,
    /// Set aside.
    pub dead_letter: u64,
}

/// Why a sync did not come about.
#[derive(Clone, Debug, Error)]
pub enum SyncError {
    /// SQLite did not do it.
    #[error("{0}")]
    Database(String),
    /// The live store did not do it.
    #[error("{0}")]
    LiveStore(String),
    /// The process that syncs did not do it.
    #[error("{0}")]
    Elsewhere(String),
    /// The sync does not answer.
    #[error("the sync is busy or stopping; try again")]
    Busy,
}

impl From<RecordError> for SyncError {
    fn from(error: RecordError) -> SyncError {
        SyncError::Database(format!("{:#}", anyhow::Error::new(error)))
    }
}

impl From<QueryError> for SyncError {
    fn from(error: QueryError) -> SyncError {
        SyncError::Database(format!("{:#}", anyhow::Error::new(error)))
    }
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> SyncError {
        SyncError::LiveStore(error.to_string())
    }
}

impl SyncHandle {
    /// A handle, and the end that the sync actor reads.
    pub fn new() -> (SyncHandle, mpsc::Receiver<SyncRequest>) {
        let (requests, receiver) = mpsc::channel(4);
        (SyncHandle { requests }, receiver)
    }

    /// Runs a sync now; answers with what it moved.
    pub async fn sync_now(&self) -> Result<SyncRun, SyncError> {
        let (to, answer) = oneshot::channel();
        self.requests.try_send(to).map_err(|_| SyncError::Busy)?;
        timeout(PATIENCE, answer).await.map_err(|_| SyncError::Busy)?.map_err(|_| SyncError::Busy)?
    }
}
