//! What each figure means: the list behind every "?" on the pages and behind the methodology page.
//!
//! The texts stand once, in `figures.ftl` of both languages, as `figure-NAME` and its `-is`, `-how` and `-misses`.
//! The "?" of a template names its figure; a test holds templates, list and texts to each other.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::{Site, pages};

/// Every figure, in the order of the page, by what it is about.
const FIGURES: [(&str, &[&str]); 4] = [
    (
        "chat",
        &[
            "rate",
            "danmaku",
            "people-now",
            "interaction",
            "users",
            "broadcast",
            "talkers",
            "week",
            "usual",
            "cloud",
            "ranking",
        ],
    ),
    ("money", &["spending", "spending-day", "gifts", "super-chats", "guards", "payers", "blind-box"]),
    ("viewers", &["viewers"]),
    ("trust", &["coverage", "gap", "attention", "accounts", "stored", "ledger"]),
];

/// `/live/methodology/`.
pub async fn page(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let groups: Vec<_> = FIGURES.iter().map(|(name, figures)| json!({"name": name, "figures": figures})).collect();
    let values = async { Ok(json!({"section": "methodology", "groups": groups})) };
    pages::answer(&request, &site, "methodology.html", values).await
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;
    use crate::web::i18n::Lang;

    #[test]
    fn every_figure_says_what_it_is_how_it_is_computed_and_what_it_misses_in_both_languages() {
        for figure in FIGURES.iter().flat_map(|(_, figures)| *figures) {
            for lang in [Lang::ZhCn, Lang::En] {
                for part in ["", "-is", "-how", "-misses"] {
                    let key = format!("figure-{figure}{part}");
                    assert!(lang.find(&key).is_some_and(|text| !text.is_empty()), "{key} in {}", lang.tag());
                }
            }
        }
    }

    #[test]
    fn every_question_mark_on_a_page_opens_a_figure_of_the_list() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let known: BTreeSet<&str> = FIGURES.iter().flat_map(|(_, figures)| *figures).copied().collect();
        let mut asked = BTreeSet::new();
        for file in fs::read_dir(folder).expect("the folder is there") {
            let path = file.expect("listed").path();
            if path.extension().is_some_and(|ending| ending == "html") {
                let text = fs::read_to_string(&path).expect("readable");
                let names = text.split("<explain figure=\"").skip(1).filter_map(|rest| rest.split('"').next());
                for name in names {
                    assert!(known.contains(name), "{}: {name} is no figure", path.display());
                    asked.insert(name.to_owned());
                }
            }
        }
        let unasked: Vec<_> = known.iter().filter(|name| !asked.contains(**name)).collect();
        assert!(unasked.is_empty(), "no page explains {unasked:?}");
    }
}
