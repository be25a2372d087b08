//! Public reads beside those a connection needs: who is on air, how many follow, what lists still show.
//!
//! None of them is signed and none needs an account, but for the last chat lines, which an anonymous
//! visitor is not given. Their pace is that of whoever asks (`actors::status`, `actors::room`) and of the
//! one client.

use super::{AskError, bilibili::Bilibili, client::Host, identity::Who};
use crate::{
    domain::{Event, RoomId, RoomInfo, Uid},
    protocol::{Anchor, Arrival, api},
    supervise::vitals::unix_ms,
};

impl Bilibili {
    /// The rooms of these streamers; see [`super::Upstream::statuses`].
    pub(super) async fn ask_statuses(&self, uids: &[Uid]) -> Result<Vec<RoomInfo>, AskError> {
        let (call, path) = ("get_status_info_by_uids", api::status_by_uids_path(uids));
        Ok(self.client.ask(call, Host::Live, &path, &Who::nobody(), api::parse_status_by_uids).await?)
    }

    /// One streamer; see [`super::Upstream::anchor`].
    pub(super) async fn ask_anchor(&self, uid: Uid) -> Result<Anchor, AskError> {
        let path = format!("/live_user/v1/Master/info?uid={uid}");
        Ok(self.client.ask("Master/info", Host::Live, &path, &Who::nobody(), api::parse_master_info).await?)
    }

    /// Super chats on display; see [`super::Upstream::super_chats`].
    pub(super) async fn ask_super_chats(&self, room: RoomId) -> Result<Vec<Event>, AskError> {
        let arrival = Arrival { room_id: room, received_ms: unix_ms() };
        let path = format!("/av/v1/SuperChat/getMessageList?room_id={room}");
        let parse = |body: &[u8]| api::parse_super_chats(body, arrival);
        Ok(self.client.ask("SuperChat/getMessageList", Host::Live, &path, &Who::nobody(), parse).await?)
    }

    /// The last chat lines; see [`super::Upstream::last_lines`].
    pub(super) async fn ask_last_lines(&self, room: RoomId) -> Result<Vec<Event>, AskError> {
        let arrival = Arrival { room_id: room, received_ms: unix_ms() };
        let who = self.accounts.watcher(room).await?;
        let path = format!("/xlive/web-room/v1/dM/gethistory?roomid={room}");
        let parse = |body: &[u8]| api::parse_chat_history(body, arrival);
        Ok(self.client.ask("dM/gethistory", Host::Live, &path, &who, parse).await?)
    }
}
