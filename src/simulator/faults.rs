//! The switchboard: what goes wrong at the moment, because somebody wants it so.
//!
//! Only says what is to happen; the doors (`http`, `stream`) carry it out. Everything is off at the start, apart
//! from what the options ask for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::crowd::OverCap;

/// Calls that are to fail, be slow, or both.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    /// Which call: the end of its path, such as `getDanmuInfo` or `cookie/info`; `*` for all.
    pub call: String,
    /// The code they are answered with: a code of the platform, or a status of HTTP from 500 on. Without one they
    /// are only slow.
    pub code: Option<i64>,
    /// How often; without end if absent.
    pub times: Option<u32>,
    /// Only calls with the cookies of this account; 0 is whoever is not logged in.
    pub account: Option<u64>,
    /// How long it takes until the call is done, ms.
    #[serde(default)]
    pub delay_ms: u64,
    /// How long it takes from there until it is answered, ms.
    #[serde(default)]
    pub answer_delay_ms: u64,
}

/// What is to happen to one call.
pub(super) struct Order {
    pub delay: Duration,
    pub answer_delay: Duration,
    pub code: Option<i64>,
}

/// All switches.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Faults {
    /// Calls that fail. The first that fits counts.
    pub refusals: Vec<Refusal>,
    /// So many tokens given out from now on will not be accepted.
    pub bad_tokens: u32,
    /// How long a token is good, seconds; for ever if absent.
    pub token_lasts_s: Option<u64>,
    /// So many stream hosts where nothing listens stand in front of the list.
    pub dead_hosts: u16,
    /// Whoever connects is cut before a word.
    pub down: bool,
    /// Whoever connects waits for an answer to the authentication in vain.
    pub deaf: bool,
    /// Whoever is connected hears nothing any more, not even an answer to heartbeats.
    pub mute: bool,
    /// A refused authentication is answered with `{"code":-101}` before the cut.
    pub says_refused: bool,
    /// How long a connection stays, ms; then it is cut.
    pub cut_every_ms: Option<u64>,
    /// How long the WebSocket handshake takes longer, ms.
    pub slow_handshake_ms: u64,
    /// Share of frames that are followed by a broken one.
    pub garbage: f64,
    /// How many connections an account may hold.
    pub account_cap: Option<usize>,
    /// What happens beyond that.
    pub over_cap: OverCap,
}

/// What is wrong in one room.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[serde(default)]
pub(super) struct Flaws {
    /// Its connections hear nothing any more, not even an answer to heartbeats.
    pub silent: bool,
    /// The share of chat that comes through, for everybody; all of it if absent.
    pub keep: Option<f64>,
    /// Visitors get no names and numbers, and miss this share of all messages. Absent: they see everything.
    pub withheld: Option<f64>,
    /// Gifts come as protobuf, or as JSON; as the room likes it if absent.
    pub protobuf: Option<bool>,
}

impl Faults {
    /// What is to happen to a call; uses up one of its times.
    pub fn order_for(&mut self, call: &str, login: Option<u64>) -> Option<Order> {
        let fits = |refusal: &Refusal| {
            (refusal.call == "*" || refusal.call == call)
                && refusal.account.is_none_or(|account| account == login.unwrap_or(0))
        };
        let place = self.refusals.iter().position(fits)?;
        let refusal = &mut self.refusals[place];
        let order = Order {
            delay: Duration::from_millis(refusal.delay_ms),
            answer_delay: Duration::from_millis(refusal.answer_delay_ms),
            code: refusal.code,
        };
        if let Some(times) = &mut refusal.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.refusals.remove(place);
            }
        }
        Some(order)
    }

    /// Whether the token that is given out now is to be a bad one.
    pub fn spoils_token(&mut self) -> bool {
        let spoils = self.bad_tokens > 0;
        self.bad_tokens = self.bad_tokens.saturating_sub(1);
        spoils
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_hits_its_call_its_account_and_so_often() {
        let refusal = |call: &str, times, account| Refusal {
            call: call.into(),
            code: Some(-352),
            times,
            account,
            delay_ms: 0,
            answer_delay_ms: 0,
        };
        let mut faults = Faults { refusals: vec![refusal("nav", Some(2), Some(7))], ..Faults::default() };
        let mut hit = |call: &str, login| faults.order_for(call, login).and_then(|order| order.code);
        assert_eq!([hit("nav", None), hit("nav", Some(8)), hit("spi", Some(7))], [None; 3]);
        assert_eq!([hit("nav", Some(7)), hit("nav", Some(7)), hit("nav", Some(7))], [Some(-352), Some(-352), None]);
        let mut faults = Faults { refusals: vec![refusal("*", None, Some(0))], ..Faults::default() };
        assert!((0..9).all(|_| faults.order_for("anything", None).is_some()));
        assert!(faults.order_for("anything", Some(7)).is_none());
    }
}
