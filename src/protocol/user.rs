//! The user object that all newer messages carry, and who did something according to a message.
//!
//! Older messages name the user and the badge in fields of their own, newer ones in `uinfo`, many in
//! both. Not here: whether a masked name can be resolved; it cannot, and must not be.
//!
//! Invariant: a user is masked exactly if the number is 0; a badge has a name and a level above 0.

use serde::Deserialize;

use super::lenient::{Int, Object, Text};
use crate::domain::{Medal, Uid, User};

/// `uinfo` and its relatives, as far as we read it. The name, which most messages say in fields of their own as well, is
/// read as `N`: borrowed where it pays.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, bound(deserialize = "N: Default + Deserialize<'de>"))]
pub struct UserInfo<N = Text> {
    /// The number; 0 when masked.
    pub uid: Int,
    /// Name and picture.
    pub base: Object<Base<N>>,
    /// The badge worn.
    pub medal: Object<WornMedal>,
}

/// The part of a user object that names the user.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, bound(deserialize = "N: Default + Deserialize<'de>"))]
pub struct Base<N> {
    /// The name.
    pub name: N,
}

/// The badge in a user object.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct WornMedal {
    /// Its name.
    pub name: Text,
    /// Its level.
    pub level: Int,
}

/// The badge as older messages have it: `medal_info`, `fans_medal`, and in 2018 `medal`.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct OldMedal {
    medal_name: Text,
    medal_level: Int,
    #[serde(rename = "medalName")]
    medal_name_of_2018: Text,
    name: Text,
    level: Int,
}

impl<N: Default + Into<Text>> UserInfo<N> {
    /// Who this is, where the message's own fields for it may be filled or empty. The number and the name are from one
    /// place: there are messages that hide both in their own fields and tell them in the object.
    pub fn user(self, uid: Int, username: Text) -> (User, Option<Medal>) {
        let name = self.base.or_default().name;
        let own_first = uid.is_set() || !self.uid.is_set();
        let username = if own_first { username.or_else(|| name.into()) } else { name.into().or(username) }.or_empty();
        let uid = uid.or(self.uid).positive().and_then(|uid| u64::try_from(uid).ok()).unwrap_or(0);
        let medal = self.medal.or_default();
        (User { uid: Uid(uid), username, masked: uid == 0, alias: None }, worn(medal.name, medal.level))
    }
}

impl OldMedal {
    /// One of that name and level.
    pub fn of(name: impl Into<Text>, level: i64) -> OldMedal {
        OldMedal { medal_name: name.into(), medal_level: Int(Some(level)), ..OldMedal::default() }
    }

    /// The badge, if one is worn.
    pub fn worn(self) -> Option<Medal> {
        worn(self.medal_name.or(self.medal_name_of_2018).or(self.name), self.medal_level.or(self.level))
    }
}

/// A badge, if it is one.
pub fn worn(name: Text, level: Int) -> Option<Medal> {
    Some(Medal { name: name.filled()?, level: level.positive()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> (User, Option<Medal>) {
        serde_json::from_str::<UserInfo>(json).expect("reads").user(Int(None), Text(None))
    }

    #[test]
    fn number_and_name_are_from_one_place() {
        let object = |uid: i64, name: &str| UserInfo {
            uid: Int(Some(uid)),
            base: Object(Some(Base { name: Text::from(name) })),
            medal: Object::default(),
        };
        for (uid, name, info, expected) in [
            (0, "南***", object(5, "南京"), (5, "南京")),
            (0, "南***", object(5, ""), (5, "南***")),
            (0, "南***", object(0, "南***"), (0, "南***")),
            (0, "南***", object(0, "南京"), (0, "南***")),
            (5, "南京", object(5, "南***"), (5, "南京")),
            (5, "", object(5, "南京"), (5, "南京")),
        ] {
            let (user, _) = info.user(Int(Some(uid)), name.into());
            assert_eq!((user.uid.0, user.username.as_str(), user.masked), (expected.0, expected.1, expected.0 == 0));
        }
    }

    #[test]
    fn any_part_of_a_user_may_be_missing() {
        for (json, uid, name, medal) in [
            (r#"{"uid":5,"base":{"name":"阿猫"},"medal":{"name":"鱼","level":3}}"#, 5, "阿猫", Some(("鱼", 3))),
            (r#"{"uid":"5","base":null,"medal":null}"#, 5, "", None),
            (r#"{"uid":0,"base":{"name":"阿***"},"medal":{"name":"","level":3}}"#, 0, "阿***", None),
            (r#"{"uid":-5,"base":[],"medal":{"name":"鱼","level":0}}"#, 0, "", None),
            ("{}", 0, "", None),
        ] {
            let (user, worn) = read(json);
            assert_eq!(user, User { uid: Uid(uid), username: name.into(), masked: uid == 0, alias: None }, "{json}");
            assert_eq!(worn, medal.map(|(name, level)| Medal { name: name.into(), level }), "{json}");
        }
    }
}
