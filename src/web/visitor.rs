//! Where a request comes from, as far as that can be believed.
//!
//! Behind a reverse proxy the peer is the proxy; the address, the scheme and the host that the browser used stand
//! in `X-Forwarded-For`, `-Proto` and `-Host`. Anybody can send such headers, so they count only when the peer
//! is a trusted proxy, and of the list of addresses only what trusted proxies added: read from the right, the
//! first address that is none of theirs. Lockout, limits and the check of the origin rest on this.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::{
    HttpMessage, HttpRequest,
    http::header::{self, HeaderMap},
};
use ipnet::IpNet;

use super::error::Refusal;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The nearest address that is not a trusted proxy's.
    pub address: IpAddr,
    /// The browser's own connection is encrypted.
    pub https: bool,
    /// The host, with its port if it is not the usual one, that the browser was told; empty if nobody says.
    pub host: String,
}

impl Visitor {
    /// Reads it from what arrived.
    pub fn read(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Visitor {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
        let first = |name: &str| text(name).split(',').next().unwrap_or_default().trim();
        let is_proxy = |address: &IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip());
        let host = text(header::HOST.as_str()).to_owned();
        if !is_proxy(&peer) {
            return Visitor { address: peer, https: false, host };
        }
        let chain = headers.get_all("X-Forwarded-For").filter_map(|value| value.to_str().ok());
        let chain: Vec<&str> = chain.flat_map(|list| list.split(',')).map(str::trim).collect();
        let mut address = peer;
        for hop in chain.into_iter().rev() {
            let Some(hop) = without_port(hop) else { break };
            address = hop;
            if !is_proxy(&hop) {
                break;
            }
        }
        let told = first("X-Forwarded-Host");
        Visitor {
            address,
            https: first("X-Forwarded-Proto").eq_ignore_ascii_case("https"),
            host: if told.is_empty() { host } else { told.to_owned() },
        }
    }

    /// Who made this request; [`super::entry`] has read it once for all.
    pub fn of(request: &HttpRequest) -> Visitor {
        let read = request.extensions().get::<Visitor>().cloned();
        read.unwrap_or_else(|| Visitor::read(request.peer_addr(), request.headers(), &[]))
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn without_port(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Refuses what a page of another site sent. Programs send no Origin.
pub fn same_origin(request: &HttpRequest) -> Result<(), Refusal> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("?");
    let host = Visitor::of(request).host;
    let from = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    if !host.is_empty() && from.eq_ignore_ascii_case(&host) {
        return Ok(());
    }
    Err(Refusal::forged("this request was made by a page of another site"))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn visitor(peer: &str, headers: &[(&'static str, &str)]) -> (String, bool, String) {
        let trusted: Vec<IpNet> = ["127.0.0.0/8", "10.0.0.0/8", "::1/128"].map(|net| net.parse().expect("one")).into();
        let mut request = TestRequest::get().insert_header(("Host", "inside:8000"));
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        let peer = SocketAddr::new(peer.parse().expect("an address"), 1);
        let visitor = Visitor::read(Some(peer), request.to_http_request().headers(), &trusted);
        (visitor.address.to_string(), visitor.https, visitor.host)
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_about_the_one_before_it() {
        const FOR: &str = "X-Forwarded-For";
        type Case<'a> = (&'a str, &'a [(&'static str, &'a str)], &'a str);
        let cases: [Case<'_>; 9] = [
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &[(FOR, "203.0.113.9")], "203.0.113.9"),
            ("::ffff:127.0.0.1", &[(FOR, "203.0.113.9")], "203.0.113.9"),
            ("198.51.100.1", &[(FOR, "203.0.113.9")], "198.51.100.1"),
            // What the visitor wrote stands on the left; the proxies' own additions are passed over.
            ("127.0.0.1", &[(FOR, "1.1.1.1, 203.0.113.9, 10.0.0.2")], "203.0.113.9"),
            ("127.0.0.1", &[(FOR, "1.1.1.1"), (FOR, "203.0.113.9:4711")], "203.0.113.9"),
            ("::1", &[(FOR, "[2001:db8::1]:443")], "2001:db8::1"),
            ("127.0.0.1", &[(FOR, "10.0.0.3")], "10.0.0.3"),
            ("127.0.0.1", &[(FOR, "unknown")], "127.0.0.1"),
        ];
        for (peer, headers, expected) in cases {
            assert_eq!(visitor(peer, headers).0, expected, "{peer} {headers:?}");
        }
        let told = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "live.example")];
        assert_eq!(visitor("127.0.0.1", &told), ("127.0.0.1".into(), true, "live.example".into()));
        assert_eq!(visitor("198.51.100.1", &told), ("198.51.100.1".into(), false, "inside:8000".into()));
    }
}
