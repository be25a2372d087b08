//! The raw archive: what the upstream sent, as it came, for the day a decoder learns to read more of it.
//!
//! `raw/ROOM/YYYYMMDDHH.zst` under the data folder, the hour being UTC's: a compressed file for each room and
//! hour, deleted as a whole when it is older than raw things are kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDate, Timelike};

use crate::domain::RoomId;

/// An hour, ms.
const HOUR_MS: i64 = 3_600_000;

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawFile {
    /// First ms of its hour.
    pub hour_ms: i64,
    /// Whose stream.
    pub room: RoomId,
    /// Where.
    pub path: PathBuf,
}

/// Where the frames go that a room receives at `ms`.
pub fn path_at(folder: &Path, room: RoomId, ms: i64) -> PathBuf {
    let time = DateTime::from_timestamp_millis(ms).unwrap_or_default().naive_utc();
    folder.join(room.to_string()).join(format!("{}{:02}.zst", time.format("%Y%m%d"), time.hour()))
}

/// All files of the archive, by hour. Others that lie there are none of ours.
pub fn files(folder: &Path) -> Vec<RawFile> {
    let mut found = Vec::new();
    for room in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(id) = room.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        for file in fs::read_dir(room.path()).into_iter().flatten().flatten() {
            if let Some(hour_ms) = file.file_name().to_str().and_then(hour_of) {
                found.push(RawFile { hour_ms, room: RoomId(id), path: file.path() });
            }
        }
    }
    found.sort();
    found
}

/// What the archive takes, bytes.
pub fn bytes_in(folder: &Path) -> u64 {
    files(folder).iter().filter_map(|file| fs::metadata(&file.path).ok()).map(|found| found.len()).sum()
}

/// Deletes the files whose hour was over before `cutoff_ms`; how many.
pub fn delete_older(folder: &Path, cutoff_ms: i64) -> u64 {
    let old = files(folder).into_iter().filter(|file| file.hour_ms + HOUR_MS <= cutoff_ms);
    old.filter(|file| fs::remove_file(&file.path).is_ok()).count() as u64
}

fn hour_of(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(".zst").filter(|digits| digits.len() == 10 && digits.is_ascii())?;
    let day = NaiveDate::parse_from_str(&digits[..8], "%Y%m%d").ok()?;
    Some(day.and_hms_opt(digits[8..].parse().ok()?, 0, 0)?.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hours_file_is_deleted_when_the_whole_hour_is_too_old() {
        let folder = tempfile::tempdir().unwrap();
        let hour = 1_700_000_000_000 / HOUR_MS * HOUR_MS;
        for ms in [hour - 1, hour, hour + HOUR_MS - 1, hour + HOUR_MS] {
            let path = path_at(folder.path(), RoomId(7), ms);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "frames").unwrap();
        }
        fs::write(folder.path().join("7/notes.txt"), "not ours").unwrap();
        let hours =
            |folder: &Path| files(folder).iter().map(|file| (file.hour_ms - hour) / HOUR_MS).collect::<Vec<_>>();
        assert_eq!(hours(folder.path()), [-1, 0, 1]);
        assert_eq!(bytes_in(folder.path()), 18);
        assert_eq!(delete_older(folder.path(), hour + HOUR_MS - 1), 1);
        assert_eq!(delete_older(folder.path(), hour + HOUR_MS), 1);
        assert_eq!(hours(folder.path()), [1]);
        assert!(folder.path().join("7/notes.txt").exists());
    }
}
