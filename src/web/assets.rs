//! Files for browsers: our own from `static/`, the libraries that `build.rs` took from npm.
//!
//! Everything comes from inside the program; nothing is fetched from elsewhere at run time. Addresses
//! made by [`address`] carry the file's hash, so those may be cached for ever; without it a browser asks
//! again and gets 304.

use std::borrow::Cow;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::error::Refusal;

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/vendor"]
struct Vendor;

#[derive(RustEmbed)]
#[folder = "static"]
struct Own;

/// What may be served: `static/` also holds npm's manifest and lock.
const SERVED: [&str; 4] = [".css", ".js", ".svg", ".png"];

fn find(path: &str) -> Option<EmbeddedFile> {
    if !SERVED.iter().any(|ending| path.ends_with(ending)) || path.contains("..") {
        return None;
    }
    match path.strip_prefix("vendor/") {
        Some(name) => Vendor::get(name),
        None => Own::get(path),
    }
}

fn tag(file: &EmbeddedFile) -> String {
    file.metadata.sha256_hash().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The address of a file, with its hash.
pub fn address(path: &str) -> String {
    match find(path) {
        Some(file) => format!("/static/{path}?v={}", tag(&file)),
        None => format!("/static/{path}"),
    }
}

/// Answers with a file.
pub async fn file(request: HttpRequest, path: web::Path<String>) -> Result<HttpResponse, Refusal> {
    let file = find(&path).ok_or_else(Refusal::not_found)?;
    let tag = tag(&file);
    let etag = format!("\"{tag}\"");
    let known = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let forever = request.query_string() == format!("v={tag}");
    let caching = if forever { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut answer =
        if known("if-none-match").contains(&etag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer
        .insert_header((header::ETAG, etag.clone()))
        .insert_header((header::CACHE_CONTROL, caching))
        .insert_header((header::CONTENT_TYPE, content_type(&path)));
    if known("if-none-match").contains(&etag) {
        return Ok(answer.finish());
    }
    Ok(match file.data {
        Cow::Borrowed(bytes) => answer.body(bytes),
        Cow::Owned(bytes) => answer.body(bytes),
    })
}

/// The icon of the site, at the place where browsers look without being told.
pub async fn favicon(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    file(request, web::Path::from("favicon.svg".to_owned())).await
}

fn content_type(path: &str) -> String {
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    match mime.type_() {
        mime_guess::mime::TEXT => format!("{mime}; charset=utf-8"),
        _ => mime.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_for_browsers_are_found() {
        for path in ["style.css", "live.js", "icons.svg", "vendor/bootstrap.min.css", "vendor/chart.umd.js"] {
            assert!(find(path).is_some(), "{path}");
        }
        for path in ["package.json", "package-lock.json", ".npmrc", "../Cargo.toml", "vendor/../style.css", ""] {
            assert!(find(path).is_none(), "{path}");
        }
    }
}
