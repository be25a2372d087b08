//! RedisWriter: from the rooms' lane into the live store, Redis or embedded.
//!
//! Gathers events as the store likes them and appends them; what was appended survives the program. Behind
//! an outbox (Redis), appending ends there, and bringing it on goes beside it: so Redis may be away, and the
//! lane does not notice. While the store takes nothing the batch stays in hand and is tried again for ever:
//! the lane fills, sheds by its policy, and shows. An event over which every life panics becomes a dead
//! letter. Also publishes what is known about the rooms. Ends when the lane has ended and the outbox is
//! empty, or can be emptied no further now.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::join;
use tokio::{
    select,
    sync::{Mutex, Notify},
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tracing::{error, info};

use super::{graves::Graves, wall::Wall};
use crate::{
    domain::Event,
    store::{LiveStore, StoreError},
    supervise::{
        exit::Exit,
        faults::{self, Point},
        inbox::{Inbox, sift},
        life::Work,
        vitals::{Doing, State, Vitals},
    },
};

/// What the writer works with; outlives its lives.
#[derive(Clone)]
pub struct WriterSpec {
    /// The reading end of the rooms' lane, with the batch in hand.
    pub inbox: Arc<Mutex<Inbox<Arc<Event>>>>,
    /// Where batches go.
    pub live: Arc<dyn LiveStore>,
    /// What is known about the rooms.
    pub wall: Arc<Wall>,
    /// Rung after each append.
    pub appended: Arc<Notify>,
    /// For events that end every life.
    pub graves: Graves,
    /// What it publishes.
    pub vitals: Arc<Vitals>,
}

impl Work for WriterSpec {
    type Name = &'static str;

    fn work(self) -> impl Future<Output = Exit> {
        write(self)
    }
}

/// Known facts about rooms are published this often, if they changed.
const PUBLISH: Duration = Duration::from_secs(1);
/// And this often even if they did not.
const PUBLISH_ALL: Duration = Duration::from_secs(60);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

async fn write(spec: WriterSpec) -> Exit {
    let ended = AtomicBool::new(false);
    let gathering = async {
        let exit = gather(&spec).await;
        ended.store(true, Relaxed);
        exit
    };
    let finish = || ended.load(Relaxed);
    let forwarding = spec.live.forward(&spec.appended, &finish);
    let (exit, ()) = join(gathering, forwarding).await;
    exit
}

async fn gather(spec: &WriterSpec) -> Exit {
    let WriterSpec { inbox, live, vitals, .. } = spec;
    let mut inbox = inbox.lock().await;
    let careful = inbox.begin_life();
    let batching = live.batching();
    let mut published = 0;
    let mut publish = interval(PUBLISH);
    publish.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut publish_all = interval(PUBLISH_ALL);
    publish_all.set_missed_tick_behavior(MissedTickBehavior::Delay);
    vitals.enter(State::Running);
    loop {
        vitals.doing(Doing::Idle);
        select! {
            biased;
            // A server that was restarted empty, or flushed, knows nothing any more.
            _ = publish_all.tick() => published = 0,
            _ = publish.tick(), if live.outbox().is_none_or(|outbox| outbox.reading().away_ms.is_none()) => {
                vitals.doing(Doing::WaitingForLiveStore);
                match publish_news(spec, published).await {
                    Ok(generation) => published = generation,
                    Err(error) => vitals.failed_with(error.to_string(), None),
                }
            }
            more = inbox.fill(batching.max_events, batching.linger) => {
                if !more {
                    return Exit::Done;
                }
                let events = inbox.batch.len() as u64;
                vitals.took_in(events, 0);
                if careful {
                    for (at, panic) in sift(&inbox.batch, async |run| append(spec, run).await).await {
                        spec.graves.bury("the writer", &inbox.batch[at], &panic).await;
                    }
                } else {
                    append(spec, &inbox.batch).await;
                }
                vitals.handed_on(events, inbox.batch.last().map(|event| event.timestamp_ms));
                inbox.finish();
                if live.outbox().is_none() {
                    spec.appended.notify_one();
                }
            }
        }
    }
}

/// Appends events, however often it takes.
async fn append(spec: &WriterSpec, events: &[Arc<Event>]) {
    let WriterSpec { live, vitals, .. } = spec;
    vitals.doing(Doing::WaitingForLiveStore);
    let mut pause = Duration::from_millis(100);
    let mut failing_since = None;
    while let Err(error) = try_append(live.as_ref(), events).await {
        let since = *failing_since.get_or_insert_with(|| {
            error!(%error, "the live store does not take events; they wait: {error}");
            Instant::now()
        });
        vitals.enter(State::Backoff);
        vitals.failed_with(format!("{error} (for {} s)", since.elapsed().as_secs()), None);
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    if let Some(since) = failing_since {
        info!("the live store takes events again, after {} s", since.elapsed().as_secs());
        vitals.enter(State::Running);
    }
}

async fn try_append(live: &dyn LiveStore, events: &[Arc<Event>]) -> Result<(), StoreError> {
    if faults::ENABLED {
        for event in events {
            let injected = |fault: faults::Injected| StoreError::Unreachable(fault.to_string());
            faults::at(Point::WriterFlush, event.room_id.0).await.map_err(injected)?;
        }
    }
    live.append(events).await
}

/// Publishes what has become known about rooms since `generation`; returns how far that goes. A key that
/// somebody else made, with another type, hides nothing but itself.
async fn publish_news(spec: &WriterSpec, generation: u64) -> Result<u64, StoreError> {
    let news = spec.wall.news_since(generation);
    let passed_over = |refused: Result<(), StoreError>| match refused {
        Err(error @ StoreError::Refused { .. }) => {
            spec.vitals.failed_with(error.to_string(), None);
            Ok(())
        }
        other => other,
    };
    if let Some(rooms) = &news.rooms {
        passed_over(spec.live.put_active(rooms).await)?;
    }
    for info in &news.infos {
        passed_over(spec.live.put_room(info).await)?;
    }
    Ok(news.generation)
}
