//! The program in a process of its own, and what the system says of that.

use std::{
    fmt,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// What the program has in flight may take this long to arrive.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// Ticks a second in `/proc/PID/stat`, on every Linux.
const TICKS: f64 = 100.0;

/// The running program; killed when dropped.
pub struct Monitor {
    process: Child,
    url: String,
    folder: TempDir,
}

/// What the ledger says in the end.
pub struct Ledger {
    pub received: u64,
    pub stored: u64,
    pub balanced: bool,
    whole: Value,
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.whole.fmt(f)
    }
}

impl Monitor {
    /// Starts it with these options over a copy of this history, watching these rooms, and waits until it listens.
    pub async fn start(upstream: &str, rooms: &[u64], history: Option<&Path>, args: &[String]) -> Monitor {
        let folder = tempfile::Builder::new().prefix("blm-load-").tempdir().expect("a temporary folder");
        let config = folder.path().join("config.json");
        fs::write(&config, json!({"room_ids": rooms}).to_string()).expect("a file");
        if let Some(history) = history {
            fs::create_dir(folder.path().join("data")).expect("a folder");
            fs::copy(history, folder.path().join("data/live.db")).expect("a copy of the history");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_bilibili-live-monitor"));
        command
            .args(["--listen", "127.0.0.1:0", "--upstream", upstream, "--log", "warn", "--data-dir"])
            .arg(folder.path().join("data"))
            .arg("--config")
            .arg(config)
            .args(["--calls-per-second", "10000"])
            .args(args);
        let stderr = File::create(folder.path().join("stderr.txt")).expect("a file for stderr");
        let mut process = command
            .env("BLM_ADMIN_PASSWORD", "of the load tool")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program can be started");
        let stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let (send, listening) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut send = Some(send);
            // Read to the end, so that the program never writes into a closed pipe.
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix("listening on ")
                    && let Some(send) = send.take()
                {
                    // Nobody may wait any more.
                    let _ = send.send(url.to_owned());
                }
            }
        });
        let mut monitor = Monitor { process, url: String::new(), folder };
        monitor.url = listening.await.unwrap_or_else(|_| panic!("the program ended: {}", monitor.stderr()));
        monitor
    }

    /// Where its pages are.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The history.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("data/live.db")
    }

    /// What it complained about, at most a screen of it.
    pub fn stderr(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("stderr.txt")).unwrap_or_default();
        text.lines().take(40).collect::<Vec<_>>().join("\n")
    }

    /// CPU time it used so far, in user and kernel.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("the program runs");
        // Behind the name, which may hold anything: state is the 3rd field, utime the 14th, stime the 15th.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: f64 = [11, 12].iter().map(|at| fields[*at].parse().unwrap_or(0.0)).sum();
        Duration::from_secs_f64(ticks / TICKS)
    }

    /// Bytes of memory it holds.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("the program runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says it");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Waits until so many events have arrived somewhere, and for how that was booked.
    pub async fn settled(&self, lines: u64) -> Ledger {
        let deadline = Instant::now() + SETTLED_WITHIN;
        loop {
            let ledger = self.ledger().await;
            let is_settled = ledger.received >= lines && ledger.whole["pending"] == 0;
            if is_settled || Instant::now() > deadline {
                return ledger;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn ledger(&self) -> Ledger {
        let answer = reqwest::get(format!("{}/live/api/ledger/", self.url)).await.expect("the program answers");
        let mut body: Value = serde_json::from_slice(&answer.bytes().await.expect("an answer")).expect("JSON");
        let whole = body["data"]["total"].take();
        let number = |name: &str| whole[name].as_u64().unwrap_or(0);
        let balanced = whole["balanced"] == true;
        Ledger { received: number("received"), stored: number("stored"), balanced, whole }
    }

    /// Asks it to stop, and waits until it did.
    pub async fn stop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        while let Ok(None) = self.process.try_wait() {
            sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
