//! What is said in each kind of room: data, no code.
//!
//! A [`Vocabulary`] belongs to a style of broadcast. Lines may hold `{x}` (a noun of the style), `{s}` (the
//! streamer's nickname), `{u}` (a viewer) and `{n}` (a small number); [`super::script`] fills them in.
//! The styles themselves are in [`super::words_loud`] and [`super::words_calm`]. Everything here is invented: no line, name or title is taken from a real broadcast.

/// What is said in rooms of one style.
pub struct Vocabulary {
    /// Said at any time.
    pub idle: &'static [&'static str],
    /// Said mostly by regulars.
    pub catchphrases: &'static [&'static str],
    /// Questions, each with answers that others give.
    pub questions: &'static [(&'static str, &'static [&'static str])],
    /// Things that happen on screen, as the chat reacts to them.
    pub scenes: &'static [Scene],
    /// Longer lines, rare.
    pub long: &'static [&'static str],
    /// Texts of super chats.
    pub super_chats: &'static [&'static str],
    /// What `{x}` stands for.
    pub nouns: &'static [&'static str],
}

/// One thing that happens and the wave it makes.
pub struct Scene {
    /// First seconds: short and often repeated.
    pub wave: &'static [&'static str],
    /// Afterwards.
    pub tail: &'static [&'static str],
    /// How many lines the wave has.
    pub lines: std::ops::Range<usize>,
}

/// Greetings for people who come in.
pub const GREETINGS: &[&str] = &[
    "欢迎{u}",
    "{u}来啦",
    "晚上好呀{u}",
    "欢迎欢迎[热]",
    "{u}今天来得好早",
    "抓到{u}摸鱼",
    "欢迎回家",
    "来了来了",
    "哟 {u}",
];
/// Said when a guard comes in.
pub const GUARD_GREETINGS: &[&str] =
    &["欢迎舰长回家", "舰长好", "舰长大人晚上好", "o7", "欢迎{u}上舰", "队形！欢迎舰长", "舰长来了都让让"];
/// Said after a super chat or a large gift.
pub const THANKS: &[&str] = &[
    "老板大气",
    "老板大气！",
    "谢谢老板",
    "谢谢老板[打call]",
    "感谢{u}老板",
    "老板糊涂啊",
    "{s}看SC",
    "富哥V我50",
    "老板身体健康",
    "这就是实力",
    "慕了",
    "大气！",
];
/// Said after somebody became a guard.
pub const ABOARD: &[&str] = &[
    "欢迎上船",
    "恭喜上舰",
    "上船快乐",
    "贺",
    "贺！",
    "恭喜{u}",
    "又多一个家人",
    "船票收好",
    "欢迎新舰长",
    "大航海时代",
    "贺贺贺",
];
/// Laughter and other noise, everywhere.
pub const NOISE: &[&str] = &[
    "草",
    "草",
    "草",
    "哈哈哈哈",
    "哈哈哈哈哈哈哈",
    "？",
    "？？？",
    "666",
    "6",
    "。",
    "1",
    "好",
    "啊？",
    "笑死",
    "[笑哭]",
    "[热]",
    "[妙啊]",
    "[doge]",
    "确实",
    "真的",
    "绝了",
    "泪目",
    "awsl",
    "www",
    "hhh",
    "可以的",
    "来了",
    "在",
    "[打call]",
];
/// Pictures that are sent as a line of their own.
pub const STICKERS: &[&str] = &["打call", "比心", "泪目", "贴贴", "晚安", "问号", "好耶", "吃瓜", "加油", "震惊"];
