//! The one HTTP client of the process: which hosts there are, what every call carries, what a refusal means.
//!
//! Every call to Bilibili's HTTP side goes through [`Client::ask`], so that patience asked for by one answer
//! is kept by all. Not here: which calls there are (`bilibili`), what their answers say (`protocol::api`).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{
    StatusCode,
    header::{COOKIE, HeaderMap, HeaderValue, ORIGIN, REFERER, USER_AGENT},
};
use rustls::ClientConfig;
use tokio::time::Instant;
use url::Url;

use super::{AskError, identity::Who};
use crate::{
    domain::RoomRef,
    protocol::{ApiError, Refusal},
};

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const LONGEST_ANSWER: usize = 4 << 20;
/// After risk control: minutes, or it lasts longer.
const RISK_PAUSE: Duration = Duration::from_secs(180);
/// After a block of the address.
const BLOCKED_PAUSE: Duration = Duration::from_secs(600);
/// After "too many".
const TOO_MANY_PAUSE: Duration = Duration::from_secs(30);

/// A role of Bilibili's servers; a rig plays all of them at one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Live rooms.
    Live,
    /// The site's own API.
    Main,
}

/// A call without a usable answer.
#[derive(Debug)]
pub struct Failed {
    /// What the refusal was about, if Bilibili refused in its own words.
    pub refusal: Option<Refusal>,
    /// For whoever only wants to know what it means.
    pub error: AskError,
}

impl Failed {
    /// The same, where "no such thing" means this room.
    pub fn about(self, room: RoomRef) -> AskError {
        match self.refusal {
            Some(Refusal::NoSuchRoom) => AskError::NoSuchRoom(room),
            _ => self.error,
        }
    }
}

impl From<Failed> for AskError {
    fn from(failed: Failed) -> AskError {
        failed.error
    }
}

impl From<AskError> for Failed {
    fn from(error: AskError) -> Failed {
        Failed { refusal: None, error }
    }
}

/// The client.
pub struct Client {
    http: reqwest::Client,
    rig: Option<String>,
    /// It asked for patience until then: nothing is asked.
    quiet_until: Mutex<Option<Instant>>,
}

impl Client {
    /// To Bilibili itself, or to the rig at `rig`.
    pub fn new(rig: Option<&Url>, tls: ClientConfig) -> Result<Client, AskError> {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static("https://live.bilibili.com"));
        headers.insert(REFERER, HeaderValue::from_static("https://live.bilibili.com/"));
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(PATIENCE)
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(|error| AskError::Unreachable { call: "anything", why: error.to_string() })?;
        let rig = rig.map(|url| url.as_str().trim_end_matches('/').to_owned());
        Ok(Client { http, rig, quiet_until: Mutex::default() })
    }

    /// Asks `call` (its name in errors) with a GET of `path` (with its query) as `who`; `parse` reads the answer.
    /// Nothing is asked while Bilibili has asked for patience.
    pub async fn ask<T>(
        &self,
        call: &'static str,
        host: Host,
        path: &str,
        who: &Who,
        parse: impl FnOnce(&[u8]) -> Result<T, ApiError>,
    ) -> Result<T, Failed> {
        let body = self.get(call, host, path, who).await?;
        parse(&body).map_err(|error| Failed { refusal: error.refusal(), error: refused(call, &error) })
    }

    /// Nothing is asked for `pause`.
    pub fn be_quiet_for(&self, pause: Duration) {
        *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + pause);
    }

    async fn get(&self, call: &'static str, host: Host, path: &str, who: &Who) -> Result<Vec<u8>, AskError> {
        let quiet = self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner).map(|until| until - Instant::now());
        if let Some(pause) = quiet.filter(|pause| !pause.is_zero()) {
            return Err(AskError::Throttled { what: "it said so before".into(), pause });
        }
        let answer = self.really_get(call, self.address(host, path), who).await;
        if let Err(AskError::Throttled { pause, .. }) = &answer {
            self.be_quiet_for(*pause);
        }
        answer
    }

    fn address(&self, host: Host, path: &str) -> String {
        let base = self.rig.as_deref().unwrap_or(match host {
            Host::Live => "https://api.live.bilibili.com",
            Host::Main => "https://api.bilibili.com",
        });
        format!("{base}{path}")
    }

    async fn really_get(&self, call: &'static str, address: String, who: &Who) -> Result<Vec<u8>, AskError> {
        let unreachable = |error: reqwest::Error| AskError::Unreachable { call, why: in_full(error.without_url()) };
        let mut request = self.http.get(address).header(USER_AGENT, &who.user_agent);
        if !who.cookies.is_empty() {
            request = request.header(COOKIE, &who.cookies);
        }
        let mut answer = request.send().await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::PRECONDITION_FAILED => {
                return Err(AskError::Throttled { what: "HTTP 412".into(), pause: BLOCKED_PAUSE });
            }
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(AskError::Throttled { what: "HTTP 429".into(), pause: TOO_MANY_PAUSE });
            }
            status if !status.is_success() => {
                return Err(AskError::Unreachable { call, why: format!("it answered HTTP {status}") });
            }
            _ => {}
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err(AskError::Unreachable { call, why: format!("its answer is over {LONGEST_ANSWER} bytes") });
            }
        }
        Ok(body)
    }
}

/// An error with its causes; the client's own text says only that something failed.
fn in_full(error: reqwest::Error) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

/// What an answer that is none means for us.
fn refused(call: &'static str, error: &ApiError) -> AskError {
    let why = error.to_string();
    let throttled = |pause| AskError::Throttled { what: format!("{call}: {why}"), pause };
    match error.refusal() {
        Some(Refusal::RiskControl) => throttled(RISK_PAUSE),
        Some(Refusal::Blocked) => throttled(BLOCKED_PAUSE),
        Some(Refusal::TooMany) => throttled(TOO_MANY_PAUSE),
        Some(Refusal::Other | Refusal::NoSuchRoom) => AskError::Refused { call, why },
        Some(Refusal::Server | Refusal::NotLoggedIn | Refusal::Identity) | None => AskError::Unreachable { call, why },
    }
}
