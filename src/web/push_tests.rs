//! A reader of the ring: what it gets, how much at a time, and what it is told about what it missed.

use futures_util::{FutureExt, StreamExt};
use serde_json::Value;

use super::*;
use crate::{
    actors::ring::{Copied, Piece},
    domain::{Kind, RoomInfo},
    web::audience::Audience,
};

fn push(ring: &Ring, room: u64, kind: Kind, text: &str) {
    ring.push_events(vec![(RoomId(room), Piece { kind, json: format!("\"{text}\"").into() })]);
}

fn texts(reader: &mut Reader) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let messages = reader.read();
        if messages.is_empty() && !reader.has_more() {
            return all;
        }
        all.extend(messages.iter().map(|message| serde_json::from_str(&message.text()).expect("JSON")));
    }
}

fn reader(ring: &Arc<Ring>, rooms: &str, kinds: &str, after: Option<&str>) -> Reader {
    Reader::new(
        ring.clone(),
        Arc::new(Shared::new(Audience::Everything, Arc::default())),
        Filter::parse(rooms, kinds).expect("a filter"),
        after,
    )
}

#[test]
fn a_reader_gets_what_it_asked_for_and_resumes_exactly() {
    let ring = Arc::new(Ring::new(7));
    push(&ring, 1, Kind::Danmaku, "before");
    let mut first = reader(&ring, "1", "danmaku", None);
    push(&ring, 1, Kind::Danmaku, "a");
    push(&ring, 2, Kind::Danmaku, "other room");
    push(&ring, 1, Kind::Gift, "other kind");
    let got = texts(&mut first);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0]["events"], json!(["a"]));
    let cursor = first.cursor();
    push(&ring, 1, Kind::Danmaku, "b");
    let mut again = reader(&ring, "1", "danmaku", Some(&cursor));
    assert_eq!(texts(&mut again)[0]["events"], json!(["b"]));
    assert!(texts(&mut again).is_empty());
}

#[test]
fn readers_at_the_same_place_who_want_the_same_get_the_same_bytes_and_nobody_else_does() {
    let (ring, wall) = (Arc::new(Ring::new(7)), Arc::<Wall>::default());
    let shared = [Audience::Everything, Audience::Public].map(|who| Arc::new(Shared::new(who, wall.clone())));
    let mut readers = [
        ("1", "", None, 0),
        ("1", "", None, 0),
        ("1,2", "", None, 0),
        ("1", "danmaku", None, 0),
        ("1", "", Some("7-1.1.0"), 0),
        ("1", "", None, 1),
    ];
    push(&ring, 1, Kind::Danmaku, "before");
    let mut readers = readers.each_mut().map(|(rooms, kinds, after, who)| {
        let filter = Filter::parse(rooms, kinds).expect("a filter");
        Reader::new(ring.clone(), shared[*who].clone(), filter, *after)
    });
    for text in ["a", "b"] {
        push(&ring, 1, Kind::Danmaku, text);
        push(&ring, 1, Kind::Gift, text);
        let [first, again, others @ ..] = readers.each_mut().map(Reader::read);
        assert_eq!((first.len(), first[0].events), (1, 2));
        assert_eq!(first[0].frame.as_ptr(), again[0].frame.as_ptr(), "made once");
        assert_eq!(first[0].cursor, again[0].cursor);
        for other in others {
            assert_ne!(first[0].frame, other[0].frame, "another cursor, other events or another audience");
        }
    }
    let [first, again, ..] = &mut readers;
    push(&ring, 1, Kind::Danmaku, "c");
    assert_eq!(texts(first)[0]["events"], json!(["c"]));
    push(&ring, 1, Kind::Danmaku, "d");
    assert_eq!(texts(again)[0]["events"], json!(["c", "d"]), "who comes later gets what came meanwhile with it");
    assert_eq!(texts(first)[0]["events"], json!(["d"]));
    assert_eq!(first.cursor(), again.cursor());
}

#[test]
fn a_reader_of_a_copy_is_told_of_a_hole_and_reads_on_behind_it() {
    let ring = Arc::new(Ring::new(0));
    let copy = |boot, seq, text: &str| {
        let piece = Piece { kind: Kind::Danmaku, json: format!("\"{text}\"").into() };
        ring.copy(boot, seq, Copied::Events(vec![(RoomId(1), piece)]));
    };
    copy(7, 1, "a");
    let mut reader = reader(&ring, "1", "", None);
    copy(7, 2, "b");
    copy(7, 5, "e");
    copy(7, 6, "f");
    let got = texts(&mut reader);
    assert_eq!(got[0], json!({"type": "gap", "skipped": null}));
    assert_eq!(got[1]["events"], json!(["e", "f"]), "what is there is not lost with what is not");
    copy(8, 1, "another run");
    let got = texts(&mut reader);
    assert_eq!((&got[0]["type"], &got[1]["events"]), (&json!("gap"), &json!(["another run"])));
    assert!(texts(&mut reader).is_empty());
}

#[test]
fn a_reader_that_fell_behind_learns_how_much_of_its_own_rooms_it_missed() {
    let ring = Arc::new(Ring::new(7));
    let (mut one, mut all) = (reader(&ring, "1", "", None), reader(&ring, "all", "", None));
    let cursor = one.cursor();
    for n in 0..3000u64 {
        push(&ring, n % 3, Kind::Danmaku, "x");
    }
    for (name, reader, expected) in [("one", &mut one, 1000), ("all", &mut all, 3000)] {
        let got = texts(reader);
        let skipped = got[0]["skipped"].as_u64().expect("a gap comes first");
        let received: u64 = got[1..].iter().map(|m| m["events"].as_array().expect("events").len() as u64).sum();
        assert_eq!(skipped + received, expected, "{name}");
        assert!(skipped > 0, "{name}");
    }
    let late = texts(&mut reader(&ring, "1", "", Some(&cursor)));
    assert!(late[0]["skipped"].as_u64().is_some_and(|n| n > 0), "the cursor knows how many there were");
    let changed = texts(&mut reader(&ring, "2", "", Some(&cursor)));
    assert_eq!(changed[0], json!({"type": "gap", "skipped": null}), "that cursor counted another room");
}

#[test]
fn a_reader_far_behind_copies_one_bounded_part_at_a_time() {
    let ring = Arc::new(Ring::new(7));
    let late = Rc::new(RefCell::new(reader(&ring, "all", "", Some("7-0"))));
    let text = "x".repeat(40 * 1024);
    for _ in 0..200 {
        push(&ring, 1, Kind::Danmaku, &text);
    }
    let (_going, closing) = watch::channel(false);
    let mut messages = Box::pin(stream(late.clone(), Bell::at(&ring), closing));
    let (mut received, mut wakes) = (0, 0);
    while received < 200 {
        let mut bytes = 0;
        while let Some(Some(message)) = messages.next().now_or_never() {
            received += message.events;
            bytes += message.text().len();
        }
        wakes += 1;
        assert!(bytes < BYTES_A_READ + 2 * text.len(), "{bytes} bytes before the socket is asked");
        assert!(wakes < 100, "it gets there");
    }
    assert_eq!(received, 200);
    assert!(wakes >= 200 * text.len() / (BYTES_A_READ + text.len()), "{wakes}");
}

#[test]
fn a_new_subscription_goes_on_from_where_the_reader_is() {
    let ring = Arc::new(Ring::new(7));
    push(&ring, 1, Kind::Danmaku, "before");
    let mut late = reader(&ring, "1", "danmaku", None);
    // More than one read of nothing wanted, then something that is.
    for _ in 0..2 * FRAMES_A_READ {
        push(&ring, 2, Kind::Danmaku, "other room");
    }
    push(&ring, 1, Kind::Danmaku, "a");
    assert!(late.read().is_empty() && late.has_more());
    assert!(late.subscribe(Filter::parse("1", "danmaku,gift").expect("a filter")).is_empty());
    push(&ring, 1, Kind::Gift, "b");
    assert_eq!(late.seen, Some(1));
    let got: Vec<Value> = texts(&mut late).into_iter().map(|message| message["events"].clone()).collect();
    assert_eq!(got, [json!(["a", "b"])], "no event is lost, none comes twice, and there is no gap");
    for (rooms, count) in [("all", 67), ("1", 3), ("2", 64), ("1,2", 67), ("3", 0)] {
        late.subscribe(Filter::parse(rooms, "").expect("a filter"));
        assert_eq!(late.seen, Some(count), "{rooms}: a later gap is counted from here");
    }
}

#[test]
fn a_new_subscription_of_a_reader_that_fell_behind_still_hears_of_its_gap() {
    let ring = Arc::new(Ring::new(7));
    let mut late = reader(&ring, "1", "", None);
    for _ in 0..3000 {
        push(&ring, 2, Kind::Danmaku, "x");
    }
    late.subscribe(Filter::parse("2", "").expect("a filter"));
    let got = texts(&mut late);
    assert_eq!(got[0], json!({"type": "gap", "skipped": null}));
    assert_eq!(got[1..].iter().map(|m| m["events"].as_array().expect("events").len()).sum::<usize>(), 2048);
}

#[test]
fn a_cursor_of_another_run_is_an_unknown_gap() {
    let ring = Arc::new(Ring::new(7));
    let mut reader = reader(&ring, "all", "", Some("abc-4.4.0"));
    assert_eq!(texts(&mut reader), [json!({"type": "gap", "skipped": null})]);
}

#[test]
fn a_cursor_with_an_absurd_count_does_no_harm() {
    let ring = Arc::new(Ring::new(7));
    push(&ring, 1, Kind::Danmaku, "a");
    let mut reader = reader(&ring, "all", "", Some("7-0.18446744073709551615.0"));
    assert_eq!(texts(&mut reader)[0]["events"], json!(["a"]));
}

#[test]
fn a_room_that_changed_is_told_to_who_watches_it_as_it_is_by_then() {
    let (ring, wall) = (Arc::new(Ring::new(7)), Arc::new(Wall::default()));
    wall.put(RoomInfo::unknown(RoomId(1)));
    wall.put(RoomInfo::unknown(RoomId(2)));
    let shared = Arc::new(Shared::new(Audience::Everything, wall.clone()));
    let reader = |rooms| {
        let filter = Filter::parse(rooms, "").expect("a filter");
        Reader::new(ring.clone(), shared.clone(), filter, None)
    };
    let (mut one, mut all, mut none) = (reader("1"), reader("all"), reader("3"));
    ring.push_rooms(wall.take_changed());
    wall.learn(RoomId(1), |info| info.title = "晚安".into());
    wall.remove(RoomId(2));
    let got = texts(&mut all);
    let rooms = got[0]["rooms"].as_array().expect("rooms");
    assert_eq!((&rooms[0]["title"], &rooms[1]), (&json!("晚安"), &json!({"room_id": 2, "removed": true})));
    assert_eq!(texts(&mut one)[0]["rooms"], json!([rooms[0]]));
    assert_eq!(texts(&mut none), [] as [Value; 0]);
}
