//! Fields that hold anything but what they should.

use super::*;

fn from<'de, T: Deserialize<'de>>(json: &'de str) -> T {
    T::deserialize(&mut serde_json::Deserializer::from_str(json)).expect("never fails")
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
struct Inner {
    n: Int,
    t: Text,
}

#[derive(Debug, Default, PartialEq)]
struct Two(Int, Text);

impl<'de> Cells<'de> for Two {
    fn read<A: SeqAccess<'de>>(&mut self, at: usize, row: &mut A) -> Result<bool, A::Error> {
        match at {
            0 => cell(row, &mut self.0),
            2 => cell(row, &mut self.1),
            _ => skip(row),
        }
    }
}

const ANYTHING: [&str; 14] = [
    "null",
    "[]",
    "{}",
    "[1,[2],{\"a\":3}]",
    "{\"n\":[{}],\"t\":{}}",
    "\"\"",
    "\"{}\"",
    "0",
    "-1",
    "1.5",
    "1e300",
    "18446744073709551615",
    "true",
    "\"1万+\"",
];

#[test]
fn numbers_are_read_from_whatever_holds_one() {
    let numbers = ANYTHING.map(|json| from::<Int>(json).0);
    let expected = [None, None, None, None, None, None, None, Some(0), Some(-1), Some(1), None, None, Some(1), None];
    assert_eq!(numbers, expected);
    for (json, number) in [("\"42\"", 42), ("\" -7 \"", -7), ("\"3.9\"", 3), ("3546617034574414", 3546617034574414)] {
        assert_eq!(from::<Int>(json), Int(Some(number)), "{json}");
    }
    assert_eq!(from::<Thousandths>("29.9"), Thousandths(Some(29_900)));
    assert_eq!(from::<Thousandths>("\"30\""), Thousandths(Some(30_000)));
}

#[test]
fn nothing_surprises_a_field() {
    for json in ANYTHING {
        from::<Text>(json);
        from::<Thousandths>(json);
        from::<Object<Inner>>(json);
        from::<List<Object<Inner>>>(json);
        from::<Embedded<Inner>>(json);
        from::<Row<Two>>(json);
    }
    assert_eq!(from::<Text>("12"), Text(Some("12".into())));
    assert_eq!(from::<Object<Inner>>("[]"), Object(None));
    assert_eq!(from::<Object<Inner>>("{}"), Object(Some(Inner::default())));
    for json in ["{\"n\":1}", "\"{\\\"n\\\":1}\""] {
        assert_eq!(from::<Embedded<Inner>>(json), Embedded(Some(Inner { n: Int(Some(1)), t: Text(None) })), "{json}");
    }
    assert_eq!(from::<List<Int>>("{\"a\":1,\"b\":\"2\"}"), List(vec![Int(Some(1)), Int(Some(2))]));
}

#[test]
fn a_text_is_cut_to_what_is_kept() {
    for (text, kept) in [("a".repeat(4096), 4096), ("a".repeat(4097), 4096), ("猫".repeat(2000), 4095)] {
        let json = serde_json::to_string(&text).expect("is JSON");
        for cut in [from::<Text>(&json), Text::from(text.clone())] {
            let cut = cut.or_empty();
            assert_eq!((cut.len(), cut.capacity()), (kept, kept));
            assert!(text.starts_with(&cut));
        }
    }
}

#[test]
fn a_row_may_be_shorter_or_longer_than_known() {
    assert_eq!(from::<Row<Two>>("[\"1\"]"), Row(Two(Int(Some(1)), Text(None))));
    assert_eq!(from::<Row<Two>>("[1,2,3,[4]]"), Row(Two(Int(Some(1)), Text(Some("3".into())))));
    assert_eq!(from::<Row<Two>>("\"[]\""), Row(Two::default()));
}
