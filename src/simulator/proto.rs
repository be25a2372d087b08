//! The protobuf messages some commands carry, as far as they are public. Types only.
//!
//! Written from the tables of the protocol notes for the sending side, on purpose apart from the types with
//! which the product reads them: an error in one of the two shows.

use prost::Message;

/// A user; the same structure as `uinfo` in JSON.
#[derive(Clone, PartialEq, Message)]
pub(super) struct UserInfo {
    #[prost(int64, tag = "1")]
    pub uid: i64,
    #[prost(message, optional, tag = "2")]
    pub base: Option<UserBase>,
    #[prost(message, optional, tag = "3")]
    pub medal: Option<UserMedal>,
    #[prost(message, optional, tag = "4")]
    pub wealth: Option<Wealth>,
    #[prost(message, optional, tag = "6")]
    pub guard: Option<UserGuard>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct UserBase {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub face: String,
    #[prost(message, optional, tag = "6")]
    pub origin_info: Option<NameAndFace>,
    #[prost(message, optional, tag = "7")]
    pub official_info: Option<Official>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NameAndFace {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub face: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Official {
    #[prost(int64, tag = "1")]
    pub role: i64,
    /// -1 for none: ten bytes on the wire.
    #[prost(int64, tag = "4")]
    pub r#type: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct UserMedal {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int64, tag = "2")]
    pub level: i64,
    #[prost(int64, tag = "3")]
    pub color_start: i64,
    #[prost(int64, tag = "4")]
    pub color_end: i64,
    #[prost(int64, tag = "5")]
    pub color_border: i64,
    #[prost(int64, tag = "6")]
    pub color: i64,
    #[prost(int64, tag = "9")]
    pub is_light: i64,
    #[prost(int64, tag = "10")]
    pub ruid: i64,
    #[prost(int64, tag = "11")]
    pub guard_level: i64,
    #[prost(string, tag = "15")]
    pub v2_color_start: String,
    #[prost(string, tag = "18")]
    pub v2_color_text: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Wealth {
    #[prost(int64, tag = "1")]
    pub level: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct UserGuard {
    #[prost(int64, tag = "1")]
    pub level: i64,
    #[prost(string, tag = "2")]
    pub expired_str: String,
}

/// Somebody came in, followed or shared.
#[derive(Clone, PartialEq, Message)]
pub(super) struct InteractWord {
    #[prost(int64, tag = "1")]
    pub uid: i64,
    #[prost(string, tag = "2")]
    pub uname: String,
    #[prost(int64, repeated, tag = "4")]
    pub identities: Vec<i64>,
    /// 1 enter, 2 follow, 3 share.
    #[prost(int64, tag = "5")]
    pub msg_type: i64,
    #[prost(int64, tag = "6")]
    pub roomid: i64,
    #[prost(int64, tag = "7")]
    pub timestamp: i64,
    #[prost(int64, tag = "8")]
    pub score: i64,
    #[prost(message, optional, tag = "9")]
    pub fans_medal: Option<EntryMedal>,
    #[prost(message, optional, tag = "12")]
    pub contribution: Option<Contribution>,
    #[prost(int64, tag = "15")]
    pub trigger_time: i64,
    #[prost(int64, tag = "16")]
    pub privilege_type: i64,
    #[prost(message, optional, tag = "22")]
    pub uinfo: Option<UserInfo>,
    /// Always empty; nobody knows what it is for.
    #[prost(message, optional, tag = "24")]
    pub unknown_24: Option<Nothing>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Nothing {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Contribution {
    #[prost(int64, tag = "1")]
    pub grade: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EntryMedal {
    #[prost(int64, tag = "1")]
    pub target_id: i64,
    #[prost(int64, tag = "2")]
    pub level: i64,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(int64, tag = "4")]
    pub color: i64,
    #[prost(int64, tag = "8")]
    pub is_lighted: i64,
    #[prost(int64, tag = "9")]
    pub guard_level: i64,
    #[prost(int64, tag = "12")]
    pub anchor_roomid: i64,
    #[prost(int64, tag = "13")]
    pub score: i64,
}

/// Gifts somebody sent with one click.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SendGift {
    #[prost(int64, tag = "1")]
    pub uid: i64,
    #[prost(string, tag = "2")]
    pub uname: String,
    #[prost(string, tag = "3")]
    pub face: String,
    #[prost(int64, tag = "5")]
    pub guard_level: i64,
    #[prost(message, optional, tag = "8")]
    pub medal_info: Option<GiftMedal>,
    #[prost(message, optional, tag = "9")]
    pub blind_gift: Option<BlindGift>,
    #[prost(message, repeated, tag = "10")]
    pub items: Vec<GiftItem>,
    #[prost(bool, tag = "11")]
    pub switch: bool,
    #[prost(message, optional, tag = "13")]
    pub wealth: Option<Wealth>,
    #[prost(message, optional, tag = "15")]
    pub sender_uinfo: Option<UserInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GiftMedal {
    #[prost(int64, tag = "1")]
    pub target_id: i64,
    #[prost(string, tag = "3")]
    pub anchor_uname: String,
    #[prost(int64, tag = "4")]
    pub anchor_roomid: i64,
    #[prost(int64, tag = "5")]
    pub medal_level: i64,
    #[prost(string, tag = "6")]
    pub medal_name: String,
    #[prost(int64, tag = "11")]
    pub is_lighted: i64,
    #[prost(int64, tag = "12")]
    pub guard_level: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct BlindGift {
    #[prost(int64, tag = "1")]
    pub config_id: i64,
    #[prost(int64, tag = "2")]
    pub original_gift_id: i64,
    #[prost(string, tag = "3")]
    pub original_gift_name: String,
    #[prost(string, tag = "5")]
    pub gift_action: String,
    #[prost(int64, tag = "6")]
    pub original_gift_price: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GiftItem {
    #[prost(int64, tag = "1")]
    pub gift_id: i64,
    #[prost(string, tag = "2")]
    pub gift_name: String,
    #[prost(int64, tag = "3")]
    pub num: i64,
    #[prost(int64, tag = "4")]
    pub demarcation: i64,
    #[prost(int64, tag = "5")]
    pub price: i64,
    #[prost(int64, tag = "6")]
    pub discount_price: i64,
    #[prost(int64, tag = "7")]
    pub total_coin: i64,
    #[prost(string, tag = "8")]
    pub coin_type: String,
    #[prost(string, tag = "9")]
    pub tid: String,
    #[prost(int64, tag = "10")]
    pub timestamp: i64,
    #[prost(int64, tag = "11")]
    pub super_batch_gift_num: i64,
    #[prost(string, tag = "12")]
    pub batch_combo_id: String,
    #[prost(int64, tag = "14")]
    pub combo_total_coin: i64,
    #[prost(int64, tag = "15")]
    pub combo_stay_time: i64,
    #[prost(float, tag = "16")]
    pub magnification: f32,
    #[prost(bool, tag = "17")]
    pub show_batch_combo_send: bool,
    #[prost(string, tag = "18")]
    pub action: String,
    #[prost(message, optional, tag = "29")]
    pub receive_user_info: Option<Receiver>,
    #[prost(message, optional, tag = "31")]
    pub bag_gift: Option<BagGift>,
    #[prost(message, optional, tag = "33")]
    pub receiver_uinfo: Option<UserInfo>,
    #[prost(message, optional, tag = "35")]
    pub gift_info: Option<GiftPicture>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Receiver {
    #[prost(string, tag = "1")]
    pub uname: String,
    #[prost(int64, tag = "2")]
    pub uid: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct BagGift {
    #[prost(int64, tag = "1")]
    pub show_price: i64,
    #[prost(int64, tag = "2")]
    pub price_for_show: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GiftPicture {
    #[prost(string, tag = "1")]
    pub img_basic: String,
}

/// Who stands on the contribution rank.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GoldRank {
    #[prost(string, tag = "1")]
    pub rank_type: String,
    #[prost(message, repeated, tag = "3")]
    pub online_list: Vec<RankItem>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RankItem {
    #[prost(int64, tag = "1")]
    pub uid: i64,
    #[prost(string, tag = "2")]
    pub face: String,
    #[prost(string, tag = "3")]
    pub score: String,
    #[prost(string, tag = "4")]
    pub uname: String,
    #[prost(int64, tag = "5")]
    pub rank: i64,
    #[prost(int64, tag = "6")]
    pub guard_level: i64,
}
