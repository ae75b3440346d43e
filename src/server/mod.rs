//! The server put together: what the configuration asks for, started in order and stopped in order.
//!
//! Starting finds everything that is wrong before anything serves: the configuration, the zone files, the addresses, the
//! store. Then DNS and HTTP begin (answering SERVFAIL and 503), the state is loaded, and the ready line is printed.
//! Stopping goes the other way round: not ready any more, listeners drained, state written.

mod changes;
mod checks;
mod engine_thread;
mod listeners;
mod manager;
mod reload;
mod serving;
mod settings;
mod signals;
mod zones;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle};

use crate::cli::{ConfigArgs, Exit};
use crate::cluster::ServerId;
use crate::config::{Config, Loaded, Problems, Setting, Sources, StoreKind};
use crate::dns::{self, RateLimiter, Responder};
use crate::engine::{Checks, Clock, Deliveries, Engine, Standstill, Work};
use crate::health;
use crate::http::Readiness;
use crate::notify;
use crate::store::{Embedded, Etcd, Memory};
use crate::telemetry::{self, LevelSwitch, Traces};
use engine_thread::EngineThread;
use listeners::Listeners;
use manager::Manager;
use reload::{Current, Parts, Reloader};
use serving::Serving;
use signals::Signals;
use zones::StaticZones;

/// `srvd serve`: runs until a signal stops it.
pub fn serve(args: ConfigArgs) -> ExitCode {
    finish(Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from).and_then(|runtime| {
        let result = runtime.block_on(start(sources(args)));
        // A name look-up of a check cannot be interrupted; it does not keep the process.
        runtime.shutdown_background();
        result
    }))
}

/// `srvd check`: says what is wrong with the configuration and the zone files, and starts nothing.
pub fn check(args: ConfigArgs) -> ExitCode {
    finish(Config::load(&sources(args)).map_err(anyhow::Error::from).and_then(|loaded| {
        loaded.warnings.iter().for_each(|warning| eprintln!("srvd: warning: {warning}"));
        let zones = static_zones(&loaded.config)?;
        zones.warnings().iter().for_each(|warning| eprintln!("srvd: warning: {warning}"));
        let count = zones.iter().len();
        let files = if count == 1 { "file" } else { "files" };
        println!("srvd: the configuration is right; {count} zone {files} read");
        Ok(())
    }))
}

/// Where the configuration has the embedded store.
///
/// # Errors
/// When the configuration is wrong, or has another store.
pub fn store_directory(args: ConfigArgs) -> anyhow::Result<PathBuf> {
    let store = Config::load(&sources(args))?.config.store;
    match store.kind {
        StoreKind::Embedded => Ok(store.path),
        StoreKind::Memory => anyhow::bail!("store.kind is memory, which keeps nothing; there is nowhere to restore to"),
        StoreKind::Etcd => anyhow::bail!("store.kind is etcd, which is restored with its own tools"),
    }
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    result.map_or_else(|error| failed(&error).into(), |()| ExitCode::SUCCESS)
}

/// Says on standard error why it went no further, and which exit code says so.
pub fn failed(error: &anyhow::Error) -> Exit {
    format!("{error:#}").lines().for_each(|line| eprintln!("srvd: {line}"));
    let is_usage = error.downcast_ref::<Problems>().is_some_and(Problems::are_of_usage);
    if is_usage { Exit::Usage } else { Exit::Refused }
}

/// What the configuration is read from, at the start and at every reload.
fn sources(args: ConfigArgs) -> Sources {
    let ConfigArgs { config, dns, http, data, set } = args;
    let data = data.map(|path| path.to_string_lossy().into_owned());
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Sources { file: config, env: env.collect(), dns, http, data, set }
}

fn static_zones(config: &Config) -> anyhow::Result<StaticZones> {
    zones::load(&config.dns.zones_dir, &config.dns.zone)
        .map_err(|errors| anyhow::Error::msg(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// A start that nothing stands against.
struct Start {
    sources: Sources,
    loaded: Loaded,
    zones: StaticZones,
    listeners: Listeners,
    signals: Signals,
    level: LevelSwitch,
}

/// Finds everything that keeps the server from starting, then runs it on the store that is configured.
async fn start(sources: Sources) -> anyhow::Result<()> {
    // First of all: until then, a signal ends the process, whatever it means.
    let signals = Signals::catch()?;
    let loaded = Config::load(&sources)?;
    let traces = Traces::new(&loaded.config.traces)?;
    let level = telemetry::start(&loaded.config.log, &traces);
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    // Connections, checks and files take a descriptor each; the usual soft limit is for programs that use select.
    let granted = rlimit::increase_nofile_limit(rlimit::INFINITY).unwrap_or_default();
    tracing::debug!(descriptors = granted, "open files");
    let (zones, listeners) = match (static_zones(&loaded.config), listeners::bind(&loaded)) {
        (Ok(zones), Ok(listeners)) => (zones, listeners),
        (zones, listeners) => {
            let faults = [zones.err().map(|error| error.to_string()), listeners.err().map(|error| error.to_string())];
            anyhow::bail!(faults.into_iter().flatten().collect::<Vec<_>>().join("\n"));
        }
    };
    zones.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let (store, rules) = (loaded.config.store.clone(), settings::rules(&loaded.config));
    let start = Start { sources, loaded, zones, listeners, signals, level };
    let result = match store.kind {
        StoreKind::Memory => run(Engine::new(Memory, rules, Clock::start()), start).await,
        StoreKind::Embedded => run(Engine::new(Embedded::at(&store.path), rules, Clock::start()), start).await,
        StoreKind::Etcd => {
            let etcd = Etcd::new(settings::etcd(&store)?, ServerId(rand::random()), Handle::current());
            run(Engine::sharing(etcd, rules, Clock::start()), start).await
        }
    };
    traces.finish().await;
    result
}

async fn run((engine, mut runner): (Engine, impl Work), start: Start) -> anyhow::Result<()> {
    let Start { sources, loaded, zones, listeners, signals, level } = start;
    let (mut stop, hangup) = signals.split();
    let (config, addresses) = (loaded.config, listeners.own_addresses());
    let current = Current { config, zones, addresses, cookie_secret: rand::random() };
    runner.heed(Standstill::watch()?);
    if !current.config.dns.reverse_zones.is_empty() {
        engine.index().keep_addresses(&current.config.dns.reverse_zones);
    }
    let parts = parts(&current, engine.clone(), level);
    parts.log_more(&current.config.log)?;
    let readiness = Readiness::default();
    let ready_line = listeners.ready_line();
    let settings = checks::settings(&current.config.health, &parts.allow)?;
    let callbacks = notify::Settings { allow: settings.allow.clone(), roots: settings.roots.clone() };
    let ((checks, requests), deliveries) = (Checks::new(), Deliveries::default());
    let serving = Serving::start(&current, &parts, listeners, (checks, deliveries.clone()), &readiness)?;
    let mut engine_thread = EngineThread::start(runner)?;
    let unready = tokio::select! {
        loaded = engine_thread.loaded() => loaded.err().map(Err),
        // Nothing was changed yet that would have to be written.
        () = stop.received() => Some(Ok(())),
    };
    if let Some(result) = unready {
        serving.stop().await;
        return result;
    }
    let mut checks = tokio::spawn(health::run(engine.clone(), settings, requests, std::future::pending()));
    let mut notices = tokio::spawn(notify::run(engine.clone(), callbacks, deliveries));
    let manager = Arc::new(Manager::of_environment());
    let reloader =
        Reloader { sources: Arc::new(sources), current: Arc::new(current), parts, manager: Arc::clone(&manager) };
    readiness.set(true);
    manager.ready();
    println!("{ready_line}");
    tracing::info!(revision = engine.revision().0, "ready");
    let broken = tokio::select! {
        () = stop.received() => None,
        () = engine_thread.ended() => Some("the engine ended by itself"),
        _ = &mut checks => Some("the health checks ended by themselves"),
        _ = &mut notices => Some("the callbacks ended by themselves"),
        never = reloader.run(hangup) => match never {},
    };
    tracing::info!("stopping");
    manager.stopping();
    readiness.set(false);
    // First, so that nobody waits for a check while connections drain.
    checks.abort();
    // What the callbacks have not been told by now, they are told to start over from.
    notices.abort();
    serving.stop().await;
    engine_thread.stop().await;
    tracing::info!("stopped");
    broken.map_or(Ok(()), |what| Err(anyhow::Error::msg(what)))
}

/// What of the server takes in other settings while it runs.
fn parts(current: &Current, engine: Engine, level: LevelSwitch) -> Parts {
    let Current { config, zones, addresses, cookie_secret } = current;
    let catalog = settings::catalog(config, zones, addresses);
    let settings = dns::Settings::new(&config.dns, *cookie_secret);
    let responder = Responder::new(catalog, Arc::clone(engine.index()), settings);
    Parts {
        responder: Arc::new(responder),
        limiter: Arc::new(RateLimiter::new(dns::RateLimits::new(&config.dns))),
        connections: dns::tcp::Connections::new(dns::tcp::Limits::new(&config.dns)),
        defaults: Setting::new(settings::defaults(config)),
        allow: Setting::new(config.health.allow.clone()),
        level,
        access: Arc::default(),
        engine,
    }
}
