//! How the history behaves when it is large: fills one, and measures what is asked of it.
//!
//! ```sh
//! cargo bench --bench history -- fill FOLDER 10000000     # writes FOLDER/live.db, some minutes and GB
//! cargo bench --bench history -- index FOLDER             # brings the search index up to date
//! cargo bench --bench history -- measure FOLDER           # asks what pages, API and search ask
//! cargo bench --bench history -- backup FOLDER            # a backup while rows are being stored
//! cargo bench --bench history -- compare FOLDER 2000      # runs of so many events there, and by turns in an empty history
//! cargo bench --bench history -- compare FOLDER 2000 1000 # the same, of an audience of so many people a room
//! ```
//!
//! Chat of 50 rooms over two months: a few phrases that everybody says, sentences, a third of the users masked;
//! gifts, entries, super chats and guards in the proportions of a busy evening. Dice are seeded. Everything goes
//! through the same doors as in the program. The figures are in `docs/measurements.md`.

#[path = "support/mod.rs"]
mod support;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use bilibili_live_monitor::{
    domain::{
        Body, CoinType, Danmaku, Event, EventId, Gift, Gold, Guard, RoomId, RoomInfo, Source, SuperChat, Uid, User,
    },
    store::{
        Batch, Position, StoreKind, backup,
        queries::{Cursor, Filter, Page},
        series::{Step, TopBy},
        sqlite::Database,
    },
    supervise::vitals::unix_ms,
};
use cpu_time::ThreadTime;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::time::Instant;

use support::bare_rows;

const ROOMS: u64 = 50;
const USERS: u64 = 400_000;
/// As many as the sync takes at once on a busy evening.
const BATCH: usize = 500;
/// 2026-09-01 UTC.
const BEGIN_MS: i64 = 1_788_220_800_000;
const SPAN_MS: i64 = 60 * 24 * 3_600_000;

const PHRASES: &[&str] = &[
    "哈哈哈哈",
    "666",
    "233333",
    "主播晚上好",
    "来了来了",
    "好听",
    "awsl",
    "草",
    "笑死我了",
    "这波可以",
    "加油加油",
    "晚安",
    "前方高能",
    "打call",
    "泪目",
    "好耶",
    "下次一定",
    "恭喜恭喜",
    "可爱捏",
    "老板大气",
    "真的假的",
    "绝了",
    "妙啊",
    "原来如此",
];
const SUBJECTS: &[&str] = &[
    "主播",
    "这个游戏",
    "今天的歌",
    "隔壁房间",
    "这一关",
    "麦克风",
    "新皮肤",
    "昨天的录播",
    "这只猫",
    "弹幕",
    "运营",
    "天气",
];
const VERBS: &[&str] = &["真的很", "是不是有点", "怎么这么", "感觉越来越", "完全不", "比上次更", "居然这么", "一直都"];
const ENDS: &[&str] =
    &["好看", "难打", "好听", "厉害", "离谱", "安静", "可爱", "奇怪", "贵", "快", "卡", "清楚", "感人", "下饭"];
/// Common characters for what nobody else says.
const LETTERS: &str = "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院变联权往展该领传近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石若兵弟谁校读志飞观争究包组造落视济喜离虽坏兴切医念晚";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", folder, lines] => fill(&file(folder), lines.parse().expect("a number of chat lines")),
        ["index", folder] => index(&open(folder)),
        ["measure", folder] => measure(&open(folder)),
        ["backup", folder] => back_up(&open(folder), Path::new(folder)),
        ["compare", folder, events, ref audience @ ..] => {
            let events = events.parse().expect("how many events a run");
            let audience = audience.first().map(|people| people.parse().expect("how many people a room"));
            compare(&open(folder), Path::new(folder), 300_000 / events, events, audience);
        }
        // `cargo bench` without more: whether it works at all.
        _ => {
            let folder = tempfile::tempdir().expect("a folder");
            let folder = folder.path().to_str().expect("a path");
            fill(&file(folder), 20_000);
            let database = open(folder);
            index(&database);
            measure(&database);
            back_up(&database, Path::new(folder));
            compare(&database, Path::new(folder), 4, BATCH, Some(2000));
        }
    }
}

fn file(folder: &str) -> PathBuf {
    Path::new(folder).join("live.db")
}

fn open(folder: &str) -> Database {
    Database::open(&file(folder)).expect("a history")
}

#[expect(clippy::print_stdout, reason = "the figures are what this is for")]
fn say(line: &str) {
    println!("{line}");
}

/// Makes the evening.
struct Crowd {
    dice: SmallRng,
    /// People in a room; everybody may be in any, without it.
    audience: Option<u64>,
    letters: Vec<char>,
    made: u64,
    total: u64,
}

impl Crowd {
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.dice.random_range(0..of.len())]
    }

    fn line(&mut self) -> String {
        match self.dice.random_range(0..10) {
            0..4 => self.pick(PHRASES).to_owned(),
            4..7 => format!("{}{}{}", self.pick(SUBJECTS), self.pick(VERBS), self.pick(ENDS)),
            _ => {
                let length = self.dice.random_range(4..16);
                (0..length).map(|_| self.letters[self.dice.random_range(0..self.letters.len())]).collect()
            }
        }
    }

    fn event(&mut self) -> Event {
        let n = self.made;
        self.made += 1;
        let timestamp_ms = BEGIN_MS + (n as i128 * i128::from(SPAN_MS) / i128::from(self.total)) as i64;
        // A few rooms and a few people are most of it.
        let skewed = |dice: &mut SmallRng, of: u64| (of as f64 * dice.random::<f64>().powi(3)) as u64;
        let room_id = RoomId(21_000_000 + skewed(&mut self.dice, ROOMS));
        let masked = self.dice.random_range(0..3) == 0;
        let who = match self.audience {
            None => skewed(&mut self.dice, USERS),
            // Some of all, and others in every room.
            Some(people) => (room_id.0 * 7_919 + skewed(&mut self.dice, people) * 197) % USERS,
        };
        let uid = if masked { 0 } else { 10_000 + who };
        let letter = self.letters[uid as usize % self.letters.len()];
        let username = if masked { format!("{letter}***") } else { format!("{letter}观众{uid}") };
        let body = match self.dice.random_range(0..1150) {
            0..1000 => Body::Danmaku(Danmaku { message: self.line(), user_level: Some(20), ..Danmaku::default() }),
            1000..1050 => {
                let paid = if self.dice.random_range(0..4) == 0 { 1000 } else { 0 };
                Body::Gift(Gift {
                    gift_id: 31036,
                    gift_name: "小花花".into(),
                    num: 1,
                    coin_type: if paid == 0 { CoinType::Silver } else { CoinType::Gold },
                    price: Gold(paid),
                    paid: Gold(paid),
                    value: Gold(paid),
                    blind_box: None,
                    receiver: None,
                    medal: None,
                })
            }
            1050 => Body::SuperChat(SuperChat {
                super_chat_id: n as i64,
                message: self.line(),
                paid: Gold(30_000),
                start_time: timestamp_ms / 1000,
                end_time: timestamp_ms / 1000 + 60,
            }),
            1051 => Body::Guard(Guard {
                guard_level: 3,
                num: 1,
                unit: "月".into(),
                paid: Gold(138_000),
                estimated: false,
                explains: None,
            }),
            _ => Body::Enter(None),
        };
        Event {
            id: EventId::of(timestamp_ms, &[&n.to_string()]),
            room_id,
            timestamp_ms,
            received_ms: timestamp_ms + 80,
            source: Source::Live,
            user: User { uid: Uid(uid), username, masked, alias: None },
            origin: None,
            body,
        }
    }

    fn batch(&mut self, events: usize) -> Batch {
        let events = (0..events).map(|_| self.event()).collect();
        Batch { position: Position(self.made.to_string()), events }
    }
}

fn crowd(total: u64) -> Crowd {
    Crowd { dice: SmallRng::seed_from_u64(1), audience: None, letters: LETTERS.chars().collect(), made: 0, total }
}

fn fill(path: &Path, lines: u64) {
    let database = Database::open(path).expect("a history");
    for room in 0..ROOMS {
        let info = RoomInfo {
            title: format!("房间 {room}"),
            uname: format!("主播{room}"),
            ..RoomInfo::unknown(RoomId(21_000_000 + room))
        };
        database.add_room(&info).expect("saved");
    }
    let mut crowd = crowd(lines * 115 / 100);
    let step = (lines / 20).max(1);
    let (mut stored, mut first, mut last) = (0, None, 0.0);
    while stored < lines {
        let (mut took, mut rows, until) = (Duration::ZERO, 0, stored + step);
        while stored < until {
            // Making events is not what is measured.
            let batch = crowd.batch(BATCH);
            stored += batch.events.iter().filter(|event| matches!(event.body, Body::Danmaku(_))).count() as u64;
            let begun = Instant::now();
            let recorded = database.record(StoreKind::Embedded, &[batch]).expect("recorded");
            took += begun.elapsed();
            rows += recorded.outcome().stored;
        }
        last = rows as f64 / took.as_secs_f64();
        first.get_or_insert(last);
        say(&format!("{stored} chat lines, {:.0} MB: {last:.0} events/s stored", database.size_bytes() as f64 / 1e6));
    }
    say(&format!("the last twentieth as fast as {:.2} of the first", last / first.unwrap_or(last)));
}

fn index(database: &Database) {
    let (begun, before, mut lines) = (Instant::now(), database.size_bytes(), 0);
    loop {
        let indexed = database.index_more(2000).expect("indexed");
        lines += indexed.taken;
        if !indexed.has_more {
            break;
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let grown = database.size_bytes().saturating_sub(before) as f64 / 1e6;
    say(&format!("{lines} lines indexed in {took:.0} s ({:.0} lines/s), {grown:.0} MB", lines as f64 / took));
}

/// The median and the worst of 15 times, ms.
fn timed<T>(what: &str, mut ask: impl FnMut() -> T) {
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let begun = Instant::now();
            std::hint::black_box(ask());
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    say(&format!("{what}: {:.1} ms, at most {:.1}", times[times.len() / 2], times[times.len() - 1]));
}

fn measure(database: &Database) {
    let (busy, page) = (RoomId(21_000_000), Page { limit: 50, before: None, since: None });
    let anywhere = Filter::default();
    let in_room = Filter { room: Some(busy), ..Filter::default() };
    let by = |uid| Filter { uid: Some(Uid(uid)), ..Filter::default() };
    let middle = Page { before: Some(Cursor::Ms(BEGIN_MS + SPAN_MS / 2)), ..page };
    timed("newest chat of all rooms", || database.danmaku(&anywhere, &page).expect("read"));
    timed("newest chat of a room", || database.danmaku(&in_room, &page).expect("read"));
    timed("chat of a room a month ago", || database.danmaku(&in_room, &middle).expect("read"));
    timed("newest gifts of a room", || database.gifts(&in_room, &page).expect("read"));
    timed("chat of a frequent user", || database.danmaku(&by(10_000), &page).expect("read"));
    timed("chat of a frequent user in a room", || {
        database.danmaku(&Filter { room: Some(busy), ..by(10_000) }, &page).expect("read")
    });
    timed("chat of a rare user in a room", || {
        database.danmaku(&Filter { room: Some(busy), ..by(399_999) }, &page).expect("read")
    });
    timed("totals of all rooms, with distinct users", || database.system_totals().expect("read"));
    timed("the most active users of a room", || database.top_users(busy, TopBy::Danmaku, 10).expect("read"));
    timed("the best payers of a room", || database.top_users(busy, TopBy::Paid, 10).expect("read"));
    timed("a room's month by the day", || {
        database.trend(busy, BEGIN_MS, BEGIN_MS + SPAN_MS / 2, Step::Day).expect("read")
    });
    for q in ["天气", "可爱", "游戏", "哈哈哈哈", "天气真的很好看", "龙凤", "的", "龙", "观众399999", "不存在的一句话"]
    {
        for (place, room) in [("", None), (" in a room", Some(busy))] {
            let filter = Filter { q: Some(q.to_owned()), room, uid: None };
            let found = database.danmaku(&filter, &page).expect("read");
            let hits = database.danmaku_hits(&filter).expect("counted");
            let what = format!("search {q}{place} ({} on the page, {hits:?} counted)", found.events.len());
            timed(&what, || database.danmaku(&filter, &page).expect("read"));
            timed("    counting", || database.danmaku_hits(&filter).expect("counted"));
        }
    }
    for q in ["花花", "观众399999"] {
        let filter = Filter { q: Some(q.to_owned()), ..Filter::default() };
        timed(&format!("search {q} in gifts"), || database.gifts(&filter, &page).expect("read"));
    }
}

/// Stores the same in a large history and in one that begins empty, run by run by turns, so that whatever else the
/// machine does meets both. Their logs are written back beside that, as in the program, and that is counted as well.
fn compare(large: &Database, folder: &Path, runs: usize, events_a_run: usize, audience: Option<u64>) {
    let beside = tempfile::tempdir_in(folder).expect("a folder on the same disk");
    let empty = Database::open(&beside.path().join("live.db")).expect("a history");
    let both = [&empty, large];
    let mut crowd = Crowd { audience, ..crowd(1_000_000) };
    let (from_ms, mut sent) = (unix_ms(), 0);
    let mut took = [(Duration::ZERO, Duration::ZERO); 2];
    let ended = AtomicBool::new(false);
    let written_back = thread::scope(|scope| {
        let keeping = scope.spawn(|| {
            let mut took = [Duration::ZERO; 2];
            while !ended.load(Relaxed) {
                for (database, took) in both.into_iter().zip(&mut took) {
                    let begun = ThreadTime::now();
                    database.write_back().expect("written back");
                    *took += begun.elapsed();
                }
                thread::sleep(Duration::from_millis(100));
            }
            took
        });
        for _ in 0..runs {
            let mut batch = crowd.batch(events_a_run);
            for event in &mut batch.events {
                event.timestamp_ms = from_ms + sent;
                event.id = EventId::of(event.timestamp_ms, &["compare", &sent.to_string()]);
                sent += 1;
            }
            for (database, (wall, busy)) in both.into_iter().zip(&mut took) {
                let batch = [batch.clone()];
                let begun = (Instant::now(), ThreadTime::now());
                let stored = database.record(StoreKind::Embedded, &batch).expect("recorded").outcome().stored;
                *wall += begun.0.elapsed();
                *busy += begun.1.elapsed();
                assert_eq!(stored as usize, events_a_run, "nothing of it was there");
            }
        }
        ended.store(true, Relaxed);
        keeping.join().expect("it ends")
    });
    for ((_, busy), beside) in took.iter_mut().zip(written_back) {
        *busy += beside;
    }
    say_compared("the program", took, runs * events_a_run);
    compare_bare(large, &empty, &mut crowd, runs, events_a_run);
}

/// The same with bare inserts of the chat among it. The sums of both histories know nothing of these.
fn compare_bare(large: &Database, empty: &Database, crowd: &mut Crowd, runs: usize, events_a_run: usize) {
    let both = [empty, large].map(|database| bare_rows::connection(database.path()));
    let mut statements = [bare_rows::prepare(&both[0]), bare_rows::prepare(&both[1])];
    let mut took = [(Duration::ZERO, Duration::ZERO); 2];
    let (from_ms, mut sent) = (unix_ms(), 0);
    for _ in 0..runs {
        let mut lines = crowd.batch(events_a_run).events;
        lines.retain(|event| matches!(event.body, Body::Danmaku(_)));
        for event in &mut lines {
            event.timestamp_ms = from_ms + sent as i64;
            event.id = EventId::of(event.timestamp_ms, &["bare", &sent.to_string()]);
            sent += 1;
        }
        for ((database, statement), (wall, busy)) in both.iter().zip(&mut statements).zip(&mut took) {
            let begun = (Instant::now(), ThreadTime::now());
            bare_rows::insert(database, statement, lines.iter());
            *wall += begun.0.elapsed();
            *busy += begun.1.elapsed();
        }
    }
    say_compared("bare inserts with the original's indexes", took, sent);
}

/// Says what was measured of an empty history and a large one, wall and busy.
fn say_compared(what: &str, took: [(Duration, Duration); 2], events: usize) {
    let each = |time: Duration| time.as_secs_f64() * 1e6 / events as f64;
    for (name, (wall, busy)) in ["empty at first", "large"].iter().zip(took) {
        say(&format!("{what}, {name}: {:.0} µs an event, {:.0} busy", each(wall), each(busy)));
    }
    let ratio = |of: fn(&(Duration, Duration)) -> Duration| of(&took[0]).as_secs_f64() / of(&took[1]).as_secs_f64();
    say(&format!("{what}: {:.2} as fast in the large one, busy {:.2}", ratio(|t| t.0), ratio(|t| t.1)));
}

fn back_up(database: &Database, folder: &Path) {
    let target = folder.join("backup.db");
    let ended = AtomicBool::new(false);
    let mut crowd = crowd(1_000_000);
    crowd.made = u64::MAX / 4;
    thread::scope(|scope| {
        let storing = scope.spawn(|| {
            // A busy evening: 2,000 events a second.
            let (mut sent, mut stored, mut worst) = (0, 0, Duration::ZERO);
            // After everything that is there, also after what an earlier run of this left.
            let from_ms = unix_ms();
            while !ended.load(Relaxed) {
                let begun = Instant::now();
                let mut batch = crowd.batch(BATCH);
                for event in &mut batch.events {
                    event.timestamp_ms = from_ms + sent;
                    event.id = EventId::of(event.timestamp_ms, &["backup", &sent.to_string()]);
                    sent += 1;
                }
                let begun_storing = Instant::now();
                stored += database.record(StoreKind::Embedded, &[batch]).expect("recorded").outcome().stored;
                worst = worst.max(begun_storing.elapsed());
                thread::sleep(Duration::from_millis(250).saturating_sub(begun.elapsed()));
            }
            (stored, worst)
        });
        let begun = Instant::now();
        let copy = backup::back_up(database.path(), &target, true);
        let took = begun.elapsed().as_secs_f64();
        ended.store(true, Relaxed);
        let (stored, worst) = storing.join().expect("it ends");
        let copy = copy.expect("a copy");
        say(&format!(
            "backup of {:.0} MB in {took:.1} s, checked; meanwhile {stored} events stored ({:.0}/s), the slowest batch in {:.0} ms",
            copy.bytes as f64 / 1e6,
            stored as f64 / took,
            worst.as_secs_f64() * 1e3
        ));
    });
}
