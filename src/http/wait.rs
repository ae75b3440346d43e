//! Holding a reply until a service changed (`since=` and `wait=`).
//!
//! `since` is a revision that a client has read: that of the service, or of the whole registry. While nothing about the
//! service is newer, the reply waits. With `since=0` a service that does not exist is awaited; a client that has seen a
//! later revision learns at once that the service is gone.

use tokio::time::timeout;

use super::Api;
use super::params::{self, Params};
use super::problem::Problem;
use crate::model::{Invalid, Reason, Revision, ServiceName, Span, limits};

/// What to wait for, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    since: Revision,
    at_most: Span,
}

impl Wait {
    /// Reads the two parameters, which come together.
    pub fn from_params(params: &mut Params) -> Result<Option<Self>, Invalid> {
        let since = params.one("since", params::revision)?;
        let wait = params.one("wait", |text| Span::parse(text).ok_or(Reason::Span)?.within(limits::WAIT))?;
        match (since, wait) {
            (None, None) => Ok(None),
            (Some(since), Some(at_most)) => Ok(Some(Self { since, at_most })),
            (Some(_), None) => Err(Invalid::at("wait", Reason::Missing)),
            (None, Some(_)) => Err(Invalid::at("since", Reason::Missing)),
        }
    }

    /// Returns when the service changed, the time is over, or the server stops.
    ///
    /// # Errors
    /// When too many wait already.
    pub async fn for_change(self, api: &Api, service: &ServiceName) -> Result<(), Problem> {
        let _place = api.watchers.enter()?;
        tokio::select! {
            () = api.stopping.cancelled() => {}
            // Whether it changed or the time is over, what there is then is the reply.
            _ = timeout(self.at_most.as_duration(), api.engine.changed(service, self.since)) => {}
        }
        Ok(())
    }
}
