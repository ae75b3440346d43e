//! Sending batches of spans, each on a connection of its own, as callbacks are posted.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST};
use hyper::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::TracesError;
use crate::config::Setting;
use crate::model::{Callback, Span};
use crate::outbound::{Dialer, Failure, Fault, Limit, Roots};

/// Batches that may wait for the address of a name at one time.
const NAMING: usize = 1;

/// Posts to a collector, from whatever thread, on the runtime that it was made in.
#[derive(Debug)]
pub struct Poster {
    runtime: Handle,
    sender: Arc<Sender>,
}

#[derive(Debug)]
struct Sender {
    dialer: Dialer,
    patience: Span,
    /// Whether the last batch was not taken, so that it is told once.
    fails: AtomicBool,
}

impl Poster {
    /// Believes the certificates in `ca_file`, or those of the system.
    ///
    /// # Errors
    /// When that file cannot be used.
    pub fn new(ca_file: Option<&Path>, patience: Span) -> Result<Self, TracesError> {
        let roots = match ca_file {
            None => Roots::of_system().0,
            Some(file) => {
                Roots::of_file(file).map_err(|source| TracesError::CaFile { file: file.to_owned(), source })?
            }
        };
        // The address is the operator's own.
        let dialer = Dialer::new(|_, _| None, Setting::default(), &roots, NAMING);
        let sender = Sender { dialer, patience, fails: AtomicBool::new(false) };
        Ok(Self { runtime: Handle::current(), sender: Arc::new(sender) })
    }
}

impl HttpClient for Poster {
    // As `async_trait` would write it.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let sender = Arc::clone(&self.sender);
        let sent = self.runtime.spawn(async move { sender.send(request).await });
        Box::pin(async move { sent.await? })
    }
}

impl Sender {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let posted = self.post(request).await;
        match &posted {
            Ok(_) if self.fails.swap(false, Ordering::Relaxed) => tracing::info!("traces are sent again"),
            Err(error) if !self.fails.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "traces are not taken by the collector; they are dropped until it takes them");
            }
            _ => {}
        }
        posted
    }

    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let url = Callback::parse(&head.uri.to_string()).map_err(|reason| reason.to_string())?;
        let mut headers = head.headers;
        // Those of the connection are not the library's to write.
        for own in [CONNECTION, CONTENT_LENGTH, HOST] {
            headers.remove(own);
        }
        let limit = Limit::of(Instant::now(), self.patience);
        let status = self.dialer.post(&url, headers, body, limit).await.map_err(|failure| failure.to_string())?;
        if !status.is_success() {
            return Err(Failure::from(Fault::Status(status)).to_string().into());
        }
        // What a collector may say beside is about spans that it did not like, for which there is no second try.
        Ok(Response::new(Bytes::new()))
    }
}
