//! The rhythm of a room: who says, gives and does what, and when.
//!
//! One task for each room, a few ticks a second. Story time runs at the pace of the options and only while
//! somebody listens; the fixed beats of the platform run in real time. Whatever happens becomes a
//! [`Plan`] for some moment, so that a wave rises and falls, answers follow questions, and a guard's banner
//! goes before the guard. Plans are made in [`super::scenes`].
//!
//! Invariant: no more than 20 chat lines a second leave a room, as on the real platform.

use std::{
    collections::{HashMap, HashSet},
    f64::consts::TAU,
    sync::Arc,
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::{
    cast::{GiftForm, Schedule},
    messages::{Desk, Line, Outgoing},
    purchases::Click,
    viewers::{Viewer, passer_by, regulars},
    world::{Room, World, lock, now_ms},
};

/// Length of a tick; what happens within it leaves in one batch.
const TICK: Duration = Duration::from_millis(200);
/// At most this many chat lines leave in one tick.
const LINES_PER_TICK: usize = 4;

/// Something that will happen.
pub(super) enum Plan {
    /// Somebody says something.
    Say(Viewer, Line),
    /// Somebody comes in (1), follows (2) or shares (3).
    Interact(Viewer, i64),
    /// The next click of a combo, and how many are left after it.
    Click(Viewer, Click, u32),
    /// A message written earlier: a copy, a twin, another part.
    Send(Outgoing),
}

/// Plays one room until the task is dropped.
pub(super) async fn play(room: Arc<Room>, world: Arc<World>) {
    let pace = world.options.pace;
    let mut script = Script::new(room.clone(), world.base.clone(), world.options.seed);
    // Rooms tick one after the other, not all at once.
    let offset = Duration::from_millis(room.streamer.room_id * 37 % 200);
    let mut ticks = interval_at(Instant::now() + offset, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Instant::now();
    loop {
        ticks.tick().await;
        let is_quiet = pace <= 0.0 && lock(&room.storm).is_none();
        if !room.has_audience() || is_quiet {
            room.flush();
            // Nobody is there, or nothing happens by itself: sleep until somebody comes or somebody outside puts
            // something in.
            let _ = timeout(Duration::from_secs(5), room.wake.notified()).await;
            before = Instant::now();
        } else {
            let elapsed = before.elapsed().as_secs_f64();
            before = Instant::now();
            let due = lock(&room.storm).as_mut().and_then(|storm| storm.blow(elapsed));
            if let Some(due) = due {
                let mut messages = Vec::new();
                script.blow(due, &mut messages);
                room.put(messages);
            }
            if pace <= 0.0 {
                room.flush();
                continue;
            }
            script.off_air = world.off_air();
            let messages = script.advance(elapsed, elapsed * pace);
            room.put(messages);
        }
        room.flush();
    }
}

/// A room's memory of its own story.
pub(super) struct Script {
    pub room: Arc<Room>,
    pub dice: StdRng,
    /// Story time, seconds.
    pub clock: f64,
    /// The form gifts take at the moment.
    pub protobuf: bool,
    pub regulars: Vec<Viewer>,
    /// People who came by and are still here.
    pub crowd: Vec<Viewer>,
    /// Who bought a guard already; nobody buys two.
    pub aboard: HashSet<u64>,
    /// When regulars came in last; nobody comes in twice within minutes.
    pub came_in: HashMap<u64, f64>,
    /// Rooms of this world that are off the air, as everybody is told now and then.
    pub off_air: Vec<u64>,
    /// The last line, for those who repeat it.
    pub last_line: String,
    base: String,
    plans: Vec<(f64, Plan)>,
    next: Next,
    phase: f64,
    beats: [f64; 6],
}

/// Story time at which things come next.
pub(super) struct Next {
    pub scene: f64,
    pub gift: f64,
    pub super_chat: f64,
    pub guard: f64,
    title: f64,
    raffle: f64,
    red_pocket: f64,
    mirror: f64,
    cycle: f64,
    form: f64,
    unknown: f64,
}

impl Script {
    pub fn new(room: Arc<Room>, base: String, seed: u64) -> Script {
        let mut dice = StdRng::seed_from_u64(seed ^ room.streamer.room_id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let regulars = regulars(&room.streamer, &mut dice);
        let crowd = (0..24).map(|_| passer_by(&room.streamer, &mut dice)).collect();
        // Something of each kind early, so that whoever opens the page sees it.
        let next = Next {
            scene: dice.random_range(5.0..14.0),
            gift: dice.random_range(3.0..12.0),
            super_chat: dice.random_range(9.0..40.0),
            guard: dice.random_range(30.0..110.0),
            title: dice.random_range(150.0..260.0),
            raffle: dice.random_range(200.0..400.0),
            red_pocket: dice.random_range(80.0..260.0),
            mirror: dice.random_range(60.0..300.0),
            cycle: dice.random_range(140.0..220.0),
            form: 90.0,
            unknown: dice.random_range(30.0..90.0),
        };
        let phase = dice.random_range(0.0..TAU);
        let beats = [1.0, 1.6, 2.2, 3.0, dice.random_range(4.0..30.0), dice.random_range(5.0..60.0)];
        let protobuf = room.streamer.gifts == GiftForm::Protobuf;
        Script {
            room,
            dice,
            clock: 0.0,
            protobuf,
            regulars,
            crowd,
            aboard: HashSet::new(),
            came_in: HashMap::new(),
            off_air: Vec::new(),
            last_line: String::new(),
            base,
            plans: Vec::new(),
            next,
            phase,
            beats,
        }
    }

    /// Moves on by `real` seconds of the clock and `story` seconds of the story; returns what was sent.
    pub fn advance(&mut self, real: f64, story: f64) -> Vec<Outgoing> {
        self.clock += story;
        let mut sent = Vec::new();
        if self.room.streamer.schedule == Schedule::OnAndOff && self.clock > self.next.cycle {
            let on = !lock(&self.room.stage).live;
            self.next.cycle = self.clock + self.dice.random_range(if on { 150.0..260.0 } else { 35.0..60.0 });
            let room = self.room.clone();
            let mut messages = self.with_desk(|_, desk| room.switch(on, desk)).into_iter();
            sent.extend(messages.next());
            // The second LIVE comes when data flows.
            messages.for_each(|message| self.plan(4.0, Plan::Send(message)));
        }
        let live = lock(&self.room.stage).live;
        self.beat(real, live, &mut sent);
        if live {
            self.happen(story, &mut sent);
        }
        self.carry_out(&mut sent);
        sent
    }

    /// Remembers something for `after` seconds from now.
    pub fn plan(&mut self, after: f64, plan: Plan) {
        self.plans.push((self.clock + after, plan));
    }

    /// Works with a desk for this moment.
    pub fn with_desk<T>(&mut self, write: impl FnOnce(&mut Vec<Viewer>, &mut Desk) -> T) -> T {
        let mut desk = Desk { streamer: &self.room.streamer, base: &self.base, dice: &mut self.dice, now_ms: now_ms() };
        write(&mut self.regulars, &mut desk)
    }

    /// Somebody who is here: a regular, one of the crowd, or somebody new to it.
    pub fn somebody(&mut self) -> Viewer {
        let people = if self.dice.random_bool(0.45) { &self.regulars } else { &self.crowd };
        match people.choose(&mut self.dice) {
            Some(viewer) if self.dice.random_bool(0.9) => viewer.clone(),
            _ => self.newcomer(),
        }
    }

    /// Somebody who was not here before.
    pub fn newcomer(&mut self) -> Viewer {
        let viewer = passer_by(&self.room.streamer, &mut self.dice);
        if self.crowd.len() < 160 {
            self.crowd.push(viewer.clone());
        } else {
            let place = self.dice.random_range(0..self.crowd.len());
            self.crowd[place] = viewer.clone();
        }
        viewer
    }

    /// True about `per_second` times a second.
    fn strikes(&mut self, per_second: f64, seconds: f64) -> bool {
        self.dice.random_bool((per_second * seconds).clamp(0.0, 1.0))
    }

    /// The numbers that come at fixed times.
    fn beat(&mut self, real: f64, live: bool, sent: &mut Vec<Outgoing>) {
        const EVERY: [f64; 6] = [5.0, 5.0, 4.0, 15.0, 30.0, 60.0];
        for (number, every) in EVERY.into_iter().enumerate() {
            self.beats[number] -= real;
            if self.beats[number] > 0.0 {
                continue;
            }
            self.beats[number] = every;
            if !live && number < 4 {
                continue;
            }
            let target = self.room.streamer.online as f64;
            let (growth, drift) = (self.dice.random_range(0.0..0.02), self.dice.random_range(-0.02..0.02));
            let off_air = self.off_air.clone();
            let stage = {
                let mut stage = lock(&self.room.stage);
                match number {
                    0 => stage.watched += 1 + (target * growth) as u64,
                    1 => {
                        // Wanders, and is drawn back to what the room usually has.
                        let online = stage.online as f64;
                        stage.online = (online + (target - online) * 0.08 + target * drift).max(1.0) as u64;
                    }
                    5 => stage.fans += (target * growth / 20.0) as u64,
                    _ => {}
                }
                stage.clone()
            };
            sent.push(self.with_desk(|regulars, desk| match number {
                0 => desk.watched(&stage),
                1 => desk.online_count(&stage),
                2 => desk.likes(&stage),
                3 => desk.online_rank(regulars),
                4 => desk.stopped_rooms(&off_air),
                _ => desk.real_time(&stage),
            }));
        }
    }

    /// What comes about by itself in a live room.
    fn happen(&mut self, story: f64, sent: &mut Vec<Outgoing>) {
        let rate = self.room.streamer.lines_per_second;
        let swing = 1.0 + 0.4 * (self.clock / 97.0 * TAU + self.phase).sin() + 0.2 * (self.clock / 23.0 * TAU).sin();
        if self.strikes(rate * 0.55 * swing, story) {
            self.chat();
        }
        // Twice as many come in as speak, waves included.
        for _ in 0..4 {
            if self.strikes((rate * 4.0 + 0.2) * swing / 4.0, story) {
                self.come_in(sent);
            }
        }
        if self.strikes(rate * 0.13 * swing, story) {
            let viewer = self.somebody();
            lock(&self.room.stage).likes += self.dice.random_range(1..40);
            sent.push(self.with_desk(|_, desk| desk.like(&viewer)));
        }
        if self.clock > self.next.scene {
            self.next.scene = self.clock + (13.0 + 22.0 / rate.clamp(0.3, 2.0)) * self.dice.random_range(0.6..1.5);
            self.scene();
        }
        if self.clock > self.next.gift {
            self.next.gift = self.clock + self.dice.random_range(0.4..1.8) / (rate * 0.035 + 0.008);
            self.gift(sent);
        }
        if self.clock > self.next.super_chat {
            self.next.super_chat = self.clock + self.dice.random_range(0.5..1.7) / (rate * 0.006 + 0.002);
            self.super_chat(sent);
        }
        if self.clock > self.next.guard {
            self.next.guard = self.clock + self.dice.random_range(0.5..1.7) / (rate * 0.0022 + 0.001);
            self.guard();
        }
        if self.clock > self.next.title {
            self.next.title = self.clock + self.dice.random_range(300.0..520.0);
            let title = self.room.streamer.titles.choose(&mut self.dice).copied().unwrap_or_default();
            let stage = {
                let mut stage = lock(&self.room.stage);
                stage.title = title.to_owned();
                stage.clone()
            };
            sent.push(self.with_desk(|_, desk| desk.room_change(&stage)));
        }
        if self.clock > self.next.raffle {
            self.next.raffle = self.clock + self.dice.random_range(420.0..700.0);
            self.raffle(sent);
        }
        if self.clock > self.next.red_pocket {
            self.next.red_pocket = self.clock + self.dice.random_range(240.0..600.0);
            self.red_pocket(sent);
        }
        if self.clock > self.next.mirror {
            self.next.mirror = self.clock + self.dice.random_range(120.0..400.0);
            self.mirrored();
        }
        if self.clock > self.next.unknown {
            self.next.unknown = self.clock + self.dice.random_range(60.0..180.0);
            sent.push(self.with_desk(|_, desk| desk.unheard_of()));
        }
        if self.clock > self.next.form {
            self.next.form = self.clock + 90.0;
            if self.room.streamer.gifts == GiftForm::Switching {
                self.protobuf = !self.protobuf;
            }
        }
    }

    /// Carries out the plans that are due, as many lines as may leave.
    fn carry_out(&mut self, sent: &mut Vec<Outgoing>) {
        let now = self.clock;
        let mut due: Vec<(f64, Plan)> = self.plans.extract_if(.., |(at, _)| *at <= now).collect();
        due.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut lines = 0;
        for (at, plan) in due {
            match plan {
                Plan::Say(viewer, line) if lines == LINES_PER_TICK => self.plans.push((at, Plan::Say(viewer, line))),
                Plan::Say(viewer, line) => {
                    lines += 1;
                    sent.push(self.with_desk(|_, desk| desk.danmaku(&viewer, &line)));
                    if !line.sticker && !line.lottery {
                        self.last_line = line.text;
                    }
                }
                Plan::Interact(viewer, what) => sent.push(self.with_desk(|_, desk| desk.interact(&viewer, what))),
                Plan::Click(viewer, click, left) => self.click(&viewer, &click, left, sent),
                Plan::Send(message) => sent.push(message),
            }
        }
    }
}
