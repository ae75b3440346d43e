//! Word to the service manager that started this process, where there is one: the protocol of sd_notify(3).
//!
//! One datagram for each thing there is to say. Nobody answers, and a manager that cannot be told is no reason to stop.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// Where managers say that they listen.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// The service manager, or nobody.
#[derive(Debug)]
pub struct Manager(Option<(UnixDatagram, SocketAddr)>);

impl Manager {
    /// The one that the environment names.
    pub fn of_environment() -> Self {
        let Some(place) = env::var_os(VARIABLE) else { return Self(None) };
        match socket(&place) {
            Ok(socket) => Self(Some(socket)),
            Err(error) => {
                tracing::warn!(%error, "{VARIABLE} is no socket to tell the service manager by");
                Self(None)
            }
        }
    }

    /// It serves from now on; also after a reload.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// It reads its files again; [`Manager::ready`] ends that.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000));
    }

    /// It is about to end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, words: &str) {
        let Some((socket, manager)) = &self.0 else { return };
        if let Err(error) = socket.send_to_addr(words.as_bytes(), manager) {
            tracing::debug!(%error, "the service manager is not told");
        }
    }
}

/// A path, or after an at sign a name in Linux's abstract namespace.
fn socket(place: &OsString) -> io::Result<(UnixDatagram, SocketAddr)> {
    let manager = match place.as_bytes() {
        [b'@', name @ ..] => of_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(place)?,
        _ => return Err(io::Error::other("it should begin with / or @")),
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that takes nothing in keeps nobody waiting.
    socket.set_nonblocking(true)?;
    Ok((socket, manager))
}

#[cfg(target_os = "linux")]
fn of_abstract_name(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn of_abstract_name(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a manager at `place` hears.
    fn heard(place: &OsString, listener: &UnixDatagram, tell: impl FnOnce(&Manager)) -> String {
        tell(&Manager(Some(socket(place).unwrap())));
        let mut buffer = [0; 128];
        let length = listener.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn words_to_a_manager() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("manager");
        let listener = UnixDatagram::bind(&place).unwrap();
        let place = place.into_os_string();
        assert_eq!(heard(&place, &listener, Manager::ready), "READY=1");
        assert_eq!(heard(&place, &listener, Manager::stopping), "STOPPING=1");
        let reloading = heard(&place, &listener, Manager::reloading);
        let (first, time) = reloading.split_once("\nMONOTONIC_USEC=").unwrap();
        assert!(first == "RELOADING=1" && time.parse::<u64>().is_ok_and(|time| time > 0), "{reloading}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_without_a_file() {
        let name = format!("srvd-manager-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&of_abstract_name(name.as_bytes()).unwrap()).unwrap();
        assert_eq!(heard(&format!("@{name}").into(), &listener, Manager::ready), "READY=1");
    }

    #[test]
    fn nobody_there_is_no_fault() {
        Manager(None).ready();
        assert!(socket(&"manager".into()).is_err() && socket(&"".into()).is_err());
        let directory = tempfile::tempdir().unwrap();
        let deserted = directory.path().join("gone").into_os_string();
        Manager(Some(socket(&deserted).unwrap())).ready();
    }
}
