//! Clients: instances that make themselves heard at whichever server answers, and those who ask for them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::STEADY;
use crate::call;
use crate::history::{History, Known, TTL};

/// Between two heartbeats, and between two questions.
const EVERY: Duration = Duration::from_millis(300);
const PORTS: u16 = 1_000;
/// So long a call that got no reply may still be on its way: a server that stands still takes it up when it goes on.
const UNDERWAY: Duration = Duration::from_secs(10);

fn path(instance: usize) -> String {
    format!("/v1/services/chaos/instances/i{instance}")
}

fn body(instance: usize) -> String {
    let port = usize::from(PORTS) + instance;
    format!("{{\"address\":\"10.0.0.1\",\"port\":{port},\"ttl\":\"{}s\"}}", TTL.as_secs())
}

/// The life of an instance. It turns to the next server when one does not answer, or answers that it cannot.
pub fn live(
    at: usize,
    is_steady: bool,
    seed: u64,
    servers: &[(SocketAddr, SocketAddr)],
    history: &History,
    stop: &AtomicBool,
) {
    let mut random = StdRng::seed_from_u64(seed ^ (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (mut server, mut registered) = (at % servers.len(), false);
    let mut in_doubt_until = Instant::now();
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        let address = servers[server].0;
        let leaves = !is_steady && registered && random.random_bool(0.1);
        let (method, path, body) = match (leaves, registered) {
            (true, _) => ("DELETE", path(at), String::new()),
            (false, true) => ("PUT", format!("{}/heartbeat", path(at)), String::new()),
            (false, false) => ("PUT", path(at), body(at)),
        };
        let reply = call::http(address, method, &path, &body).map(|(status, _)| status);
        let known = |known| history.known(at, if Instant::now() < in_doubt_until { Known::Open } else { known });
        match (leaves, reply) {
            (false, Ok(200 | 201 | 204)) => {
                registered = true;
                known(Known::Registered);
                history.renewed(at, began);
            }
            (true, Ok(204)) => {
                registered = false;
                known(Known::Deregistered);
            }
            // Gone: what it asked for before has come about, or it was not heard and was removed.
            (_, Ok(404)) => {
                registered = false;
                known(Known::Open);
            }
            _ => {
                // A heartbeat changes nothing that is known.
                if leaves || !registered {
                    known(Known::Open);
                    in_doubt_until = Instant::now() + UNDERWAY;
                }
                server = (server + 1) % servers.len();
                continue;
            }
        }
        thread::sleep(EVERY);
    }
}

/// Asks one server again and again.
pub fn look(at: usize, dns: SocketAddr, history: &History, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        // Whoever is killed or stands still answers nothing, and one that starts has no state yet: that is no answer.
        if let Ok(ports) = call::dns(dns) {
            let missing = (0..STEADY).filter(|instance| !ports.contains(&(PORTS + *instance as u16))).collect();
            history.saw(at, began, missing);
        }
        thread::sleep(EVERY / 10);
    }
}

/// Which of the first instances a server does not show as healthy.
pub fn missing(http: SocketAddr, instances: usize) -> Option<String> {
    let shown = match call::http(http, "GET", "/v1/services/chaos", "") {
        Ok((200, body)) => serde_json::from_str::<Value>(&body).expect("JSON"),
        other => return Some(format!("{other:?}")),
    };
    let is_healthy = |instance: &usize| {
        let all = shown["instances"].as_array().expect("instances");
        all.iter().any(|shown| shown["id"] == format!("i{instance}") && shown["status"] == "healthy")
    };
    let missing: Vec<usize> = (0..instances).filter(|instance| !is_healthy(instance)).collect();
    (!missing.is_empty()).then(|| format!("{missing:?} of {shown}"))
}

/// Whether all servers show the same, and of each instance what it knows itself.
pub fn agree(servers: &[(SocketAddr, SocketAddr)], history: &History) -> Result<(), String> {
    let mut all = Vec::new();
    for (http, _) in servers {
        let mut ids = Vec::new();
        for instance in history.state().keys() {
            let (status, _) = call::http(*http, "GET", &path(*instance), "").map_err(|error| error.to_string())?;
            ids.push((*instance, status == 200));
        }
        all.push(ids);
    }
    if all.iter().any(|ids| *ids != all[0]) {
        return Err(format!("they differ: {all:?}"));
    }
    // An instance that was acknowledged is there until it was removed for being unheard, a minute later.
    for (instance, is_there) in &all[0] {
        let expected = match history.state()[instance] {
            Known::Registered => true,
            Known::Deregistered => false,
            Known::Open => continue,
        };
        if expected != *is_there {
            return Err(format!("instance {instance} should {}be there", if expected { "" } else { "not " }));
        }
    }
    Ok(())
}
