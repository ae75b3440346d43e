//! Commands on their way to the store, put together by what they are about.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::port::{Place, Transaction, Write};
use crate::model::{Key, Revision, ServiceName, SubscriptionId};
use crate::registry::{About, Command, Done};
use crate::telemetry::traces::Cause;

/// Operations of one transaction, and conditions of one: a little less than etcd takes, for those that the store adds.
pub(super) const OPERATIONS: usize = 120;
/// Octets of what one transaction writes: less than etcd takes, with room for names and conditions.
pub(super) const OCTETS: usize = 1_200_000;
/// Commands of one unit: each has two records at most, and there are the labels.
pub(super) const COMMANDS: usize = 50;

/// What a command is about. Commands about the same are carried out together, in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Subject {
    Service(ServiceName),
    Subscription(SubscriptionId),
    /// This server itself.
    Server,
}

/// A command that waits for its turn, or for the store.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Counts all commands.
    pub number: u64,
    /// The request that it came with, and its place there.
    pub request: u64,
    pub place: usize,
    pub command: Command,
    pub since: Instant,
    pub cause: Cause,
    /// How often somebody else's change came between.
    pub conflicts: u32,
}

/// Changes that belong together: of commands about one subject, or what became due of one service.
#[derive(Debug, Default)]
pub(super) struct Unit {
    pub commands: Vec<(Waiting, Done)>,
    pub requires: BTreeMap<Place, Revision>,
    pub writes: Vec<(Place, Write)>,
    /// Leases that ran out, and lapse with this.
    pub lapses: Vec<Key>,
}

impl Subject {
    pub fn of(command: &Command) -> Self {
        match command.about() {
            About::Instance(key) => Self::Service(key.service.clone()),
            About::Service(service) => Self::Service(service.clone()),
            About::Subscription(id) => Self::Subscription(id.clone()),
            About::Server => Self::Server,
        }
    }
}

impl Unit {
    pub fn octets(&self) -> usize {
        let octets = |write: &Write| if let Write::Put(encoded) = write { encoded.0.len() } else { 0 };
        self.writes.iter().map(|(_, write)| octets(write)).sum()
    }

    fn operations(&self) -> usize {
        self.writes.len().max(self.requires.len())
    }

    /// Whether somebody else's change has come between before. Then it goes alone, so that it spoils no other's.
    fn goes_alone(&self) -> bool {
        self.commands.iter().any(|(waiting, _)| waiting.conflicts > 0)
    }
}

/// Puts units together, as many as one transaction holds.
pub(super) fn pack(units: Vec<Unit>) -> Vec<(Transaction, Vec<Unit>)> {
    let mut packed: Vec<(Transaction, Vec<Unit>)> = Vec::new();
    let (mut operations, mut octets, mut is_open) = (0, 0, false);
    for unit in units {
        let fits = operations + unit.operations() <= OPERATIONS && octets + unit.octets() <= OCTETS;
        if !is_open || !fits || unit.goes_alone() {
            packed.push(Default::default());
            (operations, octets) = (0, 0);
        }
        is_open = !unit.goes_alone();
        operations += unit.operations();
        octets += unit.octets();
        if let Some((transaction, together)) = packed.last_mut() {
            // Units of one round are about different places; what they require of others is the same.
            let known: Vec<_> = transaction.requires.iter().map(|(place, _)| place.clone()).collect();
            let new = unit.requires.iter().filter(|(place, _)| !known.contains(place));
            transaction.requires.extend(new.map(|(place, revision)| (place.clone(), *revision)));
            transaction.writes.extend(unit.writes.iter().cloned());
            together.push(unit);
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::port::Encoded;
    use super::*;
    use crate::registry::RecordName;

    fn unit(service: &str, writes: usize, octets: usize, conflicts: u32) -> Unit {
        let service = ServiceName::parse(service).unwrap();
        let place = |at: usize| {
            let name = SubscriptionId::parse(&format!("{service}-{at}")).unwrap();
            Place::Record(RecordName::Subscription(name))
        };
        let command = Command::Set { service: service.clone(), settings: None };
        let waiting = Waiting {
            number: 1,
            request: 1,
            place: 0,
            command,
            since: Instant::now(),
            cause: Cause::default(),
            conflicts,
        };
        let write = || Write::Put(Encoded(Bytes::from(vec![0; octets])));
        Unit {
            commands: vec![(waiting, Done::Noted)],
            requires: (0..writes).map(|at| (place(at), Revision(7))).collect(),
            writes: (0..writes).map(|at| (place(at), write())).collect(),
            lapses: Vec::new(),
        }
    }

    /// How many units each transaction has.
    fn packed(units: Vec<Unit>) -> Vec<usize> {
        let packed = pack(units);
        for (transaction, together) in &packed {
            let writes: usize = together.iter().map(|unit| unit.writes.len()).sum();
            assert_eq!((transaction.writes.len(), transaction.requires.len()), (writes, writes));
            assert!(together.len() == 1 || writes <= OPERATIONS);
        }
        packed.into_iter().map(|(_, together)| together.len()).collect()
    }

    #[test]
    fn as_many_go_together_as_one_transaction_holds() {
        let small = |count: usize| (0..count).map(|at| unit(&format!("s{at}"), 40, 10, 0)).collect::<Vec<_>>();
        assert_eq!(packed(small(0)), [0; 0]);
        assert_eq!(packed(small(3)), [3]);
        assert_eq!(packed(small(7)), [3, 3, 1]);
        let large = (0..3).map(|at| unit(&format!("s{at}"), 1, OCTETS / 2, 0)).collect();
        assert_eq!(packed(large), [2, 1]);
    }

    #[test]
    fn what_met_another_change_goes_alone() {
        let units = [0, 1, 0, 0].into_iter().enumerate();
        let units = units.map(|(at, conflicts)| unit(&format!("s{at}"), 1, 1, conflicts)).collect();
        assert_eq!(packed(units), [1, 1, 2]);
    }

    #[test]
    fn what_units_require_of_others_is_required_once() {
        let server = Place::Server(crate::cluster::ServerId(1));
        let mut units = [unit("a", 1, 1, 0), unit("b", 1, 1, 0)];
        for unit in &mut units {
            unit.requires.insert(server.clone(), Revision::ZERO);
        }
        let [(transaction, _)] = &pack(units.into())[..] else { panic!("one transaction") };
        assert_eq!(transaction.requires.len(), 3);
    }
}
