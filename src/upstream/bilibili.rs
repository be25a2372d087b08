//! The real upstream: what is asked of Bilibili when, and how its streams are dialled.
//!
//! Asks as the web page asks: one identity, signed where a signature is wanted, and after a refused
//! signature once more with new keys. Details of a room come from several calls; only the first, which
//! finds the long number, must succeed. Every answer is read by `protocol::api`.

use std::sync::Arc;

use async_trait::async_trait;
use rustls::{ClientConfig, RootCertStore};
use tokio::{net::TcpStream, sync::Mutex};
use tokio_tungstenite::{
    Connector, client_async_tls_with_config,
    tungstenite::{client::IntoClientRequest, http::header, protocol::WebSocketConfig},
};
use tracing::debug;
use url::Url;

use super::{
    AskError, Connection, Upstream,
    client::{Client, Failed, Host},
    identity::{Identity, USER_AGENT, Who},
};
use crate::{
    domain::{RoomId, RoomInfo, RoomRef, Uid},
    protocol::{Auth, Refusal, StreamHost, api},
    supervise::vitals::unix_ms,
};

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
    /// The rig speaks plain `ws://`.
    plain: bool,
    identity: Mutex<Identity>,
}

impl Bilibili {
    /// Bilibili itself, or the rig at `rig`.
    pub fn new(rig: Option<&Url>) -> Result<Bilibili, AskError> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Bilibili {
            client: Client::new(rig, tls.clone())?,
            tls: Arc::new(tls),
            plain: rig.is_some_and(|url| url.scheme() == "http"),
            identity: Mutex::default(),
        })
    }

    /// Fetches device cookies once, and signing keys when there are no fresh ones.
    async fn complete(&self, identity: &mut Identity) -> Result<(), Failed> {
        if identity.buvid.is_none() {
            let path = "/x/frontend/finger/spi";
            identity.buvid = Some(self.client.ask("spi", Host::Main, path, &Who::nobody(), api::parse_spi).await?);
        }
        if identity.keys().is_none() {
            let path = "/x/web-interface/nav";
            let keys = self.client.ask("nav", Host::Main, path, &identity.who(), api::parse_nav).await?;
            identity.learn_keys(keys);
        }
        Ok(())
    }

    /// Finds the long number of a room, and what else is said with it.
    async fn find(&self, room: RoomRef) -> Result<RoomInfo, AskError> {
        let nobody = Who::nobody();
        let path = format!("/room/v1/Room/room_init?id={room}");
        let refused = match self.client.ask("room_init", Host::Live, &path, &nobody, api::parse_room_init).await {
            Ok((info, None)) => return Ok(info),
            Ok((info, Some(seal))) => return Err(AskError::Unusable { room: info.room_id, why: seal }),
            Err(failed) => failed.about(room),
        };
        // The older call may be gone one day; the other one gives the same and more.
        let AskError::Unreachable { .. } = refused else { return Err(refused) };
        let path = format!("/room/v1/Room/get_info?room_id={room}");
        match self.client.ask("get_info", Host::Live, &path, &nobody, api::parse_get_info).await {
            Err(Failed { refusal: None, .. }) => Err(refused),
            answer => answer.map_err(|failed| failed.about(room)),
        }
    }

    /// Title, streamer and the like; what cannot be had stays as it is.
    async fn add_details(&self, info: &mut RoomInfo) {
        let (room, nobody) = (info.room_id, Who::nobody());
        let path = format!("/xlive/web-room/v1/index/getRoomBaseInfo?req_biz=web_room_componet&room_ids={room}");
        match self.client.ask("getRoomBaseInfo", Host::Live, &path, &nobody, api::parse_room_base_info).await {
            Ok(rooms) => {
                if let Some(found) = rooms.into_iter().find(|found| found.room_id == room) {
                    *info = found;
                }
            }
            Err(Failed { error, .. }) => debug!(room.id = %room, "room {room}: {error}"),
        }
        let path = format!("/live_user/v1/Master/info?uid={}", info.uid);
        match self.client.ask("Master/info", Host::Live, &path, &nobody, api::parse_master_info).await {
            Ok(anchor) => anchor.complete(info),
            Err(Failed { error, .. }) => debug!(room.id = %room, "room {room}: {error}"),
        }
    }

    /// One try to get a ticket, with the identity as it is now.
    async fn try_ticket(&self, room: RoomId) -> Result<(Auth, Vec<StreamHost>), Failed> {
        let (query, who, buvid) = {
            let mut identity = self.identity.lock().await;
            // Its refusals are not about the ticket: new keys or cookies would not help.
            self.complete(&mut identity).await.map_err(|failed| failed.error)?;
            let id = room.to_string();
            let params = [("id", id.as_str()), ("type", "0"), ("web_location", WEB_LOCATION)];
            let wts = u64::try_from(unix_ms() / 1000).unwrap_or(0);
            let query = identity.keys().map(|keys| keys.sign(&params, wts)).unwrap_or_default();
            (query, identity.who(), identity.buvid.as_ref().map(|buvid| buvid.buvid3.clone()).unwrap_or_default())
        };
        let path = format!("/xlive/web-room/v1/index/getDanmuInfo?{query}");
        let ticket = self.client.ask("getDanmuInfo", Host::Live, &path, &who, api::parse_danmu_info).await?;
        let auth = Auth { room_id: room, uid: Uid(0), buvid, token: ticket.token };
        Ok((auth, ticket.hosts))
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
        let failed = match self.try_ticket(room).await {
            Ok(ticket) => return Ok(ticket),
            Err(failed) => failed,
        };
        match failed.refusal {
            Some(Refusal::RiskControl) => self.identity.lock().await.forget_keys(),
            Some(Refusal::Identity) => *self.identity.lock().await = Identity::default(),
            _ => return Err(failed.about(room.into())),
        }
        self.try_ticket(room).await.map_err(|failed| {
            if let AskError::Throttled { pause, .. } = &failed.error {
                self.client.be_quiet_for(*pause);
            }
            failed.about(room.into())
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
