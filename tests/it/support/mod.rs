//! What the tests stand on: the world the program lives in, made by hand.

pub mod axe;
pub mod browser;
pub mod fake;
pub mod gifts_v2;
pub mod http;
pub mod listener;
pub mod load;
pub mod login;
pub mod monitor;
pub mod packet;
pub mod past;
pub mod platform;
pub mod redis_server;
pub mod shown;
pub mod simulator;
pub mod small_disk;
pub mod story;
pub mod stream;
pub mod till;

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a condition is waited for. No test asserts that something takes so long: it is only where
/// hope ends, generous because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `probe` gives a value; fails with what it said last.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(last) if Instant::now() > end => panic!("waited in vain until {what}; last seen: {last}"),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Ok if the two are equal, else both as text.
pub fn same<T: PartialEq + std::fmt::Debug>(got: T, wanted: T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{got:?} instead of {wanted:?}")) }
}
