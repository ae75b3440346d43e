//! How many instances of a view are of which kind.
//!
//! The numbers of a view follow from those of the one before, by what came and what went. So nobody else is looked at.

use super::view::serves;
use crate::model::{Instance, Protocol, Status};

/// Numbers of instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// Of each status, in the order of [`Status::ALL`].
    statuses: [u32; Status::ALL.len()],
    /// Of UDP, and of those that are served; the others are of TCP.
    udp: u32,
    served_udp: u32,
}

impl Numbers {
    /// Counts one that came, in a service that panics or does not.
    pub fn add(&mut self, instance: &Instance, panicking: bool) {
        self.change(instance, panicking, |number| *number += 1);
    }

    /// Counts one no more that was counted when the service panicked or did not.
    pub fn take(&mut self, instance: &Instance, panicking: bool) {
        self.change(instance, panicking, |number| *number -= 1);
    }

    fn change(&mut self, instance: &Instance, panicking: bool, change: impl Fn(&mut u32)) {
        let status = instance.status();
        change(&mut self.statuses[status as usize]);
        if instance.registration.protocol == Protocol::Udp {
            change(&mut self.udp);
            if serves(status, panicking) {
                change(&mut self.served_udp);
            }
        }
    }

    /// How many have a status.
    pub fn of_status(&self, status: Status) -> usize {
        self.statuses[status as usize] as usize
    }

    /// How many there are of a protocol.
    pub fn of_protocol(&self, protocol: Protocol) -> usize {
        share(protocol, self.statuses.iter().sum(), self.udp)
    }

    /// How many are served.
    pub fn served(&self, panicking: bool) -> usize {
        Status::ALL.iter().filter(|status| serves(**status, panicking)).map(|status| self.of_status(*status)).sum()
    }

    /// How many of a protocol are served.
    pub fn served_of_protocol(&self, protocol: Protocol, panicking: bool) -> usize {
        share(protocol, self.served(panicking) as u32, self.served_udp)
    }
}

/// Of `all`, as many as are of a protocol.
fn share(protocol: Protocol, all: u32, udp: u32) -> usize {
    let number = match protocol {
        Protocol::Tcp => all - udp,
        Protocol::Udp => udp,
    };
    number as usize
}
