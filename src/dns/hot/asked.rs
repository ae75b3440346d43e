//! The usual query, read in place.
//!
//! One question of class IN, behind it at most an OPT record without options or with a cookie alone, and nothing else: what
//! stub resolvers and recursive servers send all the time. Nothing is copied; what is not like that is [`None`] here and
//! read with all care by [`super::super::query`].

use std::ops::Range;

use crate::dns::edns::cookie;
use crate::wire::octets::u16_at;
use crate::wire::{MAX_LABEL, MAX_NAME, RecordType, flag};

/// Where the name of the question begins.
pub const QNAME: usize = 12;
const OPCODE_AND_QR: u16 = 0xf800;
const CLASS_IN: u16 = 1;
/// Octets of an OPT record in front of the data of its only option: root, TYPE, CLASS, TTL, RDLENGTH, and the option's code
/// and length.
const BEFORE_COOKIE: usize = 11 + OPTION_HEAD as usize;
const OPTION_HEAD: u8 = 4;
/// The COOKIE option (RFC 7873 §4).
const COOKIE: u8 = 10;
/// The most labels in front of the apex.
const LABELS: usize = 3;
/// Octets of a label that are made lower case at once where fewer count: one vector register.
const FEW: usize = 16;

/// A question as it stands in its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    pub packet: &'a [u8],
    /// Where each label in front of the apex begins, with its length octet, most specific first.
    labels: [u16; LABELS],
    count: usize,
    /// Where the apex begins in the packet.
    pub apex: usize,
    /// Where the question ends.
    pub end: usize,
    pub qtype: RecordType,
    pub opt: Option<Opt>,
}

/// What the OPT record of a query says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opt {
    /// Octets that the client takes in over UDP.
    pub udp_payload: u16,
    pub dnssec_ok: bool,
    has_cookie: bool,
}

impl<'a> Asked<'a> {
    /// Reads a packet whose question is below `apex`, a name in wire form; `None` when it is anything unusual.
    #[inline]
    pub fn read(packet: &'a [u8], apex: &[u8]) -> Option<Self> {
        let head = packet.first_chunk::<QNAME>()?;
        let additional = match head[4..] {
            [0, 1, 0, 0, 0, 0, 0, additional] if additional <= 1 => additional,
            _ => return None,
        };
        if u16_at(head, 2)? & OPCODE_AND_QR != 0 {
            return None;
        }
        let (labels, count, apex_at) = front(packet, apex)?;
        let end = apex_at + apex.len() + 4;
        if u16_at(packet, end - 2)? != CLASS_IN {
            return None;
        }
        let opt = match (additional, &packet[end..]) {
            (0, []) => None,
            (1, octets) => Some(Opt::read(octets)?),
            _ => return None,
        };
        let qtype = RecordType(u16_at(packet, end - 4)?);
        Some(Self { packet, labels, count, apex: apex_at, end, qtype, opt })
    }

    /// The labels in front of the apex, most specific first, without their lengths.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let (packet, labels) = (self.packet, self.labels);
        (0..self.count).map(move |at| {
            let at = usize::from(labels[at]);
            &packet[at + 1..=at + usize::from(packet[at])]
        })
    }

    /// One of the labels, in lower case, in `into`.
    #[inline]
    pub fn lowered<'b>(&self, label: usize, into: &'b mut [u8; MAX_LABEL]) -> Option<&'b [u8]> {
        let (length, octets) = self.packet[usize::from(*self.labels.get(label)?)..].split_first()?;
        let length = usize::from(*length);
        match (octets.first_chunk::<FEW>(), into.first_chunk_mut::<FEW>()) {
            (Some(few), Some(into)) if length <= FEW => *into = few.map(|octet| octet.to_ascii_lowercase()),
            _ => {
                into[..length].copy_from_slice(&octets[..length]);
                into.make_ascii_lowercase();
            }
        }
        Some(&into[..length])
    }

    /// The data of the COOKIE option, which has a length that cookies have.
    pub fn cookie(&self) -> Option<&'a [u8]> {
        self.opt.filter(|opt| opt.has_cookie).map(|_| &self.packet[self.end + BEFORE_COOKIE..])
    }

    /// The name in wire form, in the case of the question.
    pub fn qname(&self) -> Range<usize> {
        QNAME..self.end - 4
    }
}

/// Steps over the labels of a name until the apex begins: where each begins, how many they are, and where the apex does.
fn front(packet: &[u8], apex: &[u8]) -> Option<([u16; LABELS], usize, usize)> {
    let mut starts = [0; LABELS];
    let mut at = QNAME;
    for count in 0..=LABELS {
        let rest = packet.get(at..)?;
        if is_name(rest.get(..apex.len())?, apex) {
            return (at + apex.len() - QNAME <= MAX_NAME).then_some((starts, count, at));
        }
        let length = usize::from(*rest.first()?);
        if !(1..=MAX_LABEL).contains(&length) {
            return None;
        }
        *starts.get_mut(count)? = at as u16;
        at += 1 + length;
    }
    None
}

/// Whether two names of one length are the same. Mostly their first octets differ, or none does.
#[inline]
fn is_name(octets: &[u8], apex: &[u8]) -> bool {
    octets.first() == apex.first() && (octets == apex || octets.eq_ignore_ascii_case(apex))
}

impl Opt {
    /// Reads a record of EDNS version 0 that has no option but a cookie, and behind which the packet ends.
    fn read(octets: &[u8]) -> Option<Self> {
        let (&[0, 0, 41, high, low, _, 0, bits, _, 0, length], options) = octets.split_first_chunk()? else {
            return None;
        };
        let has_cookie = match *options {
            [] if length == 0 => false,
            [0, COOKIE, 0, data, ref cookie @ ..] => {
                let is_whole = usize::from(data) == cookie.len() && length == data.checked_add(OPTION_HEAD)?;
                (is_whole && cookie::has_length(cookie)).then_some(true)?
            }
            _ => return None,
        };
        Some(Self { udp_payload: u16::from_be_bytes([high, low]), dnssec_ok: bits & 0x80 != 0, has_cookie })
    }
}

/// The header bit that a reply repeats, as it stands in a query's third octet.
pub fn recursion_desired(packet: &[u8]) -> u8 {
    packet[2] & (flag::RD >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::query;
    use crate::wire::Name;
    use proptest::prelude::*;

    const APEX: &[u8] = b"\x03svc\x05local\x00";

    fn packet(name: &[u8], opt: &[u8]) -> Vec<u8> {
        let header = [0x12, 0x34, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, u8::from(!opt.is_empty())];
        [&header[..], name, &[0, 33, 0, 1], opt].concat()
    }

    fn labels(packet: &[u8]) -> Option<Vec<String>> {
        let asked = Asked::read(packet, APEX)?;
        Some(asked.labels().map(|label| String::from_utf8_lossy(label).into_owned()).collect())
    }

    #[test]
    fn labels_in_front_of_the_apex() {
        for (name, expected) in [
            (&b"\x03wEb\x03sVc\x05local\x00"[..], Some(&["wEb"][..])),
            (b"\x02i1\x03web\x03svc\x05LOCAL\x00", Some(&["i1", "web"])),
            (b"\x05_http\x04_tcp\x03web\x03svc\x05local\x00", Some(&["_http", "_tcp", "web"])),
            (b"\x03svc\x05local\x00", Some(&[])),
            (b"\x01a\x01b\x01c\x01d\x03svc\x05local\x00", None),
            (b"\x0bxsvc\x05local\x00\x00", None),
            (b"\x04xsvc\x05local\x00", None),
            (b"\x05local\x00", None),
            (b"\x00", None),
            (b"\x03web\xc0\x0c", None),
        ] {
            let expected = expected.map(|labels| labels.iter().map(|label| (*label).to_owned()).collect());
            assert_eq!(labels(&packet(name, b"")), expected, "{name:02x?}");
        }
    }

    #[test]
    fn a_label_that_only_ends_like_the_apex() {
        // The label `\003svc\005local` and nothing behind it but the root.
        let packet = packet(b"\x0a\x03svc\x05local\x00", b"");
        assert_eq!(Asked::read(&packet, APEX), None);
    }

    #[test]
    fn the_opt_record() {
        let name = b"\x03web\x03svc\x05local\x00";
        for (opt, expected) in [
            (&b""[..], Some(None)),
            (b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00", Some(Some((1232, true)))),
            (b"\x00\x00\x29\x10\x00\x01\x00\x00\x01\x00\x00", Some(Some((4096, false)))),
            (b"\x00\x00\x29\x04\xd0\x00\x01\x00\x00\x00\x00", None),
            (b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x04\x00\x03\x00\x00", None),
            (b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00", None),
            (b"\x00\x00\xfa\x04\xd0\x00\x00\x00\x00\x00\x00", None),
            (b"\x01\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00", None),
            (b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x0812345678", Some(Some((1232, false)))),
            (b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0d\x00\x0a\x00\x0812345678", None),
            (b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x08123456789", None),
            (b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0d\x00\x0a\x00\x09123456789", None),
            (b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x01\x0c\x00\x0a\x00\x0812345678", None),
        ] {
            let packet = packet(name, opt);
            let asked = Asked::read(&packet, APEX);
            let read = asked.map(|asked| asked.opt.map(|opt| (opt.udp_payload, opt.dnssec_ok)));
            assert_eq!(read, expected, "{opt:02x?}");
        }
    }

    #[test]
    fn a_cookie_alone() {
        let name = b"\x03web\x03svc\x05local\x00";
        let longest = [1; 41];
        for length in 0..=longest.len() {
            let head = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, length as u8 + OPTION_HEAD, 0, COOKIE, 0, length as u8];
            let packet = packet(name, &[&head[..], &longest[..length]].concat());
            let cookie = Asked::read(&packet, APEX).map(|asked| asked.cookie().unwrap());
            assert_eq!(cookie, matches!(length, 8 | 16..=40).then_some(&longest[..length]));
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_others() {
        let usual = packet(b"\x03web\x03svc\x05local\x00", b"");
        assert!(Asked::read(&usual, APEX).is_some());
        for (at, octet) in [(2, 0x80), (2, 0x28), (5, 0), (5, 2), (7, 1), (9, 1), (10, 1), (11, 1), (11, 2), (30, 3)] {
            let mut packet = usual.clone();
            packet[at] = octet;
            assert_eq!(Asked::read(&packet, APEX), None, "{at}: {octet}");
        }
        assert_eq!(Asked::read(&[&usual[..], b"x"].concat(), APEX), None);
        assert!((0..usual.len()).all(|end| Asked::read(&usual[..end], APEX).is_none()));
    }

    proptest! {
        /// Whatever is read here is what the careful reader reads.
        #[test]
        fn agrees_with_the_careful_reader(
            at in 0usize..40,
            octet in any::<u8>(),
            more in proptest::collection::vec(any::<u8>(), 0..14),
            has_opt in any::<bool>(),
        ) {
            let opt: &[u8] = if has_opt { b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00" } else { &more };
            let mut packet = packet(b"\x02i1\x03web\x03svc\x05local\x00", opt);
            if let Some(place) = packet.get_mut(at) {
                *place = octet;
            }
            if let Some(asked) = Asked::read(&packet, APEX) {
                let query = query::read(&packet).unwrap();
                let question = query.question.as_ref().unwrap();
                prop_assert!(query.is_whole && query.is_query() && query.tsig.is_none());
                prop_assert_eq!(question.qname.clone(), Name::from_wire(&packet[asked.qname()]).unwrap());
                prop_assert_eq!((question.qtype, question.qclass), (asked.qtype, CLASS_IN));
                prop_assert_eq!(question.octets, &packet[QNAME..asked.end]);
                prop_assert_eq!(query.edns.map(|edns| (edns.udp_payload, edns.dnssec_ok)), asked.opt.map(|opt| (opt.udp_payload, opt.dnssec_ok)));
                let labels: Vec<&[u8]> = asked.labels().collect();
                prop_assert_eq!(question.qname.strip(&Name::from_wire(APEX).unwrap()).unwrap(), labels);
            }
        }
    }
}
