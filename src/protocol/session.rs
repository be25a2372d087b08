//! The client's side of one connection, from the auth packet to its end.
//!
//! A state machine: frames and time go in; events, packets to send and the next deadline come out. Not
//! here: sockets, reconnecting, merging guard purchases (`guards` outlives a connection).
//!
//! Invariants: a frame of garbage is counted and kills nothing; what one frame can make us keep is
//! bounded, whatever is in it; and a connection that has ended stays ended for the same reason.

use std::{fmt, time::Duration};

use serde::Deserialize;
use serde_json::json;

use super::{
    arrival::Arrival,
    command::{Malformed, decode},
    inflate::{Inflater, Packing},
    intake::{FrameIntake, Intake},
    lenient::{Int, Object},
    packet::{Operation, Packet, encode, packets},
};
use crate::domain::{RoomId, Uid};

/// What we show to be let in. The token belongs to exactly this user, and is in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Auth {
    /// The long number: for a short one the stream stays silent.
    pub room_id: RoomId,
    /// Who fetched the token; 0 when anonymous.
    pub uid: Uid,
    /// The cookie `buvid3`.
    pub buvid: String,
    /// From `getDanmuInfo`.
    pub token: String,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("room_id", &self.room_id).field("uid", &self.uid).finish_non_exhaustive()
    }
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    room_id: RoomId,
    phase: Phase,
    last_heard: Duration,
    inflater: Inflater,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not yet let in.
    Asking { until: Duration },
    /// Let in.
    Live { next_heartbeat: Duration, answer_by: Option<Duration> },
    /// Over.
    Dead(Dead),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this packet, then ask again.
    Send(Vec<u8>),
    /// Ask again at this time, or after the next frame.
    Wait(Duration),
    /// Close the connection.
    Dead(Dead),
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dead {
    /// The server refused us; the token is worth nothing any more.
    #[error("the server refused us with code {code}")]
    AuthRefused {
        /// The server's reason.
        code: i64,
    },
    /// The server did not say whether we are let in.
    #[error("no answer to authentication in {} s", AUTH_LIMIT.as_secs())]
    AuthTimeout,
    /// The server did not answer a heartbeat.
    #[error("a heartbeat was not answered in {} s", HEARTBEAT_LIMIT.as_secs())]
    HeartbeatUnanswered,
    /// Nothing at all came.
    #[error("nothing came for {} s", SILENCE_LIMIT.as_secs())]
    Silent,
}

/// How long the server may take to let us in.
pub const AUTH_LIMIT: Duration = Duration::from_secs(10);
/// How often we say that we are still here. The server cuts after 60 to 70 s without.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(30);
/// How long it may take to answer that.
pub const HEARTBEAT_LIMIT: Duration = Duration::from_secs(5);
/// After two heartbeats and a bit without a single byte nothing will come any more.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(70);
/// Packed packets lie one deep; one more is tolerated.
const MAX_DEPTH: u32 = 2;
impl Session {
    /// A new connection, and the packet that must be its first.
    pub fn open(auth: &Auth, now: Duration) -> (Session, Vec<u8>) {
        let body = json!({
            "uid": auth.uid.0, "roomid": auth.room_id.0, "protover": 3, "platform": "web", "type": 2,
            "buvid": auth.buvid, "key": auth.token,
        });
        Session::open_verbatim(auth.room_id, &body.to_string(), now)
    }

    /// The same where somebody else, such as the Open Live platform, has written the packet's body.
    pub fn open_verbatim(room_id: RoomId, auth_body: &str, now: Duration) -> (Session, Vec<u8>) {
        let session = Session {
            room_id,
            phase: Phase::Asking { until: now + AUTH_LIMIT },
            last_heard: now,
            inflater: Inflater::default(),
        };
        (session, encode(Operation::Auth, 1, auth_body.as_bytes()))
    }

    /// Takes one WebSocket frame in.
    pub fn receive(&mut self, frame: &[u8], now: Duration, received_ms: i64, out: &mut Intake) {
        self.last_heard = now;
        self.inflater.begin_frame();
        let mut frame_intake = FrameIntake::of(out);
        let arrival = Arrival { room_id: self.room_id, received_ms };
        self.walk(frame, 0, now, arrival, &mut frame_intake);
    }

    /// What to do at this time.
    pub fn tick(&mut self, now: Duration) -> Step {
        let silent_at = self.last_heard + SILENCE_LIMIT;
        match self.phase {
            Phase::Dead(dead) => Step::Dead(dead),
            Phase::Asking { until } if now >= until => self.die(Dead::AuthTimeout),
            Phase::Asking { until } => Step::Wait(until),
            Phase::Live { .. } if now >= silent_at => self.die(Dead::Silent),
            Phase::Live { answer_by: Some(limit), .. } if now >= limit => self.die(Dead::HeartbeatUnanswered),
            Phase::Live { next_heartbeat, answer_by: None } if now >= next_heartbeat => {
                self.phase =
                    Phase::Live { next_heartbeat: now + HEARTBEAT_EVERY, answer_by: Some(now + HEARTBEAT_LIMIT) };
                // An empty body: the server would echo any other behind its answer.
                Step::Send(encode(Operation::Heartbeat, 1, b""))
            }
            Phase::Live { next_heartbeat, answer_by } => Step::Wait(answer_by.unwrap_or(next_heartbeat).min(silent_at)),
        }
    }

    /// Whether the server has let us in, and the connection has not ended.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live { .. })
    }

    fn die(&mut self, dead: Dead) -> Step {
        self.phase = Phase::Dead(dead);
        Step::Dead(dead)
    }

    fn walk(&mut self, bytes: &[u8], depth: u32, now: Duration, arrival: Arrival, out: &mut FrameIntake) {
        for packet in packets(bytes) {
            match packet {
                Ok(packet) => self.take(packet, depth, now, arrival, out),
                Err(error) => out.malformed(Malformed::new("", error)),
            }
        }
    }

    fn take(&mut self, packet: Packet, depth: u32, now: Duration, arrival: Arrival, out: &mut FrameIntake) {
        match packet.operation {
            Operation::AuthReply => self.take_auth_reply(packet.body, now, out),
            Operation::HeartbeatReply => {
                if let Phase::Live { answer_by, .. } = &mut self.phase {
                    *answer_by = None;
                }
            }
            Operation::Message => match Packing::of_version(packet.version) {
                None => out.take(decode(packet.body, arrival), packet.body),
                Some(_) if depth >= MAX_DEPTH => out.malformed(Malformed::new("", "packed more than twice")),
                Some(packing) => match self.inflater.inflate(packing, packet.body) {
                    Ok(unpacked) => {
                        self.walk(&unpacked, depth + 1, now, arrival, out);
                        self.inflater.recycle(unpacked);
                    }
                    Err(error) => out.malformed(Malformed::new("", error)),
                },
            },
            Operation::Heartbeat | Operation::Auth | Operation::Other(_) => {}
        }
    }

    fn take_auth_reply(&mut self, body: &[u8], now: Duration, out: &mut FrameIntake) {
        if !matches!(self.phase, Phase::Asking { .. }) {
            return;
        }
        let code = match serde_json::from_slice::<Object<AuthReply>>(body) {
            Ok(Object(Some(reply))) => reply.code.or_zero(),
            // Servers of old answered with nothing.
            _ if body.is_empty() => 0,
            _ => return out.malformed(Malformed::new("", "an auth reply that is no JSON object")),
        };
        self.phase = match code {
            0 => Phase::Live { next_heartbeat: now, answer_by: None },
            code => Phase::Dead(Dead::AuthRefused { code }),
        };
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AuthReply {
    code: Int,
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
