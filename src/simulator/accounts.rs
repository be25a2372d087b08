//! People who can log in, their logins, and the QR codes they scan.
//!
//! Whoever holds the phone is played by the control page: it scans a code, confirms it or lets it expire, logs
//! somebody out or puts them under risk control. No clock and no sockets here: times come in as unix ms.
//!
//! Invariant: a login is good from the moment its cookies are given out until it is logged out, or replaced
//! by a refresh that was confirmed; never both halves of a refresh are gone at once.

use serde::Serialize;

use super::signature::{hex, md5_hex};

/// How long a QR code may be scanned and confirmed.
const CODE_LASTS_MS: i64 = 180_000;
/// How long cookies say they last: six months.
const LOGIN_LASTS_S: i64 = 182 * 86_400;
/// Codes are remembered a little longer than they are good, to answer that they expired.
const CODES_KEPT: usize = 64;

/// Somebody with an account.
#[derive(Clone, Debug, Serialize)]
pub(super) struct User {
    pub uid: u64,
    pub name: String,
    /// Signed calls of this account are answered with -352.
    pub under_risk_control: bool,
    /// `cookie/info` advises to refresh.
    pub should_refresh: bool,
}

/// One login: cookies somewhere out there.
#[derive(Clone)]
pub(super) struct Login {
    pub id: u64,
    pub uid: u64,
    /// Percent-encoded, as set: whoever decodes it is a stranger.
    pub sessdata: String,
    pub csrf: String,
    pub refresh_token: String,
    /// Unix seconds.
    pub expires: i64,
    /// What the correspondence page told this login.
    refresh_csrf: Option<String>,
    /// The login this one replaces, until that is confirmed.
    before: Option<u64>,
}

/// A QR code on somebody's screen.
struct Code {
    key: String,
    born_ms: i64,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Shown,
    Scanned(u64),
    Confirmed(u64),
    Over,
}

/// What a poll says.
pub(super) enum Polled {
    Waiting,
    Scanned,
    Expired,
    LoggedIn(Login),
}

/// Why a call about a login is refused: the platform's code.
pub(super) type Refused = i64;

/// Not logged in.
pub(super) const NOT_LOGGED_IN: Refused = -101;
/// The CSRF token is not the login's.
pub(super) const WRONG_CSRF: Refused = -111;
/// A refresh with the wrong `refresh_csrf`, or with a token of another login.
pub(super) const WRONG_REFRESH: Refused = 86_095;

/// All of them.
pub(super) struct Accounts {
    users: Vec<User>,
    logins: Vec<Login>,
    codes: Vec<Code>,
    next_login: u64,
}

impl Default for Accounts {
    fn default() -> Accounts {
        let mut accounts = Accounts { users: Vec::new(), logins: Vec::new(), codes: Vec::new(), next_login: 1 };
        for name in ["弹幕观测员", "深夜值班员", "备用小号"] {
            accounts.register(name);
        }
        accounts
    }
}

impl Accounts {
    /// Somebody new.
    pub fn register(&mut self, name: &str) -> u64 {
        let uid = 700_000_001 + self.users.len() as u64;
        self.users.push(User { uid, name: name.to_owned(), under_risk_control: false, should_refresh: false });
        uid
    }

    pub fn users(&self) -> &[User] {
        &self.users
    }

    pub fn user(&self, uid: u64) -> Option<&User> {
        self.users.iter().find(|user| user.uid == uid)
    }

    /// The same, to change something about them.
    pub fn user_mut(&mut self, uid: u64) -> Option<&mut User> {
        self.users.iter_mut().find(|user| user.uid == uid)
    }

    /// Whose cookie that is.
    pub fn login(&self, sessdata: &str) -> Option<&Login> {
        self.logins.iter().find(|login| login.sessdata == sessdata)
    }

    /// The logins of somebody, oldest first.
    pub fn logins_of(&self, uid: u64) -> impl Iterator<Item = &Login> {
        self.logins.iter().filter(move |login| login.uid == uid)
    }

    /// New cookies for somebody.
    pub fn log_in(&mut self, uid: u64, now_ms: i64) -> Login {
        let expires = now_ms / 1000 + LOGIN_LASTS_S;
        let sessdata = format!("{}%2C{expires}%2C{}%2Ab1CjA{}", &secret()[..8], &secret()[..5], secret());
        let login = Login {
            id: self.next_login,
            uid,
            sessdata,
            csrf: secret(),
            refresh_token: secret(),
            expires,
            refresh_csrf: None,
            before: None,
        };
        self.next_login += 1;
        self.logins.push(login.clone());
        login
    }

    /// All cookies of somebody are worth nothing from now on.
    pub fn log_out(&mut self, uid: u64) {
        self.logins.retain(|login| login.uid != uid);
    }

    /// A new QR code; its key.
    pub fn new_code(&mut self, now_ms: i64) -> String {
        if self.codes.len() == CODES_KEPT {
            self.codes.remove(0);
        }
        let key = secret();
        self.codes.push(Code { key: key.clone(), born_ms: now_ms, step: Step::Shown });
        key
    }

    /// What the page that shows the code is told. A login is handed out once.
    pub fn poll(&mut self, key: &str, now_ms: i64) -> Polled {
        let Some(code) = self.codes.iter_mut().find(|code| code.key == key) else { return Polled::Expired };
        match code.step_at(now_ms) {
            Step::Shown => Polled::Waiting,
            Step::Scanned(_) => Polled::Scanned,
            Step::Over => Polled::Expired,
            Step::Confirmed(uid) => {
                code.step = Step::Over;
                Polled::LoggedIn(self.log_in(uid, now_ms))
            }
        }
    }

    /// Codes that can still be used, newest first: key, and who scanned it.
    pub fn open_codes(&self, now_ms: i64) -> Vec<(&str, Option<u64>)> {
        let mut open = Vec::new();
        for code in self.codes.iter().rev() {
            match code.step_at(now_ms) {
                Step::Shown => open.push((code.key.as_str(), None)),
                Step::Scanned(uid) => open.push((code.key.as_str(), Some(uid))),
                Step::Confirmed(_) | Step::Over => {}
            }
        }
        open
    }

    /// The phone of `uid` scans a code, the newest if none is named. False when there is none to scan.
    pub fn scan(&mut self, key: Option<&str>, uid: u64, now_ms: i64) -> bool {
        self.step(key, now_ms, |step| matches!(step, Step::Shown | Step::Scanned(_)).then_some(Step::Scanned(uid)))
    }

    /// The phone that scanned the code says yes. False when none did.
    pub fn confirm(&mut self, key: Option<&str>, now_ms: i64) -> bool {
        self.step(key, now_ms, |step| match step {
            Step::Scanned(uid) => Some(Step::Confirmed(uid)),
            _ => None,
        })
    }

    /// The code's time is over. False when it was.
    pub fn expire(&mut self, key: Option<&str>, now_ms: i64) -> bool {
        self.step(key, now_ms, |step| (step != Step::Over).then_some(Step::Over))
    }

    /// Takes the newest code that can go on by `next` (or the one named) a step further.
    fn step(&mut self, key: Option<&str>, now_ms: i64, next: impl Fn(Step) -> Option<Step>) -> bool {
        let named = self.codes.iter_mut().rev().filter(|code| key.is_none_or(|key| code.key == key));
        for code in named {
            if let Some(step) = next(code.step_at(now_ms)) {
                code.step = step;
                return true;
            }
        }
        false
    }

    /// What the correspondence page of a login says: its `refresh_csrf`.
    pub fn correspond(&mut self, sessdata: &str) -> Result<String, Refused> {
        let login = self.login_mut(sessdata)?;
        Ok(login.refresh_csrf.insert(secret()).clone())
    }

    /// The first half of a refresh: new cookies; the old ones stay good until it is confirmed.
    pub fn refresh(
        &mut self,
        sessdata: &str,
        csrf: &str,
        refresh_csrf: &str,
        refresh_token: &str,
        now_ms: i64,
    ) -> Result<Login, Refused> {
        let login = self.login_mut(sessdata)?;
        if login.csrf != csrf {
            return Err(WRONG_CSRF);
        }
        if login.refresh_csrf.as_deref() != Some(refresh_csrf) || login.refresh_token != refresh_token {
            return Err(WRONG_REFRESH);
        }
        let (old, uid) = (login.id, login.uid);
        let mut new = self.log_in(uid, now_ms);
        new.before = Some(old);
        if let Some(kept) = self.logins.iter_mut().find(|login| login.id == new.id) {
            kept.before = Some(old);
        }
        if let Some(user) = self.user_mut(uid) {
            user.should_refresh = false;
        }
        Ok(new)
    }

    /// The second half, with the new cookies and the old token: the old cookies die.
    pub fn confirm_refresh(&mut self, sessdata: &str, csrf: &str, old_token: &str) -> Result<(), Refused> {
        let login = self.login_mut(sessdata)?;
        if login.csrf != csrf {
            return Err(WRONG_CSRF);
        }
        let before = login.before.take();
        let died = self.logins.iter().position(|old| Some(old.id) == before && old.refresh_token == old_token);
        self.logins.remove(died.ok_or(-400)?);
        Ok(())
    }

    fn login_mut(&mut self, sessdata: &str) -> Result<&mut Login, Refused> {
        self.logins.iter_mut().find(|login| login.sessdata == sessdata).ok_or(NOT_LOGGED_IN)
    }
}

impl Code {
    fn step_at(&self, now_ms: i64) -> Step {
        if now_ms - self.born_ms >= CODE_LASTS_MS { Step::Over } else { self.step }
    }
}

impl Login {
    /// The cookies by name, as they are set.
    pub fn cookies(&self) -> [(&'static str, String); 5] {
        let uid = self.uid.to_string();
        let check = md5_hex(uid.as_bytes())[..16].to_owned();
        [
            ("SESSDATA", self.sessdata.clone()),
            ("bili_jct", self.csrf.clone()),
            ("DedeUserID", uid),
            ("DedeUserID__ckMd5", check.clone()),
            ("sid", check[..8].to_owned()),
        ]
    }
}

/// 32 characters nobody can guess.
fn secret() -> String {
    hex(&rand::random::<[u8; 16]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_scanned_confirmed_and_gives_one_login() {
        let mut accounts = Accounts::default();
        let key = accounts.new_code(0);
        assert!(matches!(accounts.poll(&key, 1), Polled::Waiting));
        assert!(!accounts.confirm(None, 1), "nobody scanned it");
        assert!(accounts.scan(Some(&key), 700_000_002, 1));
        assert!(matches!(accounts.poll(&key, 2), Polled::Scanned));
        assert!(accounts.confirm(Some(&key), 3));
        let Polled::LoggedIn(login) = accounts.poll(&key, 4) else { panic!("is not logged in") };
        assert_eq!(accounts.login(&login.sessdata).map(|login| login.uid), Some(700_000_002));
        assert!(matches!(accounts.poll(&key, 5), Polled::Expired));
    }

    #[test]
    fn a_code_is_good_for_three_minutes() {
        let mut accounts = Accounts::default();
        let key = accounts.new_code(0);
        assert!(accounts.scan(None, 700_000_001, 179_999));
        assert!(!accounts.confirm(None, 180_000));
        assert!(matches!(accounts.poll(&key, 180_000), Polled::Expired));
        let key = accounts.new_code(200_000);
        assert!(accounts.expire(None, 200_001));
        assert!(matches!(accounts.poll(&key, 200_002), Polled::Expired));
    }

    #[test]
    fn a_refresh_kills_the_old_cookies_only_when_it_is_confirmed() {
        let mut accounts = Accounts::default();
        let old = accounts.log_in(700_000_001, 0);
        let page = accounts.correspond(&old.sessdata).expect("is logged in");
        let try_with = |accounts: &mut Accounts, csrf: &str, page: &str, token: &str| {
            accounts.refresh(&old.sessdata, csrf, page, token, 1)
        };
        assert_eq!(try_with(&mut accounts, "x", &page, &old.refresh_token).err(), Some(WRONG_CSRF));
        assert_eq!(try_with(&mut accounts, &old.csrf, "x", &old.refresh_token).err(), Some(WRONG_REFRESH));
        assert_eq!(try_with(&mut accounts, &old.csrf, &page, "x").err(), Some(WRONG_REFRESH));
        let new = try_with(&mut accounts, &old.csrf, &page, &old.refresh_token).expect("is refreshed");
        assert!(accounts.login(&old.sessdata).is_some() && accounts.login(&new.sessdata).is_some());
        assert_eq!(accounts.confirm_refresh(&new.sessdata, &old.csrf, &old.refresh_token), Err(WRONG_CSRF));
        assert_eq!(accounts.confirm_refresh("x", &new.csrf, &old.refresh_token), Err(NOT_LOGGED_IN));
        assert_eq!(accounts.confirm_refresh(&new.sessdata, &new.csrf, &old.refresh_token), Ok(()));
        assert!(accounts.login(&old.sessdata).is_none() && accounts.login(&new.sessdata).is_some());
        accounts.log_out(700_000_001);
        assert!(accounts.login(&new.sessdata).is_none());
    }
}
