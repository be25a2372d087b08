//! Money as integer gold inside and CNY with two decimals outside.
//!
//! Gold is the platform's unit: 1000 gold = CNY 1 = 10 batteries. Sums never leave integers; a decimal
//! exists only at the moment something is written for people or other programs.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount in gold. Negative amounts occur only as differences, never as prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gold(pub i64);

impl Gold {
    /// Nothing paid.
    pub const ZERO: Gold = Gold(0);

    /// The amount as CNY, rounded to the cent.
    pub fn cny(self) -> Cny {
        Cny(self)
    }

    /// Whole CNY as gold. Saturates instead of overflowing: prices come from outside.
    pub fn from_cny(cny: i64) -> Gold {
        Gold(cny.saturating_mul(1000))
    }

    /// This amount `n` times. Saturates instead of overflowing: counts come from outside.
    pub fn times(self, n: i64) -> Gold {
        Gold(self.0.saturating_mul(n))
    }

    /// True for nothing paid.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Add for Gold {
    type Output = Gold;
    fn add(self, other: Gold) -> Gold {
        Gold(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Gold {
    fn add_assign(&mut self, other: Gold) {
        *self = *self + other;
    }
}

impl Sum for Gold {
    fn sum<I: Iterator<Item = Gold>>(amounts: I) -> Gold {
        amounts.fold(Gold::ZERO, Add::add)
    }
}

/// Gold on its way out: a JSON number in CNY with at most two decimals, text with exactly two.
///
/// Reading one back is lossy below a cent, so a stored amount is always read from its gold field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cny(Gold);

impl Cny {
    /// The amount in cents (分), half a cent rounded away from zero.
    pub fn cents(self) -> i64 {
        let gold = self.0.0;
        gold / 10 + (gold % 10) / 5
    }

    /// The amount as a decimal number, for columns and JSON.
    pub fn as_f64(self) -> f64 {
        self.cents() as f64 / 100.0
    }

    /// The gold this was made from, or the nearest whole gold if it was read from a decimal.
    pub fn gold(self) -> Gold {
        self.0
    }
}

impl fmt::Display for Cny {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.cents();
        let sign = if cents < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
    }
}

impl Serialize for Cny {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Cny {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cny, D::Error> {
        let cny = f64::deserialize(deserializer)?;
        Ok(Cny(Gold((cny * 1000.0).round() as i64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gold_is_written_as_cny_with_two_decimals() {
        for (gold, text) in [
            (0, "0.00"),
            (1, "0.00"),
            (5, "0.01"),
            (100, "0.10"),
            (1000, "1.00"),
            (138_000, "138.00"),
            (-15, "-0.02"),
            (1_234_560, "1234.56"),
        ] {
            assert_eq!(Gold(gold).cny().to_string(), text, "{gold} gold");
        }
        assert_eq!(serde_json::to_string(&Gold(100).cny()).expect("a number"), "0.1");
    }

    #[test]
    fn absurd_amounts_saturate() {
        assert_eq!(Gold(i64::MAX) + Gold(1), Gold(i64::MAX));
        assert_eq!(Gold(i64::MAX / 2).times(3), Gold(i64::MAX));
    }
}
