//! Decides what happens after a life has ended.
//!
//! Pure: the clock and the dice come in as values, so every row of the table below is a test. Lost
//! connections are retried for ever at a growing distance; bugs and refusals spend a budget, and a child
//! that has spent it is parked as failed until a probe or a person revives it.
//!
//! Not here: waiting (`actors::supervisor`), limiting how many connect at once (`upstream::gate`), and
//! noticing that many fell together, which spends nobody's budget (`actors::supervisor`).

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::exit::Exit;

/// What the supervisor should do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Begin a new life after this long.
    Restart {
        /// From now.
        after: Duration,
    },
    /// Give up for now; one life is tried after `probe`.
    Park {
        /// From now.
        probe: Duration,
        /// What the page says.
        why: Parked,
    },
    /// The end was wanted.
    Forget,
}

/// Why a child was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parked {
    /// The other side keeps saying no.
    Refused,
    /// It keeps crashing.
    Crashing,
}

impl Parked {
    /// The word after `failed:`.
    pub fn as_str(self) -> &'static str {
        match self {
            Parked::Refused => "refused",
            Parked::Crashing => "crashing",
        }
    }
}

/// The numbers of the policy.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// This many crashes ...
    pub crashes: usize,
    /// ... within this window are too many.
    pub crash_window: Duration,
    /// This many refusals in a row are too many.
    pub refusals: u32,
    /// A life this long clears the streak of losses and refusals.
    pub long_life: Duration,
    /// A failed child is tried again after this.
    pub probe: Duration,
}

impl Limits {
    /// For rooms: patient, because a room that failed is probed for ever.
    pub const ROOM: Limits = Limits {
        crashes: 5,
        crash_window: Duration::from_secs(300),
        refusals: 3,
        long_life: Duration::from_secs(60),
        probe: Duration::from_secs(15 * 60),
    };

    /// For the singletons: strict, because without one of them the program does not do its work.
    pub const SINGLETON: Limits = Limits {
        crashes: 3,
        crash_window: Duration::from_secs(60),
        refusals: 3,
        long_life: Duration::from_secs(60),
        probe: Duration::from_secs(15 * 60),
    };
}

/// What the policy remembers of one child.
#[derive(Clone, Debug, Default)]
pub struct History {
    losses: u32,
    refusals: u32,
    ends: u32,
    /// It was given up, and no life since was long.
    crashing: bool,
    crashes: VecDeque<Instant>,
}

/// Longest distance between two tries after losses and crashes.
const BACKOFF_CAP: Duration = Duration::from_secs(60);
/// Longest distance between two tries while there is nothing to do, and after refusals.
const PATIENT_CAP: Duration = Duration::from_secs(600);

/// Turns an exit into a verdict and remembers it in `history`. `dice` is uniform in 0..1.
pub fn decide(
    limits: &Limits,
    history: &mut History,
    exit: &Exit,
    lived: Duration,
    now: Instant,
    dice: f64,
) -> Verdict {
    if lived >= limits.long_life {
        history.losses = 0;
        history.refusals = 0;
        history.ends = 0;
        history.crashing = false;
    }
    match exit {
        Exit::Done => Verdict::Forget,
        Exit::Ended => {
            history.ends += 1;
            Verdict::Restart { after: backoff(Duration::from_secs(80), history.ends, PATIENT_CAP, dice) }
        }
        Exit::Lost(_) => {
            history.losses += 1;
            Verdict::Restart { after: backoff(Duration::from_secs(1), history.losses, BACKOFF_CAP, dice) }
        }
        Exit::Throttled(pause) => Verdict::Restart { after: *pause },
        Exit::Refused(_) => {
            history.refusals += 1;
            if history.refusals >= limits.refusals {
                Verdict::Park { probe: limits.probe, why: Parked::Refused }
            } else {
                Verdict::Restart { after: backoff(Duration::from_secs(30), history.refusals, PATIENT_CAP, dice) }
            }
        }
        Exit::Panicked(_) | Exit::Stuck(_) | Exit::Vanished => {
            history.crashes.push_back(now);
            while history.crashes.front().is_some_and(|then| now.duration_since(*then) > limits.crash_window) {
                history.crashes.pop_front();
            }
            let crashes = history.crashes.len();
            // A probe is one try: it is not given the whole budget again.
            if crashes >= limits.crashes || history.crashing {
                history.crashing = true;
                Verdict::Park { probe: limits.probe, why: Parked::Crashing }
            } else {
                Verdict::Restart { after: backoff(Duration::from_secs(1), crashes as u32, BACKOFF_CAP, dice) }
            }
        }
    }
}

/// Doubling from `first` to `cap` with the length of the streak; half of it fixed, half up to the dice, so
/// that it never comes near zero and a herd spreads over half a period.
fn backoff(first: Duration, streak: u32, cap: Duration, dice: f64) -> Duration {
    let ceiling = first.saturating_mul(1 << (streak - 1).min(16)).min(cap);
    ceiling.mul_f64(0.5 + 0.5 * dice.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::exit::Panic;

    fn lost() -> Exit {
        Exit::Lost("end of stream".into())
    }

    fn refused() -> Exit {
        Exit::Refused("no such room".into())
    }

    fn panicked() -> Exit {
        Exit::Panicked(Panic { text: "boom".into(), place: None })
    }

    /// `lives`: how each ended and how many seconds it lasted; half a throw of the dice each time.
    fn check(what: &str, lives: &[(Exit, u64)], expected: &str) {
        let mut history = History::default();
        let mut now = Instant::now();
        let verdicts = lives.iter().map(|(exit, lived)| {
            let lived = Duration::from_secs(*lived);
            now += lived;
            match decide(&Limits::ROOM, &mut history, exit, lived, now, 0.5) {
                Verdict::Restart { after } => format!("{}s", after.as_secs_f64()),
                Verdict::Park { why, .. } => format!("failed: {}", why.as_str()),
                Verdict::Forget => "forget".to_owned(),
            }
        });
        assert_eq!(verdicts.collect::<Vec<_>>().join(", "), expected, "{what}");
    }

    #[test]
    fn exits_become_verdicts_by_the_table() {
        check("lost twice, lives short", &[(lost(), 1), (lost(), 1)], "0.75s, 1.5s");
        check("a long life forgives", &[(lost(), 1), (lost(), 1), (lost(), 120)], "0.75s, 1.5s, 0.75s");
        check("losses never fail a room", &vec![(lost(), 0); 9], "0.75s, 1.5s, 3s, 6s, 12s, 24s, 45s, 45s, 45s");
        check("the third refusal in a row", &vec![(refused(), 1); 3], "22.5s, 45s, failed: refused");
        check("refusals apart", &[(refused(), 1), (refused(), 1), (refused(), 90)], "22.5s, 45s, 22.5s");
        check("the fifth crash in five minutes", &vec![(panicked(), 9); 5], "0.75s, 1.5s, 3s, 6s, failed: crashing");
        let probes = [vec![(panicked(), 9); 5], vec![(panicked(), 9), (panicked(), 61)]].concat();
        check(
            "a probe is one try, and a long life forgives",
            &probes,
            "0.75s, 1.5s, 3s, 6s, failed: crashing, failed: crashing, failed: crashing",
        );
        let recovered = [vec![(panicked(), 9); 5], vec![(lost(), 400), (panicked(), 9)]].concat();
        check("a probe that lives", &recovered, "0.75s, 1.5s, 3s, 6s, failed: crashing, 0.75s, 0.75s");
        check("crashes far apart", &vec![(panicked(), 200); 5], "0.75s, 1.5s, 1.5s, 1.5s, 1.5s");
        check("vanishing counts as crashing", &vec![(Exit::Vanished, 9); 5], "0.75s, 1.5s, 3s, 6s, failed: crashing");
        check("getting stuck counts as crashing", &vec![(Exit::Stuck("x".into()), 9); 2], "0.75s, 1.5s");
        check("nothing to do", &vec![(Exit::Ended, 1); 5], "60s, 120s, 240s, 450s, 450s");
        check("throttled", &[(Exit::Throttled(Duration::from_secs(90)), 1)], "90s");
        check("done", &[(Exit::Done, 1)], "forget");
    }

    proptest::proptest! {
        #[test]
        fn a_restart_is_never_immediate_and_never_later_than_the_cap(streak in 1u32..10_000, dice in -1.0f64..2.0) {
            let after = backoff(Duration::from_secs(1), streak, BACKOFF_CAP, dice);
            proptest::prop_assert!(after >= Duration::from_millis(500) && after <= BACKOFF_CAP);
        }
    }
}
