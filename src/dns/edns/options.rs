//! The options of OPT records: those of a query that mean something here, and those of a reply as they are put together.

use std::time::Duration;

use smallvec::SmallVec;

use super::ExtendedError;
use crate::wire::octets::u16_at;

const NSID: u16 = 3;
const COOKIE: u16 = 10;
const KEEPALIVE: u16 = 11;
const PADDING: u16 = 12;
const EXTENDED_ERROR: u16 = 15;

/// Octets of an option before its data.
const HEAD: usize = 4;
/// Replies are padded to a multiple of this many octets (RFC 8467 §4.1).
const BLOCK: usize = 468;

/// What the options of a query ask for. Of options that come twice the first counts (RFC 7873 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked<'a> {
    pub nsid: bool,
    /// The data of the COOKIE option.
    pub cookie: Option<&'a [u8]>,
    /// Octets of data in the edns-tcp-keepalive option; a query should have none.
    pub keepalive: Option<usize>,
    pub padding: bool,
}

impl<'a> Asked<'a> {
    /// Reads the RDATA of an OPT record; `None` when an option is shorter than it says.
    pub fn read(mut rdata: &'a [u8]) -> Option<Self> {
        let mut asked = Self::default();
        while !rdata.is_empty() {
            let (code, length) = (u16_at(rdata, 0)?, usize::from(u16_at(rdata, 2)?));
            let data = rdata.get(HEAD..HEAD + length)?;
            match code {
                NSID => asked.nsid = true,
                COOKIE => asked.cookie = asked.cookie.or(Some(data)),
                KEEPALIVE => asked.keepalive = asked.keepalive.or(Some(length)),
                PADDING => asked.padding = true,
                _ => {}
            }
            rdata = &rdata[HEAD + length..];
        }
        Some(asked)
    }
}

/// The options of a reply in wire form. Without a long NSID they need no memory of their own.
#[derive(Debug, Clone, Default)]
pub struct Options(SmallVec<[u8; 64]>);

impl Options {
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Who answers (RFC 5001 §2.3).
    pub fn nsid(&mut self, nsid: &[u8]) {
        self.push(NSID, nsid);
    }

    /// Client cookie and server cookie (RFC 7873 §4).
    pub fn cookie(&mut self, cookie: &[u8]) {
        self.push(COOKIE, cookie);
    }

    /// How long the connection may rest (RFC 7828 §3.1), in steps of 100 ms.
    pub fn keepalive(&mut self, idle: Duration) {
        let steps = u16::try_from(idle.as_millis() / 100).unwrap_or(u16::MAX);
        self.push(KEEPALIVE, &steps.to_be_bytes());
    }

    /// Why there is no better answer (RFC 8914 §2), unless it takes more than `room` octets.
    pub fn extended_error(&mut self, error: ExtendedError, room: usize) {
        let text = error.text().as_bytes();
        if HEAD + 2 + text.len() <= room {
            self.0.extend_from_slice(&EXTENDED_ERROR.to_be_bytes());
            self.0.extend_from_slice(&(2 + text.len() as u16).to_be_bytes());
            self.0.extend_from_slice(&error.code().to_be_bytes());
            self.0.extend_from_slice(text);
        }
    }

    /// Fills a message up that has `length` octets without these options, but not beyond `limit` (RFC 7830 §4).
    pub fn pad(&mut self, length: usize, limit: usize) {
        let least = length + self.0.len() + HEAD;
        if least <= limit {
            let zeros = least.next_multiple_of(BLOCK).min(limit) - least;
            self.0.extend_from_slice(&PADDING.to_be_bytes());
            self.0.extend_from_slice(&(zeros as u16).to_be_bytes());
            self.0.resize(self.0.len() + zeros, 0);
        }
    }

    fn push(&mut self, code: u16, data: &[u8]) {
        self.0.extend_from_slice(&code.to_be_bytes());
        self.0.extend_from_slice(&(data.len() as u16).to_be_bytes());
        self.0.extend_from_slice(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_options_are_found_and_others_passed_over() {
        let subnet = b"\x00\x08\x00\x07\x00\x01\x18\x00\xc0\x00\x02";
        let rdata =
            [&subnet[..], b"\x00\x03\x00\x00", b"\x00\x0a\x00\x02ab", b"\x00\x0a\x00\x01c", b"\x00\x0b\x00\x01x"];
        let asked = Asked { nsid: true, cookie: Some(b"ab"), keepalive: Some(1), padding: false };
        assert_eq!(Asked::read(&rdata.concat()), Some(asked));
        assert_eq!(Asked::read(b""), Some(Asked::default()));
        for cut in [&b"\x00"[..], b"\x00\x03\x00", b"\x00\x03\x00\x01", b"\xff\xff\xff\xffx"] {
            assert_eq!(Asked::read(cut), None, "{cut:02x?}");
        }
    }

    #[test]
    fn padding_fills_blocks_and_stops_at_the_limit() {
        for (length, limit, expected) in [
            (100, 65_535, 468),
            (464, 65_535, 468),
            (465, 65_535, 936),
            (65_520, 65_535, 65_535),
            (65_532, 65_535, 65_532),
        ] {
            let mut options = Options::default();
            options.pad(length, limit);
            assert_eq!(length + options.octets().len(), expected, "{length}");
        }
    }

    #[test]
    fn idle_times_are_told_in_steps_and_at_most_what_fits() {
        for (idle, steps) in [(10_000, [0, 100]), (550, [0, 5]), (0, [0, 0]), (10_000_000, [0xff, 0xff])] {
            let mut options = Options::default();
            options.keepalive(Duration::from_millis(idle));
            assert_eq!(options.octets(), [&[0, 11, 0, 2], &steps[..]].concat(), "{idle} ms");
        }
    }

    #[test]
    fn an_extended_error_needs_its_room() {
        let error = ExtendedError::NotAuthoritative;
        let whole = HEAD + 2 + error.text().len();
        for (room, length) in [(whole, whole), (whole - 1, 0), (0, 0)] {
            let mut options = Options::default();
            options.extended_error(error, room);
            assert_eq!(options.octets().len(), length);
        }
    }
}
