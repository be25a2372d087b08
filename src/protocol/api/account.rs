//! Accounts: who is logged in, logging in by QR code, and whether the cookies want to be renewed.
//!
//! Not here: the path that proves a renewal (`renewal`), what the cookies are kept in (`upstream`).

use serde::{Deserialize, de::IgnoredAny};

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

/// What a login by QR code begins with. The key is a secret: whoever has it becomes the account.
#[derive(Clone, PartialEq, Eq)]
pub struct QrCode {
    /// What the picture says.
    pub url: String,
    /// What is asked about it.
    pub key: String,
}

/// Where a login by QR code stands.
#[derive(Clone, PartialEq, Eq)]
pub enum QrState {
    /// Nobody has scanned it.
    Waiting,
    /// Scanned; the phone asks its owner.
    Scanned,
    /// Too late: another one is needed.
    Expired,
    /// Logged in. The cookies came with the reply.
    Confirmed {
        /// Renews the cookies one day. Secret.
        refresh_token: String,
        /// An address with the cookies as parameters. Secret.
        url: String,
    },
}

/// `nav`: who is logged in. Nobody is the refusal [`super::super::Refusal::NotLoggedIn`].
pub fn parse_account(body: &[u8]) -> Result<Account, ApiError> {
    let nav: Nav = Envelope::read(body)?.data()?;
    let uid = nav.mid.positive().and_then(|uid| u64::try_from(uid).ok()).ok_or(ApiError::Missing("mid"))?;
    Ok(Account { uid: Uid(uid), uname: nav.uname.or_empty() })
}

/// `qrcode/generate`.
pub fn parse_qr_code(body: &[u8]) -> Result<QrCode, ApiError> {
    let code: Generated = Envelope::read(body)?.data()?;
    let url = code.url.filled().ok_or(ApiError::Missing("url"))?;
    let key = code.qrcode_key.filled().ok_or(ApiError::Missing("qrcode_key"))?;
    Ok(QrCode { url, key })
}

/// `qrcode/poll`: what counts is the inner code.
pub fn parse_qr_state(body: &[u8]) -> Result<QrState, ApiError> {
    let polled: Polled = Envelope::read(body)?.data()?;
    match polled.code.0 {
        Some(86101) => Ok(QrState::Waiting),
        Some(86090) => Ok(QrState::Scanned),
        Some(0) => Ok(QrState::Confirmed {
            refresh_token: polled.refresh_token.filled().ok_or(ApiError::Missing("refresh_token"))?,
            url: polled.url.or_empty(),
        }),
        // 86038, and whatever else says that this code leads nowhere.
        Some(_) => Ok(QrState::Expired),
        None => Err(ApiError::Missing("code")),
    }
}

/// `cookie/info`: when the cookies want to be renewed, the time (unix ms) to prove it with.
pub fn parse_cookie_info(body: &[u8]) -> Result<Option<i64>, ApiError> {
    let info: CookieInfo = Envelope::read(body)?.data()?;
    if !info.refresh.is_set() {
        return Ok(None);
    }
    info.timestamp.positive().map(Some).ok_or(ApiError::Missing("timestamp"))
}

/// `cookie/refresh`: the token for the next renewal. The new cookies came with the reply.
pub fn parse_renewed(body: &[u8]) -> Result<String, ApiError> {
    let renewed: Polled = Envelope::read(body)?.data()?;
    renewed.refresh_token.filled().ok_or(ApiError::Missing("refresh_token"))
}

/// A reply that only says yes or no, as `confirm/refresh` does.
pub fn parse_consent(body: &[u8]) -> Result<(), ApiError> {
    Envelope::read(body)?.data::<IgnoredAny>().map(drop)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Nav {
    mid: Int,
    uname: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Generated {
    url: Text,
    qrcode_key: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Polled {
    code: Int,
    refresh_token: Text,
    url: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CookieInfo {
    refresh: Int,
    timestamp: Int,
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

    #[test]
    fn a_login_goes_by_its_inner_code() {
        let begun = br#"{"code":0,"data":{"url":"https://passport.example/scan?qrcode_key=k","qrcode_key":"k"}}"#;
        assert_eq!(parse_qr_code(begun).expect("is one").key, "k");
        assert!(matches!(parse_qr_code(br#"{"code":0,"data":{"url":"x"}}"#), Err(ApiError::Missing("qrcode_key"))));

        let state = |data: &str| parse_qr_state(format!(r#"{{"code":0,"message":"0","data":{data}}}"#).as_bytes());
        assert!(matches!(state(r#"{"url":"","refresh_token":"","code":86101}"#), Ok(QrState::Waiting)));
        assert!(matches!(state(r#"{"code":"86090"}"#), Ok(QrState::Scanned)));
        assert!(matches!(state(r#"{"code":86038}"#), Ok(QrState::Expired)));
        let done = state(r#"{"code":0,"refresh_token":"r","url":"u","timestamp":1}"#).expect("is one");
        assert!(matches!(done, QrState::Confirmed { refresh_token, .. } if refresh_token == "r"));
        assert!(matches!(state(r#"{"code":0,"refresh_token":""}"#), Err(ApiError::Missing("refresh_token"))));
        assert!(matches!(state("{}"), Err(ApiError::Missing("code"))));
    }

    #[test]
    fn renewal_is_wanted_or_not_and_takes_a_time_to_prove_it() {
        let info = |data: &str| parse_cookie_info(format!(r#"{{"code":0,"data":{data}}}"#).as_bytes());
        assert_eq!(info(r#"{"refresh":false,"timestamp":1734097559862}"#).expect("is one"), None);
        assert_eq!(info(r#"{"refresh":true,"timestamp":1734097559862}"#).expect("is one"), Some(1_734_097_559_862));
        assert!(info(r#"{"refresh":true}"#).is_err());
        let out = parse_cookie_info(br#"{"code":-101,"message":"x"}"#).expect_err("is a refusal");
        assert_eq!(out.refusal(), Some(Refusal::NotLoggedIn));
        assert!(parse_consent(br#"{"code":0,"message":"0","ttl":1}"#).is_ok());
        assert!(parse_consent(br#"{"code":-111,"message":"csrf"}"#).is_err());
    }
}
