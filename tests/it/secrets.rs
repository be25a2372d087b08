//! What must stay secret does, also in the most talkative log. (An account's secrets: `accounts`.)

use reqwest::Method;
use serde_json::json;

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room},
    monitor::{PASSWORD, Setup, TOKEN},
    packet::Packing,
    platform::{CODE, SECRET, write_keys},
    same, shown,
};

#[tokio::test]
async fn tokens_keys_codes_and_passwords_are_in_no_log_page_answer_or_file() {
    let rooms = [92_000_701, 92_000_702].map(|id| Room::new(id, Packing::Zlib));
    let ids = [rooms[0].room_id, rooms[1].room_id];
    let fake = FakeBilibili::start(rooms);
    let setup = Setup::watching(&fake, &ids).with(&["--log", "trace"]);
    // The fake's platform has one streamer: that of the first room.
    write_keys(&setup, &format!("{} = \"{CODE}\"\n", ids[0]), 0o600);
    let monitor = setup.start().await;
    fake.wait_for(&ids, 1).await;
    // Whatever is said about refused tokens and sessions is said.
    fake.refuse_tokens(2);
    ids.iter().for_each(|id| fake.drop_connections(*id));
    fake.wait_for(&ids, 2).await;
    let (status, _) = monitor.administrate(Method::POST, "/live/api/admin/sync/", json!({})).await;
    assert_eq!(status, 200);
    eventually("both are live again", async || {
        let state = async |id: u64| monitor.room(id).await.unwrap_or_default()["state"].clone();
        same((state(ids[0]).await, state(ids[1]).await), (json!("live"), json!("live")))
    })
    .await;

    let shown = shown::everything(&monitor, &ids).await;
    assert!(shown.contains("TRACE"), "the log is as talkative as it can be");
    let tokens = fake.tokens();
    assert!(tokens.len() >= 2, "{} tokens were given out", tokens.len());
    for secret in tokens.iter().map(String::as_str).chain([SECRET, CODE, PASSWORD, TOKEN]) {
        shown::has_no(&shown, secret);
    }
}
