//! Who else may come in, and what was changed by whom.
//!
//! Of a key only its hash is stored: whoever reads the database cannot use it. The audit log keeps every
//! write that somebody was admitted to, the newest some thousands of them.

use diesel::prelude::*;
use serde::Serialize;

use super::{
    schema::{blm_accesskey as key, blm_audit as audit},
    sqlite::{Database, QueryError, failed},
};

/// Entries that the audit log keeps.
const AUDIT_KEPT: i64 = if cfg!(test) { 3 } else { 10_000 };

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Queryable, Selectable)]
#[diesel(table_name = key)]
pub struct AccessKey {
    /// Number of the row.
    pub id: i64,
    /// What the administrator calls it.
    pub name: String,
    /// `admin`, `read` or `share`.
    pub scope: String,
    /// SHA-256 of the key, hexadecimal.
    #[serde(skip)]
    pub digest: String,
    /// When it was made, unix ms.
    pub created_ms: i64,
}

/// A write, as the audit log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
pub struct AuditEntry {
    /// When, unix ms.
    pub at_ms: i64,
    /// The session, or the name of the key.
    pub actor: String,
    /// From where.
    pub address: String,
    /// Method and path.
    pub action: String,
    /// The answer's status.
    pub status: i64,
    /// What came of it, as far as the answer's target says.
    pub detail: String,
}

impl Database {
    /// Every key, in the order they were made.
    pub fn access_keys(&self) -> Result<Vec<AccessKey>, QueryError> {
        key::table
            .order(key::id)
            .select(AccessKey::as_select())
            .load(&mut self.reader()?)
            .map_err(failed("list the keys"))
    }

    /// Keeps a new key.
    pub fn add_access_key(&self, name: &str, scope: &str, digest: &str, now_ms: i64) -> Result<AccessKey, QueryError> {
        diesel::insert_into(key::table)
            .values((key::name.eq(name), key::scope.eq(scope), key::digest.eq(digest), key::created_ms.eq(now_ms)))
            .returning(AccessKey::as_returning())
            .get_result(&mut *self.writer()?)
            .map_err(failed("keep a key"))
    }

    /// Forgets a key; whether there was one.
    pub fn remove_access_key(&self, id: i64) -> Result<bool, QueryError> {
        let gone = diesel::delete(key::table.find(id)).execute(&mut *self.writer()?);
        gone.map(|rows| rows > 0).map_err(failed("forget a key"))
    }

    /// Adds to the audit log; the oldest entry goes when there are too many.
    pub fn note_write(&self, entry: &AuditEntry) -> Result<(), QueryError> {
        let mut writer = self.writer()?;
        writer
            .immediate_transaction(|writer| {
                let id: i64 =
                    diesel::insert_into(audit::table).values(entry).returning(audit::id).get_result(writer)?;
                diesel::delete(audit::table.filter(audit::id.le(id - AUDIT_KEPT))).execute(writer).map(drop)
            })
            .map_err(failed("write the audit log"))
    }

    /// The newest entries of the audit log, newest first.
    pub fn audit_log(&self, limit: i64) -> Result<Vec<AuditEntry>, QueryError> {
        audit::table
            .order(audit::id.desc())
            .limit(limit)
            .select(AuditEntry::as_select())
            .load(&mut self.reader()?)
            .map_err(failed("read the audit log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_writes_are_kept_until_they_are_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(&folder.path().join("live.db")).expect("a database");
        let first = database.add_access_key("obs", "read", "aa", 1).expect("kept");
        database.add_access_key("robot", "admin", "bb", 2).expect("kept");
        assert!(database.add_access_key("again", "read", "aa", 3).is_err(), "the same key twice");
        assert!(database.remove_access_key(first.id).expect("forgotten"));
        assert!(!database.remove_access_key(first.id).expect("asked"));
        let names: Vec<String> = database.access_keys().expect("listed").into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["robot"]);
        for n in 0..5 {
            let entry = AuditEntry {
                at_ms: n,
                actor: "robot".into(),
                address: "::1".into(),
                action: "POST /x".into(),
                status: 200,
                detail: String::new(),
            };
            database.note_write(&entry).expect("written");
        }
        let times: Vec<i64> = database.audit_log(10).expect("read").iter().map(|entry| entry.at_ms).collect();
        assert_eq!(times, [4, 3, 2]);
    }
}
