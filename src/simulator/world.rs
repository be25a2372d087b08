//! What the fake platform knows: its rooms, who is let in, and what it has told.
//!
//! A [`Room`] collects messages in an outbox; its script empties it a few times a second into one
//! [`Batch`], which every connection of the room receives.
//!
//! Invariant: a fact counts as told when it went out while somebody who is authenticated listened, and as heard
//! when somebody was sent it; neither twice.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, FixedOffset, Utc};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, broadcast};

use super::{
    SimulatorOptions,
    accounts::{Accounts, Login},
    batch::{Batch, Eyes},
    books::{Books, Truth},
    cast::{CAST, EXTRAS, SEALED, Schedule, Seal, Streamer},
    crowd::Crowd,
    faults::{Faults, Flaws},
    messages::{Desk, Outgoing, Shelf, serial},
    open_live,
    signature::PageKeys,
    storm::Storm,
    super_chats,
    tally::Tally,
};

/// A token begins with the time it was given out at, and noise; its seal follows.
const TOKEN_HEAD: usize = 88;

/// A room as it stands now.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub live: bool,
    pub live_key: String,
    /// Unix seconds.
    pub live_time: i64,
    pub title: String,
    pub watched: u64,
    pub likes: u64,
    pub online: u64,
    pub fans: u64,
}

/// One room.
pub(super) struct Room {
    pub streamer: Streamer,
    /// The streamer's name; rooms made up for load share a streamer, but not the name.
    pub name: String,
    /// In the default list.
    pub listed: bool,
    pub seal: Seal,
    pub stage: Mutex<Stage>,
    /// Rung when the script should look up: somebody came in, or something was put into the outbox.
    pub wake: Notify,
    outbox: Mutex<Vec<Outgoing>>,
    audience: broadcast::Sender<Arc<Batch>>,
    /// What is wrong here.
    pub flaws: Mutex<Flaws>,
    /// What comes on top of the story.
    pub storm: Mutex<Option<Storm>>,
    /// What was told while anybody listened, and what anybody was sent.
    told: Mutex<Books>,
    heard: Mutex<Books>,
    sent: AtomicU64,
    danmaku: Mutex<VecDeque<Value>>,
    super_chats: Mutex<Vec<Value>>,
}

impl Room {
    fn new(streamer: Streamer, name: String, listed: bool, seal: Seal, dice: &mut StdRng) -> Room {
        let since = now_ms() / 1000 - dice.random_range(600..7200);
        let stage = Stage {
            live: streamer.schedule != Schedule::OffAir && seal == Seal::Open,
            live_key: new_live_key(),
            live_time: since,
            title: streamer.titles.first().copied().unwrap_or_default().to_owned(),
            watched: streamer.online * 7,
            likes: streamer.online * 11,
            online: streamer.online,
            fans: streamer.fans,
        };
        Room {
            streamer,
            name,
            listed,
            seal,
            stage: Mutex::new(stage),
            wake: Notify::new(),
            outbox: Mutex::default(),
            audience: broadcast::Sender::new(256),
            flaws: Mutex::new(Flaws { withheld: streamer.withheld, ..Flaws::default() }),
            storm: Mutex::default(),
            told: Mutex::default(),
            heard: Mutex::default(),
            sent: AtomicU64::new(0),
            danmaku: Mutex::default(),
            super_chats: Mutex::default(),
        }
    }

    /// Begins to listen.
    pub fn enter(&self) -> broadcast::Receiver<Arc<Batch>> {
        let receiver = self.audience.subscribe();
        self.wake.notify_one();
        receiver
    }

    /// Whether anybody listens.
    pub fn has_audience(&self) -> bool {
        self.audience.receiver_count() > 0
    }

    /// Puts messages into the outbox.
    pub fn put(&self, messages: Vec<Outgoing>) {
        lock(&self.outbox).extend(messages);
        self.wake.notify_one();
    }

    /// Sends what is in the outbox, and counts what it told if anybody heard it.
    pub fn flush(&self) {
        let messages = std::mem::take(&mut *lock(&self.outbox));
        if messages.is_empty() {
            return;
        }
        for message in &messages {
            match &message.shelf {
                Some(Shelf::Danmaku(line)) => {
                    let mut lines = lock(&self.danmaku);
                    lines.push_back(line.clone());
                    if lines.len() > 10 {
                        lines.pop_front();
                    }
                }
                Some(Shelf::SuperChat(super_chat)) => lock(&self.super_chats).push(super_chat.clone()),
                None => {}
            }
        }
        if !self.has_audience() {
            return;
        }
        {
            let mut told = lock(&self.told);
            messages.iter().flat_map(|message| &message.facts).for_each(|fact| told.enter(*fact));
        }
        let before = self.sent.fetch_add(messages.len() as u64, Ordering::Relaxed);
        let batch = Batch::new(messages, before, &lock(&self.flaws), self.streamer);
        // The last listener may have gone just now.
        let _ = self.audience.send(Arc::new(batch));
    }

    /// Sends a frame of something else to everybody in the room.
    pub fn send_raw(&self, bytes: bytes::Bytes) {
        // Nobody may be there.
        let _ = self.audience.send(Arc::new(Batch::raw(bytes, self.streamer)));
    }

    /// Somebody is about to be sent what these eyes see of a batch.
    pub fn hear(&self, batch: &Batch, eyes: Eyes) {
        let mut heard = lock(&self.heard);
        batch.news(eyes).into_iter().for_each(|fact| heard.enter(fact));
    }

    /// What was told here while anybody listened.
    pub fn told(&self) -> Truth {
        lock(&self.told).truth()
    }

    /// What somebody was sent of that.
    pub fn heard(&self) -> Truth {
        lock(&self.heard).truth()
    }

    /// The last chat lines, oldest first.
    pub fn last_danmaku(&self) -> Vec<Value> {
        lock(&self.danmaku).iter().cloned().collect()
    }

    /// Super chats still on display, for somebody who asks: who reads them here knows of them as well, whether the
    /// stream told of them or not.
    pub fn show_super_chats(&self) -> Vec<Value> {
        let now = now_ms() / 1000;
        let mut shown = lock(&self.super_chats);
        shown.retain(|super_chat| super_chat["end_time"].as_i64().is_some_and(|end| end > now));
        let facts = shown.iter().filter_map(super_chats::fact);
        facts.for_each(|fact| [&self.told, &self.heard].into_iter().for_each(|books| lock(books).enter(fact)));
        shown.clone()
    }

    /// Begins or ends the broadcast. Returns the messages that say so, none if it was so already; of the
    /// two `LIVE`, the second belongs some seconds later.
    pub fn switch(&self, on: bool, desk: &mut Desk) -> Vec<Outgoing> {
        let mut stage = lock(&self.stage);
        if stage.live == on {
            return Vec::new();
        }
        stage.live = on;
        if !on {
            return vec![desk.preparing()];
        }
        stage.live_key = new_live_key();
        stage.live_time = now_ms() / 1000;
        stage.watched = 1;
        stage.likes = 0;
        stage.online = (self.streamer.online / 4).max(1);
        vec![desk.live(&stage, true), desk.live(&stage, false)]
    }
}

/// Everything.
pub(super) struct World {
    pub options: SimulatorOptions,
    /// Where the HTTP side is reached, without a slash at the end.
    pub base: String,
    /// Where the stream is reached.
    pub stream_port: u16,
    pub rooms: Vec<Arc<Room>>,
    /// What signed calls are checked against; changes when somebody turns it.
    pub page_keys: Mutex<PageKeys>,
    pub accounts: Mutex<Accounts>,
    pub faults: Mutex<Faults>,
    pub tally: Mutex<Tally>,
    pub crowd: Crowd,
    pub open_sessions: open_live::Shared,
    /// Tokens of other generations are worth nothing.
    token_generation: AtomicU64,
    by_number: HashMap<u64, usize>,
    secret: [u8; 16],
}

impl World {
    /// Builds all rooms. Both addresses must be known by now.
    pub fn new(options: SimulatorOptions, base: String, stream_port: u16) -> World {
        let mut dice = StdRng::seed_from_u64(options.seed);
        let mut rooms = Vec::new();
        for number in 0..options.rooms {
            let template = CAST[number % CAST.len()];
            let (streamer, name) = if number < CAST.len() {
                (template, template.name.to_owned())
            } else {
                let made_up = number as u64;
                let streamer = Streamer {
                    room_id: 40_000_000 + made_up,
                    short_id: 0,
                    uid: 4_000_000_000 + made_up,
                    schedule: Schedule::Steady,
                    ..template
                };
                (streamer, format!("{}{number}号", template.nick))
            };
            rooms.push(Room::new(streamer, name, true, Seal::Open, &mut dice));
        }
        for streamer in CAST.iter().skip(options.rooms).chain(EXTRAS) {
            rooms.push(Room::new(*streamer, streamer.name.to_owned(), false, Seal::Open, &mut dice));
        }
        for &(room_id, uid, name, seal) in SEALED {
            let streamer = Streamer { room_id, short_id: 0, uid, schedule: Schedule::OffAir, ..EXTRAS[0] };
            rooms.push(Room::new(streamer, name.to_owned(), false, seal, &mut dice));
        }
        let rooms: Vec<Arc<Room>> = rooms.into_iter().map(Arc::new).collect();
        let mut by_number = HashMap::new();
        for (place, room) in rooms.iter().enumerate() {
            by_number.insert(room.streamer.room_id, place);
            if room.streamer.short_id != 0 {
                by_number.insert(room.streamer.short_id, place);
            }
        }
        let page_keys = Mutex::new(PageKeys::draw(&mut dice));
        let faults = Faults {
            dead_hosts: u16::from(options.dead_first_host),
            cut_every_ms: options.cut_every.and_then(|every| u64::try_from(every.as_millis()).ok()),
            garbage: if options.garbage { 0.03 } else { 0.0 },
            ..Faults::default()
        };
        World {
            options,
            base,
            stream_port,
            rooms,
            page_keys,
            accounts: Mutex::default(),
            faults: Mutex::new(faults),
            tally: Mutex::default(),
            crowd: Crowd::default(),
            open_sessions: Mutex::default(),
            token_generation: AtomicU64::new(0),
            by_number,
            secret: rand::rng().random(),
        }
    }

    /// The room with that long or short number.
    pub fn room(&self, number: u64) -> Option<&Arc<Room>> {
        self.by_number.get(&number).map(|place| &self.rooms[*place])
    }

    /// The room with that long number; the stream knows no other.
    pub fn room_by_long_id(&self, number: u64) -> Option<&Arc<Room>> {
        self.room(number).filter(|room| room.streamer.room_id == number)
    }

    /// The room of that streamer.
    pub fn room_of(&self, uid: u64) -> Option<&Arc<Room>> {
        self.rooms.iter().find(|room| room.streamer.uid == uid)
    }

    /// Whether signed calls of that account are refused.
    pub fn is_under_risk_control(&self, uid: u64) -> bool {
        lock(&self.accounts).user(uid).is_some_and(|user| user.under_risk_control)
    }

    /// A stream token that only works for this login (or for visitors) and this user agent.
    pub fn mint(&self, login: Option<&Login>, user_agent: &str) -> String {
        let mut head = [0; TOKEN_HEAD];
        rand::rng().fill(&mut head[8..]);
        if !lock(&self.faults).spoils_token() {
            head[..8].copy_from_slice(&now_ms().to_be_bytes());
        }
        let (uid, login) = login.map_or((0, 0), |login| (login.uid, login.id));
        URL_SAFE_NO_PAD.encode([&head[..], &self.seal_of(&head, uid, login, user_agent)].concat())
    }

    /// Whether the token was minted here for them, and is still good.
    pub fn admits(&self, token: &str, uid: u64, user_agent: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((head, seal)) = bytes.split_at_checked(TOKEN_HEAD) else { return false };
        let minted_ms = head.first_chunk().map_or(0, |chunk| i64::from_be_bytes(*chunk));
        let lasts_s = lock(&self.faults).token_lasts_s;
        let is_old = lasts_s.is_some_and(|lasts| (now_ms() - minted_ms).unsigned_abs() > lasts * 1000);
        if minted_ms == 0 || is_old {
            return false;
        }
        let logins: Vec<u64> = match uid {
            0 => vec![0],
            _ => lock(&self.accounts).logins_of(uid).map(|login| login.id).collect(),
        };
        logins.iter().any(|login| self.seal_of(head, uid, *login, user_agent) == seal)
    }

    /// No token given out so far will be accepted.
    pub fn revoke_tokens(&self) {
        self.token_generation.fetch_add(1, Ordering::Relaxed);
    }

    fn seal_of(&self, head: &[u8], uid: u64, login: u64, user_agent: &str) -> Vec<u8> {
        let generation = self.token_generation.load(Ordering::Relaxed);
        let mut hash = Sha256::new().chain_update(self.secret).chain_update(head);
        for number in [uid, login, generation] {
            hash.update(number.to_be_bytes());
        }
        hash.chain_update(user_agent.as_bytes()).finalize().to_vec()
    }

    /// What somebody was sent of each room, where that is anything.
    pub fn truth(&self) -> BTreeMap<u64, Truth> {
        let heard = self.rooms.iter().map(|room| (room.streamer.room_id, room.heard()));
        heard.filter(|(_, truth)| *truth != Truth::default()).collect()
    }

    /// Rooms of this world that are not on air: the ends the whole site hears of.
    pub fn off_air(&self) -> Vec<u64> {
        let off = self.rooms.iter().filter(|room| !lock(&room.stage).live);
        off.map(|room| room.streamer.room_id).collect()
    }
}

/// Locks, also after a panic elsewhere: every value here is whole between two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The clock, unix ms.
pub(super) fn now_ms() -> i64 {
    Utc::now().timestamp_millis()
}

/// Unix seconds as the platform writes local time: `2026-11-23 20:00:00`.
pub(super) fn shanghai(unix_s: i64) -> String {
    let zone = FixedOffset::east_opt(8 * 3600);
    let time = DateTime::from_timestamp(unix_s, 0).zip(zone).map(|(time, zone)| time.with_timezone(&zone));
    time.map_or_else(|| "0000-00-00 00:00:00".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

fn new_live_key() -> String {
    (700_000_000_000_000_000 + now_ms().unsigned_abs() % 1_000_000_000_000 * 10_000 + serial() % 10_000).to_string()
}
