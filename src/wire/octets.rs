//! Numbers in octets.

/// The 16-bit number at an offset, most significant octet first; `None` when the octets end before it does.
pub fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}
