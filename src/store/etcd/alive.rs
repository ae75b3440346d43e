//! The one lease that this server has in etcd, and for how long the others know by it that it is live.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::link::{CallError, Link};
use super::messages::{LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse};
use crate::cluster::UNHEARD;
use crate::engine::shared::Duty;

/// How often it makes itself heard.
const EVERY: Duration = Duration::from_secs(1);
/// How long an answer to that may take before the connection is given up.
const PATIENCE: Duration = Duration::from_secs(2);

const GRANT: &str = "/etcdserverpb.Lease/LeaseGrant";
const KEEP_ALIVE: &str = "/etcdserverpb.Lease/LeaseKeepAlive";

/// Until when this server counts as live at least; `None` while it never did. Clones share it.
#[derive(Debug, Clone)]
pub struct Heard {
    until: Arc<Mutex<Option<Instant>>>,
    duty: Arc<Duty>,
}

impl Heard {
    /// Of a server that was never heard yet, and tells through `duty` when it was.
    pub fn by(duty: Duty) -> Self {
        Self { until: Arc::default(), duty: Arc::new(duty) }
    }

    /// Etcd has answered what was sent at this time.
    fn at(&self, sent: Instant) {
        *self.until.lock() = Some(sent + UNHEARD);
        self.duty.lasts_until(sent + UNHEARD);
    }

    /// It is known that others take it for dead.
    pub fn forget(&self) {
        *self.until.lock() = None;
    }

    /// Returns once the others may take this server for dead.
    pub async fn over(&self) {
        loop {
            let until = *self.until.lock();
            match until {
                None => std::future::pending().await,
                Some(until) if until <= Instant::now() => return,
                Some(until) => sleep_until(until).await,
            }
        }
    }
}

/// A lease that has its full time from now on: `known`, if it has not run out, or a new one.
pub async fn lease(link: &Link, known: Option<i64>, heard: &Heard) -> Result<i64, CallError> {
    let sent = Instant::now();
    if let Some(id) = known {
        let once = futures_util::stream::once(async move { LeaseKeepAliveRequest { id } });
        let mut answers = link.talk::<_, LeaseKeepAliveResponse, _>(KEEP_ALIVE, once).await?;
        let answer = timeout(PATIENCE, answers.message()).await.map_err(|_| CallError::TimedOut(PATIENCE))?;
        if answer?.is_some_and(|answer| answer.ttl > 0) {
            heard.at(sent);
            return Ok(id);
        }
    }
    let request = LeaseGrantRequest { ttl: UNHEARD.as_secs().cast_signed() };
    let LeaseGrantResponse { id } = link.call(GRANT, request).await?;
    heard.at(sent);
    Ok(id)
}

/// Keeps the lease alive for as long as that works, and says why it does not any more.
pub async fn keep(link: &Link, id: i64, heard: &Heard) -> CallError {
    let stopped = CancellationToken::new();
    let _stop = stopped.clone().drop_guard();
    let (ask, asked) = tokio::sync::mpsc::channel::<()>(1);
    let questions = futures_util::stream::unfold((asked, stopped), move |(mut asked, stopped)| async move {
        tokio::select! {
            () = stopped.cancelled() => None,
            next = asked.recv() => next.map(|()| (LeaseKeepAliveRequest { id }, (asked, stopped))),
        }
    });
    let (mut turns, mut sent) = (interval(EVERY), Instant::now());
    turns.tick().await;
    // Etcd opens its side with the first answer, so the first question goes before.
    let asking = ask.send(()).await;
    let mut answers = match link.talk::<_, LeaseKeepAliveResponse, _>(KEEP_ALIVE, questions).await {
        Ok(answers) if asking.is_ok() => answers,
        Ok(_) => return CallError::Unconnected("the stream was closed".to_owned()),
        Err(error) => return error,
    };
    loop {
        match timeout(PATIENCE, answers.message()).await {
            Err(_) => return CallError::TimedOut(PATIENCE),
            Ok(Err(status)) => return status.into(),
            Ok(Ok(Some(answer))) if answer.ttl > 0 => heard.at(sent),
            Ok(Ok(_)) => return CallError::Unconnected("the announcement of this server has run out".to_owned()),
        }
        turns.tick().await;
        sent = Instant::now();
        if ask.send(()).await.is_err() {
            return CallError::Unconnected("the stream was closed".to_owned());
        }
    }
}
