//! What the configuration says about answering.

use super::edns::Cookies;
use super::prefixes::Prefixes;
use crate::config;

/// The settings of a [`super::Responder`], all of which may change while it runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest UDP answer in octets, whatever the client offers; also what this server takes in.
    pub udp_payload: u16,
    /// Who is answered; empty: everybody is.
    pub allow: Prefixes,
    /// Which server this is (RFC 5001, RFC 4892); empty: not told.
    pub nsid: Box<[u8]>,
    /// What runs here, for `version.bind.`; empty: not told.
    pub version: Box<[u8]>,
    /// `None`: cookies are options like those that are not known.
    pub cookies: Option<Cookies>,
    /// Whether UDP is only answered in full to clients whose address a cookie has proved.
    pub require_cookies: bool,
}

impl Settings {
    /// Those of a configuration. `random` is the secret of cookies where none is configured: made once when the process
    /// starts and kept as long, or clients would have to learn new cookies whenever settings are read anew.
    pub fn new(config: &config::Dns, random: [u8; 16]) -> Self {
        let secret = config.cookie_secret.octets().unwrap_or(random);
        Self {
            udp_payload: config.udp_payload,
            allow: Prefixes::new(&config.allow),
            nsid: config.nsid.as_bytes().into(),
            version: config.version.as_bytes().into(),
            cookies: config.cookies.then(|| Cookies::new(secret)),
            require_cookies: config.require_cookies,
        }
    }
}
