//! Where a server is.
//!
//! A [`ServerUrl`] that exists can be asked: the scheme is `http`, there is a host, and nothing in it is ignored.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Authority;

/// The base URL of a server: `http://HOST[:PORT][/PATH]`, kept without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

/// Why a text is no URL of a server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    #[error("not a URL; it should look like http://127.0.0.1:8053")]
    NotUrl,
    #[error("the scheme is missing; write http://{0}")]
    NoScheme(String),
    #[error("only http is spoken, not {0}; give the http:// address of srvd, or of a proxy or tunnel to it")]
    Scheme(String),
    #[error("the port must be a number from 1 to 65535")]
    Port,
    #[error("a user name or password in the URL would not be sent; leave it out")]
    Credentials,
    #[error("a query or fragment has no place in the URL of a server")]
    Query,
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, ServerUrlError> {
        // `Uri` drops a fragment without a word.
        if text.contains(['#', '?']) {
            return Err(ServerUrlError::Query);
        }
        let uri: Uri = text.parse().map_err(|_| missing_scheme(text))?;
        match uri.scheme_str() {
            Some("http") => (),
            Some(other) => return Err(ServerUrlError::Scheme(other.to_owned())),
            None => return Err(missing_scheme(text)),
        }
        let authority = uri.authority().ok_or(ServerUrlError::NotUrl)?;
        if authority.as_str().contains('@') {
            return Err(ServerUrlError::Credentials);
        }
        if authority.host().is_empty() {
            return Err(ServerUrlError::NotUrl);
        }
        let port_given = authority.as_str().len() > authority.host().len();
        if port_given && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(ServerUrlError::Port);
        }
        Ok(Self(format!("http://{authority}{}", uri.path().trim_end_matches('/'))))
    }
}

/// `127.0.0.1:8053` and `localhost/base` are what people type who mean `http://…`.
fn missing_scheme(text: &str) -> ServerUrlError {
    let host = text.split('/').next().unwrap_or_default();
    match host.parse::<Authority>() {
        Ok(_) if !text.contains("://") => ServerUrlError::NoScheme(text.to_owned()),
        _ => ServerUrlError::NotUrl,
    }
}

impl ServerUrl {
    /// The host, an IPv6 address without its brackets, and the port.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        let authority = self.0.trim_start_matches("http://").split('/').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(80)),
            _ => (authority, 80),
        };
        (host.trim_start_matches('[').trim_end_matches(']'), port)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_servers() {
        for (text, kept) in [
            ("http://127.0.0.1:8053", "http://127.0.0.1:8053"),
            ("http://127.0.0.1:8053/", "http://127.0.0.1:8053"),
            ("HTTP://[::1]:80", "http://[::1]:80"),
            ("http://srvd.example.net", "http://srvd.example.net"),
            ("http://proxy/srvd/", "http://proxy/srvd"),
        ] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), kept);
        }
    }

    #[test]
    fn where_to_connect() {
        for (url, host, port) in [
            ("http://127.0.0.1:8053/srvd", "127.0.0.1", 8053),
            ("http://srvd.example.net", "srvd.example.net", 80),
            ("http://[2001:db8::1]", "2001:db8::1", 80),
            ("http://[::1]:8053", "::1", 8053),
        ] {
            assert_eq!(url.parse::<ServerUrl>().unwrap().host_and_port(), (host, port));
        }
    }

    #[test]
    fn texts_that_are_none() {
        use ServerUrlError::*;
        for (text, error) in [
            ("", NotUrl),
            ("http://", NotUrl),
            ("http://:80", NotUrl),
            ("http:///v1", NotUrl),
            ("/v1", NotUrl),
            ("a b", NotUrl),
            ("localhost", NoScheme("localhost".into())),
            ("127.0.0.1:8053", NoScheme("127.0.0.1:8053".into())),
            ("[::1]:8053/", NoScheme("[::1]:8053/".into())),
            ("https://localhost:8053", Scheme("https".into())),
            ("ftp://localhost", Scheme("ftp".into())),
            ("http://localhost:0", Port),
            ("http://localhost:", Port),
            ("http://localhost:99999", Port),
            ("http://[::1]:port", Port),
            ("http://user:secret@localhost", Credentials),
            ("http://localhost?x=1", Query),
            ("http://localhost/#x", Query),
        ] {
            assert_eq!(text.parse::<ServerUrl>(), Err(error), "{text}");
        }
    }
}
