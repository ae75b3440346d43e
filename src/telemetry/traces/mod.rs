//! Traces: what a call, a change, a commit, a check or a query took part by part, for a collector of OpenTelemetry.
//!
//! A part of the server that is worth a look makes a span of `tracing` with the target [`TARGET`], wherever it works. Logs
//! leave them out. They cost nothing until a collector is configured, and are never more than a look at a flag where
//! the feature `otlp` is missing: then nothing takes them.
//!
//! ```text
//!  a span ends ─► queue (bounded: the newest go when it is full) ─► a thread ─► batches ─► POST to the collector
//! ```
//!
//! Nothing waits for a collector. One that is away costs its spans, and a line in the log.

#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod post;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Span;
use tracing_subscriber::{Layer, Registry};

use crate::config;
use crate::outbound::RootsError;

/// The target of every span that is made for traces.
pub const TARGET: &str = "srvd::traces";

static ARE_ON: AtomicBool = AtomicBool::new(false);

/// Whether spans are taken.
pub fn are_on() -> bool {
    cfg!(feature = "otlp") && ARE_ON.load(Ordering::Relaxed)
}

/// What caused a change, to be found from what became of it.
#[derive(Debug, Clone, Default)]
pub struct Cause(#[cfg(feature = "otlp")] Option<Span>);

impl Cause {
    /// The span that this is called in.
    pub fn current() -> Self {
        #[cfg(feature = "otlp")]
        {
            Self(are_on().then(Span::current).filter(|span| !span.is_disabled()))
        }
        #[cfg(not(feature = "otlp"))]
        {
            Self()
        }
    }
}

/// Puts `span`, which nobody was in yet, below what caused it. Where that are several, no one trace is its own: it begins
/// another, with links to theirs.
pub fn caused<'a>(span: &Span, causes: impl Iterator<Item = &'a Cause>) {
    #[cfg(feature = "otlp")]
    if !span.is_disabled() {
        otlp::caused(span, causes.filter_map(|cause| cause.0.as_ref()));
    }
    #[cfg(not(feature = "otlp"))]
    let _ = (span, causes);
}

/// Makes `span` a part of the trace that a request is part of, if its headers say so (W3C Trace Context).
pub fn asked_by(span: &Span, headers: &hyper::HeaderMap) {
    #[cfg(feature = "otlp")]
    if !span.is_disabled() {
        otlp::asked_by(span, headers);
    }
    #[cfg(not(feature = "otlp"))]
    let _ = (span, headers);
}

/// Notes that what `span` is about came to nothing. It has the fields `otel.status_code` and `otel.status_description`.
pub fn failed(span: &Span, why: impl fmt::Display) {
    if !span.is_disabled() {
        span.record("otel.status_code", "ERROR").record("otel.status_description", why.to_string());
    }
}

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    #[error("traces.ca_file: {}: {source}", file.display())]
    CaFile { file: PathBuf, source: RootsError },
    #[cfg(feature = "otlp")]
    #[error("traces.endpoint: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// Sends traces for as long as the server runs.
#[derive(Debug, Default)]
pub struct Traces(#[cfg(feature = "otlp")] Option<otlp::Provider>);

impl Traces {
    /// Begins nothing yet; [`super::start`] has the spans taken. For use within the runtime that is to send them.
    ///
    /// # Errors
    /// When a file that the configuration names cannot be used.
    pub fn new(traces: &config::Traces) -> Result<Self, TracesError> {
        #[cfg(feature = "otlp")]
        {
            Ok(Self(traces.endpoint.as_ref().map(|endpoint| otlp::Provider::new(endpoint, traces)).transpose()?))
        }
        #[cfg(not(feature = "otlp"))]
        {
            // The configuration has refused an endpoint.
            let _ = traces;
            Ok(Self())
        }
    }

    /// What takes the spans, if anything does.
    pub(super) fn layer(&self) -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
        #[cfg(feature = "otlp")]
        {
            let layer = self.0.as_ref().map(|provider| provider.layer().boxed());
            ARE_ON.store(layer.is_some(), Ordering::Relaxed);
            layer
        }
        #[cfg(not(feature = "otlp"))]
        {
            None
        }
    }

    /// Sends what is not sent yet, for some seconds at most.
    pub async fn finish(self) {
        #[cfg(feature = "otlp")]
        if let Some(provider) = self.0 {
            tokio::task::spawn_blocking(move || provider.finish()).await.ok();
        }
    }
}
