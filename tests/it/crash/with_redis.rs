//! What fails beside this machine's own: Redis, alone and together with the program.

use std::time::Duration;

use super::{health_tells, killed, moments};
use crate::support::{
    load::{Load, Scale},
    monitor::Setup,
    redis_server::RedisServer,
};

pub async fn killed_again_and_again(first: u64, scale: Scale) {
    let redis = RedisServer::start().await;
    killed(first, scale, &["--redis", redis.url()]).await;
}

/// It knows afterwards what it knew before, and the program runs all the time.
pub async fn away_for_a_while(first: u64, scale: Scale) {
    let redis = RedisServer::start_keeping().await;
    let mut load = Load::new(first, scale);
    let monitor = Setup::watching(&load.fake, &load.ids()).with(&["--redis", redis.url()]).start().await;
    load.is_heard(1).await;
    load.send_for(Duration::from_millis(500)).await;
    let redis = redis.kill_9();
    load.send_for(scale.redis_away).await;
    health_tells(&monitor, "redis_away").await;
    let _redis = redis.start().await;
    load.send_for(Duration::from_millis(500)).await;
    load.is_stored_and_booked(&monitor).await;
}

pub async fn restarted_empty(first: u64, scale: Scale) {
    let redis = RedisServer::start().await;
    let (url, port) = (redis.url().to_owned(), redis.port());
    let mut load = Load::new(first, scale);
    let mut monitor = Setup::watching(&load.fake, &load.ids()).with(&["--redis", &url]).start().await;
    load.is_heard(1).await;
    load.send_for(Duration::from_millis(500)).await;
    drop(redis);
    load.send_for(Duration::from_secs(2)).await;
    health_tells(&monitor, "redis_away").await;
    // Stopped meanwhile, everything is safe; started without Redis, everything is there still.
    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0));
    let monitor = monitor.setup().clone().start().await;
    load.is_heard(2).await;
    load.send_for(Duration::from_millis(500)).await;
    let redis = RedisServer::start_on(port).await;
    load.is_stored_and_booked(&monitor).await;
    // Emptied with everything open, under load.
    load.send_for(Duration::from_millis(300)).await;
    let _: () = deadpool_redis::redis::cmd("FLUSHALL").query(&mut redis.open()).expect("flushed");
    load.send_for(Duration::from_millis(300)).await;
    load.is_stored_and_booked(&monitor).await;
}

/// Both at the same moment; Redis comes back with what it has written down, or with nothing, by turns.
pub async fn killed_together(first: u64, scale: Scale) {
    let mut redis = RedisServer::start_keeping().await;
    let mut load = Load::new(first, scale);
    let setup = Setup::watching(&load.fake, &load.ids()).with(&["--redis", redis.url()]);
    let mut monitor = setup.start().await;
    for (round, moment) in moments(first, scale.kills).into_iter().enumerate() {
        load.is_heard(round + 1).await;
        load.send_for(moment).await;
        let stopped = redis.kill_9();
        load.kill(&mut monitor, Duration::from_millis(40)).await;
        redis = stopped.start().await;
        if round % 2 == 1 {
            let _: () = deadpool_redis::redis::cmd("FLUSHALL").query(&mut redis.open()).expect("flushed");
        }
        monitor = setup.start().await;
    }
    load.is_heard(scale.kills + 1).await;
    load.send_for(Duration::from_millis(500)).await;
    load.is_stored_and_booked(&monitor).await;
}
