//! The instances of services, remembered and kept fresh.
//!
//! A service that is asked for is read once and then followed (`/v1/watch`), so that answers cost no call and are as new
//! as the server's. A bounded number of services is followed; those beyond it, and those of plain DNS, are asked for
//! again when what is known is older than the rules say. While nobody can be asked, what was known is the answer, and
//! the answer says how old it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::event::Event;
use super::knowledge::{Freshness, Knowledge, Known};
use super::lru::Lru;
use super::servers::service_name;
use super::watch::{Signal, Watch};
use super::{Client, Error, Instances, dns};
use crate::model::{ServiceName, Span, Tick};

/// How long somebody for whom there is a stale answer waits for a fresh one.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is remembered, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheRules {
    /// Services at one time; the one that was asked for least recently goes.
    pub services: usize,
    /// How long an answer counts as fresh when the service is not followed. Records of DNS may say less.
    pub valid: Duration,
    /// Services that are followed at one time, each by a connection of its own; 0: none is.
    pub followed: usize,
    /// A service that nobody asked for so long is not followed any more.
    pub idle: Duration,
    /// How long nobody is asked about a service after an attempt that failed.
    pub pause: Duration,
}

impl Default for CacheRules {
    fn default() -> Self {
        Self {
            services: 10_000,
            valid: Duration::from_secs(30),
            followed: 64,
            idle: Duration::from_secs(300),
            pause: Duration::from_secs(1),
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Found {
    pub instances: Arc<Instances>,
    pub freshness: Freshness,
}

/// How the cache did since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheMetrics {
    /// Answers that cost no call.
    pub hits: u64,
    /// Answers that a server was asked for.
    pub misses: u64,
    /// Answers that were stale, because no server could be asked.
    pub stale: u64,
    /// Services that are remembered now.
    pub services: usize,
    /// Services that are followed now.
    pub followed: usize,
}

impl CacheMetrics {
    /// The share of answers that cost no call, from 0 to 1; `None` before the first.
    pub fn hit_ratio(&self) -> Option<f64> {
        let all = self.hits + self.misses + self.stale;
        (all > 0).then(|| self.hits as f64 / all as f64)
    }
}

/// Finds the instances of services. Cheap to clone; clones share what is remembered.
#[derive(Debug, Clone)]
pub struct Discovery {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    rules: CacheRules,
    started: Instant,
    entries: Mutex<Lru<ServiceName, Slot>>,
    follows: Arc<Semaphore>,
    hits: AtomicU64,
    misses: AtomicU64,
    stale: AtomicU64,
}

#[derive(Debug)]
enum Source {
    Servers(Client),
    Dns(dns::Resolver),
}

/// A place in the cache. What follows the service ends with it.
#[derive(Debug)]
struct Slot {
    entry: Arc<Entry>,
    follower: Option<AbortOnDropHandle<()>>,
}

#[derive(Debug)]
struct Entry {
    service: ServiceName,
    knowledge: Mutex<Knowledge>,
    /// Held by whoever asks a server, so that all others wait for that one answer.
    asking: tokio::sync::Mutex<()>,
    /// When it was last asked for.
    used: AtomicU64,
}

impl Discovery {
    /// By the API of srvd.
    pub fn new(client: Client, rules: CacheRules) -> Self {
        Self::by(Source::Servers(client), rules)
    }

    /// By plain DNS alone: nothing is followed.
    pub fn over_dns(resolver: dns::Resolver, rules: CacheRules) -> Self {
        Self::by(Source::Dns(resolver), rules)
    }

    fn by(source: Source, rules: CacheRules) -> Self {
        let shared = Shared {
            source,
            rules,
            started: Instant::now(),
            entries: Mutex::new(Lru::new(rules.services)),
            follows: Arc::new(Semaphore::new(rules.followed)),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            stale: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The instances of a service; none if there is no such service.
    ///
    /// ```no_run
    /// use srvd::client::{CacheRules, Client, Discovery, Freshness};
    ///
    /// # async fn example(client: Client) -> Result<(), srvd::client::Error> {
    /// let discovery = Discovery::new(client, CacheRules::default());
    /// let found = discovery.find("web").await?;
    /// for instance in found.instances.served() {
    ///     println!("{}", instance.url());
    /// }
    /// if let Freshness::Stale { age } = found.freshness {
    ///     println!("no server answers; this was known {age} ago");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When nothing is known of it and no server answers, or the server refuses.
    pub async fn find(&self, service: &str) -> Result<Found, Error> {
        let entry = self.entry(&service_name(service)?);
        if let Some(settled) = self.settled(&entry) {
            return settled;
        }
        let asking = match timeout(PATIENCE, entry.asking.lock()).await {
            Ok(asking) => asking,
            Err(_) => match entry.knowledge.lock().stale(self.now()) {
                Some((instances, freshness)) => return Ok(self.counted(instances, freshness)),
                None => return Err(Error::AwayLately { subject: service.to_owned() }),
            },
        };
        // Whoever asked meanwhile asked for this, too.
        let found = match self.settled(&entry) {
            Some(settled) => settled,
            None => self.ask(&entry).await,
        };
        drop(asking);
        found
    }

    /// The answer, where no server need be asked, or can be.
    fn settled(&self, entry: &Entry) -> Option<Result<Found, Error>> {
        let now = self.now();
        entry.used.store(now.0, Ordering::Relaxed);
        match entry.knowledge.lock().at(now) {
            Known::Answer(instances, freshness) => Some(Ok(self.counted(instances, freshness))),
            Known::Nothing => Some(Err(Error::AwayLately { subject: entry.service.to_string() })),
            Known::Ask => None,
        }
    }

    fn counted(&self, instances: Arc<Instances>, freshness: Freshness) -> Found {
        let counter = match freshness {
            Freshness::Fresh => &self.shared.hits,
            Freshness::Stale { .. } => &self.shared.stale,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Found { instances, freshness }
    }

    /// The same, and a server is asked whatever is known.
    ///
    /// # Errors
    /// As [`Discovery::find`].
    pub async fn refresh(&self, service: &str) -> Result<Found, Error> {
        let entry = self.entry(&service_name(service)?);
        let _asking = entry.asking.lock().await;
        self.ask(&entry).await
    }

    pub fn metrics(&self) -> CacheMetrics {
        let shared = &self.shared;
        CacheMetrics {
            hits: shared.hits.load(Ordering::Relaxed),
            misses: shared.misses.load(Ordering::Relaxed),
            stale: shared.stale.load(Ordering::Relaxed),
            services: shared.entries.lock().len(),
            followed: shared.rules.followed - shared.follows.available_permits(),
        }
    }

    fn now(&self) -> Tick {
        tick(self.shared.started)
    }

    /// What is remembered of a service, or a new place for it.
    fn entry(&self, service: &ServiceName) -> Arc<Entry> {
        let mut entries = self.shared.entries.lock();
        if let Some(slot) = entries.use_of(service) {
            return Arc::clone(&slot.entry);
        }
        let entry = Arc::new(Entry {
            service: service.clone(),
            knowledge: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            used: AtomicU64::new(0),
        });
        let gone = entries.put(service.clone(), Slot { entry: Arc::clone(&entry), follower: None });
        drop(entries);
        drop(gone);
        entry
    }

    /// Asks a server. Where something is known already, nobody is kept waiting for long.
    async fn ask(&self, entry: &Arc<Entry>) -> Result<Found, Error> {
        let is_known = entry.knowledge.lock().stale(self.now()).is_some();
        let answer = match is_known {
            true => timeout(PATIENCE, self.ask_source(entry))
                .await
                .unwrap_or_else(|_| Err(Error::AwayLately { subject: entry.service.to_string() })),
            false => self.ask_source(entry).await,
        };
        let now = self.now();
        match answer {
            Ok((instances, valid)) => {
                let instances = Arc::new(instances);
                entry.knowledge.lock().told(Arc::clone(&instances), span(valid), now);
                self.shared.misses.fetch_add(1, Ordering::Relaxed);
                self.follow(entry);
                Ok(Found { instances, freshness: Freshness::Fresh })
            }
            Err(error) if error.is_passing() => {
                let mut knowledge = entry.knowledge.lock();
                knowledge.failed(span(self.shared.rules.pause), now);
                let stale = knowledge.stale(now).ok_or(error);
                stale.map(|(instances, freshness)| self.counted(instances, freshness))
            }
            Err(error) => Err(error),
        }
    }

    async fn ask_source(&self, entry: &Entry) -> Result<(Instances, Duration), Error> {
        let valid = self.shared.rules.valid;
        match &self.shared.source {
            Source::Servers(client) => Ok((client.instances(entry.service.as_str()).await?, valid)),
            Source::Dns(resolver) => {
                let (instances, ttl) = resolver.instances(&entry.service).await?;
                Ok((instances, ttl.min(valid)))
            }
        }
    }

    /// Follows a service, if it is not followed yet and not too many are.
    fn follow(&self, entry: &Arc<Entry>) {
        let Source::Servers(client) = &self.shared.source else { return };
        let mut entries = self.shared.entries.lock();
        let Some(slot) = entries.use_of(&entry.service) else { return };
        let is_followed = slot.follower.as_ref().is_some_and(|follower| !follower.is_finished());
        if is_followed || !Arc::ptr_eq(&slot.entry, entry) {
            return;
        }
        let Ok(place) = Arc::clone(&self.shared.follows).try_acquire_owned() else { return };
        let follower = Follower {
            entry: Arc::clone(entry),
            client: client.clone(),
            rules: self.shared.rules,
            started: self.shared.started,
            _place: place,
        };
        slot.follower = Some(AbortOnDropHandle::new(tokio::spawn(follower.run())));
    }
}

/// Takes in the changes of one service.
struct Follower {
    entry: Arc<Entry>,
    client: Client,
    rules: CacheRules,
    started: Instant,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    /// Until it is dropped, or nobody asks for the service any more.
    async fn run(self) {
        let mut watch = Watch::new(self.client.clone(), Some(self.entry.service.clone()));
        loop {
            let unused = tick(self.started).since(Tick(self.entry.used.load(Ordering::Relaxed))).as_duration();
            let Some(left) = self.rules.idle.checked_sub(unused).filter(|left| !left.is_zero()) else { break };
            let signal = tokio::select! {
                signal = watch.signal() => signal,
                () = sleep(left) => continue,
            };
            self.take_in(&mut watch, signal).await;
        }
        self.entry.knowledge.lock().lost(span(self.rules.valid), tick(self.started));
    }

    async fn take_in(&self, watch: &mut Watch, signal: Signal) {
        match signal {
            Signal::Connected(server) => {
                // First the stream, then the state: so no change falls between the two. And the state is read whenever a
                // stream begins, because a server that lost its memory may count its revisions anew.
                match self.client.instances_of(&server, &self.entry.service).await {
                    Ok(instances) => self.told(instances),
                    Err(error) => {
                        tracing::debug!(service = %self.entry.service, %error, "a stream without the state is no use");
                        self.lost(watch);
                    }
                }
            }
            Signal::Event(Event::Put(change, instance)) => {
                self.entry.knowledge.lock().changed(&change.id, change.revision, Some(instance));
            }
            Signal::Event(Event::Remove(change)) => {
                self.entry.knowledge.lock().changed(&change.id, change.revision, None);
            }
            Signal::Event(Event::Reset) => {
                let Some(server) = watch.server() else { return };
                match self.client.instances_of(server, &self.entry.service).await {
                    Ok(instances) => self.told(instances),
                    Err(_) => self.lost(watch),
                }
            }
            Signal::Lost => self.entry.knowledge.lock().lost(span(self.rules.valid), tick(self.started)),
        }
    }

    fn told(&self, instances: Instances) {
        let mut knowledge = self.entry.knowledge.lock();
        knowledge.told(Arc::new(instances), span(self.rules.valid), tick(self.started));
        knowledge.followed();
    }

    fn lost(&self, watch: &mut Watch) {
        watch.lose();
        self.entry.knowledge.lock().lost(span(self.rules.valid), tick(self.started));
    }
}

fn tick(started: Instant) -> Tick {
    Tick(started.elapsed().as_millis() as u64)
}

fn span(duration: Duration) -> Span {
    Span::from_millis(duration.as_millis() as u64)
}
