//! Who watches which room at present, who rests, and the tickets that are held meanwhile.
//!
//! Rooms join when they ask for a pass and leave when they no longer want one. Whenever accounts, rests or
//! priorities change, everybody is assigned anew ([`super::assign`]), and a room whose account changes is
//! recalled: it comes again and gets another pass. Not here: asking Bilibili for anything (`bilibili`).
//!
//! Invariant: a pass is always that of the identity the room is assigned to, and a ticket is used again only
//! by the identity that fetched it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    assign::{Assignment, assign},
    identity::Who,
    manners::Cooling,
    pass::{Pass, Reached, Ticket},
};
use crate::{
    domain::{RoomId, Uid},
    protocol::{Auth, StreamHost},
    supervise::flag::Flag,
};

/// Who watches without an account.
pub const VISITOR: Uid = Uid(0);

/// A ticket serves reconnects for this long; how long the real ones last is not known.
const TICKET_LASTS: Duration = Duration::from_secs(600);
/// A room that said goodbye has its place kept for so long: it may only have been restarted.
const KEPT: Duration = Duration::from_secs(30);
/// A room that has had no pass for this long has left without saying so.
const FORGOTTEN: Duration = Duration::from_secs(3 * 3600);
/// A connection that ends sooner was cut.
const SHORT_LIFE: Duration = Duration::from_secs(60);
/// So many cuts ...
const CUTS: usize = 3;
/// ... within this time are held against the account.
const CUT_WINDOW: Duration = Duration::from_secs(300);
/// Then, and when it is given only a part of a stream, it rests this long, ...
const CUT_REST: Duration = Duration::from_secs(600);
/// ... longer each time, but no longer than this.
const LONGEST_REST: Duration = Duration::from_secs(2 * 3600);

/// A ticket, and how it has done.
struct Held {
    ticket: Arc<Ticket>,
    fetched: Instant,
    /// Connects that failed since it last opened a stream.
    failures: usize,
}

impl Held {
    fn is_good(&self, now: Instant) -> bool {
        now.duration_since(self.fetched) < TICKET_LASTS && self.failures < self.ticket.hosts.len().max(3)
    }
}

/// A room that wants to be watched.
struct Place {
    held: Option<Held>,
    recall: Arc<Flag>,
    /// Passes out, and when the last one went out or came back.
    out: usize,
    last: Instant,
    /// It said goodbye; it may come again at once.
    left: bool,
}

#[derive(Default)]
struct State {
    accounts: Vec<Uid>,
    rooms: BTreeMap<RoomId, Place>,
    priorities: BTreeMap<RoomId, i64>,
    assignment: Assignment,
    resting: BTreeMap<Uid, Cooling>,
    cuts: BTreeMap<Uid, VecDeque<Instant>>,
    tickets: u64,
}

/// The pool.
pub struct Pool {
    places: usize,
    state: Mutex<State>,
}

/// What the end of a connection says about its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Nothing.
    None,
    /// It may no longer be logged in.
    LoggedOut,
}

impl Pool {
    /// So many rooms for each account.
    pub fn new(places: usize) -> Pool {
        Pool { places, state: Mutex::default() }
    }

    /// The accounts that are logged in, in the order in which they are used.
    pub fn set_accounts(&self, accounts: Vec<Uid>) {
        let mut state = self.state();
        state.resting.retain(|uid, _| *uid == VISITOR || accounts.contains(uid));
        state.accounts = accounts;
        self.reassign(&mut state);
    }

    /// How much a room matters, higher more.
    pub fn set_priority(&self, room: RoomId, priority: i64) {
        let mut state = self.state();
        match priority {
            0 => drop(state.priorities.remove(&room)),
            priority => drop(state.priorities.insert(room, priority)),
        }
        self.reassign(&mut state);
    }

    /// A room wants a pass: who is to watch it.
    pub fn join(&self, room: RoomId) -> Uid {
        let mut state = self.state();
        let known = state.rooms.contains_key(&room);
        let place = || Place { held: None, recall: Arc::default(), out: 0, last: Instant::now(), left: false };
        let place = state.rooms.entry(room).or_insert_with(place);
        place.last = Instant::now();
        place.left = false;
        if !known {
            self.reassign(&mut state);
        }
        state.watcher(room)
    }

    /// Who watches it.
    pub fn watcher(&self, room: RoomId) -> Uid {
        self.state().watcher(room)
    }

    /// A pass from the ticket that is held for the room, if `who` fetched it and it is still good.
    pub fn held(&self, room: RoomId, who: Uid) -> Option<Pass> {
        let mut state = self.state();
        let place = state.rooms.get_mut(&room)?;
        let held = place.held.as_ref().filter(|held| held.ticket.auth.uid == who && held.is_good(Instant::now()))?;
        let ticket = held.ticket.clone();
        Some(place.pass(ticket))
    }

    /// A pass from a ticket that `who` has just fetched. It is held for the next time.
    pub fn issue(&self, auth: Auth, hosts: Vec<StreamHost>, who: &Who) -> Pass {
        let mut state = self.state();
        state.tickets += 1;
        let (number, room) = (state.tickets, auth.room_id);
        let (account, user_agent) = (who.name.clone(), who.user_agent.clone());
        let ticket = Arc::new(Ticket { number, auth, hosts, account, user_agent });
        let Some(place) = state.rooms.get_mut(&room) else { return Pass::of(ticket) };
        place.held = Some(Held { ticket: ticket.clone(), fetched: Instant::now(), failures: 0 });
        place.pass(ticket)
    }

    /// The connection of `pass` is over.
    pub fn comes_back(&self, pass: &Pass, reached: Reached) -> Suspicion {
        let (room, uid, now) = (pass.ticket.auth.room_id, pass.ticket.auth.uid, Instant::now());
        let mut state = self.state();
        let mut suspicion = Suspicion::None;
        {
            let state = &mut *state;
            let Some(place) = state.rooms.get_mut(&room) else { return suspicion };
            place.out = place.out.saturating_sub(1);
            place.last = now;
            let held = place.held.as_mut().filter(|held| held.ticket.number == pass.ticket.number);
            match reached {
                Reached::Nothing => held.into_iter().for_each(|held| held.failures += 1),
                Reached::Stream { .. } => held.into_iter().for_each(|held| held.failures = 0),
                Reached::Door | Reached::ThinStream if held.is_some() => place.held = None,
                Reached::Door | Reached::ThinStream => {}
                // A room that was called back comes again; the others are done.
                Reached::Goodbye => place.left = !pass.was_recalled(),
            }
            if uid == VISITOR {
                return suspicion;
            }
            match reached {
                Reached::Door => {
                    suspicion = Suspicion::LoggedOut;
                    state.cut(uid, "its connections are cut at the door", now);
                }
                Reached::Stream { lived } if lived < SHORT_LIFE => state.cut(uid, "its connections are cut", now),
                Reached::Stream { .. } => drop(state.cuts.remove(&uid)),
                Reached::ThinStream => {
                    state.rest(uid, "it is given only a part of a stream", CUT_REST, LONGEST_REST, now);
                }
                Reached::Nothing | Reached::Goodbye => {}
            }
        }
        self.reassign(&mut state);
        suspicion
    }

    /// An identity is to be left alone, and its rooms move; for how long.
    pub fn rest(&self, uid: Uid, why: &str, first: Duration, most: Duration) -> Duration {
        let mut state = self.state();
        let pause = state.rest(uid, why, first, most, Instant::now());
        self.reassign(&mut state);
        pause
    }

    /// It went well for this identity.
    pub fn succeeded(&self, uid: Uid) {
        if let Some(cooling) = self.state().resting.get_mut(&uid) {
            cooling.succeeded();
        }
    }

    /// How long an identity still rests, and why.
    pub fn resting(&self, uid: Uid) -> Option<(Duration, String)> {
        let state = self.state();
        let cooling = state.resting.get(&uid)?;
        Some((cooling.left(Instant::now())?, cooling.why().to_owned()))
    }

    /// The rooms of an identity.
    pub fn rooms_of(&self, uid: Uid) -> Vec<RoomId> {
        let state = self.state();
        state.of(uid)
    }

    /// The login of an account has changed: its tickets are worth nothing, and its rooms come again.
    pub fn login_changed(&self, uid: Uid) {
        let mut state = self.state();
        for room in state.of(uid) {
            if let Some(place) = state.rooms.get_mut(&room) {
                place.call_back();
            }
        }
    }

    /// Rests that are over and rooms that are gone make room for others. To be called now and then.
    pub fn tidy(&self) {
        let now = Instant::now();
        let mut state = self.state();
        state.rooms.retain(|_, place| {
            let patience = if place.left { KEPT } else { FORGOTTEN };
            place.out > 0 || now.duration_since(place.last) < patience
        });
        self.reassign(&mut state);
    }

    /// Assigns everybody anew, and calls back the rooms whose account is another one then.
    fn reassign(&self, state: &mut State) {
        // Without accounts there is nothing to give; ten thousand rooms come and go for nothing.
        if state.accounts.is_empty() && state.assignment.is_empty() {
            return;
        }
        let now = Instant::now();
        let rests = |uid: &Uid| state.resting.get(uid).is_some_and(|cooling| cooling.left(now).is_some());
        let accounts: Vec<Uid> = state.accounts.iter().filter(|uid| !rests(uid)).copied().collect();
        let priority = |room: &RoomId| state.priorities.get(room).copied().unwrap_or_default();
        let rooms = state.rooms.keys().map(|room| (*room, priority(room))).collect();
        let assignment = assign(&accounts, self.places, &rooms, &state.assignment);
        let before = std::mem::replace(&mut state.assignment, assignment);
        let State { rooms, assignment, .. } = state;
        for (_, place) in rooms.iter_mut().filter(|(room, _)| before.get(room) != assignment.get(room)) {
            place.call_back();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn watcher(&self, room: RoomId) -> Uid {
        self.assignment.get(&room).copied().unwrap_or(VISITOR)
    }

    fn of(&self, uid: Uid) -> Vec<RoomId> {
        let rooms = self.rooms.iter().filter(|(_, place)| !place.left).map(|(room, _)| *room);
        rooms.filter(|room| self.watcher(*room) == uid).collect()
    }

    fn rest(&mut self, uid: Uid, why: &str, first: Duration, most: Duration, now: Instant) -> Duration {
        self.resting.entry(uid).or_default().begin(why, first, most, now)
    }

    fn cut(&mut self, uid: Uid, why: &str, now: Instant) {
        let cuts = self.cuts.entry(uid).or_default();
        cuts.push_back(now);
        while cuts.front().is_some_and(|cut| now.duration_since(*cut) > CUT_WINDOW) {
            cuts.pop_front();
        }
        if cuts.len() >= CUTS {
            self.cuts.remove(&uid);
            self.rest(uid, why, CUT_REST, LONGEST_REST, now);
        }
    }
}

impl Place {
    fn pass(&mut self, ticket: Arc<Ticket>) -> Pass {
        self.out += 1;
        Pass::of(ticket).recalled_by(self.recall.clone())
    }

    /// The passes that are out are called back; the next one is not.
    fn call_back(&mut self) {
        self.held = None;
        std::mem::take(&mut self.recall).set(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: RoomId = RoomId(1);
    const A: Uid = Uid(100);
    const B: Uid = Uid(200);

    fn who(uid: Uid) -> Who {
        Who { uid, name: Some(uid.to_string()).filter(|_| uid != VISITOR), ..Who::nobody() }
    }

    /// The room asks for a pass, and whoever is to watch it fetches a ticket if none is held.
    fn ask(pool: &Pool, room: RoomId) -> (Pass, bool) {
        let uid = pool.join(room);
        if let Some(pass) = pool.held(room, uid) {
            return (pass, false);
        }
        let auth = Auth { room_id: room, uid, buvid: String::new(), token: "t".into() };
        let host = |host: &str| StreamHost { host: host.into(), ws_port: 1, wss_port: 1 };
        (pool.issue(auth, vec![host("a"), host("b")], &who(uid)), true)
    }

    /// One connection that comes so far, and whether it took a new ticket.
    fn live(pool: &Pool, room: RoomId, reached: Reached) -> bool {
        let (pass, fetched) = ask(pool, room);
        pool.comes_back(&pass, reached);
        fetched
    }

    const LONG: Reached = Reached::Stream { lived: Duration::from_secs(3600) };
    const SHORT: Reached = Reached::Stream { lived: Duration::from_secs(5) };

    #[tokio::test(start_paused = true)]
    async fn a_ticket_serves_until_it_is_refused_too_old_or_leads_nowhere() {
        let pool = Pool::new(6);
        let steps = [
            LONG,
            LONG,
            Reached::Nothing,
            Reached::Nothing,
            LONG,
            Reached::Nothing,
            Reached::Nothing,
            Reached::Nothing,
        ];
        let fetched: Vec<bool> = steps.iter().map(|reached| live(&pool, ROOM, *reached)).collect();
        assert_eq!(fetched, [true, false, false, false, false, false, false, false]);
        assert!(live(&pool, ROOM, Reached::Door), "three connects in a row led nowhere");
        assert!(live(&pool, ROOM, LONG), "it was refused");
        assert!(!live(&pool, ROOM, LONG));
        tokio::time::advance(TICKET_LASTS).await;
        assert!(live(&pool, ROOM, LONG), "it was old");
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_whose_account_changes_is_called_back_and_gets_another_pass() {
        let pool = Pool::new(6);
        let (visiting, _) = ask(&pool, ROOM);
        assert_eq!(visiting.ticket.auth.uid, VISITOR);
        pool.set_accounts(vec![A]);
        visiting.recalled().await;
        pool.comes_back(&visiting, Reached::Goodbye);
        let (pass, fetched) = ask(&pool, ROOM);
        assert_eq!((pass.ticket.auth.uid, fetched, pool.rooms_of(A)), (A, true, vec![ROOM]));
        pool.login_changed(A);
        pass.recalled().await;
        pool.comes_back(&pass, Reached::Goodbye);
        assert!(ask(&pool, ROOM).1, "a new login has new tickets");
        pool.set_accounts(vec![]);
        assert_eq!((pool.join(ROOM), pool.rooms_of(VISITOR)), (VISITOR, vec![ROOM]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_is_cut_or_thinned_rests_and_its_rooms_move() {
        let pool = Pool::new(6);
        pool.set_accounts(vec![A, B]);
        assert_eq!(pool.join(ROOM), A);
        live(&pool, ROOM, SHORT);
        live(&pool, ROOM, LONG);
        live(&pool, ROOM, SHORT);
        live(&pool, ROOM, SHORT);
        assert_eq!(pool.join(ROOM), A, "a long life between them forgives");
        live(&pool, ROOM, SHORT);
        assert_eq!(pool.join(ROOM), B);
        assert_eq!(pool.resting(A), Some((CUT_REST, "its connections are cut".into())));
        live(&pool, ROOM, Reached::ThinStream);
        assert_eq!(pool.join(ROOM), VISITOR);
        let (visiting, _) = ask(&pool, ROOM);
        tokio::time::advance(CUT_REST).await;
        pool.tidy();
        visiting.recalled().await;
        assert_eq!(pool.join(ROOM), A, "rested");
    }

    #[tokio::test(start_paused = true)]
    async fn a_visitor_is_never_blamed_for_its_connections() {
        let pool = Pool::new(6);
        for _ in 0..20 {
            live(&pool, ROOM, SHORT);
            live(&pool, ROOM, Reached::ThinStream);
        }
        assert_eq!(pool.resting(VISITOR), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_that_is_restarted_keeps_its_place_and_one_that_has_left_makes_room() {
        let pool = Pool::new(1);
        pool.set_accounts(vec![A]);
        let second = RoomId(2);
        assert_eq!((pool.join(ROOM), pool.join(second)), (A, VISITOR));
        live(&pool, ROOM, Reached::Goodbye);
        assert_eq!((pool.join(ROOM), pool.join(second)), (A, VISITOR));
        live(&pool, ROOM, Reached::Goodbye);
        tokio::time::advance(KEPT).await;
        pool.tidy();
        assert_eq!(pool.join(second), A);
        pool.set_priority(ROOM, 3);
        assert_eq!((pool.join(ROOM), pool.join(second)), (A, VISITOR));
    }
}
