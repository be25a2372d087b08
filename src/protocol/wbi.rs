//! Signs requests the way the web page does ("wbi").
//!
//! Two keys, hidden in the names of two pictures, are shuffled into one secret that is hashed together
//! with the sorted parameters. Not here: fetching the keys (`actors::upstream`), the time.
//!
//! Invariant: what [`WbiKeys::sign`] writes, [`WbiKeys::verify`] accepts, in any order of the parameters.

use std::{borrow::Cow, fmt::Write as _};

use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The secret of the day. The upstream changes it rarely, but without notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WbiKeys {
    mixin_key: String,
}

impl WbiKeys {
    /// From the addresses of the two pictures in the answer of `nav`. `None` unless both hide a key of 32
    /// letters and digits.
    pub fn from_urls(img_url: &str, sub_url: &str) -> Option<WbiKeys> {
        let keys = [stem(img_url)?, stem(sub_url)?].concat();
        let mixin_key = SHUFFLE.iter().map(|&at| char::from(keys.as_bytes()[at])).collect();
        Some(WbiKeys { mixin_key })
    }

    /// The 32 characters that are hashed behind the parameters.
    pub fn mixin_key(&self) -> &str {
        &self.mixin_key
    }

    /// The signed query string: the parameters sorted by name, `wts` (unix seconds) among them and `w_rid`
    /// at the end.
    pub fn sign(&self, params: &[(&str, &str)], wts: u64) -> String {
        let wts = wts.to_string();
        let mut params = params.to_vec();
        params.push(("wts", &wts));
        let mut query = canonical(params);
        let w_rid = self.hash(&query);
        query.push_str("&w_rid=");
        query.push_str(&w_rid);
        query
    }

    /// Whether a query string, as it came over the wire, carries the right `w_rid`. How old its `wts` may
    /// be is for the caller to say.
    pub fn verify(&self, query: &str) -> bool {
        let pairs: Vec<(Cow<str>, Cow<str>)> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let Some((_, w_rid)) = pairs.iter().find(|(name, _)| name == "w_rid") else { return false };
        if !pairs.iter().any(|(name, _)| name == "wts") {
            return false;
        }
        let signed =
            pairs.iter().filter(|(name, _)| name != "w_rid").map(|(name, value)| (&**name, &**value)).collect();
        self.hash(&canonical(signed)) == **w_rid
    }

    fn hash(&self, query: &str) -> String {
        let mut hash = Md5::new();
        hash.update(query.as_bytes());
        hash.update(self.mixin_key.as_bytes());
        hash.finalize().iter().fold(String::with_capacity(32), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// Which character of the two keys stands where in the secret.
const SHUFFLE: [usize; 32] = [
    46, 47, 18, 2, 53, 8, 23, 32, 15, 50, 10, 31, 58, 3, 45, 35, 27, 43, 5, 49, 33, 9, 42, 19, 29, 28, 14, 39, 12, 38,
    41, 13,
];

/// What stays as it is in a query; the rest becomes `%` and upper-case hex, a blank too.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The part of a picture's address that is the key: its file name without the ending.
fn stem(url: &str) -> Option<&str> {
    let name = url.rsplit('/').next()?;
    let stem = name.split('.').next()?;
    (stem.len() == 32 && stem.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(stem)
}

/// The parameters in the form that is hashed.
fn canonical(mut params: Vec<(&str, &str)>) -> String {
    params.sort_by_key(|(name, _)| *name);
    let mut query = String::new();
    for (name, value) in params {
        if !query.is_empty() {
            query.push('&');
        }
        let value: String = value.chars().filter(|c| !matches!(c, '!' | '\'' | '(' | ')' | '*')).collect();
        query.extend(utf8_percent_encode(name, ENCODED));
        query.push('=');
        query.extend(utf8_percent_encode(&value, ENCODED));
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> WbiKeys {
        WbiKeys::from_urls(
            "https://i0.hdslb.com/bfs/wbi/7cd084941338484aae1ad9425b84077c.png",
            "https://i0.hdslb.com/bfs/wbi/4932caff0ff746eab6f01bf08b70ac45.png",
        )
        .expect("has keys")
    }

    #[test]
    fn published_vectors_are_signed_as_published() {
        assert_eq!(keys().mixin_key(), "ea1db124af3c7062474693fa704f4ff8");
        type Params<'a> = &'a [(&'a str, &'a str)];
        let table: [(Params, u64, &str); 4] = [
            (
                &[("foo", "114"), ("bar", "514"), ("zab", "1919810")],
                1702204169,
                "bar=514&foo=114&wts=1702204169&zab=1919810&w_rid=8f6f2b5b3d485fe1886cec6a0be8c5d4",
            ),
            (
                &[("web_location", "444.8"), ("type", "0"), ("id", "1017")],
                1748266797,
                "id=1017&type=0&web_location=444.8&wts=1748266797&w_rid=cf24f88ea0cbb61e7b29aed0c070187d",
            ),
            (
                &[("foo", "one one four"), ("bar", "五一四"), ("baz", "1919810")],
                1702204169,
                "bar=%E4%BA%94%E4%B8%80%E5%9B%9B&baz=1919810&foo=one%20one%20four&wts=1702204169\
                 &w_rid=04e50b58980e3e3cee8cbc0cc4c1c530",
            ),
            (
                &[("bar", "!514'"), ("zab", "(1919810)*"), ("foo", "114")],
                1702204169,
                "bar=514&foo=114&wts=1702204169&zab=1919810&w_rid=8f6f2b5b3d485fe1886cec6a0be8c5d4",
            ),
        ];
        for (params, wts, expected) in table {
            assert_eq!(keys().sign(params, wts), expected);
        }
    }

    #[test]
    fn what_is_signed_verifies_in_any_order_and_nothing_else_does() {
        let signed = keys().sign(&[("a b", "c&d=~e"), ("id", "1(7)!"), ("空", "+ %")], 1_700_000_000);
        assert!(keys().verify(&signed), "{signed}");
        let mut parts: Vec<&str> = signed.split('&').collect();
        parts.reverse();
        assert!(keys().verify(&parts.join("&")));
        for bad in [
            "",
            "id=1",
            "id=1&wts=1&w_rid=",
            &signed.replace("wts=17", "wts=18"),
            &signed.replace("w_rid=", "w_rid=0"),
            &format!("{signed}&more=1"),
        ] {
            assert!(!keys().verify(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_without_a_key_give_none() {
        let good = "https://i0.hdslb.com/bfs/wbi/653657f524a547ac981ded72ea172057.png";
        for bad in ["", "/", "https://i0.hdslb.com/bfs/wbi/short.png", "https://x/653657f524a547ac981ded72ea17205é.png"]
        {
            assert_eq!(WbiKeys::from_urls(good, bad), None, "{bad}");
            assert_eq!(WbiKeys::from_urls(bad, good), None, "{bad}");
        }
    }
}
