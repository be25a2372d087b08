//! Reads an object that is written as JSON inside a text of JSON, where it lies: without taking the escapes out first.
//!
//! A chat line carries a kilobyte of such an object, of which a few short fields are wanted, and nearly always nothing
//! in it is escaped but its quotes. Not here: objects with other escapes, with white space between their parts, or
//! with a fraction or an object where a field is wanted. They are refused, and `serde_json` reads them (`lenient::Embedded`).
//!
//! Invariant: of valid JSON it reads what `serde_json` reads, or nothing. What is stepped over is not checked.

use memchr::{memchr, memchr2};
use serde::{
    de::{
        Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor,
        value::{BorrowedStrDeserializer, Error, MapAccessDeserializer},
    },
    forward_to_deserialize_any,
};

/// The object that is all of `text`, which is what lies between the quotes of a JSON text, with its escapes.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let members = Members { rest: text.strip_prefix('{')?, value: Value::Other("") };
    T::deserialize(MapAccessDeserializer::new(members)).ok()
}

/// A quote as it stands in a text.
const QUOTE: &str = "\\\"";

/// An object on the way through it.
struct Members<'a> {
    /// From the next member on.
    rest: &'a str,
    /// Of the member whose name was asked for last.
    value: Value<'a>,
}

/// A value as it stands in the text.
#[derive(Clone, Copy)]
enum Value<'a> {
    /// What is between the quotes of a text.
    Text(&'a str),
    /// The whole of anything else.
    Other(&'a str),
}

fn refused() -> Error {
    Error::custom("not as simple as that")
}

/// What is between the quotes with which `text` begins, and what follows. None if anything in it is escaped.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix(QUOTE)?;
    let (inside, rest) = text.split_at(memchr(b'\\', text.as_bytes())?);
    Some((inside, rest.strip_prefix(QUOTE)?))
}

/// The value with which `text` begins, and what follows.
fn value(text: &str) -> Option<(Value<'_>, &str)> {
    let length = match text.as_bytes().first()? {
        b'\\' => return quoted(text).map(|(inside, rest)| (Value::Text(inside), rest)),
        b'{' | b'[' => nested_length(text)?,
        b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => memchr2(b',', b'}', text.as_bytes())?,
        _ => return None,
    };
    let (other, rest) = text.split_at(length);
    Some((Value::Other(other), rest))
}

/// How long the object or list is with which `text` begins.
fn nested_length(text: &str) -> Option<usize> {
    let (mut rest, mut depth) = (text, 0_usize);
    loop {
        let at = rest.find(['{', '[', '}', ']', '\\'])?;
        let (mark, behind) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = behind;
        match mark {
            b'{' | b'[' => depth += 1,
            b'\\' => rest = quoted(&text[text.len() - behind.len() - 1..])?.1,
            _ if depth > 1 => depth -= 1,
            _ => return Some(text.len() - behind.len()),
        }
    }
}

impl<'a> Members<'a> {
    /// Moves over the next member: its name, and its value is at hand. None if it is not simple.
    fn step(&mut self) -> Option<&'a str> {
        let (name, rest) = quoted(self.rest)?;
        let (value, rest) = value(rest.strip_prefix(':')?)?;
        self.value = value;
        self.rest = match rest.strip_prefix(',') {
            Some("}") => return None,
            Some(more) => more,
            None => Some(rest).filter(|rest| *rest == "}")?,
        };
        Some(name)
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if self.rest == "}" {
            return Ok(None);
        }
        let name = self.step().ok_or_else(refused)?;
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.value)
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Other("true") => visitor.visit_bool(true),
            Value::Other("false") => visitor.visit_bool(false),
            Value::Other("null") => visitor.visit_unit(),
            Value::Other(other) => visitor.visit_i64(serde_json::from_str(other).map_err(|_| refused())?),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use serde_json::{Value as Json, json};

    use super::{
        super::lenient::{Int, Text},
        *,
    };

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Wanted {
        text: Text,
        number: Int,
    }

    /// Reads `json` as it stands between the quotes of a text that says it.
    fn inside(json: &str) -> Option<Wanted> {
        let text = serde_json::to_string(json).expect("is JSON");
        read(&text[1..text.len() - 1])
    }

    fn wanted(text: Option<&str>, number: Option<i64>) -> Option<Wanted> {
        Some(Wanted { text: Text(text.map(str::to_owned)), number: Int(number) })
    }

    #[test]
    fn what_chat_lines_carry_is_read_where_it_lies() {
        for (json, text, number) in [
            ("{}", None, None),
            (r#"{"text":"好耶","number":44}"#, Some("好耶"), Some(44)),
            (r#"{"a":false,"number":"-5","b":"","text":"{,}[:"}"#, Some("{,}[:"), Some(-5)),
            (r#"{"animation":{},"emots":null,"number":true,"c":-1.5e3}"#, None, Some(1)),
            (r#"{"emots":{"[花]":{"text":"}","number":[{"number":1},"]"]}},"text":"x"}"#, Some("x"), None),
            (r#"{"text":null,"card":{"oid":"","content":null},"l":[[1],["a"]]}"#, None, None),
        ] {
            assert_eq!(inside(json), wanted(text, number), "{json}");
        }
    }

    #[test]
    fn what_is_not_simple_is_refused() {
        for json in [
            "",
            "null",
            r#"{"text":"a \" b"}"#,
            r#"{"text":"a\n"}"#,
            r#"{"x":"\\","text":"a"}"#,
            r#"{"x":{"y":"\\"},"text":"a"}"#,
            r#"{"text": "a"}"#,
            r#"{"a": "x,", ":": 5}"#,
            r#"{"text":"a", "number":1}"#,
            r#"{"number":1.5}"#,
            r#"{"number":{"a":1}}"#,
            r#"{"number":18446744073709551615}"#,
            r#"{"number":1"#,
            r#"{"number":1,}"#,
            r#"{"number":1}}"#,
            r#"{"number":1} "#,
            r#"{"text":"a""number":1}"#,
            r#"{"x":[1,"text":"a"}"#,
            r#"{"x":,"text":"a"}"#,
            r#"{"text"}"#,
        ] {
            assert_eq!(inside(json), None, "{json}");
        }
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            r#"[a-z猫{}\[\],:"\\\n]{0,8}"#.prop_map(Json::from),
        ];
        let name = || prop_oneof!["text", "number", r#"[a-z猫{},:"\\]{0,4}"#];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            let members = vec((name(), inner.clone()), 0..4);
            prop_oneof![
                vec(inner, 0..4).prop_map(Json::from),
                members.prop_map(|all| json!(all.into_iter().collect::<serde_json::Map<_, _>>()))
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_is_read_that_is_not_said(json in any_json(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) };
            let text = text.expect("is JSON");
            if let Some(read) = inside(&text) {
                prop_assert_eq!(read, serde_json::from_str(&text).expect("an object"));
            }
        }
    }
}
