//! The program itself: its health, its books, its live store.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{
    answer,
    openapi::{Answer, schema},
};
use crate::web::{Site, error::Refusal};

/// GET `/health/`.
#[utoipa::path(
    get, path = "/live/api/health/", tag = "system", operation_id = "health", summary = "Actors, lanes, deaths and the process",
    responses((status = 200, description = "The reading; see section 7 of the contract", body = Answer<schema::Anything>))
)]
pub async fn health(site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    let health: Value = serde_json::from_str(&site.health_json().await).map_err(|e| Refusal::inside("reading", e))?;
    Ok(answer(health))
}

/// GET `/redis/status/`: the live store, whichever it is.
#[utoipa::path(
    get, path = "/live/api/redis/status/", tag = "system", operation_id = "live_store_status", summary = "The live store, whichever it is",
    responses((status = 200, description = "What was asked for", body = Answer<schema::LiveStore>))
)]
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

/// GET `/ledger/`: since start, and of all time.
#[utoipa::path(
    get, path = "/live/api/ledger/", tag = "system", operation_id = "ledger", summary = "Where every event went, since start and all-time",
    responses((status = 200, description = "The books; see section 7 of the contract", body = Answer<schema::Anything>))
)]
pub async fn ledger(site: web::Data<Site>) -> HttpResponse {
    let mut data = json!(site.web.ledger.reading());
    data["all_time"] = json!(site.web.ledger.all_time());
    answer(data)
}
