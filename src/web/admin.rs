//! The administrator's page: signing in, rooms, sync. Everything on it is a form and works without scripts.
//!
//! Every form carries the session's token. A form that did something answers with a redirect to the page
//! and one line of what happened, so that loading the page again does not do it twice.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Site, accounts, api,
    auth::{digest_text, session_cookie, share_cookie},
    entry::see,
    error::Refusal,
    i18n::Lang,
    keys::Scope,
    pages, storage,
    view::refusal_text,
    visitor::{Visitor, same_origin},
};
use crate::domain::{RoomId, RoomRef};

/// What stands in the address after something was done.
#[derive(Deserialize)]
pub struct Done {
    done: Option<String>,
    n: Option<u64>,
}

/// `/live/admin/`.
pub async fn page(request: HttpRequest, done: web::Query<Done>, site: web::Data<Site>) -> HttpResponse {
    let said = done.done.as_ref().filter(|done| KNOWN_DEEDS.contains(&done.as_str()));
    draw(&request, &site, StatusCode::OK, json!({"done": said, "n": done.n})).await
}

/// What a redirect may say was done; each has its words in the locales.
const KNOWN_DEEDS: [&str; 13] = [
    "added",
    "removed",
    "erased",
    "paused",
    "resumed",
    "restarted",
    "synced",
    "cleaned",
    "cleaning",
    "forgotten",
    "prioritised",
    "logged-in",
    "key-removed",
];

pub(super) async fn draw(request: &HttpRequest, site: &Site, status: StatusCode, mut values: Value) -> HttpResponse {
    let frame = pages::frame(request, site);
    values["section"] = json!("admin");
    if frame.token.is_some() {
        let runs = match site.ask("reading the sync log", |database| database.sync_log(10)).await {
            Ok(runs) => runs,
            Err(refusal) => return site.views.refusal(&frame, &refusal),
        };
        let access =
            site.ask("reading who may come in", |database| Ok((database.access_keys()?, database.audit_log(50)?)));
        match access.await {
            Ok((keys, audit)) => (values["keys"], values["audit"]) = (json!(keys), json!(audit)),
            Err(refusal) => return site.views.refusal(&frame, &refusal),
        }
        values["settings"] = json!(site.web.options.settings);
        values["rooms"] = json!(site.web.wall.summaries());
        values["runs"] = json!(runs);
        values["standing"] = accounts::values(site);
        values["storage"] = match storage::values(site).await {
            Ok(storage) => storage,
            Err(refusal) => return site.views.refusal(&frame, &refusal),
        };
    }
    site.views.page(status, "admin.html", &frame, &values)
}

/// Why something was not done, in the visitor's language.
pub(super) fn words_of(request: &HttpRequest, refusal: &Refusal) -> String {
    refusal_text(Lang::of(request), refusal)
}

/// `/live/share/{secret}`: the browser that opened a share link may read from now on.
pub async fn share(request: HttpRequest, secret: web::Path<String>, site: web::Data<Site>) -> HttpResponse {
    let key = site.web.auth.keys.find(&digest_text(&secret)).filter(|key| key.scope == Scope::Share);
    match key {
        Some(_) => {
            see(&site, StatusCode::SEE_OTHER, "/live/").cookie(share_cookie(&request, secret.into_inner())).finish()
        }
        None => site.views.refusal(&pages::frame(&request, &site), &Refusal::not_found()),
    }
}

/// The page again, with why it was not done.
pub(super) async fn refused(request: &HttpRequest, site: &Site, refusal: Refusal, typed: Option<&str>) -> HttpResponse {
    let text = words_of(request, &refusal);
    let mut answer = draw(request, site, refusal.status, json!({"refused": text, "typed": typed})).await;
    if let Some(seconds) = refusal.retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    }
    answer
}

/// GET on a form's address: the page.
pub async fn back(site: web::Data<Site>) -> HttpResponse {
    see(&site, StatusCode::SEE_OTHER, "/live/admin/").finish()
}

pub(super) fn done(site: &Site, what: &str) -> HttpResponse {
    see(site, StatusCode::SEE_OTHER, &format!("/live/admin/?done={what}")).finish()
}

/// What the sign-in form sends.
#[derive(Deserialize)]
pub struct SignIn {
    password: String,
}

/// POST `/live/admin/sign-in`.
pub async fn sign_in(request: HttpRequest, form: web::Form<SignIn>, site: web::Data<Site>) -> HttpResponse {
    if let Err(refusal) = same_origin(&request) {
        return refused(&request, &site, refusal, None).await;
    }
    match site.web.auth.sign_in(Visitor::of(&request).address, form.into_inner().password).await {
        Ok(signed_in) => {
            see(&site, StatusCode::SEE_OTHER, "/live/admin/").cookie(session_cookie(&request, Some(signed_in))).finish()
        }
        Err(refusal) => refused(&request, &site, refusal, None).await,
    }
}

/// What the other forms send.
#[derive(Deserialize)]
pub struct Form {
    #[serde(default)]
    token: String,
    #[serde(default)]
    room: String,
    #[serde(default)]
    erase: String,
}

impl Form {
    /// The session's token as the form sent it.
    pub(super) fn token(&self) -> &str {
        &self.token
    }
}

/// POST `/live/admin/sign-out`.
pub async fn sign_out(request: HttpRequest, form: web::Form<Form>, site: web::Data<Site>) -> HttpResponse {
    if let Err(refusal) = site.web.auth.admit(&request, Some(&form.token)) {
        return refused(&request, &site, refusal, None).await;
    }
    site.web.auth.sign_out(&request);
    see(&site, StatusCode::SEE_OTHER, "/live/admin/").cookie(session_cookie(&request, None)).finish()
}

/// POST `/live/admin/rooms/preview`: shows which room is meant. Changes nothing, but asks Bilibili.
pub async fn preview(request: HttpRequest, form: web::Form<Form>, site: web::Data<Site>) -> HttpResponse {
    let found = async {
        site.web.auth.admit(&request, Some(&form.token))?;
        let room: RoomRef = form.room.parse().map_err(api::not_a_room)?;
        let info = site.web.rooms.resolve(room).await?;
        Ok::<_, Refusal>(json!({"preview": info, "already": site.web.wall.info(info.room_id).is_some()}))
    };
    match found.await {
        Ok(values) => draw(&request, &site, StatusCode::OK, values).await,
        Err(refusal) => refused(&request, &site, refusal, Some(&form.room)).await,
    }
}

/// POST `/live/admin/rooms/add`.
pub async fn add(request: HttpRequest, form: web::Form<Form>, site: web::Data<Site>) -> HttpResponse {
    let added = async {
        site.web.auth.admit(&request, Some(&form.token))?;
        let room: RoomRef = form.room.parse().map_err(api::not_a_room)?;
        Ok::<_, Refusal>(site.web.rooms.add(room).await?)
    };
    match added.await {
        Ok(info) => done(&site, &format!("added&n={}", info.room_id)),
        Err(refusal) => refused(&request, &site, refusal, Some(&form.room)).await,
    }
}

/// POST `/live/admin/rooms/{id}/{pause|resume|restart|remove}`.
pub async fn steer(
    request: HttpRequest,
    target: web::Path<(u64, String)>,
    form: web::Form<Form>,
    site: web::Data<Site>,
) -> HttpResponse {
    let (room, action) = target.into_inner();
    let (room, rooms) = (RoomId(room), &site.web.rooms);
    let steered = async {
        site.web.auth.admit(&request, Some(&form.token))?;
        match action.as_str() {
            "pause" => rooms.pause(room).await?,
            "resume" => rooms.resume(room).await?,
            "restart" => rooms.restart(room).await?,
            "remove" => rooms.remove(room, form.erase == "true").await?,
            _ => return Err(Refusal::not_found()),
        }
        Ok(match action.as_str() {
            "pause" => "paused",
            "resume" => "resumed",
            "restart" => "restarted",
            _ if form.erase == "true" => "erased",
            _ => "removed",
        })
    };
    match steered.await {
        Ok(deed) => done(&site, &format!("{deed}&n={room}")),
        Err(refusal) => refused(&request, &site, refusal, None).await,
    }
}

/// POST `/live/admin/sync`.
pub async fn sync(request: HttpRequest, form: web::Form<Form>, site: web::Data<Site>) -> HttpResponse {
    let synced = async {
        site.web.auth.admit(&request, Some(&form.token))?;
        Ok::<_, Refusal>(site.web.sync.sync_now().await?)
    };
    match synced.await {
        Ok(run) => done(&site, &format!("synced&n={}", run.total)),
        Err(refusal) => refused(&request, &site, refusal, None).await,
    }
}
