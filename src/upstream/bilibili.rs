//! The real upstream: Bilibili's HTTP hosts and stream servers, or one rig that stands in for all of them.
//!
//! Asks as the web page asks: one identity, signed where a signature is wanted, and after a refused
//! signature once more with new keys. Details of a room come from several calls; only the first, which
//! finds the long number, must succeed. Every answer is read by `protocol::api`.

use std::{
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use reqwest::{
    Client, StatusCode,
    header::{COOKIE, HeaderMap, HeaderValue, ORIGIN, REFERER},
};
use rustls::{ClientConfig, RootCertStore};
use tokio::{net::TcpStream, sync::Mutex, time::Instant};
use tokio_tungstenite::{
    Connector, client_async_tls_with_config,
    tungstenite::{client::IntoClientRequest, http::header, protocol::WebSocketConfig},
};
use tracing::debug;
use url::Url;

use super::{
    AskError, Connection, Upstream,
    identity::{Identity, USER_AGENT},
};
use crate::{
    domain::{RoomId, RoomInfo, RoomRef, Uid},
    protocol::{ApiError, Auth, Refusal, StreamHost, api},
    supervise::vitals::unix_ms,
};

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const LONGEST_ANSWER: usize = 4 << 20;
/// After risk control: minutes, or it lasts longer.
const RISK_PAUSE: Duration = Duration::from_secs(180);
/// After a block of the address.
const BLOCKED_PAUSE: Duration = Duration::from_secs(600);
/// After "too many".
const TOO_MANY_PAUSE: Duration = Duration::from_secs(30);
/// What the web page says where it is, with a signed call.
const WEB_LOCATION: &str = "444.8";
/// Small buffers: a connection costs 6 KB of memory instead of 133.
const READ_BUFFER: usize = 4 << 10;
/// Real messages stay far below; a bomb does not come in.
const LONGEST_MESSAGE: usize = 1 << 20;

/// Bilibili.
pub struct Bilibili {
    client: Client,
    tls: Arc<ClientConfig>,
    live: String,
    main: String,
    /// The rig speaks plain `ws://`.
    plain: bool,
    identity: Mutex<Identity>,
    /// It asked for patience until then: nothing is asked.
    quiet_until: StdMutex<Option<Instant>>,
}

impl Bilibili {
    /// Bilibili itself, or the rig at `rig`.
    pub fn new(rig: Option<&Url>) -> Result<Bilibili, AskError> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static("https://live.bilibili.com"));
        headers.insert(REFERER, HeaderValue::from_static("https://live.bilibili.com/"));
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            .timeout(PATIENCE)
            .tls_backend_preconfigured(tls.clone())
            .build()
            .map_err(|error| AskError::Unreachable { call: "anything", why: error.to_string() })?;
        let base = rig.map(|url| url.as_str().trim_end_matches('/').to_owned());
        Ok(Bilibili {
            client,
            tls: Arc::new(tls),
            live: base.clone().unwrap_or_else(|| "https://api.live.bilibili.com".into()),
            main: base.unwrap_or_else(|| "https://api.bilibili.com".into()),
            plain: rig.is_some_and(|url| url.scheme() == "http"),
            identity: Mutex::default(),
            quiet_until: StdMutex::default(),
        })
    }

    /// One call; the body of its answer. None is made while Bilibili has asked for patience.
    async fn get(&self, call: &'static str, address: String, cookies: &str) -> Result<Vec<u8>, AskError> {
        let quiet = self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner).map(|until| until - Instant::now());
        if let Some(pause) = quiet.filter(|pause| !pause.is_zero()) {
            return Err(AskError::Throttled { what: "it said so before".into(), pause });
        }
        let answer = self.really_get(call, address, cookies).await;
        if let Err(AskError::Throttled { pause, .. }) = &answer {
            self.be_quiet_for(*pause);
        }
        answer
    }

    fn be_quiet_for(&self, pause: Duration) {
        *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + pause);
    }

    async fn really_get(&self, call: &'static str, address: String, cookies: &str) -> Result<Vec<u8>, AskError> {
        let unreachable = |error: reqwest::Error| AskError::Unreachable { call, why: in_full(error.without_url()) };
        let mut request = self.client.get(address);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies);
        }
        let mut answer = request.send().await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::PRECONDITION_FAILED => {
                return Err(AskError::Throttled { what: "HTTP 412".into(), pause: BLOCKED_PAUSE });
            }
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(AskError::Throttled { what: "HTTP 429".into(), pause: TOO_MANY_PAUSE });
            }
            status if !status.is_success() => {
                return Err(AskError::Unreachable { call, why: format!("it answered HTTP {status}") });
            }
            _ => {}
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err(AskError::Unreachable { call, why: format!("its answer is over {LONGEST_ANSWER} bytes") });
            }
        }
        Ok(body)
    }

    /// One call, and its answer as `parse` reads it. `room` is what a refusal would be about.
    async fn ask<T>(
        &self,
        call: &'static str,
        address: String,
        cookies: &str,
        room: Option<RoomRef>,
        parse: impl FnOnce(&[u8]) -> Result<T, ApiError>,
    ) -> Result<T, AskError> {
        let body = self.get(call, address, cookies).await?;
        parse(&body).map_err(|error| asked(call, error, room))
    }

    /// Fetches device cookies once, and signing keys when there are no fresh ones.
    async fn complete(&self, identity: &mut Identity) -> Result<(), AskError> {
        let main = &self.main;
        if identity.buvid.is_none() {
            let address = format!("{main}/x/frontend/finger/spi");
            identity.buvid = Some(self.ask("spi", address, "", None, api::parse_spi).await?);
        }
        if identity.keys().is_none() {
            let address = format!("{main}/x/web-interface/nav");
            identity.learn_keys(self.ask("nav", address, &identity.cookies(), None, api::parse_nav).await?);
        }
        Ok(())
    }

    /// Finds the long number of a room, and what else is said with it.
    async fn find(&self, room: RoomRef) -> Result<RoomInfo, AskError> {
        let live = &self.live;
        let address = format!("{live}/room/v1/Room/room_init?id={room}");
        let refused = match self.ask("room_init", address, "", Some(room), api::parse_room_init).await {
            Ok((info, None)) => return Ok(info),
            Ok((info, Some(seal))) => return Err(AskError::Unusable { room: info.room_id, why: seal }),
            Err(error) => error,
        };
        // The older call may be gone one day; the other one gives the same and more.
        let AskError::Unreachable { .. } = refused else { return Err(refused) };
        let address = format!("{live}/room/v1/Room/get_info?room_id={room}");
        let body = self.get("get_info", address, "").await.map_err(|_| refused)?;
        api::parse_get_info(&body).map_err(|error| asked("get_info", error, Some(room)))
    }

    /// Title, streamer and the like; what cannot be had stays as it is.
    async fn add_details(&self, info: &mut RoomInfo) {
        let (room, live) = (info.room_id, &self.live);
        let path = format!("/xlive/web-room/v1/index/getRoomBaseInfo?req_biz=web_room_componet&room_ids={room}");
        let address = format!("{live}{path}");
        match self.ask("getRoomBaseInfo", address, "", Some(room.into()), api::parse_room_base_info).await {
            Ok(rooms) => {
                if let Some(found) = rooms.into_iter().find(|found| found.room_id == room) {
                    *info = found;
                }
            }
            Err(error) => debug!(room.id = %room, "room {room}: {error}"),
        }
        let address = format!("{live}/live_user/v1/Master/info?uid={}", info.uid);
        match self.ask("Master/info", address, "", None, api::parse_master_info).await {
            Ok(anchor) => anchor.complete(info),
            Err(error) => debug!(room.id = %room, "room {room}: {error}"),
        }
    }

    /// One try to get a ticket, with the identity as it is now.
    async fn try_ticket(&self, room: RoomId) -> Result<(Auth, Vec<StreamHost>), (Option<Refusal>, AskError)> {
        let (query, cookies, buvid) = {
            let mut identity = self.identity.lock().await;
            self.complete(&mut identity).await.map_err(|error| (None, error))?;
            let id = room.to_string();
            let params = [("id", id.as_str()), ("type", "0"), ("web_location", WEB_LOCATION)];
            let wts = u64::try_from(unix_ms() / 1000).unwrap_or(0);
            let query = identity.keys().map(|keys| keys.sign(&params, wts)).unwrap_or_default();
            (query, identity.cookies(), identity.buvid.as_ref().map(|buvid| buvid.buvid3.clone()).unwrap_or_default())
        };
        let address = format!("{}/xlive/web-room/v1/index/getDanmuInfo?{query}", self.live);
        let body = self.get("getDanmuInfo", address, &cookies).await.map_err(|error| (None, error))?;
        match api::parse_danmu_info(&body) {
            Ok(ticket) => {
                let auth = Auth { room_id: room, uid: Uid(0), buvid, token: ticket.token };
                Ok((auth, ticket.hosts))
            }
            Err(error) => Err((error.refusal(), asked("getDanmuInfo", error, Some(room.into())))),
        }
    }
}

/// An error with its causes; the client's own text says only that something failed.
fn in_full(error: reqwest::Error) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

/// What an answer that is none means for us.
fn asked(call: &'static str, error: ApiError, room: Option<RoomRef>) -> AskError {
    let why = error.to_string();
    let throttled = |pause| AskError::Throttled { what: format!("{call}: {why}"), pause };
    match (error.refusal(), room) {
        (Some(Refusal::RiskControl), _) => throttled(RISK_PAUSE),
        (Some(Refusal::Blocked), _) => throttled(BLOCKED_PAUSE),
        (Some(Refusal::TooMany), _) => throttled(TOO_MANY_PAUSE),
        (Some(Refusal::NoSuchRoom), Some(room)) => AskError::NoSuchRoom(room),
        (Some(Refusal::Other | Refusal::NoSuchRoom), _) => AskError::Refused { call, why },
        (Some(Refusal::Server | Refusal::NotLoggedIn | Refusal::Identity) | None, _) => {
            AskError::Unreachable { call, why }
        }
    }
}

#[async_trait]
impl Upstream for Bilibili {
    async fn resolve(&self, room: RoomRef) -> Result<RoomInfo, AskError> {
        let mut info = self.find(room).await?;
        self.add_details(&mut info).await;
        Ok(info)
    }

    async fn ticket(&self, room: RoomId) -> Result<(Auth, Vec<StreamHost>), AskError> {
        let (refusal, error) = match self.try_ticket(room).await {
            Ok(ticket) => return Ok(ticket),
            Err(refused) => refused,
        };
        match refusal {
            Some(Refusal::RiskControl) => self.identity.lock().await.forget_keys(),
            Some(Refusal::Identity) => *self.identity.lock().await = Identity::default(),
            _ => return Err(error),
        }
        self.try_ticket(room).await.map_err(|(_, error)| {
            if let AskError::Throttled { pause, .. } = &error {
                self.be_quiet_for(*pause);
            }
            error
        })
    }

    async fn dial(&self, host: &StreamHost) -> Result<Box<dyn Connection>, AskError> {
        let unreachable =
            |why: String| AskError::Unreachable { call: "the stream", why: format!("{}: {why}", host.host) };
        let (scheme, port) = if self.plain { ("ws", host.ws_port) } else { ("wss", host.wss_port) };
        let mut request = format!("{scheme}://{}:{port}/sub", host.host)
            .into_client_request()
            .map_err(|error| unreachable(error.to_string()))?;
        request.headers_mut().insert(header::USER_AGENT, header::HeaderValue::from_static(USER_AGENT));
        request.headers_mut().insert(header::ORIGIN, header::HeaderValue::from_static("https://live.bilibili.com"));
        let stream =
            TcpStream::connect((host.host.as_str(), port)).await.map_err(|error| unreachable(error.to_string()))?;
        let _ = stream.set_nodelay(true);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(LONGEST_MESSAGE))
            .max_frame_size(Some(LONGEST_MESSAGE))
            .max_write_buffer_size(64 << 10)
            .write_buffer_size(0);
        let connector = Connector::Rustls(self.tls.clone());
        let (connection, _) = client_async_tls_with_config(request, stream, Some(config), Some(connector))
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        Ok(Box::new(connection))
    }
}
