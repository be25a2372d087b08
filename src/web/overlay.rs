//! `/live/overlay/{room}/`: one room's chat and purchases for a streaming program such as OBS, on nothing.
//!
//! The page is transparent and has neither header nor footer; size, speed and kinds stand in its address.
//! It begins empty and shows what comes: what was said before it was opened is no news on a broadcast.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::{Site, api, error::Refusal, pages};
use crate::domain::RoomId;

/// `/live/overlay/{room}/`.
pub async fn page(request: HttpRequest, room: web::Path<String>, site: web::Data<Site>) -> HttpResponse {
    pages::answer(&request, &site, "overlay.html", async {
        let room = RoomId(room.parse().map_err(|_| Refusal::no_such_room(room.as_str()))?);
        let known = api::known_room(&site, room).await?;
        Ok(json!({"section": "overlay", "info": known.info}))
    })
    .await
}
