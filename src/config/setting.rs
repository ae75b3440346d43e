//! A setting that may change while the server runs.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// One value that several parts of the server read and a reload replaces. Clones share it; reading never waits.
#[derive(Debug, Clone, Default)]
pub struct Setting<T>(Arc<ArcSwap<T>>);

impl<T> Setting<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(value)))
    }

    /// The present value, which stays as it is for whoever holds it.
    pub fn get(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Another value from now on.
    pub fn set(&self, value: T) {
        self.0.store(Arc::new(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_value() {
        let setting = Setting::new(1);
        let (clone, held) = (setting.clone(), setting.get());
        setting.set(2);
        assert_eq!((*clone.get(), *held), (2, 1));
    }
}
