//! Space that comes back, a log that is cut off, and growth.

use super::{
    super::{
        StoreKind,
        fixtures::{batch, danmaku, open},
        retention::Class,
    },
    *,
};
use crate::domain::Event;

/// Some MB, or as many times as much.
fn fill(database: &Database, times: usize) {
    let line = "很长的一句话".repeat(50 * times);
    let events: Vec<Event> = (0..3000).map(|n| danmaku(1, n, &line)).collect();
    database.record(StoreKind::Redis, &[batch("1-0", events)]).unwrap();
}

#[test]
fn a_new_history_gives_the_space_of_deleted_rows_back_in_steps() {
    let (_folder, database) = open();
    fill(&database, 1);
    while database.delete_older(Class::Chat, i64::MAX, 1000).unwrap() == 1000 {}
    let before = database.file_size().unwrap();
    assert!(before.shrinks && before.free_bytes > 1_000_000, "{before:?}");
    let mut given = 0;
    while let bytes @ 1.. = database.shrink(100).unwrap() {
        given += bytes;
    }
    database.checkpoint().unwrap();
    let after = database.file_size().unwrap();
    assert_eq!(after.free_bytes, 0);
    assert_eq!(given, before.free_bytes);
    assert!(after.file_bytes + given <= before.file_bytes.max(given) + after.file_bytes);
}

#[test]
fn a_reader_that_holds_on_to_an_old_state_delays_the_cut_and_does_not_prevent_it() {
    let (_folder, database) = open();
    let log = || database.file_size().unwrap().log_bytes;
    let mut reader = database.reader().unwrap();
    reader.batch_execute("BEGIN; SELECT count(*) FROM live_data_danmakudata").unwrap();
    while log() <= LOG_KEPT {
        fill(&database, 10);
        while database.delete_older(Class::Chat, i64::MAX, 1000).unwrap() == 1000 {}
    }
    assert!(!database.checkpoint().unwrap(), "the reader is in the way");
    assert!(log() > LOG_KEPT);
    reader.batch_execute("COMMIT").unwrap();
    assert!(database.checkpoint().unwrap());
    assert_eq!(log(), 0);
}

#[test]
fn a_long_log_is_written_back_beside_the_writer_and_begins_anew() {
    let (_folder, database) = open();
    fill(&database, 1);
    assert!(!database.write_back().unwrap(), "a short log is left alone");
    let pages = || checkpoint(&mut database.reader().unwrap(), "NOOP").unwrap();
    while pages().left() < PAGES_WORTH_IT {
        fill(&database, 10);
        while database.delete_older(Class::Chat, i64::MAX, 1000).unwrap() == 1000 {}
    }
    let long = pages().log;
    assert!(database.write_back().unwrap());
    assert_eq!(pages().left(), 0);
    database.add_sample(Sample { at_ms: 1, database_bytes: 1, raw_bytes: 0 }).unwrap();
    assert!(pages().log < long, "what comes next is written from its beginning");
    assert_eq!(database.samples(0).unwrap().len(), 1);
}

#[test]
fn growth_is_known_after_half_a_day() {
    const HOUR: i64 = 3_600_000;
    let at = |hours: i64, bytes: i64| Sample { at_ms: hours * HOUR, database_bytes: bytes, raw_bytes: bytes / 10 };
    for (name, samples, expected) in [
        ("nothing", vec![], None),
        ("one", vec![at(0, 10)], None),
        ("too early", vec![at(0, 10), at(11, 1000)], None),
        ("half a day", vec![at(0, 0), at(6, 1), at(12, 1000)], Some(2200)),
        ("shrunk", vec![at(0, 1000), at(24, 0)], Some(-1100)),
    ] {
        assert_eq!(growth_per_day(&samples), expected, "{name}");
    }
    let (_folder, database) = open();
    database.add_sample(at(1, 5)).unwrap();
    database.add_sample(at(2, 6)).unwrap();
    assert_eq!(database.samples(2 * HOUR).unwrap(), [at(2, 6)]);
}
