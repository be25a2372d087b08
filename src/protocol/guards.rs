//! Makes one purchase of the up to three messages that the upstream sends about a guard.
//!
//! Of 60 observed purchases 11 came as `GUARD_BUY` alone, 24 as a toast alone, 7 as the second version
//! of the toast alone. A toast says what was paid and is counted at once, each order number once. A
//! `GUARD_BUY` knows the list price only, so it waits for a toast that explains it, and is counted, as an
//! estimate, if none comes. One toast explains one `GUARD_BUY`, however they are ordered.
//!
//! Pure: times are durations since an epoch of the caller's, who keeps this over reconnects.
//! Invariant: a purchase is never counted twice. Where a late toast finds its `GUARD_BUY` counted already,
//! the estimate stands. What is remembered is bounded in time and number.

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
    /// The list price, or what was paid if it is a toast.
    pub price: Gold,
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
    /// Toasts of the last half minute, oldest first.
    toasts: VecDeque<Toast>,
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
    /// Counted as an estimate; a toast that belongs to it comes too late.
    Counted,
    /// Explained by a toast.
    Explained,
}

#[derive(Debug)]
struct Toast {
    order: String,
    user: User,
    guard_level: i64,
    at: Duration,
    explains_one: bool,
}

impl GuardMerge {
    /// Takes a message in; gives the purchase if it is one now.
    pub fn take(&mut self, message: GuardMessage, now: Duration) -> Option<Event> {
        self.forget(now);
        match &message.part {
            Part::Buy => self.take_buy(message, now),
            Part::Toast { .. } => self.take_toast(&message, now).then(|| event(&message, false)),
            Part::Echo { .. } => {
                self.take_toast(&message, now);
                None
            }
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
        let explained = self.toasts.iter().position(|toast| !toast.explains_one && toast.is_about(&message));
        if let Some(at) = explained {
            let order = self.toasts[at].order.clone();
            self.mark_explaining(&order);
        }
        let crowded_out = if self.buys.len() >= MEMORY { self.buys.pop_front() } else { None };
        let state = if explained.is_some() { BuyState::Explained } else { BuyState::Held };
        self.buys.push_back(Buy { message, at: now, state });
        crowded_out.filter(|buy| buy.state == BuyState::Held).map(|buy| event(&buy.message, true))
    }

    /// True if this purchase has not been counted yet.
    fn take_toast(&mut self, message: &GuardMessage, now: Duration) -> bool {
        let order = order(message);
        let known = self.toasts.iter().any(|toast| toast.order == order);
        let mut toast = Toast {
            user: message.user.clone(),
            guard_level: message.guard_level,
            at: now,
            explains_one: self.toasts.iter().any(|toast| toast.order == order && toast.explains_one),
            order,
        };
        let mut counted = known;
        if !toast.explains_one
            && let Some(buy) =
                self.buys.iter_mut().find(|buy| buy.state != BuyState::Explained && toast.is_about(&buy.message))
        {
            counted |= buy.state == BuyState::Counted;
            buy.state = BuyState::Explained;
            toast.explains_one = true;
            self.mark_explaining(&toast.order);
        }
        if self.toasts.len() >= MEMORY {
            self.toasts.pop_front();
        }
        self.toasts.push_back(toast);
        !counted
    }

    fn mark_explaining(&mut self, order: &str) {
        for toast in self.toasts.iter_mut().filter(|toast| toast.order == order) {
            toast.explains_one = true;
        }
    }

    fn count_held(&mut self, is_due: impl Fn(&Buy) -> bool) -> Vec<Event> {
        let due = self.buys.iter_mut().filter(|buy| buy.state == BuyState::Held && is_due(buy));
        due.map(|buy| {
            buy.state = BuyState::Counted;
            event(&buy.message, true)
        })
        .collect()
    }

    /// Drops what is out of reach. A `GUARD_BUY` that nobody asked about in all that time stays until
    /// [`GuardMerge::due`] has given it out.
    fn forget(&mut self, now: Duration) {
        let is_old = |at: Duration| at.saturating_add(REACH) < now;
        self.toasts.retain(|toast| !is_old(toast.at));
        self.buys.retain(|buy| buy.state == BuyState::Held || !is_old(buy.at));
    }
}

impl Toast {
    fn is_about(&self, buy: &GuardMessage) -> bool {
        self.guard_level == buy.guard_level && same_user(&self.user, &buy.user)
    }
}

/// By number, or by name as far as it is shown if the number is hidden.
fn same_user(one: &User, other: &User) -> bool {
    if one.masked || other.masked { one.username == other.username } else { one.uid == other.uid }
}

/// The same `GUARD_BUY` pushed twice.
fn same_buy(one: &GuardMessage, other: &GuardMessage) -> bool {
    GuardMessage { arrival: other.arrival, ..one.clone() } == *other
}

/// What makes a toast's purchase known again.
fn order(message: &GuardMessage) -> String {
    match &message.part {
        Part::Toast { payflow_id } | Part::Echo { payflow_id } if !payflow_id.is_empty() => payflow_id.clone(),
        _ => {
            let GuardMessage { user, guard_level, num, timestamp_ms, .. } = message;
            format!("{}/{}/{guard_level}/{num}/{timestamp_ms}", user.uid, user.username)
        }
    }
}

fn event(message: &GuardMessage, estimated: bool) -> Event {
    let GuardMessage { arrival, timestamp_ms, user, guard_level, num, unit, price, .. } = message.clone();
    let order = order(message);
    let facts = ["guard", if estimated { "buy" } else { "order" }, &order];
    let body = Body::Guard(Guard { guard_level, num, unit, paid: price, estimated });
    arrival.event(timestamp_ms, user, body, &facts)
}
