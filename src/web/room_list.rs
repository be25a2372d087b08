//! Many rooms at once: a list that was pasted, taken from a file, or sent by a program.
//!
//! What can be added is, and the answer says for each name what became of it. One after another: Bilibili does not like
//! to be asked for many at once. How a list is read stands in `domain::room_list`.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Site, admin, api,
    api::openapi::{Answer, schema},
    error::Refusal,
};
use crate::domain::{
    RoomInfo,
    room_list::{self, Named},
};

/// Rooms of one list.
const ROOMS: usize = 200;
/// The longest list, bytes as they are sent: a form needs three for each byte of a Chinese name.
pub const LIST_MAX: usize = 1 << 20;

/// What became of each name.
type Outcomes = Vec<(String, Result<RoomInfo, Refusal>)>;

async fn add_all(site: &Site, text: &str) -> Result<Outcomes, Refusal> {
    let named = room_list::read(text);
    if named.is_empty() || named.len() > ROOMS {
        let text = format!("rooms: name 1 to {ROOMS} rooms; this list names {}", named.len());
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "room_list", text));
    }
    let mut outcomes = Vec::new();
    for Named { typed, room } in named {
        let added = match room.map_err(api::not_a_room) {
            Ok(room) => site.web.rooms.add(room).await.map_err(Refusal::from),
            Err(refusal) => Err(refusal),
        };
        outcomes.push((typed, added));
    }
    Ok(outcomes)
}

/// What the form for many rooms sends.
#[derive(Deserialize)]
pub struct Many {
    #[serde(default)]
    token: String,
    #[serde(default)]
    rooms: String,
}

/// POST `/live/admin/rooms/bulk`.
pub async fn by_form(
    request: HttpRequest,
    form: Result<web::Form<Many>, actix_web::Error>,
    site: web::Data<Site>,
) -> HttpResponse {
    let added = async {
        let form = form.map_err(|error| match error.as_error::<Refusal>() {
            Some(refusal) => refusal.clone(),
            None => Refusal::bad_parameter("the form cannot be read"),
        })?;
        site.web.auth.admit(&request, Some(&form.token))?;
        add_all(&site, &form.rooms).await
    };
    let outcomes = match added.await {
        Ok(outcomes) => outcomes,
        Err(refusal) => return admin::refused(&request, &site, refusal, None).await,
    };
    let outcomes: Vec<Value> = outcomes
        .into_iter()
        .map(|(typed, added)| match added {
            Ok(info) => json!({"typed": typed, "room_id": info.room_id, "uname": info.uname}),
            Err(refusal) => json!({"typed": typed, "why": admin::words_of(&request, &refusal)}),
        })
        .collect();
    admin::draw(&request, &site, StatusCode::OK, json!({"outcomes": outcomes})).await
}

/// POST `/live/api/admin/rooms/import/`.
#[utoipa::path(
    post, path = "/live/api/admin/rooms/import/", tag = "admin", operation_id = "import_rooms",
    summary = "Begin to monitor a list of rooms: JSON, ndjson, CSV with a column room_id, or numbers and links; 200 at most",
    request_body(content = String, content_type = "text/plain", description = "The list"),
    security(("bearer" = []), ("session" = [], "csrf" = [])),
    responses((status = 200, description = "What became of each", body = Answer<schema::Imported>))
)]
pub async fn by_call(request: HttpRequest, body: web::Payload, site: web::Data<Site>) -> Result<HttpResponse, Refusal> {
    site.web.auth.admit(&request, None)?;
    let body = body.to_bytes_limited(LIST_MAX).await.map_err(|_| Refusal::too_large(LIST_MAX))?;
    let body = body.map_err(|_| Refusal::bad_parameter("rooms: the list did not arrive whole"))?;
    let text = std::str::from_utf8(&body).map_err(|_| Refusal::bad_parameter("rooms: the list is not in UTF-8"))?;
    let outcomes = add_all(&site, text).await?;
    let added = outcomes.iter().filter(|(_, added)| added.is_ok()).count();
    let rooms: Vec<Value> = outcomes
        .into_iter()
        .map(|(typed, added)| match added {
            Ok(info) => json!({"typed": typed, "added": true, "room_id": info.room_id, "uname": info.uname}),
            Err(refusal) => json!({"typed": typed, "added": false, "error": refusal.text, "code": refusal.code}),
        })
        .collect();
    Ok(api::answer(json!({"count": rooms.len(), "added": added, "rooms": rooms})))
}
