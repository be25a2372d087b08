//! `/metrics`: the program in Prometheus' text form.
//!
//! Made from the same reading as `/live/api/health/`, which asks no actor. The only label that grows is the
//! room, one for each that is watched; users, texts and addresses are in none. No money: whoever may read the
//! counters of a machine need not see what streamers earn.

use std::{collections::BTreeMap, fmt::Write as _};

use actix_web::{HttpResponse, web};
use serde_json::Value;

use super::{Site, error::Refusal};
use crate::store::upkeep::FileSize;

/// GET `/metrics`.
pub async fn metrics(site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    let health: Value = serde_json::from_str(&site.health_json().await).map_err(|e| Refusal::inside("reading", e))?;
    // A history that does not answer is in the health; the rest is still told.
    let file = site.web.database.run(|database| database.file_size()).await.ok();
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(render(&health, file)))
}

/// Builds the text: a family at a time, as the format wants it.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family<'a>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Vec<(&'a str, String)>, f64)>,
    ) {
        let mut begun = false;
        for (labels, value) in samples {
            if !begun {
                // Writing to a String cannot fail.
                let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
                begun = true;
            }
            let labels: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.family(name, "gauge", help, value.map(|value| (Vec::new(), value)));
    }

    fn counter(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.family(name, "counter", help, value.map(|value| (Vec::new(), value)));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The text for a reading of the program's health, and the size of the history.
fn render(health: &Value, file: Option<FileSize>) -> String {
    let mut text = Text::default();
    let label = |name: &'static str, value: &str| vec![(name, value.to_owned())];
    let list = |name: &str| health[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let process = &health["process"];

    let version = process["version"].as_str().unwrap_or_default();
    text.family("blm_build_info", "gauge", "The version that runs", [(label("version", version), 1.0)]);
    let verdict = health["verdict"].as_str().unwrap_or("failing");
    let verdicts = ["ok", "degraded", "failing"];
    let verdicts = verdicts.map(|name| (label("verdict", name), f64::from(u8::from(name == verdict))));
    text.family("blm_health", "gauge", "1 for the verdict that holds", verdicts);
    text.gauge("blm_uptime_seconds", "Since the start", process["uptime_ms"].as_f64().map(|ms| ms / 1000.0));
    text.gauge("blm_resident_memory_bytes", "Memory in use", process["rss_bytes"].as_f64());
    text.gauge("blm_open_descriptors", "Open files and sockets", process["descriptors"].as_f64());
    text.gauge("blm_descriptors_limit", "How many may be open", process["descriptors_limit"].as_f64());
    text.gauge("blm_threads", "Threads", process["threads"].as_f64());
    text.gauge("blm_sessions", "Live connections of browsers and programs", health["sessions"].as_f64());

    let rooms = ["monitored", "receiving", "paused", "failed"];
    let rooms = rooms.iter().filter_map(|state| Some((label("state", state), health["rooms"][state].as_f64()?)));
    text.family("blm_rooms", "gauge", "Rooms by how they are", rooms);
    let room_actors = || {
        list("actors").iter().filter_map(|actor| {
            let room = actor["name"].as_str()?.strip_prefix("room ")?;
            (actor["kind"] == "room").then_some((room, actor))
        })
    };
    let receiving =
        room_actors().map(|(room, actor)| (label("room", room), f64::from(u8::from(actor["state"] == "live"))));
    text.family("blm_room_receiving", "gauge", "1 while the room is received", receiving);
    let lives = room_actors().filter_map(|(room, actor)| Some((label("room", room), actor["life"].as_f64()?)));
    text.family("blm_room_connections_total", "counter", "Connections begun", lives);

    let mut by_kind: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let mut restarts: BTreeMap<&str, f64> = BTreeMap::new();
    for actor in list("actors") {
        let (kind, state) = (actor["kind"].as_str().unwrap_or_default(), actor["state"].as_str().unwrap_or_default());
        *by_kind.entry((kind, state)).or_default() += 1.0;
        // Those of sessions come and go; their numbers would fall.
        if kind != "session" {
            *restarts.entry(kind).or_default() += actor["restarts"].as_f64().unwrap_or(0.0);
        }
    }
    let actors = by_kind
        .iter()
        .map(|((kind, state), n)| (vec![("kind", (*kind).to_owned()), ("state", (*state).to_owned())], *n));
    text.family("blm_actors", "gauge", "Actors by kind and state", actors);
    let restarts = restarts.iter().map(|(kind, n)| (label("kind", kind), *n));
    text.family("blm_actor_restarts", "gauge", "Lives after the first, of the actors there are", restarts);

    let ledger = &health["ledger"];
    for (field, kind, help) in [
        ("received", "counter", "Events received since the start"),
        ("stored", "counter", "Events stored"),
        ("duplicate", "counter", "Events that were known already"),
        ("dead_letter", "counter", "Events that the tables refused"),
        ("pending", "gauge", "Events on their way into the history"),
        ("mirrored", "counter", "Chat lines of another room; they are none of those received"),
    ] {
        let name = format!("blm_events_{field}{}", if kind == "counter" { "_total" } else { "" });
        let of_room = |(room, entry): (&String, &Value)| Some((label("room", room), entry[field].as_f64()?));
        text.family(&name, kind, help, ledger["rooms"].as_object().into_iter().flatten().filter_map(of_room));
    }
    let dropped = ledger["total"]["dropped"].as_object().into_iter().flatten();
    let dropped = dropped.filter_map(|(reason, n)| Some((label("reason", reason), n.as_f64()?)));
    text.family("blm_events_dropped_total", "counter", "Events given up, by reason", dropped);
    let unknown = ledger["total"]["unknown_commands"].as_object();
    let unknown = unknown.map(|commands| commands.values().filter_map(Value::as_f64).sum());
    text.counter("blm_unknown_commands_total", "Messages of kinds that nobody here knows", unknown);
    let balanced = ledger["balanced"].as_bool().map(|balanced| f64::from(u8::from(balanced)));
    text.gauge("blm_ledger_balanced", "1 while every event is accounted for", balanced);

    for (field, kind, help) in [
        ("depth", "gauge", "Items waiting in a lane"),
        ("capacity", "gauge", "Places of a lane"),
        ("high_water", "gauge", "Most items that ever waited in a lane"),
        ("taken", "counter", "Items that a lane took"),
        ("shed", "counter", "Items that a full lane shed"),
    ] {
        let name = format!("blm_lane_{field}{}", if kind == "counter" { "_total" } else { "" });
        let of_lane = |lane: &Value| Some((label("lane", lane["name"].as_str()?), lane[field].as_f64()?));
        text.family(&name, kind, help, list("lanes").iter().filter_map(of_lane));
    }

    let live = &health["live_store"];
    text.gauge("blm_live_store_up", "1 while the live store answers", Some(f64::from(u8::from(!live.is_null()))));
    text.gauge("blm_live_store_ping_seconds", "Round trip", live["ping_ms"].as_f64().map(|ms| ms / 1000.0));
    text.gauge("blm_live_store_backlog", "Events in the live store that are not stored yet", live["backlog"].as_f64());
    text.gauge("blm_live_store_memory_bytes", "Memory of the live store", live["memory_bytes"].as_f64());
    text.gauge("blm_database_bytes", "The history's file", file.map(|file| file.file_bytes as f64));
    text.gauge("blm_database_log_bytes", "Its write-ahead log", file.map(|file| file.log_bytes as f64));
    text.gauge("blm_database_free_bytes", "Of the file, free for new rows", file.map(|file| file.free_bytes as f64));
    text.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reading_becomes_one_family_after_another_and_nothing_unknown_is_told_as_zero() {
        let health = json!({
            "verdict": "degraded",
            "process": {"version": "1.2", "uptime_ms": 1500, "rss_bytes": null},
            "rooms": {"monitored": 2, "receiving": 1},
            "actors": [
                {"name": "room 7", "kind": "room", "state": "live", "life": 3, "restarts": 2},
                {"name": "room 8", "kind": "room", "state": "backoff", "life": 1, "restarts": 0},
                {"name": "sync", "kind": "sync", "state": "running", "life": 1, "restarts": 0},
            ],
            "lanes": [{"name": "a \"lane\"", "depth": 5, "capacity": 10, "high_water": 6, "taken": 100, "shed": 1}],
            "ledger": {
                "total": {"dropped": {"lane_full": 1}, "unknown_commands": {"A": 2, "B": 3}},
                "rooms": {"7": {"received": 9, "stored": 8, "duplicate": 1, "dead_letter": 0, "pending": 0, "mirrored": 2}},
                "balanced": true,
            },
            "live_store": null,
            "sessions": 4,
        });
        let text = render(&health, Some(FileSize { file_bytes: 4096, ..FileSize::default() }));
        for line in [
            "blm_build_info{version=\"1.2\"} 1",
            "blm_health{verdict=\"degraded\"} 1",
            "blm_health{verdict=\"ok\"} 0",
            "blm_uptime_seconds 1.5",
            "# TYPE blm_room_receiving gauge",
            "blm_room_receiving{room=\"7\"} 1",
            "blm_room_receiving{room=\"8\"} 0",
            "blm_room_connections_total{room=\"7\"} 3",
            "blm_actors{kind=\"room\",state=\"backoff\"} 1",
            "blm_actor_restarts{kind=\"room\"} 2",
            "blm_events_received_total{room=\"7\"} 9",
            "blm_events_mirrored_total{room=\"7\"} 2",
            "blm_events_dropped_total{reason=\"lane_full\"} 1",
            "blm_unknown_commands_total 5",
            "blm_lane_shed_total{lane=\"a \\\"lane\\\"\"} 1",
            "blm_live_store_up 0",
            "blm_database_bytes 4096",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("memory_bytes"), "what is not known is not there:\n{text}");
        let mut families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let all = families.len();
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), all, "a family stands once");
    }
}
