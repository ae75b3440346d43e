//! A real etcd of one member or more, on free ports, and a wire to it that can be cut.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::eventually;
use super::process::{Process, tool};
use super::server::Setup;

/// One member of an etcd.
pub struct Member {
    process: Process,
    directory: Arc<TempDir>,
    arguments: Vec<String>,
    client: u16,
    scheme: &'static str,
}

/// A port that was free a moment ago: etcd takes none that it finds itself.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl Member {
    /// An etcd of one member.
    pub fn start() -> Self {
        Self::cluster(1).remove(0)
    }

    /// An etcd of so many members.
    pub fn cluster(count: usize) -> Vec<Self> {
        let ports: Vec<(u16, u16)> = (0..count).map(|_| (free_port(), free_port())).collect();
        let all: Vec<String> =
            ports.iter().enumerate().map(|(at, (_, peer))| format!("m{at}=http://127.0.0.1:{peer}")).collect();
        let members: Vec<Self> = ports
            .iter()
            .enumerate()
            .map(|(at, (client, peer))| {
                let url = format!("http://127.0.0.1:{client}");
                let peer = format!("http://127.0.0.1:{peer}");
                let arguments = [
                    ("--name", format!("m{at}")),
                    ("--initial-cluster", all.join(",")),
                    ("--listen-client-urls", url.clone()),
                    ("--advertise-client-urls", url),
                    ("--listen-peer-urls", peer.clone()),
                    ("--initial-advertise-peer-urls", peer),
                ];
                Self::launch(*client, "http", arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]))
            })
            .collect();
        members.iter().for_each(Self::until_healthy);
        members
    }

    /// An etcd of one member that is reached over TLS, with the certificate and key in these files.
    pub fn with_tls(certificate: &Path, key: &Path) -> Self {
        let (client, peer) = (free_port(), free_port());
        let (url, peer) = (format!("https://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
        let arguments = [
            ("--name", "m0".to_owned()),
            ("--initial-cluster", format!("m0={peer}")),
            ("--listen-client-urls", url.clone()),
            ("--advertise-client-urls", url),
            ("--listen-peer-urls", peer.clone()),
            ("--initial-advertise-peer-urls", peer),
            ("--cert-file", certificate.display().to_string()),
            ("--key-file", key.display().to_string()),
        ];
        Self::launch(client, "https", arguments.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]))
    }

    fn launch(client: u16, scheme: &'static str, arguments: impl Iterator<Item = String>) -> Self {
        let directory = Arc::new(TempDir::new().expect("a temporary directory"));
        let data = ["--data-dir".to_owned(), directory.path().join("etcd").display().to_string()];
        let arguments: Vec<String> = data.into_iter().chain(arguments).collect();
        let process = Self::process(&arguments);
        Self { process, directory, arguments, client, scheme }
    }

    fn process(arguments: &[String]) -> Process {
        let logs = ["--logger", "zap", "--log-level", "warn"];
        Process::start(Command::new(tool("etcd", "etcd-server")).args(arguments).args(logs))
    }

    fn until_healthy(&self) {
        eventually("etcd is healthy", || {
            let mut connection = TcpStream::connect(self.address()).map_err(|error| error.to_string())?;
            connection.set_read_timeout(Some(Duration::from_secs(2))).map_err(|error| error.to_string())?;
            let request = b"GET /health HTTP/1.0\r\n\r\n";
            let mut reply = String::new();
            connection.write_all(request).and_then(|()| connection.read_to_string(&mut reply)).ok();
            if reply.contains("\"true\"") { Ok(()) } else { Err(reply) }
        });
    }

    /// Where clients reach it.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.client).into()
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.client)
    }

    /// Runs `etcdctl` against it, and gives what that prints.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(tool("etcdctl", "etcd-client"));
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.url()]).args(arguments);
        let output = command.output().expect("etcdctl runs");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?}: {text}");
        text
    }

    /// The keys below a prefix, with their values on the lines between.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let printed = self.ctl(&["get", "--prefix", prefix, "--keys-only"]);
        printed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Whether it is the leader of its cluster.
    pub fn is_leader(&self) -> bool {
        let printed = self.ctl(&["endpoint", "status", "--write-out", "json"]);
        let status: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        let status = &status[0]["Status"];
        status["leader"] == status["header"]["member_id"]
    }

    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Starts it again on what it has written, on the same ports.
    pub fn restart(&mut self) {
        assert!(self.directory.path().exists());
        self.process = Self::process(&self.arguments);
        self.until_healthy();
    }
}

/// A server that keeps its registry in etcd.
pub fn sharing(urls: &str) -> Setup {
    Setup::new().set("store.kind", "etcd").set("store.endpoints", urls)
}

const OPEN: u8 = 0;
const STALLED: u8 = 1;
const CUT: u8 = 2;

/// A wire to a TCP port.
pub struct Wire {
    pub address: SocketAddr,
    state: Arc<AtomicU8>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Wire {
    pub fn to(target: SocketAddr) -> Self {
        Self::between(Ipv4Addr::LOCALHOST.into(), target)
    }

    /// One that begins at this address of the machine.
    pub fn between(near: IpAddr, target: SocketAddr) -> Self {
        let listener = TcpListener::bind((near, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (state, ends) = (Arc::new(AtomicU8::new(OPEN)), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (shared, open) = (Arc::clone(&state), Arc::clone(&ends));
        // It ends with the test's process.
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(target);
                let (Ok(far), true) = (far, shared.load(Ordering::SeqCst) != CUT) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                    open.lock().expect("nobody panics").push(from.try_clone().expect("a socket"));
                    let state = Arc::clone(&shared);
                    thread::spawn(move || carry(from, to, &state));
                }
            }
        });
        Self { address, state, ends }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Carries everything again.
    pub fn open(&self) {
        self.state.store(OPEN, Ordering::SeqCst);
    }

    /// Holds back everything, as a network does that loses packets.
    pub fn stall(&self) {
        self.state.store(STALLED, Ordering::SeqCst);
    }

    /// Ends all connections, and takes no new ones.
    pub fn cut(&self) {
        self.state.store(CUT, Ordering::SeqCst);
        for end in self.ends.lock().expect("nobody panics").drain(..) {
            end.shutdown(std::net::Shutdown::Both).ok();
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &AtomicU8) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        while state.load(Ordering::SeqCst) == STALLED {
            thread::sleep(Duration::from_millis(5));
        }
        if state.load(Ordering::SeqCst) == CUT || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    to.shutdown(std::net::Shutdown::Both).ok();
}
