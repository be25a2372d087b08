//! The raw archive of a run, if it has one.

use tokio::sync::watch;

use crate::{
    actors::raw::{RawFrame, archive, raw_lane},
    config::Settings,
    store::archive::folder,
    supervise::{board::Board, lane::Lane},
};

/// The lane to the archive, and what turns true when everything that it took is written.
pub(super) fn start(settings: &Settings, board: &Board) -> (Option<Lane<RawFrame>>, watch::Receiver<bool>) {
    let (done, archived) = watch::channel(!settings.archive);
    if !settings.archive {
        return (None, archived);
    }
    let (lane, inbox) = raw_lane();
    board.add_lane(lane.gauge().clone());
    let folder = folder(&settings.data_dir);
    actix::spawn(async move {
        archive(inbox, folder).await;
        done.send_replace(true);
    });
    (Some(lane), archived)
}
