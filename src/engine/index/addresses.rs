//! Which instances have an address, for the reverse zones.
//!
//! Only addresses inside the configured prefixes are kept: without reverse zones there are none, and no memory is spent.
//! A reader finds every instance that its view serves at an address, and perhaps one more that is just coming or going:
//! what a change adds is put here before its view is published, and what it takes away is taken after.

use std::iter::Peekable;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;

use super::sorted::Sorted;
use crate::answer::ServiceView;
use crate::model::{Instance, Key};

/// An instance at one of its addresses. Those that are served come first, so that a reader who wants no others need not
/// pass by them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    ip: IpAddr,
    unserved: bool,
    /// None comes before every key, and is where a search begins.
    key: Option<Key>,
}

/// The addresses inside some prefixes.
#[derive(Debug)]
pub struct Addresses {
    prefixes: Vec<IpNet>,
    holders: Sorted<Holder>,
}

/// What is to be taken out once the new view of a service is published.
#[derive(Debug, Default)]
pub struct Leaving(Vec<Holder>);

impl Addresses {
    pub fn inside(prefixes: &[IpNet]) -> Self {
        Self { prefixes: prefixes.iter().map(IpNet::trunc).collect(), holders: Sorted::default() }
    }

    /// Whether any instance has an address in this range.
    pub fn any(&self, within: RangeInclusive<IpAddr>) -> bool {
        let holders = self.holders.now();
        let first = holders.range(start(*within.start())..).next();
        first.is_some_and(|holder| holder.ip <= *within.end())
    }

    /// The keys of those that are served at an address, in order.
    pub fn served_at(&self, ip: IpAddr, at_most: usize) -> Vec<Key> {
        let holders = self.holders.now();
        let served = holders.range(start(ip)..).take_while(|holder| holder.ip == ip && !holder.unserved);
        served.take(at_most).filter_map(|holder| holder.key.clone()).collect()
    }

    /// The keys of all at an address, those that are served first.
    pub fn registered_at(&self, ip: IpAddr, at_most: usize) -> Vec<Key> {
        let holders = self.holders.now();
        let there = holders.range(start(ip)..).take_while(|holder| holder.ip == ip);
        there.take(at_most).filter_map(|holder| holder.key.clone()).collect()
    }

    /// Adds what a new view of a service brings, and gives what goes with the old one.
    pub fn prepare(&self, old: Option<&ServiceView>, new: Option<&ServiceView>) -> Leaving {
        let (mut coming, mut leaving) = (Vec::new(), Vec::new());
        for (before, after) in pairs(old, new) {
            if let (Some((was, served)), Some((is, serves))) = (before, after)
                && Arc::ptr_eq(was, is)
                && served == serves
            {
                continue;
            }
            let (before, after) = (self.holders(before), self.holders(after));
            coming.extend(after.iter().filter(|holder| !before.contains(holder)).cloned());
            leaving.extend(before.into_iter().filter(|holder| !after.contains(holder)));
        }
        self.holders.add(coming);
        Leaving(leaving)
    }

    /// Takes out what went with the old view.
    pub fn finish(&self, leaving: Leaving) {
        self.holders.take(leaving.0);
    }

    fn holders(&self, instance: Option<Served<'_>>) -> Vec<Holder> {
        let Some((instance, served)) = instance else { return Vec::new() };
        let ips = instance.registration.address.ips().iter();
        let kept = ips.filter(|ip| self.prefixes.iter().any(|prefix| prefix.contains(*ip)));
        kept.map(|ip| Holder { ip: *ip, unserved: !served, key: Some(instance.key.clone()) }).collect()
    }
}

/// What sorts before all holders of an address.
fn start(ip: IpAddr) -> Holder {
    Holder { ip, unserved: false, key: None }
}

/// An instance, and whether its view serves it.
type Served<'a> = (&'a Arc<Instance>, bool);

/// The instances of two views by their ids: each with what it was before.
fn pairs<'a>(
    old: Option<&'a ServiceView>,
    new: Option<&'a ServiceView>,
) -> impl Iterator<Item = (Option<Served<'a>>, Option<Served<'a>>)> {
    let of = |view: Option<&'a ServiceView>| {
        let served = view
            .into_iter()
            .flat_map(|view| view.instances().iter().map(move |instance| (instance, view.serves(instance))));
        served.peekable()
    };
    let (mut before, mut after) = (of(old), of(new));
    std::iter::from_fn(move || {
        let next = id(&mut before).into_iter().chain(id(&mut after)).min()?;
        let of = |side: &mut Peekable<_>| side.next_if(|(instance, _): &Served<'a>| instance.key.id.as_str() == next);
        Some((of(&mut before), of(&mut after)))
    })
}

fn id<'a>(side: &mut Peekable<impl Iterator<Item = Served<'a>>>) -> Option<&'a str> {
    side.peek().map(|(instance, _)| instance.key.id.as_str())
}
