//! The door for browsers and programs: every route, and what a page or a call may hold.
//!
//! Pages are complete as the server draws them and kept alive by push; nothing polls. Reading needs no
//! sign-in, every write does ([`auth`]). This folder holds no actor's address: it knows rooms through
//! [`Desk`], figures through the wall, the ring, the board and the ledger, and history through queries.
//!
//! ```text
//! pages, admin, debug   HTML          api/*    JSON, in the contract's envelope
//! socket, push          what is live  assets   files, from inside the program
//! ```

mod accounts;
pub mod admin;
mod admin_keys;
pub mod api;
pub mod assets;
pub mod audience;
pub mod auth;
mod broadcasts;
mod charts;
mod cloud;
mod dashboard;
pub mod debug;
mod desk;
mod diagnostics;
mod entry;
pub mod error;
pub mod filter;
mod fresh;
mod health;
pub mod i18n;
mod kept;
pub mod keys;
mod machine;
mod methodology;
mod metrics;
mod overlay;
mod pace;
pub mod pages;
pub mod push;
mod room;
mod room_list;
pub mod shared;
mod side_by_side;
pub mod socket;
mod standing;
mod storage;
mod today;
mod tries;
mod usual;
mod verdict;
pub mod view;
pub mod visitor;
mod week;

#[cfg(test)]
mod books_tests;
#[cfg(test)]
mod diagnostics_tests;
#[cfg(test)]
mod socket_tests;
#[cfg(test)]
mod storage_tests;
#[cfg(test)]
mod tests;

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use actix_web::{
    App, HttpRequest, HttpServer, Resource, Route,
    dev::ServerHandle,
    guard,
    http::header,
    middleware::{Compress, DefaultHeaders, from_fn},
    web::{self, Data, ServiceConfig, post, resource},
};

use ipnet::IpNet;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use url::Url;

use self::{audience::Audience, error::Refusal, pace::Pace, shared::Shared, view::Views};
pub use self::{auth::AdminAuth, desk::Desk, socket::Sessions};
use crate::{
    actors::{ledger::Ledger, report::Reports, ring::Ring, sync_request::SyncHandle, wall::Wall},
    store::{
        LiveStore,
        housekeeper::Housekeeper,
        sqlite::{Database, QueryError},
    },
    supervise::{board::Board, vitals::unix_ms},
    upstream::{accounts::Accounts, gate::Gate},
};

/// What the door is given.
pub struct Web {
    /// Adds, removes and steers rooms.
    pub rooms: Arc<dyn Desk>,
    /// Bilibili accounts.
    pub accounts: Arc<Accounts>,
    /// The limit on new connections.
    pub gate: Arc<Gate>,
    /// Runs a sync now.
    pub sync: SyncHandle,
    /// The history.
    pub database: Database,
    /// Keeps the history in order.
    pub housekeeper: Arc<Housekeeper>,
    /// The live store, for its status.
    pub live: Arc<dyn LiveStore>,
    /// The rooms as they are.
    pub wall: Arc<Wall>,
    /// What goes to live connections.
    pub ring: Arc<Ring>,
    /// Vitals of all actors.
    pub board: Arc<Board>,
    /// Where every event went.
    pub ledger: Arc<Ledger>,
    /// What processes of other roles say of themselves.
    pub reports: Arc<Reports>,
    /// Who may change something.
    pub auth: Arc<AdminAuth>,
    /// The rest.
    pub options: WebOptions,
}

/// What may be set.
#[derive(Clone, Debug, Default)]
pub struct WebOptions {
    /// The data is simulated; every page says so.
    pub demo: bool,
    /// Visitors who are not signed in see neither money nor viewers.
    pub public: bool,
    /// A configured upstream: pictures may come from there, even without TLS.
    pub upstream_origin: Option<Url>,
    /// The path below which a reverse proxy shows the site, such as `/bili`; empty for none.
    pub base_path: String,
    /// Proxies that are believed about who asks.
    pub trusted_proxies: Vec<IpNet>,
    /// The settings of this run by name, without secrets.
    pub settings: Vec<(&'static str, String)>,
}

impl WebOptions {
    fn pictures_from(&self) -> Option<String> {
        self.upstream_origin.as_ref().map(|url| url.origin().ascii_serialization()).filter(|origin| origin != "null")
    }
}

/// Live connections in all, and from one address.
const SESSIONS: usize = 2000;
const SESSIONS_PER_ADDRESS: usize = 20;
/// The longest body that is read, bytes.
const BODY_MAX: usize = 64 * 1024;
/// Copies of the history that are made at a time: each keeps a thread and a reader busy.
const COPIES: usize = 3;
/// Threads that answer; waiting is done elsewhere.
const WORKERS: usize = 2;

/// What every handler holds.
pub struct Site {
    web: Web,
    views: Views,
    sessions: Arc<Sessions>,
    pace: Pace,
    /// Places for copies of the history that are being made.
    copies: Arc<Semaphore>,
    /// What is pushed, as text, to those who see everything and to the public.
    shared: [Arc<Shared>; 2],
    health: health::Memo,
    today: today::Memo,
    counted: Arc<broadcasts::Counted>,
    charts: charts::Memo,
    disk: Arc<machine::DiskWatch>,
    started_ms: i64,
}

impl Site {
    /// Reads the templates, and makes place for sessions.
    pub fn new(web: Web) -> io::Result<Data<Site>> {
        let views = Views::new(web.options.pictures_from().as_deref(), &web.options.base_path)
            .map_err(|error| io::Error::other(format!("the templates cannot be read: {error:?}")))?;
        let sessions = Sessions::new(web.board.clone(), SESSIONS, SESSIONS_PER_ADDRESS);
        let shared =
            [Audience::Everything, Audience::Public].map(|audience| Arc::new(Shared::new(audience, web.wall.clone())));
        let (health, today, charts) = (health::Memo::default(), today::Memo::default(), charts::Memo::default());
        let disk = machine::DiskWatch::new(web.database.clone());
        Ok(Data::new(Site {
            web,
            views,
            sessions,
            pace: Pace::default(),
            copies: Arc::new(Semaphore::new(COPIES)),
            shared,
            health,
            today,
            counted: Arc::default(),
            charts,
            disk,
            started_ms: unix_ms(),
        }))
    }

    /// What the push of this visitor shows.
    fn shared_for(&self, request: &HttpRequest) -> Arc<Shared> {
        match Audience::of(request, self) {
            Audience::Everything => self.shared[0].clone(),
            Audience::Public => self.shared[1].clone(),
        }
    }

    /// A reading of the program's health, at most a second old.
    async fn health_json(&self) -> Arc<str> {
        self.health.json(self).await
    }

    /// Asks the history, where it may block. `what` is for the log and for the person who asked.
    async fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        question: impl FnOnce(&Database) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.web.database.run(question).await.map_err(|error| Refusal::inside(what, error))
    }
}

/// The open door.
pub struct Server {
    handle: ServerHandle,
    sessions: Arc<Sessions>,
    site: Data<Site>,
}

/// Tells how the program is, in the words of the health page.
#[derive(Clone)]
pub struct HealthSource(Data<Site>);

impl HealthSource {
    /// A reading that is at most a second old, as JSON.
    pub async fn json(&self) -> Arc<str> {
        self.0.health_json().await
    }
}

/// Opens the door on a listener. Signals are the program's own business.
pub fn serve(listener: TcpListener, web: Web) -> io::Result<Server> {
    let site = Site::new(web)?;
    let sessions = site.sessions.clone();
    let (disk, kept) = (site.disk.clone(), site.clone());
    let pictures_from = site.web.options.pictures_from();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(entry::enter))
            .wrap(Compress::default())
            .wrap(safe_headers(pictures_from.as_deref()))
            .app_data(site.clone())
            .app_data(push::Bell::hang(&site.web.ring))
            .configure(configure)
    })
    .on_connect(socket::on_connect)
    .workers(WORKERS)
    .h1_write_buffer_size(32 * 1024)
    .disable_signals()
    .shutdown_timeout(1)
    .listen(listener)?
    .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    actix_web::rt::spawn(sessions.clone().reap());
    actix_web::rt::spawn(disk.watch());
    Ok(Server { handle, sessions, site: kept })
}

impl Server {
    /// For whoever shows the health elsewhere than on a page.
    pub fn health_source(&self) -> HealthSource {
        HealthSource(self.site.clone())
    }

    /// `/readyz` says no from now on and new live connections are refused; those that are there read on.
    pub fn refuse_new(&self) {
        self.sessions.refuse_new();
    }

    /// Says goodbye to live connections, cuts those that do not take it, and ends by `deadline`.
    pub async fn stop(&self, deadline: Instant) {
        self.sessions.say_goodbye(&self.site.web.ring);
        let now = Instant::now();
        let patience = deadline.saturating_duration_since(now) / 2;
        while self.sessions.count() > 0 && now.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.sessions.cut_all();
        if timeout_at(deadline, self.handle.stop(true)).await.is_err() {
            self.handle.stop(false).await;
        }
    }
}

/// What browsers are told to forbid: no script or style but our files, no framing, no guessing of types.
pub fn safe_headers(upstream_origin: Option<&str>) -> DefaultHeaders {
    let pictures = upstream_origin.unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https: {pictures}; \
         connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, policy))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add((header::REFERRER_POLICY, "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Permissions-Policy", "camera=(), microphone=(), geolocation=()"))
}

/// With and without the last slash.
fn both(path: &str) -> [String; 2] {
    let path = path.trim_end_matches('/');
    [format!("{path}/"), path.to_owned()]
}

/// A route for reading: HEAD is answered as GET is, the server leaves the body out.
fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// Where a form is sent; whoever loads that address again comes back to the page.
fn form(path: &str, route: Route) -> Resource {
    resource(path).route(route).route(get().to(admin::back))
}

/// How forms of at most so many bytes are read.
fn form_of(limit: usize) -> web::FormConfig {
    web::FormConfig::default().limit(limit).error_handler(Refusal::of_form)
}

/// Every route.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.app_data(web::PathConfig::default().error_handler(Refusal::of_path))
        .app_data(web::QueryConfig::default().error_handler(Refusal::of_query))
        .app_data(form_of(BODY_MAX))
        .app_data(web::JsonConfig::default().limit(BODY_MAX).error_handler(Refusal::of_json));

    cfg.route("/", get().to(pages::root))
        .service(resource(["/live/", "/live", "/live/dashboard/", "/live/dashboard"]).route(get().to(dashboard::page)))
        .service(resource(both("/live/danmaku/")).route(get().to(pages::danmaku)))
        .service(resource(both("/live/charts/")).route(get().to(charts::page)))
        .service(resource(both("/live/overlay/{room}/")).route(get().to(overlay::page)))
        .service(resource(both("/live/room/{room}/")).route(get().to(room::page)))
        .service(resource(both("/live/methodology/")).route(get().to(methodology::page)))
        .service(resource(both("/live/debug/")).route(get().to(debug::page)));

    cfg.service(resource(both("/live/admin/")).route(get().to(admin::page)))
        .service(form("/live/admin/sign-in", post().to(admin::sign_in)))
        .service(form("/live/admin/sign-out", post().to(admin::sign_out)))
        .service(form("/live/admin/rooms/preview", post().to(admin::preview)))
        .service(form("/live/admin/rooms/add", post().to(admin::add)))
        .service(form("/live/admin/rooms/bulk", post().to(room_list::by_form)).app_data(form_of(room_list::LIST_MAX)))
        .service(form("/live/admin/keys/add", post().to(admin_keys::add)))
        .service(form("/live/admin/keys/{key}/remove", post().to(admin_keys::remove)))
        .service(resource("/live/share/{secret}").route(get().to(admin::share)))
        .service(form("/live/admin/rooms/{room}/{action}", post().to(admin::steer)))
        .service(form("/live/admin/accounts/login", post().to(accounts::begin_form)))
        .service(form("/live/admin/accounts/{uid}/remove", post().to(accounts::remove_form)))
        .service(form("/live/admin/priority/{room}", post().to(accounts::priority_form)))
        .service(form("/live/admin/sync", post().to(admin::sync)))
        .service(form("/live/admin/diagnostics", post().to(diagnostics::by_form)))
        .service(form("/live/admin/cleanup", post().to(storage::cleanup_form)));

    cfg.service(resource(both("/live/ws/")).route(web::get().to(socket::websocket)))
        .service(resource(both("/live/api/")).route(get().to(api::reference::page)))
        .service(resource("/static/{path:.*}").route(get().to(assets::file)))
        .service(resource("/favicon.ico").route(get().to(assets::favicon)))
        .service(resource(both("/healthz")).route(get().to(debug::healthz)))
        .service(resource(both("/readyz")).route(get().to(debug::readyz)))
        .service(resource(both("/metrics")).route(get().to(metrics::metrics)));

    cfg.service(web::scope("/live/api").configure(api::configure)).default_service(web::to(pages::nowhere));
}
