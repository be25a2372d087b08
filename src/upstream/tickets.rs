//! Getting a pass: the ticket that is held, or a new one in the name of whoever is to watch the room.
//!
//! One ticket at a time for each identity, at its own pace, so that a refusal is known before the next asks.
//! After a refused signature once more with new keys, after a refused identity once more as a new one; then the
//! identity rests and its rooms go to others.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Mutex as AsyncMutex;

use super::{
    AskError, Bilibili, Pass,
    client::{Failed, Host},
    identity::Who,
    manners::rest,
    pace::Pace,
    pool::VISITOR,
};
use crate::{
    domain::{RoomId, Uid},
    protocol::{Auth, Refusal, StreamTicket, WbiKeys, api},
    supervise::vitals::unix_ms,
};

/// What the web page says where it is, with a signed call.
const WEB_LOCATION: &str = "444.8";
/// An account asks for a ticket no more often than this, whatever a visitor may do.
const ACCOUNT_TICKETS_PER_SECOND: f64 = 1.0;
/// So often a room is passed on to another identity before it has to wait.
const MOVES: usize = 3;

/// Where the tickets of one identity are asked for.
pub(super) struct Desk {
    one_at_a_time: AsyncMutex<()>,
    pace: Pace,
}

/// The desks there are.
pub(super) type Desks = std::sync::Mutex<BTreeMap<Uid, Arc<Desk>>>;

impl Bilibili {
    /// A pass for a room.
    pub(super) async fn pass_for(&self, room: RoomId) -> Result<Pass, AskError> {
        let pool = &self.accounts.pool;
        let mut moves = 0;
        loop {
            let uid = pool.join(room);
            let answer = self.pass_of(room, uid).await;
            if answer.is_err() && pool.watcher(room) != uid && moves < MOVES {
                moves += 1;
                continue;
            }
            return answer.map(|pass| pass.issued_by(self.accounts.clone()));
        }
    }

    async fn pass_of(&self, room: RoomId, uid: Uid) -> Result<Pass, AskError> {
        self.may_ask(uid)?;
        if let Some(pass) = self.accounts.pool.held(room, uid) {
            return Ok(pass);
        }
        let desk = self.desk(uid);
        let _turn = desk.one_at_a_time.lock().await;
        // Whoever stood here before may have been refused.
        self.may_ask(uid)?;
        desk.pace.turn().await;
        self.fetch(room, uid).await
    }

    /// Fails while an identity rests.
    fn may_ask(&self, uid: Uid) -> Result<(), AskError> {
        match self.accounts.pool.resting(uid) {
            Some((pause, what)) => Err(AskError::Throttled { what, pause, everybody: false }),
            None => Ok(()),
        }
    }

    /// A new ticket.
    async fn fetch(&self, room: RoomId, uid: Uid) -> Result<Pass, AskError> {
        let (accounts, mut refused) = (&self.accounts, None);
        let mut again = true;
        loop {
            let asked = async {
                let who = accounts.who(uid).await?;
                let pair = accounts.keys(&who, refused).await?;
                Ok::<_, Failed>((who, pair))
            };
            let (who, pair) = asked.await.map_err(|failed| self.leave_alone(uid, failed.error))?;
            let Failed { refusal, error } = match self.ask_ticket(room, &who, &pair.keys).await {
                Ok(StreamTicket { token, hosts }) => {
                    accounts.pool.succeeded(uid);
                    let auth = Auth { room_id: room, uid: who.uid, buvid: who.buvid3.clone(), token };
                    return Ok(accounts.pool.issue(auth, hosts, &who));
                }
                Err(failed) => failed,
            };
            match refusal {
                Some(Refusal::RiskControl) if again => refused = Some(pair.number),
                Some(Refusal::Identity | Refusal::NotLoggedIn) if again && uid == VISITOR => {
                    accounts.forget_device(uid)
                }
                // Is it still logged in? If not, the room goes to somebody else.
                Some(Refusal::Identity) if again => accounts.look_at(uid).await?,
                Some(Refusal::NotLoggedIn) if uid != VISITOR => {
                    if accounts.believe_logged_out(&who, &error.to_string()) || !again {
                        return Err(error);
                    }
                }
                _ => return Err(self.leave_alone(uid, Failed { refusal, error }.about(room.into()))),
            }
            again = false;
        }
    }

    /// Where one identity is asked for patience, it rests.
    fn leave_alone(&self, uid: Uid, error: AskError) -> AskError {
        let AskError::Throttled { what, pause, everybody: false } = error else { return error };
        let most = rest(Refusal::RiskControl).map_or(pause, |(_, _, most)| most);
        let pause = self.accounts.pool.rest(uid, &what, pause, most);
        AskError::Throttled { what, pause, everybody: false }
    }

    async fn ask_ticket(&self, room: RoomId, who: &Who, keys: &WbiKeys) -> Result<StreamTicket, Failed> {
        let id = room.to_string();
        let params = [("id", id.as_str()), ("type", "0"), ("web_location", WEB_LOCATION)];
        let wts = u64::try_from(unix_ms() / 1000).unwrap_or(0);
        let path = format!("/xlive/web-room/v1/index/getDanmuInfo?{}", keys.sign(&params, wts));
        self.client.ask("getDanmuInfo", Host::Live, &path, who, api::parse_danmu_info).await
    }

    fn desk(&self, uid: Uid) -> Arc<Desk> {
        let per_second = if uid == VISITOR {
            self.tickets_per_second
        } else {
            self.tickets_per_second.min(ACCOUNT_TICKETS_PER_SECOND)
        };
        let mut desks = self.desks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let desk = || Arc::new(Desk { one_at_a_time: AsyncMutex::default(), pace: Pace::new(per_second) });
        desks.entry(uid).or_insert_with(desk).clone()
    }
}
