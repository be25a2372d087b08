//! The program, Redis, SQLite, the disk and the clock fail under load; then everything must be there.
//!
//! Each test has a scale: the short one runs with all others, the one the project promises (2,000 lines a second, 20
//! kills, Redis away for 60 s, SQLite locked for 30 s) by
//!
//! ```sh
//! cargo test --release --test it crash::full -- --ignored --nocapture --test-threads 1
//! ```

mod full;
mod local;
mod short;
mod with_redis;

use std::time::Duration;

use crate::support::{
    eventually,
    load::{Load, Scale},
    monitor::{Monitor, Setup},
};

/// Moments between 300 and 1500 ms, the same for the same seed.
fn moments(mut seed: u64, n: usize) -> Vec<Duration> {
    (0..n)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Duration::from_millis(300 + (seed >> 33) % 1200)
        })
        .collect()
}

/// Kills the program, started with these options, again and again.
async fn killed(first: u64, scale: Scale, options: &[&str]) {
    let mut load = Load::new(first, scale);
    let setup = Setup::watching(&load.fake, &load.ids()).with(options);
    let mut monitor = setup.start().await;
    for (round, moment) in moments(first, scale.kills).into_iter().enumerate() {
        load.is_heard(round + 1).await;
        load.kill(&mut monitor, moment).await;
        monitor = setup.start().await;
    }
    load.is_heard(scale.kills + 1).await;
    load.send_for(Duration::from_millis(500)).await;
    load.is_stored_and_booked(&monitor).await;
}

/// Waits until health tells of this.
async fn health_tells(monitor: &Monitor, code: &str) {
    eventually(&format!("health tells of {code}"), async || {
        let health = monitor.data("/live/api/health/").await;
        let findings = health["findings"].as_array().cloned().unwrap_or_default();
        if findings.iter().any(|finding| finding["code"] == code) {
            Ok(())
        } else {
            Err(health["sentence"].to_string())
        }
    })
    .await;
}
