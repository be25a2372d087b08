//! Reads what a call says about itself and about who makes it: parameters, cookies, user agent, signature.

use actix_web::{
    HttpRequest,
    http::header::{COOKIE, USER_AGENT},
};

use super::{
    accounts::Login,
    world::{World, lock, now_ms},
};

/// How old a signature may be, seconds.
const SIGNED_WITHIN: u64 = 300;

/// Signed with the keys of `nav`, not long ago.
pub(super) fn is_signed(request: &HttpRequest, world: &World) -> bool {
    let now = now_ms().unsigned_abs() / 1000;
    let fresh = number(request, "wts").is_some_and(|wts| wts.abs_diff(now) <= SIGNED_WITHIN);
    fresh && lock(&world.page_keys).accept(request.query_string())
}

/// Sent by a browser, as far as it says.
pub(super) fn is_browser(request: &HttpRequest) -> bool {
    let user_agent = user_agent(request);
    let robot = ["curl", "python", "bot", "Headless"].iter().any(|word| user_agent.contains(word));
    user_agent.starts_with("Mozilla/5.0") && !robot
}

/// Who is logged in. `None` for visitors, and for those whose login has ended.
pub(super) fn login_of(request: &HttpRequest, world: &World) -> Option<Login> {
    let sessdata = cookie(request, "SESSDATA")?;
    lock(&world.accounts).login(&sessdata).cloned()
}

/// A cookie exactly as it was sent: percent signs are part of it.
pub(super) fn cookie(request: &HttpRequest, name: &str) -> Option<String> {
    let lines = request.headers().get_all(COOKIE).filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// The user agent, empty for none.
pub(super) fn user_agent(request: &HttpRequest) -> &str {
    request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// All values of a parameter.
pub(super) fn parameters(request: &HttpRequest, name: &str) -> Vec<String> {
    let query = url::form_urlencoded::parse(request.query_string().as_bytes());
    query.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
}

/// The first value of a parameter.
pub(super) fn parameter(request: &HttpRequest, name: &str) -> Option<String> {
    parameters(request, name).into_iter().next()
}

/// A parameter that is a number.
pub(super) fn number(request: &HttpRequest, name: &str) -> Option<u64> {
    parameter(request, name)?.parse().ok()
}

/// The name under which the asker reaches us: it may come from another machine.
pub(super) fn host_of(request: &HttpRequest, world: &World) -> String {
    let listen = world.options.listen;
    let asked = url::Url::parse(&format!("http://{}", request.connection_info().host())).ok();
    match asked.as_ref().and_then(url::Url::host_str) {
        Some(host) if !listen.ip().is_loopback() => host.to_owned(),
        _ if listen.is_ipv6() => format!("[{}]", listen.ip()),
        _ => listen.ip().to_string(),
    }
}

/// Our address as the asker knows it.
pub(super) fn base_of(request: &HttpRequest, world: &World) -> String {
    if world.options.listen.ip().is_loopback() {
        world.base.clone()
    } else {
        format!("http://{}", request.connection_info().host())
    }
}
