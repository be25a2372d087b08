//! Searching chat: by the index, beside it, and while lines come and go.

use super::{
    super::{
        StoreKind,
        fixtures::{T0, batch, by, danmaku, number, open},
        queries::Cursor,
    },
    *,
};
use crate::domain::Uid;

fn page(limit: usize) -> Page {
    Page { limit, before: None, since: None }
}

fn looking_for(q: &str) -> Filter {
    Filter { q: Some(q.to_owned()), ..Filter::default() }
}

fn texts(database: &Database, filter: &Filter) -> Vec<String> {
    let found = database.danmaku(filter, &page(100)).unwrap();
    let text = |event: &Event| match &event.body {
        Body::Danmaku(body) => body.message.clone(),
        _ => String::new(),
    };
    found.events.iter().map(text).collect()
}

fn index_all(database: &Database) {
    while database.index_more(3).unwrap().has_more {}
    assert_eq!(database.unindexed().unwrap(), 0);
}

fn store(database: &Database, events: &[Event]) {
    for (n, events) in events.chunks(100).enumerate() {
        database.record(StoreKind::Redis, &[batch(&format!("{n}-0"), events.to_vec())]).unwrap();
    }
}

#[test]
fn a_word_of_two_characters_is_found_with_and_without_the_index() {
    let (_folder, database) = open();
    let lines = ["今天天气真好", "天气不好", "好天", "Hello World", "666", "！？!?", "a b", "😀😀", "100% \"sure\""];
    let events: Vec<Event> = lines.iter().enumerate().map(|(n, text)| danmaku(1, n as i64, text)).collect();
    store(&database, &events);
    for indexed in [false, true] {
        if indexed {
            index_all(&database);
        }
        for (q, expected) in [
            ("天气", vec!["天气不好", "今天天气真好"]),
            ("天气真好", vec!["今天天气真好"]),
            ("气天", vec![]),
            ("HELLO w", vec!["Hello World"]),
            ("66", vec!["666"]),
            ("!?", vec!["！？!?"]),
            ("！？", vec!["！？!?"]),
            ("a b", vec!["a b"]),
            ("😀😀", vec!["😀😀"]),
            ("\"s", vec!["100% \"sure\""]),
            ("用户3", vec!["Hello World"]),
            ("好", vec!["好天", "天气不好", "今天天气真好"]),
            ("room1", vec![]),
        ] {
            assert_eq!(texts(&database, &looking_for(q)), expected, "{q}, indexed: {indexed}");
        }
    }
}

#[test]
fn pages_of_a_search_show_every_hit_once_newest_first_however_far_the_index_is() {
    let (_folder, database) = open();
    // Old lines come late, as from a backfill: the order of rows is not that of time.
    let mut events: Vec<Event> = (0..90)
        .map(|n| danmaku(1 + n as u64 % 2, (n * 37) % 90 / 3, if n % 3 == 0 { "别的" } else { "天气" }))
        .collect();
    for (n, event) in events.iter_mut().enumerate() {
        event.id = EventId::of(event.timestamp_ms, &[&n.to_string()]);
    }
    store(&database, &events[..60]);
    database.index_more(40).unwrap();
    store(&database, &events[60..]);
    let is_wanted = |event: &&Event| matches!(&event.body, Body::Danmaku(body) if body.message == "天气");
    for _ in 0..3 {
        for room in [None, Some(RoomId(2))] {
            let filter = Filter { room, ..looking_for("天气") };
            let mut wanted: Vec<&Event> =
                events.iter().filter(is_wanted).filter(|event| room.is_none_or(|room| event.room_id == room)).collect();
            wanted.sort_by_key(|event| std::cmp::Reverse(event.id));
            let (mut before, mut seen) = (None, Vec::new());
            loop {
                let found = database.danmaku(&filter, &Page { limit: 7, before, since: None }).unwrap();
                before = found.cursor().map(Cursor::Event);
                seen.extend(found.events);
                if !found.has_more {
                    break;
                }
            }
            assert_eq!(seen.iter().collect::<Vec<_>>(), wanted);
            assert_eq!(database.danmaku_hits(&filter).unwrap(), Some(wanted.len() as u64));
            let bounds = Page { limit: 100, before: Some(Cursor::Ms(T0 + 20)), since: Some(Cursor::Ms(T0 + 10)) };
            let within = database.danmaku(&filter, &bounds).unwrap().events;
            let expected = wanted.iter().filter(|event| (T0 + 10..T0 + 20).contains(&event.timestamp_ms)).count();
            assert_eq!(within.len(), expected);
            let newer = Page { limit: 100, before: None, since: Some(Cursor::Event(wanted[5].id)) };
            assert_eq!(database.danmaku(&filter, &newer).unwrap().events.len(), 5);
        }
        database.index_more(25).unwrap();
    }
}

#[test]
fn lines_that_share_a_document_are_all_found_also_when_one_is_deleted() {
    let (_folder, database) = open();
    let mut events: Vec<Event> = ["天气", "音乐", "游戏"].iter().map(|text| danmaku(1, 0, text)).collect();
    for (n, event) in events.iter_mut().enumerate() {
        // The same first 63 bits.
        event.id = Ulid((u128::from(T0.unsigned_abs()) << 80) | n as u128).to_string().parse().unwrap();
    }
    store(&database, &events[..1]);
    index_all(&database);
    store(&database, &events[1..]);
    assert_eq!(texts(&database, &looking_for("音乐")), ["音乐"], "not indexed yet");
    index_all(&database);
    for word in ["天气", "音乐", "游戏"] {
        assert_eq!(texts(&database, &looking_for(word)), [word]);
    }
    let gone = events[1].id.to_string();
    let mut writer = database.writer().unwrap();
    writer
        .immediate_transaction(|writer| {
            diesel::delete(danmaku::table.filter(danmaku::event_id.eq(&gone))).execute(writer)?;
            forget(writer, std::slice::from_ref(&gone))
        })
        .unwrap();
    drop(writer);
    assert_eq!(texts(&database, &looking_for("音乐")), Vec::<String>::new());
    assert_eq!(texts(&database, &looking_for("游戏")), ["游戏"]);
    let left = "SELECT count(*) AS n FROM blm_search WHERE blm_search MATCH '\"音乐\"'";
    assert_eq!(number(&database, left), 0, "the index has forgotten it too");
}

#[test]
fn a_search_within_a_user_and_among_masked_ones_finds_their_lines_only() {
    let (_folder, database) = open();
    let events = vec![by(danmaku(1, 0, "天气好"), 5), by(danmaku(1, 1, "天气坏"), 6), by(danmaku(2, 2, "天气冷"), 0)];
    store(&database, &events);
    index_all(&database);
    for (uid, expected) in [(5, ["天气好"]), (6, ["天气坏"]), (0, ["天气冷"])] {
        let filter = Filter { uid: Some(Uid(uid)), ..looking_for("天气") };
        assert_eq!(texts(&database, &filter), expected);
        let anywhere = Filter { q: None, ..filter.clone() };
        assert_eq!(texts(&database, &anywhere), expected);
        let elsewhere = Filter { room: Some(RoomId(3)), ..anywhere };
        assert!(texts(&database, &elsewhere).is_empty());
    }
}

#[test]
fn a_search_that_is_tiring_stops_and_says_where() {
    let (_folder, database) = open();
    // Each line holds all the pairs of what is looked for, but not the words, except the oldest.
    let mut events: Vec<Event> = (1..=CHECKED_MAX as i64 + 500).map(|n| danmaku(1, n, "天气 气真 真好")).collect();
    events.push(danmaku(1, 0, "天气真好"));
    store(&database, &events);
    while database.index_more(2000).unwrap().has_more {}
    let filter = looking_for("天气真好");
    let first = database.danmaku(&filter, &page(10)).unwrap();
    assert_eq!((first.events.len(), first.has_more), (0, true));
    let next = Page { limit: 10, before: first.cursor().map(Cursor::Event), since: None };
    let second = database.danmaku(&filter, &next).unwrap();
    assert_eq!((second.events.len(), second.has_more), (1, false));
    assert_eq!(database.danmaku_hits(&filter).unwrap(), None, "too many to count in passing");
}
