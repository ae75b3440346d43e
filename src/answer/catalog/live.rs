//! Questions to the live zone, where registered and static names meet.

use foldhash::{HashSet, HashSetExt};

use super::super::authoritative::{self, Beyond, Context, alias_end};
use super::super::live::{Live, Node, Records};
use super::super::order::Draw;
use super::super::outcome::{Outcome, Resolved};
use super::Catalog;
use crate::wire::{Name, RecordType, RrSet};

/// The types that stand in for ANY, best first: one RRset is answered (RFC 8482 §4.1).
pub(super) const FOR_ANY: [RecordType; 5] =
    [RecordType::A, RecordType::AAAA, RecordType::SRV, RecordType::PTR, RecordType::TXT];

/// How often an alias may lead from static records into the live zone and back.
const MAX_HOPS: usize = 8;

impl Catalog {
    /// Follows aliases among the names of the live zone, static and registered ones alike.
    pub(super) fn resolve_live(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, draw: &Draw) -> Resolved {
        let mut chain: Vec<RrSet> = Vec::new();
        let mut stand_in = None;
        let mut name = qname.clone();
        for _ in 0..MAX_HOPS {
            let resolved = self.resolve_once(registry, &name, qtype, draw);
            stand_in = stand_in.or(resolved.stand_in);
            let remark = resolved.remark;
            match resolved.outcome {
                Outcome::NoData { aliases, soa } => {
                    let next = alias_end(&aliases).filter(|next| self.is_registered(registry, next));
                    let Some(next) = next else {
                        let outcome = Outcome::NoData { aliases, soa }.behind(chain);
                        return Resolved { stand_in, remark, ..Resolved::of_itself(outcome) };
                    };
                    chain.extend(aliases);
                    name = next;
                }
                end => return Resolved { stand_in, remark, ..Resolved::of_itself(end.behind(chain)) },
            }
        }
        Resolved { stand_in, ..Resolved::of_itself(Outcome::ServFail) }
    }

    fn resolve_once(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, draw: &Draw) -> Resolved {
        if let Some(node) = self.node(registry, qname).filter(Node::is_registered) {
            let outcome = self.registered(registry, &node, qname, qtype, draw);
            return Resolved { remark: node.remark(&outcome), ..Resolved::of_itself(outcome) };
        }
        let soa = self.negative_soa(registry);
        let beyond = |name: &Name| match self.node(registry, name) {
            None if self.above.contains(name) => Beyond::Exists,
            None => Beyond::Nothing,
            Some(node) if node.is_registered() => Beyond::Owned,
            Some(_) => Beyond::Exists,
        };
        let context = Context { zone: &self.beside, soa: &soa, beyond: &beyond, at_most: draw.at_most };
        let mut resolved = authoritative::resolve(&context, qname, qtype);
        self.add_registered_hosts(registry, &mut resolved.outcome, draw);
        resolved
    }

    /// Adds the addresses of registered hosts that static records point at: the static data have none for them.
    fn add_registered_hosts(&self, registry: &dyn Live, outcome: &mut Outcome, draw: &Draw) {
        let (pointing, found) = match outcome {
            Outcome::Answer { answer, additional } => (answer.last(), additional),
            Outcome::Referral { ns, glue, .. } => (Some(&*ns), glue),
            _ => return,
        };
        let mut seen = HashSet::new();
        let targets = pointing.into_iter().flat_map(RrSet::targets).filter(|host| seen.insert(host.clone()));
        let hosts = targets.take(draw.at_most).filter(|host| self.is_registered(registry, host)).collect();
        found.extend(self.host_records(registry, hosts, draw));
    }

    /// The outcome for a name that the registry owns, with all its types.
    fn registered(&self, registry: &dyn Live, node: &Node, qname: &Name, qtype: RecordType, draw: &Draw) -> Outcome {
        let types = if qtype == RecordType::ANY { FOR_ANY.as_slice() } else { &[qtype] };
        for &rtype in types {
            let Records { ttl, rdata, mut additional, hosts } = self.live.records(registry, node, rtype, draw);
            if !rdata.is_empty() {
                additional.extend(self.host_records(registry, hosts, draw));
                let answer = RrSet { owner: qname.clone(), rtype, ttl, rdata };
                return Outcome::Answer { answer: vec![answer], additional };
            }
        }
        Outcome::NoData { aliases: Vec::new(), soa: self.negative_soa(registry) }
    }
}
