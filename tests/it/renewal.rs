//! Renewing an account's cookies takes five calls: whatever moment the program dies in, the next start has a login.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    eventually,
    fake::unix_ms,
    login::{accounts, cookie, kept, log_in, secrets},
    monitor::{Monitor, Setup},
    same,
    simulator::Simulator,
};

/// Long enough that the program is dead before.
const LATE_MS: u64 = 8000;

/// A moment in the renewal, held still by the simulator.
struct Moment {
    /// The call that is under way.
    call: &'static str,
    /// Bilibili has done what it asks for, and the answer is not here yet.
    done: bool,
    /// Logins that Bilibili takes then: with the new one not confirmed both are good.
    logins: usize,
    /// Whether the login that works in the end is another one than before.
    is_new: bool,
}

/// The logins that the simulator takes of somebody.
async fn good_logins(simulator: &Simulator, uid: u64) -> Vec<Value> {
    let who = simulator.ask("accounts").await;
    let users = who["users"].as_array().expect("is a list");
    let user = users.iter().find(|user| user["uid"] == uid).expect("is there");
    user["logins"].as_array().cloned().unwrap_or_default()
}

/// Waits until the account was looked at since then, is settled, works and watches its room.
async fn is_well(monitor: &Monitor, simulator: &Simulator, uid: u64, room: u64, since_ms: i64) {
    let folder = monitor.setup().folder().join("data");
    eventually("the account works and nothing about it is open", async || {
        let account = kept(&folder);
        same(account["before_renewal"].is_null(), true)?;
        same(account["logged_out"].is_null(), true)?;
        let sessdata = cookie(&account, "SESSDATA");
        let is_good = good_logins(simulator, uid).await.iter().any(|login| login["sessdata"] == sessdata);
        same(is_good, true).map_err(|_| "its cookies are worth nothing".to_owned())?;
        let told = accounts(monitor).await["accounts"][0].take();
        same((&told["state"], &told["rooms"]), (&json!("ok"), &json!([room])))?;
        same(told["checked_ms"].as_i64() >= Some(since_ms), true).map_err(|_| "nobody looked at it yet".to_owned())?;
        same(monitor.room(room).await.unwrap_or_default()["state"].clone(), json!("live"))
    })
    .await;
}

#[tokio::test]
async fn a_program_that_is_killed_between_any_two_steps_of_a_renewal_has_a_login_that_works_when_it_starts_again() {
    let simulator = Simulator::start(1, 0.0).await;
    let room = simulator.rooms(1).await[0];
    for moment in [
        Moment { call: "correspond", done: false, logins: 1, is_new: true },
        Moment { call: "cookie/refresh", done: false, logins: 1, is_new: true },
        // The new login was made and nobody was told: the old one is still good, and it is the one that is used.
        Moment { call: "cookie/refresh", done: true, logins: 2, is_new: false },
        Moment { call: "confirm/refresh", done: false, logins: 2, is_new: true },
        Moment { call: "confirm/refresh", done: true, logins: 1, is_new: true },
    ] {
        let Moment { call, done, logins, is_new } = moment;
        let who = simulator.tell("accounts", json!({"name": format!("{call}{done}")})).await;
        let uid = who["uid"].as_u64().expect("a number");
        let setup = Setup::new().with(&["--upstream", simulator.url(), "--rooms", &room.to_string()]);
        let folder = setup.folder().join("data");
        log_in(&simulator, &folder, Some(uid)).await;
        let before = secrets(&folder);
        simulator.tell(&format!("account/{uid}"), json!({"should_refresh": true})).await;
        let late = if done { "answer_delay_ms" } else { "delay_ms" };
        simulator.tell("faults/refuse", json!({"call": call, "times": 1, late: LATE_MS})).await;
        let asked = async || simulator.ask("calls").await["calls"][call].as_u64().unwrap_or(0);
        let already = asked().await;

        let mut monitor = setup.start().await;
        eventually(&format!("{call} is under way"), async || {
            same((asked().await > already, good_logins(&simulator, uid).await.len()), (true, logins))
        })
        .await;
        monitor.kill_9();
        drop(monitor);

        let since_ms = unix_ms();
        let monitor = setup.start().await;
        is_well(&monitor, &simulator, uid, room, since_ms).await;
        eventually(&format!("killed in {call} (done: {done}), it ends with the login it should"), async || {
            same(secrets(&folder) != before, is_new)
        })
        .await;
        is_well(&monitor, &simulator, uid, room, since_ms).await;
        let left = fs::read_to_string(folder.join("accounts.json")).expect("is kept");
        assert!(!is_new || !before.iter().any(|secret| left.contains(secret)), "nothing is left of the old login");
        drop(monitor);
    }
}
