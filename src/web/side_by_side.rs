//! The body of a live connection: what its session says itself, and what is pushed past it, whole frames of either.
//!
//! An actor that is woken looks at everything it waits for, its timers and its socket. For each frame of a busy room that
//! cost more than the frame did, so each side is asked only when it was woken itself, and lies in one place of memory:
//! with thousands of sessions everything that is touched has to be fetched.
//!
//! Invariant: nothing is sent after the session has said goodbye, so one that was woken goes first.

use std::{
    error::Error,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
    task::{Context, Poll, Wake, Waker, ready},
};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use futures_util::{Stream, task::AtomicWaker};

/// Both sides, until the session ends.
pub struct SideBySide<S> {
    greeting: Option<Bytes>,
    /// None when it has ended, which the session learns by what it held.
    pushed: Option<Pin<Box<S>>>,
    said: BoxBody,
    session: Arc<Side>,
}

/// Whether the session was woken.
struct Side {
    is_woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Side {
    fn wake(self: Arc<Side>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Side>) {
        self.is_woken.swap(true, AcqRel);
        self.task.wake();
    }
}

impl<S: Stream<Item = Bytes>> SideBySide<S> {
    /// After the greeting, what is `said` and what is `pushed`.
    pub fn new(greeting: Bytes, said: BoxBody, pushed: S) -> SideBySide<S> {
        let session = Arc::new(Side { is_woken: AtomicBool::new(true), task: AtomicWaker::new() });
        SideBySide { greeting: Some(greeting), pushed: Some(Box::pin(pushed)), said, session }
    }
}

impl<S: Stream<Item = Bytes>> MessageBody for SideBySide<S> {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let SideBySide { greeting, pushed, said, session } = self.get_mut();
        if let Some(greeting) = greeting.take() {
            return Poll::Ready(Some(Ok(greeting)));
        }
        // First: a session that is woken from here on wakes the task.
        session.task.register(task.waker());
        if session.is_woken.swap(false, AcqRel) {
            let waker = Waker::from(session.clone());
            if let Poll::Ready(chunk) = Pin::new(said).poll_next(&mut Context::from_waker(&waker)) {
                // Whoever has spoken was not asked what else there is.
                session.is_woken.swap(true, AcqRel);
                return Poll::Ready(chunk);
            }
        }
        let Some(frames) = pushed else { return Poll::Pending };
        if let Some(frame) = ready!(frames.as_mut().poll_next(task)) {
            return Poll::Ready(Some(Ok(frame)));
        }
        *pushed = None;
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use actix_web::body::BodyStream;
    use futures_util::{FutureExt, StreamExt, future::poll_fn, stream};
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    fn stream_of(mut from: UnboundedReceiver<&'static str>, asked: Rc<Cell<u32>>) -> impl Stream<Item = Bytes> {
        stream::poll_fn(move |task| {
            asked.set(asked.get() + 1);
            from.poll_recv(task).map(|text| text.map(Bytes::from))
        })
    }

    #[tokio::test]
    async fn each_side_is_asked_only_when_it_has_something_and_nothing_of_either_is_lost() {
        let ((say, said), (push, pushed)) = (unbounded_channel(), unbounded_channel());
        let asked = Rc::new(Cell::new(0));
        let said = BoxBody::new(BodyStream::new(stream_of(said, asked.clone()).map(Ok::<_, Box<dyn Error>>)));
        let mut body = SideBySide::new("hello".into(), said, stream_of(pushed, Rc::default()));
        let mut next = || {
            let chunk = poll_fn(|task| Pin::new(&mut body).poll_next(task)).now_or_never();
            chunk.map(|chunk| chunk.map(|chunk| String::from_utf8(chunk.expect("no error").into()).expect("text")))
        };
        let chunk = |text: &str| Some(Some(text.to_owned()));
        assert_eq!((next(), next()), (chunk("hello"), None));
        let so_far = asked.get();
        for text in ["a", "b", "c"] {
            push.send(text).expect("open");
            assert_eq!((next(), next()), (chunk(text), None));
        }
        assert_eq!(asked.get(), so_far, "it said nothing");
        for text in ["x", "y"] {
            say.send(text).expect("open");
        }
        push.send("d").expect("open");
        assert_eq!([next(), next(), next(), next()], [chunk("x"), chunk("y"), chunk("d"), None]);
        drop(push);
        assert_eq!(next(), None, "the session goes on when nothing is pushed any more");
        say.send("goodbye").expect("open");
        drop(say);
        assert_eq!([next(), next()], [chunk("goodbye"), Some(None)], "and ends the whole when it ends");
    }

    #[tokio::test]
    async fn nothing_is_pushed_after_the_goodbye() {
        let ((say, said), (push, pushed)) = (unbounded_channel(), unbounded_channel());
        let said = BoxBody::new(BodyStream::new(stream_of(said, Rc::default()).map(Ok::<_, Box<dyn Error>>)));
        let mut body = SideBySide::new("hello".into(), said, stream_of(pushed, Rc::default()));
        for text in ["a", "b"] {
            push.send(text).expect("open");
        }
        say.send("goodbye").expect("open");
        drop(say);
        let mut chunks = Vec::new();
        while let Some(chunk) = poll_fn(|task| Pin::new(&mut body).poll_next(task)).await {
            chunks.push(chunk.expect("no error"));
        }
        assert_eq!(chunks, ["hello", "goodbye"]);
    }
}
