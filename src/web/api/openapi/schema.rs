//! What the answers hold, field by field: only read by the generator of the description.
//!
//! An optional field is one that may be absent; `null` stands where the text says so. A test outside asks every
//! reading call and compares (`tests/it/openapi.rs`).

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// An object whose fields are not described one by one.
#[derive(ToSchema)]
#[schema(value_type = Object)]
pub struct Anything(pub String);

/// A fact about a room; which fields there are depends on `kind`.
#[derive(ToSchema)]
pub struct Event {
    /// Time-ordered; the same fact has the same id however often it arrives.
    pub id: String,
    /// `danmaku`, `gift`, `super_chat`, `guard`, …
    pub kind: String,
    /// Long id.
    pub room_id: u64,
    /// When it happened, unix s, the upstream's clock.
    pub timestamp: i64,
    /// The same, unix ms.
    pub timestamp_ms: i64,
    /// When it was received, unix ms.
    pub received_ms: i64,
    /// 0 when masked.
    pub uid: u64,
    /// As shown.
    pub username: String,
    /// The upstream hides who it was.
    pub masked: bool,
    /// `live` or `backfill`.
    pub source: String,
    /// Text of a danmaku or super chat.
    pub message: Option<String>,
    /// Fan badge.
    pub medal_name: Option<String>,
    /// Its level.
    pub medal_level: Option<i64>,
    /// User level.
    pub user_level: Option<i64>,
    /// 0 none, 1 总督, 2 提督, 3 舰长.
    pub guard_level: Option<i64>,
    /// Moderator of the room.
    pub is_admin: Option<bool>,
    /// Historic.
    pub is_vip: Option<bool>,
    /// A raffle phrase, not chat.
    pub lottery: Option<bool>,
    /// Picture of an emoticon.
    pub emoticon_url: Option<String>,
    /// Whom it answers.
    pub reply_to: Option<String>,
    /// The platform's number of the gift.
    pub gift_id: Option<i64>,
    /// Its name.
    pub gift_name: Option<String>,
    /// How many.
    pub num: Option<i64>,
    /// Such as 月.
    pub unit: Option<String>,
    /// `gold` or `silver`.
    pub coin_type: Option<String>,
    /// CNY: of one gift, or of all of it.
    pub price: Option<f64>,
    /// CNY paid.
    pub total_price: Option<f64>,
    /// Gold of one gift.
    pub price_gold: Option<i64>,
    /// Gold paid.
    pub paid_gold: Option<i64>,
    /// Gold at list price.
    pub value_gold: Option<i64>,
    /// The box it came out of: name, price_gold; null for none.
    pub blind_box: Option<Anything>,
    /// Who received it: uid, username; null when unknown.
    pub receiver: Option<Anything>,
    /// The upstream's command that told of the purchase.
    pub command: Option<String>,
    /// Version of the rule by which it was read.
    pub rule: Option<i64>,
    /// Who it was, over the Open Live platform.
    pub open_id: Option<String>,
    /// The platform's number of the super chat.
    pub super_chat_id: Option<i64>,
    /// Display begins, unix s.
    pub start_time: Option<i64>,
    /// Display ends, unix s.
    pub end_time: Option<i64>,
    /// Only the list price was seen.
    pub estimated: Option<bool>,
}

/// A room as it is now.
#[derive(ToSchema)]
pub struct Room {
    /// Long id.
    pub room_id: u64,
    /// 0 for none.
    pub short_id: u64,
    /// The streamer.
    pub uid: u64,
    /// The streamer's name.
    pub uname: String,
    /// Picture.
    pub face: String,
    /// Title of the broadcast.
    pub title: String,
    /// Picture.
    pub cover: String,
    /// 分区.
    pub area_name: String,
    /// Above it.
    pub parent_area_name: String,
    /// 0 off air, 1 live, 2 carousel.
    pub status: i64,
    /// Unix ms; null off air.
    pub live_since_ms: Option<i64>,
    /// Popularity index; not people.
    pub online: i64,
    /// Followers.
    pub followers: i64,
    /// `live`, `backoff`, …
    pub state: String,
    /// Unix ms.
    pub state_since_ms: i64,
    /// Why it is not received, when it is not.
    pub error: Option<String>,
    /// Nothing is on air, and the room connects when something is.
    pub waits_for_broadcast: bool,
    /// The connection is anonymous: users are masked and most messages withheld.
    pub incomplete: bool,
    /// Unix ms; null unless the connection brings far less chat than before.
    pub thinned_since_ms: Option<i64>,
    /// The account that watches it, or `anonymous`; null before the first connection.
    pub account: Option<String>,
    /// Higher goes first when accounts have too few places.
    pub priority: i64,
    /// Stored rows by kind, users, users_is_lower_bound, masked.
    pub counts: Anything,
    /// Viewer spending: gold by kind, in total, CNY. Absent in public.
    pub income: Option<BTreeMap<String, f64>>,
    /// danmaku_per_minute, events_per_minute.
    pub rates: BTreeMap<String, u64>,
    /// The newest of each gauge.
    pub gauges: BTreeMap<String, i64>,
    /// Unix ms of the newest stored event; 0 for none.
    pub last_event_ms: i64,
}

/// Totals of stored history.
#[derive(ToSchema)]
pub struct Totals {
    /// Chat lines.
    pub total_danmaku: i64,
    /// Gifts; absent in public, as all of money is.
    pub total_gifts: Option<i64>,
    /// Super chats.
    pub total_super_chats: Option<i64>,
    /// Guards.
    pub total_guards: Option<i64>,
    /// Distinct users, masked ones by what stands for them; see `users_is_lower_bound`.
    pub total_users: i64,
    /// Rows whose user was hidden.
    pub masked: i64,
    /// Their share of all that count, 0 to 1.
    pub masked_share: f64,
    /// There may be more users than `total_users`.
    pub users_is_lower_bound: bool,
    /// Unix s.
    pub last_update: i64,
    /// Unix ms.
    pub last_event_ms: i64,
    /// Viewer spending.
    pub income: Option<BTreeMap<String, f64>>,
    /// Share of the last 24 hours, or of `from` to `to`, in which the room was received, of the time in which it was
    /// watched; null where it was not.
    pub coverage: Option<f64>,
}

/// Where in a list one is.
#[derive(ToSchema)]
pub struct Pagination {
    /// In this answer.
    pub count: u64,
    /// In all.
    pub total: u64,
    /// As asked.
    pub limit: u64,
    /// There are more.
    pub has_more: bool,
    /// Where they begin; null at the end.
    pub cursor: Option<String>,
}

/// Rooms.
#[derive(ToSchema)]
pub struct RoomsPage {
    /// In this answer.
    pub count: u64,
    /// There are more.
    pub has_more: bool,
    /// Where in the list.
    pub pagination: Pagination,
    /// The rooms.
    pub rooms: Vec<Room>,
    /// Over all rooms.
    pub stats: BTreeMap<String, f64>,
    /// Unix s.
    pub timestamp: i64,
}

/// Over all rooms.
#[derive(ToSchema)]
pub struct SystemStats {
    /// Totals, rooms, rates, and `coverage`: all watched rooms together, as in a room's.
    pub stats: Anything,
    /// Unix s.
    pub timestamp: i64,
}

/// One room.
#[derive(ToSchema)]
pub struct RoomStats {
    /// Long id.
    pub room_id: u64,
    /// What is known.
    pub room_info: Anything,
    /// What is stored.
    pub stats: Totals,
    /// Unix s.
    pub timestamp: i64,
}

/// Several rooms.
#[derive(ToSchema)]
pub struct BatchStats {
    /// Found.
    pub count: u64,
    /// By number: room_info, stats.
    pub rooms: Anything,
    /// Not found.
    pub missing: Vec<u64>,
    /// Unix s.
    pub timestamp: i64,
}

macro_rules! event_page {
    ($name:ident, $field:ident) => {
        /// Events, newest first.
        #[derive(ToSchema)]
        pub struct $name {
            /// Long id.
            pub room_id: u64,
            /// In this answer.
            pub count: u64,
            /// There are older ones.
            pub has_more: bool,
            /// `before` of the next answer; null when there is nothing.
            pub cursor: Option<String>,
            /// Unix s.
            pub timestamp: i64,
            /// The events.
            pub $field: Vec<Event>,
        }
    };
}
event_page!(DanmakuPage, danmaku);
event_page!(GiftsPage, gifts);
event_page!(SuperChatsPage, superchats);
event_page!(GuardsPage, guards);

/// Rooms that something happened in last.
#[derive(ToSchema)]
pub struct Browser {
    /// In this answer.
    pub count: u64,
    /// There are more.
    pub has_more: bool,
    /// Rooms as in the list of rooms, with `danmaku` and `gifts`.
    pub rooms: Vec<Anything>,
    /// Unix s.
    pub timestamp: i64,
}

/// A step.
#[derive(ToSchema)]
pub struct TrendPoint {
    /// Its first ms.
    pub at_ms: i64,
    /// Chat lines, raffle phrases included.
    pub danmaku: i64,
    /// Raffle phrases among them.
    pub lottery: i64,
    /// Gifts; absent in public, as all of money is.
    pub gifts: Option<i64>,
    /// Super chats.
    pub super_chats: Option<i64>,
    /// Guards.
    pub guards: Option<i64>,
    /// People who came in, as far as the upstream says.
    pub enters: i64,
    /// Gold paid for gifts.
    pub gift_gold: Option<i64>,
    /// Gold paid for super chats.
    pub super_chat_gold: Option<i64>,
    /// Gold paid for guards.
    pub guard_gold: Option<i64>,
    /// Gold paid here to another streamer; not in `income`.
    pub others_gold: Option<i64>,
    /// CNY paid.
    pub income: Option<f64>,
    /// Share of the step in which the room was received; null where it was not watched.
    pub coverage: Option<f64>,
}

/// Steps.
#[derive(ToSchema)]
pub struct Trend {
    /// Long id.
    pub room_id: u64,
    /// Width of a step.
    pub step_ms: i64,
    /// Begin.
    pub from_ms: i64,
    /// End, excluded.
    pub to_ms: i64,
    /// Points.
    pub count: u64,
    /// False.
    pub has_more: bool,
    /// Every step, also those in which nothing happened.
    pub points: Vec<TrendPoint>,
    /// By minute: at_ms and the gauges that minute said; only for step minute.
    pub gauges: Vec<BTreeMap<String, i64>>,
}

/// An interval in which a room was not received.
#[derive(ToSchema)]
pub struct Gap {
    /// Long id.
    pub room_id: u64,
    /// Since when.
    pub from_ms: i64,
    /// Until when; null while it lasts.
    pub to_ms: Option<i64>,
    /// Why.
    pub reason: String,
    /// Failed attempts to end it.
    pub attempts: i64,
}

/// Gaps, newest first.
#[derive(ToSchema)]
pub struct Gaps {
    /// Long id.
    pub room_id: u64,
    /// In this answer.
    pub count: u64,
    /// There are older ones.
    pub has_more: bool,
    /// `before` of the next answer; null at the end.
    pub cursor: Option<String>,
    /// The gaps.
    pub gaps: Vec<Gap>,
}

/// The live store.
#[derive(ToSchema)]
pub struct LiveStore {
    /// `redis` or `embedded`.
    pub kind: String,
    /// It answers.
    pub connected: bool,
    /// Round trip.
    pub ping_ms: Option<f64>,
    /// As far as it says.
    pub memory_bytes: Option<u64>,
    /// Of the server.
    pub version: Option<String>,
    /// Events that are not in the history yet.
    pub backlog: Option<u64>,
    /// Why it does not answer.
    pub error: Option<String>,
}

/// What to monitor.
#[derive(ToSchema)]
pub struct RoomToAdd {
    /// Long id, short id or link.
    pub room: String,
}

/// A room that is monitored now.
#[derive(ToSchema)]
pub struct Added {
    /// Long id.
    pub room_id: u64,
    /// What is known.
    pub room: Anything,
}

/// A room that is not monitored any more.
#[derive(ToSchema)]
pub struct Removed {
    /// Long id.
    pub room_id: u64,
    /// Its history is gone, too.
    pub erased: bool,
}

/// A room that was paused or resumed.
#[derive(ToSchema)]
pub struct Paused {
    /// Long id.
    pub room_id: u64,
    /// As it is now.
    pub paused: bool,
}

/// A room that connects anew.
#[derive(ToSchema)]
pub struct Restarting {
    /// Long id.
    pub room_id: u64,
    /// True.
    pub restarting: bool,
}

/// A run of the sync.
#[derive(ToSchema)]
pub struct Synced {
    /// What it moved.
    pub sync: Anything,
}

/// A run of the retention.
#[derive(ToSchema)]
pub struct Cleaned {
    /// What it let go, by class, and when.
    pub cleanup: Anything,
    /// It has not ended yet.
    pub running: bool,
}

/// All rooms connect anew.
#[derive(ToSchema)]
pub struct Reconnecting {
    /// True.
    pub reconnecting: bool,
}

/// What became of a list of rooms.
#[derive(ToSchema)]
pub struct Imported {
    /// Names in the list, each once.
    pub count: u64,
    /// Rooms that are monitored now and were not before.
    pub added: u64,
    /// The names, in the list's order.
    pub rooms: Vec<ImportedRoom>,
}

/// What became of one name.
#[derive(ToSchema)]
pub struct ImportedRoom {
    /// As it stands in the list.
    pub typed: String,
    /// Whether it was added.
    pub added: bool,
    /// Long id.
    pub room_id: Option<u64>,
    /// The streamer.
    pub uname: Option<String>,
    /// Why it was not.
    pub error: Option<String>,
    /// The same for a program, such as `already_there`.
    pub code: Option<String>,
}
