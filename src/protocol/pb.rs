//! The protobuf messages that newer commands carry as base64 in `data.pb`.
//!
//! Written by hand from field numbers, because the upstream publishes no schema; only the fields we use
//! are named, the rest is stepped over. Not here: what the fields mean (`gift`, `interact`).
//!
//! Invariants: a message cut off anywhere is an error, never half a message; a text is bytes until it is read, so
//! that one which is no UTF-8 does not cost the message. A zero is absent (proto3).

use std::string::FromUtf8Error;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use prost::Message;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    command::Unreadable,
    lenient::{Int, Object, Text},
    user,
};

/// `data` of a command that carries a protobuf message, which is sometimes wrapped once more.
/// The text is read as it is, for it is longer than texts that are kept may be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Carrier<'a> {
    #[serde(borrow)]
    pb: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Object<InnerCarrier<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InnerCarrier<'a> {
    #[serde(borrow)]
    pb: Option<&'a RawValue>,
}

impl Carrier<'_> {
    /// The message, if there is one.
    pub fn read<M: Message + Default>(self) -> Option<Result<M, Unreadable>> {
        let text = |raw: &RawValue| serde_json::from_str(raw.get()).ok().filter(|text: &String| !text.is_empty());
        let text = self.pb.and_then(text).or_else(|| self.data.or_default().pb.and_then(text))?;
        Some(read(&text))
    }
}

/// Real text is padded; one that is not is read as well.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

fn read<M: Message + Default>(text: &str) -> Result<M, Unreadable> {
    let bytes = BASE64.decode(text.trim())?;
    Ok(M::decode(bytes.as_slice())?)
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Text {
        let lossy = |error: FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
        String::from_utf8(bytes).unwrap_or_else(lossy).into()
    }
}

/// A user object.
#[derive(Clone, PartialEq, Message)]
pub struct UserInfo {
    /// Absent when masked.
    #[prost(int64, tag = "1")]
    pub uid: i64,
    /// Name and picture.
    #[prost(message, optional, tag = "2")]
    pub base: Option<Base>,
    /// The badge worn.
    #[prost(message, optional, tag = "3")]
    pub medal: Option<WornMedal>,
}

/// The part of a user object that names the user.
#[derive(Clone, PartialEq, Message)]
pub struct Base {
    /// The name.
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
}

/// The badge in a user object.
#[derive(Clone, PartialEq, Message)]
pub struct WornMedal {
    /// Its name.
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
    /// Its level.
    #[prost(int64, tag = "2")]
    pub level: i64,
}

impl From<UserInfo> for user::UserInfo {
    fn from(info: UserInfo) -> user::UserInfo {
        user::UserInfo {
            uid: Int(Some(info.uid)),
            base: Object(info.base.map(|base| user::Base { name: base.name.into() })),
            medal: Object(
                info.medal.map(|medal| user::WornMedal { name: medal.name.into(), level: Int(Some(medal.level)) }),
            ),
        }
    }
}

/// Who came, followed or shared: the message of `INTERACT_WORD_V2`.
#[derive(Clone, PartialEq, Message)]
pub struct InteractWord {
    /// Absent when masked.
    #[prost(int64, tag = "1")]
    pub uid: i64,
    /// The name.
    #[prost(bytes = "vec", tag = "2")]
    pub uname: Vec<u8>,
    /// What was done.
    #[prost(int64, tag = "5")]
    pub msg_type: i64,
    /// Unix s.
    #[prost(int64, tag = "7")]
    pub timestamp: i64,
    /// The badge as older messages have it.
    #[prost(message, optional, tag = "9")]
    pub fans_medal: Option<FansMedal>,
    /// Unix ns.
    #[prost(int64, tag = "15")]
    pub trigger_time: i64,
    /// The user object.
    #[prost(message, optional, tag = "22")]
    pub uinfo: Option<UserInfo>,
}

/// The badge in an entry.
#[derive(Clone, PartialEq, Message)]
pub struct FansMedal {
    /// Its level.
    #[prost(int64, tag = "2")]
    pub level: i64,
    /// Its name.
    #[prost(bytes = "vec", tag = "3")]
    pub name: Vec<u8>,
}

/// Gifts sent with one click: the message of `SEND_GIFT_V2`.
#[derive(Clone, PartialEq, Message)]
pub struct SendGift {
    /// Absent when masked.
    #[prost(int64, tag = "1")]
    pub uid: i64,
    /// The name.
    #[prost(bytes = "vec", tag = "2")]
    pub uname: Vec<u8>,
    /// The guest that the gift is meant for.
    #[prost(message, optional, tag = "7")]
    pub send_master: Option<Master>,
    /// The badge as older messages have it.
    #[prost(message, optional, tag = "8")]
    pub medal_info: Option<GiftMedal>,
    /// The box that the items came out of.
    #[prost(message, optional, tag = "9")]
    pub blind_gift: Option<BlindGift>,
    /// What was sent. A box gives several.
    #[prost(message, repeated, tag = "10")]
    pub items: Vec<GiftItem>,
    /// The user object.
    #[prost(message, optional, tag = "15")]
    pub sender_uinfo: Option<UserInfo>,
}

/// The badge in a gift.
#[derive(Clone, PartialEq, Message)]
pub struct GiftMedal {
    /// Its level.
    #[prost(int64, tag = "5")]
    pub level: i64,
    /// Its name.
    #[prost(bytes = "vec", tag = "6")]
    pub name: Vec<u8>,
}

/// A blind box.
#[derive(Clone, PartialEq, Message)]
pub struct BlindGift {
    /// Number of the box.
    #[prost(int64, tag = "2")]
    pub gift_id: i64,
    /// Name of the box.
    #[prost(bytes = "vec", tag = "3")]
    pub name: Vec<u8>,
    /// Price of one box, gold.
    #[prost(int64, tag = "6")]
    pub price: i64,
}

/// One kind of gift in a message.
#[derive(Clone, PartialEq, Message)]
pub struct GiftItem {
    /// Number of the gift.
    #[prost(int64, tag = "1")]
    pub gift_id: i64,
    /// Its name.
    #[prost(bytes = "vec", tag = "2")]
    pub gift_name: Vec<u8>,
    /// How many.
    #[prost(int64, tag = "3")]
    pub num: i64,
    /// Gold a piece.
    #[prost(int64, tag = "5")]
    pub price: i64,
    /// Gold a piece after discount.
    #[prost(int64, tag = "6")]
    pub discount_price: i64,
    /// What was paid for all, gold.
    #[prost(int64, tag = "7")]
    pub total_coin: i64,
    /// `gold` or `silver`.
    #[prost(bytes = "vec", tag = "8")]
    pub coin_type: Vec<u8>,
    /// Number of the transaction.
    #[prost(bytes = "vec", tag = "9")]
    pub tid: Vec<u8>,
    /// Unix s.
    #[prost(int64, tag = "10")]
    pub timestamp: i64,
    /// Batches in the combo so far.
    #[prost(int64, tag = "11")]
    pub super_batch_gift_num: i64,
    /// The combo.
    #[prost(bytes = "vec", tag = "12")]
    pub batch_combo_id: Vec<u8>,
    /// Who received it.
    #[prost(message, optional, tag = "29")]
    pub receive_user_info: Option<ReceiveUser>,
    /// A message that is left unread: not empty if the gift came from the user's bag.
    #[prost(bytes = "vec", tag = "31")]
    pub bag_gift: Vec<u8>,
    /// Who received it, as user object.
    #[prost(message, optional, tag = "33")]
    pub receiver_uinfo: Option<UserInfo>,
}

/// The guest that a gift is meant for.
#[derive(Clone, PartialEq, Message)]
pub struct Master {
    /// The number.
    #[prost(int64, tag = "1")]
    pub uid: i64,
    /// The name.
    #[prost(bytes = "vec", tag = "2")]
    pub uname: Vec<u8>,
}

/// Who received a gift.
#[derive(Clone, PartialEq, Message)]
pub struct ReceiveUser {
    /// The name.
    #[prost(bytes = "vec", tag = "1")]
    pub uname: Vec<u8>,
    /// The number.
    #[prost(int64, tag = "2")]
    pub uid: i64,
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// `message` as the upstream sends it, for the tests of the families.
    pub fn base64_of(message: &impl Message) -> String {
        BASE64.encode(message.encode_to_vec())
    }

    #[test]
    fn a_message_is_found_in_data_and_one_deeper() {
        let text = base64_of(&InteractWord { uid: 5, ..InteractWord::default() });
        for json in [
            format!(r#"{{"dmscore":6,"pb":"{text}"}}"#),
            format!(r#"{{"data":{{"pb":"{text}"}}}}"#),
            format!(r#"{{"pb":"{}"}}"#, text.trim_end_matches('=')),
        ] {
            let carrier: Carrier = serde_json::from_str(&json).expect("reads");
            assert_eq!(carrier.read::<InteractWord>().expect("has one").expect("is good").uid, 5, "{json}");
        }
        assert!(serde_json::from_str::<Carrier>(r#"{"pb":""}"#).expect("reads").read::<InteractWord>().is_none());
    }

    #[test]
    fn a_message_cut_off_inside_an_item_is_an_error() {
        let item = GiftItem { gift_name: "一朵花".into(), ..GiftItem::default() };
        let bytes = SendGift { items: vec![item], ..SendGift::default() }.encode_to_vec();
        for length in 1..bytes.len() {
            assert!(SendGift::decode(&bytes[..length]).is_err(), "{length}");
        }
    }
}
