//! Who is logged in.

use serde::Deserialize;

use super::super::{
    envelope::{ApiError, Envelope},
    lenient::{Int, Text},
};
use crate::domain::Uid;

/// Who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The number.
    pub uid: Uid,
    /// The name.
    pub uname: String,
}

/// `nav`: who is logged in. Nobody is the refusal [`Refusal::NotLoggedIn`].
pub fn parse_account(body: &[u8]) -> Result<Account, ApiError> {
    let nav: Nav = Envelope::read(body)?.data()?;
    let uid = nav.mid.positive().and_then(|uid| u64::try_from(uid).ok()).ok_or(ApiError::Missing("mid"))?;
    Ok(Account { uid: Uid(uid), uname: nav.uname.or_empty() })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Nav {
    mid: Int,
    uname: Text,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Refusal;

    #[test]
    fn an_account_has_a_number_and_nobody_is_a_refusal() {
        let nobody = parse_account(br#"{"code":-101,"data":{"isLogin":false}}"#).expect_err("is a refusal");
        assert_eq!(nobody.refusal(), Some(Refusal::NotLoggedIn));
        let account = parse_account(r#"{"code":0,"data":{"mid":"55","uname":"小猫"}}"#.as_bytes()).expect("is one");
        assert_eq!(account, Account { uid: Uid(55), uname: "小猫".into() });
    }
}
