//! Frames go in and come out; a torn or damaged end costs that end; what is old goes.

use proptest::{collection::vec, prelude::*};

use super::*;

const HOUR: i64 = 1_700_000_000_000 / HOUR_MS * HOUR_MS;

fn written(folder: &Path, frames: &[(u64, i64, &[u8])]) {
    let mut writer = ArchiveWriter::new(folder.to_path_buf());
    for (room, received_ms, frame) in frames {
        writer.take(RoomId(*room), *received_ms, frame);
    }
    writer.write().unwrap();
}

fn frames(path: &Path) -> Vec<Option<(i64, Vec<u8>)>> {
    Frames::of(path).unwrap().map(Result::ok).collect()
}

#[test]
fn frames_come_back_as_they_came_a_file_for_each_room_hour_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ArchiveWriter::new(folder.path().to_path_buf());
    writer.take(RoomId(1), HOUR, b"one");
    writer.take(RoomId(2), HOUR + 1, b"");
    writer.write().unwrap();
    writer.take(RoomId(1), HOUR + 2, &[7; 100_000]);
    writer.take(RoomId(1), HOUR + HOUR_MS, b"next hour");
    writer.write().unwrap();
    written(folder.path(), &[(1, HOUR + 3, b"next run")]);
    fs::write(folder.path().join("1/notes.txt"), "somebody else's").unwrap();
    let found = files(folder.path()).unwrap();
    let read: Vec<_> = found.iter().map(|file| (file.room.0, file.from_ms - HOUR, frames(&file.path))).collect();
    let some = |at_ms, frame: &[u8]| Some((at_ms, frame.to_vec()));
    assert_eq!(
        read,
        [
            (1, 0, vec![some(HOUR, b"one"), some(HOUR + 2, &[7; 100_000])]),
            (1, 0, vec![some(HOUR + 3, b"next run")]),
            (1, HOUR_MS, vec![some(HOUR + HOUR_MS, b"next hour")]),
            (2, 0, vec![some(HOUR + 1, b"")]),
        ]
    );
    assert!(bytes(folder.path()) > 0);
    let (gone, freed) = delete_older(folder.path(), HOUR + HOUR_MS).unwrap();
    assert!(gone == 3 && freed > 0);
    assert_eq!(files(folder.path()).unwrap(), found[2..3]);
    assert_eq!(files(&folder.path().join("nowhere")).unwrap(), []);
}

#[test]
fn a_torn_or_damaged_end_is_one_error_behind_all_that_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ArchiveWriter::new(folder.path().to_path_buf());
    for n in 0..2 {
        writer.take(RoomId(1), HOUR + n, b"whole enough to be worth it, whole enough to be worth it");
        writer.write().unwrap();
    }
    let path = files(folder.path()).unwrap()[0].path.clone();
    let bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    for torn in [bytes.len() - 1, bytes.len() - 20, half + 5, half + 1] {
        fs::write(&path, &bytes[..torn]).unwrap();
        let read = frames(&path);
        assert!(read.len() == 2 && read[0].is_some() && read[1].is_none(), "cut at {torn}: {read:?}");
    }
    let mut damaged = bytes.clone();
    damaged[half + 1] ^= 0xff;
    fs::write(&path, &damaged).unwrap();
    let read = frames(&path);
    assert!(read.len() == 2 && read[0].is_some() && read[1].is_none(), "{read:?}");
    // The next run goes on behind it, in a file of its own.
    written(folder.path(), &[(1, HOUR + 3, b"next run")]);
    let read: Vec<_> = files(folder.path()).unwrap().iter().map(|file| frames(&file.path).len()).collect();
    assert_eq!(read, [2, 1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_in_a_frame_comes_back(frames_in in vec(prop_oneof![vec(0_u8..4, 0..3000), vec(any::<u8>(), 0..3000)], 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<(u64, i64, &[u8])> = frames_in.iter().enumerate().map(|(n, frame)| (1, HOUR + n as i64, &frame[..])).collect();
        written(folder.path(), &all);
        let read = frames(&files(folder.path()).unwrap()[0].path);
        let expected: Vec<_> = all.iter().map(|(_, at_ms, frame)| Some((*at_ms, frame.to_vec()))).collect();
        prop_assert_eq!(read, expected);
    }
}
