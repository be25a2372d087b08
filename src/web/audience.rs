//! What a visitor may see: everything, or, on a site in public mode, what concerns neither money nor viewers.
//!
//! In public mode (`--public`) whoever is not signed in sees chat without its authors, and rooms without what
//! was paid in them. Values are stripped here, in one place, before they become JSON or a page, by the
//! names of their fields: a field that is missing means unknown, so what reads our answers goes on working.
//! What has to do with nothing but money and viewers is refused as a whole.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::StatusCode, web::Data};
use serde_json::Value;

use super::{Site, error::Refusal};
use crate::domain::Kind;

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Sees everything.
    Everything,
    /// Sees neither money nor viewers.
    Public,
}

impl Audience {
    /// Who asks, on this site.
    pub fn of(request: &HttpRequest, site: &Site) -> Audience {
        if site.web.options.public && !site.web.auth.sees_all(request) {
            Audience::Public
        } else {
            Audience::Everything
        }
    }

    /// Refuses the public.
    pub fn sees_all(self) -> Result<(), Refusal> {
        match self {
            Audience::Everything => Ok(()),
            Audience::Public => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "hidden",
                "this site shows neither money nor viewers in public; sign in, or send a bearer token",
            )),
        }
    }

    /// `value` as this audience may see it.
    pub fn view(self, mut value: Value) -> Value {
        if self == Audience::Public {
            strip(&mut value);
        }
        value
    }

    /// Whether events of this kind may be seen at all.
    pub fn sees_kind(self, kind: Kind) -> bool {
        self == Audience::Everything || is_public(kind.as_str())
    }
}

impl FromRequest for Audience {
    type Error = Refusal;
    type Future = Ready<Result<Audience, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let site = request.app_data::<Data<Site>>().ok_or_else(|| Refusal::inside("finding the site", "no app data"));
        ready(site.map(|site| Audience::of(request, site)))
    }
}

/// Fields that tell what was paid, or who somebody is, ourselves included.
const HIDDEN: [&str; 38] = [
    "account",
    "income",
    "gift_gold",
    "super_chat_gold",
    "guard_gold",
    "others_gold",
    "open_id",
    "command",
    "total_gold",
    "paid_gold",
    "value_gold",
    "price_gold",
    "price",
    "total_price",
    "coin_type",
    "gift_id",
    "gift_name",
    "blind_box",
    "receiver",
    "gifts",
    "super_chats",
    "superchats",
    "guards",
    "fans_club",
    "total_gifts",
    "total_super_chats",
    "total_guards",
    "medal_name",
    "medal_level",
    "user_level",
    "guard_level",
    "is_admin",
    "is_vip",
    "reply_to",
    "username_parts",
    "talkers",
    "payers",
    "boxes",
];

fn is_public(kind: &str) -> bool {
    matches!(kind, "danmaku" | "live" | "preparing" | "cut_off" | "warning" | "room_lock" | "room_change" | "gauge")
}

/// The kind of what looks like an event.
fn kind_of(value: &Value) -> Option<&str> {
    value.get("source").and(value.get("kind")).and_then(Value::as_str)
}

fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| kind_of(item).is_none_or(is_public));
            items.iter_mut().for_each(strip);
        }
        Value::Object(fields) => {
            fields.retain(|name, _| !HIDDEN.contains(&name.as_str()));
            // An event keeps the fields that every event has.
            if fields.contains_key("username") {
                fields.insert("username".into(), "".into());
                fields.insert("uid".into(), 0.into());
                if fields.contains_key("masked") {
                    fields.insert("masked".into(), true.into());
                }
            }
            fields.values_mut().for_each(strip);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_public_sees_chat_without_authors_and_rooms_without_money() {
        let line = json!({"id": "1", "kind": "danmaku", "source": "live", "uid": 7, "username": "小猫", "masked": false,
            "message": "你好", "medal_name": "x", "guard_level": 3, "reply_to": "某人"});
        let gift = json!({"id": "2", "kind": "gift", "source": "live", "uid": 7, "username": "小猫", "paid_gold": 5});
        let room = json!({"uname": "主播", "uid": 1, "counts": {"danmaku": 3, "gifts": 9, "masked": 1},
            "income": {"total": 1.0}, "gauges": {"watched": 5, "guards": 2}});
        let whole = json!({"events": [line, gift], "rooms": [room]});
        assert_eq!(Audience::Everything.view(whole.clone()), whole);
        let expected = json!({
            "events": [{"id": "1", "kind": "danmaku", "source": "live", "uid": 0, "username": "", "masked": true,
                "message": "你好"}],
            "rooms": [{"uname": "主播", "uid": 1, "counts": {"danmaku": 3, "masked": 1}, "gauges": {"watched": 5}}],
        });
        assert_eq!(Audience::Public.view(whole), expected);
        assert!(Audience::Public.sees_kind(Kind::Danmaku) && !Audience::Public.sees_kind(Kind::Enter));
    }
}
