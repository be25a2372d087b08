//! Renewing an account's cookies, so that a crash at any moment loses neither the old login nor the new.
//!
//! ```text
//!   cookie/info        wanted?              nothing written: the old login is good
//!   correspond/1/…     the page's token     nothing written
//!   cookie/refresh     new cookies, token   written at once: the new login, and the old one beside it
//!   confirm/refresh    the old one dies     written: the old one is gone
//! ```
//!
//! A crash before the third line is written leaves the old login, which is good until it is confirmed away; after
//! it the next start finds the old one still there and confirms. If the new login turns out not to be good, the
//! old one is taken back.

use tracing::{info, warn};

use super::{
    AskError,
    accounts::Accounts,
    client::{Body, Call, Failed, Host},
    identity::{Before, Cookies, Who},
};
use crate::{
    domain::Uid,
    protocol::{Refusal, api},
    supervise::vitals::unix_ms,
};

impl Accounts {
    /// Asks whether the cookies want to be renewed, and does it.
    pub(super) async fn renew_if_wanted(&self, uid: Uid, who: &Who) -> Result<(), Failed> {
        let path = format!("/x/passport-login/web/cookie/info?csrf={}", who.csrf);
        match self.client.ask("cookie/info", Host::Passport, &path, who, api::parse_cookie_info).await {
            Ok(None) => Ok(()),
            Ok(Some(timestamp_ms)) => self.renew(uid, who, timestamp_ms).await,
            Err(Failed { refusal: Some(Refusal::NotLoggedIn), error }) => {
                self.believe_logged_out(who, &error.to_string());
                Ok(())
            }
            Err(failed) => Err(failed),
        }
    }

    async fn renew(&self, uid: Uid, who: &Who, timestamp_ms: i64) -> Result<(), Failed> {
        let Some(record) = self.record(uid) else { return Ok(()) };
        let path = format!("/correspond/1/{}", api::correspond_path(timestamp_ms, &mut rand::rng()));
        let call = Call { name: "correspond", host: Host::Pages, path: &path, who, body: Body::Get };
        let page = self.client.send(call).await?;
        let refresh_csrf = api::parse_refresh_csrf(&page.body)
            .ok_or_else(|| AskError::Unreachable { call: "correspond", why: "the page has no token".into() })?;

        let form = vec![
            ("csrf", who.csrf.clone()),
            ("refresh_csrf", refresh_csrf),
            ("source", "main_web".to_owned()),
            ("refresh_token", record.refresh_token.clone()),
        ];
        let path = "/x/passport-login/web/cookie/refresh";
        let call = Call { name: "cookie/refresh", host: Host::Passport, path, who, body: Body::Form(form) };
        let (refresh_token, cookies) = self.client.ask_with(call, api::parse_renewed).await?;
        let cookies = Cookies(cookies);
        if !cookies.are_complete() {
            let why = "it came without the cookies of a login".into();
            return Err(AskError::Unreachable { call: "cookie/refresh", why }.into());
        }
        // From here on both logins are on disk until one of them is known to be the right one.
        self.change(|all| {
            if let Some(account) = all.accounts.iter_mut().find(|account| account.uid == uid) {
                let new = cookies.over(&account.cookies);
                let cookies = std::mem::replace(&mut account.cookies, new);
                let refresh_token = std::mem::replace(&mut account.refresh_token, refresh_token);
                account.before_renewal = Some(Before { cookies, refresh_token });
                account.renewed_ms = unix_ms();
            }
        })
        .map_err(AskError::from)?;
        self.finish_renewal(uid).await
    }

    /// Confirms a renewal that is not confirmed yet; also one that an earlier run began.
    pub(super) async fn finish_renewal(&self, uid: Uid) -> Result<(), Failed> {
        let Some(record) = self.record(uid) else { return Ok(()) };
        let Some(before) = record.before_renewal.clone() else { return Ok(()) };
        let who = record.who();
        let form = vec![("csrf", who.csrf.clone()), ("refresh_token", before.refresh_token.clone())];
        let path = "/x/passport-login/web/confirm/refresh";
        let call = Call { name: "confirm/refresh", host: Host::Passport, path, who: &who, body: Body::Form(form) };
        match self.client.ask_with(call, api::parse_consent).await {
            Ok(_) => info!(account = %uid, "account {uid} has new cookies"),
            // The new login is not one: the old one was not confirmed away, and so is still good.
            Err(Failed { refusal: Some(Refusal::NotLoggedIn), error }) => return self.take_back(uid, before, &error),
            // Said no for good, such as when it was confirmed already and the answer was lost.
            Err(Failed { error: error @ AskError::Refused { .. }, .. }) => {
                warn!(account = %uid, "account {uid}: the renewal of its cookies was not confirmed: {error}");
            }
            Err(failed) => return Err(failed),
        }
        self.change(|all| {
            if let Some(account) = all.accounts.iter_mut().find(|account| account.uid == uid) {
                account.before_renewal = None;
            }
        })
        .map_err(|error| AskError::from(error).into())
    }

    fn take_back(&self, uid: Uid, before: Before, why: &AskError) -> Result<(), Failed> {
        warn!(account = %uid, "account {uid}: its new cookies are not accepted, the old ones are used again: {why}");
        self.change(|all| {
            if let Some(account) = all.accounts.iter_mut().find(|account| account.uid == uid) {
                account.cookies = before.cookies;
                account.refresh_token = before.refresh_token;
                account.before_renewal = None;
            }
        })
        .map_err(|error| AskError::from(error).into())
    }
}
