//! `import FILE`: a list of rooms becomes rooms that are monitored from the next start on.
//!
//! Each is asked of the upstream first, because a short number names a room but is not its number. What cannot be added
//! is said, with why; the others are added all the same. The running program takes the same lists on its page and by
//! its API, so this command is for whoever sets one up.

use std::{io::Read, path::Path};

use anyhow::{Context, bail};

use crate::{
    app::{Outcome, manners, say},
    config::Settings,
    domain::room_list,
    store::{backup::free_of_users, sqlite::Database},
    upstream::{Bilibili, Upstream},
};

/// The longest list that is read, bytes: some ten thousand rooms with their names.
const LIST_MAX: u64 = 4 << 20;

/// Adds the rooms of `file`; `-` is the standard input.
pub async fn import(settings: &Settings, file: &Path) -> anyhow::Result<Outcome> {
    let unreadable = || format!("{} cannot be read", file.display());
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).with_context(unreadable)?)
    };
    let text = whole(source).with_context(unreadable)?;
    let named = room_list::read(&text);
    if named.is_empty() {
        bail!("{} names no room: give numbers or links, or a column room_id", file.display());
    }
    if let Some(folder) = settings.database.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    }
    free_of_users(&settings.database)?;
    let database = Database::open(&settings.database)?;
    let upstream = Bilibili::new(settings.upstream.as_ref(), &manners(settings))?;
    let (mut added, mut known, mut left) = (0, 0, 0);
    for name in named {
        let asked = match name.room {
            Ok(room) => upstream.resolve(room).await.map_err(|error| format!("{:#}", anyhow::Error::from(error))),
            Err(error) => Err(error.to_string()),
        };
        match asked {
            Ok(info) if database.room(info.room_id)?.is_some_and(|room| room.monitored) => known += 1,
            Ok(info) => {
                database.add_room(&info)?;
                say(&format!("{} ({})", info.room_id, info.uname));
                added += 1;
            }
            Err(why) => {
                say(&format!("{}: not added: {why}", name.typed));
                left += 1;
            }
        }
    }
    say(&format!(
        "{added} rooms are monitored from the next start on, {known} were on the list already, {left} not added"
    ));
    Ok(if left == 0 { Outcome::Clean } else { Outcome::LeftSomething })
}

/// The text of a list. A longer one than [`LIST_MAX`] is refused: of a part nobody would notice that it is one.
fn whole(source: impl Read) -> anyhow::Result<String> {
    let mut text = Vec::new();
    source.take(LIST_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LIST_MAX {
        bail!("the list is longer than the {} MiB that are read; give it in parts", LIST_MAX >> 20);
    }
    String::from_utf8(text).context("the list is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whole_or_refused_and_never_cut() {
        let list = |bytes: u64| whole(std::io::repeat(b'7').take(bytes));
        assert_eq!(list(LIST_MAX).expect("as long as may be").len() as u64, LIST_MAX);
        let refused = list(LIST_MAX + 1).expect_err("one byte more");
        assert_eq!(refused.to_string(), "the list is longer than the 4 MiB that are read; give it in parts");
        // Cut in the midst of a character it would not even be text.
        let refused = whole("房".repeat(LIST_MAX as usize / 3 + 1).as_bytes()).expect_err("too long");
        assert!(refused.to_string().contains("longer"), "{refused}");
    }
}
