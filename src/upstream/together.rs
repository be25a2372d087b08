//! Asking about many rooms in one call: those that ask within a moment are asked about together.
//!
//! Whoever comes first waits that moment and asks for all; who comes meanwhile goes with the next call. Not here: what is
//! asked (`bilibili`). Invariant: whoever gives up waiting, also in the middle of a call, keeps nobody else from an
//! answer.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{
        Mutex as AsyncMutex,
        oneshot::{self, error::TryRecvError},
    },
    time::sleep,
};

use crate::domain::{RoomId, RoomInfo};

/// Rooms are gathered for this long: little beside the distance of two connections, enough at a rig's pace.
const GATHER: Duration = Duration::from_millis(50);
/// Rooms in one call: tens are common in public programs, and no maximum is published.
pub const ROOMS_A_CALL: usize = 50;

/// Those who wait, and whose turn it is to ask for them.
#[derive(Default)]
pub(super) struct Together {
    waiting: Mutex<Vec<Waiting>>,
    turn: AsyncMutex<()>,
}

/// A room, and who is to be told of it: nothing, if Bilibili says nothing. Dropped: it has to be asked about alone.
type Waiting = (RoomId, oneshot::Sender<Option<RoomInfo>>);

impl Together {
    /// What is said of a room by `call`, which is given rooms and says what is known of them, in any order, or that it
    /// failed. A room that an answer about several leaves out is asked about alone.
    pub async fn ask<F>(&self, room: RoomId, call: impl Fn(Vec<RoomId>) -> F) -> Option<RoomInfo>
    where
        F: Future<Output = Option<Vec<RoomInfo>>>,
    {
        let (tell, mut told) = oneshot::channel();
        self.waiting().push((room, tell));
        let turn = self.turn.lock().await;
        let mut gathered = false;
        let answer = loop {
            match told.try_recv() {
                Ok(answer) => break Some(answer),
                Err(TryRecvError::Closed) => break None,
                Err(TryRecvError::Empty) => {}
            }
            if !gathered {
                sleep(GATHER).await;
                gathered = true;
            }
            self.ask_for_some(&call).await;
        };
        drop(turn);
        match answer {
            Some(answer) => answer,
            None => call(vec![room]).await?.into_iter().find(|info| info.room_id == room),
        }
    }

    /// One call for those who have waited longest.
    async fn ask_for_some<F>(&self, call: impl Fn(Vec<RoomId>) -> F)
    where
        F: Future<Output = Option<Vec<RoomInfo>>>,
    {
        let asked: Vec<Waiting> = {
            let mut waiting = self.waiting();
            let some = waiting.len().min(ROOMS_A_CALL);
            waiting.drain(..some).collect()
        };
        let answer = call(asked.iter().map(|(room, _)| *room).collect()).await;
        let alone = asked.len() == 1;
        for (room, tell) in asked {
            let found = answer.iter().flatten().find(|info| info.room_id == room);
            if found.is_some() || answer.is_none() || alone {
                // Whoever gave up waiting is not told.
                let _ = tell.send(found.cloned());
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};

    use super::*;

    /// Bilibili knows the rooms up to 900, fails over room 666, and leaves 13 out where others are asked about.
    fn answer(rooms: &[RoomId]) -> Option<Vec<RoomInfo>> {
        let known = |room: &RoomId| room.0 <= 900 && (room.0 != 13 || rooms.len() == 1);
        let infos = rooms.iter().copied().filter(known).map(RoomInfo::unknown);
        (!rooms.contains(&RoomId(666))).then(|| infos.collect())
    }

    /// What becomes of rooms that ask at once: those that are told something, and the sizes of the calls.
    async fn check(rooms: impl IntoIterator<Item = u64>) -> (usize, Vec<usize>) {
        let (together, calls) = (Together::default(), Mutex::new(Vec::new()));
        let call = |rooms: Vec<RoomId>| {
            calls.lock().expect("no panic").push(rooms.len());
            async move { answer(&rooms) }
        };
        let answers = join_all(rooms.into_iter().map(|room| together.ask(RoomId(room), call))).await;
        (answers.iter().flatten().count(), calls.into_inner().expect("no panic"))
    }

    #[tokio::test(start_paused = true)]
    async fn rooms_that_ask_at_once_are_asked_about_by_the_fifty_and_each_is_told_of_itself() {
        assert_eq!(check(200..320).await, (120, vec![50, 50, 20]));
        assert_eq!(check([7]).await, (1, vec![1]));
        assert_eq!(check([7, 13, 14]).await, (3, vec![3, 1]), "one was left out and is asked about alone");
        assert_eq!(check([13]).await, (1, vec![1]));
        assert_eq!(check([7, 901, 902]).await, (1, vec![3, 1, 1]), "there are none such");
        assert_eq!(check([7, 8, 666]).await, (0, vec![3]), "a call that failed is not made again for each");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_keeps_nobody_else_from_an_answer() {
        let together = Together::default();
        let call = |rooms: Vec<RoomId>| async move {
            sleep(Duration::from_secs(1)).await;
            answer(&rooms)
        };
        let (mut first, mut second) =
            (Box::pin(together.ask(RoomId(1), call)), Box::pin(together.ask(RoomId(2), call)));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        tokio::time::advance(GATHER).await;
        assert!(first.as_mut().now_or_never().is_none(), "it asks for both");
        drop(first);
        assert_eq!(second.await, Some(RoomInfo::unknown(RoomId(2))));
    }
}
