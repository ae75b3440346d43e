//! Figures for Prometheus: counters and histograms that cost one addition, and the text in which they are told.
//!
//! Whoever has figures keeps them in fields of its own and is a [`Source`]; nothing is registered, looked up or locked
//! where something is counted. The text is the exposition format 0.0.4 of Prometheus, which every scraper reads. The
//! crates for it either write OpenMetrics alone or find each counter by its labels, which a query of DNS cannot afford.

mod exposition;
mod histogram;

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};

pub use super::history::{Figure, Sample};
pub use exposition::{CONTENT_TYPE, Exposition, Family, Type};
pub use histogram::{BUCKETS, Histogram};

/// Someone who has figures to tell.
pub trait Source: Debug + Send + Sync {
    /// Adds each of its families, whole, to the text.
    fn tell(&self, to: &mut Exposition);

    /// Adds what it knows of the figures of which a history is kept.
    fn measure(&self, _: &mut Sample) {}
}

/// A number that only grows, from zero at the start of the process.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn increment(&self) {
        self.add(1);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
