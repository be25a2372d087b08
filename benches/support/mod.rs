//! What the benchmarks share: messages of real size and shape, and measuring things beside each other.
//!
//! Figures are CPU time of this process, taken in turns: base, candidate, base, candidate. What other
//! programs do meanwhile disturbs both alike, and the ratio is what is reported.

#![expect(clippy::print_stdout, reason = "a benchmark's output is what it is for")]
#![allow(dead_code, clippy::allow_attributes, reason = "each benchmark uses its part of this")]

pub mod bare;
pub mod bare_rows;
pub mod events;
pub mod messages;

use std::time::Duration;

use cpu_time::ProcessTime;

/// Something to be measured: what it is, and one round of it.
pub struct Contender<'a> {
    pub name: &'a str,
    pub round: Box<dyn FnMut() + 'a>,
}

impl<'a> Contender<'a> {
    pub fn new(name: &'a str, round: impl FnMut() + 'a) -> Contender<'a> {
        Contender { name, round: Box::new(round) }
    }
}

/// With a word on the command line, only contenders that have it in their name: for a profiler.
fn is_wanted(contender: &Contender) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--") && !word.contains("://"));
    words.next().is_none_or(|word| contender.name.contains(&word))
}

/// Runs the contenders in turns and prints for each the CPU time per item, and how many items it does in the
/// time in which the first does a hundred. Returns the medians, µs per item.
pub fn side_by_side(title: &str, items_a_round: usize, rounds: usize, contenders: &mut [Contender]) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..=rounds {
        for (contender, times) in contenders.iter_mut().zip(&mut times).filter(|(contender, _)| is_wanted(contender)) {
            let start = ProcessTime::now();
            (contender.round)();
            // The first round warms up.
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    let per_item = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() / 2).map_or(f64::NAN, Duration::as_secs_f64) * 1e6 / items_a_round as f64
    };
    let medians: Vec<f64> = times.iter_mut().map(per_item).collect();
    println!("\n{title}");
    for (contender, median) in contenders.iter().zip(&medians) {
        let share = medians[0] / median * 100.0;
        println!("  {:<38} {median:>9.2} µs CPU each {share:>7.1} % of the base's number", contender.name);
    }
    medians
}
