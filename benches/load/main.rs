//! The whole program under load: the simulator sends, the program collects, stores and pushes, browsers read.
//!
//! ```sh
//! cargo bench --bench load -- --rooms 1000 --rate 20000 --browsers 100 --seconds 60
//! ```
//!
//! The program is the real binary in a process of its own, with its defaults but for the pace at which it may
//! connect; generator and browsers are this process. Packets hold ten chat lines in brotli. CPU time is the program's
//! alone and stands beside the bare loop's and, for what is pushed, a bare write's, which are measured here, in the same
//! run. A latency runs from the moment when the simulator is given the frame. What is not lost is what the ledger counts
//! as stored; any other outcome ends with status 1.
//!
//! Not here: single steps of the way (the other benchmarks).

#[path = "../support/mod.rs"]
mod support;

mod bare_write;
mod browsers;
mod latency;
mod monitor;
mod rain;
mod tls;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use bilibili_live_monitor::simulator::{Simulator, SimulatorOptions};
use clap::Parser;
use cpu_time::ProcessTime;
use tokio::time::{Instant, sleep};

use self::{
    browsers::{Browsers, Pushed},
    latency::{Sent, StoredProbe},
    monitor::Monitor,
    tls::Certificate,
};
use support::{bare, messages};

#[derive(Parser)]
struct Options {
    /// Rooms
    #[arg(long, default_value_t = 50)]
    rooms: usize,
    /// Chat lines a second, all rooms together; 0: none
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    /// Browsers; each watches one room, the next one the next
    #[arg(long, default_value_t = 10)]
    browsers: usize,
    /// For so long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The program is left alone for so long before, s
    #[arg(long, default_value_t = 5)]
    idle: u64,
    /// New connections per second
    #[arg(long, default_value_t = 200.0)]
    connects: f64,
    /// Instead of the embedded live store
    #[arg(long, value_name = "redis://…")]
    redis: Option<String>,
    /// A copy of this history is there already (see the benchmark `history`)
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Bilibili is reached over TLS
    #[arg(long)]
    tls: bool,
    /// Of `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

#[expect(clippy::print_stdout, reason = "the figures are what this is for")]
fn say(what: &str, figures: &str) {
    println!("  {what:<26} {figures}");
}

fn main() -> ExitCode {
    // Errors mean that there are as many descriptors as there can be, and that a provider is installed already.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options::parse();
    let balanced = actix::System::new().block_on(run(&options));
    if balanced { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(options: &Options) -> bool {
    let Options { rooms, rate, browsers, seconds, .. } = *options;
    say("load", &format!("{rooms} rooms, {rate} chat lines a second, {browsers} browsers, {seconds} s"));
    let certificate = options.tls.then(Certificate::make);
    let simulator = SimulatorOptions {
        rooms,
        pace: 0.0,
        tls: certificate.as_ref().map(|certificate| certificate.server.clone()),
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(simulator).await.expect("the simulator starts");
    let upstream = match &certificate {
        Some(certificate) => certificate.door_to(&simulator.base_url()).await,
        None => simulator.base_url(),
    };
    let way = Way { simulator: &simulator, upstream, certificate: certificate.as_ref(), options };
    let numbers: Vec<u64> = simulator.rooms().iter().map(|room| room.room_id).collect();

    let alone = way.connected(&numbers[..1], None).await;
    sleep(Duration::from_secs(3)).await;
    let (memory_of_one, cpu_of_one) = (alone.resident(), alone.cpu());
    drop(alone);
    while simulator.rooms_heard() > 0 {
        sleep(Duration::from_millis(50)).await;
    }

    let begun = Instant::now();
    let mut monitor = way.connected(&numbers, options.history.as_deref()).await;
    let (took, cpu) = (begun.elapsed(), monitor.cpu());
    let others = (rooms - 1).max(1) as f64;
    say(
        "to be connected",
        &format!(
            "{:.1} s, {:.2} ms CPU a room",
            took.as_secs_f64(),
            cpu.saturating_sub(cpu_of_one).as_secs_f64() * 1e3 / others
        ),
    );
    sleep(Duration::from_secs(3)).await;
    let cpu = monitor.cpu();
    sleep(Duration::from_secs(options.idle)).await;
    let idle = (monitor.cpu() - cpu).as_secs_f64() / options.idle.max(1) as f64;
    let memory = monitor.resident();
    let per_room = memory.saturating_sub(memory_of_one) as f64 / 1024.0 / others;
    say("idle", &format!("{:.1} MiB resident, {per_room:.1} KiB a room, {:.1} % of a core", mib(memory), idle * 100.0));
    if rate <= 0.0 {
        return true;
    }

    let sent = Arc::new(Sent::default());
    let crowd = Browsers::open(&monitor, &numbers, browsers, sent.clone()).await;
    let probe = StoredProbe::start(monitor.database(), sent.clone(), rate);
    let (before, own) = (monitor.cpu(), ProcessTime::now());
    let begun = Instant::now();
    let watch = by_fifths(&monitor, seconds, rate);
    let (lines, (memory, cpus)) = tokio::join!(rain::fall(&simulator, &numbers, rate, seconds, &sent), watch);
    let achieved = lines as f64 / begun.elapsed().as_secs_f64();
    let ledger = monitor.settled(lines).await;
    let cpu = (monitor.cpu() - before).as_secs_f64();
    let own = own.elapsed().as_secs_f64();
    say("sent", &format!("{lines} lines, {achieved:.0} a second"));

    let base = bare_loop();
    let each = cpu * 1e6 / lines as f64;
    say(
        "CPU of the program",
        &format!("{each:.2} µs an event; the bare loop {base:.2} µs, {:.0} % of it", base / each * 100.0),
    );
    say("CPU of this process", &format!("{:.2} µs an event", own * 1e6 / lines as f64));
    say("by fifths of the time", &format!("{} MiB; {} µs CPU an event", memory.join(", "), cpus.join(", ")));
    say("upstream → stored", &probe.stop().to_string());
    let pushed = crowd.close().await;
    say("upstream → browser", &pushed.latency.to_string());
    if pushed.frames > 0 {
        let per_frame = cpu * 1e6 / pushed.frames as f64;
        let Pushed { events, frames, skipped, bytes, .. } = pushed;
        let size = bytes / frames;
        say("pushed", &format!("{events} events in {frames} frames of {size} bytes, {skipped} skipped"));
        // With fewer frames than lines it is the lines that cost.
        if frames > lines {
            let [least, bare, most] = bare_write::cost(browsers, size as usize).map(|cost| cost.as_secs_f64() * 1e6);
            say(
                "CPU of a frame",
                &format!(
                    "{per_frame:.2} µs, all work of the program counted; a bare write {bare:.2} µs ({least:.2} to {most:.2}), {:.2} times that",
                    per_frame / bare
                ),
            );
        }
    }
    say("ledger", &ledger.to_string());
    let nothing_lost = ledger.stored == lines && ledger.received == lines && ledger.balanced;
    if !nothing_lost {
        say("LOST", &format!("sent {lines}, stored {}: {}", ledger.stored, monitor.stderr()));
    }
    monitor.stop().await;
    simulator.stop().await;
    nothing_lost
}

/// How the program reaches the simulator.
struct Way<'a> {
    simulator: &'a Simulator,
    upstream: String,
    certificate: Option<&'a Certificate>,
    options: &'a Options,
}

impl Way<'_> {
    /// The program over a copy of this history, with all of these rooms connected.
    async fn connected(&self, rooms: &[u64], history: Option<&Path>) -> Monitor {
        let mut args = vec!["--connects-per-second".into(), self.options.connects.to_string()];
        args.extend(self.options.redis.iter().flat_map(|redis| ["--redis".into(), redis.clone()]));
        args.extend(self.certificate.iter().flat_map(|certificate| ["--extra-roots".into(), certificate.roots()]));
        let monitor = Monitor::start(&self.upstream, rooms, history, &args).await;
        while self.simulator.rooms_heard() < rooms.len() {
            sleep(Duration::from_millis(50)).await;
        }
        monitor
    }
}

/// What the program holds at the fifths of the time, MiB, and what an event cost in each, µs of CPU.
async fn by_fifths(monitor: &Monitor, seconds: u64, rate: f64) -> (Vec<String>, Vec<String>) {
    let (mut memory, mut cpus, mut before) = (Vec::new(), Vec::new(), monitor.cpu());
    let fifth = Duration::from_secs(seconds) / 5;
    for _ in 0..5 {
        sleep(fifth).await;
        let cpu = monitor.cpu();
        memory.push(format!("{:.0}", mib(monitor.resident())));
        cpus.push(format!("{:.1}", (cpu - before).as_secs_f64() * 1e6 / (rate * fifth.as_secs_f64())));
        before = cpu;
    }
    (memory, cpus)
}

/// CPU of the bare loop for a message like those that were sent, µs.
fn bare_loop() -> f64 {
    const PACKETS: usize = 200;
    let frames = messages::frames(PACKETS, 3, 1_790_000_000_000);
    let mut buffer = Vec::new();
    let mut rounds: Vec<Duration> = (0..21)
        .map(|_| {
            let start = ProcessTime::now();
            frames.iter().for_each(|frame| {
                bare::read(frame, &mut buffer);
            });
            start.elapsed()
        })
        .collect();
    rounds.sort_unstable();
    rounds[rounds.len() / 2].as_secs_f64() * 1e6 / (PACKETS * messages::A_PACKET) as f64
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
