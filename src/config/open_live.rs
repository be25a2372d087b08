//! The Open Live platform's file: app keys and identity codes, which are secrets.
//!
//! It stands in the data folder (`open-live.toml`) and only its owner may read it; a file that others can
//! read stops the start, because these keys must not have been seen by anybody. What is wrong with it is
//! told without its text.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

use super::{ConfigError, Secret};
use crate::domain::RoomRef;

/// Its name in the data folder.
const FILE: &str = "open-live.toml";

/// An app that the platform knows, and the rooms that are watched over it.
#[derive(Clone, Debug)]
pub struct OpenLiveSettings {
    /// The app's number.
    pub app_id: u64,
    /// Its key's number.
    pub access_key_id: String,
    /// Its key.
    pub access_key_secret: Secret,
    /// Identity codes by the room's long number.
    pub codes: BTreeMap<u64, Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    app_id: u64,
    access_key_id: String,
    access_key_secret: String,
    rooms: BTreeMap<String, String>,
}

/// Reads the file, if there is one.
pub(super) fn read(data_dir: &Path) -> Result<Option<OpenLiveSettings>, ConfigError> {
    let path = data_dir.join(FILE);
    let wrong = |why: String| ConfigError::Wrong { path: path.clone(), why };
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
    if !is_private(&path) {
        return Err(wrong(
            "others can read the keys in it: chmod 600, and have new keys made if others may have".into(),
        ));
    }
    // The error's own text quotes what stands there.
    let file: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
        wrong(format!(
            "line {line}: it takes app_id (a number), access_key_id, access_key_secret, and [rooms] with room = \"code\""
        ))
    })?;
    let mut codes = BTreeMap::new();
    for (room, code) in file.rooms {
        let number: RoomRef =
            room.parse().map_err(|_| wrong(format!("[rooms] has {room:?}, which is no room number")))?;
        codes.insert(number.0, Secret(code));
    }
    let File { app_id, access_key_id, access_key_secret, .. } = file;
    Ok(Some(OpenLiveSettings { app_id, access_key_id, access_key_secret: Secret(access_key_secret), codes }))
}

#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 == 0)
}

#[cfg(not(unix))]
fn is_private(_: &Path) -> bool {
    // Access lists are not read; the README says what the file must be.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_a_file_that_others_cannot_read_is_read_and_no_error_quotes_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        assert!(read(folder.path()).expect("none is fine").is_none());
        let write = |text: &str, mode: u32| {
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
        };
        let good =
            "app_id = 7\naccess_key_id = \"id\"\naccess_key_secret = \"verysecret\"\n[rooms]\n21 = \"thecode\"\n";
        write(good, 0o644);
        assert!(read(folder.path()).is_err_and(|error| error.to_string().contains("chmod 600")));
        write(good, 0o600);
        let settings = read(folder.path()).expect("good").expect("there");
        assert_eq!((settings.app_id, settings.codes[&21].0.as_str()), (7, "thecode"));
        assert!(!format!("{settings:?}").contains("verysecret") && !format!("{settings:?}").contains("thecode"));
        for bad in [good.replace("[rooms]\n21", "[rooms]\nx"), good.replace("app_id = 7", "app_id = \"verysecret\"")] {
            write(&bad, 0o600);
            let error = read(folder.path()).expect_err("is wrong").to_string();
            assert!(!error.contains("verysecret") && !error.contains("thecode"), "{error}");
        }
    }
}
