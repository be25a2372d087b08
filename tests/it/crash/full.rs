//! The crash matrix as the project promises it: some ten minutes, by hand and with a release build.

use super::{local, with_redis};
use crate::support::load::Scale;

#[tokio::test]
#[ignore = "minutes; see crash.rs"]
async fn killed_twenty_times() {
    local::killed_again_and_again(92_005_201, Scale::FULL).await;
}

#[tokio::test]
#[ignore = "minutes; see crash.rs"]
async fn sqlite_locked_for_half_a_minute() {
    local::sqlite_locked(92_005_231, Scale::FULL).await;
}

#[tokio::test]
#[ignore = "minutes; see crash.rs"]
async fn disk_full() {
    local::disk_full(92_005_241, Scale::FULL).await;
}

#[tokio::test]
#[ignore = "minutes; see crash.rs"]
async fn clock_set_back() {
    local::clock_set_back(92_005_251, Scale::FULL).await;
}

#[tokio::test]
#[ignore = "minutes; see crash.rs"]
async fn with_redis_killed_twenty_times() {
    with_redis::killed_again_and_again(92_005_211, Scale::FULL).await;
}

#[tokio::test]
#[ignore = "minutes; see crash.rs"]
async fn redis_stopped_for_a_minute() {
    with_redis::away_for_a_while(92_005_261, Scale::FULL).await;
}

#[tokio::test]
#[ignore = "minutes; see crash.rs"]
async fn redis_restarted_empty() {
    with_redis::restarted_empty(92_005_221, Scale::FULL).await;
}

#[tokio::test]
#[ignore = "minutes; see crash.rs"]
async fn redis_killed_with_the_program_twenty_times() {
    with_redis::killed_together(92_005_271, Scale::FULL).await;
}
