//! Load on top of the story: so many lines, entries and other messages a second, for a while.
//!
//! Lines of a storm are chat like any other and stand in the books. The real platform lets about 20 of them a
//! second through; whoever asks for more gets more, to find where a monitor ends.

use serde::{Deserialize, Serialize};

/// A storm that blows.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Storm {
    /// How long it lasts, seconds.
    pub seconds: f64,
    /// Chat lines a second.
    #[serde(default)]
    pub lines: f64,
    /// Entries a second.
    #[serde(default)]
    pub entries: f64,
    /// Likes a second, for all the rest.
    #[serde(default)]
    pub others: f64,
    /// What of a message the last step left undone.
    #[serde(skip)]
    owed: [f64; 3],
}

impl Storm {
    /// Blows on for so long: how many lines, entries and others come now. `None` when it is over.
    pub fn blow(&mut self, seconds: f64) -> Option<[usize; 3]> {
        if self.seconds <= 0.0 {
            return None;
        }
        let span = seconds.min(self.seconds);
        self.seconds -= seconds;
        let mut due = [0; 3];
        for (place, rate) in [self.lines, self.entries, self.others].into_iter().enumerate() {
            self.owed[place] += rate * span;
            due[place] = self.owed[place] as usize;
            self.owed[place] -= due[place] as f64;
        }
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_brings_what_it_promises_and_ends() {
        let mut storm: Storm = serde_json::from_str(r#"{"seconds":10,"lines":20,"entries":50.5}"#).expect("is one");
        let mut sum = [0; 3];
        while let Some(due) = storm.blow(0.21) {
            for (sum, due) in sum.iter_mut().zip(due) {
                *sum += due;
            }
        }
        assert!((199..=200).contains(&sum[0]) && (504..=505).contains(&sum[1]) && sum[2] == 0, "{sum:?}");
    }
}
