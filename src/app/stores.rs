//! Opens the live store and the door of the admin page, as the settings say.

use std::sync::Arc;

use rand::RngExt;

use super::{blocking, outcome::StartError, say};
use crate::{
    actors::ledger::Ledger,
    config::{LiveSettings, Secret, Settings},
    store::{
        LiveStore,
        embedded::EmbeddedStore,
        outbox::{Outbox, OutboxedRedis},
        redis::{RedisOptions, RedisStore},
        sqlite::{Database, QueryError},
    },
    web,
};

/// The live store for the actors, and one for the pages: a Redis pool stays on the thread that made it.
pub(super) async fn open_live_store(
    settings: &Settings,
    database: &Database,
) -> Result<(Arc<dyn LiveStore>, Arc<dyn LiveStore>), StartError> {
    let folder = settings.data_dir.clone();
    let Some(url) = &settings.redis else {
        let store = blocking(move || EmbeddedStore::open(&folder)).await??;
        let store: Arc<dyn LiveStore> = Arc::new(store);
        return Ok((store.clone(), store));
    };
    let LiveSettings { outbox_bytes, danmaku_kept, gifts_kept, list_expiry, .. } = settings.live;
    let open = || RedisStore::connect(url, RedisOptions { list_expiry, danmaku_kept, gifts_kept });
    let (redis, for_web) = (open()?, open()?);
    let who = installation(database).await?;
    let outbox = blocking(move || Outbox::open(&folder, outbox_bytes, who)).await??;
    Ok((Arc::new(OutboxedRedis::new(outbox.clone(), redis)), Arc::new(OutboxedRedis::new(outbox, for_web))))
}

/// Where the name of this installation stands among the settings of the database.
const INSTALLATION_SETTING: &str = "installation";

/// The name by which this installation says in Redis that the stream is its own; made at the first start.
async fn installation(database: &Database) -> Result<String, StartError> {
    if let Some(name) = database.run(|database| database.setting(INSTALLATION_SETTING)).await? {
        return Ok(name);
    }
    let name = format!("{:032x}", rand::rng().random::<u128>());
    let kept = name.clone();
    database.run(move |database| database.set_setting(INSTALLATION_SETTING, Some(&kept))).await?;
    Ok(name)
}

/// Takes over the books of earlier runs, before anything moves.
pub(super) async fn open_books(database: &Database, live: &dyn LiveStore, ledger: &Ledger) -> Result<(), StartError> {
    let kind = live.kind();
    let cursor = database.run(move |database| database.cursor(kind)).await?;
    let left = live.left(cursor.as_ref()).await?;
    let rooms = left.clone();
    let (kept, unknown) = database
        .run(move |database| Ok::<_, QueryError>((database.open_books(&rooms)?, database.unknown_commands()?)))
        .await?;
    ledger.open(&kept, &left, &unknown);
    Ok(())
}

/// Where the hash of the admin password stands among the settings of the database.
const PASSWORD_SETTING: &str = "admin_password_hash";

/// The door of the admin page; without a password one is made, and shown this once.
pub(super) async fn open_auth(settings: &Settings, database: &Database) -> Result<web::auth::AdminAuth, StartError> {
    let auth = open_password(settings, database).await?;
    for key in database.run(|database| database.access_keys()).await? {
        auth.keys.add(&key);
    }
    Ok(auth)
}

async fn open_password(settings: &Settings, database: &Database) -> Result<web::auth::AdminAuth, StartError> {
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
