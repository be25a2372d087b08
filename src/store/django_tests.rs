//! The original's database as one meets it: repeated lines, masked users, rows that say nothing.

use super::{
    super::{
        StoreKind,
        fixtures::{assert_sums_equal_rows, batch, danmaku as line, number, open as open_ours},
        queries::{Filter, Page},
    },
    *,
};

/// Django's tables, and some of its own.
const TABLES: &str = "
    CREATE TABLE live_rooms (id integer PRIMARY KEY, room_id bigint UNIQUE, title varchar(200), uname varchar(100),
        face varchar(500) NULL, online integer, status integer, created_at datetime, updated_at datetime);
    CREATE TABLE danmaku_data (id integer PRIMARY KEY, uid bigint, username varchar(100), message text, timestamp datetime,
        medal_name varchar(50) NULL, medal_level integer, user_level integer, is_admin bool, is_vip bool,
        created_at datetime, room_id bigint REFERENCES live_rooms (id), UNIQUE (room_id, uid, message, timestamp));
    CREATE TABLE gift_data (id integer PRIMARY KEY, uid bigint, username varchar(100), gift_name varchar(100),
        gift_id integer, num integer, price decimal, total_price decimal, timestamp datetime, medal_name varchar(50) NULL,
        medal_level integer, created_at datetime, room_id bigint REFERENCES live_rooms (id));
    CREATE TABLE monitoring_tasks (id integer PRIMARY KEY, task_name varchar(100));
    CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150), password varchar(128));
    INSERT INTO monitoring_tasks VALUES (1, 'x'), (2, 'y');
    INSERT INTO live_rooms VALUES (1, 6, '房间 6', '未知主播', NULL, 0, 1, '', ''), (2, 21452505, '唱歌', '小猫', 'f', 0, 1, '', '');
";

const ROWS: &str = "
    INSERT INTO danmaku_data VALUES
        (1, 7, '甲', '你好', '2025-06-01 12:00:05.123456', '猫粮', 5, 20, 1, 0, '', 1),
        (2, 7, '甲', '你好', '2025-06-01 12:00:00.123456', '猫粮', 5, 20, 1, 0, '', 1),
        (3, 7, '甲', '你好', '2025-06-01 12:00:10', NULL, 0, 0, 0, 0, '', 1),
        (4, 7, '甲', '你好', '2025-06-01 12:00:00', NULL, 0, 0, 0, 0, '', 2),
        (5, 0, '乙***', '你好', '2025-06-01 12:00:01', NULL, 0, 0, 0, 0, '', 2),
        (6, 0, '丙***', '你好', '2025-06-01 12:00:00.5', NULL, 0, 0, 0, 0, '', 2),
        (7, 8, '丁', '', '2025-06-01 12:00:01', NULL, 0, 0, 0, 0, '', 2),
        (8, 8, '丁', '何时', 'yesterday', NULL, 0, 0, 0, 0, '', 2),
        (9, 8, '丁', '何处', '2025-06-01 12:00:01', NULL, 0, 0, 0, 0, '', 99);
    INSERT INTO gift_data VALUES
        (1, 0, '匿名用户', '未知礼物', 0, 1, 0, 0, '2025-06-01 12:00:00', NULL, 0, '', 1),
        (2, 0, '匿名用户', '未知礼物', 0, 1, 0, 0, '2025-06-01 12:00:05', NULL, 0, '', 1),
        (3, 7, '甲', '小花花', 31036, 2, 0.1, 0.2, '2025-06-01 12:00:05', NULL, 0, '', 2),
        (4, 7, '甲', '小花花', 31036, 2, 0.1, 0.2, '2025-06-01 12:00:00', NULL, 0, '', 2),
        (5, 7, '甲', '辣条', 1, 1, 0, 0, '2025-06-01 12:00:00', NULL, 0, '', 2);
";

fn original(folder: &Path, sql: &str) -> PathBuf {
    let file = folder.join("db.sqlite3");
    let _ = fs::remove_file(&file);
    let rows_of_no_room = "PRAGMA foreign_keys = OFF;";
    connect(&file).unwrap().batch_execute(&format!("{rows_of_no_room}{sql}")).unwrap();
    file
}

fn counted(rows: u64, stored: u64, known: u64, skipped: &[(&'static str, u64)]) -> Figures {
    Figures { rows, stored, known, dead_letter: 0, skipped: skipped.iter().copied().collect() }
}

fn take_over(database: &Database, file: &Path, monitor: bool) -> Result<Import, ImportError> {
    database.take_over(Original::open(file)?, monitor)
}

#[test]
fn what_says_something_is_taken_once_and_every_row_is_accounted_for() {
    let (folder, database) = open_ours();
    let file = original(folder.path(), &format!("{TABLES}{ROWS}"));
    let first = take_over(&database, &file, false).unwrap();
    let skipped = [
        ("it has no text", 1),
        ("its room is not in the table of rooms", 1),
        ("its time cannot be read", 1),
        ("repeated: the same user, room and content at a later sync", 2),
    ];
    assert_eq!(first.danmaku, counted(9, 4, 0, &skipped));
    let skipped =
        [("it says nothing: gift 0 at price 0", 2), ("repeated: the same user, room and content at a later sync", 1)];
    assert_eq!(first.gifts, counted(5, 2, 0, &skipped));
    assert_eq!(first.rooms, [RoomId(6), RoomId(21452505)]);
    assert_eq!(first.left, BTreeMap::from([("auth_user".to_owned(), 0), ("monitoring_tasks".to_owned(), 2)]));
    assert_sums_equal_rows(&database);

    let second = take_over(&database, &file, true).unwrap();
    assert_eq!((second.danmaku.stored, second.danmaku.known), (0, 4));
    assert_eq!((second.gifts.stored, second.gifts.known), (0, 2));
    assert_sums_equal_rows(&database);
    assert_eq!(database.monitored().unwrap().len(), 2);

    let totals = database.totals(RoomId(21452505)).unwrap();
    assert_eq!((totals.danmaku, totals.gifts, totals.gift_gold, totals.masked), (3, 2, Gold(200), 2));
    assert!(database.ledger().unwrap().is_empty(), "the ledger is about what was received");
    let page = Page { limit: 10, before: None, since: None };
    let filter = Filter { room: Some(RoomId(6)), ..Filter::default() };
    let hello = &database.danmaku(&filter, &page).unwrap().events[0];
    assert_eq!(hello.timestamp_ms, 1_748_779_200_123, "the earliest");
    assert_eq!(serde_json::to_value(hello).unwrap()["source"], "backfill");
    assert_eq!(number(&database, "SELECT count(*) AS n FROM live_data_danmakudata WHERE source = 'import'"), 4);
    let rooms: Vec<_> = [6, 21452505].map(|id| database.room(RoomId(id)).unwrap().unwrap().info).into();
    assert_eq!((rooms[0].title.as_str(), rooms[0].uname.as_str()), ("", ""), "a placeholder is no name");
    assert_eq!((rooms[1].title.as_str(), rooms[1].uname.as_str()), ("唱歌", "小猫"));
}

#[test]
fn the_names_of_its_readme_are_understood_with_either_meaning_of_room_id() {
    for by_number in [true, false] {
        let (folder, database) = open_ours();
        let mut sql = format!("{TABLES}{ROWS}");
        for (its, documented) in [
            ("live_rooms", "live_data_liveroom"),
            ("danmaku_data", "live_data_danmakudata"),
            ("gift_data", "live_data_giftdata"),
        ] {
            sql = sql.replace(its, documented);
        }
        if by_number {
            sql += "UPDATE live_data_danmakudata SET room_id = 21452505 WHERE room_id = 2;
                    UPDATE live_data_danmakudata SET room_id = 6 WHERE room_id = 1;
                    UPDATE live_data_giftdata SET room_id = 21452505 WHERE room_id = 2;";
        }
        let import = take_over(&database, &original(folder.path(), &sql), false).unwrap();
        assert_eq!((import.danmaku.stored, import.gifts.stored), (4, 2), "{by_number}");
        assert_eq!(database.totals(RoomId(6)).unwrap().danmaku, 1);
    }
}

#[test]
fn a_file_that_is_not_the_originals_changes_nothing_and_is_told_apart() {
    let (folder, database) = open_ours();
    let events = vec![line(1, 0, "a")];
    database.record(StoreKind::Redis, &[batch("1-0", events)]).unwrap();
    let mut damaged = fs::read(original(folder.path(), &format!("{TABLES}{ROWS}"))).unwrap();
    let length = damaged.len();
    damaged[4096..length - 100].fill(0x5A);
    fs::write(folder.path().join("damaged"), damaged).unwrap();
    fs::write(folder.path().join("text"), "no database at all").unwrap();
    for (name, sql, expected) in [
        ("none", "", "there is no file"),
        ("text", "", "cannot be read as a SQLite database"),
        ("damaged", "", "cannot be read as a SQLite database"),
        ("db.sqlite3", "CREATE TABLE notes (id integer)", "no table live_rooms"),
        ("db.sqlite3", &TABLES.replace("uname", "name"), "no column uname in its table live_rooms"),
        ("live.db", "", "use restore"),
    ] {
        if !sql.is_empty() {
            original(folder.path(), sql);
        }
        let error = take_over(&database, &folder.path().join(name), true).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert_eq!(database.totals(RoomId(1)).unwrap().danmaku, 1);
        assert_eq!(number(&database, "SELECT count(*) AS n FROM live_data_liveroom"), 1, "{name}");
    }
}

#[test]
fn what_was_deleted_here_by_age_does_not_come_back() {
    let (folder, database) = open_ours();
    let file = original(folder.path(), &format!("{TABLES}{ROWS}"));
    take_over(&database, &file, false).unwrap();
    let totals = database.totals(RoomId(21452505)).unwrap();
    assert_eq!(database.delete_older(Class::Chat, 1_748_779_201_500, 1000).unwrap(), 4);
    let again = take_over(&database, &file, false).unwrap();
    assert_eq!((again.danmaku.stored, again.danmaku.known), (0, 0));
    assert_eq!(again.danmaku.skipped["older than what was deleted here by age"], 6);
    assert_eq!(database.totals(RoomId(21452505)).unwrap(), totals);
}
