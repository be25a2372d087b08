//! `login`: logging in to Bilibili by QR code, in the terminal.
//!
//! Writes the account where the running program finds it within seconds. The code is drawn with half blocks, so
//! that it fits a usual terminal; the address is printed too, for a phone that can open it.

use std::time::Duration;

use qrcode::{QrCode, render::unicode::Dense1x2};

use crate::{
    app::{Outcome, StartError, manners, say},
    config::Settings,
    upstream::{Bilibili, login::LoginState},
};

/// Logs in one account.
pub async fn login(settings: Settings) -> Result<Outcome, StartError> {
    std::fs::create_dir_all(&settings.data_dir)
        .map_err(|source| StartError::DataDir { path: settings.data_dir.clone(), source })?;
    let upstream = Bilibili::new(settings.upstream.as_ref(), &manners(&settings))?;
    let accounts = upstream.accounts();
    let mut login = accounts.begin_login().await.map_err(|error| StartError::Login(error.to_string()))?;
    if let Ok(code) = QrCode::new(&login.url) {
        // Dark on light, as scanners want it; most terminals are the other way round.
        let drawn = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
        say(&drawn);
    }
    say(&format!("scan it with the Bilibili app, within {} s, or open there: {}", login.left.as_secs(), login.url));
    loop {
        let seen = login.state.as_str();
        let Some(next) = accounts.login(&login.key, Some(seen), Duration::from_secs(60)).await else {
            return Err(StartError::Login("it is no longer known".into()));
        };
        let changed = next.state != login.state;
        login = next;
        match &login.state {
            LoginState::Waiting => {}
            LoginState::Scanned if changed => say("scanned: confirm it on the phone"),
            LoginState::Scanned => {}
            LoginState::Confirmed { uid, name } => {
                say(&format!("logged in: {name} ({uid})"));
                say(&format!("kept in {}, which only you may read", settings.data_dir.join("accounts.json").display()));
                return Ok(Outcome::Clean);
            }
            LoginState::Expired => return Err(StartError::Login("the code has expired; run login again".into())),
            LoginState::Failed { why } => return Err(StartError::Login(why.clone())),
        }
    }
}
