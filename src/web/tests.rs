//! The door as it is knocked at: requests in, answers out, without a network.
//!
//! The history and the live store are real ones in a temporary folder; rooms are steered by a desk that
//! only remembers what it was asked. Nothing here starts an actor.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use actix_web::{
    App,
    body::MessageBody,
    dev::ServiceResponse,
    middleware::from_fn,
    test::{TestRequest, call_service, init_service, read_body, read_body_json},
    web::Data,
};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::{AdminAuth, Desk, Site, Web, WebOptions, configure, entry::enter, safe_headers};
use crate::{
    actors::{handles::RoomsError, ledger::Ledger, ring::Ring, sync_request::SyncHandle, wall::Wall},
    domain::{
        Body, CoinType, Danmaku, Event, EventId, Gift, Gold, LiveStatus, Medal, RoomId, RoomInfo, RoomRef, Source,
        SuperChat, Uid, User,
    },
    store::{
        Batch, Position, StoreKind, embedded::EmbeddedStore, housekeeper::Housekeeper, retention::Retention,
        sqlite::Database,
    },
    supervise::{board::Board, vitals::unix_ms},
    upstream::{Bilibili, Manners},
};

pub(super) const ROOM: RoomId = RoomId(21452505);
const EVIL: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 70001*70003 }}";

/// Remembers what it was asked, and knows rooms below 1000 as gone.
#[derive(Default)]
pub(super) struct RememberingDesk(Mutex<Vec<String>>);

impl RememberingDesk {
    fn note(&self, what: String) {
        self.0.lock().expect("no test panics while it holds this").push(what);
    }
    fn asked(&self) -> Vec<String> {
        self.0.lock().expect("no test panics while it holds this").clone()
    }
}

#[async_trait]
impl Desk for RememberingDesk {
    async fn resolve(&self, room: RoomRef) -> Result<RoomInfo, RoomsError> {
        if room.0 < 1000 {
            return Err(RoomsError::NoSuchRoom(room));
        }
        Ok(RoomInfo { uname: EVIL.into(), title: EVIL.into(), ..RoomInfo::unknown(RoomId(room.0)) })
    }
    async fn add(&self, room: RoomRef) -> Result<RoomInfo, RoomsError> {
        if RoomId(room.0) == ROOM {
            return Err(RoomsError::AlreadyThere(ROOM));
        }
        self.note(format!("add {room}"));
        self.resolve(room).await
    }
    async fn remove(&self, room: RoomId, erase: bool) -> Result<(), RoomsError> {
        self.note(format!("remove {room} {erase}"));
        Ok(())
    }
    async fn pause(&self, room: RoomId) -> Result<(), RoomsError> {
        self.note(format!("pause {room}"));
        Ok(())
    }
    async fn resume(&self, room: RoomId) -> Result<(), RoomsError> {
        self.note(format!("resume {room}"));
        Ok(())
    }
    async fn restart(&self, room: RoomId) -> Result<(), RoomsError> {
        self.note(format!("restart {room}"));
        Ok(())
    }
    async fn set_priority(&self, room: RoomId, priority: i64) -> Result<(), RoomsError> {
        self.note(format!("priority {room} {priority}"));
        Ok(())
    }
    async fn reconnect_all(&self) -> Result<(), RoomsError> {
        self.note("reconnect all".to_owned());
        Ok(())
    }
}

fn event(n: i64, body: Body) -> Event {
    let timestamp_ms = unix_ms() - 60_000 + n * 1000;
    Event {
        id: EventId::of(timestamp_ms, &[&n.to_string()]),
        room_id: ROOM,
        timestamp_ms,
        received_ms: timestamp_ms,
        source: Source::Live,
        user: User { uid: Uid(7), username: EVIL.into(), masked: false, alias: None },
        origin: None,
        body,
    }
}

pub(super) struct Rig {
    pub(super) site: Data<Site>,
    desk: Arc<RememberingDesk>,
    _folder: tempfile::TempDir,
}

/// A site with one room and a few events, all of them hostile.
pub(super) fn rig() -> Rig {
    let (web, desk, folder) = web();
    Rig { site: Site::new(web).expect("the templates can be read"), desk, _folder: folder }
}

/// What the door is given in [`rig`].
pub(super) fn web() -> (Web, Arc<RememberingDesk>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(&folder.path().join("live.db")).expect("a database");
    let info = RoomInfo {
        uname: EVIL.into(),
        title: EVIL.into(),
        area_name: EVIL.into(),
        face: "javascript:alert(3)".into(),
        cover: "\" onerror=\"alert(4)".into(),
        status: LiveStatus::Live,
        ..RoomInfo::unknown(ROOM)
    };
    database.add_room(&info).expect("saved");
    let medal = Some(Medal { name: EVIL.into(), level: 3 });
    let gift = Gift {
        gift_id: 1,
        gift_name: EVIL.into(),
        num: 2,
        coin_type: CoinType::Gold,
        price: Gold(100),
        paid: Gold(200),
        value: Gold(200),
        blind_box: None,
        receiver: None,
        medal: medal.clone(),
    };
    let super_chat =
        SuperChat { super_chat_id: 1, message: EVIL.into(), paid: Gold(30_000), start_time: 1, end_time: 2 };
    let chat = |n| {
        event(
            n,
            Body::Danmaku(Danmaku {
                message: format!("{EVIL} {n}"),
                medal: medal.clone(),
                reply_to: Some(EVIL.into()),
                ..Danmaku::default()
            }),
        )
    };
    let mut events: Vec<Event> = (0..5).map(chat).collect();
    events.push(event(10, Body::Gift(gift)));
    events.push(event(11, Body::SuperChat(super_chat)));
    let batch = Batch { position: Position("1".into()), events };
    database.record(StoreKind::Embedded, &[batch]).expect("recorded");
    let housekeeper = Housekeeper::new(database.clone(), Retention::default(), folder.path().join("raw"));
    let wall = Arc::new(Wall::default());
    wall.put(info);
    wall.set_totals(ROOM, database.totals(ROOM).expect("totals"));
    wall.set_state(ROOM, crate::supervise::vitals::State::Failed, Some(EVIL.into()));
    let live = Arc::new(EmbeddedStore::open(folder.path()).expect("a live store"));
    let desk = Arc::new(RememberingDesk::default());
    let (sync, _) = SyncHandle::new();
    let manners = Manners {
        folder: folder.path().to_owned(),
        calls_per_second: 100.0,
        tickets_per_second: 50.0,
        rooms_per_account: 6,
        extra_roots: Vec::new(),
    };
    // Nobody is there.
    let nowhere = "http://127.0.0.1:9".parse().expect("an address");
    let upstream = Bilibili::new(Some(&nowhere), &manners).expect("no accounts");
    let web = Web {
        rooms: desk.clone(),
        accounts: upstream.accounts(),
        gate: Arc::new(crate::upstream::gate::Gate::new(1.0)),
        sync,
        database,
        housekeeper: Arc::new(housekeeper),
        live,
        wall,
        ring: Arc::new(Ring::new(1)),
        board: Arc::new(Board::default()),
        ledger: Arc::new(Ledger::default()),
        reports: Arc::default(),
        auth: Arc::new(AdminAuth::new(Some("secret".into()), Some("robot".into()), None)),
        options: WebOptions::default(),
    };
    (web, desk, folder)
}

/// The routes and headers as the program serves them.
macro_rules! door {
    ($rig:expr) => {
        init_service(
            App::new().wrap(from_fn(enter)).wrap(safe_headers(None)).app_data($rig.site.clone()).configure(configure),
        )
        .await
    };
}

/// Signs in; gives the cookie and the token of the forms.
async fn signed_in(rig: &Rig) -> (String, String) {
    let door = door!(rig);
    let form = [("password", "secret")];
    let answer = call_service(&door, TestRequest::post().uri("/live/admin/sign-in").set_form(form).to_request()).await;
    assert_eq!(answer.status(), 303);
    let cookie = answer.headers().get("Set-Cookie").expect("a cookie").to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    let cookie = cookie.split(';').next().expect("its value").to_owned();
    let request = TestRequest::get().insert_header(("Cookie", cookie.clone())).to_http_request();
    let token = rig.site.web.auth.session_token(&request).expect("signed in");
    (cookie, token)
}

async fn text<B: MessageBody>(answer: ServiceResponse<B>) -> String {
    String::from_utf8(read_body(answer).await.to_vec()).expect("UTF-8")
}

#[actix_web::test]
async fn upstream_text_stays_text_on_every_page() {
    let rig = rig();
    let door = door!(rig);
    let (cookie, token) = signed_in(&rig).await;
    let get = |path: &str| TestRequest::get().uri(path).insert_header(("Cookie", cookie.clone())).to_request();
    let mut pages = Vec::new();
    for path in [
        "/live/",
        "/live/dashboard",
        "/live/danmaku/",
        "/live/danmaku/?q=%3Cscript%3E&kind=danmaku",
        "/live/charts/",
        "/live/room/21452505/",
        "/live/debug/",
        "/live/admin/",
        "/live/room/%3Cscript%3Ealert(1)/",
        "/%3Cscript%3Ealert(1)%3C/script%3E",
    ] {
        for lang in ["zh", "en"] {
            let path = format!("{path}{}lang={lang}", if path.contains('?') { '&' } else { '?' });
            let answer = call_service(&door, get(&path)).await;
            assert!(answer.status() == 200 || answer.status() == 404, "{path}: {}", answer.status());
            let policy = answer.headers().get("Content-Security-Policy").expect("a policy").to_str().expect("text");
            assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
            pages.push((path, text(answer).await));
        }
    }
    let form = [("token", token.as_str()), ("room", "5555")];
    let preview = TestRequest::post().uri("/live/admin/rooms/preview").insert_header(("Cookie", cookie.clone()));
    pages.push(("preview".into(), text(call_service(&door, preview.set_form(form).to_request()).await).await));
    for (path, page) in pages {
        for bad in ["<script>alert", "<img src=x", "javascript:alert", "\" onerror=", "4900280003", " style="] {
            assert!(!page.contains(bad), "{path} contains {bad}");
        }
        assert!(page.contains("</html>"), "{path} is complete");
    }
}

#[actix_web::test]
async fn no_write_happens_without_the_right_to_it() {
    let rig = rig();
    let door = door!(rig);
    let (cookie, token) = signed_in(&rig).await;
    let writes: [(&str, &str, bool); 14] = [
        ("POST", "/live/api/admin/rooms/", true),
        ("DELETE", "/live/api/admin/rooms/21452505/", true),
        ("DELETE", "/live/api/admin/rooms/21452505?erase=true", true),
        ("POST", "/live/api/admin/rooms/21452505/pause/", true),
        ("POST", "/live/api/admin/rooms/21452505/resume", true),
        ("POST", "/live/api/admin/rooms/21452505/restart/", true),
        ("POST", "/live/api/admin/rooms/reconnect/", true),
        ("POST", "/live/api/admin/sync/", true),
        ("POST", "/live/admin/rooms/add", false),
        ("POST", "/live/admin/rooms/preview", false),
        ("POST", "/live/admin/rooms/21452505/remove", false),
        ("POST", "/live/admin/sync", false),
        ("POST", "/live/admin/diagnostics", false),
        ("POST", "/live/admin/sign-out", false),
    ];
    let robot = ("Authorization", "Bearer robot".to_owned());
    let person = ("Cookie", cookie.clone());
    let csrf = ("X-CSRF-Token", token.clone());
    let foreign = ("Origin", "https://evil.example".to_owned());
    let guess = ("Authorization", "Bearer guess".to_owned());
    type Header = (&'static str, String);
    let without: [(&str, Vec<&Header>, u16); 5] = [
        ("nothing", vec![], 401),
        ("a wrong bearer", vec![&guess], 401),
        ("a cookie without its token", vec![&person], 403),
        ("the right cookie and token, from a foreign page", vec![&person, &csrf, &foreign], 403),
        ("the right bearer, from a foreign page", vec![&robot, &foreign], 403),
    ];
    for (method, path, is_api) in writes {
        for (name, headers, expected) in &without {
            let mut request = TestRequest::default().method(method.parse().expect("a method")).uri(path);
            request = request.insert_header(("Host", "here:8000"));
            for (header, value) in headers {
                request = request.insert_header((*header, value.as_str()));
            }
            let request =
                if is_api { request.set_json(json!({"room": 76_000})) } else { request.set_form([("room", "76000")]) };
            let answer = call_service(&door, request.to_request()).await;
            assert_eq!(answer.status().as_u16(), *expected, "{method} {path} with {name}");
            if is_api {
                let body: Value = read_body_json(answer).await;
                assert_eq!((&body["success"], body["code"].is_string()), (&json!(false), true), "{path} with {name}");
            }
        }
    }
    assert_eq!(rig.desk.asked(), [""; 0], "nothing happened");

    let ask = async |method: &str, path: &str, body: Value| {
        let request = TestRequest::default().method(method.parse().expect("a method")).uri(path);
        let request = request.insert_header(("Authorization", "Bearer robot")).set_json(body);
        call_service(&door, request.to_request()).await.status().as_u16()
    };
    for (method, path, body, expected) in [
        ("POST", "/live/api/admin/rooms", json!({"room": "https://live.bilibili.com/76000"}), 201),
        ("POST", "/live/api/admin/rooms/", json!({"room": "x"}), 400),
        ("POST", "/live/api/admin/rooms/", json!({}), 400),
        ("POST", "/live/api/admin/rooms/", json!({"room": 7}), 404),
        ("POST", "/live/api/admin/rooms/", json!({"room": ROOM}), 409),
        ("POST", "/live/api/admin/rooms/21452505/pause", json!({}), 200),
        ("DELETE", "/live/api/admin/rooms/21452505/?erase=true", json!({}), 200),
        ("GET", "/live/api/admin/rooms/", json!({}), 405),
    ] {
        assert_eq!(ask(method, path, body.clone()).await, expected, "{method} {path} {body}");
    }
    let wrong = call_service(&door, TestRequest::with_uri("/live/api/admin/rooms/").to_request()).await;
    assert_eq!(wrong.headers().get("allow").map(|allowed| allowed.as_bytes()), Some(&b"POST"[..]));
    let form = [("token", token.as_str()), ("erase", "true")];
    let request = TestRequest::post().uri("/live/admin/rooms/21452505/remove").insert_header(("Cookie", cookie));
    assert_eq!(call_service(&door, request.set_form(form).to_request()).await.status(), 303);
    let expected = ["add 76000", "add 7", "pause 21452505", "remove 21452505 true", "remove 21452505 true"];
    assert_eq!(rig.desk.asked(), expected);
}

#[actix_web::test]
async fn the_api_answers_in_its_envelope() {
    let rig = rig();
    // As a start does.
    let Web { ledger, database, .. } = &rig.site.web;
    let at = database.cursor(StoreKind::Embedded).expect("read");
    let kept = database.open_books(StoreKind::Embedded, at.as_ref(), &BTreeMap::new()).expect("opened");
    ledger.open(&kept.expect("nobody else"), &BTreeMap::new(), &[]);
    let door = door!(rig);
    let ask = async |path: &str| {
        let answer = call_service(&door, TestRequest::get().uri(path).to_request()).await;
        let status = answer.status().as_u16();
        (status, read_body_json::<Value, _>(answer).await)
    };
    for (path, expected, pointer, value) in [
        ("/live/api/rooms", 200, "/data/rooms/0/room_id", json!(ROOM)),
        ("/live/api/rooms/?status=offline", 200, "/data/count", json!(0)),
        ("/live/api/rooms/?status=x", 400, "/code", json!("bad_parameter")),
        ("/live/api/system/stats/", 200, "/data/stats/total_danmaku", json!(5)),
        ("/live/api/redis/status/", 200, "/data/kind", json!("embedded")),
        ("/live/api/room/21452505/stats/", 200, "/data/room_info/status", json!(1)),
        ("/live/api/room/21452505/stats/", 200, "/data/stats/income/total", json!(30.2)),
        ("/live/api/room/21452505/gifts/", 200, "/data/gifts/0/paid_gold", json!(200)),
        ("/live/api/room/21452505/superchats", 200, "/data/superchats/0/price", json!(30.0)),
        ("/live/api/room/21452505/guards/", 200, "/data/count", json!(0)),
        ("/live/api/room/21452505/gaps/", 200, "/data/gaps", json!([])),
        ("/live/api/room/1/stats/", 404, "/code", json!("no_such_room")),
        ("/live/api/room/1/danmaku/", 404, "/code", json!("no_such_room")),
        ("/live/api/room/x/stats/", 400, "/code", json!("bad_parameter")),
        ("/live/api/room/21452505/danmaku/?limit=x", 400, "/code", json!("bad_parameter")),
        ("/live/api/room/21452505/danmaku/?before=x", 400, "/code", json!("bad_parameter")),
        ("/live/api/room/21452505/trend/?step=week", 400, "/code", json!("bad_parameter")),
        ("/live/api/room/21452505/trend/?to=9223372036854775807", 400, "/code", json!("bad_parameter")),
        ("/live/api/room/21452505/trend/?from=9223372036854775806", 400, "/code", json!("bad_parameter")),
        ("/live/api/room/21452505/trend/?to=1&step=day", 200, "/data/from_ms", json!(0)),
        ("/live/api/room/21452505/gaps/?since=-9223372036854775808", 400, "/code", json!("bad_parameter")),
        ("/live/api/room/21452505/danmaku/?before=9223372036854775807", 400, "/code", json!("bad_parameter")),
        ("/live/api/danmaku-browser/", 200, "/data/rooms/0/danmaku/0/kind", json!("danmaku")),
        ("/live/api/health/", 200, "/data/rooms/failed", json!(1)),
        ("/live/api/ledger/", 200, "/data/all_time/total/stored", json!(7)),
        ("/live/api/nowhere/", 404, "/code", json!("not_found")),
        ("/live/api/events/?kinds=x", 400, "/code", json!("bad_parameter")),
    ] {
        let (status, body) = ask(path).await;
        assert_eq!(status, expected, "{path}: {body}");
        assert_eq!(body["success"], json!(status == 200), "{path}");
        assert_eq!(body.pointer(pointer), Some(&value), "{path}: {body}");
    }
    // Paging with the cursor brings every event once.
    let mut seen = Vec::new();
    let mut path = "/live/api/room/21452505/danmaku/?limit=2".to_owned();
    loop {
        let (_, body) = ask(&path).await;
        let page = body["data"]["danmaku"].as_array().expect("a list").clone();
        seen.extend(page.iter().map(|event| event["id"].to_string()));
        if body["data"]["has_more"] == false {
            break;
        }
        path = format!(
            "/live/api/room/21452505/danmaku/?limit=2&before={}",
            body["data"]["cursor"].as_str().expect("a cursor")
        );
    }
    assert_eq!(seen.len(), 5);
    let batch = TestRequest::post().uri("/live/api/batch/rooms/stats").set_json(json!({"room_ids": [ROOM, 1]}));
    let body: Value = read_body_json(call_service(&door, batch.to_request()).await).await;
    assert_eq!(body["data"]["rooms"]["21452505"]["stats"]["total_gifts"], 1);
    assert_eq!(body["data"]["missing"], json!([1]));
}

#[actix_web::test]
async fn what_cannot_be_read_is_refused_in_the_envelope_with_a_sentence() {
    let rig = rig();
    let door = door!(rig);
    let long = format!("{{\"room\":\"{}\"}}", "x".repeat(100_000));
    let not_json = "the body is not the JSON that is expected: ";
    for (method, path, body, status, code, said) in [
        ("GET", "/live/api/room/abc/stats/", "", 400, "bad_parameter", "room: \"abc\" is not the number of a room"),
        ("GET", "/live/api/room/-1/gaps", "", 400, "bad_parameter", "room: \"-1\" is not the number of a room"),
        ("DELETE", "/live/api/admin/rooms/99999999999999999999/", "", 400, "bad_parameter", "is not the number"),
        ("GET", "/live/api/events/?after=1&after=2", "", 400, "bad_parameter", "the query string cannot be read: "),
        ("POST", "/live/api/batch/rooms/stats/", "{", 400, "not_json", not_json),
        ("POST", "/live/api/batch/rooms/stats/", "{\"room_ids\":\"x\"}", 400, "not_json", not_json),
        ("POST", "/live/api/batch/rooms/stats/", &long, 413, "too_large", "longer than the 65536 bytes"),
        ("POST", "/live/api/admin/rooms/", "{", 400, "not_json", not_json),
        ("POST", "/live/api/admin/rooms/", &long, 413, "too_large", "longer than the 65536 bytes"),
    ] {
        let request = TestRequest::default().method(method.parse().expect("a method")).uri(path);
        let request = request.insert_header(("Authorization", "Bearer robot"));
        let request = request.insert_header(("Content-Type", "application/json")).set_payload(body.to_owned());
        let answer = call_service(&door, request.to_request()).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        let answer: Value = read_body_json(answer).await;
        assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!(code)), "{method} {path}");
        let sentence = answer["error"].as_str().expect("a sentence");
        assert!(sentence.contains(said) && !sentence.contains("deserialize"), "{method} {path}: {sentence}");
    }
}

#[actix_web::test]
async fn files_are_cached_by_what_they_hold() {
    let rig = rig();
    let door = door!(rig);
    let address = super::assets::address("style.css");
    let fresh = call_service(&door, TestRequest::get().uri(&address).to_request()).await;
    let header = |name| fresh.headers().get(name).expect("there").to_str().expect("text").to_owned();
    assert!(header("Cache-Control").contains("immutable"));
    let etag = header("ETag");
    let again = TestRequest::get().uri("/static/style.css").insert_header(("If-None-Match", etag)).to_request();
    let again = call_service(&door, again).await;
    assert_eq!(again.status(), 304);
    let asked = call_service(&door, TestRequest::get().uri("/static/package.json").to_request()).await;
    assert_eq!(asked.status(), 404);
}
