//! How an actor of ours lives: it is mailbox and lifecycle only; its work is one plain async function.
//!
//! The work never names actix and can be run in a test without any actor. When it ends the obituary is
//! told why and the actor stops; when it panics the obituary is dropped unset and reports that.

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{exit::Exit, obituary::Obituary};

/// What a life does, from beginning to end.
pub trait Work: Unpin + 'static {
    /// How the one who does it is called among its siblings.
    type Name: Clone + Send + Unpin + 'static;

    /// Does it; ends with the reason.
    fn work(self) -> impl Future<Output = Exit> + 'static;
}

/// The actor of one life.
pub struct Life<W: Work> {
    work: Option<W>,
    /// Last field: dropped last, so that everything is released when the supervisor hears of the death.
    obituary: Obituary<W::Name>,
}

impl<W: Work> Life<W> {
    /// A life that has not begun.
    pub fn new(work: W, obituary: Obituary<W::Name>) -> Life<W> {
        Life { work: Some(work), obituary }
    }
}

impl<W: Work> Actor for Life<W> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let Some(work) = self.work.take() else { return };
        ctx.spawn(work.work().into_actor(self).map(|exit, life, ctx| {
            life.obituary.because(exit);
            ctx.stop();
        }));
    }
}
