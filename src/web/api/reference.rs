//! `/live/api/`: the description for people, drawn by the server from the same source, without scripts.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::openapi::description;
use crate::web::{Site, pages};

/// `/live/api/`.
pub async fn page(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    pages::answer(&request, &site, "api.html", async { Ok(values()) }).await
}

fn values() -> Value {
    let all = description();
    let groups = items(&all["tags"]).map(|tag| {
        let calls: Vec<Value> = calls(all).filter(|call| call["tag"] == tag["name"]).collect();
        json!({"name": tag["name"], "text": tag["description"], "calls": calls})
    });
    let schemas = all["components"]["schemas"].as_object().into_iter().flatten();
    let schemas = schemas.filter(|(name, _)| !name.starts_with("Answer_")).map(|(name, schema)| {
        let needed: Vec<&str> = items(&schema["required"]).filter_map(Value::as_str).collect();
        let fields = schema["properties"].as_object().into_iter().flatten();
        let fields: Vec<Value> = fields
            .map(|(field, what)| {
                json!({"name": field, "type": type_of(what), "text": what["description"].as_str().unwrap_or_default(),
                    "needed": needed.contains(&field.as_str())})
            })
            .collect();
        json!({"name": name, "text": schema["description"].as_str().unwrap_or_default(), "fields": fields})
    });
    json!({
        "section": "api", "title": all["info"]["title"], "about": all["info"]["description"],
        "groups": groups.collect::<Vec<_>>(), "schemas": schemas.collect::<Vec<_>>(),
    })
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn calls(all: &Value) -> impl Iterator<Item = Value> + '_ {
    let paths = all["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let operations = item.as_object().into_iter().flatten();
        operations.map(move |(method, operation)| call(path, method, operation))
    })
}

fn call(path: &str, method: &str, operation: &Value) -> Value {
    let params: Vec<Value> = items(&operation["parameters"])
        .map(|param| {
            json!({"name": param["name"], "in": param["in"], "type": type_of(&param["schema"]),
                "text": param["description"].as_str().unwrap_or_default()})
        })
        .collect();
    let answers: Vec<Value> = operation["responses"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(status, answer)| {
            let contents = answer["content"].as_object().into_iter().flatten();
            let types: Vec<String> = contents
                .map(|(media, content)| match type_of(&content["schema"]).as_str() {
                    "string" | "" => media.clone(),
                    name => name.to_owned(),
                })
                .collect();
            json!({"status": status, "text": answer["description"], "types": types.join(", ")})
        })
        .collect();
    let body = operation["requestBody"]["content"].as_object().and_then(|contents| {
        let (media, content) = contents.iter().next()?;
        Some(json!({"media": media, "type": type_of(&content["schema"])}))
    });
    json!({
        "tag": operation["tags"][0], "id": operation["operationId"], "method": method.to_uppercase(), "path": path,
        "summary": operation["summary"], "params": params, "answers": answers, "body": body,
        "signed_in": operation.get("security").is_some(),
    })
}

/// A schema in a word: `string`, `Room[]`, `Answer of RoomsPage`.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return name.replacen("Answer_", "Answer of ", 1);
    }
    if let Some(first) = items(&schema["oneOf"]).find(|one| one["type"] != "null") {
        return type_of(first);
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("{}[]", type_of(&schema["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect(),
        _ => String::new(),
    }
}
