//! The crash matrix as it runs with all other tests.

use super::{local, with_redis};
use crate::support::load::Scale;

#[tokio::test]
async fn killed_at_random_moments_it_loses_at_most_the_last_second_and_says_so() {
    local::killed_again_and_again(92_005_101, Scale::SHORT).await;
}

#[tokio::test]
async fn a_locked_sqlite_holds_events_up_and_loses_none() {
    local::sqlite_locked(92_005_131, Scale::SHORT).await;
}

#[tokio::test]
async fn a_full_disk_holds_events_up_and_loses_none() {
    local::disk_full(92_005_141, Scale::SHORT).await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_costs_nothing_also_over_a_kill() {
    local::clock_set_back(92_005_151, Scale::SHORT).await;
}

#[tokio::test]
async fn with_redis_killed_at_random_moments_it_loses_at_most_the_last_second_and_says_so() {
    with_redis::killed_again_and_again(92_005_111, Scale::SHORT).await;
}

#[tokio::test]
async fn a_redis_that_stops_for_a_while_costs_nothing() {
    with_redis::away_for_a_while(92_005_161, Scale::SHORT).await;
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_costs_nothing() {
    with_redis::restarted_empty(92_005_121, Scale::SHORT).await;
}

#[tokio::test]
async fn redis_killed_together_with_the_program_costs_at_most_the_last_second() {
    with_redis::killed_together(92_005_171, Scale::SHORT).await;
}
