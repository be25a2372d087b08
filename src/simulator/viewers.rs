//! Who watches: regulars with the streamer's medal, and people who pass by.
//!
//! Regulars are made from the seed alone, so the same room has the same people on every start. Passers-by
//! have names such as people really choose (and the platform's default `bili_…`), medals of other rooms or
//! none. A viewer whose name the platform hides keeps their real number inside: it shows only as a hash.

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

use super::cast::{CAST, EXTRAS, Streamer};

/// A fan medal somebody wears.
#[derive(Clone, Debug)]
pub(super) struct WornMedal {
    pub name: &'static str,
    pub level: u64,
    /// Whose medal it is.
    pub anchor_name: &'static str,
    pub anchor_uid: u64,
    pub anchor_room: u64,
    /// Guard level in that room.
    pub guard: u64,
    pub lit: bool,
}

/// Somebody in front of the screen.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    pub uid: u64,
    pub name: String,
    pub medal: Option<WornMedal>,
    /// Guard level in this room: 0 none, 1 总督, 2 提督, 3 舰长.
    pub guard: u64,
    /// User level (UL).
    pub level: u64,
    /// Honour level.
    pub wealth: u64,
    pub moderator: bool,
    /// The platform hides who it is.
    pub hidden: bool,
}

impl Viewer {
    /// The number as the platform shows it: 0 when hidden.
    pub fn shown_uid(&self) -> u64 {
        if self.hidden { 0 } else { self.uid }
    }

    /// The name as the platform shows it: the first character and three stars when hidden.
    pub fn shown_name(&self) -> String {
        match self.name.chars().next() {
            Some(first) if self.hidden => format!("{first}***"),
            _ => self.name.clone(),
        }
    }

    /// CRC-32 of the decimal number, which stays the real one even when the number is hidden.
    pub fn hash(&self) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(self.uid.to_string().as_bytes());
        crc.sum()
    }

    /// Somebody named by a test, without medal or rank.
    pub fn named(name: &str) -> Viewer {
        let mut crc = flate2::Crc::new();
        crc.update(name.as_bytes());
        let uid = 200_000_000 + u64::from(crc.sum() % 100_000_000);
        Viewer {
            uid,
            name: name.to_owned(),
            medal: None,
            guard: 0,
            level: 10,
            wealth: 0,
            moderator: false,
            hidden: false,
        }
    }
}

/// The people who come every day.
pub(super) fn regulars(streamer: &Streamer, dice: &mut StdRng) -> Vec<Viewer> {
    let made_up = 10 + (streamer.lines_per_second * 14.0) as usize;
    let names = streamer.regulars.iter().map(|name| (*name).to_owned());
    let names: Vec<String> = names.chain((0..made_up).map(|_| nickname(dice))).collect();
    let mut people = Vec::with_capacity(names.len());
    for (place, name) in names.into_iter().enumerate() {
        let guard = match place {
            0 if streamer.guards > 300 => 1,
            1 | 2 if streamer.guards > 80 => 2,
            0..=4 => 3,
            _ if dice.random_bool(0.2) => 3,
            _ => 0,
        };
        let level = if guard > 0 { dice.random_range(21..=34) } else { dice.random_range(3..=24) };
        people.push(Viewer {
            uid: streamer.uid / 7 * 3 + 1_000 + place as u64 * 7_919,
            name,
            medal: Some(medal_of(streamer, level, guard)),
            guard,
            level: dice.random_range(8..=46),
            wealth: dice.random_range(0..=38),
            moderator: matches!(place, 3 | 5),
            hidden: false,
        });
    }
    people
}

/// Somebody who came by chance.
pub(super) fn passer_by(streamer: &Streamer, dice: &mut StdRng) -> Viewer {
    let uid = if dice.random_bool(0.45) {
        dice.random_range(3_461_562_000_000_000..3_546_980_000_000_000)
    } else {
        dice.random_range(1_200_000..1_990_000_000)
    };
    let medal = match dice.random_range(0..10) {
        0..=1 => Some(medal_of(streamer, dice.random_range(1..=8), 0)),
        2..=4 => {
            let others: Vec<&Streamer> = CAST.iter().chain(EXTRAS).filter(|s| s.uid != streamer.uid).collect();
            let guard = if dice.random_bool(0.1) { 3 } else { 0 };
            others.choose(dice).map(|other| medal_of(other, dice.random_range(2..=26), guard))
        }
        _ => None,
    };
    Viewer {
        uid,
        name: if dice.random_bool(0.16) { format!("bili_{}", uid % 100_000_000_000) } else { nickname(dice) },
        medal,
        guard: 0,
        level: dice.random_range(0..=28),
        wealth: dice.random_range(0..=14),
        moderator: false,
        hidden: streamer.hides_names && dice.random_bool(0.12),
    }
}

fn medal_of(streamer: &Streamer, level: u64, guard: u64) -> WornMedal {
    WornMedal {
        name: streamer.medal,
        level,
        anchor_name: streamer.name,
        anchor_uid: streamer.uid,
        anchor_room: streamer.room_id,
        guard,
        lit: level > 2,
    }
}

const WHO: &[&str] = &[
    "小鱼",
    "阿柴",
    "云朵",
    "月亮",
    "橘子",
    "核桃",
    "团子",
    "夏天",
    "路人",
    "北极熊",
    "松鼠",
    "豆腐",
    "薄荷",
    "柚子",
    "星星",
    "水獭",
    "土豆",
    "年糕",
    "企鹅",
    "咖啡",
    "河马",
    "蘑菇",
    "西瓜",
    "海鸥",
    "饭团",
    "仓鼠",
    "竹子",
    "青蛙",
];
const BEFORE: &[&str] = &[
    "爱吃",
    "不想上班的",
    "住在云端的",
    "睡不醒的",
    "会飞的",
    "一只",
    "半夜的",
    "迷路的",
    "隔壁的",
    "发呆的",
    "在逃",
    "今天也是",
    "快乐的",
    "一颗小",
    "穿雨衣的",
    "第七颗",
    "加班的",
    "不吃香菜的",
    "努力的",
    "永远的",
];
const AFTER: &[&str] = &[
    "呀",
    "酱",
    "同学",
    "不加糖",
    "Official",
    "本人",
    "_",
    "233",
    "の日常",
    "在摸鱼",
    "要早睡",
    "大王",
    "菌",
    "想放假",
    "不开心",
    "7",
    "Zzz",
    "先生",
    "的猫",
    "儿",
];

const PHRASES: &[&str] = &[
    "三月的雨",
    "今晚吃火锅",
    "凌晨四点的海",
    "把风藏进口袋",
    "我超会摸鱼的",
    "下次一定",
    "白菜炖粉条",
    "山顶洞人",
    "玻璃晴朗",
    "七月流火",
    "半颗糖",
    "隔壁老王的猫",
    "番茄炒蛋不放糖",
    "一杯美式",
    "等一个晴天",
    "银河售票员",
    "潜水员小黄",
    "第三排靠窗",
    "收破烂的阿姨",
    "人间观察员",
    "无糖可乐本乐",
    "梦里啥都有",
    "摸鱼办主任",
    "只是路过",
    "北纬三十度",
    "打工人阿强",
    "旧城以西",
    "地铁末班车",
    "雾里看花",
    "电量不足",
    "人在公司刚下班",
    "不会起名字",
    "秋刀鱼之味",
    "黄昏分界线",
    "纸上谈兵",
    "咸鱼翻身失败",
    "早八人",
    "小卖部老板娘",
    "热心市民",
    "长颈鹿睡了",
];
const LATIN: &[&str] = &[
    "Nova", "Lemon", "kiki", "Echo", "Mori", "yuki", "Tofu", "Ryan", "Aki", "Lotus", "momo", "Zero", "Vega", "Sora",
    "Pika", "Neko", "Orange", "Kuma",
];
const SURNAMES: &[&str] = &["陈", "林", "周", "沈", "苏", "顾", "许", "叶", "江", "宋", "唐", "白", "温", "陆"];
const GIVEN: &[&str] =
    &["清禾", "一舟", "知夏", "南枝", "星河", "十七", "安澜", "半夏", "有鱼", "小北", "念之", "不语", "拾光", "见山"];

/// A name such as people choose.
fn nickname(dice: &mut StdRng) -> String {
    let who = WHO.choose(dice).copied().unwrap_or("路人");
    let before = BEFORE.choose(dice).copied().unwrap_or("一只");
    let after = AFTER.choose(dice).copied().unwrap_or("呀");
    let pick = |dice: &mut StdRng, names: &[&'static str]| names.choose(dice).copied().unwrap_or("海");
    match dice.random_range(0..14) {
        0 | 1 => format!("{before}{who}"),
        2 => format!("{who}{after}"),
        3 => format!("{before}{who}{after}"),
        4 => format!("{who}{}", dice.random_range(10..9999)),
        5 => format!("{who}与{}", pick(dice, WHO)),
        6 | 7 => pick(dice, PHRASES).to_owned(),
        8 => format!("{}{after}", pick(dice, PHRASES)),
        9 => format!("{}_{}", pick(dice, LATIN), dice.random_range(1..999)),
        10 => format!("{}{after}", pick(dice, LATIN)),
        11 => format!("{}{}", pick(dice, LATIN), who),
        _ => format!("{}{}", pick(dice, SURNAMES), pick(dice, GIVEN)),
    }
}
