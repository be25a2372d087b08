//! Faults put in place on purpose: a closed list of places where a test may let an actor fail, panic or hang.
//!
//! For tests only. Unit tests put a plan on their own thread ([`here`]), so that tests run side by side;
//! tests of the real program give one in the environment variable [`VARIABLE`], which a release build
//! refuses to start with (`config`). In a release build every point is an empty function.
//!
//! A plan is a list of `place[@whose]:nth[+]:what`, joined by commas: `room-decode@1001:3:panic` makes room
//! 1001 panic at its third frame, `room-decode:1+:error` fails every frame of every room. Places that
//! cannot wait cannot hang.

use thiserror::Error;

/// The environment variable that carries a plan into a debug build.
pub const VARIABLE: &str = "BLM_FAULTS";

macro_rules! points {
    ($($(#[$doc:meta])* $point:ident = $word:literal, $hangs:literal;)*) => {
        /// Where a fault can be put. `whose` is the number of the room, where there is one, and else 0.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point { $($(#[$doc])* $point,)* }

        impl Point {
            /// All of them.
            pub const ALL: &'static [Point] = &[$(Point::$point,)*];

            /// Its name in a plan.
            pub fn as_str(self) -> &'static str {
                match self { $(Point::$point => $word,)* }
            }

            /// Whether a fault there may hang.
            pub fn can_hang(self) -> bool {
                match self { $(Point::$point => $hangs,)* }
            }
        }
    };
}

points! {
    /// A room has a frame and is about to read it.
    RoomDecode = "room-decode", true;
    /// A room has booked an event and is about to hand it on.
    RoomHandOn = "room-hand-on", true;
    /// The writer is about to append; asked once for each event of the batch.
    WriterFlush = "writer-flush", true;
    /// The sync is about to read the live store.
    SyncRead = "sync-read", true;
    /// The history looks at an event that it is about to store.
    SqliteRow = "sqlite-row", false;
    /// The history has written everything and is about to commit.
    SqliteCommit = "sqlite-commit", false;
    /// The broadcaster is about to serialise an event.
    BroadcastEvent = "broadcast-event", true;
    /// The poller is about to ask who is on air.
    StatusRound = "status-round", true;
    /// The room supervisor is about to carry out what a death means.
    RoomsVerdict = "rooms-verdict", false;
}

/// Whether there are any faults in this build: guards loops that only ask.
pub const ENABLED: bool = cfg!(any(test, debug_assertions));

/// A fault that is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fault was put at {} on purpose", .0.as_str())]
pub struct Injected(pub Point);

/// A point that can wait.
#[cfg(not(any(test, debug_assertions)))]
#[inline(always)]
pub async fn at(_: Point, _: u64) -> Result<(), Injected> {
    Ok(())
}

/// A point that cannot wait.
#[cfg(not(any(test, debug_assertions)))]
#[inline(always)]
pub fn reach(_: Point, _: u64) -> Result<(), Injected> {
    Ok(())
}

/// What a thread of a test has been given; nothing in a release build.
#[cfg(not(any(test, debug_assertions)))]
#[derive(Clone, Default)]
pub(super) struct Carried;

#[cfg(not(any(test, debug_assertions)))]
impl Carried {
    pub(super) fn of_this_thread() -> Carried {
        Carried
    }
    pub(super) fn over<T>(self, work: impl FnOnce() -> T) -> T {
        work()
    }
}

#[cfg(any(test, debug_assertions))]
pub(super) use armed::Carried;
#[cfg(any(test, debug_assertions))]
pub use armed::{arm, at, here, reach};

#[cfg(any(test, debug_assertions))]
mod armed {
    //! The points as tests and debug builds have them.

    use std::{
        cell::RefCell,
        sync::{
            Arc, OnceLock,
            atomic::{AtomicU32, Ordering::SeqCst},
        },
    };

    use super::{Injected, Point};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Fault {
        Error,
        Panic,
        Hang,
    }

    #[derive(Debug)]
    struct Entry {
        point: Point,
        whose: Option<u64>,
        nth: u32,
        from_then_on: bool,
        fault: Fault,
        seen: AtomicU32,
    }

    /// Faults to come.
    #[derive(Debug, Default)]
    pub struct Plan(Vec<Entry>);

    impl Plan {
        fn parse(text: &str) -> Result<Plan, String> {
            let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            entries
                .map(|entry| entry_of(entry).ok_or_else(|| format!("{entry:?} is not place[@whose]:nth[+]:what")))
                .collect::<Result<_, _>>()
                .map(Plan)
        }

        fn due(&self, point: Point, whose: u64) -> Option<Fault> {
            let here =
                self.0.iter().filter(|entry| entry.point == point && entry.whose.is_none_or(|only| only == whose));
            // Every entry counts, so that one does not hide another.
            here.filter(|entry| {
                let nth = entry.seen.fetch_add(1, SeqCst) + 1;
                nth == entry.nth || entry.from_then_on && nth > entry.nth
            })
            .map(|entry| entry.fault)
            .last()
        }
    }

    fn entry_of(text: &str) -> Option<Entry> {
        let mut parts = text.split(':');
        let (place, nth, what) = (parts.next()?, parts.next()?, parts.next()?);
        let (place, whose) = match place.split_once('@') {
            Some((place, whose)) => (place, Some(whose.parse().ok()?)),
            None => (place, None),
        };
        let point = Point::ALL.iter().copied().find(|point| point.as_str() == place)?;
        let fault = match what {
            "error" => Fault::Error,
            "panic" => Fault::Panic,
            "hang" if point.can_hang() => Fault::Hang,
            _ => return None,
        };
        let (nth, from_then_on) = nth.strip_suffix('+').map_or((nth, false), |nth| (nth, true));
        let nth = nth.parse().ok().filter(|nth| *nth > 0)?;
        (parts.next().is_none()).then_some(Entry { point, whose, nth, from_then_on, fault, seen: AtomicU32::new(0) })
    }

    /// The plan of the whole process.
    static OF_THE_PROCESS: OnceLock<Arc<Plan>> = OnceLock::new();

    thread_local! {
        static OF_THIS_THREAD: RefCell<Option<Arc<Plan>>> = const { RefCell::new(None) };
    }

    /// Puts a plan in place for the whole process.
    pub fn arm(text: &str) -> Result<(), String> {
        let plan = Arc::new(Plan::parse(text)?);
        // A second plan would not be the one that was counted so far.
        OF_THE_PROCESS.set(plan).map_err(|_| "a plan of faults is in place already".to_owned())
    }

    /// Puts a plan in place for this thread, and for what it runs elsewhere, until dropped.
    pub fn here(text: &str) -> Here {
        let plan = Plan::parse(text).unwrap_or_else(|why| panic!("{why}"));
        OF_THIS_THREAD.with(|own| *own.borrow_mut() = Some(Arc::new(plan)));
        Here
    }

    /// See [`here`].
    pub struct Here;

    impl Drop for Here {
        fn drop(&mut self) {
            OF_THIS_THREAD.with(|own| *own.borrow_mut() = None);
        }
    }

    /// The plan of a thread, on its way to another.
    #[derive(Clone, Default)]
    pub struct Carried(Option<Arc<Plan>>);

    impl Carried {
        pub fn of_this_thread() -> Carried {
            Carried(OF_THIS_THREAD.with(|own| own.borrow().clone()))
        }

        /// Runs `work` on this thread as if it were the other one.
        pub fn over<T>(self, work: impl FnOnce() -> T) -> T {
            let before = OF_THIS_THREAD.with(|own| own.replace(self.0));
            let result = work();
            OF_THIS_THREAD.with(|own| *own.borrow_mut() = before);
            result
        }
    }

    fn due(point: Point, whose: u64) -> Option<Fault> {
        OF_THIS_THREAD
            .with(|own| own.borrow().as_ref().map(|plan| plan.due(point, whose)))
            .unwrap_or_else(|| OF_THE_PROCESS.get().and_then(|plan| plan.due(point, whose)))
    }

    /// A point that can wait.
    pub async fn at(point: Point, whose: u64) -> Result<(), Injected> {
        match due(point, whose) {
            None => Ok(()),
            Some(Fault::Hang) => std::future::pending().await,
            Some(fault) => strike(fault, point, whose),
        }
    }

    /// A point that cannot wait.
    pub fn reach(point: Point, whose: u64) -> Result<(), Injected> {
        due(point, whose).map_or(Ok(()), |fault| strike(fault, point, whose))
    }

    fn strike(fault: Fault, point: Point, whose: u64) -> Result<(), Injected> {
        match fault {
            Fault::Panic => panic!("{} ({whose})", Injected(point)),
            Fault::Error | Fault::Hang => Err(Injected(point)),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_plan_strikes_where_and_when_it_says() {
            let _here = here("room-decode@7:2:error, sqlite-commit:1+:error");
            let struck = |point, whose| reach(point, whose).is_err();
            assert_eq!([7, 8, 7, 7].map(|room| struck(Point::RoomDecode, room)), [false, false, true, false]);
            assert_eq!([0, 0].map(|whose| struck(Point::SqliteCommit, whose)), [true, true]);
            assert!(!struck(Point::WriterFlush, 7));
        }

        #[test]
        fn what_is_no_plan_is_refused() {
            for text in
                ["x:1:panic", "room-decode:0:panic", "room-decode:1:burn", "sqlite-commit:1:hang", "room-decode"]
            {
                assert!(Plan::parse(text).is_err(), "{text}");
            }
            for point in Point::ALL {
                assert!(Plan::parse(&format!("{}@1:1+:panic", point.as_str())).is_ok());
            }
        }

        #[test]
        fn a_plan_goes_along_to_another_thread_and_not_back() {
            let _here = here("sqlite-row:1+:error");
            let carried = Carried::of_this_thread();
            let there = std::thread::spawn(move || {
                let struck = carried.over(|| reach(Point::SqliteRow, 0).is_err());
                (struck, reach(Point::SqliteRow, 0).is_err())
            });
            assert_eq!(there.join().expect("no panic"), (true, false));
        }
    }
}
