//! The vocabulary of the program: rooms, events, money and identities.
//!
//! Pure values without I/O, clock or async, so that every other folder may use them. A **room** is a
//! live room we watch, an **event** is one fact the upstream told us about it, **gold** is its money
//! (1000 gold = CNY 1), and a **user** is who did it, as far as the upstream lets us see.

pub mod broadcast;
pub mod event;
pub mod event_id;
pub mod moment;
pub mod money;
pub mod room;
pub mod room_list;
pub mod user;
pub mod wire;

pub use event::{
    BlindBox, Body, CoinType, Danmaku, Event, Gauge, Gift, Guard, Kind, Origin, Receiver, RoomNotice, Source, SuperChat,
};
pub use event_id::EventId;
pub use money::{Cny, Gold};
pub use room::{LiveStatus, RoomId, RoomInfo, RoomRef, RoomRefError, Uid};
pub use user::{Alias, Medal, User};
pub use wire::Kept;
