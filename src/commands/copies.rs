//! `backup` and `restore`: copies of the history, out and in.

use std::{path::Path, time::Duration};

use tokio::time::Instant;

use crate::{
    app::{Outcome, say},
    config::Settings,
    store::backup::{self, Copy, CopyError},
};

/// Copies the history to `file`.
pub fn back_up(settings: &Settings, file: &Path, force: bool) -> Result<Outcome, CopyError> {
    let begun = Instant::now();
    let copy = backup::back_up(&settings.database, file, force)?;
    said(&copy, "copied to", begun.elapsed());
    Ok(Outcome::Clean)
}

/// Puts `file` in the place of the history.
pub fn restore(settings: &Settings, file: &Path) -> Result<Outcome, CopyError> {
    let begun = Instant::now();
    let restored = backup::restore(file, &settings.database)?;
    said(&restored.copy, "restored to", begun.elapsed());
    if let Some(earlier) = restored.earlier {
        say(&format!("what was there before is kept: {}", earlier.display()));
    }
    Ok(Outcome::Clean)
}

fn said(copy: &Copy, done: &str, took: Duration) {
    let [danmaku, gifts, super_chats, guards, interactions, room_events] = copy.rows;
    say(&format!(
        "{done} {}: {:.1} MB, checked, {:.1} s\n{danmaku} chat lines, {gifts} gifts, {super_chats} super chats, {guards} guards, \
         {interactions} entries and the like, {room_events} room events",
        copy.path.display(),
        copy.bytes as f64 / 1e6,
        took.as_secs_f64()
    ));
}
