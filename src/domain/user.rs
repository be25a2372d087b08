//! Who did something, as far as the upstream lets us see.
//!
//! Invariants: a hidden user has the number 0, which is never a person; and what stands for a hidden user is for
//! counting heads only: it is never turned back into a number, and the hash never leaves the stores.

use super::room::Uid;

/// Who did something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// 0 when masked, and for users of the Open Live platform.
    pub uid: Uid,
    /// As shown, masked to the first character and `***` when the upstream hides it.
    pub username: String,
    /// The upstream hid who it was.
    pub masked: bool,
    /// What stands for the number where there is none.
    pub alias: Option<Alias>,
}

/// What stands for a user whose number we are not told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alias {
    /// CRC-32 of the number that was hidden. Two with the same hash are one user; who it is stays hidden.
    Hash(u32),
    /// How an app of the Open Live platform knows the user.
    OpenId(String),
}

impl User {
    /// How the Open Live platform names the user, if it is one of its.
    pub fn open_id(&self) -> Option<&str> {
        match &self.alias {
            Some(Alias::OpenId(open_id)) => Some(open_id),
            _ => None,
        }
    }

    /// The hash that stands for a masked user, if the message carried one.
    pub fn hash(&self) -> Option<u32> {
        match self.alias {
            Some(Alias::Hash(hash)) => Some(hash),
            _ => None,
        }
    }
}

/// The hash by which the upstream stands for the user with this number.
pub fn hash_of(uid: Uid) -> u32 {
    crc32fast::hash(uid.to_string().as_bytes())
}

/// A fan badge worn (粉丝牌).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Medal {
    /// Its name.
    pub name: String,
    /// Its level, from 1.
    pub level: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_the_upstream_sends() {
        // The check value of CRC-32.
        assert_eq!(hash_of(Uid(123_456_789)), 0xcbf4_3926);
    }
}
