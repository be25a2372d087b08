//! `check`: tries everything a run needs, and says for each what is wrong and how to mend it.
//!
//! Changes nothing but for a file that it writes and deletes again in the data folder; the program may be running.
//! What only a part of the work needs is a warning: Bilibili may be away, and the history can still be read.

use std::{fmt::Display, future::Future, path::Path, sync::Arc, time::Duration};

use chrono::DateTime;
use futures_util::TryFutureExt;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::{
    app::{Outcome, manners, say},
    config::Settings,
    domain::RoomRef,
    store::{
        LiveStore,
        backup::{Copy, glance, quick_check},
        redis::{RedisOptions, RedisStore},
        upkeep::disk_free_bytes,
    },
    supervise::vitals::unix_ms,
    upstream::{AskError, Bilibili, Upstream, tls},
};

/// Whatever takes longer does not work.
const PATIENCE: Duration = Duration::from_secs(12);
/// A larger history is not read through: that takes minutes a gigabyte on a busy machine.
const READ_THROUGH_MAX: u64 = 256_000_000;
/// With less than this, hours are left on a busy evening.
const DISK_LITTLE: u64 = 2_000_000_000;
/// With less than this, minutes are.
const DISK_NONE: u64 = 100_000_000;
/// A clock that is off by more shows wrong times ...
const CLOCK_OFF_MS: i64 = 5_000;
/// ... and by more than this its times are taken for wrong ones.
const CLOCK_WRONG_MS: i64 = 300_000;
/// A room that has been there for ten years, when none is named.
const SOME_ROOM: RoomRef = RoomRef(6);

/// What one check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    what: &'static str,
    verdict: Verdict,
    found: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Good,
    Warning,
    Bad,
}

fn good(what: &'static str, found: impl Display) -> Finding {
    Finding { what, verdict: Verdict::Good, found: found.to_string(), mend: None }
}

fn warning(what: &'static str, found: impl Display, mend: &'static str) -> Finding {
    Finding { what, verdict: Verdict::Warning, found: found.to_string(), mend: Some(mend) }
}

fn bad(what: &'static str, found: impl Display, mend: &'static str) -> Finding {
    Finding { what, verdict: Verdict::Bad, found: found.to_string(), mend: Some(mend) }
}

/// Checks, and says what it found, as lines or as JSON.
pub async fn check(settings: Settings, json: bool) -> anyhow::Result<Outcome> {
    let mut findings = vec![of_settings(&settings), of_folder(&settings.data_dir), of_disk(&settings.data_dir)];
    findings.push(of_database(&settings.database, READ_THROUGH_MAX));
    findings.push(of_live_store(&settings).await);
    findings.push(of_clock(&settings).await);
    findings.extend(of_bilibili(&settings).await);
    let is_good = findings.iter().all(|finding| finding.verdict != Verdict::Bad);
    if json {
        say(&serde_json::to_string_pretty(&serde_json::json!({"ok": is_good, "checks": findings}))?);
    } else {
        for finding in &findings {
            let mark = match finding.verdict {
                Verdict::Good => "ok  ",
                Verdict::Warning => "warn",
                Verdict::Bad => "BAD ",
            };
            say(&format!("{mark}  {:<12} {}", finding.what, finding.found));
            if let Some(mend) = finding.mend {
                say(&format!("      {:<12} -> {mend}", ""));
            }
        }
    }
    Ok(if is_good { Outcome::Clean } else { Outcome::LeftSomething })
}

/// They were read before anything else could happen; a mistake in them ends every command.
fn of_settings(settings: &Settings) -> Finding {
    good(
        "settings",
        format_args!(
            "understood; pages on {}, data in {}, {}",
            settings.listen,
            settings.data_dir.display(),
            if settings.admin_password.is_some() {
                "admin password set"
            } else {
                "admin password made at the first start"
            },
        ),
    )
}

fn of_folder(folder: &Path) -> Finding {
    let made = std::fs::create_dir_all(folder).and_then(|()| tempfile::NamedTempFile::new_in(folder));
    match made {
        Ok(_) => good("data folder", format_args!("{} can be written", folder.display())),
        Err(error) => bad(
            "data folder",
            format_args!("{} cannot be written: {error}", folder.display()),
            "choose a folder that this user may write with --data-dir DIR, or change its owner",
        ),
    }
}

fn of_disk(folder: &Path) -> Finding {
    let Some(free) = disk_free_bytes(folder) else {
        return warning("disk", "the system does not say how much is free", "see to it that some gigabytes are");
    };
    let found = format!("{:.1} GB free", free as f64 / 1e9);
    match free {
        DISK_LITTLE.. => good("disk", found),
        DISK_NONE.. => warning("disk", found, "make room, or keep less (--keep-entries-days and the like)"),
        _ => bad("disk", found, "make room: nothing can be stored when it is full"),
    }
}

/// Up to `read_max` bytes it is read through.
fn of_database(path: &Path, read_max: u64) -> Finding {
    if !path.exists() {
        return good("database", format_args!("{} is not there yet and made at the first start", path.display()));
    }
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let found = glance(path).and_then(|bytes| {
        if bytes > read_max {
            let size = megabytes(bytes);
            return Ok(format!("{}: {size:.1} MB, opened; only backup reads so much through", path.display()));
        }
        let Copy { bytes, rows: [danmaku, gifts, ..], .. } = quick_check(path)?;
        let size = megabytes(bytes);
        Ok(format!("{}: {size:.1} MB, whole, {danmaku} chat lines, {gifts} gifts", path.display()))
    });
    match found {
        Ok(found) => good("database", found),
        Err(error) => bad(
            "database",
            format_args!("{:#}", anyhow::Error::from(error)),
            "restore a backup (restore FILE), or move the file away to begin with a new one",
        ),
    }
}

async fn of_live_store(settings: &Settings) -> Finding {
    let Some(url) = &settings.redis else {
        return good("live store", "embedded; no Redis is needed");
    };
    let mend = "start the Redis server, check address, password and database number in --redis; or leave it out";
    let store = match RedisStore::connect(url, RedisOptions::default()) {
        Ok(store) => store,
        Err(error) => return bad("live store", error, mend),
    };
    match within("the Redis server", store.status()).await {
        Ok(status) => {
            let version = status.version.unwrap_or_else(|| "?".to_owned());
            let found = format!("Redis {version}, {:.1} ms, {} events wait", status.ping_ms, status.backlog);
            match version.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
                Some(..6) => bad("live store", found, "use Redis 6 or later"),
                _ => good("live store", found),
            }
        }
        Err(why) => bad("live store", why, mend),
    }
}

/// Our clock against the `Date` of Bilibili's answer, halfway through the asking.
async fn of_clock(settings: &Settings) -> Finding {
    let mend = "check the network and a proxy's settings; the clock is not compared";
    let before = (unix_ms(), Instant::now());
    let theirs = match within("Bilibili", date_of(settings)).await {
        Ok(theirs) => theirs,
        Err(why) => return warning("clock", why, mend),
    };
    // A `Date` has whole seconds.
    let ours = before.0 + i64::try_from(before.1.elapsed().as_millis() / 2).unwrap_or(0);
    off_by(ours - theirs - 500)
}

fn off_by(off_ms: i64) -> Finding {
    let found = format!("{:+.1} s against Bilibili's", off_ms as f64 / 1000.0);
    let mend = "set this machine's clock by the network (NTP)";
    if off_ms.saturating_abs() <= CLOCK_OFF_MS {
        good("clock", found)
    } else if off_ms.saturating_abs() <= CLOCK_WRONG_MS {
        warning("clock", found, mend)
    } else {
        bad("clock", found, mend)
    }
}

async fn date_of(settings: &Settings) -> anyhow::Result<i64> {
    let tls = tls::client_config(&settings.extra_roots.anchors);
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(PATIENCE).build()?;
    let address = settings.upstream.as_ref().map_or("https://api.live.bilibili.com/", |rig| rig.as_str());
    let answer = client.get(address).send().await?;
    let date = answer.headers().get("Date").and_then(|date| date.to_str().ok()).unwrap_or_default();
    Ok(DateTime::parse_from_rfc2822(date)
        .map_err(|_| anyhow::anyhow!("the answer has no Date that can be read: {date:?}"))?
        .timestamp_millis())
}

/// Finding a room, a ticket (device cookies, keys, signature) and one connection: what every room does.
async fn of_bilibili(settings: &Settings) -> Vec<Finding> {
    let away = "check the network, a firewall and a proxy's settings; rooms wait and come back by themselves";
    let upstream: Arc<dyn Upstream> = match Bilibili::new(settings.upstream.as_ref(), &manners(settings)) {
        Ok(upstream) => Arc::new(upstream),
        Err(error) => return vec![bad("Bilibili", error, "see the limits of this user and this machine")],
    };
    let named = settings.rooms.first().copied().unwrap_or(SOME_ROOM);
    let mut mend = away;
    let resolved = upstream.resolve(named).map_err(|error| {
        mend = unusable(&error).unwrap_or(away);
        error
    });
    let info = match within("a room", resolved).await {
        Ok(info) => info,
        Err(why) => return vec![warning("room", why, mend)],
    };
    let mut findings = vec![good("room", format_args!("{named} is room {} ({})", info.room_id, info.uname))];
    let mut pass = match within("a ticket", upstream.pass(info.room_id)).await {
        Ok(pass) => pass,
        Err(why) => {
            let mend =
                "asked too often or not trusted: wait some minutes, connect more slowly, or sign in with `login`";
            findings.push(warning("ticket", why, mend));
            return findings;
        }
    };
    let who =
        if pass.ticket.auth.uid.0 == 0 { "a visitor: names and numbers of viewers come masked" } else { "signed in" };
    findings.push(good("ticket", format_args!("{} stream hosts, {who}", pass.ticket.hosts.len())));
    let Some(host) = pass.ticket.hosts.first() else { return findings };
    findings.push(match within("the stream", upstream.dial(&pass, host)).await {
        Ok(_) => good("stream", "connected"),
        Err(why) => warning("stream", why, away),
    });
    // Nothing was shown, so nothing is to be concluded from it.
    pass.is_done();
    findings
}

/// What to do about a room of which Bilibili itself says that it cannot be watched.
fn unusable(error: &AskError) -> Option<&'static str> {
    match error {
        AskError::NoSuchRoom(_) => Some("check the number or the link that --rooms names"),
        AskError::Unusable { .. } => Some("name another room with --rooms"),
        _ => None,
    }
}

/// The answer, or why there is none, in words.
async fn within<T, E: Into<anyhow::Error>>(what: &str, asked: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| format!("{:#}", error.into())),
        Err(_) => Err(format!("no answer about {what} within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_off_a_little_and_not_much() {
        for (off_ms, expected) in [
            (0, Verdict::Good),
            (-5_000, Verdict::Good),
            (5_001, Verdict::Warning),
            (-300_000, Verdict::Warning),
            (300_001, Verdict::Bad),
            (i64::MIN, Verdict::Bad),
        ] {
            assert_eq!(off_by(off_ms).verdict, expected, "{off_ms}");
        }
    }

    #[test]
    fn a_folder_and_a_database_that_cannot_be_used_are_bad_and_say_how_to_mend_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(of_folder(&folder.path().join("new")).verdict, Verdict::Good);
        assert_eq!(of_database(&folder.path().join("live.db"), 0).verdict, Verdict::Good);
        let file = folder.path().join("file");
        std::fs::write(&file, "this is no database, and no folder").unwrap();
        for finding in [of_folder(&file), of_database(&file, 0), of_database(&file, READ_THROUGH_MAX)] {
            assert_eq!(finding.verdict, Verdict::Bad, "{finding:?}");
            assert!(finding.found.contains("file") && finding.mend.is_some(), "{finding:?}");
        }
    }

    #[test]
    fn a_history_is_read_through_as_long_as_that_does_not_take_minutes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("live.db");
        drop(crate::store::sqlite::Database::open(&path).unwrap());
        for (read_max, said) in [(READ_THROUGH_MAX, "whole, 0 chat lines, 0 gifts"), (0, "only backup reads so much")] {
            let finding = of_database(&path, read_max);
            assert_eq!(finding.verdict, Verdict::Good, "{finding:?}");
            assert!(finding.found.contains(said), "{finding:?}");
        }
    }
}
