//! Keeping in touch: connects to one member after another, announces this server, tells the engine what happens.
//!
//! ```text
//!  connect ─► lease ─► watch from where it was ─► announce (revision R) ─► everything up to R is told ─► back ─► follow
//!     ▲                    │ that is compacted, or nothing is known yet                                            │
//!     │                    └─► announce (R) ─► read everything as of R ─► watch from R + 1 ─► back ─► follow ──────┤
//!     └──────────────────────────────── pause ◄──────────────────────────── away ◄────────────────────────────────┘
//! ```
//!
//! The announcement is written anew on every connection. Its revision says from when on this server has missed nothing,
//! and all servers come to that revision with it. The lease is kept alive beside all of this, whatever it takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tonic::Streaming;

use super::alive::{self, Heard};
use super::backoff::Backoff;
use super::layout::{Layout, Range};
use super::link::{CallError, Credentials, Link};
use super::messages::{
    Compare, Compared, Event, KeyValue, RangeRequest, RangeResponse, TxnRequest, TxnResponse, WatchCreateRequest,
    WatchRequest, WatchResponse,
};
use super::writer::{self, Announced, TXN};
use crate::cluster::{ServerId, UNHEARD};
use crate::engine::StoreError;
use crate::engine::shared::{Fact, News, Place, Snapshot};
use crate::model::Revision;

const RANGE: &str = "/etcdserverpb.KV/Range";
const WATCH: &str = "/etcdserverpb.Watch/Watch";
/// Keys that are read at once.
const PAGE: i64 = 2_000;

/// Everything that outlives a connection.
pub struct Session {
    pub id: ServerId,
    pub layout: Arc<Layout>,
    pub endpoints: Vec<String>,
    pub credentials: Arc<Credentials>,
    pub timeout: std::time::Duration,
    pub news: mpsc::Sender<News>,
    pub announced: watch::Sender<Option<Announced>>,
    pub heard: Heard,
    /// The lease, if one was ever granted.
    pub lease: Option<i64>,
    /// Every change up to here was told; `None` while nothing was.
    pub come_to: Option<i64>,
}

/// Why a connection is no longer used.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{0}")]
    Cancelled(String),
    #[error("the announcement of this server was removed")]
    Forgotten,
    /// What has changed since is not known any more.
    #[error("the history was compacted up to {0}")]
    Compacted(i64),
    #[error("etcd was not heard from for {:?}", UNHEARD)]
    CutOff,
    #[error("{0}")]
    Unreadable(#[from] StoreError),
    #[error("the engine has stopped")]
    Stopped,
}

impl From<tonic::Status> for Ended {
    fn from(status: tonic::Status) -> Self {
        Self::Call(status.into())
    }
}

type Changes = Streaming<WatchResponse>;

impl Session {
    /// Works until nobody hears the news any more.
    pub async fn run(mut self, first: usize) {
        let (heard, news) = (self.heard.clone(), self.news.clone());
        let (mut backoff, mut told) = (Backoff::default(), String::new());
        for at in (0..self.endpoints.len()).cycle().skip(first) {
            let url = self.endpoints[at].clone();
            let ended = tokio::select! {
                ended = self.connection(&url, &mut backoff) => ended,
                () = heard.over() => Ended::CutOff,
            };
            if self.announced.send_replace(None).is_some() {
                told.clear();
            }
            let why = format!("{url}: {ended}");
            let is_cut_off = matches!(ended, Ended::CutOff);
            match ended {
                Ended::Stopped => return,
                Ended::Unreadable(error) => return drop(news.send(News::Unreadable(error)).await),
                Ended::Compacted(_) => self.come_to = None,
                Ended::Call(_) | Ended::Cancelled(_) | Ended::Forgotten | Ended::CutOff => {}
            }
            if told != why {
                told.clone_from(&why);
                if news.send(News::Away { why }).await.is_err() {
                    return;
                }
            }
            if is_cut_off {
                heard.forget();
                if news.send(News::CutOff).await.is_err() {
                    return;
                }
            }
            let pause = sleep(backoff.next(rand::random()));
            tokio::select! {
                () = pause => {}
                () = heard.over() => {
                    heard.forget();
                    if news.send(News::CutOff).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Uses one member for as long as it goes well.
    async fn connection(&mut self, url: &str, backoff: &mut Backoff) -> Ended {
        let heard = self.heard.clone();
        let begin = async {
            let link = Link::open(url, Arc::clone(&self.credentials), self.timeout).await?;
            let lease = alive::lease(&link, self.lease, &heard).await?;
            Ok::<_, CallError>((link, lease))
        };
        let (link, lease) = match begin.await {
            Ok(begun) => begun,
            Err(error) => return error.into(),
        };
        self.lease = Some(lease);
        tokio::select! {
            ended = self.follow(&link, lease, backoff) => ended,
            error = alive::keep(&link, lease, &heard) => error.into(),
        }
    }

    async fn follow(&mut self, link: &Link, lease: i64, backoff: &mut Backoff) -> Ended {
        let begun = match self.come_to {
            Some(come_to) => self.catch_up(link, lease, come_to).await,
            None => self.read_everything(link, lease).await,
        };
        let (mut changes, announced, revision) = match begun {
            Ok(begun) => begun,
            Err(ended) => return ended,
        };
        self.announced.send_replace(Some(announced));
        backoff.reset();
        if self.news.send(News::Back).await.is_err() {
            return Ended::Stopped;
        }
        loop {
            match self.next(&mut changes, revision).await {
                Ok(()) => {}
                Err(ended) => return ended,
            }
        }
    }

    /// Tells what has changed since the last connection.
    async fn catch_up(&mut self, link: &Link, lease: i64, come_to: i64) -> Result<(Changes, Announced, i64), Ended> {
        let mut changes = self.watch(link, come_to + 1).await?;
        let (announced, revision) = self.announce(link, lease).await?;
        while self.come_to.is_none_or(|come_to| come_to < revision) {
            self.next(&mut changes, revision).await?;
        }
        Ok((changes, announced, revision))
    }

    /// Tells everything there is.
    async fn read_everything(&mut self, link: &Link, lease: i64) -> Result<(Changes, Announced, i64), Ended> {
        let (announced, revision) = self.announce(link, lease).await?;
        let snapshot = self.snapshot(link, revision).await?;
        self.news.send(News::Everything(snapshot)).await.map_err(|_| Ended::Stopped)?;
        self.come_to = Some(revision);
        Ok((self.watch(link, revision + 1).await?, announced, revision))
    }

    /// Writes the announcement; with the revision in which it was written.
    async fn announce(&self, link: &Link, lease: i64) -> Result<(Announced, i64), Ended> {
        let key = self.layout.key(&Place::Server(self.id));
        let put = || vec![writer::announcement(key.clone(), lease)];
        let compare = vec![writer::compared(key.clone(), Compare::CREATE, Compared::Create(0))];
        let request = TxnRequest { compare, success: put(), failure: put() };
        let response: TxnResponse = link.call(TXN, request).await?;
        let revision = response.header.map_or(0, |header| header.revision);
        let since = if response.succeeded { revision } else { self.announced_since(link, key, revision).await? };
        Ok((Announced { link: link.clone(), lease, since }, revision))
    }

    async fn announced_since(&self, link: &Link, key: Vec<u8>, revision: i64) -> Result<i64, Ended> {
        let request = RangeRequest { key, revision, ..RangeRequest::default() };
        let response: RangeResponse = link.call(RANGE, request).await?;
        response.kvs.first().map(|kv| kv.create_revision).ok_or(Ended::Forgotten)
    }

    async fn snapshot(&self, link: &Link, revision: i64) -> Result<Snapshot, Ended> {
        let Range { first: mut key, end: range_end } = self.layout.range();
        let mut snapshot = Snapshot { revision: Revision(revision.unsigned_abs()), found: Vec::new() };
        loop {
            let request = RangeRequest { key: key.clone(), range_end: range_end.clone(), limit: PAGE, revision };
            let response: RangeResponse = link.call(RANGE, request).await?;
            for kv in &response.kvs {
                match self.layout.read(kv) {
                    Ok(found) => snapshot.found.extend(found),
                    // What was read before stands; what is there at the start has to be right.
                    Err(detail) if self.come_to.is_some() => tracing::error!(detail, "passed over: it cannot be read"),
                    Err(detail) => {
                        let path = "etcd".to_owned();
                        return Err(StoreError::Damaged { path, detail }.into());
                    }
                }
            }
            match response.kvs.into_iter().next_back().filter(|_| response.more) {
                // The least key after the last one.
                Some(last) => key = [&last.key[..], &[0]].concat(),
                None => return Ok(snapshot),
            }
        }
    }

    async fn watch(&self, link: &Link, start_revision: i64) -> Result<Changes, Ended> {
        let Range { first: key, end: range_end } = self.layout.range();
        let create = WatchCreateRequest { key, range_end, start_revision };
        // A stream whose questions are over would be ended by etcd.
        let open = futures_util::stream::unfold(Some(create), |create| async {
            match create {
                Some(create) => Some((WatchRequest { create: Some(create) }, None)),
                None => std::future::pending().await,
            }
        });
        Ok(link.talk(WATCH, open).await?)
    }

    /// Tells the next changes. This server was last announced in the revision `announced`.
    async fn next(&mut self, changes: &mut Changes, announced: i64) -> Result<(), Ended> {
        let Some(response) = changes.message().await? else {
            return Err(Ended::Cancelled("the stream of changes was closed".to_owned()));
        };
        if response.compact_revision > 0 {
            return Err(Ended::Compacted(response.compact_revision));
        }
        if response.canceled {
            return Err(Ended::Cancelled(response.cancel_reason));
        }
        let mut revisions = BTreeMap::<i64, (Vec<Fact>, Vec<Place>)>::new();
        for Event { kind, kv } in response.events {
            let Some(kv) = kv else { continue };
            let (put, removed) = revisions.entry(kv.mod_revision).or_default();
            match kind {
                Event::DELETE => removed.extend(self.layout.place(&kv.key)),
                _ => put.extend(self.fact(&kv)),
            }
        }
        for (revision, (put, removed)) in revisions {
            let forgotten = revision > announced && removed.contains(&Place::Server(self.id));
            let news = News::Changes { revision: Revision(revision.unsigned_abs()), put, removed };
            self.news.send(news).await.map_err(|_| Ended::Stopped)?;
            self.come_to = Some(revision);
            if forgotten {
                return Err(Ended::Forgotten);
            }
        }
        Ok(())
    }

    fn fact(&self, kv: &KeyValue) -> Option<Fact> {
        match self.layout.read(kv) {
            Ok(found) => found.map(|found| found.fact),
            Err(detail) => {
                tracing::error!(detail, "passed over: it cannot be read");
                None
            }
        }
    }
}
