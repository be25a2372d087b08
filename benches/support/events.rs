//! Chat events as the decoder makes them, none like another.

use std::{sync::Arc, time::Duration};

use bilibili_live_monitor::{
    domain::{Event, RoomId, Uid},
    protocol::{Auth, Intake, Operation, Session, encode},
};

use super::messages::{self, A_PACKET};

/// A session that has been let in.
pub fn session(room: RoomId) -> Session {
    let auth = Auth { room_id: room, uid: Uid(0), buvid: String::new(), token: String::new() };
    let mut session = Session::open(&auth, Duration::ZERO).0;
    session.receive(&encode(Operation::AuthReply, 1, b"{\"code\":0}"), Duration::ZERO, 0, &mut Intake::default());
    session
}

/// The chat lines number `from` and on of a few busy rooms.
pub fn events(from: u64, count: usize, rooms: u64, now_ms: i64) -> Vec<Arc<Event>> {
    let mut sessions: Vec<Session> = (1..=rooms).map(|room| session(RoomId(room))).collect();
    let mut intake = Intake::default();
    for packet in 0..count.div_ceil(A_PACKET) as u64 {
        let first = from + packet * A_PACKET as u64;
        let lines: Vec<String> =
            (first..first + A_PACKET as u64).map(|n| messages::danmaku(n, now_ms + n as i64)).collect();
        let session = &mut sessions[(packet % rooms) as usize];
        session.receive(&messages::frame(&lines, 0), Duration::ZERO, now_ms, &mut intake);
    }
    intake.events.into_iter().take(count).map(Arc::new).collect()
}
