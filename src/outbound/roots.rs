//! The certificates that those of others lead back to.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};

/// Whom TLS believes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Roots(pub(super) Arc<RootCertStore>);

/// Why a file gives no roots.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is no PEM file: {0}")]
    NotPem(pem::Error),
    #[error("it holds no certificate; `-----BEGIN CERTIFICATE-----` begins one")]
    Empty,
    #[error("its certificate {place} is none that can be believed: {source}")]
    Bad { place: usize, source: tokio_rustls::rustls::Error },
}

impl Roots {
    /// Nobody.
    pub fn none() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }

    /// Those that the system believes, and how many of its certificates could not be used.
    pub fn of_system() -> (Self, usize) {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let (_, ignored) = store.add_parsable_certificates(found.certs);
        (Self(Arc::new(store)), ignored + found.errors.len())
    }

    /// Those in a file of certificates in PEM, and no others.
    ///
    /// # Errors
    /// When it cannot be read, or anything in it cannot be used.
    pub fn of_file(path: &Path) -> Result<Self, RootsError> {
        let text = std::fs::read(path)?;
        let mut store = RootCertStore::empty();
        for (place, certificate) in CertificateDer::pem_slice_iter(&text).enumerate() {
            let certificate = certificate.map_err(RootsError::NotPem)?;
            store.add(certificate).map_err(|source| RootsError::Bad { place: place + 1, source })?;
        }
        if store.is_empty() { Err(RootsError::Empty) } else { Ok(Self(Arc::new(store))) }
    }
}
