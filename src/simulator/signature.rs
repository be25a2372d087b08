//! How the platform checks who signed: the web page's "wbi", and HMAC-SHA256 for tickets and the open platform.
//!
//! Written from the protocol notes for the checking side, on purpose apart from what the product signs with:
//! an error in one of the two shows. Pure; how old a signature may be is for the caller to say.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rand::RngExt;
use sha2::Sha256;

/// The pair of keys of the day, hidden in the names of two pictures that do not exist.
#[derive(Clone, Debug)]
pub(super) struct PageKeys {
    pub img_url: String,
    pub sub_url: String,
    mixed: String,
}

/// Which character of the pair stands where in the secret.
const ORDER: [u8; 32] = [
    46, 47, 18, 2, 53, 8, 23, 32, 15, 50, 10, 31, 58, 3, 45, 35, 27, 43, 5, 49, 33, 9, 42, 19, 29, 28, 14, 39, 12, 38,
    41, 13,
];

const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl PageKeys {
    /// A new pair.
    pub fn draw(dice: &mut impl RngExt) -> PageKeys {
        let mut key = || format!("{:032x}", dice.random::<u128>());
        PageKeys::of(&key(), &key())
    }

    fn of(img: &str, sub: &str) -> PageKeys {
        let pair = [img, sub].concat();
        let picture = |key: &str| format!("https://i0.hdslb.com/bfs/wbi/{key}.png");
        let mixed = ORDER.iter().filter_map(|at| pair.as_bytes().get(usize::from(*at)).copied().map(char::from));
        PageKeys { img_url: picture(img), sub_url: picture(sub), mixed: mixed.collect() }
    }

    /// Whether a query, as it came, carries the right `w_rid`.
    pub fn accept(&self, query: &str) -> bool {
        let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let Some(place) = pairs.iter().position(|(name, _)| name == "w_rid") else { return false };
        let (_, signed) = pairs.remove(place);
        pairs.sort();
        let encode = |text: &str| utf8_percent_encode(text, KEPT).to_string();
        let pairs = pairs.iter().map(|(name, value)| {
            let value: String = value.chars().filter(|c| !"!'()*".contains(*c)).collect();
            format!("{}={}", encode(name), encode(&value))
        });
        md5_hex(format!("{}{}", pairs.collect::<Vec<_>>().join("&"), self.mixed).as_bytes()) == signed
    }
}

/// MD5 in lower hex.
pub(super) fn md5_hex(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// HMAC-SHA256 in lower hex.
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    hex(&mac.finalize().into_bytes())
}

/// Bytes in lower hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_signatures_are_accepted_and_no_others() {
        let keys = PageKeys::of("7cd084941338484aae1ad9425b84077c", "4932caff0ff746eab6f01bf08b70ac45");
        assert_eq!(keys.mixed, "ea1db124af3c7062474693fa704f4ff8");
        let good = [
            "foo=114&bar=514&zab=1919810&wts=1702204169&w_rid=8f6f2b5b3d485fe1886cec6a0be8c5d4",
            "w_rid=cf24f88ea0cbb61e7b29aed0c070187d&id=1017&type=0&web_location=444.8&wts=1748266797",
            "bar=%E4%BA%94%E4%B8%80%E5%9B%9B&baz=1919810&foo=one+one%20four&wts=1702204169&w_rid=04e50b58980e3e3cee8cbc0cc4c1c530",
        ];
        for query in good {
            assert!(keys.accept(query), "{query}");
            assert!(!keys.accept(&query.replace("wts=17", "wts=18")), "{query}");
        }
        assert!(!keys.accept("foo=114&wts=1"));
    }

    #[test]
    fn the_ticket_is_signed_as_published() {
        let expected = "4899d09c73cc357c191a77c41562ea9a7b07e858e534040cf2a24bbadbecbbbf";
        assert_eq!(hmac_sha256(b"XgwSnGZ1p", b"ts1702204169"), expected);
    }
}
