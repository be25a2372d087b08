//! The rules of the tree that a machine can check: who may use whom, how a file begins and how long it
//! gets, and that nothing is left lying about. Reads files only; each complaint says file and rule.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Which parts of ours a folder's own code may use, beside itself. `app`, `commands` and the files beside the
/// folders may use everything. Test code is exempt: it builds what its folder is given.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("domain", &[]),
    ("protocol", &["domain"]),
    ("supervise", &[]),
    ("store", &["domain", "supervise::blocking", "supervise::faults"]),
    ("export", &["domain", "store"]),
    ("upstream", &["domain", "protocol", "supervise::exit", "supervise::flag", "supervise::vitals::unix_ms"]),
    ("actors", &["domain", "protocol", "supervise", "store", "upstream"]),
    (
        "web",
        &[
            "domain",
            "actors::handles",
            "actors::remote",
            "actors::report",
            "actors::sync_request",
            "actors::wall",
            "actors::ring",
            "actors::ledger",
            "supervise::vitals",
            "supervise::board",
            "supervise::pulse",
            "supervise::warnings",
            "supervise::lane",
            "store",
            "upstream::accounts",
            "upstream::gate",
            "upstream::login",
            "export",
        ],
    ),
    ("simulator", &["domain"]),
    ("config", &["domain", "export", "supervise::faults", "supervise::warnings"]),
];

const LINES_MAX: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files under a folder of the repository, by their path from its root.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().map_while(Result::ok) {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() {
                if !["target", "node_modules", ".git", "data"].iter().any(|skipped| name == *skipped) {
                    folders.push(path);
                }
            } else {
                found.push(from_root(&path));
            }
        }
    }
    found.sort();
    found
}

fn from_root(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn sources() -> Vec<String> {
    files("src").into_iter().filter(|file| file.ends_with(".rs")).collect()
}

fn read(file: &str) -> String {
    let path: PathBuf = root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()))
}

/// A file's own code: without comments, and without what only tests see.
fn code(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    if name == "tests.rs" || name.ends_with("_tests.rs") || name == "fixtures.rs" {
        return String::new();
    }
    let text = read(file);
    let own = ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\npub mod tests {", "#[cfg(test)]\npub(crate) mod tests {"]
        .iter()
        .filter_map(|border| text.find(border))
        .min()
        .map_or(text.as_str(), |end| &text[..end]);
    own.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The paths of a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`. Reads until the tree ends.
fn expand(tree: &str) -> Vec<String> {
    let end = tree.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(tree.len());
    let (path, rest) = tree.split_at(end);
    let Some(inner) = rest.strip_prefix('{').filter(|_| path.is_empty() || path.ends_with("::")) else {
        return vec![path.trim_end_matches(':').to_owned()];
    };
    let (mut depth, mut begin, mut paths) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let branch = inner[begin..at].trim();
                if !branch.is_empty() {
                    paths.extend(expand(branch).into_iter().map(|branch| format!("{path}{branch}")));
                }
                begin = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    paths
}

/// Everything of ours that a piece of code names.
fn used(code: &str) -> Vec<String> {
    let starts = code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with('$'));
    starts.flat_map(|(at, name)| expand(&code[at + name.len()..])).collect()
}

fn is_within(path: &str, of: &str) -> bool {
    path == of || path.strip_prefix(of).is_some_and(|rest| rest.starts_with("::"))
}

#[track_caller]
fn no_complaints(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn a_use_tree_is_read_to_its_leaves() {
    let code = "use crate::{\n a::{b, c::{d, e}},\n f,\n};\nlet x = crate::g::h(1); pub(in crate::i) fn y() {}";
    assert_eq!(used(code), ["a::b", "a::c::d", "a::c::e", "f", "g::h", "i"]);
}

#[test]
fn folders_use_only_what_the_table_allows() {
    let mut complaints = Vec::new();
    for file in sources() {
        let Some((folder, _)) = file.trim_start_matches("src/").split_once('/') else { continue };
        if ["app", "commands"].contains(&folder) {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == folder) else {
            complaints
                .push(format!("{file}: the folder {folder} is not in the table of who may use whom (tests/tidy.rs)"));
            continue;
        };
        for path in used(&code(&file)) {
            if !is_within(&path, folder) && !allowed.iter().any(|allowed| is_within(&path, allowed)) {
                complaints.push(format!("{file}: {folder} may not use crate::{path}; it may use {allowed:?}"));
            }
        }
    }
    no_complaints(complaints);
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    let silent = sources().into_iter().filter(|file| !read(file).starts_with("//! "));
    no_complaints(silent.map(|file| format!("{file}: does not begin with a //! line")).collect());
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let lengths = sources().into_iter().map(|file| (read(&file).lines().count(), file));
    let long = lengths.filter(|(lines, _)| *lines > LINES_MAX);
    let complaints =
        long.map(|(lines, file)| format!("{file}: {lines} lines; above {LINES_MAX} it has a second reason"));
    no_complaints(complaints.collect());
}

#[test]
fn only_actors_hold_addresses_of_actors() {
    let mut complaints = Vec::new();
    for file in sources() {
        let is_allowed = ["src/actors/", "src/app/"].iter().any(|place| file.starts_with(place));
        if !is_allowed && code(&file).contains("Addr<") {
            complaints.push(format!("{file}: Addr< outside src/actors/ and src/app; others hold handles"));
        }
    }
    no_complaints(complaints);
}

#[test]
fn every_do_send_says_why_losing_the_message_is_fine() {
    let mut complaints = Vec::new();
    for file in sources() {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let excused = lines[at.saturating_sub(10)..at].iter().any(|line| line.contains("#[expect("));
            if line.contains(".do_send(") && !line.trim_start().starts_with("//") && !excused {
                complaints.push(format!("{file}:{}: do_send without an #[expect(.., reason)] above it", at + 1));
            }
        }
    }
    no_complaints(complaints);
}

#[test]
fn every_template_is_used() {
    let templates: Vec<String> = files("templates").into_iter().filter(|file| file.ends_with(".html")).collect();
    assert!(!templates.is_empty(), "templates/: there are no templates");
    let users: Vec<(String, String)> =
        sources().into_iter().chain(templates.iter().cloned()).map(|file| (read(&file), file)).collect();
    let unused = templates.iter().filter(|template| {
        let name = template.trim_start_matches("templates/");
        let stem = name.trim_end_matches(".html");
        let named = |text: &str| text.contains(&format!("\"{name}\"")) || text.contains(&format!("\"{stem}\""));
        // A file of components is named by what it defines.
        let text = read(template);
        let components: Vec<&str> = text
            .match_indices("component ")
            .filter(|(at, _)| text[..*at].ends_with("{% "))
            .filter_map(|(at, word)| text[at + word.len()..].split(['(', ' ']).next())
            .collect();
        let drawn = |text: &str| components.iter().any(|component| text.contains(&format!("<{component} ")));
        !users.iter().any(|(text, user)| user != *template && (named(text) || drawn(text)))
    });
    no_complaints(unused.map(|file| format!("{file}: no page and no template names it")).collect());
}

#[test]
fn every_setting_is_in_the_readme() {
    let config: String = files("src/config").iter().map(|file| code(file)).collect();
    let readme = read("README.md");
    let names = config.match_indices("\"BLM_").map(|(at, _)| {
        let name = &config[at + 1..];
        &name[..name.find('"').unwrap_or(name.len())]
    });
    let mut missing: Vec<&str> =
        names.filter(|name| *name != "BLM_" && !readme.contains(&format!("`{name}`"))).collect();
    missing.sort_unstable();
    missing.dedup();
    no_complaints(
        missing.iter().map(|name| format!("README.md: the setting `{name}` of src/config is missing")).collect(),
    );
}

/// A README's headings, as far as both languages share them, and the commands in its blocks and in its text.
fn headings_and_commands(text: &str) -> (Vec<String>, Vec<String>, BTreeSet<String>) {
    let mut in_block = false;
    let (mut headings, mut blocks) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            blocks.push(line.to_owned());
        } else if line.starts_with('#') {
            headings.push(line.split(" · ").next().unwrap_or(line).to_owned());
        }
    }
    let spans = text.split('`').skip(1).step_by(2);
    let commands = spans.filter_map(|span| span.strip_prefix("bilibili-live-monitor ")).map(str::to_owned);
    (headings, blocks, commands.collect())
}

#[test]
fn both_languages_of_the_readme_have_the_same_headings_and_commands() {
    let [english, chinese] = ["README.md", "docs/README.zh-CN.md"].map(|file| headings_and_commands(&read(file)));
    assert_eq!(english.0, chinese.0, "headings: in Chinese they go on after ` · `");
    assert_eq!(english.1, chinese.1, "what stands in code blocks");
    assert_eq!(english.2, chinese.2, "commands of the program");
}

#[test]
fn what_is_fuzzed_has_all_the_crates_that_it_uses() {
    let fuzzed: String = sources()
        .iter()
        .filter(|file| ["src/domain/", "src/protocol/"].iter().any(|of| file.starts_with(of)))
        .map(|file| code(file))
        .collect();
    let manifest = read("Cargo.toml");
    let names = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let names = names.take_while(|line| !line.starts_with('[')).filter_map(|line| Some(line.split_once(" = ")?.0));
    let fuzz = read("fuzz/Cargo.toml");
    let missing = names.filter(|name| {
        let path = format!("{}::", name.replace('-', "_"));
        let is_used = fuzzed
            .match_indices(&path)
            .any(|(at, _)| !fuzzed[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)));
        is_used && !fuzz.contains(&format!("\n{name} = "))
    });
    no_complaints(
        missing.map(|name| format!("fuzz/Cargo.toml: {name} is missing, which what is fuzzed uses")).collect(),
    );
}

#[test]
fn every_migration_can_be_undone() {
    let ups: Vec<String> = files("migrations").into_iter().filter(|file| file.ends_with("/up.sql")).collect();
    assert!(!ups.is_empty(), "migrations/: there are no migrations");
    let lacking = ups.iter().filter(|up| {
        let down = root().join(up.replace("/up.sql", "/down.sql"));
        fs::read_to_string(down).map_or(true, |text| text.trim().is_empty())
    });
    no_complaints(lacking.map(|up| format!("{up}: has no down.sql beside it, or an empty one")).collect());
}

#[test]
fn no_registry_is_named_outside_the_lock_file() {
    // In two parts each, so that this file does not name them.
    let hosts = [
        concat!("index.crates", ".io"),
        concat!("static.crates", ".io"),
        concat!("crates", ".io-index"),
        concat!("registry.npm", "js.org"),
        concat!("registry.npm", "js.com"),
    ];
    let mut complaints = Vec::new();
    for file in files("").into_iter().filter(|file| !file.ends_with("Cargo.lock")) {
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        for host in hosts.iter().filter(|host| text.contains(*host)) {
            complaints.push(format!("{file}: names the registry host {host}; whoever builds chooses the registry"));
        }
    }
    no_complaints(complaints);
}
