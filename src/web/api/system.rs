//! The program itself: its health, its books, its live store.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::answer;
use crate::web::{Site, error::Refusal};

/// GET `/health/`.
pub async fn health(site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    let health: Value = serde_json::from_str(&site.health_json().await).map_err(|e| Refusal::inside("reading", e))?;
    Ok(answer(health))
}

/// GET `/redis/status/`: the live store, whichever it is.
pub async fn live_store(site: web::Data<Site>) -> HttpResponse {
    let kind = site.web.live.kind();
    match tokio::time::timeout(std::time::Duration::from_secs(2), site.web.live.status()).await {
        Ok(Ok(status)) => {
            let mut data = json!(status);
            data["connected"] = json!(true);
            answer(data)
        }
        Ok(Err(error)) => answer(json!({"kind": kind, "connected": false, "error": error.to_string()})),
        Err(_) => answer(json!({"kind": kind, "connected": false, "error": "no answer within 2 s"})),
    }
}

/// GET `/ledger/`: since start from memory, all-time from the history.
pub async fn ledger(site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    let since_start = site.web.ledger.reading();
    let stored = site.ask("reading the ledger", |database| database.ledger()).await?;
    let rooms: serde_json::Map<String, Value> = stored
        .iter()
        .map(|(room, outcome)| {
            let moved = outcome.stored + outcome.duplicate + outcome.dead_letter;
            let entry = json!({
                "received": moved, "stored": outcome.stored, "duplicate": outcome.duplicate,
                "dead_letter": outcome.dead_letter,
            });
            (room.to_string(), entry)
        })
        .collect();
    let sum = |name: &str| rooms.values().filter_map(|room| room[name].as_u64()).sum::<u64>();
    Ok(answer(json!({
        "balanced": since_start.balanced,
        "total": since_start.total,
        "rooms": since_start.rooms,
        "unaccounted": since_start.unaccounted,
        "all_time": {
            "total": {
                "received": sum("received"), "stored": sum("stored"), "duplicate": sum("duplicate"),
                "dead_letter": sum("dead_letter"),
            },
            "rooms": rooms,
        },
    })))
}
