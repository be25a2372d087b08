//! The debug page, and what machines ask: is it alive, is it ready.
//!
//! The page is drawn complete from one reading (`health`) and kept alive by push.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Site, error::Refusal, i18n::Lang, pages, verdict::is_core};
use crate::supervise::vitals::{Reading, State};

/// `/live/debug/`.
pub async fn page(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    pages::answer(&request, &site, "debug.html", values(&site, Lang::of(&request))).await
}

async fn values(site: &Site, lang: Lang) -> Result<Value, Refusal> {
    let health: Value = serde_json::from_str(&site.health_json().await).map_err(|e| Refusal::inside("reading", e))?;
    let unknown = site.ask("listing unknown commands", |database| database.unknown_commands()).await?;
    let stored = site.ask("reading the ledger", |database| database.ledger()).await?;
    let all_time = json!({
        "stored": stored.values().map(|room| room.stored).sum::<u64>(),
        "duplicate": stored.values().map(|room| room.duplicate).sum::<u64>(),
        "dead_letter": stored.values().map(|room| room.dead_letter).sum::<u64>(),
    });
    let data = json!({"words": super::i18n::health_words(lang)});
    Ok(json!({"section": "debug", "health": health, "unknown": unknown, "all_time": all_time, "data": data}))
}

/// `/healthz`: the process answers, every thread ticks, and no part of the core has given up.
pub async fn healthz(site: web::Data<Site>) -> HttpResponse {
    let board = &site.web.board;
    if let Some(thread) = board.pulses().into_iter().find(|thread| !thread.is_alive) {
        return plain(false, &format!("the thread {} does not move", thread.name));
    }
    let down = |actor: &Reading| is_core(&actor.kind) && matches!(actor.state, State::Failed | State::Stopped);
    match board.actors().into_iter().find(down) {
        None => plain(true, "ok"),
        Some(actor) => plain(false, &format!("{} is {}", actor.name, actor.state.as_str())),
    }
}

/// `/readyz`: the history can be read, the live store answers and the program is not on its way out.
pub async fn readyz(site: web::Data<Site>) -> HttpResponse {
    if site.sessions.is_closing() {
        return plain(false, "stopping");
    }
    if let Err(refusal) = site.ask("reading the history", |database| database.task()).await {
        return plain(false, &refusal.text);
    }
    match timeout(Duration::from_secs(5), site.web.live.status()).await {
        Ok(Ok(_)) => plain(true, "ready"),
        Ok(Err(error)) => plain(false, &error.to_string()),
        Err(_) => plain(false, "the live store does not answer"),
    }
}

fn plain(good: bool, text: &str) -> HttpResponse {
    let mut answer = if good { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.content_type("text/plain; charset=utf-8").body(format!("{text}\n"))
}
