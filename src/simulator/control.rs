//! The simulator's own endpoints for one room: what was told there, and how a test or a person makes things happen.
//! The real platform has nothing like them; what is not one room's is in [`super::switches`].
//!
//! What is put in here goes the same way as what the script makes up, and counts the same. `{id}` is a long or a
//! short number; bodies and answers are JSON, all fields of a body may be left out but those marked with *.
//!
//! | call | body | what it does |
//! |---|---|---|
//! | GET `/sim/truth` | | by room: what somebody was sent, in distinct facts, with list, paid and value in gold |
//! | GET `/sim/books` | | the same beside what was told while anybody listened: they differ by what was withheld |
//! | POST `/sim/room/{id}/say` | `message`*, `username`, `times` | chat lines, in one frame |
//! | POST `/sim/room/{id}/gift` | `username`, `num`, `price` (gold), `silver`, `bag`, `box`, `protobuf`, `both`, `again` | a gift; `both`: in both forms with one `tid`; `again`: twice |
//! | POST `/sim/room/{id}/super_chat` | `message`*, `username`, `price` (CNY) | a super chat, its twin, and a second push |
//! | POST `/sim/room/{id}/guard` | `username`, `level`, `price` (gold), `parts` of `buy`, `toast`, `toast_v2`, `given` | a guard, told by these messages in this order |
//! | POST `/sim/room/{id}/red_pocket` | `username`, `batteries` | a red pocket: bought, running twice, won |
//! | POST `/sim/room/{id}/live` | `on`* | on air or off |
//! | POST `/sim/room/{id}/title` | `title`* | another title |
//! | POST `/sim/room/{id}/send` | any message | that message, as it is; it counts nothing |
//! | POST `/sim/room/{id}/garbage` | `way` | a broken frame, in that way or in each |
//! | POST `/sim/room/{id}/storm` | `seconds`*, `lines`, `entries`, `others` (a second) | load on top of the story |
//! | POST `/sim/room/{id}/flaws` | `silent`, `keep`, `withheld`, `protobuf` | what is wrong in the room, until set again |

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use rand::{SeedableRng, rngs::StdRng};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    cast::GiftForm,
    faults::Flaws,
    garbage::{self, WAYS},
    guards::{GuardOffer, GuardPart},
    messages::{Desk, Line, Outgoing, serial},
    purchases::{BOXES, Click, GiftKind, Origin, open_boxes},
    storm::Storm,
    switches::{done, nothing, wrong},
    viewers::Viewer,
    world::{Room, World, lock, now_ms},
};

/// The routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/sim/truth", web::get().to(truth))
        .route("/sim/books", web::get().to(books))
        .route("/sim/room/{id}/say", web::post().to(say))
        .route("/sim/room/{id}/gift", web::post().to(gift))
        .route("/sim/room/{id}/super_chat", web::post().to(super_chat))
        .route("/sim/room/{id}/guard", web::post().to(guard))
        .route("/sim/room/{id}/red_pocket", web::post().to(red_pocket))
        .route("/sim/room/{id}/live", web::post().to(live))
        .route("/sim/room/{id}/title", web::post().to(title))
        .route("/sim/room/{id}/send", web::post().to(send))
        .route("/sim/room/{id}/garbage", web::post().to(garbage))
        .route("/sim/room/{id}/storm", web::post().to(storm))
        .route("/sim/room/{id}/flaws", web::post().to(flaws));
}

async fn truth(world: web::Data<World>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"rooms": world.truth()}))
}

async fn books(world: web::Data<World>) -> HttpResponse {
    let rooms = world
        .rooms
        .iter()
        .map(|room| (room.streamer.room_id.to_string(), json!({"told": room.told(), "heard": room.heard()})));
    HttpResponse::Ok().json(json!({"rooms": rooms.collect::<serde_json::Map<_, _>>()}))
}

#[derive(Deserialize)]
struct Say {
    message: String,
    username: Option<String>,
    #[serde(default = "once")]
    times: usize,
}

fn once() -> usize {
    1
}

async fn say(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Say>) -> HttpResponse {
    let body = body.into_inner();
    put(&world, *id, body.username, |viewer, desk, _| {
        let times = body.times.min(10_000);
        (0..times).map(|_| desk.danmaku(viewer, &Line::from(body.message.as_str()))).collect()
    })
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
    /// Out of the bag.
    #[serde(default)]
    bag: bool,
    /// A blind box instead, so many as `num`.
    #[serde(default, rename = "box")]
    boxed: bool,
    /// In both forms, with the same transaction.
    #[serde(default)]
    both: bool,
    /// Everything a second time.
    #[serde(default)]
    again: bool,
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
        let origin = match (body.silver, body.bag) {
            (true, _) => Origin::Silver,
            (_, true) => Origin::Bag,
            _ => Origin::Bought,
        };
        let clicks = match BOXES.first().filter(|_| body.boxed) {
            Some(from) => open_boxes(desk, viewer, from, body.num.clamp(1, 1000)),
            None => vec![Click::new(desk, viewer, kind, body.num, origin)],
        };
        let form = body.protobuf.or(lock(&room.flaws).protobuf);
        let protobuf = form.unwrap_or(room.streamer.gifts == GiftForm::Protobuf);
        let mut messages = Vec::new();
        if protobuf || body.both {
            messages.push(desk.gift_protobuf(viewer, &clicks));
        }
        if !protobuf || body.both {
            messages.extend(clicks.iter().map(|click| desk.gift_json(viewer, click)));
        }
        if body.again {
            let copies: Vec<Outgoing> = messages.iter().map(Outgoing::again).collect();
            messages.extend(copies);
        }
        messages
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

/// A guard; by default told by all three messages.
#[derive(Deserialize)]
struct Board {
    username: Option<String>,
    #[serde(default = "three")]
    level: u64,
    /// Gold.
    #[serde(default = "captain")]
    price: i64,
    #[serde(default = "all_parts")]
    parts: Vec<GuardPart>,
}

fn three() -> u64 {
    3
}

fn captain() -> i64 {
    138_000
}

fn all_parts() -> Vec<GuardPart> {
    vec![GuardPart::Buy, GuardPart::Toast, GuardPart::ToastV2]
}

async fn guard(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Board>) -> HttpResponse {
    let body = body.into_inner();
    put(&world, *id, body.username, |viewer, desk, _| {
        let offer = GuardOffer { level: body.level.clamp(1, 3), price: body.price, unit: "月", renewal: false };
        desk.guard(viewer, offer, &body.parts)
    })
}

/// A red pocket; by default the smallest.
#[derive(Deserialize)]
struct Pocket {
    username: Option<String>,
    #[serde(default = "twenty")]
    batteries: i64,
}

fn twenty() -> i64 {
    20
}

async fn red_pocket(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Pocket>) -> HttpResponse {
    let body = body.into_inner();
    put(&world, *id, body.username, |viewer, desk, _| {
        let winners = [Viewer::named("手气最佳")];
        let (bought, running, won) = desk.red_pocket(viewer, body.batteries, "老板大气", 30, &winners);
        vec![bought, running.clone(), running, won]
    })
}

#[derive(Deserialize)]
struct Title {
    title: String,
}

async fn title(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Title>) -> HttpResponse {
    put(&world, *id, None, |_, desk, room| {
        let stage = {
            let mut stage = lock(&room.stage);
            stage.title = body.into_inner().title;
            stage.clone()
        };
        vec![desk.room_change(&stage)]
    })
}

async fn send(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Value>) -> HttpResponse {
    put(&world, *id, None, |_, _, _| vec![Outgoing::plain(&body)])
}

#[derive(Deserialize)]
struct Garbage {
    way: Option<String>,
}

async fn garbage(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Garbage>) -> HttpResponse {
    let Some(room) = world.room(*id) else { return nothing("no such room") };
    let ways: Vec<&str> =
        WAYS.iter().copied().filter(|way| body.way.as_ref().is_none_or(|asked| asked == way)).collect();
    if ways.is_empty() {
        return wrong(&format!("a way to be broken is one of {WAYS:?}"));
    }
    // Messages before it stay before it.
    room.flush();
    ways.iter().filter_map(|way| garbage::frame(way)).for_each(|frame| room.send_raw(frame));
    HttpResponse::Ok().json(json!({"ways": ways}))
}

async fn storm(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Storm>) -> HttpResponse {
    let Some(room) = world.room(*id) else { return nothing("no such room") };
    *lock(&room.storm) = Some(body.into_inner());
    room.wake.notify_one();
    done()
}

async fn flaws(world: web::Data<World>, id: web::Path<u64>, body: web::Json<Flaws>) -> HttpResponse {
    let Some(room) = world.room(*id) else { return nothing("no such room") };
    let mut flaws = lock(&room.flaws);
    *flaws = body.into_inner();
    HttpResponse::Ok().json(&*flaws)
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
