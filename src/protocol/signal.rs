//! Messages that are no facts about the room but tell something to whoever steers: `STOP_LIVE_ROOM_LIST`,
//! `LOG_IN_NOTICE`, and chat mirrored from another room.
//!
//! Not here: what is done about it. Invariant: a signal is never an event, so it is neither stored nor counted
//! as something that happened in the room.

use serde::Deserialize;

use super::{
    command::{Message, Unreadable},
    lenient::{Int, List},
};
use crate::domain::RoomId;

/// Something that is no fact about the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Broadcasts that have ended, anywhere on the site.
    StoppedRooms(Vec<RoomId>),
    /// We are not signed in, as far as the upstream knows.
    Anonymous,
    /// A chat line of another room that is shown here as well.
    MirroredChat,
    /// The Open Live platform ended this session and pushes nothing more for it.
    SessionEnded(String),
}

/// Decodes the list of rooms that have stopped; an empty one is one.
pub fn decode_stopped(message: &Message) -> Result<Signal, Unreadable> {
    let StoppedList { room_id_list } = message.payload()?;
    let rooms = room_id_list.0.into_iter().filter_map(|room| u64::try_from(room.positive()?).ok());
    Ok(Signal::StoppedRooms(rooms.map(RoomId).collect()))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StoppedList {
    room_id_list: List<Int>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        arrival::tests::HERE,
        command::{Decoded, decode},
    };

    #[test]
    fn each_signal_is_known_by_its_command() {
        let stopped = |rooms: &[u64]| Signal::StoppedRooms(rooms.iter().copied().map(RoomId).collect());
        for (json, signal) in [
            (r#"{"cmd":"STOP_LIVE_ROOM_LIST","data":{"room_id_list":[5,"6",0,-1,null,7.0]}}"#, stopped(&[5, 6, 7])),
            (r#"{"cmd":"STOP_LIVE_ROOM_LIST","room_id_list":[8]}"#, stopped(&[8])),
            (r#"{"cmd":"STOP_LIVE_ROOM_LIST","data":[]}"#, stopped(&[])),
            (r#"{"cmd":"LOG_IN_NOTICE","data":{"notice_msg":"x"}}"#, Signal::Anonymous),
            (r#"{"cmd":"DANMU_MSG_MIRROR","info":[]}"#, Signal::MirroredChat),
            (r#"{"cmd":"DANMU_MSG_MIRROR:4:0:2:2:2:0","info":[]}"#, Signal::MirroredChat),
        ] {
            assert_eq!(decode(json.as_bytes(), HERE), Decoded::Signal(signal), "{json}");
        }
    }
}
