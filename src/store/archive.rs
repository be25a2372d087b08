//! The raw archive: frames as the upstream sent them, so that what a decoder got wrong can be read once more.
//!
//! `raw/ROOM/YYYYMMDDHH.zst` (and `.1.zst` and so on, one for each run of the program) under the data folder, the hour
//! being UTC's. A file is a row of zstd frames, as other tools read them; within them stands for each frame of the
//! stream the time at which it came (unix ms, 8 bytes), its length (4 bytes), both little-endian, and its bytes.
//! The fastest compression will do: what Bilibili sends is packed already.
//!
//! Every run begins files of its own, so a tail that was torn or damaged costs what stood behind it in that file and
//! nothing else. Not here: what frames mean (`protocol`), and reading them again (`commands::replay`).

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDateTime};
use ruzstd::{
    decoding::StreamingDecoder,
    encoding::{CompressionLevel, compress_to_vec},
};

use crate::domain::RoomId;

/// An hour, ms.
const HOUR_MS: i64 = 3_600_000;
/// How the hour stands in a file's name; minutes are there because a time cannot be parsed without.
const NAME: &str = "%Y%m%d%H";
/// A frame of the stream is never longer: what says so is damaged.
const FRAME_MAX: usize = 16 << 20;
/// Nor are frames that were gathered together.
const GATHERED_MAX: u64 = 1 << 30;

/// The archive's folder under the data folder.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("raw")
}

/// Gathers frames and writes them.
pub struct ArchiveWriter {
    folder: PathBuf,
    gathered: BTreeMap<(RoomId, i64), Vec<u8>>,
    /// Which file of this run a room and hour has.
    files: BTreeMap<(RoomId, i64), PathBuf>,
}

impl ArchiveWriter {
    /// For the archive in `folder`.
    pub fn new(folder: PathBuf) -> ArchiveWriter {
        ArchiveWriter { folder, gathered: BTreeMap::new(), files: BTreeMap::new() }
    }

    /// Takes in a frame that came at this time, unix ms.
    pub fn take(&mut self, room: RoomId, received_ms: i64, frame: &[u8]) {
        let Some(length) = u32::try_from(frame.len()).ok().filter(|length| *length as usize <= FRAME_MAX) else {
            return;
        };
        let gathered = self.gathered.entry((room, received_ms.div_euclid(HOUR_MS))).or_default();
        gathered.extend_from_slice(&received_ms.to_le_bytes());
        gathered.extend_from_slice(&length.to_le_bytes());
        gathered.extend_from_slice(frame);
    }

    /// Writes what is gathered. What cannot be written is given up: the error says why.
    pub fn write(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for (place, frames) in std::mem::take(&mut self.gathered) {
            if let Err(error) = self.append(place, &frames) {
                // Its tail may be torn, and must stay its last.
                self.files.remove(&place);
                result = Err(error);
            }
        }
        // Hours that are over get nothing any more.
        if let Some(newest) = self.files.keys().map(|(_, hour)| *hour).max() {
            self.files.retain(|(_, hour), _| *hour + 1 >= newest);
        }
        result
    }

    fn append(&mut self, place: (RoomId, i64), frames: &[u8]) -> io::Result<()> {
        let file = match self.files.get(&place) {
            Some(file) => file.clone(),
            None => {
                let file = first_free(&self.folder, place)?;
                self.files.insert(place, file.clone());
                file
            }
        };
        let packed = compress_to_vec(frames, CompressionLevel::Fastest);
        File::options().append(true).create(true).open(file)?.write_all(&packed)
    }
}

/// A name that no earlier run has used.
fn first_free(folder: &Path, (room, hour): (RoomId, i64)) -> io::Result<PathBuf> {
    let folder = folder.join(room.0.to_string());
    fs::create_dir_all(&folder)?;
    let time = DateTime::from_timestamp_millis(hour * HOUR_MS).ok_or_else(|| io::Error::other("no time of day"))?;
    let hour = time.format(NAME);
    let names = (0..10_000).map(|run| match run {
        0 => folder.join(format!("{hour}.zst")),
        run => folder.join(format!("{hour}.{run}.zst")),
    });
    names.into_iter().find(|name| !name.exists()).ok_or_else(|| io::Error::other("too many files of one hour"))
}

/// One file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArchiveFile {
    /// Whose frames.
    pub room: RoomId,
    /// Of which hour, its first ms.
    pub from_ms: i64,
    /// Of which run within it.
    run: u32,
    /// Where.
    pub path: PathBuf,
}

/// Every file of the archive in `folder`: room by room, oldest first. None without one.
pub fn files(folder: &Path) -> io::Result<Vec<ArchiveFile>> {
    let mut found = Vec::new();
    for room in entries(folder)? {
        let Some(id) = room.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok()) else {
            continue;
        };
        found.extend(entries(&room)?.into_iter().filter_map(|path| named(RoomId(id), path)));
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What a file's name says; none of a file that is not ours.
fn named(room: RoomId, path: PathBuf) -> Option<ArchiveFile> {
    let name = path.file_name()?.to_str()?.strip_suffix(".zst")?;
    let (hour, run) = name.split_once('.').unwrap_or((name, "0"));
    let time = NaiveDateTime::parse_from_str(&format!("{hour}00"), &format!("{NAME}%M")).ok()?;
    Some(ArchiveFile { room, from_ms: time.and_utc().timestamp_millis(), run: run.parse().ok()?, path })
}

/// Deletes the files whose hour was over before `cutoff_ms`; says how many, and how many bytes they had.
pub fn delete_older(folder: &Path, cutoff_ms: i64) -> io::Result<(u64, u64)> {
    let (mut gone, mut bytes) = (0, 0);
    for file in files(folder)?.iter().filter(|file| file.from_ms + HOUR_MS <= cutoff_ms) {
        let size = fs::metadata(&file.path)?.len();
        fs::remove_file(&file.path)?;
        (gone, bytes) = (gone + 1, bytes + size);
    }
    Ok((gone, bytes))
}

/// Bytes of all files.
pub fn bytes(folder: &Path) -> u64 {
    let sizes =
        files(folder).unwrap_or_default().into_iter().map(|file| fs::metadata(file.path).map_or(0, |of| of.len()));
    sizes.sum()
}

/// The frames of a file with the times at which they came, unix ms, in that order.
pub struct Frames {
    /// Of the file, what is not unpacked yet.
    packed: io::Cursor<Vec<u8>>,
    unpacked: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Frames {
    /// Of this file, which is read into memory: it is an hour of one room.
    pub fn of(path: &Path) -> io::Result<Frames> {
        let packed = io::Cursor::new(fs::read(path)?);
        Ok(Frames { packed, unpacked: io::Cursor::default(), ended: false })
    }

    fn read(&mut self) -> io::Result<Option<(i64, Vec<u8>)>> {
        while self.unpacked.position() == self.unpacked.get_ref().len() as u64 {
            if self.packed.position() == self.packed.get_ref().len() as u64 {
                return Ok(None);
            }
            let mut unpacked = Vec::new();
            let decoder = StreamingDecoder::new(&mut self.packed).map_err(io::Error::other)?;
            decoder.take(GATHERED_MAX).read_to_end(&mut unpacked)?;
            self.unpacked = io::Cursor::new(unpacked);
        }
        let (mut time, mut length) = ([0; 8], [0; 4]);
        self.unpacked.read_exact(&mut time)?;
        self.unpacked.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > FRAME_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
        }
        let mut frame = vec![0; length];
        self.unpacked.read_exact(&mut frame)?;
        Ok(Some((i64::from_le_bytes(time), frame)))
    }
}

impl Iterator for Frames {
    type Item = io::Result<(i64, Vec<u8>)>;

    /// After an error, which is that of a tail that is torn or damaged, nothing more can be read.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let frame = self.read().transpose();
        self.ended = !matches!(frame, Some(Ok(_)));
        frame
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
