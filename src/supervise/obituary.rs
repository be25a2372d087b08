//! The guard that reports the end of a life, whatever ended it.
//!
//! Dropping it is the report: a finished life sets its exit first; a panic, a stopped arbiter and a start
//! that never came about drop it unset. It must be the **last field** of an actor, so that senders and
//! permits are released before the supervisor hears of the death.
//!
//! The panic hook installed by [`remember_panics`] leaves text and place of the last panic on its thread,
//! where the guard, dropped while that thread unwinds, picks them up.

use std::{
    cell::RefCell,
    panic,
    sync::{Arc, Mutex, PoisonError},
};

use actix::{Message, Recipient};

use super::exit::{Exit, Panic};

/// The end of one life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exited<C> {
    /// Who.
    pub child: C,
    /// Which life of theirs.
    pub life: u32,
    /// Why.
    pub exit: Exit,
}

impl<C> Message for Exited<C> {
    type Result = ();
}

/// Whoever hears of the deaths: one supervisor after another. What is reported in between is not heard;
/// the next one sees for itself who is alive.
pub struct Mourner<C: Clone + Send + 'static>(Arc<Mutex<Option<Recipient<Exited<C>>>>>);

impl<C: Clone + Send + 'static> Mourner<C> {
    /// From now on this is the one.
    pub fn is_now(&self, mourner: Recipient<Exited<C>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(mourner);
    }
}

impl<C: Clone + Send + 'static> Default for Mourner<C> {
    fn default() -> Mourner<C> {
        Mourner(Arc::default())
    }
}

impl<C: Clone + Send + 'static> Clone for Mourner<C> {
    fn clone(&self) -> Mourner<C> {
        Mourner(self.0.clone())
    }
}

impl<C: Clone + Send + 'static> From<Recipient<Exited<C>>> for Mourner<C> {
    fn from(mourner: Recipient<Exited<C>>) -> Mourner<C> {
        Mourner(Arc::new(Mutex::new(Some(mourner))))
    }
}

/// Reports the end of a life to a supervisor when it is dropped.
pub struct Obituary<C: Clone + Send + 'static> {
    to: Mourner<C>,
    child: C,
    life: u32,
    exit: Option<Exit>,
}

impl<C: Clone + Send + 'static> Obituary<C> {
    /// Made before the actor, so that a start that never happens is reported as well.
    pub fn new(to: impl Into<Mourner<C>>, child: C, life: u32) -> Obituary<C> {
        Obituary { to: to.into(), child, life, exit: None }
    }

    /// Says why the life ends.
    pub fn because(&mut self, exit: Exit) {
        self.exit = Some(exit);
    }
}

impl<C: Clone + Send + 'static> Drop for Obituary<C> {
    #[expect(clippy::disallowed_methods, reason = "a drop cannot wait, and there is at most one report per life")]
    fn drop(&mut self) {
        let exit = if std::thread::panicking() {
            Exit::Panicked(take_panic())
        } else {
            self.exit.take().unwrap_or(Exit::Vanished)
        };
        let to = self.to.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(to) = to {
            to.do_send(Exited { child: self.child.clone(), life: self.life, exit });
        }
    }
}

thread_local! {
    static LAST_PANIC: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Installs the panic hook that obituaries read, in front of the one that is there.
pub fn remember_panics() {
    let next = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = if let Some(text) = info.payload().downcast_ref::<&str>() {
            (*text).to_owned()
        } else if let Some(text) = info.payload().downcast_ref::<String>() {
            text.clone()
        } else {
            "a panic that carries no text".to_owned()
        };
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        LAST_PANIC.with(|last| *last.borrow_mut() = Some(Panic { text, place }));
        next(info);
    }));
}

/// What the last panic of this thread said; it is told once.
pub(super) fn take_panic() -> Panic {
    LAST_PANIC
        .with(|last| last.borrow_mut().take())
        .unwrap_or(Panic { text: "a panic whose text was not caught".to_owned(), place: None })
}

/// A panic of another thread goes on in this one.
pub(super) fn bring_panic(panic: Panic) {
    LAST_PANIC.with(|last| *last.borrow_mut() = Some(panic));
}
