//! Why a life ended, as a value.
//!
//! An exit says enough for [`super::policy`] to decide what comes next and for a person to understand
//! it; it never carries a secret. A panic keeps its text and place.

use std::{fmt, time::Duration};

/// Why a life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Its work is over: unwatched, or the program drains.
    Done,
    /// There is nothing to do for the time being, such as a broadcast that is over.
    Ended,
    /// A connection was lost, or never came about.
    Lost(String),
    /// The other side asked for patience; nobody may knock for this long.
    Throttled(Duration),
    /// The other side said no, and will say it again.
    Refused(String),
    /// A bug of ours.
    Panicked(Panic),
    /// It did not move any more, and was ended for it.
    Stuck(String),
    /// It was dropped without saying why, for example with its arbiter.
    Vanished,
}

/// What a panic said, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// Its message.
    pub text: String,
    /// `file:line`, when the panic hook of [`super::obituary`] is installed.
    pub place: Option<String>,
}

impl Exit {
    /// One word for counters and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Ended => "ended",
            Exit::Lost(_) => "lost",
            Exit::Throttled(_) => "throttled",
            Exit::Refused(_) => "refused",
            Exit::Panicked(_) => "panicked",
            Exit::Stuck(_) => "stuck",
            Exit::Vanished => "vanished",
        }
    }

    /// `file:line` of a panic.
    pub fn place(&self) -> Option<&str> {
        match self {
            Exit::Panicked(panic) => panic.place.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Done => f.write_str("done"),
            Exit::Ended => f.write_str("ended: there is nothing to receive for now"),
            Exit::Lost(why) => write!(f, "lost: {why}"),
            Exit::Throttled(pause) => write!(f, "throttled for {} s", pause.as_secs()),
            Exit::Refused(why) => write!(f, "refused: {why}"),
            Exit::Panicked(panic) => write!(f, "panicked: {}", panic.text),
            Exit::Stuck(why) => write!(f, "stuck: {why}"),
            Exit::Vanished => f.write_str("vanished without a reason"),
        }
    }
}
