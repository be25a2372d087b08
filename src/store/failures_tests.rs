//! A history that fails while it stores: nothing of the batch is in it, nothing is blamed for it, and the same batch is
//! stored whole when it works again.

use diesel::connection::SimpleConnection;

use super::{
    Position, StoreKind,
    fixtures::{assert_sums_equal_rows, batch, danmaku, gift, number, open},
    outcome::Outcome,
    record::RecordError,
};

/// Fails whatever is put into `table`, as SQLite does for a reason of its own.
fn failing(table: &str, message: &str) -> String {
    format!("CREATE TRIGGER failing BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, '{message}'); END")
}

#[test]
fn what_fails_at_whatever_point_leaves_neither_rows_nor_sums_nor_a_position_and_is_nobodys_dead_letter() {
    for (table, message) in [
        ("live_data_giftdata", "database or disk is full"),
        ("live_data_danmakudata", "disk I/O error"),
        ("blm_roomtotal", "database or disk is full"),
        ("blm_ledger", "disk I/O error"),
        // The last that is written of a batch.
        ("live_data_datamigrationlog", "database or disk is full"),
    ] {
        let (_folder, database) = open();
        let first = [batch("1-0", vec![danmaku(1, 0, "a")])];
        database.record(StoreKind::Redis, &first).unwrap();
        let next = [batch("2-0", vec![danmaku(1, 1, "b"), gift(1, 2, 100)]), batch("3-0", vec![danmaku(2, 3, "c")])];
        database.writer().unwrap().batch_execute(&failing(table, message)).unwrap();
        let error = database.record(StoreKind::Redis, &next).unwrap_err();
        assert!(matches!(error, RecordError::Transaction { events: 3, .. }), "{table}: {error:?}");
        let position = |n: &str| Some(Position(format!("{n}-0")));
        assert_eq!(database.cursor(StoreKind::Redis).unwrap(), position("1"), "{table}");
        for stored in ["live_data_danmakudata", "live_data_datamigrationlog", "blm_ledger", "blm_roomtotal"] {
            let count = format!("SELECT count(*) AS n FROM {stored}");
            assert_eq!(number(&database, &count), 1, "{stored} when {table} fails");
        }
        assert_eq!(number(&database, "SELECT count(*) AS n FROM blm_deadletter"), 0, "{table}");

        database.writer().unwrap().batch_execute("DROP TRIGGER failing").unwrap();
        let recorded = database.record(StoreKind::Redis, &next).unwrap();
        assert_eq!(recorded.outcome(), Outcome { stored: 3, duplicate: 0, dead_letter: 0 }, "{table}");
        assert_eq!(database.cursor(StoreKind::Redis).unwrap(), position("3"), "{table}");
        assert_sums_equal_rows(&database);
    }
}
