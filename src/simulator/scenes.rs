//! What happens in a room, as plans: chat and its waves, people coming in, purchases and their thanks.
//!
//! Each function here is one kind of happening of a [`Script`]; when they strike is decided there. Nothing
//! is sent twice as a new fact: copies and twins are planned as such.

use rand::{RngExt, seq::IndexedRandom};

use super::{
    guards::{GuardOffer, GuardPart, list_price},
    messages::{Line, Outgoing, Shelf, guard_title},
    purchases::{BOXES, Click, FREE, LARGE, MIDDLE, Origin, SMALL, open_boxes},
    script::{Plan, Script},
    viewers::Viewer,
    vocabulary::{ABOARD, GREETINGS, GUARD_GREETINGS, NOISE, STICKERS, THANKS},
    world::lock,
};

impl Script {
    /// A line at a quiet moment; a question is followed by answers.
    pub(super) fn chat(&mut self) {
        let words = self.room.streamer.words;
        let viewer = self.somebody();
        let regular = viewer.medal.as_ref().is_some_and(|m| m.anchor_uid == self.room.streamer.uid);
        let line = match self.dice.random_range(0..100) {
            0..6 => {
                let text = self.pick(STICKERS).to_owned();
                Line { text, sticker: true, ..Line::default() }
            }
            6..13 if !self.last_line.is_empty() => Line::from(self.last_line.as_str()),
            13..30 => Line::from(self.pick(NOISE)),
            30..31 => self.fill(words.long, ""),
            31..39 => return self.ask(viewer),
            39..55 if regular => self.fill(words.catchphrases, ""),
            _ => self.fill(words.idle, ""),
        };
        self.plan(0.0, Plan::Say(viewer, line));
    }

    fn ask(&mut self, viewer: Viewer) {
        let Some((question, answers)) = self.room.streamer.words.questions.choose(&mut self.dice) else { return };
        let asked = self.fill(&[*question], "");
        let mut after = self.dice.random_range(2.0..4.5);
        for _ in 0..self.dice.random_range(1..=3) {
            let mut answer = self.fill(answers, &viewer.shown_name());
            if self.dice.random_bool(0.45) {
                answer.reply_to = Some((viewer.shown_uid(), viewer.shown_name()));
            }
            let other = self.somebody();
            if other.uid != viewer.uid {
                self.plan(after, Plan::Say(other, answer));
            }
            after += self.dice.random_range(0.4..2.5);
        }
        self.plan(0.0, Plan::Say(viewer, asked));
    }

    /// Something happens on screen: a wave that rises at once and thins out.
    pub(super) fn scene(&mut self) {
        let Some(scene) = self.room.streamer.words.scenes.choose(&mut self.dice) else { return };
        let size = (self.room.streamer.lines_per_second / 1.3).clamp(0.6, 1.3);
        let lines = (self.dice.random_range(scene.lines.clone()) as f64 * size) as usize;
        let span = self.dice.random_range(4.0..9.0);
        // Two lines carry the wave; everybody repeats them.
        let favourites = [self.pick(scene.wave), self.pick(scene.wave)];
        for _ in 0..lines {
            let text = if self.dice.random_bool(0.45) { self.pick(&favourites) } else { self.pick(scene.wave) };
            let line = self.fill(&[text], "");
            let after = span * self.dice.random_range(0.0..1.0f64).powf(1.8);
            let viewer = self.somebody();
            self.plan(after, Plan::Say(viewer, line));
        }
        for _ in 0..lines / 5 {
            let line = self.fill(scene.tail, "");
            let after = self.dice.random_range(span * 0.5..span + 10.0);
            let viewer = self.somebody();
            self.plan(after, Plan::Say(viewer, line));
        }
    }

    /// Somebody comes in; a guard with a banner in front and greetings behind.
    pub(super) fn come_in(&mut self, sent: &mut Vec<Outgoing>) {
        let regular = if self.dice.random_bool(0.08) { self.regulars.choose(&mut self.dice).cloned() } else { None };
        let now = self.clock;
        let long_ago = |last: &f64| now - last > 240.0;
        let viewer = regular.filter(|viewer| self.came_in.get(&viewer.uid).is_none_or(long_ago));
        let Some(viewer) = viewer else {
            let viewer = self.newcomer();
            sent.push(self.with_desk(|_, desk| desk.interact(&viewer, 1)));
            let what = match self.dice.random_range(0..1000) {
                0..8 => Some(2),
                8..14 => Some(3),
                _ => None,
            };
            if let Some(what) = what {
                let after = self.dice.random_range(5.0..40.0);
                self.plan(after, Plan::Interact(viewer, what));
            }
            return;
        };
        self.came_in.insert(viewer.uid, now);
        let name = viewer.shown_name();
        if viewer.guard == 0 {
            if self.dice.random_bool(0.35) {
                self.echo(GREETINGS, &name, 1, 1.0..4.0);
            }
            return self.plan(0.0, Plan::Interact(viewer, 1));
        }
        let mut after = 0.0;
        if self.dice.random_bool(0.8) {
            sent.push(self.with_desk(|_, desk| desk.entry_effect(&viewer)));
            after = self.dice.random_range(0.2..1.3);
        }
        let greetings = self.dice.random_range(0..=3);
        self.echo(GUARD_GREETINGS, &name, greetings, 1.2..5.0);
        self.plan(after, Plan::Interact(viewer, 1));
    }

    /// Somebody gives something.
    pub(super) fn gift(&mut self, sent: &mut Vec<Outgoing>) {
        let viewer = self.somebody();
        let what = self.dice.random_range(0..100);
        let bought = |script: &mut Script, kinds: &[_], num, origin| {
            let kind = kinds.choose(&mut script.dice).copied().unwrap_or(SMALL[0]);
            script.with_desk(|_, desk| Click::new(desk, &viewer, kind, num, origin))
        };
        match what {
            0..36 => {
                let num = if self.dice.random_bool(0.2) { 10 } else { 1 };
                let click = bought(self, SMALL, num, Origin::Bought);
                let left = self.dice.random_range(1..=11);
                self.click(&viewer, &click, left, sent);
            }
            36..56 => {
                let click = bought(self, SMALL, 1, Origin::Bought);
                self.click(&viewer, &click, 0, sent);
            }
            56..72 => {
                let click = bought(self, MIDDLE, 1, Origin::Bought);
                self.click(&viewer, &click, 0, sent);
                let thanks = self.dice.random_range(1..=4);
                self.echo(THANKS, &viewer.shown_name(), thanks, 0.8..6.0);
            }
            72..84 => {
                let num = *[1, 1, 3, 5, 10].choose(&mut self.dice).unwrap_or(&1);
                let Some(from) = BOXES.choose(&mut self.dice) else { return };
                let clicks = self.with_desk(|_, desk| open_boxes(desk, &viewer, from, num));
                self.give(&viewer, &clicks, sent);
                self.echo(
                    &["开出什么了", "欧皇", "非酋", "盲盒！", "亏了亏了", "血赚", "再开一个"],
                    "",
                    num.min(4) as usize,
                    0.8..5.0,
                );
            }
            84..92 => {
                let num = self.dice.random_range(1..=10);
                let click = bought(self, FREE, num, Origin::Silver);
                self.give(&viewer, &[click], sent);
            }
            92..95 => {
                let click = bought(self, SMALL, 1, Origin::Bag);
                self.give(&viewer, &[click], sent);
            }
            95..98 => {
                let click = bought(self, MIDDLE, 1, Origin::Bought);
                let price = click.gift.price * 9 / 10;
                self.give(&viewer, &[Click { origin: Origin::Discounted(price), ..click }], sent);
            }
            _ => {
                let click = bought(self, LARGE, 1, Origin::Bought);
                self.give(&viewer, &[click], sent);
                let thanks = self.dice.random_range(14..28);
                self.echo(THANKS, &viewer.shown_name(), thanks, 0.6..10.0);
            }
        }
    }

    /// One click of a combo: the gift, from time to time the summary, and the plan for the next click.
    pub(super) fn click(&mut self, viewer: &Viewer, click: &Click, left: u32, sent: &mut Vec<Outgoing>) {
        self.give(viewer, std::slice::from_ref(click), sent);
        if click.clicks > 1 && (left == 0 || click.clicks % 5 == 0) {
            let summary = self.with_desk(|_, desk| desk.combo(viewer, click));
            self.plan(0.5, Plan::Send(summary));
        }
        if left > 0 {
            let next = self.with_desk(|_, desk| click.next(desk, viewer));
            let after = self.dice.random_range(0.3..0.9);
            self.plan(after, Plan::Click(viewer.clone(), next, left - 1));
        }
    }

    /// Sends clicks in the form the room uses now.
    fn give(&mut self, viewer: &Viewer, clicks: &[Click], sent: &mut Vec<Outgoing>) {
        let protobuf = lock(&self.room.flaws).protobuf.unwrap_or(self.protobuf);
        self.with_desk(|_, desk| {
            if protobuf {
                sent.push(desk.gift_protobuf(viewer, clicks));
            } else {
                sent.extend(clicks.iter().map(|click| desk.gift_json(viewer, click)));
            }
        });
    }

    /// A paid message; sometimes with its twin, sometimes pushed twice.
    pub(super) fn super_chat(&mut self, sent: &mut Vec<Outgoing>) {
        let viewer = self.regulars.choose(&mut self.dice).cloned().unwrap_or_else(|| Viewer::named("路人"));
        let price = *[30, 30, 30, 30, 30, 50, 50, 52, 100, 100, 500, 1000].choose(&mut self.dice).unwrap_or(&30);
        let text = self.fill(self.room.streamer.words.super_chats, "").text;
        let (first, twin) = self.with_desk(|_, desk| desk.super_chat(&viewer, &text, price));
        if self.dice.random_bool(0.04)
            && let Some(Shelf::SuperChat(data)) = &first.shelf
        {
            let withdrawn = self.with_desk(|_, desk| desk.super_chat_withdrawn(&data["id"]));
            self.plan(25.0, Plan::Send(withdrawn));
        }
        if self.dice.random_bool(0.35) {
            let after = self.dice.random_range(0.1..0.6);
            self.plan(after, Plan::Send(twin));
        }
        if self.dice.random_bool(0.15) {
            let after = self.dice.random_range(0.5..2.0);
            self.plan(after, Plan::Send(first.again()));
        }
        sent.push(first);
        let thanks = 2 + (price as f64).log2() as usize;
        self.echo(THANKS, &viewer.shown_name(), thanks, 1.0..9.0);
    }

    /// Somebody goes aboard: some of the three messages, in some order, within a second.
    pub(super) fn guard(&mut self) {
        use GuardPart::{Buy, Given, Toast, ToastV2};
        let free = self.regulars.iter().filter(|viewer| !self.aboard.contains(&viewer.uid));
        let free: Vec<Viewer> = free.cloned().collect();
        let viewer = free.choose(&mut self.dice).cloned();
        let viewer = viewer.unwrap_or_else(|| self.newcomer());
        if viewer.hidden || !self.aboard.insert(viewer.uid) {
            return;
        }
        let renewal = viewer.guard > 0;
        let level = match (viewer.guard, self.dice.random_range(0..100)) {
            (1..=3, _) => viewer.guard,
            (_, 0) => 1,
            (_, 1..=5) => 2,
            _ => 3,
        };
        let card = level == 3 && !renewal && self.dice.random_bool(0.12);
        let price = match (level, renewal) {
            _ if card => 20_000,
            (1, _) => 15_998_000,
            (2, _) => 1_598_000,
            (_, true) => *[138_000, 168_000, 198_000].choose(&mut self.dice).unwrap_or(&list_price(3)),
            _ => 138_000,
        };
        let offer = GuardOffer { level, price, unit: if card { "*3天" } else { "月" }, renewal };
        let parts: &[GuardPart] = match self.dice.random_range(0..10) {
            // A card for days is only told by a toast.
            _ if card => &[ToastV2, Toast],
            0 | 1 => &[Buy],
            2 => &[Toast],
            3 => &[ToastV2],
            4 => &[Toast, Buy],
            5 => &[ToastV2, Given],
            6 => &[ToastV2, Toast, Buy],
            7 => &[Buy, ToastV2],
            _ => &[Buy, Toast, ToastV2],
        };
        let messages = self.with_desk(|regulars, desk| {
            if let Some(regular) = regulars.iter_mut().find(|regular| regular.uid == viewer.uid) {
                regular.guard = level;
                if let Some(medal) = &mut regular.medal {
                    medal.guard = level;
                }
            }
            desk.guard(&viewer, offer, parts)
        });
        let count = self.room.streamer.guards + self.aboard.len() as u64;
        let text = format!("恭喜 {} 成为本直播间第{count}位{}", viewer.shown_name(), guard_title(level));
        let notice = self.with_desk(|_, desk| desk.notice(&text));
        self.plan(1.5, Plan::Send(notice));
        let mut after = 0.0;
        for message in messages {
            self.plan(after, Plan::Send(message));
            after += self.dice.random_range(0.0..0.4);
        }
        let lines = self.dice.random_range(6..16);
        self.echo(ABOARD, &viewer.shown_name(), lines, 0.8..8.0);
    }

    /// A raffle: whoever takes part says its phrase, which is not chat.
    pub(super) fn raffle(&mut self, sent: &mut Vec<Outgoing>) {
        let phrase = format!("{}今天也很棒", self.room.streamer.nick);
        let (start, end) = self.with_desk(|_, desk| desk.raffle(&phrase, 40));
        sent.push(start);
        self.plan(40.0, Plan::Send(end));
        let people = (self.room.streamer.lines_per_second * 30.0) as usize + 6;
        for _ in 0..people {
            let line = Line { text: phrase.clone(), lottery: true, ..Line::default() };
            let after = 40.0 * self.dice.random_range(0.0..0.95f64).powf(1.5);
            let viewer = self.somebody();
            self.plan(after, Plan::Say(viewer, line));
        }
    }

    /// A red pocket: bought, told again while it runs, and won; its phrase floods the chat.
    pub(super) fn red_pocket(&mut self, sent: &mut Vec<Outgoing>) {
        let viewer = self.somebody();
        let phrase = "老板大气！点点红包抽礼物";
        let batteries = *[20, 20, 70, 100].choose(&mut self.dice).unwrap_or(&20);
        let winners: Vec<Viewer> = (0..5).map(|_| self.somebody()).collect();
        let (bought, running, won) =
            self.with_desk(|_, desk| desk.red_pocket(&viewer, batteries, phrase, 30, &winners));
        sent.push(bought);
        for after in [0.5, 10.0, 20.0] {
            self.plan(after, Plan::Send(running.clone()));
        }
        self.plan(31.0, Plan::Send(won));
        let people = (self.room.streamer.lines_per_second * 20.0) as usize + 4;
        for _ in 0..people {
            let line = Line { text: phrase.to_owned(), lottery: true, ..Line::default() };
            let after = self.dice.random_range(1.0..28.0);
            let viewer = self.somebody();
            self.plan(after, Plan::Say(viewer, line));
        }
    }

    /// The streamer is connected with another, whose chat shows here for a moment.
    pub(super) fn mirrored(&mut self) {
        let words = self.room.streamer.words;
        for place in 0..self.dice.random_range(2..6) {
            let viewer = self.newcomer();
            let line = self.fill(words.idle, "");
            let message = self.with_desk(|_, desk| desk.mirrored(&viewer, &line));
            self.plan(f64::from(place) * 0.7, Plan::Send(message));
        }
    }

    /// What a storm brings within one step.
    pub(super) fn blow(&mut self, [lines, entries, others]: [usize; 3], sent: &mut Vec<Outgoing>) {
        for _ in 0..lines {
            let (viewer, line) = (self.somebody(), self.fill(self.room.streamer.words.idle, ""));
            sent.push(self.with_desk(|_, desk| desk.danmaku(&viewer, &line)));
        }
        for _ in 0..entries {
            let viewer = self.newcomer();
            sent.push(self.with_desk(|_, desk| desk.interact(&viewer, 1)));
        }
        for _ in 0..others {
            let viewer = self.somebody();
            sent.push(self.with_desk(|_, desk| desk.like(&viewer)));
        }
    }

    /// Several people say something of that kind about `about`.
    fn echo(&mut self, lines: &[&str], about: &str, count: usize, when: std::ops::Range<f64>) {
        for _ in 0..count {
            let line = self.fill(lines, about);
            let after = self.dice.random_range(when.clone());
            let viewer = self.somebody();
            if viewer.shown_name() != about {
                self.plan(after, Plan::Say(viewer, line));
            }
        }
    }

    fn pick<'a>(&mut self, lines: &[&'a str]) -> &'a str {
        lines.choose(&mut self.dice).copied().unwrap_or("。")
    }

    /// One of the lines with its places filled.
    fn fill(&mut self, lines: &[&str], about: &str) -> Line {
        let text = self.pick(lines);
        if !text.contains('{') {
            return Line::from(text);
        }
        let noun = self.pick(self.room.streamer.words.nouns);
        let number = self.dice.random_range(2..60).to_string();
        let about = if about.is_empty() { "大家" } else { about };
        let text = text.replace("{x}", noun).replace("{u}", about).replace("{n}", &number);
        Line::from(text.replace("{s}", self.room.streamer.nick).as_str())
    }
}
