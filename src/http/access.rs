//! A line for each call of the API: switched on by `log.access`, off the way of the replies.

use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::MatchedPath;

use crate::telemetry::Aside;
use crate::telemetry::metrics::{Exposition, Source};

/// The log of calls.
#[derive(Debug, Default)]
pub struct AccessLog {
    is_on: AtomicBool,
    lines: OnceLock<Aside<Line>>,
}

/// What a line is made of.
#[derive(Debug)]
pub struct Line {
    pub method: &'static str,
    pub route: Route,
    pub status: u16,
    pub took: Duration,
    pub client: Option<SocketAddr>,
}

/// A route as it is written in the router.
#[derive(Debug)]
pub enum Route {
    Matched(MatchedPath),
    /// One that is known without asking the router.
    Known(&'static str),
    /// There is no such route.
    None,
}

impl Route {
    fn as_str(&self) -> &str {
        match self {
            Self::Matched(path) => path.as_str(),
            Self::Known(path) => path,
            Self::None => "none",
        }
    }
}

impl AccessLog {
    /// From now on, calls make lines, or make none.
    ///
    /// # Errors
    /// When the thread that writes cannot be started. The log stays off then.
    pub fn set(&self, is_on: bool) -> io::Result<()> {
        if is_on && self.lines.get().is_none() {
            // Who loses a race for it ends its thread again.
            self.lines.set(Aside::start("log-access", |line: Line| line.write())?).ok();
        }
        self.is_on.store(is_on, Ordering::Relaxed);
        Ok(())
    }

    /// Notes a call, if calls are noted.
    pub fn note(&self, line: impl FnOnce() -> Line) {
        if self.is_on.load(Ordering::Relaxed)
            && let Some(lines) = self.lines.get()
        {
            lines.give(line());
        }
    }
}

impl Line {
    fn write(&self) {
        let Self { method, status, .. } = *self;
        let route = self.route.as_str();
        let took_us = self.took.as_micros() as u64;
        let client = self.client.map(|client| client.to_string());
        tracing::info!(target: "srvd::access", client, method, route, status, took_us, "call");
    }
}

impl Source for AccessLog {
    fn tell(&self, to: &mut Exposition) {
        let help = "Lines of the access log that were dropped because they could not be written fast enough.";
        to.counter("srvd_access_log_dropped_total", help, self.lines.get().map_or(0, Aside::dropped));
    }
}
