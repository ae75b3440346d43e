//! Registrations in one memory, as far as they say the same.

use std::hint::black_box;
use std::sync::Arc;

use super::Registration;

/// A part of a registration, and whose memory it may have instead of its own.
struct Part<T> {
    at: Option<Arc<T>>,
    is_settled: bool,
}

impl Registration {
    /// The same in the memory of other registrations, as far as they say the same: of the first that does, unless it alone
    /// has that memory and a later one says the same. No more of them are asked for than it takes. Nobody sees a difference:
    /// whoever else holds this one keeps it as it is.
    #[must_use]
    pub fn sharing<'a>(mut self: Arc<Self>, others: impl IntoIterator<Item = &'a Self>) -> Arc<Self> {
        let (mut metadata, mut particulars) = (Part::of(&self.metadata), Part::of(&self.particulars));
        let mut others = others.into_iter();
        while !(metadata.is_settled && particulars.is_settled)
            && let Some(other) = others.next()
        {
            metadata.compare(&other.metadata);
            particulars.compare(&other.particulars);
        }
        if !(metadata.is_at(&self.metadata) && particulars.is_at(&self.particulars)) {
            let shared = Arc::make_mut(&mut self);
            (shared.metadata, shared.particulars) = (metadata.at, particulars.at);
        }
        self
    }

    /// Has read from memory what comparing it with another looks at.
    pub fn touch(&self) {
        black_box((self.metadata.as_ref().map(Arc::strong_count), self.particulars.as_ref().map(Arc::strong_count)));
    }
}

impl<T: Eq> Part<T> {
    fn of(own: &Option<Arc<T>>) -> Self {
        Self { at: own.clone(), is_settled: own.is_none() }
    }

    /// Takes the memory of another that says the same. While only that one and this have it, one that more have is better.
    fn compare(&mut self, other: &Option<Arc<T>>) {
        if !self.is_settled && self.at == *other {
            self.at.clone_from(other);
            self.is_settled = self.at.as_ref().is_none_or(|at| Arc::strong_count(at) > 2);
        }
    }

    fn is_at(&self, place: &Option<Arc<T>>) -> bool {
        self.at.as_ref().map(Arc::as_ptr) == place.as_ref().map(Arc::as_ptr)
    }
}
