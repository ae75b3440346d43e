//! TLS below `https` (RFC 8446, RFC 5246): whom srvd believes, and what it says when it does not.
//!
//! Every run makes a whole handshake, so that a certificate that runs out is found out; no session is kept.

use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_rustls::{TlsConnector, rustls};

use super::{Failure, Fault};
use crate::model::Trust;

/// Makes TLS connections. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    verified: TlsConnector,
    anyone: TlsConnector,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Believes certificates that lead to one of `roots`.
    ///
    /// # Errors
    /// When the provider of cryptography does not fit the versions of TLS.
    pub fn new(roots: Arc<RootCertStore>) -> Result<Self, Error> {
        let config = || {
            let provider = Arc::new(ring::default_provider());
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
        };
        let connector = |mut config: ClientConfig| {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            config.resumption = Resumption::disabled();
            TlsConnector::from(Arc::new(config))
        };
        let anyone = config()?.dangerous().with_custom_certificate_verifier(Arc::new(Anyone));
        Ok(Self {
            verified: connector(config()?.with_root_certificates(roots).with_no_client_auth()),
            anyone: connector(anyone.with_no_client_auth()),
        })
    }

    /// Shakes hands on `stream` with the server called `name`, which may have a port, as in a `Host` field.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        trust: Trust,
        name: &str,
        stream: S,
    ) -> Result<TlsStream<S>, Failure> {
        let connector = match trust {
            Trust::Verified => &self.verified,
            Trust::Anyone => &self.anyone,
        };
        let name = server_name(name).ok_or(Fault::Tls(TlsFault::Nameless))?;
        connector.connect(name, stream).await.map_err(|error| Failure::from(&error))
    }
}

/// The name in `host`, `host:port`, `address`, `address:port` or `[address]:port`. Addresses go into no SNI
/// (RFC 6066 §3); certificates name them by themselves.
fn server_name(authority: &str) -> Option<ServerName<'static>> {
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None => authority.rsplit_once(':').filter(|(host, _)| !host.contains(':')).map_or(authority, |(host, _)| host),
    };
    ServerName::try_from(host.to_owned()).ok()
}

/// Takes every certificate, as `verify: false` asks.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Why there is no TLS with a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// What the server is called is no name for TLS.
    Nameless,
    Expired,
    NotYetValid,
    OtherName,
    UnknownIssuer,
    /// Anything else that is wrong with the certificate.
    BadCertificate,
    /// The target refuses the connection (RFC 8446 §6).
    Alert(u8),
    /// The two have no version, suite or group in common.
    Incompatible,
    /// What the target sends is not TLS.
    NotTls,
}

/// What an error of the library means.
pub fn fault(error: &Error) -> TlsFault {
    use CertificateError as C;
    match error {
        Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => TlsFault::Expired,
        Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => TlsFault::NotYetValid,
        Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => TlsFault::OtherName,
        Error::InvalidCertificate(C::UnknownIssuer) => TlsFault::UnknownIssuer,
        Error::InvalidCertificate(_) => TlsFault::BadCertificate,
        Error::AlertReceived(alert) => TlsFault::Alert(rustls::AlertDescription::into(*alert)),
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => TlsFault::Incompatible,
        _ => TlsFault::NotTls,
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nameless => f.write_str("the Host header of the check is no name that TLS could ask for"),
            Self::Expired => f.write_str("the certificate has expired"),
            Self::NotYetValid => f.write_str("the certificate is not valid yet"),
            Self::OtherName => f.write_str("the certificate is for another name"),
            Self::UnknownIssuer => f.write_str("the certificate is from an unknown issuer (see health.ca_file)"),
            Self::BadCertificate => f.write_str("the certificate is not valid"),
            Self::Alert(number) => write!(f, "the target refuses TLS (alert {number})"),
            Self::Incompatible => f.write_str("no TLS version or algorithm in common"),
            Self::NotTls => f.write_str("the answer is not TLS"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_out_of_authorities() {
        for (authority, name) in [
            ("a.example", Some("a.example")),
            ("a.example:8443", Some("a.example")),
            ("10.0.0.7:443", Some("10.0.0.7")),
            ("10.0.0.7", Some("10.0.0.7")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("a b", None),
            ("", None),
            ("[::1", None),
        ] {
            let found = server_name(authority).map(|name| name.to_str().into_owned());
            assert_eq!(found.as_deref(), name, "{authority}");
        }
    }
}
