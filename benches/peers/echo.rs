//! The floor under every DNS server on UDP: datagrams in by `recvmmsg`, datagrams of the answers' sizes out by
//! `sendmmsg`, and nothing between.
//!
//! `peers-echo KIND…` serves a free port of 127.0.0.1 and prints `ready PORT`. Each kind is written
//! `LABEL:TYPE:OCTETS`: a query whose first label has that length and whose type has that number is sent back with the QR
//! bit set and so many octets. dnsperf takes that for an answer, because it looks at the id, that bit and the response
//! code. The only look into a query is the one that finds its size. Queries of no kind are sent back empty.
#![allow(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

/// Datagrams in one system call: twice as many as srvd takes, so that it is not the echo that is held up.
const BATCH: usize = 64;
/// Room for a datagram: the longest answer that srvd sends over UDP fits.
const DATAGRAM: usize = 4096;
const HEADER: usize = 12;

/// Queries that get an answer of one size.
struct Kind {
    label: u8,
    rtype: u8,
    octets: usize,
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let kind = Self {
            label: parts.next()?.parse().ok()?,
            rtype: parts.next()?.parse().ok()?,
            octets: parts.next()?.parse().ok().filter(|octets| (HEADER..=DATAGRAM).contains(octets))?,
        };
        parts.next().is_none().then_some(kind)
    }
}

/// The size of the answer to a query.
fn answer_octets(query: &[u8], kinds: &[Kind]) -> Option<usize> {
    let label = *query.get(HEADER)?;
    let mut at = HEADER;
    while *query.get(at)? != 0 {
        at += 1 + usize::from(query[at]);
    }
    let rtype = *query.get(at + 2)?;
    kinds.iter().find(|kind| kind.label == label && kind.rtype == rtype).map(|kind| kind.octets)
}

fn main() -> io::Result<()> {
    let kinds: Option<Vec<Kind>> = std::env::args().skip(1).map(|text| Kind::parse(&text)).collect();
    let Some(kinds) = kinds.filter(|kinds| !kinds.is_empty()) else {
        eprintln!("usage: peers-echo LABEL:TYPE:OCTETS...");
        std::process::exit(2);
    };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("ready {}", socket.local_addr()?.port());
    serve(&socket, &kinds)
}

/// Answers for ever.
fn serve(socket: &UdpSocket, kinds: &[Kind]) -> io::Result<()> {
    let socket = socket.as_raw_fd();
    let mut buffers = vec![[0_u8; DATAGRAM]; BATCH];
    // SAFETY: addresses, vectors and headers are C structs of numbers and pointers, for which all zeros are valid.
    let (mut addresses, mut vectors, mut headers): (Vec<libc::sockaddr_in>, Vec<libc::iovec>, Vec<libc::mmsghdr>) =
        unsafe { (vec![std::mem::zeroed(); BATCH], vec![std::mem::zeroed(); BATCH], vec![std::mem::zeroed(); BATCH]) };
    loop {
        for slot in 0..BATCH {
            vectors[slot] = libc::iovec { iov_base: buffers[slot].as_mut_ptr().cast(), iov_len: DATAGRAM };
            let header: &mut libc::msghdr = &mut headers[slot].msg_hdr;
            header.msg_name = ptr::from_mut(&mut addresses[slot]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut vectors[slot];
            header.msg_iovlen = 1;
        }
        // SAFETY: the first `BATCH` headers point at vectors, buffers and addresses that live until the call is over, and
        // that nothing else uses meanwhile; their lengths are those of the memory.
        let received = unsafe {
            // By its number, as srvd calls it: the function of the C library does more.
            let (headers, none) = (headers.as_mut_ptr(), ptr::null_mut::<libc::timespec>());
            libc::syscall(libc::SYS_recvmmsg, socket, headers, BATCH, libc::MSG_WAITFORONE, none)
        };
        let received = passing(received)?;
        for slot in 0..received {
            let length = headers[slot].msg_len as usize;
            buffers[slot][2] |= 0x80;
            vectors[slot].iov_len = answer_octets(&buffers[slot][..length], kinds).unwrap_or(0);
        }
        let mut sent = 0;
        while sent < received {
            // SAFETY: as above; the headers from `sent` on, of which there are so many, were filled by `recvmmsg`.
            let now = unsafe {
                libc::syscall(libc::SYS_sendmmsg, socket, headers.as_mut_ptr().add(sent), received - sent, 0)
            };
            sent += passing(now)?.max(1);
        }
    }
}

/// What a call came to: how many datagrams, none when a signal or an earlier ICMP message came in between.
fn passing(outcome: libc::c_long) -> io::Result<usize> {
    usize::try_from(outcome).or_else(|_| {
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused => Ok(0),
            _ => Err(error),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_goes_by_the_first_label_and_the_type() {
        let kinds: Vec<Kind> = ["2:1:100", "2:28:90"].iter().map(|text| Kind::parse(text).unwrap()).collect();
        let query = |tail: &[u8]| [&[0; HEADER][..], tail].concat();
        let cases: [(&[u8], Option<usize>); 6] = [
            (b"\x02ab\x01c\0\0\x01\0\x01", Some(100)),
            (b"\x02ab\0\0\x1c\0\x01", Some(90)),
            (b"\x03abc\0\0\x01\0\x01", None),
            (b"\x02ab\0\0\x02\0\x01", None),
            (b"\x02ab", None),
            (b"", None),
        ];
        for (tail, octets) in cases {
            assert_eq!(answer_octets(&query(tail), &kinds), octets, "{tail:?}");
        }
        for wrong in ["", "2:1", "2:1:3", "2:1:5000", "2:1:100:1", "300:1:100"] {
            assert!(Kind::parse(wrong).is_none(), "{wrong}");
        }
    }
}
