//! Whether a request says which host it was sent to, as HTTP/1.1 asks of all (RFC 9112 §3.2).
//!
//! srvd answers under every name that leads to it, so only the form is judged. A proxy and a server that understand a
//! request differently can be played off against each other; that begins with two hosts, or one that is none.

use axum::http::{HeaderMap, StatusCode, Version, header};

use super::problem::Problem;

/// Refuses a request whose host is not right.
pub fn check(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    if !is_right(version, headers) {
        let detail = "a request of HTTP/1.1 says once which host it is for, as in `host: 127.0.0.1:8053`";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail).of_kind("wrong-host"));
    }
    Ok(())
}

/// Whether there is one `Host` that can be one; before HTTP/1.1 it may be left out.
pub fn is_right(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => version < Version::HTTP_11,
        (Some(host), None) => is_host(host.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}

/// `uri-host [":" port]` (RFC 9110 §7.2), where the host may be empty. What is in brackets need not be an address: some
/// clients leave the zone with it.
fn is_host(value: &[u8]) -> bool {
    let after = |end: usize| value.get(end..).unwrap_or_default();
    let is_outside = |octet: &u8| !is_of_name(*octet);
    let port = match value.strip_prefix(b"[") {
        Some(literal) => match literal.iter().position(|octet| is_outside(octet) && *octet != b':') {
            Some(end) if literal[end] == b']' => after(end + 2),
            _ => return false,
        },
        None => after(value.iter().position(is_outside).unwrap_or(value.len())),
    };
    port.is_empty() || port.strip_prefix(b":").is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}

/// What a `reg-name` is made of (RFC 3986 §3.2.2).
fn is_of_name(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&octet)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn hosts_have_a_form() {
        for (value, right) in [
            ("", true),
            ("srvd", true),
            ("srvd:", true),
            ("srvd:8053", true),
            ("my_service.example.:80", true),
            ("127.0.0.1:8053", true),
            ("[::1]", true),
            ("[::1]:8053", true),
            ("[fe80::1%eth0]:8053", true),
            ("b%C3%BCcher.example", true),
            (":8053", true),
            ("srvd:http", false),
            ("srvd:80:53", false),
            ("::1", false),
            ("[::1", false),
            ("[::1]8053", false),
            ("[::1]:x", false),
            ("[[::1]]", false),
            ("user@srvd", false),
            ("http://srvd", false),
            ("srvd/", false),
            ("srvd, other", false),
            ("a b", false),
            ("b\u{fc}cher", false),
        ] {
            assert_eq!(is_host(value.as_bytes()), right, "{value:?}");
        }
    }

    #[test]
    fn there_is_one() {
        for (version, hosts, right) in [
            (Version::HTTP_11, &["srvd"] as &[_], true),
            (Version::HTTP_11, &[], false),
            (Version::HTTP_11, &["srvd", "srvd"], false),
            (Version::HTTP_11, &["a/b"], false),
            (Version::HTTP_10, &["srvd"], true),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_10, &["srvd", "srvd"], false),
            (Version::HTTP_10, &["a/b"], false),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            assert_eq!(is_right(version, &headers), right, "{version:?} {headers:?}");
        }
    }
}
