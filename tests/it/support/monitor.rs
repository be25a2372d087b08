//! The program itself: the real binary, in its own folder, on a free port.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, Once, PoisonError},
    thread,
    time::Duration,
};

use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;

use super::{eventually, fake::FakeBilibili, listener::Listener};

pub const TOKEN: &str = "a-token-for-programs-of-the-tests";
pub const PASSWORD: &str = "a-password-of-the-tests";

/// How the program is to be started.
#[derive(Clone)]
pub struct Setup {
    folder: Arc<TempDir>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    listen: String,
    /// Words before a shell, such as `nsenter` with its arguments.
    within: Vec<String>,
    /// What that shell does before it becomes the program.
    first: Vec<String>,
}

impl Setup {
    /// In a new folder, with no upstream and no rooms.
    pub fn new() -> Setup {
        let folder = tempfile::Builder::new().prefix("blm-test-").tempdir().expect("a temporary folder");
        Setup {
            folder: Arc::new(folder),
            args: Vec::new(),
            env: Vec::new(),
            listen: "127.0.0.1:0".into(),
            within: Vec::new(),
            first: Vec::new(),
        }
    }

    /// Watching rooms of the fake.
    pub fn watching(fake: &FakeBilibili, rooms: &[u64]) -> Setup {
        let setup = Setup::new().with(&["--upstream", fake.url()]);
        if rooms.is_empty() {
            return setup;
        }
        let rooms: Vec<String> = rooms.iter().map(u64::to_string).collect();
        setup.with(&["--rooms", &rooms.join(",")])
    }

    pub fn with(mut self, args: &[&str]) -> Setup {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Setup {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// It may have so many files open.
    pub fn open_files(mut self, most: u32) -> Setup {
        self.first.push(format!("ulimit -n {most}"));
        self
    }

    /// It is started by another program, whose last argument is a command.
    pub fn within(mut self, words: Vec<String>) -> Setup {
        self.within = words;
        self
    }

    pub fn listen(mut self, address: &str) -> Setup {
        self.listen = address.to_owned();
        self
    }

    /// The working folder; its data stand in `data`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn database(&self) -> PathBuf {
        self.folder().join("data/live.db")
    }

    fn spawn(&self) -> Child {
        let stderr = File::options().create(true).append(true).open(self.stderr_path()).expect("a file for stderr");
        let program = env!("CARGO_BIN_EXE_bilibili-live-monitor");
        let script: String = self.first.iter().map(|line| format!("{line} && ")).collect();
        let mut words = self.within.clone();
        words.extend(["sh".to_owned(), "-c".to_owned(), format!("{script}exec \"$0\" \"$@\""), program.to_owned()]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BLM_") {
                command.env_remove(name);
            }
        }
        command
            .args(["--listen", &self.listen, "--data-dir"])
            .arg(self.folder().join("data"))
            .args(&self.args)
            .env("BLM_ADMIN_TOKEN", TOKEN)
            .env("BLM_ADMIN_PASSWORD", PASSWORD)
            // What a program that is killed leaves behind goes with the test.
            .env("TMPDIR", self.folder())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program can be started")
    }

    fn stderr_path(&self) -> PathBuf {
        self.folder().join("stderr.txt")
    }

    /// Everything it wrote to stderr.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.stderr_path()).unwrap_or_default()
    }

    /// Starts it and waits until it listens, or says that a process of its role has nothing to listen on.
    pub async fn start(&self) -> Monitor {
        install_provider();
        let mut process = self.spawn();
        let stdout: Arc<Mutex<Vec<String>>> = Arc::default();
        let reader = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let lines = stdout.clone();
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let mut monitor = Monitor { setup: self.clone(), process, stdout, url: String::new(), client: Client::new() };
        monitor.url = eventually("the program listens", async || {
            if let Ok(Some(status)) = monitor.process.try_wait() {
                panic!("the program ended with {status} instead of listening: {}", self.stderr());
            }
            let stdout = monitor.stdout();
            let url = stdout.iter().find_map(|line| {
                line.strip_prefix("listening on ").or(line.starts_with("running as ").then_some("nowhere"))
            });
            url.map(str::to_owned).ok_or(format!("{stdout:?}, {}", self.stderr()))
        })
        .await;
        monitor
    }

    /// Runs one of its other commands over the same data folder: how it ended, and what it said on both outputs.
    pub fn command(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bilibili-live-monitor"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BLM_") {
                command.env_remove(name);
            }
        }
        let output = command
            .args(words)
            .arg("--data-dir")
            .arg(self.folder().join("data"))
            .args(&self.args)
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .output()
            .expect("the program can be started");
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code(), said.concat())
    }

    /// Starts it where it cannot run: how it ended, and what it said on both outputs.
    pub async fn fail(&self) -> (Option<i32>, String) {
        let mut process = Reaped(self.spawn());
        let status = exit_of(&mut process.0).await;
        let mut said = String::new();
        if let Some(stdout) = process.0.stdout.take() {
            said.extend(BufReader::new(stdout).lines().map_while(Result::ok).map(|line| line + "\n"));
        }
        said.push_str(&self.stderr());
        (status.code(), said)
    }
}

/// A child that does not outlive the test.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn exit_of(process: &mut Child) -> ExitStatus {
    eventually("the program has ended", async || match process.try_wait() {
        Ok(Some(status)) => Ok(status),
        Ok(None) => Err("it still runs".to_owned()),
        Err(error) => Err(error.to_string()),
    })
    .await
}

/// The running program; killed when dropped.
pub struct Monitor {
    setup: Setup,
    process: Child,
    stdout: Arc<Mutex<Vec<String>>>,
    url: String,
    client: Client,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    row: String,
}

impl Monitor {
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).timeout(Duration::from_secs(30))
    }

    /// Status and body of a reading call.
    pub async fn fetch(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    /// `data` of a reading call of the API.
    pub async fn data(&self, path: &str) -> Value {
        let (status, mut body) = self.fetch(path).await;
        assert_eq!((status, &body["success"]), (200, &Value::Bool(true)), "{path} answered {body}");
        body["data"].take()
    }

    /// A page as text.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.request(Method::GET, path).send().await.expect("the program answers");
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.expect("text")
    }

    /// A changing call, with the token of programs.
    pub async fn administrate(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        answer(self.request(method, path).bearer_auth(TOKEN).json(&body)).await
    }

    /// A changing call, with another token or with none.
    pub async fn intrude(&self, method: Method, path: &str, body: Value, token: Option<&str>) -> (u16, Value) {
        let request = self.request(method, path).json(&body);
        answer(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }

    pub async fn add_room(&self, room: &str) -> (u16, Value) {
        self.administrate(Method::POST, "/live/api/admin/rooms/", serde_json::json!({ "room": room })).await
    }

    /// One room's entry in the list of rooms.
    pub async fn room(&self, room: u64) -> Option<Value> {
        let rooms = self.data("/live/api/rooms/?limit=1000").await["rooms"].take();
        let Value::Array(rooms) = rooms else { panic!("rooms is no list: {rooms}") };
        rooms.into_iter().find(|entry| entry["room_id"] == room)
    }

    /// Waits until the list of rooms says that the room is in this state.
    pub async fn wait_for_state(&self, room: u64, state: &str) {
        eventually(&format!("room {room} is {state}"), async || match self.room(room).await {
            Some(entry) if entry["state"] == state => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    /// A push connection.
    pub async fn listen(&self, query: &str) -> Listener {
        Listener::open(&format!("{}/live/ws/{query}", self.url.replacen("http", "ws", 1))).await
    }

    /// Rows of the history: `columns` as one JSON object each.
    pub fn rows(&self, columns: &str, from: &str) -> Vec<Value> {
        rows(&self.setup.database(), columns, from)
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let kill = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.process.id())).status();
        assert!(kill.is_ok_and(|status| status.success()), "SIGTERM cannot be sent");
    }

    /// Waits for the end.
    pub async fn ended(&mut self) -> ExitStatus {
        exit_of(&mut self.process).await
    }

    /// Ends it as a power cut would.
    pub fn kill_9(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("the program answers");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Rows of a SQLite file: `columns` (`name, expression AS name, …`) as one JSON object each.
pub fn rows(database: &Path, columns: &str, from: &str) -> Vec<Value> {
    let mut connection = SqliteConnection::establish(&database.to_string_lossy()).expect("the database can be opened");
    let pragmas = "PRAGMA busy_timeout = 20000; PRAGMA query_only = ON;";
    diesel::connection::SimpleConnection::batch_execute(&mut connection, pragmas).expect("pragmas are taken");
    let pairs: Vec<String> = columns
        .split(", ")
        .map(|column| match column.rsplit_once(" AS ") {
            Some((expression, name)) => format!("'{name}', {expression}"),
            None => format!("'{column}', {column}"),
        })
        .collect();
    let query = format!("SELECT json_object({}) AS row FROM {from}", pairs.join(", "));
    let rows: Vec<Row> = sql_query(&query).load(&mut connection).unwrap_or_else(|error| panic!("{query}: {error}"));
    rows.iter().map(|row| serde_json::from_str(&row.row).expect("SQLite writes JSON")).collect()
}

/// The first TLS use panics without one, and plain tests would never notice.
pub fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

impl Drop for Monitor {
    #[expect(clippy::print_stderr, reason = "whoever reads the failed test wants to know what the program said")]
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            let stderr = self.setup.stderr();
            let lines: Vec<&str> = stderr.lines().collect();
            let tail = &lines[lines.len().saturating_sub(80)..];
            eprintln!("--- the program's last words ---\n{}\n--- end ---", tail.join("\n"));
        }
    }
}
