//! A view that is made after another is the one that is made of nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{
    Condition, Defaults, DrainedBy, InstanceId, Key, LeaseTtl, Pulse, Registration, SelfReport, Tick, WallTime,
};

/// What is registered by one of these numbers: tags that are one label, or none; both families, many addresses, none.
fn body(id: u16, variant: u8) -> Value {
    let many: Vec<String> = (0..8).map(|host| format!("10.{}.{}.{host}", 1 + id / 256, id % 256)).collect();
    match variant {
        0 => json!({"address": "10.0.0.1"}),
        1 => json!({"address": "10.0.0.1", "weight": 7, "tags": ["a"]}),
        2 => json!({"address": "10.0.0.2", "protocol": "udp", "tags": ["a", "A", "b_b"]}),
        3 => json!({"addresses": ["2001:db8::1", "10.0.0.3"], "priority": 1, "tags": ["b", "a"]}),
        4 => json!({"address": "host.example", "tags": ["b_b"]}),
        5 => json!({"address": "2001:db8::1", "protocol": "udp", "priority": 1}),
        _ => json!({"addresses": many}),
    }
}
const VARIANTS: u8 = 8;
const MANY: u8 = 7;

fn condition(number: u8) -> Condition {
    let facts = Condition::default();
    match number {
        0 | 1 => facts,
        2 => Condition { said: SelfReport::Unhealthy, ..facts },
        3 => Condition { draining: Some(DrainedBy::Operator), ..facts },
        _ => Condition { lapsed: true, ..facts },
    }
}
const CONDITIONS: u8 = 5;

fn instance(id: u16, variant: u8, facts: u8) -> Arc<Instance> {
    let defaults = Defaults::default();
    let mut body = body(id, variant);
    body["port"] = (1000 + id).into();
    let registration = Registration::from_json(&body, &defaults, IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
    Arc::new(Instance {
        key: Key { service: ServiceName::parse("web").unwrap(), id: InstanceId::parse(&format!("i{id}")).unwrap() },
        registration: Arc::new(registration),
        condition: condition(facts),
        created_at: WallTime::default(),
        changed_at: WallTime::default(),
        revision: Revision(1),
        pulse: Arc::new(Pulse::begin(Tick(0), LeaseTtl::Permanent)),
    })
}

/// What happens before the next view is made.
#[derive(Debug, Clone)]
struct Step {
    /// Instances that come, take the place of others, or go.
    changes: Vec<(u16, Option<(u8, u8)>)>,
    panicking: bool,
    record_ttl: Option<u32>,
}

fn step() -> impl Strategy<Value = Step> {
    let instance = proptest::option::weighted(0.7, (0..VARIANTS, 0..CONDITIONS));
    let changes = proptest::collection::vec((0..12u16, instance), 0..4);
    let settings = proptest::option::weighted(0.2, Just(7));
    let step = (changes, proptest::bool::weighted(0.2), settings);
    step.prop_map(|(changes, panicking, record_ttl)| Step { changes, panicking, record_ttl })
}

/// Registered before the first step, under ids that no step names, and as one variant: none, about as many as a block holds,
/// or those with about as many addresses.
fn crowd() -> impl Strategy<Value = (u16, u8)> {
    let most = MAX as u16;
    prop_oneof![2 => Just((0, 0)), 1 => (most - 8..most, Just(0)), 1 => (most / 8 - 8..most / 8, Just(MANY))]
}

/// What the addresses of a block have to be, and their weights: `None` when they are too many.
fn addresses(served: &[&Arc<Instance>], is_ipv4: bool) -> Option<BTreeMap<IpAddr, u32>> {
    let own = |instance: &Instance| {
        instance.registration.address.ips().iter().copied().filter(|ip| ip.is_ipv4() == is_ipv4).collect::<Vec<_>>()
    };
    let having = served.iter().filter(|instance| !own(instance).is_empty());
    let lowest = having.clone().map(|instance| instance.registration.priority).min();
    let mut found = BTreeMap::new();
    for instance in having.filter(|instance| Some(instance.registration.priority) == lowest) {
        for ip in own(instance) {
            *found.entry(ip).or_default() += u32::from(instance.effective_weight().0);
        }
    }
    (found.len() <= MAX).then_some(found)
}

fn addresses_of(family: crate::answer::Addresses<'_>) -> BTreeMap<IpAddr, u32> {
    (0..family.len())
        .map(|at| {
            let octets = family.address::<4>(at).map(|octets| IpAddr::from(*octets));
            (
                octets.or_else(|| family.address::<16>(at).map(|octets| IpAddr::from(*octets))).unwrap(),
                family.weight(at),
            )
        })
        .collect()
}

/// All that a view says, without the instances.
fn said(view: &ServiceView) -> impl PartialEq + std::fmt::Debug {
    let by_protocol = PROTOCOLS.map(|of| (view.has_protocol(of), view.serves_protocol(of), view.has_tags(of)));
    (by_protocol, view.numbers, view.tags.clone(), view.block.clone(), view.count_served())
}

proptest! {
    #[test]
    fn one_view_after_the_other((crowd, variant) in crowd(), steps in proptest::collection::vec(step(), 1..24)) {
        let mut instances: BTreeMap<String, Arc<Instance>> =
            (0..crowd).map(|at| (format!("i{}", 100 + at), instance(100 + at, variant, 0))).collect();
        let mut before: Option<ServiceView> = None;
        for Step { changes, panicking, record_ttl } in steps {
            for (id, change) in changes {
                let name = format!("i{id}");
                match change {
                    Some((variant, facts)) => drop(instances.insert(name, instance(id, variant, facts))),
                    None => drop(instances.remove(&name)),
                }
            }
            let settings = record_ttl.map(|ttl| Arc::new(Settings { record_ttl: Some(ttl), ..Settings::UNSET }));
            let name = ServiceName::parse("web").unwrap();
            let of = |before: Option<&ServiceView>| {
                let settings = settings.clone();
                ServiceView::new(before, name.clone(), Revision(2), settings, panicking, instances.values())
            };
            let (view, anew) = (of(before.as_ref()), of(None));
            prop_assert_eq!(said(&view), said(&anew));
            let pairs = view.instances().iter().zip(instances.values());
            prop_assert!(pairs.len() == instances.len() && pairs.into_iter().all(|(a, b)| Arc::ptr_eq(a, b)));
            for status in Status::ALL {
                let number = instances.values().filter(|instance| instance.status() == status).count();
                prop_assert_eq!(view.count(status), number);
            }
            let served: Vec<_> = instances.values().filter(|instance| view.serves(instance)).collect();
            for of in PROTOCOLS {
                let is = |instance: &&Arc<Instance>| instance.registration.protocol == of;
                prop_assert_eq!(view.has_protocol(of), instances.values().any(|instance| is(&instance)));
                prop_assert_eq!(view.serves_protocol(of), served.iter().any(is));
            }
            let families = [true, false].map(|is_ipv4| addresses(&served, is_ipv4));
            let fits = (1..=MAX).contains(&served.len()) && families.iter().all(Option::is_some);
            prop_assert_eq!(view.block().is_some(), fits);
            if let Some(block) = view.block() {
                let found = [block.ipv4(), block.ipv6()].map(addresses_of);
                prop_assert_eq!(found.map(Some), families);
                let ids = served.iter().map(|instance| instance.key.id.as_str().as_bytes());
                prop_assert!(ids.eq((0..block.entries().len()).map(|at| block.entries().at(at).id())));
            }
            before = Some(view);
        }
    }
}
