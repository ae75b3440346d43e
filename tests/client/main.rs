//! The client library against the real server: servers that die and come back, instances that fail.

#[path = "../common/mod.rs"]
mod common;

mod calling;
mod discovering;
mod examples;
mod registering;
mod relay;
mod watching;

use std::net::SocketAddr;
use std::time::Duration;

use common::{Server, Setup};
use serde_json::{Value, json};
use srvd::client::{CacheRules, Client, Found};
use tokio::runtime::Runtime;

/// Tasks of the library go on between the steps of a test.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn client(servers: &[&Server]) -> Client {
    of_addresses(&servers.iter().map(|server| server.http[0]).collect::<Vec<_>>())
}

fn of_addresses(addresses: &[SocketAddr]) -> Client {
    let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
    Client::new(urls.iter().map(String::as_str)).expect("URLs")
}

/// A server that forgets everything when it dies, alone on its address, so that it can come back there.
fn forgetful(address: &str) -> Server {
    Setup::new().set("store.kind", "memory").set("dns.record_ttl", 1).http(&format!("{address}:0")).start()
}

/// Another server on the same address and port as one that died.
fn again(dead: &Server) -> Server {
    dead.setup().http(&dead.http[0].to_string()).start()
}

/// Answers that grow old at once, so that tests need not wait for that.
fn impatient() -> CacheRules {
    CacheRules { valid: Duration::from_millis(50), pause: Duration::from_millis(20), ..CacheRules::default() }
}

/// An instance of which nothing matters but that it is there.
fn plain(port: u16) -> Value {
    json!({"address": "127.0.0.1", "port": port, "ttl": "none"})
}

/// The ids of the healthy instances.
fn ids(found: &Found) -> Vec<String> {
    found.instances.served().map(|instance| instance.id.to_string()).collect()
}

/// `Ok` when both are equal; else what was there, for [`common::eventually`].
fn same<T: PartialEq + std::fmt::Debug>(seen: T, wanted: T) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
}
