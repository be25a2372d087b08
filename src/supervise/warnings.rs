//! The last warnings and errors of the log, for the debug page; the log itself is `telemetry`'s.
//!
//! There is one log in a process, so there is one of these. What looks like a secret is taken out before a
//! line is kept: none should be logged at all, but this page is read by more people than the log.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

use super::vitals::unix_ms;

/// Lines kept.
const KEPT: usize = 100;
/// Longest line kept, characters: upstream text may stand in one.
const LENGTH: usize = 500;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// When, unix ms.
    pub at: i64,
    /// `WARN` or `ERROR`.
    pub level: &'static str,
    /// The module that said it.
    pub target: String,
    /// The sentence.
    pub text: String,
}

static LAST: Mutex<VecDeque<Warning>> = Mutex::new(VecDeque::new());

/// Keeps a line.
pub fn note(level: &'static str, target: &str, text: &str) {
    let warning = Warning { at: unix_ms(), level, target: target.to_owned(), text: redacted(text) };
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    last.truncate(KEPT - 1);
    last.push_front(warning);
}

/// The last lines, newest first.
pub fn last() -> Vec<Warning> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

/// What comes before a secret, in lower case.
const BEFORE_SECRETS: [&str; 13] = [
    "sessdata=",
    "bili_jct=",
    "dedeuserid__ckmd5=",
    "refresh_token=",
    "access_key=",
    "token=",
    "password=",
    "csrf=",
    "buvid3=",
    "buvid4=",
    "w_rid=",
    "bearer ",
    "password: some(\"",
];

/// `text` on one line, shortened, and without what looks like a secret.
pub fn redacted(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(LENGTH));
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let secret = BEFORE_SECRETS
            .iter()
            .find(|before| rest.get(..before.len()).is_some_and(|found| found.eq_ignore_ascii_case(before)));
        if let Some(before) = secret {
            clean.push_str(&rest[..before.len()]);
            clean.push('…');
            rest = rest[before.len()..].trim_start_matches(|c: char| !matches!(c, ' ' | ';' | '&' | ',' | '"' | '\''));
        } else if let Some(after) = rest.strip_prefix("://") {
            clean.push_str("://");
            // A password of an address stands between the scheme and the host.
            let host = after.find(['/', ' ', '"', '?']).map_or(after, |end| &after[..end]).rfind('@');
            if host.is_some() {
                clean.push('…');
            }
            rest = &after[host.unwrap_or(0)..];
        } else {
            clean.push(if next.is_control() { ' ' } else { next });
            rest = &rest[next.len_utf8()..];
        }
    }
    match clean.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_taken_out() {
        for (text, expected) in [
            ("redis://:hunter2@localhost:6379/0 is away", "redis://…@localhost:6379/0 is away"),
            ("redis://localhost/0", "redis://localhost/0"),
            ("Cookie: SESSDATA=abc%2C1; bili_jct=0f; buvid3=X", "Cookie: SESSDATA=…; bili_jct=…; buvid3=…"),
            ("Authorization: Bearer robot, later", "Authorization: Bearer …, later"),
            ("a line\nand another", "a line and another"),
            ("第一句 token=秘密 第二句", "第一句 token=… 第二句"),
            ("Url { password: Some(\"hunter2\"), host: 1 }", "Url { password: Some(\"…\"), host: 1 }"),
            ("nothing here", "nothing here"),
        ] {
            assert_eq!(redacted(text), expected);
        }
        assert_eq!(redacted(&"长".repeat(9999)).chars().count(), LENGTH + 1);
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_kept(text in ".*") {
            proptest::prop_assert!(redacted(&text).chars().count() <= LENGTH + 1);
        }
    }
}
