//! The signals that end a run, counted: the first asks, the second insists.

use tokio::{
    select,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::outcome::StartError;

/// SIGTERM and SIGINT, counted.
#[derive(Clone)]
pub struct Signals(watch::Receiver<u32>);

impl Signals {
    /// Waits for the first.
    pub async fn first(&mut self) {
        self.at_least(1).await;
    }

    /// Waits for the second.
    pub async fn second(&mut self) {
        self.at_least(2).await;
    }

    async fn at_least(&mut self, times: u32) {
        if self.0.wait_for(|seen| *seen >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Begins to count them; from now on they no longer end the program.
pub fn signals() -> Result<Signals, StartError> {
    let failed = |source| StartError::System { what: "signals cannot be received", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (seen, receiver) = watch::channel(0);
    actix::spawn(async move {
        loop {
            select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            seen.send_modify(|seen| *seen += 1);
        }
    });
    Ok(Signals(receiver))
}
