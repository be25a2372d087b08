//! What happens to every request before it reaches its handler.
//!
//! The base path of a reverse proxy is taken off, so that routes are the same with and without it, who asks
//! is read once, whoever asks too much is told to wait, and what somebody was admitted to change is noted in
//! the audit log: for every write there is and will be, because nothing here knows what is asked for.

use actix_web::{
    Error, HttpMessage, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, Uri, header},
    middleware::Next,
    web::Data,
};

use super::{Site, pages, visitor::Visitor};
use crate::{store::access::AuditEntry, supervise::vitals::unix_ms};

/// The first step of every request.
pub async fn enter(
    site: Data<Site>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if let Some(uri) = below(&site.web.options.base_path, request.uri()) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    let visitor = Visitor::read(request.peer_addr(), request.headers(), &site.web.options.trusted_proxies);
    let paced = site.pace.take(visitor.address, request.path(), request.query_string());
    let from = visitor.address;
    request.extensions_mut().insert(visitor);
    if let Err(refusal) = paced {
        let (request, _) = request.into_parts();
        let answer = if request.path().starts_with("/live/api") {
            refusal.error_response()
        } else {
            site.views.refusal(&pages::frame(&request, &site), &refusal)
        };
        return Ok(ServiceResponse::new(request, answer).map_into_right_body());
    }
    // Before the handler: signing out makes a stranger of whoever did it.
    let actor = writer(&site, &request);
    let answer = next.call(request).await?;
    if let Some(actor) = actor {
        let entry = AuditEntry {
            at_ms: unix_ms(),
            actor,
            address: from.to_string(),
            action: format!("{} {}", answer.request().method(), answer.request().path()),
            status: i64::from(answer.status().as_u16()),
            detail: detail(&answer),
        };
        // That it cannot be noted is in the log of the program, and no reason to undo what was done.
        let _ = site.ask("writing the audit log", move |database| database.note_write(&entry)).await;
    }
    Ok(answer.map_into_left_body())
}

/// Who is about to change something; none for readers, and for those who are not known.
fn writer(site: &Site, request: &ServiceRequest) -> Option<String> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let asks =
        ["/batch/rooms/stats", "/rooms/preview"].iter().any(|end| request.path().trim_end_matches('/').ends_with(end));
    if reads || asks { None } else { site.web.auth.actor(request.request()) }
}

/// What came of a write, as far as the target of the answer says.
fn detail(answer: &ServiceResponse<impl MessageBody>) -> String {
    let target = answer.headers().get(header::LOCATION).and_then(|target| target.to_str().ok()).unwrap_or_default();
    let said = target.rsplit_once('?').map_or(target, |(_, said)| said);
    said.strip_prefix("done=").unwrap_or(said).replace("&n=", " ")
}

/// The address without the base path; none when it does not begin with it, as behind a proxy that takes it off.
fn below(base: &str, uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(base).filter(|_| !base.is_empty())?;
    let path = match rest.chars().next() {
        Some('/') => rest.to_owned(),
        None | Some('?') => format!("/{rest}"),
        Some(_) => return None,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// A redirect within the site, wherever it is mounted.
pub fn see(site: &Site, status: StatusCode, path: &str) -> actix_web::HttpResponseBuilder {
    let mut answer = actix_web::HttpResponse::build(status);
    answer.insert_header((header::LOCATION, format!("{}{path}", site.web.options.base_path)));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_is_taken_off_where_it_stands() {
        for (base, asked, expected) in [
            ("", "/live/", None),
            ("/bili", "/live/?a=/bili", None),
            ("/bili", "/bili/live/?a=1", Some("/live/?a=1")),
            ("/bili", "/bili", Some("/")),
            ("/bili", "/bili?lang=en", Some("/?lang=en")),
            ("/bili", "/bilibili/live/", None),
            ("/a/b", "/a/b/static/x.css", Some("/static/x.css")),
        ] {
            let found = below(base, &asked.parse().expect("an address"));
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), expected, "{base:?} {asked}");
        }
    }
}
