//! Who waits for a commit, and what they are told.

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Request, Results, WriteError};
use crate::model::Revision;
use crate::registry::{Command, RecordName};

/// What writers are told when the store was given up.
pub(super) const HANGS: &str = "the store does not answer";

pub(super) type Commands = SmallVec<[Command; 1]>;
pub(super) type Replies = Vec<(oneshot::Sender<Results>, Results)>;

/// What a commit is about.
#[derive(Debug, Default)]
pub(super) struct Underway {
    pub names: BTreeSet<RecordName>,
    pub reserve: Option<Revision>,
    /// Those whose writes were taken back, and who wait for its end.
    pub writers: Option<Writers>,
    /// Nobody waits any more.
    pub given_up: bool,
}

/// Who asked for writes, with what they asked for and what came of it.
#[derive(Debug)]
pub(super) struct Writers {
    /// For each reply, in the same order.
    pub commands: Vec<Commands>,
    pub replies: Replies,
    pub since: Instant,
}

impl Writers {
    /// Answers all. With a `failure` nothing was done of what would have been.
    pub fn reply(self, failure: Option<&str>) {
        let failure = failure.map(Arc::<str>::from);
        for (reply, mut results) in self.replies {
            if let Some(detail) = &failure {
                let undone = results.iter_mut().filter(|result| result.is_ok());
                undone.for_each(|result| *result = Err(WriteError::NotDurable(Arc::clone(detail))));
            }
            reply.send(results).ok();
        }
    }
}

/// Refuses writes without a look at them.
pub(super) fn refuse(requests: Vec<Request>) {
    let refused = |_| Err(WriteError::NotDurable(HANGS.into()));
    for Request { commands, reply, .. } in requests {
        reply.map(|reply| reply.send(commands.into_iter().map(refused).collect()));
    }
}
