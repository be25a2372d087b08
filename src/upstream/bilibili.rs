//! The real upstream: what is asked of Bilibili when, and how its streams are dialled.
//!
//! Details of a room come from several calls; only the first, which finds the long number, must succeed, and the others
//! are made for many rooms at once (`together`). Every answer is read by `protocol::api`. Not here: in whose name a room is watched (`accounts`, `pool`), and how its
//! ticket is got (`tickets`).

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use rustls::{ClientConfig, pki_types::TrustAnchor};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    Connector, WebSocketStream, client_async_tls_with_config, client_async_with_config,
    tungstenite::{
        Error,
        client::IntoClientRequest,
        http::header,
        protocol::{Role, WebSocketConfig},
    },
};
use tracing::debug;
use url::Url;

use super::{
    AskError, Connection, Pass, Upstream,
    accounts::Accounts,
    client::{Client, Failed, Host},
    identity::Who,
    sipped::Sipped,
    tickets::Desks,
    tls,
    together::Together,
};
use crate::{
    domain::{Event, RoomId, RoomInfo, RoomRef, Uid},
    protocol::{Anchor, StreamHost, api},
};

/// A small buffer: most rooms are quiet, and tungstenite's own 128 KiB would be nearly all that a room holds. What is
/// longer is read in pieces of this size, which cost no call of the system: rustls holds what it has decrypted, and
/// [`Sipped`] what it has read.
const READ_BUFFER: usize = 256;
/// Real messages stay far below; a bomb does not come in.
const LONGEST_MESSAGE: usize = 1 << 20;

/// How a stream's connection is set up.
pub(super) fn stream_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE))
        .max_write_buffer_size(64 << 10)
        .write_buffer_size(0)
}

/// A connection that has just been opened, without the 4 KiB in which tungstenite read the server's handshake and which
/// it would keep. Nothing else was read with that: the server does not speak before it was told who we are.
async fn slim<S>(socket: S, config: WebSocketConfig) -> Box<dyn Connection>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::new(WebSocketStream::from_raw_socket(socket, Role::Client, Some(config)).await)
}

/// Bilibili.
pub struct Bilibili {
    pub(super) client: Arc<Client>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) tickets_per_second: f64,
    pub(super) desks: Desks,
    details: Together,
    tls: Arc<ClientConfig>,
    /// The rig speaks plain `ws://`.
    plain: bool,
}

/// How we behave, and where what we are is kept.
#[derive(Clone, Debug)]
pub struct Manners {
    /// The folder of the accounts; it must be there.
    pub folder: PathBuf,
    /// Calls in all, at most.
    pub calls_per_second: f64,
    /// Stream tickets for one visitor, at most.
    pub tickets_per_second: f64,
    /// Rooms for each account.
    pub rooms_per_account: usize,
    /// Authorities that are trusted beside the built-in ones.
    pub extra_roots: Vec<TrustAnchor<'static>>,
}

impl Bilibili {
    /// Bilibili itself, or the rig at `rig`.
    pub fn new(rig: Option<&Url>, manners: &Manners) -> Result<Bilibili, AskError> {
        let tls = tls::client_config(&manners.extra_roots);
        let client = Arc::new(Client::new(rig, tls.clone(), manners.calls_per_second)?);
        Ok(Bilibili {
            accounts: Accounts::open(client.clone(), &manners.folder, manners.rooms_per_account)?,
            client,
            tickets_per_second: manners.tickets_per_second,
            desks: Desks::default(),
            details: Together::default(),
            tls: Arc::new(tls),
            plain: rig.is_some_and(|url| url.scheme() == "http"),
        })
    }

    /// The accounts that watch, and how they do.
    pub fn accounts(&self) -> Arc<Accounts> {
        self.accounts.clone()
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

    /// Title, streamer and the like: two calls for many rooms, of which the first knows the followers and the second the
    /// pictures. None if the first failed; what the second would say stays unknown.
    async fn details(&self, rooms: Vec<RoomId>) -> Option<Vec<RoomInfo>> {
        let (path, nobody) = (api::room_base_info_path(&rooms), Who::nobody());
        let asked = self.client.ask("getRoomBaseInfo", Host::Live, &path, &nobody, api::parse_room_base_info);
        let told = |Failed { error, .. }| debug!("details of {} rooms: {error}", rooms.len());
        let mut infos = asked.await.map_err(told).ok()?;
        let uids: Vec<Uid> = infos.iter().map(|info| info.uid).filter(|uid| uid.0 != 0).collect();
        let pictures = match uids.as_slice() {
            [] => Vec::new(),
            uids => self.ask_statuses(uids).await.unwrap_or_default(),
        };
        for info in &mut infos {
            if let Some(found) = pictures.iter().find(|found| found.room_id == info.room_id) {
                info.face.clone_from(&found.face);
            }
        }
        Some(infos)
    }
}

#[async_trait]
impl Upstream for Bilibili {
    async fn resolve(&self, room: RoomRef) -> Result<RoomInfo, AskError> {
        let info = self.find(room).await?;
        // What cannot be had stays as it is.
        Ok(self.details.ask(info.room_id, |rooms| self.details(rooms)).await.unwrap_or(info))
    }

    async fn pass(&self, room: RoomId) -> Result<Pass, AskError> {
        self.pass_for(room).await
    }

    fn set_priority(&self, room: RoomId, priority: i64) {
        self.accounts.set_priority(room, priority);
    }

    async fn dial(&self, pass: &Pass, host: &StreamHost) -> Result<Box<dyn Connection>, AskError> {
        let unreachable =
            |why: String| AskError::Unreachable { call: "the stream", why: format!("{}: {why}", host.host) };
        let (scheme, port) = if self.plain { ("ws", host.ws_port) } else { ("wss", host.wss_port) };
        let mut request = format!("{scheme}://{}:{port}/sub", host.host)
            .into_client_request()
            .map_err(|error| unreachable(error.to_string()))?;
        let user_agent =
            pass.ticket.user_agent.parse().map_err(|_| unreachable("its User-Agent is no header".into()))?;
        request.headers_mut().insert(header::USER_AGENT, user_agent);
        request.headers_mut().insert(header::ORIGIN, header::HeaderValue::from_static("https://live.bilibili.com"));
        let stream =
            TcpStream::connect((host.host.as_str(), port)).await.map_err(|error| unreachable(error.to_string()))?;
        let _ = stream.set_nodelay(true);
        let config = stream_config();
        let unreachable = |error: Error| unreachable(error.to_string());
        if self.plain {
            // Without the place that TLS would need in every connection.
            let (connection, _) = client_async_with_config(request, stream, Some(config)).await.map_err(unreachable)?;
            return Ok(slim(Sipped::new(connection.into_inner()), config).await);
        }
        let connector = Connector::Rustls(self.tls.clone());
        let (connection, _) =
            client_async_tls_with_config(request, stream, Some(config), Some(connector)).await.map_err(unreachable)?;
        Ok(slim(connection.into_inner(), config).await)
    }

    async fn statuses(&self, uids: &[Uid]) -> Result<Vec<RoomInfo>, AskError> {
        self.ask_statuses(uids).await
    }

    async fn anchor(&self, uid: Uid) -> Result<Anchor, AskError> {
        self.ask_anchor(uid).await
    }

    async fn super_chats(&self, room: RoomId) -> Result<Vec<Event>, AskError> {
        self.ask_super_chats(room).await
    }

    async fn last_lines(&self, room: RoomId) -> Result<Vec<Event>, AskError> {
        self.ask_last_lines(room).await
    }
}
