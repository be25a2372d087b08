//! The administrator's keys and share links.
//!
//! A key is shown on the page that answers the form, and never again.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Site, admin,
    auth::{digest_text, random_text},
    error::Refusal,
    keys::Scope,
};
use crate::supervise::vitals::unix_ms;

/// The longest name of a key, characters.
const NAME_CHARS: usize = 60;
/// Keys there may be.
const KEYS: usize = 200;

/// What the form for a new key sends.
#[derive(Deserialize)]
pub struct NewKey {
    #[serde(default)]
    token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    scope: String,
}

/// POST `/live/admin/keys/add`.
pub async fn add(request: HttpRequest, form: web::Form<NewKey>, site: web::Data<Site>) -> HttpResponse {
    match make(&request, &form, &site).await {
        Ok(values) => admin::draw(&request, &site, StatusCode::OK, values).await,
        Err(refusal) => admin::refused(&request, &site, refusal, None).await,
    }
}

async fn make(request: &HttpRequest, form: &NewKey, site: &Site) -> Result<Value, Refusal> {
    site.web.auth.admit(request, Some(&form.token))?;
    let scope = Scope::from_name(&form.scope)
        .ok_or_else(|| Refusal::bad_parameter(format!("scope: {:?} is none of admin, read, share", form.scope)))?;
    let name: String = form.name.trim().chars().filter(|letter| !letter.is_control()).take(NAME_CHARS).collect();
    if name.is_empty() {
        return Err(Refusal::bad_parameter("name: say what the key is for"));
    }
    let secret = random_text();
    let digest = digest_text(&secret);
    let known = site.ask("counting the keys", |database| database.access_keys()).await?;
    if known.len() >= KEYS {
        return Err(Refusal::bad_parameter(format!("there are {KEYS} keys already; take one back first")));
    }
    let kept =
        site.ask("keeping a key", move |database| database.add_access_key(&name, scope.as_str(), &digest, unix_ms()));
    let key = kept.await?;
    site.web.auth.keys.add(&key);
    let link = (scope == Scope::Share).then(|| format!("{}/live/share/{secret}", site.web.options.base_path));
    Ok(json!({"made": {"name": key.name, "scope": key.scope, "secret": secret, "link": link}}))
}

/// POST `/live/admin/keys/{id}/remove`.
pub async fn remove(
    request: HttpRequest,
    id: web::Path<i64>,
    form: web::Form<admin::Form>,
    site: web::Data<Site>,
) -> HttpResponse {
    let removed = async {
        site.web.auth.admit(&request, Some(form.token()))?;
        let id = *id;
        // First it opens nothing any more, then it is forgotten.
        site.web.auth.keys.remove(id);
        match site.ask("forgetting a key", move |database| database.remove_access_key(id)).await? {
            true => Ok(()),
            false => Err(Refusal::not_found()),
        }
    };
    match removed.await {
        Ok(()) => admin::done(&site, "key-removed"),
        Err(refusal) => admin::refused(&request, &site, refusal, None).await,
    }
}
