//! The settings of a run as people read them: a name and a value each, under the names of the README.
//!
//! For the administrator's page and for the file that goes to whoever helps. Invariant: every option of `run` is in
//! it, and no secret is.

use std::{fmt::Display, time::Duration};

use clap::ValueEnum;

use super::{SECRETS, Secret, Settings};
use crate::supervise::warnings::redacted;

impl Settings {
    /// All settings in the README's order, without secrets: the option without its dashes (the variable if there is no
    /// option), and its value in the option's unit.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        let addresses = |networks: &[ipnet::IpNet]| listed(networks.iter().map(|network| network.trunc()), "none");
        let upstream = self.upstream.as_ref().map_or_else(|| default_upstream(self.demo), ToString::to_string);
        let seconds = |time: Duration| time.as_secs().to_string();
        [
            ("rooms", listed(&self.rooms, "none")),
            ("listen", self.listen.to_string()),
            ("data-dir", self.data_dir.display().to_string()),
            ("database", format!("sqlite://{}", self.database.display())),
            ("redis", self.redis.clone().unwrap_or_else(|| "none: embedded".into())),
            ("public", on(self.public)),
            ("base-path", if self.base_path.is_empty() { "none".into() } else { self.base_path.clone() }),
            ("trusted-proxies", addresses(&self.trusted_proxies)),
            ("role", self.role.as_str().into()),
            ("outbox-bytes", self.live.outbox_bytes.to_string()),
            ("redis-danmaku-kept", self.live.danmaku_kept.to_string()),
            ("redis-gifts-kept", self.live.gifts_kept.to_string()),
            ("redis-list-hours", (self.live.list_expiry.as_secs() / 3600).to_string()),
            ("upstream", upstream),
            ("extra-roots", self.extra_roots.path.as_ref().map_or("none".into(), |path| path.display().to_string())),
            ("connects-per-second", self.connects_per_second.to_string()),
            ("calls-per-second", self.calls_per_second.to_string()),
            ("rooms-per-account", self.rooms_per_account.to_string()),
            ("connect", choice(self.connect)),
            ("status-seconds", seconds(self.status_interval)),
            ("thinned-seconds", seconds(self.thinned)),
            ("sync-interval-ms", self.sync_interval.as_millis().to_string()),
            ("archive", on(self.archive)),
            ("keep-chat-days", days(self.keep.chat_days)),
            ("keep-entries-days", days(self.keep.entries_days)),
            ("keep-gauges-days", days(self.keep.gauges_days)),
            ("keep-money-days", days(self.keep.money_days)),
            ("keep-raw-days", days(self.keep.raw_days)),
            ("shutdown-seconds", seconds(self.shutdown)),
            ("log", self.log.clone()),
            ("log-format", self.log_format.map_or_else(|| "text on a terminal, else json".into(), choice)),
            (SECRETS[0], is_set(self.admin_password.as_ref())),
            (SECRETS[1], is_set(self.admin_token.as_ref())),
            (
                "open-live.toml",
                self.open_live.as_ref().map_or("none".into(), |keys| format!("{} rooms", keys.codes.len())),
            ),
            ("status-display", on(self.status_display)),
            ("demo", on(self.demo)),
        ]
        // An address may carry a password.
        .map(|(name, value)| (name, redacted(&value)))
        .into()
    }
}

fn listed<T: Display>(items: impl IntoIterator<Item = T>, none: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

fn default_upstream(demo: bool) -> String {
    if demo { "the simulator" } else { "Bilibili" }.to_owned()
}

fn choice(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn on(value: bool) -> String {
    if value { "on" } else { "off" }.to_owned()
}

fn days(value: u32) -> String {
    if value == 0 { "0: for ever".to_owned() } else { value.to_string() }
}

fn is_set(secret: Option<&Secret>) -> String {
    if secret.is_some() { "set" } else { "not set" }.to_owned()
}
