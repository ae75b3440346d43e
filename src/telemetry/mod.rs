//! What the server says about itself while it runs: log lines on standard error, [`metrics`] for who asks, a
//! [`history`] of some of them, and [`traces`] for a collector.

mod aside;
pub mod history;
pub mod metrics;
mod process;
pub mod traces;

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry, reload};

pub use aside::Aside;
pub use process::Process;
pub use traces::Traces;

use crate::config::{Log, LogFormat, LogLevel};

/// Changes how much a running log says.
#[derive(Debug, Clone)]
pub struct LevelSwitch(reload::Handle<Targets, Registry>);

impl LevelSwitch {
    /// From now on, writes lines of `level` and those more important.
    pub fn set(&self, level: LogLevel) {
        // It fails only where there is no log.
        self.0.reload(wanted(level)).ok();
    }
}

/// Begins logging as configured, and has the spans of `traces` taken. A second call in one process changes nothing, and
/// its switch neither.
pub fn start(log: &Log, traces: &Traces) -> LevelSwitch {
    let (subscriber, switch) = subscriber(log, traces);
    subscriber.try_init().ok();
    switch
}

fn subscriber(log: &Log, traces: &Traces) -> (impl Subscriber + use<>, LevelSwitch) {
    let (wanted, handle) = reload::Layer::new(wanted(log.level));
    // Text for people has colours on a terminal only.
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(colours);
    let lines = match log.format {
        LogFormat::Text => lines.with_filter(wanted).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_target(true).with_filter(wanted).boxed(),
    };
    // A layer that is `None` would have every span asked about again each time, where nobody takes any.
    let layers: Vec<_> = std::iter::once(lines).chain(traces.layer()).collect();
    (registry().with(layers), LevelSwitch(handle))
}

fn wanted(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Libraries get a word in only when something is broken: what strangers send must not fill the log.
    let own = Targets::new().with_target("srvd", level).with_default(LevelFilter::ERROR);
    // Who switched these on wants them, whatever else is said.
    let own = own.with_target("srvd::access", LevelFilter::INFO).with_target("srvd::queries", LevelFilter::INFO);
    own.with_target(traces::TARGET, LevelFilter::OFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_nobody_takes_are_asked_about_once() {
        // A span that somebody takes knows what it is.
        let span = || tracing::info_span!(target: traces::TARGET, "any").metadata().unwrap();
        let span = tracing::subscriber::with_default(registry(), span);
        let (subscriber, _) = subscriber(&Log::default(), &Traces::default());
        assert!(subscriber.register_callsite(span).is_never());
    }
}
