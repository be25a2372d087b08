//! The accounts of this installation: who they are, how they do, and how one comes and goes.
//!
//! Holds what is written down (`vault`) and who watches what (`pool`), and keeps both fresh: a keeper checks
//! every account once a day, renews its cookies when Bilibili wants that (`renewal`), and reads the file again
//! when `login` in a terminal has changed it. Not here: logging in (`login`), stream tickets (`bilibili`).
//!
//! Invariant: an account that is not logged in watches nothing, and says so; its rooms are a visitor's.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::Serialize;
use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    time::{Instant, sleep, timeout},
};
use tracing::{info, warn};

pub use super::client::FamilyStanding;
use super::{
    AskError,
    client::{Body, Call, Client, Failed, Host},
    identity::{AccountRecord, Device, Who},
    keys::{Keys, Pair},
    login::Logins,
    pace::in_ms,
    pass::{Issuer, Pass, Reached},
    pool::{Pool, Suspicion, VISITOR},
    vault::{Identities, Vault, VaultError},
};
use crate::{
    domain::{RoomId, Uid},
    protocol::{Refusal, api},
    supervise::vitals::unix_ms,
};

/// Every account is looked at this often.
const CHECK_EVERY_MS: i64 = 24 * 3600 * 1000;
/// A check that led to nothing is tried again after this.
const CHECK_AGAIN: Duration = Duration::from_secs(3600);
/// A suspicion is looked into no more often than this.
const SUSPECT_AGAIN: Duration = Duration::from_secs(60);
/// The file and the rests are looked at this often.
const TICK: Duration = Duration::from_secs(2);
/// A ticket against risk control that was refused is asked for again after this.
const TICKET_AGAIN_S: i64 = 3600;

/// How an account does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Logged in.
    Ok,
    /// Left alone for a while; its rooms are watched by others.
    CoolingDown,
    /// It must be logged in again; its rooms are watched by others.
    LoggedOut,
}

/// An account, for people and programs. Never with a secret.
#[derive(Clone, Debug, Serialize)]
pub struct AccountReport {
    /// Its number.
    pub uid: Uid,
    /// Its name.
    pub name: String,
    /// How it does.
    pub state: AccountState,
    /// Why it does not do well.
    pub why: Option<String>,
    /// Left alone until then, unix ms.
    pub cooling_until_ms: Option<i64>,
    /// The rooms it watches.
    pub rooms: Vec<RoomId>,
    /// When it was added, unix ms.
    pub added_ms: i64,
    /// When its cookies were made, unix ms.
    pub renewed_ms: i64,
    /// When it was last seen to be logged in, unix ms; 0 for never.
    pub checked_ms: i64,
}

/// How we stand with Bilibili.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// Every account.
    pub accounts: Vec<AccountReport>,
    /// Who watches without one.
    pub visitor: VisitorReport,
    /// Servers that are left alone.
    pub families: Vec<FamilyStanding>,
    /// Calls made since the start, by name.
    pub calls: BTreeMap<&'static str, u64>,
}

/// Who watches without an account.
#[derive(Clone, Debug, Serialize)]
pub struct VisitorReport {
    /// How many rooms it watches.
    pub rooms: usize,
    /// Left alone until then, unix ms.
    pub cooling_until_ms: Option<i64>,
    /// Why.
    pub why: Option<String>,
}

/// The accounts.
pub struct Accounts {
    /// The way to Bilibili.
    pub(super) client: Arc<Client>,
    pub(super) keys: Keys,
    pub(super) pool: Pool,
    pub(super) logins: Logins,
    vault: Vault,
    state: Mutex<State>,
    /// Held while a device is made, so that a hundred rooms make one.
    devices: AsyncMutex<()>,
    /// There is something to look into.
    wake: Notify,
}

#[derive(Default)]
struct State {
    identities: Identities,
    file: Option<SystemTime>,
    /// When an account was last looked at, whatever came of it.
    tried: BTreeMap<Uid, Instant>,
    suspected: Vec<Uid>,
}

impl Accounts {
    /// Those kept in `folder`, with so many rooms each.
    pub fn open(client: Arc<Client>, folder: &Path, rooms_each: usize) -> Result<Arc<Accounts>, VaultError> {
        let vault = Vault::within(folder);
        let accounts = Accounts {
            client,
            keys: Keys::default(),
            pool: Pool::new(rooms_each),
            logins: Logins::default(),
            vault,
            state: Mutex::default(),
            devices: AsyncMutex::default(),
            wake: Notify::new(),
        };
        accounts.read_again()?;
        Ok(Arc::new(accounts))
    }

    /// Keeps the accounts fresh, for ever.
    pub async fn keep(self: Arc<Self>) {
        loop {
            self.read_if_changed();
            self.pool.tidy();
            for uid in self.to_look_at() {
                if let Err(Failed { error, .. }) = self.look_at(uid).await {
                    warn!(account = %uid, "account {uid} could not be checked: {error}");
                }
            }
            // Either way it is time.
            let _ = timeout(TICK, self.wake.notified()).await;
        }
    }

    /// Reads the file again whenever another process, which keeps the accounts fresh, has changed it; for ever.
    pub async fn read_on(self: Arc<Self>) {
        loop {
            self.read_if_changed();
            sleep(TICK).await;
        }
    }

    fn read_if_changed(&self) {
        if self.vault.changed() != self.state().file
            && let Err(error) = self.read_again()
        {
            warn!("{error}");
        }
    }

    /// How they and we do.
    pub fn standing(&self) -> Standing {
        let resting = self.pool.resting(VISITOR);
        Standing {
            accounts: self.list(),
            visitor: VisitorReport {
                rooms: self.pool.rooms_of(VISITOR).len(),
                cooling_until_ms: resting.as_ref().map(|(left, _)| in_ms(*left)),
                why: resting.map(|(_, why)| why),
            },
            families: self.client.standing(),
            calls: self.client.calls(),
        }
    }

    /// Every account, in the order they were added.
    pub fn list(&self) -> Vec<AccountReport> {
        let records = self.state().identities.accounts.clone();
        let report = |record: AccountRecord| {
            let resting = self.pool.resting(record.uid).filter(|_| record.logged_out.is_none());
            let state = match (&record.logged_out, &resting) {
                (Some(_), _) => AccountState::LoggedOut,
                (None, Some(_)) => AccountState::CoolingDown,
                (None, None) => AccountState::Ok,
            };
            AccountReport {
                uid: record.uid,
                name: record.uname,
                state,
                cooling_until_ms: resting.as_ref().map(|(left, _)| in_ms(*left)),
                why: record.logged_out.or(resting.map(|(_, why)| why)),
                rooms: self.pool.rooms_of(record.uid),
                added_ms: record.added_ms,
                renewed_ms: record.renewed_ms,
                checked_ms: record.checked_ms,
            }
        };
        records.into_iter().map(report).collect()
    }

    /// Forgets an account and its cookies; false if there is none. Its rooms are watched by others.
    pub fn remove(&self, uid: Uid) -> Result<bool, VaultError> {
        if self.record(uid).is_none() {
            return Ok(false);
        }
        self.change(|all| all.accounts.retain(|account| account.uid != uid))?;
        info!(account = %uid, "account {uid} is forgotten");
        Ok(true)
    }

    /// How much a room matters when there are not places for all, higher more.
    pub fn set_priority(&self, room: RoomId, priority: i64) {
        self.pool.set_priority(room, priority);
    }

    /// Who watches a room at present, for calls about it.
    pub async fn watcher(&self, room: RoomId) -> Result<Who, Failed> {
        self.who(self.pool.watcher(room)).await
    }

    /// An identity with everything that belongs to it. A visitor in the place of an account that is gone.
    pub(super) async fn who(&self, uid: Uid) -> Result<Who, Failed> {
        let _one_at_a_time = self.devices.lock().await;
        let device = match self.record(uid) {
            Some(record) => record.device,
            None => self.state().identities.visitor.clone().unwrap_or_default(),
        };
        let now_s = unix_ms() / 1000;
        if device.buvid3.is_empty() || device.bili_ticket_until <= now_s {
            let device = self.complete(device, self.record(uid)).await?;
            self.change_or_warn(|all| match all.accounts.iter_mut().find(|account| account.uid == uid) {
                Some(account) => account.device = device.clone(),
                None => all.visitor = Some(device.clone()),
            });
        }
        Ok(match self.record(uid) {
            Some(record) => record.who(),
            None => self.state().identities.visitor.clone().unwrap_or_default().visitor(),
        })
    }

    /// Fetches what a device lacks.
    pub(super) async fn complete(&self, mut device: Device, account: Option<AccountRecord>) -> Result<Device, Failed> {
        if device.buvid3.is_empty() {
            let path = "/x/frontend/finger/spi";
            let buvid = self.client.ask("spi", Host::Main, path, &Who::nobody(), api::parse_spi).await?;
            device = Device::new(buvid, unix_ms() / 1000);
        }
        let now_s = unix_ms() / 1000;
        let who = match account {
            Some(account) => AccountRecord { device: device.clone(), ..account }.who(),
            None => device.visitor(),
        };
        let path = api::web_ticket_path(now_s, &who.csrf);
        let call =
            Call { name: "GenWebTicket", host: Host::Main, path: &path, who: &who, body: Body::Form(Vec::new()) };
        // It only makes refusals less likely: without it everything works.
        match self.client.ask_with(call, api::parse_web_ticket).await {
            Ok((ticket, _)) => {
                device.bili_ticket = ticket.ticket;
                device.bili_ticket_until = ticket.expires_s.max(now_s + TICKET_AGAIN_S);
                if let Some(keys) = ticket.keys {
                    self.keys.learn(keys).await;
                }
            }
            Err(_) => {
                device.bili_ticket.clear();
                device.bili_ticket_until = now_s + TICKET_AGAIN_S;
            }
        }
        Ok(device)
    }

    /// The signing keys, and not the pair that was refused.
    pub(super) async fn keys(&self, who: &Who, refused: Option<u64>) -> Result<Pair, Failed> {
        self.keys.get(&self.client, who, refused).await
    }

    /// The device of an identity is not accepted: the next call makes another one.
    pub(super) fn forget_device(&self, uid: Uid) {
        self.change_or_warn(|all| match all.accounts.iter_mut().find(|account| account.uid == uid) {
            Some(account) => account.device = Device::default(),
            None => all.visitor = None,
        });
    }

    /// A call in the name of an account was answered as a stranger's. Whether that is believed and the account called
    /// logged out: a call that was under way while its cookies were renewed says nothing about the new ones.
    pub(super) fn believe_logged_out(&self, who: &Who, why: &str) -> bool {
        let uid = who.uid;
        if self.record(uid).is_some_and(|record| record.who().csrf != who.csrf) {
            return false;
        }
        warn!(account = %uid, "account {uid} is no longer logged in: {why}");
        self.change_or_warn(|all| {
            if let Some(account) = all.accounts.iter_mut().find(|account| account.uid == uid) {
                account.logged_out = Some(why.to_owned());
            }
        });
        true
    }

    /// Looks after an account: is it logged in, and do its cookies want to be renewed?
    pub(super) async fn look_at(&self, uid: Uid) -> Result<(), Failed> {
        self.state().tried.insert(uid, Instant::now());
        self.finish_renewal(uid).await?;
        let Some(record) = self.record(uid) else { return Ok(()) };
        let who = self.who(uid).await?;
        match self.client.ask("nav", Host::Main, "/x/web-interface/nav", &who, api::parse_account).await {
            Ok(account) => self.change_or_warn(|all| {
                if let Some(known) = all.accounts.iter_mut().find(|known| known.uid == uid) {
                    known.uname.clone_from(&account.uname);
                    known.checked_ms = unix_ms();
                    known.logged_out = None;
                }
            }),
            Err(Failed { refusal: Some(Refusal::NotLoggedIn), error }) => {
                if record.logged_out.is_none() {
                    self.believe_logged_out(&who, &error.to_string());
                }
                return Ok(());
            }
            Err(failed) => return Err(failed),
        }
        self.renew_if_wanted(uid, &who).await
    }

    /// Accounts that are due, or suspected of something.
    fn to_look_at(&self) -> Vec<Uid> {
        let mut state = self.state();
        let (now, now_ms) = (Instant::now(), unix_ms());
        let suspected = std::mem::take(&mut state.suspected);
        let tried = |uid: &Uid, ago: Duration| state.tried.get(uid).is_some_and(|at| now.duration_since(*at) < ago);
        let is_due = |account: &&AccountRecord| {
            let never = !state.tried.contains_key(&account.uid);
            let old = now_ms.saturating_sub(account.checked_ms) >= CHECK_EVERY_MS;
            let doubted = suspected.contains(&account.uid) && !tried(&account.uid, SUSPECT_AGAIN);
            never || doubted || (old && account.logged_out.is_none() && !tried(&account.uid, CHECK_AGAIN))
        };
        state.identities.accounts.iter().filter(is_due).map(|account| account.uid).collect()
    }

    pub(super) fn record(&self, uid: Uid) -> Option<AccountRecord> {
        self.state().identities.accounts.iter().find(|account| account.uid == uid).cloned()
    }

    /// Changes what is written down, and what follows from it.
    pub(super) fn change(&self, change: impl FnOnce(&mut Identities)) -> Result<(), VaultError> {
        let identities = self.vault.change(change)?;
        self.take_over(identities);
        Ok(())
    }

    /// The same where nothing better can be done than to say that it did not work.
    fn change_or_warn(&self, change: impl Fn(&mut Identities)) {
        if let Err(error) = self.change(&change) {
            warn!("{error}");
            // For this run it is so all the same, or a full disk would have it asked for again and again.
            let mut identities = self.state().identities.clone();
            change(&mut identities);
            self.take_over(identities);
        }
    }

    fn read_again(&self) -> Result<(), VaultError> {
        let identities = self.vault.read()?;
        self.take_over(identities);
        Ok(())
    }

    fn take_over(&self, identities: Identities) {
        let logged_in = identities.accounts.iter().filter(|account| account.logged_out.is_none());
        let usable: Vec<Uid> = logged_in.map(|account| account.uid).collect();
        let renewed: Vec<Uid> = {
            let mut state = self.state();
            state.file = self.vault.changed();
            let before = std::mem::replace(&mut state.identities, identities);
            let after = &state.identities.accounts;
            let is_new =
                |old: &&AccountRecord| after.iter().any(|new| new.uid == old.uid && new.cookies != old.cookies);
            before.accounts.iter().filter(is_new).map(|account| account.uid).collect()
        };
        self.pool.set_accounts(usable);
        for uid in renewed {
            // Tickets belong to the login that fetched them.
            self.pool.login_changed(uid);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issuer for Accounts {
    fn comes_back(&self, pass: &Pass, reached: Reached) {
        if self.pool.comes_back(pass, reached) == Suspicion::LoggedOut {
            self.state().suspected.push(pass.ticket.auth.uid);
            self.wake.notify_one();
        }
    }
}

impl From<VaultError> for AskError {
    fn from(error: VaultError) -> AskError {
        AskError::Accounts(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::{
        bilibili::{Bilibili, Manners},
        identity::Cookies,
    };

    #[test]
    fn a_call_that_was_under_way_with_the_old_cookies_does_not_log_the_account_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let manners = Manners {
            folder: folder.path().to_owned(),
            calls_per_second: 1.0,
            tickets_per_second: 1.0,
            rooms_per_account: 6,
            extra_roots: Vec::new(),
        };
        let nowhere = "http://127.0.0.1:9".parse().expect("an address");
        let accounts = Bilibili::new(Some(&nowhere), &manners).expect("no accounts").accounts();
        let cookies = |csrf: &str| Cookies(vec![("bili_jct".into(), csrf.into())]);
        let old = AccountRecord {
            uid: Uid(7),
            uname: "七".into(),
            cookies: cookies("old"),
            refresh_token: String::new(),
            device: Device::default(),
            added_ms: 0,
            renewed_ms: 0,
            checked_ms: 0,
            logged_out: None,
            before_renewal: None,
        };
        let renewed = AccountRecord { cookies: cookies("new"), ..old.clone() };
        accounts.change(|all| all.accounts.push(renewed.clone())).expect("kept");
        assert!(!accounts.believe_logged_out(&old.who(), "-101"), "that login is no longer its own");
        assert_eq!(accounts.list()[0].state, AccountState::Ok);
        assert!(accounts.believe_logged_out(&renewed.who(), "-101"));
        assert_eq!(accounts.list()[0].state, AccountState::LoggedOut);
    }
}
