//! The served description against what is served: every reading call answers as it is described, field by field.

use serde_json::Value;

use crate::support::{
    eventually,
    fake::{FakeBilibili, Room},
    monitor::Setup,
    packet::Packing,
    same,
    story::Story,
};

const ROOM: u64 = 92_006_301;

/// What of `value` is not as `schema` says.
fn differences(all: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return differences(all, &all["components"]["schemas"][name], value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let found: Vec<Vec<String>> = choices.iter().map(|one| differences(all, one, value, at)).collect();
        return found.into_iter().min_by_key(Vec::len).unwrap_or_default();
    }
    let is_a = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => value.is_null(),
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return Vec::new(),
    };
    if !types.iter().any(|name| is_a(name)) {
        return vec![format!("{at} is {value}, not {types:?}")];
    }
    let mut wrong = Vec::new();
    if let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let missing = required.iter().filter_map(Value::as_str).filter(|name| !fields.contains_key(*name));
        wrong.extend(missing.map(|name| format!("{at}.{name} is missing")));
        for (name, field) in fields {
            match known.get(name) {
                Some(schema) => wrong.extend(differences(all, schema, field, &format!("{at}.{name}"))),
                None => wrong.push(format!("{at}.{name} is not described")),
            }
        }
    } else if let (Some(fields), true) = (value.as_object(), schema["additionalProperties"].is_object()) {
        for (name, field) in fields {
            wrong.extend(differences(all, &schema["additionalProperties"], field, &format!("{at}.{name}")));
        }
    } else if let Some(items) = value.as_array() {
        let items = items.iter().enumerate();
        wrong.extend(items.flat_map(|(n, item)| differences(all, &schema["items"], item, &format!("{at}[{n}]"))));
    }
    wrong
}

#[tokio::test]
async fn every_reading_call_answers_as_it_is_described() {
    let room = Room::new(ROOM, Packing::Plain);
    let fake = FakeBilibili::start([room.clone()]);
    let monitor = Setup::watching(&fake, &[ROOM]).start().await;
    fake.wait_for(&[ROOM], 1).await;
    let story = Story::of(&room, 2);
    fake.send(ROOM, &story.messages);
    eventually("the evening is stored", async || {
        same(monitor.rows("id", "live_data_guard").len(), story.outcome.guards.len())?;
        same(monitor.rows("id", "live_data_danmakudata").len(), story.outcome.danmaku.len())
    })
    .await;
    let (_, api) = monitor.fetch("/live/api/openapi.json").await;
    assert!(api["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{api}");
    let (mut asked, mut wrong) = (0, Vec::new());
    for (path, item) in api["paths"].as_object().expect("paths") {
        let answers = &item["get"]["responses"];
        let schema = &answers["200"]["content"]["application/json"]["schema"];
        for room in [ROOM.to_string(), "1".to_owned(), "x".to_owned()] {
            if schema.is_null() || (room != ROOM.to_string() && !path.contains("{room}")) {
                continue;
            }
            let path = path.replace("{room}", &room);
            let (status, said) = monitor.fetch(&path).await;
            let schema = &answers[status.to_string()]["content"]["application/json"]["schema"];
            if schema.is_null() {
                wrong.push(format!("{path} answers {status}, which is not described"));
            }
            wrong.extend(differences(&api, schema, &said, &path));
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked} calls were asked");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // The same for people, without scripts and without anything from elsewhere.
    let page = monitor.page("/live/api/").await;
    for part in ["/live/api/room/{room}/trend/", "has_more", "Retry-After"] {
        assert!(page.contains(part), "the reference does not mention {part}");
    }
}
