//! What the machine says: this process against its limits, and the disk under the history.
//!
//! Sizes are noted every few minutes whether anybody looks or not, so that there is a growth to tell a
//! forecast from. What the system does not say is null.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;

use crate::{store::sqlite::Database, supervise::vitals::unix_ms};

/// The process against its limits.
#[derive(Debug, Serialize)]
pub struct Process {
    version: &'static str,
    pid: u32,
    started_ms: i64,
    uptime_ms: i64,
    rss_bytes: Option<u64>,
    rss_limit_bytes: Option<u64>,
    descriptors: Option<u64>,
    descriptors_limit: Option<u64>,
    threads: Option<u64>,
    threads_limit: Option<u64>,
    demo: bool,
}

impl Process {
    /// This process, now.
    pub fn now(started_ms: i64, demo: bool) -> Process {
        let [status, limits, memory] =
            ["self/status", "self/limits", "meminfo"].map(|file| fs::read_to_string(Path::new("/proc").join(file)));
        let number = |text: &Result<String, _>, name: &str, word: usize| {
            let line = text.as_ref().ok()?.lines().find(|line| line.starts_with(name))?;
            line[name.len()..].split_whitespace().nth(word)?.parse::<u64>().ok()
        };
        let kilobytes = |kb: u64| kb.saturating_mul(1024);
        Process {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            started_ms,
            uptime_ms: unix_ms() - started_ms,
            rss_bytes: number(&status, "VmRSS:", 0).map(kilobytes),
            rss_limit_bytes: number(&limits, "Max resident set", 0).or(number(&memory, "MemTotal:", 0).map(kilobytes)),
            descriptors: fs::read_dir("/proc/self/fd").ok().map(|open| open.count() as u64),
            descriptors_limit: number(&limits, "Max open files", 0),
            threads: number(&status, "Threads:", 0),
            threads_limit: number(&limits, "Max processes", 0),
            demo,
        }
    }
}

/// The files of the history and the disk under them.
#[derive(Clone, Debug, Serialize)]
pub struct Disk {
    /// The history, without its write-ahead log.
    pub database_bytes: u64,
    /// Its write-ahead log.
    pub wal_bytes: u64,
    /// Free on that disk.
    pub free_bytes: Option<u64>,
    /// How fast the history grows; none before it was watched for ten minutes.
    pub growth_bytes_per_day: Option<i64>,
    /// Days until the disk is full at that growth; none when it does not grow.
    pub days_left: Option<f64>,
}

/// Sizes are noted this often ...
const NOTE_EVERY: Duration = Duration::from_secs(300);
/// ... and kept for a day.
const KEPT: usize = 288;
/// A growth is told from at least this much time.
const WATCHED_MS: i64 = 600_000;

/// Watches the disk under the history.
pub struct DiskWatch {
    database: Database,
    noted: Mutex<VecDeque<(i64, u64)>>,
}

impl DiskWatch {
    /// Begins to watch.
    pub fn new(database: Database) -> Arc<DiskWatch> {
        Arc::new(DiskWatch { database, noted: Mutex::default() })
    }

    /// Notes the size now and then, for as long as there is a program.
    pub async fn watch(self: Arc<DiskWatch>) {
        loop {
            let note = (unix_ms(), size(self.database.path()));
            {
                let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
                if noted.len() == KEPT {
                    noted.pop_front();
                }
                noted.push_back(note);
            }
            tokio::time::sleep(NOTE_EVERY).await;
        }
    }

    /// What is there now.
    pub fn now(&self) -> Disk {
        let path = self.database.path();
        let database_bytes = size(path);
        let first = self.noted.lock().unwrap_or_else(PoisonError::into_inner).front().copied();
        let growth_bytes_per_day = first.and_then(|first| growth(first, (unix_ms(), database_bytes)));
        let free_bytes = path.parent().and_then(free);
        Disk {
            database_bytes,
            wal_bytes: size(&wal(path)),
            free_bytes,
            growth_bytes_per_day,
            days_left: growth_bytes_per_day.zip(free_bytes).and_then(|(growth, free)| days_left(growth, free)),
        }
    }
}

/// Bytes a day between two notes; none if they are too close.
fn growth((then_ms, then): (i64, u64), (now_ms, now): (i64, u64)) -> Option<i64> {
    let passed = now_ms - then_ms;
    let grown = i128::from(now) - i128::from(then);
    (passed >= WATCHED_MS).then(|| i64::try_from(grown * 86_400_000 / i128::from(passed)).unwrap_or(i64::MAX))
}

fn days_left(growth: i64, free: u64) -> Option<f64> {
    (growth > 0).then(|| free as f64 / growth as f64)
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

fn wal(path: &Path) -> PathBuf {
    let mut wal = path.to_path_buf().into_os_string();
    wal.push("-wal");
    wal.into()
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forecast_follows_the_growth() {
        assert_eq!(growth((0, 100), (WATCHED_MS - 1, 900)), None, "too early to tell");
        let day = 86_400_000;
        assert_eq!(growth((0, 1_000_000), (day, 3_000_000)), Some(2_000_000));
        assert_eq!(growth((0, 3_000_000), (day / 2, 1_000_000)), Some(-4_000_000));
        assert_eq!(days_left(2_000_000, 10_000_000), Some(5.0));
        assert_eq!(days_left(-1, 10), None, "what shrinks never fills the disk");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_everything() {
        let process = serde_json::to_value(Process::now(0, false)).expect("JSON");
        for field in ["rss_bytes", "rss_limit_bytes", "descriptors", "descriptors_limit", "threads"] {
            assert!(process[field].as_u64() > Some(0), "{field}: {process}");
        }
        assert!(free(Path::new("")) > Some(0));
    }
}
