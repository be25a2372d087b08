//! What identifies an event: the same upstream fact has the same id whenever and however often it arrives.
//!
//! Not here: which facts identify which event; that is the business of its decoder.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use ulid::Ulid;

/// Identity of an event: 48 bits of its time in ms, then 80 bits of a hash of what identifies the fact.
/// Text in ULID form, so sorting ids sorts by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(Ulid);

impl EventId {
    /// The id of the fact that `facts` identify, at `timestamp_ms`. The order of `facts` matters; each is
    /// delimited, so `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of(timestamp_ms: i64, facts: &[&str]) -> EventId {
        EventId::of_each(timestamp_ms, facts.iter().copied())
    }

    /// The same, of facts that stand in no slice.
    pub fn of_each<'a>(timestamp_ms: i64, facts: impl Iterator<Item = &'a str>) -> EventId {
        let mut hash = Sha256::new();
        for fact in facts {
            hash.update((fact.len() as u64).to_be_bytes());
            hash.update(fact.as_bytes());
        }
        let digest = hash.finalize();
        let mut low = [0u8; 16];
        low[6..].copy_from_slice(&digest[..10]);
        let time = timestamp_ms.clamp(0, MAX_TIMESTAMP_MS) as u128;
        EventId(Ulid((time << 80) | u128::from_be_bytes(low)))
    }

    /// What sorts before every other id of that ms and after every id of an earlier one.
    pub fn first_at(timestamp_ms: i64) -> EventId {
        EventId(Ulid((timestamp_ms.clamp(0, MAX_TIMESTAMP_MS) as u128) << 80))
    }

    /// The time inside the id, unix ms.
    pub fn timestamp_ms(self) -> i64 {
        self.0.timestamp_ms() as i64
    }
}

/// The latest time an event id can hold: 48 bits of milliseconds, the year 10889.
pub const MAX_TIMESTAMP_MS: i64 = (1 << 48) - 1;

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EventId {
    type Err = ulid::DecodeError;
    fn from_str(text: &str) -> Result<EventId, ulid::DecodeError> {
        Ulid::from_string(text).map(EventId)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EventId, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fact_has_the_same_id_and_ids_sort_by_time() {
        let id = EventId::of(1_700_000_000_123, &["7", "danmaku", "abc"]);
        assert_eq!(id, EventId::of(1_700_000_000_123, &["7", "danmaku", "abc"]));
        assert_ne!(id, EventId::of(1_700_000_000_123, &["7", "danmaku", "ab", "c"]));
        assert_eq!(id.timestamp_ms(), 1_700_000_000_123);
        assert!(id < EventId::of(1_700_000_000_124, &["0"]));
        assert_eq!(id.to_string().len(), 26);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn absurd_times_do_not_break_an_id() {
        assert_eq!(EventId::of(-62_170_012_800_000, &[]).timestamp_ms(), 0);
        assert_eq!(EventId::of(i64::MAX, &[]).timestamp_ms(), MAX_TIMESTAMP_MS);
    }
}
