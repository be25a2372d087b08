//! The one HTTP client of the process: every call to Bilibili goes through it, at one even pace.
//!
//! It knows the servers, what every call carries and how long a refusal keeps everybody away ([`super::manners`]);
//! while it must leave a family of servers alone, calls to it fail at once without being made. Not here: which
//! calls there are (`bilibili`, `accounts` and others), what their answers say (`protocol::api`), and the rest
//! of a single identity (`pool`).
//!
//! Invariant: in no second are more calls made than the pace allows, whoever asks and whatever happened.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, ORIGIN, REFERER, SET_COOKIE, USER_AGENT},
};
use rustls::ClientConfig;
use serde::Serialize;
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use super::{
    AskError,
    identity::Who,
    manners::{Concerns, Cooling, rest},
    pace::{Pace, in_ms},
};
use crate::{
    domain::RoomRef,
    protocol::{ApiError, Refusal},
};

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const LONGEST_ANSWER: usize = 4 << 20;

/// A family of Bilibili's servers; a rig plays all of them at one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// Live rooms.
    Live,
    /// The site's own API.
    Main,
    /// Logging in.
    Passport,
    /// Web pages.
    Pages,
    /// The open platform.
    Open,
}

impl Host {
    const fn base(self) -> &'static str {
        match self {
            Host::Live => "https://api.live.bilibili.com",
            Host::Main => "https://api.bilibili.com",
            Host::Passport => "https://passport.bilibili.com",
            Host::Pages => "https://www.bilibili.com",
            Host::Open => "https://live-open.biliapi.com",
        }
    }
}

/// One call, as it is sent.
pub struct Call<'a> {
    /// Its name, in errors and counts.
    pub name: &'static str,
    /// Who is asked.
    pub host: Host,
    /// Path and query.
    pub path: &'a str,
    /// In whose name.
    pub who: &'a Who,
    /// What is sent along.
    pub body: Body,
}

/// What a call sends along.
pub enum Body {
    /// Nothing: a GET.
    Get,
    /// A form.
    Form(Vec<(&'static str, String)>),
    /// JSON, and headers that go with it.
    Json(String, Vec<(&'static str, String)>),
}

/// An answer, not read yet.
pub struct Answer {
    /// Its body.
    pub body: Vec<u8>,
    /// The cookies it sets, name and value as they came.
    pub cookies: Vec<(String, String)>,
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

/// The rest of a family of servers, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FamilyStanding {
    /// Which.
    pub family: Host,
    /// Left alone until then, unix ms.
    pub cooling_until_ms: i64,
    /// Why.
    pub why: String,
}

/// The client.
pub struct Client {
    http: reqwest::Client,
    rig: Option<String>,
    pace: Pace,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    families: BTreeMap<Host, Cooling>,
    calls: BTreeMap<&'static str, u64>,
}

impl Client {
    /// To Bilibili itself, or to the rig at `rig`; `per_second` calls at most.
    pub fn new(rig: Option<&Url>, tls: ClientConfig, per_second: f64) -> Result<Client, AskError> {
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
        Ok(Client { http, rig, pace: Pace::new(per_second), state: Mutex::default() })
    }

    /// Asks `call` (its name in errors) with a GET of `path` (with its query) as `who`; `parse` reads the answer.
    pub async fn ask<T>(
        &self,
        call: &'static str,
        host: Host,
        path: &str,
        who: &Who,
        parse: impl FnOnce(&[u8]) -> Result<T, ApiError>,
    ) -> Result<T, Failed> {
        let call = Call { name: call, host, path, who, body: Body::Get };
        self.ask_with(call, parse).await.map(|(parsed, _)| parsed)
    }

    /// Makes any call; the parsed answer, and the cookies that came with it.
    pub async fn ask_with<T>(
        &self,
        call: Call<'_>,
        parse: impl FnOnce(&[u8]) -> Result<T, ApiError>,
    ) -> Result<(T, Vec<(String, String)>), Failed> {
        let (name, host) = (call.name, call.host);
        let answer = self.send(call).await?;
        match parse(&answer.body) {
            Ok(parsed) => {
                self.family(host, Cooling::succeeded);
                Ok((parsed, answer.cookies))
            }
            Err(error) => Err(self.refused(name, host, &error)),
        }
    }

    /// Makes a call when its turn has come, unless these servers are to be left alone.
    pub async fn send(&self, call: Call<'_>) -> Result<Answer, Failed> {
        self.is_open(call.host)?;
        self.pace.turn().await;
        // Somebody else may have been refused meanwhile.
        self.is_open(call.host)?;
        *self.state().calls.entry(call.name).or_default() += 1;
        self.make(call).await
    }

    /// Families of servers that are left alone at present.
    pub fn standing(&self) -> Vec<FamilyStanding> {
        let (now, state) = (Instant::now(), self.state());
        let resting = state.families.iter().filter_map(|(family, cooling)| {
            let cooling_until_ms = in_ms(cooling.left(now)?);
            Some(FamilyStanding { family: *family, cooling_until_ms, why: cooling.why().to_owned() })
        });
        resting.collect()
    }

    /// How often each call was made.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.state().calls.clone()
    }

    fn is_open(&self, host: Host) -> Result<(), AskError> {
        let state = self.state();
        let Some(cooling) = state.families.get(&host) else { return Ok(()) };
        match cooling.left(Instant::now()) {
            Some(pause) => Err(AskError::Throttled { what: cooling.why().to_owned(), pause, everybody: true }),
            None => Ok(()),
        }
    }

    async fn make(&self, call: Call<'_>) -> Result<Answer, Failed> {
        let name = call.name;
        let unreachable =
            |error: reqwest::Error| AskError::Unreachable { call: name, why: in_full(error.without_url()) };
        let address = format!("{}{}", self.rig.as_deref().unwrap_or(call.host.base()), call.path);
        let request = match call.body {
            Body::Get => self.http.get(address),
            Body::Form(fields) => {
                let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                let post = self.http.request(Method::POST, address);
                post.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
            }
            Body::Json(json, headers) => {
                let post = self.http.request(Method::POST, address).header(CONTENT_TYPE, "application/json").body(json);
                headers.into_iter().fold(post, |post, (name, value)| post.header(name, value))
            }
        };
        let mut request = request.header(USER_AGENT, &call.who.user_agent);
        if !call.who.cookies.is_empty() {
            request = request.header(COOKIE, &call.who.cookies);
        }
        let mut answer = request.send().await.map_err(unreachable)?;
        let refusal = match answer.status() {
            StatusCode::PRECONDITION_FAILED => Some(Refusal::Blocked),
            StatusCode::TOO_MANY_REQUESTS => Some(Refusal::TooMany),
            _ => None,
        };
        if let Some(refusal) = refusal {
            let what = format!("{name}: HTTP {}", answer.status().as_u16());
            return Err(self.to_rest(refusal, call.host, what));
        }
        if !answer.status().is_success() {
            let why = format!("it answered HTTP {}", answer.status().as_u16());
            return Err(AskError::Unreachable { call: name, why }.into());
        }
        let cookies = set_cookies(answer.headers());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                let why = format!("its answer is over {LONGEST_ANSWER} bytes");
                return Err(AskError::Unreachable { call: name, why }.into());
            }
        }
        Ok(Answer { body, cookies })
    }

    /// What an answer that is none means for us.
    fn refused(&self, call: &'static str, host: Host, error: &ApiError) -> Failed {
        let why = error.to_string();
        let Some(refusal) = error.refusal() else { return AskError::Unreachable { call, why }.into() };
        match rest(refusal) {
            Some(_) => self.to_rest(refusal, host, format!("{call}: {why}")),
            // Worth another try: with the server's luck, or once the asker has logged in or is nobody again.
            None if matches!(refusal, Refusal::Server | Refusal::NotLoggedIn) => {
                Failed { refusal: Some(refusal), error: AskError::Unreachable { call, why } }
            }
            None => Failed { refusal: Some(refusal), error: AskError::Refused { call, why } },
        }
    }

    /// A refusal that asks for patience. Everybody's is kept here, one asker's is for the asker to keep.
    fn to_rest(&self, refusal: Refusal, host: Host, what: String) -> Failed {
        let (pause, everybody) = match rest(refusal) {
            Some((Concerns::Everybody, first, most)) => {
                let begin = |cooling: &mut Cooling| cooling.begin(what.clone(), first, most, Instant::now());
                (self.family(host, begin), true)
            }
            Some((Concerns::Asker, first, _)) => (first, false),
            None => (Duration::ZERO, false),
        };
        Failed { refusal: Some(refusal), error: AskError::Throttled { what, pause, everybody } }
    }

    fn family<T>(&self, host: Host, change: impl FnOnce(&mut Cooling) -> T) -> T {
        change(self.state().families.entry(host).or_default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with its causes; the client's own text says only that something failed.
fn in_full(error: reqwest::Error) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

/// Names and values as they came: a value that is decoded is no longer accepted.
fn set_cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    let texts = headers.get_all(SET_COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.filter_map(|text| text.split(';').next()?.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_kept_exactly_as_they_are_set() {
        let mut headers = HeaderMap::new();
        for text in ["SESSDATA=a%2Cb%2Cc*d1; Path=/; HttpOnly", "bili_jct=0f; Secure", "gone=; Max-Age=0", "odd"] {
            headers.append(SET_COOKIE, HeaderValue::from_static(text));
        }
        let expected = [("SESSDATA", "a%2Cb%2Cc*d1"), ("bili_jct", "0f")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(set_cookies(&headers), expected);
    }
}
