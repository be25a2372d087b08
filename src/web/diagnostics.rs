//! One file for whoever helps: everything that tells how this program is, and nothing that is secret.
//!
//! Versions, settings, health, deaths, the books, the last warnings, unknown commands and dead letters.
//! Never in it: passwords, tokens, cookies, the addresses of visitors, and what people wrote.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Site, api::openapi::schema::Anything, error::Refusal};

/// Dead letters in the file.
const DEAD_LETTERS: i64 = 100;

/// What the button sends.
#[derive(Deserialize)]
pub struct Form {
    #[serde(default)]
    token: String,
}

/// POST `/live/admin/diagnostics`: the button of the page.
pub async fn by_form(
    request: HttpRequest,
    form: web::Form<Form>,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, Some(&form.token))?;
    file(&site).await
}

/// GET `/live/api/admin/diagnostics/`.
#[utoipa::path(
    get, path = "/live/api/admin/diagnostics/", tag = "admin", operation_id = "diagnostics",
    summary = "One file for whoever helps, without secrets", security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "The file", body = Anything))
)]
pub async fn by_call(request: HttpRequest, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    file(&site).await
}

async fn file(site: &Site) -> Result<HttpResponse, Refusal> {
    let name = format!("blm-diagnostics-{}.json", Utc::now().format("%Y%m%dT%H%M%SZ"));
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(bundle(site).await?))
}

async fn bundle(site: &Site) -> Result<Value, Refusal> {
    let health: Value = serde_json::from_str(&site.health_json().await).map_err(|e| Refusal::inside("reading", e))?;
    let asked = site.ask("collecting diagnostics", |database| {
        Ok((database.unknown_commands()?, database.dead_letters(DEAD_LETTERS)?, database.task()?))
    });
    let (unknown, dead_letters, task) = asked.await?;
    // A sample is something that somebody wrote.
    let unknown: Vec<Value> = unknown
        .into_iter()
        .map(|u| json!({"cmd": u.cmd, "count": u.count, "first_ms": u.first_ms, "last_ms": u.last_ms}))
        .collect();
    let settings: serde_json::Map<String, Value> =
        site.web.options.settings.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    Ok(json!({
        "made_at": Utc::now(),
        "version": env!("CARGO_PKG_VERSION"),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "system": {"os": std::env::consts::OS, "arch": std::env::consts::ARCH},
        "settings": settings,
        "health": health,
        "all_time": site.web.ledger.all_time().total,
        "unknown_commands": unknown,
        "dead_letters": dead_letters,
        "task": task.map(|task| format!("{task:?}")),
    }))
}
