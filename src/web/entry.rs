//! What happens to every request before it reaches its handler.
//!
//! The base path of a reverse proxy is taken off, so that routes are the same with and without it, who asks
//! is read once, and whoever asks too much is told to wait. Nothing here knows what is asked for.

use actix_web::{
    Error, HttpMessage, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, Uri, header},
    middleware::Next,
    web::Data,
};

use super::{Site, pages, visitor::Visitor};

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
    Ok(next.call(request).await?.map_into_left_body())
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
