//! The simulator's own endpoints for what is not a room: who knocked, what goes wrong, and who is logged in.
//!
//! Bodies and answers are JSON. An answer of 404 says that there is no such thing.
//!
//! | call | body | what it does |
//! |---|---|---|
//! | GET `/sim` | | the control page, for people; it uses nothing but these endpoints |
//! | GET `/sim/state` | | every room with its books, flaws and connections |
//! | GET `/sim/calls?since_ms=` | | calls by name and connections since then, and the most within one second |
//! | GET `/sim/crowd` | | connections by room and account |
//! | POST `/sim/cut` | `count`, `room_id` | cuts so many connections (or all) at once, of that room or any |
//! | GET, POST `/sim/faults` | any of `refusals`, `bad_tokens`, `token_lasts_s`, `dead_hosts`, `down`, `deaf`, `mute`, `says_refused`, `cut_every_ms`, `slow_handshake_ms`, `garbage`, `account_cap`, `over_cap` (`kick_oldest`, `kick_newest`, `thin_newest`) | sets these switches, the others stay |
//! | POST `/sim/faults/refuse` | `call`, and if wanted `code`, `times`, `account`, `delay_ms`, `answer_delay_ms` | adds a refusal; without a code the call is only done, or only answered, that late |
//! | POST `/sim/faults/clear` | | all switches off |
//! | POST `/sim/keys/rotate` | | new signing keys; signatures with the old ones are refused |
//! | POST `/sim/tokens/revoke` | | no stream token given out so far is accepted |
//! | GET `/sim/accounts` | | who could log in, and their logins with all secrets; QR codes that are open |
//! | POST `/sim/accounts` | `name` | somebody more with an account |
//! | POST `/sim/account/{uid}` | any of `under_risk_control`, `should_refresh` | changes an account |
//! | POST `/sim/account/{uid}/log_out` | | their cookies are worth nothing |
//! | POST `/sim/qr/scan` | `uid`, `key` if wanted | the newest code (or that one) is scanned by the first account (or that one) |
//! | POST `/sim/qr/confirm`, `/sim/qr/expire` | `key` if wanted | the phone says yes; the time is over |

use actix_web::{HttpResponse, web};
use rand::rngs::ThreadRng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    accounts::Accounts,
    cast::Seal,
    faults::{Faults, Refusal},
    signature::PageKeys,
    world::{World, lock, now_ms},
};

/// The routes.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/sim", web::get().to(page))
        .route("/sim/state", web::get().to(state))
        .route("/sim/calls", web::get().to(calls))
        .route("/sim/crowd", web::get().to(crowd))
        .route("/sim/cut", web::post().to(cut))
        .route("/sim/faults", web::get().to(faults))
        .route("/sim/faults", web::post().to(set))
        .route("/sim/faults/refuse", web::post().to(refuse))
        .route("/sim/faults/clear", web::post().to(clear))
        .route("/sim/keys/rotate", web::post().to(rotate_keys))
        .route("/sim/tokens/revoke", web::post().to(revoke_tokens))
        .route("/sim/accounts", web::get().to(accounts))
        .route("/sim/accounts", web::post().to(register))
        .route("/sim/account/{uid}", web::post().to(change_account))
        .route("/sim/account/{uid}/log_out", web::post().to(log_out))
        .route("/sim/qr/{step:scan|confirm|expire}", web::post().to(qr));
}

async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(include_str!("page.html"))
}

async fn state(world: web::Data<World>) -> HttpResponse {
    let census = world.crowd.census();
    let rooms = world.rooms.iter().filter(|room| room.seal == Seal::Open).map(|room| {
        let stage = lock(&room.stage).clone();
        let id = room.streamer.room_id;
        let connections: usize = census.iter().filter(|group| group.room_id == id).map(|group| group.connections).sum();
        json!({"room_id": id, "short_id": room.streamer.short_id, "uid": room.streamer.uid, "name": room.name,
            "title": stage.title, "live": stage.live, "connections": connections, "flaws": &*lock(&room.flaws),
            "told": room.told(), "heard": room.heard()})
    });
    let connections: usize = census.iter().map(|group| group.connections).sum();
    HttpResponse::Ok().json(json!({"rooms": rooms.collect::<Vec<_>>(), "connections": connections}))
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since_ms: i64,
}

async fn calls(world: web::Data<World>, query: web::Query<Since>) -> HttpResponse {
    HttpResponse::Ok().json(lock(&world.tally).since(query.since_ms, now_ms()))
}

async fn crowd(world: web::Data<World>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"connections": world.crowd.census()}))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cut {
    count: Option<usize>,
    room_id: Option<u64>,
}

async fn cut(world: web::Data<World>, body: Option<web::Json<Cut>>) -> HttpResponse {
    let Cut { count, room_id } = body.map(web::Json::into_inner).unwrap_or_default();
    HttpResponse::Ok().json(json!({"cut": world.crowd.cut(room_id, count.unwrap_or(usize::MAX))}))
}

async fn faults(world: web::Data<World>) -> HttpResponse {
    HttpResponse::Ok().json(&*lock(&world.faults))
}

/// Sets the switches that are there; the others stay.
async fn set(world: web::Data<World>, body: web::Json<Map<String, Value>>) -> HttpResponse {
    let mut faults = lock(&world.faults);
    let mut switches = json!(&*faults);
    switches.as_object_mut().into_iter().for_each(|all| all.extend(body.0.clone()));
    match serde_json::from_value(switches) {
        Ok(new) => {
            *faults = new;
            HttpResponse::Ok().json(&*faults)
        }
        Err(error) => wrong(&error.to_string()),
    }
}

async fn refuse(world: web::Data<World>, body: web::Json<Refusal>) -> HttpResponse {
    let mut faults = lock(&world.faults);
    faults.refusals.push(body.into_inner());
    HttpResponse::Ok().json(&*faults)
}

async fn clear(world: web::Data<World>) -> HttpResponse {
    let mut faults = lock(&world.faults);
    *faults = Faults::default();
    HttpResponse::Ok().json(&*faults)
}

async fn rotate_keys(world: web::Data<World>) -> HttpResponse {
    *lock(&world.page_keys) = PageKeys::draw(&mut ThreadRng::default());
    done()
}

async fn revoke_tokens(world: web::Data<World>) -> HttpResponse {
    world.revoke_tokens();
    done()
}

async fn accounts(world: web::Data<World>) -> HttpResponse {
    let accounts = lock(&world.accounts);
    HttpResponse::Ok().json(describe(&accounts))
}

fn describe(accounts: &Accounts) -> Value {
    let users = accounts.users().iter().map(|user| {
        let mut entry = json!(user);
        let logins = accounts
            .logins_of(user.uid)
            .map(|login| json!({"sessdata": login.sessdata, "csrf": login.csrf, "refresh_token": login.refresh_token}));
        entry["logins"] = json!(logins.collect::<Vec<_>>());
        entry
    });
    let codes = accounts.open_codes(now_ms()).into_iter().map(|(key, by)| json!({"key": key, "scanned_by": by}));
    json!({"users": users.collect::<Vec<_>>(), "codes": codes.collect::<Vec<_>>()})
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

async fn register(world: web::Data<World>, body: web::Json<Name>) -> HttpResponse {
    let uid = lock(&world.accounts).register(&body.name);
    HttpResponse::Ok().json(json!({"uid": uid}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    under_risk_control: Option<bool>,
    should_refresh: Option<bool>,
}

async fn change_account(world: web::Data<World>, uid: web::Path<u64>, body: web::Json<Change>) -> HttpResponse {
    let mut accounts = lock(&world.accounts);
    let Some(user) = accounts.user_mut(*uid) else { return nothing("no such account") };
    user.under_risk_control = body.under_risk_control.unwrap_or(user.under_risk_control);
    user.should_refresh = body.should_refresh.unwrap_or(user.should_refresh);
    HttpResponse::Ok().json(&*user)
}

async fn log_out(world: web::Data<World>, uid: web::Path<u64>) -> HttpResponse {
    let mut accounts = lock(&world.accounts);
    if accounts.user(*uid).is_none() {
        return nothing("no such account");
    }
    accounts.log_out(*uid);
    done()
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Phone {
    key: Option<String>,
    uid: Option<u64>,
}

async fn qr(world: web::Data<World>, step: web::Path<String>, body: Option<web::Json<Phone>>) -> HttpResponse {
    let phone = body.map(web::Json::into_inner).unwrap_or_default();
    let (key, now) = (phone.key.as_deref(), now_ms());
    let mut accounts = lock(&world.accounts);
    let went = match step.as_str() {
        "scan" => {
            let uid = phone.uid.or_else(|| accounts.users().first().map(|user| user.uid)).unwrap_or(0);
            accounts.user(uid).is_some() && accounts.scan(key, uid, now)
        }
        "confirm" => accounts.confirm(key, now),
        _ => accounts.expire(key, now),
    };
    if went { HttpResponse::Ok().json(describe(&accounts)) } else { nothing("no code to do that with") }
}

pub(super) fn done() -> HttpResponse {
    HttpResponse::Ok().json(json!({}))
}

pub(super) fn wrong(why: &str) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({"error": why}))
}

pub(super) fn nothing(what: &str) -> HttpResponse {
    HttpResponse::NotFound().json(json!({"error": what}))
}
