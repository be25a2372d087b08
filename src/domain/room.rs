//! Which room, and what is known about it.
//!
//! A room is known to people by a long id, a short id or a link (`RoomRef`); the program uses the long
//! id (`RoomId`) everywhere, because the stream stays silent for short ones.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

/// The long number of a live room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoomId(pub u64);

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a user. 0 means that the upstream hid it: never a person, never to be counted as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(pub u64);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A room as a person names it: a number (long or short, not known yet which) taken from what they typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomRef(pub u64);

impl fmt::Display for RoomRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<RoomId> for RoomRef {
    fn from(room: RoomId) -> RoomRef {
        RoomRef(room.0)
    }
}

/// What was typed does not name a room.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Error)]
#[error(
    "{typed:?} is not a live room: give a room number such as 21452505, or a link such as https://live.bilibili.com/21452505"
)]
pub struct RoomRefError {
    typed: String,
}

impl FromStr for RoomRef {
    type Err = RoomRefError;

    /// Accepts a positive number, or a link to `live.bilibili.com` (also the mobile `/h5/` form, with or
    /// without scheme, query and fragment).
    fn from_str(typed: &str) -> Result<RoomRef, RoomRefError> {
        let text = typed.trim();
        let number =
            if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { room_number_of_link(text) };
        match number {
            // SQLite and JavaScript hold integers exactly only up to here; no room comes near it.
            Some(number) if number > 0 && number < (1 << 53) => Ok(RoomRef(number)),
            _ => Err(RoomRefError { typed: typed.chars().take(100).collect() }),
        }
    }
}

fn room_number_of_link(text: &str) -> Option<u64> {
    let link =
        if text.contains("://") { Url::parse(text).ok()? } else { Url::parse(&format!("https://{text}")).ok()? };
    if !matches!(link.scheme(), "http" | "https") || link.host_str() != Some("live.bilibili.com") {
        return None;
    }
    let mut segments =
        link.path_segments()?.filter(|segment| !segment.is_empty() && *segment != "h5" && *segment != "blanc");
    let number = segments.next()?;
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    number.parse().ok()
}

/// Whether the streamer is on air, in the original's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub enum LiveStatus {
    /// 0: off air.
    #[default]
    Off,
    /// 1: on air.
    Live,
    /// 2: replays run, nobody is there (轮播).
    Carousel,
}

impl From<i64> for LiveStatus {
    fn from(number: i64) -> LiveStatus {
        match number {
            1 => LiveStatus::Live,
            2 => LiveStatus::Carousel,
            _ => LiveStatus::Off,
        }
    }
}

impl From<LiveStatus> for i64 {
    fn from(status: LiveStatus) -> i64 {
        match status {
            LiveStatus::Off => 0,
            LiveStatus::Live => 1,
            LiveStatus::Carousel => 2,
        }
    }
}

/// What the upstream says about a room, as of the last time it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomInfo {
    /// Long id.
    pub room_id: RoomId,
    /// Short id, 0 for none.
    pub short_id: u64,
    /// The streamer.
    pub uid: Uid,
    /// The streamer's name; empty while unknown.
    pub uname: String,
    /// Address of the streamer's picture; empty while unknown.
    pub face: String,
    /// Title of the broadcast.
    pub title: String,
    /// Address of the cover picture; empty for none.
    pub cover: String,
    /// Area (分区), such as 虚拟主播.
    pub area_name: String,
    /// Area above it.
    pub parent_area_name: String,
    /// On air or not.
    pub status: LiveStatus,
    /// Start of the running broadcast, unix ms.
    pub live_since_ms: Option<i64>,
    /// Popularity index (人气); not a number of people.
    pub online: i64,
    /// Followers of the streamer.
    pub followers: i64,
}

impl RoomInfo {
    /// A room of which nothing but the number is known.
    pub fn unknown(room_id: RoomId) -> RoomInfo {
        RoomInfo {
            room_id,
            short_id: 0,
            uid: Uid(0),
            uname: String::new(),
            face: String::new(),
            title: String::new(),
            cover: String::new(),
            area_name: String::new(),
            parent_area_name: String::new(),
            status: LiveStatus::Off,
            live_since_ms: None,
            online: 0,
            followers: 0,
        }
    }

    /// Takes over what is newer, and keeps what the newer answer does not say: a call that failed in
    /// between leaves texts empty and numbers 0.
    pub fn update(&mut self, newer: RoomInfo) {
        let older = std::mem::replace(self, newer);
        for (mine, before) in [
            (&mut self.uname, older.uname),
            (&mut self.face, older.face),
            (&mut self.title, older.title),
            (&mut self.cover, older.cover),
            (&mut self.area_name, older.area_name),
            (&mut self.parent_area_name, older.parent_area_name),
        ] {
            if mine.is_empty() {
                *mine = before;
            }
        }
        for (mine, before) in [(&mut self.online, older.online), (&mut self.followers, older.followers)] {
            if *mine == 0 {
                *mine = before;
            }
        }
        if self.uid.0 == 0 {
            self.uid = older.uid;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_answer_erases_nothing() {
        let mut known =
            RoomInfo { uname: "主播".into(), title: "旧".into(), followers: 5, ..RoomInfo::unknown(RoomId(1)) };
        known.update(RoomInfo { title: "新".into(), status: LiveStatus::Live, ..RoomInfo::unknown(RoomId(1)) });
        assert_eq!((known.uname.as_str(), known.title.as_str(), known.followers), ("主播", "新", 5));
        assert_eq!(known.status, LiveStatus::Live);
    }

    #[test]
    fn numbers_and_links_name_a_room_and_nothing_else_does() {
        let table = [
            ("21452505", Some(21452505)),
            (" 76 ", Some(76)),
            ("https://live.bilibili.com/21452505", Some(21452505)),
            ("http://live.bilibili.com/h5/76?share=1#top", Some(76)),
            ("live.bilibili.com/76/", Some(76)),
            ("https://live.bilibili.com/blanc/76?liteVersion=true", Some(76)),
            ("0", None),
            ("-3", None),
            ("", None),
            ("abc", None),
            ("1e5", None),
            ("99999999999999999999999", None),
            ("https://live.bilibili.com/", None),
            ("https://live.bilibili.com/p/eden/rank", None),
            ("https://evil.example/21452505", None),
            ("https://live.bilibili.com.evil.example/76", None),
            ("javascript://live.bilibili.com/76", None),
            ("21452505; DROP TABLE", None),
        ];
        for (typed, expected) in table {
            assert_eq!(typed.parse().ok(), expected.map(RoomRef), "{typed:?}");
        }
    }
}
