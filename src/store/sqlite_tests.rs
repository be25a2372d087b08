//! Opening the history: the tables of the contract, and what is refused.

use diesel::sql_types::{Integer, Nullable, Text};

use super::{
    super::{
        StoreKind,
        fixtures::{assert_sums_equal_rows, batch, by, danmaku, gift, guard, number, super_chat},
    },
    *,
};

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text, column_name = "type")]
    kind: String,
    #[diesel(sql_type = Integer)]
    notnull: i32,
    #[diesel(sql_type = Nullable<Text>)]
    dflt_value: Option<String>,
    #[diesel(sql_type = Integer)]
    pk: i32,
}

fn columns(database: &Database, table: &str) -> Vec<Column> {
    diesel::sql_query(format!("SELECT * FROM pragma_table_info('{table}')"))
        .load(&mut database.reader().unwrap())
        .unwrap()
}

fn names(database: &Database, query: &str) -> Vec<String> {
    let names: Vec<Name> = diesel::sql_query(query).load(&mut database.reader().unwrap()).unwrap();
    names.into_iter().map(|row| row.name).collect()
}

fn open() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("new/folder/live.db")).unwrap();
    (folder, database)
}

/// The README of the original system: name, type, `!` for NOT NULL, default.
const ORIGINAL: &str = "
live_data_liveroom: id INTEGER, room_id INTEGER!, title VARCHAR(200)!, uname VARCHAR(100)!, face VARCHAR(500), \
online INTEGER=0, status INTEGER=0, created_at DATETIME=CURRENT_TIMESTAMP, updated_at DATETIME=CURRENT_TIMESTAMP
live_data_danmakudata: id INTEGER, room_id INTEGER!, uid INTEGER!, username VARCHAR(50)!, message TEXT!, \
timestamp DATETIME!, medal_name VARCHAR(50), medal_level INTEGER=0, user_level INTEGER=0, is_admin BOOLEAN=FALSE, \
is_vip BOOLEAN=FALSE, created_at DATETIME=CURRENT_TIMESTAMP
live_data_giftdata: id INTEGER, room_id INTEGER!, uid INTEGER!, username VARCHAR(50)!, gift_name VARCHAR(100)!, \
gift_id INTEGER!, num INTEGER=1, price DECIMAL(10,2)=0.00, total_price DECIMAL(10,2)=0.00, timestamp DATETIME!, \
medal_name VARCHAR(50), medal_level INTEGER=0, created_at DATETIME=CURRENT_TIMESTAMP
live_data_monitoringtask: id INTEGER, task_name VARCHAR(100)!, room_ids_json TEXT, status VARCHAR(20)='stopped', \
start_time DATETIME, end_time DATETIME, collected_danmaku INTEGER=0, collected_gifts INTEGER=0, \
error_count INTEGER=0, last_error TEXT, created_at DATETIME=CURRENT_TIMESTAMP, updated_at DATETIME=CURRENT_TIMESTAMP
live_data_datamigrationlog: id INTEGER, migration_type VARCHAR(50)!, start_time DATETIME!, end_time DATETIME, \
total_records INTEGER=0, success_records INTEGER=0, failed_records INTEGER=0, status VARCHAR(20)='running', \
error_message TEXT, created_at DATETIME=CURRENT_TIMESTAMP";

#[test]
fn the_original_tables_have_their_columns_types_defaults_and_indexes() {
    let (_folder, database) = open();
    for line in ORIGINAL.trim().lines() {
        let (table, wanted) = line.split_once(": ").unwrap();
        let found: Vec<String> = columns(&database, table)
            .into_iter()
            .map(|column| {
                let default = column.dflt_value.map(|value| format!("={value}")).unwrap_or_default();
                format!("{} {}{}{default}", column.name, column.kind, if column.notnull == 1 { "!" } else { "" })
            })
            .take(wanted.split(", ").count())
            .collect();
        assert_eq!(found.join(", "), wanted, "{table}");
    }
    let indexes = names(&database, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL");
    for index in [
        "idx_danmaku_room_timestamp",
        "idx_danmaku_uid",
        "idx_gift_room_timestamp",
        "idx_gift_uid",
        "idx_migration_status",
    ] {
        assert!(indexes.iter().any(|found| found == index), "{index}");
    }
}

/// How `diesel print-schema` writes a table, with 64-bit integers.
fn printed(database: &Database, table: &str) -> String {
    let columns = columns(database, table);
    let mut key: Vec<&Column> = columns.iter().filter(|column| column.pk > 0).collect();
    key.sort_by_key(|column| column.pk);
    let key: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
    let mut text = format!("diesel::table! {{\n    {table} ({}) {{\n", key.join(", "));
    for column in &columns {
        let kind = match column.kind.split('(').next().unwrap() {
            "INTEGER" | "BIGINT" => "BigInt",
            "BOOLEAN" => "Bool",
            "DATETIME" => "Timestamp",
            "DECIMAL" => "Double",
            _ => "Text",
        };
        let nullable = column.notnull == 0 && column.pk == 0;
        let kind = if nullable { format!("Nullable<{kind}>") } else { kind.to_owned() };
        text.push_str(&format!("        {} -> {kind},\n", column.name));
    }
    text + "    }\n}\n"
}

#[test]
fn the_schema_file_says_what_the_migrations_make() {
    let (_folder, database) = open();
    let schema = include_str!("schema.rs");
    let made = "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' \
                AND substr(name, 1, 2) <> '__' AND substr(name, 1, 10) <> 'blm_search' ORDER BY name";
    let made = names(&database, made);
    for table in &made {
        let printed = printed(&database, table);
        assert!(schema.contains(&printed), "schema.rs lacks:\n{printed}");
    }
    assert_eq!(schema.matches("diesel::table!").count(), made.len());
}

#[test]
fn every_migration_can_be_taken_back_and_made_again() {
    let (_folder, database) = open();
    let mut writer = database.writer().unwrap();
    writer.revert_all_migrations(MIGRATIONS).unwrap();
    let left: Vec<Name> =
        diesel::sql_query("SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'")
            .load(&mut *writer)
            .unwrap();
    assert_eq!(left.len(), 1, "only diesel's own");
    writer.run_pending_migrations(MIGRATIONS).unwrap();
}

#[test]
fn an_older_history_gets_its_users_counted_by_todays_rule_and_back() {
    let (_folder, database) = open();
    let users = |database: &Database| {
        let room = "SELECT users AS n FROM blm_roomtotal WHERE room_id = 1";
        (number(database, room), number(database, "SELECT sum(users) AS n FROM blm_roomtotal"))
    };
    let events = vec![
        by(danmaku(1, 0, "抽奖"), 5),
        by(danmaku(1, 1, "a"), 6),
        by(gift(1, 2, 0), 7),
        by(gift(1, 3, 0), 8),
        by(super_chat(1, 4, 1, 30_000), 6),
        by(guard(1, 5, 138_000), 9),
        by(gift(1, 6, 100), 0),
        by(danmaku(2, 7, "抽奖"), 5),
    ];
    database.record(StoreKind::Embedded, &[batch("1", events)]).unwrap();
    assert_eq!(users(&database), (4, 4));
    let revert = |database: &Database| {
        let mut writer = database.writer().unwrap();
        // Down to the one that brought today's rule, and it too.
        while writer.revert_last_migration(MIGRATIONS).unwrap().to_string() != "20261123000006" {}
    };
    revert(&database);
    assert_eq!(users(&database), (3, 4), "who chatted, gave or bought");
    database.writer().unwrap().run_pending_migrations(MIGRATIONS).unwrap();
    assert_eq!(users(&database), (4, 4));
    assert_sums_equal_rows(&database);
    database.record(StoreKind::Embedded, &[batch("2", vec![by(danmaku(1, 8, "a"), 5)])]).unwrap();
    assert_eq!(users(&database), (5, 5));
    assert_sums_equal_rows(&database);
}

#[test]
fn opening_again_changes_nothing() {
    let (folder, database) = open();
    database.set_setting("k", Some("v")).unwrap();
    drop(database);
    let database = Database::open(&folder.path().join("new/folder/live.db")).unwrap();
    assert_eq!(database.setting("k").unwrap().as_deref(), Some("v"));
    assert!(database.size_bytes() > 0);
}

/// Opens what `make` has put at the path, and gives back the refusal.
fn refusal(make: impl FnOnce(&Path)) -> OpenError {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.db");
    make(&path);
    let before = std::fs::read(&path).ok();
    let error = Database::open(&path).err().expect("refused");
    assert_eq!(std::fs::read(&path).ok(), before, "untouched");
    assert!(error.to_string().contains("live.db"), "{error}");
    error
}

#[test]
fn what_is_not_ours_is_refused_and_untouched() {
    let error = refusal(|path| std::fs::write(path, "no database, but long enough to be one".repeat(100)).unwrap());
    assert!(matches!(error, OpenError::Unreadable { .. }), "{error:?}");

    let error = refusal(|path| std::fs::create_dir(path).unwrap());
    assert!(matches!(error, OpenError::Connect { .. }), "{error:?}");

    let error = refusal(|path| {
        let mut other = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        other.batch_execute("CREATE TABLE danmaku_data (id INTEGER)").unwrap();
    });
    assert!(matches!(&error, OpenError::Foreign { table, .. } if table == "danmaku_data"), "{error:?}");

    let error = refusal(|path| {
        let database = Database::open(path).unwrap();
        let later = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000001')";
        database.writer().unwrap().batch_execute(later).unwrap();
    });
    assert!(matches!(&error, OpenError::Newer { version, .. } if version == "20991231000001"), "{error:?}");
}

#[test]
fn readers_cannot_write() {
    let (_folder, database) = open();
    let mut reader = database.reader().unwrap();
    assert!(reader.batch_execute("INSERT INTO blm_setting (key, value) VALUES ('a', 'b')").is_err());
}

#[tokio::test]
async fn a_panic_while_writing_leaves_no_half_transaction() {
    let (_folder, database) = open();
    let panicked = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .run(|database| -> Result<(), QueryError> {
                    let mut writer = database.writer()?;
                    writer.batch_execute("BEGIN IMMEDIATE; INSERT INTO blm_setting VALUES ('half', 'done')").unwrap();
                    panic!("in the middle");
                })
                .await
        }
    });
    assert!(panicked.await.unwrap_err().is_panic(), "the panic reaches the caller");
    database.run(|database| database.set_setting("whole", Some("done"))).await.unwrap();
    assert_eq!(database.setting("half").unwrap(), None);
    assert_eq!(database.setting("whole").unwrap().as_deref(), Some("done"));
}
