//! Writes the seeds, one file each, into the folder given; a second argument names more messages, one a line.

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let mut arguments = env::args_os().skip(1);
    let folder = arguments.next().map_or_else(|| PathBuf::from("corpus/packet_to_events"), PathBuf::from);
    let more = arguments.next().map(fs::read_to_string).transpose()?.unwrap_or_default();
    fs::create_dir_all(&folder)?;
    let fixtures = include_str!("../../src/protocol/fixtures.jsonl");
    for (number, message) in fixtures.lines().chain(more.lines()).enumerate() {
        fs::write(folder.join(format!("seed-{number}")), [b"\x01", message.as_bytes()].concat())?;
    }
    Ok(())
}
