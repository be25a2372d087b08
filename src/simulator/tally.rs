//! Counts who knocks: calls by name, and connections. So a test can say how fast somebody really was.
//!
//! Keeps the moments of the last [`KEPT`] of each; counts are for as far back as those reach.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

/// How many moments are kept of calls, and of connects.
const KEPT: usize = 50_000;

/// All knocks.
#[derive(Default)]
pub(super) struct Tally {
    calls: VecDeque<(i64, String)>,
    connects: VecDeque<i64>,
}

/// What happened from some moment on.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    /// Calls by name.
    pub calls: BTreeMap<String, u64>,
    /// Calls within the busiest 1000 ms.
    pub calls_in_busiest_second: usize,
    /// From the first call to the last, ms.
    pub calls_span_ms: i64,
    /// Connections that were opened, let in or not.
    pub connects: usize,
    /// Connections within the busiest 1000 ms.
    pub connects_in_busiest_second: usize,
    /// From the first connection to the last, ms.
    pub connects_span_ms: i64,
    /// The simulator's clock, unix ms: what comes from here on can be asked for by it.
    pub now_ms: i64,
}

impl Tally {
    /// A call came in.
    pub fn called(&mut self, name: &str, now_ms: i64) {
        keep(&mut self.calls, (now_ms, name.to_owned()));
    }

    /// Somebody opened a connection to the stream.
    pub fn connected(&mut self, now_ms: i64) {
        keep(&mut self.connects, now_ms);
    }

    /// What happened from `since_ms` on.
    pub fn since(&self, since_ms: i64, now_ms: i64) -> Summary {
        let mut calls = BTreeMap::new();
        let mut moments = Vec::new();
        for (at, name) in self.calls.iter().filter(|(at, _)| *at >= since_ms) {
            *calls.entry(name.clone()).or_default() += 1;
            moments.push(*at);
        }
        let connects: Vec<i64> = self.connects.iter().copied().filter(|at| *at >= since_ms).collect();
        Summary {
            calls,
            calls_in_busiest_second: busiest_second(&moments),
            calls_span_ms: span(&moments),
            connects: connects.len(),
            connects_in_busiest_second: busiest_second(&connects),
            connects_span_ms: span(&connects),
            now_ms,
        }
    }
}

fn keep<T>(moments: &mut VecDeque<T>, moment: T) {
    if moments.len() == KEPT {
        moments.pop_front();
    }
    moments.push_back(moment);
}

fn span(moments: &[i64]) -> i64 {
    moments.last().zip(moments.first()).map_or(0, |(last, first)| last - first)
}

/// The most moments, in order, that lie within 1000 ms.
fn busiest_second(moments: &[i64]) -> usize {
    let mut begin = 0;
    let mut most = 0;
    for (place, at) in moments.iter().enumerate() {
        while at - moments[begin] >= 1000 {
            begin += 1;
        }
        most = most.max(place + 1 - begin);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_second_is_found_wherever_it_begins() {
        let mut tally = Tally::default();
        for at in [0, 900, 1100, 1800, 1899, 1900, 5000] {
            tally.connected(at);
        }
        tally.called("nav", 10);
        tally.called("nav", 20);
        tally.called("spi", 2000);
        let all = tally.since(0, 9000);
        assert_eq!((all.connects, all.connects_in_busiest_second), (7, 4), "900 to 1899");
        assert_eq!((all.connects_span_ms, all.calls_span_ms, all.now_ms), (5000, 1990, 9000));
        assert_eq!((all.calls["nav"], all.calls["spi"], all.calls_in_busiest_second), (2, 1, 2));
        assert_eq!(tally.since(1900, 9000).connects, 2);
    }
}
