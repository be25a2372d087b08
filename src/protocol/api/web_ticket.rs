//! `GenWebTicket`: a ticket that makes risk control less likely, and the signing keys once more.

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use super::super::{
    envelope::{ApiError, Envelope},
    lenient::{Int, Object, Text},
    wbi::WbiKeys,
};

/// The ticket of a visitor or an account.
#[derive(Clone, PartialEq, Eq)]
pub struct WebTicket {
    /// The cookie `bili_ticket`.
    pub ticket: String,
    /// Until when it is good, unix seconds.
    pub expires_s: i64,
    /// The signing keys, if they came along.
    pub keys: Option<WbiKeys>,
}

/// The call's address, signed for `now_s` (unix seconds); `csrf` is the account's, or empty.
pub fn web_ticket_path(now_s: i64, csrf: &str) -> String {
    let signed = hexsign(now_s);
    format!(
        "/bapis/bilibili.api.ticket.v1.Ticket/GenWebTicket?key_id=ec02&hexsign={signed}&context[ts]={now_s}&csrf={csrf}"
    )
}

fn hexsign(now_s: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"XgwSnGZ1p").expect("a key of any length is accepted");
    mac.update(format!("ts{now_s}").as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Its answer.
pub fn parse_web_ticket(body: &[u8]) -> Result<WebTicket, ApiError> {
    let made: Made = Envelope::read(body)?.data()?;
    let ticket = made.ticket.filled().ok_or(ApiError::Missing("ticket"))?;
    let created = made.created_at.positive().ok_or(ApiError::Missing("created_at"))?;
    let nav = made.nav.or_default();
    Ok(WebTicket {
        ticket,
        expires_s: created.saturating_add(made.ttl.positive().unwrap_or(259_200)),
        keys: WbiKeys::from_urls(&nav.img.or_empty(), &nav.sub.or_empty()),
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Made {
    ticket: Text,
    created_at: Int,
    ttl: Int,
    nav: Object<Pictures>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pictures {
    img: Text,
    sub: Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_is_signed_as_the_published_vector() {
        let signed = "4899d09c73cc357c191a77c41562ea9a7b07e858e534040cf2a24bbadbecbbbf";
        assert_eq!(hexsign(1_702_204_169), signed);
        let path = web_ticket_path(1_702_204_169, "");
        assert!(path.ends_with(&format!("key_id=ec02&hexsign={signed}&context[ts]=1702204169&csrf=")), "{path}");
    }

    #[test]
    fn the_answer_brings_a_ticket_and_the_keys() {
        let body = br#"{"code":0,"data":{"ticket":"jwt","created_at":1702204169,"ttl":259200,"nav":{
            "img":"https://i0.hdslb.com/bfs/wbi/7cd084941338484aae1ad9425b84077c.png",
            "sub":"https://i0.hdslb.com/bfs/wbi/4932caff0ff746eab6f01bf08b70ac45.png"}}}"#;
        let ticket = parse_web_ticket(body).expect("is one");
        assert_eq!((ticket.ticket.as_str(), ticket.expires_s), ("jwt", 1_702_463_369));
        assert_eq!(ticket.keys.expect("came along").mixin_key(), "ea1db124af3c7062474693fa704f4ff8");
        assert!(parse_web_ticket(br#"{"code":400,"message":"bad"}"#).is_err());
    }
}
