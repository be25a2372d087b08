//! A Redis server of one's own, on a free port, in its own folder.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
};

use deadpool_redis::redis::{Client, Connection};
use tempfile::TempDir;

use super::eventually;

pub struct RedisServer {
    process: Child,
    url: String,
    port: u16,
    folder: TempDir,
    keeping: &'static str,
}

impl RedisServer {
    /// Starts one and waits until it answers.
    pub async fn start() -> RedisServer {
        RedisServer::start_on(free_port()).await
    }

    /// Starts one on that port.
    pub async fn start_on(port: u16) -> RedisServer {
        RedisServer::ready(port, tempfile::tempdir().expect("a temporary folder"), "no").await
    }

    /// Starts one that knows after a restart what it knew before.
    pub async fn start_keeping() -> RedisServer {
        RedisServer::ready(free_port(), tempfile::tempdir().expect("a temporary folder"), "yes").await
    }

    /// Kills it, and gives back what is needed to start it again as it was.
    pub fn kill_9(mut self) -> StoppedRedis {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a temporary folder"));
        StoppedRedis { port: self.port, folder, keeping: self.keeping }
    }

    async fn ready(port: u16, folder: TempDir, keeping: &'static str) -> RedisServer {
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", keeping])
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server cannot be started: run tests/run, it installs what the tests need");
        let server = RedisServer { process, url: format!("redis://127.0.0.1:{port}"), port, folder, keeping };
        // It answers that it is loading before it can be used.
        eventually("Redis answers", async || {
            let mut connection = server.try_open()?;
            deadpool_redis::redis::cmd("DBSIZE").query::<u64>(&mut connection).map_err(|error| error.to_string())
        })
        .await;
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connection to look inside.
    pub fn open(&self) -> Connection {
        self.try_open().expect("Redis answers")
    }

    /// Stops it in its tracks (`STOP`), or lets it go on (`CONT`).
    pub fn signal(&self, name: &str) {
        let kill = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.process.id())).status();
        assert!(kill.is_ok_and(|status| status.success()), "SIG{name} cannot be sent");
    }

    fn try_open(&self) -> Result<Connection, String> {
        let client = Client::open(self.url()).map_err(|error| error.to_string())?;
        client.get_connection().map_err(|error| error.to_string())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server that was killed, with what it has written.
pub struct StoppedRedis {
    port: u16,
    folder: TempDir,
    keeping: &'static str,
}

impl StoppedRedis {
    /// Starts it again.
    pub async fn start(self) -> RedisServer {
        RedisServer::ready(self.port, self.folder, self.keeping).await
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
