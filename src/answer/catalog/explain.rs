//! How outcomes come about.

use std::sync::Arc;

use super::super::authoritative::alias_end;
use super::super::explain::{Cause, Explanation, Part, Subject, Terms, ZoneKind};
use super::super::live::{Live, Node};
use super::super::order::Draw;
use super::super::outcome::Outcome;
use super::super::reverse::Place;
use super::super::view::ServiceView;
use super::live::FOR_ANY;
use super::{Catalog, Source};
use crate::model::{Key, Status};
use crate::wire::{Name, Rdata, RecordType, RrSet};

impl Catalog {
    /// The outcome for a name and type with what led to it. The registry has to stay the same meanwhile; see
    /// [`super::super::Pinned`].
    pub fn explain(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, draw: &Draw) -> Explanation {
        let resolved = self.resolve(registry, qname, qtype, draw);
        let zone = self.source(registry, qname, qtype).map(|source| match source {
            Source::Live => (ZoneKind::Live, self.live.apex.clone()),
            Source::Reverse(place) => (ZoneKind::Reverse, place.apex.clone()),
            Source::Static(_, zone) => (ZoneKind::Static, zone.apex().clone()),
        });
        let (mut subject, mut service, mut parts) = (Subject::NoZone, None, Vec::new());
        let (end, leads_out) = end_of(&resolved.outcome, qname, qtype);
        match (&resolved.outcome, self.source(registry, &end, qtype)) {
            (Outcome::Referral { ns, .. }, _) => subject = Subject::Delegation(ns.owner.clone()),
            _ if leads_out => subject = Subject::LeadsOut(end),
            (_, None) => {}
            (outcome, Some(Source::Live)) => {
                let node = self.node(registry, &end);
                subject = self.subject(registry, &end, node.as_ref(), outcome);
                if let Some(node) = node {
                    service = node.view().map(|view| self.terms(view));
                    parts = self.live.parts(&node, self.explained_type(&node, outcome, qtype), answered(outcome));
                }
            }
            (outcome, Some(Source::Reverse(place))) => {
                (subject, parts) = self.explain_reverse(registry, &place, outcome, draw);
            }
            (outcome, Some(Source::Static(..))) => subject = of_records(outcome),
        }
        Explanation { resolved, zone, subject, service, parts }
    }

    fn subject(&self, registry: &dyn Live, name: &Name, node: Option<&Node>, outcome: &Outcome) -> Subject {
        match node {
            Some(Node::Set(set)) => Subject::Instances {
                service: set.view.name().clone(),
                tag: set.tag.clone(),
                protocol: set.protocol,
                port: set.port.clone(),
            },
            Some(Node::Host { instance, .. } | Node::ServiceInstance { instance, .. }) => {
                Subject::Instance(instance.key.clone())
            }
            Some(Node::ServiceTypes) => Subject::ServiceTypes,
            Some(Node::EmptyNonTerminal) if !matches!(outcome, Outcome::Answer { .. }) => Subject::NamesBelow,
            Some(Node::EmptyNonTerminal) | None => match outcome {
                Outcome::NxDomain { .. } => self.missing(registry, name),
                outcome => of_records(outcome),
            },
        }
    }

    /// What of the registry a name would need.
    fn missing(&self, registry: &dyn Live, name: &Name) -> Subject {
        let labels = name.strip(&self.live.apex).unwrap_or_default();
        let text = |label: &&[u8]| String::from_utf8_lossy(label).to_ascii_lowercase();
        let mut labels = labels.iter().rev().map(text);
        let service = match labels.next() {
            Some(protocol) if protocol.starts_with('_') => labels.next().map(|label| label.replacen('_', "", 1)),
            service => service,
        };
        match service {
            None => Subject::NoName,
            Some(name) => match registry.service(&name) {
                Some(view) => Subject::NothingOfService(view.name().clone()),
                None => Subject::NoService(name),
            },
        }
    }

    fn terms(&self, view: &Arc<ServiceView>) -> Terms {
        let (record_ttl, srv_weight_scale) = (self.live.record_ttl(view), self.live.srv_weight_scale);
        Terms { view: Arc::clone(view), record_ttl, srv_weight_scale }
    }

    /// The type that was answered, or that would have been.
    fn explained_type(&self, node: &Node, outcome: &Outcome, qtype: RecordType) -> RecordType {
        match outcome {
            Outcome::Answer { answer, .. } => answer.last().map_or(qtype, |set| set.rtype),
            _ if qtype != RecordType::ANY => qtype,
            _ => FOR_ANY.into_iter().find(|rtype| self.live.can_have(node, *rtype)).unwrap_or(qtype),
        }
    }

    /// The instances at an address, whatever their status.
    fn explain_reverse(
        &self,
        registry: &dyn Live,
        place: &Place,
        outcome: &Outcome,
        draw: &Draw,
    ) -> (Subject, Vec<Part>) {
        let whole = place.covers.filter(|prefix| prefix.prefix_len() == prefix.max_prefix_len());
        let Some(ip) = whole.map(|prefix| prefix.addr()) else { return (of_records(outcome), Vec::new()) };
        let is_pointer = answered_type(outcome).is_none_or(|rtype| rtype == RecordType::PTR);
        let answer = answered(outcome);
        let part = |key: Key| {
            let view = registry.service(key.service.as_str())?;
            let instance = view.instance(key.id.as_str())?;
            let name = self.live.host_name(&key)?;
            let is_in = is_pointer && answer.iter().any(|rdata| **rdata == *name.wire());
            let cause = match instance.status() {
                _ if !view.serves(instance) => Cause::Status,
                _ if !is_pointer => Cause::Type,
                _ if !is_in => Cause::Room,
                Status::Unhealthy => Cause::Panic,
                _ => Cause::Healthy,
            };
            Some(Part { instance: Arc::clone(instance), cause, share: None })
        };
        let parts = registry.registered_at(ip, draw.at_most).into_iter().filter_map(part).collect();
        (Subject::Address(ip), parts)
    }
}

/// What there is, where the registry has no hand in it.
fn of_records(outcome: &Outcome) -> Subject {
    match outcome {
        Outcome::NxDomain { .. } => Subject::NoName,
        _ => Subject::Records,
    }
}

/// The last name that was looked up, and whether it was not, because it is in no zone at hand.
fn end_of(outcome: &Outcome, qname: &Name, qtype: RecordType) -> (Name, bool) {
    let is_alias = |set: &&RrSet| set.rtype == RecordType::CNAME;
    let last = |aliases: &[RrSet]| alias_end(aliases).unwrap_or_else(|| qname.clone());
    match outcome {
        _ if matches!(qtype, RecordType::CNAME | RecordType::ANY) => (qname.clone(), false),
        Outcome::Answer { answer, .. } => {
            let chain = answer.iter().rposition(|set| is_alias(&set)).map_or(0, |at| at + 1);
            (last(&answer[..chain]), chain > 0 && chain == answer.len())
        }
        Outcome::NoData { aliases, .. } | Outcome::NxDomain { aliases, .. } => (last(aliases), false),
        Outcome::YxDomain { .. } | Outcome::Referral { .. } | Outcome::Refused | Outcome::ServFail => {
            (qname.clone(), false)
        }
    }
}

/// The data of the RRset that was asked for.
fn answered(outcome: &Outcome) -> &[Rdata] {
    match outcome {
        Outcome::Answer { answer, .. } => answer.last().map_or(&[], |set| &set.rdata),
        _ => &[],
    }
}

fn answered_type(outcome: &Outcome) -> Option<RecordType> {
    match outcome {
        Outcome::Answer { answer, .. } => answer.last().map(|set| set.rtype),
        _ => None,
    }
}
