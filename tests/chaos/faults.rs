//! What goes wrong, and gets right again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use crate::common::etcd::{Member, Wire, free_port, sharing};
use crate::common::process::Process;
use crate::common::server::Setup;
use crate::network::Network;

/// A server with its wire to etcd, and a network of its own where there may be one.
pub struct Site {
    setup: Setup,
    process: Option<Process>,
    /// What processes logged that were killed.
    killed: String,
    wire: Wire,
    network: Option<Network>,
    pub http: SocketAddr,
    pub dns: SocketAddr,
    trouble: Option<(Trouble, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Killed,
    Stopped,
    /// Etcd is silent.
    Stalled,
    /// Etcd is gone.
    Cut,
    /// Nobody reaches it, and it reaches nobody.
    Alone,
}

impl Site {
    pub fn start(etcd: &Member) -> Self {
        let network = Network::new();
        let (near, far) = match &network {
            Some(network) => (network.inside, network.outside),
            None => [IpAddr::V4(Ipv4Addr::LOCALHOST); 2].into(),
        };
        let wire = Wire::between(far, etcd.address());
        let [http, dns] = [(); 2].map(|()| SocketAddr::from((near, free_port())));
        let mut setup = sharing(&wire.url()).http(&http.to_string()).dns(&dns.to_string());
        if let Some(network) = &network {
            // The test is the only one on the other end.
            setup = setup.through(&network.entry()).set("http.insecure", true);
        }
        let process = setup.start().process;
        Self { setup, process: Some(process), killed: String::new(), wire, network, http, dns, trouble: None }
    }

    fn begin(&mut self, trouble: Trouble, long: Duration) {
        match (trouble, &mut self.process) {
            (Trouble::Killed, process) => {
                let Some(mut process) = process.take() else { return };
                process.kill9();
                self.killed += &format!("{}(killed)\n", process.log());
            }
            (Trouble::Stopped, Some(process)) => process.signal("STOP"),
            (Trouble::Stopped, None) => {}
            (Trouble::Stalled, _) => self.wire.stall(),
            (Trouble::Cut, _) => self.wire.cut(),
            (Trouble::Alone, _) => self.network.iter().for_each(Network::pull),
        }
        self.trouble = Some((trouble, Instant::now() + long));
    }

    /// Ends its trouble.
    pub fn heal(&mut self) {
        let Some((trouble, _)) = self.trouble.take() else { return };
        match (trouble, &self.process) {
            (Trouble::Killed, _) => self.process = Some(self.setup.launch()),
            (Trouble::Stopped, Some(process)) => process.signal("CONT"),
            (Trouble::Stopped, None) => {}
            (Trouble::Stalled | Trouble::Cut, _) => self.wire.open(),
            (Trouble::Alone, _) => self.network.iter().for_each(Network::plug_in),
        }
    }

    pub fn log(&self) -> String {
        self.killed.clone() + &self.process.as_ref().map(Process::log).unwrap_or_default()
    }
}

/// Waits a while, ends what has lasted long enough, and begins something new, as long as one server is left in peace.
pub fn next(sites: &mut [Site], random: &mut StdRng) -> String {
    let now = Instant::now();
    let mut told = String::new();
    for (at, site) in sites.iter_mut().enumerate() {
        if site.trouble.is_some_and(|(_, until)| until <= now) {
            told += &format!("server {at} is well again; ");
            site.heal();
        }
    }
    let well: Vec<usize> = (0..sites.len()).filter(|at| sites[*at].trouble.is_none()).collect();
    if well.len() > 1 {
        let at = well[random.random_range(0..well.len())];
        let kinds = [Trouble::Killed, Trouble::Stopped, Trouble::Stalled, Trouble::Cut, Trouble::Alone];
        let kinds = &kinds[..if sites[at].network.is_some() { 5 } else { 4 }];
        let trouble = kinds[random.random_range(0..kinds.len())];
        let long = Duration::from_millis(random.random_range(300..8_000));
        sites[at].begin(trouble, long);
        told += &format!("server {at}: {trouble:?} for {long:?}");
    }
    thread::sleep(pause(random));
    told
}

fn pause(random: &mut impl Rng) -> Duration {
    Duration::from_millis(random.random_range(300..1_500))
}
