//! The pages as an attacker meets them: writes without the right to them, addresses that lie, and a site that is
//! mounted somewhere else.

use std::{collections::BTreeSet, fs, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response, redirect::Policy};
use serde_json::{Value, json};

use crate::support::{
    fake::{FakeBilibili, Room},
    monitor::{Monitor, PASSWORD, Setup, TOKEN},
    packet::Packing,
};

const ROOM: u64 = 92_006_101;
const OTHER: u64 = 92_006_102;

/// A browser without a screen: it follows no redirect and keeps no cookie by itself.
struct Visitor<'a> {
    monitor: &'a Monitor,
    client: Client,
}

/// What a signed-in person's browser holds.
#[derive(Clone)]
struct SignedIn {
    cookie: String,
    token: String,
}

impl<'a> Visitor<'a> {
    fn of(monitor: &'a Monitor) -> Visitor<'a> {
        let client = Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(30)).build();
        Visitor { monitor, client: client.expect("a client") }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.monitor.url()))
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path).send().await.expect("the program answers")
    }

    async fn try_password(&self, password: &str, from: &str) -> Response {
        let request = self.ask(Method::POST, "/live/admin/sign-in").header("X-Forwarded-For", from);
        request.form(&[("password", password)]).send().await.expect("the program answers")
    }

    async fn sign_in(&self) -> SignedIn {
        let answer = self.try_password(PASSWORD, "127.0.0.1").await;
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()["set-cookie"].to_str().expect("text");
        let cookie = cookie.split(';').next().expect("a value").to_owned();
        let page = self.ask(Method::GET, "/live/admin/").header("Cookie", &cookie).send().await.expect("a page");
        let page = page.text().await.expect("text");
        let token = page.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        SignedIn { cookie, token: token.expect("the page's forms carry the token").to_owned() }
    }
}

async fn watched() -> (FakeBilibili, Monitor) {
    let rooms = [ROOM, OTHER].map(|room| Room::new(room, Packing::Plain));
    let fake = FakeBilibili::start(rooms);
    let monitor = Setup::watching(&fake, &[ROOM]).start().await;
    fake.wait_for(&[ROOM], 1).await;
    monitor.wait_for_state(ROOM, "live").await;
    (fake, monitor)
}

/// Everything that a write could have changed.
async fn state(monitor: &Monitor, fake: &FakeBilibili) -> Value {
    json!({
        "rooms": monitor.rows("room_id, monitored, paused", "live_data_liveroom ORDER BY room_id"),
        "keys": monitor.rows("id, name", "blm_accesskey"),
        "settings": monitor.rows("key, value", "blm_setting ORDER BY key"),
        "connects": fake.connects(ROOM),
        "shown": monitor.room(ROOM).await.map(|room| room["state"].clone()),
    })
}

/// Every form of the site, and what it sends beside the token.
const FORMS: [(&str, &[(&str, &str)]); 16] = [
    ("/live/admin/sign-out", &[]),
    ("/live/admin/rooms/preview", &[("room", "92006102")]),
    ("/live/admin/rooms/add", &[("room", "92006102")]),
    ("/live/admin/rooms/92006101/pause", &[]),
    ("/live/admin/rooms/92006101/resume", &[]),
    ("/live/admin/rooms/92006101/restart", &[]),
    ("/live/admin/rooms/92006101/remove", &[("erase", "true")]),
    ("/live/admin/sync", &[]),
    ("/live/admin/rooms/bulk", &[("rooms", "92006102")]),
    ("/live/admin/keys/add", &[("name", "x"), ("scope", "admin")]),
    ("/live/admin/keys/1/remove", &[]),
    ("/live/admin/accounts/login", &[]),
    ("/live/admin/accounts/7/remove", &[]),
    ("/live/admin/priority/92006101", &[("on", "true")]),
    ("/live/admin/diagnostics", &[]),
    ("/live/admin/cleanup", &[]),
];

/// Every call of the API that changes something.
const CALLS: [(Method, &str); 12] = [
    (Method::POST, "/live/api/admin/rooms/"),
    (Method::DELETE, "/live/api/admin/rooms/92006101/?erase=true"),
    (Method::POST, "/live/api/admin/rooms/92006101/pause/"),
    (Method::POST, "/live/api/admin/rooms/92006101/resume/"),
    (Method::POST, "/live/api/admin/rooms/92006101/restart/"),
    (Method::POST, "/live/api/admin/sync/"),
    (Method::POST, "/live/api/maintenance/cleanup/"),
    (Method::POST, "/live/api/admin/rooms/reconnect/"),
    (Method::POST, "/live/api/admin/rooms/import/"),
    (Method::POST, "/live/api/admin/rooms/92006101/priority/"),
    (Method::POST, "/live/api/admin/accounts/login/"),
    (Method::DELETE, "/live/api/admin/accounts/7/"),
];

/// `path` without what stands for a room, an account or a key, and without query.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let parts = path.split('/').map(|part| match part.chars().all(|c| c.is_ascii_digit()) || part.starts_with('{') {
        true if !part.is_empty() => "{}",
        _ => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn no_call_that_writes_and_no_form_is_forgotten_by_the_test_of_writes() {
    let (_fake, monitor) = watched().await;
    let (_, api) = monitor.fetch("/live/api/openapi.json").await;
    // It takes its questions in a body, and changes nothing.
    let reading = "/live/api/batch/rooms/stats/";
    let tried: BTreeSet<String> = CALLS.iter().map(|(method, path)| format!("{method} {}", shape(path))).collect();
    let mut forgotten = Vec::new();
    for (path, item) in api["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys().filter(|method| *method != "get" && path != reading) {
            let call = format!("{} {}", method.to_uppercase(), shape(path));
            if !tried.contains(&call) {
                forgotten.push(call);
            }
        }
    }
    // The one form that needs no sign-in is that of signing in.
    let tried: BTreeSet<String> = FORMS.iter().map(|(path, _)| shape(path)).collect();
    for template in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).expect("templates") {
        let path = template.expect("an entry").path();
        if path.extension().is_none_or(|ending| ending != "html") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a template").replace("{{ base() }}", "");
        for form in text.split("<form ").skip(1).filter(|form| form.contains("method=\"post\"")) {
            let action = form.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
            let action = shape(action);
            if action != "/live/admin/sign-in" && !tried.contains(&action) {
                forgotten.push(action);
            }
        }
    }
    assert_eq!(forgotten, Vec::<String>::new());
}

#[tokio::test]
async fn a_write_without_the_right_to_it_is_refused_and_nothing_changes() {
    let (fake, monitor) = watched().await;
    let visitor = Visitor::of(&monitor);
    let before = state(&monitor, &fake).await;
    let now = visitor.sign_in().await;
    let gone = visitor.sign_in().await;
    let out = visitor.ask(Method::POST, "/live/admin/sign-out").header("Cookie", &gone.cookie);
    assert_eq!(out.form(&[("token", &gone.token)]).send().await.expect("an answer").status(), 303);

    let bearer = format!("Bearer {TOKEN}");
    let guess = format!("Bearer {}x", TOKEN);
    let none = String::new();
    // Cookie, token, Authorization, Origin.
    let intruders: [(&str, &str, &str, &str, &str); 9] = [
        ("nobody", &none, &none, &none, &none),
        ("with a token only", &none, &now.token, &none, &none),
        ("with a session that was signed out", &gone.cookie, &gone.token, &none, &none),
        ("without the token", &now.cookie, &none, &none, &none),
        ("with the token of an earlier session", &now.cookie, &gone.token, &none, &none),
        ("signed in, on a page of another site", &now.cookie, &now.token, &none, "https://evil.example"),
        ("signed in, in a sandboxed frame", &now.cookie, &now.token, &none, "null"),
        ("with a wrong bearer", &now.cookie, &now.token, &guess, &none),
        ("with the right bearer, on a page of another site", &none, &none, &bearer, "https://evil.example"),
    ];
    for (who, cookie, token, authorization, origin) in intruders {
        let dress = |mut request: RequestBuilder| {
            for (name, value) in [("Cookie", cookie), ("Authorization", authorization), ("Origin", origin)] {
                if !value.is_empty() {
                    request = request.header(name, value);
                }
            }
            request
        };
        for (path, fields) in FORMS {
            let mut form = fields.to_vec();
            form.push(("token", token));
            let answer = dress(visitor.ask(Method::POST, path)).form(&form).send().await.expect("an answer");
            assert!(matches!(answer.status().as_u16(), 401 | 403), "{path} {who}: {}", answer.status());
        }
        for (method, path) in &CALLS {
            let mut request = dress(visitor.ask(method.clone(), path)).json(&json!({"room": OTHER}));
            if !token.is_empty() {
                request = request.header("X-CSRF-Token", token);
            }
            let answer = request.send().await.expect("an answer");
            assert!(matches!(answer.status().as_u16(), 401 | 403), "{method} {path} {who}: {}", answer.status());
            let said: Value = answer.json().await.expect("the envelope");
            assert_eq!(said["success"], false, "{method} {path} {who}");
        }
    }
    assert_eq!(state(&monitor, &fake).await, before, "something changed all the same");
    // The session that was misused is as good as before.
    let pause = visitor.ask(Method::POST, "/live/admin/rooms/92006101/pause").header("Cookie", &now.cookie);
    assert_eq!(pause.form(&[("token", &now.token)]).send().await.expect("an answer").status(), 303);
    monitor.wait_for_state(ROOM, "paused").await;
}

#[tokio::test]
async fn guessing_and_hammering_make_an_address_wait_and_no_other() {
    let (_fake, monitor) = watched().await;
    let visitor = Visitor::of(&monitor);
    for _ in 0..5 {
        assert_eq!(visitor.try_password("wrong", "203.0.113.7").await.status(), 401);
    }
    let locked = visitor.try_password(PASSWORD, "203.0.113.7").await;
    assert_eq!(locked.status(), 429, "even the right password has to wait");
    assert!(locked.headers().contains_key("retry-after"));
    // What a visitor writes into the header is not what the proxy saw.
    let lying = visitor.try_password(PASSWORD, "198.51.100.1, 203.0.113.7").await;
    assert_eq!(lying.status(), 429);
    assert_eq!(visitor.try_password(PASSWORD, "203.0.113.8").await.status(), 303);

    let from = |address: &'static str, path: &str| {
        let request = visitor.ask(Method::GET, path).header("X-Forwarded-For", address);
        async move { request.send().await.expect("an answer") }
    };
    let search = "/live/api/room/92006101/danmaku/?q=x";
    let mut refused = None;
    for _ in 0..200 {
        let answer = from("203.0.113.7", search).await;
        if answer.status() == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("searching without end is refused");
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(refused.json::<Value>().await.expect("the envelope")["code"], "too_many_requests");
    assert_eq!(from("203.0.113.9", search).await.status(), 200, "others search on");
    let long = json!({"room": "x".repeat(200_000)});
    let (status, said) = monitor.administrate(Method::POST, "/live/api/admin/rooms/", long).await;
    assert_eq!((status, &said["code"]), (413, &json!("too_large")));
}

/// What a form that shows a key once has shown.
async fn make_key(visitor: &Visitor<'_>, who: &SignedIn, name: &str, scope: &str) -> String {
    let form = [("token", &*who.token), ("name", name), ("scope", scope)];
    let request = visitor.ask(Method::POST, "/live/admin/keys/add").header("Cookie", &who.cookie).form(&form);
    let page = request.send().await.expect("an answer").text().await.expect("text");
    let shown = page.split("id=\"secret\">").nth(1).and_then(|rest| rest.split('<').next());
    shown.expect("the key is shown").to_owned()
}

#[tokio::test]
async fn a_key_opens_what_its_scope_says_until_it_is_taken_back_and_every_change_is_written_down() {
    let fake = FakeBilibili::start([ROOM, OTHER].map(|room| Room::new(room, Packing::Plain)));
    let setup = Setup::watching(&fake, &[ROOM]).with(&["--public"]);
    let mut monitor = setup.start().await;
    fake.wait_for(&[ROOM], 1).await;
    let (reading, ruling, link) = {
        let visitor = Visitor::of(&monitor);
        let person = visitor.sign_in().await;
        let reading = make_key(&visitor, &person, "<b>面板</b>", "read").await;
        let ruling = make_key(&visitor, &person, "robot", "admin").await;
        (reading, ruling, make_key(&visitor, &person, "for a friend", "share").await)
    };
    // Keys outlive the run; nothing that opens anything stands in the database.
    monitor.terminate();
    assert_eq!(monitor.ended().await.code(), Some(0));
    let monitor = setup.start().await;
    let visitor = Visitor::of(&monitor);
    let stored = format!("{:?}", monitor.rows("name, digest", "blm_accesskey"));
    assert!(![&reading, &ruling].iter().any(|key| stored.contains(*key)), "{stored}");

    let gifts = format!("/live/api/room/{ROOM}/gifts/");
    let ask = |method: Method, path: &str, key: &str| {
        let request = visitor.ask(method, path).bearer_auth(key).json(&json!({"room": OTHER}));
        async move { request.send().await.expect("an answer").status().as_u16() }
    };
    assert_eq!(visitor.get(&gifts).await.status(), 403, "the public sees no gifts");
    for (key, reads, writes) in [(&reading, 200, 403), (&ruling, 200, 201), (&"guess".to_owned(), 403, 401)] {
        assert_eq!(ask(Method::GET, &gifts, key).await, reads);
        assert_eq!(ask(Method::POST, "/live/api/admin/rooms/", key).await, writes);
    }
    let opened = visitor.get(&link).await;
    assert_eq!((opened.status().as_u16(), opened.headers()["location"].as_bytes()), (303, b"/live/".as_slice()));
    let cookie = opened.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a value").to_owned();
    let shared = |path: &str| visitor.ask(Method::GET, path).header("Cookie", &cookie).send();
    assert_eq!(shared(&gifts).await.expect("an answer").status(), 200);
    let accounts = "/live/api/admin/accounts/";
    for (key, status) in [(&reading, 401), (&ruling, 200)] {
        assert_eq!(ask(Method::GET, accounts, key).await, status, "who only reads sees no accounts");
    }
    assert_eq!(shared(accounts).await.expect("an answer").status(), 401);
    assert_eq!(visitor.get("/live/share/guess").await.status(), 404);
    assert_eq!(visitor.get(&format!("/live/share/{reading}")).await.status(), 404, "only share keys are links");

    let person = visitor.sign_in().await;
    for key in monitor.rows("id", "blm_accesskey") {
        let path = format!("/live/admin/keys/{}/remove", key["id"]);
        let request = visitor.ask(Method::POST, &path).header("Cookie", &person.cookie);
        let removed = request.form(&[("token", &person.token)]).send().await.expect("an answer");
        assert_eq!(removed.status(), 303);
    }
    assert_eq!(
        (
            ask(Method::GET, &gifts, &reading).await,
            ask(Method::DELETE, "/live/api/admin/rooms/92006102/", &ruling).await
        ),
        (403, 401)
    );
    assert_eq!(shared(&gifts).await.expect("an answer").status(), 403);

    let actions = monitor.rows("actor, action, status", "blm_audit ORDER BY id");
    let said: Vec<String> = actions
        .iter()
        .map(|row| format!("{} {} {}", row["actor"], row["action"], row["status"]).replace('"', ""))
        .collect();
    let made = "password POST /live/admin/keys/add 200";
    let added = "robot POST /live/api/admin/rooms/ 201";
    let refused = "<b>面板</b> POST /live/api/admin/rooms/ 403";
    assert_eq!(said[..3], [made, made, made]);
    assert!([added, refused].iter().all(|line| said.iter().any(|known| known == line)), "{said:?}");
    let page = visitor.ask(Method::GET, "/live/admin/").header("Cookie", &person.cookie).send().await.expect("a page");
    let page = page.text().await.expect("text");
    assert!(
        page.contains(added.split(' ').nth(2).expect("a path")) && !page.contains("<b>面板"),
        "the log is shown, as text"
    );
    assert!(!page.contains(&reading), "a key is shown once");
}

#[tokio::test]
async fn a_pasted_list_adds_what_it_can_and_says_why_not_the_rest() {
    let (_fake, monitor) = watched().await;
    let visitor = Visitor::of(&monitor);
    let person = visitor.sign_in().await;
    let list = format!("{OTHER}, {ROOM}\nhttps://live.bilibili.com/99999999 rubbish");
    let form = [("token", &*person.token), ("rooms", &*list)];
    let request = visitor.ask(Method::POST, "/live/admin/rooms/bulk?lang=en").header("Cookie", &person.cookie);
    let page = request.form(&form).send().await.expect("an answer").text().await.expect("text");
    for said in ["monitored now", "This room is monitored already.", "There is no such live room", "Give a room number"]
    {
        assert!(page.contains(said), "{said}");
    }
    assert!(monitor.room(OTHER).await.is_some());
}

/// Addresses in a page: of links, forms, files and pictures.
fn addresses(page: &str) -> BTreeSet<String> {
    let named = ["href=\"", "src=\"", "action=\"", "data-base=\""].into_iter();
    let found = named.flat_map(|name| page.split(name).skip(1)).filter_map(|rest| rest.split('"').next());
    found.map(str::to_owned).collect()
}

#[tokio::test]
async fn no_address_leads_out_of_the_site_and_all_stand_below_its_base_path() {
    let fake = FakeBilibili::start([Room::new(ROOM, Packing::Plain)]);
    let setup = Setup::watching(&fake, &[ROOM]).with(&["--base-path", "/bili/"]);
    let monitor = setup.start().await;
    fake.wait_for(&[ROOM], 1).await;
    let visitor = Visitor::of(&monitor);
    let room = format!("/live/room/{ROOM}/");
    let pages = ["/live/", "/live/danmaku/", "/live/charts/", &room, "/live/debug/", "/live/admin/", "/live/nowhere/"];
    for path in pages {
        // Whether the proxy takes the base path off or not.
        for path in [format!("/bili{path}?lang=en"), format!("{path}?lang=en")] {
            let answer = visitor.get(&path).await;
            let policy = answer.headers()["content-security-policy"].to_str().expect("text").to_owned();
            assert!(policy.contains("script-src 'self'") && policy.contains("form-action 'self'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            let page = answer.text().await.expect("text");
            for address in addresses(&page) {
                let inside = ["/bili", "?", "#"].iter().any(|start| address.starts_with(start));
                let known = address.starts_with("https://live.bilibili.com/") || address.starts_with(fake.url());
                assert!(inside || known, "{path} leads to {address:?}");
                if address.starts_with("/bili/static/") {
                    assert_eq!(visitor.get(&address).await.status(), 200, "{address}");
                }
            }
        }
    }
    for (path, expected) in [("/bili/", "/bili/live/"), ("/bili", "/bili/live/"), ("/", "/bili/live/")] {
        let answer = visitor.get(path).await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["location"].as_bytes()),
            (302, expected.as_bytes()),
            "{path}"
        );
    }
    // Nothing that a visitor names becomes the target of a redirect.
    for path in ["//evil.example/", "/live/admin/sign-out?next=https://evil.example", "/live/admin/sync//evil.example"]
    {
        let answer = visitor.get(path).await;
        let target = answer.headers().get("location").map(|value| value.to_str().unwrap_or("?").to_owned());
        assert!(target.is_none_or(|target| target.starts_with("/bili/live/")), "{path}");
    }
    assert_eq!(visitor.get("/bili/live/api/rooms/").await.status(), 200);
}
