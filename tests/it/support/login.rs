//! Logging an account in, in a terminal, and what is kept of it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{ChildStdout, Command, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};

use super::{monitor::Monitor, simulator::Simulator};

/// `login` in a terminal, confirmed on the phone of this person or of the first there is; everything it said.
pub async fn log_in(simulator: &Simulator, folder: &Path, uid: Option<u64>) -> String {
    let mut login = Command::new(env!("CARGO_BIN_EXE_bilibili-live-monitor"))
        .args(["login", "--upstream", simulator.url(), "--data-dir"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let mut output = BufReader::new(login.stdout.take().expect("stdout is piped"));
    let mut said = String::new();
    read_until(&mut output, &mut said, "scan it");
    simulator.tell("qr/scan", json!({ "uid": uid })).await;
    read_until(&mut output, &mut said, "scanned");
    simulator.tell("qr/confirm", json!({})).await;
    read_until(&mut output, &mut said, "kept in");
    assert!(login.wait().expect("it ends").success(), "{said}");
    said
}

fn read_until(output: &mut BufReader<ChildStdout>, said: &mut String, wanted: &str) {
    let begin = said.len();
    while !said[begin..].contains(wanted) {
        assert_ne!(output.read_line(said).expect("it can be read"), 0, "it ended after {said}");
    }
}

/// The first account as it is kept in the folder, secrets and all.
pub fn kept(folder: &Path) -> Value {
    let file = fs::read(folder.join("accounts.json")).expect("is kept");
    let mut kept: Value = serde_json::from_slice(&file).expect("is JSON");
    kept["accounts"][0].take()
}

/// One of its cookies.
pub fn cookie(account: &Value, name: &str) -> String {
    let cookies = account["cookies"].as_array().expect("is a list");
    let cookie = cookies.iter().find(|cookie| cookie[0] == name).expect("the cookie is kept");
    cookie[1].as_str().expect("is text").to_owned()
}

/// Everything of an account that nobody may see: a token and two cookies.
pub fn secrets(folder: &Path) -> Vec<String> {
    let account = kept(folder);
    let token = account["refresh_token"].as_str().expect("is text").to_owned();
    vec![token, cookie(&account, "SESSDATA"), cookie(&account, "bili_jct")]
}

/// What the program says of its accounts.
pub async fn accounts(monitor: &Monitor) -> Value {
    let (status, mut body) = monitor.administrate(Method::GET, "/live/api/admin/accounts/", json!({})).await;
    assert_eq!(status, 200, "{body}");
    body["data"].take()
}
