//! The open platform: sessions for streamers who gave their identity code, with signed calls.
//!
//! As in the protocol notes, 4.9: `start` names the stream and what to say at its door, `heartbeat` keeps the
//! session, `end` frees the room for the next start. Codes beyond 7000 and 7003 are those of the platform's own
//! documentation. The one application here has [`KEY_ID`] and [`SECRET`]; a room's identity code is `SIM` and its
//! long number.

use std::{collections::HashSet, sync::Mutex};

use actix_web::{HttpRequest, HttpResponse, http::header::AUTHORIZATION, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    asking::{base_of, host_of},
    envelope::reply,
    signature::{hex, hmac_sha256, md5_hex},
    world::{World, lock, now_ms},
};

/// The access key's public half.
pub(super) const KEY_ID: &str = "simulated-key";
/// Its secret half. Of no worth anywhere else.
pub(super) const SECRET: &str = "simulated-secret";
/// A session without a heartbeat for so long is over.
const SESSION_LASTS_MS: i64 = 60_000;
/// How far a call's time may be off.
const SIGNED_WITHIN_S: u64 = 600;

/// The headers that are signed, in order.
const SIGNED: [&str; 6] = [
    "x-bili-accesskeyid",
    "x-bili-content-md5",
    "x-bili-signature-method",
    "x-bili-signature-nonce",
    "x-bili-signature-version",
    "x-bili-timestamp",
];

/// The routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/v2/app/start", web::post().to(start))
        .route("/v2/app/heartbeat", web::post().to(heartbeat))
        .route("/v2/app/end", web::post().to(end));
}

/// All sessions.
#[derive(Default)]
pub(super) struct Sessions {
    sessions: Vec<Session>,
    nonces: HashSet<String>,
}

struct Session {
    game_id: String,
    app_id: i64,
    room_id: u64,
    auth_body: String,
    heard_ms: i64,
}

impl Sessions {
    /// Begins one. `None` while the room has one of that application.
    fn start(&mut self, app_id: i64, room_id: u64, now_ms: i64) -> Option<(String, String)> {
        self.sessions.retain(|session| now_ms - session.heard_ms < SESSION_LASTS_MS);
        if self.sessions.iter().any(|session| session.app_id == app_id && session.room_id == room_id) {
            return None;
        }
        let game_id = hex(&rand::random::<[u8; 16]>());
        let key = hex(&rand::random::<[u8; 32]>());
        let auth_body =
            json!({"roomid": room_id, "protover": 2, "uid": 0, "key": key, "group": "open", "platform": "open"})
                .to_string();
        self.sessions.push(Session {
            game_id: game_id.clone(),
            app_id,
            room_id,
            auth_body: auth_body.clone(),
            heard_ms: now_ms,
        });
        Some((game_id, auth_body))
    }

    /// False when the session is over.
    fn heartbeat(&mut self, game_id: &str, now_ms: i64) -> bool {
        let alive = self.sessions.iter_mut().find(|session| session.game_id == game_id);
        let alive = alive.filter(|session| now_ms - session.heard_ms < SESSION_LASTS_MS);
        alive.map(|session| session.heard_ms = now_ms).is_some()
    }

    /// False when there is none.
    fn end(&mut self, app_id: i64, game_id: &str) -> bool {
        let before = self.sessions.len();
        self.sessions.retain(|session| session.game_id != game_id || session.app_id != app_id);
        self.sessions.len() < before
    }

    /// The session whose words at the door these are, to the letter.
    pub fn of_auth_body(&self, body: &[u8]) -> Option<(String, u64)> {
        let session = self.sessions.iter().find(|session| session.auth_body.as_bytes() == body)?;
        Some((session.game_id.clone(), session.room_id))
    }

    /// Whether pushing for the session goes on.
    pub fn is_alive(&self, game_id: &str, now_ms: i64) -> bool {
        let mut sessions = self.sessions.iter();
        sessions.any(|session| session.game_id == game_id && now_ms - session.heard_ms < SESSION_LASTS_MS)
    }
}

/// Sessions live in the world; calls come from several workers.
pub(super) type Shared = Mutex<Sessions>;

#[derive(Deserialize)]
struct Start {
    code: String,
    app_id: i64,
}

async fn start(request: HttpRequest, world: web::Data<World>, body: web::Bytes) -> HttpResponse {
    let start: Start = match signed_body(&request, &world, &body) {
        Ok(start) => start,
        Err((code, message)) => return refused(code, message),
    };
    let number = start.code.strip_prefix("SIM").and_then(|number| number.parse().ok());
    let Some(room) = number.and_then(|number| world.room_by_long_id(number)) else {
        return refused(7007, "身份码错误");
    };
    let room_id = room.streamer.room_id;
    let Some((game_id, auth_body)) = lock(&world.open_sessions).start(start.app_id, room_id, now_ms()) else {
        return refused(7002, "房间重复游戏");
    };
    let link = format!("ws://{}:{}/sub", host_of(&request, &world), world.stream_port);
    reply(json!({
        "game_info": {"game_id": game_id},
        "websocket_info": {"auth_body": auth_body, "wss_link": [link.clone(), link]},
        "anchor_info": {"room_id": room_id, "uid": room.streamer.uid, "open_id": open_id(&room.streamer.uid.to_string()),
                        "union_id": "", "uname": room.name,
                        "uface": format!("{}/bfs/face/{}.svg", base_of(&request, &world), room.streamer.uid)},
    }))
}

#[derive(Deserialize)]
struct Beat {
    game_id: String,
}

async fn heartbeat(request: HttpRequest, world: web::Data<World>, body: web::Bytes) -> HttpResponse {
    let beat: Beat = match signed_body(&request, &world, &body) {
        Ok(beat) => beat,
        Err((code, message)) => return refused(code, message),
    };
    match lock(&world.open_sessions).heartbeat(&beat.game_id, now_ms()) {
        true => reply(json!({})),
        false => refused(7003, "心跳过期或GameId错误"),
    }
}

#[derive(Deserialize)]
struct End {
    app_id: i64,
    game_id: String,
}

async fn end(request: HttpRequest, world: web::Data<World>, body: web::Bytes) -> HttpResponse {
    let end: End = match signed_body(&request, &world, &body) {
        Ok(end) => end,
        Err((code, message)) => return refused(code, message),
    };
    match lock(&world.open_sessions).end(end.app_id, &end.game_id) {
        true => reply(json!({})),
        false => refused(7000, "不在游戏内"),
    }
}

/// A code and what it says.
type Refusal = (i64, &'static str);

/// The body of a call that is signed as it must be.
fn signed_body<T: for<'de> Deserialize<'de>>(request: &HttpRequest, world: &World, body: &[u8]) -> Result<T, Refusal> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let lines: Vec<String> = SIGNED.iter().map(|name| format!("{name}:{}", header(name))).collect();
    let signature = hmac_sha256(SECRET.as_bytes(), lines.join("\n").as_bytes());
    let [key_id, content_md5, method, nonce, version, timestamp] = SIGNED.map(header);
    let now_s = now_ms().unsigned_abs() / 1000;
    if !header("content-type").starts_with("application/json") || !header("accept").contains("application/json") {
        return Err((4011, "Content-Type不为application/json"));
    }
    if content_md5 != md5_hex(body) {
        return Err((4012, "MD5校验失败"));
    }
    let is_signed = request.headers().get(AUTHORIZATION).is_some_and(|value| value.as_bytes() == signature.as_bytes());
    if key_id != KEY_ID || method != "HMAC-SHA256" || version != "1.0" || !is_signed {
        return Err((4002, "签名异常"));
    }
    if timestamp.parse::<u64>().is_ok_and(|at| at.abs_diff(now_s) > SIGNED_WITHIN_S) {
        return Err((4003, "请求过期"));
    }
    if nonce.is_empty() || !lock(&world.open_sessions).nonces.insert(nonce.to_owned()) {
        return Err((4004, "重复请求"));
    }
    serde_json::from_slice(body).map_err(|_| (4000, "参数错误"))
}

fn refused(code: i64, message: &str) -> HttpResponse {
    HttpResponse::Ok().json(json!({"code": code, "message": message, "request_id": "", "data": Value::Null}))
}

/// Somebody's name for one application: always the same, tells nothing about the number.
pub(super) fn open_id(who: &str) -> String {
    md5_hex(format!("open:{who}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_cannot_be_started_again_until_it_was_ended_or_forgotten() {
        let mut sessions = Sessions::default();
        let (first, auth_body) = sessions.start(1, 7, 0).expect("starts");
        assert_eq!(sessions.of_auth_body(auth_body.as_bytes()), Some((first.clone(), 7)));
        assert!(sessions.start(1, 7, 59_999).is_none());
        assert!(sessions.start(1, 8, 0).is_some(), "another room");
        assert!(!sessions.end(2, &first), "another application's");
        assert!(sessions.end(1, &first) && !sessions.end(1, &first));
        let (second, _) = sessions.start(1, 7, 59_999).expect("starts again");
        assert!(sessions.heartbeat(&second, 100_000));
        assert!(sessions.is_alive(&second, 159_999) && !sessions.is_alive(&second, 160_000));
        assert!(!sessions.heartbeat(&second, 160_000));
        assert!(sessions.start(1, 7, 160_000).is_some());
    }
}
