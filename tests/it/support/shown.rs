//! Everything the program shows to anybody: pages, answers, logs, and the file for whoever helps.

use std::{fmt::Write as _, fs};

use reqwest::Method;
use serde_json::json;

use super::monitor::Monitor;

/// All of it, as one text. What only the administrator sees is in it as well.
pub async fn everything(monitor: &Monitor, rooms: &[u64]) -> String {
    let mut shown = monitor.stdout().join("\n") + monitor.setup().stderr().as_str();
    let logs = fs::read_dir(monitor.setup().folder().join("data/logs")).into_iter().flatten();
    for log in logs.map_while(Result::ok) {
        shown += fs::read_to_string(log.path()).unwrap_or_default().as_str();
    }
    let mut paths: Vec<String> = [
        "/live/",
        "/live/dashboard/",
        "/live/danmaku/",
        "/live/charts/",
        "/live/debug/",
        "/live/admin/",
        "/live/api/rooms/",
        "/live/api/system/stats/",
        "/live/api/redis/status/",
        "/live/api/danmaku-browser/",
        "/live/api/health/",
        "/live/api/ledger/",
        "/live/api/admin/accounts/",
        "/live/api/admin/diagnostics/",
        "/live/api/openapi.json",
        "/healthz",
        "/readyz",
        "/metrics",
    ]
    .map(str::to_owned)
    .into();
    for room in rooms {
        paths.push(format!("/live/room/{room}/"));
        let lists = ["stats", "danmaku", "gifts", "superchats", "guards", "trend", "gaps"];
        paths.extend(lists.map(|list| format!("/live/api/room/{room}/{list}/")));
    }
    for path in paths {
        let (status, answer) = monitor.administrate(Method::GET, &path, json!({})).await;
        assert_eq!(status, 200, "{path}: {answer}");
        // JSON escapes what a text has, so what is text is taken as it is.
        match answer.as_str() {
            Some(text) => shown += text,
            None => write!(shown, "{answer}").expect("a text can always be written to"),
        }
    }
    shown
}

/// Fails if the secret is in it, as it is or in hexadecimal digits, without writing it anywhere.
pub fn has_no(shown: &str, secret: &str) {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for form in [secret, hex.as_str()] {
        if let Some(at) = shown.find(form) {
            let line = shown[..at].rfind('\n').map_or(0, |at| at + 1);
            panic!("a secret of {} characters is shown behind {:?}", secret.len(), &shown[line..at]);
        }
    }
}
