//! Who we are to Bilibili: one User-Agent, one set of device cookies, one pair of signing keys.
//!
//! Shared by all rooms, because a new identity per connection is itself suspicious and the stream token
//! is bound to the one that fetched it. Anonymous; accounts are not built yet.

use tokio::time::{Duration, Instant};

use crate::protocol::{Buvid, WbiKeys};

/// A current desktop browser; anything that names a library is refused.
pub const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                              Chrome/141.0.0.0 Safari/537.36";

/// Signing keys are asked for again after this long: real changes are rare, stale keys cost a refusal.
const KEYS_LAST: Duration = Duration::from_secs(3600);

/// What has been fetched of the identity so far.
#[derive(Default)]
pub struct Identity {
    /// Device cookies; fetched once.
    pub buvid: Option<Buvid>,
    keys: Option<(WbiKeys, Instant)>,
}

impl Identity {
    /// The signing keys, while they are fresh.
    pub fn keys(&self) -> Option<&WbiKeys> {
        self.keys.as_ref().filter(|(_, at)| at.elapsed() < KEYS_LAST).map(|(keys, _)| keys)
    }

    /// New signing keys.
    pub fn learn_keys(&mut self, keys: WbiKeys) {
        self.keys = Some((keys, Instant::now()));
    }

    /// The signing keys were not accepted.
    pub fn forget_keys(&mut self) {
        self.keys = None;
    }

    /// Who asks.
    pub fn who(&self) -> Who {
        let cookies = self.buvid.as_ref().map_or_else(String::new, |buvid| {
            if buvid.buvid4.is_empty() {
                format!("buvid3={}", buvid.buvid3)
            } else {
                format!("buvid3={}; buvid4={}", buvid.buvid3, buvid.buvid4)
            }
        });
        Who { cookies, ..Who::nobody() }
    }
}

/// In whose name a call is made.
#[derive(Clone)]
pub struct Who {
    /// The browser.
    pub user_agent: String,
    /// The `Cookie` header; none is sent when empty. Secret.
    pub cookies: String,
}

impl Who {
    /// A browser without cookies, for what everybody may read.
    pub fn nobody() -> Who {
        Who { user_agent: USER_AGENT.into(), cookies: String::new() }
    }
}
