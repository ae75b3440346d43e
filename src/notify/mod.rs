//! Callbacks: changes of a service are posted to whoever subscribed to it.
//!
//! ```text
//!   engine records ─► one task for each subscription:
//!   engine events  ─►   backlog (what the callback has not been told) ─► post, one at a time ─► backlog, backoff
//! ```
//!
//! What always holds:
//!
//! * What is told of one instance comes in the order in which it happened, and the newest comes last. While no more than
//!   256 changes wait, each is told; beyond that, what was overtaken before it could be told is left out.
//! * An attempt that fails is made again, for ever, with longer and longer pauses. So a callback may be told twice, and
//!   knows it by the revision.
//! * Who missed changes, because srvd was restarted or too many instances went away meanwhile, is told so by a `reset`,
//!   and then of every instance that there is.
//! * Where servers share the registry, one of them posts to a callback. When that duty changes hands, the next one begins
//!   with a `reset` as after a restart; what the one before was about to post may then come twice.
//! * A callback holds one slot for no longer than the timeout of an attempt; those that fail have slots of their own, so
//!   that they take none from those that work. What is kept for one is bounded by the instances of its service and a
//!   number of changes and of removed ones.

mod backlog;
mod post;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ipnet::IpNet;
use tokio_util::task::AbortOnDropHandle;

use crate::config::Setting;
use crate::engine::{Deliveries, Engine};
use crate::model::{Revision, Subscription, SubscriptionId};
use crate::outbound::Roots;
use post::Poster;
use worker::{Shared, Slots, Worker};

/// What the configuration says about all callbacks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Prefixes that callbacks may be in although they are link-local or hold a metadata service.
    pub allow: Setting<Vec<IpNet>>,
    /// Whom `https` callbacks are believed by.
    pub roots: Roots,
}

/// Tells the callbacks of all subscriptions until it is dropped, which ends every attempt at once.
///
/// It begins from the published records, so the engine's state has to be loaded before.
pub async fn run(engine: Engine, settings: Settings, deliveries: Deliveries) {
    let poster = Poster::new(settings.allow, &settings.roots);
    let mut subscribed = engine.records().subscribed();
    let shared = Arc::new(Shared { engine, poster, slots: Slots::default() });
    let mut duties = shared.engine.shares().turned();
    let mut tasks = Tasks { shared, deliveries, running: HashMap::new(), others: HashSet::new() };
    loop {
        subscribed.borrow_and_update();
        duties.borrow_and_update();
        tasks.follow();
        let goes_on = tokio::select! {
            changed = subscribed.changed() => changed,
            changed = duties.changed() => changed,
        };
        if goes_on.is_err() {
            // The records are gone, and with them whoever could change them.
            return;
        }
    }
}

/// The task of each subscription.
struct Tasks {
    shared: Arc<Shared>,
    deliveries: Deliveries,
    /// With the revision after which the subscription goes on, which tells whether it is another one.
    running: HashMap<SubscriptionId, (Revision, AbortOnDropHandle<()>)>,
    /// Subscriptions whose callbacks other servers post to: what they were told is not known here.
    others: HashSet<SubscriptionId>,
}

impl Tasks {
    /// Ends the tasks of subscriptions that are gone, and starts those of new ones.
    fn follow(&mut self) {
        let engine = &self.shared.engine;
        let all = engine.records().subscriptions();
        let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(id, ..)| engine.shares().posts(id));
        let wanted: HashMap<_, _> =
            own.into_iter().map(|(id, since, subscription)| (id, (since, subscription))).collect();
        let before = std::mem::replace(&mut self.others, others.into_iter().map(|(id, ..)| id).collect());
        let Self { deliveries, running, .. } = self;
        running.retain(|id, (since, _)| {
            let stays = wanted.get(id).is_some_and(|(wanted, _)| wanted == since);
            if !stays {
                deliveries.end(id);
            }
            stays
        });
        for (id, (since, subscription)) in wanted {
            if !self.running.contains_key(&id) {
                let told = if before.contains(&id) { Revision::ZERO } else { since };
                let task = self.start(id.clone(), told, subscription);
                self.running.insert(id, (since, task));
            }
        }
    }

    fn start(&self, id: SubscriptionId, since: Revision, subscription: Arc<Subscription>) -> AbortOnDropHandle<()> {
        // Records are published a moment before the revision is.
        let since = since.min(self.shared.engine.revision());
        let changes = self.shared.engine.watch(Some(subscription.service.clone()), Some(since));
        let progress = self.deliveries.begin(id.clone());
        let worker = Worker::new(Arc::clone(&self.shared), id, subscription, changes, progress);
        AbortOnDropHandle::new(tokio::spawn(worker.run()))
    }
}
