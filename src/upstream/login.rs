//! Logging in by QR code: a code is shown, a phone confirms it, an account is added.
//!
//! Bilibili is asked every two seconds in the background, whoever looks; the page and the terminal wait for the
//! state to change. A login is known by a number of our own, because whoever has Bilibili's key could take the
//! cookies. Not here: what the code looks like on a page or in a terminal.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use thiserror::Error;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tracing::info;

use super::{
    AskError,
    accounts::Accounts,
    client::{Body, Call, Failed, Host},
    identity::{AccountRecord, Cookies, Device},
};
use crate::{
    domain::Uid,
    protocol::{
        Refusal,
        api::{self, QrState},
    },
    supervise::vitals::unix_ms,
};

/// A code is good for so long.
const LASTS: Duration = Duration::from_secs(180);
/// Bilibili is asked this often.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Logins under way and lately ended; the oldest goes first.
const KEPT: usize = 8;
/// Those that may be under way at once.
const AT_ONCE: usize = 3;

/// Why no login was begun.
#[derive(Debug, Error)]
pub enum LoginError {
    /// There are as many as there may be.
    #[error("{0} logins are under way already; finish one, or wait until one expires")]
    TooMany(usize),
    /// Bilibili gave no code.
    #[error(transparent)]
    NoCode(#[from] AskError),
}

/// Where a login stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LoginState {
    /// The code was not scanned yet.
    Waiting,
    /// It was scanned; the phone asks its owner.
    Scanned,
    /// Done.
    Confirmed {
        /// The account's number.
        uid: Uid,
        /// Its name.
        name: String,
    },
    /// Too late: begin again.
    Expired,
    /// It did not work.
    Failed {
        /// Why.
        why: String,
    },
}

impl LoginState {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            LoginState::Waiting => "waiting",
            LoginState::Scanned => "scanned",
            LoginState::Confirmed { .. } => "confirmed",
            LoginState::Expired => "expired",
            LoginState::Failed { .. } => "failed",
        }
    }

    /// Nothing more will happen.
    pub fn is_final(&self) -> bool {
        !matches!(self, LoginState::Waiting | LoginState::Scanned)
    }
}

/// A login under way. What the code says is for the eyes of whoever logs in.
#[derive(Clone)]
pub struct Login {
    /// Our number for it.
    pub key: String,
    /// What the code says.
    pub url: String,
    /// Where it stands.
    pub state: LoginState,
    /// How long the code is still good.
    pub left: Duration,
}

/// All of them.
#[derive(Default)]
pub struct Logins {
    known: Mutex<BTreeMap<String, Entry>>,
}

struct Entry {
    url: String,
    until: Instant,
    state: watch::Receiver<LoginState>,
}

impl Logins {
    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, key: &str) -> Option<(Login, watch::Receiver<LoginState>)> {
        let known = self.known();
        let entry = known.get(key)?;
        let login = Login {
            key: key.to_owned(),
            url: entry.url.clone(),
            state: entry.state.borrow().clone(),
            left: entry.until.saturating_duration_since(Instant::now()),
        };
        Some((login, entry.state.clone()))
    }
}

impl Accounts {
    /// Begins a login.
    pub async fn begin_login(self: &Arc<Self>) -> Result<Login, LoginError> {
        let under_way = self.logins.known().values().filter(|entry| !entry.state.borrow().is_final()).count();
        if under_way >= AT_ONCE {
            return Err(LoginError::TooMany(under_way));
        }
        let visitor = self.who(Uid(0)).await.map_err(AskError::from)?;
        let path = "/x/passport-login/web/qrcode/generate";
        let code = self.client.ask("qrcode/generate", Host::Passport, path, &visitor, api::parse_qr_code).await;
        let code = code.map_err(AskError::from)?;
        let (tell, state) = watch::channel(LoginState::Waiting);
        let (key, until) = (format!("{:032x}", rand::random::<u128>()), Instant::now() + LASTS);
        {
            let mut known = self.logins.known();
            while known.len() >= KEPT {
                let oldest = known.iter().min_by_key(|(_, entry)| entry.until).map(|(key, _)| key.clone());
                oldest.and_then(|key| known.remove(&key));
            }
            known.insert(key.clone(), Entry { url: code.url.clone(), until, state });
        }
        let accounts = self.clone();
        tokio::spawn(async move {
            let last = accounts.follow(&code.key, until, &tell).await;
            tell.send_replace(last);
        });
        Ok(Login { key, url: code.url, state: LoginState::Waiting, left: LASTS })
    }

    /// Where a login stands; waits up to `patience` for something else than `seen`. None if there is no such login.
    pub async fn login(&self, key: &str, seen: Option<&str>, patience: Duration) -> Option<Login> {
        let (_, mut state) = self.logins.look(key)?;
        let is_news = |state: &LoginState| seen != Some(state.as_str()) || state.is_final();
        // Nothing new in time is an answer as well.
        let _ = timeout(patience, state.wait_for(is_news)).await;
        Some(self.logins.look(key)?.0)
    }

    /// Asks until something final has happened.
    async fn follow(&self, key: &str, until: Instant, tell: &watch::Sender<LoginState>) -> LoginState {
        let path = format!("/x/passport-login/web/qrcode/poll?qrcode_key={key}");
        while Instant::now() < until {
            sleep(ASK_EVERY).await;
            let Ok(visitor) = self.who(Uid(0)).await else { continue };
            let call = Call { name: "qrcode/poll", host: Host::Passport, path: &path, who: &visitor, body: Body::Get };
            let (state, cookies) = match self.client.ask_with(call, api::parse_qr_state).await {
                Ok(answer) => answer,
                // It may be there again the next time.
                Err(Failed { error: AskError::Unreachable { .. }, .. }) => continue,
                Err(Failed { error, .. }) => return LoginState::Failed { why: error.to_string() },
            };
            match state {
                QrState::Waiting => {}
                QrState::Scanned => drop(tell.send_replace(LoginState::Scanned)),
                QrState::Expired => return LoginState::Expired,
                QrState::Confirmed { refresh_token, url } => {
                    let cookies = Cookies(cookies);
                    let cookies = if cookies.are_complete() { cookies } else { cookies_in(&url) };
                    return match self.add(cookies, refresh_token).await {
                        Ok((uid, name)) => LoginState::Confirmed { uid, name },
                        Err(error) => LoginState::Failed { why: error.to_string() },
                    };
                }
            }
        }
        LoginState::Expired
    }

    /// A new account, or new cookies of one that was there.
    async fn add(&self, cookies: Cookies, refresh_token: String) -> Result<(Uid, String), AskError> {
        let incomplete = || AskError::Refused { call: "a login", why: "it came without the cookies of a login".into() };
        if !cookies.are_complete() {
            return Err(incomplete());
        }
        let uid = cookies.get("DedeUserID").and_then(|uid| uid.parse().ok()).map(Uid).ok_or_else(incomplete)?;
        let now = unix_ms();
        let mut record = AccountRecord {
            uid,
            uname: uid.to_string(),
            cookies,
            refresh_token,
            device: self.record(uid).map(|known| known.device).unwrap_or_default(),
            added_ms: now,
            renewed_ms: now,
            checked_ms: 0,
            logged_out: None,
            before_renewal: None,
        };
        if record.device.buvid3.is_empty() {
            // The login counts even if its device has to be made later.
            record.device = self.complete(Device::default(), Some(record.clone())).await.unwrap_or_default();
        }
        let path = "/x/web-interface/nav";
        match self.client.ask("nav", Host::Main, path, &record.who(), api::parse_account).await {
            Ok(account) => {
                record.uname = account.uname;
                record.checked_ms = now;
            }
            Err(Failed { refusal: Some(Refusal::NotLoggedIn), error }) => return Err(error),
            // It is checked again soon.
            Err(_) => {}
        }
        let name = record.uname.clone();
        self.change(|all| match all.accounts.iter_mut().find(|account| account.uid == uid) {
            Some(known) => *known = AccountRecord { added_ms: known.added_ms, ..record },
            None => all.accounts.push(record),
        })?;
        info!(account = %uid, "account {name} ({uid}) is logged in");
        Ok((uid, name))
    }
}

/// The cookies in an address, exactly as they stand there.
fn cookies_in(url: &str) -> Cookies {
    const COOKIES: [&str; 5] = ["SESSDATA", "bili_jct", "DedeUserID", "DedeUserID__ckMd5", "sid"];
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let ours = pairs.filter(|(name, value)| COOKIES.contains(name) && !value.is_empty());
    Cookies(ours.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_in_an_address_are_taken_as_they_stand() {
        let url = "https://passport.biligame.com/x/crossDomain?DedeUserID=5&Expires=1&SESSDATA=a%2Cb%2Cc*d1&bili_jct=j&gourl=x";
        let cookies = cookies_in(url);
        assert_eq!(cookies.get("SESSDATA"), Some("a%2Cb%2Cc*d1"));
        assert!(cookies.are_complete() && cookies.get("Expires").is_none());
        assert!(!cookies_in("").are_complete());
    }
}
