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

pub mod admin;
pub mod api;
pub mod assets;
pub mod auth;
pub mod debug;
mod desk;
pub mod error;
pub mod i18n;
pub mod pages;
pub mod push;
pub mod socket;
pub mod view;

#[cfg(test)]
mod tests;

use std::{io, net::TcpListener, sync::Arc};

use actix_web::{
    App, HttpServer,
    dev::Server,
    http::header,
    middleware::{Compress, DefaultHeaders},
    web::{self, Data, ServiceConfig, get, post, resource},
};

pub use self::{auth::AdminAuth, desk::Desk, socket::Sessions};
use self::{error::Refusal, view::Views};
use crate::{
    actors::{handles::SyncHandle, ledger::Ledger, ring::Ring, wall::Wall},
    store::{LiveStore, sqlite::{Database, QueryError}},
    supervise::vitals::{Board, unix_ms},
};

/// What the door is given.
pub struct Web {
    /// Adds, removes and steers rooms.
    pub rooms: Arc<dyn Desk>,
    /// Runs a sync now.
    pub sync: SyncHandle,
    /// The history.
    pub database: Database,
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
    /// Who may change something.
    pub auth: Arc<AdminAuth>,
    /// The rest.
    pub options: WebOptions,
}

/// What may be set.
pub struct WebOptions {
    /// The data is simulated; every page says so.
    pub demo: bool,
    /// Scheme, host and port of a configured upstream: pictures may come from there.
    pub upstream_origin: Option<String>,
    /// Live connections in all.
    pub sessions: usize,
    /// Live connections from one address.
    pub sessions_per_address: usize,
    /// When the program started, unix ms.
    pub started_ms: i64,
}

impl Default for WebOptions {
    fn default() -> WebOptions {
        WebOptions {
            demo: false,
            upstream_origin: None,
            sessions: 2000,
            sessions_per_address: 20,
            started_ms: unix_ms(),
        }
    }
}

/// What every handler holds.
pub struct Site {
    web: Web,
    views: Views,
    sessions: Arc<Sessions>,
    memo: Arc<push::RoomsMemo>,
    health: debug::Memo,
}

impl Site {
    /// Reads the templates and makes place for sessions.
    pub fn new(web: Web) -> io::Result<Data<Site>> {
        let views = Views::new(web.options.upstream_origin.as_deref())
            .map_err(|error| io::Error::other(format!("the templates cannot be read: {error:?}")))?;
        let sessions =
            Sessions::new(web.board.clone(), web.options.sessions, web.options.sessions_per_address);
        Ok(Data::new(Site { web, views, sessions, memo: Arc::default(), health: debug::Memo::default() }))
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

/// Starts the door on an open listener. The program stops it by hand: first [`Sessions::say_goodbye`], a moment
/// later [`Sessions::cut_all`], then the server's own graceful stop.
pub fn serve(listener: TcpListener, web: Web, workers: usize) -> io::Result<(Server, Arc<Sessions>)> {
    let site = Site::new(web)?;
    let sessions = site.sessions.clone();
    actix_web::rt::spawn(sessions.clone().reap());
    let headers = site.web.options.upstream_origin.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(Compress::default())
            .wrap(safe_headers(headers.as_deref()))
            .app_data(site.clone())
            .configure(configure)
    })
    .on_connect(socket::on_connect)
    .workers(workers)
    .h1_write_buffer_size(32 * 1024)
    .disable_signals()
    .shutdown_timeout(1)
    .listen(listener)?
    .run();
    Ok((server, sessions))
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

/// Every route.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.app_data(web::PathConfig::default().error_handler(|e, _| Refusal::bad_parameter(e.to_string()).into()))
        .app_data(web::QueryConfig::default().error_handler(|e, _| Refusal::bad_parameter(e.to_string()).into()))
        .app_data(web::FormConfig::default().error_handler(|e, _| Refusal::bad_parameter(e.to_string()).into()))
        .app_data(web::JsonConfig::default().limit(64 * 1024).error_handler(|e, _| {
            Refusal::bad_parameter(e.to_string()).into()
        }));

    cfg.route("/", get().to(pages::root))
        .service(resource(["/live/", "/live", "/live/dashboard/", "/live/dashboard"]).route(get().to(pages::dashboard)))
        .service(resource(both("/live/danmaku/")).route(get().to(pages::danmaku)))
        .service(resource(both("/live/charts/")).route(get().to(pages::charts)))
        .service(resource(both("/live/room/{room}/")).route(get().to(pages::room)))
        .service(resource(both("/live/debug/")).route(get().to(debug::page)));

    cfg.service(resource(both("/live/admin/")).route(get().to(admin::page)))
        .service(resource("/live/admin/sign-in").route(post().to(admin::sign_in)))
        .service(resource("/live/admin/sign-out").route(post().to(admin::sign_out)))
        .service(resource("/live/admin/rooms/preview").route(post().to(admin::preview)))
        .service(resource("/live/admin/rooms/add").route(post().to(admin::add)))
        .service(resource("/live/admin/rooms/{room}/{action}").route(post().to(admin::steer)))
        .service(resource("/live/admin/sync").route(post().to(admin::sync)));

    cfg.service(resource(both("/live/ws/")).route(get().to(socket::websocket)))
        .service(resource("/static/{path:.*}").route(get().to(assets::file)))
        .service(resource("/favicon.ico").route(get().to(assets::favicon)))
        .service(resource(both("/healthz")).route(get().to(debug::healthz)))
        .service(resource(both("/readyz")).route(get().to(debug::readyz)));

    cfg.service(web::scope("/live/api").configure(api::configure)).default_service(web::to(pages::nowhere));
}
