//! Copies of a history that is being written to, and what is refused.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

use super::{
    super::{
        StoreKind,
        fixtures::{assert_sums_equal_rows, batch, danmaku, gift, number, open},
        sqlite::Database,
    },
    *,
};

fn store(database: &Database, n: i64) {
    let events = vec![danmaku(1, n, "天气"), gift(2, n, 100)];
    database.record(StoreKind::Redis, &[batch(&format!("{n}-0"), events)]).unwrap();
}

#[test]
fn a_backup_of_a_history_in_use_is_one_state_of_it_and_storing_goes_on() {
    let (folder, database) = open();
    (0..200).for_each(|n| store(&database, n));
    let ended = AtomicBool::new(false);
    let file = folder.path().join("copy.db");
    let (copy, stored) = thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut n = 200;
            while !ended.load(SeqCst) || n == 200 {
                store(&database, n);
                n += 1;
            }
            n
        });
        let copy = back_up(database.path(), &file, false);
        ended.store(true, SeqCst);
        (copy.unwrap(), writing.join().unwrap())
    });
    assert_eq!(database.totals(crate::domain::RoomId(1)).unwrap().danmaku, stored);
    assert!(copy.rows[0] >= 200 && copy.rows[0] <= stored, "{copy:?} of {stored}");
    assert_eq!(copy.rows[0], copy.rows[1], "both of a batch or none");
    let opened = Database::open(&file).unwrap();
    assert_sums_equal_rows(&opened);
    assert!(opened.file_size().unwrap().shrinks);
    assert!(!beside(&file, ".partial").exists());
}

#[test]
fn a_backup_replaces_a_file_only_when_forced_and_never_the_history() {
    let (folder, database) = open();
    store(&database, 1);
    let file = folder.path().join("copy.db");
    fs::write(&file, "precious").unwrap();
    assert!(matches!(back_up(database.path(), &file, false), Err(CopyError::There(_))));
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    assert_eq!(back_up(database.path(), &file, true).unwrap().rows[0], 1);
    assert!(matches!(back_up(database.path(), database.path(), true), Err(CopyError::Itself(_))));
    let nowhere = folder.path().join("nowhere.db");
    assert!(matches!(back_up(&nowhere, &file, true), Err(CopyError::NotThere(_))));
    let homeless = back_up(database.path(), &folder.path().join("no/folder/copy.db"), false);
    assert!(matches!(homeless, Err(CopyError::NoFolder(_))), "{homeless:?}");
}

#[test]
fn a_restore_waits_for_the_program_to_end_and_keeps_what_was_there() {
    let (folder, database) = open();
    let (path, file) = (database.path().to_path_buf(), folder.path().join("copy.db"));
    store(&database, 1);
    back_up(&path, &file, false).unwrap();
    store(&database, 2);
    assert!(matches!(restore(&file, &path), Err(CopyError::Held(_))));
    assert_eq!(number(&database, "SELECT count(*) AS n FROM live_data_danmakudata"), 2);
    drop(database);

    let restored = restore(&file, &path).unwrap();
    assert_eq!(restored.copy.rows[0], 1);
    let rows = |path: &Path| {
        let database = Database::open(path).unwrap();
        assert_sums_equal_rows(&database);
        number(&database, "SELECT count(*) AS n FROM live_data_danmakudata")
    };
    assert_eq!(rows(&path), 1);
    assert_eq!(rows(&restored.earlier.unwrap()), 2);
    // And into a place where nothing was.
    let elsewhere = folder.path().join("new/live.db");
    assert_eq!(restore(&file, &elsewhere).unwrap().earlier, None);
    assert_eq!(rows(&elsewhere), 1);
}

#[test]
fn what_is_damaged_or_not_ours_is_not_restored() {
    let (folder, database) = open();
    let path = database.path().to_path_buf();
    (0..300).for_each(|n| store(&database, n));
    let file = folder.path().join("copy.db");
    back_up(&path, &file, false).unwrap();
    drop(database);
    let before = fs::read(&path).unwrap();
    let whole = fs::read(&file).unwrap();

    let mut holed = whole.clone();
    let middle = whole.len() / 2;
    holed[middle..middle + 8192].fill(0xAA);
    let cut = whole[..whole.len() / 2].to_vec();
    let page_of_many = whole[..4096].to_vec();
    let text = b"not a database at all, but long enough".to_vec();
    for (name, bytes) in
        [("holed", holed), ("cut", cut), ("first page", page_of_many), ("text", text), ("nothing", Vec::new())]
    {
        let bad = folder.path().join(name);
        fs::write(&bad, bytes).unwrap();
        let error = restore(&bad, &path).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("damaged") && error.contains("another copy"), "{error}");
        assert!(!error.contains("move it away") && !error.contains(".restoring"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{name}");
        assert!(!beside(&path, ".restoring").exists(), "{name}");
    }
    let foreign = folder.path().join("foreign");
    let mut connection = connect(&foreign).unwrap();
    connection.batch_execute("CREATE TABLE live_rooms (id INTEGER)").unwrap();
    drop(connection);
    let error = restore(&foreign, &path).unwrap_err().to_string();
    assert!(error.contains("belongs to another program") && error.contains("import-django"), "{error}");
    assert!(!error.contains("--database"), "{error}");
    let newer = folder.path().join("newer");
    fs::write(&newer, &whole).unwrap();
    let mut connection = connect(&newer).unwrap();
    connection.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')").unwrap();
    drop(connection);
    let error = restore(&newer, &path).unwrap_err().to_string();
    assert!(error.contains("newer version") && !error.contains("--database"), "{error}");
    assert!(matches!(restore(&folder.path().join("none"), &path), Err(CopyError::NotThere(_))));
}
