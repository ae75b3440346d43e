//! NSD, Knot DNS and BIND, started on the same zone files: on loopback, in a directory of the test, with nothing that
//! needs privileges.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use crate::common::message::Udp;
use crate::common::process::{Process, tool};
use crate::zones::Zone;

/// A server that speaks for its authors' reading of the RFCs.
pub struct Reference {
    pub address: SocketAddr,
    process: Process,
}

/// The names of the references, in the order of [`start`].
pub const NAMES: [&str; 3] = ["nsd", "knot", "bind"];

/// Starts all three on the files `APEX.zone` in `files`, and waits until each answers for every zone.
pub fn start(directory: &Path, files: &Path, zones: &[Zone]) -> [Reference; 3] {
    let start = |name: &str, program: &str, arguments: &[&str], configuration: fn(&Layout) -> String| {
        let own = directory.join(name);
        fs::create_dir(&own).expect("a directory of its own");
        let layout = Layout { own: &own, files, port: free_port(), zones };
        let file = own.join("configuration");
        fs::write(&file, configuration(&layout)).expect("a configuration");
        let mut command = Command::new(tool(program, name));
        let process = Process::start(command.args(arguments).arg(file));
        Reference { address: (Ipv4Addr::LOCALHOST, layout.port).into(), process }
    };
    let references = [
        start("nsd", "nsd", &["-d", "-c"], nsd),
        start("knot", "knotd", &["-c"], knot),
        start("bind9", "named", &["-g", "-n", "1", "-c"], bind),
    ];
    for reference in &references {
        for zone in zones {
            reference.await_zone(zone);
        }
    }
    references
}

impl Reference {
    fn await_zone(&self, zone: &Zone) {
        crate::common::eventually(&format!("{} is served", zone.apex), || {
            let answer = Udp::to(self.address).try_ask(&zone.apex, 6);
            match answer {
                Some(response) if response.answer.len() == 1 => Ok(()),
                other => {
                    let log = self.process.log();
                    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&zone.apex)).collect();
                    Err(format!("{other:?}\n{}\n{}", lines.join("\n"), zone.text))
                }
            }
        });
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // NSD ends its children when it is asked to end, and leaves them when it is killed.
        self.process.terminate();
    }
}

/// A port that is free for UDP and TCP. It is let go again, because these servers cannot say which one they took.
fn free_port() -> u16 {
    let free = || {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        let port = tcp.local_addr().ok()?.port();
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|_| port)
    };
    (0..100).find_map(|_| free()).expect("a free port")
}

/// What configurations are made from.
struct Layout<'a> {
    own: &'a Path,
    files: &'a Path,
    port: u16,
    zones: &'a [Zone],
}

impl Layout<'_> {
    fn with_zones(&self, mut text: String, zone: impl Fn(&str) -> String) -> String {
        for Zone { apex, .. } in self.zones {
            writeln!(text, "{}", zone(apex)).expect("text grows");
        }
        text
    }
}

fn nsd(layout: &Layout<'_>) -> String {
    let (own, port) = (layout.own.display(), layout.port);
    let server = format!(
        "server:
  ip-address: 127.0.0.1@{port}
  username: \"\"
  zonesdir: \"{}\"
  database: \"\"
  pidfile: \"\"
  zonelistfile: \"{own}/zone.list\"
  xfrdfile: \"{own}/xfrd.state\"
  xfrdir: \"{own}\"
  server-count: 1
  minimal-responses: no
  refuse-any: no
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  ipv4-edns-size: 1232
remote-control:
  control-enable: no
",
        layout.files.display()
    );
    layout.with_zones(server, |apex| format!("zone:\n  name: {apex}\n  zonefile: {apex}.zone"))
}

fn knot(layout: &Layout<'_>) -> String {
    let (own, port) = (layout.own.display(), layout.port);
    let server = format!(
        "server:
  rundir: {own}
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  udp-max-payload: 1232
  answer-rotation: off
control:
  listen: {own}/knot.sock
database:
  storage: {own}
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: {}
    file: \"%s.zone\"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
zone:
",
        layout.files.display()
    );
    layout.with_zones(server, |apex| format!("  - domain: {apex}"))
}

fn bind(layout: &Layout<'_>) -> String {
    let (own, port) = (layout.own.display(), layout.port);
    let options = format!(
        "options {{
  directory \"{own}\";
  managed-keys-directory \"{own}\";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  pid-file none;
  session-keyfile none;
  lock-file none;
  recursion no;
  allow-query {{ any; }};
  minimal-responses no;
  dnssec-validation no;
  notify no;
  empty-zones-enable no;
  answer-cookie no;
  max-udp-size 1232;
  edns-udp-size 1232;
  check-names primary ignore;
  check-wildcard no;
  zero-no-soa-ttl no;
  check-integrity no;
}};
controls {{ }};
"
    );
    let files = layout.files.display();
    layout.with_zones(options, |apex| format!("zone \"{apex}\" {{ type primary; file \"{files}/{apex}.zone\"; }};"))
}
