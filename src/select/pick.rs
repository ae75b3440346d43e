//! One instance out of several.

use std::sync::Arc;

use super::{Rotations, Selector};
use crate::answer::ServiceView;
use crate::answer::order::{self, Candidate, Draw, Field};
use crate::model::{Instance, InstanceId, Load, LoadRules, Strategy};

/// The load of an instance that reports none: in the middle, so that it is neither flooded nor left out.
const HALF: f64 = 0.5;

/// The instances to pick from: those that DNS serves and `selector` admits, of the lowest priority that has one. Those of
/// weight 0 are only among them when there are no others. They come in the order of their ids.
pub fn eligible<'a>(view: &'a ServiceView, selector: &Selector) -> Vec<Candidate<&'a Arc<Instance>>> {
    let served = view.instances().iter().filter(|instance| view.serves(instance) && selector.admits(instance));
    let mut candidates = served.map(candidate).collect();
    keep_first(&mut candidates);
    candidates
}

/// Keeps those of the lowest priority that there is, and of them those of weight 0 only when there are no others.
pub fn keep_first<T>(candidates: &mut Vec<Candidate<T>>) {
    let lowest = candidates.iter().map(|candidate| candidate.priority).min();
    candidates.retain(|candidate| Some(candidate.priority) == lowest);
    if candidates.iter().any(|candidate| candidate.weight > 0) {
        candidates.retain(|candidate| candidate.weight > 0);
    }
}

fn candidate(instance: &Arc<Instance>) -> Candidate<&Arc<Instance>> {
    Candidate {
        priority: instance.registration.priority.0,
        identity: order::identity(instance.key.id.as_str().as_bytes()),
        weight: u64::from(instance.effective_weight().0),
        item: instance,
    }
}

/// How to pick.
#[derive(Debug, Clone, Copy)]
pub struct Pick<'a> {
    pub strategy: Strategy,
    /// What [`Strategy::ConsistentHash`] goes by.
    pub key: &'a str,
    /// What the candidates were selected by: each selection has turns of its own.
    pub selector: &'a Selector,
    pub rules: LoadRules,
}

impl Pick<'_> {
    /// One of the [`eligible`] `candidates` of one service; `None` when there are none.
    ///
    /// * `weighted`: each in proportion to its weight.
    /// * `round_robin`: in turn, as often as the weights say.
    /// * `random`: each as likely as any other.
    /// * `least_loaded`: the one with the least reported load; one that reports none counts as half loaded.
    /// * `least_connections`: the one with the fewest reported connections for its weight; one that reports none counts
    ///   as if it had half of the most.
    /// * `consistent_hash`: the one that wins the draw of the key (weighted rendezvous hashing), so that one that goes
    ///   leaves the keys of the others where they are.
    ///
    /// Where several are the least, one of them is taken by weight.
    pub fn from<'a>(
        &self,
        candidates: Vec<Candidate<&'a Arc<Instance>>>,
        rotations: &Rotations,
        random: &mut dyn FnMut() -> u64,
    ) -> Option<&'a Arc<Instance>> {
        match self.strategy {
            Strategy::Weighted => drawn(candidates, random()),
            Strategy::ConsistentHash => drawn(candidates, order::identity(self.key.as_bytes())),
            Strategy::RoundRobin => self.turn(&candidates, rotations, random),
            Strategy::Random => any(candidates, random()),
            Strategy::LeastLoaded => {
                let total = |load: &Load| load.total(&self.rules);
                let load = |instance: &Instance| {
                    instance.pulse.words(|words| words.load.as_ref().and_then(total).unwrap_or(HALF))
                };
                let loads = candidates.iter().map(|candidate| load(candidate.item)).collect();
                drawn(least(candidates, loads), random())
            }
            Strategy::LeastConnections => {
                let loads = connections(&candidates);
                drawn(least(candidates, loads), random())
            }
        }
    }

    fn turn<'a>(
        &self,
        candidates: &[Candidate<&'a Arc<Instance>>],
        rotations: &Rotations,
        random: &mut dyn FnMut() -> u64,
    ) -> Option<&'a Arc<Instance>> {
        let weights: Vec<(&InstanceId, u64)> =
            candidates.iter().map(|candidate| (&candidate.item.key.id, candidate.weight.max(1))).collect();
        let service = &candidates.first()?.item.key.service;
        let place = rotations.turn(service, self.selector, &weights, random)?;
        Some(candidates[place].item)
    }
}

/// One of them, each as likely as any other.
pub fn any<T>(mut candidates: Vec<Candidate<T>>, seed: u64) -> Option<T> {
    let place = (u128::from(seed) * candidates.len() as u128) >> 64;
    ((place as usize) < candidates.len()).then(|| candidates.swap_remove(place as usize).item)
}

/// The one that comes first in the order that `seed` draws: by weight.
pub fn drawn<T: Copy>(candidates: Vec<Candidate<T>>, seed: u64) -> Option<T> {
    let field = Field::from_iter(candidates);
    Draw { order: seed, subset: seed, at_most: 1 }.take(&field).next().copied()
}

/// The candidates of the least load; `loads` are theirs, in the same order.
pub fn least<T>(candidates: Vec<Candidate<T>>, loads: Vec<f64>) -> Vec<Candidate<T>> {
    let least = loads.iter().copied().fold(f64::INFINITY, f64::min);
    candidates.into_iter().zip(loads).filter(|(_, load)| *load <= least).map(|(candidate, _)| candidate).collect()
}

/// The connections of each for its weight.
fn connections(candidates: &[Candidate<&Arc<Instance>>]) -> Vec<f64> {
    let number = |load: &Load| load.number("connections");
    let reported = |candidate: &Candidate<&Arc<Instance>>| {
        let connections = candidate.item.pulse.words(|words| words.load.as_ref().and_then(number))?;
        Some(connections / candidate.weight.max(1) as f64)
    };
    let reports: Vec<Option<f64>> = candidates.iter().map(reported).collect();
    let most = reports.iter().flatten().copied().fold(0.0, f64::max);
    reports.into_iter().map(|connections| connections.unwrap_or(most / 2.0)).collect()
}
