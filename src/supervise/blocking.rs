//! Work that blocks, done where it may; a panic in it is the panic of whoever asked.
//!
//! The text and place of a panic are left on the thread where it happened ([`super::obituary`]). Work that
//! was sent to another thread brings them back, so that the death that follows is explained.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use thiserror::Error;

use super::{faults::Carried, obituary};

/// The work was not begun: the program is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the program is stopping")]
pub struct Stopping;

/// Runs `work` on a thread for blocking work.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stopping> {
    let faults = Carried::of_this_thread();
    let done = tokio::task::spawn_blocking(move || {
        faults.over(|| catch_unwind(AssertUnwindSafe(work)).map_err(|payload| (payload, obituary::take_panic())))
    });
    match done.await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err((payload, panic))) => {
            obituary::bring_panic(panic);
            resume_unwind(payload)
        }
        Err(_) => Err(Stopping),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_comes_back_with_its_text_and_place() {
        obituary::remember_panics();
        let failed = AssertUnwindSafe(run(|| panic!("deep down"))).catch_unwind().await;
        assert!(failed.is_err());
        let panic = obituary::take_panic();
        assert_eq!(panic.text, "deep down");
        assert!(panic.place.is_some_and(|place| place.contains("blocking.rs:")));
    }
}
