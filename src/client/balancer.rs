//! One instance for a call, and the count of calls that are under way.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::Mutex;

use super::choice::Choice;
use super::instance::{Instance, Instances};
use crate::model::{InstanceId, ServiceName, Strategy};
use crate::select::Rotations;

/// Chooses instances by a [`Strategy`]. Cheap to clone; clones share turns and counts.
///
/// * [`Strategy::Weighted`]: each in proportion to its weight.
/// * [`Strategy::RoundRobin`]: in turn, as often as the weights say.
/// * [`Strategy::Random`]: each as likely as any other.
/// * [`Strategy::LeastLoaded`]: the one that reported the least load to the server.
/// * [`Strategy::LeastConnections`]: the one with the fewest of this balancer's own calls under way, for its weight.
/// * [`Strategy::ConsistentHash`]: the one that the key belongs to, by a ring of virtual nodes.
///
/// Only healthy instances are chosen, of the lowest priority that has one.
#[derive(Debug, Clone)]
pub struct Balancer {
    strategy: Strategy,
    rotations: Arc<Rotations>,
    under_way: Arc<Counts>,
}

type Counts = Mutex<HashMap<(ServiceName, InstanceId), u64>>;

/// An instance that was chosen. It counts as a call that is under way until it is dropped.
#[derive(Debug)]
pub struct Picked {
    instance: Arc<Instance>,
    under_way: Arc<Counts>,
}

impl Balancer {
    pub fn new(strategy: Strategy) -> Self {
        Self { strategy, rotations: Arc::default(), under_way: Arc::default() }
    }

    /// One of the instances; `None` when none is healthy. `key` matters to [`Strategy::ConsistentHash`] alone.
    pub fn pick(&self, instances: &Instances, key: &str) -> Option<Picked> {
        self.pick_among(instances, key, &|_| true)
    }

    /// One of those that `admits` lets pass.
    pub fn pick_among(&self, instances: &Instances, key: &str, admits: &dyn Fn(&Instance) -> bool) -> Option<Picked> {
        let service = instances.service();
        // Held from the choice to the count, so that two who choose at once do not choose the same one.
        let mut counts = self.under_way.lock();
        let count = |id: &InstanceId| counts.get(&(service.clone(), id.clone())).copied().unwrap_or(0);
        let mut choice = Choice {
            strategy: self.strategy,
            key,
            rotations: &self.rotations,
            under_way: &count,
            random: &mut rand::random,
        };
        let instance = Arc::clone(&instances.all()[choice.among(instances, admits)?]);
        *counts.entry((service.clone(), instance.id.clone())).or_insert(0) += 1;
        Some(Picked { instance, under_way: Arc::clone(&self.under_way) })
    }
}

impl Picked {
    /// The instance, to keep.
    pub fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }
}

impl Deref for Picked {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.instance
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        let name = (self.instance.service.clone(), self.instance.id.clone());
        let mut counts = self.under_way.lock();
        if let Some(count) = counts.get_mut(&name) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::instance::tests::instances;
    use super::*;

    #[test]
    fn calls_count_until_they_end() {
        let balancer = Balancer::new(Strategy::LeastConnections);
        let two = instances(&[("a", 0, 1), ("b", 0, 1)]);
        let first = balancer.pick(&two, "").unwrap();
        let second = balancer.pick(&two, "").unwrap();
        assert_ne!(first.id, second.id);
        let freed = first.id.clone();
        drop(first);
        let third = balancer.clone().pick(&two, "").unwrap();
        assert_eq!(third.id, freed);
        drop((second, third));
        assert!(balancer.under_way.lock().is_empty(), "nothing is kept of calls that ended");
    }
}
