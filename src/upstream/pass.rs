//! What opens one connection, and comes back with how it went.
//!
//! A pass is one immutable snapshot of who enters: user, browser, device cookie and token belong together and
//! are never mixed. The room that holds it says how far it came; when it is dropped, whoever issued it learns
//! that, and so knows whether the ticket may be used again. Not here: what is concluded (`tickets`, `pool`).

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    protocol::{Auth, StreamHost},
    supervise::flag::Flag,
};

/// How far a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Not even the host.
    Nothing,
    /// The host, which did not answer our first packet: today's way to refuse a token.
    Door,
    /// The stream.
    Stream {
        /// For so long.
        lived: Duration,
    },
    /// The stream, which gave clearly less than there was.
    ThinStream,
    /// The stream, and we left it because we wanted to.
    Goodbye,
}

/// Whoever hands out passes.
pub trait Issuer: Send + Sync {
    /// The connection of `pass` is over.
    fn comes_back(&self, pass: &Pass, reached: Reached);
}

/// What was asked for: good for several connections, one after the other.
pub struct Ticket {
    /// Tells it from the room's earlier ones.
    pub number: u64,
    /// What the first packet says.
    pub auth: Auth,
    /// Where to go; at least one.
    pub hosts: Vec<StreamHost>,
    /// The name of the account that enters; none is a visitor.
    pub account: Option<String>,
    /// The browser that fetched the token, and must show it.
    pub user_agent: String,
}

/// The right to open one connection.
pub struct Pass {
    /// What opens it. Shared with whoever may issue another pass from it.
    pub ticket: Arc<Ticket>,
    reached: Reached,
    entered: Option<Instant>,
    issuer: Option<Arc<dyn Issuer>>,
    recall: Option<Arc<Flag>>,
}

impl Pass {
    /// A visitor's pass that nobody wants back.
    pub fn new(auth: Auth, hosts: Vec<StreamHost>) -> Pass {
        let user_agent = super::identity::USER_AGENT.into();
        Pass::of(Arc::new(Ticket { number: 0, auth, hosts, account: None, user_agent }))
    }

    /// A pass from a ticket.
    pub(super) fn of(ticket: Arc<Ticket>) -> Pass {
        Pass { ticket, reached: Reached::Nothing, entered: None, issuer: None, recall: None }
    }

    /// Who learns how it went.
    pub(super) fn issued_by(mut self, issuer: Arc<dyn Issuer>) -> Pass {
        self.issuer = Some(issuer);
        self
    }

    /// What says that another one should be fetched.
    pub(super) fn recalled_by(mut self, recall: Arc<Flag>) -> Pass {
        self.recall = Some(recall);
        self
    }

    /// Whether it was called back.
    pub(super) fn was_recalled(&self) -> bool {
        self.recall.as_ref().is_some_and(|recall| recall.is_up())
    }

    /// The first packet is sent.
    pub fn is_shown(&mut self) {
        self.reached = Reached::Door;
    }

    /// The stream has let us in.
    pub fn is_accepted(&mut self) {
        self.entered = Some(Instant::now());
        self.reached = Reached::Stream { lived: Duration::ZERO };
    }

    /// The stream gives clearly less than there is.
    pub fn is_thinned(&mut self) {
        self.reached = Reached::ThinStream;
    }

    /// We leave because we want to.
    pub fn is_done(&mut self) {
        self.reached = Reached::Goodbye;
    }

    /// Waits until the room should come again with another pass: its account has changed, or another one is
    /// to watch it. Cheap to ask for again and again; loses nothing when dropped.
    pub async fn recalled(&self) {
        match &self.recall {
            Some(recall) => recall.raised().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let reached = match (self.reached, self.entered) {
            (Reached::Stream { .. }, Some(entered)) => Reached::Stream { lived: entered.elapsed() },
            (reached, _) => reached,
        };
        if let Some(issuer) = self.issuer.take() {
            issuer.comes_back(self, reached);
        }
    }
}
