//! Functions that are called when something happens to instances.

use std::fmt;

use tokio_util::task::AbortOnDropHandle;

use super::event::{Change, ChangeKind, Event};
use super::{Instance, Watch};

/// What to do about which event. One that nobody asked for is passed over.
///
/// ```
/// use srvd::client::Handlers;
///
/// let handlers = Handlers::new()
///     .on_registered(|_, instance| println!("{} came", instance.id))
///     .on_status(|change, instance| println!("{}: {:?}, was {:?}", instance.id, instance.status, change.previous_status))
///     .on_removed(|change| println!("{} went", change.id));
/// ```
#[derive(Default)]
pub struct Handlers {
    registered: Option<OnPut>,
    updated: Option<OnPut>,
    status: Option<OnPut>,
    removed: Option<OnRemove>,
    reset: Option<Box<dyn FnMut() + Send>>,
}

type OnRemove = Box<dyn FnMut(&Change) + Send>;
type OnPut = Box<dyn FnMut(&Change, &Instance) + Send>;

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handlers")
    }
}

/// Handlers at work; they stop when it is dropped.
#[derive(Debug)]
#[must_use = "dropping it stops the handlers"]
pub struct Handling {
    #[expect(dead_code, reason = "held for as long as the handlers shall work")]
    task: AbortOnDropHandle<()>,
}

impl Handlers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An instance came, or is told anew after a reset.
    #[must_use]
    pub fn on_registered(mut self, handler: impl FnMut(&Change, &Instance) + Send + 'static) -> Self {
        self.registered = Some(Box::new(handler));
        self
    }

    /// The registration of an instance is another.
    #[must_use]
    pub fn on_updated(mut self, handler: impl FnMut(&Change, &Instance) + Send + 'static) -> Self {
        self.updated = Some(Box::new(handler));
        self
    }

    /// The status of an instance, or its effective weight, is another; the change says what the status was.
    #[must_use]
    pub fn on_status(mut self, handler: impl FnMut(&Change, &Instance) + Send + 'static) -> Self {
        self.status = Some(Box::new(handler));
        self
    }

    /// An instance is gone: deregistered, or reaped.
    #[must_use]
    pub fn on_removed(mut self, handler: impl FnMut(&Change) + Send + 'static) -> Self {
        self.removed = Some(Box::new(handler));
        self
    }

    /// Changes were missed: what was known does not count any more, and every instance is told anew.
    #[must_use]
    pub fn on_reset(mut self, handler: impl FnMut() + Send + 'static) -> Self {
        self.reset = Some(Box::new(handler));
        self
    }

    /// Calls the handler of an event.
    pub fn handle(&mut self, event: &Event) {
        match event {
            Event::Reset => {
                if let Some(handler) = &mut self.reset {
                    handler();
                }
            }
            Event::Remove(change) => {
                if let Some(handler) = &mut self.removed {
                    handler(change);
                }
            }
            Event::Put(change, instance) => {
                let handler = match change.kind {
                    ChangeKind::Registered => &mut self.registered,
                    ChangeKind::Status => &mut self.status,
                    ChangeKind::Updated | ChangeKind::Deregistered | ChangeKind::Reaped | ChangeKind::Other => {
                        &mut self.updated
                    }
                };
                if let Some(handler) = handler {
                    handler(change, instance);
                }
            }
        }
    }

    /// Calls the handlers for every event of `watch`, one after the other, in a task of its own.
    pub fn run(mut self, mut watch: Watch) -> Handling {
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                self.handle(&watch.next().await);
            }
        }));
        Handling { task }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::super::instance::tests::instance;
    use super::*;

    #[test]
    fn every_event_has_its_handler() {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let note = |word: &'static str| {
            let calls = Arc::clone(&calls);
            move || calls.lock().push(word)
        };
        let (registered, updated, status) = (note("registered"), note("updated"), note("status"));
        let (removed, reset) = (note("removed"), note("reset"));
        let mut handlers = Handlers::new()
            .on_registered(move |_, _| registered())
            .on_updated(move |_, _| updated())
            .on_status(move |_, _| status())
            .on_removed(move |_| removed())
            .on_reset(reset);
        let a = instance("a", 0, 1);
        let change = |kind| Change {
            service: a.service.clone(),
            id: a.id.clone(),
            kind,
            previous_status: None,
            at: None,
            revision: 1,
        };
        for (event, word) in [
            (Event::Put(change(ChangeKind::Registered), Arc::clone(&a)), "registered"),
            (Event::Put(change(ChangeKind::Updated), Arc::clone(&a)), "updated"),
            (Event::Put(change(ChangeKind::Other), Arc::clone(&a)), "updated"),
            (Event::Put(change(ChangeKind::Status), Arc::clone(&a)), "status"),
            (Event::Remove(change(ChangeKind::Deregistered)), "removed"),
            (Event::Remove(change(ChangeKind::Reaped)), "removed"),
            (Event::Reset, "reset"),
        ] {
            handlers.handle(&event);
            assert_eq!(std::mem::take(&mut *calls.lock()), [word], "{event:?}");
            Handlers::new().handle(&event);
        }
    }
}
