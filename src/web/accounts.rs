//! Bilibili accounts, on the administrator's page and for programs: how they do, logging in, forgetting one.
//!
//! A login is drawn by the server and followed by the page with calls that wait for news, so that it changes
//! without being loaded again; without scripts the code is there all the same. Cookies, tokens and keys of
//! Bilibili never come this far: what is shown is what `upstream::accounts` says of itself.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use qrcode::{QrCode, render::svg};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    BODY_MAX, Site, admin,
    api::{
        answer, answer_as,
        openapi::Room,
        params::{self, Params},
    },
    error::Refusal,
};
use crate::{
    domain::{RoomId, Uid},
    upstream::login::{Login, LoginError, LoginState},
};

/// A call that waits for news of a login waits so long; proxies cut after half a minute.
const NEWS_WITHIN: Duration = Duration::from_secs(20);

/// The accounts as the page draws them.
pub fn values(site: &Site) -> Value {
    json!(site.web.accounts.standing())
}

/// GET `/live/api/admin/accounts/`.
#[utoipa::path(
    get, path = "/live/api/admin/accounts/", tag = "admin", operation_id = "list_accounts", summary = "Bilibili accounts, and what is left alone until when", security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "How they do; never a cookie"))
)]
pub async fn list(request: HttpRequest, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    administrates(&request, &site)?;
    Ok(answer(site.web.accounts.standing()))
}

/// POST `/live/api/admin/accounts/login/`: a code to scan.
#[utoipa::path(
    post, path = "/live/api/admin/accounts/login/", tag = "admin", operation_id = "begin_login", summary = "Begin a login by QR code", security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 201, description = "The code as `svg` and `url`, its `key`, and `expires_in_s`"))
)]
pub async fn begin(request: HttpRequest, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    let login = begin_login(&site).await?;
    Ok(answer_as(StatusCode::CREATED, drawn(&login)))
}

/// GET `/live/api/admin/accounts/login/{key}/?seen=waiting`: where it stands, as soon as that is something else.
#[utoipa::path(
    get, path = "/live/api/admin/accounts/login/{key}/", tag = "admin", operation_id = "follow_login", summary = "Where a login stands; with `seen`, as soon as it is something else", params(("key" = String, Path, description = "Of the login"), ("seen" = Option<String>, Query, description = "The state that is known")), security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "`state`: waiting, scanned, confirmed, expired or failed"))
)]
pub async fn follow(
    request: HttpRequest,
    key: web::Path<String>,
    params: Params,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    administrates(&request, &site)?;
    let seen = params::text(&params, "seen");
    let patience = if seen.is_some() { NEWS_WITHIN } else { Duration::ZERO };
    let login = site.web.accounts.login(&key, seen, patience).await.ok_or_else(Refusal::not_found)?;
    Ok(answer(drawn(&login)))
}

/// DELETE `/live/api/admin/accounts/{uid}/`.
#[utoipa::path(
    delete, path = "/live/api/admin/accounts/{uid}/", tag = "admin", operation_id = "remove_account", summary = "Forget an account and its cookies", params(("uid" = u64, Path, description = "Of the account")), security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "It is forgotten"))
)]
pub async fn remove(request: HttpRequest, uid: web::Path<u64>, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    forget(&site, Uid(*uid)).await?;
    Ok(answer(json!({"uid": *uid, "removed": true})))
}

/// POST `/live/api/admin/rooms/{id}/priority/` `{"priority": 5}`.
#[utoipa::path(
    post, path = "/live/api/admin/rooms/{room}/priority/", tag = "admin", operation_id = "set_priority", summary = "Which rooms get a place on an account first", params(Room), security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "Done"))
)]
pub async fn priority(
    request: HttpRequest,
    room: web::Path<u64>,
    body: web::Payload,
    site: web::Data<Site>,
) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    let body = body.to_bytes_limited(BODY_MAX).await.map_err(|_| Refusal::too_large(BODY_MAX))?;
    let body = body.map_err(|_| Refusal::not_json("it did not arrive whole"))?;
    let body: Value = serde_json::from_slice(&body).map_err(Refusal::not_json)?;
    let priority = body["priority"].as_i64().filter(|priority| (-1000..=1000).contains(priority));
    let priority =
        priority.ok_or_else(|| Refusal::bad_parameter("priority: give a whole number from -1000 to 1000"))?;
    site.web.rooms.set_priority(RoomId(*room), priority).await?;
    Ok(answer(json!({"room_id": *room, "priority": priority})))
}

/// What the page's forms send.
#[derive(Deserialize)]
pub struct Form {
    #[serde(default)]
    token: String,
    #[serde(default)]
    priority: i64,
}

/// POST `/live/admin/accounts/login`: the page, with a code to scan.
pub async fn begin_form(request: HttpRequest, form: web::Form<Form>, site: web::Data<Site>) -> HttpResponse {
    let begun = async {
        site.web.auth.admit(&request, Some(&form.token))?;
        begin_login(&site).await
    };
    match begun.await {
        Ok(login) => admin::draw(&request, &site, StatusCode::OK, json!({"login": drawn(&login)})).await,
        Err(refusal) => admin::refused(&request, &site, refusal, None).await,
    }
}

/// POST `/live/admin/accounts/{uid}/remove`.
pub async fn remove_form(
    request: HttpRequest,
    uid: web::Path<u64>,
    form: web::Form<Form>,
    site: web::Data<Site>,
) -> HttpResponse {
    let removed = async {
        site.web.auth.admit(&request, Some(&form.token))?;
        forget(&site, Uid(*uid)).await
    };
    match removed.await {
        Ok(()) => admin::done(&site, &format!("forgotten&n={uid}")),
        Err(refusal) => admin::refused(&request, &site, refusal, None).await,
    }
}

/// POST `/live/admin/priority/{room}`.
pub async fn priority_form(
    request: HttpRequest,
    room: web::Path<u64>,
    form: web::Form<Form>,
    site: web::Data<Site>,
) -> HttpResponse {
    let set = async {
        site.web.auth.admit(&request, Some(&form.token))?;
        site.web.rooms.set_priority(RoomId(*room), form.priority.clamp(-1000, 1000)).await?;
        Ok::<_, Refusal>(())
    };
    match set.await {
        Ok(()) => admin::done(&site, &format!("prioritised&n={room}")),
        Err(refusal) => admin::refused(&request, &site, refusal, None).await,
    }
}

/// Reading of this is for the administrator only, and needs no token.
fn administrates(request: &HttpRequest, site: &Site) -> Result<(), Refusal> {
    if site.web.auth.administrates(request) { Ok(()) } else { Err(Refusal::sign_in_first()) }
}

async fn begin_login(site: &Site) -> Result<Login, Refusal> {
    site.web.accounts.begin_login().await.map_err(|error| {
        let (status, code) = match error {
            LoginError::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_logins"),
            LoginError::NoCode(_) => (StatusCode::BAD_GATEWAY, "upstream"),
        };
        Refusal::later(status, code, &format!("no login was begun: {error}"), 10)
    })
}

async fn forget(site: &Site, uid: Uid) -> Result<(), Refusal> {
    let accounts = site.web.accounts.clone();
    let removed = web::block(move || accounts.remove(uid)).await;
    let removed = removed.map_err(|error| Refusal::inside("forgetting an account", error))?;
    match removed.map_err(|error| Refusal::inside("forgetting an account", error))? {
        true => Ok(()),
        false => Err(Refusal::not_found()),
    }
}

/// A login for a page or a program.
fn drawn(login: &Login) -> Value {
    let mut drawn = json!(login.state);
    drawn["key"] = json!(login.key);
    if matches!(login.state, LoginState::Waiting) {
        drawn["url"] = json!(login.url);
        drawn["svg"] = json!(picture(&login.url));
        drawn["expires_in_s"] = json!(login.left.as_secs());
    }
    drawn
}

/// A code as a picture that can stand in a page; none if the text is too long for one.
fn picture(text: &str) -> Option<String> {
    let code = QrCode::new(text).ok()?;
    let svg = code.render::<svg::Color>().min_dimensions(220, 220).build();
    // A page is no place for the line that begins an XML file.
    svg.find("<svg").map(|begin| svg[begin..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_while_it_can_be_scanned_and_not_after() {
        let mut login = Login {
            key: "k".into(),
            url: "https://passport.bilibili.com/h5-app/passport/login/scan?qrcode_key=0123".into(),
            state: LoginState::Waiting,
            left: Duration::from_secs(180),
        };
        let waiting = drawn(&login);
        assert!(waiting["svg"].as_str().is_some_and(|svg| svg.starts_with("<svg")), "{waiting}");
        assert_eq!((&waiting["state"], &waiting["expires_in_s"]), (&json!("waiting"), &json!(180)));
        login.state = LoginState::Confirmed { uid: Uid(5), name: "小猫".into() };
        assert_eq!(drawn(&login), json!({"state": "confirmed", "uid": 5, "name": "小猫", "key": "k"}));
    }
}
