//! A relay between a client and a server, which can be cut and mended.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes octets on in both directions. It listens until the test ends.
pub struct Relay {
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    is_cut: bool,
    streams: Vec<TcpStream>,
    /// What clients sent, one after the other.
    heads: String,
}

impl Relay {
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let relay = Self { address, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut state = shared.lock().expect("nobody panics with it");
                if state.is_cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(server) else { continue };
                for stream in [&client, &server] {
                    state.streams.push(stream.try_clone().expect("a second handle"));
                }
                pass(
                    client.try_clone().expect("a second handle"),
                    server.try_clone().expect("a second handle"),
                    Some(&shared),
                );
                pass(server, client, None);
            }
        });
        relay
    }

    /// Breaks all connections and lets no more through.
    pub fn cut(&self) {
        let mut state = self.shared.lock().expect("nobody panics with it");
        state.is_cut = true;
        for stream in state.streams.drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.shared.lock().expect("nobody panics with it").is_cut = false;
    }

    /// All that clients sent.
    pub fn heads(&self) -> String {
        self.shared.lock().expect("nobody panics with it").heads.clone()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, noted: Option<&Arc<Mutex<Shared>>>) {
    let noted = noted.map(Arc::clone);
    thread::spawn(move || {
        let mut octets = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut octets) {
            if let Some(noted) = &noted {
                let text = String::from_utf8_lossy(&octets[..length]);
                noted.lock().expect("nobody panics with it").heads += &text;
            }
            if to.write_all(&octets[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
