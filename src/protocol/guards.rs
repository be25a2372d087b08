//! Makes one purchase of the up to three messages that the upstream sends about a guard.
//!
//! Of 60 observed purchases 11 came as `GUARD_BUY` alone, 24 as a toast alone, 7 as the second version
//! of the toast alone. A toast says what was paid and is given out at once, each order once. A `GUARD_BUY`
//! knows the list price only, so it is held back for a toast that explains it, and given out, as an
//! estimate, if none comes. One toast explains one `GUARD_BUY`, however they are ordered.
//!
//! The hold is for those who watch. Who records takes [`GuardMessage::estimate`] at once, lest a crash lose
//! it, and merges it with the toast by person and level: not here.
//!
//! Pure: times are durations since an epoch of the caller's, who keeps this over reconnects.
//! Invariant: one purchase gives at most one real event and one estimate, which always has the same id. The
//! estimate never comes after the real event; a toast that comes after the estimate is given out, and
//! replaces it in the record. Where the two name different people (a guard that was given: the `GUARD_BUY` names the
//! recipient, the toast the giver, and a second toast with the same order number the recipient) the real event says
//! which estimate it `explains`, and is given out once more if that shows only later. What is remembered is
//! bounded in time and number.

use std::{collections::VecDeque, time::Duration};

use super::{
    arrival::Arrival,
    command::Unreadable,
    lenient::{Int, Text},
    purchase,
};
use crate::domain::{Body, Event, Gold, Guard, User};

/// One of the messages of a purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardMessage {
    /// Where and when it came.
    pub arrival: Arrival,
    /// When it was bought, unix ms.
    pub timestamp_ms: i64,
    /// Who bought.
    pub user: User,
    /// 1 总督, 2 提督, 3 舰长.
    pub guard_level: i64,
    /// How many `unit`s.
    pub num: i64,
    /// Such as 月.
    pub unit: String,
    /// What all cost by the list, or what was paid if it is a toast. Messages of 2018 have none.
    pub price: Option<Gold>,
    /// The command that brought it.
    pub command: &'static str,
    /// Which of the messages it is.
    pub part: Part,
}

/// Which message of a purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `GUARD_BUY`.
    Buy,
    /// A toast of either version.
    Toast {
        /// The order number; empty if it had none.
        payflow_id: String,
    },
    /// The second toast of a gifted guard: never counted, but it explains a `GUARD_BUY`.
    Echo {
        /// The order number; empty if it had none.
        payflow_id: String,
    },
}

impl GuardMessage {
    /// The event that a `GUARD_BUY` becomes if nothing else comes, of the same id as [`GuardMerge::due`] would
    /// give it. A toast is no estimate.
    pub fn estimate(&self) -> Option<Event> {
        (self.part == Part::Buy).then(|| event(self, true))
    }

    /// The order number, if it has one.
    fn payflow_id(&self) -> Option<&str> {
        match &self.part {
            Part::Toast { payflow_id } | Part::Echo { payflow_id } if !payflow_id.is_empty() => Some(payflow_id),
            _ => None,
        }
    }
}

/// How long a `GUARD_BUY` waits for its toast. They arrive within a second of each other; five leave room
/// for a slow server and still show a purchase while it is news.
pub const HOLD: Duration = Duration::from_secs(5);

/// How far apart a `GUARD_BUY` and a toast may be and still be one purchase.
pub const REACH: Duration = Duration::from_secs(30);

/// How many messages of each sort are remembered. Real rooms have a handful in half a minute.
const MEMORY: usize = 512;

/// The purchases of one room that are not yet finished.
#[derive(Debug, Default)]
pub struct GuardMerge {
    /// `GUARD_BUY`s of the last half minute, oldest first.
    buys: VecDeque<Buy>,
    /// Orders of the last half minute, oldest first.
    orders: VecDeque<Order>,
}

#[derive(Debug)]
struct Buy {
    message: GuardMessage,
    at: Duration,
    state: BuyState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BuyState {
    /// Waiting for a toast.
    Held,
    /// Given out as an estimate, which a toast may still replace.
    Estimated,
    /// Explained by a toast.
    Explained,
}

/// What the toasts of one order said.
#[derive(Debug)]
struct Order {
    /// Its number, once a toast has told it.
    number: Option<String>,
    /// What stands for the number in toasts that have none, once one came.
    makeshift: Option<String>,
    /// What the first toast said.
    cost: (Option<Gold>, i64),
    timestamp_ms: i64,
    /// Whom and what they were about; an echo may name somebody else than the toast.
    about: Vec<(User, i64)>,
    at: Duration,
    /// The toast that was counted.
    receipt: Option<GuardMessage>,
    /// A `GUARD_BUY` was found to be this purchase.
    explains_one: bool,
}

impl GuardMerge {
    /// Takes a message in; gives the purchase if it is one now, or if what it explains has become clear.
    pub fn take(&mut self, message: GuardMessage, now: Duration) -> Option<Event> {
        self.forget(now);
        match &message.part {
            Part::Buy => self.take_buy(message, now),
            Part::Toast { .. } => self.take_toast(&message, now, true),
            Part::Echo { .. } => self.take_toast(&message, now, false),
        }
    }

    /// The purchases for which no toast came in time.
    pub fn due(&mut self, now: Duration) -> Vec<Event> {
        self.count_held(|buy| buy.at.saturating_add(HOLD) <= now)
    }

    /// When [`GuardMerge::due`] will have something, if nothing else happens.
    pub fn deadline(&self) -> Option<Duration> {
        self.buys.iter().find(|buy| buy.state == BuyState::Held).map(|buy| buy.at.saturating_add(HOLD))
    }

    /// All that still waits, for the end of watching.
    pub fn flush(&mut self) -> Vec<Event> {
        self.count_held(|_| true)
    }

    fn take_buy(&mut self, message: GuardMessage, now: Duration) -> Option<Event> {
        if self.buys.iter().any(|buy| same_buy(&buy.message, &message)) {
            return None;
        }
        let explained = self.orders.iter_mut().find(|order| order.explains(&message));
        let (state, clear) = match explained {
            Some(order) => {
                order.explains_one = true;
                (BuyState::Explained, order.explaining(&message))
            }
            None => (BuyState::Held, None),
        };
        let crowded_out = if self.buys.len() >= MEMORY { self.buys.pop_front() } else { None };
        self.buys.push_back(Buy { message, at: now, state });
        clear.or_else(|| crowded_out.filter(|buy| buy.state == BuyState::Held).map(|buy| event(&buy.message, true)))
    }

    /// A purchase is counted with its first toast. An echo never is, but it can show whose a `GUARD_BUY` was.
    fn take_toast(&mut self, message: &GuardMessage, now: Duration, counts: bool) -> Option<Event> {
        let known = self.orders.iter().position(|order| order.has_number_of(message));
        let known = known.or_else(|| self.orders.iter().position(|order| order.is_twin_of(message)));
        let at = known.unwrap_or_else(|| {
            if self.orders.len() >= MEMORY {
                self.orders.pop_front();
            }
            self.orders.push_back(Order::of(message, now));
            self.orders.len() - 1
        });
        let order = self.orders.get_mut(at)?;
        order.hear(message);
        let is_new = counts && order.receipt.is_none();
        if is_new {
            order.receipt = Some(message.clone());
        }
        let buy = self.buys.iter_mut().find(|buy| buy.state != BuyState::Explained && order.explains(&buy.message));
        let clear = buy.and_then(|buy| {
            buy.state = BuyState::Explained;
            order.explains_one = true;
            order.explaining(&buy.message)
        });
        clear.or_else(|| is_new.then(|| event(message, false)))
    }

    fn count_held(&mut self, is_due: impl Fn(&Buy) -> bool) -> Vec<Event> {
        let due = self.buys.iter_mut().filter(|buy| buy.state == BuyState::Held && is_due(buy));
        due.map(|buy| {
            buy.state = BuyState::Estimated;
            event(&buy.message, true)
        })
        .collect()
    }

    /// Drops what is out of reach. A `GUARD_BUY` that nobody asked about in all that time stays until
    /// [`GuardMerge::due`] has given it out.
    fn forget(&mut self, now: Duration) {
        let is_old = |at: Duration| at.saturating_add(REACH) < now;
        self.orders.retain(|order| !is_old(order.at));
        self.buys.retain(|buy| buy.state == BuyState::Held || !is_old(buy.at));
    }
}

impl Order {
    fn of(message: &GuardMessage, now: Duration) -> Order {
        Order {
            number: None,
            makeshift: None,
            cost: (message.price, message.num),
            timestamp_ms: message.timestamp_ms,
            about: Vec::new(),
            at: now,
            receipt: None,
            explains_one: false,
        }
    }

    fn has_number_of(&self, message: &GuardMessage) -> bool {
        match message.payflow_id() {
            Some(number) => self.number.as_deref() == Some(number),
            None => self.makeshift.as_ref().is_some_and(|makeshift| *makeshift == order_number(message)),
        }
    }

    /// Whether this is the same purchase by all but the number, which only one of the two has.
    fn is_twin_of(&self, message: &GuardMessage) -> bool {
        let lacks_it = if message.payflow_id().is_some() { &self.number } else { &self.makeshift };
        let apart = Duration::from_millis(self.timestamp_ms.abs_diff(message.timestamp_ms));
        lacks_it.is_none()
            && self.cost == (message.price, message.num)
            && apart <= REACH
            && self.about.iter().any(|(user, level)| *level == message.guard_level && same_user(user, &message.user))
    }

    fn hear(&mut self, message: &GuardMessage) {
        let number = if message.payflow_id().is_some() { &mut self.number } else { &mut self.makeshift };
        number.get_or_insert_with(|| order_number(message));
        if self.about.len() < 4 {
            self.about.push((message.user.clone(), message.guard_level));
        }
    }

    /// The counted purchase, saying that it explains this estimate, if nobody could see that without the echo.
    fn explaining(&self, buy: &GuardMessage) -> Option<Event> {
        let receipt = self.receipt.as_ref().filter(|receipt| !is_same_person(receipt, buy))?;
        let mut purchase = event(receipt, false);
        if let Body::Guard(guard) = &mut purchase.body {
            guard.explains = Some(event(buy, true).id);
        }
        Some(purchase)
    }

    /// Whether this counted purchase may be the one that `buy` tells of.
    fn explains(&self, buy: &GuardMessage) -> bool {
        let is_about = |(user, level): &(User, i64)| *level == buy.guard_level && same_user(user, &buy.user);
        self.receipt.is_some() && !self.explains_one && self.about.iter().any(is_about)
    }
}

/// By number, or by name as far as it is shown if the number is hidden.
fn same_user(one: &User, other: &User) -> bool {
    if one.masked || other.masked {
        one.username == other.username
    } else {
        (one.uid, &one.alias) == (other.uid, &other.alias)
    }
}

/// Whether both are about one person's guard of one level.
fn is_same_person(one: &GuardMessage, other: &GuardMessage) -> bool {
    one.guard_level == other.guard_level && same_user(&one.user, &other.user)
}

/// The same `GUARD_BUY` pushed twice.
fn same_buy(one: &GuardMessage, other: &GuardMessage) -> bool {
    GuardMessage { arrival: other.arrival, ..one.clone() } == *other
}

/// What makes a toast's purchase known again.
fn order_number(message: &GuardMessage) -> String {
    match message.payflow_id() {
        Some(number) => number.to_owned(),
        None => {
            let GuardMessage { user, guard_level, num, timestamp_ms, .. } = message;
            format!("{}/{}/{guard_level}/{num}/{timestamp_ms}", user.uid, user.username)
        }
    }
}

fn event(message: &GuardMessage, alone: bool) -> Event {
    let GuardMessage { arrival, timestamp_ms, user, guard_level, num, unit, price, .. } = message.clone();
    let order = order_number(message);
    let facts = ["guard", if alone { "buy" } else { "order" }, &order];
    let (paid, estimated) = match price {
        Some(price) => (price, alone),
        None => (list_price(guard_level, num, &unit), true),
    };
    let guard = Guard { guard_level, num, unit, paid, estimated, explains: None };
    purchase::read_from(message.command, arrival.event(timestamp_ms, user, Body::Guard(guard), &facts))
}

/// Whether there is a guard of this level.
pub(super) fn is_level(level: &i64) -> bool {
    (1..=3).contains(level)
}

/// What a message says was bought.
pub(super) struct Bought {
    /// How many units.
    pub(super) num: i64,
    /// Such as 月.
    pub(super) unit: String,
    /// What was said to be paid, for all of them.
    pub(super) price: Option<Gold>,
}

/// Reads what was bought. A price of 0 is one if `zero_is_a_price`, else the message does not know it.
pub(super) fn bought(
    guard_level: i64,
    num: Int,
    unit: Text,
    price: Int,
    zero_is_a_price: bool,
) -> Result<Bought, Unreadable> {
    let unit = unit.filled().unwrap_or_else(|| "月".into());
    // A day card (`*3天`) says how many days in its unit, and something else in `num`.
    let num = if unit.starts_with('*') { 1 } else { purchase::number(num)? };
    let price = purchase::gold("price", price)?.filter(|price| zero_is_a_price || !price.is_zero());
    purchase::total("price", price.unwrap_or_else(|| list_price(guard_level, 1, &unit)), num)?;
    Ok(Bought { num, price: price.map(|price| for_all(price, guard_level, num, &unit)), unit })
}

/// What was paid in all, where a message says `price` of `num` units. `GUARD_BUY` says it of one month, toasts say it
/// of all: 198000 and 514000 for three. No month is dearer than by the list, and no two of them are as cheap as one, so
/// the price itself tells which it is.
fn for_all(price: Gold, guard_level: i64, num: i64, unit: &str) -> Gold {
    if unit == "月" && price <= list_price(guard_level, 1, unit) { price.times(num) } else { price }
}

/// What so many units of a guard cost by the list, where nothing is said about it. Cards of days or weeks (`*3天`) are
/// not sold.
pub(super) fn list_price(guard_level: i64, num: i64, unit: &str) -> Gold {
    let months = match unit {
        _ if unit.contains(['天', '周']) => 0,
        "年" => num.saturating_mul(12),
        _ => num,
    };
    let month = Gold::from_cny(match guard_level {
        1 => 19_998,
        2 => 1_998,
        _ => 198,
    });
    month.times(months)
}

#[cfg(test)]
#[path = "guards_tests.rs"]
mod tests;
