//! Texts with half characters in them, mended: what a name loses when it is cut in the middle of a character.
//!
//! JSON writes characters beyond the first 65,536, such as most emoji, as two halves (`\ud83d\ude00`). A half
//! alone is no text, and a strict reader refuses the whole message for it. Here each half becomes the character that
//! stands for what cannot be read. Not here: looking for them in every message; only one that could not be read is mended.
//!
//! Invariant: whole characters, and everything that is no such half, stay as they are.

/// The mended message; none if there is nothing to mend.
pub fn mended(json: &str) -> Option<String> {
    let mut mended = String::new();
    let mut taken = 0;
    let mut from = 0;
    while let Some(at) = json[from..].find("\\u").map(|at| from + at) {
        from = at + 2;
        let Some(unit) = unit(json, from) else { continue };
        let digits = from..from + 4;
        match unit {
            HIGH_FIRST..LOW_FIRST => match low_half_at(json, digits.end) {
                Some(end) => from = end,
                None => replace(json, digits, &mut taken, &mut mended),
            },
            LOW_FIRST..=LOW_LAST => replace(json, digits, &mut taken, &mut mended),
            _ => {}
        }
    }
    if taken == 0 {
        return None;
    }
    mended.push_str(&json[taken..]);
    Some(mended)
}

/// First of the halves that come first, ...
const HIGH_FIRST: u32 = 0xd800;
/// ... first of those that come second, ...
const LOW_FIRST: u32 = 0xdc00;
/// ... and the last of all.
const LOW_LAST: u32 = 0xdfff;

/// The number that the four digits at `at` are.
fn unit(json: &str, at: usize) -> Option<u32> {
    let digits = json.get(at..at + 4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

/// Where the second half ends that stands at `at`. In JSON within a text its backslash is doubled.
fn low_half_at(json: &str, at: usize) -> Option<usize> {
    let digits = ["\\u", "\\\\u"].iter().find(|mark| json[at..].starts_with(**mark)).map(|mark| at + mark.len())?;
    unit(json, digits).filter(|unit| (LOW_FIRST..=LOW_LAST).contains(unit)).map(|_| digits + 4)
}

fn replace(json: &str, digits: std::ops::Range<usize>, taken: &mut usize, mended: &mut String) {
    mended.push_str(&json[*taken..digits.start]);
    mended.push_str("fffd");
    *taken = digits.end;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_characters_are_replaced_and_whole_ones_stay() {
        for (json, expected) in [
            (r#"{"a":"\ud83d"}"#, Some(r#"{"a":"\ufffd"}"#)),
            (r#"{"a":"\uDE00x"}"#, Some(r#"{"a":"\ufffdx"}"#)),
            (r#"{"a":"\ud83d\ude00\ud83d"}"#, Some(r#"{"a":"\ud83d\ude00\ufffd"}"#)),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, Some(r#"{"a":"\ufffd\ud83d\ude00"}"#)),
            (r#"{"a":"{\"b\":\"\\ud83d\\ude00\\ud83d\"}"}"#, Some(r#"{"a":"{\"b\":\"\\ud83d\\ude00\\ufffd\"}"}"#)),
            (r#"{"a":"\ud83d\u4e00"}"#, Some(r#"{"a":"\ufffd\u4e00"}"#)),
            (r#"{"a":"\ud83d"#, Some(r#"{"a":"\ufffd"#)),
            (r#"{"a":"\ud83d\ude00 \u4e00 猫"}"#, None),
            (r#"{"a":"\u12"}"#, None),
            (r#"{"a":"\u+d80猫"}"#, None),
            ("", None),
        ] {
            assert_eq!(mended(json).as_deref(), expected, "{json}");
        }
    }
}
