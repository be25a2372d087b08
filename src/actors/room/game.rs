//! A session on the Open Live platform ("game"), for as long as a life of the room lasts.
//!
//! Opened, kept alive every 20 s and ended by a task of its own, so that the end is called however the life
//! ends: also when it panics, is ended from outside, or is let go while the session is only being opened. A
//! session that is not ended keeps the room closed to us for a while.
//!
//! Invariant: who drops a [`Game`] has ended it, sooner or later; who awaits [`Game::end`] knows when.
//! A heartbeat that is not answered never delays the end.

use std::{sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Instant, interval_at, timeout},
};
use tracing::{debug, warn};

use crate::{
    domain::RoomId,
    protocol::openlive::{HEARTBEAT_EVERY_S, OpenSession, Pulse},
    upstream::{AskError, OpenLive},
};

/// Ending a session may take this long: the rooms' share of a shutdown.
const END: Duration = Duration::from_millis(1500);

/// A session that is being opened, or is open.
pub struct Game {
    /// Its name, once it is open and if there is anything to keep alive.
    id: Option<String>,
    opened: Option<oneshot::Receiver<Result<OpenSession, AskError>>>,
    closed: watch::Receiver<bool>,
    /// Dropped: end it.
    hold: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Game {
    /// Begins to open a session.
    pub fn begin(platform: Arc<OpenLive>, room: RoomId) -> Game {
        let (hold, held) = oneshot::channel();
        let (tell, opened) = oneshot::channel();
        let (close, closed) = watch::channel(false);
        let task = tokio::spawn(async move {
            let session = platform.start(room).await;
            let game_id = session.as_ref().ok().and_then(|session| session.game_id.clone());
            // Nobody waits any more: then `held` is gone as well, and the session is ended at once.
            let _ = tell.send(session);
            if let Some(game_id) = game_id {
                keep(&platform, room, &game_id, held, close).await;
            }
        });
        Game { id: None, opened: Some(opened), closed, hold, task }
    }

    /// The session, when it is open.
    pub async fn opened(&mut self) -> Result<OpenSession, AskError> {
        let gone = || AskError::Unreachable { call: "app/start", why: "its task is gone".into() };
        let session = self.opened.take().ok_or_else(gone)?.await.map_err(|_| gone())??;
        self.id.clone_from(&session.game_id);
        Ok(session)
    }

    /// Whether this session is meant by `game_id`, as the stream names the one that the platform ended. A
    /// message without a name means the session in whose stream it came.
    pub fn is_meant_by(&self, game_id: &str) -> bool {
        game_id.is_empty() || self.id.as_deref() == Some(game_id)
    }

    /// Returns when the platform has closed the session.
    pub async fn closed(&mut self) {
        if self.closed.wait_for(|closed| *closed).await.is_err() {
            // There is nothing to keep alive, and so nothing that could be closed.
            std::future::pending::<()>().await;
        }
    }

    /// Ends the session, and waits for that, within limits.
    pub async fn end(self) {
        let Game { opened, hold, mut task, .. } = self;
        drop((opened, hold));
        // Later than that it is ended without anybody waiting.
        let _ = timeout(END, &mut task).await;
    }
}

/// Keeps a session alive until it is let go, and ends it.
async fn keep(
    platform: &OpenLive,
    room: RoomId,
    game_id: &str,
    held: oneshot::Receiver<()>,
    close: watch::Sender<bool>,
) {
    let every = Duration::from_secs(HEARTBEAT_EVERY_S);
    let mut beat = interval_at(Instant::now() + every, every);
    let beating = async {
        loop {
            beat.tick().await;
            match platform.heartbeat(game_id).await {
                Ok(Pulse::Alive) => {}
                Ok(Pulse::Closed) => break,
                Err(error) => debug!(room.id = %room, "room {room}: a heartbeat to the platform failed: {error}"),
            }
        }
    };
    select! {
        biased;
        _ = held => {}
        () = beating => {
            close.send_replace(true);
            return;
        }
    }
    if let Err(error) = platform.end(game_id).await {
        warn!(room.id = %room, %error, "room {room}: its session on the platform is not ended: {error}");
    }
}
