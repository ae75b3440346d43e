//! Datagrams by the batch: one system call takes in all that wait, one sends all answers.
//!
//! This is the one file with unsafe code: it fills the structures of recvmmsg(2) and sendmmsg(2) with pointers into memory
//! that it owns, for the time of the call alone, and reads only what the kernel says that it wrote. What a datagram means
//! is not its concern.
//!
//! A socket on one address answers from there anyhow. One on the wildcard address has to know where each datagram went and
//! say so when it answers (IP_PKTINFO, RFC 3542 §6), or a client that asked the second address of a host would hear from
//! the first and drop the answer. The kernel tells this in a control message, which goes back with the answer as it came,
//! but for the interface: routes decide on it, except where a link-local address means nothing without one.
#![expect(unsafe_code, reason = "there is no safe wrapper of recvmmsg and sendmmsg that keeps control messages apart")]

use std::io;
use std::mem::{self, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use smallvec::SmallVec;

/// Datagrams that are taken at once, at most. With half, two or four times as many a query costs as much.
pub const BATCH: usize = 32;
/// Datagrams that are asked for at least, however few came lately.
const FEW: usize = 8;

/// The largest datagram; a query is never cut on its way in.
const DATAGRAM: usize = 65_535;
/// From one query to the next. Not a power of two: the beginnings of all queries would share a few lines of the cache.
const QUERY_STRIDE: usize = DATAGRAM + 1 + 576;
/// The longest answer that is sent (`dns.udp_payload`).
pub const ANSWER: usize = 4096;
const ANSWER_STRIDE: usize = ANSWER + 320;
/// Octets of the largest control message that is asked for: IPV6_PKTINFO.
const CONTROL: usize = 40;

/// The control message of one datagram, aligned as its header has to be.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control {
    octets: [u8; CONTROL],
    length: usize,
}

/// Datagrams that came, and the answers to them.
pub struct Batch {
    queries: Box<[u8]>,
    answers: Box<[u8]>,
    /// Senders: one is an IPv4 address if its family says so, in the layout of `sockaddr_in`.
    names: [libc::sockaddr_in6; BATCH],
    name_lengths: [libc::socklen_t; BATCH],
    controls: [Control; BATCH],
    /// Whether control messages are wanted.
    on_wildcard: bool,
    /// Octets of each query that came.
    came: [usize; BATCH],
    /// The answers that wait to be sent: to which query, and how long.
    waiting: [(u8, u16); BATCH],
    waits: usize,
    /// Datagrams that are asked for next, at most [`BATCH`].
    most: usize,
}

/// The message headers of a call.
type Heads = SmallVec<[libc::mmsghdr; BATCH]>;

impl Batch {
    /// For a socket that is bound to the wildcard address, or for another.
    pub fn new(on_wildcard: bool) -> Self {
        Self {
            queries: vec![0; BATCH * QUERY_STRIDE].into(),
            answers: vec![0; BATCH * ANSWER_STRIDE].into(),
            names: [NO_NAME; BATCH],
            name_lengths: [0; BATCH],
            controls: [Control::NONE; BATCH],
            on_wildcard,
            came: [0; BATCH],
            waiting: [(0, 0); BATCH],
            waits: 0,
            most: BATCH,
        }
    }

    /// Waits for a datagram, as long as the socket does, and takes those along that came with it. Gives how many there
    /// are; what was here before is gone.
    ///
    /// # Errors
    /// Those of recvmmsg(2): `WouldBlock` when nothing came in time.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.waits = 0;
        let queries = self.queries.as_mut_ptr();
        let (mut parts, mut heads) = (SmallVec::<[libc::iovec; BATCH]>::new(), Heads::new());
        parts.extend(
            (0..self.most)
                .map(|at| libc::iovec { iov_base: queries.wrapping_add(at * QUERY_STRIDE).cast(), iov_len: DATAGRAM }),
        );
        let (names, controls) = (self.names.as_mut_ptr(), self.controls.as_mut_ptr());
        let (parts, control) = (parts.as_mut_ptr(), if self.on_wildcard { CONTROL } else { 0 });
        heads.extend((0..self.most).map(|at| {
            head(Parts {
                name: names.wrapping_add(at).cast(),
                name_length: size_of::<libc::sockaddr_in6>() as libc::socklen_t,
                part: parts.wrapping_add(at),
                // The octets are the first field.
                control: controls.wrapping_add(at).cast(),
                control_length: control,
            })
        }));
        // SAFETY: each head points at a name, a part and a control message of its own in arrays that live until the call
        // is over, each with its true length, and there are no more than BATCH; the parts point at DATAGRAM octets each,
        // apart from each other, inside `queries`, which is BATCH strides long and borrowed for writing here. The kernel
        // writes nowhere else.
        let count = unsafe {
            // By its number: in the function of the C library a thread can be cancelled, and the atomic operations which
            // that takes were 2 % of the user time.
            let (heads, most, none) = (heads.as_mut_ptr(), heads.len(), ptr::null_mut::<libc::timespec>());
            libc::syscall(libc::SYS_recvmmsg, socket.as_raw_fd(), heads, most, libc::MSG_WAITFORONE, none)
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (at, head) in heads.iter().enumerate().take(count) {
            self.came[at] = (head.msg_len as usize).min(DATAGRAM);
            self.name_lengths[at] = head.msg_hdr.msg_namelen;
            let is_whole = head.msg_hdr.msg_flags & libc::MSG_CTRUNC == 0;
            let length: usize = head.msg_hdr.msg_controllen as _;
            self.controls[at].length = if is_whole { length.min(CONTROL) } else { 0 };
            self.controls[at].forget_interface();
        }
        self.expect(count);
        Ok(count)
    }

    /// Asks for more datagrams next after as many came as were asked for, and for fewer after few came: each that is asked
    /// for has a head written for it, whether it comes or not.
    fn expect(&mut self, came: usize) {
        if came == self.most {
            self.most = (self.most * 2).min(BATCH);
        } else if came < self.most / 4 {
            self.most = (self.most / 2).max(FEW);
        }
    }

    /// What came, and where the answers go.
    pub fn parts(&mut self) -> (Queries<'_>, Answers<'_>) {
        let (waiting, waits) = (&mut self.waiting, &mut self.waits);
        let queries = Queries { octets: &self.queries, came: &self.came, names: &self.names };
        (queries, Answers { octets: &mut self.answers, waiting, waits })
    }

    /// Sends what waits. One that cannot be sent does not keep the others back; `failed` is told who does not get it.
    pub fn send(&mut self, socket: &UdpSocket, mut failed: impl FnMut(SocketAddr, io::Error)) {
        let answers = self.answers.as_mut_ptr();
        let (mut parts, mut heads) = (SmallVec::<[libc::iovec; BATCH]>::new(), Heads::new());
        parts.extend(self.waiting[..self.waits].iter().map(|(to, octets)| libc::iovec {
            iov_base: answers.wrapping_add(usize::from(*to) * ANSWER_STRIDE).cast(),
            iov_len: usize::from(*octets),
        }));
        let (names, controls) = (self.names.as_mut_ptr(), self.controls.as_mut_ptr());
        let parts = parts.as_mut_ptr();
        heads.extend((0..self.waits).map(|at| {
            let to = usize::from(self.waiting[at].0);
            head(Parts {
                name: names.wrapping_add(to).cast(),
                name_length: self.name_lengths[to],
                part: parts.wrapping_add(at),
                control: controls.wrapping_add(to).cast(),
                control_length: if self.on_wildcard { self.controls[to].length } else { 0 },
            })
        }));
        let mut sent = 0;
        while sent < self.waits {
            let (first, left) = (heads[sent..].as_mut_ptr(), self.waits - sent);
            // SAFETY: there are `left` heads from `first` on. Each points at a name, a part and a control message with
            // their true lengths in arrays that live until the call is over; each part at as many octets as it says in
            // `answers`, at most ANSWER of a place of ANSWER_STRIDE. The kernel only reads them, and writes lengths into the
            // heads.
            let count = unsafe { libc::syscall(libc::SYS_sendmmsg, socket.as_raw_fd(), first, left, 0) };
            match usize::try_from(count) {
                Ok(count) if count > 0 => sent += count,
                _ => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        failed(sender(&self.names[usize::from(self.waiting[sent].0)]), error);
                        sent += 1;
                    }
                }
            }
        }
        self.waits = 0;
    }
}

/// The datagrams of a batch.
#[derive(Clone, Copy)]
pub struct Queries<'b> {
    octets: &'b [u8],
    came: &'b [usize; BATCH],
    names: &'b [libc::sockaddr_in6; BATCH],
}

impl<'b> Queries<'b> {
    /// A datagram.
    pub fn packet(&self, at: usize) -> &'b [u8] {
        &self.octets[at * QUERY_STRIDE..][..self.came[at]]
    }

    /// Who sent it.
    pub fn sender(&self, at: usize) -> SocketAddr {
        sender(&self.names[at])
    }

    /// The address of who sent it.
    #[inline]
    pub fn address(&self, at: usize) -> IpAddr {
        address(&self.names[at])
    }

    /// The port of who sent it.
    #[inline]
    pub fn port(&self, at: usize) -> u16 {
        u16::from_be(self.names[at].sin6_port)
    }
}

/// Where the answers to a batch go.
pub struct Answers<'b> {
    octets: &'b mut [u8],
    waiting: &'b mut [(u8, u16); BATCH],
    waits: &'b mut usize,
}

impl Answers<'_> {
    /// Where the answer to the datagram at `at` goes.
    pub fn place(&mut self, at: usize) -> &mut [u8] {
        &mut self.octets[at * ANSWER_STRIDE..][..ANSWER]
    }

    /// Has that answer sent with the others: the first so many octets of its place.
    pub fn send(&mut self, at: usize, octets: usize) {
        if *self.waits < BATCH {
            self.waiting[*self.waits] = (at as u8, octets.min(ANSWER) as u16);
            *self.waits += 1;
        }
    }
}

/// What a message header points at.
struct Parts {
    name: *mut libc::c_void,
    name_length: libc::socklen_t,
    part: *mut libc::iovec,
    control: *mut libc::c_void,
    control_length: usize,
}

fn head(parts: Parts) -> libc::mmsghdr {
    let Parts { name, name_length, part, control, control_length } = parts;
    // SAFETY: a structure of C, of numbers and pointers alone, for which zero is a value. In musl it has padding that has
    // no name here, and that the kernel takes for the upper halves of lengths: zero too.
    let mut head: libc::mmsghdr = unsafe { mem::zeroed() };
    head.msg_hdr.msg_name = name;
    head.msg_hdr.msg_namelen = name_length;
    head.msg_hdr.msg_iov = part;
    head.msg_hdr.msg_iovlen = 1;
    head.msg_hdr.msg_control = if control_length == 0 { ptr::null_mut() } else { control };
    head.msg_hdr.msg_controllen = control_length as _;
    head
}

impl Control {
    const NONE: Self = Self { octets: [0; CONTROL], length: 0 };
    /// Octets of a control message's header: its length, its level and its type.
    const HEADER: usize = 16;

    /// Leaves the interface of the answer to the routes, but for a link-local address.
    fn forget_interface(&mut self) {
        match (self.number(8), self.number(12)) {
            _ if self.length == 0 => {}
            // in_pktinfo: interface, the local address, the address that was asked.
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => self.octets[Self::HEADER..Self::HEADER + 4].fill(0),
            // in6_pktinfo: address, interface.
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let is_link_local = self.octets[Self::HEADER] == 0xfe && self.octets[Self::HEADER + 1] & 0xc0 == 0x80;
                if !is_link_local {
                    self.octets[Self::HEADER + 16..Self::HEADER + 20].fill(0);
                }
            }
            // Nothing else is asked for, so nothing else is sent back.
            _ => self.length = 0,
        }
    }

    fn number(&self, at: usize) -> i32 {
        self.octets[at..].first_chunk().map_or(0, |octets| i32::from_ne_bytes(*octets))
    }
}

const NO_NAME: libc::sockaddr_in6 = libc::sockaddr_in6 {
    sin6_family: libc::AF_UNSPEC as libc::sa_family_t,
    sin6_port: 0,
    sin6_flowinfo: 0,
    sin6_addr: libc::in6_addr { s6_addr: [0; 16] },
    sin6_scope_id: 0,
};

/// The sender in a name.
fn sender(name: &libc::sockaddr_in6) -> SocketAddr {
    SocketAddr::new(address(name), u16::from_be(name.sin6_port))
}

/// The address in a name. An IPv4 address stands where the flow information of an IPv6 one is.
#[inline]
fn address(name: &libc::sockaddr_in6) -> IpAddr {
    if i32::from(name.sin6_family) == libc::AF_INET {
        IpAddr::V4(Ipv4Addr::from(name.sin6_flowinfo.to_ne_bytes()))
    } else {
        IpAddr::V6(Ipv6Addr::from(name.sin6_addr.s6_addr))
    }
}

#[cfg(test)]
mod tests;
