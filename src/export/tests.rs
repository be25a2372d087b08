//! What a copy holds, and what hostile texts become in it.

use super::*;
use crate::{
    domain::{BlindBox, Body, CoinType, Danmaku, EventId, Gift, Gold, Guard, RoomId, Source, SuperChat, User},
    store::{Batch, Position, StoreKind},
};

const EVIL: &str = "=HYPERLINK(\"http://evil\",\"<b>&'x\")\n\u{202e}\u{0}";

fn history() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(&folder.path().join("live.db")).expect("a database");
    let gift = Gift {
        gift_id: 5,
        gift_name: "＋小花".into(),
        num: 2,
        coin_type: CoinType::Gold,
        price: Gold(1500),
        paid: Gold(3000),
        value: Gold(3000),
        blind_box: Some(BlindBox { name: "@盲盒".into(), price: Gold(1500) }),
        receiver: None,
        medal: None,
    };
    let bodies = [
        Body::Danmaku(Danmaku { message: EVIL.into(), ..Danmaku::default() }),
        Body::Gift(gift),
        Body::SuperChat(SuperChat {
            super_chat_id: 1,
            message: "  -1+1".into(),
            paid: Gold(30_000),
            start_time: 0,
            end_time: 60,
        }),
        Body::Guard(Guard {
            guard_level: 3,
            num: 1,
            unit: "月".into(),
            paid: Gold(138_000),
            estimated: true,
            explains: None,
        }),
        Body::Danmaku(Danmaku { message: "好".into(), ..Danmaku::default() }),
    ];
    let events = (0..).zip(bodies).map(|(n, body)| Event {
        id: EventId::of(1_700_000_000_000 + n * 500, &[&n.to_string()]),
        room_id: RoomId(7),
        timestamp_ms: 1_700_000_000_000 + n * 500,
        received_ms: 1_700_000_000_001,
        source: Source::Live,
        user: User { uid: Uid(42), username: "@小猫".into(), masked: false, alias: None },
        origin: None,
        body,
    });
    let batch = Batch { position: Position("1".into()), events: events.collect() };
    database.record(StoreKind::Embedded, &[batch]).expect("recorded");
    (folder, database)
}

fn copy(format: Format, change: impl FnOnce(&mut Order)) -> (u64, Vec<u8>) {
    let (_folder, database) = history();
    let walk = Walk { room: Some(RoomId(7)), kinds: KINDS.to_vec(), from_ms: 0, to_ms: 2_000_000_000_000 };
    let mut order = Order { walk, uid: None, q: None, format, bom: false };
    change(&mut order);
    let mut out = Vec::new();
    let events = export(&database, &order, &mut out).expect("copied");
    (events, out)
}

#[test]
fn no_text_of_a_stranger_becomes_a_formula() {
    let (events, bytes) = copy(Format::Csv, |order| order.bom = true);
    assert_eq!(events, 5);
    let text = String::from_utf8(bytes).expect("UTF-8");
    let mut reader = csv::Reader::from_reader(text.strip_prefix('\u{feff}').expect("a mark").as_bytes());
    let names = reader.headers().expect("names").clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let cell = |row: usize, name: &str| {
        rows[row].get(names.iter().position(|known| known == name).expect("a column")).expect("a cell").to_owned()
    };
    assert_eq!(cell(0, "message"), format!("'{EVIL}"));
    assert_eq!((cell(1, "gift_name"), cell(1, "blind_box")), ("'＋小花".into(), "'@盲盒".into()));
    assert_eq!((cell(1, "paid_cny"), cell(1, "paid_gold"), cell(1, "num")), ("3.00".into(), "3000".into(), "2".into()));
    assert_eq!((cell(2, "message"), cell(2, "paid_cny")), ("'  -1+1".into(), "30.00".into()));
    assert_eq!((cell(3, "guard_level"), cell(3, "estimated"), cell(3, "unit")), ("3".into(), "1".into(), "月".into()));
    assert_eq!((cell(4, "message"), cell(4, "username")), ("好".into(), "'@小猫".into()));
    assert_eq!(cell(4, "time_utc8"), "2023-11-15 06:13:22");
}

#[test]
fn every_line_of_ndjson_is_an_event_of_the_contract() {
    let (_, bytes) = copy(Format::Ndjson, |_| {});
    let lines: Vec<Event> = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("an event"))
        .collect();
    let kinds: Vec<&str> = lines.iter().map(|event| event.kind().as_str()).collect();
    assert_eq!(kinds, ["danmaku", "gift", "super_chat", "guard", "danmaku"]);
}

#[test]
fn markup_stays_text_in_the_danmaku_document() {
    let (_, bytes) = copy(Format::Xml, |_| {});
    let text = String::from_utf8(bytes).expect("UTF-8");
    let evil = "=HYPERLINK(&quot;http://evil&quot;,&quot;&lt;b&gt;&amp;&apos;x&quot;) \u{202e}";
    let line = format!("<d p=\"0.000,1,25,16777215,1700000000,0,42,1\" user=\"@小猫\">{evil}</d>\n");
    assert!(text.contains(&line), "{text}");
    let paid = "<sc ts=\"1.000\" user=\"@小猫\" uid=\"42\" price=\"30.00\" time=\"60\">  -1+1</sc>\n";
    assert!(text.contains(paid) && text.ends_with("</i>\n"), "{text}");
}

#[test]
fn a_workbook_goes_on_in_the_next_sheet_and_holds_texts_as_texts() {
    let (events, bytes) = copy(Format::Xlsx, |_| {});
    assert_eq!((events, &bytes[..2]), (5, b"PK".as_slice()));
    // The directory of an archive stands uncompressed at its end.
    let names = String::from_utf8_lossy(&bytes);
    assert!(names.contains("worksheets/sheet2.xml") && !names.contains("worksheets/sheet3.xml"));
}

#[test]
fn only_what_was_asked_for_is_copied() {
    let count = |change: &dyn Fn(&mut Order)| copy(Format::Ndjson, |order| change(order)).0;
    assert_eq!(count(&|order| order.q = Some("hyperlink".into())), 1);
    assert_eq!(count(&|order| order.q = Some("小猫".into())), 5);
    assert_eq!(count(&|order| order.uid = Some(Uid(1))), 0);
    assert_eq!(count(&|order| order.walk.kinds = vec![Kind::Guard]), 1);
    assert_eq!(count(&|order| order.walk.to_ms = 1_700_000_000_500), 1);
    assert_eq!(kinds("gift, danmaku,gift"), Ok(vec![Kind::Gift, Kind::Danmaku]));
    assert_eq!((kinds("all"), kinds("enter").is_err()), (Ok(KINDS.to_vec()), true));
}
