//! Looking at the host, the server and the name servers: files are read, questions asked, nothing judged.

use std::fs;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use super::DoctorArgs;
use super::asking;
use super::facts::{Asked, Facts, Host, Lookup};
use super::files::{Hosts, ResolvConf};
use super::judge::bare;
use crate::cli::client::{Call, Client};
use crate::cli::connection::ServerUrl;
use crate::cli::target::Target;
use crate::wire::Name;

/// The zone where no server says which it is: the one that srvd serves unless configured otherwise.
const ZONE: &str = "svc.local";
/// The longest wait for the system's resolver, which takes twice five seconds for each name server that is silent.
const LOOKUP: Duration = Duration::from_secs(35);

/// Finds out everything that is judged.
pub(super) fn look(args: &DoctorArgs) -> Facts {
    let url = &args.connection.server;
    let status = get(url, &["status"]);
    let told_zone = status.as_ref().ok().and_then(|status| Name::parse(status["zone"].as_str()?).ok());
    let zone = args.zone.clone().or(told_zone).unwrap_or_else(|| Name::parse(ZONE).expect("a name"));
    let server = status.map(|status| listeners(&status, url));
    let places = match (args.dns, &server) {
        (Some(place), _) => vec![place],
        (None, Ok(listeners)) => listeners.clone(),
        (None, Err(_)) => Vec::new(),
    };
    let srvd: Vec<_> = places.into_iter().map(|place| (place, asking::soa(place, &zone))).collect();
    let host = host(&zone);
    let configured = match host.is_macos {
        true => host.macos_resolver.as_ref().or(host.resolv_conf.as_ref()),
        false => host.resolv_conf.as_ref(),
    };
    let name_servers = configured.map(|file| file.name_servers.clone()).unwrap_or_default();
    let name_servers = name_servers.into_iter().map(|place| (place, asking::soa(place, &zone))).collect();
    let lookup = args.name.clone().or_else(|| known_name(url, &zone, &srvd)).map(|name| lookup(name, &srvd));
    Facts { zone, url: url.to_string(), server, srvd, host, name_servers, lookup }
}

fn get(url: &ServerUrl, path: &[&str]) -> Result<Value, String> {
    let call = Call::new("", Method::GET, Target::v1(path));
    let reply = Client::new(url.clone()).send(call).map_err(|error| error.to_string())?;
    match serde_json::from_slice(&reply.body) {
        Ok(body) if reply.status.is_success() => Ok(body),
        _ => Err(format!("{url} answers {}; see that --server names a srvd server", reply.status)),
    }
}

/// Where the server answers DNS. One that takes every address is reached where its HTTP is.
fn listeners(status: &Value, url: &ServerUrl) -> Vec<SocketAddr> {
    let told = status["listeners"]["dns"].as_array().map_or(&[][..], Vec::as_slice);
    let mut places: Vec<SocketAddr> = told.iter().filter_map(|place| place.as_str()?.parse().ok()).collect();
    if places.iter().any(|place| place.ip().is_unspecified()) {
        let same = host_of(url);
        for place in &mut places {
            let is_own = |address: &&IpAddr| address.is_ipv4() == place.is_ipv4();
            if let Some(address) = same.iter().find(is_own).filter(|_| place.ip().is_unspecified()) {
                place.set_ip(*address);
            }
        }
        places.retain(|place| !place.ip().is_unspecified());
    }
    places
}

/// The addresses of the host in a URL.
fn host_of(url: &ServerUrl) -> Vec<IpAddr> {
    let uri: Option<hyper::Uri> = url.to_string().parse().ok();
    let host = uri.as_ref().and_then(hyper::Uri::host).unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    (host, 0).to_socket_addrs().map(|places| places.map(|place| place.ip()).collect()).unwrap_or_default()
}

fn host(zone: &Name) -> Host {
    let read = |path: &str| fs::read_to_string(path).ok();
    Host {
        is_macos: cfg!(target_os = "macos"),
        resolv_conf: read("/etc/resolv.conf").map(|text| ResolvConf::parse(&text)),
        hosts: read("/etc/nsswitch.conf").and_then(|text| Hosts::parse(&text)),
        mdns_allow: Path::new("/etc/mdns.allow").exists(),
        resolved: Path::new("/run/systemd/resolve/stub-resolv.conf").exists(),
        macos_resolver: read(&format!("/etc/resolver/{}", bare(zone))).map(|text| ResolvConf::parse(&text)),
    }
}

/// A name of the zone that has addresses: that of a healthy service, else that of the zone's own name server.
fn known_name(url: &ServerUrl, zone: &Name, srvd: &[(SocketAddr, Asked)]) -> Option<Name> {
    let services = get(url, &["services"]).unwrap_or_default();
    let services = services["services"].as_array().map_or(&[][..], Vec::as_slice);
    let healthy = services.iter().filter(|service| service["instances"]["healthy"].as_u64() > Some(0));
    let names = healthy.filter_map(|service| zone.prepend(service["service"].as_str()?.as_bytes()).ok());
    let own = srvd.iter().find_map(|(_, asked)| match asked {
        Asked::Served { server, .. } if server.is_at_or_below(zone) => Some(server.clone()),
        _ => None,
    });
    let place = srvd.iter().find(|(_, asked)| matches!(asked, Asked::Served { .. })).map(|(place, _)| *place)?;
    // Instances that are host names have no addresses here; a few services tell whether any has.
    names.take(5).chain(own).find(|name| !asking::addresses(place, name).is_empty())
}

fn lookup(name: Name, srvd: &[(SocketAddr, Asked)]) -> Lookup {
    let served = srvd.iter().find(|(_, asked)| matches!(asked, Asked::Served { .. }));
    let expected = served.map(|(place, _)| asking::addresses(*place, &name)).unwrap_or_default();
    let found = system(&bare(&name));
    Lookup { name, expected, found }
}

/// What programs get for `name`, from getaddrinfo(3).
fn system(name: &str) -> Result<Vec<IpAddr>, String> {
    let (send, found) = mpsc::channel();
    let asked = name.to_owned();
    // A look-up cannot be interrupted; one that hangs is left behind.
    thread::spawn(move || send.send((asked.as_str(), 0).to_socket_addrs().map(|places| places.collect::<Vec<_>>())));
    match found.recv_timeout(LOOKUP) {
        Ok(Ok(places)) => {
            let mut addresses: Vec<IpAddr> = places.into_iter().map(|place| place.ip()).collect();
            addresses.dedup();
            Ok(addresses)
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no word from the system's resolver within {} s", LOOKUP.as_secs())),
    }
}
