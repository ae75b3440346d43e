//! The server put together: what the configuration asks for, started in order and stopped in order.
//!
//! Starting finds everything that is wrong before anything serves: the configuration, the zone files, the addresses, the
//! store. Then DNS and HTTP begin (answering SERVFAIL and 503), the state is loaded, and the ready line is printed.
//! Stopping goes the other way round: not ready any more, listeners drained, state written.

mod engine_thread;
mod listeners;
mod serving;
mod zones;

use std::process::ExitCode;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ConfigArgs;
use crate::config::{Config, Loaded, Sources, StoreKind};
use crate::engine::{Clock, Engine, Store};
use crate::health;
use crate::http::Readiness;
use crate::model::Defaults;
use crate::registry::Rules;
use crate::store::{Embedded, Memory};
use crate::telemetry;
use engine_thread::EngineThread;
use listeners::Listeners;
use serving::Serving;
use zones::StaticZones;

/// `srvd serve`: runs until a signal stops it.
pub fn serve(args: ConfigArgs) -> ExitCode {
    finish(load(args).and_then(|loaded| {
        telemetry::start(&loaded.config.log);
        loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        // Connections, checks and files take a descriptor each; the usual soft limit is for programs that use select.
        let granted = rlimit::increase_nofile_limit(rlimit::INFINITY).unwrap_or_default();
        tracing::debug!(descriptors = granted, "open files");
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
        StoreKind::Embedded => run_on(Embedded::at(&config.store.path), config, zones, listeners, signals).await,
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
    let (engine, runner) = Engine::new(store, rules(config), Clock::start());
    let readiness = Readiness::default();
    let ready_line = listeners.ready_line();
    let serving = Serving::start(config, zones, listeners, &engine, &readiness)?;
    let mut engine_thread = EngineThread::start(runner)?;
    let unready = tokio::select! {
        loaded = engine_thread.loaded() => loaded.err().map(Err),
        // Nothing was changed yet that would have to be written.
        () = signals.stop() => Some(Ok(())),
    };
    if let Some(result) = unready {
        serving.stop().await;
        return result;
    }
    let checks = health::Settings { allow: config.health.allow.clone(), ..health::Settings::default() };
    let mut checks = tokio::spawn(health::run(engine.clone(), checks, std::future::pending()));
    readiness.set(true);
    println!("{ready_line}");
    tracing::info!(revision = engine.revision().0, "ready");
    let broken = tokio::select! {
        () = signals.stop() => None,
        () = engine_thread.ended() => Some("the engine ended by itself"),
        _ = &mut checks => Some("the health checks ended by themselves"),
    };
    tracing::info!("stopping");
    readiness.set(false);
    serving.stop().await;
    checks.abort();
    engine_thread.stop().await;
    tracing::info!("stopped");
    broken.map_or(Ok(()), |what| Err(anyhow::Error::msg(what)))
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
