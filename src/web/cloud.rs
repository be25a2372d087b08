//! What is said most: the phrases of many chat lines, for a word cloud.
//!
//! Pure, and without a dictionary: chat is full of names and words that are in none. In scripts without blanks every
//! stretch of two to six letters is counted, and one that nearly always stands between the same letters is a piece of
//! something longer and no phrase of its own; elsewhere words are words. A phrase counts once a line.

use std::collections::{HashMap, HashSet};

/// Letters of a stretch that is counted wherever it stands.
const LETTERS: std::ops::RangeInclusive<usize> = 2..=6;
/// A longer one counts if it stands alone.
const ALONE_MAX: usize = 20;
/// What fewer lines say is chance.
const LINES_MIN: usize = 3;
/// A stretch with the same neighbour so often is a piece of something longer.
const SAME_NEIGHBOUR: f64 = 0.75;
/// The largest size.
const LARGEST: usize = 6;
/// They are said in every room and tell nothing.
const TELL_NOTHING: [&str; 44] = [
    "这个", "那个", "什么", "怎么", "可以", "就是", "不是", "没有", "一个", "我们", "你们", "他们", "自己", "还是",
    "现在", "已经", "这么", "那么", "真的", "觉得", "因为", "所以", "但是", "如果", "the", "an", "to", "is", "it",
    "of", "in", "and", "you", "for", "that", "this", "my", "me", "on", "be", "are", "so", "we", "do",
];

/// What many lines say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// The words, in small letters, repeated letters taken together.
    pub text: String,
    /// How many lines say it.
    pub lines: usize,
    /// How large it is drawn, from 1.
    pub size: usize,
}

/// The `most` frequent phrases, the most frequent first.
pub fn phrases<'a>(lines: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<Phrase> {
    let lines: Vec<Vec<Run>> = lines.into_iter().map(runs).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for line in &lines {
        let said: HashSet<&str> = line.iter().flat_map(Run::stretches).map(|stretch| stretch.text).collect();
        for text in said {
            *counts.entry(text).or_default() += 1;
        }
    }
    counts.retain(|text, lines| *lines >= LINES_MIN && !TELL_NOTHING.contains(text));
    let mut neighbours: HashMap<&str, Neighbours> = HashMap::new();
    for stretch in lines.iter().flatten().flat_map(Run::stretches).filter(|stretch| counts.contains_key(stretch.text)) {
        neighbours.entry(stretch.text).or_default().add(&stretch);
    }
    counts.retain(|text, _| !neighbours.get(text).is_some_and(Neighbours::are_always_the_same));
    let mut found: Vec<(&str, usize)> = counts.into_iter().collect();
    found.sort_by(|(one, n), (other, m)| m.cmp(n).then(one.cmp(other)));
    found.truncate(most);
    let (top, low) = (found.first().map_or(0, |(_, n)| *n), found.last().map_or(0, |(_, n)| *n));
    let size =
        |n: usize| 1 + (((n - low) as f64 / (top - low).max(1) as f64).sqrt() * (LARGEST - 1) as f64).round() as usize;
    found.into_iter().map(|(text, n)| Phrase { text: text.to_owned(), lines: n, size: size(n) }).collect()
}

/// Letters without anything between them.
#[derive(Debug, PartialEq)]
struct Run {
    text: String,
    /// Where each letter begins, and the end.
    at: Vec<usize>,
    /// A script without blanks: its words are to be found.
    is_dense: bool,
}

/// A part of a run.
struct Stretch<'a> {
    text: &'a str,
    left: Option<char>,
    right: Option<char>,
}

impl Run {
    fn of(text: &str, is_dense: bool) -> Run {
        // 哈哈哈哈哈 is 哈哈, 666666 is 666.
        let repeats = if is_dense { 2 } else { 3 };
        let (mut squeezed, mut last, mut times) = (String::new(), None, 0);
        for letter in text.chars() {
            times = if last == Some(letter) { times + 1 } else { 1 };
            last = Some(letter);
            if times <= repeats {
                squeezed.push(letter);
            }
        }
        let mut at: Vec<usize> = squeezed.char_indices().map(|(at, _)| at).collect();
        at.push(squeezed.len());
        Run { text: squeezed, at, is_dense }
    }

    fn letters(&self) -> usize {
        self.at.len() - 1
    }

    /// What is counted of it.
    fn stretches(&self) -> impl Iterator<Item = Stretch<'_>> {
        let letters = self.letters();
        let whole = (*LETTERS.start()..=ALONE_MAX).contains(&letters).then_some((0, letters));
        let inner = LETTERS
            .filter(|_| self.is_dense)
            .flat_map(move |length| (0..(letters + 1).saturating_sub(length)).map(move |from| (from, from + length)));
        inner.filter(move |part| Some(*part) != whole).chain(whole).map(|(from, to)| Stretch {
            text: &self.text[self.at[from]..self.at[to]],
            left: self.text[..self.at[from]].chars().next_back(),
            right: self.text[self.at[to]..].chars().next(),
        })
    }
}

/// What stands before and after a stretch, over all its places.
#[derive(Default)]
struct Neighbours {
    places: usize,
    left: HashMap<char, usize>,
    right: HashMap<char, usize>,
}

impl Neighbours {
    fn add(&mut self, stretch: &Stretch<'_>) {
        self.places += 1;
        for (side, letter) in [(&mut self.left, stretch.left), (&mut self.right, stretch.right)] {
            if let Some(letter) = letter {
                *side.entry(letter).or_default() += 1;
            }
        }
    }

    fn are_always_the_same(&self) -> bool {
        let most = |side: &HashMap<char, usize>| side.values().copied().max().unwrap_or(0) as f64;
        most(&self.left).max(most(&self.right)) >= self.places as f64 * SAME_NEIGHBOUR
    }
}

/// A line without what is no letter. What it holds beside letters (marks, blanks, direction signs) only parts them.
fn runs(line: &str) -> Vec<Run> {
    let mut found = Vec::new();
    let (mut text, mut was_dense) = (String::new(), false);
    let mut end = |text: &mut String, is_dense| {
        if !text.is_empty() {
            found.push(Run::of(text, is_dense));
            text.clear();
        }
    };
    for letter in line.chars() {
        let dense = is_dense(letter);
        if !letter.is_alphanumeric() || dense != was_dense {
            end(&mut text, was_dense);
        }
        if letter.is_alphanumeric() {
            was_dense = dense;
            text.extend(letter.to_lowercase());
        }
    }
    end(&mut text, was_dense);
    found
}

/// Written without blanks between words: Chinese, Japanese.
fn is_dense(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line so many times.
    fn said(lines: &[(&str, usize)]) -> String {
        let all = lines.iter().flat_map(|(line, times)| std::iter::repeat_n(*line, *times));
        let found = phrases(all, 20);
        found.iter().map(|one| format!("{} {}", one.text, one.lines)).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn phrases_are_found_without_a_dictionary_and_their_pieces_are_none() {
        for (name, lines, expected) in [
            ("a whole line, and none of its parts", vec![("主播今天唱什么歌呢", 5)], "主播今天唱什么歌呢 5"),
            (
                "a word in many lines",
                vec![("主播好", 3), ("看主播", 3), ("爱主播啊", 3)],
                "主播 9, 主播好 3, 爱主播啊 3, 看主播 3",
            ),
            (
                "laughter of any length",
                vec![("哈哈哈哈哈", 2), ("哈哈哈", 2), ("66666", 2), ("666", 1)],
                "哈哈 4, 666 3",
            ),
            ("words between blanks", vec![("Good game, chat", 3), ("good GAME", 1)], "game 4, good 4, chat 3"),
            ("what tells nothing", vec![("这个", 9), ("the", 9)], ""),
            ("chance", vec![("晚上好", 2)], ""),
            ("said twice in a line", vec![("加油 加油", 3)], "加油 3"),
            ("marks part letters", vec![("\u{202e}来了\u{200b}来了<b>", 3)], "来了 3"),
        ] {
            assert_eq!(said(&lines), expected, "{name}");
        }
    }

    #[test]
    fn the_most_frequent_is_the_largest_and_the_rarest_the_smallest() {
        let lines = ["晚安"; 100].into_iter().chain(["早安"; 28]).chain(["午安"; 3]);
        let sizes: Vec<_> = phrases(lines, 20).into_iter().map(|one| (one.text, one.size)).collect();
        assert_eq!(sizes, [("晚安".to_owned(), 6), ("早安".to_owned(), 4), ("午安".to_owned(), 1)]);
        assert_eq!(phrases([], 20), []);
    }
}
