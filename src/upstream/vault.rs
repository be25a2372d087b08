//! Where identities are kept: one file under the data folder that only its owner may read.
//!
//! Permission, not encryption, protects it: a key beside the file would only pretend to, and one that a person
//! types would keep the program from starting by itself. Every change is read, changed and put in place whole
//! under a lock, so that the running program and `login` in a terminal can both write, and a crash leaves
//! either the old file or the new one.
//!
//! Invariant: the file is never readable by others, not even while it is being written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::identity::{AccountRecord, Device};

/// The name of the file.
const FILE: &str = "accounts.json";

/// All of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Identities {
    /// Who watches without an account.
    pub visitor: Option<Device>,
    /// In the order they were added.
    pub accounts: Vec<AccountRecord>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").finish_non_exhaustive()
    }
}

/// The file cannot be used.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The system says no.
    #[error("the accounts in {path:?} cannot be read or written: {source}; check the folder and its permissions")]
    System {
        /// The file.
        path: PathBuf,
        /// What it says.
        #[source]
        source: io::Error,
    },
    /// It is there, but not one of ours.
    #[error("the accounts in {path:?} cannot be understood: {source}; move the file away and log in again")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// The file, or memory for those who have no folder.
#[derive(Clone, Debug)]
pub struct Vault {
    path: PathBuf,
}

impl Vault {
    /// In `folder`, which must be there.
    pub fn within(folder: &Path) -> Vault {
        Vault { path: folder.join(FILE) }
    }

    /// What it holds; nothing if there is no file.
    pub fn read(&self) -> Result<Identities, VaultError> {
        match fs::read(&self.path) {
            Ok(bytes) if bytes.is_empty() => Ok(Identities::default()),
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| VaultError::Content { path: self.path.clone(), source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Identities::default()),
            Err(source) => Err(self.system(source)),
        }
    }

    /// Changes it, seen as a whole by everybody else; what it holds then.
    pub fn change(&self, change: impl FnOnce(&mut Identities)) -> Result<Identities, VaultError> {
        let lock = private(&self.path.with_extension("lock"), false).map_err(|source| self.system(source))?;
        lock.lock().map_err(|source| self.system(source))?;
        let mut identities = self.read()?;
        change(&mut identities);
        let text = serde_json::to_vec_pretty(&identities)
            .map_err(|source| VaultError::Content { path: self.path.clone(), source })?;
        self.put(&text).map_err(|source| self.system(source))?;
        // The lock ends with its file.
        drop(lock);
        Ok(identities)
    }

    /// When it last changed; none if there is no file.
    pub fn changed(&self) -> Option<SystemTime> {
        fs::metadata(&self.path).ok()?.modified().ok()
    }

    fn put(&self, text: &[u8]) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = private(&new, true)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        // The new name is on disk when its folder is. Some systems cannot open folders; then it is soon.
        if let Some(Ok(folder)) = self.path.parent().map(File::open) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    fn system(&self, source: io::Error) -> VaultError {
        VaultError::System { path: self.path.clone(), source }
    }
}

/// Opens a file that only its owner may read, also if it was there with other permissions.
fn private(path: &Path, empty: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(empty);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(0o600);
        let file = options.open(path)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Uid, upstream::identity::Cookies};

    fn account(uid: u64) -> AccountRecord {
        AccountRecord {
            uid: Uid(uid),
            uname: format!("账号{uid}"),
            cookies: Cookies(vec![("SESSDATA".into(), "s%2C1".into()), ("bili_jct".into(), "j".into())]),
            refresh_token: "r".into(),
            device: Device::default(),
            added_ms: 1,
            renewed_ms: 1,
            checked_ms: 0,
            logged_out: None,
            before_renewal: None,
        }
    }

    #[test]
    fn what_is_kept_is_there_the_next_time_and_nobody_else_can_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let vault = Vault::within(folder.path());
        assert!(vault.read().expect("nothing yet").accounts.is_empty() && vault.changed().is_none());
        vault.change(|all| all.accounts.push(account(5))).expect("written");
        let again = Vault::within(folder.path()).change(|all| all.accounts.push(account(6))).expect("written");
        assert_eq!(again.accounts.len(), 2);
        assert_eq!(vault.read().expect("read").accounts[0].cookies.get("SESSDATA"), Some("s%2C1"));
        #[cfg(unix)]
        for entry in fs::read_dir(folder.path()).expect("a folder").map_while(Result::ok) {
            use std::os::unix::fs::PermissionsExt;
            let mode = entry.metadata().expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        }
    }

    #[test]
    fn a_file_left_readable_is_closed_when_it_is_next_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let vault = Vault::within(folder.path());
        fs::write(folder.path().join("accounts.new"), "left by a crash").expect("written");
        fs::write(folder.path().join(FILE), "{}").expect("written");
        vault.change(|all| all.accounts.push(account(5))).expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(FILE)).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(vault.read().expect("read").accounts.len(), 1);
    }

    #[test]
    fn a_file_that_is_not_ours_is_named_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        fs::write(&path, "not json").expect("written");
        let error = Vault::within(folder.path()).change(|_| ()).expect_err("is refused");
        assert!(error.to_string().contains("accounts.json"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("read"), "not json");
    }
}
