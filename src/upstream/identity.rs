//! Who we are to Bilibili: a visitor, or one of the accounts; each with one browser and its own device cookies.
//!
//! Device cookies are fetched once and kept for months, because a new device for every run is itself
//! suspicious, and the stream's token is bound to whoever fetched it. What is written down of an identity is
//! here; where it is written is `vault`, which rooms it watches `pool`.
//!
//! Invariant: nothing of this shows a cookie, a token or a key when it is printed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{domain::Uid, protocol::Buvid};

/// A current desktop browser; anything that names a library is refused.
pub const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                              Chrome/141.0.0.0 Safari/537.36";

/// In whose name a call is made: one immutable snapshot.
#[derive(Clone)]
pub struct Who {
    /// The account; 0 is a visitor.
    pub uid: Uid,
    /// The account's name; none is a visitor.
    pub name: Option<String>,
    /// The browser.
    pub user_agent: String,
    /// The `Cookie` header; none is sent when empty. Secret.
    pub cookies: String,
    /// The device, which the stream wants to know too. Secret.
    pub buvid3: String,
    /// What forms of the account carry. Secret.
    pub csrf: String,
}

impl Who {
    /// A browser without cookies, for what everybody may read.
    pub fn nobody() -> Who {
        let empty = String::new;
        Who { uid: Uid(0), name: None, user_agent: USER_AGENT.into(), cookies: empty(), buvid3: empty(), csrf: empty() }
    }
}

/// A browser on a device, as Bilibili knows it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// The browser; kept with the device, so that a newer version of ours does not change it on the way.
    pub user_agent: String,
    /// Needed for the stream.
    pub buvid3: String,
    /// Makes risk control less likely; may be empty.
    pub buvid4: String,
    /// When the device was first seen, unix seconds.
    pub b_nut: i64,
    /// Makes risk control less likely; may be empty.
    pub bili_ticket: String,
    /// Until when that is good, unix seconds. Also when a refused one is asked for again.
    pub bili_ticket_until: i64,
}

impl Device {
    /// A device that Bilibili has just named.
    pub fn new(buvid: Buvid, now_s: i64) -> Device {
        let Buvid { buvid3, buvid4 } = buvid;
        Device { user_agent: USER_AGENT.into(), buvid3, buvid4, b_nut: now_s, ..Device::default() }
    }

    fn cookies(&self) -> Vec<(&str, String)> {
        let mut cookies = vec![("buvid3", self.buvid3.clone())];
        if !self.buvid4.is_empty() {
            cookies.push(("buvid4", self.buvid4.clone()));
        }
        if self.b_nut > 0 {
            cookies.push(("b_nut", self.b_nut.to_string()));
        }
        if !self.bili_ticket.is_empty() {
            cookies.push(("bili_ticket", self.bili_ticket.clone()));
            cookies.push(("bili_ticket_expires", self.bili_ticket_until.to_string()));
        }
        cookies
    }

    /// Whoever uses this device without an account.
    pub fn visitor(&self) -> Who {
        Who {
            buvid3: self.buvid3.clone(),
            user_agent: self.browser(),
            cookies: header(self.cookies()),
            ..Who::nobody()
        }
    }

    fn browser(&self) -> String {
        if self.user_agent.is_empty() { USER_AGENT.to_owned() } else { self.user_agent.clone() }
    }
}

/// Cookies of a login, exactly as they were set: a decoded value is no longer accepted.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cookies(pub Vec<(String, String)>);

impl Cookies {
    /// One of them.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// These, and the old ones that are not among them.
    pub fn over(mut self, old: &Cookies) -> Cookies {
        let kept: Vec<_> = old.0.iter().filter(|(name, _)| self.get(name).is_none()).cloned().collect();
        self.0.extend(kept);
        self
    }

    /// Whether one can be logged in with them.
    pub fn are_complete(&self) -> bool {
        self.get("SESSDATA").is_some() && self.get("bili_jct").is_some()
    }
}

/// An account as it is written down.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccountRecord {
    /// Its number.
    pub uid: Uid,
    /// Its name.
    pub uname: String,
    /// Of the login.
    pub cookies: Cookies,
    /// Renews them.
    pub refresh_token: String,
    /// What it looks like.
    #[serde(default)]
    pub device: Device,
    /// When it was added, unix ms.
    pub added_ms: i64,
    /// When its cookies were made, unix ms.
    pub renewed_ms: i64,
    /// When it was last seen to be logged in, unix ms; 0 for never.
    #[serde(default)]
    pub checked_ms: i64,
    /// It is no longer logged in; why.
    #[serde(default)]
    pub logged_out: Option<String>,
    /// A renewal that is not confirmed yet: what was before it. The old login is good until then.
    #[serde(default)]
    pub before_renewal: Option<Before>,
}

/// A login that is being replaced.
#[derive(Clone, Serialize, Deserialize)]
pub struct Before {
    /// Its cookies.
    pub cookies: Cookies,
    /// Its token, which the confirmation names.
    pub refresh_token: String,
}

impl AccountRecord {
    /// The account on its device.
    pub fn who(&self) -> Who {
        self.who_with(&self.cookies)
    }

    /// The same with other cookies.
    pub fn who_with(&self, cookies: &Cookies) -> Who {
        let mut all = self.device.cookies();
        all.extend(cookies.0.iter().map(|(name, value)| (name.as_str(), value.clone())));
        Who {
            uid: self.uid,
            name: Some(self.uname.clone()),
            csrf: cookies.get("bili_jct").unwrap_or_default().to_owned(),
            cookies: header(all),
            ..self.device.visitor()
        }
    }
}

impl fmt::Debug for AccountRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountRecord").field("uid", &self.uid).field("uname", &self.uname).finish_non_exhaustive()
    }
}

fn header(cookies: Vec<(&str, String)>) -> String {
    cookies.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_its_cookies_on_its_device() {
        let device = Device::new(Buvid { buvid3: "3".into(), buvid4: "4=".into() }, 7);
        assert_eq!(device.visitor().cookies, "buvid3=3; buvid4=4=; b_nut=7");
        let cookies = Cookies(vec![("SESSDATA".into(), "a%2Cb".into()), ("bili_jct".into(), "j".into())]);
        let account = AccountRecord {
            uid: Uid(5),
            uname: "小猫".into(),
            cookies: cookies.clone(),
            refresh_token: "r".into(),
            device,
            added_ms: 0,
            renewed_ms: 0,
            checked_ms: 0,
            logged_out: None,
            before_renewal: None,
        };
        let who = account.who();
        assert_eq!(who.cookies, "buvid3=3; buvid4=4=; b_nut=7; SESSDATA=a%2Cb; bili_jct=j");
        assert_eq!((who.uid, who.buvid3.as_str(), who.csrf.as_str()), (Uid(5), "3", "j"));
        assert_eq!(format!("{account:?}"), "AccountRecord { uid: Uid(5), uname: \"小猫\", .. }");

        let newer = Cookies(vec![("SESSDATA".into(), "new".into())]).over(&cookies);
        assert_eq!((newer.get("SESSDATA"), newer.get("bili_jct")), (Some("new"), Some("j")));
        assert!(newer.are_complete());
    }
}
