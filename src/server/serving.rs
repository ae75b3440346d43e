//! What listens: DNS over UDP and TCP, and HTTP, from the first packet to the last.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::listeners::Listeners;
use super::reload::{Current, Parts};
use crate::answer::Explain;
use crate::config::{Config, StoreKind};
use crate::dns;
use crate::engine::{Checks, Deliveries};
use crate::http::{self, About, Api, Readiness, Works};
use crate::telemetry::Process;
use crate::telemetry::metrics::Source;

/// The longest that open connections may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// A runtime beside the one that its owner runs on, where dropping it would block.
struct Apart(Option<Runtime>);

impl Apart {
    fn handle(&self) -> Handle {
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Everything that listens.
pub struct Serving {
    stop: CancellationToken,
    tasks: TaskTracker,
    workers: dns::udp::Workers,
    /// DNS over TCP has threads of its own, so that no amount of queries keeps heartbeats and leases waiting.
    dns_runtime: Apart,
}

impl Serving {
    /// Starts everything on the sockets of `listeners`.
    pub fn start(
        current: &Current,
        parts: &Parts,
        listeners: Listeners,
        (checks, deliveries): (Checks, Deliveries),
        readiness: &Readiness,
    ) -> anyhow::Result<Self> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let connections = http::connections(listeners.http.len());
        let api = Api::from(Works {
            engine: parts.engine.clone(),
            checks,
            deliveries,
            answers: Arc::clone(&parts.responder) as Arc<dyn Explain>,
            defaults: parts.defaults.clone(),
            about: Arc::new(about(&current.config, &listeners)),
            readiness: readiness.clone(),
            bodies: http::Room::default(),
            rotations: Arc::default(),
            watchers: http::Watchers::among(connections),
            scrapes: http::Scrapes::default(),
            requests: Arc::default(),
            access: Arc::clone(&parts.access),
            history: Arc::default(),
            sources: sources(parts),
            stopping: stop.clone(),
        });
        let (dns_runtime, workers) = serve_dns(parts, listeners.dns, &tasks, &stop)?;
        tasks.spawn(http::sample(api.clone()));
        let entrance = http::Entrance::new(api);
        for listener in listeners.http {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tasks.spawn(http::serve(listener, entrance.clone(), connections, stop.clone()));
        }
        tasks.close();
        Ok(Self { stop, tasks, workers, dns_runtime })
    }

    /// Takes no more connections, and gives open ones a while to end. Datagrams, which cost nobody a wait, are answered
    /// until then.
    pub async fn stop(self) {
        self.stop.cancel();
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("connections that did not end in time were cut");
        }
        tokio::task::spawn_blocking(|| self.workers.stop()).await.ok();
        drop(self.dns_runtime);
    }
}

/// Who has figures that HTTP knows nothing of.
fn sources(parts: &Parts) -> Arc<[Arc<dyn Source>]> {
    let (responder, limiter) = (Arc::clone(parts.responder.metrics()), Arc::clone(&parts.limiter));
    let queries = Arc::clone(parts.responder.queries());
    [responder as Arc<dyn Source>, limiter, queries, Arc::new(Process::starting())].into()
}

/// Serves DNS over both transports.
fn serve_dns(
    parts: &Parts,
    sockets: Vec<dns::Sockets>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<(Apart, dns::udp::Workers)> {
    let Parts { engine, responder, limiter, connections, .. } = parts;
    let clock = engine.clock();
    let tcp = dns::tcp::Shared {
        responder: Arc::clone(responder),
        connections: Arc::clone(connections),
        clock: clock.clone(),
        stop: stop.clone(),
    };
    let udp = dns::udp::Shared { responder: Arc::clone(responder), limiter: Arc::clone(limiter), clock: clock.clone() };
    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("dns-tcp").enable_all().build()?;
    let runtime = Apart(Some(runtime));
    let handle = runtime.handle();
    let mut datagrams = Vec::new();
    for sockets in sockets {
        datagrams.extend(sockets.udp);
        let _entered = handle.enter();
        let listener = tokio::net::TcpListener::from_std(sockets.tcp)?;
        tasks.spawn_on(dns::tcp::serve(listener, tcp.clone()), &handle);
    }
    Ok((runtime, dns::udp::Workers::start(datagrams, &udp)?))
}

fn about(config: &Config, listeners: &Listeners) -> About {
    About {
        zone: config.dns.zone.to_string(),
        store: match config.store.kind {
            StoreKind::Embedded => "embedded",
            StoreKind::Memory => "memory",
            StoreKind::Etcd => "etcd",
        },
        dns: listeners.dns_addresses(),
        http: listeners.http_addresses(),
    }
}
