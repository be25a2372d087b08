//! Which parts of the program a process is: all, or one of three that meet over one Redis and one data folder.

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::ConfigError;

/// What a process does.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    #[default]
    All,
    /// The pages, the API and the push.
    Web,
    /// The rooms, up to the live store.
    Collector,
    /// From the live store to SQLite, and whatever keeps SQLite in order.
    Sync,
}

impl Role {
    /// The contract's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::All => "all",
            Role::Web => "web",
            Role::Collector => "collector",
            Role::Sync => "sync",
        }
    }

    /// Whether it has the rooms.
    pub fn collects(self) -> bool {
        matches!(self, Role::All | Role::Collector)
    }

    /// Whether it brings events into SQLite.
    pub fn syncs(self) -> bool {
        matches!(self, Role::All | Role::Sync)
    }

    /// Whether it has the pages.
    pub fn serves(self) -> bool {
        matches!(self, Role::All | Role::Web)
    }
}

/// The option, and the original's switches for it.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(super) struct RoleArgs {
    /// What this process does; other than all needs --redis, and the same data folder as the other processes
    #[arg(long, env = "BLM_ROLE", value_enum)]
    role: Option<Role>,
    /// The same as --role collector
    #[arg(long, conflicts_with_all = ["role", "web_only"])]
    collector_only: bool,
    /// The same as --role web
    #[arg(long, alias = "django-only", conflicts_with = "role")]
    web_only: bool,
}

/// Which role `args` and the file name, if a process with or without Redis, demo and status display can have it.
pub(super) fn settle(
    args: RoleArgs,
    in_file: Option<Role>,
    has_redis: bool,
    demo: bool,
    status_display: bool,
) -> Result<Role, ConfigError> {
    let RoleArgs { role, collector_only, web_only } = args;
    let role = match (collector_only, web_only) {
        (true, _) => Role::Collector,
        (_, true) => Role::Web,
        _ => role.or(in_file).unwrap_or_default(),
    };
    let refused = |accepted| Err(ConfigError::Value { key: "role", value: role.as_str().into(), accepted });
    if role == Role::All {
        Ok(role)
    } else if demo {
        refused("--demo is all roles in one process")
    } else if !has_redis {
        refused(
            "the embedded live store is of one process only, so the roles meet over a Redis server: give the same one to \
             each with --redis redis://… (or run all in one process, without --role)",
        )
    } else if status_display && !role.serves() {
        refused("--status-display is a table of all processes, and shown by the one with the pages (--role web)")
    } else {
        Ok(role)
    }
}
