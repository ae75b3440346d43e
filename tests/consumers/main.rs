//! Programs and libraries that find services through srvd, each with the configuration that `docs/consumers.md` gives.
//!
//! They run in namespaces of their own, where ports are those of the documents and `/etc/resolv.conf` is the test's.

#[path = "../common/mod.rs"]
mod common;

mod forwarders;
mod prometheus;
mod resolvers;
