//! Answers of the history that are good for a while: asked once for all who look, and again when they are old.
//!
//! An answer lasts as long as its kind is said to, or so many times as long as it took: what answers slowly is asked
//! seldom, so asking never takes more than a small share of the time. Whoever shows an answer says when it was given.
//! Not here: what is asked, and who may see it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex as Turn, time::Instant};

/// An answer lasts this many times as long as it took.
const LASTS: u32 = 50;
/// Questions whose answers are kept: each is some kilobytes at most.
const QUESTIONS: usize = 256;

/// The last answer to each question.
pub struct Kept<K, V> {
    fresh: Duration,
    places: Mutex<BTreeMap<K, Arc<Place<V>>>>,
}

/// Of one question; whoever asks it holds the turn, and the others wait for the answer.
type Place<V> = Turn<Option<Answer<V>>>;

struct Answer<V> {
    at: Instant,
    took: Duration,
    value: Arc<V>,
}

impl<K: Ord, V> Kept<K, V> {
    /// Nothing yet; answers last at least this long.
    pub fn new(fresh: Duration) -> Kept<K, V> {
        Kept { fresh, places: Mutex::default() }
    }

    /// The answer that is good still, or what `ask` gives. A failure is not kept.
    pub async fn get<E>(&self, question: K, ask: impl Future<Output = Result<V, E>>) -> Result<Arc<V>, E> {
        let place = self.place(question);
        let mut last = place.lock().await;
        if let Some(answer) = &*last
            && answer.at.elapsed() < self.fresh.max(answer.took * LASTS)
        {
            return Ok(answer.value.clone());
        }
        let at = Instant::now();
        let value = Arc::new(ask.await?);
        *last = Some(Answer { at, took: at.elapsed(), value: value.clone() });
        Ok(value)
    }

    fn place(&self, question: K) -> Arc<Place<V>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= QUESTIONS && !places.contains_key(&question) {
            places.clear();
        }
        places.entry(question).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_asked_for_again_when_it_is_old_and_the_later_the_longer_it_took() {
        let kept: Kept<&str, Instant> = Kept::new(Duration::from_secs(10));
        let get = async |question, millis| {
            let ask = async {
                sleep(Duration::from_millis(millis)).await;
                Ok::<_, Infallible>(Instant::now())
            };
            *kept.get(question, ask).await.expect("answered")
        };
        let quick = get("quick", 1).await;
        let slow = get("slow", 1000).await;
        assert_ne!(quick, slow, "each question has its own");
        advance(Duration::from_secs(8)).await;
        assert_eq!((get("quick", 1).await, get("slow", 1000).await), (quick, slow));
        advance(Duration::from_secs(3)).await;
        assert_ne!(get("quick", 1).await, quick, "older than an answer is good for");
        advance(Duration::from_secs(30)).await;
        assert_eq!(get("slow", 1000).await, slow, "it took long");
        advance(Duration::from_secs(10)).await;
        assert_ne!(get("slow", 1000).await, slow);
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_ask_once_and_a_failure_is_no_answer() {
        let kept: Kept<u8, u32> = Kept::new(Duration::from_secs(10));
        let asked = std::cell::Cell::new(0);
        let get = async |good: bool| {
            let ask = async {
                asked.set(asked.get() + 1);
                sleep(Duration::from_millis(5)).await;
                if good { Ok(asked.get()) } else { Err(()) }
            };
            kept.get(1, ask).await.map(|answer| *answer)
        };
        assert_eq!(get(false).await, Err(()));
        assert_eq!(futures_util::future::join(get(true), get(true)).await, (Ok(2), Ok(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn questions_without_end_are_bounded() {
        let kept: Kept<usize, ()> = Kept::new(Duration::from_secs(10));
        for n in 0..QUESTIONS + 10 {
            kept.get(n, async { Ok::<_, Infallible>(()) }).await.expect("answered");
        }
        let places = kept.places.lock().expect("whole").len();
        assert!(places <= QUESTIONS, "{places}");
    }
}
