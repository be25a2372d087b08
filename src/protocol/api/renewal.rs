//! Renewing an account's cookies: the path that proves we may, and the page that answers it.
//!
//! The path is the text `refresh_<unix ms>` under the web page's public key (RSA-OAEP, SHA-256 also for the
//! mask), in lower hex. Not here: the calls around it and what is written down between them
//! (`upstream::renewal`).

use rand::rand_core::CryptoRng;
use rsa::{Oaep, PublicKey, pkcs8::DecodePublicKey};
use sha2::Sha256;

/// The web page's key, 1024 bits: a fact of the protocol, not a secret.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDLgd2OAkcGVtoE3ThUREbio0Eg
Uc/prcajMKXvkCKFCWhJYJcLkcM2DKKcSeFpD/j6Boy538YXnR6VhcuUJOhH2x71
nzPjfdTcqMz7djHum0qSZA0AyCBDABUqCrfNgCiJ00Ra7GmRj+YCK1NJEuewlb40
JNrRuoEUXpabUzGB8QIDAQAB
-----END PUBLIC KEY-----";

/// The last part of the address of the page that gives `refresh_csrf`; `timestamp_ms` came with `cookie/info`.
pub fn correspond_path(timestamp_ms: i64, dice: &mut impl CryptoRng) -> String {
    let key = PublicKey::from_public_key_pem(KEY).expect("the key above is one");
    sealed(&key, timestamp_ms, dice)
}

fn sealed(key: &PublicKey, timestamp_ms: i64, dice: &mut impl CryptoRng) -> String {
    let text = format!("refresh_{timestamp_ms}");
    let sealed = key
        .encrypt(dice, Oaep::<Sha256>::new(), text.as_bytes())
        .expect("28 bytes at most fit under a key of 1024 bits, which leaves 62");
    sealed.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `refresh_csrf` in that page: the text of the element `1-name`.
pub fn parse_refresh_csrf(page: &[u8]) -> Option<String> {
    let page = String::from_utf8_lossy(page);
    let element = &page[page.find("id=\"1-name\"").or_else(|| page.find("id='1-name'"))?..];
    let text = &element[element.find('>')? + 1..];
    let text = text[..text.find('<')?].trim();
    let is_one = !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric());
    is_one.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use rsa::{PrivateKey, traits::PublicKeyParts};

    use super::*;

    #[test]
    fn the_path_is_256_hex_digits_and_never_the_same_twice() {
        let paths = [0, 1_734_097_559_862, i64::MAX].map(|at| correspond_path(at, &mut rand::rng()));
        for path in &paths {
            assert!(path.len() == 256 && path.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{path}");
        }
        assert_ne!(paths[0], correspond_path(0, &mut rand::rng()));
    }

    #[test]
    fn whoever_has_the_private_key_reads_the_time() {
        let private = PrivateKey::new(&mut rand::rng(), 1024).expect("a key");
        let public = PublicKey::from(&private);
        assert_eq!(public.size(), 128);
        let path = sealed(&public, 1_734_097_559_862, &mut rand::rng());
        let bytes: Vec<u8> =
            (0..256).step_by(2).map(|at| u8::from_str_radix(&path[at..at + 2], 16).expect("hex")).collect();
        let plain = private.decrypt(Oaep::<Sha256>::new(), &bytes).expect("is sealed for this key");
        assert_eq!(plain, b"refresh_1734097559862");
    }

    #[test]
    fn the_page_gives_its_token_and_other_pages_none() {
        let page = br#"<html><body><div id="1-name">b0cc8411ded2f9db2cff2edb3123acac</div></body></html>"#;
        assert_eq!(parse_refresh_csrf(page).as_deref(), Some("b0cc8411ded2f9db2cff2edb3123acac"));
        for page in
            ["", "<html>404</html>", "<div id=\"1-name\"></div>", "<div id=\"1-name\">a b</div>", "id=\"1-name\""]
        {
            assert_eq!(parse_refresh_csrf(page.as_bytes()), None, "{page}");
        }
    }
}
