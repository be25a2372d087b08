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
//! replaces it in the record. Only where the two name different people, so that nobody could see that they
//! are one, the estimate stands. What is remembered is bounded in time and number.

use std::{collections::VecDeque, time::Duration};

use super::arrival::Arrival;
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
    /// The list price, or what was paid if it is a toast. Messages of 2018 have none.
    pub price: Option<Gold>,
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
    /// Its purchase was counted.
    counted: bool,
    /// A `GUARD_BUY` was found to be this purchase.
    explains_one: bool,
}

impl GuardMerge {
    /// Takes a message in; gives the purchase if it is one now.
    pub fn take(&mut self, message: GuardMessage, now: Duration) -> Option<Event> {
        self.forget(now);
        match &message.part {
            Part::Buy => self.take_buy(message, now),
            Part::Toast { .. } => self.take_toast(&message, now, true).then(|| event(&message, false)),
            Part::Echo { .. } => self.take_toast(&message, now, false).then(|| event(&message, false)),
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
        let state = if let Some(order) = explained {
            order.explains_one = true;
            BuyState::Explained
        } else {
            BuyState::Held
        };
        let crowded_out = if self.buys.len() >= MEMORY { self.buys.pop_front() } else { None };
        self.buys.push_back(Buy { message, at: now, state });
        crowded_out.filter(|buy| buy.state == BuyState::Held).map(|buy| event(&buy.message, true))
    }

    /// True if this is a purchase to be counted now. An echo never is, but it can show whose a `GUARD_BUY`
    /// was.
    fn take_toast(&mut self, message: &GuardMessage, now: Duration, counts: bool) -> bool {
        let known = self.orders.iter().position(|order| order.has_number_of(message));
        let known = known.or_else(|| self.orders.iter().position(|order| order.is_twin_of(message)));
        let at = known.unwrap_or_else(|| {
            if self.orders.len() >= MEMORY {
                self.orders.pop_front();
            }
            self.orders.push_back(Order::of(message, now));
            self.orders.len() - 1
        });
        let Some(order) = self.orders.get_mut(at) else { return false };
        order.hear(message);
        let mut is_new = counts && !order.counted;
        order.counted |= counts;
        let buy = self.buys.iter_mut().find(|buy| buy.state != BuyState::Explained && order.explains(&buy.message));
        if let Some(buy) = buy {
            is_new &= buy.state != BuyState::Estimated || is_same_person(message, &buy.message);
            buy.state = BuyState::Explained;
            order.explains_one = true;
        }
        is_new
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
            counted: false,
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

    /// Whether this counted purchase may be the one that `buy` tells of.
    fn explains(&self, buy: &GuardMessage) -> bool {
        let is_about = |(user, level): &(User, i64)| *level == buy.guard_level && same_user(user, &buy.user);
        self.counted && !self.explains_one && self.about.iter().any(is_about)
    }
}

/// By number, or by name as far as it is shown if the number is hidden.
fn same_user(one: &User, other: &User) -> bool {
    if one.masked || other.masked { one.username == other.username } else { one.uid == other.uid }
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
        None => (list_price(guard_level).times(num), true),
    };
    arrival.event(timestamp_ms, user, Body::Guard(Guard { guard_level, num, unit, paid, estimated }), &facts)
}

/// What a month of a guard costs where nothing is said about it.
pub(super) fn list_price(guard_level: i64) -> Gold {
    Gold::from_cny(match guard_level {
        1 => 19_998,
        2 => 1_998,
        _ => 198,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Uid, protocol::arrival::tests::HERE};

    /// `B66/3` is a GUARD_BUY of user 66 at level 3, `T66/3:a` a toast with order `a`, `E...` its echo, `due`
    /// asks for what is due, `flush` for everything. The time in seconds stands in front.
    fn take(merge: &mut GuardMerge, step: &str) -> Vec<String> {
        let (at, what) = step.split_once(' ').expect("time and message");
        let now = Duration::from_millis((at.parse::<f64>().expect("seconds") * 1000.0) as u64);
        let events = match what {
            "due" => merge.due(now),
            "flush" => merge.flush(),
            _ => merge.take(message(what), now).into_iter().collect(),
        };
        events.iter().map(told).collect()
    }

    fn message(text: &str) -> GuardMessage {
        let (who, order) = text[1..].split_once(':').unwrap_or((&text[1..], ""));
        let (name, level) = who.split_once('/').expect("user and level");
        let payflow_id = order.to_owned();
        let uid = name.parse().unwrap_or(0);
        GuardMessage {
            arrival: HERE,
            timestamp_ms: 1_780_000_000_000 + i64::from(text.len() > 8),
            user: User { uid: Uid(uid), username: name.into(), masked: uid == 0 },
            guard_level: level.parse().expect("level"),
            num: 1,
            unit: "月".into(),
            price: Some(Gold(if text.starts_with('B') { 198_000 } else { 138_000 })),
            part: match &text[..1] {
                "B" => Part::Buy,
                "T" => Part::Toast { payflow_id },
                _ => Part::Echo { payflow_id },
            },
        }
    }

    fn told(event: &Event) -> String {
        let Body::Guard(guard) = &event.body else { panic!("{event:?}") };
        let sign = if guard.estimated { "~" } else { "=" };
        format!("{}/{}{sign}{}", event.user.username, guard.guard_level, guard.paid.0 / 1000)
    }

    #[test]
    fn a_purchase_is_counted_once_however_its_messages_come() {
        for (case, steps, expected) in [
            ("toast alone", vec!["0 T6/3:a", "9 due"], "6/3=138"),
            ("both toasts", vec!["0 T6/3:a", "0.5 T6/3:a"], "6/3=138"),
            ("buy alone", vec!["0 B6/3", "4.9 due", "5 due", "9 due"], "6/3~198"),
            ("buy first", vec!["0 B6/3", "1 T6/3:a", "1 T6/3:a", "9 due"], "6/3=138"),
            ("buy in between", vec!["0 T6/3:a", "1 B6/3", "1 T6/3:a", "9 due"], "6/3=138"),
            ("buy last", vec!["0 T6/3:a", "1 T6/3:a", "30 B6/3", "99 due"], "6/3=138"),
            ("buy pushed twice", vec!["0 B6/3", "0 B6/3", "1 T6/3:a", "2 B6/3", "9 due"], "6/3=138"),
            ("out of reach", vec!["0 T6/3:a", "31 B6/3", "36 due"], "6/3=138 6/3~198"),
            ("toast after the estimate", vec!["0 B6/3", "5 due", "30 T6/3:a", "30 T6/3:a"], "6/3~198 6/3=138"),
            (
                "two toasts after one estimate",
                vec!["0 B6/3", "5 due", "9 T6/3:a", "9 T6/3:b"],
                "6/3~198 6/3=138 6/3=138",
            ),
            ("a buy after the late toast", vec!["0 B6/3", "5 due", "9 T6/3:a", "9 B6/3", "30 due"], "6/3~198 6/3=138"),
            ("gifted, after the other's estimate", vec!["0 B7/3", "5 due", "9 E7/3:a", "9 T6/3:a"], "7/3~198"),
            ("toast long after", vec!["0 B6/3", "5 due", "36 T6/3:a"], "6/3~198 6/3=138"),
            ("another user", vec!["0 T6/3:a", "0 B7/3", "9 due"], "6/3=138 7/3~198"),
            ("another level", vec!["0 T6/3:a", "0 B6/2", "9 due"], "6/3=138 6/2~198"),
            ("two orders", vec!["0 T6/3:a", "0 T6/3:b", "1 B6/3", "9 due"], "6/3=138 6/3=138"),
            ("masked", vec!["0 B小***/3", "1 T小***/3:a", "1 B大***/3", "9 due"], "小***/3=138 大***/3~198"),
            ("gifted", vec!["0 B6/3", "0 T6/3:a", "1 E7/3:a", "9 due"], "6/3=138"),
            ("gifted, bought for the other", vec!["0 B7/3", "0 T6/3:a", "1 E7/3:a", "9 due"], "6/3=138"),
            ("gifted, echo first", vec!["0 E7/3:a", "1 T6/3:a", "9 due"], "6/3=138"),
            ("gifted, toast last", vec!["0 B7/3", "0 E7/3:a", "1 T6/3:a", "9 due"], "6/3=138"),
            ("gifted, toast lost", vec!["0 B7/3", "0 E7/3:a", "9 due"], "7/3~198"),
            ("echo alone", vec!["0 E7/3:a", "9 due"], ""),
            ("twin without number", vec!["0 T6/3:a", "1 T6/3", "2 T6/3:a", "3 T6/3", "3 B6/3", "9 due"], "6/3=138"),
            ("twin without number first", vec!["0 T6/3", "1 T6/3:a", "2 T6/3", "9 due"], "6/3=138"),
            ("twin of one of two", vec!["0 T6/3:a", "0 T6/3:b", "1 T6/3", "9 due"], "6/3=138 6/3=138"),
            ("one twin for one order", vec!["0 T6/3", "0 T6/3:a", "1 T6/3:b", "9 due"], "6/3=138 6/3=138"),
            ("no twin of another", vec!["0 T6/3:a", "0 T7/3", "0 T6/2", "9 due"], "6/3=138 7/3=138 6/2=138"),
            ("no twin out of reach", vec!["0 T6/3:a", "31 T6/3", "99 due"], "6/3=138 6/3=138"),
            ("twin after the estimate", vec!["0 B6/3", "5 due", "9 T6/3:a", "9 T6/3"], "6/3~198 6/3=138"),
            ("no order number", vec!["0 T6/3", "0 T6/3", "0 B6/3", "9 due"], "6/3=138"),
            ("stopped while waiting", vec!["0 B6/3", "1 flush", "9 due", "10 T6/3:a"], "6/3~198 6/3=138"),
        ] {
            let mut merge = GuardMerge::default();
            let events: Vec<String> = steps.iter().flat_map(|step| take(&mut merge, step)).collect();
            assert_eq!(events.join(" "), expected, "{case}");
        }
    }

    #[test]
    fn a_twin_costs_the_same_and_is_of_the_same_time() {
        for change in [
            |twin: &mut GuardMessage| twin.price = Some(Gold(168_000)),
            |twin: &mut GuardMessage| twin.num = 2,
            |twin: &mut GuardMessage| twin.timestamp_ms += 30_001,
        ] {
            let mut merge = GuardMerge::default();
            let mut twin = message("T6/3");
            change(&mut twin);
            assert!(merge.take(message("T6/3:a"), Duration::ZERO).is_some());
            assert!(merge.take(twin.clone(), Duration::ZERO).is_some(), "{twin:?}");
        }
    }

    #[test]
    fn the_estimate_is_what_comes_if_nothing_else_does() {
        let buy = message("B6/3");
        for buy in [buy.clone(), GuardMessage { price: None, num: 3, ..buy }] {
            let estimate = buy.estimate().expect("is a GUARD_BUY");
            assert_eq!(told(&estimate), format!("6/3~{}", 198 * buy.num));
            let (mut waiting, mut stopped) = (GuardMerge::default(), GuardMerge::default());
            assert_eq!(waiting.take(buy.clone(), Duration::ZERO), None);
            assert_eq!(waiting.due(HOLD), std::slice::from_ref(&estimate));
            assert_eq!(stopped.take(buy, Duration::ZERO), None);
            assert_eq!(stopped.flush(), [estimate]);
        }
        assert_eq!(message("T6/3:a").estimate(), None);
        assert_eq!(message("E6/3:a").estimate(), None);
    }

    #[test]
    fn one_order_explains_one_buy() {
        let mut merge = GuardMerge::default();
        let mut second = message("B6/3");
        second.timestamp_ms += 2000;
        let now = Duration::from_secs(1);
        assert!(merge.take(message("T6/3:a"), now).is_some());
        assert!(merge.take(message("B6/3"), now).is_none());
        assert!(merge.take(second, now).is_none());
        assert_eq!(merge.due(now + HOLD).iter().map(told).collect::<Vec<_>>(), ["6/3~198"]);
    }

    #[test]
    fn the_deadline_is_that_of_the_oldest_that_waits() {
        let mut merge = GuardMerge::default();
        assert_eq!(merge.deadline(), None);
        take(&mut merge, "1 B6/3");
        take(&mut merge, "3 B7/3");
        assert_eq!(merge.deadline(), Some(Duration::from_secs(6)));
        take(&mut merge, "4 T6/3:a");
        assert_eq!(merge.deadline(), Some(Duration::from_secs(8)));
        take(&mut merge, "8 due");
        assert_eq!(merge.deadline(), None);
    }

    #[test]
    fn a_flood_is_bounded_and_loses_nothing() {
        let mut merge = GuardMerge::default();
        let mut counted = 0;
        for user in 1..=2 * MEMORY {
            counted += take(&mut merge, &format!("0 B{user}/3")).len();
            take(&mut merge, &format!("0 E{user}/2:{user}"));
        }
        assert!(merge.buys.len() <= MEMORY && merge.orders.len() <= MEMORY);
        assert_eq!(counted + merge.flush().len(), 2 * MEMORY);
    }

    #[test]
    fn without_a_price_the_list_price_is_the_estimate() {
        for (text, level, paid) in [("T6/3:a", 3, 198_000), ("T6/2:a", 2, 1_998_000), ("T6/1:a", 1, 19_998_000)] {
            let event = GuardMerge::default().take(GuardMessage { price: None, ..message(text) }, Duration::ZERO);
            let expected = Guard { guard_level: level, num: 1, unit: "月".into(), paid: Gold(paid), estimated: true };
            assert_eq!(event.map(|event| event.body), Some(Body::Guard(expected)), "{text}");
        }
    }

    #[test]
    fn both_toasts_of_an_order_have_one_id_even_if_nothing_is_remembered() {
        let id = |now| GuardMerge::default().take(message("T6/3:a"), Duration::from_secs(now)).map(|event| event.id);
        assert_eq!(id(0), id(999));
    }
}
