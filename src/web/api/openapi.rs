//! The description of the API, generated from the handlers: `/live/api/openapi.json`.
//!
//! Each handler carries its own path, parameters and answers; here stand the pieces that several share and
//! the refusals that any call may answer with. Field by field, answers are described in [`schema`].
//! A test holds the description and the routes to each other.

pub mod schema;

use std::sync::LazyLock;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};
use utoipa::{
    IntoParams, Modify, OpenApi, ToSchema,
    openapi::{
        Components, Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder,
        path::{Operation, Parameter, PathItem},
        schema::{Schema, Type},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::{control, events, export, rooms, system, trend};
use crate::web::{Site, accounts, diagnostics, room_list, socket, storage};

/// The API of this program.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bilibili Live Monitor",
        description = "Answers are {\"success\":true,\"data\":…} or {\"success\":false,\"error\":…,\"code\":…}. Times are unix ms \
                       or ISO 8601 (China's where no zone is given), money is gold (1000 = CNY 1) or CNY with two \
                       decimals. What is unknown is absent. Paths work with and without the last slash."
    ),
    paths(
        rooms::list, rooms::system_stats, rooms::stats, rooms::batch,
        events::danmaku, events::gifts, events::super_chats, events::guards, events::browser,
        trend::trend, trend::gaps, export::of_room, export::of_all,
        system::health, system::live_store, system::ledger, socket::server_sent, file,
        control::add, control::remove, control::pause, control::resume, control::restart, control::reconnect_all, control::sync, room_list::by_call,
        storage::cleanup, diagnostics::by_call,
        accounts::list, accounts::begin, accounts::follow, accounts::remove, accounts::priority
    ),
    components(schemas(Refused, schema::Event)),
    modifiers(&Everywhere),
    tags(
        (name = "rooms", description = "What is monitored, with totals from the stored history"),
        (name = "history", description = "What was received"),
        (name = "push", description = "What is happening"),
        (name = "system", description = "The program itself"),
        (name = "admin", description = "Changes; the session cookie with its token, or a bearer token")
    )
)]
struct Description;

/// What was asked for, in the envelope.
#[derive(ToSchema)]
pub struct Answer<T> {
    /// True.
    pub success: bool,
    /// What was asked for.
    pub data: T,
}

/// Why it was not done.
#[derive(ToSchema)]
pub struct Refused {
    /// False.
    pub success: bool,
    /// For a person.
    pub error: String,
    /// For a program.
    pub code: String,
}

/// Which room.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct Room {
    /// The long id.
    pub room: u64,
}

/// How many.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Limit {
    /// 50 when absent; more than 1000 counts as 1000.
    #[param(minimum = 1)]
    pub limit: Option<u64>,
}

/// Which stretch, and how much of it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// 50 when absent; more than 1000 counts as 1000.
    #[param(minimum = 1)]
    pub limit: Option<u64>,
    /// Only what is older: unix ms, ISO 8601, or the cursor of the answer before.
    pub before: Option<String>,
    /// Only what is newer: the same.
    pub since: Option<String>,
    /// The cursor of the answer before; the same as `before`.
    pub cursor: Option<String>,
}

/// Which events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Find {
    /// With this text in the message, the gift's name or the user's name.
    pub q: Option<String>,
    /// By this user.
    pub uid: Option<u64>,
}

/// Which rooms, in which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RoomList {
    /// `all`, `live` or `offline`.
    pub status: Option<String>,
    /// `danmaku`, `gifts`, `income` or `updated`.
    pub sort: Option<String>,
    /// 50 when absent; more than 1000 counts as 1000.
    #[param(minimum = 1)]
    pub limit: Option<u64>,
    /// The cursor of the answer before.
    pub cursor: Option<String>,
}

/// Which stretch of time the coverage is of.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Stretch {
    /// Begin: unix ms or ISO 8601; 24 hours before the end when absent.
    pub from: Option<String>,
    /// End, excluded; now when absent.
    pub to: Option<String>,
}

/// Which stretch, cut how.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Trend {
    /// Begin: unix ms or ISO 8601.
    pub from: Option<String>,
    /// End, excluded; now when absent.
    pub to: Option<String>,
    /// `minute`, `hour` or `day`.
    pub step: Option<String>,
}

/// What is copied, and how.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Export {
    /// `csv`, `ndjson`, `xlsx` or `xml`.
    pub format: Option<String>,
    /// `danmaku`, `gift`, `super_chat`, `guard`, several with commas; all when absent.
    pub kinds: Option<String>,
    /// Begin: unix ms or ISO 8601.
    pub from: Option<String>,
    /// End, excluded.
    pub to: Option<String>,
    /// CSV begins with a byte order mark, by which Excel knows that it is UTF-8.
    pub bom: Option<bool>,
    /// With this text in the message, the gift's name or the user's name.
    pub q: Option<String>,
    /// By this user.
    pub uid: Option<u64>,
}

/// Whether the history goes, too.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Erase {
    /// True: the history is deleted.
    pub erase: Option<bool>,
}

/// What is pushed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Push {
    /// `all`, or numbers with commas.
    pub rooms: Option<String>,
    /// Kinds of events with commas; all when absent.
    pub kinds: Option<String>,
    /// The cursor after which to go on.
    pub after: Option<String>,
}

/// Adds to every operation what any call may answer, and names the ways to sign in.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_with(Components::default);
        let header = |name: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(name)));
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::web::auth::SESSION_COOKIE))),
        );
        components.add_security_scheme("csrf", header(crate::web::auth::TOKEN_HEADER));
        for (path, item) in &mut api.paths.paths {
            for operation in operations_mut(item) {
                refusals(path, operation);
                for parameter in operation.parameters.iter_mut().flatten() {
                    if let RefOr::T(parameter) = parameter {
                        sharpen(parameter);
                    }
                }
            }
        }
    }
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// A moment: unix ms, ISO 8601, the cursor of an answer, or nothing, as if it were absent. Not quite all that is read (`params`), and nothing that is not.
const MOMENT: &str = "^(|[0-9]{1,14}|(19[89][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])\
    (T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-]0[0-9]:00)?)?|0[0-6][0-9A-HJKMNP-TV-Z]{24})$";

/// Says of a parameter what is read there, where its type does not.
fn sharpen(parameter: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else { return };
    let one_of: &[&str] = match parameter.name.as_str() {
        "from" | "to" | "before" | "since" | "cursor" => {
            (schema.schema_type, schema.pattern) = (Type::String.into(), Some(MOMENT.to_owned()));
            return;
        }
        "status" => &["all", "live", "offline"],
        "sort" => &["danmaku", "gifts", "income", "updated"],
        "step" => &["minute", "hour", "day"],
        "format" => &["csv", "ndjson", "xlsx", "xml"],
        _ => return,
    };
    schema.schema_type = Type::String.into();
    // Nothing is as if the parameter were absent.
    schema.enum_values = Some(one_of.iter().chain(&[""]).map(|value| json!(value)).collect());
}

fn refusals(path: &str, operation: &mut Operation) {
    let writes = operation.security.is_some();
    let asks_bilibili = writes && (operation.request_body.is_some() || path.ends_with("/login/"));
    let all = [
        ("400", "Something of the request cannot be understood", true),
        ("401", "Nobody is signed in", writes),
        ("403", "Made by a page of another site, without the form's token, or hidden from the public", true),
        ("404", "There is no such room", path.contains("{room}") || writes),
        ("413", "The body is too long", operation.request_body.is_some()),
        ("422", "The room cannot be monitored", writes && operation.request_body.is_some()),
        ("429", "Too many requests from this address; Retry-After says when", true),
        ("500", "Something failed inside; the log says why", true),
        ("502", "Bilibili could not be asked", asks_bilibili),
        ("503", "Busy or stopping; Retry-After says when", true),
    ];
    for (status, why, _) in all.into_iter().filter(|(_, _, may)| *may) {
        let known = &mut operation.responses.responses;
        known.entry(status.to_owned()).or_insert_with(|| RefOr::T(refusal(why)));
    }
}

fn refusal(why: &str) -> Response {
    let content: Content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Refused"))).build();
    ResponseBuilder::new().description(why).content("application/json", content).build()
}

/// The description as JSON, for a site at its root.
pub fn description() -> &'static Value {
    static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| json!(Description::openapi()));
    &DESCRIPTION
}

/// GET `/openapi.json`.
#[utoipa::path(
    get, path = "/live/api/openapi.json", tag = "system", operation_id = "openapi",
    summary = "This description", responses((status = 200, description = "OpenAPI 3.1", body = schema::Anything))
)]
pub async fn file(site: web::Data<Site>) -> HttpResponse {
    let mut description = description().clone();
    let base = &site.web.options.base_path;
    description["servers"] = json!([{"url": if base.is_empty() { "/" } else { base }}]);
    HttpResponse::Ok().insert_header(("Cache-Control", "no-cache")).json(description)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_and_every_description_has_a_route() {
        let source = include_str!("../api.rs");
        let routes: BTreeSet<String> = source
            .split("call(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .map(|path| format!("/live/api{path}"))
            .collect();
        let described: BTreeSet<String> = description()["paths"].as_object().expect("paths").keys().cloned().collect();
        assert!(routes.len() > 20, "{routes:?}");
        assert_eq!(routes, described, "name a handler's path with #[utoipa::path] and in `paths` above");
    }

    #[test]
    fn every_operation_says_what_it_answers_and_every_reference_leads_somewhere() {
        let all = description();
        let text = all.to_string();
        for name in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(all["components"]["schemas"].get(name).is_some(), "{name} is referred to and not described");
        }
        for (path, item) in all["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let said = |field: &str| operation[field].as_str().is_some_and(|text| !text.is_empty());
                assert!(said("summary") && said("operationId"), "{method} {path}");
                assert!(operation["responses"].as_object().is_some_and(|answers| answers.len() > 3), "{method} {path}");
            }
        }
    }
}
