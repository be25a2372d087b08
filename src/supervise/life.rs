//! How an actor of ours lives: it is mailbox and lifecycle only; its work is one plain async function.
//!
//! The work never names actix and can be run in a test without any actor. When it ends the obituary is
//! told why and the actor stops; when it panics the obituary is dropped unset and reports that. A life
//! that no longer moves can be ended from outside with [`Kill`], which drops its work where it stands.

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use tokio::sync::Mutex;

use super::{exit::Exit, obituary::Obituary};

/// What a life does, from beginning to end.
pub trait Work: Unpin + 'static {
    /// How the one who does it is called among its siblings.
    type Name: Clone + Send + Unpin + 'static;

    /// Does it; ends with the reason.
    fn work(self) -> impl Future<Output = Exit> + 'static;
}

/// Held by the one life of an actor that is under way: the next one waits until it is let go.
pub type Turn = Arc<Mutex<()>>;

/// The actor of one life.
pub struct Life<W: Work> {
    work: Option<W>,
    turn: Turn,
    /// Last field: dropped last, so that everything is released when the supervisor hears of the death.
    obituary: Obituary<W::Name>,
}

impl<W: Work> Life<W> {
    /// A life that has not begun.
    pub fn new(work: W, obituary: Obituary<W::Name>) -> Life<W> {
        Life::in_turn(work, Turn::default(), obituary)
    }

    /// A life that begins when the one before is over, whoever supervised that.
    pub fn in_turn(work: W, turn: Turn, obituary: Obituary<W::Name>) -> Life<W> {
        Life { work: Some(work), turn, obituary }
    }
}

impl<W: Work> Actor for Life<W> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let Some(work) = self.work.take() else { return };
        let turn = self.turn.clone();
        let life = async move {
            let _mine = turn.lock_owned().await;
            work.work().await
        };
        ctx.spawn(life.into_actor(self).map(|exit, life, ctx| {
            life.obituary.because(exit);
            ctx.stop();
        }));
    }
}

/// End this life now; its obituary says that it vanished.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Kill;

impl<W: Work> Handler<Kill> for Life<W> {
    type Result = ();

    fn handle(&mut self, _: Kill, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
