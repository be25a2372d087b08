//! How much one address may ask for: a bucket that fills evenly.
//!
//! Reading is cheap, looking through the whole history is not, so a request costs by what it does. Files
//! cost nothing, and neither does this machine's own address: whoever is here already needs no browser
//! to do harm, and behind a proxy that does not say who asks, everybody would look like one.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use actix_web::http::StatusCode;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};

use super::{error::Refusal, tries::counted_as};

/// Tokens an address gets each second ...
const A_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
/// ... and may have saved up: some page loads at once.
const SAVED: NonZeroU32 = NonZeroU32::new(200).expect("not zero");
/// What a look through the history costs.
const SEARCH: u32 = 10;
/// What a copy of it costs.
const EXPORT: u32 = 40;
/// Buckets that are full again are let go after so many requests.
const TIDY_EVERY: u32 = 10_000;

/// The buckets of all addresses.
pub struct Pace<C: Clock = MonotonicClock> {
    buckets: RateLimiter<IpAddr, HashMapStateStore<IpAddr>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    asked: AtomicU32,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace::by(MonotonicClock)
    }
}

impl<C: Clock + Clone> Pace<C> {
    fn by(clock: C) -> Pace<C> {
        let quota = Quota::per_second(A_SECOND).allow_burst(SAVED);
        let buckets = RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Pace { buckets, clock, asked: AtomicU32::new(0) }
    }

    /// Lets a request for that path and query through, or says when to come again.
    pub fn take(&self, address: IpAddr, path: &str, query: &str) -> Result<(), Refusal> {
        let Some(cost) = NonZeroU32::new(cost(path, query)).filter(|_| !address.to_canonical().is_loopback()) else {
            return Ok(());
        };
        if self.asked.fetch_add(1, Relaxed) % TIDY_EVERY == TIDY_EVERY - 1 {
            self.buckets.retain_recent();
        }
        let wait = match self.buckets.check_key_n(&counted_as(address), cost) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(not_until)) => not_until.wait_time_from(self.clock.now()).as_secs() + 1,
            Err(_) => 60,
        };
        let text = "too many requests from this address";
        Err(Refusal::later(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", text, wait))
    }
}

fn cost(path: &str, query: &str) -> u32 {
    let asks_for = |name: &str| query.split('&').any(|pair| pair.starts_with(name) && pair.len() > name.len());
    match path {
        _ if path.starts_with("/static/") || path == "/favicon.ico" => 0,
        _ if path.trim_end_matches('/').ends_with("/export") => EXPORT,
        _ if asks_for("q=") => SEARCH,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn an_address_has_what_it_saved_and_then_what_the_seconds_bring() {
        let clock = FakeRelativeClock::default();
        let pace = Pace::by(clock.clone());
        let ask = |address: &str, path: &str, query: &str| {
            let refused = pace.take(address.parse().expect("an address"), path, query).err();
            refused.map(|refusal| (refusal.status.as_u16(), refusal.retry_after.unwrap_or(0)))
        };
        let (page, one, other) = ("/live/", "203.0.113.9", "203.0.113.10");
        for _ in 0..200 {
            assert_eq!(ask(one, page, ""), None);
        }
        assert_eq!(ask(one, page, ""), Some((429, 1)));
        assert_eq!(ask(one, "/static/style.css", ""), None, "files cost nothing");
        assert_eq!((ask(other, page, ""), ask("127.0.0.1", page, "")), (None, None), "others have their own");
        clock.advance(Duration::from_secs(1));
        assert_eq!(ask(one, "/live/danmaku/", "room=all&q=%E4%BD%A0"), None);
        assert_eq!(ask(one, "/live/danmaku/", "q=&room=all"), None, "an empty search looks for nothing");
        assert_eq!(ask(one, "/live/danmaku/", "q=x"), Some((429, 1)), "9 are left, a search costs 10");
        assert_eq!(ask(one, "/live/api/room/1/export/", ""), Some((429, 2)));
    }
}
