//! What crosses Redis from the process that has the rooms to the one that has the browsers: the frames of the
//! push, how each room is, and what each process reports of itself.
//!
//! The frames lie in the capped stream `blm:view` under the numbers that they have in their ring, so whoever reads
//! it has the same ring. Nobody waits for it and nothing is kept for it: what the cap has cut off, or a
//! Redis that was away did not get, is missing there, and shows by the numbers. Nothing here is the record.

use std::time::Duration;

use deadpool_redis::redis::{
    RedisError, cmd, pipe,
    streams::{StreamId, StreamRangeReply, StreamReadReply},
};

use super::{RedisStore, classify};
use crate::{domain::RoomId, store::StoreError};

/// The frames.
const VIEW: &str = "blm:view";
/// How each room is: a hash by room.
const ROOMS: &str = "blm:rooms";
/// What each process reports: a hash by role.
const REPORTS: &str = "blm:reports";

/// Frames kept: half a minute while events come without pause.
const FRAMES_KEPT: usize = 512;
/// Frames in one read.
const FRAMES_A_READ: usize = 64;

/// A frame of the push, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossingFrame {
    /// The run of the ring that it is of; a later run has a higher number.
    pub boot: u64,
    /// Its number there.
    pub seq: u64,
    /// What it holds.
    pub content: CrossingContent,
}

/// What a frame holds, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrossingContent {
    /// A list of events.
    Events(String),
    /// Rooms that changed: pairs of number and summary, which is null for a room that is no longer watched.
    Rooms(String),
}

impl CrossingFrame {
    fn read(entry: &StreamId) -> Option<CrossingFrame> {
        let (boot, seq) = entry.id.split_once('-')?;
        let content = match (entry.get("e"), entry.get("r")) {
            (Some(events), _) => CrossingContent::Events(events),
            (None, rooms) => CrossingContent::Rooms(rooms?),
        };
        Some(CrossingFrame { boot: boot.parse().ok()?, seq: seq.parse().ok()?, content })
    }
}

impl RedisStore {
    /// Shows frames to other processes, in order; those that are there already are left out.
    pub async fn push_frames(&self, frames: &[CrossingFrame]) -> Result<(), StoreError> {
        let newest = self.newest_frame().await?;
        if newest.is_some_and(|(boot, _)| frames.iter().all(|frame| frame.boot < boot)) {
            // The clock was set back between two runs. The stream is ours, and what is in it was for browsers.
            let forgotten = cmd("DEL").arg(VIEW).exec_async(&mut self.connection().await?).await;
            forgotten.map_err(classify("to begin the frames anew"))?;
        }
        let mut pipeline = pipe();
        for frame in
            frames.iter().filter(|frame| newest.is_none_or(|(boot, seq)| frame.boot != boot || frame.seq > seq))
        {
            let (name, text) = match &frame.content {
                CrossingContent::Events(text) => ("e", text),
                CrossingContent::Rooms(text) => ("r", text),
            };
            let add = pipeline.cmd("XADD").arg(VIEW).arg("MAXLEN").arg("~").arg(FRAMES_KEPT);
            add.arg(format!("{}-{}", frame.boot, frame.seq)).arg(name).arg(text).ignore();
        }
        if pipeline.is_empty() {
            return Ok(());
        }
        self.run("to show frames", &pipeline).await
    }

    /// Frames after `at` (a run and a number; all there are for none), oldest first. Waits up to `wait` for one.
    pub async fn frames_after(&self, at: Option<(u64, u64)>, wait: Duration) -> Result<Vec<CrossingFrame>, StoreError> {
        let (boot, seq) = at.unwrap_or_default();
        let reply: Option<StreamReadReply> = cmd("XREAD")
            .arg("COUNT")
            .arg(FRAMES_A_READ)
            .arg("BLOCK")
            .arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1))
            .arg("STREAMS")
            .arg(VIEW)
            .arg(format!("{boot}-{seq}"))
            .query_async(&mut self.connection().await?)
            .await
            .map_err(classify("to read frames"))?;
        let entries = reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids);
        let frames: Vec<CrossingFrame> = entries.filter_map(|entry| CrossingFrame::read(&entry)).collect();
        if frames.is_empty() && at.is_some() && self.newest_frame().await? < at {
            // The server was emptied, or the clock of the one who fills it was set back.
            return Box::pin(self.frames_after(None, wait)).await;
        }
        Ok(frames)
    }

    async fn newest_frame(&self) -> Result<Option<(u64, u64)>, StoreError> {
        let reply: Result<StreamRangeReply, RedisError> = cmd("XREVRANGE")
            .arg(VIEW)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(1)
            .query_async(&mut self.connection().await?)
            .await;
        let newest = reply.map_err(classify("to read frames"))?.ids.into_iter().next();
        Ok(newest.and_then(|entry| CrossingFrame::read(&entry)).map(|frame| (frame.boot, frame.seq)))
    }

    /// Shows how rooms are, as JSON; none for one that is no longer watched. Anew, what was shown of others goes.
    pub async fn show_rooms(&self, rooms: &[(RoomId, Option<String>)], anew: bool) -> Result<(), StoreError> {
        let mut pipeline = pipe();
        pipeline.atomic();
        if anew {
            pipeline.cmd("DEL").arg(ROOMS).ignore();
        }
        for (room, text) in rooms {
            match text {
                Some(text) => pipeline.cmd("HSET").arg(ROOMS).arg(room.0).arg(text).ignore(),
                None => pipeline.cmd("HDEL").arg(ROOMS).arg(room.0).ignore(),
            };
        }
        if pipeline.is_empty() {
            return Ok(());
        }
        self.run("to show rooms", &pipeline).await
    }

    /// How every room is, as JSON.
    pub async fn shown_rooms(&self) -> Result<Vec<(RoomId, String)>, StoreError> {
        let rooms: Vec<(u64, String)> = cmd("HGETALL")
            .arg(ROOMS)
            .query_async(&mut self.connection().await?)
            .await
            .map_err(classify("to read how rooms are"))?;
        Ok(rooms.into_iter().map(|(room, text)| (RoomId(room), text)).collect())
    }

    /// Shows what this process reports of itself.
    pub async fn put_report(&self, role: &str, text: &str) -> Result<(), StoreError> {
        let put = cmd("HSET").arg(REPORTS).arg(role).arg(text).exec_async(&mut self.connection().await?).await;
        put.map_err(classify("to report"))
    }

    /// What each of these processes reported last.
    pub async fn reports(&self, roles: &[&str]) -> Result<Vec<Option<String>>, StoreError> {
        let read = cmd("HMGET").arg(REPORTS).arg(roles).query_async(&mut self.connection().await?).await;
        read.map_err(classify("to read reports"))
    }
}
