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
    command::{Decoded, Malformed, decode},
    guards::GuardMessage,
    inflate::{Inflater, Packing},
    lenient::{Int, Object},
    packet::{Operation, Packet, encode, packets},
};
use crate::domain::{Event, RoomId, Uid};

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

/// What frames brought. The caller keeps one and empties it, so that its buffers are used again.
#[derive(Debug, Default)]
pub struct Intake {
    /// Facts, in the order in which they came.
    pub events: Vec<Event>,
    /// Parts of guard purchases, for [`super::guards::GuardMerge`].
    pub guards: Vec<GuardMessage>,
    /// Names of commands nobody knows, one for each message.
    pub unknown: Vec<String>,
    /// How many more there were of a frame that is full of them.
    pub unknown_untold: u64,
    /// Messages that mean nothing to us.
    pub ignored: u64,
    /// What could not be read; of each frame only the first few.
    pub malformed: Vec<Malformed>,
    /// How much more could not be read.
    pub malformed_untold: u64,
    /// All messages, of whatever kind.
    pub messages: u64,
}

impl Intake {
    /// Empties it and keeps the buffers.
    pub fn clear(&mut self) {
        let Intake { events, guards, unknown, unknown_untold, ignored, malformed, malformed_untold, messages } = self;
        events.clear();
        guards.clear();
        unknown.clear();
        malformed.clear();
        (*unknown_untold, *ignored, *malformed_untold, *messages) = (0, 0, 0, 0);
    }
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
/// How many unreadable things of a frame are told one by one.
const MALFORMED_TOLD: usize = 16;
/// How many unknown names of a frame are told one by one.
const UNKNOWN_TOLD: usize = 1024;

impl Session {
    /// A new connection, and the packet that must be its first.
    pub fn open(auth: &Auth, now: Duration) -> (Session, Vec<u8>) {
        let body = json!({
            "uid": auth.uid.0, "roomid": auth.room_id.0, "protover": 3, "platform": "web", "type": 2,
            "buvid": auth.buvid, "key": auth.token,
        });
        let session = Session {
            room_id: auth.room_id,
            phase: Phase::Asking { until: now + AUTH_LIMIT },
            last_heard: now,
            inflater: Inflater::default(),
        };
        (session, encode(Operation::Auth, 1, body.to_string().as_bytes()))
    }

    /// Takes one WebSocket frame in.
    pub fn receive(&mut self, frame: &[u8], now: Duration, received_ms: i64, out: &mut Intake) {
        self.last_heard = now;
        self.inflater.begin_frame();
        let mut frame_intake = FrameIntake { out, told: 0, unknown: 0 };
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
                None => out.take(decode(packet.body, arrival)),
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

/// The intake of one frame, which may tell only so much.
struct FrameIntake<'a> {
    out: &'a mut Intake,
    told: usize,
    unknown: usize,
}

impl FrameIntake<'_> {
    fn take(&mut self, decoded: Decoded) {
        self.out.messages += 1;
        match decoded {
            Decoded::Events(events) => self.out.events.extend(events),
            Decoded::Guard(guard) => self.out.guards.push(guard),
            Decoded::Unknown(name) if self.unknown < UNKNOWN_TOLD => {
                self.unknown += 1;
                self.out.unknown.push(name);
            }
            Decoded::Unknown(_) => self.out.unknown_untold += 1,
            Decoded::Ignored => self.out.ignored += 1,
            Decoded::Malformed(malformed) => self.malformed(malformed),
        }
    }

    fn malformed(&mut self, malformed: Malformed) {
        if self.told < MALFORMED_TOLD {
            self.told += 1;
            self.out.malformed.push(malformed);
        } else {
            self.out.malformed_untold += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Body, Gauge, Kind};

    const NOW_MS: i64 = 1_790_000_000_000;
    const ACCEPTED: &[u8] = b"{\"code\":0}";

    /// Real: one brotli packet with a WATCHED_CHANGE.
    const BROTLI: &str = "0000008600100003000000050000000 08b38800000007200100000000000050000\
        00007b22636d64223a22574154434845445f4348414e4745222c2264617461\
        223a7b226e756d223a32323039372c22746578745f736d616c6c223a22322e32e4b887222c22746578745f6c61726765\
        223a22322e32e4b887e4babae79c8be8bf87227d7d03";
    /// One zlib packet with a LIVE and a PREPARING.
    const ZLIB: &str = "0000004f00100002000000050000000078da636060d06410600001561051ad949c9ba264a5e4e319e6aaa4a354949f9f\
        9b09e41bd602e50cb0290c08720d700cf2f4734752ad64a8540b0084121146";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|b| b.is_ascii_hexdigit()).collect();
        let digit = |d: u8| char::from(d).to_digit(16).expect("hex") as u8;
        digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn asking() -> Session {
        let auth = Auth { room_id: RoomId(7), uid: Uid(42), buvid: "B".into(), token: "secret".into() };
        Session::open(&auth, secs(0)).0
    }

    fn live() -> Session {
        let mut session = asking();
        session.receive(&encode(Operation::AuthReply, 1, ACCEPTED), secs(1), NOW_MS, &mut Intake::default());
        session
    }

    fn intake(frame: &[u8]) -> Intake {
        let mut out = Intake::default();
        live().receive(frame, secs(2), NOW_MS, &mut out);
        out
    }

    fn heartbeat() -> Step {
        Step::Send(hex("00000010 0010 0001 00000002 00000001"))
    }

    #[test]
    fn the_first_packet_says_who_we_are_and_no_log_shows_the_token() {
        let auth = Auth { room_id: RoomId(7), uid: Uid(42), buvid: "B".into(), token: "secret".into() };
        let (session, packet) = Session::open(&auth, secs(0));
        let packet = packets(&packet).next().expect("is one").expect("is good");
        assert_eq!((packet.operation, packet.version), (Operation::Auth, 1));
        let body: serde_json::Value = serde_json::from_slice(packet.body).expect("is JSON");
        let expected = json!({"uid":42,"roomid":7,"protover":3,"platform":"web","type":2,"buvid":"B","key":"secret"});
        assert_eq!(body, expected);
        assert!(!format!("{auth:?}{session:?}").contains("secret"));
    }

    #[test]
    fn a_connection_that_goes_well() {
        let mut session = asking();
        let mut out = Intake::default();
        assert_eq!(session.tick(secs(0)), Step::Wait(secs(10)));
        session.receive(&encode(Operation::AuthReply, 1, ACCEPTED), secs(1), NOW_MS, &mut out);
        assert!(session.is_live());
        assert_eq!(session.tick(secs(1)), heartbeat());
        assert_eq!(session.tick(secs(1)), Step::Wait(secs(6)));
        let reply = encode(Operation::HeartbeatReply, 1, &[0, 0, 0, 1]);
        session.receive(&reply, secs(2), NOW_MS, &mut out);
        assert_eq!(session.tick(secs(2)), Step::Wait(secs(31)));
        assert_eq!(session.tick(secs(31)), heartbeat());
        assert_eq!((out.events.len(), out.messages, out.malformed.len()), (0, 0, 0));
    }

    #[test]
    fn each_death_has_its_reason_and_lasts() {
        let mut timeout = asking();
        let mut refused = asking();
        let reply = encode(Operation::AuthReply, 1, b"{\"code\":\"-101\"}");
        refused.receive(&reply, secs(1), NOW_MS, &mut Intake::default());
        let mut unanswered = live();
        unanswered.tick(secs(1));
        let mut silent = live();
        for (session, at, dead) in [
            (&mut timeout, 10, Dead::AuthTimeout),
            (&mut refused, 1, Dead::AuthRefused { code: -101 }),
            (&mut unanswered, 6, Dead::HeartbeatUnanswered),
            (&mut silent, 71, Dead::Silent),
        ] {
            assert_eq!(session.tick(secs(at)), Step::Dead(dead));
            session.receive(&encode(Operation::AuthReply, 1, ACCEPTED), secs(at), NOW_MS, &mut Intake::default());
            session.receive(&encode(Operation::HeartbeatReply, 1, b""), secs(at), NOW_MS, &mut Intake::default());
            assert!(!session.is_live());
            assert_eq!(session.tick(secs(at + 1)), Step::Dead(dead));
        }
    }

    #[test]
    fn real_frames_are_read() {
        let watched = intake(&hex(BROTLI));
        assert_eq!(watched.events.len(), 1);
        assert_eq!(watched.events[0].body, Body::Gauge(Gauge { watched: Some(22097), ..Gauge::default() }));
        let kinds: Vec<Kind> = intake(&hex(ZLIB)).events.iter().map(Event::kind).collect();
        assert_eq!(kinds, [Kind::Live, Kind::Preparing]);
        let mut frame = encode(Operation::HeartbeatReply, 1, &[0, 0, 0, 1]);
        frame.extend(hex(BROTLI));
        frame.extend(encode(Operation::Message, 0, b"{\"cmd\":\"LIVE\",\"roomid\":1}"));
        assert_eq!(intake(&frame).events.len(), 2);
    }

    #[test]
    fn bad_parts_are_counted_and_the_good_ones_around_them_delivered() {
        let good = encode(Operation::Message, 0, b"{\"cmd\":\"LIVE\"}");
        let bad: [&[u8]; 5] = [b"", b"[1]", b"\xff\xfe", b"{\"cmd\"", b"{}"];
        let mut frame = good.clone();
        for body in bad {
            frame.extend(encode(Operation::Message, 0, body));
        }
        frame.extend(encode(Operation::Message, 3, b"no brotli"));
        frame.extend(encode(Operation::Other(99), 7, b"noise"));
        frame.extend(encode(Operation::Message, 0, b"{\"cmd\":\"NEW_THING\"}"));
        frame.extend(encode(Operation::Message, 0, b"{\"cmd\":\"ENTRY_EFFECT\"}"));
        frame.extend(good);
        frame.extend([0; 20]);
        let out = intake(&frame);
        assert_eq!((out.events.len(), out.malformed.len(), out.ignored, out.messages), (2, 7, 1, 9));
        assert_eq!(out.unknown, ["NEW_THING"]);
    }

    #[test]
    fn nesting_and_repetition_have_an_end() {
        let wrap = |inner: &[u8]| {
            use std::io::Write;
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(inner).expect("into memory");
            encode(Operation::Message, 2, &encoder.finish().expect("into memory"))
        };
        let live = encode(Operation::Message, 0, b"{\"cmd\":\"LIVE\"}");
        assert_eq!(intake(&wrap(&wrap(&live))).events.len(), 1);
        let deep = intake(&wrap(&wrap(&wrap(&live))));
        assert_eq!((deep.events.len(), deep.malformed.len()), (0, 1));
        let noise = intake(&wrap(&encode(Operation::Message, 0, b"").repeat(5000)));
        assert_eq!((noise.malformed.len(), noise.malformed_untold), (MALFORMED_TOLD, 5000 - MALFORMED_TOLD as u64));
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_session(noise: Vec<u8>, cuts: Vec<(usize, u8)>) {
            let mut session = live();
            let mut out = Intake::default();
            session.receive(&noise, secs(2), NOW_MS, &mut out);
            for original in [hex(BROTLI), hex(ZLIB), encode(Operation::Message, 0, &noise)] {
                let mut frame = original.clone();
                for (at, byte) in &cuts {
                    let at = at % frame.len();
                    frame[at] = *byte;
                    session.receive(&frame, secs(2), NOW_MS, &mut out);
                    session.receive(&frame[..at], secs(2), NOW_MS, &mut out);
                }
                frame.extend(&original);
                session.receive(&frame, secs(2), NOW_MS, &mut out);
            }
            prop_assert!(!matches!(session.tick(secs(2)), Step::Dead(_)));
            out.clear();
            session.receive(&hex(BROTLI), secs(3), NOW_MS, &mut out);
            prop_assert_eq!(out.events.len(), 1);
        }
    }
}
