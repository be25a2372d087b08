//! What nearly every HTTP reply of the upstream has around it, and the ways of saying no.
//!
//! The HTTP status is 200 even for refusals: what counts is `code`. Not here: the payloads (`api`), and
//! deciding how long to wait after a refusal.
//!
//! Invariant: a refusal is never mistaken for an empty answer, though `data` may be an object, `null` or
//! `[]` in both.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::lenient::{Int, Text};

/// A reply that does not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The upstream says no.
    #[error(transparent)]
    Refused(#[from] ApiRefusal),
    /// It is no envelope, such as the page of a proxy.
    #[error("not a reply of the API: {start:?}")]
    NotAReply {
        /// How it begins.
        start: String,
        /// What is wrong with it.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// It says yes, but the essential part is not there.
    #[error("the reply has no {0}")]
    Missing(&'static str),
}

/// The upstream says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused with code {code}: {message}")]
pub struct ApiRefusal {
    /// Its number.
    pub code: i64,
    /// Its words.
    pub message: String,
    /// What to make of it.
    pub kind: Refusal,
}

/// What a refusal is about, which decides what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// -352, -403: signature, cookie or habits are not liked. New keys once, then minutes of rest.
    RiskControl,
    /// -412: this address is blocked for minutes to hours.
    Blocked,
    /// -509, -799: slower.
    TooMany,
    /// There is no such room, and there will be none.
    NoSuchRoom,
    /// -101: not logged in, or no longer.
    NotLoggedIn,
    /// 65530: the identity is not accepted; make a new one.
    Identity,
    /// -500, -503, -504: the upstream is not well. Try again.
    Server,
    /// Anything else.
    Other,
}

impl Refusal {
    /// What the code means at any endpoint.
    pub fn of_code(code: i64) -> Refusal {
        match code {
            -352 | -403 => Refusal::RiskControl,
            -412 => Refusal::Blocked,
            -509 | -799 => Refusal::TooMany,
            60004 | 1_002_002 => Refusal::NoSuchRoom,
            -101 => Refusal::NotLoggedIn,
            65530 => Refusal::Identity,
            -500 | -503 | -504 => Refusal::Server,
            _ => Refusal::Other,
        }
    }
}

impl ApiError {
    /// What a refusal is about, if it is one.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            ApiError::Refused(refusal) => Some(refusal.kind),
            ApiError::NotAReply { .. } | ApiError::Missing(_) => None,
        }
    }
}

/// A reply cut open.
pub struct Envelope<'a> {
    data: Option<&'a str>,
    /// The upstream's no, if it is one.
    pub refusal: Option<ApiRefusal>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RawEnvelope<'a> {
    code: Int,
    message: Text,
    msg: Text,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Opens a reply.
    pub fn read(body: &'a [u8]) -> Result<Envelope<'a>, ApiError> {
        let not_a_reply = |source| ApiError::NotAReply {
            start: String::from_utf8_lossy(&body[..body.len().min(100)]).into_owned(),
            source,
        };
        let raw: RawEnvelope = match body.trim_ascii_start().first() {
            Some(b'{') => serde_json::from_slice(body).map_err(|error| not_a_reply(Some(error)))?,
            _ => return Err(not_a_reply(None)),
        };
        let code = raw.code.0.ok_or_else(|| not_a_reply(None))?;
        let refusal = || ApiRefusal {
            code,
            message: raw.message.or(raw.msg).or_empty().chars().take(200).collect(),
            kind: Refusal::of_code(code),
        };
        Ok(Envelope {
            data: raw.data.map(RawValue::get).filter(|data| data.starts_with('{')),
            refusal: (code != 0).then(refusal),
        })
    }

    /// The payload of a granted request; an empty one where `data` is no object.
    pub fn data<T: DeserializeOwned + Default>(self) -> Result<T, ApiError> {
        match (self.refusal, self.data) {
            (Some(refusal), _) => Err(refusal.into()),
            (None, None) => Ok(T::default()),
            (None, Some(data)) => serde_json::from_str(data)
                .map_err(|error| ApiError::NotAReply { start: data.chars().take(100).collect(), source: Some(error) }),
        }
    }
}
