//! Which account watches which room.
//!
//! Pure and stable: rooms of the highest priority get the places there are, a room that has a place keeps it,
//! and places are spread evenly over the accounts. A room without a place is watched by a visitor. An account
//! that rests has no places, so that its rooms move by the same rule.

use std::collections::BTreeMap;

use crate::domain::{RoomId, Uid};

/// Who watches which room; rooms that are not in it are a visitor's.
pub type Assignment = BTreeMap<RoomId, Uid>;

/// Distributes `rooms` (with their priority, higher first) over `accounts` that hold `places` each. `now` is who
/// watches what at present.
pub fn assign(accounts: &[Uid], places: usize, rooms: &BTreeMap<RoomId, i64>, now: &Assignment) -> Assignment {
    let held = |room: &RoomId| now.get(room).filter(|uid| accounts.contains(uid)).copied();
    let mut chosen: Vec<(RoomId, i64)> = rooms.iter().map(|(room, priority)| (*room, *priority)).collect();
    // Among equals those that have a place keep it.
    chosen.sort_by_key(|(room, priority)| (-priority, held(room).is_none(), *room));
    chosen.truncate(accounts.len().saturating_mul(places));

    // One more than an even share may stay where it is: moving costs a gap in what is received.
    let stays = places.min(chosen.len().div_ceil(accounts.len().max(1)) + 1);
    let mut loads: BTreeMap<Uid, usize> = accounts.iter().map(|uid| (*uid, 0)).collect();
    let mut assignment = Assignment::new();
    let mut homeless = Vec::new();
    for (room, _) in chosen {
        match held(&room).and_then(|uid| Some((uid, loads.get_mut(&uid).filter(|load| **load < stays)?))) {
            Some((uid, load)) => {
                *load += 1;
                assignment.insert(room, uid);
            }
            None => homeless.push(room),
        }
    }
    for room in homeless {
        // In the order of the accounts, so that the same question has the same answer.
        let freest = accounts.iter().min_by_key(|uid| loads[*uid]).copied();
        if let Some(load) = freest.and_then(|uid| loads.get_mut(&uid)) {
            *load += 1;
            assignment.extend(freest.map(|uid| (room, uid)));
        }
    }
    assignment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(list: &[(u64, i64)]) -> BTreeMap<RoomId, i64> {
        list.iter().map(|(room, priority)| (RoomId(*room), *priority)).collect()
    }

    fn said(assignment: &Assignment) -> String {
        assignment.iter().map(|(room, uid)| format!("{room}:{uid}")).collect::<Vec<_>>().join(" ")
    }

    fn plain(n: u64) -> BTreeMap<RoomId, i64> {
        (1..=n).map(|room| (RoomId(room), 0)).collect()
    }

    const A: Uid = Uid(100);
    const B: Uid = Uid(200);

    #[test]
    fn places_go_to_the_first_by_priority_and_are_spread_evenly() {
        let none = Assignment::new();
        assert_eq!(said(&assign(&[], 6, &plain(3), &none)), "");
        assert_eq!(said(&assign(&[A, B], 6, &plain(5), &none)), "1:100 2:200 3:100 4:200 5:100");
        assert_eq!(said(&assign(&[A], 2, &plain(5), &none)), "1:100 2:100");
        let some = rooms(&[(1, 0), (2, 0), (3, 5), (4, -1), (5, 9)]);
        assert_eq!(said(&assign(&[A], 2, &some, &none)), "3:100 5:100");
        assert_eq!(said(&assign(&[A, B], 0, &some, &none)), "");
    }

    #[test]
    fn who_has_a_place_keeps_it_unless_somebody_matters_more() {
        let now = assign(&[A, B], 2, &plain(4), &Assignment::new());
        assert_eq!(said(&assign(&[A, B], 2, &plain(6), &now)), said(&now), "later rooms wait");
        let urgent = rooms(&[(1, 0), (2, 0), (3, 0), (4, 0), (9, 1)]);
        assert_eq!(said(&assign(&[A, B], 2, &urgent, &now)), "1:100 2:200 3:100 9:200", "the last one makes room");
        let fewer = rooms(&[(1, 0), (3, 0), (4, 0)]);
        assert_eq!(said(&assign(&[A, B], 2, &fewer, &now)), "1:100 3:100 4:200");
    }

    #[test]
    fn the_rooms_of_an_account_that_rests_move_and_come_back_only_for_balance() {
        let both = assign(&[A, B], 6, &plain(6), &Assignment::new());
        let alone = assign(&[B], 6, &plain(6), &both);
        assert_eq!(alone.values().filter(|uid| **uid == B).count(), 6);
        let again = assign(&[A, B], 6, &plain(6), &alone);
        assert_eq!(again.values().filter(|uid| **uid == A).count(), 2, "{}", said(&again));
        assert_eq!(said(&assign(&[A, B], 6, &plain(6), &again)), said(&again), "and then it is quiet");
    }

    proptest::proptest! {
        #[test]
        fn no_account_is_overfull_and_no_place_stays_empty(
            accounts in 0usize..6, places in 0usize..8, list: Vec<(u8, i8)>, before: Vec<(u8, u8)>,
        ) {
            let accounts: Vec<Uid> = (1..=accounts as u64).map(Uid).collect();
            let rooms: BTreeMap<RoomId, i64> = list.iter().map(|(r, p)| (RoomId(u64::from(*r)), i64::from(*p))).collect();
            let now: Assignment = before.iter().map(|(r, u)| (RoomId(u64::from(*r)), Uid(u64::from(*u)))).collect();
            let assignment = assign(&accounts, places, &rooms, &now);
            for uid in &accounts {
                proptest::prop_assert!(assignment.values().filter(|held| *held == uid).count() <= places);
            }
            proptest::prop_assert_eq!(assignment.len(), rooms.len().min(accounts.len() * places));
            let lowest_with = assignment.keys().map(|room| rooms[room]).min();
            let highest_without = rooms.iter().filter(|(room, _)| !assignment.contains_key(*room)).map(|(_, p)| *p).max();
            if let (Some(with), Some(without)) = (lowest_with, highest_without) {
                proptest::prop_assert!(with >= without);
            }
            proptest::prop_assert_eq!(&assign(&accounts, places, &rooms, &assignment), &assignment, "stable");
        }
    }
}
