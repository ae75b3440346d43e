//! A service's records in one piece of memory, as answers need them.
//!
//! A [`Block`] holds what DNS serves of one service: a record for each instance, and the addresses of all of them with
//! their weights. It is made once for each view and never changed. Reading it touches a few neighbouring cache lines and
//! follows no pointers, which is what decides how long an answer takes when there are a million instances.
//!
//! ```text
//!  0   record TTL of the service, or NO_TTL     u32
//!  4   flags                                    u8
//!  5   instances n, A records a, AAAA records   3 × u8
//!  8   where the A records begin                u16
//! 10   where the AAAA records begin             u16
//! 12   label of the service                     length octet and octets
//!      where each instance begins               n × u16
//!      instances, in the order of their ids     protocol u8, its IPv4 and IPv6 addresses 2 × u8,
//!                                               priority u16, weight u16, port u16, label: SRV RDATA up to the service,
//!                                               4 octets for each IPv4 address, 16 for each IPv6 address
//!      A records                                a × (weight u32, 4 octets)
//!      AAAA records                             (weight u32, 16 octets) each
//! ```
//!
//! The tables of A and AAAA records hold what a query for the service's name gets: for each family the addresses of the
//! lowest priority that has any, each once, with the weights of all instances that share it. Numbers are in network order.
//! Nothing here depends on the configuration, so that a reload leaves all blocks as they are.
//!
//! A service of which more than [`MAX`] instances or addresses are served has no block: hardly any of its answers fits
//! into a datagram.

use std::net::IpAddr;
use std::sync::Arc;

use super::live::{each_once, of_lowest};
use super::view::ServiceView;
use crate::model::{Instance, Protocol};
use crate::wire::octets::u16_at;

/// The most instances, and the most addresses of a family, that a block holds.
pub const MAX: usize = 255;

const HEADER: usize = 12;
/// No TTL of a record is as long (RFC 2181 §8).
const NO_TTL: u32 = u32::MAX;
/// Some instance is a host name, whose addresses are not here.
const HOSTS: u8 = 1;
/// Not all instances have the same priority.
const PRIORITIES: u8 = 2;
/// Unhealthy instances may be among them.
const PANIC: u8 = 4;
const CACHE_LINE: usize = 64;
/// Lines of a block that are worth reading early: those of a service of a dozen instances. The processor finds by itself
/// what comes behind them.
const LINES: usize = 8;
/// Octets of an instance in front of its SRV RDATA.
const INSTANCE: usize = 3;
/// Octets of SRV RDATA in front of the target (RFC 2782).
const SRV_NUMBERS: usize = 6;
/// Octets of an instance that stand at the same place in each: all as far as the length of its label.
const FIXED: usize = INSTANCE + SRV_NUMBERS + 1;
const WEIGHT: usize = 4;
/// Octets that a block is given room for while it is made: most are smaller.
const ROOM: usize = 512;

/// What DNS serves of one service.
///
/// Cheap to clone, so that it can be kept where readers find it without going through its view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block(Arc<[u8]>);

/// An instance that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    fixed: &'a [u8; FIXED],
    /// Priority, weight (before scaling) and port of its SRV record, and its id as the first label of the target. What
    /// stands behind them in the block follows, to be copied over where that is quicker.
    rdata: &'a [u8],
}

/// The instances of a block, in the order of their ids.
#[derive(Debug, Clone, Copy)]
pub struct Entries<'a> {
    octets: &'a [u8],
    /// Where each begins.
    begins: &'a [[u8; 2]],
}

/// The address records of one family.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    octets: &'a [u8],
    /// Octets of an address.
    width: usize,
}

impl Block {
    /// The block of a view, if anything of it is served and it is not too much.
    ///
    /// The record of an instance is copied where `known` has it, which is asked for the places of those that are served, one
    /// after the other; only the others are read. All else is made of the records, which lie side by side.
    pub fn new<'a>(view: &ServiceView, mut known: impl FnMut(usize) -> Option<&'a [u8]>) -> Option<Self> {
        let count = view.count_served();
        if !(1..=MAX).contains(&count) {
            return None;
        }
        let mut octets = header(view, count);
        let mut at = octets.len();
        octets.resize(at + 2 * count, 0);
        for place in view.served_places() {
            let begins = octets.len() as u16;
            octets[at..at + 2].copy_from_slice(&begins.to_be_bytes());
            at += 2;
            match known(place) {
                Some(record) => octets.extend_from_slice(record),
                None => push_instance(&mut octets, &view.instances()[place]),
            }
        }
        let made = Entries::of(&octets);
        let entries = || (0..count).map(|at| made.at(at));
        let flags = flags(entries());
        // At most 255 instances with eight addresses each: the sum of their weights is far below 2³².
        let weight = |entry: &Entry<'_>| u32::from(entry.weight());
        let ipv4 = of_lowest(entries().map(|entry| (entry.priority(), entry.ipv4().iter().copied(), weight(&entry))));
        let ipv6 = of_lowest(entries().map(|entry| (entry.priority(), entry.ipv6().iter().copied(), weight(&entry))));
        octets[4] |= flags;
        push_addresses(&mut octets, [6, 8], &each_once(ipv4))?;
        push_addresses(&mut octets, [7, 10], &each_once(ipv6))?;
        Some(Self(octets.into()))
    }

    /// The TTL of the service's records in seconds, if it has one of its own.
    pub fn record_ttl(&self) -> Option<u32> {
        let ttl = u32_at(&self.0, 0);
        (ttl != NO_TTL).then_some(ttl)
    }

    /// Whether an instance is known by a host name of others.
    pub fn has_hosts(&self) -> bool {
        self.0[4] & HOSTS != 0
    }

    /// Whether instances differ in priority.
    pub fn has_priorities(&self) -> bool {
        self.0[4] & PRIORITIES != 0
    }

    /// Whether so few instances are healthy that unhealthy ones are served too.
    pub fn is_panicking(&self) -> bool {
        self.0[4] & PANIC != 0
    }

    /// The name of the service, led by its length in one octet.
    #[inline]
    pub fn label(&self) -> &[u8] {
        label_at(&self.0, HEADER)
    }

    /// The instances, at least one.
    #[inline]
    pub fn entries(&self) -> Entries<'_> {
        Entries::of(&self.0)
    }

    /// All that is here of the instance at a place, for another block to copy.
    pub fn record(&self, at: usize) -> &[u8] {
        let entry = self.entries().at(at);
        let (ipv4, ipv6) = entry.counts();
        let begins = self.0.len() - entry.rdata.len() - INSTANCE;
        &self.0[begins..][..INSTANCE + entry.rdata_length() + 4 * ipv4 + 16 * ipv6]
    }

    /// The A records of the service.
    pub fn ipv4(&self) -> Addresses<'_> {
        self.addresses(8, self.0[6], 4)
    }

    /// The AAAA records of the service.
    pub fn ipv6(&self) -> Addresses<'_> {
        self.addresses(10, self.0[7], 16)
    }

    /// One octet of each cache line that an answer reads, added up: to have them read before they are needed.
    #[inline]
    pub fn touch(&self) -> u8 {
        let mut sum = 0u8;
        let mut at = 0;
        while at < self.0.len().min(CACHE_LINE * LINES) {
            sum = sum.wrapping_add(self.0[at]);
            at += CACHE_LINE;
        }
        sum
    }

    fn addresses(&self, place: usize, count: u8, width: usize) -> Addresses<'_> {
        let begins = usize::from(number_at(&self.0, place));
        Addresses { octets: &self.0[begins..begins + usize::from(count) * (WEIGHT + width)], width }
    }
}

impl<'a> Entries<'a> {
    /// Those of a block, which may not be complete behind them.
    #[inline]
    fn of(octets: &'a [u8]) -> Self {
        let table = HEADER + 1 + usize::from(octets[HEADER]);
        let begins = octets[table..table + 2 * usize::from(octets[5])].as_chunks().0;
        Self { octets, begins }
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.begins.len()
    }

    /// The instance at a place.
    #[inline]
    pub fn at(&self, place: usize) -> Entry<'a> {
        let octets = &self.octets[usize::from(u16::from_be_bytes(self.begins[place]))..];
        match octets.first_chunk() {
            Some(fixed) => Entry { fixed, rdata: &octets[INSTANCE..] },
            // Each instance has as many.
            None => Entry { fixed: &[0; FIXED], rdata: &[0; FIXED] },
        }
    }

    /// The instance with this id, in lower case.
    pub fn find(&self, id: &[u8]) -> Option<Entry<'a>> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let entry = self.at(middle);
            match entry.id().cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(entry),
            }
        }
        None
    }
}

impl<'a> Entry<'a> {
    #[inline]
    pub fn protocol(&self) -> Protocol {
        if self.fixed[0] == Protocol::Tcp as u8 { Protocol::Tcp } else { Protocol::Udp }
    }

    #[inline]
    pub fn priority(&self) -> u16 {
        u16::from_be_bytes([self.fixed[INSTANCE], self.fixed[INSTANCE + 1]])
    }

    /// The weight before scaling.
    #[inline]
    pub fn weight(&self) -> u16 {
        u16::from_be_bytes([self.fixed[INSTANCE + 2], self.fixed[INSTANCE + 3]])
    }

    /// How many addresses it has: IPv4 and IPv6.
    #[inline]
    pub fn counts(&self) -> (usize, usize) {
        (usize::from(self.fixed[1]), usize::from(self.fixed[2]))
    }

    #[inline]
    pub fn ipv4(&self) -> &'a [[u8; 4]] {
        let ips = &self.rdata[self.rdata_length()..];
        ips[..4 * self.counts().0].as_chunks().0
    }

    #[inline]
    pub fn ipv6(&self) -> &'a [[u8; 16]] {
        let (ipv4, ipv6) = self.counts();
        let ips = &self.rdata[self.rdata_length() + 4 * ipv4..];
        ips[..16 * ipv6].as_chunks().0
    }

    /// The id.
    pub fn id(&self) -> &'a [u8] {
        &label_at(self.rdata, SRV_NUMBERS)[1..]
    }

    /// How many octets of SRV RDATA are here: those before the name of the service, which goes on in the block's label.
    #[inline]
    pub fn rdata_length(&self) -> usize {
        SRV_NUMBERS + 1 + usize::from(self.fixed[FIXED - 1])
    }

    /// SRV RDATA up to the service, and whatever stands behind it in the block.
    #[inline]
    pub fn rdata(&self) -> &'a [u8] {
        self.rdata
    }
}

impl<'a> Addresses<'a> {
    #[inline]
    pub fn len(&self) -> usize {
        self.octets.len() / (WEIGHT + self.width)
    }

    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Octets of an address.
    pub fn width(&self) -> usize {
        self.width
    }

    #[inline]
    pub fn weight(&self, at: usize) -> u32 {
        u32_at(self.octets, at * (WEIGHT + self.width))
    }

    /// An address, if addresses here have as many octets.
    #[inline]
    pub fn address<const W: usize>(&self, at: usize) -> Option<&'a [u8; W]> {
        let begins = at * (WEIGHT + self.width) + WEIGHT;
        self.octets[begins..begins + self.width].as_array()
    }
}

/// What stands in front of the instances, as far as it is known before them.
fn header(view: &ServiceView, count: usize) -> Vec<u8> {
    let mut octets = Vec::with_capacity(ROOM);
    octets.extend(view.settings().record_ttl.unwrap_or(NO_TTL).to_be_bytes());
    octets.extend([if view.is_panicking() { PANIC } else { 0 }, count as u8, 0, 0]);
    octets.extend([0; 4]);
    push_label(&mut octets, view.name().as_str());
    octets
}

/// What is to be known of all instances together.
fn flags<'a>(mut entries: impl Iterator<Item = Entry<'a>>) -> u8 {
    let of = |entry: &Entry<'_>| if entry.counts() == (0, 0) { HOSTS } else { 0 };
    let Some(first) = entries.next() else { return 0 };
    entries.fold(of(&first), |flags, entry| {
        let differs = if entry.priority() == first.priority() { 0 } else { PRIORITIES };
        flags | of(&entry) | differs
    })
}

/// Adds the records of a family, and notes how many they are and where they begin; `None` when they are too many.
fn push_addresses<const W: usize>(
    octets: &mut Vec<u8>,
    [number, place]: [usize; 2],
    addresses: &[([u8; W], u32)],
) -> Option<()> {
    let begins = octets.len() as u16;
    octets[number] = u8::try_from(addresses.len()).ok()?;
    octets[place..place + 2].copy_from_slice(&begins.to_be_bytes());
    for (ip, weight) in addresses {
        octets.extend(weight.to_be_bytes());
        octets.extend(ip);
    }
    Some(())
}

fn push_instance(octets: &mut Vec<u8>, instance: &Instance) {
    let registration = &instance.registration;
    let ips = registration.address.ips();
    let ipv4 = ips.iter().filter(|ip| ip.is_ipv4()).count();
    octets.extend([registration.protocol as u8, ipv4 as u8, (ips.len() - ipv4) as u8]);
    for number in [registration.priority.0, instance.effective_weight().0, registration.port.number()] {
        octets.extend(number.to_be_bytes());
    }
    push_label(octets, instance.key.id.as_str());
    for family in [IpAddr::is_ipv4, IpAddr::is_ipv6] {
        ips.iter().filter(|ip| family(ip)).for_each(|ip| push_ip(octets, *ip));
    }
}

fn push_label(octets: &mut Vec<u8>, label: &str) {
    octets.push(label.len() as u8);
    octets.extend(label.as_bytes());
}

fn push_ip(octets: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => octets.extend(ip.octets()),
        IpAddr::V6(ip) => octets.extend(ip.octets()),
    }
}

#[inline]
fn label_at(octets: &[u8], at: usize) -> &[u8] {
    &octets[at..=at + usize::from(octets[at])]
}

#[inline]
fn number_at(octets: &[u8], at: usize) -> u16 {
    u16_at(octets, at).unwrap_or_default()
}

#[inline]
fn u32_at(octets: &[u8], at: usize) -> u32 {
    octets[at..].first_chunk().map_or(0, |octets| u32::from_be_bytes(*octets))
}
