//! The port to a store that many servers share: what it must do, and no more.
//!
//! Such a store puts all changes into one order, and gives each change a revision in it. It keeps [`Fact`]s under
//! [`Place`]s, takes transactions that require places to be as they were, and tells everybody of every change. It also
//! keeps this server announced for as long as it can be heard, so that the others know who is live.

use std::future::Future;

use tokio::sync::mpsc;

use super::sharing::Duty;
use crate::cluster::ServerId;
use crate::engine::StoreError;
use crate::model::{Revision, ServiceName};
use crate::registry::{Record, RecordName, Stored};

/// A store that is not in use yet.
pub trait SharedStore: Send + 'static {
    type Writer: Writer;

    /// Who this server is.
    fn id(&self) -> ServerId;

    /// Begins to work in the background: connects and announces this server, for ever, and tells what there is, and through
    /// `duty` until when the others can tell that this server is live.
    fn open(self, duty: Duty) -> (Self::Writer, mpsc::Receiver<News>);
}

/// Where changes go. Clones share the connection.
pub trait Writer: Clone + Send + Sync + 'static {
    /// The form in which a state is kept, for its size to be known.
    fn encode(&self, state: &State) -> Encoded;

    /// Carries out a transaction, whole or not at all. What it changes is also told as news. An error means that it is
    /// not known whether it was.
    fn commit(&self, transaction: Transaction) -> impl Future<Output = Result<Outcome, StoreError>> + Send;

    /// Withdraws the announcement of this server: it stops.
    fn leave(&self) -> impl Future<Output = ()> + Send;
}

/// Where something is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    Record(RecordName),
    /// What changes with every registration that brings its service another id or tag.
    Labels(ServiceName),
    /// The announcement of a server, which goes when the server is not heard any more.
    Server(ServerId),
}

/// The state of a record as it is written.
#[derive(Debug, Clone)]
pub struct State {
    pub record: Record,
    /// The server that took an instance last.
    pub owner: Option<ServerId>,
    /// The revision of an instance that only changes hands; `None` when its revision is that of the writing.
    pub since: Option<Revision>,
}

/// What is kept under a place, as the store spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded(pub bytes::Bytes);

/// What is to be kept under a place.
#[derive(Debug, Clone)]
pub enum Write {
    Put(Encoded),
    /// The mark of labels, or the announcement anew: only that it was written counts.
    Touch,
    Remove,
}

/// Changes that happen together, if every place that is required is as it was.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// The revision in which each place was last written; zero: there is nothing.
    pub requires: Vec<(Place, Revision)>,
    pub writes: Vec<(Place, Write)>,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it happened, in this revision.
    Committed(Revision),
    /// A place is not as was required. Nothing happened.
    Conflict,
}

/// What is found under a place.
#[derive(Debug, Clone)]
pub enum Fact {
    Instance {
        stored: Box<Stored>,
        owner: Option<ServerId>,
    },
    Record(Record),
    /// Labels and announcements: that they are there is all.
    There(Place),
}

/// A fact, with the revision in which it was written.
#[derive(Debug, Clone)]
pub struct Found {
    pub revision: Revision,
    pub fact: Fact,
}

/// Everything there is at one revision.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub revision: Revision,
    pub found: Vec<Found>,
}

/// What a shared store tells, in the order of its revisions.
#[derive(Debug)]
pub enum News {
    /// Everything there is: at the start, and whenever changes may have been missed.
    Everything(Snapshot),
    /// What one revision put, and what it removed.
    Changes { revision: Revision, put: Vec<Fact>, removed: Vec<Place> },
    /// The state at the start cannot be read: this has to be mended by hand.
    Unreadable(StoreError),
    /// The store cannot be reached.
    Away { why: String },
    /// It has been away for so long that the others may take this server for dead.
    CutOff,
    /// It is there, and everything up to now has been told.
    Back,
}

impl Fact {
    pub fn place(&self) -> Place {
        match self {
            Self::Instance { stored, .. } => Place::Record(RecordName::Instance(stored.key.clone())),
            Self::Record(record) => Place::Record(record.name()),
            Self::There(place) => place.clone(),
        }
    }
}
