//! Transactions: what the engine wants to be changed, as etcd takes it.

use std::sync::Arc;

use tokio::sync::watch;

use super::layout::{self, Layout};
use super::link::{CallError, Link};
use super::messages::{
    Compare, Compared, DeleteRequest, LeaseRevokeRequest, LeaseRevokeResponse, Operation, PutRequest, RequestOp,
    TxnRequest, TxnResponse,
};
use crate::cluster::ServerId;
use crate::engine::StoreError;
use crate::engine::shared::{Encoded, Outcome, Place, State, Transaction, Write, Writer};
use crate::model::Revision;

pub const TXN: &str = "/etcdserverpb.KV/Txn";
const REVOKE: &str = "/etcdserverpb.Lease/LeaseRevoke";

/// The connection on which this server is announced.
#[derive(Debug, Clone)]
pub struct Announced {
    pub link: Link,
    /// The lease that the announcement is bound to.
    pub lease: i64,
    /// The revision in which the announcement came into being. Others that see it gone take this server for dead, so
    /// what it writes is written on the condition that it is there.
    pub since: i64,
}

/// Sends transactions over whatever connection there is.
#[derive(Debug, Clone)]
pub struct EtcdWriter {
    pub layout: Arc<Layout>,
    pub id: ServerId,
    pub announced: watch::Receiver<Option<Announced>>,
}

impl Writer for EtcdWriter {
    fn encode(&self, state: &State) -> Encoded {
        layout::encode(state)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome, StoreError> {
        let mut connection = self.announced.clone();
        let announced = connection.borrow_and_update().clone();
        let Some(announced) = announced else {
            return Err(StoreError::Unreachable { why: "there is no connection".to_owned() });
        };
        let request = self.request(transaction, &announced);
        let response: TxnResponse = tokio::select! {
            response = announced.link.call(TXN, request) => response.map_err(|error| failed(&error))?,
            // What it was on its way over is given up.
            _ = connection.changed() => {
                return Err(StoreError::Unreachable { why: "the connection was lost".to_owned() });
            }
        };
        let revision = response.header.map_or(0, |header| header.revision).unsigned_abs();
        Ok(if response.succeeded { Outcome::Committed(Revision(revision)) } else { Outcome::Conflict })
    }

    async fn leave(&self) {
        let announced = self.announced.borrow().clone();
        if let Some(Announced { link, lease, .. }) = announced {
            let revoked: Result<LeaseRevokeResponse, _> = link.call(REVOKE, LeaseRevokeRequest { id: lease }).await;
            if let Err(error) = revoked {
                tracing::debug!(%error, "the announcement of this server runs out by itself");
            }
        }
    }
}

impl EtcdWriter {
    fn request(&self, transaction: Transaction, announced: &Announced) -> TxnRequest {
        let own = self.layout.key(&Place::Server(self.id));
        let fence = compared(own, Compare::CREATE, Compared::Create(announced.since));
        let required = transaction.requires.into_iter().map(|(place, revision)| {
            compared(self.layout.key(&place), Compare::MOD, Compared::Mod(revision.0.cast_signed()))
        });
        let success = transaction.writes.into_iter().map(|(place, write)| {
            let key = self.layout.key(&place);
            match write {
                Write::Put(Encoded(value)) => put(key, value, 0),
                Write::Touch if matches!(place, Place::Server(_)) => announcement(key, announced.lease),
                Write::Touch => put(key, bytes::Bytes::new(), 0),
                Write::Remove => RequestOp { request: Some(Operation::Delete(DeleteRequest { key })) },
            }
        });
        TxnRequest {
            compare: std::iter::once(fence).chain(required).collect(),
            success: success.collect(),
            failure: Vec::new(),
        }
    }
}

/// The announcement of a server, bound to a lease.
pub fn announcement(key: Vec<u8>, lease: i64) -> RequestOp {
    put(key, bytes::Bytes::from_static(env!("CARGO_PKG_VERSION").as_bytes()), lease)
}

fn put(key: Vec<u8>, value: bytes::Bytes, lease: i64) -> RequestOp {
    RequestOp { request: Some(Operation::Put(PutRequest { key, value, lease })) }
}

pub fn compared(key: Vec<u8>, target: i32, value: Compared) -> Compare {
    Compare { target, key, value: Some(value) }
}

fn failed(error: &CallError) -> StoreError {
    let why = error.to_string();
    if error.is_final() { StoreError::Refuses { why } } else { StoreError::Unreachable { why } }
}
