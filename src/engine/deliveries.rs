//! How the deliveries to callbacks are doing: written by whoever makes them, read by the API.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::model::SubscriptionId;

/// The deliveries of all subscriptions. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Deliveries(Arc<Mutex<HashMap<SubscriptionId, Progress>>>);

/// Where whoever delivers writes about one subscription. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Delivery>>);

/// How the deliveries of one subscription are doing, since it was put or the server started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// When its callback took something the last time.
    pub last_notified: Option<Timestamp>,
    /// Why the last attempt failed; `None` when it did not.
    pub last_error: Option<String>,
    /// Attempts that failed.
    pub retries: u64,
    /// Instances of which the callback has not been told the newest.
    pub pending: usize,
}

impl Deliveries {
    /// Begins anew with a subscription.
    pub fn begin(&self, id: SubscriptionId) -> Progress {
        let progress = Progress::default();
        self.0.lock().insert(id, progress.clone());
        progress
    }

    /// Forgets a subscription.
    pub fn end(&self, id: &SubscriptionId) {
        self.0.lock().remove(id);
    }

    /// What was written about a subscription; as if nothing had happened yet when nothing was.
    pub fn of(&self, id: &SubscriptionId) -> Delivery {
        let progress = self.0.lock().get(id).cloned();
        progress.map(|progress| progress.0.lock().clone()).unwrap_or_default()
    }
}

impl Progress {
    pub fn set_pending(&self, pending: usize) {
        self.0.lock().pending = pending;
    }

    /// The callback took what it was sent.
    pub fn delivered(&self, now: Timestamp) {
        let mut delivery = self.0.lock();
        delivery.last_notified = Some(now);
        delivery.last_error = None;
    }

    /// An attempt failed; there will be another.
    pub fn failed(&self, why: String) {
        let mut delivery = self.0.lock();
        delivery.last_error = Some(why);
        delivery.retries += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_until_it_ends() {
        let deliveries = Deliveries::default();
        let id = SubscriptionId::parse("a").unwrap();
        assert_eq!(deliveries.of(&id), Delivery::default());
        let progress = deliveries.begin(id.clone());
        progress.set_pending(2);
        progress.failed("connection refused".to_owned());
        let failed =
            Delivery { pending: 2, retries: 1, last_error: Some("connection refused".into()), last_notified: None };
        assert_eq!(deliveries.of(&id), failed);
        progress.delivered(Timestamp::UNIX_EPOCH);
        let well = Delivery { last_error: None, last_notified: Some(Timestamp::UNIX_EPOCH), ..failed };
        assert_eq!(deliveries.of(&id), well);
        deliveries.begin(id.clone());
        progress.failed("too late".to_owned());
        assert_eq!(deliveries.of(&id), Delivery::default(), "who was replaced writes for nobody");
        deliveries.end(&id);
        assert_eq!(deliveries.of(&id), Delivery::default());
    }
}
