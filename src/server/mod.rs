//! The server put together: what the configuration asks for, started in order and stopped in order.
//!
//! Starting finds everything that is wrong before anything serves: the configuration, the zone files, the addresses, the
//! store. Then DNS and HTTP begin (answering SERVFAIL and 503), the state is loaded, and the ready line is printed.
//! Stopping goes the other way round: not ready any more, listeners drained, state written.

mod listeners;
mod zones;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::{Catalog, LiveZone};
use crate::cli::ConfigArgs;
use crate::config::{Config, Loaded, Sources, StoreKind};
use crate::dns::{self, Responder};
use crate::engine::{Clock, Engine, Runner, Store};
use crate::health;
use crate::http::{self, About, Api, Readiness};
use crate::model::Defaults;
use crate::registry::Rules;
use crate::store::{Embedded, Memory};
use crate::telemetry;
use listeners::Listeners;
use zones::StaticZones;

/// The longest that open connections may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// `srvd serve`: runs until a signal stops it.
pub fn serve(args: ConfigArgs) -> ExitCode {
    finish(load(args).and_then(|loaded| {
        telemetry::start(&loaded.config.log);
        loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let result = runtime.block_on(run(&loaded));
        // A name look-up of a check cannot be interrupted; it does not keep the process.
        runtime.shutdown_background();
        result
    }))
}

/// `srvd check`: says what is wrong with the configuration and the zone files, and starts nothing.
pub fn check(args: ConfigArgs) -> ExitCode {
    finish(load(args).and_then(|loaded| {
        loaded.warnings.iter().for_each(|warning| eprintln!("srvd: warning: {warning}"));
        let zones = static_zones(&loaded.config)?;
        let count = zones.zones.iter().count() + usize::from(zones.additions.is_some());
        println!("srvd: the configuration is right; {count} zone files read");
        Ok(())
    }))
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("{error:#}");
            text.lines().for_each(|line| eprintln!("srvd: {line}"));
            ExitCode::FAILURE
        }
    }
}

fn load(args: ConfigArgs) -> anyhow::Result<Loaded> {
    let ConfigArgs { config, dns, http, data, set } = args;
    let data = data.map(|path| path.to_string_lossy().into_owned());
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Config::load(&Sources { file: config, env: env.collect(), dns, http, data, set })?)
}

fn static_zones(config: &Config) -> anyhow::Result<StaticZones> {
    zones::load(&config.dns.zones_dir, &config.dns.zone)
        .map_err(|errors| anyhow::Error::msg(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// Finds everything that keeps the server from starting, then runs it on the store that is configured.
async fn run(loaded: &Loaded) -> anyhow::Result<()> {
    let config = &loaded.config;
    let signals = Signals::catch()?;
    let (zones, listeners) = match (static_zones(config), listeners::bind(loaded)) {
        (Ok(zones), Ok(listeners)) => (zones, listeners),
        (zones, listeners) => {
            let faults = [zones.err().map(|error| error.to_string()), listeners.err().map(|error| error.to_string())];
            anyhow::bail!(faults.into_iter().flatten().collect::<Vec<_>>().join("\n"));
        }
    };
    match config.store.kind {
        StoreKind::Memory => run_on(Memory, config, zones, listeners, signals).await,
        StoreKind::Embedded => {
            let store = Embedded::open(&config.store.path)?;
            run_on(store, config, zones, listeners, signals).await
        }
        // The configuration does not let it through.
        StoreKind::Etcd => anyhow::bail!("store.kind: etcd is not available in this version"),
    }
}

async fn run_on<S: Store>(
    store: S,
    config: &Config,
    zones: StaticZones,
    listeners: Listeners,
    mut signals: Signals,
) -> anyhow::Result<()> {
    let (engine, mut runner) = Engine::new(store, rules(config), Clock::start());
    let readiness = Readiness::default();
    let ready_line = listeners.ready_line();
    let serving = Serving::start(config, zones, listeners, &engine, &readiness)?;
    tokio::select! {
        loaded = runner.load() => loaded?,
        () = signals.stop() => {
            serving.stop().await;
            return Ok(());
        }
    }
    let stop_engine = CancellationToken::new();
    let checks = health::Settings { allow: config.health.allow.clone(), ..health::Settings::default() };
    let background = background(runner, &engine, checks, &stop_engine);
    readiness.set(true);
    println!("{ready_line}");
    tracing::info!(revision = engine.revision().0, "ready");
    signals.stop().await;
    tracing::info!("stopping");
    readiness.set(false);
    serving.stop().await;
    stop_engine.cancel();
    background.wait().await;
    tracing::info!("stopped");
    Ok(())
}

fn rules(config: &Config) -> Rules {
    Rules {
        defaults: defaults(config),
        reap_after: config.leases.reap_after,
        apex_octets: config.dns.zone.wire().len(),
    }
}

fn defaults(config: &Config) -> Defaults {
    Defaults {
        ttl: config.leases.ttl,
        check: config.health.check_defaults(),
        checks: config.health.default_checks.clone(),
    }
}

/// Starts the engine's task and the checks. The checks end first, then the engine writes what is left.
fn background<S: Store>(
    runner: Runner<S>,
    engine: &Engine,
    checks: health::Settings,
    stop: &CancellationToken,
) -> TaskTracker {
    let tasks = TaskTracker::new();
    tasks.spawn(runner.run(stop.clone().cancelled_owned()));
    tasks.spawn(health::run(engine.clone(), checks, stop.clone().cancelled_owned()));
    tasks.close();
    tasks
}

/// Everything that listens.
struct Serving {
    stop: CancellationToken,
    tasks: TaskTracker,
    workers: dns::udp::Workers,
    /// DNS over TCP has threads of its own, so that no amount of queries keeps heartbeats and leases waiting.
    dns_runtime: Runtime,
}

impl Serving {
    fn start(
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
        };
        let live = LiveZone {
            apex: config.dns.zone.clone(),
            record_ttl: config.dns.record_ttl,
            negative_ttl: config.dns.negative_ttl,
            srv_weight_scale: config.dns.srv_weight_scale,
            addresses: listeners.own_addresses(),
        };
        let catalog = Catalog::new(live, zones.additions.as_deref(), zones.zones);
        let responder = Arc::new(Responder::new(catalog, Arc::clone(engine.index()), config.dns.udp_payload));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let mut udp = Vec::new();
        let dns_runtime = Builder::new_multi_thread().worker_threads(1).thread_name("dns-tcp").enable_all().build()?;
        for sockets in listeners.dns {
            udp.extend(sockets.udp);
            let _entered = dns_runtime.enter();
            let listener = tokio::net::TcpListener::from_std(sockets.tcp)?;
            tasks.spawn_on(dns::tcp::serve(listener, Arc::clone(&responder), stop.clone()), dns_runtime.handle());
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
    async fn stop(self) {
        self.stop.cancel();
        let workers = tokio::task::spawn_blocking(|| self.workers.stop());
        if tokio::time::timeout(DRAIN, self.tasks.wait()).await.is_err() {
            tracing::warn!("connections that did not end in time were cut");
        }
        workers.await.ok();
        self.dns_runtime.shutdown_background();
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

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
