//! The way of raw frames into the archive, beside the flow: a lane that sheds rather than slow a room, and one
//! task that gathers and writes.
//!
//! Only with `--archive`. A full disk or a slow one costs frames of the archive, which the lane counts and the log says,
//! and nothing else; a killed program loses what was gathered.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use tracing::warn;

use crate::{
    domain::RoomId,
    store::archive::ArchiveWriter,
    supervise::{
        blocking,
        inbox::Inbox,
        lane::{Lane, Payload, WhenFull, lane},
    },
};

/// Places of the lane: some seconds of many rooms.
const PLACES: usize = 8192;
/// Frames taken out at once: some megabytes at most, usually.
const BATCH: usize = 2048;
/// How long frames are gathered before they are written.
const GATHER: Duration = Duration::from_secs(5);

/// A frame as it came.
pub struct RawFrame {
    /// In whose stream.
    pub room: RoomId,
    /// When, our clock, unix ms.
    pub received_ms: i64,
    /// What.
    pub bytes: Bytes,
}

impl Payload for RawFrame {
    fn is_durable(&self) -> bool {
        false
    }

    fn kind(&self) -> &'static str {
        "frame"
    }
}

/// The lane to the archive and its reading end.
pub fn raw_lane() -> (Lane<RawFrame>, Inbox<RawFrame>) {
    lane("rooms → raw archive", PLACES, WhenFull::ShedNewest)
}

/// Writes what comes into the archive in `folder`, until the lane ends and everything is written.
pub async fn archive(mut inbox: Inbox<RawFrame>, folder: PathBuf) {
    let mut writer = ArchiveWriter::new(folder);
    while inbox.fill(BATCH, GATHER).await {
        for RawFrame { room, received_ms, bytes } in &inbox.batch {
            writer.take(*room, *received_ms, bytes);
        }
        let writing = blocking::run(move || {
            let written = writer.write();
            (writer, written)
        });
        let Ok((back, written)) = writing.await else { return };
        writer = back;
        if let Err(error) = written {
            inbox.batch.iter().for_each(|frame| inbox.set_aside(frame.kind()));
            warn!("the raw archive: of {} frames some could not be written: {error}", inbox.batch.len());
        }
        inbox.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::archive::{Frames, files};

    #[tokio::test(start_paused = true)]
    async fn what_the_lane_took_is_in_the_archive_when_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let (lane, inbox) = raw_lane();
        for n in 0..3000 {
            let bytes = Bytes::from_static(b"x");
            lane.offer(RawFrame { room: RoomId(7), received_ms: 1_700_000_000_000 + n, bytes }).await;
        }
        let gauge = lane.gauge().clone();
        drop(lane);
        archive(inbox, folder.path().to_path_buf()).await;
        let found = files(folder.path()).unwrap();
        let frames: usize = found.iter().map(|file| Frames::of(&file.path).unwrap().count()).sum();
        assert_eq!((frames, gauge.reading().depth, gauge.reading().shed), (3000, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_takes_nothing_costs_frames_that_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("raw");
        std::fs::write(&blocked, "no folder").unwrap();
        let (lane, inbox) = raw_lane();
        lane.offer(RawFrame { room: RoomId(7), received_ms: 0, bytes: Bytes::from_static(b"x") }).await;
        let gauge = lane.gauge().clone();
        drop(lane);
        archive(inbox, blocked).await;
        assert_eq!((gauge.reading().depth, gauge.reading().shed), (0, 1));
    }
}
