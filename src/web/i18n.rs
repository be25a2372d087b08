//! Chinese and English: which one a visitor reads, and the words for scripts.
//!
//! All words stand in `templates/locales/<language>/*.ftl` and are compiled in. Templates look them up
//! with `t(key="…", lang=lang)`; scripts get those of `script.ftl` as JSON, with `{name}` where a value
//! goes. The test below holds both languages and all templates and scripts to the same keys.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use actix_web::{HttpRequest, http::header};
use fluent_templates::{LanguageIdentifier, Loader, fluent_bundle::FluentValue, langid, static_loader};
use serde_json::{Map, Value};

static_loader! {
    static LOCALES = {
        locales: "./templates/locales",
        fallback_language: "zh-CN",
        // The marks would show in attributes and titles, and our texts run one way.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// The words that scripts need, in the language whose comments are read first.
const SCRIPT_WORDS: &str = include_str!("../../templates/locales/zh-CN/script.ftl");
/// Those that only the script of the debug page needs.
const HEALTH_WORDS: &str = include_str!("../../templates/locales/zh-CN/health.ftl");

static ZH_CN: LanguageIdentifier = langid!("zh-CN");
static EN: LanguageIdentifier = langid!("en");

/// The cookie that remembers a choice of language.
pub const LANG_COOKIE: &str = "blm_lang";

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// 简体中文.
    #[default]
    ZhCn,
    /// English.
    En,
}

impl Lang {
    /// Its tag, as in `<html lang>`.
    pub fn tag(self) -> &'static str {
        match self {
            Lang::ZhCn => "zh-CN",
            Lang::En => "en",
        }
    }

    /// The language of a tag such as `en-GB`, if it is one of ours.
    pub fn from_tag(tag: &str) -> Option<Lang> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        match primary.as_str() {
            "zh" => Some(Lang::ZhCn),
            "en" => Some(Lang::En),
            _ => None,
        }
    }

    /// `?lang=`, then the cookie, then what the browser prefers, then Chinese.
    pub fn of(request: &HttpRequest) -> Lang {
        asked(request)
            .or_else(|| Lang::from_tag(request.cookie(LANG_COOKIE)?.value()))
            .or_else(|| preferred(request.headers().get(header::ACCEPT_LANGUAGE)?.to_str().ok()?))
            .unwrap_or_default()
    }

    fn id(self) -> &'static LanguageIdentifier {
        match self {
            Lang::ZhCn => &ZH_CN,
            Lang::En => &EN,
        }
    }

    /// The words of `key`, if there are any.
    pub fn find(self, key: &str) -> Option<String> {
        LOCALES.try_lookup(self.id(), key)
    }

    /// The words of `key`.
    pub fn words(self, key: &str) -> String {
        LOCALES.lookup(self.id(), key)
    }
}

impl Lang {
    /// The words of `key` with values in their slots.
    pub fn say(self, key: &str, slots: &[(&'static str, String)]) -> String {
        let slots: HashMap<Cow<'static, str>, FluentValue<'_>> =
            slots.iter().map(|(name, value)| (Cow::Borrowed(*name), FluentValue::from(value.as_str()))).collect();
        LOCALES.lookup_with_args(self.id(), key, &slots)
    }
}

/// The language named in the address.
pub fn asked(request: &HttpRequest) -> Option<Lang> {
    let query = request.query_string();
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == "lang")
        .and_then(|(_, tag)| Lang::from_tag(&tag))
}

/// The one of ours that stands highest in an Accept-Language header.
fn preferred(header: &str) -> Option<Lang> {
    let mut best: Option<(f32, Lang)> = None;
    for choice in header.split(',') {
        let (tag, weight) = choice.split_once(';').unwrap_or((choice, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|q| q.parse().ok()).unwrap_or(0.0);
        if let Some(lang) = Lang::from_tag(tag.trim())
            && best.is_none_or(|(so_far, _)| weight > so_far)
        {
            best = Some((weight, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

/// The function `t` of the templates.
pub fn template_function() -> fluent_templates::FluentLoader<&'static fluent_templates::StaticLoader> {
    fluent_templates::FluentLoader::new(&*LOCALES)
}

/// The words of the scripts as JSON.
pub fn script_words(lang: Lang) -> &'static Value {
    static WORDS: LazyLock<[Value; 2]> =
        LazyLock::new(|| [Lang::ZhCn, Lang::En].map(|lang| words_with_slots(lang, SCRIPT_WORDS)));
    match lang {
        Lang::ZhCn => &WORDS[0],
        Lang::En => &WORDS[1],
    }
}

/// The further words of the debug page's script.
pub fn health_words(lang: Lang) -> &'static Value {
    static WORDS: LazyLock<[Value; 2]> =
        LazyLock::new(|| [Lang::ZhCn, Lang::En].map(|lang| words_with_slots(lang, HEALTH_WORDS)));
    match lang {
        Lang::ZhCn => &WORDS[0],
        Lang::En => &WORDS[1],
    }
}

fn words_with_slots(lang: Lang, of: &'static str) -> Value {
    let words = entries(of).map(|(key, text)| {
        let slots: HashMap<Cow<'static, str>, FluentValue<'_>> = text
            .split("{ $")
            .skip(1)
            .filter_map(|rest| rest.split_once(' '))
            .map(|(name, _)| (Cow::Owned(name.to_owned()), FluentValue::from(format!("{{{name}}}"))))
            .collect();
        (key.to_owned(), Value::String(LOCALES.lookup_with_args(lang.id(), key, &slots)))
    });
    Value::Object(words.collect::<Map<_, _>>())
}

/// Keys and first lines of a file of words.
fn entries(ftl: &str) -> impl Iterator<Item = (&str, &str)> {
    ftl.lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter_map(|line| line.split_once('='))
        .map(|(key, text)| (key.trim(), text))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn keys(folder: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/locales").join(folder);
        let mut keys = BTreeSet::new();
        for file in fs::read_dir(folder).expect("the folder is there") {
            let text = fs::read_to_string(file.expect("listed").path()).expect("readable");
            for (key, _) in entries(&text) {
                assert!(keys.insert(key.to_owned()), "{key} stands twice");
            }
        }
        keys
    }

    fn used(folder: &str, ending: &str, before: &str) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("the folder is there") {
            let path = file.expect("listed").path();
            if path.extension().is_some_and(|found| found == ending) {
                let text = fs::read_to_string(path).expect("readable");
                used.extend(text.split(before).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
        used
    }

    #[test]
    fn both_languages_have_the_same_words_and_every_word_used_is_there() {
        let (chinese, english) = (keys("zh-CN"), keys("en"));
        assert_eq!(chinese.symmetric_difference(&english).collect::<Vec<_>>(), [""; 0]);
        // A key that ends in "-" is the beginning of several.
        let missing = |used: BTreeSet<String>, known: &BTreeSet<String>| -> Vec<String> {
            let is_there = |key: &String| match key.strip_suffix('-') {
                Some(_) => known.iter().any(|known| known.starts_with(key)),
                None => known.contains(key),
            };
            used.into_iter().filter(|key| !is_there(key)).collect()
        };
        assert_eq!(missing(used("templates", "html", "t(key=\""), &chinese), [""; 0]);
        let words = [script_words(Lang::ZhCn), health_words(Lang::ZhCn)];
        let of_scripts = words.iter().flat_map(|words| words.as_object().expect("a map").keys().cloned()).collect();
        for before in [" t(\"", "(t(\"", "{t(\""] {
            assert_eq!(missing(used("static", "js", before), &of_scripts), [""; 0]);
        }
    }

    #[test]
    fn words_have_slots_for_scripts() {
        for lang in [Lang::ZhCn, Lang::En] {
            let words = script_words(lang);
            assert!(words["new-rows"].as_str().is_some_and(|text| text.contains("{n}")), "{words}");
        }
    }

    #[test]
    fn a_visitor_reads_what_the_browser_prefers() {
        for (header, expected) in [
            ("en-US,en;q=0.9", Some(Lang::En)),
            ("zh-TW,zh;q=0.9,en;q=0.8", Some(Lang::ZhCn)),
            ("fr-FR, en;q=0.3, zh;q=0.7", Some(Lang::ZhCn)),
            ("ja", None),
            (";;,", None),
        ] {
            assert_eq!(preferred(header), expected, "{header}");
        }
    }
}
