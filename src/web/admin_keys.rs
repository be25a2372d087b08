//! The administrator's keys and share links, and rooms by the dozen.
//!
//! A key is shown on the page that answers the form, and never again.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Site, admin, api,
    auth::{digest_text, random_text},
    error::Refusal,
    keys::Scope,
};
use crate::{domain::RoomRef, supervise::vitals::unix_ms};

/// The longest name of a key, characters.
const NAME_CHARS: usize = 60;
/// Keys there may be.
const KEYS: usize = 200;
/// Rooms of one list.
const ROOMS: usize = 200;

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

/// What the form for many rooms sends.
#[derive(Deserialize)]
pub struct Many {
    #[serde(default)]
    token: String,
    #[serde(default)]
    rooms: String,
}

/// POST `/live/admin/rooms/bulk`: numbers and links with commas, blanks or line ends between them.
pub async fn bulk(request: HttpRequest, form: web::Form<Many>, site: web::Data<Site>) -> HttpResponse {
    if let Err(refusal) = site.web.auth.admit(&request, Some(&form.token)) {
        return admin::refused(&request, &site, refusal, None).await;
    }
    let named = names(&form.rooms);
    if named.is_empty() || named.len() > ROOMS {
        let refusal = Refusal::bad_parameter(format!("rooms: name 1 to {ROOMS} rooms"));
        return admin::refused(&request, &site, refusal, None).await;
    }
    let mut outcomes = Vec::new();
    // One after another: Bilibili does not like to be asked for many at once.
    for name in named {
        let added = match name.parse::<RoomRef>().map_err(api::not_a_room) {
            Ok(room) => site.web.rooms.add(room).await.map_err(Refusal::from),
            Err(refusal) => Err(refusal),
        };
        outcomes.push(match added {
            Ok(info) => json!({"typed": name, "room_id": info.room_id, "uname": info.uname}),
            Err(refusal) => json!({"typed": name, "why": admin::words_of(&request, &refusal)}),
        });
    }
    admin::draw(&request, &site, StatusCode::OK, json!({"outcomes": outcomes})).await
}

/// Each name once, in order.
fn names(typed: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in typed.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '，' | '；' | '、' | '"')) {
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_rooms_is_read_however_it_was_pasted() {
        let typed = "21452505, 76；https://live.bilibili.com/1?x=2\n\"76\"\t，\r\n 9";
        assert_eq!(names(typed), ["21452505", "76", "https://live.bilibili.com/1?x=2", "9"]);
        assert_eq!(names(" \n"), [""; 0]);
    }
}
