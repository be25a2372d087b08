//! Opens the live store and the door of the admin page, as the settings say.

use std::{sync::Arc, time::Duration};

use rand::RngExt;
use tokio::time::sleep;

use super::{blocking, outcome::StartError, say};
use crate::{
    actors::ledger::Ledger,
    config::{LiveSettings, Role, Secret, Settings},
    store::{
        LiveStore,
        embedded::EmbeddedStore,
        outbox::{Outbox, OutboxedRedis},
        redis::{RedisOptions, RedisStore},
        sqlite::{Database, QueryError},
    },
    web,
};

/// The history and the ways to the live store.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) stores: LiveStores,
}

/// The ways to the live store: a Redis pool stays on the thread that made it.
pub(super) struct LiveStores {
    pub(super) for_actors: Arc<dyn LiveStore>,
    pub(super) for_pages: Arc<dyn LiveStore>,
    /// For what crosses it between processes; none where all are one.
    pub(super) crossing: Option<RedisStore>,
}

/// Opens the history, and the live store as the role needs it: whoever collects has the outbox in front of it.
pub(super) async fn open(settings: &Settings) -> Result<Opened, StartError> {
    let path = settings.database.clone();
    let database = blocking(move || Database::open(&path)).await??;
    let stores = open_live_store(settings, &database).await?;
    Ok(Opened { database, stores })
}

async fn open_live_store(settings: &Settings, database: &Database) -> Result<LiveStores, StartError> {
    let folder = settings.data_dir.clone();
    let Some(url) = &settings.redis else {
        let store = blocking(move || EmbeddedStore::open(&folder)).await??;
        let store: Arc<dyn LiveStore> = Arc::new(store);
        return Ok(LiveStores { for_actors: store.clone(), for_pages: store, crossing: None });
    };
    let LiveSettings { outbox_bytes, danmaku_kept, gifts_kept, list_expiry, .. } = settings.live;
    let open = || RedisStore::connect(url, RedisOptions { list_expiry, danmaku_kept, gifts_kept });
    let (redis, for_pages) = (open()?, open()?);
    let crossing = (settings.role != Role::All).then(open).transpose()?;
    if !settings.role.collects() {
        return Ok(LiveStores { for_actors: Arc::new(redis), for_pages: Arc::new(for_pages), crossing });
    }
    let who = installation(database).await?;
    let outbox = blocking(move || Outbox::open(&folder, outbox_bytes, who)).await??;
    Ok(LiveStores {
        for_actors: Arc::new(OutboxedRedis::new(outbox.clone(), redis)),
        for_pages: Arc::new(OutboxedRedis::new(outbox, for_pages)),
        crossing,
    })
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
    loop {
        let cursor = database.run(move |database| database.cursor(kind)).await?;
        let left = live.left(cursor.as_ref()).await?;
        let rooms = left.clone();
        let open = move |database: &Database| {
            let kept = database.open_books(kind, cursor.as_ref(), &rooms)?;
            Ok::<_, QueryError>((kept, database.unknown_commands()?))
        };
        let (kept, unknown) = database.run(open).await?;
        if let Some(kept) = kept {
            ledger.open(&kept, &left, &unknown);
            return Ok(());
        }
        // A process that syncs is at work on what is left, and nothing is added: it comes to an end.
        sleep(Duration::from_millis(200)).await;
    }
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
