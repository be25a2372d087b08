//! `--status-display`: the health of the program as a live table in the terminal.
//!
//! The same reading as the debug page's, once a second, on the terminal's second screen, so that what stood
//! there before is back at the end. The log goes to its file meanwhile (`telemetry`), so nothing tears the
//! table. Where the output is no terminal, a plain snapshot is printed every ten seconds instead.
//!
//! [`table`] is pure: a reading and a size in, lines out.

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use serde_json::Value;
use terminal_size::{Height, Width, terminal_size};
use tokio::task::JoinHandle;
use unicode_width::UnicodeWidthChar;

use crate::web::{
    HealthSource,
    i18n::Lang,
    view::{bytes, china, exact, lasting},
};

/// The table is drawn this often ...
const DRAW_EVERY: Duration = Duration::from_secs(1);
/// ... and a plain snapshot printed this often.
const PRINT_EVERY: Duration = Duration::from_secs(10);
/// Deaths and warnings at the foot.
const LAST: usize = 4;

/// Whether the output is a terminal that the table would be drawn on.
pub fn is_drawn() -> bool {
    io::stdout().is_terminal()
}

/// The display; gone, and the terminal as it was, when dropped.
pub struct Display {
    drawing: JoinHandle<()>,
    is_drawn: bool,
}

impl Display {
    /// Begins to show what `source` says of the program at `address`.
    pub fn start(source: HealthSource, address: String) -> Display {
        let is_drawn = is_drawn();
        if is_drawn {
            // The second screen, without a cursor.
            write("\x1b[?1049h\x1b[?25l");
        }
        let drawing = actix::spawn(async move {
            let mut before = Counts::new();
            loop {
                let text = source.json().await;
                let Ok(health) = serde_json::from_str::<Value>(&text) else { continue };
                let (columns, rows) = size();
                let rows = if is_drawn { rows } else { usize::MAX };
                let lines = table(&health, &before, &address, (columns, rows));
                before = counts(&health);
                write(&if is_drawn { drawn(&lines) } else { printed(&lines) });
                tokio::time::sleep(if is_drawn { DRAW_EVERY } else { PRINT_EVERY }).await;
            }
        });
        Display { drawing, is_drawn }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.drawing.abort();
        if self.is_drawn {
            write("\x1b[?25h\x1b[?1049l");
        }
    }
}

fn size() -> (usize, usize) {
    terminal_size().map_or((100, 40), |(Width(columns), Height(rows))| (columns.into(), rows.into()))
}

fn write(text: &str) {
    let mut out = io::stdout().lock();
    // A closed terminal is no reason to stop.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Plain,
    Head,
    Good,
    Warn,
    Bad,
}

/// A line of the table.
type Line = (Tone, String);

/// Over what stood there before.
fn drawn(lines: &[Line]) -> String {
    let mut text = "\x1b[H".to_owned();
    for (n, (tone, line)) in lines.iter().enumerate() {
        let colour = match tone {
            Tone::Plain => "0",
            Tone::Head => "1",
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
        };
        text.push_str(&format!("{}\x1b[{colour}m{line}\x1b[0m\x1b[K", if n > 0 { "\r\n" } else { "" }));
    }
    text + "\x1b[J"
}

fn printed(lines: &[Line]) -> String {
    lines.iter().map(|(_, line)| format!("{line}\n")).collect::<String>() + "\n"
}

/// Events that came in so far, by actor, and when that was read, unix ms.
type Counts = HashMap<String, (u64, i64)>;

fn counts(health: &Value) -> Counts {
    let at = number(&health["at"]);
    let actors = health["actors"].as_array().into_iter().flatten();
    actors.map(|actor| (text(&actor["name"]), (actor["events_in"].as_u64().unwrap_or(0), at))).collect()
}

fn number(value: &Value) -> i64 {
    value.as_i64().or(value.as_f64().map(|n| n as i64)).unwrap_or(0)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A reading as lines of at most so many columns, and at most so many rows.
fn table(health: &Value, before: &Counts, address: &str, (columns, rows): (usize, usize)) -> Vec<Line> {
    let at = number(&health["at"]);
    let mut lines = head(health, address, at);
    let mut foot = last_words(health);
    let room = rows.saturating_sub(lines.len() + 2 + foot.len());
    let mut actors: Vec<&Value> =
        health["actors"].as_array().into_iter().flatten().filter(|actor| actor["kind"] != "session").collect();
    actors.sort_by_key(|actor| (tone_of(actor) == Tone::Plain, actor["kind"] == "room", text(&actor["name"])));
    lines.push((Tone::Plain, String::new()));
    lines.push((Tone::Head, row(["ACTOR", "STATE", "DOING", "LIFE", "IN", "IN/MIN", "LAG ms", "WORST", "LAST ERROR"])));
    let shown = if actors.len() > room { room.saturating_sub(1) } else { actors.len() };
    lines.extend(actors.iter().take(shown).map(|actor| (tone_of(actor), row_of(actor, before, at))));
    if shown < actors.len() {
        lines.push((Tone::Plain, format!("… and {} more, all well or further down the list", actors.len() - shown)));
    }
    lines.append(&mut foot);
    lines.truncate(rows);
    lines.into_iter().map(|(tone, line)| (tone, cut(&line, columns))).collect()
}

fn head(health: &Value, address: &str, at: i64) -> Vec<Line> {
    let process = &health["process"];
    let tone = match health["verdict"].as_str() {
        Some("ok") => Tone::Good,
        Some("degraded") => Tone::Warn,
        _ => Tone::Bad,
    };
    let of = |name: &str| {
        let limit = process[format!("{name}_limit")].as_u64().map_or(String::new(), |limit| format!("/{limit}"));
        format!("{}{limit}", number(&process[name]))
    };
    let late = health["arbiters"].as_array().into_iter().flatten().map(|thread| {
        let (name, lag) = (text(&thread["name"]), thread["lag_worst_ms"].as_f64().unwrap_or(0.0));
        if thread["is_alive"] == true { format!("{name} {lag:.0}") } else { format!("{name} DOES NOT MOVE") }
    });
    let books = &health["ledger"]["total"];
    let dropped: i64 = books["dropped"].as_object().into_iter().flatten().map(|(_, n)| number(n)).sum();
    let book = |name: &str| exact(number(&books[name]));
    let mut lines = vec![
        (
            Tone::Head,
            format!(
                "bilibili-live-monitor {}  {address}  up {}  {} (UTC+8)",
                text(&process["version"]),
                lasting(number(&process["uptime_ms"]), Lang::En),
                china(at, "%Y-%m-%d %H:%M:%S")
            ),
        ),
        (tone, format!("{}  {}", text(&health["verdict"]).to_uppercase(), text(&health["sentence"]))),
        (
            Tone::Plain,
            format!(
                "memory {}  files {}  threads {}  browsers {}  live store {}  history {}  worst lag of threads, ms: {}",
                bytes(number(&process["rss_bytes"])),
                of("descriptors"),
                of("threads"),
                number(&health["sessions"]),
                health["live_store"]["ping_ms"].as_f64().map_or("silent".into(), |ping| format!("{ping:.1} ms")),
                bytes(number(&health["database_bytes"])),
                late.collect::<Vec<_>>().join(", ")
            ),
        ),
        (
            if health["ledger"]["balanced"] == true { Tone::Plain } else { Tone::Bad },
            format!(
                "received {} = stored {} + duplicate {} + dropped {} + dead letter {} + pending {}",
                book("received"),
                book("stored"),
                book("duplicate"),
                exact(dropped),
                book("dead_letter"),
                book("pending")
            ),
        ),
    ];
    lines.extend(health["lanes"].as_array().into_iter().flatten().map(lane));
    lines
}

fn lane(lane: &Value) -> Line {
    const CELLS: i64 = 20;
    let (depth, capacity, shed) = (number(&lane["depth"]), number(&lane["capacity"]).max(1), number(&lane["shed"]));
    let full = (depth * CELLS / capacity).clamp(0, CELLS) as usize;
    let bar = format!("{}{}", "#".repeat(full), ".".repeat(CELLS as usize - full));
    let high = exact(number(&lane["high_water"]));
    let tone = if shed > 0 || depth * 4 > capacity * 3 { Tone::Warn } else { Tone::Plain };
    (
        tone,
        format!(
            "{} [{bar}] {} of {}  peak {high}  shed {}",
            padded(&text(&lane["name"]), 20),
            exact(depth),
            exact(capacity),
            exact(shed)
        ),
    )
}

fn tone_of(actor: &Value) -> Tone {
    match actor["state"].as_str() {
        _ if actor["stuck"] == true => Tone::Bad,
        Some("failed" | "stopped") => Tone::Bad,
        Some("backoff" | "waiting") => Tone::Warn,
        _ => Tone::Plain,
    }
}

fn row_of(actor: &Value, before: &Counts, at: i64) -> String {
    let events = actor["events_in"].as_u64().unwrap_or(0);
    let rate = before.get(actor["name"].as_str().unwrap_or_default()).map_or(0, |(then, then_at)| {
        events.saturating_sub(*then).saturating_mul(60_000) / (at - then_at).max(1).unsigned_abs()
    });
    let state = if actor["stuck"] == true { "STUCK".to_owned() } else { text(&actor["state"]) };
    row([
        &text(&actor["name"]),
        &state,
        &text(&actor["doing"]),
        &number(&actor["life"]).to_string(),
        &exact(number(&actor["events_in"])),
        &rate.to_string(),
        &exact(number(&actor["lag_ms"])),
        &exact(number(&actor["lag_worst_ms"])),
        &text(&actor["last_error"]["text"]),
    ])
}

fn row(cells: [&str; 9]) -> String {
    const WIDTHS: [usize; 8] = [18, 15, 23, 5, 11, 8, 9, 9];
    let mut line = String::new();
    for (n, (cell, width)) in cells.iter().zip(WIDTHS).enumerate() {
        if n < 3 {
            line.push_str(&padded(cell, width));
        } else {
            line.push_str(&format!("{cell:>width$} "));
        }
    }
    line + " " + cells[8]
}

fn last_words(health: &Value) -> Vec<Line> {
    let mut lines = Vec::new();
    let deaths: Vec<&Value> = health["deaths"].as_array().into_iter().flatten().take(LAST).collect();
    if !deaths.is_empty() {
        lines.extend([(Tone::Plain, String::new()), (Tone::Head, "LAST DEATHS".to_owned())]);
    }
    lines.extend(deaths.into_iter().map(|death| {
        let place = death["place"].as_str().map_or(String::new(), |place| format!(" ({place})"));
        let (time, name) = (china(number(&death["at"]), "%H:%M:%S"), text(&death["name"]));
        let words = format!("{}{place} -> {}", text(&death["text"]), text(&death["verdict"]));
        let ours = matches!(death["exit"].as_str(), Some("panicked" | "stuck" | "vanished"));
        (if ours { Tone::Bad } else { Tone::Plain }, format!("{time} {name}, life {}: {words}", number(&death["life"])))
    }));
    let warnings: Vec<&Value> = health["warnings"].as_array().into_iter().flatten().take(LAST).collect();
    if !warnings.is_empty() {
        lines.extend([(Tone::Plain, String::new()), (Tone::Head, "LAST WARNINGS".to_owned())]);
    }
    lines.extend(warnings.into_iter().map(|warning| {
        let tone = if warning["level"] == "ERROR" { Tone::Bad } else { Tone::Warn };
        (tone, format!("{} {}", china(number(&warning["at"]), "%H:%M:%S"), text(&warning["text"])))
    }));
    lines
}

/// At most so many columns, and nothing that moves the cursor: upstream text may stand in a line.
fn cut(line: &str, columns: usize) -> String {
    let mut wide = 0;
    line.chars()
        .filter_map(|c| Some((c, c.width()?)))
        .take_while(|(_, width)| {
            wide += width;
            wide <= columns
        })
        .map(|(c, _)| c)
        .collect()
}

/// Exactly so many columns.
fn padded(cell: &str, columns: usize) -> String {
    let cut = cut(cell, columns.saturating_sub(1));
    let wide: usize = cut.chars().filter_map(UnicodeWidthChar::width).sum();
    cut + " ".repeat(columns - wide).as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(rooms: u64) -> Value {
        let actor = |name: String, kind: &str, state: &str, stuck: bool| {
            json!({
                "name": name, "kind": kind, "state": state, "stuck": stuck, "doing": "reading", "life": 1,
                "events_in": 1200, "lag_ms": 31, "lag_worst_ms": 120, "last_error": null,
            })
        };
        let mut actors = vec![actor("sync".into(), "sync", "running", false)];
        actors.extend((1..=rooms).map(|n| actor(format!("room {n}"), "room", "live", n == 2)));
        json!({
            "verdict": "degraded", "sentence": "2 of 3 rooms are being received. · 1 rooms are stuck", "at": 1_700_000_060_000_i64,
            "actors": actors, "sessions": 1, "database_bytes": 4096,
            "process": {
                "version": "0.1.0", "uptime_ms": 65_000, "rss_bytes": 64_000_000, "descriptors": 66,
                "descriptors_limit": 1024, "threads": 17, "threads_limit": null,
            },
            "arbiters": [{"name": "rooms 1", "is_alive": true, "lag_worst_ms": 1.7}],
            "live_store": {"ping_ms": 0.42},
            "lanes": [{"name": "rooms → live store", "depth": 4096, "capacity": 8192, "high_water": 5000, "shed": 0}],
            "ledger": {"balanced": true, "total": {
                "received": 10, "stored": 7, "duplicate": 1, "dropped": {"lane_full": 1}, "dead_letter": 0, "pending": 1,
            }},
            "deaths": [{
                "name": "room 2", "life": 1, "exit": "panicked", "text": "panicked: \u{1b}[2J第一句", "place": "a.rs:1",
                "verdict": "restart in 0.8 s", "at": 1_700_000_000_000_i64,
            }],
            "warnings": [],
        })
    }

    fn shown(lines: &[Line]) -> String {
        lines.iter().map(|(tone, line)| format!("{tone:?} {line}").trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn the_table_says_what_the_page_says_and_trouble_stands_first() {
        let health = sample(3);
        let before = Counts::from([("room 1".to_owned(), (600, 1_700_000_030_000))]);
        let expected = "\
Head bilibili-live-monitor 0.1.0  http://x  up 1 min 5 s  2023-11-15 06:14:20 (UTC+8)
Warn DEGRADED  2 of 3 rooms are being received. · 1 rooms are stuck
Plain memory 61.0 MB  files 66/1024  threads 17  browsers 1  live store 0.4 ms  history 4.0 KB  worst lag of threads, ms: rooms 1 2
Plain received 10 = stored 7 + duplicate 1 + dropped 1 + dead letter 0 + pending 1
Plain rooms → live store   [##########..........] 4,096 of 8,192  peak 5,000  shed 0
Plain
Head ACTOR             STATE          DOING                   LIFE          IN   IN/MIN    LAG ms     WORST  LAST ERROR
Bad room 2            STUCK          reading                    1       1,200        0        31       120
Plain sync              running        reading                    1       1,200        0        31       120
Plain room 1            live           reading                    1       1,200     1200        31       120
Plain room 3            live           reading                    1       1,200        0        31       120
Plain
Head LAST DEATHS
Bad 06:13:20 room 2, life 1: panicked: [2J第一句 (a.rs:1) -> restart in 0.8 s
";
        assert_eq!(shown(&table(&health, &before, "http://x", (200, 60))), expected);
    }

    #[test]
    fn the_table_fits_whatever_the_size() {
        let health = sample(2000);
        for size in [(200, 60), (80, 24), (20, 5), (1, 1)] {
            let lines = table(&health, &Counts::new(), "http://x", size);
            assert!(lines.len() <= size.1, "{} lines in {size:?}", lines.len());
            for (_, line) in &lines {
                let wide: usize = line.chars().filter_map(UnicodeWidthChar::width).sum();
                assert!(wide <= size.0 && !line.contains('\u{1b}'), "{line:?} in {size:?}");
            }
        }
        assert!(shown(&table(&health, &Counts::new(), "x", (200, 60))).contains("more"), "who is left out is said");
    }
}
