//! Settings about the way to the pages: which proxies are believed, and below which path the site stands.
//!
//! Only how they are written; what follows from them is the web server's business.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::Deserialize;

/// Addresses and networks, comma-separated; `none` for nobody.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(super) struct Networks(pub(super) Vec<IpNet>);

impl Default for Networks {
    /// A proxy on this machine.
    fn default() -> Networks {
        Networks(vec![
            IpNet::new_assert([127, 0, 0, 0].into(), 8),
            IpNet::new_assert([0, 0, 0, 0, 0, 0, 0, 1].into(), 128),
        ])
    }
}

impl FromStr for Networks {
    type Err = String;
    fn from_str(text: &str) -> Result<Networks, String> {
        if text.trim() == "none" {
            return Ok(Networks(Vec::new()));
        }
        let one = |word: &str| {
            let word = word.trim();
            let network = word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from));
            network.ok_or_else(|| format!("{word:?} is not an address or a network such as 10.0.0.0/8; or give none"))
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Networks)
    }
}

impl TryFrom<String> for Networks {
    type Error = String;
    fn try_from(text: String) -> Result<Networks, String> {
        text.parse()
    }
}

/// Nothing, or a path that can stand in any address as it is.
pub(super) fn is_base_path(path: &str) -> bool {
    path.is_empty()
        || path.starts_with('/')
            && !path.contains("//")
            && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_addresses_networks_or_none() {
        let read = |text: &str| text.parse::<Networks>().map(|read| read.0.len()).ok();
        for (text, expected) in
            [("none", Some(0)), ("10.0.0.0/8, ::1", Some(2)), ("192.0.2.7", Some(1)), ("", None), ("10.0.0.0/33", None)]
        {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_base_path_needs_no_escaping_anywhere() {
        for (path, good) in [
            ("", true),
            ("/bili", true),
            ("/a/b-1", true),
            ("bili", false),
            ("//evil", false),
            ("/a\"b", false),
            ("/ä", false),
        ] {
            assert_eq!(is_base_path(path), good, "{path}");
        }
    }
}
