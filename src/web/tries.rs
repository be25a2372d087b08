//! Who has guessed wrong, and how long that one must wait.
//!
//! A try is booked as failed before the password is looked at and struck out when it was right: guesses
//! that run side by side, or whose sender hangs up, cost as much as guesses one after the other. An IPv6
//! address counts as its /64, which is what one person is given. At most [`KEPT`] are remembered; the one
//! whose last failure is the longest ago is forgotten first.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use tokio::time::Instant;

/// Wrong passwords that cost nothing yet.
pub const FREE_TRIES: u32 = 5;
/// Addresses remembered for their wrong passwords.
const KEPT: usize = if cfg!(test) { 4 } else { 10_000 };
/// After so long without a failure an address begins anew.
const FORGIVEN_AFTER: Duration = Duration::from_secs(3600);

/// The tries of all addresses.
#[derive(Default)]
pub struct Tries {
    failures: HashMap<IpAddr, Failures>,
    /// The same by age: the number of the last failure, growing.
    by_age: BTreeMap<u64, IpAddr>,
    next: u64,
}

struct Failures {
    count: u32,
    last: Instant,
    number: u64,
}

impl Tries {
    /// How long this address must wait before it may try again.
    pub fn wait(&self, address: IpAddr) -> Duration {
        match self.failures.get(&counted_as(address)) {
            Some(failed) => waiting_time(failed.count).saturating_sub(failed.last.elapsed()),
            None => Duration::ZERO,
        }
    }

    /// One more failure of this address; how many that makes.
    pub fn book(&mut self, address: IpAddr) -> u32 {
        let address = counted_as(address);
        let earlier = self.failures.remove(&address);
        if let Some(failed) = &earlier {
            self.by_age.remove(&failed.number);
        }
        if self.failures.len() >= KEPT
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.failures.remove(&oldest);
        }
        let count = earlier.filter(|failed| failed.last.elapsed() < FORGIVEN_AFTER).map_or(0, |failed| failed.count);
        let failed = Failures { count: count.saturating_add(1), last: Instant::now(), number: self.next };
        self.by_age.insert(self.next, address);
        self.next += 1;
        let count = failed.count;
        self.failures.insert(address, failed);
        count
    }

    /// The password was right: nothing of this address is remembered.
    pub fn forget(&mut self, address: IpAddr) {
        if let Some(failed) = self.failures.remove(&counted_as(address)) {
            self.by_age.remove(&failed.number);
        }
    }
}

/// 1 s after the free tries, doubling up to 15 min.
fn waiting_time(failures: u32) -> Duration {
    match failures.checked_sub(FREE_TRIES) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs((1u64 << over.min(10)).min(900)),
    }
}

/// An IPv4 address in either notation as itself, an IPv6 address as the first of its /64.
pub fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_counts_as_what_one_person_is_given() {
        for (one, other, same) in [
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            assert_eq!(counted_as(at(one)) == counted_as(at(other)), same, "{one} {other}");
        }
    }

    #[test]
    fn the_address_that_failed_longest_ago_is_forgotten_first() {
        let mut tries = Tries::default();
        for n in [1, 2, 3, 4, 1, 5] {
            tries.book(at(&format!("10.0.0.{n}")));
        }
        assert_eq!((tries.failures.len(), tries.by_age.len()), (KEPT, KEPT));
        assert!(!tries.failures.contains_key(&at("10.0.0.2")), "1 has failed again since");
        assert_eq!(tries.book(at("10.0.0.1")), 3);
        tries.forget(at("10.0.0.1"));
        assert_eq!((tries.failures.len(), tries.by_age.len()), (KEPT - 1, KEPT - 1));
    }

    #[test]
    fn the_wait_grows_and_ends() {
        for (failures, seconds) in [(0, 0), (4, 0), (5, 1), (6, 2), (10, 32), (14, 512), (15, 900), (u32::MAX, 900)] {
            assert_eq!(waiting_time(failures).as_secs(), seconds, "{failures}");
        }
    }
}
