//! The way to a Redis server: its address, the connections, and whose fault an error is.

use std::time::Duration;

use deadpool_redis::{
    Manager, Pool, Runtime,
    redis::{AsyncConnectionConfig, ErrorKind, RedisError, ServerErrorKind},
};
use thiserror::Error;

use crate::store::{DANMAKU_KEPT, GIFTS_KEPT, StoreError};

/// How the server is used.
#[derive(Clone, Copy, Debug)]
pub struct RedisOptions {
    /// A room's lists disappear when nothing was added for so long. A week: longer than most rooms stay
    /// silent, and short enough that a room that is no longer watched does not stay for ever.
    pub list_expiry: Duration,
    /// Chat lines kept per room.
    pub danmaku_kept: usize,
    /// Gifts kept per room.
    pub gifts_kept: usize,
}

impl Default for RedisOptions {
    fn default() -> RedisOptions {
        RedisOptions {
            list_expiry: Duration::from_secs(7 * 24 * 3600),
            danmaku_kept: DANMAKU_KEPT,
            gifts_kept: GIFTS_KEPT,
        }
    }
}

/// The address cannot be used. Shown without its password.
#[derive(Debug, Error)]
#[error(
    "{address:?} is not the address of a Redis server ({why}): give one such as redis://:password@localhost:6379/0"
)]
pub struct RedisAddressError {
    address: String,
    why: String,
}

/// Connections at the same time: a writer, a reader, a status and one to spare.
const CONNECTIONS: usize = 4;

/// The longest wait for an answer or a connection. The redis crate's own 500 ms is too short for a
/// server that is rewriting its log.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Connections to the server at `url`, made when they are needed.
pub(super) fn pool(url: &str) -> Result<Pool, RedisAddressError> {
    let unusable = |why: String| RedisAddressError { address: without_password(url), why };
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    let manager = Manager::new_with_config(url, config).map_err(|error| unusable(error.category().to_owned()))?;
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .recycle_timeout(Some(PATIENCE))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| unusable(error.to_string()))
}

/// `url` as it may be shown: without what stands before an @, and without parameters.
fn without_password(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let rest = rest.split('?').next().unwrap_or_default();
    match rest.rfind('@') {
        Some(at) => format!("{scheme}***{}", &rest[at..]),
        // A password whose @ was forgotten.
        None if rest.starts_with(':') => format!("{scheme}***"),
        None => format!("{scheme}{rest}"),
    }
}

/// Sorts errors into those of the way to the server and those of the server.
pub(super) fn classify(what: &'static str) -> impl Fn(RedisError) -> StoreError {
    move |error| {
        let starting = matches!(error.kind(), ErrorKind::Server(ServerErrorKind::BusyLoading));
        if starting || error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
            StoreError::Unreachable(format!("Redis: {error}"))
        } else {
            StoreError::Refused { what, why: error.to_string() }
        }
    }
}
