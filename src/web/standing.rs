//! How we stand with Bilibili, for everybody who may see the system page.
//!
//! Whose accounts they are is no business of most visitors: they are numbered here, and named only where the
//! administrator looks after them (`accounts`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::Web;
use crate::upstream::{
    accounts::{AccountReport, AccountState, FamilyStanding, Standing, VisitorReport},
    gate::GateReading,
};

/// Limits, identities and calls.
#[derive(Serialize)]
pub struct Upstream {
    /// The limit on new connections.
    pub gate: GateReading,
    /// Who watches without an account.
    pub visitor: VisitorReport,
    /// The accounts, in the order they were added.
    pub accounts: Vec<Numbered>,
    /// Servers that are left alone.
    pub families: Vec<FamilyStanding>,
    /// Calls made since the start, by name.
    pub calls: BTreeMap<&'static str, u64>,
}

/// An account without its name and number.
#[derive(Serialize)]
pub struct Numbered {
    /// How it does.
    pub state: AccountState,
    /// Why it does not do well.
    pub why: Option<String>,
    /// Left alone until then, unix ms.
    pub cooling_until_ms: Option<i64>,
    /// How many rooms it watches.
    pub rooms: usize,
    /// When its cookies were made, unix ms.
    pub renewed_ms: i64,
    /// When it was last seen to be logged in, unix ms; 0 for never.
    pub checked_ms: i64,
}

impl From<AccountReport> for Numbered {
    fn from(account: AccountReport) -> Numbered {
        let AccountReport { state, why, cooling_until_ms, renewed_ms, checked_ms, .. } = account;
        Numbered { state, why, cooling_until_ms, rooms: account.rooms.len(), renewed_ms, checked_ms }
    }
}

/// How it is now.
pub fn read(web: &Web) -> Upstream {
    let Standing { accounts, visitor, families, calls } = web.accounts.standing();
    let accounts = accounts.into_iter().map(Numbered::from).collect();
    Upstream { gate: web.gate.reading(), visitor, accounts, families, calls }
}
