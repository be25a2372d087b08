//! Field types that never fail: what cannot be read as such is simply not there.
//!
//! The upstream sends numbers as text and text as numbers, `null` or `[]` for objects, and rows that
//! grow over the years. A struct built of these types reads a whole payload in one pass whatever has
//! become of single fields. Not here: deciding which missing field makes a message worthless; that is
//! the business of each decoder.
//!
//! Invariant: deserializing fails for broken JSON only, never for a surprising value.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
    value::MapAccessDeserializer, value::SeqAccessDeserializer,
};
use serde_json::value::RawValue;

use super::embedded;

/// A whole number: also from text, a decimal (cut off) or a boolean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Int(pub Option<i64>);

impl Int {
    /// The number, 0 if there is none.
    pub fn or_zero(self) -> i64 {
        self.0.unwrap_or(0)
    }

    /// The number if it is above 0.
    pub fn positive(self) -> Option<i64> {
        self.0.filter(|number| *number > 0)
    }

    /// The number if it is not below 0.
    pub fn not_negative(self) -> Option<i64> {
        self.0.filter(|number| *number >= 0)
    }

    /// For fields that mean yes unless they are 0, false or missing.
    pub fn is_set(self) -> bool {
        self.or_zero() != 0
    }

    /// This number unless it is missing or 0, else the other.
    pub fn or(self, other: Int) -> Int {
        if self.is_set() { self } else { Int(other.0.or(self.0)) }
    }
}

/// A decimal in thousandths, rounded: CNY to gold without a detour over floats in sums. One beyond all measure
/// is as large as can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thousandths(pub Option<i64>);

/// A text: also from a number, and never longer than [`MAX_TEXT`]. Missing and `null` are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub Option<String>);

/// How many bytes of a text are kept. Real ones are far shorter (a chat line has 100 characters, a name 50), but
/// what is bounded elsewhere by count would not be bounded in memory if one text could fill a message.
pub const MAX_TEXT: usize = 4096;

/// What is kept of a text.
fn within(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(Some(within(text).to_owned()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        if text.len() > MAX_TEXT { Text::from(text.as_str()) } else { Text(Some(text)) }
    }
}

impl Text {
    /// The text, empty if there is none.
    pub fn or_empty(self) -> String {
        self.0.unwrap_or_default()
    }

    /// The text unless it is empty.
    pub fn filled(self) -> Option<String> {
        self.0.filter(|text| !text.is_empty())
    }

    /// Like [`Text::filled`]; "0" counts as empty too, as it does for numbers that identify something.
    pub fn number(self) -> Option<String> {
        self.0.filter(|text| !text.is_empty() && text != "0")
    }

    /// This text unless it is missing or empty, else the other.
    pub fn or(self, other: Text) -> Text {
        self.or_else(|| other)
    }

    /// The same, where the other need not be made if it is not wanted.
    pub fn or_else(self, other: impl FnOnce() -> Text) -> Text {
        if self.0.as_deref().is_some_and(|text| !text.is_empty()) { self } else { Text(other().0.or(self.0)) }
    }
}

/// A text that is looked at and not kept: also from a number, and borrowed where the JSON has it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Glance<'a> {
    /// Missing.
    #[default]
    Nothing,
    /// A number, not written out yet.
    Number(i64),
    /// A text.
    Text(Cow<'a, str>),
}

impl Glance<'_> {
    /// The text, empty if there is none.
    pub fn or_empty(&self) -> Cow<'_, str> {
        match self {
            Glance::Nothing => Cow::Borrowed(""),
            Glance::Number(number) => Cow::Owned(number.to_string()),
            Glance::Text(text) => Cow::Borrowed(text),
        }
    }
}

impl From<Glance<'_>> for Text {
    fn from(glance: Glance) -> Text {
        match glance {
            Glance::Nothing => Text(None),
            glance => Text::from(&*glance.or_empty()),
        }
    }
}

/// An object; `null`, `[]`, `"{}"` and the like are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object<T>(pub Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Object<T> {
        Object(None)
    }
}

impl<T: Default> Object<T> {
    /// The object, an empty one if there is none.
    pub fn or_default(self) -> T {
        self.0.unwrap_or_default()
    }
}

/// An object, also as JSON inside a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded<T>(pub Option<T>);

impl<T> Default for Embedded<T> {
    fn default() -> Embedded<T> {
        Embedded(None)
    }
}

/// A list; an object is the list of its values, anything else an empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> List<T> {
        List(Vec::new())
    }
}

/// A list whose places have meanings, such as `info` of a chat line. One that is too short, or no list at
/// all, leaves the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row<T>(pub T);

/// What the places of a [`Row`] mean.
pub trait Cells<'de>: Default {
    /// Reads the cell at `at`. Answers false at the end of the row.
    fn read<A: SeqAccess<'de>>(&mut self, at: usize, row: &mut A) -> Result<bool, A::Error>;
}

/// Reads the next cell into its place.
pub fn cell<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(row: &mut A, place: &mut T) -> Result<bool, A::Error> {
    match row.next_element()? {
        Some(value) => {
            *place = value;
            Ok(true)
        }
        None => Ok(false),
    }
}

/// Steps over the next cell.
pub fn skip<'de, A: SeqAccess<'de>>(row: &mut A) -> Result<bool, A::Error> {
    Ok(row.next_element::<IgnoredAny>()?.is_some())
}

/// What a JSON value can become. Each method that is not written gives the default.
trait Shape<'de>: Sized {
    type Out: Default;

    fn integer(_number: i64) -> Self::Out {
        Self::Out::default()
    }
    fn unsigned(_beyond_integer: u64) -> Self::Out {
        Self::Out::default()
    }
    fn decimal(_number: f64) -> Self::Out {
        Self::Out::default()
    }
    fn boolean(_value: bool) -> Self::Out {
        Self::Out::default()
    }
    fn text(_text: &str) -> Self::Out {
        Self::Out::default()
    }
    fn borrowed(text: &'de str) -> Self::Out {
        Self::text(text)
    }
    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Self::Out, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::Out::default())
    }
    fn seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Self::Out, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::Out::default())
    }
}

struct Reader<S>(PhantomData<S>);

impl<'de, S: Shape<'de>> Visitor<'de> for Reader<S> {
    type Value = S::Out;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_bool<E>(self, value: bool) -> Result<S::Out, E> {
        Ok(S::boolean(value))
    }
    fn visit_i64<E>(self, number: i64) -> Result<S::Out, E> {
        Ok(S::integer(number))
    }
    fn visit_u64<E>(self, number: u64) -> Result<S::Out, E> {
        Ok(i64::try_from(number).map_or_else(|_| S::unsigned(number), S::integer))
    }
    fn visit_f64<E>(self, number: f64) -> Result<S::Out, E> {
        Ok(S::decimal(number))
    }
    fn visit_str<E>(self, text: &str) -> Result<S::Out, E> {
        Ok(S::text(text))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<S::Out, E> {
        Ok(S::borrowed(text))
    }
    fn visit_unit<E>(self) -> Result<S::Out, E> {
        Ok(S::Out::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<S::Out, A::Error> {
        S::map(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<S::Out, A::Error> {
        S::seq(seq)
    }
}

fn read<'de, S: Shape<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<S::Out, D::Error> {
    deserializer.deserialize_any(Reader::<S>(PhantomData))
}

impl Shape<'_> for Int {
    type Out = Int;

    fn integer(number: i64) -> Int {
        Int(Some(number))
    }
    fn decimal(number: f64) -> Int {
        Int((number.is_finite() && number.abs() < 9e18).then_some(number as i64))
    }
    fn boolean(value: bool) -> Int {
        Int(Some(i64::from(value)))
    }
    fn text(text: &str) -> Int {
        let text = text.trim();
        match text.parse() {
            Ok(number) => Int(Some(number)),
            Err(_) => text.parse().map_or(Int(None), Int::decimal),
        }
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Int, D::Error> {
        read::<Int, D>(deserializer)
    }
}

/// Reads an [`Int`] of money or pieces: one beyond all measure is as large as can be instead of missing, so that
/// it is seen to be absurd; yes and no are no amounts.
pub fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Int, D::Error> {
    read::<Amount, D>(deserializer)
}

struct Amount;

impl Shape<'_> for Amount {
    type Out = Int;

    fn integer(number: i64) -> Int {
        Int(Some(number))
    }
    fn unsigned(_: u64) -> Int {
        Int(Some(i64::MAX))
    }
    fn decimal(number: f64) -> Int {
        Int((!number.is_nan()).then_some(number as i64))
    }
    fn text(text: &str) -> Int {
        let text = text.trim();
        text.parse().map_or_else(|_| text.parse().map_or(Int(None), Amount::decimal), Amount::integer)
    }
}

impl Shape<'_> for Thousandths {
    type Out = Thousandths;

    fn unsigned(_: u64) -> Thousandths {
        Thousandths(Some(i64::MAX))
    }
    fn integer(number: i64) -> Thousandths {
        Thousandths(Some(number.saturating_mul(1000)))
    }
    fn decimal(number: f64) -> Thousandths {
        Thousandths((!number.is_nan()).then_some((number * 1000.0).round() as i64))
    }
    fn text(text: &str) -> Thousandths {
        text.trim().parse().map_or(Thousandths(None), Thousandths::decimal)
    }
}

impl<'de> Deserialize<'de> for Thousandths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Thousandths, D::Error> {
        read::<Thousandths, D>(deserializer)
    }
}

impl Shape<'_> for Text {
    type Out = Text;

    fn integer(number: i64) -> Text {
        Text(Some(number.to_string()))
    }
    fn decimal(number: f64) -> Text {
        Text(Some(number.to_string()))
    }
    fn text(text: &str) -> Text {
        Text::from(text)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        read::<Text, D>(deserializer)
    }
}

impl<'de: 'a, 'a> Shape<'de> for Glance<'a> {
    type Out = Glance<'a>;

    fn integer(number: i64) -> Glance<'a> {
        Glance::Number(number)
    }
    fn decimal(number: f64) -> Glance<'a> {
        Glance::Text(Cow::Owned(number.to_string()))
    }
    fn text(text: &str) -> Glance<'a> {
        Glance::Text(Cow::Owned(within(text).to_owned()))
    }
    fn borrowed(text: &'de str) -> Glance<'a> {
        Glance::Text(Cow::Borrowed(within(text)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Glance<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Glance<'a>, D::Error> {
        read::<Glance, D>(deserializer)
    }
}

impl<'de, T: Deserialize<'de>> Shape<'de> for Object<T> {
    type Out = Object<T>;

    fn map<A: MapAccess<'de>>(map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|object| Object(Some(object)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        read::<Object<T>, D>(deserializer)
    }
}

impl<'de, T: DeserializeOwned> Shape<'de> for Embedded<T> {
    type Out = Embedded<T>;

    fn text(text: &str) -> Embedded<T> {
        Embedded(serde_json::from_str(text).ok())
    }
    fn map<A: MapAccess<'de>>(map: A) -> Result<Embedded<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|object| Embedded(Some(object)))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Embedded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Embedded<T>, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        match text.and_then(embedded::read) {
            Some(object) => Ok(Embedded(Some(object))),
            None => read::<Embedded<T>, _>(&mut serde_json::Deserializer::from_str(raw)).map_err(Error::custom),
        }
    }
}

impl<'de, T: Deserialize<'de>> Shape<'de> for List<T> {
    type Out = List<T>;

    fn seq<A: SeqAccess<'de>>(seq: A) -> Result<List<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(List)
    }
    fn map<A: MapAccess<'de>>(mut map: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some((IgnoredAny, value)) = map.next_entry()? {
            list.push(value);
        }
        Ok(List(list))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List<T>, D::Error> {
        read::<List<T>, D>(deserializer)
    }
}

impl<'de, T: Cells<'de>> Shape<'de> for Row<T> {
    type Out = Row<T>;

    fn seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Row<T>, A::Error> {
        let mut cells = T::default();
        let mut at = 0;
        while cells.read(at, &mut seq)? {
            at += 1;
        }
        Ok(Row(cells))
    }
}

impl<'de, T: Cells<'de>> Deserialize<'de> for Row<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Row<T>, D::Error> {
        read::<Row<T>, D>(deserializer)
    }
}

#[cfg(test)]
#[path = "lenient_tests.rs"]
mod tests;
