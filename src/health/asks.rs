//! Those who wait for checks that they have asked for.
//!
//! A run that was under way when someone asked may have looked at the target before that, so it is not the one whose
//! result they get: the check runs once more.

use std::collections::{BTreeMap, HashMap};

use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::schedule::CheckId;
use crate::engine::{CheckError, CheckRequest, Checked};
use crate::model::{CheckSpec, Key};

/// Requests that may wait for results at one time.
const MOST: usize = 256;

/// Every request that waits for results.
#[derive(Debug, Default)]
pub struct Asks {
    open: BTreeMap<u64, Ask>,
    waiters: HashMap<CheckId, SmallVec<[Waiter; 1]>>,
    last: u64,
}

#[derive(Debug)]
struct Ask {
    key: Key,
    /// What the reply has to have, in its order.
    checks: Vec<CheckSpec>,
    results: Vec<Checked>,
    left: usize,
    reply: oneshot::Sender<Result<Vec<Checked>, CheckError>>,
}

#[derive(Debug)]
struct Waiter {
    ask: u64,
    /// The run under way is not the one that was asked for.
    skips: bool,
}

impl Asks {
    /// Whether one more request may wait. Those whose callers are gone make room.
    pub fn has_room(&mut self) -> bool {
        if self.open.len() >= MOST {
            self.open.retain(|_, ask| !ask.reply.is_closed());
        }
        self.open.len() < MOST
    }

    /// Waits for `runs`, each a check with whether it runs already, which are what `checks` stand for.
    pub fn open(&mut self, request: CheckRequest, checks: Vec<CheckSpec>, runs: &[(CheckId, bool)]) {
        self.last += 1;
        for &(id, skips) in runs {
            self.waiters.entry(id).or_default().push(Waiter { ask: self.last, skips });
        }
        let CheckRequest { key, reply } = request;
        let ask = Ask { key, checks, results: Vec::new(), left: runs.len(), reply };
        if ask.left == 0 {
            ask.answer();
        } else {
            self.open.insert(self.last, ask);
        }
    }

    /// Whether anyone waits for a check.
    pub fn await_one(&self, id: CheckId) -> bool {
        self.waiters.contains_key(&id)
    }

    /// Whether anyone waits for the checks of an instance.
    pub fn awaits(&self, key: &Key) -> bool {
        self.open.values().any(|ask| ask.key == *key)
    }

    /// A run of a check has ended with `checked`.
    pub fn finished(&mut self, id: CheckId, checked: &Checked) {
        let Some(waiters) = self.waiters.get_mut(&id) else { return };
        let (stay, served): (SmallVec<[Waiter; 1]>, SmallVec<[Waiter; 1]>) =
            std::mem::take(waiters).into_iter().partition(|waiter| waiter.skips);
        *waiters = stay.into_iter().map(|waiter| Waiter { skips: false, ..waiter }).collect();
        if waiters.is_empty() {
            self.waiters.remove(&id);
        }
        for waiter in served {
            self.one_less(waiter.ask, Some(checked));
        }
    }

    /// A check is no more.
    pub fn gone(&mut self, id: CheckId) {
        for waiter in self.waiters.remove(&id).into_iter().flatten() {
            self.one_less(waiter.ask, None);
        }
    }

    fn one_less(&mut self, ask: u64, checked: Option<&Checked>) {
        let Some(open) = self.open.get_mut(&ask) else { return };
        open.results.extend(checked.cloned());
        open.left -= 1;
        if open.left == 0 {
            self.open.remove(&ask).into_iter().for_each(Ask::answer);
        }
    }
}

impl Ask {
    /// Answers with what there is, in order; equal checks have one result, which stands in each of their places.
    fn answer(self) {
        let result = |check: &CheckSpec| self.results.iter().find(|checked| checked.check == *check).cloned();
        let results: Vec<_> = self.checks.iter().filter_map(result).collect();
        let all_gone = results.is_empty() && !self.checks.is_empty();
        // Whoever asked may be gone.
        self.reply.send(if all_gone { Err(CheckError::Unknown(self.key)) } else { Ok(results) }).ok();
    }
}
