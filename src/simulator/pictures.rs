//! Faces, covers and small pictures, drawn as SVG: nothing is fetched, nothing is anybody's.
//!
//! The same number always gives the same picture. Pure functions from a name or number to text.

use std::fmt::Write as _;

/// A face: two colours and a character.
pub(super) fn face(uid: u64, initial: &str) -> String {
    let hue = hash(uid) % 360;
    let turn = 30 + hash(uid ^ 0x5bd1) % 60;
    let (one, two) = (hsl(hue, 72, 66), hsl(hue + turn, 70, 48));
    let x = 12 + hash(uid ^ 7) % 76;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96"><defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="{one}"/><stop offset="1" stop-color="{two}"/></linearGradient></defs><rect width="96" height="96" fill="url(#g)"/><circle cx="{x}" cy="16" r="34" fill="#fff" opacity=".14"/><circle cx="20" cy="88" r="26" fill="#000" opacity=".07"/><text x="48" y="64" font-size="46" text-anchor="middle" fill="#fff" font-family="'Noto Sans SC','PingFang SC','Microsoft YaHei',sans-serif" font-weight="600">{}</text></svg>"##,
        escape(initial)
    )
}

/// A character for somebody of whom only the number is known.
pub(super) fn initial_of(uid: u64) -> &'static str {
    const INITIALS: [&str; 24] = [
        "鱼", "柴", "云", "月", "橘", "桃", "团", "夏", "路", "熊", "松", "豆", "荷", "柚", "星", "獭", "土", "糕",
        "鹅", "咖", "菇", "瓜", "鸥", "仓",
    ];
    INITIALS[(hash(uid ^ 99) % 24) as usize]
}

/// A cover, 16:9: hills under a sky.
pub(super) fn cover(room: u64) -> String {
    let hue = hash(room) % 360;
    let (sky, low, sun) = (hsl(hue, 58, 42), hsl(hue + 40, 68, 70), hsl(hue + 60, 90, 82));
    let mut hills = String::new();
    for layer in 0..3u64 {
        let mut path = String::from("M0 360");
        for step in 0..=8u64 {
            let y = 190 + layer * 45 + hash(room ^ (layer * 31 + step)) % 60;
            // Writing to a String cannot fail.
            let _ = write!(path, " L{} {y}", step * 80);
        }
        let _ = write!(
            hills,
            r#"<path d="{path} L640 360 Z" fill="{}" opacity=".55"/>"#,
            hsl(hue + 15 * layer, 45, 36 - 8 * layer)
        );
    }
    let x = 120 + hash(room ^ 3) % 400;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360" width="640" height="360"><defs><linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{sky}"/><stop offset="1" stop-color="{low}"/></linearGradient></defs><rect width="640" height="360" fill="url(#g)"/><circle cx="{x}" cy="110" r="52" fill="{sun}" opacity=".85"/>{hills}</svg>"##,
    )
}

/// An emoticon or a gift: a round badge with its name.
pub(super) fn badge(name: &str) -> String {
    let hue = hash(name.bytes().fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte))) % 360;
    let short: String = name.chars().take(2).collect();
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="64" height="64"><circle cx="32" cy="32" r="30" fill="{}"/><circle cx="24" cy="20" r="14" fill="#fff" opacity=".22"/><text x="32" y="40" font-size="22" text-anchor="middle" fill="#fff" font-family="'Noto Sans SC','PingFang SC','Microsoft YaHei',sans-serif" font-weight="700">{}</text></svg>"##,
        hsl(hue, 70, 58),
        escape(&short)
    )
}

fn hsl(hue: u64, saturation: u64, lightness: u64) -> String {
    format!("hsl({} {saturation}% {lightness}%)", hue % 360)
}

/// Scatters neighbouring numbers.
fn hash(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place_in_a_picture() {
        for picture in [face(1, "<"), cover(1), badge("<&")] {
            assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>"));
            assert!(!picture.contains("<script") && !picture.contains("a&b"), "{picture}");
        }
    }
}
