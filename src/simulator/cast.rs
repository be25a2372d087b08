//! Who broadcasts: the streamers, their rooms and what makes each of them different. Data.
//!
//! [`CAST`] comes in the order in which rooms are switched on by default; after it come [`EXTRAS`], which
//! are never in the default list, so that a person has something to add. [`SEALED`] are rooms that exist
//! but cannot be watched. Rooms beyond the cast, for load, are made up in [`super::world`].

use super::{
    vocabulary::Vocabulary,
    words_calm::{FOOD, OUTDOOR, RADIO, STUDY},
    words_loud::{GAME, SINGING},
};

/// How a room behaves over hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Always live.
    Steady,
    /// Ends and begins again every few minutes.
    OnAndOff,
    /// Not live until somebody switches it on.
    OffAir,
}

/// In which form a room sends gifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiftForm {
    /// `SEND_GIFT`, JSON.
    Json,
    /// `SEND_GIFT_V2`, protobuf.
    Protobuf,
    /// Changes from one to the other while connections are open.
    Switching,
}

/// Part of the site a room belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: &'static str,
    /// The number of the part above.
    pub parent_id: u64,
    /// The name of the part above.
    pub parent_name: &'static str,
}

/// A streamer and their room.
#[derive(Clone, Copy)]
pub struct Streamer {
    /// Long number of the room.
    pub room_id: u64,
    /// Short number, 0 for none.
    pub short_id: u64,
    /// The streamer's user number.
    pub uid: u64,
    /// Full name.
    pub name: &'static str,
    /// As the chat calls them: `{s}`.
    pub nick: &'static str,
    /// Name of the fan medal.
    pub medal: &'static str,
    /// Titles; the first at start, the others by `ROOM_CHANGE`.
    pub titles: &'static [&'static str],
    /// Where on the site.
    pub area: Area,
    /// What is said.
    pub words: &'static Vocabulary,
    /// Chat lines per second on average, waves apart.
    pub lines_per_second: f64,
    /// People in the room, about.
    pub online: u64,
    /// Followers.
    pub fans: u64,
    /// Guards on the roster.
    pub guards: u64,
    /// In which form gifts come.
    pub gifts: GiftForm,
    /// When live.
    pub schedule: Schedule,
    /// In very large rooms the platform hides some names even from people who are logged in.
    pub hides_names: bool,
    /// Visitors get masked names here, and miss this share of all messages.
    pub withheld: Option<f64>,
    /// Regulars known by name; more are made up.
    pub regulars: &'static [&'static str],
}

const VIRTUAL: Area = Area { id: 371, name: "虚拟歌手", parent_id: 9, parent_name: "虚拟主播" };
const MOBA: Area = Area { id: 35, name: "峡谷对战", parent_id: 3, parent_name: "手游" };
const STUDYING: Area = Area { id: 372, name: "陪伴学习", parent_id: 11, parent_name: "知识" };
const TRAVEL: Area = Area { id: 123, name: "户外", parent_id: 10, parent_name: "生活" };
const EATING: Area = Area { id: 367, name: "美食", parent_id: 10, parent_name: "生活" };
const VOICE: Area = Area { id: 192, name: "聊天电台", parent_id: 5, parent_name: "电台" };
const OPEN_WORLD: Area = Area { id: 321, name: "开放世界", parent_id: 3, parent_name: "手游" };
const DRAWING: Area = Area { id: 373, name: "绘画手作", parent_id: 10, parent_name: "生活" };

/// The default rooms, in order.
pub const CAST: &[Streamer] = &[
    Streamer {
        room_id: 30610218,
        short_id: 618,
        uid: 610218001,
        name: "绒绒汽水Fizz",
        nick: "绒绒",
        medal: "气泡水",
        titles: &[
            "【歌回】今晚只唱夏天的歌～点歌看公告",
            "【歌回】嗓子还在！加唱到十二点",
            "【杂谈】喝口水 聊会儿再唱",
        ],
        area: VIRTUAL,
        words: &SINGING,
        lines_per_second: 1.3,
        online: 4200,
        fans: 286_000,
        guards: 312,
        gifts: GiftForm::Protobuf,
        schedule: Schedule::Steady,
        hides_names: false,
        withheld: None,
        regulars: &[
            "半糖去冰",
            "汽水瓶盖收藏家",
            "夏夜便利店店员",
            "咕噜咕噜气泡机",
            "唱片里的灰尘",
            "绒球一号机",
            "柠檬味的风",
            "荧光棒批发商",
        ],
    },
    Streamer {
        room_id: 30527713,
        short_id: 0,
        uid: 527713002,
        name: "老陈打野日记",
        nick: "老陈",
        medal: "柠檬精",
        titles: &["巅峰冲分 输一把吃一片柠檬🍋", "水友赛！今晚不吃柠檬", "最后三把 赢了就下播"],
        area: MOBA,
        words: &GAME,
        lines_per_second: 2.1,
        online: 11_800,
        fans: 913_000,
        guards: 545,
        gifts: GiftForm::Json,
        schedule: Schedule::Steady,
        hides_names: true,
        withheld: None,
        regulars: &[
            "柠檬园园长",
            "草丛里的老六",
            "闪现撞墙王",
            "今晚必上分",
            "蓝buff保管员",
            "三级抓上",
            "惩戒永远慢一秒",
            "复活甲典当行",
        ],
    },
    Streamer {
        room_id: 30844906,
        short_id: 0,
        uid: 844906003,
        name: "小满自习室",
        nick: "小满",
        medal: "番茄钟",
        titles: &["一起学习｜番茄钟 50+10｜考研倒计时", "一起学习｜雨天图书馆白噪音"],
        area: STUDYING,
        words: &STUDY,
        lines_per_second: 0.22,
        online: 860,
        fans: 74_000,
        guards: 41,
        gifts: GiftForm::Json,
        schedule: Schedule::Steady,
        hides_names: false,
        withheld: None,
        regulars: &["线代使我快乐", "二战上岸版", "图书馆靠窗第三桌", "单词背到abandon", "猫老师的助教"],
    },
    Streamer {
        room_id: 31073350,
        short_id: 0,
        uid: 731073004,
        name: "骑车的阿岳",
        nick: "阿岳",
        medal: "岳野人",
        titles: &["川西骑行第23天｜今天翻垭口", "川西骑行第23天｜下山找吃的"],
        area: TRAVEL,
        words: &OUTDOOR,
        lines_per_second: 0.7,
        online: 1900,
        fans: 158_000,
        guards: 88,
        gifts: GiftForm::Switching,
        schedule: Schedule::OnAndOff,
        hides_names: false,
        withheld: None,
        regulars: &["链条上油了吗", "工位上的登山者", "牦牛亲友团", "下坡不捏刹", "山那边的人家", "背包里的搪瓷缸"],
    },
    Streamer {
        room_id: 30916642,
        short_id: 926,
        uid: 916642005,
        name: "胖橘厨房",
        nick: "胖橘",
        medal: "干饭人",
        titles: &["凌晨还不睡？炸鸡配冰可乐 现炸", "第二锅！弹幕点菜我来做"],
        area: EATING,
        words: &FOOD,
        lines_per_second: 0.9,
        online: 2700,
        fans: 342_000,
        guards: 126,
        gifts: GiftForm::Switching,
        schedule: Schedule::Steady,
        hides_names: false,
        withheld: Some(0.45),
        regulars: &["香菜保卫战", "减肥明天开始", "蒜末小料碗", "锅气鉴定师", "冰箱里只有光", "碗比脸大"],
    },
    Streamer {
        room_id: 30388071,
        short_id: 0,
        uid: 388071006,
        name: "晚风电台",
        nick: "晚风",
        medal: "听风的",
        titles: &["深夜电台｜把今天的心事留在这里", "深夜电台｜来信特辑"],
        area: VOICE,
        words: &RADIO,
        lines_per_second: 0.5,
        online: 740,
        fans: 96_000,
        guards: 57,
        gifts: GiftForm::Protobuf,
        schedule: Schedule::OffAir,
        hides_names: false,
        withheld: None,
        regulars: &["失眠俱乐部会长", "值夜班的灯塔", "第七封信", "路灯下的影子", "收音机杂音"],
    },
];

/// Rooms that exist and can be added, but are in no default list.
pub const EXTRAS: &[Streamer] = &[
    Streamer {
        room_id: 31200077,
        short_id: 77,
        uid: 120007707,
        name: "阿白的开放世界",
        nick: "阿白",
        medal: "白给团",
        titles: &["新版本全收集 一个箱子都不放过", "抽卡！小保底歪了就下播"],
        area: OPEN_WORLD,
        words: &GAME,
        lines_per_second: 1.4,
        online: 5200,
        fans: 421_000,
        guards: 203,
        gifts: GiftForm::Switching,
        schedule: Schedule::Steady,
        hides_names: false,
        withheld: None,
        regulars: &["保底从不缺席", "宝箱雷达", "体力溢出了", "白给团副团长"],
    },
    Streamer {
        room_id: 31305512,
        short_id: 0,
        uid: 130551208,
        name: "栗子画画ing",
        nick: "栗子",
        medal: "小松鼠",
        titles: &["板绘摸鱼｜今天画完这张就睡", "约稿收尾｜边画边聊"],
        area: DRAWING,
        words: &STUDY,
        lines_per_second: 0.35,
        online: 430,
        fans: 38_000,
        guards: 19,
        gifts: GiftForm::Json,
        schedule: Schedule::Steady,
        hides_names: false,
        withheld: None,
        regulars: &["图层忘记命名", "压感笔失灵", "松果储备中"],
    },
    Streamer {
        room_id: 31418860,
        short_id: 0,
        uid: 141886009,
        name: "三更小馆",
        nick: "三更",
        medal: "夜猫子",
        titles: &["收摊之前｜最后一锅卤味", "凌晨三点的葱油面"],
        area: EATING,
        words: &FOOD,
        lines_per_second: 0.6,
        online: 980,
        fans: 67_000,
        guards: 33,
        gifts: GiftForm::Protobuf,
        schedule: Schedule::OnAndOff,
        hides_names: false,
        withheld: None,
        regulars: &["卤蛋不加蛋", "夜市常客", "三更不眠人"],
    },
    Streamer {
        room_id: 31555005,
        short_id: 555,
        uid: 155500510,
        name: "鲸落Whale",
        nick: "鲸落",
        medal: "深海信",
        titles: &["【弹唱】吉他一把 点歌随缘", "【弹唱】换弦 聊五分钟"],
        area: VIRTUAL,
        words: &SINGING,
        lines_per_second: 0.8,
        online: 1600,
        fans: 129_000,
        guards: 94,
        gifts: GiftForm::Json,
        schedule: Schedule::Steady,
        hides_names: false,
        withheld: None,
        regulars: &["五十二赫兹", "潮汐锁定", "变调夹不见了"],
    },
];

/// Why a room that exists cannot be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// Can be watched.
    Open,
    /// Hidden by the platform for a while.
    Hidden,
    /// Banned for a while.
    Locked,
    /// Behind a password.
    Encrypted,
}

/// Rooms that exist but are sealed: number, streamer's number, name, and why.
pub const SEALED: &[(u64, u64, &str, Seal)] = &[
    (39000001, 390000011, "隐身的房间", Seal::Hidden),
    (39000002, 390000022, "被封的房间", Seal::Locked),
    (39000003, 390000033, "上锁的房间", Seal::Encrypted),
];
