//! A flag that can be waited for.
//!
//! For what there is one of in every room: tokio's watch channel does the same and more, and keeps lists for many
//! waiters, 344 bytes. Invariant: whoever waits while it is raised goes on, also if it is lowered and raised again.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::sync::Notify;

/// The flag; lowered at first.
#[derive(Debug, Default)]
pub struct Flag {
    is_up: AtomicBool,
    bell: Notify,
}

impl Flag {
    /// Raises or lowers it. What it was.
    pub fn set(&self, up: bool) -> bool {
        let was_up = self.is_up.swap(up, SeqCst);
        self.bell.notify_waiters();
        was_up
    }

    /// Whether it is raised.
    pub fn is_up(&self) -> bool {
        self.is_up.load(SeqCst)
    }

    /// Waits until it is raised. Cheap to ask for again and again; loses nothing when dropped.
    pub async fn raised(&self) {
        loop {
            // Made before looking: from here on it hears the bell.
            let rung = self.bell.notified();
            if self.is_up() {
                return;
            }
            rung.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn all_who_wait_go_on_when_it_is_raised_and_nobody_when_it_is_lowered() {
        let flag = Flag::default();
        let (mut first, mut second) = (Box::pin(flag.raised()), Box::pin(flag.raised()));
        assert!(!flag.set(false));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        assert!(!flag.set(true));
        assert!(first.now_or_never().is_some() && second.now_or_never().is_some());
        assert!(flag.raised().now_or_never().is_some(), "who comes later need not wait");
        assert!(flag.set(false));
        assert!(flag.raised().now_or_never().is_none());
    }
}
