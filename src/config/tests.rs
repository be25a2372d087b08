//! What is accepted, what beats what, and what a refusal says.

use std::fs;

use super::*;

fn settings(args: &[&str], file: Option<(&str, &str)>) -> Result<Settings, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut line = vec!["bilibili-live-monitor".to_owned()];
    line.extend(args.iter().map(|arg| (*arg).to_owned()));
    if let Some((name, text)) = file {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        line.extend(["--config".to_owned(), path.to_string_lossy().into_owned()]);
    }
    let cli = Cli::try_parse_from(line).map_err(|error| error.to_string())?;
    match plan_from(cli, &folder.path().join("absent.toml")).map_err(|error| error.to_string())? {
        Plan::Run(settings) => Ok(*settings),
        _ => Err("not a run".into()),
    }
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let settings = settings(&[], None).expect("settles");
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(settings.database, Path::new("data/live.db"));
    assert!(settings.redis.is_none() && settings.rooms.is_empty());
}

#[test]
fn bilibili_is_met_far_below_what_it_has_punished() {
    let settings = settings(&[], None).expect("settles");
    // 96 reconnects in 32 s brought -352 for a whole account.
    assert!(settings.connects_per_second * 32.0 <= 96.0 / 2.0, "{}", settings.connects_per_second);
}

#[test]
fn the_command_line_beats_the_file_and_the_file_the_default() {
    let file = "listen = \"127.0.0.1:1\"\ndata_dir = \"d\"\nrooms = [76, \"https://live.bilibili.com/21452505\"]\n";
    let settings = settings(&["--listen", "127.0.0.1:2"], Some(("c.toml", file))).expect("settles");
    assert_eq!(settings.listen.port(), 2);
    assert_eq!(settings.database, Path::new("d/live.db"));
    assert_eq!(settings.rooms, [RoomRef(76), RoomRef(21452505)]);
}

#[test]
fn the_original_json_is_accepted() {
    let file = r#"{"room_ids": [1962481108, 1982728080], "settings": {"collect_interval": 5}}"#;
    let settings = settings(&[], Some(("custom_config.json", file))).expect("settles");
    assert_eq!(settings.rooms, [RoomRef(1962481108), RoomRef(1982728080)]);
}

#[test]
fn what_is_wrong_is_named_with_what_is_accepted() {
    type Case<'a> = (&'a [&'a str], Option<(&'a str, &'a str)>, &'a [&'a str]);
    let cases: [Case; 9] = [
        (&[], Some(("c.toml", "lisen = \"x\"")), &["lisen", "listen"]),
        (&[], Some(("c.json", r#"{"lisen": "x"}"#)), &["lisen", "listen"]),
        (&[], Some(("c.toml", "listen = \"nowhere\"")), &["listen"]),
        (&[], Some(("c.toml", "rooms = [\"abc\"]")), &["abc", "live.bilibili.com"]),
        (&["--rooms", "76,abc"], None, &["abc", "--rooms"]),
        (&["--redis", "http://localhost"], None, &["redis", "rediss://"]),
        (&["--database", "mysql://x"], None, &["mysql://x", "sqlite://"]),
        (&["--upstream", "ftp://x"], None, &["ftp://x", "http://"]),
        (&["--connects-per-second", "0"], None, &["connects_per_second", "0.01"]),
    ];
    for (args, file, expected) in cases {
        let error = settings(args, file).expect_err("refused");
        for part in expected {
            assert!(error.contains(part), "{args:?} {file:?}: {error:?} does not name {part}");
        }
    }
}

#[test]
fn a_misspelt_variable_is_refused() {
    let refused = |name: &str| refuse_unknown_variables([name.to_owned()].into_iter()).is_err();
    assert!(refused("BLM_LISTNE"));
    assert!(!refused("BLM_LISTEN") && !refused("BLM_ADMIN_PASSWORD") && !refused("HOME"));
}

#[test]
fn the_settings_are_shown_without_secrets() {
    let args = ["--redis", "redis://user:hunter2@localhost:6379/0", "--upstream", "http://me:hunter3@localhost:1/"];
    let mut settings = settings(&args, None).expect("settles");
    settings.admin_password = Some(Secret("hunter4".into()));
    settings.admin_token = Some(Secret("hunter5".into()));
    let shown: Vec<String> = settings.shown().into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let shown = shown.join("\n");
    for line in [
        "redis: redis://…@localhost:6379/0",
        "listen: 127.0.0.1:8000",
        "BLM_ADMIN_TOKEN: set",
        "keep-chat-days: 0: for ever",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn every_option_of_run_is_among_the_settings_that_are_shown() {
    let shown: BTreeSet<&str> =
        settings(&[], None).expect("settles").shown().into_iter().map(|(name, _)| name).collect();
    // Where settings come from is none; the original's switches are names of a role.
    let others = ["config", "web-only", "collector-only"];
    let command = Cli::command();
    let run = command.find_subcommand("run").expect("a command");
    let options = run.get_arguments().filter_map(|arg| arg.get_long()).filter(|name| !others.contains(name));
    let missing: Vec<&str> = options.filter(|name| !shown.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn faults_that_are_no_plan_stop_the_start() {
    let refused = arm_faults(Some("room-decode:1:burn".into())).expect_err("refused").to_string();
    assert!(refused.contains("BLM_FAULTS") && refused.contains("burn"), "{refused}");
    assert!(arm_faults(None).is_ok());
}
