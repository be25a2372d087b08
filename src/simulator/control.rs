//! The simulator's own endpoints, under `/sim`: what was told, and how a test or a person makes things
//! happen. The real platform has nothing like them.
//!
//! What is put in here goes the same way as what the script makes up, and counts the same.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use rand::{SeedableRng, rngs::StdRng};
use serde::Deserialize;
use serde_json::json;

use super::{
    cast::GiftForm,
    messages::{Desk, Line, Outgoing, serial},
    purchases::{Click, GiftKind, GuardOffer, GuardPart, Origin},
    switches::nothing,
    viewers::Viewer,
    world::{Room, World, now_ms},
};

/// The routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/sim/truth", web::get().to(truth))
        .route("/sim/room/{id}/say", web::post().to(say))
        .route("/sim/room/{id}/gift", web::post().to(gift))
        .route("/sim/room/{id}/super_chat", web::post().to(super_chat))
        .route("/sim/room/{id}/guard", web::post().to(guard))
        .route("/sim/room/{id}/live", web::post().to(live));
}

async fn truth(world: web::Data<World>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"rooms": world.truth()}))
}

#[derive(Deserialize)]
struct Say {
    message: String,
    username: Option<String>,
}

async fn say(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Say>) -> HttpResponse {
    let body = body.into_inner();
    put(&world, *id, body.username, |viewer, desk, _| vec![desk.danmaku(viewer, &Line::from(body.message.as_str()))])
}

/// A gift; by default one that cost CNY 1, bought, in the room's form.
#[derive(Deserialize)]
struct Give {
    username: Option<String>,
    #[serde(default = "one")]
    num: i64,
    #[serde(default = "thousand")]
    price: i64,
    #[serde(default)]
    silver: bool,
    /// Protobuf or JSON; by default what the room uses.
    protobuf: Option<bool>,
}

fn one() -> i64 {
    1
}

fn thousand() -> i64 {
    1000
}

async fn gift(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Give>) -> HttpResponse {
    let body = body.into_inner();
    put(&world, *id, body.username, |viewer, desk, room| {
        let kind = GiftKind { id: 31_216, name: "这个好诶", price: body.price };
        let origin = if body.silver { Origin::Silver } else { Origin::Bought };
        let click = Click::new(desk, viewer, kind, body.num, origin);
        let protobuf = body.protobuf.unwrap_or(room.streamer.gifts == GiftForm::Protobuf);
        vec![if protobuf { desk.gift_protobuf(viewer, &[click]) } else { desk.gift_json(viewer, &click) }]
    })
}

/// A super chat, with its twin and a second push.
#[derive(Deserialize)]
struct Pay {
    username: Option<String>,
    message: String,
    /// Whole CNY.
    #[serde(default = "thirty")]
    price: i64,
}

fn thirty() -> i64 {
    30
}

async fn super_chat(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Pay>) -> HttpResponse {
    let body = body.into_inner();
    put(&world, *id, body.username, |viewer, desk, _| {
        let (first, twin) = desk.super_chat(viewer, &body.message, body.price);
        let again = first.again();
        vec![first, twin, again]
    })
}

/// A guard, told by all three messages.
#[derive(Deserialize)]
struct Board {
    username: Option<String>,
    #[serde(default = "three")]
    level: u64,
    /// Gold.
    #[serde(default = "captain")]
    price: i64,
}

fn three() -> u64 {
    3
}

fn captain() -> i64 {
    138_000
}

async fn guard(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Board>) -> HttpResponse {
    let body = body.into_inner();
    put(&world, *id, body.username, |viewer, desk, _| {
        let offer = GuardOffer { level: body.level.clamp(1, 3), price: body.price, unit: "月", renewal: false };
        desk.guard(viewer, offer, &[GuardPart::Buy, GuardPart::Toast, GuardPart::ToastV2])
    })
}

#[derive(Deserialize)]
struct Live {
    on: bool,
}

async fn live(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Live>) -> HttpResponse {
    put(&world, *id, None, |_, desk, room| room.switch(body.on, desk))
}

/// Lets `write` write for a room, sends what it wrote, and says how many messages that was.
fn put(
    world: &World,
    id: u64,
    username: Option<String>,
    write: impl FnOnce(&Viewer, &mut Desk, &Room) -> Vec<Outgoing>,
) -> HttpResponse {
    let Some(room) = world.room(id).map(Arc::clone) else {
        return nothing("no such room");
    };
    let viewer = Viewer::named(username.as_deref().unwrap_or("测试观众"));
    let mut dice = StdRng::seed_from_u64(serial());
    let mut desk = Desk { streamer: &room.streamer, base: &world.base, dice: &mut dice, now_ms: now_ms() };
    let messages = write(&viewer, &mut desk, &room);
    let sent = messages.len();
    room.put(messages);
    HttpResponse::Ok().json(json!({"messages": sent, "uid": viewer.uid}))
}
