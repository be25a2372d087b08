//! The signing keys: one pair for everybody, fetched once an hour and once more when it is refused.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

use super::{
    client::{Client, Failed, Host},
    identity::Who,
};
use crate::protocol::{WbiKeys, api};

/// Keys are asked for again after this long: real changes are rare, stale keys cost a refusal.
const KEYS_LAST: Duration = Duration::from_secs(3600);

/// The keys, and which of the pairs so far they are.
#[derive(Clone)]
pub struct Pair {
    /// What signs.
    pub keys: WbiKeys,
    /// Counts the pairs that were fetched.
    pub number: u64,
}

/// The cache.
#[derive(Default)]
pub struct Keys {
    // Held while they are fetched, so that a hundred rooms fetch them once.
    known: Mutex<Option<(Pair, Instant)>>,
}

impl Keys {
    /// Keys that are fresh, and not the pair `refused`.
    pub async fn get(&self, client: &Client, who: &Who, refused: Option<u64>) -> Result<Pair, Failed> {
        let mut known = self.known.lock().await;
        if let Some((pair, at)) = &*known
            && at.elapsed() < KEYS_LAST
            && refused != Some(pair.number)
        {
            return Ok(pair.clone());
        }
        let keys = match (client.ask("nav", Host::Main, "/x/web-interface/nav", who, api::parse_nav).await, &*known) {
            (Ok(keys), _) => keys,
            // Old keys are mostly still good, and no keys never are.
            (Err(_), Some((pair, _))) if refused != Some(pair.number) => return Ok(pair.clone()),
            (Err(failed), _) => return Err(failed),
        };
        let number = known.as_ref().map_or(1, |(pair, _)| pair.number + 1);
        let pair = Pair { keys, number };
        *known = Some((pair.clone(), Instant::now()));
        Ok(pair)
    }

    /// Keys that came along with something else.
    pub async fn learn(&self, keys: WbiKeys) {
        let mut known = self.known.lock().await;
        if known.as_ref().is_none_or(|(_, at)| at.elapsed() >= KEYS_LAST) {
            let number = known.as_ref().map_or(1, |(pair, _)| pair.number + 1);
            *known = Some((Pair { keys, number }, Instant::now()));
        }
    }
}
