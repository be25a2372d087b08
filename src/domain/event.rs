//! Events: one fact each that the upstream told us, and what identifies it.
//!
//! The same upstream fact has the same [`EventId`] whenever and however often it arrives; that is what
//! makes storing it exactly once possible. How an event looks as JSON is in [`super::wire`].

use serde::{Deserialize, Serialize};

use super::{
    event_id::EventId,
    money::Gold,
    room::{RoomId, Uid},
    user::{Medal, User},
};

/// One fact about a room.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What identifies it.
    pub id: EventId,
    /// The room in whose stream it came.
    pub room_id: RoomId,
    /// When it happened, unix ms, by the upstream's clock; our own where the upstream gives none.
    pub timestamp_ms: i64,
    /// When we received it, unix ms.
    pub received_ms: i64,
    /// Seen live, or fetched afterwards.
    pub source: Source,
    /// Who did it; the default for events that nobody did, such as a gauge.
    pub user: User,
    /// What a purchase was read from; none for other kinds, and where an earlier version wrote it.
    pub origin: Option<Origin>,
    /// What happened.
    pub body: Body,
}

/// What a purchase was read from, so that its amount can be explained and, should a rule change, read anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The upstream's command.
    pub command: String,
    /// Version of the rules by which money is read from messages.
    pub rule: i64,
}

impl Event {
    /// The kind, as the contract names it.
    pub fn kind(&self) -> Kind {
        self.body.kind()
    }

    /// What was paid with this event; zero for everything that is not a purchase.
    pub fn paid(&self) -> Gold {
        match &self.body {
            Body::Gift(gift) => gift.paid,
            Body::SuperChat(super_chat) => super_chat.paid,
            Body::Guard(guard) => guard.paid,
            _ => Gold::ZERO,
        }
    }
}

/// How we came to know an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// From the stream.
    #[default]
    Live,
    /// Fetched after a gap.
    Backfill,
    /// Taken over from another program's database: a backfill for those outside, `import` in the tables.
    #[serde(rename(serialize = "backfill", deserialize = "import"))]
    Import,
}

impl Source {
    /// Its name in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Live => "live",
            Source::Backfill => "backfill",
            Source::Import => "import",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A chat line (弹幕).
    Danmaku(Danmaku),
    /// A gift, paid or free.
    Gift(Gift),
    /// A paid message (醒目留言).
    SuperChat(SuperChat),
    /// Paid messages taken off the display; the money stays paid.
    SuperChatDelete {
        /// The platform's numbers of them.
        ids: Vec<i64>,
    },
    /// A guard bought or renewed (大航海).
    Guard(Guard),
    /// Somebody came in.
    Enter(Option<Medal>),
    /// Somebody followed the streamer.
    Follow(Option<Medal>),
    /// Somebody shared the room.
    Share(Option<Medal>),
    /// Somebody liked the broadcast.
    Like(Option<Medal>),
    /// The broadcast began.
    Live(RoomNotice),
    /// The broadcast ended.
    Preparing(RoomNotice),
    /// Moderation cut the stream.
    CutOff(RoomNotice),
    /// Moderation warned the streamer.
    Warning(RoomNotice),
    /// The room was banned.
    RoomLock(RoomNotice),
    /// Title or area changed.
    RoomChange(RoomNotice),
    /// Numbers the upstream publishes about the room.
    Gauge(Gauge),
}

/// A chat line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Danmaku {
    /// The text.
    pub message: String,
    /// Badge worn.
    pub medal: Option<Medal>,
    /// User level (UL).
    pub user_level: Option<i64>,
    /// Guard level in this room: 0 none, 1 总督, 2 提督, 3 舰长.
    pub guard_level: i64,
    /// Moderator of the room.
    pub is_admin: bool,
    /// Monthly or yearly VIP (historic).
    pub is_vip: bool,
    /// A phrase sent by taking part in a raffle: not chat.
    pub lottery: bool,
    /// Address of the picture when the line is an emoticon.
    pub emoticon_url: Option<String>,
    /// Name of the user this line answers.
    pub reply_to: Option<String>,
}

/// Paid (gold) or free (silver).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoinType {
    /// Bought: 1000 gold = CNY 1.
    Gold,
    /// Free: worth nothing, whatever its numbers say.
    Silver,
}

impl CoinType {
    /// The platform's name.
    pub fn as_str(self) -> &'static str {
        match self {
            CoinType::Gold => "gold",
            CoinType::Silver => "silver",
        }
    }
}

/// A gift. All amounts are zero for a free one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gift {
    /// The platform's number of the gift.
    pub gift_id: i64,
    /// Its name; names are not unique.
    pub gift_name: String,
    /// How many.
    pub num: i64,
    /// Paid or free.
    pub coin_type: CoinType,
    /// List price of one; for a blind box, of what came out.
    pub price: Gold,
    /// What was paid for all of them: the discounted price, or the boxes.
    pub paid: Gold,
    /// What they are worth at list price; for a blind box, what came out.
    pub value: Gold,
    /// The box it came out of.
    pub blind_box: Option<BlindBox>,
    /// Who received it, when the message says so; in linked rooms not always the room's streamer.
    pub receiver: Option<Receiver>,
    /// Badge the sender wears.
    pub medal: Option<Medal>,
}

/// A blind box (盲盒).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlindBox {
    /// Name of the box.
    pub name: String,
    /// Price of one box; zero if the message does not say.
    #[serde(rename = "price_gold")]
    pub price: Gold,
}

/// Who received a gift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// The streamer.
    pub uid: Uid,
    /// The streamer's name.
    pub username: String,
}

/// A paid message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuperChat {
    /// The platform's number of it.
    pub super_chat_id: i64,
    /// The text.
    pub message: String,
    /// What was paid.
    pub paid: Gold,
    /// Display begins, unix s.
    pub start_time: i64,
    /// Display ends, unix s.
    pub end_time: i64,
}

/// A guard bought or renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// 1 总督, 2 提督, 3 舰长.
    pub guard_level: i64,
    /// How many `unit`s.
    pub num: i64,
    /// Such as 月.
    pub unit: String,
    /// What was paid.
    pub paid: Gold,
    /// Only the list price was seen; the real one may be lower.
    pub estimated: bool,
    /// The estimate that this tells better, where nothing but a third message shows that they are one purchase:
    /// it named the recipient, this one the giver.
    pub explains: Option<EventId>,
}

/// What a message about the room itself says, as far as it says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomNotice {
    /// Title of the broadcast.
    pub title: Option<String>,
    /// Area (分区).
    pub area_name: Option<String>,
    /// Identifies one broadcast.
    pub live_key: Option<String>,
    /// The platform's words.
    pub text: Option<String>,
}

/// Numbers about the room. They are different quantities: never added to each other or over rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gauge {
    /// Popularity index (人气).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub popularity: Option<i64>,
    /// People who have watched this broadcast so far (看过).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched: Option<i64>,
    /// Users on the contribution rank (高能), capped by the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online_rank: Option<i64>,
    /// People in the room (在线), where the platform says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online: Option<i64>,
    /// Likes of this broadcast so far (点赞).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likes: Option<i64>,
    /// Followers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fans: Option<i64>,
    /// Members of the fan club.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fans_club: Option<i64>,
    /// Guards on the roster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guards: Option<i64>,
}

impl Gauge {
    /// Takes over every number that `newer` carries.
    pub fn update(&mut self, newer: &Gauge) {
        let Gauge { popularity, watched, online_rank, online, likes, fans, fans_club, guards } = newer;
        for (mine, theirs) in [
            (&mut self.popularity, popularity),
            (&mut self.watched, watched),
            (&mut self.online_rank, online_rank),
            (&mut self.online, online),
            (&mut self.likes, likes),
            (&mut self.fans, fans),
            (&mut self.fans_club, fans_club),
            (&mut self.guards, guards),
        ] {
            *mine = theirs.or(*mine);
        }
    }
}

/// The kinds of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is documented where it carries its fields, at Body")]
pub enum Kind {
    Danmaku,
    Gift,
    SuperChat,
    SuperChatDelete,
    Guard,
    Enter,
    Follow,
    Share,
    Like,
    Live,
    Preparing,
    CutOff,
    Warning,
    RoomLock,
    RoomChange,
    Gauge,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 16] = [
        Kind::Danmaku,
        Kind::Gift,
        Kind::SuperChat,
        Kind::SuperChatDelete,
        Kind::Guard,
        Kind::Enter,
        Kind::Follow,
        Kind::Share,
        Kind::Like,
        Kind::Live,
        Kind::Preparing,
        Kind::CutOff,
        Kind::Warning,
        Kind::RoomLock,
        Kind::RoomChange,
        Kind::Gauge,
    ];

    /// The contract's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Danmaku => "danmaku",
            Kind::Gift => "gift",
            Kind::SuperChat => "super_chat",
            Kind::SuperChatDelete => "super_chat_delete",
            Kind::Guard => "guard",
            Kind::Enter => "enter",
            Kind::Follow => "follow",
            Kind::Share => "share",
            Kind::Like => "like",
            Kind::Live => "live",
            Kind::Preparing => "preparing",
            Kind::CutOff => "cut_off",
            Kind::Warning => "warning",
            Kind::RoomLock => "room_lock",
            Kind::RoomChange => "room_change",
            Kind::Gauge => "gauge",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Money and membership: shed last, when something must be.
    pub fn is_durable(self) -> bool {
        matches!(self, Kind::Gift | Kind::SuperChat | Kind::SuperChatDelete | Kind::Guard)
    }
}

impl Body {
    /// The kind, as the contract names it.
    pub fn kind(&self) -> Kind {
        match self {
            Body::Danmaku(_) => Kind::Danmaku,
            Body::Gift(_) => Kind::Gift,
            Body::SuperChat(_) => Kind::SuperChat,
            Body::SuperChatDelete { .. } => Kind::SuperChatDelete,
            Body::Guard(_) => Kind::Guard,
            Body::Enter(_) => Kind::Enter,
            Body::Follow(_) => Kind::Follow,
            Body::Share(_) => Kind::Share,
            Body::Like(_) => Kind::Like,
            Body::Live(_) => Kind::Live,
            Body::Preparing(_) => Kind::Preparing,
            Body::CutOff(_) => Kind::CutOff,
            Body::Warning(_) => Kind::Warning,
            Body::RoomLock(_) => Kind::RoomLock,
            Body::RoomChange(_) => Kind::RoomChange,
            Body::Gauge(_) => Kind::Gauge,
        }
    }
}
