//! What readers see: the view of every service, each replaced by one swap.
//!
//! Only the engine publishes. Readers take no lock, and hold the view that they found for as long as they like; they
//! never see half of a change, because a view is of one revision of its service.
//!
//! The map is papaya's: of those whose readers wait for no writer, whose writers wait for no reader and whose changes cost
//! the same whatever there is besides, it is the quickest once a batch is sought before any entry is read ([`Reading::seek`]).
//! What else was tried, and the figures, are in `docs/measurements.md`.

mod addresses;
mod counts;
mod names;
mod sorted;

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::ops::{Bound, RangeInclusive};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;

use self::addresses::Addresses;
use self::counts::Counts;
use self::names::Names;
use self::sorted::Sorted;
use super::gather::BATCH;
use crate::answer::{Block, Live, PROTOCOLS, ServiceView};
use crate::model::{Instance, Key, Protocol, Revision, ServiceName, Status};

type Services = papaya::HashMap<ServiceName, Published, foldhash::fast::RandomState>;

/// Services that there is room for from the first one on.
const LEAST_ROOM: usize = 1024;

/// A service as readers find it.
#[derive(Debug)]
struct Published {
    view: Arc<ServiceView>,
    /// That of the view, one step nearer to those who need nothing else.
    block: Option<Block>,
}

/// The published views.
#[derive(Debug, Default)]
pub struct Index {
    services: Services,
    /// How many services there may be before their table is to grow.
    room: AtomicUsize,
    /// Those of the services.
    names: Names,
    /// Of the services that are in panic.
    panicking: Names,
    /// How many services have instances of each protocol: the names `_tcp` and `_udp` exist below the apex as long.
    protocols: [AtomicUsize; 2],
    /// The services of which an instance is served, each with its protocol: what DNS-SD lists.
    served_types: Sorted<(ServiceName, Protocol)>,
    /// Unset while nobody asks for addresses.
    addresses: OnceLock<Addresses>,
    counts: Counts,
    revision: AtomicU64,
    loaded: AtomicBool,
    stale: AtomicBool,
}

/// Reading several services in a row: what is found stays readable as long as this lives, which should not be long, because
/// nothing that is replaced meanwhile is freed.
pub struct Reading<'a> {
    services: papaya::HashMapRef<'a, ServiceName, Published, foldhash::fast::RandomState, papaya::LocalGuard<'a>>,
    revision: &'a AtomicU64,
}

/// What is probably the entry of the service that was sought. It has not been read, so that it may still be on its way from
/// memory.
#[derive(Debug, Clone, Copy)]
pub struct Likely<'r>(&'r Published);

/// The octets of a label, which are found where a name of the same octets is.
struct Label<'a>(&'a [u8]);

/// A label for which the first entry is taken whose hash begins like its own.
#[derive(Hash)]
struct Unread<'a>(Label<'a>);

impl Hash for Label<'_> {
    /// As the text of a [`ServiceName`] is hashed.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0);
        state.write_u8(0xff);
    }
}

impl papaya::Equivalent<ServiceName> for Label<'_> {
    #[inline]
    fn equivalent(&self, name: &ServiceName) -> bool {
        self.0 == name.as_str().as_bytes()
    }
}

impl papaya::Equivalent<ServiceName> for Unread<'_> {
    #[inline]
    fn equivalent(&self, _: &ServiceName) -> bool {
        true
    }
}

impl<'r> Likely<'r> {
    /// Has the entry read from memory, without waiting for it as long as what comes of it is not looked at.
    #[inline]
    pub fn touch(&self) -> u8 {
        u8::from(self.0.block.is_some())
    }

    /// The same for what the entry leads to.
    #[inline]
    pub fn touch_block(&self) -> u8 {
        self.0.block.as_ref().map_or(0, Block::touch)
    }

    /// The block of the service with this label in any case, if this is its entry and it has one. The name is that in the
    /// block, which is read anyway; that of the entry stays unread.
    #[inline]
    pub fn block_of(&self, label: &[u8]) -> Option<&'r Block> {
        self.0.block.as_ref().filter(|block| {
            let name = &block.label()[1..];
            name == label || name.eq_ignore_ascii_case(label)
        })
    }
}

impl Reading<'_> {
    /// What is served of a service, in the form of answers: `None` when there is no such service, and nothing inside when
    /// its view has no block.
    ///
    /// Takes a label in lower case; one that is no name of a service is nobody's.
    #[inline]
    pub fn block(&self, label: &[u8]) -> Option<Option<&Block>> {
        self.services.get(&Label(label)).map(|service| service.block.as_ref())
    }

    /// The first half of [`Self::block`]: where the service probably is. Of what leads there only the table is read. Where
    /// this turns out to be another service or one without a block, [`Self::block`] knows.
    #[inline]
    pub fn seek(&self, label: &[u8]) -> Option<Likely<'_>> {
        self.services.get(&Unread(Label(label))).map(Likely)
    }

    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }
}

impl Index {
    /// Begins to read; `None` until the state is loaded.
    pub fn read(&self) -> Option<Reading<'_>> {
        self.is_loaded().then(|| Reading { services: self.services.pin(), revision: &self.revision })
    }

    /// Whether the state has been read from the store; before, nothing here means anything.
    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// Whether the store that others write too is away, so that what is here may be out of date. One relaxed load.
    pub fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    pub(super) fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Ordering::Relaxed);
    }

    pub fn instance(&self, key: &Key) -> Option<Arc<Instance>> {
        self.service(key.service.as_str())?.instance(key.id.as_str()).cloned()
    }

    /// All views, in the order of their names.
    pub fn views(&self) -> Vec<Arc<ServiceView>> {
        self.views_from(Bound::Unbounded).collect()
    }

    /// The views from a name on, in the order of their names, each as it is when it is come to.
    pub fn views_from<'a>(&'a self, start: Bound<&str>) -> impl Iterator<Item = Arc<ServiceView>> + use<'a> {
        self.names.from(start).filter_map(|name| self.service(name.as_str()))
    }

    /// How many services have instances.
    pub fn services(&self) -> usize {
        self.services.len()
    }

    /// How many instances have this status.
    pub fn count(&self, status: Status) -> usize {
        self.counts.instances(status)
    }

    /// How many services are in panic.
    pub fn panicking(&self) -> usize {
        self.counts.panicking()
    }

    /// The names of the services that are in panic, in order.
    pub fn panicking_names(&self) -> impl Iterator<Item = ServiceName> {
        self.panicking.from(Bound::Unbounded)
    }

    /// Keeps which instances have an address inside these prefixes, from now on. To be called once, before anything is
    /// published.
    pub fn keep_addresses(&self, prefixes: &[IpNet]) {
        self.addresses.get_or_init(|| Addresses::inside(prefixes));
    }

    /// Has read from memory what is looked at where the views of these services are replaced, or the first of them: of all at
    /// the same time, so that one need not wait for the other. Nothing else comes of it.
    pub(super) fn look_ahead<'a>(&self, names: impl IntoIterator<Item = &'a ServiceName>) {
        let Some(reading) = self.read() else { return };
        let sought = names.into_iter().take(BATCH).filter_map(|name| reading.seek(name.as_str().as_bytes()));
        let sought: Vec<Likely<'_>> = sought.collect();
        sought.iter().for_each(|likely| likely.0.view.touch());
    }

    /// Replaces the view of one service and returns the one before. What leads to a view comes into being before the view
    /// that needs it, and goes after it.
    pub(super) fn publish(&self, name: &ServiceName, new: Option<Arc<ServiceView>>) -> Option<Arc<ServiceView>> {
        let services = self.services.pin();
        let old = services.get(name).map(|service| Arc::clone(&service.view));
        let leaving =
            self.addresses.get().map(|addresses| (addresses, addresses.prepare(old.as_deref(), new.as_deref())));
        self.count_protocols(new.as_deref(), |counter| counter.fetch_add(1, Ordering::AcqRel));
        let panics = |view: &Option<Arc<ServiceView>>| view.as_ref().is_some_and(|view| view.is_panicking());
        self.names.turn(name, old.is_some(), old.is_some() || new.is_some());
        if old.is_none() && new.is_some() {
            self.make_room(services.len() + 1);
        }
        match &new {
            Some(view) => {
                let published = Published { view: Arc::clone(view), block: view.block().cloned() };
                services.insert(name.clone(), published).map(drop)
            }
            None => services.remove(name).map(drop),
        };
        self.names.turn(name, true, new.is_some());
        self.panicking.turn(name, panics(&old), panics(&new));
        self.list(old.as_deref(), new.as_deref());
        self.counts.replace(old.as_deref(), new.as_deref());
        self.count_protocols(old.as_deref(), |counter| counter.fetch_sub(1, Ordering::AcqRel));
        if let Some((addresses, leaving)) = leaving {
            addresses.finish(leaving);
        }
        old
    }

    /// Keeps half of the table free for so many services: most are at the first place then that readers look at, and a
    /// place that is free says as soon that there is no such service. Left to itself, the table grows when hardly any place
    /// is free.
    ///
    /// The writer copies the whole table then, in 19 ms at 131,072 services and 45 at twice as many. Readers go on.
    fn make_room(&self, services: usize) {
        if services > self.room.load(Ordering::Relaxed) {
            let room = services.next_power_of_two().max(LEAST_ROOM);
            // It takes three quarters of a table for all that it is asked to hold.
            self.services.pin().reserve(room * 2 * 3 / 4 - (services - 1));
            self.room.store(room, Ordering::Relaxed);
        }
    }

    /// Counts the protocols of a view.
    fn count_protocols(&self, view: Option<&ServiceView>, change: impl Fn(&AtomicUsize) -> usize) {
        for (counter, protocol) in self.protocols.iter().zip(PROTOCOLS) {
            if view.is_some_and(|view| view.has_protocol(protocol)) {
                change(counter);
            }
        }
    }

    /// Lists the types of a service that are served now and were not, and strikes those that were and are not.
    fn list(&self, old: Option<&ServiceView>, new: Option<&ServiceView>) {
        let Some(name) = old.or(new).map(ServiceView::name) else { return };
        let served = |view: Option<&ServiceView>| PROTOCOLS.map(|of| view.is_some_and(|view| view.serves_protocol(of)));
        let (before, after) = (served(old), served(new));
        let gained = |from: [bool; 2], to: [bool; 2]| {
            let gained = PROTOCOLS.into_iter().filter(move |of| to[*of as usize] && !from[*of as usize]);
            gained.map(|of| (name.clone(), of))
        };
        self.served_types.add(gained(before, after));
        self.served_types.take(gained(after, before));
    }

    pub(super) fn set_revision(&self, revision: Revision) {
        self.revision.store(revision.0, Ordering::Release);
    }

    pub(super) fn set_loaded(&self) {
        self.loaded.store(true, Ordering::Release);
    }
}

impl Live for Index {
    fn service(&self, name: &str) -> Option<Arc<ServiceView>> {
        self.services.pin().get(name).map(|service| Arc::clone(&service.view))
    }

    fn has_protocol(&self, protocol: Protocol) -> bool {
        self.protocols[protocol as usize].load(Ordering::Acquire) > 0
    }

    fn served_types(&self, at_most: usize) -> Vec<(ServiceName, Protocol)> {
        self.served_types.now().iter().take(at_most).cloned().collect()
    }

    fn has_address(&self, within: RangeInclusive<IpAddr>) -> bool {
        self.addresses.get().is_some_and(|addresses| addresses.any(within))
    }

    fn served_at(&self, ip: IpAddr, at_most: usize) -> Vec<Key> {
        self.addresses.get().map_or_else(Vec::new, |addresses| addresses.served_at(ip, at_most))
    }

    fn registered_at(&self, ip: IpAddr, at_most: usize) -> Vec<Key> {
        self.addresses.get().map_or_else(Vec::new, |addresses| addresses.registered_at(ip, at_most))
    }

    fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    fn is_stale(&self) -> bool {
        Self::is_stale(self)
    }
}
