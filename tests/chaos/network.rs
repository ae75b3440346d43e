//! A network of its own for a server, where the machine lets the tests make one: a namespace, and a cable to it that can be
//! pulled.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use crate::common::process::tool;

/// One end of the cable, in the namespace.
const INSIDE: &str = "chaos";

/// A namespace with one address, and one on the outside that it reaches. It is gone with this value.
pub struct Network {
    name: String,
    pub outside: IpAddr,
    pub inside: IpAddr,
}

impl Network {
    /// `None` where this is not allowed.
    pub fn new() -> Option<Self> {
        let number: u16 = rand::random();
        // Four addresses of the network that is set apart for measurements (RFC 2544, appendix C.2.2).
        let [high, low] = (number << 2).to_be_bytes();
        let [outside, inside] = [1, 2].map(|last| IpAddr::from(Ipv4Addr::new(198, 18, high, low + last)));
        let network = Self { name: format!("srvd{number:04x}"), outside, inside };
        let name = &network.name;
        let cable = format!("link add {name} type veth peer name {INSIDE} netns {name}");
        let addresses =
            [format!("addr add {outside}/30 dev {name}"), format!("-n {name} addr add {inside}/30 dev {INSIDE}")];
        let up = [format!("link set {name} up"), format!("-n {name} link set {INSIDE} up")];
        // From here on, what was made is taken away again.
        let made = ip(&format!("netns add {name}")) && ip(&cable) && addresses.iter().chain(&up).all(|words| ip(words));
        made.then_some(network)
    }

    /// What runs a program in it.
    pub fn entry(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// From now on nothing comes in or goes out: packets are lost, and nobody is told.
    pub fn pull(&self) {
        assert!(ip(&format!("-n {} link set {INSIDE} down", self.name)));
    }

    pub fn plug_in(&self) {
        assert!(ip(&format!("-n {} link set {INSIDE} up", self.name)));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The cable goes with its end.
        ip(&format!("netns delete {}", self.name));
    }
}

/// Whether `ip` did what these words ask for.
fn ip(words: &str) -> bool {
    let output = Command::new(tool("ip", "iproute2")).args(words.split(' ')).output();
    output.is_ok_and(|output| output.status.success())
}
