//! Refusals: why a request was not done, for a person and for a program.
//!
//! Below `/live/api/` a refusal is the contract's envelope; pages turn the same value into a page with
//! the words of the visitor's language (`error-<code>` in the locales). What went wrong inside is logged
//! once, here where it is answered, and never shown.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    error::{JsonPayloadError, PathError, QueryPayloadError, UrlencodedError},
    http::{StatusCode, header},
};
use serde_json::json;

use crate::actors::{handles::RoomsError, sync_request::SyncError};

/// Why a request was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The fitting status.
    pub status: StatusCode,
    /// For a program; also names the text in the locales.
    pub code: &'static str,
    /// For a person.
    pub text: String,
    /// Seconds after which trying again makes sense.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal with that status, code and text.
    pub fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Refusal {
        Refusal { status, code, text: text.into(), retry_after: None }
    }

    /// A parameter cannot be read.
    pub fn bad_parameter(text: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "bad_parameter", text)
    }

    /// There is no such page or call.
    pub fn not_found() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
    }

    /// The room is neither watched nor known from before.
    pub fn no_such_room(room: impl fmt::Display) -> Refusal {
        Refusal::new(
            StatusCode::NOT_FOUND,
            "no_such_room",
            format!("room {room} is not monitored and has no stored history"),
        )
    }

    /// The body is longer than `limit`.
    pub fn too_large(limit: usize) -> Refusal {
        let text = format!("the body is longer than the {limit} bytes that are read here");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
    }

    /// The body is not the JSON that was expected.
    pub fn not_json(why: impl fmt::Display) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "not_json", format!("the body is not the JSON that is expected: {why}"))
    }

    /// A part of the address is not what stands there; the only such part is a room's number.
    pub fn of_path(_: PathError, request: &HttpRequest) -> actix_web::Error {
        let room = request.match_info().get("room").unwrap_or_default();
        Refusal::bad_parameter(format!("room: {room:?} is not the number of a room")).into()
    }

    /// The query string cannot be read.
    pub fn of_query(error: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
        let QueryPayloadError::Deserialize(why) = error else {
            return Refusal::bad_parameter("the query string cannot be read").into();
        };
        Refusal::bad_parameter(format!("the query string cannot be read: {why}")).into()
    }

    /// A form cannot be read.
    pub fn of_form(error: UrlencodedError, _: &HttpRequest) -> actix_web::Error {
        match error {
            UrlencodedError::Overflow { limit, .. } => Refusal::too_large(limit).into(),
            UrlencodedError::Parse(why) => Refusal::bad_parameter(format!("the form cannot be read: {why}")).into(),
            _ => Refusal::bad_parameter("the form cannot be read").into(),
        }
    }

    /// A JSON body cannot be read.
    pub fn of_json(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
        match error {
            JsonPayloadError::OverflowKnownLength { limit, .. } | JsonPayloadError::Overflow { limit } => {
                Refusal::too_large(limit).into()
            }
            JsonPayloadError::Deserialize(why) => Refusal::not_json(why).into(),
            JsonPayloadError::ContentType => Refusal::not_json("send it as application/json").into(),
            _ => Refusal::not_json("it did not arrive whole").into(),
        }
    }

    /// Nobody is signed in.
    pub fn sign_in_first() -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, "sign_in_first", "sign in on /live/admin/ or send a bearer token")
    }

    /// The request comes from somewhere else, or without the token of its form.
    pub fn forged(text: &str) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "forged", text)
    }

    /// Too much of something; try again later.
    pub fn later(status: StatusCode, code: &'static str, text: &str, seconds: u64) -> Refusal {
        Refusal { retry_after: Some(seconds), ..Refusal::new(status, code, text) }
    }

    /// Something failed inside. `what` was being done; `why` goes to the log only.
    pub fn inside(what: &str, why: impl fmt::Display) -> Refusal {
        tracing::error!(error = %why, "web: {what} failed");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("{what} failed; the log says why"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        answer.json(json!({"success": false, "error": self.text, "code": self.code}))
    }
}

impl From<RoomsError> for Refusal {
    fn from(error: RoomsError) -> Refusal {
        let (status, code) = match &error {
            RoomsError::NoSuchRoom(_) => (StatusCode::NOT_FOUND, "no_such_room_upstream"),
            RoomsError::Unusable { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unusable_room"),
            RoomsError::AlreadyThere(_) => (StatusCode::CONFLICT, "already_there"),
            RoomsError::NotThere(_) => (StatusCode::NOT_FOUND, "not_monitored"),
            RoomsError::TooMany(_) => (StatusCode::INSUFFICIENT_STORAGE, "too_many_rooms"),
            RoomsError::Upstream(_) => (StatusCode::BAD_GATEWAY, "upstream"),
            RoomsError::Busy => {
                return Refusal::later(StatusCode::SERVICE_UNAVAILABLE, "busy", &error.to_string(), 2);
            }
            RoomsError::Storage(_) => return Refusal::inside("changing the rooms", error),
        };
        Refusal::new(status, code, error.to_string())
    }
}

impl From<SyncError> for Refusal {
    fn from(error: SyncError) -> Refusal {
        tracing::warn!(%error, "web: a sync that was asked for failed");
        Refusal::later(StatusCode::SERVICE_UNAVAILABLE, "sync_failed", &error.to_string(), 5)
    }
}
