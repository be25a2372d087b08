//! Messages of guard purchases in every order, and what they come to.

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
        user: User { uid: Uid(uid), username: name.into(), masked: uid == 0, alias: None },
        guard_level: level.parse().expect("level"),
        num: 1,
        unit: "月".into(),
        price: Some(Gold(if text.starts_with('B') { 198_000 } else { 138_000 })),
        command: "TEST",
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
    let explains = if guard.explains.is_some() { "<" } else { "" };
    format!("{}/{}{sign}{}{explains}", event.user.username, guard.guard_level, guard.paid.0 / 1000)
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
        ("two toasts after one estimate", vec!["0 B6/3", "5 due", "9 T6/3:a", "9 T6/3:b"], "6/3~198 6/3=138 6/3=138"),
        ("a buy after the late toast", vec!["0 B6/3", "5 due", "9 T6/3:a", "9 B6/3", "30 due"], "6/3~198 6/3=138"),
        ("gifted, after the other's estimate", vec!["0 B7/3", "5 due", "9 E7/3:a", "9 T6/3:a"], "7/3~198 6/3=138<"),
        ("toast long after", vec!["0 B6/3", "5 due", "36 T6/3:a"], "6/3~198 6/3=138"),
        ("another user", vec!["0 T6/3:a", "0 B7/3", "9 due"], "6/3=138 7/3~198"),
        ("another level", vec!["0 T6/3:a", "0 B6/2", "9 due"], "6/3=138 6/2~198"),
        ("two orders", vec!["0 T6/3:a", "0 T6/3:b", "1 B6/3", "9 due"], "6/3=138 6/3=138"),
        ("masked", vec!["0 B小***/3", "1 T小***/3:a", "1 B大***/3", "9 due"], "小***/3=138 大***/3~198"),
        ("gifted", vec!["0 B6/3", "0 T6/3:a", "1 E7/3:a", "9 due"], "6/3=138"),
        ("gifted, bought for the other", vec!["0 B7/3", "0 T6/3:a", "1 E7/3:a", "9 due"], "6/3=138 6/3=138<"),
        ("gifted, the other's buy last", vec!["0 T6/3:a", "1 E7/3:a", "2 B7/3", "9 due"], "6/3=138 6/3=138<"),
        (
            "gifted, the echo after the estimate",
            vec!["0 T6/3:a", "1 B7/3", "6 due", "7 E7/3:a"],
            "6/3=138 7/3~198 6/3=138<",
        ),
        ("gifted, echo first", vec!["0 E7/3:a", "1 T6/3:a", "9 due"], "6/3=138"),
        ("gifted, toast last", vec!["0 B7/3", "0 E7/3:a", "1 T6/3:a", "9 due"], "6/3=138<"),
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
        let expected =
            Guard { guard_level: level, num: 1, unit: "月".into(), paid: Gold(paid), estimated: true, explains: None };
        assert_eq!(event.map(|event| event.body), Some(Body::Guard(expected)), "{text}");
    }
}

#[test]
fn both_toasts_of_an_order_have_one_id_even_if_nothing_is_remembered() {
    let id = |now| GuardMerge::default().take(message("T6/3:a"), Duration::from_secs(now)).map(|event| event.id);
    assert_eq!(id(0), id(999));
}

#[test]
fn without_a_price_a_year_costs_twelve_months_and_a_day_card_nothing() {
    for (level, num, unit, cny) in
        [(3, 2, "月", 396), (3, 1, "年", 2376), (2, 1, "年", 23_976), (3, 1, "*3天", 0), (1, 7, "天", 0)]
    {
        assert_eq!(list_price(level, num, unit), Gold::from_cny(cny), "{num} {unit}");
    }
}

#[test]
fn what_is_explained_is_the_estimate_that_was_given_out() {
    let mut merge = GuardMerge::default();
    let buy = message("B7/3");
    assert_eq!(merge.take(buy.clone(), Duration::ZERO), None);
    assert!(merge.take(message("T6/3:a"), Duration::ZERO).is_some());
    let again = merge.take(message("E7/3:a"), Duration::ZERO).expect("the receipt again");
    let Body::Guard(guard) = &again.body else { panic!("{again:?}") };
    assert_eq!(guard.explains, buy.estimate().map(|estimate| estimate.id));
    assert_eq!(merge.due(HOLD), []);
    assert_eq!(merge.take(message("E7/3:a"), Duration::ZERO), None);
}
