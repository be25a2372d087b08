//! What the store's tests share: events to store, a history to check, and a Redis server of one's own.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use diesel::prelude::*;

use super::{
    Batch, Position,
    number::Number,
    series::{Step, TopBy},
    sqlite::Database,
};
use crate::domain::{
    BlindBox, Body, CoinType, Danmaku, Event, EventId, Gauge, Gift, Gold, Guard, Medal, Receiver, RoomId, RoomNotice,
    Source, SuperChat, Uid, User,
};

/// A moment to count from: 2023-11-14 22:13:20 UTC.
pub(super) const T0: i64 = 1_700_000_000_000;

/// The event number `n` of a room: at that ms after [`T0`], by a user of its own.
pub(super) fn event(room: u64, n: i64, body: Body) -> Event {
    Event {
        id: EventId::of(T0 + n, &[&room.to_string(), body.kind().as_str(), &n.to_string()]),
        room_id: RoomId(room),
        timestamp_ms: T0 + n,
        received_ms: T0 + n + 50,
        source: Source::Live,
        user: User { uid: Uid(1000 + n as u64), username: format!("用户{n}"), masked: false, alias: None },
        origin: None,
        body,
    }
}

pub(super) fn by(mut event: Event, uid: u64) -> Event {
    event.user = User { uid: Uid(uid), username: format!("user {uid}"), masked: uid == 0, alias: None };
    event
}

pub(super) fn danmaku(room: u64, n: i64, message: &str) -> Event {
    let body = Danmaku {
        message: message.to_owned(),
        medal: Some(Medal { name: "猫粮".into(), level: 7 }),
        user_level: Some(21),
        guard_level: 3,
        is_admin: true,
        lottery: message == "抽奖",
        reply_to: Some("别人".into()),
        ..Danmaku::default()
    };
    event(room, n, Body::Danmaku(body))
}

pub(super) fn gift(room: u64, n: i64, paid: i64) -> Event {
    let body = Gift {
        gift_id: 31036,
        gift_name: "小花花".into(),
        num: 2,
        coin_type: if paid == 0 { CoinType::Silver } else { CoinType::Gold },
        price: Gold(paid / 2),
        paid: Gold(paid),
        value: Gold(paid),
        blind_box: (paid == 15_003).then(|| BlindBox { name: "心动盲盒".into(), price: Gold(15_003) }),
        receiver: Some(Receiver { uid: Uid(7), username: "主播".into() }),
        medal: None,
    };
    event(room, n, Body::Gift(body))
}

pub(super) fn super_chat(room: u64, n: i64, number: i64, paid: i64) -> Event {
    let body = SuperChat {
        super_chat_id: number,
        message: "加油".into(),
        paid: Gold(paid),
        start_time: 1_700_000_000,
        end_time: 1_700_000_060,
    };
    event(room, n, Body::SuperChat(body))
}

pub(super) fn guard(room: u64, n: i64, paid: i64) -> Event {
    let body = Guard { guard_level: 3, num: 1, unit: "月".into(), paid: Gold(paid), estimated: false, explains: None };
    event(room, n, Body::Guard(body))
}

pub(super) fn notice(room: u64, n: i64, title: &str) -> Event {
    event(room, n, Body::RoomChange(RoomNotice { title: Some(title.into()), ..RoomNotice::default() }))
}

pub(super) fn gauge(room: u64, n: i64, gauge: Gauge) -> Event {
    let mut event = event(room, n, Body::Gauge(gauge));
    event.user = User::default();
    event
}

pub(super) fn batch(position: &str, events: Vec<Event>) -> Batch {
    Batch { position: Position(position.to_owned()), events }
}

pub(super) fn shared(events: &[Event]) -> Vec<Arc<Event>> {
    events.iter().cloned().map(Arc::new).collect()
}

/// A history of its own.
pub(super) fn open() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("live.db")).unwrap();
    (folder, database)
}

/// The one number that `query` (selecting it as n) gives; 0 for null.
pub(super) fn number(database: &Database, query: &str) -> i64 {
    let query = format!("SELECT coalesce(n, 0) AS n FROM ({query})");
    diesel::sql_query(query).get_result::<Number>(&mut database.reader().unwrap()).unwrap().n
}

/// Fails unless everything that is summed equals what the rows say.
pub(super) fn assert_sums_equal_rows(database: &Database) {
    let totals = database.all_totals().unwrap();
    let rows = |query: &str, room: RoomId| number(database, &query.replace("ROOM", &room.to_string()));
    for (room, totals) in &totals {
        let room = *room;
        let chat = "SELECT count(*) AS n FROM live_data_danmakudata WHERE room_id = ROOM";
        let paid = |table: &str| format!("SELECT sum(paid_gold) AS n FROM live_data_{table} WHERE room_id = ROOM");
        let count = |table: &str| format!("SELECT count(*) AS n FROM live_data_{table} WHERE room_id = ROOM");
        assert_eq!(totals.danmaku, rows(chat, room));
        assert_eq!(totals.gifts, rows(&count("giftdata"), room));
        assert_eq!(totals.super_chats, rows(&count("superchat"), room));
        assert_eq!(totals.guards, rows(&count("guard"), room));
        let gifts = |others: bool| rows(&format!("{} AND to_other = {others}", paid("giftdata")), room);
        assert_eq!((totals.gift_gold.0, totals.others_gold.0), (gifts(false), gifts(true)));
        assert_eq!(totals.super_chat_gold.0, rows(&paid("superchat"), room));
        assert_eq!(totals.guard_gold.0, rows(&paid("guard"), room));
        let interacting =
            "SELECT uid FROM live_data_danmakudata WHERE room_id = ROOM AND NOT masked AND uid <> 0 AND NOT lottery
             UNION SELECT uid FROM live_data_giftdata WHERE room_id = ROOM AND NOT masked AND uid <> 0
             UNION SELECT uid FROM live_data_superchat WHERE room_id = ROOM AND NOT masked AND uid <> 0
             UNION SELECT uid FROM live_data_guard WHERE room_id = ROOM AND NOT masked AND uid <> 0";
        let aliases = "SELECT count(*) AS n FROM blm_roomalias AS masked WHERE room_id = ROOM AND interactions > 0
             AND NOT EXISTS (SELECT 1 FROM blm_roomuser AS known WHERE known.room_id = ROOM
             AND known.alias = masked.alias AND known.interactions > 0)";
        let known = rows(&format!("SELECT count(*) AS n FROM ({interacting})"), room);
        assert_eq!(totals.users, known + rows(aliases, room));
        let masked = "SELECT (SELECT count(*) FROM live_data_danmakudata WHERE room_id = ROOM AND masked)
             + (SELECT count(*) FROM live_data_giftdata WHERE room_id = ROOM AND masked)
             + (SELECT count(*) FROM live_data_superchat WHERE room_id = ROOM AND masked)
             + (SELECT count(*) FROM live_data_guard WHERE room_id = ROOM AND masked) AS n";
        assert_eq!(totals.masked, rows(masked, room));

        let trend = database.trend(room, 0, i64::MAX, Step::Day).unwrap();
        let trend = trend.iter().fold((0, 0, 0, Gold(0)), |(chat, guards, enters, gold), point| {
            (
                chat + point.danmaku,
                guards + point.guards,
                enters + point.enters,
                gold + point.gift_gold + point.super_chat_gold + point.guard_gold,
            )
        });
        let enters = "SELECT count(*) AS n FROM live_data_interaction WHERE kind = 'enter' AND room_id = ROOM";
        assert_eq!(trend, (totals.danmaku, totals.guards, rows(enters, room), totals.income()));
        // A minute has a bucket exactly when it has guards or something else, and holds its own guards.
        let guard = "FROM live_data_guard AS row WHERE row.room_id = bucket.room_id AND
             CAST(strftime('%s', row.timestamp) AS INTEGER) / 60 * 60000 = bucket.minute_ms";
        let wrong = format!(
            "SELECT count(*) AS n FROM live_data_minute AS bucket WHERE room_id = ROOM
             AND ((guards, guard_gold) <> (SELECT count(*), coalesce(sum(paid_gold), 0) {guard})
             OR danmaku + gifts + super_chats + guards + enters = 0)"
        );
        assert_eq!(rows(&wrong, room), 0, "minutes");
        let users = database.top_users(room, TopBy::Danmaku, usize::MAX).unwrap();
        let known = "SELECT count(*) AS n FROM live_data_danmakudata WHERE room_id = ROOM AND NOT masked";
        let known = format!("{known} AND uid IN ({interacting})");
        assert_eq!(users.iter().map(|user| user.danmaku).sum::<i64>(), rows(&known, room));
        let paid = ["giftdata", "superchat", "guard"]
            .map(|table| rows(&format!("{} AND NOT masked AND uid <> 0", paid(table)), room));
        let others =
            "SELECT sum(paid_gold) AS n FROM live_data_giftdata WHERE room_id = ROOM AND NOT masked AND to_other";
        let others = rows(others, room);
        let payers = database.top_users(room, TopBy::Paid, usize::MAX).unwrap();
        assert_eq!(payers.iter().map(|user| user.paid_gold.0).sum::<i64>(), paid.iter().sum::<i64>() - others);
    }
    let all = "SELECT (SELECT count(*) FROM live_data_danmakudata) + (SELECT count(*) FROM live_data_giftdata) AS n";
    let system = database.system_totals().unwrap();
    assert_eq!(system.danmaku + system.gifts, number(database, all));
    let people = "SELECT count(DISTINCT uid) AS n FROM (
         SELECT uid FROM live_data_danmakudata WHERE NOT masked AND uid <> 0 AND NOT lottery
         UNION ALL SELECT uid FROM live_data_giftdata WHERE NOT masked AND uid <> 0
         UNION ALL SELECT uid FROM live_data_superchat WHERE NOT masked AND uid <> 0
         UNION ALL SELECT uid FROM live_data_guard WHERE NOT masked AND uid <> 0)";
    let aliases = "SELECT count(DISTINCT alias) AS n FROM blm_roomalias WHERE interactions > 0
         AND alias NOT IN (SELECT alias FROM blm_roomuser WHERE interactions > 0 AND alias IS NOT NULL)";
    assert_eq!(system.users, number(database, people) + number(database, aliases));
}

/// A redis-server on loopback that keeps nothing on disk and ends with this value.
pub(super) struct RedisServer {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl RedisServer {
    pub(super) fn start(password: Option<&str>) -> RedisServer {
        // Between finding a free port and the server taking it, somebody else may: then try another.
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let started = (0..5).find_map(|_| RedisServer::try_start(free(), password));
        started.expect("redis-server did not come up on five free ports")
    }

    /// An empty one on the port of one that is gone.
    pub(super) fn start_on(port: u16) -> RedisServer {
        RedisServer::try_start(port, None).expect("the port is free again")
    }

    fn try_start(port: u16, password: Option<&str>) -> Option<RedisServer> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()]);
        command.arg("--dir").arg(folder.path());
        if let Some(password) = password {
            command.args(["--requirepass", password]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect(
            "redis-server cannot be started: these tests need one; install it (Debian: apt-get install redis-server)",
        );
        // Its own word, and not a connection to the port: that might be somebody else's server.
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        if said.any(|line| line.contains("Ready to accept connections")) {
            return Some(RedisServer { child, port, _folder: folder });
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
