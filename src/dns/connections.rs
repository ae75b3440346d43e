//! Who holds the places for TCP connections, and who has to make room.
//!
//! Every connection takes one of a fixed number of places, of all listeners together; one client may hold a part of
//! them. A newcomer is not turned away while somebody rests: where the places are all taken, the client with the most
//! connections loses the one that has rested longest, and where a client has its share, it loses one of its own. A
//! connection that is at work is given up only where its client still holds as many as the newcomer.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use super::prefixes::network;
use crate::config::{self, Setting};
use crate::model::Tick;

/// Addresses that are one client, in bits: a host may have all of an IPv6 network to itself.
const IPV4_CLIENT: u8 = 32;
const IPV6_CLIENT: u8 = 64;
/// While fewer than this part of the places is free, connections may rest for [`BUSY_IDLE`] only.
const FEW: usize = 4;
const BUSY_IDLE: Duration = Duration::from_millis(500);

/// The bounds of what TCP clients can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one IPv4 address or IPv6 /64.
    pub per_client: usize,
    /// How long a connection may rest.
    pub idle: Duration,
}

impl Limits {
    /// Those of a configuration.
    pub fn new(config: &config::Dns) -> Self {
        Self {
            connections: config.tcp_connections.into(),
            per_client: config.tcp_connections_per_client.into(),
            idle: config.tcp_idle.as_duration(),
        }
    }
}

/// All open connections. Shared by all listeners.
#[derive(Debug)]
pub struct Connections {
    limits: Setting<Limits>,
    clients: Mutex<HashMap<IpNet, Vec<Arc<State>>>>,
    /// Changed under the lock of `clients` only.
    taken: AtomicUsize,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    connections: Arc<Connections>,
    client: IpNet,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Twice the milliseconds at which it began to rest or to work, and one more while it works.
    since: AtomicU64,
    evicted: CancellationToken,
}

impl State {
    fn is_working(&self) -> bool {
        self.since.load(Ordering::Relaxed) & 1 == 1
    }
}

impl Connections {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits: Setting::new(limits), clients: Mutex::default(), taken: AtomicUsize::new(0) })
    }

    /// Keeps other limits from now on. Connections above them stay until they end, or others need their places.
    pub fn limit(&self, limits: Limits) {
        self.limits.set(limits);
    }

    /// Gives a newcomer a place, if need be somebody else's; `None` when nobody can be asked to make room. It rests
    /// until it says otherwise.
    pub fn admit(self: &Arc<Self>, address: IpAddr, now: Tick) -> Option<Place> {
        let client = network(address, IPV4_CLIENT, IPV6_CLIENT);
        let limits = self.limits.get();
        let mut clients = self.clients.lock();
        let held = clients.get(&client).map_or(0, Vec::len);
        let leaves = if held >= limits.per_client {
            Some(victim(clients.get(&client).map(|own| (&client, own)), usize::MAX)?)
        } else if self.taken.load(Ordering::Relaxed) >= limits.connections {
            Some(victim(&*clients, held + 1)?)
        } else {
            None
        };
        if let Some((its, state)) = leaves {
            state.evicted.cancel();
            self.remove(&mut clients, its, &state);
        }
        let state = Arc::new(State { since: AtomicU64::new(now.0 << 1), evicted: CancellationToken::new() });
        clients.entry(client).or_default().push(Arc::clone(&state));
        self.taken.fetch_add(1, Ordering::Relaxed);
        Some(Place { connections: Arc::clone(self), client, state })
    }

    fn remove(&self, clients: &mut HashMap<IpNet, Vec<Arc<State>>>, client: IpNet, state: &Arc<State>) {
        let Some(own) = clients.get_mut(&client) else { return };
        // One that was evicted is not there any more.
        if let Some(at) = own.iter().position(|other| Arc::ptr_eq(other, state)) {
            own.swap_remove(at);
            self.taken.fetch_sub(1, Ordering::Relaxed);
        }
        if own.is_empty() {
            clients.remove(&client);
        }
    }
}

/// The connection that makes room: of the client with the most, one that rests before one that works, and the one that
/// has done so longest. Those at work count only where their client has more than `spared`.
fn victim<'a>(
    clients: impl IntoIterator<Item = (&'a IpNet, &'a Vec<Arc<State>>)>,
    spared: usize,
) -> Option<(IpNet, Arc<State>)> {
    let all = clients.into_iter().flat_map(|(client, own)| own.iter().map(|state| (*client, own.len(), state)));
    let may_go = all.filter(|(_, held, state)| !state.is_working() || *held > spared);
    let first =
        may_go.min_by_key(|(_, held, state)| (Reverse(*held), state.is_working(), state.since.load(Ordering::Relaxed)));
    first.map(|(client, _, state)| (client, Arc::clone(state)))
}

impl Place {
    /// How long the connection may rest from now on.
    pub fn idle(&self) -> Duration {
        let limits = self.connections.limits.get();
        let free = limits.connections.saturating_sub(self.connections.taken.load(Ordering::Relaxed));
        if free < limits.connections / FEW { limits.idle.min(BUSY_IDLE) } else { limits.idle }
    }

    /// Says that the connection has nothing to do.
    pub fn rests(&self, now: Tick) {
        self.state.since.store(now.0 << 1, Ordering::Relaxed);
    }

    /// Says that the connection has queries to answer, or answers to get rid of.
    pub fn works(&self, now: Tick) {
        self.state.since.store(now.0 << 1 | 1, Ordering::Relaxed);
    }

    /// Comes when somebody else has been given the place.
    pub fn evicted(&self) -> WaitForCancellationFuture<'_> {
        self.state.evicted.cancelled()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.connections.clients.lock();
        self.connections.remove(&mut clients, self.client, &self.state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "192.0.2.1";
    const OTHER: &str = "192.0.2.2";

    fn connections(connections: usize, per_client: usize) -> Arc<Connections> {
        Connections::new(Limits { connections, per_client, idle: Duration::from_secs(10) })
    }

    fn admit(connections: &Arc<Connections>, client: &str, now: u64) -> Option<Place> {
        connections.admit(client.parse().unwrap(), Tick(now))
    }

    /// The places of `client` taken at 0, 1, 2 and so on.
    fn crowd(connections: &Arc<Connections>, client: &str, count: u64) -> Vec<Place> {
        (0..count).map(|now| admit(connections, client, now).unwrap()).collect()
    }

    fn evicted(places: &[Place]) -> Vec<usize> {
        (0..places.len()).filter(|at| places[*at].state.evicted.is_cancelled()).collect()
    }

    #[test]
    fn places_come_back() {
        let connections = connections(2, 2);
        for _ in 0..10 {
            drop(crowd(&connections, ONE, 2));
        }
        assert_eq!(connections.taken.load(Ordering::Relaxed), 0);
        assert!(connections.clients.lock().is_empty());
    }

    #[test]
    fn a_client_with_its_share_loses_its_own() {
        let connections = connections(10, 3);
        let (own, others) = (crowd(&connections, ONE, 3), crowd(&connections, OTHER, 3));
        own[0].works(Tick(9));
        let newcomer = admit(&connections, ONE, 10).unwrap();
        assert_eq!((evicted(&own), evicted(&others)), (vec![1], vec![]));
        own[2].works(Tick(11));
        newcomer.works(Tick(12));
        assert!(admit(&connections, ONE, 13).is_none(), "all of its own are at work");
    }

    #[test]
    fn the_greediest_makes_room() {
        let connections = connections(6, 6);
        let (greedy, modest) = (crowd(&connections, ONE, 4), crowd(&connections, OTHER, 2));
        greedy[0].rests(Tick(20));
        let _first = admit(&connections, "192.0.2.3", 21).unwrap();
        assert_eq!((evicted(&greedy), evicted(&modest)), (vec![1], vec![]));
        greedy[0].works(Tick(22));
        greedy[2].works(Tick(23));
        greedy[3].works(Tick(24));
        let _second = admit(&connections, "192.0.2.4", 25).unwrap();
        assert_eq!((evicted(&greedy), evicted(&modest)), (vec![0, 1], vec![]), "it holds more than the newcomer");
        assert_eq!(connections.taken.load(Ordering::Relaxed), 6);
    }

    #[test]
    fn equals_do_not_push_each_other_out_at_work() {
        let connections = connections(3, 3);
        let places = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|client| admit(&connections, client, 0).unwrap());
        places[0].works(Tick(1));
        places[1].works(Tick(1));
        let newcomer = admit(&connections, "192.0.2.4", 2).unwrap();
        assert_eq!(evicted(&places), [2]);
        newcomer.works(Tick(3));
        assert!(admit(&connections, "192.0.2.5", 4).is_none());
        assert_eq!(evicted(&places), [2]);
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_64() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            let connections = connections(9, 1);
            let first = admit(&connections, one, 0).unwrap();
            let _second = admit(&connections, other, 1).unwrap();
            assert_eq!(first.state.evicted.is_cancelled(), same, "{one} {other}");
        }
    }

    #[test]
    fn few_places_shorten_the_rest() {
        let connections = connections(8, 8);
        let mut places = crowd(&connections, ONE, 6);
        assert_eq!(places[0].idle(), Duration::from_secs(10));
        places.push(admit(&connections, ONE, 7).unwrap());
        assert_eq!(places[0].idle(), BUSY_IDLE);
        places.truncate(1);
        assert_eq!(places[0].idle(), Duration::from_secs(10));
    }

    #[tokio::test]
    async fn who_is_evicted_hears_of_it() {
        let connections = connections(1, 1);
        let first = admit(&connections, ONE, 0).unwrap();
        let second = admit(&connections, ONE, 1).unwrap();
        first.evicted().await;
        drop(first);
        assert_eq!(connections.taken.load(Ordering::Relaxed), 1, "it gives back only what is its own");
        drop(second);
    }
}
