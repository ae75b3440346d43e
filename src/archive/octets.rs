//! Numbers and texts as octets, written and read one after the other.

/// Appends a number, seven bits in an octet, the low ones first.
pub fn put_varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Appends a length and so many octets.
pub fn put_text(to: &mut Vec<u8>, text: &[u8]) {
    put_varint(to, text.len() as u64);
    to.extend_from_slice(text);
}

/// What is left to read. Each call takes from its beginning; `None` when there is not enough.
#[derive(Debug, Clone, Copy)]
pub struct Octets<'a>(pub &'a [u8]);

impl<'a> Octets<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub fn octet(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    /// A number of at most 64 bits, in no more octets than that takes.
    pub fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            if shift == 63 && octet > 1 {
                return None;
            }
            number |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    pub fn str(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.text()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 0x7f, 0x80, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut octets = Vec::new();
            put_varint(&mut octets, number);
            let mut read = Octets(&octets);
            assert_eq!((read.varint(), read.0.len()), (Some(number), 0));
            assert_eq!(Octets(&octets[..octets.len() - 1]).varint(), None, "{number} without its end");
        }
        assert_eq!(Octets(&[0xff; 11]).varint(), None, "more than 64 bits");
        assert_eq!(Octets(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varint(), None);
    }

    #[test]
    fn texts_come_back_whole_or_not() {
        let mut octets = Vec::new();
        put_text(&mut octets, b"web/a");
        assert_eq!(Octets(&octets).str(), Some("web/a"));
        assert_eq!(Octets(&octets[..4]).text(), None);
        assert_eq!(Octets(&[1, 0xff]).str(), None, "not UTF-8");
        assert_eq!(Octets(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).text(), None, "far too long");
    }
}
