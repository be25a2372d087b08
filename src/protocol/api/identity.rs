//! What says who asks: the visitor's cookies, and the keys that sign.
//!
//! Not here: who is logged in (`account`), signing (`wbi`).

use serde::Deserialize;

use super::super::{
    envelope::{ApiError, Envelope, Refusal},
    lenient::{Object, Text},
    wbi::WbiKeys,
};

/// The visitor's identity cookies.
#[derive(Clone, PartialEq, Eq)]
pub struct Buvid {
    /// Needed for the stream.
    pub buvid3: String,
    /// Makes risk control less likely; may be empty.
    pub buvid4: String,
}
impl std::fmt::Debug for Buvid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buvid").finish_non_exhaustive()
    }
}

/// `nav`: the signing keys, which come with or without login.
pub fn parse_nav(body: &[u8]) -> Result<WbiKeys, ApiError> {
    let mut envelope = Envelope::read(body)?;
    envelope.refusal = envelope.refusal.filter(|refusal| refusal.kind != Refusal::NotLoggedIn);
    let images = envelope.data::<Nav>()?.wbi_img.or_default();
    WbiKeys::from_urls(&images.img_url.or_empty(), &images.sub_url.or_empty()).ok_or(ApiError::Missing("wbi keys"))
}

/// `spi`: the visitor's identity.
pub fn parse_spi(body: &[u8]) -> Result<Buvid, ApiError> {
    let spi: Spi = Envelope::read(body)?.data()?;
    let buvid3 = spi.b_3.or(spi.buvid).filled().ok_or(ApiError::Missing("buvid3"))?;
    Ok(Buvid { buvid3, buvid4: spi.b_4.or_empty() })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Nav {
    wbi_img: Object<WbiImages>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WbiImages {
    img_url: Text,
    sub_url: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spi {
    b_3: Text,
    b_4: Text,
    buvid: Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_with_and_without_login() {
        let data = r#""data":{"isLogin":false,"wbi_img":{
            "img_url":"https://i0.hdslb.com/bfs/wbi/7cd084941338484aae1ad9425b84077c.png",
            "sub_url":"https://i0.hdslb.com/bfs/wbi/4932caff0ff746eab6f01bf08b70ac45.png"}}"#;
        for code in ["0", "-101", "\"-101\""] {
            let body = format!(r#"{{"code":{code},"message":"账号未登录","ttl":1,{data}}}"#);
            let keys = parse_nav(body.as_bytes()).expect("has keys");
            assert_eq!(keys.mixin_key(), "ea1db124af3c7062474693fa704f4ff8");
        }
        let refused = parse_nav(format!(r#"{{"code":-352,{data}}}"#).as_bytes()).expect_err("is a refusal");
        assert_eq!(refused.refusal(), Some(Refusal::RiskControl));
        assert!(matches!(parse_nav(br#"{"code":0,"data":[]}"#), Err(ApiError::Missing(_))));
    }

    #[test]
    fn an_identity_has_a_buvid3() {
        let both = parse_spi(br#"{"code":0,"data":{"b_3":"3","b_4":"4"},"message":"ok"}"#).expect("is one");
        assert_eq!(both, Buvid { buvid3: "3".into(), buvid4: "4".into() });
        let one = parse_spi(br#"{"code":0,"data":{"buvid":"3"}}"#).expect("is one");
        assert_eq!(one, Buvid { buvid3: "3".into(), buvid4: String::new() });
    }
}
