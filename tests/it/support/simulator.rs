//! The simulator from outside: `simulate` as a process of its own, switched by JSON under `/sim/`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::{
    eventually,
    monitor::{Setup, install_provider},
};

/// A running simulator; killed when dropped.
pub struct Simulator {
    process: Child,
    url: String,
    client: Client,
}

impl Simulator {
    /// With that many rooms and that much life in them; at 0 nothing happens but what is asked for.
    pub async fn start(rooms: usize, pace: f64) -> Simulator {
        install_provider();
        let mut process = Command::new(env!("CARGO_BIN_EXE_bilibili-live-monitor"))
            .args(["simulate", "--rooms", &rooms.to_string(), "--pace", &pace.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the simulator can be started");
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let reader = BufReader::new(process.stdout.take().expect("stdout is piped"));
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix("simulator on ") {
                    // Nobody may listen any more.
                    let _ = tell.send(url.to_owned());
                }
            }
        });
        let url = told.recv().await.expect("the simulator says where it is");
        Simulator { process, url, client: Client::new() }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The program, watching these rooms.
    pub fn watched(&self, rooms: &[u64]) -> Setup {
        let rooms: Vec<String> = rooms.iter().map(u64::to_string).collect();
        Setup::new().with(&["--upstream", &self.url, "--rooms", &rooms.join(",")])
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.request(method, format!("{}/sim/{path}", self.url)).json(body);
        let answer = request.send().await.expect("the simulator answers");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// What it says about itself.
    pub async fn ask(&self, path: &str) -> Value {
        self.call(Method::GET, path, &Value::Null).await.1
    }

    /// Makes something happen.
    pub async fn tell(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, &body).await;
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer
    }

    /// The long numbers of the first rooms.
    pub async fn rooms(&self, count: usize) -> Vec<u64> {
        let state = self.ask("state").await;
        let rooms = state["rooms"].as_array().into_iter().flatten();
        rooms.filter_map(|room| room["room_id"].as_u64()).take(count).collect()
    }

    /// Waits until so many connections are open.
    pub async fn wait_for_connections(&self, count: usize) {
        eventually(&format!("{count} connections are open"), async || {
            let open = &self.ask("state").await["connections"];
            if *open == json!(count) { Ok(()) } else { Err(open.to_string()) }
        })
        .await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
