//! The protobuf messages, as the protocol's tables number them; only the fields that the tests fill.

use base64::{Engine, engine::general_purpose::STANDARD};
use prost::Message;
use serde_json::{Value, json};

#[derive(Clone, PartialEq, Message)]
pub struct SendGift {
    #[prost(int64, tag = "1")]
    pub uid: i64,
    #[prost(string, tag = "2")]
    pub uname: String,
    #[prost(message, optional, tag = "9")]
    pub blind_gift: Option<BlindGift>,
    #[prost(message, repeated, tag = "10")]
    pub items: Vec<Item>,
}

#[derive(Clone, PartialEq, Message)]
pub struct BlindGift {
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
pub struct Item {
    #[prost(int64, tag = "1")]
    pub gift_id: i64,
    #[prost(string, tag = "2")]
    pub gift_name: String,
    #[prost(int64, tag = "3")]
    pub num: i64,
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
    #[prost(float, tag = "16")]
    pub magnification: f32,
    #[prost(string, tag = "18")]
    pub action: String,
    #[prost(message, optional, tag = "29")]
    pub receive_user_info: Option<ReceiveUser>,
    #[prost(message, optional, tag = "31")]
    pub bag_gift: Option<BagGift>,
}

#[derive(Clone, PartialEq, Message)]
pub struct BagGift {
    #[prost(int64, tag = "1")]
    pub show_price: i64,
    #[prost(int64, tag = "2")]
    pub price_for_show: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct ReceiveUser {
    #[prost(string, tag = "1")]
    pub uname: String,
    #[prost(int64, tag = "2")]
    pub uid: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct InteractWord {
    #[prost(int64, tag = "1")]
    pub uid: i64,
    #[prost(string, tag = "2")]
    pub uname: String,
    #[prost(int64, repeated, tag = "4")]
    pub identities: Vec<i64>,
    #[prost(int64, tag = "5")]
    pub msg_type: i64,
    #[prost(int64, tag = "6")]
    pub roomid: i64,
    #[prost(int64, tag = "7")]
    pub timestamp: i64,
    #[prost(int64, tag = "8")]
    pub score: i64,
    #[prost(int64, tag = "15")]
    pub trigger_time: i64,
}

/// A message whose data is protobuf.
pub fn command(cmd: &str, message: &impl Message) -> Value {
    json!({"cmd": cmd, "data": {"dmscore": 6, "pb": STANDARD.encode(message.encode_to_vec())}})
}
