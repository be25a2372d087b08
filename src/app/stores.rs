//! Opens the live store and the door of the admin page, as the settings say.

use std::sync::Arc;

use super::{blocking, outcome::StartError, say};
use crate::{
    config::{Secret, Settings},
    store::{
        LiveStore,
        embedded::EmbeddedStore,
        redis::{RedisOptions, RedisStore},
        sqlite::Database,
    },
    web,
};

/// The live store for the actors, and one for the pages: a Redis pool stays on the thread that made it.
pub(super) async fn open_live_store(
    settings: &Settings,
) -> Result<(Arc<dyn LiveStore>, Arc<dyn LiveStore>), StartError> {
    match &settings.redis {
        Some(url) => {
            let open = || RedisStore::connect(url, RedisOptions::default());
            Ok((Arc::new(open()?), Arc::new(open()?)))
        }
        None => {
            let folder = settings.data_dir.clone();
            let store = blocking(move || EmbeddedStore::open(&folder)).await??;
            let store: Arc<dyn LiveStore> = Arc::new(store);
            Ok((store.clone(), store))
        }
    }
}

/// Where the hash of the admin password stands among the settings of the database.
const PASSWORD_SETTING: &str = "admin_password_hash";

/// The door of the admin page; without a password one is made, and shown this once.
pub(super) async fn open_auth(settings: &Settings, database: &Database) -> Result<web::auth::AdminAuth, StartError> {
    let reveal = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.0.clone());
    let (password, token) = (reveal(&settings.admin_password), reveal(&settings.admin_token));
    if password.is_some() {
        return Ok(web::auth::AdminAuth::new(password, token, None));
    }
    let mut stored = database.run(|database| database.setting(PASSWORD_SETTING)).await?;
    if stored.is_none() {
        let (plain, hash) = blocking(web::auth::make_password).await?;
        let kept = hash.clone();
        database.run(move |database| database.set_setting(PASSWORD_SETTING, Some(&kept))).await?;
        say(&format!("admin password, shown this once: {plain}"));
        stored = Some(hash);
    }
    Ok(web::auth::AdminAuth::new(None, token, stored))
}
