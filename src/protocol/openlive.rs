//! The Open Live platform: the sanctioned way to a room whose streamer has given an identity code.
//!
//! Three calls (`POST /v2/app/{start,heartbeat,end}`), each signed with the app's key; the first answers with
//! where the stream is and what to say there, word for word ([`super::Session::open_verbatim`]). Not here:
//! sending, the beat of 20 s, and the stream's commands, which are decoded beside those of the web.
//!
//! Invariants: what is signed is the body that is sent, byte for byte; a session that the platform has closed
//! already counts as ended; and neither the app's secret nor what opens the stream is in any log.

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;

use super::{
    envelope::{ApiError, Envelope},
    lenient::{Int, List, Object, Text},
};
use crate::domain::{RoomId, Uid};

/// An app's key, as the platform's console shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct AppKey {
    /// The access key id.
    pub id: String,
    /// The access key secret.
    pub secret: String,
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Name and value of a header.
pub type Header = (&'static str, String);

impl AppKey {
    /// The headers of a call with this body: the six that are signed, in order, and the signature. `nonce` must
    /// never be used twice; `unix_s` is the time.
    pub fn sign(&self, body: &[u8], nonce: &str, unix_s: u64) -> Vec<Header> {
        let mut headers = vec![
            ("x-bili-accesskeyid", self.id.clone()),
            ("x-bili-content-md5", hex(&Md5::digest(body))),
            ("x-bili-signature-method", "HMAC-SHA256".to_owned()),
            ("x-bili-signature-nonce", nonce.to_owned()),
            ("x-bili-signature-version", "1.0".to_owned()),
            ("x-bili-timestamp", unix_s.to_string()),
        ];
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("HMAC takes a key of any length");
        mac.update(lines.join("\n").as_bytes());
        headers.push(("Authorization", hex(&mac.finalize().into_bytes())));
        headers
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// How often a session must be kept alive, s.
pub const HEARTBEAT_EVERY_S: u64 = 20;

/// Body of `/v2/app/start`.
pub fn start_body(identity_code: &str, app_id: u64) -> String {
    json!({"code": identity_code, "app_id": app_id}).to_string()
}

/// Body of `/v2/app/heartbeat`.
pub fn heartbeat_body(game_id: &str) -> String {
    json!({"game_id": game_id}).to_string()
}

/// Body of `/v2/app/end`.
pub fn end_body(app_id: u64, game_id: &str) -> String {
    json!({"app_id": app_id, "game_id": game_id}).to_string()
}

/// A session that was started.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Names the session in later calls; none if there is nothing to keep alive or end.
    pub game_id: Option<String>,
    /// The body of the stream's first packet, to be sent as it is. Secret.
    pub auth_body: String,
    /// Where the stream is: whole addresses, at least one.
    pub links: Vec<String>,
    /// The streamer's room, by its long number.
    pub room_id: RoomId,
    /// The streamer; 0 if the platform does not say.
    pub uid: Uid,
    /// The streamer as this app knows users.
    pub open_id: String,
    /// The streamer's name.
    pub uname: String,
    /// Address of the streamer's picture.
    pub face: String,
}

impl fmt::Debug for OpenSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OpenSession { game_id, links, room_id, .. } = self;
        let mut told = f.debug_struct("OpenSession");
        told.field("game_id", game_id).field("links", links).field("room_id", room_id).finish_non_exhaustive()
    }
}

/// The answer of `/v2/app/start`.
pub fn parse_start(body: &[u8]) -> Result<OpenSession, ApiError> {
    let started: Started = Envelope::read(body)?.data()?;
    let socket = started.websocket_info.or_default();
    let anchor = started.anchor_info.or_default();
    let auth_body = match socket.auth_body {
        Verbatim(Some(text)) => text,
        Verbatim(None) => return Err(ApiError::Missing("websocket_info.auth_body")),
    };
    let links: Vec<String> = socket.wss_link.0.into_iter().filter_map(Text::filled).collect();
    if links.is_empty() {
        return Err(ApiError::Missing("websocket_info.wss_link"));
    }
    let number = |number: Int| number.positive().and_then(|number| u64::try_from(number).ok());
    Ok(OpenSession {
        game_id: started.game_info.or_default().game_id.filled(),
        auth_body,
        links,
        room_id: number(anchor.room_id).map(RoomId).ok_or(ApiError::Missing("anchor_info.room_id"))?,
        uid: Uid(number(anchor.uid).unwrap_or(0)),
        open_id: anchor.open_id.or_empty(),
        uname: anchor.uname.or_empty(),
        face: anchor.uface.or_empty(),
    })
}

/// How a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// It goes on.
    Alive,
    /// The platform has closed it: close the stream as well, and start again.
    Closed,
}

/// The answer of `/v2/app/heartbeat`.
pub fn parse_heartbeat(body: &[u8]) -> Result<Pulse, ApiError> {
    match Envelope::read(body)?.refusal {
        None => Ok(Pulse::Alive),
        Some(refusal) if is_closed(refusal.code) => Ok(Pulse::Closed),
        Some(refusal) => Err(refusal.into()),
    }
}

/// The answer of `/v2/app/end`. A session that is closed already is ended.
pub fn parse_end(body: &[u8]) -> Result<(), ApiError> {
    parse_heartbeat(body).map(drop)
}

fn is_closed(code: i64) -> bool {
    matches!(code, 7000 | 7003)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Started {
    game_info: Object<GameInfo>,
    websocket_info: Object<WebsocketInfo>,
    anchor_info: Object<AnchorInfo>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GameInfo {
    game_id: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WebsocketInfo {
    auth_body: Verbatim,
    wss_link: List<Text>,
}

/// A text that must not be cut as others are.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct Verbatim(Option<String>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AnchorInfo {
    room_id: Int,
    uid: Int,
    open_id: Text,
    uname: Text,
    uface: Text,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Refusal;

    fn key() -> AppKey {
        AppKey { id: "ak".into(), secret: "sk".into() }
    }

    #[test]
    fn a_call_is_signed_as_in_the_published_vector() {
        let body = start_body("ABC", 1);
        let headers = key().sign(br#"{"code":"ABC","app_id":1}"#, "0123456789abcdef0123456789abcdef", 1_700_000_000);
        let expected = [
            ("x-bili-accesskeyid", "ak"),
            ("x-bili-content-md5", "13ccc4bd6d4cd7056eeb04e6fe441c09"),
            ("x-bili-signature-method", "HMAC-SHA256"),
            ("x-bili-signature-nonce", "0123456789abcdef0123456789abcdef"),
            ("x-bili-signature-version", "1.0"),
            ("x-bili-timestamp", "1700000000"),
            ("Authorization", "18ad4da6c1eabaa25fe0db30c236e55eb5301f42b645971b55427b2c29144350"),
        ];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(headers, expected);
        let body: serde_json::Value = serde_json::from_str(&body).expect("is JSON");
        assert_eq!(body, json!({"code": "ABC", "app_id": 1}));
        let end: serde_json::Value = serde_json::from_str(&end_body(1, "g\"")).expect("is JSON");
        assert_eq!(end, json!({"app_id": 1, "game_id": "g\""}));
        assert_eq!(heartbeat_body("g"), r#"{"game_id":"g"}"#);
    }

    #[test]
    fn a_session_is_read_whole_and_hides_what_opens_the_stream() {
        let long = "x".repeat(9000);
        let body = json!({"code": 0, "message": "0", "data": {
            "game_info": {"game_id": "game"},
            "websocket_info": {"auth_body": long, "wss_link": ["wss://a.example:443/sub", "", "wss://b.example/sub"]},
            "anchor_info": {"room_id": "21", "uid": 5, "open_id": "o", "uname": "主播", "uface": "f"}}});
        let session = parse_start(body.to_string().as_bytes()).expect("is one");
        assert_eq!(session.auth_body, long);
        assert_eq!(session.links, ["wss://a.example:443/sub", "wss://b.example/sub"]);
        assert_eq!((session.game_id.as_deref(), session.room_id, session.uid), (Some("game"), RoomId(21), Uid(5)));
        let told = format!("{session:?}{:?}", AppKey { id: "ak".into(), secret: "verysecret".into() });
        assert!(!told.contains("xxx") && !told.contains("verysecret"));
    }

    #[test]
    fn a_session_may_have_nothing_to_keep_alive_but_must_have_a_stream() {
        let with = |game: &str, socket: &str, anchor: &str| {
            format!(r#"{{"code":0,"data":{{"game_info":{game},"websocket_info":{socket},"anchor_info":{anchor}}}}}"#)
        };
        let socket = r#"{"auth_body":"a","wss_link":["l"]}"#;
        let session = parse_start(with(r#"{"game_id":""}"#, socket, r#"{"room_id":1}"#).as_bytes()).expect("is one");
        assert_eq!((session.game_id, session.uid), (None, Uid(0)));
        for (game, socket, anchor) in [
            ("[]", r#"{"auth_body":"a","wss_link":[]}"#, r#"{"room_id":1}"#),
            ("null", r#"{"wss_link":["l"]}"#, r#"{"room_id":1}"#),
            ("null", socket, "null"),
        ] {
            let body = with(game, socket, anchor);
            assert!(matches!(parse_start(body.as_bytes()), Err(ApiError::Missing(_))), "{body}");
        }
    }

    #[test]
    fn a_closed_session_is_known_and_counts_as_ended() {
        let reply = |code: i64| format!(r#"{{"code":{code},"message":"m","data":{{}}}}"#);
        for (code, pulse) in [(0, Pulse::Alive), (7003, Pulse::Closed), (7000, Pulse::Closed)] {
            assert_eq!(parse_heartbeat(reply(code).as_bytes()).expect("is no error"), pulse, "{code}");
            assert!(parse_end(reply(code).as_bytes()).is_ok(), "{code}");
        }
        let error = parse_end(reply(-503).as_bytes()).expect_err("is a refusal");
        assert_eq!(error.refusal(), Some(Refusal::Server));
        assert!(parse_heartbeat(b"<html>").is_err());
    }
}
