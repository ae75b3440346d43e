//! How many instances there are of each status, so that nobody has to walk all of them to know.
//!
//! Only the engine's task changes the numbers. Whoever reads two of them meanwhile may find one as it was and the other as
//! it is.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::answer::ServiceView;
use crate::model::Status;

/// Numbers over all views.
#[derive(Debug, Default)]
pub struct Counts {
    instances: [AtomicUsize; Status::ALL.len()],
    panicking: AtomicUsize,
}

impl Counts {
    pub fn instances(&self, status: Status) -> usize {
        self.instances[status as usize].load(Ordering::Relaxed)
    }

    pub fn panicking(&self) -> usize {
        self.panicking.load(Ordering::Relaxed)
    }

    /// Takes out what one view had and puts in what the next one has.
    pub fn replace(&self, old: Option<&ServiceView>, new: Option<&ServiceView>) {
        for status in Status::ALL {
            let of = |view: Option<&ServiceView>| view.map_or(0, |view| view.count(status));
            change(&self.instances[status as usize], of(old), of(new));
        }
        let of = |view: Option<&ServiceView>| usize::from(view.is_some_and(ServiceView::is_panicking));
        change(&self.panicking, of(old), of(new));
    }
}

/// In one step, so that the number is never off by what has only moved.
fn change(number: &AtomicUsize, old: usize, new: usize) {
    if old != new {
        number.fetch_add(new.wrapping_sub(old), Ordering::Relaxed);
    }
}
