//! The Open Live platform: its three calls, and dialling the stream it names.
//!
//! A host and a client of its own, because nothing of the web's identity belongs here: a call is signed with
//! the app's key and carries neither cookie nor browser. Not here: how calls are signed and answers read
//! (`protocol::openlive`), and when to send them (`actors::room`).

use std::{collections::BTreeMap, time::Duration};

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use rustls::ClientConfig;
use tokio_tungstenite::{
    Connector, connect_async_tls_with_config,
    tungstenite::{client::IntoClientRequest, http::header},
};
use url::Url;

use super::{AskError, Connection, bilibili::stream_config};
use crate::{
    domain::RoomId,
    protocol::{
        ApiError,
        openlive::{self, AppKey, OpenSession, Pulse},
    },
    supervise::vitals::unix_ms,
};

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who we say we are.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// What a streamer's identity code opens, for an app that the platform knows.
#[derive(Clone)]
pub struct OpenLiveApp {
    /// The app's number.
    pub app_id: u64,
    /// Its key.
    pub key: AppKey,
    /// Identity codes by room. Secret: this type is never printed.
    pub codes: BTreeMap<RoomId, String>,
}

/// The way to the platform.
pub struct OpenLive {
    app: OpenLiveApp,
    http: reqwest::Client,
    tls: std::sync::Arc<ClientConfig>,
    base: String,
}

impl OpenLive {
    /// To the platform itself, or to the rig at `rig`, over TLS as `tls` says.
    pub fn new(app: OpenLiveApp, rig: Option<&Url>, tls: ClientConfig) -> Result<OpenLive, AskError> {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .timeout(PATIENCE)
            .tls_backend_preconfigured(tls.clone())
            .build()
            .map_err(|error| AskError::Unreachable { call: "anything", why: error.to_string() })?;
        let base = rig.map_or("https://live-open.biliapi.com", Url::as_str).trim_end_matches('/').to_owned();
        Ok(OpenLive { app, http, tls: tls.into(), base })
    }

    /// Whether there is an identity code for the room.
    pub fn opens(&self, room: RoomId) -> bool {
        self.app.codes.contains_key(&room)
    }

    /// Opens a session for the room. It must be kept alive, and ended.
    pub async fn start(&self, room: RoomId) -> Result<OpenSession, AskError> {
        let code = self.app.codes.get(&room).map_or("", String::as_str);
        let body = openlive::start_body(code, self.app.app_id);
        self.post("app/start", "/v2/app/start", body, openlive::parse_start).await
    }

    /// Keeps a session alive.
    pub async fn heartbeat(&self, game_id: &str) -> Result<Pulse, AskError> {
        let body = openlive::heartbeat_body(game_id);
        self.post("app/heartbeat", "/v2/app/heartbeat", body, openlive::parse_heartbeat).await
    }

    /// Ends a session; one that is closed already is ended.
    pub async fn end(&self, game_id: &str) -> Result<(), AskError> {
        let body = openlive::end_body(self.app.app_id, game_id);
        self.post("app/end", "/v2/app/end", body, openlive::parse_end).await
    }

    /// Opens a connection to one of a session's links.
    pub async fn dial(&self, link: &str) -> Result<Box<dyn Connection>, AskError> {
        let unreachable = |why: String| AskError::Unreachable { call: "the platform's stream", why };
        let mut request = link.into_client_request().map_err(|error| unreachable(error.to_string()))?;
        request.headers_mut().insert(header::USER_AGENT, header::HeaderValue::from_static(USER_AGENT));
        let connector = Connector::Rustls(self.tls.clone());
        let dialling = connect_async_tls_with_config(request, Some(stream_config()), true, Some(connector));
        let (connection, _) = dialling.await.map_err(|error| unreachable(error.to_string()))?;
        Ok(Box::new(connection))
    }

    async fn post<T>(
        &self,
        call: &'static str,
        path: &str,
        body: String,
        parse: fn(&[u8]) -> Result<T, ApiError>,
    ) -> Result<T, AskError> {
        let unreachable = |error: reqwest::Error| AskError::Unreachable { call, why: error.without_url().to_string() };
        let nonce = format!("{:032x}", rand::random::<u128>());
        let unix_s = u64::try_from(unix_ms() / 1000).unwrap_or(0);
        let mut request = self.http.post(format!("{}{path}", self.base));
        for (name, value) in self.app.key.sign(body.as_bytes(), &nonce, unix_s) {
            request = request.header(name, value);
        }
        let request = request.header(CONTENT_TYPE, "application/json").header(ACCEPT, "application/json").body(body);
        let answer = request.send().await.map_err(unreachable)?;
        let body = answer.bytes().await.map_err(unreachable)?;
        parse(&body).map_err(|error| match error {
            ApiError::Refused(_) => AskError::Refused { call, why: error.to_string() },
            _ => AskError::Unreachable { call, why: error.to_string() },
        })
    }
}
