//! How much is stored and how long, on the administrator's page; and cleaning up now.
//!
//! A run may take minutes. Whoever asks for one waits a little; when it is not done by then the answer says
//! that it goes on, and the page shows how far it is.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    Site, admin,
    api::{
        self,
        openapi::{Answer, schema},
    },
    error::Refusal,
};
use crate::store::housekeeper::Cleanup;

/// How long whoever asks waits for the end of it.
const PATIENCE: Duration = Duration::from_secs(8);

/// The figures of the page.
pub async fn values(site: &Site) -> Result<Value, Refusal> {
    let housekeeper = site.web.housekeeper.clone();
    Ok(json!(site.ask("measuring the history", move |_| housekeeper.storage()).await?))
}

/// POST `/live/api/maintenance/cleanup/`: 200 with what it did, 202 while it goes on.
#[utoipa::path(
    post, path = "/live/api/maintenance/cleanup/", tag = "admin", operation_id = "cleanup",
    summary = "Let go now of what is kept longer than set", security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses(
        (status = 200, description = "What it did", body = Answer<schema::Cleaned>),
        (status = 202, description = "It goes on; the admin page shows how far it is", body = Answer<schema::Cleaned>)
    )
)]
pub async fn cleanup(request: HttpRequest, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    let cleanup = clean(&site).await?;
    let status = if cleanup.ended_ms.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(api::answer_as(status, json!({"cleanup": cleanup, "running": cleanup.ended_ms.is_none()})))
}

/// POST `/live/admin/cleanup`.
pub async fn cleanup_form(request: HttpRequest, form: web::Form<admin::Form>, site: web::Data<Site>) -> HttpResponse {
    let cleaned = async {
        site.web.auth.admit(&request, Some(form.token()))?;
        clean(&site).await
    };
    match cleaned.await {
        Ok(cleanup) => {
            let deleted = cleanup.deleted;
            let n = deleted.chat + deleted.entries + deleted.gauges + deleted.money + deleted.raw;
            let deed = if cleanup.ended_ms.is_some() { "cleaned" } else { "cleaning" };
            admin::done(&site, &format!("{deed}&n={n}"))
        }
        Err(refusal) => admin::refused(&request, &site, refusal, None).await,
    }
}

/// Runs the retention, or joins the run there is; what it has done by the end, or by the end of our patience.
async fn clean(site: &Site) -> Result<Cleanup, Refusal> {
    let housekeeper = site.web.housekeeper.clone();
    let run = tokio::task::spawn_blocking({
        let housekeeper = housekeeper.clone();
        move || housekeeper.cleanup()
    });
    if let Ok(Err(error)) = timeout(PATIENCE, run).await {
        return Err(Refusal::inside("cleaning up", error));
    }
    let cleanup = housekeeper.last_cleanup().unwrap_or_default();
    match &cleanup.error {
        Some(error) => Err(Refusal::inside("cleaning up", error)),
        None => Ok(cleanup),
    }
}
