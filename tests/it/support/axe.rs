//! axe-core, the accessibility checker, fetched once from npm by its lock file and run inside the page.

use std::{fs, path::PathBuf, process::Command, sync::OnceLock};

use serde_json::Value;

use super::browser::Browser;

/// What is checked: WCAG 2.2 at levels A and AA.
const RULES: &str =
    r#"{runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"]}"#;

/// The checker's source.
fn source() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let (from, to) = (root.join("tests/axe"), root.join("target/axe"));
        let script = to.join("node_modules/axe-core/axe.min.js");
        let lock = fs::read(from.join("package-lock.json")).expect("tests/axe/package-lock.json");
        if !script.exists() || fs::read(to.join("package-lock.json")).is_ok_and(|known| known != lock) {
            fs::create_dir_all(&to).expect("target can be written");
            for name in ["package.json", "package-lock.json", ".npmrc"] {
                fs::copy(from.join(name), to.join(name)).expect("target can be written");
            }
            let npm = std::env::var("NPM").unwrap_or_else(|_| "npm".into());
            let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
            let done = Command::new(npm).args(arguments).current_dir(&to).output().expect("npm can be started");
            assert!(done.status.success(), "npm ci: {}", String::from_utf8_lossy(&done.stderr));
        }
        fs::read_to_string(script).expect("npm brought axe-core")
    })
}

/// What the checker finds on the page as it stands, a line each.
pub async fn violations(browser: &Browser) -> Vec<String> {
    if browser.eval("typeof window.axe").await != "object" {
        // As an expression: the page's policy forbids scripts of others, the driver may evaluate.
        browser.run(source()).await;
    }
    let found = browser.later(&format!("window.axe.run(document, {RULES})")).await;
    let violations = found["violations"].as_array().cloned().unwrap_or_default();
    violations
        .iter()
        .flat_map(|violation| {
            let nodes = violation["nodes"].as_array().cloned().unwrap_or_default();
            let id = violation["id"].as_str().unwrap_or_default().to_owned();
            nodes.into_iter().take(4).map(move |node| {
                let text = |value: &Value| value.as_str().unwrap_or_default().replace('\n', " ");
                format!("{id}: {} — {}", node["target"], text(&node["failureSummary"]))
            })
        })
        .collect()
}
