//! Accounts through the doors: login by QR code, refresh, logout, and what a login changes elsewhere.

use reqwest::{Response, header::SET_COOKIE};
use serde_json::{Value, json};

use super::{Simulator, fixtures::*};

const POLL: &str = "/x/passport-login/web/qrcode/poll?qrcode_key=";

/// An answer, with what it sets as a `Cookie` line.
async fn ask(request: reqwest::RequestBuilder) -> (Value, String) {
    let answer = request.header("User-Agent", BROWSER).send().await.expect("an answer");
    let cookies = cookies_of(&answer);
    (answer.json().await.expect("is JSON"), cookies)
}

fn cookies_of(answer: &Response) -> String {
    let lines = answer.headers().get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.filter_map(|line| line.split(';').next()).collect::<Vec<_>>().join("; ")
}

fn value(cookies: &str, name: &str) -> String {
    let found = cookies.split("; ").find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    found.expect("is set").to_owned()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// Logs the second account in; its cookies and refresh token.
async fn log_in(simulator: &Simulator) -> (String, String) {
    let (client, base) = (client(), simulator.base_url());
    let (code, _) = ask(client.get(format!("{base}/x/passport-login/web/qrcode/generate"))).await;
    let key = code["data"]["qrcode_key"].as_str().expect("a key");
    assert!(key.len() == 32 && code["data"]["url"].as_str().is_some_and(|url| url.contains(key)));
    let poll = async || ask(client.get(format!("{base}{POLL}{key}"))).await;
    assert_eq!(poll().await.0["data"]["code"], 86_101);
    post(simulator, "/sim/qr/scan", json!({"uid": 700_000_002})).await;
    assert_eq!(poll().await.0["data"]["code"], 86_090);
    post(simulator, "/sim/qr/confirm", json!({"key": key})).await;
    let (answer, cookies) = poll().await;
    assert_eq!((&answer["code"], &answer["data"]["code"]), (&json!(0), &json!(0)));
    assert!(answer["data"]["url"].as_str().is_some_and(|url| url.contains(&value(&cookies, "SESSDATA"))));
    assert_eq!(poll().await.0["data"]["code"], 86_038, "a login is handed out once");
    (cookies, answer["data"]["refresh_token"].as_str().expect("a token").to_owned())
}

#[actix_web::test]
async fn a_qr_code_that_is_scanned_and_confirmed_gives_cookies_that_nav_knows() {
    let simulator = simulator(0.0).await;
    let (cookies, _) = log_in(&simulator).await;
    let names: Vec<&str> = cookies.split("; ").filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    assert_eq!(names, ["SESSDATA", "bili_jct", "DedeUserID", "DedeUserID__ckMd5", "sid"]);
    let nav = get(&simulator, "/x/web-interface/nav", BROWSER, &cookies).await;
    assert_eq!((&nav["code"], &nav["data"]["mid"]), (&json!(0), &json!(700_000_002)));
    assert!(nav["data"]["wbi_img"]["img_url"].is_string());
    let decoded = cookies.replace("%2C", ",").replace("%2A", "*");
    let nav = get(&simulator, "/x/web-interface/nav", BROWSER, &decoded).await;
    assert_eq!(nav["code"], -101, "a decoded cookie is another one");
    post(&simulator, "/sim/account/700000002/log_out", json!({})).await;
    let nav = get(&simulator, "/x/web-interface/nav", BROWSER, &cookies).await;
    assert_eq!(nav["code"], -101);
    simulator.stop().await;
}

#[actix_web::test]
async fn a_code_that_was_let_expire_says_so() {
    let simulator = simulator(0.0).await;
    let code = get(&simulator, "/x/passport-login/web/qrcode/generate", BROWSER, "").await;
    post(&simulator, "/sim/qr/expire", json!({})).await;
    let key = code["data"]["qrcode_key"].as_str().expect("a key");
    assert_eq!(get(&simulator, &format!("{POLL}{key}"), BROWSER, "").await["data"]["code"], 86_038);
    assert_eq!(get(&simulator, &format!("{POLL}unknown"), BROWSER, "").await["data"]["code"], 86_038);
    simulator.stop().await;
}

#[actix_web::test]
async fn cookies_are_refreshed_in_five_steps_and_the_old_ones_die_at_the_last() {
    let simulator = simulator(0.0).await;
    let (client, base) = (client(), simulator.base_url());
    let (old, old_token) = log_in(&simulator).await;
    let info = "/x/passport-login/web/cookie/info";
    assert_eq!(get(&simulator, info, BROWSER, &old).await["data"]["refresh"], false);
    post(&simulator, "/sim/account/700000002", json!({"should_refresh": true})).await;
    assert_eq!(get(&simulator, info, BROWSER, &old).await["data"]["refresh"], true);
    assert_eq!(get(&simulator, info, BROWSER, "").await["code"], -101);

    let page = async |path: &str| {
        let url = format!("{base}/correspond/1/{path}");
        client.get(url).header("Cookie", &old).send().await.expect("an answer")
    };
    for wrong in ["a".repeat(255), "A".repeat(256), "g".repeat(256)] {
        assert_eq!(page(&wrong).await.status(), 404, "{wrong}");
    }
    let html = page(&"0a".repeat(128)).await.text().await.expect("text");
    let refresh_csrf = html.split("<div id=\"1-name\">").nth(1).and_then(|rest| rest.split('<').next());
    let refresh_csrf = refresh_csrf.expect("is on the page");

    let refresh = async |csrf: &str, refresh_csrf: &str, token: &str| {
        let form = [("csrf", csrf), ("refresh_csrf", refresh_csrf), ("source", "main_web"), ("refresh_token", token)];
        let request = client.post(format!("{base}/x/passport-login/web/cookie/refresh"));
        ask(request.header("Cookie", &old).form(&form)).await
    };
    let csrf = value(&old, "bili_jct");
    assert_eq!(refresh("x", refresh_csrf, &old_token).await.0["code"], -111);
    assert_eq!(refresh(&csrf, "x", &old_token).await.0["code"], 86_095);
    assert_eq!(refresh(&csrf, refresh_csrf, "x").await.0["code"], 86_095);
    let (answer, new) = refresh(&csrf, refresh_csrf, &old_token).await;
    assert!(answer["data"]["refresh_token"].as_str().is_some_and(|token| token != old_token), "{answer}");
    for cookies in [&old, &new] {
        assert_eq!(get(&simulator, "/x/web-interface/nav", BROWSER, cookies).await["code"], 0, "both are good");
    }

    let confirm = async |csrf: &str, token: &str| {
        let form = [("csrf", csrf), ("refresh_token", token)];
        let request = client.post(format!("{base}/x/passport-login/web/confirm/refresh"));
        ask(request.header("Cookie", &new).form(&form)).await.0["code"].clone()
    };
    assert_eq!(confirm(&csrf, &old_token).await, -111);
    assert_eq!(confirm(&value(&new, "bili_jct"), &old_token).await, 0);
    assert_eq!(get(&simulator, "/x/web-interface/nav", BROWSER, &old).await["code"], -101);
    assert_eq!(get(&simulator, "/x/web-interface/nav", BROWSER, &new).await["code"], 0);
    simulator.stop().await;
}

#[actix_web::test]
async fn a_stream_token_belongs_to_the_login_that_fetched_it() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].room_id;
    let (cookies, _) = log_in(&simulator).await;
    let query = signed(&simulator, &[("id", &room.to_string()), ("type", "0")], 0).await;
    let path = format!("{DANMU_INFO}{query}");
    let cookies = format!("{BUVID}; {cookies}");
    let info = get(&simulator, &path, BROWSER, &cookies).await["data"].clone();
    let enter = async |uid| {
        let mut socket = dial(&info, BROWSER, auth(room, 3, &info["token"], uid)).await;
        next_frame(&mut socket).await.is_some()
    };
    assert!(!enter(0).await, "not as a visitor");
    assert!(!enter(700_000_001).await, "not as somebody else");
    assert!(enter(700_000_002).await);
    post(&simulator, "/sim/account/700000002", json!({"under_risk_control": true})).await;
    assert_eq!(get(&simulator, &path, BROWSER, &cookies).await["code"], -352);
    assert_eq!(get(&simulator, &path, BROWSER, BUVID).await["code"], 0, "visitors are not meant");
    post(&simulator, "/sim/account/700000002/log_out", json!({})).await;
    assert_eq!(get(&simulator, &path, BROWSER, &cookies).await["code"], -101);
    assert!(!enter(700_000_002).await, "the token died with the login");
    simulator.stop().await;
}

#[actix_web::test]
async fn calls_are_refused_counted_and_keys_and_tokens_die_when_the_switchboard_says_so() {
    let simulator = simulator(0.0).await;
    let room = simulator.rooms()[0].room_id;
    let path = format!("/room/v1/Room/room_init?id={room}");
    for code in [-352, -412, -509] {
        post(&simulator, "/sim/faults/refuse", json!({"call": "room_init", "code": code, "times": 1})).await;
        assert_eq!(get(&simulator, &path, BROWSER, "").await["code"], code);
        assert_eq!(get(&simulator, &path, BROWSER, "").await["code"], 0);
    }
    post(&simulator, "/sim/faults/refuse", json!({"call": "*", "code": 502})).await;
    let answer = client().get(format!("{}{path}", simulator.base_url())).send().await.expect("an answer");
    assert_eq!(answer.status(), 502);
    post(&simulator, "/sim/faults/clear", json!({})).await;
    let calls = get(&simulator, "/sim/calls", BROWSER, "").await;
    assert_eq!(calls["calls"]["room_init"], 7);

    let query = signed(&simulator, &[("id", &room.to_string())], 0).await;
    let info = get(&simulator, &format!("{DANMU_INFO}{query}"), BROWSER, BUVID).await["data"].clone();
    post(&simulator, "/sim/keys/rotate", json!({})).await;
    assert_eq!(get(&simulator, &format!("{DANMU_INFO}{query}"), BROWSER, BUVID).await["code"], -352);
    let enter = async |info: &Value| {
        let mut socket = dial(info, BROWSER, auth(room, 3, &info["token"], 0)).await;
        next_frame(&mut socket).await.is_some()
    };
    assert!(enter(&info).await);
    post(&simulator, "/sim/tokens/revoke", json!({})).await;
    assert!(!enter(&info).await);
    post(&simulator, "/sim/faults", json!({"bad_tokens": 1})).await;
    assert!(!enter(&danmu_info(&simulator, room).await).await);
    assert!(enter(&danmu_info(&simulator, room).await).await);
    assert_eq!(get(&simulator, "/sim/calls", BROWSER, "").await["connects"], 4);
    simulator.stop().await;
}
