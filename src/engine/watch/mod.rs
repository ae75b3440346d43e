//! Who is told of changes: one log of what was published, and readers that each have their own place in it.
//!
//! ```text
//! engine ─► the log of all changes, bounded ─► subscriptions to everything
//!               └─► the log of each service ─► subscriptions to that service
//! ```
//!
//! No reader has a queue. It remembers the change that it has come to, and is woken when a change of its service is
//! published; so an idle reader costs some memory and no time, and a slow one holds up nobody. Whoever is so slow that
//! the next change for it was forgotten is told to start over ([`Told::Reset`]), from the index or from a [`Snapshot`].
//! A change is in the index before it is in a log: what a reader was told of, it can read.

mod log;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

pub use log::Published;
use log::{Forgotten, LONG_AGO, Log};
use snapshot::Shared;
pub use snapshot::Snapshot;

use super::gather::BATCH;
use super::{Index, Records};
use crate::answer::Live;
use crate::model::{Revision, ServiceName};
use crate::registry::Event;

/// What is kept of the past, for those who come back or are slow.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub changes: usize,
    /// Octets that the changes may take, by a rough count.
    pub octets: usize,
}

impl Window {
    /// Some seconds of a busy registry, or hours of a quiet one. Instances are small as a rule, and may be large.
    pub const USUAL: Self = Self { changes: 16_384, octets: 64 << 20 };
}

/// The place that the first log begins after.
const FIRST_PLACE: u64 = LONG_AGO + 1;

/// The logs, and who reads them.
#[derive(Debug)]
pub(super) struct Hub {
    index: Arc<Index>,
    records: Arc<Records>,
    window: Window,
    all: Arc<Topic>,
    /// Services that have a change in the log or a reader.
    services: Mutex<Services>,
}

type Services = HashMap<ServiceName, Arc<Topic>, foldhash::fast::RandomState>;

/// A log and whoever waits for more of it.
#[derive(Debug)]
struct Topic {
    log: RwLock<Log>,
    /// The revision of the last change that is no event: of the settings, while somebody waited.
    touched: AtomicU64,
    more: Notify,
    snapshot: Shared,
}

/// A reader's place in the changes of one service, or of all.
#[derive(Debug)]
pub struct Subscription {
    hub: Arc<Hub>,
    topic: Arc<Topic>,
    service: Option<ServiceName>,
    /// Every change up to this place was told, or came before the subscription; `None` when the reader has to start over.
    cursor: Option<u64>,
    /// Services that the last snapshot showed at a later revision than its own.
    ahead: Arc<HashMap<ServiceName, Revision>>,
}

/// What a subscription has to say.
#[derive(Debug)]
pub enum Told {
    Change(Arc<Published>),
    /// Changes were missed. The subscription goes on with those after this moment, so that whoever now reads the index,
    /// or asks for a [`Subscription::snapshot`], misses nothing more.
    Reset,
}

impl Hub {
    pub fn new(index: Arc<Index>, records: Arc<Records>, window: Window) -> Self {
        let all = Topic::after(Revision::ZERO, FIRST_PLACE);
        Self { index, records, window, all, services: Mutex::default() }
    }

    /// Begins after `revision`: what was before is not known here.
    pub fn begin(&self, revision: Revision) {
        *self.all.log.write() = Log::after(revision, FIRST_PLACE);
    }

    /// Tells of `events`, which the index has already, in the order of their revisions.
    pub fn publish(&self, events: Vec<Event>, now: Timestamp) {
        let mut services = self.services.lock();
        let mut all = self.all.log.write();
        let soon = &events[..events.len().min(BATCH)];
        look_ahead(&services, soon, all.oldest(soon.len()));
        let mut events = events.into_iter().peekable();
        while let Some(event) = events.next() {
            let continues = events.peek().is_some_and(|next| next.revision == event.revision);
            let change = Arc::new(Published::new(event, all.latest_place() + 1, continues, now));
            let topic = services.entry(change.key.service.clone()).or_insert_with(|| Topic::beside(&all));
            topic.log.write().push(Arc::clone(&change));
            topic.more.notify_waiters();
            all.push(change);
        }
        while all.is_larger_than(self.window)
            && let Some(oldest) = all.pop()
        {
            forget(&mut services, &oldest);
        }
        drop((all, services));
        self.all.more.notify_waiters();
    }

    /// Wakes who waits for a change of `service`: its settings changed, which the index and the records have already.
    pub fn touch(&self, service: &ServiceName, revision: Revision) {
        let services = self.services.lock();
        if let Some(topic) = services.get(service) {
            topic.touched.store(revision.0, Ordering::Release);
            topic.more.notify_waiters();
        }
    }

    /// A place in the changes of `service`, or of all: after `since`, or from now on. A `since` that was never given out
    /// counts as one that was forgotten.
    pub fn subscribe(self: &Arc<Self>, service: Option<ServiceName>, since: Option<Revision>) -> Subscription {
        let is_future = since.is_some_and(|since| since > self.index.revision());
        let mut services = self.services.lock();
        let all = self.all.log.read();
        let topic = match &service {
            None => &self.all,
            Some(name) => services.entry(name.clone()).or_insert_with(|| Topic::beside(&all)),
        };
        let place = since.map_or_else(|| all.latest_place(), |since| all.place_of(since));
        let cursor = Some(place).filter(|_| !is_future);
        Subscription { hub: Arc::clone(self), topic: Arc::clone(topic), service, cursor, ahead: Arc::default() }
    }

    /// The latest changes of `service`, or of all, that are `wanted`: newest first, at most so many.
    pub fn recent(
        &self,
        service: Option<&ServiceName>,
        at_most: usize,
        wanted: impl Fn(&Published) -> bool,
    ) -> Vec<Arc<Published>> {
        let topic = match service {
            None => Some(Arc::clone(&self.all)),
            Some(name) => self.services.lock().get(name).cloned(),
        };
        let of = |topic: &Topic| {
            let log = topic.log.read();
            log.newest_first().filter(|change| wanted(change)).take(at_most).cloned().collect()
        };
        topic.as_deref().map(of).unwrap_or_default()
    }

    /// Returns once `service` is no longer what it was at `since`: it changed, or it is gone, or, with a `since` of zero,
    /// it has come into being. Returns at once when that cannot be told.
    pub async fn changed(self: &Arc<Self>, service: &ServiceName, since: Revision) {
        let subscription = self.subscribe(Some(service.clone()), Some(since));
        loop {
            let more = subscription.topic.more.notified();
            tokio::pin!(more);
            // From here on no wake-up is missed, also while what is there is looked at.
            more.as_mut().enable();
            if subscription.cursor.is_none() || self.is_past(since, service, &subscription.topic) {
                return;
            }
            more.await;
        }
    }

    fn is_past(&self, since: Revision, service: &ServiceName, topic: &Topic) -> bool {
        if topic.touched.load(Ordering::Acquire) > since.0 {
            return true;
        }
        match self.index.service(service.as_str()) {
            Some(view) => view.revision() > since,
            None if self.records.settings(service).is_some_and(|(revision, _)| revision > since) => true,
            None if since == Revision::ZERO => false,
            None => {
                let log = topic.log.read();
                since < log.begins_after() || since < log.latest()
            }
        }
    }
}

/// Has read from memory what is looked at to tell of `events` and to forget as many: of all of them at the same time, so
/// that one need not wait for the other. Nothing else comes of it.
fn look_ahead<'a>(services: &Services, events: &[Event], oldest: impl Iterator<Item = &'a Arc<Published>>) {
    let named = events.iter().map(|event| &event.key.service).chain(oldest.map(|change| &change.key.service));
    let topics: Vec<&Arc<Topic>> = named.filter_map(|name| services.get(name)).collect();
    topics.iter().for_each(|topic| _ = black_box(topic.touched.load(Ordering::Relaxed)));
}

/// Forgets the oldest change in the log of its service too, and the log when nobody needs it.
fn forget(services: &mut Services, oldest: &Published) {
    let Some(topic) = services.get(&oldest.key.service) else { return };
    let mut log = topic.log.write();
    log.pop();
    let is_unused = log.is_empty() && Arc::strong_count(topic) == 1;
    drop(log);
    if is_unused {
        services.remove(&oldest.key.service);
    }
}

impl Topic {
    fn after(revision: Revision, place: u64) -> Arc<Self> {
        Arc::new(Self {
            log: RwLock::new(Log::after(revision, place)),
            touched: AtomicU64::default(),
            more: Notify::default(),
            snapshot: Shared::default(),
        })
    }

    /// A topic of which nothing is known that is not in the log of `all` any more.
    fn beside(all: &Log) -> Arc<Self> {
        Self::after(all.begins_after(), all.begins_after_place())
    }
}

impl Subscription {
    /// Waits for the next thing to say. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Told {
        loop {
            let topic = Arc::clone(&self.topic);
            let more = topic.more.notified();
            tokio::pin!(more);
            // From here on no wake-up is missed, also while the log is looked at.
            more.as_mut().enable();
            if let Some(told) = self.try_next() {
                return told;
            }
            more.await;
        }
    }

    /// The next thing to say, if there is one already.
    pub fn try_next(&mut self) -> Option<Told> {
        while let Some(cursor) = self.cursor {
            let change = match self.topic.log.read().next_after(cursor) {
                Ok(change) => Arc::clone(change?),
                Err(Forgotten) => break,
            };
            self.cursor = Some(change.order());
            if self.ahead.get(&change.key.service).is_none_or(|shown| *shown < change.revision) {
                return Some(Told::Change(change));
            }
        }
        // All that is in the log by now is in the index.
        self.cursor = Some(self.hub.all.log.read().latest_place());
        Some(Told::Reset)
    }

    /// Everything there is, to start over from; the subscription goes on after it.
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        let begins_after = self.topic.log.read().begins_after_place();
        let snapshot = self.topic.snapshot.get_or_make(begins_after, || {
            let (revision, place) = {
                let all = self.hub.all.log.read();
                (all.latest(), all.latest_place())
            };
            Snapshot::new(revision, place, &self.hub.index, self.service.as_ref())
        });
        self.cursor = Some(snapshot.place());
        self.ahead = Arc::clone(snapshot.ahead());
        snapshot
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(service) = &self.service else { return };
        let mut services = self.hub.services.lock();
        let topic = std::mem::replace(&mut self.topic, Arc::clone(&self.hub.all));
        // The map holds it, and this.
        if Arc::strong_count(&topic) == 2 && topic.log.read().is_empty() {
            services.remove(service);
        }
        // Before anybody else counts.
        drop(topic);
    }
}
