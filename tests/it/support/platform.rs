//! The fake's Open Live platform: three signed calls, and sessions that stay open until they are ended.
//!
//! A room whose session is open cannot be started again, as with the real one.

use std::{fs, os::unix::fs::PermissionsExt};

use actix_web::{HttpRequest, HttpResponse, web};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{fake::World, monitor::Setup};

pub const KEY_ID: &str = "key-of-the-tests";
pub const SECRET: &str = "secret-of-the-tests";
pub const CODE: &str = "code-of-the-tests";

/// What was asked of the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub starts: Vec<String>,
    pub heartbeats: Vec<String>,
    pub ends: Vec<String>,
    /// Sessions that the platform itself has closed: nothing is left of them to keep alive or end.
    pub closed: Vec<String>,
}

impl Calls {
    fn is_open(&self, game: &str) -> bool {
        let has = |games: &[String]| games.iter().any(|other| other == game);
        has(&self.starts) && !has(&self.ends) && !has(&self.closed)
    }
}

/// `POST /v2/app/…`.
pub async fn answer(request: HttpRequest, body: web::Bytes, world: web::Data<World>) -> HttpResponse {
    if let Err(why) = check_signature(&request, &body) {
        world.blame(format!("{}: {why}", request.path()));
        return reply(4001, Value::Null);
    }
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut state = world.lock();
    let game = said["game_id"].as_str().unwrap_or_default().to_owned();
    match request.path() {
        "/v2/app/start" if said["code"] == CODE && said["app_id"] == 7 => {
            if state.platform.starts.iter().any(|game| state.platform.is_open(game)) {
                state.violations.push("started again without an end".into());
                return reply(7002, Value::Null);
            }
            let Some(room) = state.rooms.values().next().cloned() else { return reply(7001, Value::Null) };
            let game = format!("game-{}", state.platform.starts.len() + 1);
            state.platform.starts.push(game.clone());
            let hello = format!(r#"{{"roomid": {}, "open": "{game}", "protover": 2}}"#, room.room_id);
            let link = format!("ws://127.0.0.1:{}/sub?open", state.stream_port);
            reply(
                0,
                json!({"game_info": {"game_id": game}, "websocket_info": {"auth_body": hello, "wss_link": [link]},
                    "anchor_info": {"room_id": room.room_id, "uid": room.uid, "open_id": "o", "uname": room.uname,
                        "uface": ""}}),
            )
        }
        "/v2/app/heartbeat" if state.platform.is_open(&game) => {
            state.platform.heartbeats.push(game);
            reply(0, json!({}))
        }
        "/v2/app/end" if state.platform.is_open(&game) => {
            state.platform.ends.push(game);
            reply(0, json!({}))
        }
        _ if state.platform.closed.contains(&game) => reply(7003, Value::Null),
        path => {
            state.violations.push(format!("{path}: {said}"));
            reply(7003, Value::Null)
        }
    }
}

/// The platform's file: keys, and these lines of codes.
pub fn write_keys(setup: &Setup, codes: &str, mode: u32) {
    fs::create_dir_all(setup.folder().join("data")).expect("a folder");
    let file = setup.folder().join("data/open-live.toml");
    let keys = format!("app_id = 7\naccess_key_id = \"{KEY_ID}\"\naccess_key_secret = \"{SECRET}\"\n[rooms]\n{codes}");
    fs::write(&file, keys).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("changed");
}

fn check_signature(request: &HttpRequest, body: &[u8]) -> Result<(), String> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let signed =
        ["accesskeyid", "content-md5", "signature-method", "signature-nonce", "signature-version", "timestamp"];
    let lines: Vec<String> =
        signed.iter().map(|name| format!("x-bili-{name}:{}", header(&format!("x-bili-{name}")))).collect();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    mac.update(lines.join("\n").as_bytes());
    if header("x-bili-accesskeyid") != KEY_ID || header("x-bili-content-md5") != hex(&Md5::digest(body)) {
        return Err("not our key, or not this body".into());
    }
    if header("authorization") != hex(&mac.finalize().into_bytes()) {
        return Err("the signature is wrong".into());
    }
    Ok(())
}

fn reply(code: i64, data: Value) -> HttpResponse {
    HttpResponse::Ok().json(json!({"code": code, "message": "", "request_id": "r", "data": data}))
}
