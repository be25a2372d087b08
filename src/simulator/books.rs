//! The simulator's own books: what was told in a room, and what of it somebody really received.
//!
//! A monitor can be held against them to the gold coin. Every purchase counts once, however often and in whatever
//! form it is told; a guard of which only the list price was told counts at that until a message tells better.
//!
//! Invariant: who received a message finds it in the books.

use std::collections::HashMap;

use serde::Serialize;

/// What a viewer of a room should have counted, copies and twins left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Chat lines, those of raffles included, mirrored ones not.
    pub danmaku: u64,
    /// Gifts by transaction, free ones included.
    pub gifts: u64,
    /// Paid messages.
    pub super_chats: u64,
    /// Guards bought.
    pub guards: u64,
    /// Red pockets bought.
    pub red_pockets: u64,
    /// What it would have cost without discounts.
    pub list_gold: Gold,
    /// What was paid.
    pub paid_gold: Gold,
    /// What was given for it: of a blind box, what came out.
    pub value_gold: Gold,
}

/// Gold by kind; 1000 are CNY 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gold {
    /// For gifts and boxes.
    pub gift: i64,
    /// For super chats.
    pub super_chat: i64,
    /// For guards.
    pub guard: i64,
    /// For red pockets.
    pub red_pocket: i64,
}

/// What can be bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ware {
    Gift,
    SuperChat,
    Guard,
    RedPocket,
}

/// The three numbers of a purchase, gold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Price {
    pub list: i64,
    pub paid: i64,
    pub value: i64,
}

impl Price {
    /// Nothing was paid, and it is worth nothing.
    pub const FREE: Price = Price { list: 0, paid: 0, value: 0 };

    /// The same in all three.
    pub fn plain(gold: i64) -> Price {
        Price { list: gold, paid: gold, value: gold }
    }
}

/// What a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// One chat line.
    Danmaku,
    /// A purchase, known by a number that all messages about it share.
    Bought {
        ware: Ware,
        number: u64,
        price: Price,
        /// The price is only what the list says.
        estimated: bool,
    },
}

/// The books of one room.
#[derive(Default)]
pub(super) struct Books {
    truth: Truth,
    known: HashMap<(Ware, u64), (Price, bool)>,
}

impl Books {
    /// Enters a fact, unless it is there already.
    pub fn enter(&mut self, fact: Fact) {
        let Fact::Bought { ware, number, price, estimated } = fact else {
            self.truth.danmaku += 1;
            return;
        };
        match self.known.get_mut(&(ware, number)) {
            None => {
                self.known.insert((ware, number), (price, estimated));
                *self.truth.count(ware) += 1;
                self.truth.book(ware, price, 1);
            }
            Some((old, was_estimated)) if *was_estimated && !estimated => {
                let old = std::mem::replace(old, price);
                *was_estimated = false;
                self.truth.book(ware, old, -1);
                self.truth.book(ware, price, 1);
            }
            Some(_) => {}
        }
    }

    /// The sums.
    pub fn truth(&self) -> Truth {
        self.truth
    }
}

impl Truth {
    fn count(&mut self, ware: Ware) -> &mut u64 {
        match ware {
            Ware::Gift => &mut self.gifts,
            Ware::SuperChat => &mut self.super_chats,
            Ware::Guard => &mut self.guards,
            Ware::RedPocket => &mut self.red_pockets,
        }
    }

    fn book(&mut self, ware: Ware, price: Price, sign: i64) {
        *self.list_gold.of(ware) += sign * price.list;
        *self.paid_gold.of(ware) += sign * price.paid;
        *self.value_gold.of(ware) += sign * price.value;
    }
}

impl Gold {
    fn of(&mut self, ware: Ware) -> &mut i64 {
        match ware {
            Ware::Gift => &mut self.gift,
            Ware::SuperChat => &mut self.super_chat,
            Ware::Guard => &mut self.guard,
            Ware::RedPocket => &mut self.red_pocket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purchase_counts_once_and_at_the_best_price_told() {
        let mut books = Books::default();
        let guard = |paid, estimated| Fact::Bought {
            ware: Ware::Guard,
            number: 7,
            price: Price { list: 198_000, paid, value: 198_000 },
            estimated,
        };
        books.enter(guard(198_000, true));
        assert_eq!((books.truth().guards, books.truth().paid_gold.guard), (1, 198_000));
        for fact in [guard(138_000, false), guard(198_000, true), guard(138_000, false)] {
            books.enter(fact);
            assert_eq!((books.truth().guards, books.truth().paid_gold.guard), (1, 138_000));
        }
        books.enter(Fact::Bought { ware: Ware::Gift, number: 7, price: Price::plain(100), estimated: false });
        books.enter(Fact::Danmaku);
        books.enter(Fact::Danmaku);
        assert_eq!((books.truth().gifts, books.truth().danmaku, books.truth().list_gold.guard), (1, 2, 198_000));
    }
}
