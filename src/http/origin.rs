//! Keeping web pages of other origins from writing.
//!
//! A browser says with `Origin` which page sent a request that changes something. Such a request is let through when the
//! page came from this server itself: `Origin` and `Host` name the same authority, and that is an address or `localhost`.
//! A name would prove nothing, because a page may have its own name resolved to this machine (DNS rebinding). Programs
//! that are no browsers send no `Origin`.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::problem::Problem;

/// Refuses a request of another origin that changes something.
pub fn check(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !is_allowed(headers) {
        let detail = "pages of other origins may not change anything here";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

fn is_allowed(headers: &HeaderMap) -> bool {
    let Some(origin) = text(headers, header::ORIGIN) else {
        return headers.get(header::ORIGIN).is_none();
    };
    let page = origin.split_once("://").and_then(|(_, authority)| authority.parse::<Authority>().ok());
    let host = text(headers, header::HOST).and_then(|host| host.parse::<Authority>().ok());
    match (page, host) {
        (Some(page), Some(host)) => page == host && is_no_name(host.host()),
        _ => false,
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn is_no_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_pages_may_write() {
        for (origin, host, allowed) in [
            (None, "srvd.example:8053", true),
            (Some("http://127.0.0.1:8053"), "127.0.0.1:8053", true),
            (Some("http://[::1]:8053"), "[::1]:8053", true),
            (Some("http://localhost:8053"), "localhost:8053", true),
            (Some("http://192.0.2.7:8053"), "192.0.2.7:8053", true),
            (Some("http://evil.example"), "127.0.0.1:8053", false),
            (Some("http://127.0.0.1:9000"), "127.0.0.1:8053", false),
            (Some("http://rebound.example:8053"), "rebound.example:8053", false),
            (Some("null"), "127.0.0.1:8053", false),
            (Some("\u{e9}"), "127.0.0.1:8053", false),
        ] {
            let mut headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, axum::http::HeaderValue::from_bytes(origin.as_bytes()).unwrap());
            }
            assert_eq!(is_allowed(&headers), allowed, "{origin:?} {host}");
        }
    }
}
