//! A look at an instance before it is called.

use std::io;
use std::time::Duration;

use hyper::StatusCode;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Instance;
use crate::model::Method;
use crate::outbound;

/// What is asked of an instance before a call, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// `None`: it accepts a connection.
    path: Option<String>,
    limit: Duration,
}

/// Why an instance did not pass.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("no connection: {0}")]
    Connect(io::Error),
    #[error("{0}")]
    Http(outbound::Failure),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
}

impl Probe {
    /// It accepts a connection on its main port.
    pub fn tcp(limit: Duration) -> Self {
        Self { path: None, limit }
    }

    /// It answers `GET path` with 200 to 299.
    pub fn http(path: impl Into<String>, limit: Duration) -> Self {
        Self { path: Some(path.into()), limit }
    }

    /// Looks at `instance`.
    ///
    /// # Errors
    /// When it does not pass.
    pub async fn run(&self, instance: &Instance) -> Result<(), ProbeError> {
        let asked = timeout(self.limit, self.ask(&instance.endpoint())).await;
        asked.unwrap_or(Err(ProbeError::TimedOut(self.limit)))
    }

    async fn ask(&self, endpoint: &str) -> Result<(), ProbeError> {
        let stream = TcpStream::connect(endpoint).await.map_err(ProbeError::Connect)?;
        let Some(path) = &self.path else { return Ok(()) };
        let mut stream = outbound::metered(stream);
        let status =
            outbound::http::ask(&mut stream, endpoint, path, Method::Get, &[]).await.map_err(ProbeError::Http)?;
        if status.is_success() { Ok(()) } else { Err(ProbeError::Status(status)) }
    }
}
