//! From values to pages: the templates, how numbers, money and times are written, and what every page knows.
//!
//! Chinese first: times are China's on every page, counts above ten thousand are written with 万 and 亿
//! (K and M in English) with the exact number on hover, money is ¥ with two decimals. Everything that
//! came from outside is escaped by the templates; nothing here marks such text as safe.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use chrono::{DateTime, FixedOffset, Utc};
use rust_embed::RustEmbed;
use serde_json::{Value, json};
use tera::{Context, Kwargs, Tera};

use super::{
    assets,
    audience::Audience,
    error::Refusal,
    i18n::{self, Lang},
};
use crate::domain::Gold;

#[derive(RustEmbed)]
#[folder = "templates"]
struct Templates;

/// The cookie that remembers light or dark.
const THEME_COOKIE: &str = "blm_theme";

/// All templates, read once.
pub struct Views {
    tera: Tera,
    /// Where pictures may come from without TLS.
    upstream: Option<String>,
}

/// What every page knows of its visitor and of us.
pub struct Frame<'a> {
    /// The request it answers.
    pub request: &'a HttpRequest,
    /// The token of the visitor's session, when signed in.
    pub token: Option<String>,
    /// What this visitor may see; values are stripped before they come here.
    pub audience: Audience,
    /// Simulated data.
    pub demo: bool,
}

impl Views {
    /// Reads the templates. Fails only for a mistake in one of them, which a test finds.
    ///
    /// Pictures may come without TLS from `upstream` only, which is a simulator or a test rig. All addresses
    /// of the site begin with `base`.
    pub fn new(upstream: Option<&str>, base: &str) -> Result<Views, tera::Error> {
        let mut tera = Tera::new();
        let upstream = upstream.map(str::to_owned);
        let pictures_from = upstream.clone();
        tera.register_function("t", i18n::template_function());
        let (base, before_files) = (base.to_owned(), base.to_owned());
        tera.register_function("base", move |_: Kwargs, _: &tera::State| base.clone());
        tera.register_function("asset", move |arguments: Kwargs, _: &tera::State| {
            let address = assets::address(arguments.must_get::<&str>("path")?);
            Ok::<_, tera::Error>(format!("{before_files}{address}"))
        });
        tera.register_filter("compact", |n: i64, _: Kwargs, state: &tera::State| compact(n, lang_of(state)));
        tera.register_filter("exact", |n: i64, _: Kwargs, _: &tera::State| exact(n));
        tera.register_filter("yuan", |gold: i64, _: Kwargs, _: &tera::State| yuan(Gold(gold)));
        tera.register_filter("clock", |ms: i64, _: Kwargs, _: &tera::State| china(ms, "%H:%M:%S"));
        tera.register_filter("moment", |ms: i64, _: Kwargs, _: &tera::State| china(ms, "%Y-%m-%d %H:%M:%S"));
        tera.register_filter("lasting", |ms: i64, _: Kwargs, state: &tera::State| lasting(ms, lang_of(state)));
        tera.register_filter("bytes", |n: i64, _: Kwargs, _: &tera::State| bytes(n));
        tera.register_filter("share", |share: f64, _: Kwargs, _: &tera::State| percent(share));
        tera.register_filter("picture", move |address: &str, _: Kwargs, _: &tera::State| {
            picture(address, pictures_from.as_deref())
        });
        tera.register_filter("initial", |name: &str, _: Kwargs, _: &tera::State| {
            name.trim().chars().next().map_or_else(|| "·".to_owned(), |first| first.to_string())
        });
        let names: Vec<_> = Templates::iter().filter(|name| name.ends_with(".html")).collect();
        let texts: Vec<(String, String)> = names
            .iter()
            .filter_map(|name| {
                Some((name.to_string(), String::from_utf8(Templates::get(name)?.data.into_owned()).ok()?))
            })
            .collect();
        tera.add_raw_templates(texts)?;
        Ok(Views { tera, upstream })
    }

    /// A page with `values`.
    pub fn page(&self, status: StatusCode, template: &str, frame: &Frame<'_>, values: &Value) -> HttpResponse {
        let lang = Lang::of(frame.request);
        let rendered = context(lang, frame, values).and_then(|mut context| {
            context.insert("pictures", &self.upstream);
            self.tera.render(template, &context)
        });
        let text = match rendered {
            Ok(text) => text,
            Err(error) => {
                let mut why = error.to_string();
                let mut cause = std::error::Error::source(&error);
                while let Some(next) = cause {
                    why = format!("{why}: {next}");
                    cause = next.source();
                }
                tracing::error!(template, error = why, "web: a page cannot be drawn");
                return HttpResponse::InternalServerError()
                    .content_type("text/plain; charset=utf-8")
                    .body(format!("{template}: this page cannot be drawn; the log says why\n"));
            }
        };
        let mut answer = HttpResponse::build(status);
        answer.content_type("text/html; charset=utf-8").insert_header((header::CACHE_CONTROL, "no-cache"));
        if let Some(asked) = i18n::asked(frame.request) {
            let cookie = actix_web::cookie::Cookie::build(i18n::LANG_COOKIE, asked.tag())
                .path("/")
                .same_site(actix_web::cookie::SameSite::Lax)
                .max_age(actix_web::cookie::time::Duration::days(365))
                .finish();
            answer.cookie(cookie);
        }
        answer.body(text)
    }

    /// The page for a refusal.
    pub fn refusal(&self, frame: &Frame<'_>, refusal: &Refusal) -> HttpResponse {
        let lang = Lang::of(frame.request);
        let text = refusal_text(lang, refusal);
        let values = json!({"section": "", "status": refusal.status.as_u16(), "text": text});
        self.page(refusal.status, "error.html", frame, &values)
    }
}

/// A refusal in the visitor's language; the English text where there is no other.
pub fn refusal_text(lang: Lang, refusal: &Refusal) -> String {
    lang.find(&format!("error-{}", refusal.code)).unwrap_or_else(|| refusal.text.clone())
}

fn context(lang: Lang, frame: &Frame<'_>, values: &Value) -> Result<Context, tera::Error> {
    let mut context = Context::from_serialize(values)?;
    let theme = frame.request.cookie(THEME_COOKIE).map(|cookie| cookie.value().to_owned());
    let theme = theme.filter(|theme| theme == "light" || theme == "dark").unwrap_or_default();
    let other = match lang {
        Lang::ZhCn => Lang::En,
        Lang::En => Lang::ZhCn,
    };
    context.insert("lang", lang.tag());
    context.insert("other_lang", other.tag());
    context.insert("theme", &theme);
    context.insert("path", frame.request.path());
    context.insert("demo", &frame.demo);
    context.insert("public", &(frame.audience == Audience::Public));
    // What a page brings for its scripts.
    if let Some(data) = values.get("data") {
        context.insert("data", &for_script(data));
    }
    context.insert("token", &frame.token);
    context.insert("version", env!("CARGO_PKG_VERSION"));
    context.insert("words", &for_script(i18n::script_words(lang)));
    context.insert("now_ms", &Utc::now().timestamp_millis());
    Ok(context)
}

/// JSON that may stand inside a script element: nothing in it can end the element.
fn for_script(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn lang_of(state: &tera::State) -> Lang {
    state.get::<String>("lang").ok().flatten().and_then(|tag| Lang::from_tag(&tag)).unwrap_or_default()
}

/// `1.2万`, `3.45亿`; in English `12.3K`, `4.56M`. Small numbers are exact.
pub fn compact(n: i64, lang: Lang) -> String {
    let size = n.unsigned_abs();
    let (unit, name) = match lang {
        _ if size < 10_000 => return exact(n),
        Lang::ZhCn if size < 100_000_000 => (10_000.0, "万"),
        Lang::ZhCn => (100_000_000.0, "亿"),
        Lang::En if size < 1_000_000 => (1000.0, "K"),
        Lang::En if size < 1_000_000_000 => (1_000_000.0, "M"),
        Lang::En => (1_000_000_000.0, "B"),
    };
    // Cut off, not rounded: 99,999 is not 10万.
    let value = (n as f64 / unit * 100.0).trunc() / 100.0;
    let digits = if value.abs() >= 100.0 { 0 } else { usize::from(value.abs() < 10.0) + 1 };
    let scale = 10f64.powi(i32::try_from(digits).unwrap_or(0));
    format!("{:.digits$}{name}", (value * scale).trunc() / scale)
}

/// `12,345`.
pub fn exact(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if n < 0 { format!("-{text}") } else { text }
}

/// `1,234.50`, without the sign ¥.
pub fn yuan(gold: Gold) -> String {
    let cents = gold.cny().cents();
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", exact(i64::try_from(cents / 100).unwrap_or(i64::MAX)), cents % 100)
}

/// `99.9%`: cut off, not rounded, so that all is all.
pub fn percent(share: f64) -> String {
    let thousandths = (share * 1000.0).floor();
    if thousandths >= 1000.0 { "100%".to_owned() } else { format!("{:.1}%", thousandths / 10.0) }
}

/// A moment in China, where the platform is.
pub fn china(ms: i64, form: &str) -> String {
    let zone = FixedOffset::east_opt(8 * 3600);
    match (DateTime::<Utc>::from_timestamp_millis(ms), zone) {
        (Some(moment), Some(zone)) if ms > 0 => moment.with_timezone(&zone).format(form).to_string(),
        _ => "–".to_owned(),
    }
}

/// `3 小时 5 分`, `3 h 5 min`: the two largest units.
pub fn lasting(ms: i64, lang: Lang) -> String {
    let seconds = ms.max(0) / 1000;
    let names = match lang {
        Lang::ZhCn => ["天", "小时", "分", "秒"],
        Lang::En => ["d", "h", "min", "s"],
    };
    let parts = [seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
    let first = parts.iter().position(|part| *part > 0).unwrap_or(3);
    let shown = parts.iter().zip(names).skip(first).take(2).filter(|(part, _)| **part > 0 || first == 3);
    shown.map(|(part, name)| format!("{part} {name}")).collect::<Vec<_>>().join(" ")
}

/// `12.3 MB`.
pub fn bytes(n: i64) -> String {
    let mut size = n as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{n} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TB")
}

/// The address of a picture as a page may load it: over TLS, or from the upstream that was configured; nothing else.
pub fn picture(address: &str, upstream: Option<&str>) -> String {
    let from_upstream = upstream.is_some_and(|origin| {
        address.strip_prefix(origin).is_some_and(|path| path.is_empty() || path.starts_with('/'))
    });
    if address.starts_with("https://") || from_upstream {
        return address.to_owned();
    }
    match address.strip_prefix("http:").unwrap_or(address) {
        rest if rest.starts_with("//") => format!("https:{rest}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_here_read_them() {
        for (n, zh, en) in [
            (0, "0", "0"),
            (9_999, "9,999", "9,999"),
            (10_000, "1.00万", "10.0K"),
            (99_999, "9.99万", "99.9K"),
            (123_456, "12.3万", "123K"),
            (99_999_999, "9999万", "99.9M"),
            (123_456_789, "1.23亿", "123M"),
            (-20_000, "-2.00万", "-20.0K"),
        ] {
            assert_eq!((compact(n, Lang::ZhCn).as_str(), compact(n, Lang::En).as_str()), (zh, en), "{n}");
        }
        assert_eq!(yuan(Gold(1_234_567_890)), "1,234,567.89");
        assert_eq!(yuan(Gold(-15)), "-0.02");
        assert_eq!(lasting(3_900_000, Lang::ZhCn), "1 小时 5 分");
        assert_eq!(lasting(0, Lang::En), "0 s");
        assert_eq!(china(1_700_000_000_000, "%Y-%m-%d %H:%M:%S"), "2023-11-15 06:13:20");
        assert_eq!(china(0, "%H"), "–");
        assert_eq!(bytes(1_572_864), "1.5 MB");
    }

    #[test]
    fn pictures_come_over_tls_or_not_at_all() {
        for (address, expected) in [
            ("https://i0.hdslb.com/a.jpg", "https://i0.hdslb.com/a.jpg"),
            ("http://i0.hdslb.com/a.jpg", "https://i0.hdslb.com/a.jpg"),
            ("//i0.hdslb.com/a.jpg", "https://i0.hdslb.com/a.jpg"),
            ("http://127.0.0.1:9/a.svg", "http://127.0.0.1:9/a.svg"),
            ("http://127.0.0.1:99/a.svg", "https://127.0.0.1:99/a.svg"),
            ("javascript:alert(1)", ""),
            ("data:text/html,x", ""),
            ("", ""),
        ] {
            assert_eq!(picture(address, Some("http://127.0.0.1:9")), expected, "{address}");
        }
    }

    #[test]
    fn json_cannot_end_its_script_element() {
        assert!(!for_script(&json!({"x": "</script><!--"})).contains('<'));
    }

    #[test]
    fn every_template_can_be_read() {
        if let Err(error) = Views::new(None, "") {
            panic!("{error:?}");
        }
    }
}
