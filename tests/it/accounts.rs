//! Accounts against the simulator: logging in, in the terminal and on the page; what an account is used for; what
//! shows when it is gone; and that what must stay secret does.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    eventually,
    login::{accounts, kept, log_in, secrets},
    monitor::Setup,
    same, shown,
    simulator::Simulator,
};

#[tokio::test]
async fn an_account_logged_in_at_the_terminal_watches_the_rooms_until_it_is_logged_out_and_its_secrets_stay_secret() {
    let simulator = Simulator::start(3, 0.0).await;
    let room = simulator.rooms(1).await[0];
    let setup = Setup::new().with(&["--upstream", simulator.url(), "--log", "trace", "--rooms", &room.to_string()]);
    let folder = setup.folder().join("data");
    let said = log_in(&simulator, &folder, None).await;
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
    let health = monitor.data("/live/api/health/").await["upstream"].take();
    assert_eq!((&health["accounts"][0]["rooms"], &health["visitor"]["rooms"]), (&json!(1), &json!(0)), "{health}");
    assert!(!health.to_string().contains(&uid.to_string()), "whose account it is stands on the system page: {health}");

    let caveat = async || {
        let page = monitor.page("/live/?lang=en").await;
        page.split("data-f=\"caveat\"").nth(1).and_then(|rest| rest.split("</p>").next()).map(str::to_owned)
    };
    assert_eq!(caveat().await.as_deref(), Some(" hidden>"), "with an account nothing is withheld");

    // Its cookies die: that shows, and the room is watched by a visitor.
    simulator.tell(&format!("account/{uid}/log_out"), json!({})).await;
    simulator.tell("tokens/revoke", json!({})).await;
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

    let told = caveat().await.unwrap_or_default();
    assert!(told.starts_with('>') && told.contains("Anonymous"), "the room's card says what a visitor misses: {told}");

    let shown = shown::everything(&monitor, &[room]).await + said.as_str();
    for secret in &secrets {
        shown::has_no(&shown, secret);
    }
    let (status, _) =
        monitor.administrate(Method::DELETE, &format!("/live/api/admin/accounts/{uid}/"), json!({})).await;
    assert_eq!(status, 200);
    let file = fs::read_to_string(folder.join("accounts.json")).expect("is kept");
    assert!(!secrets.iter().any(|secret| file.contains(secret)), "forgotten is forgotten");
    assert_eq!(monitor.fetch("/live/api/admin/accounts/").await.0, 401);
}

#[tokio::test]
async fn cookies_that_want_to_be_renewed_are_and_the_room_comes_again_with_them() {
    let simulator = Simulator::start(3, 0.0).await;
    let room = simulator.rooms(1).await[0];
    let setup = Setup::new().with(&["--upstream", simulator.url(), "--rooms", &room.to_string()]);
    let folder = setup.folder().join("data");
    log_in(&simulator, &folder, None).await;
    let before = secrets(&folder);
    let who = simulator.ask("accounts").await;
    let uid = who["users"][0]["uid"].clone();
    simulator.tell(&format!("account/{uid}"), json!({"should_refresh": true})).await;
    let monitor = setup.start().await;
    eventually("the cookies are new and confirmed", async || {
        let settled = kept(&folder)["before_renewal"].is_null();
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
    let simulator = Simulator::start(3, 0.0).await;
    let monitor = Setup::new().with(&["--upstream", simulator.url()]).start().await;
    let browser = Browser::open(monitor.url()).await;
    browser.sign_in().await;
    let begin = "form[action='/live/admin/accounts/login'] button";
    let state = |state: &str| format!("document.getElementById('login')?.dataset.state === '{state}'");
    browser.wait("the accounts are there", &format!("!!document.querySelector(\"{begin}\")")).await;

    browser.click(begin).await;
    browser.wait("a code is drawn", "!!document.querySelector('#login svg path')").await;
    simulator.tell("qr/expire", json!({})).await;
    browser.wait("it says that it has expired", &state("expired")).await;

    browser.click(begin).await;
    browser.wait("another code is drawn", &state("waiting")).await;
    simulator.tell("qr/scan", json!({})).await;
    browser.wait("it says that it was scanned", &state("scanned")).await;
    simulator.tell("qr/confirm", json!({})).await;
    browser.wait("the account is on the list", "!!document.querySelector('[data-account-state=ok]')").await;
    let kept = accounts(&monitor).await;
    assert_eq!(kept["accounts"].as_array().map(Vec::len), Some(1), "{kept}");
}

#[tokio::test]
async fn more_logins_at_once_than_one_person_makes_are_refused_and_not_blamed_on_bilibili() {
    let simulator = Simulator::start(3, 0.0).await;
    let monitor = Setup::new().with(&["--upstream", simulator.url()]).start().await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        let (status, said) = monitor.administrate(Method::POST, "/live/api/admin/accounts/login/", json!({})).await;
        answers.push((status, said["code"].clone()));
    }
    let begun = (201, Value::Null);
    assert_eq!(answers, [begun.clone(), begun.clone(), begun, (429, json!("too_many_logins"))]);
}
