//! What listens: DNS over UDP and TCP, and HTTP, from the first packet to the last.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::defaults;
use super::listeners::Listeners;
use super::zones::StaticZones;
use crate::answer::{Catalog, LiveZone, ReverseZones};
use crate::config::{Config, StoreKind};
use crate::dns::{self, Responder};
use crate::engine::Engine;
use crate::http::{self, About, Api, Readiness};

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
        config: &Config,
        zones: StaticZones,
        listeners: Listeners,
        engine: &Engine,
        readiness: &Readiness,
    ) -> anyhow::Result<Self> {
        let api = Api {
            engine: engine.clone(),
            defaults: Arc::new(defaults(config)),
            about: Arc::new(about(config, &listeners)),
            readiness: readiness.clone(),
            bodies: http::Room::default(),
        };
        let live = LiveZone {
            apex: config.dns.zone.clone(),
            record_ttl: config.dns.record_ttl,
            negative_ttl: config.dns.negative_ttl,
            srv_weight_scale: config.dns.srv_weight_scale,
            addresses: listeners.own_addresses(),
        };
        let reverse = &config.dns.reverse_zones;
        if !reverse.is_empty() {
            engine.index().keep_addresses(reverse);
        }
        let catalog = Catalog::new(live, zones.additions.as_deref(), zones.zones);
        let catalog = catalog.with_reverse(ReverseZones::new(reverse));
        let responder = Arc::new(Responder::new(catalog, Arc::clone(engine.index()), config.dns.udp_payload));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let mut udp = Vec::new();
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("dns-tcp").enable_all().build()?;
        let dns_runtime = Apart(Some(runtime));
        for sockets in listeners.dns {
            udp.extend(sockets.udp);
            let handle = dns_runtime.handle();
            let _entered = handle.enter();
            let listener = tokio::net::TcpListener::from_std(sockets.tcp)?;
            tasks.spawn_on(dns::tcp::serve(listener, Arc::clone(&responder), stop.clone()), &handle);
        }
        let router = http::router(api);
        for listener in listeners.http {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tasks.spawn(http::serve(listener, router.clone(), stop.clone()));
        }
        tasks.close();
        Ok(Self { stop, tasks, workers: dns::udp::Workers::start(udp, &responder)?, dns_runtime })
    }

    /// Takes no more connections, and gives open ones a while to end.
    pub async fn stop(self) {
        self.stop.cancel();
        let workers = tokio::task::spawn_blocking(|| self.workers.stop());
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("connections that did not end in time were cut");
        }
        workers.await.ok();
        drop(self.dns_runtime);
    }
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
