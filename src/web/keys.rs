//! Keys beside the password: for programs that administrate or read, and links that let others read.
//!
//! A key is 256 random bits, shown once; here and in the database there is only its hash. Keys of scope
//! `admin` may change things, `read` and `share` may see what the public may not. A `share` key also
//! works as a link: opened once, it becomes a cookie of that browser.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use crate::store::access::AccessKey;

/// What a key allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// To change things, and to see all.
    Admin,
    /// To see all.
    Read,
    /// To see all, by link.
    Share,
}

impl Scope {
    /// By its name in forms and in the database.
    pub fn from_name(name: &str) -> Option<Scope> {
        match name {
            "admin" => Some(Scope::Admin),
            "read" => Some(Scope::Read),
            "share" => Some(Scope::Share),
            _ => None,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Admin => "admin",
            Scope::Read => "read",
            Scope::Share => "share",
        }
    }
}

/// A key, as far as it has to be known to let somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its row.
    pub id: i64,
    /// What the administrator calls it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
}

/// All keys by the hash of each.
#[derive(Default)]
pub struct Keys(RwLock<HashMap<String, Known>>);

impl Keys {
    /// One more.
    pub fn add(&self, key: &AccessKey) {
        // A scope that a later version invented allows nothing here.
        let Some(scope) = Scope::from_name(&key.scope) else { return };
        let known = Known { id: key.id, name: key.name.clone(), scope };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key.digest.clone(), known);
    }

    /// From now on this one opens nothing.
    pub fn remove(&self, id: i64) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, known| known.id != id);
    }

    /// The key with that hash.
    pub fn find(&self, digest: &str) -> Option<Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_until_it_is_taken_back_and_an_unknown_scope_opens_nothing() {
        let keys = Keys::default();
        let key = |id, scope: &str, digest: &str| AccessKey {
            id,
            name: "k".into(),
            scope: scope.into(),
            digest: digest.into(),
            created_ms: 0,
        };
        keys.add(&key(1, "admin", "a"));
        keys.add(&key(2, "root", "b"));
        assert_eq!(keys.find("a").map(|known| known.scope), Some(Scope::Admin));
        assert_eq!((keys.find("b"), keys.find("c")), (None, None));
        keys.remove(1);
        assert_eq!(keys.find("a"), None);
    }
}
