//! How long to leave Bilibili alone after a refusal, and who has to.
//!
//! Pure: time comes in as a value. The reactions are those of section 1.0 of the protocol notes: risk control
//! concerns the one who asked and lasts minutes; a blocked address concerns every call to those servers and
//! lasts longer each time; "too many" slows all of them down. Server errors rest nobody: each asker tries
//! again at its own growing distance (`supervise::policy`).

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::Refusal;

/// Who rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concerns {
    /// The identity that asked.
    Asker,
    /// Everybody, at these servers.
    Everybody,
}

/// Who rests after a refusal, how long the first time, and how long at most.
pub fn rest(refusal: Refusal) -> Option<(Concerns, Duration, Duration)> {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    match refusal {
        Refusal::RiskControl => Some((Concerns::Asker, minutes(3), minutes(30))),
        Refusal::Blocked => Some((Concerns::Everybody, minutes(10), minutes(120))),
        Refusal::TooMany => Some((Concerns::Everybody, Duration::from_secs(30), minutes(10))),
        // The identity was made new and is still not liked.
        Refusal::Identity => Some((Concerns::Asker, minutes(1), minutes(30))),
        Refusal::NoSuchRoom | Refusal::NotLoggedIn | Refusal::Server | Refusal::Other => None,
    }
}

/// Whether somebody rests at present, and why.
#[derive(Clone, Debug, Default)]
pub struct Cooling {
    until: Option<Instant>,
    why: String,
    streak: u32,
}

impl Cooling {
    /// Rests from `now` for `first`, twice as long each time it happens again before a success, up to `most`.
    /// What is begun while it rests already (calls that were on the way) makes it no longer.
    pub fn begin(&mut self, why: impl Into<String>, first: Duration, most: Duration, now: Instant) -> Duration {
        if let Some(left) = self.left(now) {
            return left;
        }
        let pause = first.saturating_mul(1 << self.streak.min(16)).min(most);
        self.streak += 1;
        self.until = Some(now + pause);
        self.why = why.into();
        pause
    }

    /// It went well: the next rest is a short one again.
    pub fn succeeded(&mut self) {
        self.streak = 0;
    }

    /// How long it still rests.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Why it last had to rest.
    pub fn why(&self) -> &str {
        &self.why
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_rests_whom_it_concerns() {
        use Concerns::*;
        for (code, expected) in [
            (-352, Some((Asker, 180))),
            (-403, Some((Asker, 180))),
            (-412, Some((Everybody, 600))),
            (-509, Some((Everybody, 30))),
            (-799, Some((Everybody, 30))),
            (65530, Some((Asker, 60))),
            (-500, None),
            (-503, None),
            (-504, None),
            (-101, None),
            (60004, None),
            (-400, None),
        ] {
            let found = rest(Refusal::of_code(code)).map(|(who, first, _)| (who, first.as_secs()));
            assert_eq!(found, expected, "{code}");
        }
    }

    #[test]
    fn a_rest_doubles_until_something_goes_well_and_never_passes_its_limit() {
        let (first, most) = (Duration::from_secs(180), Duration::from_secs(600));
        let (mut cooling, mut now) = (Cooling::default(), Instant::now());
        let mut rests = Vec::new();
        for round in 0..5 {
            rests.push(cooling.begin("-352", first, most, now).as_secs());
            assert_eq!(cooling.begin("-352", first, most, now).as_secs(), rests[round], "others that were on the way");
            now += Duration::from_secs(601);
            assert_eq!(cooling.left(now), None);
            if round == 3 {
                cooling.succeeded();
            }
        }
        assert_eq!(rests, [180, 360, 600, 600, 180]);
    }
}
