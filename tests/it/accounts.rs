//! Accounts against the simulator: logging in, in the terminal and on the page; what an account is used for; what
//! shows when it is gone; and that what must stay secret does.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    eventually,
    monitor::{Monitor, PASSWORD, Setup, install_provider},
    same,
};

/// The simulator, as a person starts it; ends when dropped.
struct Simulated {
    process: Child,
    url: String,
    /// Left open: it has more to say, and would not survive that nobody takes it.
    _output: BufReader<ChildStdout>,
}

impl Simulated {
    fn start() -> Simulated {
        // The test itself asks the simulator, before any program of ours is started.
        install_provider();
        let mut process =
            program().args(["simulate", "--rooms", "3", "--pace", "0"]).spawn().expect("it can be started");
        let mut output = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut said = String::new();
        read_until(&mut output, &mut said, "simulator on ");
        let url = said.trim().trim_start_matches("simulator on ").to_owned();
        Simulated { process, url, _output: output }
    }

    async fn tell(&self, path: &str, body: Value) -> Value {
        let answer = reqwest::Client::new().post(format!("{}/sim/{path}", self.url)).json(&body).send().await;
        let answer = answer.expect("the simulator answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    async fn rooms(&self) -> Vec<u64> {
        let books: Value =
            reqwest::get(format!("{}/sim/books", self.url)).await.expect("it answers").json().await.expect("JSON");
        let numbers = books["rooms"].as_object().expect("rooms by number");
        numbers.keys().filter_map(|number| number.parse().ok()).collect()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bilibili-live-monitor"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `login` in a terminal, confirmed on the phone; everything it said.
async fn log_in(simulated: &Simulated, folder: &Path) -> String {
    let mut login =
        program().args(["login", "--upstream", &simulated.url, "--data-dir"]).arg(folder).spawn().expect("starts");
    let mut output = BufReader::new(login.stdout.take().expect("stdout is piped"));
    let mut said = String::new();
    read_until(&mut output, &mut said, "scan it");
    simulated.tell("qr/scan", json!({})).await;
    read_until(&mut output, &mut said, "scanned");
    simulated.tell("qr/confirm", json!({})).await;
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

/// Everything of an account that nobody may see.
fn secrets(folder: &Path) -> Vec<String> {
    let kept: Value =
        serde_json::from_slice(&fs::read(folder.join("accounts.json")).expect("is kept")).expect("is JSON");
    let account = &kept["accounts"][0];
    let mut secrets = vec![account["refresh_token"].as_str().expect("is text").to_owned()];
    for cookie in account["cookies"].as_array().expect("is a list") {
        if matches!(cookie[0].as_str(), Some("SESSDATA" | "bili_jct")) {
            secrets.push(cookie[1].as_str().expect("is text").to_owned());
        }
    }
    assert_eq!(secrets.len(), 3, "a token and two cookies");
    secrets
}

async fn accounts(monitor: &Monitor) -> Value {
    let (status, mut body) = monitor.administrate(Method::GET, "/live/api/admin/accounts/", json!({})).await;
    assert_eq!(status, 200, "{body}");
    body["data"].take()
}

#[tokio::test]
async fn an_account_logged_in_at_the_terminal_watches_the_rooms_until_it_is_logged_out_and_its_secrets_stay_secret() {
    let simulated = Simulated::start();
    let rooms = simulated.rooms().await;
    let room = rooms[0];
    let setup = Setup::new().with(&["--upstream", &simulated.url, "--log", "debug", "--rooms", &room.to_string()]);
    let folder = setup.folder().join("data");
    let said = log_in(&simulated, &folder).await;
    let secrets = secrets(&folder);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.join("accounts.json")).expect("is kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "only its owner may read it");
    }

    let monitor = setup.start().await;
    monitor.wait_for_state(room, "live").await;
    let kept = accounts(&monitor).await;
    let (uid, name) = (kept["accounts"][0]["uid"].clone(), kept["accounts"][0]["name"].clone());
    assert_eq!(
        (&kept["accounts"][0]["state"], &kept["accounts"][0]["rooms"]),
        (&json!("ok"), &json!([room])),
        "{kept}"
    );
    assert_eq!(monitor.room(room).await.expect("is there")["account"], name);

    // Its cookies die: that shows, and the room is watched by a visitor.
    simulated.tell(&format!("account/{uid}/log_out"), json!({})).await;
    simulated.tell("tokens/revoke", json!({})).await;
    let (status, _) =
        monitor.administrate(Method::POST, &format!("/live/api/admin/rooms/{room}/restart/"), json!({})).await;
    assert_eq!(status, 200);
    eventually("the account is called logged out", async || {
        same(accounts(&monitor).await["accounts"][0]["state"].clone(), json!("logged_out"))
    })
    .await;
    eventually("a visitor watches the room", async || {
        let entry = monitor.room(room).await.unwrap_or_default();
        same((entry["state"].clone(), entry["account"].clone()), (json!("live"), json!("anonymous")))
    })
    .await;

    let mut shown = vec![said, monitor.setup().stderr(), accounts(&monitor).await.to_string()];
    for path in ["/live/", "/live/debug/", "/live/api/health/", "/live/api/rooms/", "/live/api/ledger/"] {
        shown.push(monitor.page(path).await);
    }
    for log in fs::read_dir(folder.join("logs")).into_iter().flatten().map_while(Result::ok) {
        shown.push(fs::read_to_string(log.path()).unwrap_or_default());
    }
    for secret in &secrets {
        assert!(!shown.iter().any(|text| text.contains(secret)), "a secret of the account is shown");
    }
    let (status, _) =
        monitor.administrate(Method::DELETE, &format!("/live/api/admin/accounts/{uid}/"), json!({})).await;
    assert_eq!(status, 200);
    let kept = fs::read_to_string(folder.join("accounts.json")).expect("is kept");
    assert!(!secrets.iter().any(|secret| kept.contains(secret)), "forgotten is forgotten");
    assert_eq!(monitor.fetch("/live/api/admin/accounts/").await.0, 401);
}

#[tokio::test]
async fn cookies_that_want_to_be_renewed_are_and_the_room_comes_again_with_them() {
    let simulated = Simulated::start();
    let room = simulated.rooms().await[0];
    let setup = Setup::new().with(&["--upstream", &simulated.url, "--rooms", &room.to_string()]);
    let folder = setup.folder().join("data");
    log_in(&simulated, &folder).await;
    let before = secrets(&folder);
    let who: Value =
        reqwest::get(format!("{}/sim/accounts", simulated.url)).await.expect("answers").json().await.expect("JSON");
    let uid = who["users"][0]["uid"].clone();
    simulated.tell(&format!("account/{uid}"), json!({"should_refresh": true})).await;
    let monitor = setup.start().await;
    eventually("the cookies are new and confirmed", async || {
        let kept: Value =
            serde_json::from_slice(&fs::read(folder.join("accounts.json")).unwrap_or_default()).unwrap_or_default();
        let settled = kept["accounts"][0]["before_renewal"].is_null();
        if settled && secrets(&folder) != before { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    monitor.wait_for_state(room, "live").await;
    eventually("the account is still the one that watches", async || {
        let kept = accounts(&monitor).await;
        same((kept["accounts"][0]["state"].clone(), kept["accounts"][0]["rooms"].clone()), (json!("ok"), json!([room])))
    })
    .await;
}

#[tokio::test]
async fn on_the_page_a_login_is_shown_as_it_goes_and_an_expired_one_says_so() {
    let simulated = Simulated::start();
    let monitor = Setup::new().with(&["--upstream", &simulated.url]).start().await;
    let browser = Browser::open(monitor.url()).await;
    browser.goto("/live/admin/").await;
    browser.type_into("input[name=password]", PASSWORD).await;
    browser.click("form[action='/live/admin/sign-in'] button").await;
    let begin = "form[action='/live/admin/accounts/login'] button";
    let state = |state: &str| format!("document.getElementById('login')?.dataset.state === '{state}'");
    browser.wait("the accounts are there", &format!("!!document.querySelector(\"{begin}\")")).await;

    browser.click(begin).await;
    browser.wait("a code is drawn", "!!document.querySelector('#login svg path')").await;
    simulated.tell("qr/expire", json!({})).await;
    browser.wait("it says that it has expired", &state("expired")).await;

    browser.click(begin).await;
    browser.wait("another code is drawn", &state("waiting")).await;
    simulated.tell("qr/scan", json!({})).await;
    browser.wait("it says that it was scanned", &state("scanned")).await;
    simulated.tell("qr/confirm", json!({})).await;
    browser.wait("the account is on the list", "!!document.querySelector('[data-account-state=ok]')").await;
    let kept = accounts(&monitor).await;
    assert_eq!(kept["accounts"].as_array().map(Vec::len), Some(1), "{kept}");
}
