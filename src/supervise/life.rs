//! How an actor of ours lives: it is mailbox and lifecycle only; its work is one plain async function.
//!
//! The work never names actix and can be run in a test without any actor. When it ends the obituary is
//! told why and the actor stops; when it panics the obituary is dropped unset and reports that.

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{exit::Exit, obituary::Obituary};

/// An actor that is one piece of work and its obituary.
pub trait Mortal: Actor<Context = Context<Self>> {
    /// How it is called among its siblings.
    type Name: Clone + Send + 'static;

    /// The guard that reports the end.
    fn obituary(&mut self) -> &mut Obituary<Self::Name>;
}

/// Does `work` as the life of an actor; to be called once, when it starts.
pub fn live<A: Mortal>(actor: &A, ctx: &mut Context<A>, work: impl Future<Output = Exit> + 'static) {
    ctx.spawn(work.into_actor(actor).map(|exit, actor, ctx| {
        actor.obituary().because(exit);
        ctx.stop();
    }));
}
