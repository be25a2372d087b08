//! Everything that is known about lives, in one place, for whoever looks: all vitals, all lanes, the
//! threads they live on, the last deaths, and whether many fell together.
//!
//! Reading it asks no actor and takes no lock that a working actor holds. What is worth a look at once (a
//! death, a storm) rings [`Board::news`].

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    exit::Exit,
    lane::{LaneGauge, LaneReading},
    pulse::{Pulse, PulseReading},
    vitals::{Reading, Vitals, unix_ms},
};

/// How one life ended and what was made of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Death {
    /// Who.
    pub name: String,
    /// Which life.
    pub life: u32,
    /// One word, such as `panicked`.
    pub exit: Cow<'static, str>,
    /// In words.
    pub text: String,
    /// `file:line` of a panic.
    pub place: Option<String>,
    /// How long the life was, ms.
    pub lived_ms: u64,
    /// When it ended, unix ms.
    pub at: i64,
    /// What the policy decided.
    pub verdict: String,
}

impl Death {
    /// The record of `exit`, now.
    pub fn of(name: &str, life: u32, exit: &Exit, lived: Duration, verdict: String) -> Death {
        Death {
            name: name.to_owned(),
            life,
            exit: exit.word().into(),
            text: exit.to_string(),
            place: exit.place().map(str::to_owned),
            lived_ms: u64::try_from(lived.as_millis()).unwrap_or(u64::MAX),
            at: unix_ms(),
            verdict,
        }
    }
}

/// Many fell together: the cause is the upstream's or our network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// When the wave began, unix ms.
    pub since: i64,
    /// When the last of it fell, unix ms.
    pub last: i64,
    /// How many fell so far.
    pub deaths: u64,
}

/// How many deaths are remembered.
const DEATHS_KEPT: usize = 100;
/// A storm is over when nobody fell for so long.
const CALM_AFTER_MS: i64 = 60_000;

/// All vitals, all lanes, all threads, and the last deaths.
#[derive(Default)]
pub struct Board {
    vitals: Mutex<BTreeMap<String, Arc<Vitals>>>,
    lanes: Mutex<Vec<Arc<LaneGauge>>>,
    pulses: Mutex<Vec<Arc<Pulse>>>,
    deaths: Mutex<VecDeque<Death>>,
    storm: Mutex<Option<Storm>>,
    news: watch::Sender<u64>,
}

impl Board {
    /// Puts an actor on the board, in place of an older one of that name.
    pub fn add(&self, vitals: Arc<Vitals>) {
        locked(&self.vitals).insert(vitals.name().to_owned(), vitals);
    }

    /// Takes an actor off the board.
    pub fn remove(&self, name: &str) {
        locked(&self.vitals).remove(name);
    }

    /// Puts a lane on the board.
    pub fn add_lane(&self, gauge: Arc<LaneGauge>) {
        locked(&self.lanes).push(gauge);
    }

    /// Puts a thread on the board, in place of an older one of that name.
    pub fn add_pulse(&self, pulse: Arc<Pulse>) {
        let mut pulses = locked(&self.pulses);
        match pulses.iter_mut().find(|known| known.name() == pulse.name()) {
            Some(known) => *known = pulse,
            None => pulses.push(pulse),
        }
    }

    /// Remembers a death.
    pub fn bury(&self, death: Death) {
        {
            let mut deaths = locked(&self.deaths);
            deaths.truncate(DEATHS_KEPT - 1);
            deaths.push_front(death);
        }
        self.ring();
    }

    /// One more fell in a wave.
    pub fn storm(&self) {
        let now = unix_ms();
        let mut storm = locked(&self.storm);
        let going_on = storm.filter(|storm| now - storm.last < CALM_AFTER_MS);
        let (since, deaths) = going_on.map_or((now, 0), |storm| (storm.since, storm.deaths));
        *storm = Some(Storm { since, last: now, deaths: deaths + 1 });
    }

    /// The storm, while there is one.
    pub fn present_storm(&self) -> Option<Storm> {
        locked(&self.storm).filter(|storm| unix_ms() - storm.last < CALM_AFTER_MS)
    }

    /// All actors, by name.
    pub fn actors(&self) -> Vec<Reading> {
        let now = unix_ms();
        locked(&self.vitals).values().map(|vitals| vitals.reading(now)).collect()
    }

    /// All lanes, in the order they were made.
    pub fn lanes(&self) -> Vec<LaneReading> {
        locked(&self.lanes).iter().map(|gauge| gauge.reading()).collect()
    }

    /// All threads that actors live on, in the order they were made.
    pub fn pulses(&self) -> Vec<PulseReading> {
        let now = unix_ms();
        locked(&self.pulses).iter().map(|pulse| pulse.reading(now)).collect()
    }

    /// The last deaths, newest first.
    pub fn deaths(&self) -> Vec<Death> {
        locked(&self.deaths).iter().cloned().collect()
    }

    /// Changes whenever something happened that is worth a look at once.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    fn ring(&self) {
        self.news.send_modify(|times| *times = times.wrapping_add(1));
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
