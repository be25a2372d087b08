//! What a page, a program or another process is told of a room.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Cny, Gauge, Gold, RoomInfo},
    store::RoomTotals,
    supervise::vitals::State,
};

/// How fast events come, measured over the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// Chat lines.
    pub danmaku_per_minute: u64,
    /// Events of every kind.
    pub events_per_minute: u64,
}

/// How well a connected room is received, and why one without connection is not missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reception {
    /// Nothing is on air, and the room connects when something is.
    pub waits_for_broadcast: bool,
    /// The connection is anonymous: users are masked and most messages withheld.
    pub incomplete: bool,
    /// Since when the connection brings far less chat than before, unix ms.
    pub thinned_since_ms: Option<i64>,
}

/// What a page or a program is told of a room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoomSummary {
    /// What the upstream says; `status` is 0 off air, 1 live, 2 carousel.
    #[serde(flatten)]
    pub info: RoomInfo,
    /// How watching goes.
    pub state: State,
    /// Since when, unix ms.
    pub state_since_ms: i64,
    /// Why it is not received, when it is not.
    pub error: Option<String>,
    /// How well it is received, when it is.
    #[serde(flatten)]
    pub reception: Reception,
    /// The account that watches it, or `anonymous`; none before the first connection.
    pub account: Option<String>,
    /// How much it matters when there are not places on accounts for all; higher is more.
    pub priority: i64,
    /// Stored counts.
    pub counts: Counts,
    /// Stored money.
    pub income: Income,
    /// How fast.
    pub rates: Rates,
    /// The newest of each gauge.
    pub gauges: Gauge,
    /// When the newest stored event happened, unix ms; 0 for none.
    pub last_event_ms: i64,
}

/// Counts over the whole history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Chat lines.
    pub danmaku: i64,
    /// Gift messages, free ones included.
    pub gifts: i64,
    /// Super chats.
    pub super_chats: i64,
    /// Guard purchases.
    pub guards: i64,
    /// Distinct users who chatted, gave or bought, masked ones by what stands for them.
    pub users: i64,
    /// There may be more users: for some masked ones nothing stands.
    pub users_is_lower_bound: bool,
    /// Chat lines, gifts, super chats and guards by users the upstream hid.
    pub masked: i64,
}

/// Viewer spending over the whole history, gross.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Income {
    /// For gifts to the room's streamer.
    pub gift_gold: Gold,
    /// For super chats.
    pub super_chat_gold: Gold,
    /// For guards.
    pub guard_gold: Gold,
    /// For gifts that went to other streamers; in no other figure.
    pub others_gold: Gold,
    /// The room's own three.
    pub total_gold: Gold,
    /// All three, CNY.
    pub total: Cny,
}

impl From<&RoomTotals> for Counts {
    fn from(totals: &RoomTotals) -> Counts {
        Counts {
            danmaku: totals.danmaku,
            gifts: totals.gifts,
            super_chats: totals.super_chats,
            guards: totals.guards,
            users: totals.users,
            users_is_lower_bound: totals.users_is_lower_bound(),
            masked: totals.masked,
        }
    }
}

impl From<&RoomTotals> for Income {
    fn from(totals: &RoomTotals) -> Income {
        let total_gold = totals.gift_gold + totals.super_chat_gold + totals.guard_gold;
        Income {
            gift_gold: totals.gift_gold,
            super_chat_gold: totals.super_chat_gold,
            guard_gold: totals.guard_gold,
            others_gold: totals.others_gold,
            total_gold,
            total: total_gold.cny(),
        }
    }
}
