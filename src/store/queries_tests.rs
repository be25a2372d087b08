//! Pages, series and the small tables, as their readers use them.

use super::super::{
    StoreKind,
    fixtures::{T0, batch, by, danmaku, event, gift, guard},
    series::{Step, TopBy},
};
use super::*;
use crate::domain::{Gold, LiveStatus, RoomInfo};
use crate::store::gaps::{GapNews, UnknownCommand};

fn open() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("live.db")).unwrap();
    (folder, database)
}

fn page(limit: usize, before: Option<Cursor>, since: Option<Cursor>) -> Page {
    Page { limit, before, since }
}

#[test]
fn turning_pages_shows_every_event_once_newest_first() {
    let (_folder, database) = open();
    // Several in one millisecond, in two rooms.
    let mut events: Vec<Event> = (0..60)
        .map(|n| {
            let mut event = danmaku(1 + n as u64 % 2, n / 6, "a");
            event.id = EventId::of(event.timestamp_ms, &[&n.to_string()]);
            event
        })
        .collect();
    database.record(StoreKind::Redis, &[batch("1-0", events.clone())]).unwrap();
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    for room in [None, Some(RoomId(1))] {
        let wanted: Vec<Event> =
            events.iter().filter(|event| room.is_none_or(|room| event.room_id == room)).cloned().collect();
        let filter = Filter { room, ..Filter::default() };
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let events = database.danmaku(&filter, &page(7, before, None)).unwrap();
            before = events.events.last().map(|event| Cursor::Event(event.id));
            seen.extend(events.events);
            if !events.has_more {
                break;
            }
        }
        assert_eq!(seen, wanted);
        let newer = database.danmaku(&filter, &page(1000, None, Some(Cursor::Event(wanted[9].id)))).unwrap();
        assert_eq!(newer.events, wanted[..9]);
        assert!(!newer.has_more);
        let within = page(1000, Some(Cursor::Ms(T0 + 5)), Some(Cursor::Ms(T0 + 4)));
        let within = database.danmaku(&filter, &within).unwrap().events;
        assert!(within.iter().all(|event| event.timestamp_ms == T0 + 4));
        assert_eq!(within.len(), if room.is_none() { 6 } else { 3 });
    }
    for (limit, more) in [(0, true), (59, true), (60, false), (usize::MAX, false)] {
        let found = database.danmaku(&Filter::default(), &page(limit, None, None)).unwrap();
        assert_eq!((found.events.len(), found.has_more), (limit.min(60), more));
    }
}

#[test]
fn a_search_takes_wildcards_for_letters() {
    let (_folder, database) = open();
    let texts = ["100%", "100 percent", "a_b", "aXb", "反\\斜", "喵喵喵"];
    let events = texts.iter().enumerate().map(|(n, text)| danmaku(1, n as i64, text)).collect();
    database.record(StoreKind::Redis, &[batch("1-0", events)]).unwrap();
    for (q, found) in [("100%", 1), ("a_b", 1), ("\\", 1), ("喵", 1), ("A_B", 1), ("用户3", 1), ("", 6), ("no", 0)] {
        let filter = Filter { q: Some(q.into()), ..Filter::default() };
        assert_eq!(database.danmaku(&filter, &page(10, None, None)).unwrap().events.len(), found, "{q}");
    }
}

#[test]
fn users_are_found_by_number_and_gifts_by_name() {
    let (_folder, database) = open();
    let events = vec![by(danmaku(1, 0, "a"), 5), by(danmaku(1, 1, "b"), 6), by(gift(1, 2, 100), 5), guard(1, 3, 1)];
    database.record(StoreKind::Redis, &[batch("1-0", events.clone())]).unwrap();
    let five = Filter { uid: Some(Uid(5)), ..Filter::default() };
    assert_eq!(database.danmaku(&five, &page(10, None, None)).unwrap().events, events[..1]);
    let flower = Filter { q: Some("花花".into()), ..Filter::default() };
    assert_eq!(database.gifts(&flower, &page(10, None, None)).unwrap().events, events[2..3]);
    let name = Filter { q: Some("用户3".into()), room: Some(RoomId(1)), ..Filter::default() };
    assert_eq!(database.guards(&name, &page(10, None, None)).unwrap().events, events[3..]);
}

#[test]
fn a_trend_adds_minutes_to_hours_and_to_days_in_china() {
    let (_folder, database) = open();
    let minute = 60_000;
    // 2023-11-14 22:13 UTC is 2023-11-15 06:13 in China; the day there began 6 h 13 min 20 s before.
    let events = vec![
        danmaku(1, 0, "a"),
        danmaku(1, minute, "抽奖"),
        gift(1, minute, 1500),
        guard(1, 60 * minute, 138_000),
        danmaku(1, 24 * 60 * minute, "b"),
        danmaku(2, 0, "elsewhere"),
    ];
    database.record(StoreKind::Redis, &[batch("1-0", events)]).unwrap();
    let trend = |step| database.trend(RoomId(1), T0, i64::MAX, step).unwrap();
    let minutes = trend(Step::Minute);
    assert_eq!(minutes.iter().map(|point| point.danmaku).collect::<Vec<_>>(), [1, 1, 0, 1]);
    assert_eq!((minutes[1].lottery, minutes[1].gift_gold), (1, Gold(1500)));
    assert_eq!(trend(Step::Hour).iter().map(|point| point.danmaku).collect::<Vec<_>>(), [2, 0, 1]);
    let days = trend(Step::Day);
    assert_eq!(
        days.iter().map(|point| (point.danmaku, point.guard_gold)).collect::<Vec<_>>(),
        [(2, Gold(138_000)), (1, Gold(0))]
    );
    assert_eq!(days[0].at_ms, 1_699_977_600_000, "2023-11-14 16:00 UTC");
    assert_eq!(database.trend(RoomId(1), T0, T0 + minute, Step::Minute).unwrap().len(), 2);
}

#[test]
fn users_are_ranked_by_chat_and_by_money() {
    let (_folder, database) = open();
    let mut events = vec![by(gift(1, 0, 0), 9), by(guard(1, 1, 138_000), 6), by(gift(1, 2, 500), 5)];
    events.extend((3..6).map(|n| by(danmaku(1, n, "a"), 5)));
    events.extend([by(danmaku(1, 7, "a"), 6), by(danmaku(1, 8, "masked"), 0)]);
    database.record(StoreKind::Redis, &[batch("1-0", events)]).unwrap();
    let ranked = |by| {
        let users = database.top_users(RoomId(1), by, 10).unwrap();
        users.into_iter().map(|user| (user.uid.0, user.danmaku, user.paid_gold.0)).collect::<Vec<_>>()
    };
    assert_eq!(ranked(TopBy::Danmaku), [(5, 3, 500), (6, 1, 138_000)]);
    assert_eq!(ranked(TopBy::Paid), [(6, 1, 138_000), (5, 3, 500)]);
    assert_eq!(database.totals(RoomId(1)).unwrap().users, 3, "a free gift makes a user, a mask does not");
    let five = &database.top_users(RoomId(1), TopBy::Danmaku, 1).unwrap()[0];
    assert_eq!((five.first_ms, five.last_ms, five.gifts), (T0 + 2, T0 + 5, 1));
}

#[test]
fn rooms_keep_what_is_known_and_whether_they_are_watched() {
    let (_folder, database) = open();
    let info = RoomInfo {
        short_id: 6,
        uid: Uid(42),
        uname: "主播".into(),
        title: "标题".into(),
        face: "f".into(),
        cover: "c".into(),
        area_name: "a".into(),
        parent_area_name: "p".into(),
        status: LiveStatus::Live,
        live_since_ms: Some(5),
        online: 7,
        followers: 8,
        ..RoomInfo::unknown(RoomId(1))
    };
    database.save_room(&info).unwrap();
    assert_eq!(database.monitored().unwrap(), []);
    database.set_monitored(RoomId(1), true).unwrap();
    database.set_monitored(RoomId(9), true).unwrap();
    database.set_paused(RoomId(1), true).unwrap();
    let stored = database.room(RoomId(1)).unwrap().unwrap();
    assert_eq!((&stored.info, stored.monitored, stored.paused), (&info, true, true));
    let off = RoomInfo { status: LiveStatus::Off, live_since_ms: None, face: String::new(), ..info };
    database.save_room(&off).unwrap();
    let rooms = database.monitored().unwrap();
    assert_eq!((&rooms[0].info, rooms[0].paused), (&off, true), "what is known changes, what is wanted stays");
    assert_eq!(rooms[1].info, RoomInfo::unknown(RoomId(9)));
    // Events of a room leave what is known about it alone.
    database.record(StoreKind::Redis, &[batch("1-0", vec![event(1, 0, crate::domain::Body::Enter(None))])]).unwrap();
    assert_eq!(database.room(RoomId(1)).unwrap().unwrap().info, off);
    database.set_monitored(RoomId(1), false).unwrap();
    assert_eq!(database.monitored().unwrap().len(), 1);
    assert!(!database.room(RoomId(1)).unwrap().unwrap().paused);
    assert_eq!(database.room(RoomId(77)).unwrap(), None);
}

#[test]
fn a_room_has_one_open_gap_at_most() {
    let (_folder, database) = open();
    let note = |room: u64, at_ms, ceased: Option<&str>| {
        let news = GapNews { room: RoomId(room), at_ms, ceased: ceased.map(str::to_owned) };
        database.note_gaps(&[news]).unwrap();
    };
    note(1, 5, None);
    note(1, 1000, Some("connection reset"));
    note(1, 1500, Some("refused"));
    note(2, 1500, Some("elsewhere"));
    let gaps = database.gaps(RoomId(1), 0, 5000).unwrap();
    assert_eq!(gaps.len(), 1);
    let gap = &gaps[0];
    assert_eq!((gap.from_ms, gap.to_ms, gap.reason.as_str(), gap.attempts), (1000, None, "refused", 1));
    note(1, 2000, None);
    note(1, 3000, Some("again"));
    note(1, 2500, None);
    let gaps = database.gaps(RoomId(1), 0, 5000).unwrap();
    let said: Vec<_> = gaps.iter().map(|gap| (gap.from_ms, gap.to_ms)).collect();
    assert_eq!(said, [(1000, Some(2000)), (3000, Some(3000))]);
    assert_eq!(database.gaps(RoomId(1), 2000, 3000).unwrap(), []);
    assert_eq!(database.gaps(RoomId(1), 1999, 2500).unwrap().len(), 1);
}

#[test]
fn unknown_commands_are_counted_with_their_first_example() {
    let (_folder, database) = open();
    let counted = |cmd: &str, count, sample: &str, at_ms| UnknownCommand {
        cmd: cmd.into(),
        count,
        first_ms: at_ms,
        last_ms: at_ms,
        sample: sample.into(),
    };
    database.count_unknown(&[counted("NEW_THING", 2, "", 10)]).unwrap();
    database.count_unknown(&[counted("NEW_THING", 2, "{\"a\":1}", 15)]).unwrap();
    database
        .count_unknown(&[counted("NEW_THING", 1, "{\"a\":2}", 20), counted("OTHER", 1, &"喵".repeat(9999), 20)])
        .unwrap();
    let commands = database.unknown_commands().unwrap();
    let first = &commands[0];
    assert_eq!((first.cmd.as_str(), first.count, first.first_ms, first.last_ms), ("NEW_THING", 5, 10, 20));
    assert_eq!(first.sample, "{\"a\":1}");
    assert_eq!(commands[1].sample.chars().count(), 4000);
}

#[test]
fn names_without_end_do_not_fill_the_table_of_unknown_commands() {
    let (_folder, database) = open();
    let named = |n| UnknownCommand { cmd: format!("X{n}"), count: 1, first_ms: 1, last_ms: 1, sample: "{}".into() };
    let flood: Vec<UnknownCommand> = (0..1500).map(named).collect();
    database.count_unknown(&flood).unwrap();
    database.count_unknown(&flood[..1]).unwrap();
    let commands = database.unknown_commands().unwrap();
    assert_eq!(commands.len(), 1001);
    assert_eq!((commands[0].cmd.as_str(), commands[0].count), ("(others)", 500));
    assert_eq!((commands[1].cmd.as_str(), commands[1].count), ("X0", 2));
}

#[test]
fn a_setting_is_kept_replaced_and_removed() {
    let (_folder, database) = open();
    assert_eq!(database.setting("theme").unwrap(), None);
    database.set_setting("theme", Some("dark")).unwrap();
    database.set_setting("theme", Some("light")).unwrap();
    assert_eq!(database.setting("theme").unwrap().as_deref(), Some("light"));
    database.set_setting("theme", None).unwrap();
    assert_eq!(database.setting("theme").unwrap(), None);
}
