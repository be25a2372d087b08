//! Who uses a database: a lock on the file `DATABASE.lock` beside it.
//!
//! Processes that use the history share the lock, several of them may; whoever replaces the file, or fills it
//! as a whole, holds it alone. The system lets go of it when a program ends, however it ends, and the file
//! itself stays and means nothing.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use super::sqlite::beside;

/// The lock, held until dropped.
#[derive(Debug)]
pub struct DatabaseLock {
    _file: File,
}

impl DatabaseLock {
    /// Together with other users.
    pub fn shared(database: &Path) -> Result<DatabaseLock, TryLockError> {
        let file = open(database)?;
        file.try_lock_shared()?;
        Ok(DatabaseLock { _file: file })
    }

    /// With no other user.
    pub fn alone(database: &Path) -> Result<DatabaseLock, TryLockError> {
        let file = open(database)?;
        file.try_lock()?;
        Ok(DatabaseLock { _file: file })
    }

    /// As the one who brings events into it.
    pub fn of_sync(database: &Path) -> Result<DatabaseLock, TryLockError> {
        let file = open_at(&beside(database, ".sync-lock"))?;
        file.try_lock()?;
        Ok(DatabaseLock { _file: file })
    }

    /// As the one who may change its tables now; waits until nobody else may.
    pub fn of_change(database: &Path) -> Result<DatabaseLock, TryLockError> {
        let file = open_at(&beside(database, ".change-lock"))?;
        file.lock().map_err(TryLockError::Error)?;
        Ok(DatabaseLock { _file: file })
    }
}

fn open(database: &Path) -> Result<File, TryLockError> {
    open_at(&beside(database, ".lock"))
}

fn open_at(path: &Path) -> Result<File, TryLockError> {
    File::options().create(true).truncate(false).write(true).open(path).map_err(TryLockError::Error)
}
